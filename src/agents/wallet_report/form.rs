//! How the visitor says whose wallet: an address, and if wanted more tokens and spenders to ask about.

use leptos::prelude::*;

use super::Input;
use crate::{
    agents::panel::PanelTerms,
    error::FieldError,
    ui::{Details, Erase},
    wallet::Wallet,
};

/// Permit2: a contract that most networks have.
pub(super) const EXAMPLE_CONTRACT: &str = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let set = move |address: String| input.update(|input| input.address = address);
    let wallet = use_context::<Wallet>();
    // What the page knows already: nothing is asked of the wallet for it.
    let own = move || wallet.and_then(|wallet| wallet.account.get().or_else(|| wallet.signed_in()));
    let till = use_context::<Signal<Vec<PanelTerms>>>();
    let till = move || till.and_then(|terms| terms.with(|terms| terms.first().map(|terms| terms.pay_to.to_string())));
    let chip = move |address: String, label: &'static str| {
        view! { <button type="button" on:click=move |_| set(address.clone())>{label}</button> }.erase()
    };
    view! {
        <div class="wallet-form">
            <div class="field">
                <label for="wallet-address">"Address"</label>
                <input id="wallet-address" type="text" name="address" autocomplete="off" spellcheck="false" autocapitalize="off" maxlength="64"
                    placeholder="0x…" aria-describedby="wallet-address-hint wallet-address-error"
                    aria-invalid=move || wrong(errors, "address").map(|_| "true")
                    prop:value=move || input.with(|input| input.address.clone())
                    on:input=move |event| set(event_target_value(&event).trim().to_owned())/>
                <p id="wallet-address-hint" class="hint">"A wallet or a contract on the network that you pay on."</p>
                <p id="wallet-address-error" class="field-error" role="alert">{move || wrong(errors, "address")}</p>
            </div>
            <div class="chips">
                {move || own().map(|own| chip(own.to_string(), "Use my wallet"))}
                <span>"Try an example:"</span>
                {move || till().map(|till| chip(till, "this shop’s wallet"))}
                {chip(EXAMPLE_CONTRACT.to_owned(), "Permit2, a contract")}
            </div>
            <Details summary="More tokens and spenders">
                {list(
                    input,
                    errors,
                    "tokens",
                    "Tokens",
                    "Token contracts to look at besides the known ones and those that moved lately: 30 at most, one on each line.",
                )}
                {list(
                    input,
                    errors,
                    "spenders",
                    "Spenders",
                    "Who may take tokens, besides Permit2 and x402’s proxies: 10 at most, one on each line.",
                )}
            </Details>
        </div>
    }
    .erase()
}

/// What is wrong with a field, or with one entry of a list.
fn wrong(errors: Signal<Vec<FieldError>>, field: &'static str) -> Option<String> {
    errors.with(|errors| {
        let found = errors.iter().find_map(|error| {
            let entry = error.field.strip_prefix(field)?;
            let number = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok());
            match (entry, number) {
                (_, Some(number)) => Some(format!("Line {}: {}", number + 1, error.error)),
                ("", None) => Some(error.error.clone()),
                _ => None,
            }
        });
        // What is wrong with the whole is told where a form begins.
        found.or_else(|| errors.iter().find(|error| error.field.is_empty() && field == "address").map(|error| error.error.clone()))
    })
}

fn list(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>, name: &'static str, label: &'static str, hint: &'static str) -> AnyView {
    let ids = ["", "-hint", "-error"].map(|part| format!("wallet-{name}{part}"));
    let described = format!("{} {}", ids[1], ids[2]);
    let [id, hint_id, error_id] = ids;
    let of = move |input: &Input| if name == "tokens" { input.tokens.clone() } else { input.spenders.clone() };
    // What is typed stays as it is typed: only what it means goes into the input.
    let typed = input.with_untracked(of).join("\n");
    let set = move |text: String| {
        let entries = text.split([',', ';', ' ', '\n', '\r', '\t']).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
        input.update(|input| if name == "tokens" { input.tokens = entries } else { input.spenders = entries });
    };
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <textarea id=id.clone() name=name rows="3" autocomplete="off" spellcheck="false" autocapitalize="off" maxlength="4000"
                aria-describedby=described
                aria-invalid=move || wrong(errors, name).map(|_| "true")
                on:input=move |event| set(event_target_value(&event))
            >{typed}</textarea>
            <p id=hint_id class="hint">{hint}</p>
            <p id=error_id class="field-error" role="alert">{move || wrong(errors, name)}</p>
        </div>
    }
    .erase()
}
