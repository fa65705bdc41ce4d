//! What was typed into a form and not sent, or sent and not left: a reload and the way back find it again (`sessionStorage`, so in this tab only).
//!
//! No input of an agent is a secret of the visitor's; what a wallet signs, or a payment, is never in here.

use leptos::prelude::*;

use crate::x402::fetch::{self, request::fingerprint};

/// One form's: an agent's, or that of an address which fills it in.
pub struct Draft {
    form: String,
}

impl Draft {
    pub fn of(agent: &str, prefill: Option<&str>) -> Self {
        let form = match prefill {
            Some(filled) => format!("{agent}.{:016x}", fingerprint(filled)),
            None => agent.to_owned(),
        };
        Self { form }
    }

    /// Brings back what was typed, unless the visitor was faster, and keeps what is typed from now on. `body`: what is in the form, as JSON; `fill` puts
    /// it there. The signal tells when it has.
    pub fn keep(self, body: Callback<(), String>, fill: Callback<String, bool>) -> ReadSignal<bool> {
        let (restored, set_restored) = signal(false);
        let untouched = untrack(|| body.run(()));
        let form = StoredValue::new(self.form);
        // Only now: the server, which knows no draft, has rendered the form.
        Effect::new(move |_| {
            let draft = form.with_value(|form| fetch::draft(form)).filter(|draft| *draft != untouched);
            let Some(draft) = draft else { return };
            if untrack(|| body.run(())) == untouched && untrack(|| fill.run(draft)) {
                set_restored.set(true);
            }
        });
        Effect::new(move |before: Option<()>| {
            let now = body.run(());
            // The first look is what the page began with.
            if before.is_some() {
                form.with_value(|form| fetch::keep_draft(form, &now));
            }
        });
        restored
    }
}
