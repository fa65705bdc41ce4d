//! Waiting, in words; the turning coin is only for the eye.

use leptos::prelude::*;

#[component]
pub fn Spinner(#[prop(into, default = "Loading…".into())] text: String) -> impl IntoView {
    view! {
        <p class="spinner">
            <span class="coin" aria-hidden="true"></span>
            {text}
        </p>
    }
}
