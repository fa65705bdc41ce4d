//! Choosing an offer, comparing its price with the one shown, and the payment that answers it. Pure.

use crate::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::{Amount, Money},
    network::Network,
    x402::{
        phase::Quote,
        wire::{self, CreditProof, EXACT, Offer, PaymentPayload, PaymentRequired, Proof, TransactionProof},
    },
};

/// An offer that ends sooner is renewed before the wallet opens (B11): reading and confirming takes a person longer.
const TOO_SHORT_MS: i64 = 15_000;

/// The first native offer on a network that we know: the server lists them in its order of preference. `on` asks for the one of that network,
/// so that a renewed offer is the same deal.
///
/// # Errors
/// [`Code::PaymentInvalid`]: nothing on offer can be paid from here.
pub fn choose<'a>(
    required: &PaymentRequired,
    networks: &'a [Network],
    on: Option<&str>,
) -> Result<(Offer, &'a Network, Money), CallError> {
    required
        .accepts
        .iter()
        .filter(|offer| offer.scheme == EXACT && offer.is_native() && on.is_none_or(|on| on == offer.network))
        .find_map(|offer| {
            let network = networks.iter().find(|network| network.id == offer.network)?;
            Some((offer.clone(), network, network.coin(offer.amount)))
        })
        .ok_or_else(|| CallError::saying(Code::PaymentInvalid, "This page cannot pay any of the offers. Nothing was charged."))
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

pub fn quote(offer: &Offer, network: &Network, price: &Money, fee: &Money, expires_at_ms: i64) -> Quote {
    Quote { price: price.clone(), fee: fee.clone(), pay_to: offer.pay_to, network: network.name.clone(), expires_at_ms }
}

/// The header that shows a transfer. The offer goes back unchanged: it locks the price, and its random bits are ours alone.
pub fn by_transaction(required: &PaymentRequired, accepted: &Offer, transaction: TxHash, from: Address) -> String {
    header(required, accepted, Proof::Transaction(TransactionProof::by_session(transaction, from)))
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
            tokens: Vec::new(),
        }
    }

    /// One USDC offer, then native ones on 143 and 10143; what we do not know is in there too.
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
        serde_json::from_value(serde_json::json!({
            "x402Version": 2, "error": "Payment required",
            "resource": { "url": "https://shop.example/api/x402/contract-xray" },
            "accepts": [
                {
                    "scheme": "exact", "network": "eip155:143", "amount": "1000",
                    "asset": "0x754704bc059f8c67012fed69bc8a327a5aafb603",
                    "payTo": "0x209693bc6afc0c5328ba36faf03c514ef312287c", "maxTimeoutSeconds": 300,
                    "extra": { "name": "USDC", "version": "2" },
                },
                native("eip155:143"), native("eip155:10143"),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn the_first_native_offer_on_a_known_network_is_taken() {
        let networks = [network(10143), network(143)];
        let (offer, on, price) = choose(&required(), &networks, None).unwrap();
        assert_eq!((offer.network.as_str(), on.chain_id, price.to_string().as_str()), ("eip155:143", 143, "0.0001 MON"));
        let (offer, ..) = choose(&required(), &networks, Some("eip155:10143")).unwrap();
        assert_eq!(offer.network, "eip155:10143");
        assert_eq!(choose(&required(), &[network(1)], None).unwrap_err().code, Code::PaymentInvalid);
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
        let offer = choose(&required(), &[network(143)], None).unwrap().0;
        assert_eq!(expires_at_ms(&offer, 5), 1_000_000);
        assert!(too_short(1_000_000, 990_000) && too_short(1_000_000, 2_000_000) && !too_short(1_000_000, 700_000));
        let mut unsaid = offer;
        unsaid.extra.expires_at_ms = None;
        assert_eq!(expires_at_ms(&unsaid, 5), 300_005);
    }

    #[test]
    fn the_offer_goes_back_unchanged() {
        let required = required();
        let offer = &required.accepts[1];
        let hash = TxHash([0xab; 32]);
        let payment: PaymentPayload = wire::decode(&by_transaction(&required, offer, hash, Address([1; 20]))).unwrap();
        assert_eq!(&payment.accepted, offer);
        assert_eq!(payment.accepted.extra.others["later"]["kept"], true);
        assert_eq!(payment.payload, Proof::Transaction(TransactionProof::by_session(hash, Address([1; 20]))));
    }

    #[test]
    fn b18_credit_is_a_payload_of_its_own() {
        let required = required();
        let payment: PaymentPayload = wire::decode(&by_credit(&required, &required.accepts[1], [0xff; 16])).unwrap();
        assert_eq!(payment.payload, Proof::Credit(CreditProof { credit: "ffffffff-ffff-4fff-bfff-ffffffffffff".into() }));
    }
}
