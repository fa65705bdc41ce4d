//! One click, and it is on the clipboard; a polite live region says so.

use std::time::Duration;

use super::Erase;
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen_futures::JsFuture;

use super::hydrated;

#[derive(Clone, Copy, PartialEq)]
enum Copied {
    NotYet,
    Done,
    /// No permission, or no clipboard: browsers have none on plain http off loopback.
    Refused,
}

impl Copied {
    fn word(self) -> Option<&'static str> {
        match self {
            Self::NotYet => None,
            Self::Done => Some("Copied"),
            Self::Refused => Some("Select and copy it by hand"),
        }
    }
}

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
    let copied = RwSignal::new(Copied::NotYet);
    let text = StoredValue::new(text);
    let copy = move |_| {
        spawn_local(async move {
            copied.set(if write(&text.get_value()).await { Copied::Done } else { Copied::Refused });
            set_timeout(
                move || {
                    copied.try_set(Copied::NotYet);
                },
                WORD_STAYS,
            );
        });
    };
    view! {
        <span class="copy" class:worded=worded>
            <button type="button" title=label disabled=move || !live.get() on:click=copy>
                <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
                    <rect x="5.75" y="5.75" width="7.5" height="7.5" rx="1.5" fill="none" stroke="currentColor" stroke-width="1.5"></rect>
                    <path d="M10.25 3.5v-.25a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h.25" fill="none" stroke="currentColor" stroke-width="1.5"></path>
                </svg>
                <span class:visually-hidden=!worded>{label}</span>
            </button>
            <span class="copied" aria-live="polite">{move || copied.get().word()}</span>
        </span>
    }
    .erase()
}

async fn write(text: &str) -> bool {
    let window = window();
    // Without a secure context `navigator.clipboard` is undefined, which the bindings do not expect.
    window.is_secure_context() && JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}
