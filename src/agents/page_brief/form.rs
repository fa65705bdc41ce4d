//! How the visitor says what to read: a page's address, or its HTML.

use leptos::prelude::*;

use super::{HTML_BYTES_MAX, Input};
use crate::{
    agents::form::{Field, examples, ways},
    error::FieldError,
    ui::{Erase, FileDrop},
};

/// Written for this: a small notice with what a page may have.
pub(super) const EXAMPLE_HTML: &str = include_str!("example.html");
/// Nobody's in particular (RFC 2606), and always there.
const EXAMPLE_URL: &str = "https://example.com/";

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    // The way is what the input says: a field that is there, be it empty.
    let way = Memo::new(move |_| usize::from(input.with(|input| input.html.is_some())));
    // What was typed the other way comes back with it.
    let aside = StoredValue::new(Input::default());
    let choose = Callback::new(move |to: usize| {
        if way.get_untracked() != to {
            let now = input.get_untracked();
            let then = aside.get_value();
            aside.set_value(now);
            input.set(match to {
                0 => Input { url: then.url, html: None },
                _ => Input { url: None, html: Some(then.html.unwrap_or_default()) },
            });
        }
    });
    let set_url = Callback::new(move |text: String| {
        let text = text.trim();
        input.set(Input { url: (!text.is_empty()).then(|| text.to_owned()), html: None });
    });
    let set_html = Callback::new(move |html: String| input.set(Input { url: None, html: Some(html) }));
    let url = Field {
        name: "url",
        label: "Address",
        hint: "A public page: HTML or plain text, 2 MB at most. The shop fetches it once, and runs none of its scripts.",
        placeholder: "https://…",
        max: 2_000,
        errors,
    };
    let html = Field {
        name: "html",
        label: "HTML",
        hint: "The page’s source, 512 KB at most.",
        placeholder: "<!doctype html>…",
        max: 524_288,
        errors,
    };
    view! {
        {ways("What shall we read?", &["A page’s address", "Its HTML"], way.into(), choose)}
        <div hidden=move || way.get() != 0>
            {url.line(true, Signal::derive(move || input.with(|input| input.url.clone().unwrap_or_default())), set_url)}
        </div>
        <div class="page-html" hidden=move || way.get() != 1>
            {html.paste(false, 8, Signal::derive(move || input.with(|input| input.html.clone().unwrap_or_default())), set_html)}
            <FileDrop label="Or an HTML file" accept=".html,.htm,.xhtml" max=HTML_BYTES_MAX as u32 take=set_html/>
        </div>
        {examples(vec![
            ("a notice with prices and dates", Callback::new(move |()| set_html.run(EXAMPLE_HTML.to_owned()))),
            ("example.com", Callback::new(move |()| set_url.run(EXAMPLE_URL.to_owned()))),
        ])}
    }
    .erase()
}
