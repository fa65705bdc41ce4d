//! Several wallets, none chosen yet: which one? (A2)

use leptos::{html, prelude::*};

use super::{Found, Wallet, WalletInfo};

/// Once per page, in `App`. A real dialog: the browser keeps the focus inside and closes it on Escape.
#[component]
pub fn WalletPicker() -> impl IntoView {
    let wallet = Wallet::get();
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let picking = wallet.picking.get();
        if let Some(dialog) = dialog.get()
            && dialog.open() != picking
        {
            if picking {
                let _ = dialog.show_modal();
            } else {
                dialog.close();
            }
        }
    });
    let wallets = move || match wallet.found.get() {
        Found::Wallets(all) if wallet.picking.get() => all,
        _ => Vec::new(),
    };
    view! {
        <dialog class="picker" aria-labelledby="picker-title" node_ref=dialog on:close=move |_| {
            if wallet.picking.get_untracked() {
                wallet.put_away();
            }
        }>
            <h2 id="picker-title">"Which wallet?"</h2>
            <ul>{move || wallets().into_iter().map(|info| choice(wallet, info)).collect_view()}</ul>
            <button type="button" class="quiet" on:click=move |_| wallet.put_away()>
                "Not now"
            </button>
        </dialog>
    }
}

fn choice(wallet: Wallet, info: WalletInfo) -> impl IntoView {
    let WalletInfo { rdns, name, icon } = info;
    view! {
        <li>
            <button type="button" on:click=move |_| wallet.pick(rdns.clone())>
                {(!icon.is_empty()).then(|| view! { <img src=icon alt="" width="24" height="24"/> })}
                <span>{name}</span>
            </button>
        </li>
    }
}
