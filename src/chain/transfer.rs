//! What a transaction moved, and how certain that is.

use super::wire::{Hash, Transaction};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// A transaction that a block includes, as far as a payment is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub hash: TxHash,
    pub from: Address,
    /// `None`: it created a contract.
    pub to: Option<Address>,
    /// Wei of the native coin.
    pub value: Amount,
    /// The receipt's status: false is a revert, and nothing moved.
    pub succeeded: bool,
    /// It called something: money may have moved inside, where we cannot book it.
    pub has_data: bool,
    pub block: u64,
    pub block_hash: [u8; 32],
    /// Unix milliseconds (the block's seconds × 1000).
    pub block_time_ms: i64,
}

impl Transfer {
    /// `succeeded` as its receipt says; the block is the one that both came from.
    pub(super) fn new(transaction: &Transaction, succeeded: bool, block: u64, block_hash: Hash, time_s: u64) -> Self {
        Self {
            hash: transaction.hash,
            from: transaction.from,
            to: transaction.to,
            value: transaction.value,
            succeeded,
            has_data: transaction.has_data,
            block,
            block_hash,
            block_time_ms: i64::try_from(time_s.saturating_mul(1000)).unwrap_or(i64::MAX),
        }
    }
}

/// What one node knows about a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Not included, as far as this node knows: on Monad there is nothing to see before (ux.md, C2).
    NotSeen,
    /// Included, but its block may still vanish.
    Included(Transfer),
    /// At or below the final head, and the canonical block at that height is its block.
    Final(Transfer),
}
