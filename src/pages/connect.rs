//! The way in: a wallet that is there is connected, one that is not is fetched (A1).

use crate::ui::Erase;
use leptos::prelude::*;

use crate::{
    ui::hydrated,
    wallet::{Found, Wallet, get_wallet_url},
};

#[component]
pub fn Connect(
    /// The page's main action, where nothing else is.
    #[prop(optional)]
    main: bool,
) -> impl IntoView {
    let wallet = Wallet::get();
    let live = hydrated();
    let is_busy = move || wallet.busy.get() && !wallet.overdue.get();
    move || {
        if wallet.found.get() == Found::Nothing {
            view! { <a class="button" class:primary=main href=get_wallet_url()>"Get MetaMask"</a> }.erase()
        } else {
            view! {
                <button
                    type="button"
                    class:primary=main
                    disabled=move || !live.get() || is_busy()
                    on:click=move |_| wallet.sign_in()
                >
                    {move || if is_busy() { "Connecting…" } else { "Connect wallet" }}
                </button>
            }
            .erase()
        }
    }
}

/// In place of what needs a wallet's name.
#[component]
pub fn SignInFirst(
    /// Finishes "Connect your wallet to see …".
    what: &'static str,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="lead">"Connect your wallet to see "{what}"."</p>
            <p>"Signing in is a signature. It costs nothing and moves no money."</p>
            <p class="with-js"><Connect main=true/></p>
            <p class="without-js">"A wallet needs JavaScript, which is off in this browser. Prices and samples can be read without it."</p>
        </div>
    }
    .erase()
}
