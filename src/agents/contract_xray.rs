//! Contract X-ray: what a contract can do, read from its bytecode alone.
//!
//! - `report`: what it answers. `form`, `view`, `layout`: how it is asked and shown.
//! - `valid`: what is wrong with an input, before anybody pays. `first_look`: is there code at all, for nothing.
//! - `source`: from an input to a report. `apart`: strangers' code in a process of its own. `examine`: one piece of code, whole, from
//!   evmole's analysis and ours: what its functions do (`flow`, `way`, `value`, `op`), what that lets somebody do (`powers`, `reach`,
//!   `draft`), where it hands calls to (`proxy`), what is stored where (`storage`), what it is called (`names`, `interfaces`).

mod form;
mod report;

#[cfg(feature = "ssr")]
pub mod apart;
#[cfg(feature = "ssr")]
mod draft;
#[cfg(feature = "ssr")]
pub mod examine;
#[cfg(feature = "ssr")]
mod first_look;
#[cfg(feature = "ssr")]
mod flow;
#[cfg(feature = "ssr")]
mod interfaces;
#[cfg(feature = "ssr")]
mod layout;
#[cfg(feature = "ssr")]
mod op;
#[cfg(feature = "ssr")]
mod powers;
#[cfg(feature = "ssr")]
pub(crate) mod proxy;
#[cfg(feature = "ssr")]
mod reach;
#[cfg(feature = "ssr")]
mod shape;
#[cfg(feature = "ssr")]
pub mod source;
#[cfg(feature = "ssr")]
mod storage;
#[cfg(feature = "ssr")]
mod valid;
#[cfg(feature = "ssr")]
mod value;
#[cfg(feature = "ssr")]
mod view;
#[cfg(feature = "ssr")]
mod way;
#[cfg(feature = "ssr")]
mod words;

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

pub use form::{ExampleAddress, Form};
pub use report::*;
#[cfg(feature = "ssr")]
pub use view::ReportView;

use crate::{
    card::{Card, Category, Settle},
    error::CallError,
    x402::X402,
};
#[cfg(feature = "ssr")]
use super::names;

pub const CARD: Card = Card {
    slug: "contract-xray",
    name: "Contract X-ray",
    category: Category::Contract,
    summary: "Who can mint, block, pause, upgrade or drain: read from a contract’s code, with no source needed.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(10),
    version: "2",
    input_max: 512 * 1024,
    settle: Settle::AfterWork,
    needs: &[],
};

/// What to look at. Exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[cfg_attr(feature = "ssr", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Of a contract on the network that is paid on: 0x and 40 hexadecimal digits.
    #[cfg_attr(feature = "ssr", garde(custom(valid::exactly_one(&self.bytecode)), custom(valid::address)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x[0-9a-fA-F]{40}$")))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Runtime bytecode: 0x and two hexadecimal digits for each byte, 128 KB of code at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::bytecode)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^0x([0-9a-fA-F]{2})+$"), length(max = valid::CODE_BYTES_MAX * 2 + 2)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode: Option<String>,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "contract-xray", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn contract_xray(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

/// The work of a paid run: its own, or another agent's that pays for it.
#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    let mut report = source::x_ray_telling(input, tools.chain(), |step, words| tools.progress(step, source::STEPS, words)).await?;
    report.explanation = tools.explain(&CARD, &report).await;
    Ok(report)
}

/// What a first look at an address says, for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Precheck {
    /// There is something to look at.
    Contract { bytes: u32, network: String },
    /// An account that runs this contract's code (EIP-7702).
    Delegated { to: String, network: String },
    /// A run would find nothing.
    NoCode { network: String },
    /// No node answered: that is not a no.
    Unknown,
}

/// Tells before paying that there is nothing to pay for (B1). Free, and cached: many looks at one address ask the chain once.
///
/// # Errors
/// [`crate::error::Code::InvalidInput`] for what is no address.
#[server(prefix = "/api/check", endpoint = "contract-xray", input = GetUrl, output = Json)]
pub async fn look_first(address: String) -> Result<Precheck, CallError> {
    first_look::look(&address).await
}

/// Bytecode, which reads the same on every network.
pub fn example() -> Input {
    Input { address: None, bytecode: Some(form::EXAMPLE_BYTECODE.to_owned()) }
}

/// The demo's contract, as this agent sees it; a test holds it to that.
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("contract_xray/sample.json")).expect("the sample is a report")
}
