//! How a question is asked: in words, with what it is about in it.

use leptos::prelude::*;

use super::{Input, QUESTION_MAX};
use crate::{agents::contract_xray::ExampleAddress, error::FieldError, ui::Erase};

/// About a clone (EIP-1167), whose code fits into a sentence and reads the same on every network.
pub(super) const EXAMPLE: &str = "Can anybody change what this contract does? Its runtime bytecode is \
     0x363d3d373d3d3d363d735fbdb2315678afecb367f032d93f642f64180aa35af43d82803e903d91602b57fd5bf3";

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let wrong = move || errors.with(|errors| errors.first().map(|error| error.error.clone()));
    let ask = move |question: String| input.set(Input { question });
    let example = use_context::<RwSignal<Option<ExampleAddress>>>();
    view! {
        <div class="field">
            <label for="analyst-question">"Your question"</label>
            <textarea id="analyst-question" class="analyst-question" name="question" rows="5" maxlength=QUESTION_MAX.to_string()
                placeholder="Is this token safe to hold? 0x…"
                aria-describedby="analyst-hint analyst-error"
                aria-invalid=move || wrong().map(|_| "true")
                prop:value=move || input.with(|input| input.question.clone())
                on:input=move |event| ask(event_target_value(&event))></textarea>
            <p id="analyst-hint" class="hint">
                "In your words, with the address or the code that it is about. A language model reads it: write nothing in it that is secret."
            </p>
            <p id="analyst-error" class="field-error" role="alert">{wrong}</p>
            <div class="chips">
                <span>"Try an example:"</span>
                {move || example.and_then(|example| example.get()).map(|ExampleAddress(address)| {
                    let question = format!("Is this token safe to hold? {address}");
                    view! { <button type="button" on:click=move |_| ask(question.clone())>"is this token safe?"</button> }.erase()
                })}
                <button type="button" on:click=move |_| ask(EXAMPLE.to_owned())>"can this clone change?"</button>
            </div>
        </div>
    }
    .erase()
}
