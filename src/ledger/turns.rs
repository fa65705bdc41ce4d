//! Whose run is begun next. Payers take turns: a run's place in the line is when it was held or, where that is later, when the work on its payer's
//! run before it was begun. So nobody waits for more than one run of each other payer, and who was served long ago has lost nothing by it.
//!
//! What only waits to be settled comes first: it takes no worker.

use super::store::{Books, Result, Tx};
use crate::evm::Address;

/// Rows of before are forgotten: all who wait were held later.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Which runs may be leased.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'p> {
    Anybodys,
    /// Of no payer among these, [`NOT_OF_MAX`] at most: they have their share of the workers. Theirs are settled all the same.
    NotOf(&'p [Address]),
    /// Runs that are answered and not settled: every worker is busy.
    ToBeSettled,
}

/// More payers cannot have half of the workers each while one is free ([`crate::runs::hands`]).
pub const NOT_OF_MAX: usize = 3;

/// A run that can be leased.
pub(super) struct Next {
    pub(super) run: String,
    pub(super) payer: String,
    /// Counted before.
    pub(super) attempts: i64,
    pub(super) answered: bool,
}

impl Books {
    pub(super) async fn next_in_turn(&self, whose: Whose<'_>, now_ms: i64) -> Result<Option<Next>> {
        let not_of = if let Whose::NotOf(payers) = whose { payers } else { &[] };
        // No payer is an empty text.
        let not_of = |n: usize| not_of.get(n).map(Address::to_string).unwrap_or_default();
        let next: Option<(String, String, i64, i64)> = sqlx::query_as(
            "select r.run_id, r.payer, r.attempts, cast(case when a.answer is null then 0 else 1 end as bigint)
             from runs r left join authorizations a on a.run_id = r.run_id left join turns t on t.payer = r.payer
             where r.state in ('held', 'running') and (r.state = 'held' or r.lease_until_ms <= $1)
               and (a.answer is not null or (cast($2 as bigint) = 0 and r.payer not in ($3, $4, $5)))
             order by case when a.answer is null then 1 else 0 end,
                      case when t.begun_ms > r.held_ms then t.begun_ms else r.held_ms end,
                      r.held_ms, r.run_id
             limit 1",
        )
        .bind(now_ms)
        .bind(i64::from(matches!(whose, Whose::ToBeSettled)))
        .bind(not_of(0))
        .bind(not_of(1))
        .bind(not_of(2))
        .fetch_optional(&self.pool)
        .await?;
        Ok(next.map(|(run, payer, attempts, answered)| Next { run, payer, attempts, answered: answered == 1 }))
    }
}

/// The work on a run of this payer begins. Two instances whose clocks differ never move anybody forward.
pub(super) async fn begun(tx: &mut Tx, payer: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "insert into turns (payer, begun_ms) values ($1, $2)
         on conflict (payer) do update set begun_ms = excluded.begun_ms where turns.begun_ms < excluded.begun_ms",
    )
    .bind(payer)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn sweep(tx: &mut Tx, now_ms: i64) -> Result<()> {
    sqlx::query("delete from turns where begun_ms <= $1").bind(now_ms.saturating_sub(KEPT_MS)).execute(&mut **tx).await?;
    Ok(())
}
