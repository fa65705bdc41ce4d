//! docs/examples.md is what the shop really says: recorded here, with what differs each time left out. `RECORD=1` writes it anew.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    dollars::{Eip3009, offer_by, shop_for_dollars, v1},
    harness::{Answer, payload_for},
};

const PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples.md");

/// Seals, nonces, hashes, signatures and times are new each time.
fn settled(value: &Value) -> Value {
    const ALWAYS_NEW: &[&str] = &[
        "offer",
        "expiresAtMs",
        "nonce",
        "issuedAt",
        "expirationTime",
        "signature",
        "transaction",
        "run",
        "validBefore",
        "X-PAYMENT",
    ];
    match value {
        Value::Object(map) => {
            let new = |name: &String, value: &Value| match value {
                Value::String(text) if !text.is_empty() && ALWAYS_NEW.contains(&name.as_str()) => json!("…"),
                Value::Number(_) if ALWAYS_NEW.contains(&name.as_str()) => json!(0),
                other => settled(other),
            };
            map.iter().map(|(name, value)| (name.clone(), new(name, value))).collect()
        }
        Value::Array(list) => list.iter().map(settled).collect(),
        other => other.clone(),
    }
}

fn block(page: &mut String, title: &str, value: &Value) {
    writeln!(page, "{title}\n\n```json\n{}\n```\n", serde_json::to_string_pretty(&settled(value)).unwrap()).unwrap();
}

fn header(answer: &Answer, name: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(answer.header(name).unwrap()).unwrap()).unwrap()
}

fn said(page: &mut String, answer: &Answer) {
    writeln!(page, "Status **{}**.\n", answer.status).unwrap();
    block(page, "Body:", &answer.json());
    for name in ["payment-required", "payment-response"] {
        if answer.header(name).is_some() && (name, answer.status) != ("payment-required", 402) {
            block(page, &format!("`{}`, decoded:", name.to_uppercase()), &header(answer, name));
        }
    }
}

#[tokio::test]
async fn the_examples_are_what_the_shop_says() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let mut page = "# Examples\n\nRecorded by tests/shop/examples.rs from a shop with one agent of its own, `macaw`, which says again what it is told. \
        What differs each time (seals, nonces, signatures, hashes, times) is left out as `…` and `0`.\n\n"
        .to_owned();

    page += "## The price\n\n`POST /api/x402/macaw` with `{\"say\":\"hello\"}` and no payment.\n\n";
    let price = shop.price("macaw", "hello").await;
    said(&mut page, &price);
    block(&mut page, "`PAYMENT-REQUIRED`, decoded:", &header(&price, "payment-required"));

    page += "## Paid by EIP-3009\n\nThe same request with `PAYMENT-SIGNATURE`.\n\n";
    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "examples");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), payload.clone());
    block(&mut page, "The header, decoded:", &serde_json::from_slice(&BASE64_STANDARD.decode(&payment).unwrap()).unwrap());
    let paid = ada.call(&shop, "macaw", "hello", &payment).await;
    paid.said("hello");
    said(&mut page, &paid);

    page += "## The same payment for another call\n\n";
    let used = ada.call(&shop, "macaw", "something else", &payment).await;
    used.is(409, "payment_already_used");
    said(&mut page, &used);

    page += "## A payment of one unit too little\n\n";
    let short = Eip3009 { value: 999, ..Eip3009::of(&ada.key, "examples short") };
    let payload = short.payload(&short.sign(&ada.key, &token));
    let refused = ada.call(&shop, "macaw", "hello", &payload_for(&offers, offer_by(&offers, "eip3009"), payload)).await;
    refused.is(402, "payment_invalid");
    said(&mut page, &refused);

    page += "## A run that fails\n\n";
    let failing = Eip3009::of(&ada.key, "examples fails");
    let payload = failing.payload(&failing.sign(&ada.key, &token));
    let failed = ada.call(&shop, "macaw", "fail:examples", &payload_for(&offers, offer_by(&offers, "eip3009"), payload)).await;
    failed.is(500, "agent_failed");
    said(&mut page, &failed);

    page += "## Version 1\n\n`X-PAYMENT`, at today's price.\n\n";
    let first = Eip3009::of(&ada.key, "examples v1");
    let payload = first.payload(&first.sign(&ada.key, &token));
    let payment = v1("local", &payload);
    block(&mut page, "The header, decoded:", &serde_json::from_slice(&BASE64_STANDARD.decode(&payment).unwrap()).unwrap());
    let paid = ada.call_with(&shop, "macaw", "hello again", &[("x-payment", &payment)]).await;
    paid.said("hello again");
    said(&mut page, &paid);

    page += "## A hash that nobody proves to be his\n\n";
    let bare = ada.call_with(&shop, "macaw", "hello", &[("x-payment", &format!("0x{}", "ab".repeat(32)))]).await;
    bare.is(401, "payer_not_proven");
    said(&mut page, &bare);

    let page = page.trim_end().to_owned() + "\n";
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(PLACE, &page).unwrap();
    }
    let recorded = std::fs::read_to_string(PLACE).expect("RECORD=1 writes it");
    assert!(
        recorded == page,
        "docs/examples.md is not what the shop says any more: look at why, then record it anew with RECORD=1\n{page}"
    );
}
