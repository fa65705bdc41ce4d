//! What a language model adds to a shop, and what it cannot do to it: a scripted server in its place, the real router, the books, and a real
//! chain node (anvil).
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../shop/harness.rs"]
#[allow(dead_code)]
mod harness;

mod agents;
mod analyst;
mod bed;
mod check;
mod client;
mod explaining;
mod on_sale;
mod real;
mod script;
