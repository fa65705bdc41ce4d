//! One agent: its form, what a run costs and what becomes of the money, and a sample of what one gets. In a tab of its own (`api`), how a
//! program buys the same; `snippets` writes the programs.

mod api;
#[cfg(feature = "ssr")]
pub mod snippets;

use super::loaded::{Loaded, load};
use crate::ui::Erase;
use leptos::{context::Provider, prelude::*};
use leptos_meta::{Meta, Title};
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    data::{Shop, my_run, the_sample},
    not_found::NotFound,
    own_run::given_key,
    shop::with_shop,
};
use crate::{
    agents::{
        self, OnSale,
        contract_xray::ExampleAddress,
        panel::{Fee, PanelTerms, SPONSOR},
    },
    money::Money,
    ui::{Heading, MoneyView, Spinner, Tab, Tabs, written},
};

/// More of a prefilled input than this is not worth an address (bytes; the agent's own limit is checked by the server).
const PREFILL_MAX: usize = 512 * 1024;

#[component]
pub fn AgentPage() -> impl IntoView {
    let slug = use_params_map();
    move || match slug.with(|params| params.get("agent").and_then(|slug| agents::find(&slug))) {
        Some(agent) => one(agent),
        None => view! { <NotFound/> }.erase(),
    }
}

fn one(agent: &'static OnSale) -> AnyView {
    let card = agent.card;
    view! {
        <Title text=card.name/>
        <Meta name="description" content=card.summary/>
        <div class="page agent">
            <header>
                <p class="kind">{card.category.name()}</p>
                <Heading>{card.name}</Heading>
                <p class="lead">{card.summary}</p>
            </header>
            <Tabs
                label=card.name
                tabs=vec![
                    Tab { id: "run", name: "Run", view: run(agent) },
                    Tab { id: "api", name: "API", view: with_shop(move |shop| if shop.sells(card.slug) { api::api(agent, &shop) } else { not_on_sale(agent) }) },
                ]
            />
        </div>
    }
    .erase()
}

fn run(agent: &'static OnSale) -> AnyView {
    view! {
        {with_shop(move |shop| if shop.sells(agent.card.slug) { counter(agent, shop) } else { not_on_sale(agent) })}
        <section class="sample" aria-labelledby="sample">
            <h2 id="sample">"A sample answer"</h2>
            <p class="hint">"Made by this agent, from another input than yours."</p>
            <div class="sheet">{sample(agent)}</div>
        </section>
    }
    .erase()
}

/// Written by the server, with the page or when it is asked for.
pub(super) fn sample(agent: &'static OnSale) -> AnyView {
    let later = || the_sample(agent.card.slug.to_owned());
    written(agent.sample(), later, |error| view! { <p class="notice" role="status">{error.error}</p> }.erase())
}

/// Its page stays: answers that were bought before lead here.
fn not_on_sale(agent: &'static OnSale) -> AnyView {
    view! { <p class="notice" role="status">{agent.card.not_on_sale()}</p> }.erase()
}

/// What the form starts with (E6): `?input=<json>`, or the input of one's own run, `?run=<id>`. Asks the server only for the latter.
fn prefill() -> Loaded<Option<String>> {
    let (query, key) = (use_query_map(), given_key());
    load(
        move || (query.with(|query| (query.get("input"), query.get("run"))), key()),
        async |((input, run), key)| match (input, run) {
            (Some(input), _) => (input.len() <= PREFILL_MAX).then_some(input),
            (None, Some(run)) => my_run(run, key).await.ok()?.input.map(|input| input.to_string()),
            (None, None) => None,
        },
    )
}

fn counter(agent: &'static OnSale, shop: Shop) -> AnyView {
    let ways = ways(agent, &shop);
    let example = shop.demo.as_ref().map(|demo| ExampleAddress(demo.example_contract.to_string()));
    let bill = what_you_pay(&ways);
    let prefill = prefill();
    view! {
        <div class="counter">
            <div class="till">
                <p class="without-js">"Running an agent needs JavaScript and a wallet. The price and the sample below are all here without them."</p>
                <Provider value=Signal::stored(ways)>
                    <Provider value=RwSignal::new(example)>
                        <Suspense fallback=|| view! { <Spinner/> }>
                            {move || Suspend::new(async move { (agent.panel)(prefill.await) })}
                        </Suspense>
                    </Provider>
                </Provider>
            </div>
            {bill}
        </div>
    }
    .erase()
}

/// What the agent is sold for, once in each asset. Empty: this shop has no network whose coin or token the agent is sold for.
fn ways(agent: &'static OnSale, shop: &Shop) -> Vec<PanelTerms> {
    let terms = |price: &Money| {
        let network = shop.network(&price.asset.network)?.clone();
        Some(PanelTerms { network, pay_to: shop.pay_to, price: price.clone() })
    };
    shop.prices_of(agent.card.slug).into_iter().filter_map(terms).collect()
}

fn what_you_pay(ways: &[PanelTerms]) -> Option<AnyView> {
    let (first, others) = ways.split_first()?;
    let PanelTerms { network, price, .. } = first.clone();
    let (fee, sponsored) = match first.fee() {
        Fee::About(fee) => (Some(fee), false),
        Fee::UpTo(fee) => (Some(fee), true),
        Fee::Nothing | Fee::Unknown => (None, false),
    };
    let far_above = fee.as_ref().and_then(|fee| times_above(fee, &price));
    let signed = others.iter().filter(|terms| terms.by_wallet() && terms.fee() == Fee::Nothing);
    let signed = signed
        .map(|terms| {
            let money = terms.price.clone();
            view! { <p>"Or "<MoneyView money/>" with no network fee: your wallet signs, and the shop sends it."</p> }
        })
        .collect::<Vec<_>>();
    let has_signed = !signed.is_empty();
    let bill = view! {
        <aside class="bill" aria-labelledby="bill">
            <h2 id="bill">"What you pay"</h2>
            <p class="figure">
                <MoneyView money=price/>
            </p>
            {fee
                .map(|fee| {
                    let about = if sponsored { "And up to " } else { "And about " };
                    let sponsor = sponsored.then(|| format!(" {SPONSOR}."));
                    view! { <p>{about}<MoneyView money=fee/>" network fee, which goes to the network, not to the shop."{sponsor}</p> }
                })}
            {far_above.map(|times| view! {
                <p>
                    {format!("On {} the fee of a transfer is more than {times} times this price. ", network.name)}
                    "What you pay above the price stands as your credit, and a run paid from credit has no network fee."
                </p>
            })}
            {signed}
            <p>{if has_signed { "If the run fails you are not charged: a price that was paid is your credit, and a signature is not used." } else { "If the run fails you are not charged: the price is your credit." }}</p>
        </aside>
    };
    Some(bill.erase())
}

/// How many times the price the fee surely is, in round words; `None` where it is not worth a word.
fn times_above(fee: &Money, price: &Money) -> Option<u64> {
    if fee.asset != price.asset || price.amount.is_zero() {
        return None;
    }
    [1000, 500, 200, 100, 50, 20, 10, 5].into_iter().find(|times| price.amount.times(*times).is_some_and(|sum| sum < fee.amount))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::money::{Amount, Asset};

    fn mon(text: &str) -> Money {
        let amount = Amount::parse_units(text, 18).unwrap();
        Money { amount, asset: Asset::native("eip155:10143"), symbol: "MON".into(), decimals: 18 }
    }

    #[test]
    fn b2_a_fee_far_above_the_price_is_named_with_its_factor() {
        assert_eq!(times_above(&mon("0.0021"), &mon("0.0001")), Some(20));
        assert_eq!(times_above(&mon("0.0001"), &mon("0.0001")), None);
        assert_eq!(times_above(&mon("0.0005"), &mon("0.0001")), None, "not more than five times");
        assert_eq!(times_above(&mon("0.0021"), &mon("0")), None);
        assert_eq!(times_above(&mon("90"), &mon("0.0001")), Some(1000));
    }
}
