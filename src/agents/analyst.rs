//! Analyst: a question in words, answered by the shop's language model from what the other agents compute. On sale where there is a model.
//!
//! - `report`: what it answers. `form`, `view`: how it is asked and shown.
//! - `work`: the loop: the model asks for looks, we make them, it answers. `table`: what it may look with, a line for each agent.
//! - `facts`: a report as numbered facts, which are all that the model sees and all that it can cite. `words`: what it is told.

mod form;
mod report;
mod view;

#[cfg(feature = "ssr")]
pub mod facts;
#[cfg(feature = "ssr")]
mod table;
#[cfg(feature = "ssr")]
mod words;
#[cfg(feature = "ssr")]
mod work;

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

pub use form::Form;
pub use report::*;
pub use view::ReportView;

use crate::{
    card::{Card, Category, Need, Settle},
    error::CallError,
    x402::X402,
};

pub const CARD: Card = Card {
    slug: "analyst",
    name: "Analyst",
    category: Category::Question,
    summary: "A question in your words, answered by a language model from what the other agents compute, with the facts it stands on.",
    price: &["0.002 MON", "0.02 USDC"],
    time_limit: Duration::from_secs(90),
    version: "1",
    input_max: 16 * 1024,
    // Its work costs its seller tokens, and an authorization can be cancelled while it goes on.
    settle: Settle::First,
    needs: &[Need::Model],
};

/// Characters of a question.
pub const QUESTION_MAX: usize = 2000;

/// What somebody wants to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// A question in words, 2000 characters at most, with the address, bytecode or link that it is about in it.
    #[cfg_attr(feature = "ssr", garde(custom(a_question)))]
    #[cfg_attr(feature = "ssr", schemars(length(min = 1, max = 2000)))]
    pub question: String,
}

#[cfg(feature = "ssr")]
fn a_question(question: &str, (): &()) -> garde::Result {
    if question.trim().is_empty() {
        return Err(garde::Error::new("Write what you want to know."));
    }
    match question.chars().count() {
        ..=QUESTION_MAX => Ok(()),
        long => Err(garde::Error::new(format!("A question has {QUESTION_MAX} characters at most; this one has {long}."))),
    }
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "analyst", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn analyst(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    work::inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

/// About a clone, whose code is short enough for a question.
pub fn example() -> Input {
    Input { question: form::EXAMPLE.to_owned() }
}

/// Its facts are what the agents compute; a test holds them to that. Its words are an example, and say so.
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("analyst/sample.json")).expect("the sample is a report")
}
