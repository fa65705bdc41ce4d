//! Wallet Report: what an address is, what it holds and who may take it, all at one block.
//!
//! - `report`: what it answers. `form`, `view`, `picture`: how it is asked and shown.
//! - `valid`: what is wrong with an input, before anybody pays. `known`: what is known of networks beforehand.
//! - `look`: from an input to a report. `ask`: questions to strangers' contracts, through Multicall3 where there is one. `answers`: what
//!   such contracts answer, believed only as far as it can be true.
//! - `account`: what the address is. `tokens`: what it holds. `allowances`: who may take it. `activity`: what moved lately.
//!   `findings`: what to worry about, and the sentence.

mod form;
mod report;

#[cfg(feature = "ssr")]
mod account;
#[cfg(feature = "ssr")]
mod activity;
#[cfg(feature = "ssr")]
mod allowances;
#[cfg(feature = "ssr")]
mod answers;
#[cfg(feature = "ssr")]
mod ask;
#[cfg(feature = "ssr")]
mod findings;
#[cfg(feature = "ssr")]
pub mod known;
#[cfg(feature = "ssr")]
pub mod look;
#[cfg(feature = "ssr")]
mod picture;
#[cfg(feature = "ssr")]
mod tokens;
#[cfg(feature = "ssr")]
mod valid;
#[cfg(feature = "ssr")]
mod view;

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

pub use form::Form;
pub use report::*;
#[cfg(feature = "ssr")]
pub use view::ReportView;

use crate::{
    card::{Card, Category, Settle},
    error::CallError,
    x402::X402,
};

pub const CARD: Card = Card {
    slug: "wallet-report",
    name: "Wallet Report",
    category: Category::Wallet,
    summary: "What an address is, what it holds, and who may take it.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(20),
    version: "1",
    input_max: 16 * 1024,
    settle: Settle::FirstFromStrangers,
    needs: &[],
};

/// Whose wallet to look at, on the network that is paid on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// 0x and 40 hexadecimal digits; upper and lower case letters mixed are a check sum (EIP-55).
    #[cfg_attr(feature = "ssr", garde(custom(valid::address)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x[0-9a-fA-F]{40}$")))]
    pub address: String,
    /// Token contracts to look at besides those that are known and those that moved lately: 30 at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::at_most::<30>), inner(custom(valid::entry))))]
    #[cfg_attr(feature = "ssr", schemars(length(max = 30), inner(regex(pattern = "^0x[0-9a-fA-F]{40}$"))))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Who may take tokens, to ask about besides Permit2 and x402's proxies: 10 at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::at_most::<10>), inner(custom(valid::entry))))]
    #[cfg_attr(feature = "ssr", schemars(length(max = 10), inner(regex(pattern = "^0x[0-9a-fA-F]{40}$"))))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spenders: Vec<String>,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "wallet-report", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn wallet_report(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    let tools = crate::runs::Tools::of_paid_run(&CARD)?;
    inspect(&input, &tools).await
}

#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    let mut report = look::wallet(input, tools.chain(), &|step, of, words| tools.progress(step, of, words)).await?;
    report.explanation = tools.explain(&CARD, &report).await;
    Ok(report)
}

/// Permit2, which is at this address on most networks; on any other the answer is that nothing is there.
pub fn example() -> Input {
    Input { address: form::EXAMPLE_CONTRACT.to_owned(), ..Input::default() }
}

/// A wallet as this agent sees it; a test holds it to that.
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("wallet_report/sample.json")).expect("the sample is a report")
}
