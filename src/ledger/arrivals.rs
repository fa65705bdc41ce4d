//! What a recipient of ours has on a chain, and what explains it.
//!
//! Promises: what explains a block and that it is explained are stored together, and once, whoever looks; what nobody explains is written down
//! with its blocks and its amount, and nothing of it is lost or booked twice when its payers are found.

use std::str::FromStr;

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{PAGE_MAX, hex, read, signed, unhex, unsigned},
    deposits::{Deposit, How, deposit_columns, deposit_of},
    entries::{Account as AccountOf, EventKind, Side, What, move_money, take},
    store::{Books, BooksError, Result, Tx, again},
};
use crate::{
    evm::{Address, TxHash},
    money::{Amount, Asset},
};

/// What a recipient had after a final block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub height: u64,
    /// Of the block.
    pub hash: [u8; 32],
    /// Wei.
    pub balance: Amount,
    /// Transactions that it had sent.
    pub nonce: u64,
}

/// How far its balance is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The block of the first look, and what was there.
    pub opened: (u64, Amount),
    pub at: Standing,
    /// What left since the first look.
    pub left: Amount,
}

/// What became of coin that arrived with no plain transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiseState {
    /// Whose it is cannot be told yet.
    Open,
    /// It was traced, and no call brought it.
    Nobody,
    /// It has its payers.
    Booked,
}

impl RiseState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Nobody => "nobody",
            Self::Booked => "booked",
        }
    }
}

impl FromStr for RiseState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Open, Self::Nobody, Self::Booked].into_iter().find(|state| state.word() == text).ok_or(())
    }
}

/// A row of `rises`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rise {
    pub id: String,
    pub network: String,
    pub pay_to: Address,
    /// After the block before its first one.
    pub before: Standing,
    /// After its last block.
    pub after: Standing,
    /// What is still unexplained.
    pub amount: Amount,
    pub left: Amount,
    pub state: RiseState,
}

impl Rise {
    /// `block 7`, `blocks 7 to 9`.
    pub fn blocks(&self) -> String {
        let (first, last) = (self.before.height + 1, self.after.height);
        if first == last { format!("block {first}") } else { format!("blocks {first} to {last}") }
    }
}

/// What explains the blocks between two standings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Booked where they are not yet.
    pub deposits: Vec<Deposit>,
    /// What left.
    pub left: Amount,
    /// What is not explained, and whether somebody may yet explain it.
    pub rest: Option<(RiseState, Amount)>,
}

impl Books {
    pub async fn explained(&self, network: &str, pay_to: Address) -> Result<Option<Explained>> {
        let row = sqlx::query(
            "select opened_height, opened_balance, height, hash, balance, nonce, left_amount
             from explained where network = $1 and pay_to = $2",
        )
        .bind(network)
        .bind(pay_to.to_string())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(explained_of).transpose()
    }

    /// The first look: what is there now is none of the shop's business, what comes after it is. A second one changes nothing.
    pub async fn open_explained(&self, network: &str, pay_to: Address, at: &Standing) -> Result<()> {
        sqlx::query(
            "insert into explained (network, pay_to, opened_height, opened_balance, height, hash, balance, nonce, left_amount)
             values ($1, $2, $3, $4, $3, $5, $4, $6, '0')
             on conflict (network, pay_to) do nothing",
        )
        .bind(network)
        .bind(pay_to.to_string())
        .bind(signed(at.height)?)
        .bind(at.balance.to_string())
        .bind(hex(at.hash))
        .bind(signed(at.nonce)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What explains the blocks after `before`, up to `after`: the deposits, the rest as a row, and that it is explained, all or nothing. `false`:
    /// somebody else was faster, and nothing was written. New deposits, for the log, come back.
    ///
    /// # Errors
    /// [`BooksError::Refused`] if a deposit is of another network or not to this recipient.
    pub async fn explain(
        &self,
        network: &str,
        pay_to: Address,
        (before, after): (&Standing, &Standing),
        account: &Account,
        now_ms: i64,
    ) -> Result<Option<Vec<Deposit>>> {
        let deposits = in_order(network, &account.deposits)?;
        again(|| async {
            let mut tx = self.begin().await?;
            let new = self.book_all(&mut tx, &deposits, now_ms).await?;
            // Takes the row, and only from where we began.
            let left: Option<String> = sqlx::query_scalar(
                "update explained set height = $4, hash = $5, balance = $6, nonce = $7
                 where network = $1 and pay_to = $2 and height = $3
                 returning left_amount",
            )
            .bind(network)
            .bind(pay_to.to_string())
            .bind(signed(before.height)?)
            .bind(signed(after.height)?)
            .bind(hex(after.hash))
            .bind(after.balance.to_string())
            .bind(signed(after.nonce)?)
            .fetch_optional(&mut *tx)
            .await?;
            let Some(left) = left else { return Ok(None) };
            add_to_left(&mut tx, network, pay_to, &left, account.left, Amount::ZERO).await?;
            if let Some(rest) = account.rest {
                self.write_rise(&mut tx, network, pay_to, (before, after), account.left, rest, now_ms).await?;
            }
            tx.commit().await?;
            Ok(Some(new))
        })
        .await
    }

    /// Coin that arrived in a block that is not looked at in its turn, since somebody showed its transaction. Once.
    pub async fn note_rise(
        &self,
        network: &str,
        pay_to: Address,
        (before, after): (&Standing, &Standing),
        left: Amount,
        amount: Amount,
        now_ms: i64,
    ) -> Result<()> {
        again(|| async {
            let mut tx = self.begin().await?;
            self.write_rise(&mut tx, network, pay_to, (before, after), left, (RiseState::Open, amount), now_ms).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    #[expect(clippy::too_many_arguments, reason = "a row has so many columns")]
    async fn write_rise(
        &self,
        tx: &mut Tx,
        network: &str,
        pay_to: Address,
        (before, after): (&Standing, &Standing),
        left: Amount,
        (state, amount): (RiseState, Amount),
        now_ms: i64,
    ) -> Result<()> {
        sqlx::query(
            "insert into rises (rise_id, network, pay_to, first_block, last_block, last_hash, before_balance, before_nonce, after_balance,
                                after_nonce, left_amount, amount, state, found_ms, ended_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             on conflict (network, pay_to, last_block) do nothing",
        )
        .bind(self.id(now_ms)?)
        .bind(network)
        .bind(pay_to.to_string())
        .bind(signed(before.height.saturating_add(1))?)
        .bind(signed(after.height)?)
        .bind(hex(after.hash))
        .bind(before.balance.to_string())
        .bind(signed(before.nonce)?)
        .bind(after.balance.to_string())
        .bind(signed(after.nonce)?)
        .bind(left.to_string())
        .bind(amount.to_string())
        .bind(state.word())
        .bind(now_ms)
        .bind((state != RiseState::Open).then_some(now_ms))
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// An open rise was looked at once more. `None`: somebody else was faster, and nothing was written.
    pub async fn explain_rise(&self, rise: &Rise, account: &Account, now_ms: i64) -> Result<Option<Vec<Deposit>>> {
        let deposits = in_order(&rise.network, &account.deposits)?;
        let (state, amount) = account.rest.unwrap_or((RiseState::Booked, Amount::ZERO));
        again(|| async {
            let mut tx = self.begin().await?;
            let new = self.book_all(&mut tx, &deposits, now_ms).await?;
            let changed = sqlx::query(
                "update rises set state = $2, amount = $3, left_amount = $4, ended_ms = $5
                 where rise_id = $1 and state = 'open' and amount = $6",
            )
            .bind(&rise.id)
            .bind(state.word())
            .bind(amount.to_string())
            .bind(account.left.to_string())
            .bind((state != RiseState::Open).then_some(now_ms))
            .bind(rise.amount.to_string())
            .execute(&mut *tx)
            .await?;
            if changed.rows_affected() == 0 {
                return Ok(None);
            }
            let counted: Option<String> = sqlx::query_scalar(
                "update explained set height = height where network = $1 and pay_to = $2 and opened_height < $3 returning left_amount",
            )
            .bind(&rise.network)
            .bind(rise.pay_to.to_string())
            .bind(signed(rise.after.height)?)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(left) = counted {
                add_to_left(&mut tx, &rise.network, rise.pay_to, &left, account.left, rise.left).await?;
            }
            tx.commit().await?;
            Ok(Some(new))
        })
        .await
    }

    async fn book_all(&self, tx: &mut Tx, deposits: &[&Deposit], now_ms: i64) -> Result<Vec<Deposit>> {
        let mut new = Vec::new();
        for deposit in deposits {
            if self.book(tx, deposit, now_ms).await? {
                new.push((*deposit).clone());
            }
        }
        Ok(new)
    }

    /// Coin of a network that was booked for a recipient after one block and up to another, in no order.
    pub async fn deposits_between(&self, network: &str, pay_to: Address, after: u64, through: u64) -> Result<Vec<Deposit>> {
        let rows = sqlx::query(concat!(
            "select ",
            deposit_columns!(),
            " from deposits where network = $1 and pay_to = $2 and block > $3 and block <= $4 and asset = $5"
        ))
        .bind(network)
        .bind(pay_to.to_string())
        .bind(signed(after)?)
        .bind(signed(through)?)
        .bind(Asset::native(network).to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| deposit_of(row).map(|(_, deposit)| deposit)).collect()
    }

    /// Everything that a transaction brought, by whom ever, in whatever asset.
    pub async fn deposits_in(&self, network: &str, transaction: TxHash) -> Result<Vec<Deposit>> {
        let rows = sqlx::query(concat!(
            "select ",
            deposit_columns!(),
            " from deposits where network = $1 and transaction_hash = $2 order by deposit_id"
        ))
        .bind(network)
        .bind(transaction.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| deposit_of(row).map(|(_, deposit)| deposit)).collect()
    }

    /// Those that wait for somebody who can tell, the oldest first.
    pub async fn open_rises(&self, network: &str, limit: u32) -> Result<Vec<Rise>> {
        self.rises(network, RiseState::Open, limit).await
    }

    pub async fn rises(&self, network: &str, state: RiseState, limit: u32) -> Result<Vec<Rise>> {
        let rows = sqlx::query(
            "select rise_id, network, pay_to, first_block, last_block, last_hash, before_balance, before_nonce, after_balance, after_nonce,
                    left_amount, amount, state
             from rises where network = $1 and state = $2 order by found_ms, rise_id limit $3",
        )
        .bind(network)
        .bind(state.word())
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(rise_of).collect()
    }

    /// What came with no payer since the first look: to be added to the deposits. In wei.
    pub async fn unbooked(&self, network: &str, pay_to: Address, opened_height: u64) -> Result<Amount> {
        let rows: Vec<String> = sqlx::query_scalar(
            "select amount from rises where network = $1 and pay_to = $2 and state in ('open', 'nobody') and last_block > $3",
        )
        .bind(network)
        .bind(pay_to.to_string())
        .bind(signed(opened_height)?)
        .fetch_all(&self.pool)
        .await?;
        sum(rows.iter().map(String::as_str))
    }

    /// A run's transaction is in a block in which coin arrived that nobody can tell whose it is. It keeps waiting, and says so.
    pub async fn note_unattributed(&self, network: &str, proof: &str, why: &crate::error::CallError) -> Result<()> {
        let why = super::runs::store_error(why)?;
        again(|| async {
            sqlx::query("update runs set error = $3 where network = $1 and proof = $2 and state = 'waiting'")
                .bind(network)
                .bind(proof)
                .bind(&why)
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }

    /// What an operator says is somebody's: booked once, with who said so. It is taken out of the open rises of its block. `false`: it was booked
    /// before.
    ///
    /// # Errors
    /// [`BooksError::Refused`] if it is not by hand.
    pub async fn credit_by_hand(&self, deposit: &Deposit, by: &str, now_ms: i64) -> Result<bool> {
        if deposit.how != How::Hand {
            return Err(BooksError::refused("only what is by hand is credited by hand"));
        }
        again(|| async {
            let mut tx = self.begin().await?;
            if !self.book(&mut tx, deposit, now_ms).await? {
                return Ok(false);
            }
            let id: String =
                sqlx::query_scalar("select deposit_id from deposits where network = $1 and proof = $2 and payer = $3")
                    .bind(&deposit.network)
                    .bind(&deposit.proof)
                    .bind(deposit.payer.to_string())
                    .fetch_one(&mut *tx)
                    .await?;
            note_hand(&mut tx, &id, deposit.payer, deposit.amount, by, now_ms).await?;
            if deposit.asset.token.is_none() {
                take_out_of_rises(&mut tx, deposit, now_ms).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// What a contract handed on to us is its credit, which nobody can spend: an operator says whose it was. Moved once for each payer, with who said so.
    /// `false`: it was moved to this payer before, or the contract's credit is less.
    ///
    /// # Errors
    /// [`BooksError::Refused`] if there is no such deposit, or it is this payer's own.
    pub async fn move_by_hand(&self, of: &Deposit, to: Address, amount: Amount, by: &str, now_ms: i64) -> Result<bool> {
        if of.payer == to || amount.is_zero() || amount > of.amount {
            return Err(BooksError::refused("a deposit is moved to somebody else, and no more than all of it"));
        }
        again(|| async {
            let mut tx = self.begin().await?;
            let (first, second) = (of.payer.min(to), of.payer.max(to));
            let mut first = take(&mut tx, &AccountOf::Payer(first), &of.asset).await?;
            let mut second = take(&mut tx, &AccountOf::Payer(second), &of.asset).await?;
            let (theirs, new) = if of.payer < to { (&mut first, &mut second) } else { (&mut second, &mut first) };
            let id: Option<String> =
                sqlx::query_scalar("select deposit_id from deposits where network = $1 and proof = $2 and payer = $3")
                    .bind(&of.network)
                    .bind(&of.proof)
                    .bind(of.payer.to_string())
                    .fetch_optional(&mut *tx)
                    .await?;
            let Some(id) = id else { return Err(BooksError::refused("there is no such deposit")) };
            if theirs.amount < amount || !note_hand(&mut tx, &id, to, amount, by, now_ms).await? {
                return Ok(false);
            }
            let event = self.event(EventKind::Move, What::Deposit(&id), now_ms)?;
            move_money(&mut tx, &event, &of.asset, amount, Side::Row(theirs), Side::Row(new)).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Who credited what by hand, the oldest first: the deposit, as the account that it is now credit of has it.
    pub async fn hand_credits(&self) -> Result<Vec<(Deposit, String)>> {
        let rows = sqlx::query(
            "select d.deposit_id, d.network, d.proof, d.transaction_hash, h.payer, d.pay_to, d.asset, h.amount, d.block, d.block_time_ms,
                    d.how, h.credited_by
             from hand_credits h join deposits d on d.deposit_id = h.deposit_id order by h.at_ms, h.deposit_id, h.payer limit $1",
        )
        .bind(i64::from(PAGE_MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((deposit_of(row)?.1, row.try_get("credited_by")?))).collect()
    }

    /// Has this payer an authorization in this asset whose end is not known yet?
    pub async fn has_open_authorization(&self, payer: Address, asset: &Asset) -> Result<bool> {
        let open: i64 = sqlx::query_scalar(
            "select cast(count(*) as bigint) from authorizations where payer = $1 and asset = $2 and state = 'open'",
        )
        .bind(payer.to_string())
        .bind(asset.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(open > 0)
    }

    /// Where visitors pay to, from now on: kept, so that what is still on its way to it is booked after it moved.
    pub async fn note_recipient(&self, pay_to: Address) -> Result<()> {
        sqlx::query("insert into facts (fact, value) values ($1, '') on conflict (fact) do nothing")
            .bind(format!("{RECIPIENT}{pay_to}"))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Every address that visitors were ever told to pay to.
    pub async fn recipients(&self) -> Result<Vec<Address>> {
        let facts: Vec<String> = sqlx::query_scalar("select fact from facts where fact like 'recipient/%' order by fact")
            .fetch_all(&self.pool)
            .await?;
        let address = |fact: &String| {
            let text = fact.strip_prefix(RECIPIENT).unwrap_or_default();
            text.parse().map_err(|_| BooksError::Corrupt(format!("a recipient: {fact}")))
        };
        facts.iter().map(address).collect()
    }

    /// Books of before this was kept: whoever got a deposit was a recipient.
    pub async fn learn_recipients(&self) -> Result<()> {
        let known: Vec<String> = sqlx::query_scalar("select distinct pay_to from deposits").fetch_all(&self.pool).await?;
        for pay_to in known {
            let pay_to = pay_to.parse().map_err(|_| BooksError::Corrupt(format!("a recipient: {pay_to}")))?;
            self.note_recipient(pay_to).await?;
        }
        Ok(())
    }
}

const RECIPIENT: &str = "recipient/";

/// `false`: this payer was credited from it before.
async fn note_hand(tx: &mut Tx, deposit: &str, payer: Address, amount: Amount, by: &str, now_ms: i64) -> Result<bool> {
    let noted = sqlx::query(
        "insert into hand_credits (deposit_id, payer, amount, credited_by, at_ms) values ($1, $2, $3, $4, $5)
         on conflict (deposit_id, payer) do nothing",
    )
    .bind(deposit)
    .bind(payer.to_string())
    .bind(amount.to_string())
    .bind(by)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Sorted as their balances are taken.
fn in_order<'d>(network: &str, deposits: &'d [Deposit]) -> Result<Vec<&'d Deposit>> {
    if deposits.iter().any(|deposit| deposit.network != network) {
        return Err(BooksError::refused(format_args!("a deposit of another network in a block of {network}")));
    }
    let mut sorted: Vec<&Deposit> = deposits.iter().collect();
    sorted.sort_by_key(|deposit| (deposit.payer, &deposit.asset));
    Ok(sorted)
}

/// `before` was counted already.
async fn add_to_left(tx: &mut Tx, network: &str, pay_to: Address, left: &str, more: Amount, before: Amount) -> Result<()> {
    let corrupt = || BooksError::Corrupt(format!("what left {pay_to}: {left}"));
    let left: Amount = left.parse().map_err(|_| corrupt())?;
    let sum = left.minus(before).unwrap_or(Amount::ZERO).plus(more).ok_or(BooksError::Overflow("what left, past 256 bits"))?;
    sqlx::query("update explained set left_amount = $3 where network = $1 and pay_to = $2")
        .bind(network)
        .bind(pay_to.to_string())
        .bind(sum.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn take_out_of_rises(tx: &mut Tx, deposit: &Deposit, now_ms: i64) -> Result<()> {
    let rows = sqlx::query(
        "select rise_id, network, pay_to, first_block, last_block, last_hash, before_balance, before_nonce, after_balance, after_nonce,
                left_amount, amount, state
         from rises where network = $1 and pay_to = $2 and first_block <= $3 and last_block >= $3 and state in ('open', 'nobody')
         order by last_block",
    )
    .bind(&deposit.network)
    .bind(deposit.pay_to.to_string())
    .bind(signed(deposit.block)?)
    .fetch_all(&mut **tx)
    .await?;
    let mut taken = deposit.amount;
    for rise in rows.iter().map(rise_of).collect::<Result<Vec<_>>>()? {
        let part = taken.min(rise.amount);
        let (Some(rest), Some(more)) = (rise.amount.minus(part), taken.minus(part)) else { continue };
        taken = more;
        let state = if rest.is_zero() { RiseState::Booked } else { rise.state };
        sqlx::query("update rises set amount = $2, state = $3, ended_ms = $4 where rise_id = $1")
            .bind(&rise.id)
            .bind(rest.to_string())
            .bind(state.word())
            .bind((state != RiseState::Open).then_some(now_ms))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

fn sum<'t>(amounts: impl Iterator<Item = &'t str>) -> Result<Amount> {
    let mut sum = Amount::ZERO;
    for text in amounts {
        let amount: Amount = text.parse().map_err(|_| BooksError::Corrupt(format!("an amount: {text}")))?;
        sum = sum.plus(amount).ok_or(BooksError::Overflow("a sum past 256 bits"))?;
    }
    Ok(sum)
}

fn explained_of(row: &AnyRow) -> Result<Explained> {
    Ok(Explained {
        opened: (unsigned(row.try_get("opened_height")?)?, read(row, "opened_balance")?),
        at: Standing {
            height: unsigned(row.try_get("height")?)?,
            hash: unhex(row.try_get("hash")?)?,
            balance: read(row, "balance")?,
            nonce: unsigned(row.try_get("nonce")?)?,
        },
        left: read(row, "left_amount")?,
    })
}

fn rise_of(row: &AnyRow) -> Result<Rise> {
    let first = unsigned(row.try_get("first_block")?)?;
    Ok(Rise {
        id: row.try_get("rise_id")?,
        network: row.try_get("network")?,
        pay_to: read(row, "pay_to")?,
        before: Standing {
            height: first.saturating_sub(1),
            hash: [0; 32],
            balance: read(row, "before_balance")?,
            nonce: unsigned(row.try_get("before_nonce")?)?,
        },
        after: Standing {
            height: unsigned(row.try_get("last_block")?)?,
            hash: unhex(row.try_get("last_hash")?)?,
            balance: read(row, "after_balance")?,
            nonce: unsigned(row.try_get("after_nonce")?)?,
        },
        amount: read(row, "amount")?,
        left: read(row, "left_amount")?,
        state: read(row, "state")?,
    })
}
