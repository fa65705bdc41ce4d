//! What the server writes for good: HTML that no code in the browser makes again.
//!
//! A report's view would cost every visitor its wasm, whether or not he ever buys it, and there is nothing in it that changes. So it is
//! rendered on the server alone, with the page or when it is asked for, and put in as it is. Two things in it come alive: buttons that copy, and
//! times, which are told in the visitor's own zone.

use std::future::Future;

use super::Erase;
use leptos::{html::Div, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{AddEventListenerOptions, Element, MouseEvent};

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
    later: impl FnOnce() -> Fut + Send + Sync + 'static,
    missing: impl Fn(CallError) -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    Fut: Future<Output = Result<String, CallError>> + 'static,
{
    let is_here = now.is_some() || Owner::current_shared_context().is_some_and(|page| page.during_hydration());
    let state = RwSignal::new(if is_here { Later::Here } else { Later::Awaited });
    let whole = NodeRef::<Div>::new();
    let later = StoredValue::new(Some(later));
    Effect::new(move |_| {
        let Some(whole) = whole.get() else { return };
        if is_here {
            bring_to_life(&whole);
            return;
        }
        // The element may have been another's, in whose place this one is now.
        whole.set_inner_html("");
        let closed = whole.closest("details:not([open])").ok().flatten();
        let ask = move || {
            // Nobody is here any more once this is gone.
            let Some(asked) = later.try_update_value(Option::take).flatten().map(|later| later()) else { return };
            spawn_local(async move {
                let came = asked.await;
                if state.is_disposed() {
                    return;
                }
                if let Ok(html) = &came {
                    whole.set_inner_html(html);
                    bring_to_life(&whole);
                }
                state.set(came.map_or_else(|error| Later::Missing(Box::new(error)), |_| Later::Here));
            });
        };
        match closed {
            Some(details) => once_opened(&details, ask),
            None => ask(),
        }
    });
    view! {
        <div class="written" node_ref=whole inner_html=now.unwrap_or_default()></div>
        {move || state.with(|state| match state {
            Later::Here => ().erase(),
            Later::Awaited => view! { <Spinner/> }.erase(),
            Later::Missing(error) => missing((**error).clone()),
        })}
    }
    .erase()
}

/// Nobody loads what he does not look at.
fn once_opened(details: &Element, act: impl FnOnce() + 'static) {
    let options = AddEventListenerOptions::new();
    options.set_once(true);
    let act = Closure::once_into_js(act);
    let _ = details.add_event_listener_with_callback_and_add_event_listener_options("toggle", act.unchecked_ref(), &options);
}

thread_local! {
    /// One for all buttons, for as long as the page is there.
    static COPY: Closure<dyn Fn(MouseEvent)> = Closure::new(|click: MouseEvent| {
        if let Some(button) = click.current_target().and_then(|target| target.dyn_into().ok()) {
            put_brought(&button);
        }
    });
}

fn bring_to_life(whole: &Element) {
    each(whole, "button[data-copy]", |button| {
        let _ = COPY.with(|copy| button.add_event_listener_with_callback("click", copy.as_ref().unchecked_ref()));
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
