//! The proof that the books balance: `coinslot books`.
//!
//! Everything is read once, on one snapshot, as streams that are grouped by their first column: memory does not grow with the books.
//! Nothing is repaired: a finding is a bug, a restored backup or somebody's hand, and a person has to look.

mod accounts;
mod authorizations;
mod contents;
mod events;
mod progress;
mod runs;

use std::fmt;

use super::store::{Books, Kind, Result, Tx};

/// More are counted, not listed: books as broken as that need no longer list.
const FINDINGS_MAX: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub deposits: u64,
    pub runs: u64,
    pub entries: u64,
    /// One sentence each, with the row's id; empty: the books balance.
    pub findings: Vec<String>,
}

impl Books {
    /// Reads everything once, streaming, on one snapshot: every event's sum is zero per asset; every balance is the sum of its entries and
    /// not negative; every deposit has its event; every held or running run has its price held, every done run its price captured,
    /// every other run nothing; what an authorization pays has moved nothing before its deposit is there, and is its run's, as signed;
    /// what an agent said of its work is bounded, its run's, and gone where the run's content is; every input and every answer that is kept
    /// is the one whose SHA-256 was written down.
    pub async fn audit(&self) -> Result<Audit> {
        let mut tx = self.begin_snapshot().await?;
        let mut audit = Audit::default();
        let mut found = Findings::default();
        events::audit_events(&mut tx, &mut audit, &mut found).await?;
        events::audit_purposes(&mut tx, &mut found).await?;
        events::audit_deposits(&mut tx, &mut audit, &mut found).await?;
        events::audit_hands(&mut tx, &mut found).await?;
        runs::audit_runs(&mut tx, &mut audit, &mut found).await?;
        contents::audit_contents(&mut tx, &mut found).await?;
        authorizations::audit_authorizations(&mut tx, &mut found).await?;
        authorizations::audit_proofs(&mut tx, &mut found).await?;
        progress::audit_progress(&mut tx, &mut found).await?;
        accounts::audit_balances(&mut tx, &mut found).await?;
        accounts::audit_missing_balances(&mut tx, &mut found).await?;
        tx.rollback().await?;
        audit.findings = found.listed();
        Ok(audit)
    }

    /// All reads see the books as they are at the first one, so the counts are of one moment. A deferred transaction of SQLite does that,
    /// and keeps no writer out.
    async fn begin_snapshot(&self) -> Result<Tx> {
        let mut tx = self.pool.begin().await?;
        if self.kind == Kind::Postgres {
            sqlx::query("set transaction isolation level repeatable read, read only").execute(&mut *tx).await?;
        }
        Ok(tx)
    }
}

#[derive(Debug, Default)]
struct Findings {
    list: Vec<String>,
    more: u64,
}

impl Findings {
    fn add(&mut self, sentence: impl fmt::Display) {
        if self.list.len() < FINDINGS_MAX {
            self.list.push(sentence.to_string());
        } else {
            self.more += 1;
        }
    }

    fn listed(mut self) -> Vec<String> {
        if self.more > 0 {
            self.list.push(format!("… and {} more", self.more));
        }
        self.list
    }
}
