//! Money that has arrived and is final.

use super::store::{Books, Result};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

/// How we came to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Somebody showed its hash.
    Hash,
    /// It was found in a block while its payer was watched for.
    Watch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// CAIP-2.
    pub network: String,
    /// What makes it the same payment on chain: `tx/<lower-case hash>`.
    pub proof: String,
    /// Who paid, as the chain says.
    pub payer: Address,
    pub asset: Asset,
    pub amount: Amount,
    pub block: u64,
    /// Unix milliseconds.
    pub block_time_ms: i64,
    pub how: How,
}

/// Where a network was read to; see `chain::Cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTo {
    pub height: u64,
    pub hash: [u8; 32],
}

impl Books {
    /// Books it to its payer's balance; `false`: it was recorded before, by whom ever, and that row stands.
    /// If its payer has an open watch on this network and no run of his shows this proof, the watch notes the arrival.
    pub async fn deposit(&self, _deposit: &Deposit, _now_ms: i64) -> Result<bool> {
        todo!()
    }

    /// All deposits of one final block and the cursor after it: both or neither. The cursor never goes back.
    pub async fn deposit_block(&self, _network: &str, _read_to: ReadTo, _deposits: &[Deposit], _now_ms: i64) -> Result<()> {
        todo!()
    }

    pub async fn find_deposit(&self, _network: &str, _proof: &str) -> Result<Option<Deposit>> {
        todo!()
    }

    pub async fn read_to(&self, _network: &str) -> Result<Option<ReadTo>> {
        todo!()
    }

    /// Stops the network's payments: a final block at this height has changed. Stays until an operator clears it.
    pub async fn halt_network(&self, _network: &str, _height: u64) -> Result<()> {
        todo!()
    }

    /// The height at which the network was halted.
    pub async fn halted(&self, _network: &str) -> Result<Option<u64>> {
        todo!()
    }

    /// Deposits in the order they were written, after `after` (a deposit's id; empty: from the start): for `coinslot books --chain`.
    pub async fn deposits_after(&self, _after: &str, _limit: u32) -> Result<Vec<(String, Deposit)>> {
        todo!()
    }
}
