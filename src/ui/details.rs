//! What is one click away.

use leptos::prelude::*;

#[component]
pub fn Details(#[prop(into)] summary: String, children: Children) -> impl IntoView {
    view! {
        <details class="details">
            <summary>{summary}</summary>
            <div class="inside">{children()}</div>
        </details>
    }
}
