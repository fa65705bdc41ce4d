//! A payment that another one took the place of: sped up in its wallet, so that it has another hash, or ended by another transaction of the same
//! number.
//!
//! Promises: a run moves to the payment that took the place of its own only while nothing was paid for it, and only to a payment of its own payer
//! that no other run was shown with; whoever shows the first payment afterwards means the second one.

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{read, unsigned},
    present::PAYMENT,
    runs::{FOLLOWED_MS, NewRun, store_error, whole},
    store::{Books, BooksError, Result, Tx, again},
};
use crate::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::Amount,
    run::RunState,
};

/// A deposit older than its run by more than this took no place of its payment: a clock may be off by so much.
const BEFORE_MS: i64 = 15 * 60 * 1000;
/// Deposits that are looked at for one run.
const STAND_INS_MAX: i64 = 16;

/// A waiting run whose payment no block has, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Its id.
    pub run: String,
    pub payer: Address,
    pub transaction: TxHash,
    /// The sender's number of its transaction, once a node told it.
    pub nonce: Option<u64>,
    pub created_ms: i64,
}

/// A payment of the same payer that may be what an unseen one became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    pub proof: String,
    pub transaction: TxHash,
    pub amount: Amount,
    /// A watch of the very same call found it, and no run was shown with it.
    pub is_awaited: bool,
    /// It is what the wallet was asked for.
    pub is_its_amount: bool,
}

impl Books {
    /// Those that were shown last first: somebody waits for them.
    pub async fn unseen(&self, network: &str, now_ms: i64, limit: u32) -> Result<Vec<Unseen>> {
        let rows = sqlx::query(
            "select r.run_id, r.payer, r.proof, r.created_ms, u.nonce
             from runs r
             left join unseen_payments u on u.network = r.network and u.proof = r.proof and u.payer = r.payer
             where r.network = $1 and r.state = 'waiting' and r.presented_ms > $2 and r.proof like 'tx/%' and r.included_block is null
               and not exists (select 1 from deposits d where d.network = r.network and d.proof = r.proof)
             order by r.presented_ms desc limit $3",
        )
        .bind(network)
        .bind(now_ms.saturating_sub(FOLLOWED_MS))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(unseen_of).collect()
    }

    /// The number of the sender's next transaction when the watch for this run's very call was opened, if there is one. Asked for one run at a time:
    /// it reads its input.
    pub async fn next_nonce(&self, run: &str) -> Result<Option<u64>> {
        let next: Option<Option<i64>> = sqlx::query_scalar(
            "select (
                 select max(w.next_nonce) from watches w
                 where w.wallet = r.payer and w.network = r.network and w.agent = r.agent and w.input = r.input
             ) from runs r where r.run_id = $1",
        )
        .bind(run)
        .fetch_optional(&self.pool)
        .await?;
        next.flatten().map(unsigned).transpose()
    }

    /// What a node says of a payment that waits: the sender's number of it. The first word stands.
    pub async fn note_nonce(&self, network: &str, unseen: &Unseen, nonce: u64) -> Result<()> {
        let Ok(nonce) = i64::try_from(nonce) else { return Ok(()) };
        sqlx::query(
            "insert into unseen_payments (network, proof, payer, nonce) values ($1, $2, $3, $4)
             on conflict (network, proof, payer) do nothing",
        )
        .bind(network)
        .bind(format!("{PAYMENT}{}", unseen.transaction))
        .bind(unseen.payer.to_string())
        .bind(nonce)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Is the sender's number of this payment known? Then the payment can still come: it is given up when another transaction has that number.
    pub async fn nonce_is_known(&self, network: &str, proof: &str, payer: Address) -> Result<bool> {
        let known: i64 = sqlx::query_scalar(
            "select count(*) from unseen_payments where network = $1 and proof = $2 and payer = $3 and nonce is not null and replaced_by is null",
        )
        .bind(network)
        .bind(proof)
        .bind(payer.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok(known > 0)
    }

    /// Payments of the run's payer in the same coin, not much older than the run. The one for this call first, then the oldest.
    pub async fn stand_ins(&self, run: &str) -> Result<Vec<StandIn>> {
        let rows = sqlx::query(
            "select * from (
                 select d.deposit_id, d.proof, d.transaction_hash, d.amount, d.block,
                     cast(case when d.amount = coalesce(r.terms_price, '') then 1 else 0 end as bigint) as is_its_amount,
                     cast(case when exists (
                         select 1 from watches w
                         where w.network = r.network and w.wallet = r.payer and w.arrival_proof = d.proof and w.agent = r.agent
                           and w.input = r.input
                     ) and not exists (
                         select 1 from runs o where o.network = d.network and o.proof = d.proof and o.payer = d.payer
                     ) then 1 else 0 end as bigint) as is_awaited
                 from runs r join deposits d on d.network = r.network and d.payer = r.payer
                 where r.run_id = $1 and d.proof <> r.proof and d.proof like 'tx/%' and d.asset = r.network || '/native'
                   and d.block_time_ms > r.created_ms - $2
             ) found order by is_awaited desc, is_its_amount desc, block, deposit_id limit $3",
        )
        .bind(run)
        .bind(BEFORE_MS)
        .bind(STAND_INS_MAX)
        .fetch_all(&self.pool)
        .await?;
        let stand_in = |row: &AnyRow| {
            let flag = |name: &str| row.try_get::<i64, _>(name).map(|set| set == 1);
            Ok(StandIn {
                proof: row.try_get("proof")?,
                transaction: read(row, "transaction_hash")?,
                amount: read(row, "amount")?,
                is_awaited: flag("is_awaited")?,
                is_its_amount: flag("is_its_amount")?,
            })
        };
        rows.iter().map(stand_in).collect()
    }

    /// The payment `by` took the place of this waiting run's own: the run is shown with that one from now on, and is to be judged. If another run
    /// was shown with it, this one is void, and whoever shows its payment is told of that other run. `false`: it does not wait any more, or its
    /// own payment is here.
    pub async fn replace(&self, run: &str, by: &str, now_ms: i64) -> Result<bool> {
        again(|| self.try_replace(run, by, now_ms)).await
    }

    async fn try_replace(&self, run: &str, by: &str, now_ms: i64) -> Result<bool> {
        let mut tx = self.begin().await?;
        let run = whole(&mut tx, run).await?;
        if run.state != RunState::Waiting || run.deposit_block.is_some() || run.proof == by {
            return Ok(false);
        }
        let shown: i64 = sqlx::query_scalar("select count(*) from runs where network = $1 and proof = $2 and payer = $3")
            .bind(&run.network)
            .bind(by)
            .bind(run.payer.to_string())
            .fetch_one(&mut *tx)
            .await?;
        let moved = if shown > 0 {
            sqlx::query(
                "update runs set state = 'void', error = $3, error_final = 0, finished_ms = $4
                 where run_id = $1 and state = 'waiting' and proof = $2",
            )
            .bind(&run.id)
            .bind(&run.proof)
            .bind(store_error(&CallError::saying(
                Code::PaymentReplaced,
                "Your wallet replaced this payment, and what it sent instead was shown for a call already.",
            ))?)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?
        } else {
            sqlx::query(
                "update runs set proof = $3, included_block = null where run_id = $1 and state = 'waiting' and proof = $2",
            )
            .bind(&run.id)
            .bind(&run.proof)
            .bind(by)
            .execute(&mut *tx)
            .await?
        };
        if moved.rows_affected() != 1 {
            return Ok(false);
        }
        sqlx::query(
            "insert into unseen_payments (network, proof, payer, replaced_by) values ($1, $2, $3, $4)
             on conflict (network, proof, payer) do update set replaced_by = excluded.replaced_by",
        )
        .bind(&run.network)
        .bind(&run.proof)
        .bind(run.payer.to_string())
        .bind(by)
        .execute(&mut *tx)
        .await?;
        // Whichever call it was taken for, it is this one's.
        sqlx::query("update watches set arrival_proof = null where network = $1 and wallet = $2 and arrival_proof = $3")
            .bind(&run.network)
            .bind(run.payer.to_string())
            .bind(by)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What is shown, with the payment that took the place of its own, if one did.
pub(super) async fn as_replaced(tx: &mut Tx, new: &NewRun) -> Result<Option<NewRun>> {
    if !new.proof.starts_with(PAYMENT) {
        return Ok(None);
    }
    let by: Option<Option<String>> =
        sqlx::query_scalar("select replaced_by from unseen_payments where network = $1 and proof = $2 and payer = $3")
            .bind(&new.network)
            .bind(&new.proof)
            .bind(new.payer.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(by.flatten().map(|proof| NewRun { proof, ..new.clone() }))
}

/// Numbers of payments that nobody waits for any more.
pub(super) async fn sweep(tx: &mut Tx) -> Result<()> {
    sqlx::query(
        "delete from unseen_payments where replaced_by is null and not exists (
             select 1 from runs r
             where r.network = unseen_payments.network and r.proof = unseen_payments.proof and r.payer = unseen_payments.payer
               and r.state = 'waiting'
         )",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn unseen_of(row: &AnyRow) -> Result<Unseen> {
    let proof: String = row.try_get("proof")?;
    let number = |name: &str| row.try_get::<Option<i64>, _>(name);
    let transaction = proof.strip_prefix(PAYMENT).and_then(|hash| hash.parse().ok());
    Ok(Unseen {
        run: row.try_get("run_id")?,
        payer: read(row, "payer")?,
        transaction: transaction.ok_or_else(|| BooksError::Corrupt(format!("proof: {proof}")))?,
        nonce: number("nonce")?.map(unsigned).transpose()?,
        created_ms: row.try_get("created_ms")?,
    })
}
