//! A token payment as the payer's signature (EIP-3009): what the wallet shows and signs, made from the offer alone. Pure.
//!
//! The payer sends nothing and pays no network fee: whoever holds the signature may move exactly this amount to exactly this recipient, once, until
//! it expires.

use crate::{
    evm::{Address, TxHash},
    money::Amount,
    x402::wire::{EIP3009, Eip3009Authorization, Offer},
};

/// Is it an offer that a signature pays, with everything that the signature needs?
pub fn is_for_a_signature(offer: &Offer) -> bool {
    offer.extra.asset_transfer_method.as_deref() == Some(EIP3009) && offer.chain_id().is_some() && domain(offer).is_some()
}

/// The authorization that pays `offer`; `nonce` makes it one payment. It is good for the offer's time after `expires_at_ms`, the offer's own end: that
/// is by the server's clock, whatever the visitor's says, and leaves all of the time also to who signs at the last moment.
pub fn of_offer(offer: &Offer, from: Address, nonce: [u8; 32], expires_at_ms: i64) -> Eip3009Authorization {
    let until = u64::try_from(expires_at_ms / 1_000).unwrap_or(0).saturating_add(offer.max_timeout_seconds);
    Eip3009Authorization {
        from,
        to: offer.pay_to,
        value: offer.amount,
        // Tokens compare strictly, with their block's clock, which may be behind ours: only 0 is valid at once everywhere.
        valid_after: Amount::ZERO,
        valid_before: Amount::from_atomic(until.into()),
        nonce: TxHash(nonce),
    }
}

/// Name, version and address of the token's EIP-712 domain.
fn domain(offer: &Offer) -> Option<(&str, &str, Address)> {
    Some((offer.extra.name.as_deref()?, offer.extra.version.as_deref()?, offer.asset()?.token?))
}

/// What is signed: EIP-712's types, with the domain's own, as `eth_signTypedData_v4` wants them.
const TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],"TransferWithAuthorization":[{"name":"from","type":"address"},{"name":"to","type":"address"},{"name":"value","type":"uint256"},{"name":"validAfter","type":"uint256"},{"name":"validBefore","type":"uint256"},{"name":"nonce","type":"bytes32"}]}"#;

/// The typed data, as JSON text. `None`: the offer is not for a signature.
pub fn typed_data(offer: &Offer, authorization: &Eip3009Authorization) -> Option<String> {
    let (name, version, token) = domain(offer)?;
    let chain_id = offer.chain_id()?;
    // Texts of the offer: quoted by serde. Everything else is digits.
    let (name, version) = (serde_json::to_string(name).ok()?, serde_json::to_string(version).ok()?);
    let message = serde_json::to_string(authorization).ok()?;
    Some(format!(
        r#"{{"types":{TYPES},"primaryType":"TransferWithAuthorization","domain":{{"name":{name},"version":{version},"chainId":{chain_id},"verifyingContract":"{token}"}},"message":{message}}}"#
    ))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use alloy::sol_types::{Eip712Domain, SolStruct};
    use serde_json::{Value, json};

    use super::*;

    alloy::sol! {
        struct TransferWithAuthorization {
            address from;
            address to;
            uint256 value;
            uint256 validAfter;
            uint256 validBefore;
            bytes32 nonce;
        }
    }

    /// As a token's own offer: USDC on Monad for a tenth of a cent.
    fn offer() -> Offer {
        serde_json::from_value(json!({
            "scheme": "exact", "network": "eip155:143", "amount": "1000", "asset": "0x754704Bc059F8C67012fEd69BC8A327a5aafb603",
            "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "maxTimeoutSeconds": 300,
            "extra": { "assetTransferMethod": "eip3009", "name": "USDC", "version": "2", "decimals": 6, "symbol": "USDC", "offer": "v1.abc.def" },
        }))
        .unwrap()
    }

    fn payer() -> Address {
        "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a".parse().unwrap()
    }

    fn signed() -> Eip3009Authorization {
        of_offer(&offer(), payer(), [1; 32], 1_795_476_118_999)
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_authorization_is_the_offers_and_ends_with_it() {
        assert_eq!(
            serde_json::to_value(signed()).unwrap(),
            json!({
                "from": payer(), "to": "0x209693bc6afc0c5328ba36faf03c514ef312287c", "value": "1000", "validAfter": "0",
                "validBefore": "1795476418", "nonce": format!("0x{}", "01".repeat(32)),
            })
        );
    }

    #[test]
    fn what_the_wallet_is_asked_to_sign_is_the_tokens_own_digest() {
        let data = read(&typed_data(&offer(), &signed()).unwrap());
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        // EIP-712's encodeType, from the types as they are sent.
        let members = |of: &str| {
            let all = data["types"][of].as_array().unwrap().iter();
            all.map(|member| format!("{} {}", text(&member["type"]), text(&member["name"]))).collect::<Vec<_>>().join(",")
        };
        let primary = text(&data["primaryType"]);
        assert_eq!(format!("{primary}({})", members(&primary)), TransferWithAuthorization::eip712_encode_type());
        assert_eq!(members("EIP712Domain"), "string name,string version,uint256 chainId,address verifyingContract");

        let (domain, message) = (&data["domain"], &data["message"]);
        let domain = Eip712Domain::new(
            Some(text(&domain["name"]).into()),
            Some(text(&domain["version"]).into()),
            Some(alloy::primitives::U256::from(domain["chainId"].as_u64().unwrap())),
            Some(text(&domain["verifyingContract"]).parse().unwrap()),
            None,
        );
        let number = |field: &str| text(&message[field]).parse().unwrap();
        let transfer = TransferWithAuthorization {
            from: text(&message["from"]).parse().unwrap(),
            to: text(&message["to"]).parse().unwrap(),
            value: number("value"),
            validAfter: number("validAfter"),
            validBefore: number("validBefore"),
            nonce: text(&message["nonce"]).parse().unwrap(),
        };
        // Made with viem from the same offer.
        let digest = "0x84274faf5d0ced81b3388c21bbf7d6b969a5a1bea343b5965cf46fca9bb7b017";
        assert_eq!(transfer.eip712_signing_hash(&domain).to_string(), digest);
    }

    #[test]
    fn a_tokens_name_cannot_leave_its_place() {
        let mut odd = offer();
        odd.extra.name = Some(r#"USDC","chainId":1,"x":"\"#.into());
        let data = read(&typed_data(&odd, &signed()).unwrap());
        assert_eq!(data["domain"]["name"].as_str(), odd.extra.name.as_deref());
        assert_eq!(data["domain"]["chainId"], 143);
    }

    #[test]
    fn an_offer_without_its_domain_is_not_signed() {
        let without = |change: fn(&mut Offer)| {
            let mut offer = offer();
            change(&mut offer);
            assert!(!is_for_a_signature(&offer));
            offer
        };
        assert!(is_for_a_signature(&offer()));
        for bad in [
            without(|offer| offer.extra.name = None),
            without(|offer| offer.extra.version = None),
            without(|offer| offer.asset = "native".into()),
            without(|offer| offer.network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp".into()),
        ] {
            assert_eq!(typed_data(&bad, &signed()), None);
        }
        without(|offer| offer.extra.asset_transfer_method = Some("permit2".into()));
    }
}
