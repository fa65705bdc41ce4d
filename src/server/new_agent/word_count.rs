//! Word count: how many words, lines and characters a text has, and its longest word.

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use super::{
    form::{Field, examples},
    sheet::{facts, sheet, text},
};
use crate::{
    card::{Card, Category, Settle},
    error::{CallError, FieldError},
    x402::X402,
};

pub const CARD: Card = Card {
    slug: "word-count",
    name: "Word count",
    category: Category::Reading,
    summary: "Words, lines and characters of a text, and its longest word.",
    price: &["0.0001 MON"],
    time_limit: Duration::from_secs(5),
    version: "1",
    input_max: 128 * 1024,
    settle: Settle::AfterWork,
    needs: &[],
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema, garde::Validate))]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What to count.
    #[cfg_attr(feature = "ssr", garde(length(chars, min = 1, max = 20_000)))]
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// Always `computed`: no model has a part in it.
    pub engine: String,
    /// The answer in one sentence.
    pub headline: String,
    pub words: u32,
    pub lines: u32,
    pub characters: u32,
    pub longest: String,
}

/// The page calls it over HTTP and pays; the worker calls it directly, with a paid run in its context; nobody else gets tools.
#[server(prefix = "/api/x402", endpoint = "word-count", input = Json, output = Json, client = X402)]
#[middleware(crate::x402::decorator::payment_required::<Input>(&CARD))]
pub async fn word_count(#[server(flatten)] input: Input) -> Result<Report, CallError> {
    inspect(&input, &crate::runs::Tools::of_paid_run(&CARD)?).await
}

/// The work of a paid run, this agent's own or one that pays for several.
#[cfg(feature = "ssr")]
pub(crate) async fn inspect(input: &Input, tools: &crate::runs::Tools) -> Result<Report, CallError> {
    tools.progress(1, 1, "Counting.");
    count(&input.text)
}

#[cfg(feature = "ssr")]
fn count(text: &str) -> Result<Report, CallError> {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words: Vec<String> = text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
    let Some(longest) = words.iter().max_by_key(|word| word.chars().count()).cloned() else {
        // The same text will never have any: the next visitor is told before paying.
        return Err(CallError { retry: crate::error::Retry::No, ..CallError::agent_failed("there are no words in this text.") });
    };
    let as_u32 = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (words, lines, characters) = (as_u32(words.len()), as_u32(text.lines().count()), as_u32(text.chars().count()));
    let headline = format!("{words} words; the longest is “{longest}”.");
    Ok(Report { engine: "computed".to_owned(), headline, words, lines, characters, longest })
}

const EXAMPLE: &str = "Pay once.\nRead the answer.";

/// What a program can try it with.
pub fn example() -> Input {
    Input { text: EXAMPLE.to_owned() }
}

/// On the card, for whoever has not paid yet; a test holds it to what the work answers.
pub fn sample() -> Report {
    Report {
        engine: "computed".to_owned(),
        headline: "5 words; the longest is “answer”.".to_owned(),
        words: 5,
        lines: 2,
        characters: 26,
        longest: "answer".to_owned(),
    }
}

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let field = Field { name: "text", label: "Text", hint: "20 000 characters at most.", placeholder: "", max: 20_000, errors };
    let value = Signal::derive(move || input.get().text);
    let set = Callback::new(move |text| input.set(Input { text }));
    let try_it = Callback::new(move |()| input.set(example()));
    view! {
        {field.paste(true, 8, value, set)}
        {examples(vec![("Two lines", try_it)])}
    }
}

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let rows = vec![
        ("Words", text(report.words)),
        ("Lines", text(report.lines)),
        ("Characters", text(report.characters)),
        ("Longest word", text(report.longest)),
    ];
    sheet(report.headline, vec![Some(facts(rows))])
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_counted_is_what_a_reader_would_count() {
        let report = count("One, two —\nthree!").unwrap();
        assert_eq!((report.words, report.lines, report.longest.as_str()), (3, 2, "three"));
    }

    #[test]
    fn a_text_without_words_is_told_for_good_and_costs_nothing() {
        let failed = count("— …").unwrap_err();
        assert_eq!((failed.code, failed.retry), (crate::error::Code::AgentFailed, crate::error::Retry::No));
    }

    #[test]
    fn the_sample_is_what_the_work_answers() {
        assert_eq!(count(EXAMPLE).unwrap(), sample());
    }

    #[test]
    fn the_view_shows_a_strangers_words_as_text() {
        let report = Report { longest: "<script>".to_owned(), ..sample() };
        let html = Owner::new().with(|| view! { <ReportView report/> }.to_html());
        assert!(html.contains("&lt;script&gt;") && html.contains("5 words"), "{html}");
    }
}
