//! A report in plain words, by the shop's language model, beside what was computed and never instead of it.
//!
//! An agent gains it with a field of its `Report`, `tools.explain(&CARD, &report).await` at the end of its `inspect`, and `ExplanationView` in its
//! view. Nothing that the model does fails the run: away, slow or wrong, there is a notice in place of its words (D6).

#[cfg(feature = "ssr")]
mod explain;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ui::Erase;

/// What a language model says of a report: its words, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// The model, by the name that the operator gave it.
    pub model: String,
    /// Plain text. It may be wrong: the rest of the report is what was computed. Absent where `notice` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// Nothing where there is none.
#[component]
pub fn ExplanationView(explanation: Option<Explanation>) -> impl IntoView {
    let Some(Explanation { model, text, notice }) = explanation else { return ().erase() };
    match text {
        Some(text) => view! {
            <section class="explanation" aria-label="In plain words">
                <h3>"In plain words"</h3>
                <p class="explanation-label">{by(&model)}</p>
                {paragraphs(&text)}
            </section>
        }
        .erase(),
        None => view! { <p class="explanation explanation-label" role="note">{notice}</p> }.erase(),
    }
}

/// Whose words these are.
pub fn by(model: &str) -> String {
    format!("Written by the language model {model}. It may be wrong.")
}

/// A model's text, as text.
pub fn paragraphs(text: &str) -> AnyView {
    let paragraphs = text.split("\n\n").map(|paragraph| view! { <p class="explanation-text">{paragraph.to_owned()}</p> }.erase());
    paragraphs.collect::<Vec<_>>().erase()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn html(text: Option<&str>, notice: Option<&str>) -> String {
        let explanation = Explanation { model: "small-1".into(), text: text.map(Into::into), notice: notice.map(Into::into) };
        Owner::new().with(|| view! { <ExplanationView explanation=Some(explanation)/> }.to_html())
    }

    #[test]
    fn its_words_carry_its_name_and_stay_text() {
        let html = html(Some("The owner can mint.\n\n<img src=x onerror=alert(1)>"), None);
        assert!(html.contains("language model small-1") && html.contains("&lt;img"), "{html}");
        assert!(!html.contains("<img"), "{html}");
    }

    #[test]
    fn d6_without_words_there_is_the_reason() {
        assert!(html(None, Some("No plain words this time.")).contains("No plain words this time."));
        let nothing = Owner::new().with(|| view! { <ExplanationView explanation=None/> }.to_html());
        assert!(!nothing.contains("<p") && !nothing.contains("<section"), "{nothing}");
    }
}
