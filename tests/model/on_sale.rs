//! Whether Analyst can be bought is known before anybody pays (D7): not where there is no model, and not while it is away.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    bed::{CLONE, buy, mcp, price, shop, show},
    harness::{Answer, Shop, post, proof},
    script::{Play, Script, calls, concludes, nobody},
};

fn question() -> Value {
    json!({ "question": "Is it safe?" })
}

/// Every way to ask for its price.
async fn prices(shop: &Shop) -> Vec<Answer> {
    let request = |method: &str, path: &str, body: Body| {
        Request::builder().method(method).uri(path).header("content-type", "application/json").body(body).unwrap()
    };
    let mut answers = Vec::new();
    for path in ["/api/x402/analyst", "/api/x402/analyst/"] {
        answers.push(shop.ask(request("POST", path, Body::from(question().to_string()))).await);
        answers.push(shop.ask(request("POST", path, Body::empty())).await);
        answers.push(shop.ask(request("GET", path, Body::empty())).await);
    }
    answers
}

fn tool_names(listed: &Value) -> Vec<String> {
    listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn without_a_model_it_is_nowhere_on_sale() {
    let shop = shop(None).await;
    for document in ["/api/agents", "/openapi.json", "/llms.txt", "/.well-known/x402", "/"] {
        let answer = shop.get(document).await;
        let text = String::from_utf8_lossy(&answer.bytes).to_lowercase();
        assert!(answer.status == 200 && text.contains("contract-xray") && !text.contains("analyst"), "{document}");
    }
    let tools = tool_names(&mcp(&shop, "tools/list", json!({})).await);
    assert!(tools.contains(&"contract-xray".to_owned()) && !tools.contains(&"analyst".to_owned()), "{tools:?}");
    for answer in prices(&shop).await {
        answer.is(503, "agent_unavailable");
        assert!(answer.header("payment-required").is_none());
        assert!(answer.json()["error"].as_str().unwrap().contains("needs a language model, and this shop has none"));
    }
    let page = String::from_utf8(shop.get("/agents/analyst").await.bytes).unwrap();
    assert!(page.contains("not on sale here") && !page.contains("What you pay"), "its page says so");
}

#[tokio::test]
async fn with_one_it_is_sold_like_any_other() {
    let script = Script::of([]).await;
    let shop = shop(Some(script.model())).await;
    for document in ["/api/agents", "/openapi.json", "/llms.txt", "/.well-known/x402", "/"] {
        assert!(String::from_utf8_lossy(&shop.get(document).await.bytes).contains("/analyst"), "{document}");
    }
    assert!(tool_names(&mcp(&shop, "tools/list", json!({})).await).contains(&"analyst".to_owned()));
    for answer in prices(&shop).await {
        answer.is(402, "payment_required");
    }
    assert_eq!(script.looks(), 1, "one look answers all who ask within a few seconds");
    let long = json!({ "question": "x".repeat(2001) });
    price(&shop, "analyst", &long).await.is(400, "invalid_input");
    assert!(script.asked().is_empty(), "nobody paid, so nobody thought");
    let page = String::from_utf8(shop.get("/agents/analyst").await.bytes).unwrap();
    assert!(page.contains("What you pay") && !page.contains("not on sale here"));
}

#[tokio::test]
async fn away_it_says_so_before_it_is_paid_and_the_others_are_sold() {
    let script = Script::of([]).await;
    script.looks_like(503);
    for model in [script.model(), nobody().await] {
        let shop = shop(Some(model)).await;
        for answer in prices(&shop).await {
            answer.is(503, "agent_unavailable");
            assert!(answer.header("payment-required").is_none() && answer.header("retry-after").is_some());
        }
        let called = mcp(&shop, "tools/call", json!({ "name": "analyst", "arguments": question() })).await;
        assert_eq!(
            (&called["isError"], &called["structuredContent"]["code"]),
            (&json!(true), &json!("agent_unavailable")),
            "{called}"
        );
        price(&shop, "contract-xray", &json!({ "bytecode": CLONE })).await.is(402, "payment_required");
        assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
    }
}

#[tokio::test]
async fn a_payment_made_before_it_went_away_is_never_lost() {
    let look = calls(&[("contract_xray", json!({ "bytecode": CLONE }))]);
    let script = Script::of([look, concludes("A clone [1].", &[1]), Play::Status(500, None, "{}")]).await;
    let shop = shop(Some(script.model())).await;
    let ada = shop.signed_in(1).await;
    assert_eq!(buy(&shop, &ada, "analyst", &question()).await.status, 200);

    // Its price was told, it was paid, and then the model went: the run fails, and the price is credit.
    let other = json!({ "question": "And now?" });
    let offers = price(&shop, "analyst", &other).await.offers();
    let wei: u128 = offers.accepts[0].amount.to_string().parse().unwrap();
    let payment = proof(&offers, ada.paid(&shop, wei).await);
    show(&shop, &ada, "analyst", &other, &payment).await.is(500, "agent_failed");
    assert_eq!(ada.credit(&shop).await, wei.to_string());
    // The next visitor is told before he pays.
    price(&shop, "analyst", &question()).await.is(503, "agent_unavailable");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn what_was_bought_is_read_after_the_model_is_gone() {
    let look = calls(&[("contract_xray", json!({ "bytecode": CLONE }))]);
    let script = Script::of([look, concludes("A clone [1].", &[1])]).await;
    let shop = shop(Some(script.model())).await;
    let ada = shop.signed_in(1).await;
    let offers = price(&shop, "analyst", &question()).await.offers();
    let wei: u128 = offers.accepts[0].amount.to_string().parse().unwrap();
    let payment = proof(&offers, ada.paid(&shop, wei).await);
    let first = show(&shop, &ada, "analyst", &question(), &payment).await;
    assert_eq!(first.status, 200);

    let (node, data) = (shop.node.clone(), shop.data.clone());
    drop(shop);
    let shop = Shop::with_model(node, data, crate::harness::Staff::All, None).await;
    let again = show(&shop, &ada, "analyst", &question(), &payment).await;
    assert_eq!((again.status, &again.bytes, again.header("x-idempotent-replay")), (200, &first.bytes, Some("true")));
    shop.ask(post("/api/x402/analyst", "").body(Body::from(question().to_string())).unwrap()).await.is(503, "agent_unavailable");
}
