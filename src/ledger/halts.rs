//! Networks whose payments are stopped: a final block has changed, so what was booked may not be there any more.
//!
//! Promises: every instance on these books reads the same; the first reason and time stand; only [`Books::resume`] takes a halt back.

use super::{
    columns::{hex, signed, unsigned},
    deposits::ReadTo,
    store::{Books, Result},
};

/// Why a network takes no payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// The lowest final block that was found to have changed.
    pub height: u64,
    /// Unix milliseconds. `None`: it was halted before this was written down.
    pub since_ms: Option<i64>,
    /// What was found. `None`: as above.
    pub why: Option<String>,
}

impl Books {
    /// Stops the network's payments: a final block at this height has changed, for that reason. Stays until an operator clears it.
    pub async fn halt_network(&self, network: &str, height: u64, why: &str, now_ms: i64) -> Result<()> {
        sqlx::query(
            "insert into cursors (network, halted_height, halted_ms, halted_why) values ($1, $2, $3, $4)
             on conflict (network) do update set
                 halted_ms = case when cursors.halted_height is null then excluded.halted_ms else cursors.halted_ms end,
                 halted_why = case when cursors.halted_height is null then excluded.halted_why else cursors.halted_why end,
                 halted_height = excluded.halted_height
             where cursors.halted_height is null or cursors.halted_height > excluded.halted_height",
        )
        .bind(network)
        .bind(signed(height)?)
        .bind(now_ms)
        .bind(why)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The height at which the network was halted; the lowest, if it was found more than once.
    pub async fn halted(&self, network: &str) -> Result<Option<u64>> {
        Ok(self.halt_of(network).await?.map(|halt| halt.height))
    }

    /// The same, with since when and why.
    pub async fn halt_of(&self, network: &str) -> Result<Option<Halt>> {
        let row: Option<(i64, Option<i64>, Option<String>)> = sqlx::query_as(
            "select halted_height, halted_ms, halted_why from cursors where network = $1 and halted_height is not null",
        )
        .bind(network)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(height, since_ms, why)| Ok(Halt { height: unsigned(height)?, since_ms, why })).transpose()
    }

    /// An operator has looked: payments are taken again. `now_there`: which block has the place of the one that was read to, where it is another one;
    /// the height stays. `false`: it was not halted, or was read further since.
    pub async fn resume(&self, network: &str, now_there: Option<ReadTo>) -> Result<bool> {
        let resumed = match now_there {
            None => {
                let resumed = sqlx::query(
                    "update cursors set halted_height = null, halted_ms = null, halted_why = null
                     where network = $1 and halted_height is not null",
                );
                resumed.bind(network).execute(&self.pool).await?
            }
            Some(there) => {
                let resumed = sqlx::query(
                    "update cursors set halted_height = null, halted_ms = null, halted_why = null, hash = $3
                     where network = $1 and halted_height is not null and height = $2",
                );
                resumed.bind(network).bind(signed(there.height)?).bind(hex(there.hash)).execute(&self.pool).await?
            }
        };
        Ok(resumed.rows_affected() == 1)
    }
}
