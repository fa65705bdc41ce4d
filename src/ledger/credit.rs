//! What stands to a payer's credit, and how it came about.

use super::store::{Books, Result};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

/// One line of a payer's statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// UUIDv7 of the event: sorts by time.
    pub event: String,
    pub at_ms: i64,
    pub kind: EventKind,
    pub asset: Asset,
    pub amount: Amount,
    /// The run that it was held, captured or released for.
    pub run: Option<String>,
    /// That run's agent, by slug.
    pub agent: Option<String>,
    /// The deposit's transaction hash, as text, and its network.
    pub transaction: Option<String>,
    pub network: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Deposit,
    Hold,
    Capture,
    Release,
}

impl Books {
    /// Every asset that the payer has, or had, credit in. What is held for a run is not in it.
    pub async fn balances(&self, _payer: Address) -> Result<Vec<(Asset, Amount)>> {
        todo!()
    }

    pub async fn balance(&self, _payer: Address, _asset: &Asset) -> Result<Amount> {
        todo!()
    }

    /// Newest first; `before`: an event's id, exclusive.
    pub async fn statement(&self, _payer: Address, _before: Option<&str>, _limit: u32) -> Result<Vec<StatementLine>> {
        todo!()
    }
}
