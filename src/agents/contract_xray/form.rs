//! How the visitor says what to look at: an address, or bytecode. What the server finds wrong is told at the field.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use crate::ui::{Erase, FileDrop};

use super::{Input, Precheck, look_first};
use crate::{agents::panel::BeforePaying, error::FieldError, evm::Address};

/// A contract that is worth a look, where the shop has one: the app puts it into the context
/// (`RwSignal<Option<ExampleAddress>>`) when it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleAddress(pub String);

/// A clone (EIP-1167) of the demo's first contract: the smallest code that says something.
pub(super) const EXAMPLE_BYTECODE: &str = "0x363d3d373d3d3d363d735fbdb2315678afecb367f032d93f642f64180aa35af43d82803e903d91602b57fd5bf3";

/// A wallet that runs the code of the same account (EIP-7702).
const DELEGATED_BYTECODE: &str = "0xef01005fbdb2315678afecb367f032d93f642f64180aa3";

/// The smallest contract with a fault: `destroy(address)`, for anybody.
const TRAP_BYTECODE: &str = "0x5f3560e01c6300f55d9d146011575f5ffd5b600435ff";

/// Bytes of a file: 128 KB of code in digits, and what a compiler writes around them.
const FILE_BYTES_MAX: u32 = 2 * 1024 * 1024;

/// The runtime code of what a compiler wrote, or the digits as they are.
fn code_in(text: &str) -> String {
    let inside = text.split_once("\"deployedBytecode\"").and_then(|(_, rest)| rest.split_once("\"0x")).and_then(|(_, code)| code.split_once('"'));
    let digits = inside.map_or(text, |(code, _)| code).trim();
    format!("0x{}", digits.strip_prefix("0x").unwrap_or(digits))
}

/// Between the last key and the first look.
const PAUSE: Duration = Duration::from_millis(350);

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Address,
    Bytecode,
}

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    // The mode is what the input says: a field that is there, be it empty.
    let mode = Memo::new(move |_| input.with(|input| if input.bytecode.is_some() { Mode::Bytecode } else { Mode::Address }));
    // What was typed in the other mode comes back with it.
    let aside = StoredValue::new(Input::default());
    let switch = move |to: Mode| {
        if mode.get_untracked() == to {
            return;
        }
        let now = input.get_untracked();
        let then = aside.get_value();
        aside.set_value(now);
        input.set(match to {
            Mode::Address => Input { address: then.address, bytecode: None },
            Mode::Bytecode => Input { address: None, bytecode: Some(then.bytecode.unwrap_or_default()) },
        });
    };
    let set_address = move |text: String| {
        let text = text.trim();
        input.set(Input { address: (!text.is_empty()).then(|| text.to_owned()), bytecode: None });
    };
    // Copied code comes in lines.
    let set_bytecode = move |text: String| {
        input.set(Input { address: None, bytecode: Some(text.split_whitespace().collect()) });
    };
    let error = move |field: &'static str| {
        errors.with(|errors| {
            errors
                .iter()
                .find(|error| error.field == field || (error.field.is_empty() && field == "address"))
                .map(|error| error.error.clone())
        })
    };
    let choice = move |this: Mode, value: &'static str, label: &'static str| {
        view! {
            <label class="xray-choice">
                <input type="radio" name="xray-mode" value=value prop:checked=move || mode.get() == this checked=mode.get_untracked() == this
                    on:change=move |_| switch(this)/>
                <span>{label}</span>
            </label>
        }
    };
    let example = use_context::<RwSignal<Option<ExampleAddress>>>();
    if let Some(before) = use_context::<BeforePaying>() {
        before.ask(move || nothing_there(input.with_untracked(|input| input.address.clone())));
    }

    view! {
        <fieldset class="xray-form">
            <legend>"What shall we look at?"</legend>
            <div class="xray-modes">
                {choice(Mode::Address, "address", "A contract’s address")}
                {choice(Mode::Bytecode, "bytecode", "Its bytecode")}
            </div>
            <div class="xray-field" hidden=move || mode.get() != Mode::Address>
                <label for="xray-address">"Address"</label>
                <input id="xray-address" class="xray-mono" type="text" name="address" inputmode="text" autocomplete="off" spellcheck="false"
                    autocapitalize="off" maxlength="64" placeholder="0x…"
                    aria-describedby="xray-address-hint xray-address-error"
                    aria-invalid=move || error("address").map(|_| "true")
                    prop:value=move || input.with(|input| input.address.clone().unwrap_or_default())
                    on:input=move |event| set_address(event_target_value(&event))/>
                <FirstLook input/>
                <p id="xray-address-error" class="xray-error" role="alert">{move || error("address")}</p>
            </div>
            <div class="xray-field" hidden=move || mode.get() != Mode::Bytecode>
                <label for="xray-bytecode">"Runtime bytecode"</label>
                <textarea id="xray-bytecode" class="xray-mono" name="bytecode" rows="5" autocomplete="off" spellcheck="false"
                    autocapitalize="off" maxlength="262200" placeholder="0x6080…"
                    aria-describedby="xray-bytecode-hint xray-bytecode-error"
                    aria-invalid=move || error("bytecode").map(|_| "true")
                    prop:value=move || input.with(|input| input.bytecode.clone().unwrap_or_default())
                    on:input=move |event| set_bytecode(event_target_value(&event))></textarea>
                <p id="xray-bytecode-hint" class="xray-hint">"What eth_getCode answers: the code that runs, 128 KB at most."</p>
                <FileDrop label="Or a file: its digits, or what a compiler wrote" accept=".txt,.hex,.bin,.json" max=FILE_BYTES_MAX
                    take=Callback::new(move |text: String| set_bytecode(code_in(&text)))/>
                <p id="xray-bytecode-error" class="xray-error" role="alert">{move || error("bytecode")}</p>
            </div>
            <div class="xray-examples">
                <span>"Try an example:"</span>
                {move || example.and_then(|example| example.get()).map(|ExampleAddress(address)| view! {
                    <button type="button" class="xray-chip" on:click=move |_| set_address(address.clone())>"the demo’s token"</button>
                }.erase())}
                {code_example(set_bytecode, "a clone’s bytecode", EXAMPLE_BYTECODE)}
                {code_example(set_bytecode, "a delegated wallet’s", DELEGATED_BYTECODE)}
                {code_example(set_bytecode, "one that anybody can end", TRAP_BYTECODE)}
            </div>
        </fieldset>
    }
    .erase()
}

fn code_example(set: impl Fn(String) + 'static, words: &'static str, code: &'static str) -> AnyView {
    view! { <button type="button" class="xray-chip" on:click=move |_| set(code.to_owned())>{words}</button> }.erase()
}

/// What is wrong with an address that holds no code. A look that fails says nothing: that is not a no.
async fn nothing_there(address: Option<String>) -> Vec<FieldError> {
    let Some(address) = address.filter(|address| address.parse::<Address>().is_ok()) else { return Vec::new() };
    match look_first(address).await {
        Ok(Precheck::NoCode { network }) => vec![FieldError {
            field: "address".to_owned(),
            error: format!("There is no code at this address on {network}. Nothing was charged."),
        }],
        _ => Vec::new(),
    }
}

/// Says under the address, before paying, whether there is anything to look at (B1). Nothing of it runs on the server.
#[component]
fn FirstLook(input: RwSignal<Input>) -> impl IntoView {
    let told = RwSignal::new(None::<(String, Precheck)>);
    Effect::new(move |waiting: Option<Option<TimeoutHandle>>| {
        if let Some(Some(waiting)) = waiting {
            waiting.clear();
        }
        let address = input.with(|input| input.address.clone())?;
        if address.parse::<Address>().is_err() {
            told.set(None);
            return None;
        }
        set_timeout_with_handle(
            move || {
                spawn_local(async move {
                    let Ok(found) = look_first(address.clone()).await else { return };
                    // Meanwhile the field may say something else, or be gone.
                    let current = input.try_with_untracked(|input| input.address.as_ref() == Some(&address));
                    if current == Some(true) {
                        told.try_set(Some((address, found)));
                    }
                });
            },
            PAUSE,
        )
        .ok()
    });
    let hint = move || {
        let told = told.get();
        let current = input.with(|input| input.address.clone());
        match told.filter(|(address, _)| Some(address) == current.as_ref()) {
            Some((_, Precheck::Contract { bytes, network })) => {
                (format!("There is a contract on {network}: {bytes} bytes of code."), false)
            }
            Some((_, Precheck::Delegated { to, network })) => {
                (format!("This is a wallet on {network} that runs the code of {to}."), false)
            }
            Some((_, Precheck::NoCode { network })) => {
                (format!("There is no code at this address on {network}: a run would find nothing."), true)
            }
            _ => ("A contract on the network that you pay on.".to_owned(), false),
        }
    };
    view! {
        <p id="xray-address-hint" role="status" class=move || if hint().1 { "xray-hint xray-hint-warn" } else { "xray-hint" }>
            {move || hint().0}
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::code_in;

    #[test]
    fn a_file_may_be_digits_or_what_a_compiler_wrote() {
        for text in [
            "0x6080\n",
            "6080",
            r#"{"bytecode":"0x1234","deployedBytecode":"0x6080","abi":[]}"#,
            r#"{"deployedBytecode": {"object": "0x6080", "sourceMap": ""}}"#,
        ] {
            assert_eq!(code_in(text), "0x6080", "{text}");
        }
    }
}
