//! What agents' reports are made of. The words are the report's own, made on the server; here they only get their place on the page. All of
//! it is data, never markup (D4), and none of it is compiled anew for each agent.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ui::{CopyButton, Erase};

/// How much a reader should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    High,
    Medium,
    Low,
    Info,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

/// Something that a reader should know before acting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Note {
    pub severity: Severity,
    /// A few words.
    pub title: String,
    /// A sentence or two: what it means, and what to do.
    pub detail: String,
}

/// The whole report: its answer in one sentence, then what it stands on.
pub fn sheet(headline: String, parts: Vec<Option<AnyView>>) -> AnyView {
    view! { <div class="report"><p class="headline">{headline}</p>{parts}</div> }.erase()
}

pub fn section(title: &'static str, body: AnyView) -> AnyView {
    view! { <section><h3>{title}</h3>{body}</section> }.erase()
}

/// Left out where there is nothing to tell.
pub fn notes(all: Vec<Note>) -> Option<AnyView> {
    if all.is_empty() {
        return None;
    }
    let items: Vec<AnyView> = (all.into_iter())
        .map(|Note { severity, title, detail }| {
            let word = severity.word();
            view! { <li class="finding"><p><span class=format!("severity {word}")>{word}</span>" "<strong>{title}</strong></p><p>{detail}</p></li> }.erase()
        })
        .collect();
    Some(section("What to look at", view! { <ul class="findings">{items}</ul> }.erase()))
}

/// Left out where it has no rows. The first cell of a row names it.
pub fn table(title: &'static str, heads: &'static [&'static str], rows: Vec<Vec<AnyView>>) -> Option<AnyView> {
    if rows.is_empty() {
        return None;
    }
    let heads: Vec<AnyView> = heads.iter().map(|head| view! { <th scope="col">{*head}</th> }.erase()).collect();
    let rows: Vec<AnyView> = (rows.into_iter())
        .map(|cells| {
            let cells: Vec<AnyView> = (cells.into_iter().enumerate())
                .map(|(index, cell)| match index {
                    0 => view! { <th scope="row">{cell}</th> }.erase(),
                    _ => view! { <td>{cell}</td> }.erase(),
                })
                .collect();
            view! { <tr>{cells}</tr> }.erase()
        })
        .collect();
    let body = view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=title><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>
    };
    Some(section(title, body.erase()))
}

/// Names and values, a pair a line.
pub fn facts(pairs: Vec<(&'static str, AnyView)>) -> AnyView {
    let rows: Vec<AnyView> =
        pairs.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> }.erase()).collect();
    view! { <dl class="facts">{rows}</dl> }.erase()
}

pub fn text(words: impl ToString) -> AnyView {
    words.to_string().erase()
}

/// On one line, however narrow its column: a day, a figure.
pub fn whole(words: impl ToString) -> AnyView {
    view! { <span class="whole">{words.to_string()}</span> }.erase()
}

/// An address, a hash, a selector: as it is, with a button that copies it.
pub fn code(exact: String) -> AnyView {
    view! { <span class="exact"><code translate="no">{exact.clone()}</code><CopyButton text=exact label="Copy"/></span> }.erase()
}

/// A link that a stranger wrote: only where it leads to the web.
pub fn link(url: String) -> AnyView {
    if url.starts_with("https://") || url.starts_with("http://") {
        let words = url.clone();
        view! { <a href=url target="_blank" rel="noopener noreferrer nofollow">{words}</a> }.erase()
    } else {
        view! { <code>{url}</code> }.erase()
    }
}
