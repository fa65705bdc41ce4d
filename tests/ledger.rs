//! The books, on both databases: what they promise, one test each.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod books;

#[path = "ledger/arriving.rs"]
mod arriving;
#[path = "ledger/claiming.rs"]
mod claiming;
#[path = "ledger/crashing.rs"]
mod crashing;
#[path = "ledger/following.rs"]
mod following;
#[path = "ledger/halting.rs"]
mod halting;
#[path = "ledger/keeping.rs"]
mod keeping;
#[path = "ledger/long.rs"]
mod long;
#[path = "ledger/migrating.rs"]
mod migrating;
#[path = "ledger/operating.rs"]
mod operating;
#[path = "ledger/paying.rs"]
mod paying;
#[path = "ledger/people.rs"]
mod people;
#[path = "ledger/presenting.rs"]
mod presenting;
#[path = "ledger/progressing.rs"]
mod progressing;
#[path = "ledger/remembering.rs"]
mod remembering;
#[path = "ledger/replacing.rs"]
mod replacing;
#[path = "ledger/settling.rs"]
mod settling;
#[path = "ledger/summing.rs"]
mod summing;
#[path = "ledger/tampering.rs"]
mod tampering;
#[path = "ledger/turns.rs"]
mod turns;
#[path = "ledger/unseen.rs"]
mod unseen;
#[path = "ledger/watching.rs"]
mod watching;
#[path = "ledger/working.rs"]
mod working;
