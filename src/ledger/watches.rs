//! Watches: "this wallet is about to pay". While one is open, every final transfer of the wallet is booked, hash or no hash.

use super::store::{Books, Result};
use crate::evm::Address;

/// How long a watch stays open unless it is renewed.
pub const WATCH_MS: i64 = 15 * 60 * 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub network: String,
    pub wallet: Address,
    /// Final head when it was opened: what is above it can be the payment.
    pub from_block: u64,
    pub until_ms: i64,
    /// The run that was asked for: agent's slug and the exact body.
    pub agent: String,
    pub input: String,
}

/// A payment that was found by a watch and that no run has used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub watch: Watch,
    /// The deposit's proof: `tx/<hash>`.
    pub proof: String,
}

impl Books {
    /// One row per wallet and network; renewing keeps the lower `from_block` while it was still open. Forgets an arrival of before.
    pub async fn open_watch(&self, _watch: &Watch, _now_ms: i64) -> Result<()> {
        todo!()
    }

    /// Longer, if it is open; the page does it while it is open. `false`: there is none.
    pub async fn renew_watch(&self, _network: &str, _wallet: Address, _now_ms: i64) -> Result<bool> {
        todo!()
    }

    pub async fn open_watches(&self, _network: &str, _now_ms: i64) -> Result<Vec<Watch>> {
        todo!()
    }

    /// What arrived for this wallet while it was watched for, and was not run yet.
    pub async fn arrivals(&self, _wallet: Address) -> Result<Vec<Arrival>> {
        todo!()
    }

    /// The visitor does not want the run any more; the credit stays.
    pub async fn dismiss_arrival(&self, _network: &str, _wallet: Address) -> Result<()> {
        todo!()
    }
}
