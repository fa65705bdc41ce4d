//! What is said before anybody pays.

use axum::{body::Body, http::Request};
use base64::{Engine, prelude::*};
use serde_json::json;

use crate::harness::{PRICE, SHOP, Shop, Staff, body, payload, post};

#[tokio::test]
async fn one_402_serves_v2_clients_v1_clients_and_the_workflow_at_once() {
    let shop = Shop::open().await;
    let answer = shop.price("parrot", "hello").await;
    answer.is(402, "payment_required");

    let v2 = answer.offers();
    assert_eq!(v2.x402_version, 2);
    assert_eq!(v2.resource.url, "http://127.0.0.1:4020/api/x402/parrot");
    let offer = &v2.accepts[0];
    assert_eq!((offer.scheme.as_str(), offer.network.as_str(), offer.asset.as_str()), ("exact", "eip155:31337", "native"));
    assert_eq!((offer.amount.to_string(), offer.pay_to), (PRICE.to_string(), SHOP));
    assert_eq!(offer.extra.asset_transfer_method.as_deref(), Some("transaction-proof"));

    let body = answer.json();
    assert_eq!((&body["x402Version"], &body["accepts"], &body["message"]), (&json!(1), &json!([]), &json!("Payment required")));
    assert_eq!(
        body["paymentRequirements"],
        json!({"amount": "0.0001", "asset": "MON", "chain": "local", "chainId": 31337, "payTo": SHOP, "description": "Parrot"})
    );
    let shop_address = SHOP.to_string();
    for (name, value) in [
        ("x-payment-address", shop_address.as_str()),
        ("x-price-amount", "0.0001"),
        ("x-price-currency", "MON"),
        ("x-evm-chain-id", "31337"),
        ("cache-control", "private, no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("access-control-expose-headers").unwrap().contains("PAYMENT-REQUIRED"));
}

#[tokio::test]
async fn b1_an_input_that_cannot_be_used_is_refused_before_a_price_is_named() {
    let shop = Shop::open().await;
    let ask = |text: &'static str| shop.ask(post("/api/x402/parrot", "").body(Body::from(text)).unwrap());
    for (text, field) in [(r#"{"say":""}"#, "say"), (r#"{}"#, "say"), (r#"{"say":"x","more":1}"#, "more"), (r#"{"say":7}"#, "")] {
        let answer = ask(text).await;
        answer.is(400, "invalid_input");
        assert_eq!(answer.json()["fields"][0]["field"], json!(field), "{text}");
        assert!(answer.header("payment-required").is_none(), "{text}");
    }
    ask("{").await.is(400, "bad_json");
    ask("nonsense").await.is(400, "bad_json");
    let long = body(&"x".repeat(5000));
    shop.ask(post("/api/x402/parrot", "").body(Body::from(long)).unwrap()).await.is(413, "too_large");
    let text = Request::post("/api/x402/parrot").header("content-type", "text/plain").body(Body::from(body("x"))).unwrap();
    shop.ask(text).await.is(415, "unsupported_media_type");
}

#[tokio::test]
async fn an_empty_probe_and_a_get_are_told_the_price() {
    let shop = Shop::open().await;
    shop.ask(Request::post("/api/x402/parrot").body(Body::empty()).unwrap()).await.is(402, "payment_required");
    shop.get("/api/x402/parrot").await.is(402, "payment_required");
    let head = shop.ask(Request::head("/api/x402/parrot").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.bytes.len()), (402, 0));
    assert!(!head.offers().accepts.is_empty());
}

#[tokio::test]
async fn b17_a_browser_that_navigates_to_a_paid_url_gets_a_page_and_the_header() {
    let shop = Shop::open().await;
    let request = Request::get("/api/x402/parrot").header("accept", "text/html").header("user-agent", "Mozilla/5.0");
    let answer = shop.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("content-type")), (402, Some("text/html; charset=utf-8")));
    assert!(String::from_utf8_lossy(&answer.bytes).contains("/agents/parrot"));
    assert!(!answer.offers().accepts.is_empty());
}

#[tokio::test]
async fn a_slash_at_the_end_is_the_same_path() {
    let shop = Shop::open().await;
    shop.ask(post("/api/x402/parrot/", "").body(Body::from(body("x"))).unwrap()).await.is(402, "payment_required");
    shop.get("/api/x402/parrot/").await.is(402, "payment_required");
}

#[tokio::test]
async fn other_methods_and_other_agents_are_said_to_be_so() {
    let shop = Shop::open().await;
    for method in ["PUT", "PATCH", "DELETE"] {
        let request = Request::builder().method(method).uri("/api/x402/parrot").body(Body::empty()).unwrap();
        shop.ask(request).await.is(405, "method_not_allowed");
    }
    shop.price("no-such-bird", "x").await.is(404, "no_such_agent");
    shop.get("/api/x402/no-such-bird/").await.is(404, "no_such_agent");
    let preflight = shop.ask(Request::options("/api/x402/parrot").body(Body::empty()).unwrap()).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("PAYMENT-SIGNATURE"));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn an_unpaid_call_writes_no_row_and_asks_no_chain() {
    // Nothing listens there: a request that asked the chain would fail.
    let node = std::sync::Arc::new(crate::harness::Node::start());
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let nowhere = vec!["http://127.0.0.1:1".parse().unwrap()];
    let shop = Shop::at(node, data, Staff::All, nowhere).await;
    shop.price("parrot", "hello").await.is(402, "payment_required");
    let hash = format!("0x{}", "ab".repeat(32));
    shop.visitor(1).call_with(&shop, "parrot", "x", &[("x-payment", &hash)]).await.is(401, "payer_not_proven");
    let audit = shop.desk.books.audit().await.unwrap();
    assert_eq!((audit.runs, audit.deposits, audit.entries), (0, 0, 0));
}

#[tokio::test]
async fn o1_a_header_that_is_no_payment_never_runs_an_agent() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    for header in ["foo", "0x", "e30=", "%%%", "x402"] {
        ada.call_with(&shop, "parrot", "o1", &[("x-payment", header)]).await.is(400, "bad_payment_header");
    }
    assert_eq!(crate::agents::worked_on("o1"), 0);
}

#[tokio::test]
async fn what_is_on_sale_is_told_as_json() {
    let shop = Shop::open().await;
    let cards = shop.get("/api/agents").await.json();
    assert_eq!(cards[0]["slug"], json!("parrot"));
    assert_eq!(cards[0]["url"], json!("http://127.0.0.1:4020/api/x402/parrot"));
    assert_eq!(cards[0]["prices"][0]["amount"], json!(PRICE.to_string()));
}

#[tokio::test]
async fn a_form_post_of_a_browser_is_told_the_price_and_not_sent_back() {
    let shop = Shop::open().await;
    let request =
        post("/api/x402/parrot", "").header("accept", "text/html").header("referer", "http://127.0.0.1:4020/agents/parrot");
    shop.ask(request.body(Body::from(body("x"))).unwrap()).await.is(402, "payment_required");
}

#[tokio::test]
async fn n03_to_n05_what_is_no_payment_is_a_bad_header_and_nothing_else() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let base64 = |json: serde_json::Value| BASE64_STANDARD.encode(json.to_string());
    let offers = shop.offer("parrot").await;
    let transaction = json!({ "transaction": format!("0x{}", "ab".repeat(32)) });
    let good = payload(&offers, transaction.clone());
    let other = payload(&offers, json!({ "transaction": format!("0x{}", "cd".repeat(32)) }));
    let of_version =
        |version: u8| base64(json!({ "x402Version": version, "accepted": offers.accepts[0], "payload": transaction }));
    let url_safe = BASE64_URL_SAFE.encode([0xff, 0xfe, 0xff, 0xfe]);
    let (list, padded) = (base64(json!([])), good.trim_end_matches('=').to_owned() + "====");
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("x-payment", "%%%")],
        vec![("x-payment", &url_safe)],
        vec![("x-payment", "e30")],
        vec![("payment-signature", &padded)],
        vec![("x-payment", &list)],
        vec![("payment-signature", &good), ("x-payment", &other)],
        vec![("x-payment", &good), ("x-payment", &good)],
    ];
    let (third, first) = (of_version(3), of_version(1));
    let versions = [vec![("payment-signature", third.as_str())], vec![("payment-signature", first.as_str())]];
    for headers in cases.iter().chain(&versions) {
        let answer = ada.call_with(&shop, "parrot", "bad", headers).await;
        answer.is(400, "bad_payment_header");
        assert!(answer.header("payment-required").is_none(), "{headers:?}");
    }
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
}
