//! The shop as a program meets it: the real router, the books, and a real chain node (anvil). No page, no browser.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../anvil/mod.rs"]
mod anvil;
#[path = "../books/mod.rs"]
mod books;

mod agents;
mod asked_of_nobody;
mod by_hand;
mod contracts;
mod cors;
mod credit;
mod cut_off;
mod discovery;
mod dollars;
mod endings;
mod examples;
mod failing;
mod fairness;
mod flood;
mod fuzz;
mod harness;
mod known_failures;
mod looks;
mod mcp;
mod moved;
mod no_call;
mod nodes;
mod opening;
mod operating;
mod paying;
mod programs;
mod progress;
mod promised;
mod proving;
mod reading;
mod relayed;
mod replacing;
mod sign_in;
mod thieves;
mod tokens;
mod unpaid;
mod watching;
