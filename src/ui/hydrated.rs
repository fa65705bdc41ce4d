//! Is the page alive yet?

use leptos::prelude::*;

/// False on the server and until this part of the page is hydrated: a button that cannot do anything yet says so.
pub fn hydrated() -> ReadSignal<bool> {
    let (is, set) = signal(false);
    Effect::new(move |_| set.set(true));
    is
}
