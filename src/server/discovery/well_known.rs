//! `/.well-known/x402`: what can be bought at this origin, and how it can be paid.
//!
//! No format is agreed on yet (proposals: x402-foundation/x402 #2646 and #2979). Each resource is written as facilitators list it (the bazaar's
//! listing item), and the kinds as a facilitator's `/supported` writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{accepts, agents::prices};
use crate::{
    network::Network,
    runs::Agent,
    server::mcp,
    x402::{
        desk::Desk,
        wire::{EIP3009, Offer},
    },
};

pub fn manifest(desk: &Desk) -> Value {
    let at = |path: &str| format!("{}{path}", desk.public_url);
    let resources: Vec<(&Agent, Vec<Offer>)> = desk.agents.iter().map(|agent| (agent, accepts(desk, agent.card))).collect();
    let offers = || resources.iter().flat_map(|(_, accepts)| accepts);
    json!({
        "x402Version": 2,
        "x402Versions": versions(offers()),
        "name": "Coinslot",
        "payTo": desk.pay_to,
        "networks": desk.chains.iter().map(|chain| network(desk, chain.network(), offers())).collect::<Vec<_>>(),
        "kinds": kinds(offers()),
        "resources": resources.iter().map(|(agent, accepts)| json!({
            "resource": at(&agent.card.endpoint()),
            "type": "http",
            "method": "POST",
            "mimeType": "application/json",
            "x402Version": 2,
            "description": agent.card.summary,
            "accepts": accepts,
        })).collect::<Vec<_>>(),
        "mcp": at(mcp::PATH),
        "openapi": at("/openapi.json"),
        "agents": at("/api/agents"),
        "llms": at("/llms.txt"),
    })
}

/// A network, and what is taken on it.
fn network<'a>(desk: &Desk, network: &Network, offers: impl Iterator<Item = &'a Offer>) -> Value {
    let here: Vec<Offer> = offers.filter(|offer| offer.network == network.id).cloned().collect();
    let mut assets: Vec<Value> = Vec::new();
    for money in prices(desk, &here) {
        let asset = json!({ "asset": money.asset, "symbol": money.symbol, "decimals": money.decimals });
        if !assets.contains(&asset) {
            assets.push(asset);
        }
    }
    json!({ "network": network.id, "name": network.name, "assets": assets })
}

/// Version 1 knows no payment but a signed EIP-3009 authorization (`x402::v1`).
fn versions<'a>(mut offers: impl Iterator<Item = &'a Offer>) -> &'static [u8] {
    if offers.any(|offer| offer.extra.asset_transfer_method.as_deref() == Some(EIP3009)) { &[1, 2] } else { &[2] }
}

/// Each scheme and network once, with the ways to transfer that are taken there.
fn kinds<'a>(offers: impl Iterator<Item = &'a Offer>) -> Vec<Value> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for offer in offers {
        let methods = kinds.entry((&offer.scheme, &offer.network)).or_default();
        let method = offer.extra.asset_transfer_method.as_deref().unwrap_or(EIP3009);
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    let kind = |((scheme, network), methods)| {
        let extra = json!({ "assetTransferMethods": methods });
        json!({ "x402Version": 2, "scheme": scheme, "network": network, "extra": extra })
    };
    kinds.into_iter().map(kind).collect()
}
