//! Choosing an offer, comparing its price with the one shown, and the payment that answers it. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::authorization::is_for_a_signature;
use crate::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::{Amount, Asset, Money},
    network::Network,
    x402::{
        phase::{Means, PayWith, Quote},
        wire::{
            self, CreditProof, EXACT, Eip3009Authorization, Eip3009Proof, Offer, PaymentPayload, PaymentRequired, Proof,
            TransactionProof,
        },
    },
};

/// An offer that ends sooner is renewed before the wallet opens (B11): reading and confirming takes a person longer.
const TOO_SHORT_MS: i64 = 15_000;

/// The offer in the asset that the visitor wants, of those that this page can take: native coin, or a token that a signature moves; from credit, any.
/// Where it is not on offer, or nothing was said: native, then the server's order. Another asset is another price, which is asked about (B10).
///
/// # Errors
/// [`Code::PaymentInvalid`]: nothing on offer can be paid from here.
pub fn choose<'a>(
    required: &PaymentRequired,
    networks: &'a [Network],
    with: PayWith,
    wanted: Option<&Asset>,
) -> Result<(Offer, &'a Network, Money), CallError> {
    let mut takable = required.accepts.iter().filter_map(|offer| {
        let takable = offer.scheme == EXACT && (offer.is_native() || with == PayWith::Credit || is_for_a_signature(offer));
        let asset = offer.asset().filter(|_| takable)?;
        let network = networks.iter().find(|network| network.id == offer.network)?;
        Some((offer, network, network.money(&asset, offer.amount)?))
    });
    let mut best = takable.next();
    for next in takable {
        let rank = |(offer, _, price): &(&Offer, &Network, Money)| (wanted == Some(&price.asset), offer.is_native());
        if best.as_ref().is_none_or(|best| rank(&next) > rank(best)) {
            best = Some(next);
        }
    }
    let (offer, network, price) = best
        .ok_or_else(|| CallError::saying(Code::PaymentInvalid, "This page cannot pay any of the offers. Nothing was charged."))?;
    Ok((offer.clone(), network, price))
}

/// The visitor has agreed to pay on this network, so money of another one is never taken in its place: its price may read the same, and be real.
///
/// # Errors
/// [`Code::PaymentInvalid`]: nothing is on offer there (it is halted, or this input is known to fail there).
pub fn is_offered_on(required: &PaymentRequired, networks: &[Network], wanted: &Asset) -> Result<(), CallError> {
    let name = networks.iter().find(|known| known.id == wanted.network).map_or(wanted.network.as_str(), |known| &known.name);
    if required.accepts.iter().any(|offer| offer.network == wanted.network) {
        return Ok(());
    }
    let sentence = format!("This call is not sold on {name} right now. Nothing was charged.");
    Err(CallError::saying(Code::PaymentInvalid, sentence).with_details(required.error.as_deref().unwrap_or_default()))
}

/// Of the credit, what pays one of the offers: where the page did not ask which (B18).
pub fn covering(required: &PaymentRequired, networks: &[Network], credit: &[Money]) -> Option<Asset> {
    let covers = |have: &&Money| {
        choose(required, networks, PayWith::Credit, Some(&have.asset))
            .is_ok_and(|(_, _, price)| price.asset == have.asset && price.amount <= have.amount)
    };
    credit.iter().find(covers).map(|have| have.asset.clone())
}

/// Is it the price that the page showed (B10)? `shown` is as a person reads it; no price shown is nothing to compare with.
pub fn same_price(shown: Option<&str>, price: &Money) -> bool {
    let Some(shown) = shown else { return true };
    let amount = shown.strip_suffix(&price.symbol).and_then(|number| Amount::parse_units(number.trim_end(), price.decimals).ok());
    amount == Some(price.amount)
}

/// When the offer's price ends, Unix milliseconds. An offer that does not say it lasts its `maxTimeoutSeconds` from when it came.
pub fn expires_at_ms(offer: &Offer, came_ms: i64) -> i64 {
    let lasts_ms = i64::try_from(offer.max_timeout_seconds).unwrap_or(0).saturating_mul(1_000);
    offer.extra.expires_at_ms.unwrap_or_else(|| came_ms.saturating_add(lasts_ms))
}

/// Should another offer be asked for before the wallet opens?
pub fn too_short(expires_at_ms: i64, now_ms: i64) -> bool {
    expires_at_ms - now_ms < TOO_SHORT_MS
}

/// `fee`: none where a signature pays.
pub fn quote(offer: &Offer, network: &Network, price: &Money, fee: Option<&Money>, expires_at_ms: i64) -> Quote {
    Quote {
        price: price.clone(),
        fee: fee.cloned(),
        sponsored: network.wallet_sponsors_gas,
        pay_to: offer.pay_to,
        network: network.name.clone(),
        expires_at_ms,
    }
}

/// The header that shows a transfer. The offer goes back unchanged: it locks the price, and its random bits are ours alone.
pub fn by_transaction(required: &PaymentRequired, accepted: &Offer, transaction: TxHash, from: Address) -> String {
    header(required, accepted, Proof::Transaction(TransactionProof::by_session(transaction, from)))
}

/// The header that shows a signed authorization.
pub fn by_authorization(
    required: &PaymentRequired,
    accepted: &Offer,
    authorization: Eip3009Authorization,
    signature: String,
) -> String {
    header(required, accepted, Proof::Eip3009(Eip3009Proof { signature, authorization }))
}

/// What a payment header of ours pays with: for one that was kept over a reload.
pub fn read_back(header: &str) -> (Means, Option<Asset>) {
    /// Of a payment, what tells: the proofs themselves are the server's to read.
    #[derive(Deserialize)]
    struct Kept {
        accepted: Offer,
        payload: Map<String, Value>,
    }
    let Ok(Kept { accepted, payload }) = wire::decode(header) else { return (Means::default(), None) };
    let means = match payload {
        payload if payload.contains_key("authorization") => Means::Authorization,
        payload if payload.contains_key("credit") => Means::Credit,
        _ => Means::Transfer,
    };
    (means, accepted.asset())
}

/// The header that spends credit (B18). `random` makes the call idempotent.
pub fn by_credit(required: &PaymentRequired, accepted: &Offer, random: [u8; 16]) -> String {
    header(required, accepted, Proof::Credit(CreditProof { credit: uuid_v4(random) }))
}

fn header(required: &PaymentRequired, accepted: &Offer, payload: Proof) -> String {
    wire::encode(&PaymentPayload {
        x402_version: 2,
        resource: Some(required.resource.clone()),
        accepted: accepted.clone(),
        payload,
        extensions: required.extensions.clone(),
    })
}

/// RFC 9562, version 4: all random but for six bits.
fn uuid_v4(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in random.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::network::Token;

    fn network(id: u64) -> Network {
        Network {
            id: format!("eip155:{id}"),
            chain_id: id,
            name: format!("Chain {id}"),
            slug: "monad".into(),
            symbol: "MON".into(),
            decimals: 18,
            wallet_rpc_url: "https://rpc.example".into(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::ZERO,
            wallet_sponsors_gas: false,
            tokens: vec![Token {
                address: USDC.parse().unwrap(),
                symbol: "USDC".into(),
                decimals: 6,
                name: "USDC".into(),
                version: "2".into(),
                eip3009: true,
                permit2: true,
            }],
        }
    }

    const USDC: &str = "0x754704bc059f8c67012fed69bc8a327a5aafb603";

    fn asset(network: u64, token: bool) -> Asset {
        Asset { network: format!("eip155:{network}"), token: token.then(|| USDC.parse().unwrap()) }
    }

    /// One USDC offer by EIP-3009, one by Permit2, then native ones on 143 and 10143; what we do not know is in there too.
    fn required() -> PaymentRequired {
        let native = |network: &str| {
            serde_json::json!({
                "scheme": "exact", "network": network, "amount": "100000000000000", "asset": "native",
                "payTo": "0x209693bc6afc0c5328ba36faf03c514ef312287c", "maxTimeoutSeconds": 300,
                "extra": {
                    "assetTransferMethod": "transaction-proof", "paymentFlow": "upfront", "decimals": 18, "symbol": "MON",
                    "finality": "finalized", "offer": "v1.abc.def", "expiresAtMs": 1_000_000, "later": { "kept": true },
                },
            })
        };
        let dollars = |method: &str| {
            serde_json::json!({
                "scheme": "exact", "network": "eip155:143", "amount": "1000", "asset": USDC,
                "payTo": "0x209693bc6afc0c5328ba36faf03c514ef312287c", "maxTimeoutSeconds": 300,
                "extra": { "assetTransferMethod": method, "name": "USDC", "version": "2" },
            })
        };
        serde_json::from_value(serde_json::json!({
            "x402Version": 2, "error": "Payment required",
            "resource": { "url": "https://shop.example/api/x402/contract-xray" },
            "accepts": [
                dollars("eip3009"), dollars("permit2"), native("eip155:143"), native("eip155:10143"),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn without_a_wish_the_first_native_offer_on_a_known_network_is_taken() {
        let networks = [network(10143), network(143)];
        let (offer, on, price) = choose(&required(), &networks, PayWith::Wallet, None).unwrap();
        assert_eq!((offer.network.as_str(), on.chain_id, price.to_string().as_str()), ("eip155:143", 143, "0.0001 MON"));
        let (offer, ..) = choose(&required(), &networks, PayWith::Wallet, Some(&asset(10143, false))).unwrap();
        assert_eq!(offer.network, "eip155:10143");
        assert_eq!(choose(&required(), &[network(1)], PayWith::Wallet, None).unwrap_err().code, Code::PaymentInvalid);
    }

    #[test]
    fn the_visitors_way_is_taken_where_it_is_offered() {
        let networks = [network(143)];
        let take = |required: &PaymentRequired, with| choose(required, &networks, with, Some(&asset(143, true))).unwrap();
        let (offer, _, price) = take(&required(), PayWith::Wallet);
        assert_eq!((offer.extra.asset_transfer_method.as_deref(), price.to_string().as_str()), (Some("eip3009"), "0.001 USDC"));
        // Not for sale in dollars any more: the price is another one, and the page asks.
        let mut native = required();
        native.accepts.retain(Offer::is_native);
        let (_, _, price) = take(&native, PayWith::Wallet);
        assert!(!same_price(Some("0.001 USDC"), &price), "{price}");
        // Permit2 needs an approval first, which this page does not ask for; credit needs nothing.
        let mut permit2 = required();
        permit2.accepts.remove(0);
        assert!(take(&permit2, PayWith::Wallet).0.is_native());
        assert_eq!(take(&permit2, PayWith::Credit).0.extra.asset_transfer_method.as_deref(), Some("permit2"));
        // Dollars that this shop does not know are no price.
        let unknown = Network { tokens: Vec::new(), ..network(143) };
        assert!(choose(&required(), &[unknown], PayWith::Wallet, Some(&asset(143, true))).unwrap().0.is_native());
    }

    #[test]
    fn m5_a_network_that_is_left_out_is_never_replaced_by_another_of_the_same_price() {
        let networks = [network(10143), network(143)];
        let mut mainnet = required();
        mainnet.accepts.retain(|offer| offer.network == "eip155:143");
        let refused = is_offered_on(&mainnet, &networks, &asset(10143, false)).unwrap_err();
        assert_eq!((refused.code, refused.error.contains("Chain 10143")), (Code::PaymentInvalid, true), "{refused:?}");
        assert!(refused.details.is_some(), "and why");
        for sold in [asset(143, false), asset(143, true)] {
            assert!(is_offered_on(&mainnet, &networks, &sold).is_ok());
        }
    }

    #[test]
    fn only_a_token_is_on_offer_and_is_taken_without_a_wish() {
        let mut dollars = required();
        dollars.accepts.truncate(2);
        let (offer, ..) = choose(&dollars, &[network(143)], PayWith::Wallet, None).unwrap();
        assert_eq!(offer.extra.asset_transfer_method.as_deref(), Some("eip3009"));
    }

    #[test]
    fn b18_credit_pays_in_the_asset_that_it_is_in() {
        let networks = [network(143)];
        let coin = networks[0].coin(Amount::parse_units("0.00005", 18).unwrap());
        let dollars = networks[0].token_money(&networks[0].tokens[0], Amount::from_atomic(1_000));
        assert_eq!(covering(&required(), &networks, &[coin.clone(), dollars.clone()]), Some(asset(143, true)));
        assert_eq!(covering(&required(), &networks, &[coin, dollars.with(Amount::from_atomic(999))]), None);
    }

    #[test]
    fn b10_another_price_than_the_one_shown_is_seen_to_the_wei() {
        let price = network(143).coin(Amount::parse_units("0.0001", 18).unwrap());
        assert!(same_price(None, &price));
        assert!(same_price(Some("0.0001 MON"), &price));
        assert!(same_price(Some("0.00010 MON"), &price), "the same number, written longer");
        for other in ["0.0002 MON", "0.000100000000000001 MON", "0.0001 USDC", "free", "", " MON"] {
            assert!(!same_price(Some(other), &price), "{other:?}");
        }
    }

    #[test]
    fn b11_an_offer_about_to_end_is_renewed() {
        let offer = choose(&required(), &[network(143)], PayWith::Wallet, None).unwrap().0;
        assert_eq!(expires_at_ms(&offer, 5), 1_000_000);
        assert!(too_short(1_000_000, 990_000) && too_short(1_000_000, 2_000_000) && !too_short(1_000_000, 700_000));
        let mut unsaid = offer;
        unsaid.extra.expires_at_ms = None;
        assert_eq!(expires_at_ms(&unsaid, 5), 300_005);
    }

    #[test]
    fn the_offer_goes_back_unchanged() {
        let required = required();
        let offer = &required.accepts[2];
        let hash = TxHash([0xab; 32]);
        let payment: PaymentPayload = wire::decode(&by_transaction(&required, offer, hash, Address([1; 20]))).unwrap();
        assert_eq!(&payment.accepted, offer);
        assert_eq!(payment.accepted.extra.others["later"]["kept"], true);
        assert_eq!(payment.payload, Proof::Transaction(TransactionProof::by_session(hash, Address([1; 20]))));
    }

    #[test]
    fn what_was_paid_with_is_read_back_after_a_reload() {
        let required = required();
        let (dollars, coin) = (&required.accepts[0], &required.accepts[2]);
        let authorization = crate::x402::fetch::authorization::of_offer(dollars, Address([1; 20]), [7; 32], 0);
        let signed = by_authorization(&required, dollars, authorization.clone(), "0x12".into());
        assert_eq!(read_back(&signed), (Means::Authorization, Some(asset(143, true))));
        let payment: PaymentPayload = wire::decode(&signed).unwrap();
        assert_eq!(&payment.accepted, dollars);
        assert_eq!(payment.payload, Proof::Eip3009(Eip3009Proof { signature: "0x12".into(), authorization }));
        let sent = by_transaction(&required, coin, TxHash([1; 32]), Address([1; 20]));
        assert_eq!(read_back(&sent), (Means::Transfer, Some(asset(143, false))));
        assert_eq!(read_back(&by_credit(&required, dollars, [1; 16])), (Means::Credit, Some(asset(143, true))));
        assert_eq!(read_back("of an older page"), (Means::Transfer, None));
    }

    #[test]
    fn b18_credit_is_a_payload_of_its_own() {
        let required = required();
        let payment: PaymentPayload = wire::decode(&by_credit(&required, &required.accepts[2], [0xff; 16])).unwrap();
        assert_eq!(payment.payload, Proof::Credit(CreditProof { credit: "ffffffff-ffff-4fff-bfff-ffffffffffff".into() }));
    }
}
