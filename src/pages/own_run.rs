//! One run of the ledger, as two pages ask for it: the run's own and its receipt.

use super::loaded::{Loaded, load};
use crate::ui::Erase;
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map, use_query_map};

use super::{
    connect::Connect,
    data::my_run,
    personal::{Mine, visitor},
    status,
};
use crate::{agents::answer::RunKey, run::RunView};

/// The run named in the path, for its payer or for whoever holds its key.
pub fn named_in_path() -> Loaded<Mine<RunView>> {
    let (params, given) = (use_params_map(), given_key());
    let visitor = visitor();
    // So that the links of this page open as well.
    if let Some(key) = key() {
        provide_context(RunKey(key));
    }
    load(
        move || (params.with(|params| params.get("id")).unwrap_or_default(), given()),
        move |(id, key)| Mine::load(visitor.get_untracked(), key.is_some(), my_run(id, key)),
    )
}

/// The run's key, where the address has it.
pub fn key() -> Option<String> {
    untrack(given_key())
}

/// The same, for as long as the page is shown: behind the `#`, as links have it now, or in the query, as those of before. The server never sees
/// the former; the page hands it over in a cookie of its own path (`app/shell/page.js`).
pub fn given_key() -> impl Fn() -> Option<String> + Clone + Send + Sync + 'static {
    let (query, hash, handed) = (use_query_map(), use_location().hash, handed_over());
    move || query.with(|query| query.get("key")).or_else(|| hash.with(|hash| in_fragment(hash))).or_else(|| handed.clone())
}

fn in_fragment(hash: &str) -> Option<String> {
    hash.trim_start_matches('#').split('&').find_map(|pair| pair.strip_prefix("key=")).map(str::to_owned)
}

#[cfg(feature = "ssr")]
fn handed_over() -> Option<String> {
    let parts = use_context::<http::request::Parts>()?;
    crate::session::guard::run_key(&parts.headers).map(str::to_owned)
}

/// The browser has the address itself.
#[cfg(not(feature = "ssr"))]
fn handed_over() -> Option<String> {
    None
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
