//! x402 over MCP: every agent is a tool; the demand for money is a tool's result; a paid call takes the same way as over HTTP.

use axum::body::Body;
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    dollars::{Eip3009, PRICE, offer_by, shop_for_dollars, taken},
    harness::{Shop, post},
};

/// One JSON-RPC request to `/mcp`; its result.
async fn ask(shop: &Shop, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = post("/mcp", "")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .header("host", "127.0.0.1:4020")
        .body(Body::from(request.to_string()))
        .unwrap();
    let answer = shop.ask(request).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    let text = String::from_utf8(answer.bytes).unwrap();
    // A stream of events with one that holds the answer, or the answer itself.
    let json = text.lines().filter_map(|line| line.strip_prefix("data:")).find(|data| data.contains("\"id\"")).unwrap_or(&text);
    let said: Value = serde_json::from_str(json.trim()).unwrap_or_else(|_| panic!("no JSON: {text}"));
    assert!(said.get("error").is_none(), "{said}");
    said["result"].clone()
}

async fn call(shop: &Shop, tool: &str, say: &str, payment: Option<&Value>) -> Value {
    let mut params = json!({ "name": tool, "arguments": { "say": say } });
    if let Some(payment) = payment {
        params["_meta"] = json!({ "x402/payment": payment });
    }
    ask(shop, "tools/call", params).await
}

#[track_caller]
fn demanded(result: &Value) -> coinslot::x402::wire::PaymentRequired {
    assert_eq!(result["isError"], true, "{result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"], "the same as text");
    serde_json::from_value(result["structuredContent"].clone()).unwrap()
}

#[tokio::test]
async fn every_agent_is_a_tool_with_its_schema() {
    let shop = Shop::open().await;
    let tools = ask(&shop, "tools/list", json!({})).await["tools"].clone();
    let names: Vec<_> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["parrot", "cockatoo", "macaw", "kea"]);
    assert_eq!(
        (&tools[0]["inputSchema"]["type"], &tools[0]["inputSchema"]["properties"]["say"]["type"]),
        (&json!("object"), &json!("string"))
    );
    assert!(tools[0]["description"].as_str().unwrap().contains("0.0001 MON"), "{}", tools[0]);
}

#[tokio::test]
async fn n37_a_tool_is_paid_like_a_call_and_for_itself_alone() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = demanded(&call(&shop, "macaw", "by mcp", None).await);
    assert_eq!((offers.resource.url.as_str(), offers.accepts.len()), ("mcp://tool/macaw", 3));
    let signed = Eip3009::of(&ada.key, "mcp");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let payment = json!({
        "x402Version": 2, "resource": offers.resource, "accepted": offer_by(&offers, "eip3009"), "payload": payload,
    });
    // Another tool's payment.
    let refused = demanded(&call(&shop, "kea", "by mcp", Some(&payment)).await);
    assert_eq!((refused.error.as_deref(), worked_on("by mcp")), (Some("invalid_payment_requirements"), 0));

    let paid = call(&shop, "macaw", "by mcp", Some(&payment)).await;
    assert_ne!(paid["isError"], true, "{paid}");
    assert_eq!(paid["structuredContent"], json!({ "said": "by mcp" }));
    let receipt = &paid["_meta"]["x402/payment-response"];
    assert_eq!((&receipt["success"], &receipt["amount"]), (&json!(true), &json!(PRICE.to_string())));
    let again = call(&shop, "macaw", "by mcp", Some(&payment)).await;
    assert_eq!((&again["content"], worked_on("by mcp"), taken(&shop, &token).await), (&paid["content"], 1, PRICE));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn what_no_payment_can_help_asks_for_none() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let invalid = call(&shop, "macaw", "", None).await;
    assert_eq!((&invalid["isError"], &invalid["structuredContent"]["code"]), (&json!(true), &json!("invalid_input")));
    assert!(invalid["structuredContent"].get("accepts").is_none(), "nobody pays for a typo");

    let offers = demanded(&call(&shop, "macaw", "fail:mcp", None).await);
    let signed = Eip3009::of(&ada.key, "mcp fails");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let payment = json!({ "x402Version": 2, "accepted": offer_by(&offers, "eip3009"), "payload": payload });
    let failed = call(&shop, "macaw", "fail:mcp", Some(&payment)).await;
    assert_eq!((&failed["isError"], &failed["structuredContent"]["code"]), (&json!(true), &json!("agent_failed")));
    assert!(failed["_meta"].get("x402/payment-response").is_none(), "nothing was settled");
    assert_eq!(taken(&shop, &token).await, 0);
}
