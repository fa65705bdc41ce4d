//! The x402 wire format, version 2, as both sides of our own shop speak it (specs of x402-foundation/x402; docs/protocol.md).
//!
//! Pure data: no chain, no database, no browser. What version 1 and the workflow's own shape need beside it is made in
//! `offers.rs`, where the 402 is assembled.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value};

use crate::{
    evm::{Address, TxHash},
    money::{Amount, Asset},
};

/// v2: the offers, base64 of a [`PaymentRequired`].
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// v2: the payment, base64 of a [`PaymentPayload`].
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// v1's name for the payment, and the workflow's: base64, or a bare transaction hash.
pub const X_PAYMENT: &str = "x-payment";
/// v2: the receipt, base64 of a [`Settlement`].
pub const PAYMENT_RESPONSE: &str = "payment-response";
/// v1's name for the receipt.
pub const X_PAYMENT_RESPONSE: &str = "x-payment-response";
/// MCP's place for the payment: a [`PaymentPayload`] in the request's `_meta`.
pub const MCP_PAYMENT: &str = "x402/payment";
/// MCP's place for the receipt: a [`Settlement`] in the result's `_meta`.
pub const MCP_PAYMENT_RESPONSE: &str = "x402/payment-response";
/// On answers that were stored before.
pub const IDEMPOTENT_REPLAY: &str = "x-idempotent-replay";

/// The only scheme sold here.
pub const EXACT: &str = "exact";
/// `reason` of a payment that no node knows and that can still come: nobody is to pay again. x402 has no word for it.
pub const MAY_ARRIVE: &str = "may_arrive";
/// `asset` of a native offer. Never the zero address: clients would sign a token authorization for that.
pub const NATIVE: &str = "native";

/// The `PAYMENT-REQUIRED` header of a 402.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    pub x402_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub resource: Resource,
    pub accepts: Vec<Offer>,
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Map::is_empty")]
    pub extensions: Map<String, Value>,
}

/// What is on sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// One way to pay (the spec's `PaymentRequirements`). A client echoes the one it took, unchanged, as `accepted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    pub scheme: String,
    /// CAIP-2: `eip155:143`.
    pub network: String,
    /// Atomic units.
    pub amount: Amount,
    /// `native`, or a token's address.
    pub asset: String,
    pub pay_to: Address,
    #[serde(deserialize_with = "number_or_text")]
    pub max_timeout_seconds: u64,
    /// Optional in the protocol. Every offer of ours has one.
    #[serde(default, deserialize_with = "or_null")]
    pub extra: Extra,
}

/// The scheme's own part of an offer. What we do not know is kept, so that an echo stays equal to what was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_transfer_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_flow: Option<String>,
    /// Of a token offer: the name in the token's EIP-712 domain. Never on a native offer, where clients would sign a token authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a token offer: the version in the token's EIP-712 domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality: Option<String>,
    /// The seal: our HMAC over the offer's terms (`offers.rs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// When the sealed price ends, Unix milliseconds. For the page; the seal holds the binding copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// `extra.assetTransferMethod` of a native offer.
pub const TRANSACTION_PROOF: &str = "transaction-proof";
/// `extra.assetTransferMethod` of a token that takes EIP-3009's `transferWithAuthorization`.
pub const EIP3009: &str = "eip3009";
/// `extra.assetTransferMethod` of a token that moves through Permit2 and x402's exact proxy.
pub const PERMIT2: &str = "permit2";

impl Offer {
    /// `None` where `asset` is neither `native` nor an address.
    pub fn asset(&self) -> Option<Asset> {
        let token = match self.asset.as_str() {
            NATIVE => None,
            token => Some(token.parse().ok()?),
        };
        Some(Asset { network: self.network.clone(), token })
    }

    pub fn is_native(&self) -> bool {
        self.asset == NATIVE && self.extra.asset_transfer_method.as_deref() == Some(TRANSACTION_PROOF)
    }

    /// The chain's number: 143 of `eip155:143`.
    pub fn chain_id(&self) -> Option<u64> {
        self.network.strip_prefix("eip155:")?.parse().ok()
    }
}

/// The `PAYMENT-SIGNATURE` header of the retry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload {
    pub x402_version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    pub accepted: Offer,
    pub payload: Proof,
    #[serde(default, deserialize_with = "or_null", skip_serializing_if = "Map::is_empty")]
    pub extensions: Map<String, Value>,
}

/// What shows that the offer was paid. Told apart by the one member that only it has; members that nobody knows change nothing, as in the
/// reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Proof {
    /// A native transfer that was already sent. The presenter is known by the session.
    Transaction(TransactionProof),
    /// The signed-in payer's own credit. The id is made by the client and makes the call idempotent.
    Credit(CreditProof),
    /// A token transfer that the payer signed (EIP-3009) and somebody else will send.
    Eip3009(Eip3009Proof),
    /// The same through Permit2 and x402's exact proxy.
    Permit2(Permit2Proof),
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// Of each kind, the member that no other kind has.
        const TELLING: [&str; 4] = ["transaction", "credit", "authorization", "permit2Authorization"];
        let payload = Value::deserialize(from)?;
        let mut told = TELLING.iter().copied().filter(|member| payload.get(*member).is_some_and(|value| !value.is_null()));
        let proof = match (told.next(), told.next()) {
            (Some("transaction"), None) => TransactionProof::deserialize(payload).map(Self::Transaction),
            (Some("credit"), None) => CreditProof::deserialize(payload).map(Self::Credit),
            (Some("authorization"), None) => Eip3009Proof::deserialize(payload).map(Self::Eip3009),
            (Some(_), None) => Permit2Proof::deserialize(payload).map(Self::Permit2),
            // Which of them was meant, nobody can tell.
            _ => Err(serde_json::Error::custom(format_args!("payload has one of {}", TELLING.join(", ")))),
        };
        proof.map_err(D::Error::custom)
    }
}

/// A program without a session adds the last three: its EIP-712 signature over what it paid for (`x402::native_proof`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionProof {
    pub transaction: TxHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    /// keccak256 of the exact body bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<TxHash>,
    /// Unix seconds, in decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_before: Option<Amount>,
    /// 0x and hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl TransactionProof {
    /// Shown by the wallet that is signed in.
    pub fn by_session(transaction: TxHash, from: Address) -> Self {
        Self { transaction, from: Some(from), request_hash: None, valid_before: None, signature: None }
    }
}

/// `payload` of an EIP-3009 payment (x402 `scheme_exact_evm.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eip3009Proof {
    /// 0x and hexadecimal digits.
    pub signature: String,
    pub authorization: Eip3009Authorization,
}

/// Times are Unix seconds, in decimal, as is the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Eip3009Authorization {
    pub from: Address,
    pub to: Address,
    pub value: Amount,
    pub valid_after: Amount,
    pub valid_before: Amount,
    /// 32 random bytes.
    pub nonce: TxHash,
}

/// `payload` of a Permit2 payment (x402 `scheme_exact_evm.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permit2Proof {
    /// 0x and hexadecimal digits.
    pub signature: String,
    pub permit2_authorization: Permit2Authorization,
}

/// Times are Unix seconds, in decimal, as are the amount and the nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit2Authorization {
    pub permitted: Permitted,
    pub from: Address,
    pub spender: Address,
    pub nonce: Amount,
    pub deadline: Amount,
    pub witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permitted {
    pub token: Address,
    pub amount: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    pub to: Address,
    pub valid_after: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditProof {
    /// A UUID.
    pub credit: String,
}

/// The `PAYMENT-RESPONSE` header of a paid answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settlement {
    pub success: bool,
    /// Empty where no transaction belongs to it: a failure, or a call paid from credit.
    pub transaction: String,
    pub network: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<String>,
}

/// `null` is as good as nothing: the reference's schemas say so of every optional member (`nullish`).
fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// A number, or the same in decimal digits.
fn number_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = Value::deserialize(from)?;
    let read = number.as_u64().or_else(|| number.as_str().and_then(|digits| digits.parse().ok()));
    read.ok_or_else(|| D::Error::custom("expected a whole number"))
}

/// Why a header cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    #[error("not base64")]
    NotBase64(#[from] base64::DecodeError),
    #[error("not the JSON that belongs here: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Base64 of JSON, as x402 headers carry it.
pub fn encode<T: Serialize>(value: &T) -> String {
    // Only maps with keys that are no strings fail to serialise, and wire types have none.
    BASE64_STANDARD.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// Padding may be missing, and what is behind the last whole byte is not looked at.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// As Node's `Buffer` reads it: in either alphabet (RFC 4648, sections 4 and 5), padded or not.
///
/// # Errors
/// Anything else, and JSON of another shape.
pub fn decode<T: DeserializeOwned>(header: &str) -> Result<T, BadHeader> {
    let standard = |byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    let header: Vec<u8> = header.bytes().map(standard).collect();
    Ok(serde_json::from_slice(&ANY_PADDING.decode(header)?)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const PAYER: &str = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
    const SHOP: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

    fn offer() -> Value {
        json!({
            "scheme": "exact", "network": "eip155:143", "amount": "1000", "asset": "0x754704Bc059F8C67012fEd69BC8A327a5aafb603",
            "payTo": SHOP, "maxTimeoutSeconds": 300, "extra": { "assetTransferMethod": "eip3009", "offer": "v1.a.b" },
        })
    }

    fn authorization() -> Value {
        json!({
            "from": PAYER, "to": SHOP, "value": "1000", "validAfter": "0", "validBefore": "1795476418",
            "nonce": format!("0x{}", "01".repeat(32)),
        })
    }

    fn payment(payload: Value) -> Value {
        json!({ "x402Version": 2, "accepted": offer(), "payload": payload })
    }

    fn read(payment: &Value) -> Result<PaymentPayload, serde_json::Error> {
        PaymentPayload::deserialize(payment)
    }

    fn signed() -> Value {
        payment(json!({ "signature": "0x00", "authorization": authorization() }))
    }

    #[test]
    fn f3_base64_is_read_in_either_alphabet_padded_or_not() {
        // Every length of padding, and both letters in which the alphabets differ.
        for text in ["", "a", "ab", "abc", "\u{3e}\u{3f}\u{7e}\u{7f}", "~~~???>>>", "ÿþý"] {
            let bytes = json!({ "text": text }).to_string();
            let all = [BASE64_STANDARD.encode(&bytes), BASE64_STANDARD_NO_PAD.encode(&bytes), BASE64_URL_SAFE.encode(&bytes)];
            for header in all.into_iter().chain([BASE64_URL_SAFE_NO_PAD.encode(&bytes)]) {
                assert_eq!(decode::<Value>(&header).unwrap(), json!({ "text": text }), "{header}");
            }
        }
        for header in ["%%%", "e30====", "e=30", "e3 0", "W10=e", "é"] {
            assert!(matches!(decode::<Value>(header), Err(BadHeader::NotBase64(_))), "{header}");
        }
    }

    #[test]
    fn f3_null_is_as_good_as_nothing_where_a_member_is_optional() {
        let mut payment = signed();
        for member in ["resource", "extensions"] {
            payment[member] = Value::Null;
        }
        for member in ["decimals", "symbol", "finality", "paymentFlow", "expiresAtMs"] {
            payment["accepted"]["extra"][member] = Value::Null;
        }
        assert_eq!(read(&payment).unwrap(), read(&signed()).unwrap());
        payment["resource"] = json!({ "url": "https://shop.example", "description": null, "mimeType": null, "tags": null });
        assert_eq!(read(&payment).unwrap().resource.unwrap().mime_type, None);
        payment["accepted"]["extra"] = Value::Null;
        assert_eq!(read(&payment).unwrap().accepted.extra, Extra::default(), "it is no offer of ours, which is told as that");

        let hash = format!("0x{}", "ab".repeat(32));
        let bare = read(&self::payment(json!({ "transaction": hash }))).unwrap();
        let nulls = json!({ "transaction": hash, "from": null, "requestHash": null, "validBefore": null, "signature": null, "credit": null });
        assert_eq!(read(&self::payment(nulls)).unwrap(), bare);

        let required =
            json!({ "x402Version": 2, "error": null, "resource": { "url": "x" }, "accepts": [offer()], "extensions": null });
        assert!(PaymentRequired::deserialize(&required).unwrap().extensions.is_empty());
    }

    #[test]
    fn f3_members_that_nobody_knows_change_nothing() {
        let mut payment = signed();
        for place in ["", "/accepted", "/payload", "/payload/authorization"] {
            payment.pointer_mut(place).unwrap()["another"] = json!({ "member": [1] });
        }
        assert_eq!(read(&payment).unwrap(), read(&signed()).unwrap());
        let permit2 = json!({
            "signature": "0x00",
            "permit2Authorization": {
                "permitted": { "token": SHOP, "amount": "1", "more": 1 }, "from": PAYER, "spender": SHOP, "nonce": "7", "deadline": "8",
                "witness": { "to": SHOP, "validAfter": "0", "extra": "0x" }, "chainId": 143,
            },
        });
        assert!(matches!(read(&self::payment(permit2)).unwrap().payload, Proof::Permit2(_)));
        assert!(matches!(read(&self::payment(json!({ "credit": "x", "note": 1 }))).unwrap().payload, Proof::Credit(_)));
    }

    #[test]
    fn f3_two_proofs_in_one_are_none() {
        let hash = format!("0x{}", "ab".repeat(32));
        for payload in [
            json!({}),
            json!([]),
            json!("0x00"),
            Value::Null,
            json!({ "credit": null }),
            json!({ "signature": "0x00" }),
            json!({ "credit": "x", "transaction": hash }),
            json!({ "signature": "0x00", "authorization": authorization(), "credit": "x" }),
            json!({ "signature": "0x00", "authorization": authorization(), "permit2Authorization": {} }),
            json!({ "authorization": authorization() }),
        ] {
            assert!(read(&payment(payload.clone())).is_err(), "{payload}");
        }
    }

    #[test]
    fn f3_a_number_is_read_where_decimal_digits_belong() {
        let mut payment = signed();
        payment["accepted"]["amount"] = json!(1000);
        payment["accepted"]["maxTimeoutSeconds"] = json!("300");
        for (member, number) in [("value", 1000_u64), ("validAfter", 0), ("validBefore", 1_795_476_418)] {
            payment["payload"]["authorization"][member] = json!(number);
        }
        assert_eq!(read(&payment).unwrap(), read(&signed()).unwrap());
        // What a number of JSON cannot hold exactly, and what is none, stays unread.
        for odd in
            [json!(-1), json!(1.5), json!(1e30), json!(true), json!([1]), json!(""), json!("1e3"), json!("0x10"), json!(" 1")]
        {
            let mut payment = signed();
            payment["payload"]["authorization"]["value"] = odd.clone();
            assert!(read(&payment).is_err(), "{odd}");
        }
    }
}
