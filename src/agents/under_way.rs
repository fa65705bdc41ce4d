//! Payments and runs that have not ended, or whose answer was not seen yet, wherever the visitor is (C9, C10, E9).
//!
//! Four sources, one card each, nothing shown twice: calls that this page is making or following; wallet questions that were open when a page
//! was left; what the server has under way for this wallet (another device began it); payments that arrived with nothing run for them.

use std::time::Duration;

use crate::ui::Erase;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::progress;
use crate::{
    error::Code,
    evm::Address,
    run::{RunState, RunView},
    session::{Arrived, SessionView},
    ui::HashView,
    wallet::Wallet,
    x402::{
        fetch::{self, Tracked, pending::Pending},
        phase::{Call, Phase},
    },
};

/// Once, where every page shows it. It looks after what it shows: it takes up remembered payments, and asks the server while anything is open.
#[component]
pub fn UnderWay() -> impl IntoView {
    let wallet = Wallet::get();
    let tracked = fetch::tracked();
    let questions = RwSignal::new(Vec::<Pending>::new());
    look_after(wallet, questions);
    let place = use_location().pathname;
    Effect::new(move |_| {
        place.with(|place| {
            if let Some(run) = place.strip_prefix("/runs/") {
                fetch::seen(run);
            }
        });
    });
    // Cards are made anew only where one comes or goes: what changes within is the card's own.
    let calls = Memo::new(move |_| {
        let shown = fetch::shown().get();
        let mut calls = tracked.get();
        calls.retain(|known| shown.as_deref() != Some(&known.agent) || known.call != fetch::panel_call(&known.agent).get());
        seen(wallet, |session| calls.retain(|known| !session.arrived.iter().any(|found| known.call == arrivals_call(found))));
        calls
    });
    let elsewhere = Memo::new(move |_| {
        let tracked = tracked.get();
        seen(wallet, |session| session.under_way.iter().filter(|run| !is_followed(run, &tracked)).cloned().collect::<Vec<_>>())
    });
    let arrived = Memo::new(move |_| seen(wallet, |session| session.arrived.clone()));
    let none = move || {
        calls.with(Vec::is_empty) && questions.with(Vec::is_empty) && elsewhere.with(Vec::is_empty) && arrived.with(Vec::is_empty)
    };
    view! {
        <section class="under-way" aria-label="Payments and runs under way" hidden=none>
            <h2>"Under way"</h2>
            <ul>
                {move || arrived.get().into_iter().map(|found| arrival(wallet, found)).collect_view()}
                {move || calls.get().into_iter().map(followed).collect_view()}
                {move || questions.get().into_iter().map(|question| open_question(wallet, question, questions)).collect_view()}
                {move || elsewhere.get().iter().map(run_elsewhere).collect_view()}
            </ul>
        </section>
    }
}

/// Of the session, only if its wallet is the one in use (A7).
fn seen<T: Default>(wallet: Wallet, see: impl FnOnce(&SessionView) -> T) -> T {
    match wallet.signed_in() {
        Some(_) => wallet.session.with(|session| session.as_ref().map(see).unwrap_or_default()),
        None => T::default(),
    }
}

/// Is this run one of the calls that have a card, or a panel, of their own here?
fn is_followed(run: &RunView, tracked: &[Tracked]) -> bool {
    tracked.iter().any(|known| {
        let same_run = known.call.run.with(|id| id.as_deref() == Some(&run.id));
        let paid_by = known.call.phase.with(Phase::transaction);
        same_run || (paid_by.is_some() && paid_by == run.transaction)
    })
}

/// The agent's name; its slug where it is no longer on sale (E10).
fn name(agent: &str) -> String {
    super::find(agent).map_or_else(|| agent.to_owned(), |on_sale| on_sale.card.name.to_owned())
}

fn page(agent: &str) -> String {
    format!("/agents/{agent}")
}

/// A call of this page.
fn followed(known: Tracked) -> AnyView {
    let call = known.call;
    let hash = Memo::new(move |_| call.phase.with(Phase::transaction));
    let ended = Memo::new(move |_| !call.phase.with(Phase::busy));
    let agent = page(&known.agent);
    view! {
        <li class="card">
            <h3>
                <a href=agent>{name(&known.agent)}</a>
            </h3>
            <p aria-live="polite" translate="no">
                {move || call.phase.with(Phase::sentence)}
            </p>
            {progress::line(progress::of_call(call))}
            {move || call.note.get().map(|note| view! { <p class="note">{note}</p> })}
            {move || {
                hash.get()
                    .map(|hash| {
                        view! {
                            <p class="transaction">"Transaction " <HashView hash url=call.transaction_url.get()/></p>
                        }
                    })
            }}
            {move || done_link(call)}
            {move || {
                ended
                    .get()
                    .then(|| {
                        view! {
                            <button type="button" class="quiet" on:click=move |_| fetch::untrack(call)>
                                "Put away"
                            </button>
                        }
                    })
            }}
        </li>
    }
    .erase()
}

fn done_link(call: Call) -> Option<AnyView> {
    let done = call.phase.with(|phase| *phase == Phase::Done);
    let id = call.run.get().filter(|_| done)?;
    Some(view! { <a class="button" href=format!("/runs/{id}")>"Open the answer"</a> }.erase())
}

/// The page was left while the wallet was asking. What became of it, only the chain knows.
fn open_question(wallet: Wallet, question: Pending, questions: RwSignal<Vec<Pending>>) -> AnyView {
    let agent = page(&question.agent);
    let title = name(&question.agent);
    let gone = question.clone();
    view! {
        <li class="card">
            <h3>
                <a href=agent>{title}</a>
            </h3>
            <p>"Your wallet may still be asking about a payment. If you confirm it there, it is found by itself and offered here."</p>
            <button type="button" class="quiet" on:click=move |_| {
                if let Some(address) = wallet.signed_in_now() {
                    fetch::drop_question(address, &gone);
                }
                questions.update(|all| all.retain(|known| *known != gone));
            }>
                "I did not pay"
            </button>
        </li>
    }
    .erase()
}

/// The call that an arrival's own card makes.
fn arrivals_call(arrived: &Arrived) -> Call {
    fetch::slot(&format!("arrived:{}", arrived.transaction))
}

/// E9: money that arrived without its page. One click runs what it was meant for, from credit.
fn arrival(wallet: Wallet, arrived: Arrived) -> AnyView {
    let call = arrivals_call(&arrived);
    let busy = Memo::new(move |_| call.phase.with(Phase::busy));
    let title = name(&arrived.agent);
    let label = format!("Run {title} from your credit");
    let Arrived { transaction, transaction_url, agent, input, watch, .. } = arrived;
    let on_sale = super::find(&agent).is_some();
    view! {
        <li class="card">
            <h3>"Your payment arrived"</h3>
            <p>{format!("It was meant for {title}. It is your credit.")}</p>
            <p class="transaction">"Transaction " <HashView hash=transaction url=transaction_url/></p>
            <p aria-live="polite" translate="no">
                {move || call.phase.with(Phase::sentence)}
            </p>
            {on_sale
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="primary"
                            disabled=busy
                            on:click=move |_| fetch::spend_credit(&agent, &input, call)
                        >
                            {label}
                        </button>
                    }
                })}
            <button type="button" class="quiet" disabled=busy on:click=move |_| fetch::drop_arrival(wallet, watch.clone())>
                "Not now"
            </button>
            {move || done_link(call)}
        </li>
    }
    .erase()
}

/// Another device's, or one of before this browser forgot.
fn run_elsewhere(run: &RunView) -> AnyView {
    let unused = run.is_unused_authorization();
    let sentence = match run.state {
        RunState::Waiting if unused => "Your signed payment is being settled. The server finishes without this page.",
        RunState::Held | RunState::Running if unused => "Signed. The agent is running; you are charged when it has answered.",
        RunState::Failed | RunState::Void if unused => "It ended without an answer. Your authorization was not used.",
        RunState::Waiting if run.error.is_some() => Code::PayerUnknown.sentence(),
        RunState::Waiting => "Your payment is on its way. The server finishes without this page.",
        RunState::Held | RunState::Running => "Paid. The agent is running.",
        RunState::Done => "Done.",
        RunState::Failed | RunState::Void => "It ended without an answer. What was paid is your credit.",
    };
    let hash = run.transaction;
    let url = run.transaction_url.clone();
    view! {
        <li class="card">
            <h3>
                <a href=format!("/runs/{}", run.id)>{run.agent_name.clone()}</a>
            </h3>
            <p aria-live="polite">{sentence}</p>
            {progress::line(Signal::stored(run.progress.clone()))}
            {hash.map(|hash| view! { <p class="transaction">"Transaction " <HashView hash url/></p> })}
        </li>
    }
    .erase()
}

/// Between two questions to the server while anything is open; longer as it takes longer.
const PAUSES_MS: [u64; 6] = [1_000, 1_500, 2_000, 3_000, 4_000, 5_000];
/// So many questions take about five minutes: then the server's watch is renewed.
const RENEW_EVERY: usize = 60;

/// Takes up what this browser remembers, and asks the server again and again while something is open that no call here is following.
fn look_after(wallet: Wallet, questions: RwSignal<Vec<Pending>>) {
    let asked = RwSignal::new(0_usize);
    let scheduled = StoredValue::new(false);
    // A payment that came while its question was open here: a wallet need not answer a question that was answered elsewhere.
    Effect::new(move |before: Option<Option<Vec<Arrived>>>| {
        let arrived = wallet.signed_in().map(|_| seen(wallet, |session| session.arrived.clone()));
        if let (Some(Some(before)), Some(arrived)) = (before, &arrived) {
            let new = arrived.iter().filter(|found| !before.contains(found));
            new.for_each(|found| fetch::question_is_answered(&found.agent, &found.input));
        }
        arrived
    });
    Effect::new(move |_| {
        let asked_before = asked.get();
        let open = wallet.signed_in().map(|address| {
            fetch::resume(wallet);
            fetch::tracked().track();
            open_questions(wallet, address)
        });
        let open = open.unwrap_or_default();
        let runs = seen(wallet, |session| session.under_way.iter().any(|run| !run.state.ended()));
        if asked_before.is_multiple_of(RENEW_EVERY) {
            open.iter().for_each(fetch::watch_again);
        }
        let idle = !scheduled.get_value();
        if !runs && open.is_empty() {
            if idle && asked_before > 0 {
                asked.set(0);
            }
        } else if idle {
            scheduled.set_value(true);
            let pause_ms = PAUSES_MS[asked_before.min(PAUSES_MS.len() - 1)];
            set_timeout(
                move || {
                    // Nobody is here any more once this is gone.
                    if scheduled.try_set_value(false).is_none() {
                        wallet.refresh();
                        asked.try_update(|asked| *asked += 1);
                    }
                },
                Duration::from_millis(pause_ms),
            );
        }
        if questions.with_untracked(|known| *known != open) {
            questions.set(open);
        }
    });
}

/// A question whose payment has arrived is answered, and so is one whose watch the server calls answered: its payment may have been used meanwhile, on
/// another device or for another call.
fn open_questions(wallet: Wallet, address: Address) -> Vec<Pending> {
    let (arrived, over) = seen(wallet, |session| (session.arrived.clone(), session.answered.clone()));
    let mut open = fetch::questions(address);
    open.retain(|question| {
        let has_arrived = arrived.iter().any(|found| found.agent == question.agent && found.input == question.body);
        let answered = has_arrived || question.watch.as_ref().is_some_and(|watch| over.contains(watch));
        if answered {
            fetch::drop_question(address, question);
        }
        !answered
    });
    open
}
