//! The brief as it is read: the text's own words first, then what they ask for, then what they name.

use leptos::prelude::*;

use super::{Amount, DateFound, Figures, KeyWord, LanguageFound, Link, LinkKind, OnChain, Quote, Report, Task};
use crate::{
    agents::{
        explanation::ExplanationView,
        sheet::{code, facts, link, notes, section, sheet, table, text, whole},
    },
    ui::Erase,
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    sheet(
        report.headline,
        vec![
            Some(view! { <ExplanationView explanation=report.explanation/> }.erase()),
            notes(report.notes),
            quotes(report.extract),
            key_words(report.key_words),
            table("Tasks", &["What", "Who", "By when", "Why", "Line"], report.actions.into_iter().map(action).collect()),
            table("Dates", &["As written", "ISO", "Line"], report.dates.into_iter().map(date).collect()),
            table("Amounts", &["As written", "Value", "Line"], report.amounts.into_iter().map(amount).collect()),
            table(
                "Addresses and hashes",
                &["As written", "What it is", "Line"],
                report.on_chain.into_iter().map(on_chain).collect(),
            ),
            table("Links", &["Address", "Line"], report.links.into_iter().map(address).collect()),
            Some(figures(report.figures, report.language)),
        ],
    )
}

fn quotes(extract: Vec<Quote>) -> Option<AnyView> {
    if extract.is_empty() {
        return None;
    }
    let items: Vec<AnyView> = extract
        .into_iter()
        .map(|quote| {
            let place = format!("characters {} to {}, centrality {} %", quote.at.character, quote.at.character_end, quote.score);
            view! {
                <li>
                    <span class="place" title=place>"line "{quote.at.line}</span>
                    <blockquote dir="auto">{quote.text}</blockquote>
                </li>
            }
            .erase()
        })
        .collect();
    Some(section("In its own words", view! { <ol class="quotes">{items}</ol> }.erase()))
}

fn key_words(words: Vec<KeyWord>) -> Option<AnyView> {
    if words.is_empty() {
        return None;
    }
    let items: Vec<AnyView> = words
        .into_iter()
        .map(|word| view! { <li dir="auto">{word.text}" "<small>"×"{word.count}</small></li> }.erase())
        .collect();
    Some(section("Key words", view! { <ul class="tags">{items}</ul> }.erase()))
}

fn action(action: Task) -> Vec<AnyView> {
    let why = match action.done {
        Some(true) => "done",
        Some(false) => "open",
        None => action.rule.words(),
    };
    vec![
        view! { <span dir="auto" class="brief-task">{action.text}</span> }.erase(),
        text(action.who.unwrap_or_default()),
        text(action.due.unwrap_or_default()),
        text(why),
        text(action.at.line),
    ]
}

fn date(date: DateFound) -> Vec<AnyView> {
    vec![text(date.text), whole(date.iso.or(date.open).unwrap_or_default()), text(date.at.line)]
}

fn amount(amount: Amount) -> Vec<AnyView> {
    let value = match amount.value {
        Some(value) => value + " " + &amount.currency,
        None => amount.currency + ", how many is open",
    };
    vec![text(amount.text), text(value), text(amount.at.line)]
}

fn on_chain(one: OnChain) -> Vec<AnyView> {
    vec![code(one.text), text(one.kind.words()), text(one.at.line)]
}

fn address(found: Link) -> Vec<AnyView> {
    let shown = match found.kind {
        LinkKind::Web => link(found.text),
        LinkKind::Email => text(found.text),
    };
    vec![shown, text(found.at.line)]
}

fn figures(figures: Figures, language: Option<LanguageFound>) -> AnyView {
    let language = language.map_or_else(|| "too few letters to tell".to_owned(), |language| language.name);
    let mut pairs = vec![
        ("Language", text(language)),
        ("Words", text(figures.words)),
        ("Sentences", text(figures.sentences)),
        ("Paragraphs", text(figures.paragraphs)),
        ("Characters", text(figures.characters)),
    ];
    match figures.readability {
        Some(measured) => pairs.extend([
            ("Flesch reading ease", text(measured.reading_ease)),
            ("School grade (Flesch-Kincaid)", text(measured.grade)),
            ("Words per sentence", text(measured.words_per_sentence)),
        ]),
        None => pairs.push(("Readability", text(figures.readability_absent.unwrap_or_default()))),
    }
    section("Figures", facts(pairs))
}
