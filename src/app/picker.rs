//! Several wallets, none chosen: the visitor chooses, once (A2).

use leptos::{html, prelude::*};

use crate::wallet::{Found, Wallet, WalletInfo};

/// A modal dialog of the browser's own: it keeps the focus, and Escape closes it.
#[component]
pub fn Picker() -> impl IntoView {
    let wallet = Wallet::get();
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (wallet.picking.get(), dialog.open()) {
            // Fails only where the dialog is open already, or on no page.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let found = move || match wallet.found.get() {
        Found::Wallets(wallets) => wallets,
        Found::Looking | Found::Nothing => Vec::new(),
    };
    view! {
        <dialog class="picker" aria-labelledby="picker" node_ref=dialog on:close=move |_| wallet.picking.set(false)>
            <h2 id="picker">"Choose a wallet"</h2>
            <p>"This browser has more than one. Your choice is remembered."</p>
            <ul>
                <For each=found key=|found| found.rdns.clone() let:found><li>{choice(wallet, found)}</li></For>
            </ul>
            <button type="button" class="quiet" on:click=move |_| wallet.picking.set(false)>"Cancel"</button>
        </dialog>
    }
}

fn choice(wallet: Wallet, found: WalletInfo) -> AnyView {
    let WalletInfo { rdns, name, icon } = found;
    let icon = (!icon.is_empty()).then(|| view! { <img src=icon alt="" width="28" height="28"/> });
    let pick = move |_| {
        wallet.picking.set(false);
        wallet.pick(rdns.clone());
    };
    view! { <button type="button" on:click=pick>{icon}{name}</button> }.into_any()
}
