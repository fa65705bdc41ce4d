//! What agents' forms are made of. Nothing here knows an input: a form hands over what a field says and what to do when it changes, so none
//! of this is compiled anew for each agent.

use leptos::prelude::*;

use crate::{error::FieldError, ui::Erase};

/// One field, as a person meets it.
#[derive(Clone, Copy)]
pub struct Field {
    /// The input's field; also the element's id.
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub placeholder: &'static str,
    /// Characters that the browser takes, at most; the server's rule is the one that counts.
    pub max: u32,
    pub errors: Signal<Vec<FieldError>>,
}

impl Field {
    /// What the server found wrong with it; what it found wrong with the whole input is told at the form's first field.
    fn wrong(self, is_first: bool) -> Signal<Option<String>> {
        Signal::derive(move || {
            let is_here = |error: &&FieldError| {
                error.field.split(['.', '[']).next() == Some(self.name) || is_first && error.field.is_empty()
            };
            self.errors.with(|errors| errors.iter().find(is_here).map(|error| error.error.clone()))
        })
    }

    fn around(self, control: AnyView, wrong: Signal<Option<String>>) -> AnyView {
        view! {
            <div class="field">
                <label for=self.name>{self.label}</label>
                {control}
                <p class="hint" id=format!("{}-hint", self.name)>{self.hint}</p>
                <p class="field-error" id=format!("{}-error", self.name) role="alert">{move || wrong.get()}</p>
            </div>
        }
        .erase()
    }

    fn described_by(self) -> String {
        format!("{0}-hint {0}-error", self.name)
    }

    /// One line. `is_first`: what is wrong with the whole input is told here.
    pub fn line(self, is_first: bool, value: Signal<String>, set: Callback<String>) -> AnyView {
        let wrong = self.wrong(is_first);
        let control = view! {
            <input id=self.name name=self.name type="text" autocomplete="off" spellcheck="false" autocapitalize="off" maxlength=self.max
                placeholder=self.placeholder aria-describedby=self.described_by() aria-invalid=move || wrong.get().map(|_| "true")
                prop:value=move || value.get() on:input:target=move |event| set.run(event.target().value())/>
        };
        self.around(control.erase(), wrong)
    }

    /// Several lines.
    pub fn paste(self, is_first: bool, rows: u32, value: Signal<String>, set: Callback<String>) -> AnyView {
        let wrong = self.wrong(is_first);
        let control = view! {
            <textarea id=self.name name=self.name rows=rows autocomplete="off" spellcheck="false" autocapitalize="off" maxlength=self.max
                placeholder=self.placeholder aria-describedby=self.described_by() aria-invalid=move || wrong.get().map(|_| "true")
                prop:value=move || value.get() on:input:target=move |event| set.run(event.target().value())></textarea>
        };
        self.around(control.erase(), wrong)
    }
}

/// Which of a few ways to say it: radio buttons in a row. `chosen` is an index into `words`.
pub fn ways(legend: &'static str, words: &'static [&'static str], chosen: Signal<usize>, choose: Callback<usize>) -> AnyView {
    let options: Vec<AnyView> = (words.iter().enumerate())
        .map(|(index, word)| {
            view! {
                <label>
                    <input type="radio" name="way" value=index.to_string() prop:checked=move || chosen.get() == index checked=chosen.get_untracked() == index
                        on:change=move |_| choose.run(index)/>
                    {*word}
                </label>
            }
            .erase()
        })
        .collect();
    view! { <fieldset class="field"><legend>{legend}</legend><div class="tabs">{options}</div></fieldset> }.erase()
}

/// Inputs that are one click away: what each is called, and what it does.
pub fn examples(all: Vec<(&'static str, Callback<()>)>) -> AnyView {
    let buttons: Vec<AnyView> = (all.into_iter())
        .map(|(words, fill)| view! { <button type="button" on:click=move |_| fill.run(())>{words}</button> }.erase())
        .collect();
    view! { <div class="chips"><span class="hint">"Try an example:"</span>{buttons}</div> }.erase()
}
