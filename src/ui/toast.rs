//! A sentence that comes, is read out, and goes: for what has no place of its own on the page.

use std::{cell::Cell, time::Duration};

use leptos::prelude::*;

/// Long enough to read two lines.
const STAYS: Duration = Duration::from_secs(6);
/// More than this hides the page: the oldest goes first.
const AT_ONCE_MAX: usize = 3;

type Shown = RwSignal<Vec<(u32, String)>>;

thread_local! {
    /// The browser's one toast region. On the server it stays empty: a thread there serves many visitors.
    static REGION: Cell<Option<Shown>> = const { Cell::new(None) };
}

/// Where toasts appear. Once per page.
#[component]
pub fn Toasts() -> impl IntoView {
    let shown = Shown::default();
    Effect::new(move |_| REGION.set(Some(shown)));
    view! {
        <div class="toasts" aria-live="polite">
            <For each=move || shown.get() key=|(id, _)| *id let:one>
                <p class="toast">{one.1}</p>
            </For>
        </div>
    }
}

/// Says it. From anywhere in the browser, event handlers too; on the server nobody hears it.
pub fn toast(text: impl Into<String>) {
    let Some(shown) = REGION.get() else { return };
    let text = text.into();
    let id = shown.try_update(|shown| {
        let id = shown.last().map_or(0, |(last, _)| last.wrapping_add(1));
        shown.push((id, text));
        if shown.len() > AT_ONCE_MAX {
            shown.remove(0);
        }
        id
    });
    let go = move || {
        shown.try_update(|shown| shown.retain(|(one, _)| Some(*one) != id));
    };
    set_timeout(go, STAYS);
}
