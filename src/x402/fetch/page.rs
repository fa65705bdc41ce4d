//! The calls that this page knows, whatever component began them: they outlive it, so that nobody loses a paid answer by looking at another page.

use std::cell::RefCell;

use leptos::{prelude::*, task::spawn_local};

use super::{
    Tracked, follow, pay,
    pending::Pending,
    request::{PAID, Recipe},
    storage,
};
use crate::{
    browser::{self, http},
    error::Code,
    evm::Address,
    wallet::{Wallet, outlive},
    x402::phase::{Call, PayWith, Phase},
};

/// Cards of calls that have ended are dropped beyond so many.
const MOST: usize = 20;

/// Everything of this page that no component owns.
#[derive(Default)]
struct Page {
    tracked: RwSignal<Vec<Tracked>>,
    /// The slug of the agent whose panel is on the screen.
    shown: RwSignal<Option<String>>,
    slots: Vec<(String, RwSignal<Call>)>,
    /// Path and body of what was resumed: once is enough.
    resumed: Vec<(String, String)>,
}

thread_local! {
    static PAGE: RefCell<Option<Page>> = const { RefCell::new(None) };
}

fn with<T>(see: impl FnOnce(&mut Page) -> T) -> T {
    if PAGE.with_borrow(Option::is_none) {
        let page = outlive(Page::default);
        PAGE.set(Some(page));
    }
    PAGE.with_borrow_mut(|page| see(page.get_or_insert_default()))
}

/// The call of an agent's panel: the same one whenever the visitor comes back to it, until another takes its place.
pub fn slot(agent: &str) -> Call {
    panel_call(agent).get_untracked()
}

/// The same, for whoever wants to hear that another call took its place.
pub fn panel_call(agent: &str) -> RwSignal<Call> {
    if let Some(call) = with(|page| page.slots.iter().find(|(slug, _)| slug == agent).map(|(_, call)| *call)) {
        return call;
    }
    let call = outlive(|| RwSignal::new(Call::new()));
    with(|page| page.slots.push((agent.to_owned(), call)));
    call
}

/// The panel is free for another call. What its call is waiting for goes on, and has a card of its own from now on.
pub fn step_aside(agent: &str) {
    panel_call(agent).set(outlive(Call::new));
}

/// What is paid for or being paid, oldest first.
pub fn tracked() -> RwSignal<Vec<Tracked>> {
    with(|page| page.tracked)
}

/// The slug of the agent whose panel is on the screen: it shows its own call.
pub fn shown() -> RwSignal<Option<String>> {
    with(|page| page.shown)
}

/// From now on a card shows it, wherever the visitor goes.
pub(super) fn track(recipe: &Recipe, call: Call) {
    let entry = Tracked {
        agent: recipe.agent().to_owned(),
        path: recipe.path.clone(),
        body: recipe.body.clone(),
        call,
        created_ms: browser::now_ms(),
    };
    tracked().update(|all| {
        all.retain(|known| known.call != call);
        all.push(entry);
        if all.len() > MOST
            && let Some(ended) = all.iter().position(|known| !known.call.phase.with_untracked(Phase::busy))
        {
            all.remove(ended);
        }
    });
}

pub fn untrack(call: Call) {
    tracked().update(|all| all.retain(|known| known.call != call));
}

/// Takes up every payment that this browser remembers for the signed-in wallet: by the same request, again. Twice is once.
pub fn resume(wallet: Wallet) {
    let Some(payer) = wallet.signed_in_now() else { return };
    for entry in storage::list(payer).into_iter().filter(|entry| entry.payment.is_some()) {
        let key = (entry.path.clone(), entry.body.clone());
        let known = known_for(&entry);
        if known.is_some_and(|call| call.phase.with_untracked(Phase::busy)) || with(|page| page.resumed.contains(&key)) {
            continue;
        }
        with(|page| page.resumed.push(key));
        // Its own panel shows it, if that has nothing else to show.
        let own = slot(&entry.agent);
        let idle = own.phase.with_untracked(|phase| *phase == Phase::Ready);
        let call = known.or(idle.then_some(own)).unwrap_or_else(|| outlive(Call::new));
        call.phase.set(Phase::Asking);
        spawn_local(async move {
            let recipe = entry.recipe();
            let outcome = follow::follow(wallet, payer, &recipe, entry, call).await;
            pay::conclude(wallet, call, &outcome);
            with(|page| page.resumed.retain(|(path, body)| *path != recipe.path || *body != recipe.body));
        });
    }
}

/// The call that is being made, or was made here, for the same request.
fn known_for(entry: &Pending) -> Option<Call> {
    tracked().with_untracked(|all| all.iter().find(|known| entry.is_for(&known.path, &known.body)).map(|known| known.call))
}

/// Wallet questions that were open when a page was left: what became of them only the chain knows, and the server is watching.
pub fn questions(wallet: Address) -> Vec<Pending> {
    let mut questions = storage::list(wallet);
    questions.retain(|entry| {
        let asked_here = known_for(entry).is_some_and(|call| call.phase.with_untracked(Phase::busy));
        entry.payment.is_none() && !asked_here
    });
    questions
}

/// The answer is known, or nobody wants to know it any more: then it keeps nobody from asking either.
pub fn drop_question(wallet: Address, question: &Pending) {
    storage::settle(wallet, &question.path, &question.body);
    answered(question);
}

/// The wallet's question is open no more: its agent's panel does not go on saying so, and has room for what comes of it.
pub(super) fn answered(question: &Pending) {
    let phase = slot(&question.agent).phase;
    if phase.with_untracked(|phase| matches!(phase, Phase::Failed(error) if error.code == Code::AlreadyAsked)) {
        phase.set(Phase::Ready);
    }
}

/// The answer was opened: its card has told all that it had to tell.
pub fn seen(run: &str) {
    let was_seen = |known: &Tracked| {
        let is_done = known.call.phase.with_untracked(|phase| *phase == Phase::Done);
        is_done && known.call.run.with_untracked(|id| id.as_deref() == Some(run))
    };
    let tracked = tracked();
    if tracked.with_untracked(|all| all.iter().any(was_seen)) {
        tracked.update(|all| all.retain(|known| !was_seen(known)));
    }
}

/// The payment of a call arrived while its wallet's question was still open here, as far as this page knew: it is not open any more. The card of the
/// arrival tells what there is to do.
pub fn question_is_answered(agent: &str, body: &str) {
    let asks = |known: &Tracked| {
        known.agent == agent && known.body == body && known.call.phase.with_untracked(|phase| matches!(phase, Phase::InWallet(_)))
    };
    let Some(call) = tracked().with_untracked(|all| all.iter().find(|known| asks(known)).map(|known| known.call)) else { return };
    untrack(call);
    if slot(agent) == call {
        step_aside(agent);
    }
}

/// Nobody wants what the payment that this watch found was meant for: it stays as credit.
pub fn drop_arrival(wallet: Wallet, watch: String) {
    spawn_local(async move {
        if let Err(error) = http::json("DELETE", &follow::watch_path(&watch), None).await {
            wallet.trouble.set(Some(error));
        }
        wallet.refresh();
    });
}

/// The page is open, so the watch for the question's payment goes on (B13).
pub fn watch_again(question: &Pending) {
    let (recipe, network, known) = (question.recipe(), question.network.clone(), question.watch.clone());
    spawn_local(async move {
        // If it fails, the watch that was begun before the wallet opened still stands.
        let _ = follow::ask_to_watch(&network, &recipe, None, known.as_deref()).await;
    });
}

/// The visitor was asked, and wants another payment for this request: the first one stays watched for, and becomes credit if it arrives.
pub fn drop_payment(wallet: Wallet, path: &str, body: &str) {
    if let Some(payer) = wallet.signed_in_now() {
        storage::settle(payer, path, body);
    }
}

/// One click, no wallet window (B18): runs `agent` on exactly `body`, from the signed-in payer's credit.
pub fn spend_credit(agent: &str, body: &str, call: Call) {
    if call.phase.with_untracked(Phase::busy) {
        return;
    }
    call.phase.set(Phase::Asking);
    call.pay_with.set(PayWith::Credit);
    call.asset.set(None);
    call.shown_price.set(None);
    let recipe = Recipe::post_json(&format!("{PAID}{agent}"), body);
    spawn_local(async move {
        // What it ends in is in the call's phase.
        let _ = pay::call(recipe, call).await;
    });
}
