//! What several instances on one database agree on: which chain a network is, and who has a role now.

use super::store::{Books, Result};

impl Books {
    /// The network's genesis hash (lower-case hex) as it was when the books first met it. The first call stores it.
    /// A different one later is a chain that is gone: the caller refuses to start.
    pub async fn meet_network(&self, network: &str, genesis: &str) -> Result<bool> {
        let fact = format!("genesis/{network}");
        sqlx::query("insert into facts (fact, value) values ($1, $2) on conflict (fact) do nothing")
            .bind(&fact)
            .bind(genesis)
            .execute(&self.pool)
            .await?;
        let known: String =
            sqlx::query_scalar("select value from facts where fact = $1").bind(&fact).fetch_one(&self.pool).await?;
        Ok(known == genesis)
    }

    /// Takes or renews a named lease. `true`: it is ours until `now_ms + for_ms`. Several instances, one holder.
    pub async fn lease_name(&self, name: &str, holder: &str, now_ms: i64, for_ms: i64) -> Result<bool> {
        let taken = sqlx::query(
            "insert into leases (lease, holder, until_ms) values ($1, $2, $3)
             on conflict (lease) do update set holder = excluded.holder, until_ms = excluded.until_ms
             where leases.holder = excluded.holder or leases.until_ms <= $4",
        )
        .bind(name)
        .bind(holder)
        .bind(now_ms.saturating_add(for_ms))
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Does somebody hold this lease now?
    pub async fn is_leased(&self, name: &str, now_ms: i64) -> Result<bool> {
        let until: Option<i64> =
            sqlx::query_scalar("select until_ms from leases where lease = $1").bind(name).fetch_optional(&self.pool).await?;
        Ok(until.is_some_and(|until| until > now_ms))
    }

    /// The next one need not wait for its end. Nothing, if it is not ours any more.
    pub async fn give_up_name(&self, name: &str, holder: &str) -> Result<()> {
        sqlx::query("delete from leases where lease = $1 and holder = $2").bind(name).bind(holder).execute(&self.pool).await?;
        Ok(())
    }
}
