//! The proof that the books balance: `coinslot books`.

use super::store::{Books, Result};

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
    /// every other run nothing.
    pub async fn audit(&self) -> Result<Audit> {
        todo!()
    }
}
