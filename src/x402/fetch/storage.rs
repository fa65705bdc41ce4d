//! The list of payments without an answer, kept for one wallet in this browser; and the failed runs whose payment waits for a click. Beside it, what
//! this browser pays in.

use std::cell::RefCell;

use super::{
    pending::{self, Pending},
    request::Recipe,
};
use crate::{
    browser::{self, memory},
    evm::Address,
    money::Asset,
    wallet::memory_key,
};

/// Under what key the asset is remembered that was chosen last.
const PREFERRED: &str = "coinslot.pay-in";

/// What the visitor chose to pay in the last time, on any agent.
pub fn preferred() -> Option<Asset> {
    memory::recall(PREFERRED)?.parse().ok()
}

/// If it cannot be remembered, it holds until the page is left.
pub fn prefer(asset: &Asset) {
    let _ = memory::remember(PREFERRED, &asset.to_string());
}

/// What was typed into an agent's form, in this tab: it survives a reload and the way back. Kept also after a run, since the form keeps it too and a
/// second run is often the same with a little change; it ends with the tab, and no server sees it.
/// `form`: which one.
pub fn draft(form: &str) -> Option<String> {
    memory::recall_in_tab(&draft_key(form))
}

/// If it cannot be kept (a full store, private mode), it is typed once more.
pub fn keep_draft(form: &str, input: &str) {
    memory::remember_in_tab(&draft_key(form), input);
}

fn draft_key(form: &str) -> String {
    format!("coinslot.draft.{form}")
}

thread_local! {
    /// Not kept over a reload: the page would run them again by itself, and the credit is one click away anyhow.
    static SET_ASIDE: RefCell<Vec<(Address, Pending)>> = const { RefCell::new(Vec::new()) };
}

/// Oldest first.
pub fn list(wallet: Address) -> Vec<Pending> {
    let text = memory::recall(&memory_key(wallet)).unwrap_or_default();
    pending::read(&text, browser::now_ms())
}

#[must_use]
fn keep(wallet: Address, list: &[Pending]) -> bool {
    let key = memory_key(wallet);
    if list.is_empty() {
        memory::forget(&key);
        return true;
    }
    serde_json::to_string(list).is_ok_and(|text| memory::remember(&key, &text))
}

/// `false`: this browser does not remember it, and the visitor has to keep the hash (B14).
#[must_use]
pub fn put(wallet: Address, entry: Pending) -> bool {
    let mut entries = list(wallet);
    pending::put(&mut entries, entry);
    keep(wallet, &entries)
}

/// The payment that was made for exactly this request, if it has no answer yet: the same request is the same run.
pub fn paid(wallet: Address, recipe: &Recipe) -> Option<Pending> {
    let aside = SET_ASIDE.with_borrow(|all| {
        all.iter().find(|(of, entry)| *of == wallet && entry.is_for(&recipe.path, &recipe.body)).map(|(_, entry)| entry.clone())
    });
    aside.or_else(|| pending::find(&list(wallet), &recipe.path, &recipe.body).filter(|entry| entry.payment.is_some()).cloned())
}

/// Is a wallet being asked for exactly this request, here or in another tab, as far as this browser knows?
pub fn asked(wallet: Address, recipe: &Recipe) -> bool {
    pending::find(&list(wallet), &recipe.path, &recipe.body).is_some_and(|entry| entry.payment.is_none())
}

/// It is over: forgets it.
pub fn settle(wallet: Address, path: &str, body: &str) {
    SET_ASIDE.with_borrow_mut(|all| all.retain(|(of, entry)| *of != wallet || !entry.is_for(path, body)));
    let mut entries = list(wallet);
    if pending::take(&mut entries, path, body).is_some() {
        // A shorter list fits where a longer one did.
        let _ = keep(wallet, &entries);
    }
}

/// Keeps it for a click in this tab only.
pub fn set_aside(wallet: Address, entry: Pending) {
    settle(wallet, &entry.path, &entry.body);
    SET_ASIDE.with_borrow_mut(|all| all.push((wallet, entry)));
}
