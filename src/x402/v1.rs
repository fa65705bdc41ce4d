//! x402 version 1, as its clients still speak it: offers in the body, networks by name, nothing echoed.
//!
//! A payment is turned into the same authorization that version 2 signs; only the price is today's, since no offer comes back with it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    desk::Desk,
    wire::{EIP3009, EXACT, Offer, Proof, Settlement},
};
use crate::{card::Card, evm::Address, money::Amount, network::Network};

/// The networks that `x402-fetch` 1.2 knows. It refuses an answer whole that has one more in it.
const KNOWN: &[(u64, &str)] = &[
    (2741, "abstract"),
    (11124, "abstract-testnet"),
    (84532, "base-sepolia"),
    (8453, "base"),
    (43113, "avalanche-fuji"),
    (43114, "avalanche"),
    (4689, "iotex"),
    (1329, "sei"),
    (1328, "sei-testnet"),
    (137, "polygon"),
    (80002, "polygon-amoy"),
    (3338, "peaq"),
    (1514, "story"),
    (41923, "educhain"),
    (324_705_682, "skale-base-sepolia"),
];

fn known(network: &Network) -> Option<&'static str> {
    KNOWN.iter().find(|(id, _)| *id == network.chain_id).map(|(_, name)| *name)
}

/// What version 1 calls a network: the name that its clients know, else ours.
fn name(network: &Network) -> &str {
    known(network).unwrap_or(&network.slug)
}

/// One entry of `accepts`. `outputSchema` is left out: `null` breaks `x402-fetch`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferV1 {
    pub scheme: &'static str,
    pub network: String,
    /// Atomic units.
    pub max_amount_required: Amount,
    pub resource: String,
    pub description: String,
    pub mime_type: &'static str,
    pub pay_to: Address,
    pub max_timeout_seconds: u64,
    pub asset: String,
    pub extra: Map<String, Value>,
}

/// The token offers as version 1 words them: EIP-3009 only, the one method that it has. Where a network is sold on that its clients know, the
/// others are left out, so that they spoil nothing.
pub fn accepts(desk: &Desk, card: &Card, offers: &[Offer], resource: &str) -> Vec<OfferV1> {
    let tokens = offers.iter().filter(|offer| offer.extra.asset_transfer_method.as_deref() == Some(EIP3009));
    let all: Vec<_> = tokens
        .filter_map(|offer| {
            let network = desk.chain(&offer.network)?.network();
            let mut extra = Map::new();
            extra.insert("name".to_owned(), offer.extra.name.clone()?.into());
            extra.insert("version".to_owned(), offer.extra.version.clone()?.into());
            let v1 = OfferV1 {
                scheme: EXACT,
                network: name(network).to_owned(),
                max_amount_required: offer.amount,
                resource: resource.to_owned(),
                description: card.summary.to_owned(),
                mime_type: "application/json",
                pay_to: offer.pay_to,
                max_timeout_seconds: offer.max_timeout_seconds,
                asset: offer.asset.clone(),
                extra,
            };
            Some((known(network).is_some(), v1))
        })
        .collect();
    let any_known = all.iter().any(|(known, _)| *known);
    all.into_iter().filter(|(known, _)| *known || !any_known).map(|(_, offer)| offer).collect()
}

/// A receipt in version 1's words: its header names the network as its clients do.
pub fn receipt(desk: &Desk, receipt: &Settlement) -> Settlement {
    let network = desk.chain(&receipt.network).map_or(receipt.network.as_str(), |chain| name(chain.network()));
    Settlement { network: network.to_owned(), ..receipt.clone() }
}

/// A version 1 payment: `X-PAYMENT`, base64 of this.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PaymentV1 {
    pub scheme: String,
    pub network: String,
    pub payload: Proof,
}

/// The network that a version 1 payment names: by its name of then, or as version 2 does (CAIP-2), which newer clients write into older payments.
pub fn network<'d>(desk: &'d Desk, payment: &PaymentV1) -> Option<&'d Network> {
    let mut networks = desk.chains.iter().map(|chain| chain.network());
    networks.find(|network| [name(network), network.id.as_str()].contains(&payment.network.as_str()))
}
