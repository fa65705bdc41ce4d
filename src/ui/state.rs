//! A run's state: a word with a colour. The colour is never the sign alone.

use leptos::prelude::*;

use crate::run::RunState;

#[component]
pub fn StatusWord(state: RunState) -> impl IntoView {
    view! { <span class=format!("state {}", state.word())>{state.word()}</span> }
}
