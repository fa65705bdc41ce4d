//! A shop with a model, and somebody who buys there.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use coinslot::model::Model;
use serde_json::{Value, json};

use crate::harness::{Answer, Node, Shop, Staff, Visitor, post, proof};

/// A clone (EIP-1167): it reads the same on every network, and no node is asked.
pub const CLONE: &str = "0x363d3d373d3d3d363d735fbdb2315678afecb367f032d93f642f64180aa35af43d82803e903d91602b57fd5bf3";

pub async fn shop(model: Option<Model>) -> Shop {
    Shop::with_model(Arc::new(Node::start()), Arc::new(tempfile::tempdir().unwrap()), Staff::All, model).await
}

/// A call without a payment.
pub async fn price(shop: &Shop, agent: &str, input: &Value) -> Answer {
    shop.ask(post(&format!("/api/x402/{agent}"), "").body(Body::from(input.to_string())).unwrap()).await
}

/// Asks for the price, pays it, and waits for what comes of it.
pub async fn buy(shop: &Shop, ada: &Visitor, agent: &str, input: &Value) -> Answer {
    let offers = price(shop, agent, input).await.offers();
    let wei = offers.accepts[0].amount.to_string().parse().unwrap();
    let payment = proof(&offers, ada.paid(shop, wei).await);
    show(shop, ada, agent, input, &payment).await
}

/// Shows a payment until it is known what came of it.
pub async fn show(shop: &Shop, ada: &Visitor, agent: &str, input: &Value, payment: &str) -> Answer {
    let ask = || {
        let request = post(&format!("/api/x402/{agent}"), "").header("payment-signature", payment);
        let request = request.header("cookie", ada.cookie.as_deref().unwrap());
        request.body(Body::from(input.to_string())).unwrap()
    };
    tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            let answer = shop.ask(ask()).await;
            if answer.status != 202 {
                return answer;
            }
        }
    })
    .await
    .expect("it ends")
}

/// The run that an answer came from, as its payer reads it.
pub async fn run_of(shop: &Shop, answer: &Answer) -> Value {
    shop.get(answer.header("content-location").expect("it says where its run is")).await.json()
}

/// One request of MCP, to the shop's own server.
pub async fn mcp(shop: &Shop, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .header("host", "127.0.0.1:4020");
    let answer = shop.ask(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    answer.json()["result"].clone()
}
