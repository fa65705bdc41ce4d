//! The three kinds of payment header, told apart (docs/protocol.md, "The retry"), and what MCP has in place of a header.
//!
//! | seen | it is |
//! |---|---|
//! | `PAYMENT-SIGNATURE` and `X-PAYMENT` that differ, or either of them twice | an error |
//! | `PAYMENT-SIGNATURE` | x402 v2 |
//! | `X-PAYMENT`, `0x` and 64 hexadecimal digits | the workflow's bare transaction hash |
//! | `X-PAYMENT`, otherwise | base64 JSON of either version |

use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde_json::Value;

use super::{
    v1::PaymentV1,
    wire::{self, MCP_PAYMENT, PAYMENT_SIGNATURE, PaymentPayload, X_PAYMENT},
};
use crate::{
    error::{CallError, Code},
    evm::TxHash,
    runs::nul,
};

/// More than any payment of ours needs; hyper's own limit for all headers is higher.
const HEADER_MAX: usize = 16 * 1024;

/// What the caller shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Presented {
    Nothing,
    /// Nothing but a hash: today's price, and the payer must be signed in.
    BareHash(TxHash),
    V2(Box<PaymentPayload>),
    V1(Box<PaymentV1>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyVersion {
    x402_version: u64,
}

/// # Errors
/// [`Code::BadPaymentHeader`] with the parser's words under `details`.
pub fn read(headers: &HeaderMap) -> Result<Presented, CallError> {
    let signature = only_one(headers, PAYMENT_SIGNATURE)?;
    let x_payment = only_one(headers, X_PAYMENT)?;
    match (signature, x_payment) {
        (None, None) => Ok(Presented::Nothing),
        (Some(one), Some(other)) if one != other => Err(bad("PAYMENT-SIGNATURE and X-PAYMENT differ")),
        (Some(text), _) => match version(text)? {
            _ if holds_nul(text) => Err(with_nul()),
            2 => v2(text),
            _ => Err(bad("PAYMENT-SIGNATURE carries x402Version 2")),
        },
        (None, Some(text)) if text.starts_with("0x") || text.starts_with("0X") => {
            text.to_ascii_lowercase().parse().map(Presented::BareHash).map_err(bad)
        }
        (None, Some(text)) => match version(text)? {
            _ if holds_nul(text) => Err(with_nul()),
            1 => wire::decode(text).map(|payment| Presented::V1(Box::new(payment))).map_err(bad),
            2 => v2(text),
            _ => Err(bad("x402Version is 1 or 2")),
        },
    }
}

/// What MCP's `_meta["x402/payment"]` holds: the object that a header carries in base64. A bare hash is not among them.
///
/// # Errors
/// As [`read`].
pub fn in_meta(payment: Option<&Value>) -> Result<Presented, CallError> {
    let Some(payment) = payment else { return Ok(Presented::Nothing) };
    if payment.to_string().len() > HEADER_MAX {
        return Err(bad(format!("{MCP_PAYMENT} is longer than {HEADER_MAX} bytes")));
    }
    match AnyVersion::deserialize(payment).map_err(bad)?.x402_version {
        _ if nul::is_in_value(payment) => Err(with_nul()),
        1 => PaymentV1::deserialize(payment).map(|payment| Presented::V1(Box::new(payment))).map_err(bad),
        2 => PaymentPayload::deserialize(payment).map(|payload| Presented::V2(Box::new(payload))).map_err(bad),
        _ => Err(bad("x402Version is 1 or 2")),
    }
}

/// The value of a header that nobody may send twice.
pub(super) fn only_one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, CallError> {
    let mut all = headers.get_all(HeaderName::from_static(name)).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(bad(format!("{name} is there twice")));
    }
    let text = first.to_str().map_err(|_| bad(format!("{name} is not ASCII")))?;
    match text.len() {
        0 => Err(bad(format!("{name} is empty"))),
        1..=HEADER_MAX => Ok(Some(text)),
        _ => Err(bad(format!("{name} is longer than {HEADER_MAX} bytes"))),
    }
}

/// Not in any text of it, so that none of them reaches the books with one.
fn holds_nul(text: &str) -> bool {
    wire::decode::<Value>(text).is_ok_and(|payment| nul::is_in_value(&payment))
}

fn with_nul() -> CallError {
    bad("a text in it holds the character U+0000")
}

fn version(text: &str) -> Result<u64, CallError> {
    wire::decode::<AnyVersion>(text).map(|any| any.x402_version).map_err(bad)
}

fn v2(text: &str) -> Result<Presented, CallError> {
    wire::decode(text).map(|payload| Presented::V2(Box::new(payload))).map_err(bad)
}

fn bad(why: impl std::fmt::Display) -> CallError {
    CallError::from(Code::BadPaymentHeader).with_details(why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::{Engine, prelude::*};
    use serde_json::json;

    use super::*;

    const HASH: &str = "0xabababababababababababababababababababababababababababababababab";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        map
    }

    fn payload(version: u64, proof: serde_json::Value) -> String {
        let offer = json!({"scheme":"exact","network":"eip155:143","amount":"1","asset":"native",
            "payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","maxTimeoutSeconds":300,"extra":{"offer":"v1.a.b","unknown":7}});
        BASE64_STANDARD.encode(json!({"x402Version": version, "accepted": offer, "payload": proof}).to_string())
    }

    fn is_bad(pairs: &[(&'static str, &str)]) {
        assert_eq!(read(&headers(pairs)).map_err(|e| e.code), Err(Code::BadPaymentHeader), "{pairs:?}");
    }

    #[test]
    fn o1_a_header_that_is_no_payment_is_refused() {
        for text in [
            "foo",
            "%%%",
            "0x",
            "0x12",
            &format!("{HASH}00"),
            &HASH.replace('a', "g"),
            "e30",
            "W10=",
            &BASE64_STANDARD.encode("[]"),
        ] {
            is_bad(&[(X_PAYMENT, text)]);
        }
        is_bad(&[(PAYMENT_SIGNATURE, HASH)]);
        let url_safe = BASE64_URL_SAFE.encode([0xff, 0xfe, 0xff, 0xfe]);
        is_bad(&[(X_PAYMENT, &url_safe)]);
    }

    #[test]
    fn the_same_payment_under_both_names_is_one_payment() {
        let text = payload(2, json!({"transaction": HASH}));
        assert!(matches!(read(&headers(&[(X_PAYMENT, &text), (PAYMENT_SIGNATURE, &text)])), Ok(Presented::V2(_))));
        assert!(matches!(read(&headers(&[(X_PAYMENT, &text)])), Ok(Presented::V2(_))));
    }

    #[test]
    fn two_different_payments_are_refused() {
        let (one, other) = (payload(2, json!({"transaction": HASH})), payload(2, json!({"credit": "x"})));
        is_bad(&[(X_PAYMENT, &one), (PAYMENT_SIGNATURE, &other)]);
        is_bad(&[(X_PAYMENT, HASH), (X_PAYMENT, HASH)]);
    }

    #[test]
    fn a_bare_hash_is_the_same_in_upper_case() {
        let upper = HASH.to_ascii_uppercase();
        assert_eq!(read(&headers(&[(X_PAYMENT, &upper)])).unwrap(), Presented::BareHash(HASH.parse().unwrap()));
    }

    #[test]
    fn only_versions_that_exist_are_read() {
        is_bad(&[(PAYMENT_SIGNATURE, &payload(1, json!({"transaction": HASH})))]);
        is_bad(&[(PAYMENT_SIGNATURE, &payload(3, json!({"transaction": HASH})))]);
        is_bad(&[(X_PAYMENT, &payload(3, json!({"transaction": HASH})))]);
        let v1 = json!({"x402Version": 1, "scheme": "exact", "network": "monad", "payload": {"transaction": HASH}});
        let v1 = BASE64_STANDARD.encode(v1.to_string());
        assert!(matches!(read(&headers(&[(X_PAYMENT, &v1)])), Ok(Presented::V1(_))));
        is_bad(&[(X_PAYMENT, &payload(1, json!({})))]);
    }

    #[test]
    fn a_payload_of_no_known_kind_is_refused() {
        is_bad(&[(PAYMENT_SIGNATURE, &payload(2, json!({"signature": "0x00", "authorization": {}})))]);
    }

    #[test]
    fn mcp_carries_the_object_that_a_header_encodes() {
        let object = |text: String| serde_json::from_slice::<Value>(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
        let v2 = object(payload(2, json!({"transaction": HASH})));
        let Presented::V2(read) = in_meta(Some(&v2)).unwrap() else { panic!("v2") };
        assert_eq!(read.accepted.extra.others.get("unknown"), Some(&json!(7)));
        let v1 = json!({"x402Version": 1, "scheme": "exact", "network": "monad", "payload": {"transaction": HASH}});
        assert!(matches!(in_meta(Some(&v1)), Ok(Presented::V1(_))));
        assert_eq!(in_meta(None), Ok(Presented::Nothing));
        for no_payment in [
            Value::Null,
            json!(HASH),
            json!([]),
            json!({}),
            object(payload(3, json!({"transaction": HASH}))),
            object(payload(2, json!({}))),
            json!({"x402Version": 2, "accepted": v2["accepted"], "payload": {"credit": "x".repeat(HEADER_MAX)}}),
        ] {
            assert_eq!(in_meta(Some(&no_payment)).map_err(|why| why.code), Err(Code::BadPaymentHeader), "{no_payment}");
        }
    }

    #[test]
    fn what_we_do_not_know_in_extra_is_kept() {
        let text = payload(2, json!({"transaction": HASH}));
        let Presented::V2(read) = read(&headers(&[(PAYMENT_SIGNATURE, &text)])).unwrap() else { panic!("v2") };
        assert_eq!(read.accepted.extra.others.get("unknown"), Some(&json!(7)));
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(text in "[ -~]{0,300}", json in "\\{[ -~]{0,200}\\}") {
            let _ = read(&headers(&[(X_PAYMENT, &text)]));
            let _ = read(&headers(&[(PAYMENT_SIGNATURE, &BASE64_STANDARD.encode(json))]));
        }
    }
}
