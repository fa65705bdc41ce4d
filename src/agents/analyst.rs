//! Analyst: a question in words, answered by the shop's language model from what the other agents compute. On sale where there is a model.
//!
//! - `report`: what it answers. `form`, `view`: how it is asked and shown.
//! - `work`: the loop: the model asks for looks, we make them, it answers. `table`: what it may look with, a line for each agent.
//! - `facts`: a report as numbered facts, which are all that the model sees and all that it can cite. `words`: what it is told.

mod form;
mod report;

#[cfg(feature = "ssr")]
pub mod facts;
#[cfg(feature = "ssr")]
mod table;
#[cfg(feature = "ssr")]
mod view;
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
#[cfg(feature = "ssr")]
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
#[cfg(feature = "ssr")]
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
#[cfg(feature = "ssr")]
pub fn sample() -> Report {
    // Our own file, checked by that test: it parses.
    #[allow(clippy::expect_used)]
    serde_json::from_slice(include_bytes!("analyst/sample.json")).expect("the sample is a report")
}

#[cfg(all(test, feature = "ssr"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use garde::Validate;

    use super::*;
    use crate::{
        agents::contract_xray::{self, source::CodeSource},
        chain::Unavailable,
        evm::Address,
    };

    /// Bytecode needs none.
    struct NoChain;

    impl CodeSource for NoChain {
        fn network_id(&self) -> String {
            unreachable!()
        }

        fn network_name(&self) -> String {
            unreachable!()
        }

        async fn code(&self, _: Address) -> Result<Vec<u8>, Unavailable> {
            unreachable!()
        }

        async fn storage(&self, _: Address, _: [u8; 32]) -> Result<[u8; 32], Unavailable> {
            unreachable!()
        }

        async fn call(&self, _: Address, _: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
            unreachable!()
        }
    }

    #[tokio::test]
    async fn the_samples_facts_are_what_the_agents_compute() {
        let report = contract_xray::source::x_ray(&contract_xray::example(), &NoChain).await.unwrap();
        let computed = facts::of(contract_xray::CARD.slug, &serde_json::to_value(&report).unwrap(), 1);
        let sample = sample();
        let words = serde_json::to_string(&computed).unwrap();
        assert_eq!(sample.facts, computed, "put these facts into sample.json, and see that its words still fit:\n{words}");
        assert!(sample.citations.iter().all(|number| computed.iter().any(|fact| fact.number == *number)));
        assert!(sample.notices.iter().any(|notice| notice.contains("example")), "whose words these are is said");
    }

    #[test]
    fn a_question_is_bounded_before_anybody_pays_for_it() {
        let wrong = |question: String| Input { question }.validate().err().map(|report| report.to_string());
        assert_eq!(wrong("?".into()), None);
        assert_eq!(wrong("é".repeat(QUESTION_MAX)), None);
        assert!(wrong(" \n".into()).is_some_and(|words| words.contains("Write what you want to know")));
        assert!(wrong("x".repeat(QUESTION_MAX + 1)).is_some_and(|words| words.contains("2001")));
    }

    #[test]
    fn d4_the_models_words_carry_its_name_and_stay_text() {
        let report = Report { answer: "<script>alert(1)</script> [1]".into(), model: "small-1".into(), ..sample() };
        let html = Owner::new().with(|| view! { <ReportView report/> }.to_html());
        assert!(html.contains("language model small-1") && html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    }
}
