//! Views of one thing, of which one is shown.
//!
//! Without a script they are sections, one below the other, and the tabs are links to them. Alive, they are what ARIA calls tabs: one stop
//! for the Tab key, arrows, Home and End between them, and the address' fragment names the one that is shown.

use leptos::{ev::KeyboardEvent, html, prelude::*};
use leptos_router::hooks::use_location;
use wasm_bindgen::{JsCast, JsValue};

use super::{Erase, hydrated};

pub struct Tab {
    /// Of its section, and so a fragment: `api`.
    pub id: &'static str,
    pub name: &'static str,
    pub view: AnyView,
}

/// The first tab is shown unless the address names another. What is not shown keeps its state.
#[component]
pub fn Tabs(
    /// What the tabs are views of, for a screen reader.
    label: &'static str,
    tabs: Vec<Tab>,
) -> impl IntoView {
    let live = hydrated();
    let ids: Vec<&'static str> = tabs.iter().map(|tab| tab.id).collect();
    let shown = RwSignal::new(ids.first().copied().unwrap_or_default());
    let named = use_location().hash;
    Effect::new({
        let ids = ids.clone();
        move |_| {
            let named = named.get();
            if let Some(id) = ids.iter().find(|id| named.strip_prefix('#') == Some(**id)) {
                shown.set(id);
            }
        }
    });
    let list = NodeRef::<html::Div>::new();
    let keyed = move |event: KeyboardEvent| {
        let now = ids.iter().position(|id| *id == shown.get_untracked()).unwrap_or_default();
        let next = match event.key().as_str() {
            "ArrowLeft" => (now + ids.len() - 1) % ids.len(),
            "ArrowRight" => (now + 1) % ids.len(),
            "Home" => 0,
            "End" => ids.len() - 1,
            _ => return,
        };
        event.prevent_default();
        if let Some(id) = ids.get(next) {
            show(shown, id);
            focus(list, next);
        }
    };
    let (names, views): (Vec<_>, Vec<_>) = tabs.into_iter().map(|tab| ((tab.id, tab.name), (tab.id, tab.view))).unzip();
    view! {
        <div class="tabs" node_ref=list role=move || live.get().then_some("tablist") aria-label=move || live.get().then_some(label) on:keydown=keyed>
            {names.into_iter().map(|(id, name)| link(id, name, live, shown)).collect_view()}
        </div>
        {views
            .into_iter()
            .map(|(id, view)| view! {
                <section
                    id=id
                    class="tab-panel"
                    class:behind=move || shown.get() != id
                    role=move || live.get().then_some("tabpanel")
                    aria-labelledby=format!("tab-{id}")
                >
                    {view}
                </section>
            })
            .collect_view()}
    }
    .erase()
}

fn link(id: &'static str, name: &'static str, live: ReadSignal<bool>, shown: RwSignal<&'static str>) -> AnyView {
    let is_shown = move || shown.get() == id;
    view! {
        <a
            id=format!("tab-{id}")
            href=format!("#{id}")
            role=move || live.get().then_some("tab")
            aria-controls=move || live.get().then_some(id)
            aria-selected=move || live.get().then(|| is_shown().to_string())
            tabindex=move || live.get().then(|| if is_shown() { "0" } else { "-1" })
            on:click=move |event| {
                event.prevent_default();
                show(shown, id);
            }
        >
            {name}
        </a>
    }
    .erase()
}

/// Not by the router: nothing is to be scrolled to, and going back should leave the page.
fn show(shown: RwSignal<&'static str>, id: &'static str) {
    shown.set(id);
    if let Ok(history) = window().history() {
        // A browser that refuses it leaves the address as it was.
        drop(history.replace_state_with_url(&history.state().unwrap_or(JsValue::NULL), "", Some(&format!("#{id}"))));
    }
}

fn focus(list: NodeRef<html::Div>, place: usize) {
    let link = list.get_untracked().and_then(|list| list.children().item(u32::try_from(place).ok()?));
    if let Some(link) = link.and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
        drop(link.focus());
    }
}
