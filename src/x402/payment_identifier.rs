//! The payment-identifier extension (x402-foundation/x402, `specs/extensions`; docs/protocol.md, "An id of the client's"): a name that the client
//! gives to its payment, so that a lost answer costs nothing.
//!
//! It is the client's word and proves nothing: it counts per payer, once the payer is known (`runs.payment_id`). The same id with the same payment is
//! the same run; with another payment it is a conflict.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::wire::PaymentPayload;
use crate::error::{CallError, Code};

/// Its key in `extensions`.
pub const PAYMENT_IDENTIFIER: &str = "payment-identifier";
/// Characters of an id: `A-Z`, `a-z`, `0-9`, `_` and `-`.
const LENGTH: RangeInclusive<usize> = 16..=128;

/// What every 402 says under [`PAYMENT_IDENTIFIER`]: an id is welcome, and what it looks like.
pub fn extension() -> Value {
    json!({
        "info": {"required": false},
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "required": {"type": "boolean"},
                "id": {"type": "string", "minLength": LENGTH.start(), "maxLength": LENGTH.end(), "pattern": "^[a-zA-Z0-9_-]+$"},
            },
            "required": ["required"],
        },
    })
}

/// The id that the client gave this payment. `None`: it gave none, whether or not it echoed the extension.
///
/// # Errors
/// [`Code::BadPaymentHeader`]: another shape, or an id of another length or alphabet. What it says `required` is ours to say, so it may be left out;
/// a schema that the client sends along is not looked at.
pub fn read(payload: &PaymentPayload) -> Result<Option<String>, CallError> {
    let extension = match payload.extensions.get(PAYMENT_IDENTIFIER) {
        None | Some(Value::Null) => return Ok(None),
        Some(extension) => extension,
    };
    let Some(Value::Object(info)) = extension.get("info") else { return Err(bad("info is an object")) };
    if !matches!(info.get("required"), None | Some(Value::Null | Value::Bool(_))) {
        return Err(bad("info.required is true or false"));
    }
    match info.get("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if is_id(id) => Ok(Some(id.clone())),
        Some(_) => Err(bad("info.id is 16 to 128 characters of A-Z, a-z, 0-9, _ and -")),
    }
}

fn is_id(text: &str) -> bool {
    LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn bad(why: &str) -> CallError {
    CallError::from(Code::BadPaymentHeader).with_details(format_args!("extensions.{PAYMENT_IDENTIFIER}: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn payload(extension: Option<Value>) -> PaymentPayload {
        let mut payload: PaymentPayload = serde_json::from_value(json!({
            "x402Version": 2,
            "accepted": {"scheme": "exact", "network": "eip155:143", "amount": "1", "asset": "native",
                "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "maxTimeoutSeconds": 300, "extra": {}},
            "payload": {"credit": "x"},
        }))
        .unwrap();
        payload.extensions.extend(extension.map(|extension| (PAYMENT_IDENTIFIER.to_owned(), extension)));
        payload
    }

    fn with_id(id: Value) -> Result<Option<String>, CallError> {
        let mut echoed = extension();
        echoed["info"]["id"] = id;
        read(&payload(Some(echoed)))
    }

    #[test]
    fn an_id_is_read_and_none_is_none() {
        assert_eq!(with_id("pay_0123456789ab-cd".into()).unwrap().as_deref(), Some("pay_0123456789ab-cd"));
        assert_eq!(read(&payload(None)).unwrap(), None);
        assert_eq!(read(&payload(Some(extension()))).unwrap(), None, "echoed without an id");
        assert_eq!(read(&payload(Some(Value::Null))).unwrap(), None);
    }

    #[test]
    fn n36_an_id_of_another_length_or_alphabet_is_refused() {
        for (fine, id) in [(false, 15), (true, 16), (true, 128), (false, 129)].map(|(fine, length)| (fine, "a".repeat(length))) {
            assert_eq!(with_id(id.clone().into()).is_ok(), fine, "{}", id.len());
        }
        let others = ["pay 0123456789abcdef", "pay.0123456789abcdef", "ééééééééééééééééé", "pay_0123456789abcdef\n", ""];
        for id in others.map(Value::from).into_iter().chain([json!(1_234_567_890_123_456_u64), json!(["a"])]) {
            let why = with_id(id.clone()).unwrap_err();
            assert!(why.code == Code::BadPaymentHeader && why.details.unwrap().contains("16 to 128"), "{id}");
        }
    }

    #[test]
    fn f3_an_id_alone_is_enough() {
        for info in [json!({"id": "pay_0123456789ab-cd"}), json!({"id": "pay_0123456789ab-cd", "required": null, "more": 1})] {
            assert_eq!(read(&payload(Some(json!({ "info": info })))).unwrap().as_deref(), Some("pay_0123456789ab-cd"), "{info}");
        }
        for none in [json!({}), json!({"id": null}), json!({"id": null, "required": false})] {
            assert_eq!(read(&payload(Some(json!({ "info": none })))).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn an_extension_of_another_shape_is_refused() {
        for shape in
            [json!("x"), json!([]), json!({}), json!({"info": 1}), json!({"info": null}), json!({"info": {"required": "no"}})]
        {
            assert_eq!(read(&payload(Some(shape.clone()))).map_err(|why| why.code), Err(Code::BadPaymentHeader), "{shape}");
        }
    }

    #[test]
    fn its_schema_describes_its_info() {
        let Value::Object(mut parts) = extension() else { panic!("an object") };
        let (mut info, schema) = (parts["info"].take(), parts["schema"].take());
        let schema = jsonschema::validator_for(&schema).unwrap();
        assert!(schema.is_valid(&info));
        info["id"] = "pay_0123456789abcdef".into();
        assert!(schema.is_valid(&info));
        info["id"] = "short".into();
        assert!(!schema.is_valid(&info));
    }

    proptest! {
        #[test]
        fn no_id_panics_and_only_ids_pass(id in ".{0,140}|[A-Za-z0-9_-]{10,135}") {
            let characters = id.chars().count();
            let fine = (16..=128).contains(&characters) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            prop_assert_eq!(with_id(id.into()).is_ok(), fine);
        }
    }
}
