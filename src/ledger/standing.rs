//! Whom an agent works for before it is paid: what a payer has promised already, whether they have bought here, and how settlements went lately.

use sqlx::Row;
use uuid::Uuid;

use super::{
    columns::read,
    store::{Books, BooksError, Result, Tx},
};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

/// So many of an agent's settlements are looked at.
pub const SETTLEMENTS_SEEN: u32 = 20;
/// More failures than this among them, and the agent is paid first.
pub const SETTLEMENTS_FAILED_MAX: u32 = SETTLEMENTS_SEEN / 2;
/// Older ones say nothing about today: so what was closed opens again by itself, even if nobody buys.
pub const SETTLEMENTS_SEEN_MS: i64 = 60 * 60 * 1000;

/// An authorization that a run under way waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promised {
    pub run: String,
    /// Its identity: what its nonce is, the proof says.
    pub proof: String,
    pub amount: Amount,
}

/// What a payer had of a token when an authorization was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Has {
    pub balance: Amount,
    /// Runs whose authorizations had taken their part of it by then, though the books do not know it yet.
    pub spent: Vec<String>,
}

impl Books {
    /// A payer's open authorizations of a token that runs under way wait for, oldest first.
    pub async fn promised(&self, payer: Address, asset: &Asset) -> Result<Vec<Promised>> {
        let mut connection = self.pool.acquire().await?;
        promised(&mut connection, payer, asset).await
    }

    /// Has this wallet a run here that it was charged for?
    pub async fn has_bought(&self, payer: Address) -> Result<bool> {
        let done: Option<i64> =
            sqlx::query_scalar("select cast(1 as bigint) from runs where payer = $1 and state = 'done' limit 1")
                .bind(payer.to_string())
                .fetch_optional(&self.pool)
                .await?;
        Ok(done.is_some())
    }

    /// How many of an agent's last settlements failed: [`SETTLEMENTS_SEEN`] at most, of calls that were begun within [`SETTLEMENTS_SEEN_MS`].
    /// A run whose agent failed is none of them.
    pub async fn settlements_failed(&self, agent: &str, now_ms: i64) -> Result<u32> {
        // Ids sort by time, so this reads from the newest back, and no further than that.
        let states: Vec<String> = sqlx::query_scalar(
            "select a.state from authorizations a join runs r on r.run_id = a.run_id
             where r.agent = $1 and a.run_id > $2 and (a.state = 'settled' or r.state = 'void')
             order by a.run_id desc limit $3",
        )
        .bind(agent)
        .bind(first_id_at(now_ms.saturating_sub(SETTLEMENTS_SEEN_MS)))
        .bind(i64::from(SETTLEMENTS_SEEN))
        .fetch_all(&self.pool)
        .await?;
        Ok(states.iter().filter(|state| *state != "settled").count().try_into().unwrap_or(u32::MAX))
    }
}

/// Below every UUIDv7 of that millisecond.
fn first_id_at(ms: i64) -> String {
    let ms = u128::from(ms.unsigned_abs()) << 80;
    Uuid::from_u128(ms).to_string()
}

async fn promised(connection: &mut sqlx::AnyConnection, payer: Address, asset: &Asset) -> Result<Vec<Promised>> {
    let rows = sqlx::query(
        "select a.run_id, r.proof, a.amount from authorizations a join runs r on r.run_id = a.run_id
         where a.payer = $1 and a.asset = $2 and a.state = 'open' and r.state in ('waiting', 'held', 'running')
         order by a.run_id",
    )
    .bind(payer.to_string())
    .bind(asset.to_string())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(Promised { run: row.try_get("run_id")?, proof: row.try_get("proof")?, amount: read(row, "amount")? }))
        .collect()
}

/// Do all that the payer has promised, and this much more, exceed what they had? The payer's row is taken, so two are counted one after the other.
pub(super) async fn is_beyond(tx: &mut Tx, payer: Address, asset: &Asset, amount: Amount, has: &Has) -> Result<bool> {
    let promised = promised(tx, payer, asset).await?;
    let open = promised.iter().filter(|promised| !has.spent.contains(&promised.run)).map(|promised| promised.amount);
    let all = std::iter::once(amount).chain(open).try_fold(Amount::ZERO, Amount::plus);
    all.map(|all| all > has.balance).ok_or(BooksError::Overflow("what a payer has promised"))
}
