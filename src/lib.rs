//! Coinslot: a self-hosted storefront of coin-operated AI agents.
//!
//! The books balance: every unit of value we were told of is, at every moment, in exactly one place that its payer can
//! see: spent on a run that succeeded, standing as credit, or refunded (docs/protocol.md).
//!
//! Dependencies point one way: `pages → agents → {x402, runs} → ledger`, and `x402 → chain`; `model`
//! serves `runs` and `agents`; `card`, `money`, `evm` and `error` are on the ground, and `ui` knows none of them.
#![recursion_limit = "512"]

pub mod card;
pub mod error;
pub mod evm;
pub mod money;
pub mod network;
pub mod run;

pub mod agents;
pub mod app;
pub mod pages;
pub mod session;
pub mod ui;
pub mod wallet;
pub mod x402;

#[cfg(feature = "hydrate")]
pub mod browser;

#[cfg(feature = "ssr")]
pub mod chain;
#[cfg(feature = "ssr")]
pub mod http_client;
#[cfg(feature = "ssr")]
pub mod ledger;
#[cfg(feature = "ssr")]
pub mod model;
#[cfg(feature = "ssr")]
pub mod runs;
#[cfg(feature = "ssr")]
pub mod seldom;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod text;

/// The page's entry point: takes over what the server rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_body(app::App);
    begun();
}

/// The same, where the document is not what the server rendered, and cannot be made so: the page is rendered here.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn draw() {
    leptos::mount::mount_to_body(app::App);
    begun();
}

/// Only now a panic is an error of ours: until then it says that the document is a stranger's, and the start script goes on (`app/shell`).
#[cfg(feature = "hydrate")]
fn begun() {
    console_error_panic_hook::set_once();
    x402::fetch::export_to_javascript();
}
