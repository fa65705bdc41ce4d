//! Sessions, by the hash of their token, and the sign-in nonces that were used.

use super::{
    followed,
    hold::FAILURES_WITHIN_MS,
    replacing,
    runs::store_error,
    store::{Books, BooksError, Result, again},
    turns,
};
use crate::{
    error::{CallError, Code},
    evm::Address,
};

/// After this nobody asks any more what a watch was for.
const WATCH_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// A hash that no network knew, and that nobody showed for so long, is not waited for any more.
pub(super) const UNSEEN_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Who is signed in, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub wallet: Address,
    /// CAIP-2: the network whose contract signed. What the same address has on another network may be somebody else's. `None`: a key signed, which is
    /// the same one everywhere.
    pub network: Option<String>,
    /// Unix milliseconds.
    pub until_ms: i64,
}

impl Session {
    /// Is what this wallet has on a network (CAIP-2) this session's to see and to spend?
    pub fn counts_on(&self, network: &str) -> bool {
        self.network.as_ref().is_none_or(|own| own == network)
    }
}

impl Books {
    pub async fn start_session(&self, token_sha256: &str, session: &Session, now_ms: i64) -> Result<()> {
        sqlx::query("insert into sessions (token_sha256, wallet, network, started_ms, until_ms) values ($1, $2, $3, $4, $5)")
            .bind(token_sha256)
            .bind(session.wallet.to_string())
            .bind(session.network.as_deref())
            .bind(now_ms)
            .bind(session.until_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A session that has not ended.
    pub async fn session(&self, token_sha256: &str, now_ms: i64) -> Result<Option<Session>> {
        let row: Option<(String, Option<String>, i64)> =
            sqlx::query_as("select wallet, network, until_ms from sessions where token_sha256 = $1 and until_ms > $2")
                .bind(token_sha256)
                .bind(now_ms)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(wallet, network, until_ms)| {
            let wallet = wallet.parse().map_err(|_| BooksError::Corrupt(format!("a session's wallet: {wallet}")))?;
            Ok(Session { wallet, network, until_ms })
        })
        .transpose()
    }

    pub async fn end_session(&self, token_sha256: &str) -> Result<()> {
        sqlx::query("delete from sessions where token_sha256 = $1").bind(token_sha256).execute(&self.pool).await?;
        Ok(())
    }

    /// `false`: it was used before. Kept until `until_ms`, when the nonce itself is too old.
    pub async fn spend_nonce(&self, nonce: &str, now_ms: i64, until_ms: i64) -> Result<bool> {
        if until_ms <= now_ms {
            return Ok(false);
        }
        let spent = sqlx::query(
            "insert into spent_nonces (nonce, used_for, until_ms) values ($1, '', $2) on conflict (nonce) do nothing",
        )
        .bind(nonce)
        .bind(until_ms)
        .execute(&self.pool)
        .await?;
        Ok(spent.rows_affected() == 1)
    }

    /// `false`: it was used before, for something else. The same use again is the same request again, of which any number may come at once.
    pub async fn spend_nonce_for(&self, nonce: &str, used_for: &str, now_ms: i64, until_ms: i64) -> Result<bool> {
        if until_ms <= now_ms {
            return Ok(false);
        }
        sqlx::query("insert into spent_nonces (nonce, used_for, until_ms) values ($1, $2, $3) on conflict (nonce) do nothing")
            .bind(nonce)
            .bind(used_for)
            .bind(until_ms)
            .execute(&self.pool)
            .await?;
        let first = self.nonce_used_for(nonce).await?;
        Ok(first.as_deref() == Some(used_for))
    }

    /// What a nonce was used for, if it was; empty where it began a session.
    pub async fn nonce_used_for(&self, nonce: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("select used_for from spent_nonces where nonce = $1")
            .bind(nonce)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Rows that time has made useless: ended sessions, old nonces, failures that count no more, watches that ended a day ago without an
    /// arrival. A waiting run whose payment nobody saw or showed for a day becomes void; shown again, it is looked for again. An
    /// authorization, and the run that it pays, are never swept: the chain ends them ([`Books::authorization_unused`]). What came to nothing loses
    /// its input, and later goes (`forgetting`).
    pub async fn sweep(&self, now_ms: i64) -> Result<()> {
        // A credit run that still waits was left there by a crash; shown again, it goes on.
        let not_followed = [
            ("tx/%", store_error(&CallError::from(Code::PaymentNotFound))?),
            ("credit/%", store_error(&CallError::from(Code::Internal))?),
        ];
        again(|| async {
            let mut tx = self.begin().await?;
            for delete in ["delete from sessions where until_ms <= $1", "delete from spent_nonces where until_ms <= $1"] {
                sqlx::query(delete).bind(now_ms).execute(&mut *tx).await?;
            }
            followed::sweep(&mut tx, now_ms).await?;
            sqlx::query("delete from failures where failed_ms <= $1")
                .bind(now_ms.saturating_sub(FAILURES_WITHIN_MS))
                .execute(&mut *tx)
                .await?;
            for (proof, why) in &not_followed {
                sqlx::query(
                    "update runs set state = 'void', error = $1, error_final = 0, finished_ms = $2
                     where state = 'waiting' and presented_ms <= $3 and proof like $4 and not exists (
                         select 1 from deposits d
                         where d.network = runs.network and d.proof = runs.proof and d.payer = runs.payer
                     )",
                )
                .bind(why)
                .bind(now_ms)
                .bind(now_ms.saturating_sub(UNSEEN_KEPT_MS))
                .bind(*proof)
                .execute(&mut *tx)
                .await?;
            }
            sqlx::query(
                "delete from watches where until_ms <= $1 and (arrival_proof is null or exists (
                     select 1 from runs r
                     where r.network = watches.network and r.proof = watches.arrival_proof and r.payer = watches.wallet
                 ))",
            )
            .bind(now_ms.saturating_sub(WATCH_KEPT_MS))
            .execute(&mut *tx)
            .await?;
            replacing::sweep(&mut tx).await?;
            turns::sweep(&mut tx, now_ms).await?;
            tx.commit().await?;
            Ok(())
        })
        .await?;
        self.forget_void(now_ms).await
    }
}
