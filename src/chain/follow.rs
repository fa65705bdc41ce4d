//! Reads each block once while anyone waits, and hands on what became final. While nobody waits, no node is asked.

use std::{collections::HashSet, future::Future, sync::Arc};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Chain, Transfer};
use crate::evm::{Address, TxHash};

/// The newest final block whose content was handed on. Stored by the follower; never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub height: u64,
    pub hash: [u8; 32],
}

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Interest {
    /// Every successful plain transfer to it is handed on.
    pub pay_to: Address,
    /// Transactions that are handed on whatever they did.
    pub hashes: HashSet<TxHash>,
    /// The lowest block that can hold what is waited for. Reading starts at the later of it and the cursor's successor.
    pub from_block: u64,
    pub cursor: Option<Cursor>,
}

/// A final block and what in it was waited for.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    pub cursor: Cursor,
    pub transfers: Vec<Transfer>,
}

/// Why the follower cannot take a block now; it is offered again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Whoever wants to know what became final: `x402::till`.
pub trait Follower: Send + Sync + 'static {
    /// `None`: nobody waits (or another instance follows this network), and the chain is not asked.
    fn interest(&self) -> impl Future<Output = Option<Interest>> + Send;

    /// Hashes of the interest that were seen in a block that is not final yet (height), or that left it again (`None`, C7).
    fn included(&self, seen: Vec<(TxHash, Option<u64>)>) -> impl Future<Output = ()> + Send;

    /// Books the transfers and stores the cursor, both or neither. May be told the same block twice.
    fn became_final(&self, block: FinalBlock) -> impl Future<Output = Result<(), NotTaken>> + Send;

    /// The chain has another block where one was final: payments on this network stop until an operator looks.
    fn changed_below(&self, height: u64) -> impl Future<Output = ()> + Send;
}

/// Follows until `stop`. `wake` ends the pause of an idle follower at once.
pub async fn follow<F: Follower>(_chain: Chain, _follower: F, _wake: Arc<Notify>, _stop: CancellationToken) {
    todo!()
}
