//! What stands to a payer's credit, and how it came about.

use sqlx::Row;

use super::{
    columns::{AFTER_ALL, PAGE_MAX, read},
    entries::Account,
    signed::Signed,
    store::{Books, BooksError, Result},
};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

pub use super::entries::EventKind;

/// One line of a payer's statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// UUIDv7 of the event: sorts by time.
    pub event: String,
    pub at_ms: i64,
    pub kind: EventKind,
    pub asset: Asset,
    /// Always positive; the kind says where it went.
    pub amount: Amount,
    /// The run that it was held, captured or released for.
    pub run: Option<String>,
    /// That run's agent, by slug.
    pub agent: Option<String>,
    /// The deposit's transaction hash, as text, and its network.
    pub transaction: Option<String>,
    pub network: String,
}

impl Books {
    /// Every asset that the payer has, or had, credit in. What is held for a run is not in it.
    pub async fn balances(&self, payer: Address) -> Result<Vec<(Asset, Amount)>> {
        let rows = sqlx::query("select asset, amount from balances where account = $1 order by asset")
            .bind(Account::Payer(payer).to_string())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((read(row, "asset")?, read(row, "amount")?))).collect()
    }

    pub async fn balance(&self, payer: Address, asset: &Asset) -> Result<Amount> {
        let amount: Option<String> = sqlx::query_scalar("select amount from balances where account = $1 and asset = $2")
            .bind(Account::Payer(payer).to_string())
            .bind(asset.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let Some(amount) = amount else { return Ok(Amount::ZERO) };
        amount.parse().map_err(|_| BooksError::Corrupt(format!("a balance of {payer}: {amount}")))
    }

    /// Newest first; `before`: an event's id, exclusive.
    pub async fn statement(&self, payer: Address, before: Option<&str>, limit: u32) -> Result<Vec<StatementLine>> {
        // A capture does not touch the payer's own account: its line is the one that leaves what was held. Each half seeks in
        // `entries_by_account` and stops after a page.
        let rows = sqlx::query(
            "select e.event_id, e.kind, e.at_ms, e.asset, e.amount, e.run_id, r.agent, d.transaction_hash
             from (
                 select * from (
                     select event_id, kind, at_ms, asset, amount, run_id, deposit_id from entries
                     where account = $1 and event_id < $3 order by event_id desc limit $4
                 ) own
                 union all
                 select * from (
                     select event_id, kind, at_ms, asset, amount, run_id, deposit_id from entries
                     where account = $2 and event_id < $3 and kind = 'capture' order by event_id desc limit $4
                 ) captured
             ) e
             left join runs r on r.run_id = e.run_id
             left join deposits d on d.deposit_id = e.deposit_id
             order by e.event_id desc limit $4",
        )
        .bind(Account::Payer(payer).to_string())
        .bind(Account::Held(payer).to_string())
        .bind(before.unwrap_or(AFTER_ALL))
        .bind(i64::from(limit.min(PAGE_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let asset: Asset = read(row, "asset")?;
                Ok(StatementLine {
                    event: row.try_get("event_id")?,
                    at_ms: row.try_get("at_ms")?,
                    kind: EventKind::parse(row.try_get("kind")?)?,
                    amount: read::<Signed>(row, "amount")?.size(),
                    run: row.try_get("run_id")?,
                    agent: row.try_get("agent")?,
                    transaction: row.try_get("transaction_hash")?,
                    network: asset.network.clone(),
                    asset,
                })
            })
            .collect()
    }
}
