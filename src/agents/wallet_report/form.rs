//! How the visitor says whose wallet: an address, and if wanted more tokens and spenders to ask about.

use leptos::prelude::*;

use super::Input;
use crate::{
    agents::{form::Field, panel::PanelTerms},
    error::FieldError,
    ui::{Details, Erase},
    wallet::Wallet,
};

/// Permit2: a contract that most networks have.
pub(super) const EXAMPLE_CONTRACT: &str = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let set = Callback::new(move |address: String| input.update(|input| address.trim().clone_into(&mut input.address)));
    let address = Field {
        name: "address",
        label: "Address",
        hint: "A wallet or a contract on the network that you pay on.",
        placeholder: "0x…",
        max: 64,
        errors,
    };
    let tokens = Field {
        name: "tokens",
        label: "Tokens",
        hint: "Token contracts to look at besides the known ones and those that moved lately: 30 at most, one on each line.",
        max: 4000,
        ..address
    };
    let spenders = Field {
        name: "spenders",
        label: "Spenders",
        hint: "Who may take tokens, besides Permit2 and x402’s proxies: 10 at most, one on each line.",
        max: 2000,
        ..address
    };
    let wallet = use_context::<Wallet>();
    // What the page knows already: nothing is asked of the wallet for it.
    let own = move || wallet.and_then(|wallet| wallet.account.get().or_else(|| wallet.signed_in()));
    let ways = use_context::<Signal<Vec<PanelTerms>>>();
    let till = move || ways.and_then(|ways| ways.with(|ways| ways.first().map(|terms| terms.pay_to)));
    let chip = move |address: String, label: &'static str| {
        view! { <button type="button" on:click=move |_| set.run(address.clone())>{label}</button> }.erase()
    };
    view! {
        {address.line(true, Signal::derive(move || input.with(|input| input.address.clone())), set)}
        <div class="chips">
            {move || own().map(|own| chip(own.to_string(), "Use my wallet"))}
            <span class="hint">"Try an example:"</span>
            {move || till().map(|till| chip(till.to_string(), "this shop’s wallet"))}
            {chip(EXAMPLE_CONTRACT.to_owned(), "Permit2, a contract")}
        </div>
        <Details summary="More tokens and spenders">
            {list(tokens, input.with_untracked(|input| input.tokens.join("\n")), Callback::new(move |all| input.update(|input| input.tokens = all)))}
            {list(spenders, input.with_untracked(|input| input.spenders.join("\n")), Callback::new(move |all| input.update(|input| input.spenders = all)))}
        </Details>
    }
    .erase()
}

/// What is typed stays as it is typed: only what it means goes into the input.
fn list(field: Field, before: String, set: Callback<Vec<String>>) -> AnyView {
    let typed = RwSignal::new(before);
    let change = Callback::new(move |text: String| {
        set.run(text.split([',', ';', ' ', '\n', '\r', '\t']).filter(|entry| !entry.is_empty()).map(str::to_owned).collect());
        typed.set(text);
    });
    field.paste(false, 3, typed.into(), change)
}
