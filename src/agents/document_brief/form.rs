//! How the visitor says what to read: pasted, or from a file.

use leptos::prelude::*;

use super::{Input, TEXT_BYTES_MAX};
use crate::{
    agents::form::{Field, examples},
    error::FieldError,
    ui::{Erase, FileDrop},
};

pub(super) const LETTER: &str = include_str!("letter.md");
const NOTES: &str = include_str!("notes.md");

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let text = Field {
        name: "text",
        label: "Text",
        hint: "Plain text or Markdown, 100 KB at most. It is kept with your run, where only you can read it.",
        placeholder: "Paste a letter, minutes, a contract, an article…",
        max: 102_400,
        errors,
    };
    let set = Callback::new(move |text| input.update(|input| input.text = text));
    let count = move || input.with(|input| sized(input.text.len()));
    let many = move |event| {
        if let Ok(sentences) = event_target_value(&event).parse() {
            input.update(|input| input.sentences = sentences);
        }
    };
    let wrong =
        move || errors.with(|errors| errors.iter().find(|error| error.field == "sentences").map(|error| error.error.clone()));
    view! {
        {text.paste(true, 10, Signal::derive(move || input.with(|input| input.text.clone())), set)}
        <p class="hint brief-count" class:brief-over=move || input.with(|input| input.text.len() > TEXT_BYTES_MAX)>{count}</p>
        <FileDrop label="Or a text file" accept=".txt,.md,.markdown,.text,text/plain,text/markdown" max=102_400 take=set/>
        <div class="field brief-many">
            <label for="sentences">"Sentences to quote"</label>
            <input id="sentences" name="sentences" type="number" min="1" max="12" inputmode="numeric" aria-describedby="sentences-error"
                aria-invalid=move || wrong().map(|_| "true")
                prop:value=move || input.with(|input| input.sentences.to_string()) on:input=many/>
            <p class="field-error" id="sentences-error" role="alert">{wrong}</p>
        </div>
        {examples(vec![
            ("a letter", Callback::new(move |()| set.run(LETTER.to_owned()))),
            ("meeting notes", Callback::new(move |()| set.run(NOTES.to_owned()))),
        ])}
    }
    .erase()
}

/// Bytes: they are what is bounded.
fn sized(bytes: usize) -> String {
    format!("{} of 100 KB", if bytes < 1024 { format!("{bytes} bytes") } else { format!("{} KB", bytes.div_ceil(1024)) })
}
