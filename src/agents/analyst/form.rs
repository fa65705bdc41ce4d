//! How a question is asked: in words, with what it is about in it.

use leptos::prelude::*;

use super::Input;
use crate::{
    agents::{
        contract_xray::ExampleAddress,
        form::{Field, examples},
    },
    error::FieldError,
    ui::Erase,
};

/// About a clone (EIP-1167), whose code fits into a sentence and reads the same on every network.
pub(super) const EXAMPLE: &str = "Can anybody change what this contract does? Its runtime bytecode is \
     0x363d3d373d3d3d363d735fbdb2315678afecb367f032d93f642f64180aa35af43d82803e903d91602b57fd5bf3";

#[component]
pub fn Form(input: RwSignal<Input>, errors: Signal<Vec<FieldError>>) -> impl IntoView {
    let ask = move |question: String| input.set(Input { question });
    let field = Field {
        name: "question",
        label: "Your question",
        hint: "In your words, with the address or the code that it is about. A language model reads it: write nothing secret in it.",
        placeholder: "Is this token safe to hold? 0x…",
        max: 2000,
        errors,
    };
    let question = Signal::derive(move || input.with(|input| input.question.clone()));
    let example = use_context::<RwSignal<Option<ExampleAddress>>>();
    let chips = move || {
        let mut all = Vec::new();
        if let Some(ExampleAddress(address)) = example.and_then(|example| example.get()) {
            let fill = move |()| ask(format!("Is this token safe to hold? {address}"));
            all.push(("is this token safe?", Callback::new(fill)));
        }
        all.push(("can this clone change?", Callback::new(move |()| ask(EXAMPLE.to_owned()))));
        examples(all)
    };
    view! { <div class="analyst-form">{field.paste(true, 5, question, Callback::new(ask))}{chips}</div> }.erase()
}
