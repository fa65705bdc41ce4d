//! Where there is no browser: nobody pays, nothing is under way here. The server renders the page with these.

use leptos::prelude::*;

use super::{
    Tracked,
    pending::Pending,
    request::{Answer, Recipe},
};
use crate::{
    error::{CallError, Code},
    evm::Address,
    money::Asset,
    wallet::Wallet,
    x402::phase::Call,
};

/// # Errors
/// Always: a paid function is called over HTTP, by a page.
pub async fn call(_recipe: Recipe, _call: Call) -> Result<Answer, CallError> {
    Err(Code::Unpaid.into())
}

pub fn slot(_agent: &str) -> Call {
    Call::new()
}

pub fn tracked() -> RwSignal<Vec<Tracked>> {
    RwSignal::default()
}

pub fn shown() -> RwSignal<Option<String>> {
    RwSignal::default()
}

pub fn preferred() -> Option<Asset> {
    None
}

pub fn prefer(_asset: &Asset) {}

pub fn untrack(_call: Call) {}

pub fn resume(_wallet: Wallet) {}

pub fn questions(_wallet: Address) -> Vec<Pending> {
    Vec::new()
}

pub fn drop_arrival(_wallet: Wallet, _watch: String) {}

pub fn seen(_run: &str) {}

pub fn question_is_answered(_agent: &str, _body: &str) {}

pub fn panel_call(_agent: &str) -> RwSignal<Call> {
    RwSignal::new(Call::new())
}

pub fn step_aside(_agent: &str) {}

pub fn draft(_form: &str) -> Option<String> {
    None
}

pub fn keep_draft(_form: &str, _input: &str) {}

pub fn drop_question(_wallet: Address, _question: &Pending) {}

pub fn watch_again(_question: &Pending) {}

pub fn drop_payment(_wallet: Wallet, _path: &str, _body: &str) {}

pub fn spend_credit(_agent: &str, _body: &str, _call: Call) {}
