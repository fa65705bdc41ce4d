//! The answer with its author's name on it; then what it stands on, and how it came about. Every text is data, never markup (D4).

use leptos::prelude::*;

use super::report::{Fact, Report, Step};
use crate::{
    agents::explanation::{by, paragraphs},
    ui::{Details, Erase},
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let Report { model, answer, citations, confidence, open_questions, notices, facts, steps, .. } = report;
    let (cited, others): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(|fact| citations.contains(&fact.number));
    let sure = confidence.map(|confidence| format!(" It calls its confidence {}.", confidence.word()));
    view! {
        <div class="analyst-report">
            <section class="explanation" aria-label="Answer in words">
                <p class="explanation-label">{by(&model)}{sure}</p>
                {paragraphs(&answer)}
            </section>
            {lines("analyst-notices", "Read this with care", notices)}
            {listed("What it stands on", cited)}
            {lines("analyst-open", "What is left to find out, says the model", open_questions)}
            {looks(steps)}
            {(!others.is_empty()).then(|| {
                let summary = format!("{} more computed facts, which the answer does not name", others.len());
                view! { <Details summary=summary>{of(others)}</Details> }.erase()
            })}
        </div>
    }
    .erase()
}

fn lines(class: &'static str, title: &'static str, lines: Vec<String>) -> Option<AnyView> {
    if lines.is_empty() {
        return None;
    }
    let items = lines.into_iter().map(|line| view! { <li>{line}</li> }.erase()).collect::<Vec<_>>();
    Some(view! { <section class=class><h3>{title}</h3><ul>{items}</ul></section> }.erase())
}

fn listed(title: &'static str, facts: Vec<Fact>) -> Option<AnyView> {
    (!facts.is_empty()).then(|| view! { <section><h3>{title}</h3>{of(facts)}</section> }.erase())
}

/// With the numbers that the answer has in brackets.
fn of(facts: Vec<Fact>) -> AnyView {
    let rows = facts
        .into_iter()
        .map(|fact| {
            view! {
                <tr>
                    <th scope="row">{format!("[{}]", fact.number)}</th>
                    <td>{fact.text}</td>
                    <td>{fact.agent}</td>
                </tr>
            }
            .erase()
        })
        .collect::<Vec<_>>();
    view! {
        <div class="analyst-scroll" tabindex="0" role="region" aria-label="Computed facts">
            <table class="analyst-table">
                <thead><tr><th scope="col">"Fact"</th><th scope="col">"What was computed"</th><th scope="col">"By"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .erase()
}

fn looks(steps: Vec<Step>) -> AnyView {
    if steps.is_empty() {
        return view! { <p class="hint">"The model looked at nothing before it answered."</p> }.erase();
    }
    let items = steps
        .into_iter()
        .map(|step| view! { <li><strong>{step.agent}</strong>" "<code>{step.input}</code>" "{step.outcome}</li> }.erase())
        .collect::<Vec<_>>();
    view! { <section><h3>"What it looked at"</h3><ol class="analyst-steps">{items}</ol></section> }.erase()
}
