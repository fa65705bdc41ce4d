//! A text file from the visitor's own disk: chosen, or dropped. It is read in the browser, and only its text goes on.

use super::Erase;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DragEvent, File};

#[component]
pub fn FileDrop(
    /// `Or a text file`.
    label: &'static str,
    /// What the file dialog offers: `.txt,.md`.
    accept: &'static str,
    /// Bytes.
    max: u32,
    take: Callback<String>,
) -> impl IntoView {
    let (is_over, said) = (RwSignal::new(false), RwSignal::new(String::new()));
    let read = move |file: Option<File>| {
        let Some(file) = file else { return };
        let name = file.name();
        if file.size() > f64::from(max) {
            said.set(format!("{name} is larger than {} KB.", max / 1024));
            return;
        }
        spawn_local(async move {
            let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
            match text {
                // What is no UTF-8 comes as replacement characters.
                Some(text) if !text.contains('\u{fffd}') && !text.contains('\0') => {
                    said.try_set(format!("{name} is read."));
                    take.run(text);
                }
                _ => drop(said.try_set(format!("{name} is no text in UTF-8."))),
            }
        });
    };
    let over = move |event: DragEvent, is: bool| {
        event.prevent_default();
        is_over.set(is);
    };
    view! {
        <div class="drop with-js" class:over=move || is_over.get()
            on:dragover=move |event| over(event, true)
            on:dragleave=move |event| over(event, false)
            on:drop=move |event: DragEvent| {
                let file = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0));
                over(event, false);
                read(file);
            }
        >
            <label>
                {label}
                <input type="file" accept=accept on:change=move |event| {
                    let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
                    read(input.and_then(|input| input.files()).and_then(|files| files.get(0)));
                }/>
            </label>
            <p class="hint" role="status">{move || said.get()}</p>
        </div>
    }
    .erase()
}
