//! Addresses and hashes: short to read, whole to copy.

use super::Erase;
use leptos::prelude::*;

use super::CopyButton;
use crate::evm::{Address, TxHash};

/// A transaction's hash, linked to the network's explorer where there is one.
#[component]
pub fn HashView(#[prop(into)] hash: TxHash, #[prop(optional_no_strip)] url: Option<String>) -> impl IntoView {
    let whole = hash.to_string();
    let code = view! { <code translate="no">{hash.short()}</code> };
    let shown = match url {
        // Its own tab: a payment may be under way in this one.
        Some(url) => view! { <a href=url target="_blank" rel="noopener">{code}</a> }.erase(),
        None => code.erase(),
    };
    view! {
        <span class="id" title=whole>
            {shown}
            <CopyButton text=whole.clone() label="Copy transaction hash"/>
        </span>
    }
    .erase()
}

#[component]
pub fn AddressView(address: Address) -> impl IntoView {
    let whole = address.to_string();
    view! {
        <span class="id" title=whole>
            <code translate="no">{address.short()}</code>
            <CopyButton text=whole.clone() label="Copy address"/>
        </span>
    }
    .erase()
}
