//! The top of every page: the name, the ways, the network, and who is here.

use crate::ui::Erase;
use leptos::{ev::FocusEvent, html, prelude::*};
use leptos_router::components::A;
use wasm_bindgen::JsCast;

use crate::{
    evm::Address,
    pages::{
        connect::Connect,
        personal::{Visitor, visitor},
        shop::with_shop,
    },
    ui::{AddressView, MoneyView},
    wallet::Wallet,
};

#[component]
pub fn Header() -> impl IntoView {
    let visitor = visitor();
    view! {
        <header class="top">
            <div class="wide">
                <a class="wordmark" href="/">
                    <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
                        <circle cx="12" cy="12" r="11" fill="currentColor"></circle>
                        <rect class="slot" x="10.5" y="5.5" width="3" height="13" rx="1.5"></rect>
                    </svg>
                    "Coinslot"
                </a>
                <nav aria-label="Pages">
                    <A href="/" exact=true>"Agents"</A>
                    <A href="/history">"History"</A>
                    <A href="/credit">"Credit"</A>
                </nav>
                <div class="here">
                    {with_shop(|shop| {
                        shop.networks.first().map(|network| view! { <span class="network">{network.name.clone()}</span> }).erase()
                    })}
                    <span class="with-js">
                        {move || match visitor.get() {
                            Visitor::Payer(address) => view! { <Account address/> }.erase(),
                            _ => view! { <Connect/> }.erase(),
                        }}
                    </span>
                </div>
            </div>
        </header>
    }
    .erase()
}

/// Whose wallet, what stands to its credit, and the way out.
#[component]
fn Account(address: Address) -> impl IntoView {
    let wallet = Wallet::get();
    let menu = NodeRef::<html::Details>::new();
    // It may be gone by now: signing out takes the menu away, and with it the focus.
    let shown = move || menu.try_get_untracked().flatten();
    // Closes when the focus goes elsewhere, as a menu does.
    let left = move |event: FocusEvent| {
        let to = event.related_target().and_then(|to| to.dyn_into::<web_sys::Node>().ok());
        if let (Some(menu), Some(to)) = (shown(), to)
            && !menu.contains(Some(&to))
        {
            menu.set_open(false);
        }
    };
    let escaped = move |key: leptos::ev::KeyboardEvent| {
        if let Some(menu) = shown()
            && key.key() == "Escape"
        {
            menu.set_open(false);
        }
    };
    view! {
        <details class="account" node_ref=menu on:focusout=left on:keydown=escaped>
            <summary><code translate="no">{address.short()}</code></summary>
            <div class="menu">
                <p class="label">"Signed in as"</p>
                <p><AddressView address/></p>
                <p class="label">"Credit"</p>
                <p>
                    {move || {
                        let credit = wallet.session.get().map(|session| session.credit).unwrap_or_default();
                        if credit.is_empty() {
                            "None".erase()
                        } else {
                            credit.into_iter().map(|money| view! { <span class="line"><MoneyView money/></span> }).collect_view().erase()
                        }
                    }}
                </p>
                <button type="button" on:click=move |_| wallet.sign_out()>"Sign out"</button>
            </div>
        </details>
    }
    .erase()
}
