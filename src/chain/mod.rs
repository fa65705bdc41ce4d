//! The chain: RPC with failover, and following final blocks. It knows no ledger.
//!
//! - `rpc`: several nodes as one; every answer that belongs together comes from one node in one batch.
//! - `settled`: whether a signed token transfer took place. `token`: what tokens and Permit2 are asked.
//! - `purse`: what an account has of a token, and which of its signatures are used up.
//! - `signature`: whether a contract says that a signature is its own. `clock`: how far our clock is from the blocks' time.
//! - `together`: what many payments wait for, looked at once for all of them. `known`: what need not be asked for each of them. `gather`: small
//!   questions of many visitors in one batch.
//! - `record`: one transaction as it is on record, run again, and traced.
//! - `sending`: fees, gas and nonce of a transaction of our own.
//! - `transfer`: what a transaction moved, and how certain that is. `number`: whether another one took its place. `glance`: whether a node knows it
//!   at all.
//! - `arrivals`: what an account had after a block, and which calls moved coin to it.
//! - `state`: what accounts and contracts are at one block, and what was written down up to it.
//! - `follow`: reads each block once while anyone waits, and hands on what became final.
//!
//! Beneath them, from the wire upwards:
//!
//! - `wire`: what a node's JSON says, as far as it is read.
//! - `node`: one node; one batch is one HTTP request, where the node takes it.
//! - `habits`: what a node does not do as others do: batches, and logs of many blocks.
//! - `nodes`: which node is asked, and which is left alone for a while. `heads`: which one is stuck or behind. `outage`: what the log says while
//!   none answers.
//! - `question`: what is asked of one node as a whole.
//! - `frames`: a transaction's calls, and what coin they moved.
//! - `signer`: who sent a transaction, by its own signature.
//! - `ring`: the blocks that were read and may still vanish.

pub mod arrivals;
pub mod clock;
pub mod follow;
mod frames;
mod gather;
mod glance;
mod habits;
pub mod heads;
mod known;
mod node;
mod nodes;
mod number;
mod outage;
pub mod purse;
mod question;
mod reader;
pub mod record;
mod ring;
pub mod rpc;
mod sending;
mod settled;
pub mod signature;
mod signer;
pub mod state;
mod together;
pub mod token;
pub mod transfer;
mod wire;

pub use arrivals::{Stood, Touch, Touched};
pub use follow::{Cursor, FinalBlock, Follower, Interest};
pub use frames::Move;
pub use gather::{Small, Told};
pub use glance::Glance;
pub use heads::Patience;
pub use known::Names;
pub(crate) use node::is_loopback;
pub use number::Waits;
pub use purse::Purse;
pub use question::Stands;
pub use rpc::{Chain, ChainSettings, Finality, Unavailable};
pub use sending::{Fees, Prepared, Trial, Tried};
pub use settled::{At, Nonce, Seen, SignedTransfer};
pub use together::{Included, TransferState, Waited};
pub use token::{EXACT_PROXY, PERMIT2, token_transfer};
pub use transfer::{Sighting, Transfer};
