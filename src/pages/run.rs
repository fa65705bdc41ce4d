//! One run: where it stands, in words, and its answer. It follows the server until the run has ended.

use std::time::Duration;

use crate::ui::Erase;
use leptos::{prelude::*, task::spawn_local};
use leptos_meta::Title;

use super::{data::my_run, own_run, personal::Personal, shop::with_shop};
use crate::{
    agents::{
        self,
        answer::{Answer, with_key},
    },
    run::{RunState, RunView},
    ui::{Details, HashView, Heading, MoneyView, StatusWord, TimeView},
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
    let run = followed(run);
    let now = move || {
        let run = run.get();
        // The answer names the network's fee, which the shop knows.
        with_shop(move |_| shown(run.clone()))
    };
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

/// The run as the server has it now: asked again and again until it has ended, while somebody looks.
fn followed(run: RunView) -> RwSignal<RunView> {
    let key = own_run::key();
    let run = RwSignal::new(run);
    let ended = Memo::new(move |_| run.with(|run| run.state.ended()));
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
                if let Ok(now) = my_run(id, key).await
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

fn shown(run: RunView) -> AnyView {
    let again = again(&run);
    let done = run.state == RunState::Done;
    view! {
        <p class="run-line">
            <StatusWord state=run.state/>
            <TimeView ms=run.created_at_ms/>
        </p>
        <p class=format!("standing {}", run.state.word())>{standing(&run)}</p>
        {reason(&run)}
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
    match (run.state, price) {
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
                    {match run.transaction {
                        Some(hash) => view! { <HashView hash url=run.transaction_url.clone()/> }.erase(),
                        None => "From your credit".erase(),
                    }}
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
