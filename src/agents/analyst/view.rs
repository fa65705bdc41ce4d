//! The answer with its author's name on it; then what it stands on, and how it came about. Every text is data, never markup (D4).

use leptos::prelude::*;

use super::report::{Fact, Report, Step};
use crate::{
    agents::{
        explanation::{by, paragraphs},
        find,
        sheet::{section, table, text, whole},
    },
    ui::Erase,
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let Report { model, answer, citations, confidence, open_questions, notices, facts, steps, .. } = report;
    let (cited, others): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(|fact| citations.contains(&fact.number));
    let sure = confidence.map(|confidence| format!(" It calls its confidence {}.", confidence.word()));
    view! {
        <div class="report analyst-report">
            <section class="explanation" aria-label="Answer in words">
                <p class="explanation-label">{by(&model)}{sure}</p>
                {paragraphs(&answer)}
            </section>
            {(!notices.is_empty()).then(|| view! { <div class="analyst-notices" role="note">{lines(notices)}</div> }.erase())}
            {table("What it stands on", HEADS, cited.into_iter().map(row).collect())}
            {(!open_questions.is_empty()).then(|| section("What is left to find out, says the model", lines(open_questions)))}
            {looks(steps)}
            {table("Computed facts that the answer does not name", HEADS, others.into_iter().map(row).collect())}
        </div>
    }
    .erase()
}

const HEADS: &[&str] = &["Fact", "What was computed", "By"];

/// With the number that the answer has in brackets.
fn row(fact: Fact) -> Vec<AnyView> {
    vec![whole(format!("[{}]", fact.number)), text(fact.text), whole(name(&fact.agent))]
}

/// As it is called in the shop window; as the model called it, where nothing is sold by that name.
fn name(agent: &str) -> String {
    find(agent).map_or_else(|| agent.to_owned(), |agent| agent.card.name.to_owned())
}

fn lines(lines: Vec<String>) -> AnyView {
    let items = lines.into_iter().map(|line| view! { <li>{line}</li> }.erase()).collect::<Vec<_>>();
    view! { <ul>{items}</ul> }.erase()
}

fn looks(steps: Vec<Step>) -> AnyView {
    if steps.is_empty() {
        return view! { <p class="hint">"The model looked at nothing before it answered."</p> }.erase();
    }
    let items = steps
        .into_iter()
        .map(|step| view! { <li><strong>{name(&step.agent)}</strong>" "<code>{step.input}</code>" "{step.outcome}</li> }.erase())
        .collect::<Vec<_>>();
    section("What it looked at", view! { <ol class="analyst-steps">{items}</ol> }.erase())
}
