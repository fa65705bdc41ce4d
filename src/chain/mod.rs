//! The chain: RPC with failover, and following final blocks. It knows no ledger.
//!
//! - `rpc`: several nodes as one; every answer that belongs together comes from one node in one batch.
//! - `transfer`: what a transaction moved, and how certain that is.
//! - `follow`: reads each block once while anyone waits, and hands on what became final.

pub mod follow;
pub mod rpc;
pub mod transfer;

pub use follow::{Cursor, FinalBlock, Follower, Interest};
pub use rpc::{Chain, ChainSettings, Finality, Unavailable};
pub use transfer::{Sighting, Transfer};
