//! What the server writes for good: HTML that no code in the browser makes again.
//!
//! A report's view would cost every visitor its wasm, whether or not he ever buys it, and there is nothing in it that changes. So it is
//! rendered on the server alone, with the page or when it is asked for, and put in as it is. Two things in it come alive: buttons that copy, and
//! times, which are told in the visitor's own zone.

use super::Erase;
use leptos::{html::Div, prelude::*};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use web_sys::{Element, MouseEvent};

use super::{copy::put_brought, time::local_text};

/// HTML of our own making: of a view, in which all text is escaped (D4).
///
/// The page that carries it does not carry it a second time as data: read again in the browser it is empty, and what is there already stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Markup(pub String);

impl Serialize for Markup {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }
}

impl<'de> Deserialize<'de> for Markup {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// In the context of a view while `write` renders it.
#[derive(Clone, Copy)]
pub(super) struct Writing;

/// The view's HTML, for good: its handlers and effects are not in it.
#[cfg(feature = "ssr")]
pub fn write(view: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| {
        provide_context(Writing);
        view().to_html()
    })
}

#[component]
pub fn Written(markup: Markup) -> impl IntoView {
    let whole = NodeRef::<Div>::new();
    Effect::new(move |_| {
        if let Some(whole) = whole.get() {
            bring_to_life(&whole);
        }
    });
    let copy = |event: MouseEvent| {
        let clicked = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        if let Some(button) = clicked.and_then(|clicked| clicked.closest("button[data-copy]").ok().flatten()) {
            put_brought(&button);
        }
    };
    view! { <div class="written" node_ref=whole inner_html=markup.0 on:click=copy></div> }.erase()
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

    #[test]
    fn a_page_does_not_carry_it_twice() {
        assert_eq!(serde_json::to_string(&Some(Markup("<p>long</p>".into()))).ok().as_deref(), Some(r#""""#));
        assert_eq!(serde_json::from_str::<Option<Markup>>(r#""""#).ok(), Some(Some(Markup::default())));
    }
}
