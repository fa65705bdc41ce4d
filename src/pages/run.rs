//! One run: where it stands, in words, and its answer. It follows the server until the run has ended.

use std::time::Duration;

use crate::ui::Erase;
use leptos::{prelude::*, task::spawn_local};
use leptos_meta::Title;

use super::{data::my_run, own_run, personal::Personal};
use crate::{
    agents::{
        self,
        answer::{Answer, payment, with_key},
        progress,
    },
    run::{Progress, RunState, RunView},
    ui::{Details, Heading, MoneyView, StatusWord, TimeView},
};

/// How often the browser asks, while the run has not ended.
const ASK_EVERY: Duration = Duration::from_secs(2);

#[component]
pub fn RunPage() -> impl IntoView {
    let run = own_run::named_in_path();
    let page = Personal { heading: Some("Run"), what: "this run", show: one, missing: own_run::no_such_run };
    view! {
        <Title text="Run"/>
        <div class="page run-page">{page.render(run)}</div>
    }
    .erase()
}

fn one(run: RunView) -> AnyView {
    let name = run.agent_name.clone();
    let steps = RwSignal::new(run.progress.clone());
    let run = followed(RunView { progress: Progress::default(), ..run }, steps);
    let now = move || shown(run.get(), steps);
    view! {
        <Title text=format!("Run of {name}")/>
        <header>
            <p class="kind">"Run"</p>
            <Heading>{name}</Heading>
        </header>
        {now}
    }
    .erase()
}

/// The run as the server has it now: asked again and again until it has ended, while somebody looks. Its steps come by themselves, into `steps`.
fn followed(run: RunView, steps: RwSignal<Progress>) -> RwSignal<RunView> {
    let key = own_run::key();
    let run = RwSignal::new(run);
    let ended = Memo::new(move |_| run.with(|run| run.state.ended()));
    let under_way = Memo::new(move |_| run.with(|run| (!run.state.ended()).then(|| run.id.clone())));
    progress::follow(under_way.into(), key.clone(), steps);
    Effect::new(move |_| {
        if ended.get() {
            return;
        }
        let key = key.clone();
        let ask = move || {
            let (id, key) = (run.with_untracked(|run| run.id.clone()), key.clone());
            if document().hidden() {
                return;
            }
            spawn_local(async move {
                // No answer is no news: the next one will tell.
                if let Ok(now) = my_run(id, key).await.map(|now| RunView { progress: Progress::default(), ..now })
                    && run.try_with_untracked(|run| *run != now) == Some(true)
                {
                    run.try_set(now);
                }
            });
        };
        if let Ok(asking) = set_interval_with_handle(ask, ASK_EVERY) {
            on_cleanup(move || asking.clear());
        }
    });
    run
}

fn shown(run: RunView, steps: RwSignal<Progress>) -> AnyView {
    let again = again(&run);
    let done = run.state == RunState::Done;
    view! {
        <p class="run-line">
            <StatusWord state=run.state/>
            <TimeView ms=run.created_at_ms/>
        </p>
        <p class=format!("standing {}", run.state.word())>{standing(&run)}</p>
        {reason(&run)}
        {(!done).then(|| progress::whole(steps.into()))}
        {done.then(|| view! { <Answer run=run.clone()/> })}
        {(!done).then(|| money(&run))}
        {asked(&run)}
        {again}
    }
    .erase()
}

/// Where the run and its money are.
pub fn standing(run: &RunView) -> String {
    let price = run.price.as_ref().map(ToString::to_string);
    if run.is_unused_authorization() {
        return match run.state {
            RunState::Waiting => {
                "Your signed payment is being settled. The run starts when the network calls it final; you can close this tab."
                    .into()
            }
            RunState::Held => "Signed. The agent takes it next; you are charged when it has answered.".into(),
            RunState::Running if run.transaction.is_some() => {
                "The agent has answered, and your signed payment is being settled. You can close this tab.".into()
            }
            RunState::Running => {
                "Signed. The agent is running; you are charged when it has answered. You can close this tab.".into()
            }
            RunState::Done => "The agent has answered.".into(),
            RunState::Failed => "The run failed. You were not charged: your authorization was not used.".into(),
            RunState::Void => run.error.as_ref().map_or_else(
                || "This run came to nothing. You were not charged: your authorization was not used.".into(),
                |error| error.error.clone(),
            ),
        };
    }
    match (run.state, price) {
        // Where it is more than on its way, the run says so.
        (RunState::Waiting, _) if run.error.is_some() => run.error.as_ref().map(|error| error.error.clone()).unwrap_or_default(),
        (RunState::Waiting, _) => {
            "The payment is on its way. The run starts when the network calls it final; you can close this tab.".into()
        }
        (RunState::Held, Some(price)) => format!("Paid. {price} is set aside for this run, and the agent takes it next."),
        (RunState::Held, None) => "Paid. The agent takes it next.".into(),
        (RunState::Running, _) => "Paid. The agent is running; you can close this tab.".into(),
        (RunState::Done, Some(price)) => format!("{price} was spent on this run."),
        (RunState::Done, None) => "The agent has answered.".into(),
        (RunState::Failed, Some(price)) => format!("The run failed. You were not charged: {price} is your credit."),
        (RunState::Failed, None) => "The run failed. You were not charged.".into(),
        (RunState::Void, _) => match &run.error {
            Some(error) => error.error.clone(),
            None => "This run never started. What arrived for it, if anything, is your credit.".into(),
        },
    }
}

/// A failed run's own reason; a void one's is its standing already.
fn reason(run: &RunView) -> Option<AnyView> {
    let error = run.error.as_ref().filter(|_| run.state == RunState::Failed)?;
    let (why, details) = (error.error.clone(), error.details.clone());
    Some(
        view! {
            <p>{why}</p>
            {details.map(|details| view! { <Details summary="Details"><p>{details}</p></Details> })}
        }
        .erase(),
    )
}

fn money(run: &RunView) -> AnyView {
    view! {
        <dl class="facts">
            {run.price.clone().map(|price| view! { <div><dt>"Price"</dt><dd><MoneyView money=price/></dd></div> })}
            <div>
                <dt>"Payment"</dt>
                <dd>
                    {payment(run)}
                </dd>
            </div>
            {run.state.ended().then(|| view! {
                <div><dt>"Receipt"</dt><dd><a href=with_key(format!("/receipts/{}", run.id))>"Receipt of this run"</a></dd></div>
            })}
        </dl>
    }
    .erase()
}

fn asked(run: &RunView) -> AnyView {
    let input = match &run.input {
        Some(input) => {
            let text = serde_json::to_string_pretty(input).unwrap_or_default();
            view! { <pre class="json" tabindex="0"><code>{text}</code></pre> }.erase()
        }
        None => view! { <p>"The input was deleted."</p> }.erase(),
    };
    view! { <section class="asked" aria-labelledby="asked"><h2 id="asked">"What was asked"</h2>{input}</section> }.erase()
}

/// Prefilled (E6), where there is something to fill in and somebody to ask.
fn again(run: &RunView) -> Option<AnyView> {
    let agent = agents::find(&run.agent).filter(|_| run.state.ended() && run.input.is_some())?;
    let href = with_key(format!("{}?run={}", agent.card.page(), run.id));
    // The one thing to do after a failure; after an answer, one of several.
    let main = run.state != RunState::Done;
    Some(view! { <p><a class="button" class:primary=main href=href>"Run again"</a></p> }.erase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evm::{Address, TxHash},
        money::{Amount, Asset, Money},
    };

    fn run(state: RunState, authorized: bool, settled: Option<TxHash>) -> RunView {
        let token = Asset { network: "eip155:143".into(), token: Some(Address([7; 20])) };
        RunView {
            id: "019ab0c1-0000-7000-8000-000000000000".into(),
            agent: "contract-xray".into(),
            agent_name: "Contract X-ray".into(),
            version: "1".into(),
            state,
            payer: Address([1; 20]),
            price: Some(Money { amount: Amount::from_atomic(1_000), asset: token, symbol: "USDC".into(), decimals: 6 }),
            network: "eip155:143".into(),
            transaction: settled,
            pay_to: None,
            transaction_url: None,
            authorized,
            block: settled.map(|_| 7),
            created_at_ms: 0,
            held_at_ms: None,
            finished_at_ms: None,
            attempts: 1,
            input: None,
            input_sha256: "00".repeat(32),
            output: None,
            output_sha256: None,
            engine: None,
            error: None,
            progress: Default::default(),
        }
    }

    #[test]
    fn d2_an_unused_authorization_charged_nothing_and_is_no_credit() {
        let said = |state| standing(&run(state, true, None));
        assert_eq!(said(RunState::Failed), "The run failed. You were not charged: your authorization was not used.");
        for open in [RunState::Held, RunState::Running] {
            assert!(said(open).contains("you are charged when it has answered"), "{}", said(open));
        }
        for state in RunState::ALL {
            assert!(!said(state).contains("credit") && !said(state).contains("Paid"), "{state}: {}", said(state));
        }
    }

    #[test]
    fn a_settlement_that_is_not_final_has_charged_nothing_yet() {
        let settling = RunView { block: None, ..run(RunState::Running, true, Some(TxHash([1; 32]))) };
        assert!(settling.is_unused_authorization());
        assert!(standing(&settling).contains("being settled"));
    }

    #[test]
    fn d2_a_settled_price_of_a_failed_run_is_credit() {
        let settled = Some(TxHash([1; 32]));
        for run in [run(RunState::Failed, true, settled), run(RunState::Failed, false, settled)] {
            assert_eq!(standing(&run), "The run failed. You were not charged: 0.001 USDC is your credit.");
        }
    }
}
