//! The chain's promises, over a real node: what a payment's state is, which node is believed, and that each final block is
//! handed on once.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../anvil/mod.rs"]
mod anvil;
mod arrivals;
mod failover;
mod follow;
mod glancing;
mod habits;
mod lookup;
mod recorder;
mod trouble;
mod wrong;
