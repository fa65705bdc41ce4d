//! Page Brief: what a web page says, without what is around it.
//!
//! - `report`: what it answers. `form`, `view`: how it is asked and shown. `valid`: what is wrong with an input, before anybody pays.
//! - `fetch`: from an address to a page, never from inside the shop's own network.
//! - `apart`: strangers' HTML in a process of its own. `brief`: from a page to a report, whole: which part of it is read (`readable`), as
//!   plain text and as Markdown (`write`, `inline`), and what is found in it (`extract`, `prices`, `amount`, `dates`, `links`).

mod form;
mod report;

#[cfg(feature = "ssr")]
mod amount;
#[cfg(feature = "ssr")]
pub mod apart;
#[cfg(feature = "ssr")]
pub mod brief;
#[cfg(feature = "ssr")]
mod dates;
#[cfg(feature = "ssr")]
mod extract;
#[cfg(feature = "ssr")]
mod fetch;
#[cfg(feature = "ssr")]
mod inline;
#[cfg(feature = "ssr")]
mod links;
#[cfg(feature = "ssr")]
mod prices;
#[cfg(feature = "ssr")]
mod readable;
#[cfg(feature = "ssr")]
mod valid;
#[cfg(feature = "ssr")]
mod view;
#[cfg(feature = "ssr")]
mod write;

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
    slug: "page-brief",
    name: "Page Brief",
    category: Category::Reading,
    summary: "A web page’s text without what is around it, its key sentences, prices, dates and links.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(25),
    version: "1",
    input_max: 1024 * 1024,
    settle: Settle::AfterWork,
    needs: &[],
};

/// Bytes of HTML that are taken.
pub const HTML_BYTES_MAX: usize = 512 * 1024;
/// Characters of an address.
pub const URL_MAX: usize = 2_000;

/// What to read. Exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[cfg_attr(feature = "ssr", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Of a public web page: http or https, on the ports 80, 443, 8080 or 8443, without a user name. The shop fetches it once.
    #[cfg_attr(feature = "ssr", garde(custom(valid::exactly_one(&self.html)), custom(valid::url)))]
    #[cfg_attr(feature = "ssr", schemars(regex(pattern = "^[hH][tT][tT][pP][sS]?://"), length(max = URL_MAX)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The page itself, 512 KB at most.
    #[cfg_attr(feature = "ssr", garde(custom(valid::html)))]
    #[cfg_attr(feature = "ssr", schemars(length(min = 1, max = HTML_BYTES_MAX)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "page-brief", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn page_brief(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    let mut report = apart::read(input, &fetch::Internet, |step, words| tools.progress(step, 2, words)).await?;
    report.explanation = tools.explain(&CARD, &report).await;
    Ok(report)
}

/// A page that is here already, so that trying it asks nobody else. Short: every 402 carries it.
pub fn example() -> Input {
    let html = "<title>Prices</title><h1>Prices</h1><p>One answer costs $2.50 from 1 December 2026 on. It is paid once, before the agent runs.</p>";
    Input { url: None, html: Some(html.to_owned()) }
}

/// What this agent says of the form's example; a test holds it to that.
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("page_brief/sample.json")).expect("the sample is a report")
}
