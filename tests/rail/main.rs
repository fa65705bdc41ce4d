//! The token rail: verified, settled and looked up on a real chain, with a real token, and with everything that goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../anvil/mod.rs"]
mod anvil;

mod bed;
mod looking;
mod refusing;
mod remote;
mod settling;
mod unknown;
