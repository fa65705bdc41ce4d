//! The shop window: what is on sale, what it costs, how paying works, and the same for programs. All of it readable without JavaScript.

use crate::ui::Erase;
use leptos::prelude::*;
use leptos_meta::{Meta, Title};

use super::{agent::sample, data::Shop, shop::with_shop};
use crate::{
    agents::{ON_SALE, OnSale},
    ui::{CopyButton, Details, Heading, MoneyView},
};

/// A call, step by step, and where the money is in each.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "Ask",
        "Fill in what the agent should look at. A typo is caught here, before any price is named.",
        "Nothing has left your wallet.",
    ),
    (
        "Pay",
        "The page shows price, network fee and total. Your own wallet asks you, and sends one transfer.",
        "It is on its way, on chain, for everybody to see.",
    ),
    (
        "Wait",
        "Until the network calls the payment final. You may close the tab: the run goes on without it.",
        "It has arrived, and the price is set aside for this run.",
    ),
    (
        "Read",
        "The answer, with a receipt that names the payment, the input and the result.",
        "Spent if the agent succeeded. If it failed, it is your credit.",
    ),
];

#[component]
pub fn Home() -> impl IntoView {
    view! {
        <Title text="Agents"/>
        <Meta name="description" content="Coin-operated AI agents. Pick one, pay once from your wallet, read the answer."/>
        <div class="page home">
            <section class="hero">
                <Heading>"Coin-operated AI agents."</Heading>
                <p class="lead">"Pick an agent. Pay once from your wallet. Read the answer."</p>
            </section>
            <section class="window" aria-label="Agents">
                {with_shop(|shop| sold(&shop).map(|agent| card(agent, &shop)).collect_view().erase())}
            </section>
            <section class="steps" aria-labelledby="how">
                <h2 id="how">"One call, and where your money is"</h2>
                <ol>
                    {STEPS
                        .map(|(name, what, money)| view! {
                            <li>
                                <h3>{name}</h3>
                                <p>{what}</p>
                                <p class="where"><span>"Your money"</span>{money}</p>
                            </li>
                        })
                        .collect_view()}
                </ol>
            </section>
            {with_shop(|shop| for_programs(&shop))}
        </div>
    }
    .erase()
}

/// What this shop has on sale, in the order of its window.
fn sold(shop: &Shop) -> impl Iterator<Item = &'static OnSale> {
    ON_SALE.iter().filter(|agent| shop.sells(agent.card.slug))
}

fn card(agent: &'static OnSale, shop: &Shop) -> AnyView {
    let card = agent.card;
    let (price, others) = match shop.prices_of(card.slug).split_first() {
        Some((first, others)) => {
            let money = (*first).clone();
            let others =
                others.iter().map(|price| view! { <small>" or "<MoneyView money=(*price).clone()/></small> }).collect_view();
            (view! { <MoneyView money/> }.erase(), others.erase())
        }
        None => (card.headline_price().erase(), ().erase()),
    };
    let heading = format!("{}-card", card.slug);
    view! {
        <article class="card" aria-labelledby=heading.clone()>
            <div class="what">
                <p class="kind">{card.category.name()}</p>
                <h2 id=heading.clone()><a href=card.page()>{card.name}</a></h2>
                <p>{card.summary}</p>
            </div>
            <div class="price">
                <p class="slot">{price}{others}<small>" per answer"</small></p>
                <a class="button primary" href=card.page()>{format!("Open {}", card.name)}</a>
            </div>
            <Details summary="Sample answer">{sample(agent)}</Details>
        </article>
    }
    .erase()
}

fn for_programs(shop: &Shop) -> AnyView {
    let Some(first) = sold(shop).next() else { return ().erase() };
    let call = format!("curl -i -X POST {}{}", shop.public_url, first.card.endpoint());
    view! {
        <section class="programs" aria-labelledby="programs">
            <h2 id="programs">"For programs"</h2>
            <p>
                "Every agent is an HTTP endpoint that speaks x402. Called without a payment it answers "
                <code>"402 Payment Required"</code>" with its price, where to pay, and how to send the proof."
            </p>
            <div class="snippet">
                <pre tabindex="0"><code>{call.clone()}</code></pre>
                <CopyButton text=call label="Copy command"/>
            </div>
        </section>
    }
    .erase()
}
