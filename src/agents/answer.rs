//! A run's answer.

use leptos::prelude::*;

use crate::run::RunView;

#[component]
pub fn Answer(run: RunView) -> impl IntoView {
    view! { <article>{run.id}</article> }
}
