//! Building blocks without domain words: button, money, address, status line.

use leptos::prelude::*;

use crate::{
    evm::{Address, TxHash},
    money::Money,
};

#[component]
pub fn MoneyView(money: Money) -> impl IntoView {
    view! { <span class="money">{money.to_string()}</span> }
}

#[component]
pub fn HashView(hash: TxHash, url: Option<String>) -> impl IntoView {
    view! { <a href=url title=hash.to_string()>{hash.short()}</a> }
}

#[component]
pub fn AddressView(address: Address) -> impl IntoView {
    view! { <code title=address.to_string()>{address.short()}</code> }
}

#[component]
pub fn CopyButton(text: String, label: &'static str) -> impl IntoView {
    let _ = text;
    view! { <button type="button">{label}</button> }
}

#[component]
pub fn TimeView(ms: i64) -> impl IntoView {
    ms.to_string()
}

#[component]
pub fn Details(summary: &'static str, children: Children) -> impl IntoView {
    view! { <details><summary>{summary}</summary>{children()}</details> }
}
