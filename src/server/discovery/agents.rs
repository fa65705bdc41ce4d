//! `GET /api/agents`: everything that a program needs to call an agent, card by card.

use serde::Serialize;
use serde_json::Value;

use super::accepts;
use crate::{
    money::{Amount, Asset, Money},
    runs::Agent,
    x402::{desk::Desk, wire::Offer},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardView<'a> {
    slug: &'static str,
    name: &'static str,
    category: &'static str,
    summary: &'static str,
    version: &'static str,
    /// Where it is called.
    url: String,
    /// Where people find it.
    page: String,
    prices: Vec<Price>,
    time_limit_ms: u128,
    input_max_bytes: usize,
    input_schema: &'a Value,
    output_schema: &'a Value,
    /// An input.
    example: &'a Value,
    mcp_tool: &'static str,
}

/// What one call costs in one asset of one network.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Price {
    /// CAIP-2.
    network: String,
    /// Atomic units.
    amount: Amount,
    asset: Asset,
    symbol: String,
    decimals: u8,
}

/// The cards, in the order of the shop window.
pub fn cards(desk: &Desk) -> Value {
    desk.agents.iter().map(|agent| serde_json::to_value(view(desk, agent)).unwrap_or_default()).collect()
}

fn view<'a>(desk: &Desk, agent: &'a Agent) -> CardView<'a> {
    let card = agent.card;
    let price =
        |Money { amount, asset, symbol, decimals }| Price { network: asset.network.clone(), amount, asset, symbol, decimals };
    CardView {
        slug: card.slug,
        name: card.name,
        category: card.category.name(),
        summary: card.summary,
        version: card.version,
        url: format!("{}{}", desk.public_url, card.endpoint()),
        page: format!("{}{}", desk.public_url, card.page()),
        prices: prices(desk, &accepts(desk, card)).into_iter().map(price).collect(),
        time_limit_ms: card.time_limit.as_millis(),
        input_max_bytes: card.input_max,
        input_schema: &agent.input_schema,
        output_schema: &agent.output_schema,
        example: &agent.example,
        mcp_tool: card.mcp_tool(),
    }
}

/// The price in each asset that the offers name, once: a token that can be paid in two ways has one.
pub(super) fn prices(desk: &Desk, accepts: &[Offer]) -> Vec<Money> {
    let mut prices: Vec<Money> = Vec::new();
    for offer in accepts {
        let Some(price) = offer.asset().and_then(|asset| desk.money(&asset, offer.amount)) else { continue };
        if !prices.contains(&price) {
            prices.push(price);
        }
    }
    prices
}
