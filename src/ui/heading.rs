//! The page's one `<h1>`. After a click on a link it takes the focus, so that a screen reader says where one is; on the first load it
//! does not: the browser has said it already.

use leptos::{html, prelude::*};
use leptos_router::hooks::use_location;

/// The path whose heading was announced last.
#[derive(Clone, Copy)]
struct Announced(StoredValue<String>);

/// Once, inside the router: the page that is there already needs no announcement.
pub fn follow_navigation() {
    provide_context(Announced(StoredValue::new(use_location().pathname.get_untracked())));
}

#[component]
pub fn Heading(children: Children) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    let path = use_location().pathname;
    if let Some(Announced(announced)) = use_context() {
        heading.on_load(move |h1| {
            let path = path.get_untracked();
            if announced.get_value() != path {
                announced.set_value(path);
                // The page is put together first, and into the document afterwards.
                request_animation_frame(move || drop(h1.focus()));
            }
        });
    }
    view! { <h1 tabindex="-1" node_ref=heading>{children()}</h1> }
}
