//! One run of the ledger, as two pages ask for it: the run's own and its receipt.

use super::loaded::{Loaded, load};
use crate::ui::Erase;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    connect::Connect,
    data::my_run,
    personal::{Mine, visitor},
    status,
};
use crate::{agents::answer::RunKey, run::RunView};

/// The run named in the path, for its payer or for whoever holds its `?key=`.
pub fn named_in_path() -> Loaded<Mine<RunView>> {
    let (params, query) = (use_params_map(), use_query_map());
    let visitor = visitor();
    // So that the links of this page open as well.
    if let Some(key) = key() {
        provide_context(RunKey(key));
    }
    load(
        move || (params.with(|params| params.get("id")).unwrap_or_default(), query.with(|query| query.get("key"))),
        move |(id, key)| Mine::load(visitor.get_untracked(), key.is_some(), my_run(id, key)),
    )
}

/// The run's key, where the address has it.
pub fn key() -> Option<String> {
    use_query_map().with_untracked(|query| query.get("key"))
}

/// The same words whether it never was or is another's (E1).
pub fn no_such_run() -> AnyView {
    status::missing()();
    view! {
        <div class="empty">
            <p class="lead">"There is no such run, or it belongs to another wallet."</p>
            <p>"If you paid for it, connect the wallet that did."</p>
            <p class="with-js"><Connect main=true/></p>
            <p class="without-js">"A wallet needs JavaScript, which is off in this browser."</p>
        </div>
    }
    .erase()
}
