//! Money that has arrived and is final.
//!
//! Promises: one payment is booked once, whoever tells of it and however often; a block and the cursor after it are stored together; the
//! cursor never goes back.

use std::str::FromStr;

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{PAGE_MAX, hex, read, signed, unhex, unsigned},
    entries::{Account, EventKind, Side, What, move_money, take},
    present::PAYMENT,
    store::{Books, BooksError, Result, Tx, again},
    watches::note_arrival,
};
use crate::{
    evm::{Address, TxHash},
    money::{Amount, Asset},
};

/// How we came to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Somebody showed its hash.
    Hash,
    /// It was found in a block while its payer was watched for.
    Watch,
    /// It was an authorization that somebody sent, in nearly all cases we.
    Settlement,
    /// As a settlement, by a transaction that does not say for which authorization: each of its transfers is booked once.
    Wrapped,
    /// Nobody told of it, and nobody was watched for: the recipient's balance rose.
    Found,
    /// An operator said whose it is, where the chain does not.
    Hand,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Watch => "watch",
            Self::Settlement => "settlement",
            Self::Wrapped => "wrapped",
            Self::Found => "found",
            Self::Hand => "hand",
        }
    }
}

impl FromStr for How {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Hash, Self::Watch, Self::Settlement, Self::Wrapped, Self::Found, Self::Hand]
            .into_iter()
            .find(|how| how.word() == text)
            .ok_or(())
    }
}

/// The proof of a token's transfer that an operator credited.
pub(super) const TRANSFER: &str = "transfer/";

/// The columns that [`deposit_of`] reads.
macro_rules! deposit_columns {
    () => {
        "deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how"
    };
}
pub(super) use deposit_columns;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// CAIP-2.
    pub network: String,
    /// With its payer, what makes it the same payment on chain: `tx/<lower-case hash>`, an authorization's identity, or
    /// `transfer/<token>/<hash>` for a token's transfer that nobody can tie to an authorization.
    pub proof: String,
    /// The one that moved it.
    pub transaction: TxHash,
    /// Who paid, as the chain says.
    pub payer: Address,
    /// The shop's address that it went to.
    pub pay_to: Address,
    pub asset: Asset,
    pub amount: Amount,
    pub block: u64,
    /// Unix milliseconds.
    pub block_time_ms: i64,
    pub how: How,
}

/// Where a network was read to; see `chain::Cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTo {
    pub height: u64,
    pub hash: [u8; 32],
}

impl Books {
    /// Books it to its payer's balance; `false`: it was recorded before, by whom ever, and that row stands.
    /// If its payer has an open watch on this network and no run of his shows this proof, the watch notes the arrival.
    pub async fn deposit(&self, deposit: &Deposit, now_ms: i64) -> Result<bool> {
        again(|| async {
            let mut tx = self.begin().await?;
            let new = self.book(&mut tx, deposit, now_ms).await?;
            tx.commit().await?;
            Ok(new)
        })
        .await
    }

    /// All deposits of one final block and the cursor after it: both or neither. The cursor never goes back.
    ///
    /// # Errors
    /// [`BooksError::Refused`] if one of them is of another network.
    pub async fn deposit_block(&self, network: &str, read_to: ReadTo, deposits: &[Deposit], now_ms: i64) -> Result<()> {
        if deposits.iter().any(|deposit| deposit.network != network) {
            return Err(BooksError::refused(format_args!("a deposit of another network in a block of {network}")));
        }
        // Balance rows in one order, so that two blocks, or two instances, never wait for each other.
        let mut deposits: Vec<&Deposit> = deposits.iter().collect();
        deposits.sort_by_key(|deposit| (deposit.payer, &deposit.asset));
        again(|| async {
            let mut tx = self.begin().await?;
            for deposit in &deposits {
                self.book(&mut tx, deposit, now_ms).await?;
            }
            advance(&mut tx, network, read_to).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn book(&self, tx: &mut Tx, deposit: &Deposit, now_ms: i64) -> Result<bool> {
        if deposit.asset.network != deposit.network {
            return Err(BooksError::refused("money of one network never pays on another"));
        }
        // Its run has to learn of it in the same transaction: `settle`.
        let by_hand = deposit.how == How::Hand && deposit.proof.starts_with(TRANSFER);
        if !deposit.proof.starts_with(PAYMENT) && !by_hand {
            return Err(BooksError::refused("an authorization is settled, not deposited"));
        }
        let mut payer = take(tx, &Account::Payer(deposit.payer), &deposit.asset).await?;
        let Some(id) = record(tx, self.id(now_ms)?, deposit, 1, now_ms).await? else { return Ok(false) };
        let event = self.event(EventKind::Deposit, What::Deposit(&id), now_ms)?;
        let chain = Side::Sum(Account::Chain(&deposit.network));
        move_money(tx, &event, &deposit.asset, deposit.amount, chain, Side::Row(&mut payer)).await?;
        note_arrival(tx, deposit, now_ms).await?;
        Ok(true)
    }

    /// The first of them, where several paid in one transaction.
    pub async fn find_deposit(&self, network: &str, proof: &str) -> Result<Option<Deposit>> {
        Ok(self.deposits_of(network, proof).await?.into_iter().next())
    }

    /// Of a transaction, one for each account that paid in it; of an authorization, one at most.
    pub async fn deposits_of(&self, network: &str, proof: &str) -> Result<Vec<Deposit>> {
        let rows = sqlx::query(concat!(
            "select ",
            deposit_columns!(),
            " from deposits where network = $1 and proof = $2 order by deposit_id"
        ))
        .bind(network)
        .bind(proof)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| deposit_of(row).map(|(_, deposit)| deposit)).collect()
    }

    pub async fn read_to(&self, network: &str) -> Result<Option<ReadTo>> {
        let row: Option<(i64, String)> =
            sqlx::query_as("select height, hash from cursors where network = $1 and height is not null")
                .bind(network)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(height, hash)| Ok(ReadTo { height: unsigned(height)?, hash: unhex(&hash)? })).transpose()
    }

    /// Deposits in the order they were written, after `after` (a deposit's id; empty: from the start): for `coinslot books --chain`.
    pub async fn deposits_after(&self, after: &str, limit: u32) -> Result<Vec<(String, Deposit)>> {
        let rows = sqlx::query(
            "select deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how
             from deposits where deposit_id > $1 order by deposit_id limit $2",
        )
        .bind(after)
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(deposit_of).collect()
    }
}

/// The row's id. `None`: it was recorded before, and that row stands; or it is wrapped, and all of its transaction's transfers are booked for
/// other authorizations.
///
/// `of`: so many equal transfers of its payer are in a transaction that does not say for what.
pub(super) async fn record(tx: &mut Tx, id: String, deposit: &Deposit, of: u64, now_ms: i64) -> Result<Option<String>> {
    let place = if deposit.how == How::Wrapped { booked_for_others(&mut **tx, deposit).await? } else { 0 };
    if place >= of {
        return Ok(None);
    }
    Ok(sqlx::query_scalar(
        "insert into deposits (deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how,
                               booked_ms, place)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict do nothing
         returning deposit_id",
    )
    .bind(id)
    .bind(&deposit.network)
    .bind(&deposit.proof)
    .bind(deposit.transaction.to_string())
    .bind(deposit.payer.to_string())
    .bind(deposit.pay_to.to_string())
    .bind(deposit.asset.to_string())
    .bind(deposit.amount.to_string())
    .bind(signed(deposit.block)?)
    .bind(deposit.block_time_ms)
    .bind(deposit.how.word())
    .bind(now_ms)
    .bind(signed(place)?)
    .fetch_optional(&mut **tx)
    .await?)
}

impl Books {
    /// How many of the transfers in its transaction that are equal to it are booked for others of its payer's authorizations. Those that name
    /// their authorization (EIP-3009) take none away.
    pub async fn booked_for_others(&self, deposit: &Deposit) -> Result<u64> {
        booked_for_others(&self.pool, deposit).await
    }
}

async fn booked_for_others<'e>(executor: impl sqlx::Executor<'e, Database = sqlx::Any>, deposit: &Deposit) -> Result<u64> {
    let others: i64 = sqlx::query_scalar(
        "select cast(count(*) as bigint) from deposits
         where network = $1 and transaction_hash = $2 and payer = $3 and asset = $4 and amount = $5 and pay_to = $6 and proof <> $7
           and (how = 'wrapped' or proof like 'permit2/%')",
    )
    .bind(&deposit.network)
    .bind(deposit.transaction.to_string())
    .bind(deposit.payer.to_string())
    .bind(deposit.asset.to_string())
    .bind(deposit.amount.to_string())
    .bind(deposit.pay_to.to_string())
    .bind(&deposit.proof)
    .fetch_one(executor)
    .await?;
    unsigned(others)
}

/// An older block is told again after a crash or by a slower instance: nothing to do.
async fn advance(tx: &mut Tx, network: &str, read_to: ReadTo) -> Result<()> {
    sqlx::query(
        "insert into cursors (network, height, hash) values ($1, $2, $3)
         on conflict (network) do update set height = excluded.height, hash = excluded.hash
         where cursors.height is null or cursors.height < excluded.height",
    )
    .bind(network)
    .bind(signed(read_to.height)?)
    .bind(hex(read_to.hash))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) fn deposit_of(row: &AnyRow) -> Result<(String, Deposit)> {
    let deposit = Deposit {
        network: row.try_get("network")?,
        proof: row.try_get("proof")?,
        transaction: read(row, "transaction_hash")?,
        payer: read(row, "payer")?,
        pay_to: read(row, "pay_to")?,
        asset: read(row, "asset")?,
        amount: read(row, "amount")?,
        block: unsigned(row.try_get("block")?)?,
        block_time_ms: row.try_get("block_time_ms")?,
        how: read(row, "how")?,
    };
    Ok((row.try_get("deposit_id")?, deposit))
}
