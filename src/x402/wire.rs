//! The x402 wire format, version 2, as both sides of our own shop speak it (specs of x402-foundation/x402; docs/protocol.md).
//!
//! Pure data: no chain, no database, no browser. What version 1 and the workflow's own shape need beside it is made in
//! `offers.rs`, where the 402 is assembled.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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
    #[serde(default, skip_serializing_if = "Map::is_empty")]
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
    pub max_timeout_seconds: u64,
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
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extensions: Map<String, Value>,
}

/// What shows that the offer was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A program without a session adds the last three: its EIP-712 signature over what it paid for (`x402::native_proof`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
#[serde(deny_unknown_fields)]
pub struct Eip3009Proof {
    /// 0x and hexadecimal digits.
    pub signature: String,
    pub authorization: Eip3009Authorization,
}

/// Times are Unix seconds, in decimal, as is the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
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
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Permit2Proof {
    /// 0x and hexadecimal digits.
    pub signature: String,
    pub permit2_authorization: Permit2Authorization,
}

/// Times are Unix seconds, in decimal, as are the amount and the nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit2Authorization {
    pub permitted: Permitted,
    pub from: Address,
    pub spender: Address,
    pub nonce: Amount,
    pub deadline: Amount,
    pub witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permitted {
    pub token: Address,
    pub amount: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Witness {
    pub to: Address,
    pub valid_after: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// Why a header cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    #[error("not base64 (standard alphabet, padded)")]
    NotBase64(#[from] base64::DecodeError),
    #[error("not the JSON that belongs here: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Base64 of JSON, as x402 headers carry it.
pub fn encode<T: Serialize>(value: &T) -> String {
    // Only maps with keys that are no strings fail to serialise, and wire types have none.
    BASE64_STANDARD.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// Strict: standard alphabet, padded.
///
/// # Errors
/// Anything else, and JSON of another shape.
pub fn decode<T: DeserializeOwned>(header: &str) -> Result<T, BadHeader> {
    Ok(serde_json::from_slice(&BASE64_STANDARD.decode(header)?)?)
}
