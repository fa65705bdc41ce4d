//! Document Brief: what a text says, in its own words and with their places, and what in it wants somebody's attention.
//!
//! - `report`: what it answers. `form`, `view`: how it is asked and shown. `valid`: what is wrong with a text, before anybody pays.
//! - `brief`: from a text to a report; `remarks`: what of it is worth a warning. What it is made of, each by rules that docs/agents.md tells: `actions`, `dates`, `amounts`,
//!   `links`, `onchain`, `figures` (`syllables`). Sentences, key words and the extract are `crate::text`'s.

mod form;
mod report;

#[cfg(feature = "ssr")]
mod actions;
#[cfg(feature = "ssr")]
mod amounts;
#[cfg(feature = "ssr")]
pub mod brief;
#[cfg(feature = "ssr")]
mod dates;
#[cfg(feature = "ssr")]
mod figures;
#[cfg(feature = "ssr")]
mod links;
#[cfg(feature = "ssr")]
mod onchain;
#[cfg(feature = "ssr")]
mod remarks;
#[cfg(feature = "ssr")]
mod syllables;
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
    slug: "document-brief",
    name: "Document Brief",
    category: Category::Reading,
    summary: "A text’s key sentences word for word, its tasks, dates, amounts and addresses.",
    price: &["0.0001 MON", "0.001 USDC"],
    time_limit: Duration::from_secs(10),
    version: "1",
    // Each character may be written as an escape of six bytes.
    input_max: 640 * 1024,
    settle: Settle::AfterWork,
    needs: &[],
};

/// Bytes of UTF-8, at most: 100 KB.
pub const TEXT_BYTES_MAX: usize = 100 * 1024;

/// What to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Plain text or Markdown, 100 KB of UTF-8 at most, with at least one letter and no control characters but tabs and line ends.
    #[cfg_attr(feature = "ssr", garde(custom(valid::text)))]
    #[cfg_attr(feature = "ssr", schemars(length(min = 1, max = TEXT_BYTES_MAX)))]
    pub text: String,
    /// How many sentences to quote, 1 to 12.
    #[cfg_attr(feature = "ssr", garde(range(min = 1, max = 12)))]
    #[cfg_attr(feature = "ssr", schemars(range(min = 1, max = 12)))]
    #[serde(default = "some_sentences")]
    pub sentences: u8,
}

/// As many as fit on a screen.
fn some_sentences() -> u8 {
    5
}

impl Default for Input {
    fn default() -> Self {
        Self { text: String::new(), sentences: some_sentences() }
    }
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "document-brief", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn document_brief(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

/// The work, for whoever has a paid run.
#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    tools.progress(1, 2, "Reading the text.");
    let Input { text, sentences } = input.clone();
    let report = tokio::task::spawn_blocking(move || brief::of(&text, usize::from(sentences))).await;
    tools.progress(2, 2, "The brief is written.");
    let mut report = report.map_err(CallError::agent_failed)?;
    report.explanation = tools.explain(&CARD, &report).await;
    Ok(report)
}

/// Short: every 402 carries it.
pub fn example() -> Input {
    Input { text: "Ben, please pay the 0.5 MON by 2026-12-01. The invoice is overdue. Nobody else was asked.".to_owned(), sentences: 1 }
}

/// The form's letter, as this agent sees it; a test holds it to that.
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("document_brief/sample.json")).expect("the sample is a report")
}
