//! Transactions that are followed for no run: they were shown beside something that is no call.
//!
//! Promises: only a wallet's own showing is a row, of few bytes; a wallet's are counted with its other payments that nobody has seen; a
//! network has few in all; one that a run shows is that run's alone.

use super::{
    present::{PAYMENT, shown_by, too_many_unseen},
    runs::FOLLOWED_MS,
    sessions::UNSEEN_KEPT_MS,
    store::{Books, BooksError, Result, Tx, again},
};
use crate::evm::{Address, TxHash};

/// Of one network, of all wallets: each is looked up once a minute, and a wallet costs nothing to make.
pub const FOLLOWED_MAX: u32 = 1_000;

/// What becomes of a transaction that was shown without a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// From now on, or since it was shown before.
    Yes,
    /// It brought its presenter credit already.
    Arrived,
    /// It is in the ledger already, and brought its presenter nothing: it is another wallet's.
    Elsewhere,
    /// A run of its presenter's shows it: its id.
    OfRun(String),
    /// The wallet has too many payments that nobody has seen, or all wallets together have.
    TooMany,
}

impl Books {
    /// From now on the follower of the network looks for it, as for a run's, until the books have it or for a day.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for what is no transaction's proof.
    pub async fn follow_transaction(&self, network: &str, proof: &str, presenter: Address, now_ms: i64) -> Result<Followed> {
        if !proof.starts_with(PAYMENT) {
            return Err(BooksError::refused("only a transaction is followed"));
        }
        again(|| self.try_follow(network, proof, presenter, now_ms)).await
    }

    async fn try_follow(&self, network: &str, proof: &str, presenter: Address, now_ms: i64) -> Result<Followed> {
        let mut tx = self.begin().await?;
        if let Some(run) = shown_by(&mut tx, network, proof, presenter).await? {
            return Ok(Followed::OfRun(run.id));
        }
        let payers: Vec<String> = sqlx::query_scalar("select payer from deposits where network = $1 and proof = $2")
            .bind(network)
            .bind(proof)
            .fetch_all(&mut *tx)
            .await?;
        if !payers.is_empty() {
            let is_theirs = payers.contains(&presenter.to_string());
            return Ok(if is_theirs { Followed::Arrived } else { Followed::Elsewhere });
        }
        let (of_all, shown_ms): (i64, Option<i64>) = sqlx::query_as(
            "select count(*), max(case when f.proof = $2 and f.presenter = $3 then f.shown_ms end) from followed_transactions f
             where f.network = $1
               and not exists (select 1 from deposits d where d.network = f.network and d.proof = f.proof)",
        )
        .bind(network)
        .bind(proof)
        .bind(presenter.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if shown_ms.is_none() && of_all >= i64::from(FOLLOWED_MAX) {
            return Ok(Followed::TooMany);
        }
        // Old ones, all shown again at once, would be as many as fresh ones.
        let is_followed = shown_ms.is_some_and(|shown_ms| shown_ms > now_ms.saturating_sub(FOLLOWED_MS));
        if !is_followed && too_many_unseen(&mut tx, network, proof, presenter, now_ms).await? {
            return Ok(Followed::TooMany);
        }
        sqlx::query(
            "insert into followed_transactions (network, proof, presenter, shown_ms) values ($1, $2, $3, $4)
             on conflict (network, proof, presenter) do update set shown_ms = excluded.shown_ms
             where followed_transactions.shown_ms < excluded.shown_ms",
        )
        .bind(network)
        .bind(proof)
        .bind(presenter.to_string())
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Followed::Yes)
    }

    /// Those that the books do not have yet and that were shown within [`FOLLOWED_MS`].
    pub async fn followed_transactions(&self, network: &str, now_ms: i64) -> Result<Vec<TxHash>> {
        self.followed(network, now_ms.saturating_sub(FOLLOWED_MS), i64::MAX).await
    }

    /// Those that nobody showed within [`FOLLOWED_MS`], until the sweep forgets them after a day: the payment may still come.
    pub async fn followed_unasked(&self, network: &str, now_ms: i64) -> Result<Vec<TxHash>> {
        self.followed(network, i64::MIN, now_ms.saturating_sub(FOLLOWED_MS)).await
    }

    /// Shown later than `after_ms`, and not later than `until_ms`.
    async fn followed(&self, network: &str, after_ms: i64, until_ms: i64) -> Result<Vec<TxHash>> {
        let proofs: Vec<String> = sqlx::query_scalar(
            "select distinct f.proof from followed_transactions f
             where f.network = $1 and f.shown_ms > $2 and f.shown_ms <= $3
               and not exists (select 1 from deposits d where d.network = f.network and d.proof = f.proof)
             order by f.proof",
        )
        .bind(network)
        .bind(after_ms)
        .bind(until_ms)
        .fetch_all(&self.pool)
        .await?;
        let hash_of = |proof: &String| {
            let hash: Option<TxHash> = proof.strip_prefix(PAYMENT).and_then(|hash| hash.parse().ok());
            hash.ok_or_else(|| BooksError::Corrupt(format!("a followed transaction: {proof}")))
        };
        proofs.iter().map(hash_of).collect()
    }

    /// A final block says that it brought nothing.
    pub async fn forget_transaction(&self, network: &str, proof: &str) -> Result<()> {
        again(|| async {
            sqlx::query("delete from followed_transactions where network = $1 and proof = $2")
                .bind(network)
                .bind(proof)
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }
}

/// A run of this presenter's shows it from now on, and is followed itself.
pub(super) async fn is_of_a_run(tx: &mut Tx, network: &str, proof: &str, presenter: Address) -> Result<()> {
    sqlx::query("delete from followed_transactions where network = $1 and proof = $2 and presenter = $3")
        .bind(network)
        .bind(proof)
        .bind(presenter.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What is booked, or was not shown for a day.
pub(super) async fn sweep(tx: &mut Tx, now_ms: i64) -> Result<()> {
    sqlx::query(
        "delete from followed_transactions where shown_ms <= $1 or exists (
             select 1 from deposits d where d.network = followed_transactions.network and d.proof = followed_transactions.proof
         )",
    )
    .bind(now_ms.saturating_sub(UNSEEN_KEPT_MS))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
