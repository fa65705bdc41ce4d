//! Form, price, stages, result: the same for every agent. The call itself is `x402::fetch`'s and outlives this panel; here it is shown.
//!
//! - `offer`: what is agreed to, and the buttons. `stages`: where the call is. `trouble`: what went wrong, and what can be done. `draft`: what was typed,
//!   after a reload.

mod draft;
mod offer;
mod stages;
mod trouble;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::ui::Erase;
use leptos::{html, prelude::*, task::spawn_local};
use serde::{Serialize, de::DeserializeOwned};

use super::answer::{self, Answer};
use crate::{
    card::Card,
    error::{CallError, Code, FieldError},
    evm::Address,
    money::{Asset, Money},
    network::Network,
    pages::data::my_run,
    run::RunView,
    wallet::Wallet,
    x402::{
        fetch::{self, request::Recipe},
        phase::{Call, PayWith, Phase},
    },
};

/// One price of an agent, as the page knows it before anybody asks. The context `Signal<Vec<PanelTerms>>` around a panel has one for each asset, in
/// the order in which they are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelTerms {
    pub network: Network,
    pub pay_to: Address,
    pub price: Money,
}

impl PanelTerms {
    /// Can a wallet pay it from this page: with a transfer, or with a signature? Credit can always.
    pub fn by_wallet(&self) -> bool {
        match self.price.asset.token {
            None => true,
            Some(token) => self.network.token(token).is_some_and(|token| token.eip3009),
        }
    }

    /// What the network takes beside the price.
    pub fn fee(&self) -> Fee {
        match self.price.asset.token {
            None => Fee::of_transfer(self.network.wallet_sponsors_gas, self.network.transfer_fee(self.network.gas_price_hint)),
            Some(_) => Fee::Nothing,
        }
    }
}

/// What the payer pays beside the price. Every figure is told to three digits, so that it is the same one wherever it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Fee {
    Unknown,
    /// A signature pays: whoever sends it bears the fee.
    Nothing,
    About(Money),
    /// The payer's wallet may pay it for them (P4).
    UpTo(Money),
}

/// Who may pay, in words that go on from a fee.
pub const SPONSOR: &str = "MetaMask may pay it for you";

impl Fee {
    /// `sponsored`: wallets may pay it on this network. `fee`: exactly; `None` where it cannot be told.
    pub fn of_transfer(sponsored: bool, fee: Option<Money>) -> Self {
        match fee.map(|fee| fee.rounded()) {
            None => Self::Unknown,
            Some(fee) if sponsored => Self::UpTo(fee),
            Some(fee) => Self::About(fee),
        }
    }

    /// `None` where it is unknown, or in another asset. For [`Fee::UpTo`], at most.
    pub fn total(&self, price: &Money) -> Option<Money> {
        match self {
            Self::Nothing => Some(price.clone()),
            Self::About(fee) | Self::UpTo(fee) if fee.asset == price.asset => {
                price.amount.plus(fee.amount).map(|total| price.with(total))
            }
            Self::About(_) | Self::UpTo(_) | Self::Unknown => None,
        }
    }
}

/// The terms in the asset that was chosen, if a wallet can pay it here; else the first in native coin; else the first.
fn terms_in<'a>(ways: &'a [PanelTerms], chosen: Option<&Asset>) -> Option<&'a PanelTerms> {
    let payable = || ways.iter().filter(|terms| terms.by_wallet());
    let chosen = payable().find(|terms| Some(&terms.price.asset) == chosen);
    chosen.or_else(|| payable().find(|terms| terms.price.asset.token.is_none())).or_else(|| payable().next())
}

/// What an agent's form is given: the input it edits, and what the server found wrong with it.
pub type FormView<I> = fn(input: RwSignal<I>, errors: Signal<Vec<FieldError>>) -> AnyView;

/// What a button asks for.
#[derive(Clone)]
enum Go {
    /// What is in the form, at the price that is shown.
    Run,
    /// What is in the form, for so much of the visitor's credit.
    FromCredit(Money),
    /// What was asked for last, with the payment that it has, if it has one.
    Again,
    /// The same, at the price that was asked about.
    At(Money),
    /// The same, with a second payment.
    Anew,
    /// The same, although the wallet may still be asking.
    AskAgain,
}

/// Everything that the parts of a panel look at.
#[derive(Clone, Copy)]
struct Desk {
    card: &'static Card,
    wallet: Wallet,
    call: Call,
    /// One for each asset that the agent is sold for.
    ways: Signal<Vec<PanelTerms>>,
    /// What the visitor pays in. `None`: not chosen yet, nor remembered.
    chosen: RwSignal<Option<Asset>>,
    /// The one of `ways` that the run button pays.
    terms: Signal<Option<PanelTerms>>,
    /// The page is alive: until then a click would do nothing, so that the buttons say why they wait.
    awake: RwSignal<bool>,
    go: Callback<Go>,
}

impl Desk {
    /// The price as it is shown, and as the visitor agrees to it.
    fn price(self) -> String {
        self.terms.with(|terms| match terms {
            Some(terms) => terms.price.to_string(),
            None => self.card.headline_price().to_owned(),
        })
    }

    fn busy(self) -> bool {
        self.call.phase.with(Phase::busy) && !self.is_wallet_silent()
    }

    /// The call waits for a wallet that has been silent for long: the button lets go of it, and begins anew.
    fn is_wallet_silent(self) -> bool {
        self.wallet.overdue.get() && self.call.phase.with(Phase::is_at_the_wallet)
    }

    /// A click on what begins a call would do nothing: the page is not alive, or is asking something itself. A payment that hangs is none of it.
    fn waits(self) -> bool {
        !self.awake.get() || self.busy() && !self.call.phase.with(Phase::goes_on_alone)
    }

    /// Another way of paying: what was agreed to before is not what is paid next.
    fn choose(self, asset: Asset) {
        fetch::prefer(&asset);
        self.chosen.set(Some(asset));
        self.call.quote.set(None);
    }
}

/// Said of a second click on a call that is under way.
const SAME_CALL: &str = "This very call is under way. Change the input to make another one beside it.";

type Check = dyn Fn() -> Pin<Box<dyn Future<Output = Vec<FieldError>> + Send>> + Send + Sync;

/// What only the chain knows of an input, and what therefore no 402 looks at: asked for free between the click and the price (D7).
/// The agent's form says how; a form that says nothing is not asked.
#[derive(Clone, Copy)]
pub struct BeforePaying(StoredValue<Option<Arc<Check>>>);

impl BeforePaying {
    fn provide() -> Self {
        let before = Self(StoredValue::new(None));
        provide_context(before);
        before
    }

    /// `check`: the fields that nobody should pay for. What cannot be known now is not among them.
    pub fn ask<F>(self, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Vec<FieldError>> + Send + 'static,
    {
        self.0.set_value(Some(Arc::new(move || Box::pin(check()))));
    }

    async fn findings(self) -> Vec<FieldError> {
        match self.0.try_get_value().flatten() {
            Some(check) => check().await,
            None => Vec::new(),
        }
    }
}

/// It calls the paid server function as any program does, through `x402::fetch`, and takes the answer as it comes: of an agent, only its input's
/// shape is in the browser.
pub fn panel<I>(card: &'static Card, prefill: Option<String>, form: FormView<I>) -> AnyView
where
    I: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let current = fetch::panel_call(card.slug);
    let draft = draft::Draft::of(card.slug, prefill.as_deref());
    let begun =
        prefill.or_else(|| last_body(current.get_untracked())).and_then(|json| serde_json::from_slice(json.as_bytes()).ok());
    let input = RwSignal::<I>::new(begun.unwrap_or_default());
    let body = Callback::new(move |()| input.with(|input| serde_json::to_string(input).unwrap_or_default()));
    let fill = Callback::new(move |json: String| match serde_json::from_slice(json.as_bytes()) {
        Ok(typed) => {
            input.set(typed);
            true
        }
        Err(_) => false,
    });
    let restored = draft.keep(body, fill);
    let next = StoredValue::new(None);
    // Made anew where another call takes the panel, and once where what was typed before comes back: a form may look at it only in the beginning.
    let whole = move || {
        restored.track();
        let call = current.get();
        let errors = Signal::derive(move || field_errors(call));
        let before = BeforePaying::provide();
        frame(card, call, form(input, errors), errors, starting(card, call, body, before), next)
    };
    view! { {whole} }.erase()
}

/// What the form and the call have in common.
#[derive(Clone, Copy)]
struct Start {
    /// Sends what is in the form, or, with `true`, what was sent last.
    start: Callback<bool>,
    /// What is in the form, as JSON.
    body: Callback<(), String>,
    /// The answer's own bytes, for where its run cannot be read.
    unstored: RwSignal<Option<String>>,
}

/// `body`: what is in the form, as JSON.
fn starting(card: &'static Card, call: Call, body: Callback<(), String>, before: BeforePaying) -> Start {
    let sent = StoredValue::new(None::<String>);
    let unstored = RwSignal::new(None::<String>);
    let launch = move |body: String, is_new: bool| {
        sent.set_value(Some(body.clone()));
        unstored.set(None);
        // At once: a second click in the same instant finds it busy.
        call.phase.set(Phase::Asking);
        spawn_local(async move {
            let found = if is_new { before.findings().await } else { Vec::new() };
            if !found.is_empty() {
                call.phase.set(Phase::Failed(CallError::invalid_input(found)));
                return;
            }
            // What else it ends in, `x402::fetch` says by itself.
            match fetch::call(Recipe::post_json(&card.endpoint(), &body), call).await {
                Ok(answer) if answer.failure().is_none() => drop(unstored.try_set(Some(answer.body))),
                Ok(_) => {}
                Err(error) => ended(call, error),
            }
        });
    };
    let start = Callback::new(move |last: bool| {
        let again = if last { sent.get_value().or_else(|| last_body(call)) } else { None };
        launch(again.unwrap_or_else(|| untrack(|| body.run(()))), !last);
    });
    Start { start, body, unstored }
}

/// The exact body of the call's last payment, if it had one.
fn last_body(call: Call) -> Option<String> {
    fetch::tracked().with_untracked(|all| all.iter().find(|known| known.call == call).map(|known| known.body.clone()))
}

/// `x402::fetch` has said by itself what happened, unless it was never called.
fn ended(call: Call, error: CallError) {
    if call.phase.with_untracked(|phase| phase.busy() || *phase == Phase::Done) {
        call.phase.set(Phase::Failed(error));
    }
}

fn field_errors(call: Call) -> Vec<FieldError> {
    call.phase.with(|phase| match phase {
        Phase::Failed(error) if error.code == Code::InvalidInput => error.fields.clone(),
        _ => Vec::new(),
    })
}

/// The part that is not compiled anew for each agent.
fn frame(
    card: &'static Card,
    call: Call,
    form: AnyView,
    errors: Signal<Vec<FieldError>>,
    start: Start,
    next: StoredValue<Option<Go>>,
) -> AnyView {
    let Start { start, body, unstored } = start;
    let wallet = Wallet::get();
    let ways: Signal<Vec<PanelTerms>> = use_context().unwrap_or_else(|| Signal::stored(Vec::new()));
    let chosen = RwSignal::new(None::<Asset>);
    let terms = Memo::new(move |_| ways.with(|ways| chosen.with(|chosen| terms_in(ways, chosen.as_ref()).cloned())));
    let awake = RwSignal::new(false);
    let section = NodeRef::<html::Section>::new();
    let run_now = move |pay_with, price: Option<Money>| {
        call.pay_with.set(pay_with);
        call.ask_again.set(false);
        call.shown_price.set(Some(price.as_ref().map_or_else(|| card.headline_price().to_owned(), ToString::to_string)));
        call.asset.set(price.map(|price| price.asset));
        start.run(false);
    };
    let act = Callback::new(move |go: Go| {
        if call.phase.with_untracked(Phase::busy) {
            let alone = call.phase.with_untracked(Phase::goes_on_alone);
            if !alone || !matches!(go, Go::Run | Go::FromCredit(_)) {
                return;
            }
            // The same request is the same run; for another one this call makes room, and goes on beside it.
            if last_body(call).is_some_and(|under_way| under_way == untrack(|| body.run(()))) {
                call.note.set(Some(SAME_CALL.into()));
            } else {
                next.set_value(Some(go));
                fetch::step_aside(card.slug);
            }
            return;
        }
        match go {
            Go::Run => run_now(PayWith::Wallet, terms.with_untracked(|terms| terms.as_ref().map(|terms| terms.price.clone()))),
            Go::FromCredit(price) => run_now(PayWith::Credit, Some(price)),
            Go::Again => start.run(true),
            Go::At(agreed) => {
                call.shown_price.set(Some(agreed.to_string()));
                start.run(true);
            }
            Go::Anew => {
                if let Some(body) = last_body(call) {
                    fetch::drop_payment(wallet, &card.endpoint(), &body);
                }
                call.pay_with.set(PayWith::Wallet);
                start.run(true);
            }
            Go::AskAgain => {
                call.ask_again.set(true);
                start.run(true);
            }
        }
    });
    let go = Callback::new(move |go: Go| {
        if wallet.overdue.get_untracked() && call.phase.with_untracked(|phase| phase.busy() && phase.is_at_the_wallet()) {
            wallet.let_go();
            // What waited for the silent wallet ends first.
            set_timeout(move || act.try_run(go).unwrap_or_default(), Duration::ZERO);
        } else {
            act.run(go);
        }
    });
    let desk = Desk { card, wallet, call, ways, chosen, terms: terms.into(), awake, go };

    Effect::new(move |_| {
        chosen.set(fetch::preferred());
        awake.set(true);
    });
    // What the panel was made anew for.
    Effect::new(move |_| {
        if let Some(wanted) = next.try_update_value(Option::take).flatten() {
            go.run(wanted);
        }
    });
    be_shown(card.slug);
    Effect::new(move |_| {
        if wallet.signed_in().is_some() {
            fetch::resume(wallet);
        }
    });
    focus_first_bad(section, errors);

    view! {
        <section class="panel" node_ref=section aria-busy=move || desk.busy().to_string()>
            <form class="run" on:submit=move |event| {
                event.prevent_default();
                go.run(Go::Run);
            }>
                {form}
                {offer::ways(desk)}
                {offer::quote(desk)}
                {offer::buttons(desk)}
            </form>
            {stages::status(desk)}
            {trouble::new_price(desk)}
            {trouble::failure(desk)}
            {answered(desk, unstored)}
        </section>
    }
    .erase()
}

/// While this panel is on the screen, its own call needs no card elsewhere (C9).
fn be_shown(slug: &'static str) {
    let shown = fetch::shown();
    Effect::new(move |_| shown.set(Some(slug.to_owned())));
    on_cleanup(move || {
        if shown.try_get_untracked().flatten().as_deref() == Some(slug) {
            shown.set(None);
        }
    });
}

/// B1: the server's word about a field leads there.
fn focus_first_bad(section: NodeRef<html::Section>, errors: Signal<Vec<FieldError>>) {
    Effect::new(move |_| {
        let first = errors.with(|errors| errors.first().map(|error| error.field.clone()));
        if let (Some(field), Some(section)) = (first, section.get()) {
            // The form shows its errors first.
            request_animation_frame(move || {
                let plain = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
                let named = if plain { format!(r#"[name="{field}"]"#) } else { "[aria-invalid=true]".to_owned() };
                let found = section.query_selector(&named).ok().flatten();
                let found = found.or_else(|| section.query_selector("[aria-invalid=true]").ok().flatten());
                if let Some(element) =
                    found.and_then(|element| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(element).ok())
                {
                    let _ = element.focus();
                }
            });
        }
    });
}

/// The run as the server stored it; or, if it cannot be read now, the answer as it came.
fn answered(desk: Desk, unstored: RwSignal<Option<String>>) -> AnyView {
    let call = desk.call;
    let run = RwSignal::new(None::<Result<RunView, ()>>);
    let done = Memo::new(move |_| call.phase.with(|phase| *phase == Phase::Done));
    Effect::new(move |_| {
        run.set(None);
        match call.run.get() {
            _ if !done.get() => {}
            None => run.set(Some(Err(()))),
            Some(id) => spawn_local(async move {
                let found = my_run(id.clone(), None).await.map_err(drop);
                let is_there = found.is_ok();
                // `None`: it was set, so the answer is on the screen.
                if run.try_set(Some(found)).is_none() && is_there {
                    fetch::seen(&id);
                }
            }),
        }
    });
    view! {
        <div class="answer">
            {move || match run.get() {
                Some(Ok(run)) => view! { <Answer run/> }.erase(),
                Some(Err(())) => unstored.get().map(|body| answer::json(answer::pretty_text(&body))).erase(),
                None => ().erase(),
            }}
        </div>
    }
    .erase()
}
