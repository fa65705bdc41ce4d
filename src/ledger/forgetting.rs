//! Runs that came to nothing are not kept for ever: what was asked for goes first, then the row.
//!
//! Promises: nothing that moved or may still move money is deleted; whoever shows a payment again whose run lost its input brings the input again.

use super::store::{Books, Result, again};

/// A void run keeps its input for so long after its end: its payer may show the payment again, or read what was refused.
pub const VOID_INPUT_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// And is itself kept for so long.
pub const VOID_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Rows in one transaction: others want to write, too.
const AT_ONCE: i64 = 200;

impl Books {
    /// Part of the sweep.
    pub(super) async fn forget_void(&self, now_ms: i64) -> Result<()> {
        while self.forget_inputs(now_ms).await? == AT_ONCE.unsigned_abs() {}
        while self.forget_runs(now_ms).await? == AT_ONCE.unsigned_abs() {}
        Ok(())
    }

    /// How many.
    async fn forget_inputs(&self, now_ms: i64) -> Result<u64> {
        again(|| async {
            let forgotten = sqlx::query(
                "update runs set input = null where state = 'void' and run_id in (
                     select run_id from runs where state = 'void' and input is not null and finished_ms <= $1
                     order by finished_ms, run_id limit $2
                 )",
            )
            .bind(now_ms.saturating_sub(VOID_INPUT_KEPT_MS))
            .bind(AT_ONCE)
            .execute(&self.pool)
            .await?;
            Ok(forgotten.rows_affected())
        })
        .await
    }

    /// How many were looked at. Those that money was moved for, or can still be, stay: they are what the journal and its authorizations speak of.
    async fn forget_runs(&self, now_ms: i64) -> Result<u64> {
        let before_ms = now_ms.saturating_sub(VOID_KEPT_MS);
        again(|| async {
            let mut tx = self.begin().await?;
            let old: Vec<String> = sqlx::query_scalar(
                "select r.run_id from runs r
                 where r.state = 'void' and r.finished_ms <= $1
                   and not exists (select 1 from entries e where e.run_id = r.run_id)
                   and not exists (select 1 from authorizations a where a.run_id = r.run_id and a.state <> 'unused')
                 order by r.finished_ms, r.run_id limit $2",
            )
            .bind(before_ms)
            .bind(AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
            for run in &old {
                // Taken first: who shows it again in this moment waits until it is gone, and begins anew.
                let taken =
                    sqlx::query("update runs set input = null where run_id = $1 and state = 'void' and finished_ms <= $2")
                        .bind(run)
                        .bind(before_ms)
                        .execute(&mut *tx)
                        .await?;
                if taken.rows_affected() == 0 {
                    continue;
                }
                for delete in [
                    "delete from progress where run_id = $1",
                    "delete from failures where run_id = $1",
                    "delete from authorizations where run_id = $1",
                    "delete from runs where run_id = $1",
                ] {
                    sqlx::query(delete).bind(run).execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
            Ok(u64::try_from(old.len()).unwrap_or_default())
        })
        .await
    }
}
