//! One click, and it is on the clipboard; a polite live region says so.

use std::time::Duration;

use super::Erase;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, MouseEvent};

use super::{hydrated, written::Writing};

/// How long the word stays. Long enough to be read, short enough to be true.
const WORD_STAYS: Duration = Duration::from_millis(2500);

#[component]
pub fn CopyButton(
    #[prop(into)] text: String,
    /// What a screen reader says: `Copy address`.
    label: &'static str,
    /// Show the label instead of the icon alone.
    #[prop(optional)]
    worded: bool,
) -> impl IntoView {
    let live = hydrated();
    // What the server writes for good has to bring its text along: nothing else of it reaches the browser.
    let brought = use_context::<Writing>().map(|Writing| text.clone());
    let text = StoredValue::new(text);
    let copy = move |event: MouseEvent| {
        if let Some(button) = event.current_target().and_then(|target| target.dyn_into().ok()) {
            put(&button, text.get_value());
        }
    };
    view! {
        <span class="copy" class:worded=worded>
            <button type="button" title=label data-copy=brought disabled=move || !live.get() on:click=copy>
                <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
                    <rect x="5.75" y="5.75" width="7.5" height="7.5" rx="1.5" fill="none" stroke="currentColor" stroke-width="1.5"></rect>
                    <path d="M10.25 3.5v-.25a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h.25" fill="none" stroke="currentColor" stroke-width="1.5"></path>
                </svg>
                <span class:visually-hidden=!worded>{label}</span>
            </button>
            <span class="copied" aria-live="polite"></span>
        </span>
    }
    .erase()
}

/// Of a button that brought its text along.
pub(super) fn put_brought(button: &Element) {
    if let Some(text) = button.get_attribute("data-copy") {
        put(button, text);
    }
}

fn put(button: &Element, text: String) {
    let Some(word) = button.next_element_sibling() else { return };
    spawn_local(async move {
        word.set_text_content(Some(if write(&text).await { "Copied" } else { "Select and copy it by hand" }));
        set_timeout(move || word.set_text_content(None), WORD_STAYS);
    });
}

/// False: no permission, or no clipboard: browsers have none on plain http off loopback.
async fn write(text: &str) -> bool {
    let window = window();
    // Without a secure context `navigator.clipboard` is undefined, which the bindings do not expect.
    window.is_secure_context() && JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}
