//! What is wrong with the wallet, said once, above the page (A4, A5, A8).

use crate::ui::Erase;
use leptos::prelude::*;

use crate::{
    error::{CallError, Code},
    ui::Details,
    wallet::Wallet,
};

/// The region is always there, so that what comes into it is read out.
#[component]
pub fn Trouble() -> impl IntoView {
    let wallet = Wallet::get();
    view! { <div class="trouble" aria-live="polite">{move || wallet.trouble.get().map(|error| banner(wallet, error))}</div> }
        .erase()
}

fn banner(wallet: Wallet, error: CallError) -> AnyView {
    // A visitor who changed their mind has no trouble.
    let tone = if error.code == Code::Cancelled { "banner neutral" } else { "banner" };
    let again = (error.code == Code::WalletDisconnected).then(|| {
        let retry = move |_| {
            wallet.trouble.set(None);
            wallet.sign_in();
        };
        view! { <button type="button" on:click=retry>"Try again"</button> }
    });
    view! {
        <div class=tone>
            <p>{error.error}</p>
            {error.details.map(|details| view! { <Details summary="Details"><p>{details}</p></Details> })}
            {again}
            <button type="button" class="quiet" on:click=move |_| wallet.trouble.set(None)>"Dismiss"</button>
        </div>
    }
    .erase()
}
