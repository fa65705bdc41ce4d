//! Watches: "this wallet is about to pay". While one is open, every final transfer of the wallet is booked, hash or no hash.
//!
//! An arrival is a deposit that a watch found and that no run has used. It outlives its watch: the page, wherever it is opened next, says
//! "Your payment arrived" and offers the run that was asked for.

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{read, signed, unsigned},
    deposits::Deposit,
    store::{Books, Result, Tx, again},
};
use crate::evm::Address;

/// How long a watch stays open unless it is renewed.
pub const WATCH_MS: i64 = 15 * 60 * 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub network: String,
    pub wallet: Address,
    /// Final head when it was opened: what is above it can be the payment.
    pub from_block: u64,
    pub until_ms: i64,
    /// The run that was asked for: agent's slug and the exact body.
    pub agent: String,
    pub input: String,
}

/// A payment that was found by a watch and that no run has used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub watch: Watch,
    /// The deposit's proof: `tx/<hash>`.
    pub proof: String,
}

impl Books {
    /// One row per wallet and network; renewing keeps the lower `from_block` while it was still open. Forgets an arrival of before,
    /// unless the same run is asked for again: then that payment is still the one for it. The page asks again every few minutes while it
    /// waits, so a run that is under way stays answered; asked for after its end, it is wanted once more.
    pub async fn open_watch(&self, watch: &Watch, now_ms: i64) -> Result<()> {
        again(|| async {
            sqlx::query(
                "insert into watches (network, wallet, from_block, until_ms, agent, input) values ($1, $2, $3, $4, $5, $6)
                 on conflict (network, wallet) do update set
                     from_block = case
                         when watches.from_block < excluded.from_block and (watches.until_ms > $7 or exists (
                             select 1 from cursors c where c.network = watches.network and c.block_time_ms <= watches.until_ms
                         )) then watches.from_block
                         else excluded.from_block
                     end,
                     until_ms = case when watches.until_ms > excluded.until_ms then watches.until_ms else excluded.until_ms end,
                     arrival_proof = case
                         when watches.agent = excluded.agent and watches.input = excluded.input then watches.arrival_proof
                     end,
                     answered_ms = case
                         when watches.agent = excluded.agent and watches.input = excluded.input and exists (
                             select 1 from runs r
                             where r.payer = watches.wallet and r.state in ('waiting', 'held', 'running') and r.state <> 'waiting'
                               and r.agent = excluded.agent and r.input = excluded.input
                         ) then watches.answered_ms
                     end,
                     agent = excluded.agent,
                     input = excluded.input",
            )
            .bind(&watch.network)
            .bind(watch.wallet.to_string())
            .bind(signed(watch.from_block)?)
            .bind(watch.until_ms)
            .bind(&watch.agent)
            .bind(&watch.input)
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// Longer, if it is open; the page does it while it is open. `false`: there is none.
    pub async fn renew_watch(&self, network: &str, wallet: Address, now_ms: i64) -> Result<bool> {
        let renewed = sqlx::query("update watches set until_ms = $3 where network = $1 and wallet = $2 and until_ms > $4")
            .bind(network)
            .bind(wallet.to_string())
            .bind(now_ms.saturating_add(WATCH_MS))
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// The open ones, and those that have ended while the blocks of their time could not be read: a node that was away, or blocks that
    /// became final late, must not lose a payment. The sweep ends them after a day.
    pub async fn followed_watches(&self, network: &str, now_ms: i64) -> Result<Vec<Watch>> {
        let rows = sqlx::query(
            "select network, wallet, from_block, until_ms, agent, input from watches
             where network = $1 and (until_ms > $2 or until_ms >= coalesce(
                 (select block_time_ms from cursors c where c.network = $1), 0
             ))
             order by wallet",
        )
        .bind(network)
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(watch_of).collect()
    }

    /// The time of the newest final block that was read, Unix milliseconds. It never goes back.
    pub async fn note_read_time(&self, network: &str, block_time_ms: i64) -> Result<()> {
        sqlx::query("update cursors set block_time_ms = $2 where network = $1 and (block_time_ms is null or block_time_ms < $2)")
            .bind(network)
            .bind(block_time_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Also those whose run was answered meanwhile: a second payment of the same wallet is to be found as well.
    pub async fn open_watches(&self, network: &str, now_ms: i64) -> Result<Vec<Watch>> {
        let rows = sqlx::query(
            "select network, wallet, from_block, until_ms, agent, input from watches
             where network = $1 and until_ms > $2 order by wallet",
        )
        .bind(network)
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(watch_of).collect()
    }

    /// What arrived for this wallet while it was watched for, and was not run yet.
    pub async fn arrivals(&self, wallet: Address) -> Result<Vec<Arrival>> {
        // The proof's run is looked for again: it may have been presented in the moment when the deposit was booked.
        let rows = sqlx::query(
            "select network, wallet, from_block, until_ms, agent, input, arrival_proof from watches w
             where wallet = $1 and arrival_proof is not null and not exists (
                 select 1 from runs r where r.network = w.network and r.proof = w.arrival_proof and r.payer = w.wallet
             )
             order by network",
        )
        .bind(wallet.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(Arrival { watch: watch_of(row)?, proof: row.try_get("arrival_proof")? })).collect()
    }

    /// The visitor does not want the run any more; the credit stays.
    pub async fn dismiss_arrival(&self, network: &str, wallet: Address) -> Result<()> {
        sqlx::query("update watches set arrival_proof = null where network = $1 and wallet = $2")
            .bind(network)
            .bind(wallet.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// Its payer was watched for when it was mined, or is now, and no run of his shows it: it is the payment for the run that was asked for.
pub(super) async fn note_arrival(tx: &mut Tx, deposit: &Deposit, now_ms: i64) -> Result<()> {
    sqlx::query(
        "update watches set arrival_proof = $3
         where network = $1 and wallet = $2 and answered_ms is null and from_block < $4 and (until_ms > $5 or until_ms >= $6)
           and not exists (select 1 from runs r where r.network = $1 and r.proof = $3 and r.payer = $2)",
    )
    .bind(&deposit.network)
    .bind(deposit.payer.to_string())
    .bind(&deposit.proof)
    .bind(signed(deposit.block)?)
    .bind(now_ms)
    .bind(deposit.block_time_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A run shows it now.
pub(super) async fn arrival_is_used(tx: &mut Tx, network: &str, wallet: Address, proof: &str) -> Result<()> {
    sqlx::query("update watches set arrival_proof = null where network = $1 and wallet = $2 and arrival_proof = $3")
        .bind(network)
        .bind(wallet.to_string())
        .bind(proof)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The very run that was asked for is paid, whatever it was paid with.
pub(super) async fn watch_is_answered(tx: &mut Tx, wallet: Address, agent: &str, input: &str, now_ms: i64) -> Result<()> {
    sqlx::query("update watches set arrival_proof = null, answered_ms = $4 where wallet = $1 and agent = $2 and input = $3")
        .bind(wallet.to_string())
        .bind(agent)
        .bind(input)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn watch_of(row: &AnyRow) -> Result<Watch> {
    Ok(Watch {
        network: row.try_get("network")?,
        wallet: read(row, "wallet")?,
        from_block: unsigned(row.try_get("from_block")?)?,
        until_ms: row.try_get("until_ms")?,
        agent: row.try_get("agent")?,
        input: row.try_get("input")?,
    })
}
