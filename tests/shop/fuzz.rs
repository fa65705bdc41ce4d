//! Whatever a stranger writes into a payment is a refusal in our words: never a panic, never a 5xx, never a run.
//!
//! `FUZZ_SECONDS` says for how long; CI gives it a minute.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    dollars::{Eip3009, Permit2, offer_by, shop_for_dollars, taken},
    harness::{payload_for, v1_payload},
};

fn how_long() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "0x[0-9a-fA-F]{0,140}".prop_map(Value::from),
        "[0-9]{0,90}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z0-9]{0,12}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Where in a payment something is put: the n-th of all places.
fn put(value: &mut Value, place: &mut usize, what: &Value) -> bool {
    if *place == 0 {
        *value = what.clone();
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|item| put(item, place, what)),
        Value::Object(map) => map.values_mut().any(|item| put(item, place, what)),
        _ => false,
    }
}

#[tokio::test]
async fn no_payment_that_anybody_can_write_breaks_the_shop() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(5); // she owns no dollars, so nothing she signs can be settled, changed or not
    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "fuzz");
    let eip3009 = signed.payload(&signed.sign(&ada.key, &token));
    let permit2 = Permit2::of(&ada.key, 1).payload(&ada.key, &token);
    let transaction = json!({ "transaction": format!("0x{}", "ab".repeat(32)), "from": ada.address(), "validBefore": "1" });
    let whole = |method: &str, payload: &Value| -> Value {
        let header = payload_for(&offers, offer_by(&offers, method), payload.clone());
        serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap()
    };
    let payments = [
        whole("eip3009", &eip3009),
        whole("permit2", &permit2),
        whole("transaction-proof", &transaction),
        v1_payload("local", &eip3009),
    ];
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let words = (any_json(), 0..60_usize, 0..payments.len(), 0..5_u8, "[ -~]{0,300}");
    let (until, mut tried) = (Instant::now() + how_long(), 0_u32);
    while Instant::now() < until {
        let (json, mut place, which, kind, text) = words.new_tree(&mut runner).unwrap().current();
        let mut changed = payments[which].clone();
        put(&mut changed, &mut place, &json);
        let header = match kind {
            0 => text,
            1 => BASE64_STANDARD.encode(&text),
            2 => BASE64_STANDARD.encode(json.to_string()),
            _ => BASE64_STANDARD.encode(changed.to_string()),
        };
        let Ok(value) = header.parse::<axum::http::HeaderValue>() else { continue };
        for name in ["payment-signature", "x-payment", "sign-in-with-x"] {
            let answer = ada.call_with(&shop, "macaw", "fuzz", &[(name, value.to_str().unwrap()), ("prefer", "wait=0")]).await;
            assert!(
                (400..500).contains(&answer.status) && !answer.code().is_empty(),
                "{name}: {header}: {} {}",
                answer.status,
                answer.json()
            );
        }
        // The same as MCP carries it.
        let meta = if kind == 2 { &json } else { &changed };
        let result = crate::mcp::call(&shop, "macaw", "fuzz", Some(meta)).await;
        assert_eq!(result["isError"], true, "{meta}: {result}");
        tried += 1;
    }
    assert!(tried > 20, "only {tried} payments in {:?}", how_long());
    assert_eq!(taken(&shop, &token).await, 0);
    shop.assert_balanced().await;
}
