//! Watches: "this wallet is about to pay for this call". While one is open, every final transfer of the wallet is booked, hash or no hash.
//!
//! An arrival is a deposit that a watch found and that no run has used. It outlives its watch: the page, wherever it is opened next, says
//! "Your payment arrived" and offers the run that was asked for. A wallet may have several questions open at once; each has its watch, and
//! each payment answers one of them.

use sqlx::{Row, any::AnyRow};

use super::{
    columns::{read, read_optional, signed, unsigned},
    deposits::Deposit,
    present::take_presenter,
    store::{Books, Result, Tx, again},
};
use crate::{evm::Address, money::Amount};

/// How long a watch stays open unless it is renewed.
pub const WATCH_MS: i64 = 15 * 60 * 1000;
/// Watches of one wallet that wait for their payment, on all networks: more questions than anybody leaves open in a wallet within a quarter of an
/// hour (a refused one is closed), and few enough that a wallet, which costs nothing to make, keeps few inputs in the books.
pub const WATCHES_MAX: u32 = 8;
/// Ids of answered watches that one is told of; the page looks for questions of the last quarter of an hour.
const ANSWERED_MAX: i64 = 50;

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
    /// What the wallet is asked for. `None`: nobody said.
    pub amount: Option<Amount>,
    /// The number of the wallet's next transaction, as a node tells it. `None`: none did.
    pub next_nonce: Option<u64>,
}

/// What became of the wish to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Its id.
    Watching(String),
    /// [`WATCHES_MAX`] others wait for their payment. Nothing was written.
    TooMany,
}

/// Of a watch, what following it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    pub from_block: u64,
}

/// A payment that was found by a watch and that no run has used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub watch: Watch,
    /// The watch's.
    pub id: String,
    /// The deposit's proof: `tx/<hash>`.
    pub proof: String,
}

impl Books {
    /// One row per call of a wallet on a network; renewing keeps the lower `from_block` while it was still open, and the arrival: then that
    /// payment is still the one for it. The page asks again every few minutes while it waits, so a run that is under way stays answered; asked
    /// for after its end, it is wanted once more.
    pub async fn open_watch(&self, watch: &Watch, now_ms: i64) -> Result<Opened> {
        again(|| self.try_open_watch(watch, now_ms)).await
    }

    async fn try_open_watch(&self, watch: &Watch, now_ms: i64) -> Result<Opened> {
        let mut tx = self.begin().await?;
        // Two that are opened at once are counted one after the other, and one call has one row.
        take_presenter(&mut tx, &watch.wallet.to_string(), now_ms).await?;
        forget_ended(&mut tx, watch.wallet, now_ms).await?;
        let known: Option<String> = sqlx::query_scalar(
            "select watch_id from watches where wallet = $1 and network = $2 and agent = $3 and input = $4 order by opened_ms desc limit 1",
        )
        .bind(watch.wallet.to_string())
        .bind(&watch.network)
        .bind(&watch.agent)
        .bind(&watch.input)
        .fetch_optional(&mut *tx)
        .await?;
        let id = match known {
            Some(id) => {
                open_again(&mut tx, &id, watch, now_ms).await?;
                id
            }
            None if awaited(&mut tx, watch.wallet).await? >= i64::from(WATCHES_MAX) => return Ok(Opened::TooMany),
            None => {
                let id = self.id(now_ms)?;
                insert(&mut tx, &id, watch, now_ms).await?;
                id
            }
        };
        tx.commit().await?;
        Ok(Opened::Watching(id))
    }

    /// Longer, if it is open and its payment has not come; the page does it while it is open. `false`: there is no such one of this wallet.
    pub async fn renew_watch(&self, id: &str, wallet: Address, now_ms: i64) -> Result<bool> {
        let renewed = sqlx::query(
            "update watches set until_ms = $3
             where watch_id = $1 and wallet = $2 and until_ms > $4 and arrival_proof is null and answered_ms is null",
        )
        .bind(id)
        .bind(wallet.to_string())
        .bind(now_ms.saturating_add(WATCH_MS))
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// The open ones, and those that have ended while the blocks of their time could not be read: a node that was away, or blocks that
    /// became final late, must not lose a payment. The sweep ends them after a day.
    pub async fn followed_watches(&self, network: &str, now_ms: i64) -> Result<Vec<Followed>> {
        let blocks: Vec<i64> = sqlx::query_scalar(
            "select from_block from watches
             where network = $1 and (until_ms > $2 or until_ms >= coalesce(
                 (select block_time_ms from cursors c where c.network = $1), 0
             ))",
        )
        .bind(network)
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await?;
        blocks.into_iter().map(|block| Ok(Followed { from_block: unsigned(block)? })).collect()
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
            "select network, wallet, from_block, until_ms, agent, input, amount, next_nonce from watches
             where network = $1 and until_ms > $2 order by wallet, opened_ms, watch_id",
        )
        .bind(network)
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(watch_of).collect()
    }

    /// What arrived for this wallet while it was watched for, and was not run yet; the call that was asked for first comes first. Not where a
    /// payment was shown for the very same call that no block has: what arrived may have taken its place ([`Books::replace`]), and nobody is
    /// offered a second run of a call that is under way.
    pub async fn arrivals(&self, wallet: Address) -> Result<Vec<Arrival>> {
        // The proof's run is looked for again: it may have been presented in the moment when the deposit was booked.
        let rows = sqlx::query(
            "select watch_id, network, wallet, from_block, until_ms, agent, input, amount, next_nonce, arrival_proof from watches w
             where wallet = $1 and arrival_proof is not null and not exists (
                 select 1 from runs r where r.network = w.network and r.proof = w.arrival_proof and r.payer = w.wallet
             ) and not exists (
                 select 1 from runs r
                 where r.payer = w.wallet and r.state in ('waiting', 'held', 'running') and r.state = 'waiting' and r.network = w.network
                   and r.agent = w.agent and r.input = w.input and r.proof like 'tx/%' and not exists (
                     select 1 from deposits d where d.network = r.network and d.proof = r.proof
                 )
             )
             order by network, opened_ms, watch_id",
        )
        .bind(wallet.to_string())
        .fetch_all(&self.pool)
        .await?;
        let arrival =
            |row| Ok(Arrival { watch: watch_of(row)?, id: row.try_get("watch_id")?, proof: row.try_get("arrival_proof")? });
        rows.iter().map(arrival).collect()
    }

    /// Ids of this wallet's watches that wait for nothing any more: their payment was booked, or their run is paid. Newest first.
    pub async fn answered_watches(&self, wallet: Address) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "select watch_id from watches where wallet = $1 and (answered_ms is not null or arrival_proof is not null)
             order by opened_ms desc, watch_id desc limit $2",
        )
        .bind(wallet.to_string())
        .bind(ANSWERED_MAX)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Is this very call's payment still waited for by an open watch?
    pub async fn is_watched_for(&self, network: &str, wallet: Address, agent: &str, input: &str, now_ms: i64) -> Result<bool> {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from watches where wallet = $1 and network = $2 and agent = $3 and input = $4 and until_ms > $5",
        )
        .bind(wallet.to_string())
        .bind(network)
        .bind(agent)
        .bind(input)
        .bind(now_ms)
        .fetch_one(&self.pool)
        .await?;
        Ok(open > 0)
    }

    /// The visitor does not want the runs any more that payments arrived for on this network; the credit stays.
    pub async fn dismiss_arrivals(&self, network: &str, wallet: Address, now_ms: i64) -> Result<()> {
        self.put_away(network, wallet, now_ms).await.map(drop)
    }

    /// One of them, by its watch. If its payment has not come, nobody waits for it any more: the wallet was told no.
    pub async fn dismiss_watch(&self, id: &str, wallet: Address, now_ms: i64) -> Result<()> {
        if !self.put_away(id, wallet, now_ms).await? {
            sqlx::query(
                "delete from watches where watch_id = $1 and wallet = $2 and arrival_proof is null and answered_ms is null",
            )
            .bind(id)
            .bind(wallet.to_string())
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// What arrived for one watch, or on one network: a watch's id is no network's. `false`: nothing had arrived there.
    async fn put_away(&self, of: &str, wallet: Address, now_ms: i64) -> Result<bool> {
        let arrived = sqlx::query(
            "update watches set arrival_proof = null, answered_ms = $3
             where (watch_id = $1 or network = $1) and wallet = $2 and arrival_proof is not null",
        )
        .bind(of)
        .bind(wallet.to_string())
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(arrived.rows_affected() > 0)
    }
}

/// Ended watches whose blocks were read and whose payment did not come: they find nothing any more.
async fn forget_ended(tx: &mut Tx, wallet: Address, now_ms: i64) -> Result<()> {
    sqlx::query(
        "delete from watches where wallet = $1 and until_ms <= $2 and arrival_proof is null and exists (
             select 1 from cursors c where c.network = watches.network and c.block_time_ms > watches.until_ms
         )",
    )
    .bind(wallet.to_string())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many of a wallet's watches wait for their payment.
async fn awaited(tx: &mut Tx, wallet: Address) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from watches where wallet = $1 and arrival_proof is null and answered_ms is null")
        .bind(wallet.to_string())
        .fetch_one(&mut **tx)
        .await?)
}

async fn insert(tx: &mut Tx, id: &str, watch: &Watch, now_ms: i64) -> Result<()> {
    sqlx::query(
        "insert into watches (watch_id, network, wallet, from_block, until_ms, agent, input, amount, opened_ms, next_nonce)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id)
    .bind(&watch.network)
    .bind(watch.wallet.to_string())
    .bind(signed(watch.from_block)?)
    .bind(watch.until_ms)
    .bind(&watch.agent)
    .bind(&watch.input)
    .bind(watch.amount.map(|amount| amount.to_string()))
    .bind(now_ms)
    .bind(watch.next_nonce.map(signed).transpose()?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn open_again(tx: &mut Tx, id: &str, watch: &Watch, now_ms: i64) -> Result<()> {
    sqlx::query(
        "update watches set
             from_block = case
                 when from_block < $2 and (until_ms > $3 or exists (
                     select 1 from cursors c where c.network = watches.network and c.block_time_ms <= watches.until_ms
                 )) then from_block
                 else $2
             end,
             until_ms = case when until_ms > $4 then until_ms else $4 end,
             amount = coalesce($5, amount),
             next_nonce = coalesce($6, next_nonce),
             answered_ms = case
                 when exists (
                     select 1 from runs r
                     where r.payer = watches.wallet and r.state in ('waiting', 'held', 'running') and r.state <> 'waiting'
                       and r.agent = watches.agent and r.input = watches.input
                 ) then answered_ms
             end
         where watch_id = $1",
    )
    .bind(id)
    .bind(signed(watch.from_block)?)
    .bind(now_ms)
    .bind(watch.until_ms)
    .bind(watch.amount.map(|amount| amount.to_string()))
    .bind(watch.next_nonce.map(signed).transpose()?)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Its payer was watched for when it was mined, or is now, and no run of his shows it: it is the payment for a run that was asked for. Of
/// several, for one of its amount; then for one that nobody has shown a payment for; then for the one that was asked for first.
pub(super) async fn note_arrival(tx: &mut Tx, deposit: &Deposit, now_ms: i64) -> Result<()> {
    sqlx::query(
        "update watches set arrival_proof = $3 where watch_id = (
             select watch_id from watches w
             where network = $1 and wallet = $2 and answered_ms is null and arrival_proof is null
               and from_block < $4 and (until_ms > $5 or until_ms >= $6)
               and not exists (select 1 from runs r where r.network = $1 and r.proof = $3 and r.payer = $2)
             order by
                 case when amount = $7 then 0 when amount is null then 1 else 2 end,
                 case when exists (
                     select 1 from runs r
                     where r.payer = w.wallet and r.state in ('waiting', 'held', 'running') and r.network = w.network
                       and r.agent = w.agent and r.input = w.input and r.proof like 'tx/%'
                 ) then 1 else 0 end,
                 opened_ms, watch_id
             limit 1
         )",
    )
    .bind(&deposit.network)
    .bind(deposit.payer.to_string())
    .bind(&deposit.proof)
    .bind(signed(deposit.block)?)
    .bind(now_ms)
    .bind(deposit.block_time_ms)
    .bind(deposit.amount.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A run shows it now. If it is the run that was asked for, its question is answered; if it is another, that call's own payment may still come.
pub(super) async fn arrival_is_used(tx: &mut Tx, network: &str, by: &ShownBy<'_>, proof: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "update watches set arrival_proof = null, answered_ms = case when agent = $4 and input = $5 then $6 else answered_ms end
         where network = $1 and wallet = $2 and arrival_proof = $3",
    )
    .bind(network)
    .bind(by.wallet.to_string())
    .bind(proof)
    .bind(by.agent)
    .bind(by.input)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who shows a payment, and for which call.
pub(super) struct ShownBy<'a> {
    pub wallet: Address,
    pub agent: &'a str,
    pub input: &'a str,
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
        amount: read_optional(row, "amount")?,
        next_nonce: row.try_get::<Option<i64>, _>("next_nonce")?.map(unsigned).transpose()?,
    })
}
