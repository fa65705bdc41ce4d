//! Contract X-ray: what a contract can do, read from its bytecode alone.

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::{
    card::{Card, Category},
    error::{CallError, FieldError},
    x402::X402,
};

pub const CARD: Card = Card {
    slug: "contract-xray",
    name: "Contract X-ray",
    category: Category::Contract,
    summary: "Functions, proxies and owner powers, with no source code needed.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(10),
    version: "1",
    input_max: 512 * 1024,
};

/// What to look at. Exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[cfg_attr(feature = "ssr", garde(skip))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[cfg_attr(feature = "ssr", garde(skip))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    pub code_size: u32,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "contract-xray", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn contract_xray(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(input, crate::runs::Tools::of_paid_run(&CARD)?).await
}

#[cfg(feature = "ssr")]
async fn inspect(_input: Input, _tools: crate::runs::Tools) -> Result<Report, CallError> {
    Ok(Report { code_size: 0 })
}

pub fn sample() -> Report {
    Report { code_size: 0 }
}

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let _ = (input, errors);
}

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    report.code_size
}

/// A contract worth X-raying, where the shop knows one.
#[derive(Clone)]
pub struct ExampleAddress(pub String);
