//! Tx Explainer: what a transaction did, would do, or failed to do, in words that its sender understands.
//!
//! - `report`: what it answers. `form`, `view`, `picture`: how it is asked and shown.
//! - `valid`: what is wrong with an input, before anybody pays.
//! - `source`: from an input to a report. What is read: `raw` (over `rlp`) and `tx`; `abi` (bounded decoding) with `shape`, `line` and `lexicon`
//!   (who knows which name: the given ABI, then what is well known).
//! - What is told: `call` and `nested` (calls inside calls), `logs` and `asked` (what moved, what is asked for), `failure`, `fee`, `tokens`,
//!   `words`, `caution`.

mod form;
mod report;

#[cfg(feature = "ssr")]
mod abi;
#[cfg(feature = "ssr")]
mod asked;
#[cfg(feature = "ssr")]
mod call;
#[cfg(feature = "ssr")]
mod caution;
#[cfg(feature = "ssr")]
mod failure;
#[cfg(feature = "ssr")]
mod fee;
#[cfg(feature = "ssr")]
mod known;
#[cfg(feature = "ssr")]
mod lexicon;
#[cfg(feature = "ssr")]
mod line;
#[cfg(feature = "ssr")]
mod logs;
#[cfg(feature = "ssr")]
mod nested;
#[cfg(feature = "ssr")]
mod picture;
#[cfg(feature = "ssr")]
mod raw;
#[cfg(feature = "ssr")]
mod rlp;
#[cfg(feature = "ssr")]
mod shape;
#[cfg(feature = "ssr")]
pub mod source;
#[cfg(feature = "ssr")]
mod tokens;
#[cfg(feature = "ssr")]
mod tx;
#[cfg(feature = "ssr")]
mod valid;
#[cfg(feature = "ssr")]
mod view;
#[cfg(feature = "ssr")]
mod words;

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
    slug: "tx-explainer",
    name: "Tx Explainer",
    category: Category::Transaction,
    summary: "What a transaction did, would do or why it failed: calls, transfers, approvals, fee.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(15),
    version: "1",
    input_max: 512 * 1024,
    settle: Settle::AfterWork,
    needs: &[],
};

/// What to explain: exactly one of `hash`, `raw` and `calldata`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Of a transaction on the network that is paid on: 0x and 64 hexadecimal digits.
    #[cfg_attr(feature = "ssr", garde(custom(valid::exactly_one(&self.raw, &self.calldata)), custom(valid::hash)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x[0-9a-fA-F]{64}$")))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// A raw transaction, signed or not, of type 0 to 4 (EIP-2718), 128 KB at most: 0x and two hexadecimal digits for each byte.
    #[cfg_attr(feature = "ssr", garde(custom(valid::raw)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x([0-9a-fA-F]{2})+$"), length(max = valid::BYTES_MAX * 2 + 2)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Call data: a selector and its arguments, 128 KB at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::calldata)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x([0-9a-fA-F]{2}){4,}$"), length(max = valid::BYTES_MAX * 2 + 2)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calldata: Option<String>,
    /// How to read calls, events and errors: a JSON ABI, or signatures as Solidity writes them, one a line. 64 KB at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::abi)))]
    #[cfg_attr(feature = "ssr", schemars(length(max = valid::ABI_CHARS_MAX)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
    /// Whom `calldata` is sent to: only together with it.
    #[cfg_attr(feature = "ssr", garde(custom(valid::to(&self.calldata))))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x[0-9a-fA-F]{40}$")))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "tx-explainer", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn tx_explainer(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

/// The work, for this agent's own runs and for those of agents that ask others.
///
/// # Errors
/// As [`source::explain`].
#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    let mut report = source::explain(input, tools.chain(), &|step, words| tools.progress(step, source::STEPS, words)).await?;
    report.explanation = tools.explain(&CARD, &report).await;
    Ok(report)
}

/// Call data, which reads the same on every network.
pub fn example() -> Input {
    Input { calldata: Some(form::EXAMPLE_APPROVAL.to_owned()), ..Input::default() }
}

/// A swap as this agent explains it; a test holds it to that.
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("tx_explainer/sample.json")).expect("the sample is a report")
}
