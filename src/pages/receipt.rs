//! The receipt of a run: what was offered, who paid whom, on which network, for which input and answer. Made to be printed and kept;
//! failed and void runs have one too (E5).

use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::Title;

use super::{own_run, personal::Personal, run::standing, shop::with_shop};
use crate::{
    agents::answer::{charged, unsettled, with_key},
    pages::data::Shop,
    run::{RunState, RunView},
    ui::{CopyButton, Heading, MoneyView, StatusWord, TimeView, hydrated, utc_date_time},
};

#[component]
pub fn ReceiptPage() -> impl IntoView {
    let run = own_run::named_in_path();
    let page = Personal {
        heading: None,
        what: "this receipt",
        show: |run| with_shop(move |shop| receipt(&run, &shop)),
        missing: own_run::no_such_run,
    };
    view! {
        <Title text="Receipt"/>
        <div class="page receipt-page">
            <Heading>"Receipt"</Heading>
            {page.render(run)}
        </div>
    }
    .erase()
}

/// Everything on it is printed whole, so nothing is shortened; beside each id is a button that copies it.
fn receipt(run: &RunView, shop: &Shop) -> AnyView {
    let network = match shop.network(&run.network) {
        Some(network) => format!("{} ({})", network.name, run.network),
        None => run.network.clone(),
    };
    let live = hydrated();
    view! {
        <article class="receipt">
            <header>
                <p class="figure">{amount(run)}</p>
                <p><StatusWord state=run.state/></p>
                <p>{standing(run)}</p>
            </header>
            <section>
                <h2>"Payment"</h2>
                <dl class="facts">
                    {row("Shop", code(&shop.public_url))}
                    {row("Offer", offer(run))}
                    {row("Payer", copied(run.payer, "Copy the payer’s address"))}
                    {row("Payee", payee(run))}
                    {row("Network", network.erase())}
                    {row("Transaction", transaction(run))}
                    {row("Network fee", fee(run))}
                    {row("Block", run.block.map_or_else(|| "—".erase(), |block| block.to_string().erase()))}
                </dl>
            </section>
            <section>
                <h2>"Run"</h2>
                <dl class="facts">
                    {row("Agent", format!("{}, version {}", run.agent_name, run.version).erase())}
                    {row("Run", view! { <a href=with_key(format!("/runs/{}", run.id))><code>{run.id.clone()}</code></a><CopyButton text=run.id.clone() label="Copy the run’s id"/> }.erase())}
                    {row("Engine", run.engine.clone().unwrap_or_else(|| "—".into()).erase())}
                    {row("Attempts", run.attempts.to_string().erase())}
                    {row("Asked", moment(Some(run.created_at_ms)))}
                    {row("Paid", moment(run.held_at_ms))}
                    {row("Finished", moment(run.finished_at_ms))}
                    {row("Input, SHA-256", copied(&run.input_sha256, "Copy the input’s hash"))}
                    {row("Answer, SHA-256", answer_hash(run))}
                </dl>
            </section>
        </article>
        <p class="actions with-js">
            <button type="button" disabled=move || !live.get() on:click=|_| drop(window().print())>"Print"</button>
        </p>
    }
    .erase()
}

fn amount(run: &RunView) -> AnyView {
    match (run.state, &run.price) {
        (RunState::Done, Some(price)) => view! { <MoneyView money=price.clone()/> }.erase(),
        // Nothing was spent, whatever it would have cost.
        (_, Some(price)) => view! { <MoneyView money=price.with(Default::default())/> }.erase(),
        (_, None) => "Nothing charged".erase(),
    }
}

fn offer(run: &RunView) -> AnyView {
    match &run.price {
        Some(price) => view! { "One run for " <MoneyView money=price.clone()/> }.erase(),
        None => "No price was held".erase(),
    }
}

fn payee(run: &RunView) -> AnyView {
    match run.pay_to {
        Some(payee) => copied(payee, "Copy the payee’s address"),
        None if run.transaction.is_none() && !run.authorized => "None: paid from credit".erase(),
        None => "—".erase(),
    }
}

fn answer_hash(run: &RunView) -> AnyView {
    match &run.output_sha256 {
        Some(hash) => copied(hash, "Copy the answer’s hash"),
        None => "No answer".erase(),
    }
}

fn transaction(run: &RunView) -> AnyView {
    let hash = match (run.transaction, &run.transaction_url) {
        (Some(hash), Some(url)) => view! {
            <a href=url.clone() target="_blank" rel="noopener"><code>{hash.to_string()}</code></a>
            <CopyButton text=hash.to_string() label="Copy transaction hash"/>
        }
        .erase(),
        (Some(hash), None) => copied(hash, "Copy transaction hash"),
        (None, _) if run.authorized => return unsettled(run.state).erase(),
        (None, _) => return "None: paid from credit".erase(),
    };
    let words = match run.authorized {
        true if run.is_unused_authorization() => Some(unsettled(run.state)),
        true => Some("Paid by authorization, settled by the shop in"),
        false => None,
    };
    view! { {words.map(|words| view! { <span class="hint">{words}</span>" " })}{hash} }.erase()
}

/// P4: as the chain charged it. No book of ours needs it, so it is asked for when somebody looks; where no node tells, there is none here.
fn fee(run: &RunView) -> AnyView {
    match run.transaction {
        _ if run.authorized => "None for the payer: the shop settles".erase(),
        None => "None: paid from credit".erase(),
        Some(_) => {
            let charged = charged(run);
            view! {
                {move || match charged.get() {
                    Some(charged) => view! { <MoneyView money=charged.fee.clone()/>{charged.by()} }.erase(),
                    None => "—".erase(),
                }}
            }
            .erase()
        }
    }
}

/// For people in their own zone, and exactly, as the books have it.
fn moment(ms: Option<i64>) -> AnyView {
    match ms {
        Some(ms) => view! { <TimeView ms/>" "<span class="hint">{utc_date_time(ms)}</span> }.erase(),
        None => "—".erase(),
    }
}

fn code(text: impl ToString) -> AnyView {
    view! { <code translate="no">{text.to_string()}</code> }.erase()
}

fn copied(text: impl ToString, label: &'static str) -> AnyView {
    let text = text.to_string();
    view! { <span class="id"><code translate="no">{text.clone()}</code><CopyButton text label/></span> }.erase()
}

fn row(name: &'static str, value: AnyView) -> AnyView {
    view! { <div><dt>{name}</dt><dd>{value}</dd></div> }.erase()
}
