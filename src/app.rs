//! The shell, the routes.

use leptos::prelude::*;

#[component]
pub fn App() -> impl IntoView {
    view! { <main>"Coinslot"</main> }
}
