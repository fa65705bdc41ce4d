//! What the server writes for good: HTML that no code in the browser makes again.
//!
//! A report's view would cost every visitor its wasm, whether or not he ever buys it, and there is nothing in it that changes. So it is
//! rendered on the server alone, with the page or when it is asked for, and put in as it is. Two things in it come alive: buttons that copy, and
//! times, which are told in the visitor's own zone.

use std::future::Future;

use super::Erase;
use leptos::{html::Div, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::{Element, MouseEvent};

use super::{Spinner, copy::put_brought, time::local_text};
use crate::error::CallError;

/// In the context of a view while `write` renders it.
#[derive(Clone, Copy)]
pub(super) struct Writing;

/// The view's HTML, for good: its handlers and effects are not in it. All text in it is escaped, as in any view (D4).
#[cfg(feature = "ssr")]
pub fn write(view: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| {
        provide_context(Writing);
        view().to_html()
    })
}

enum Later {
    /// Here, or on its way into a page that the server renders.
    Here,
    Awaited,
    Missing(Box<CallError>),
}

/// `now`: what `write` made, on the server; the browser finds it there, and the page does not carry it a second time as data. Where it comes to such
/// a place later, it asks for it by `later`; `missing` is shown where it gets none.
pub fn written<Fut>(
    now: Option<String>,
    later: impl Fn() -> Fut + Send + 'static,
    missing: impl Fn(CallError) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    Fut: Future<Output = Result<String, CallError>> + 'static,
{
    let is_here = now.is_some() || Owner::current_shared_context().is_some_and(|page| page.during_hydration());
    let state = RwSignal::new(if is_here { Later::Here } else { Later::Awaited });
    let whole = NodeRef::<Div>::new();
    Effect::new(move |_| {
        let Some(whole) = whole.get() else { return };
        if is_here {
            bring_to_life(&whole);
            return;
        }
        let asked = later();
        spawn_local(async move {
            let came = asked.await;
            if let Ok(html) = &came {
                whole.set_inner_html(html);
                bring_to_life(&whole);
            }
            // Nobody is here any more once this is gone.
            let _ = state.try_set(came.map_or_else(|error| Later::Missing(Box::new(error)), |_| Later::Here));
        });
    });
    let copy = |event: MouseEvent| {
        let clicked = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        if let Some(button) = clicked.and_then(|clicked| clicked.closest("button[data-copy]").ok().flatten()) {
            put_brought(&button);
        }
    };
    view! {
        <div class="written" node_ref=whole inner_html=now.unwrap_or_default() on:click=copy></div>
        {move || state.with(|state| match state {
            Later::Here => ().erase(),
            Later::Awaited => view! { <Spinner/> }.erase(),
            Later::Missing(error) => missing((**error).clone()),
        })}
    }
    .erase()
}

fn bring_to_life(whole: &Element) {
    each(whole, "button[data-copy]", |button| {
        let _ = button.remove_attribute("disabled");
    });
    each(whole, "time[datetime]", |time| {
        if let Some(moment) = time.get_attribute("datetime") {
            let ms = js_sys::Date::parse(&moment);
            if ms.is_finite() {
                time.set_text_content(Some(&local_text(ms as i64)));
            }
        }
    });
}

fn each(whole: &Element, selector: &str, act: impl Fn(Element)) {
    let Ok(found) = whole.query_selector_all(selector) else { return };
    for element in (0..found.length()).filter_map(|index| found.get(index)?.dyn_into().ok()) {
        act(element);
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::ui::CopyButton;

    #[test]
    fn a_button_that_is_written_brings_its_text_and_any_other_does_not() {
        let button = || view! { <CopyButton text="<a>\"" label="Copy"/> }.erase();
        let written = write(button);
        assert!(written.contains(r#"data-copy="&lt;a&gt;&quot;""#) && written.contains("disabled"), "{written}");
        let rendered = Owner::new().with(|| button().to_html());
        assert!(!rendered.contains("data-copy"), "{rendered}");
    }
}
