//! The report as it is read: the page in one sentence, its key sentences, then what was found and the text itself. All of it is data,
//! never markup (D4): the page's headings are a list here, so that this page keeps its own.

use leptos::prelude::*;

use super::{Heading, Report, Sentence};
use crate::{
    agents::{
        explanation::ExplanationView,
        sheet::{self, link, section, table, text, whole},
    },
    ui::{CopyButton, Details, Erase},
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let facts = facts(&report);
    let Report { headline, extract, outline, prices, dates, links, notes, text: words, markdown, explanation, .. } = report;
    // More than one report may be on a page: what belongs together has the same text.
    let id = format!("page-{}-{}", words.len(), extract.first().map_or(0, |sentence| sentence.offset));
    let price_rows = prices.into_iter().map(|price| vec![text(price.amount), text(price.currency), text(price.sentence)]).collect();
    let date_rows = (dates.into_iter())
        .map(|date| vec![text(date.as_written), date.date.map_or_else(|| text("two days are possible"), whole), text(date.sentence)])
        .collect();
    let link_count = links.len();
    let link_rows = (links.into_iter())
        .map(|found| {
            let place = if found.is_in_text { "text" } else { "around it" };
            vec![link(found.url), text(found.words), text(if found.is_external { "another site" } else { "this site" }), text(place)]
        })
        .collect();
    let links = table("Links", &["Address", "Words", "Leads to", "Found in"], link_rows);
    sheet::sheet(
        headline,
        vec![
            Some(view! { <ExplanationView explanation/> }.erase()),
            key_sentences(&extract, &id),
            Some(sheet::facts(facts)),
            sheet::notes(notes),
            outlined(outline),
            table("Prices", &["Amount", "Currency", "Where it stands"], price_rows),
            table("Dates", &["As written", "Day", "Where it stands"], date_rows),
            links.map(|links| view! { <Details summary=format!("{link_count} links")>{links}</Details> }.erase()),
            Some(view! { <Details summary="The text">{marked(&words, &extract, &id)}</Details> }.erase()),
            Some(
                view! {
                    <Details summary="The text as Markdown">
                        <p class="actions"><CopyButton text=markdown.clone() label="Copy Markdown" worded=true/></p>
                        <pre class="page-text" tabindex="0">{markdown}</pre>
                    </Details>
                }
                .erase(),
            ),
        ],
    )
}

fn facts(report: &Report) -> Vec<(&'static str, AnyView)> {
    let language = report.language.as_ref().map(|language| {
        let guess = if language.is_reliable { "" } else { ", as a guess" };
        let declared = language.declared.as_ref().map(|declared| format!(" (the page says {declared})")).unwrap_or_default();
        text(format!("{}{guess}{declared}", language.name))
    });
    [
        ("Page", report.url.clone().map(link)),
        ("Site", report.site.as_ref().map(text)),
        ("By", report.byline.as_ref().map(text)),
        ("Published", report.published.as_ref().map(text)),
        ("Language", language),
        ("Words", Some(text(report.words))),
        ("Reading time", Some(text(format!("{} min", report.reading_minutes)))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// Each leads to its place in the text, which opens for it: the browser's own doing, so the router is told to keep out.
fn key_sentences(extract: &[Sentence], id: &str) -> Option<AnyView> {
    let items: Vec<AnyView> = (extract.iter())
        .map(|sentence| {
            let (offset, href) = (sentence.offset, format!("#{id}-{}", sentence.offset));
            view! {
                <li>
                    <a class="place" rel="external" href=href>"at "{offset}</a>
                    <blockquote>{sentence.text.clone()}</blockquote>
                </li>
            }
            .erase()
        })
        .collect();
    (!items.is_empty()).then(|| section("Key sentences", view! { <ol class="quotes">{items}</ol> }.erase()))
}

fn outlined(outline: Vec<Heading>) -> Option<AnyView> {
    let items: Vec<AnyView> = (outline.into_iter())
        .map(|heading| {
            let level = heading.level;
            view! { <li class=format!("level-{level}")><span class="place">"H"{level}</span>" "{heading.text}</li> }.erase()
        })
        .collect();
    (!items.is_empty()).then(|| section("Outline", view! { <ul class="page-outline">{items}</ul> }.erase()))
}

/// The text, with the key sentences marked where they stand.
fn marked(words: &str, extract: &[Sentence], id: &str) -> AnyView {
    let mut rest = words.chars();
    let (mut parts, mut at) = (Vec::new(), 0);
    for sentence in extract {
        let before: String = rest.by_ref().take((sentence.offset as usize).saturating_sub(at)).collect();
        let said: String = rest.by_ref().take(sentence.text.chars().count()).collect();
        at = sentence.offset as usize + said.chars().count();
        parts.push(before.erase());
        parts.push(view! { <mark id=format!("{id}-{}", sentence.offset) tabindex="-1">{said}</mark> }.erase());
    }
    parts.push(rest.as_str().to_owned().erase());
    view! { <div class="page-text" tabindex="0" role="region" aria-label="The text">{parts}</div> }.erase()
}
