//! The shop as a program meets it: the real router, the books, and a real chain node (anvil). No page, no browser.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../anvil/mod.rs"]
mod anvil;

mod agents;
mod contracts;
mod cors;
mod credit;
mod cut_off;
mod discovery;
mod dollars;
mod endings;
mod examples;
mod failing;
mod fuzz;
mod harness;
mod known_failures;
mod mcp;
mod moved;
mod no_call;
mod paying;
mod programs;
mod progress;
mod promised;
mod proving;
mod relayed;
mod replacing;
mod sign_in;
mod thieves;
mod tokens;
mod unpaid;
mod watching;
