//! What went wrong, in a sentence that can be acted on; what can be done about it; and the question about a changed price (B10).

use crate::ui::Erase;
use leptos::prelude::*;

use super::{Desk, Go};
use crate::{
    error::{CallError, Code, Retry},
    ui::Details,
    x402::phase::Phase,
};

pub fn new_price(desk: Desk) -> AnyView {
    let asked = Memo::new(move |_| {
        desk.call.phase.with(|phase| match phase {
            Phase::PriceChanged { new, .. } => Some(new.clone()),
            _ => None,
        })
    });
    view! {
        {move || {
            asked
                .get()
                .map(|new| {
                    let pay = format!("Pay {new}");
                    view! {
                        <div class="confirm" role="group" aria-label="The price has changed">
                            <button type="button" class="primary" on:click=move |_| desk.go.run(Go::At(new.clone()))>
                                {pay}
                            </button>
                            <button type="button" class="secondary" on:click=move |_| desk.call.phase.set(Phase::Ready)>
                                "Not now"
                            </button>
                        </div>
                    }
                })
        }}
    }
    .erase()
}

pub fn failure(desk: Desk) -> AnyView {
    let failed = Memo::new(move |_| {
        desk.call.phase.with(|phase| match phase {
            Phase::Failed(error) => Some(error.clone()),
            _ => None,
        })
    });
    view! { {move || failed.get().map(|error| alert(desk, error))} }.erase()
}

/// The visitor's own no is no error.
fn neutral(code: Code) -> bool {
    matches!(code, Code::Cancelled | Code::PaymentCancelled)
}

/// What the button that sends the same request again is called. `None`: it would change nothing.
fn again(error: &CallError) -> Option<&'static str> {
    match (error.retry, error.code.status()) {
        (Retry::SamePayment, 401) => Some("Sign in and try again"),
        (Retry::SamePayment, _) => Some("Try again"),
        // Unlocked meanwhile, it goes on (A8).
        _ if error.code == Code::WalletDisconnected => Some("Try again"),
        _ => None,
    }
}

/// What the visitor is asked before a second payment can come about (B16, C5): never made by itself.
fn second(code: Code) -> Option<(&'static str, Go)> {
    match code {
        Code::PaymentNotFound => Some(("Send a second payment", Go::Anew)),
        Code::AlreadyAsked => Some(("Ask my wallet again", Go::AskAgain)),
        _ => None,
    }
}

fn alert(desk: Desk, error: CallError) -> AnyView {
    let class = if neutral(error.code) { "failure neutral" } else { "failure" };
    let whole = error.fields.iter().filter(|field| field.field.is_empty()).map(|field| field.error.clone()).collect::<Vec<_>>();
    let again = again(&error);
    let second = second(error.code);
    let faucet = (error.code == Code::InsufficientFunds).then(|| faucet(desk)).flatten();
    view! {
        <div role="alert" class=class>
            <p>{error.error}</p>
            {(!whole.is_empty()).then(|| view! { <ul>{whole.into_iter().map(|error| view! { <li>{error}</li> }).collect_view()}</ul> })}
            {error.credit.map(|credit| view! { <p>{format!("Your credit is now {credit}. ")}<a href="/credit">"See your credit"</a></p> })}
            {faucet.map(|url| coins(desk, url))}
            {again
                .map(|label| {
                    view! {
                        <button type="button" class="secondary" on:click=move |_| desk.go.run(Go::Again)>
                            {label}
                        </button>
                    }
                })}
            {second
                .map(|(label, go)| {
                    view! {
                        <button type="button" class="secondary" on:click=move |_| desk.go.run(go.clone())>
                            {label}
                        </button>
                    }
                })}
            {error
                .details
                .map(|details| {
                    view! {
                        <Details summary="Details">
                            <pre>{details.clone()}</pre>
                        </Details>
                    }
                })}
        </div>
    }
    .erase()
}

/// A faucet elsewhere gives coin; the demo's own gives what is sold for.
fn faucet(desk: Desk) -> Option<String> {
    desk.terms.with_untracked(|terms| {
        let terms = terms.as_ref()?;
        let faucet = terms.network.faucet.clone()?;
        (terms.price.asset.token.is_none() || faucet.starts_with('/')).then_some(faucet)
    })
}

/// B5: where test coins come from. The demo's own faucet takes a POST, anybody else's is a page.
fn coins(desk: Desk, url: String) -> AnyView {
    if !url.starts_with('/') {
        return view! {
            <p>
                <a href=url target="_blank" rel="noopener">
                    "Get test coins"
                </a>
            </p>
        }
        .erase();
    }
    let told = RwSignal::new(None::<String>);
    view! {
        <button type="button" class="secondary" on:click=move |_| desk.wallet.ask_faucet(url.clone(), told)>
            "Get test coins"
        </button>
        {move || told.get().map(|text| view! { <p class="note">{text}</p> })}
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_a_failed_run_can_be_tried_again() {
        assert_eq!(again(&Code::AgentFailed.into()), Some("Try again"));
        assert_eq!(again(&Code::PayerNotProven.into()), Some("Sign in and try again"));
        assert_eq!(again(&Code::PaymentReverted.into()), None, "the run button takes a fresh offer");
        assert_eq!(again(&Code::InvalidInput.into()), None);
        assert_eq!(again(&Code::WalletDisconnected.into()), Some("Try again"));
    }

    #[test]
    fn c5_a_second_payment_has_a_button_of_its_own() {
        assert!(matches!(second(Code::PaymentNotFound), Some((_, Go::Anew))));
        assert!(matches!(second(Code::AlreadyAsked), Some(("Ask my wallet again", Go::AskAgain))));
        for none in [Code::WalletBusy, Code::WalletFailed, Code::PaymentCancelled, Code::VerifierUnavailable] {
            assert!(second(none).is_none() && again(&none.into()) != Some("Ask my wallet again"), "{none}");
        }
    }

    #[test]
    fn b7_ones_own_no_is_no_error() {
        assert!(neutral(Code::PaymentCancelled) && neutral(Code::Cancelled) && !neutral(Code::WalletFailed));
    }
}
