//! What a run is about, as against what it cost: it can be deleted, and the accounting row stays (E7).

use super::store::{Books, Result, again};

impl Books {
    /// Deletes the input, the answer and what the agent said of its work; hashes, money and times stay, and a replay is told
    /// `content_deleted`. `false`: there is no such run, or it has not ended and still needs them.
    pub async fn delete_content(&self, run: &str) -> Result<bool> {
        again(|| async {
            let mut tx = self.begin().await?;
            // A failed run whose input is gone can be held again; its next attempt fails, and costs nothing.
            let deleted = sqlx::query(
                "update runs set input = null, output = null where run_id = $1 and state in ('done', 'failed', 'void')",
            )
            .bind(run)
            .execute(&mut *tx)
            .await?;
            if deleted.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query("delete from progress where run_id = $1").bind(run).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}
