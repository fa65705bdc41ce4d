//! x402 over MCP: every agent is a tool; the demand for money is a tool's result; a paid call takes the same way as over HTTP.

use std::net::SocketAddr;

use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    agents::{goes_on, worked_on},
    dollars::{Eip3009, PRICE, PURSE, offer_by, pays, shop_for_dollars, spend_elsewhere, taken},
    harness::{self, Answer, Shop, eventually_some, from_credit, payload_for, post},
    programs::{Native, signed_in_with, with_credit},
};

/// One JSON-RPC message to `/mcp`, in its exact bytes.
async fn send(shop: &Shop, message: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = post("/mcp", "")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .header("host", "127.0.0.1:4020");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    shop.ask(request.body(Body::from(message.to_owned())).unwrap()).await
}

/// The result of a request.
async fn asked(shop: &Shop, method: &str, params: Value, headers: &[(&str, &str)]) -> Value {
    let answer = send(shop, &request(method, params).to_string(), headers).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    let said = answer.json();
    assert!(said.get("error").is_none(), "{said}");
    said["result"].clone()
}

async fn ask(shop: &Shop, method: &str, params: Value) -> Value {
    asked(shop, method, params, &[]).await
}

fn request(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn of_tool(tool: &str, say: &str, payment: Option<&Value>) -> Value {
    let mut params = json!({ "name": tool, "arguments": { "say": say } });
    if let Some(payment) = payment {
        params["_meta"] = json!({ "x402/payment": payment });
    }
    params
}

pub async fn call(shop: &Shop, tool: &str, say: &str, payment: Option<&Value>) -> Value {
    ask(shop, "tools/call", of_tool(tool, say, payment)).await
}

/// As `_meta` carries it: what a header would have in base64.
fn object(payment: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(payment).unwrap()).unwrap()
}

/// An error of ours, which asks for no money.
#[track_caller]
fn told<'r>(result: &'r Value, code: &str) -> &'r Value {
    let said = &result["structuredContent"];
    assert_eq!((&result["isError"], said["code"].as_str()), (&json!(true), Some(code)), "{result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, said, "the same as text");
    assert!(said.get("accepts").is_none(), "{result}");
    said
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
    assert_eq!(names, ["parrot", "cockatoo", "macaw", "kea", "galah", "heron"]);
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
    let receipt = &failed["_meta"]["x402/payment-response"];
    assert_eq!((&receipt["success"], &receipt["errorReason"]), (&json!(false), &json!("agent_failed")), "nothing was settled");
    assert_eq!(taken(&shop, &token).await, 0);
}

#[tokio::test]
async fn whatever_a_tool_says_fits_the_schema_that_it_is_listed_with() {
    // The official SDK checks structured content against it, that of errors too.
    let (shop, token) = shop_for_dollars().await;
    let tools = ask(&shop, "tools/list", json!({})).await["tools"].clone();
    let macaw = tools.as_array().unwrap().iter().find(|tool| tool["name"] == "macaw").unwrap();
    assert_eq!((&macaw["title"], &macaw["annotations"]["readOnlyHint"]), (&json!("Parrot"), &json!(false)), "a call costs money");
    assert!(macaw["description"].as_str().unwrap().contains("0.0001 MON or 0.001 USDC"), "{macaw}");
    for schema in ["inputSchema", "outputSchema"] {
        assert_eq!((&macaw[schema]["type"], macaw[schema].get("$schema")), (&json!("object"), None), "{macaw}");
    }
    assert!(jsonschema::validator_for(&macaw["inputSchema"]).unwrap().is_valid(&json!({ "say": "it fits" })));
    let fits = jsonschema::validator_for(&macaw["outputSchema"]).unwrap();
    assert!(!fits.is_valid(&json!({})), "it says something");
    let unpaid = call(&shop, "macaw", "it fits", None).await;
    let payment = object(&pays(&demanded(&unpaid), &shop.visitor(1).key, &token, "it fits"));
    for said in [unpaid, call(&shop, "macaw", "", None).await, call(&shop, "macaw", "it fits", Some(&payment)).await] {
        assert!(fits.is_valid(&said["structuredContent"]), "{said}");
    }
}

#[tokio::test]
async fn a_demand_says_how_the_tool_is_called() {
    let shop = Shop::open().await;
    let offers = demanded(&call(&shop, "parrot", "a demand", None).await);
    let bazaar = &offers.extensions["bazaar"];
    let input = &bazaar["info"]["input"];
    assert_eq!(
        (&input["type"], &input["toolName"], &input["inputSchema"]["type"]),
        (&json!("mcp"), &json!("parrot"), &json!("object"))
    );
    assert!(jsonschema::validator_for(&bazaar["schema"]).unwrap().is_valid(&bazaar["info"]), "{bazaar}");
    assert_eq!(shop.offer("parrot").await.extensions["bazaar"]["info"]["input"]["type"], "http", "over HTTP as ever");
}

#[tokio::test]
async fn a_native_proof_is_over_the_canonical_arguments() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let hash = ada.paid(&shop, harness::PRICE).await;
    let offers = demanded(&call(&shop, "parrot", "ça va", None).await);
    // Other bytes of the same JSON.
    let sent = r#"{ "say" : "\u00e7a va" }"#;
    let shown = async |body: &str, key| {
        let proof = Native { body: body.to_owned(), ..Native::of(&offers, hash, &ada.key, "") };
        let payment = object(&payload_for(&offers, offer_by(&offers, "transaction-proof"), proof.payload(key)));
        let params = format!(r#"{{"name":"parrot","arguments":{sent},"_meta":{{"x402/payment":{payment}}}}}"#);
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        send(&shop, &message, &[]).await.json()["result"].clone()
    };
    told(&shown(sent, &ada.key).await, "payer_not_proven");
    told(&shown(r#"{"say":"ça va"}"#, &eve.key).await, "payer_mismatch");
    let paid = shown(r#"{"say":"ça va"}"#, &ada.key).await;
    assert_eq!((&paid["structuredContent"], worked_on("ça va")), (&json!({ "said": "ça va" }), 1), "{paid}");
    assert_eq!(paid["_meta"]["x402/payment-response"]["transaction"], json!(hash));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payment_that_is_under_way_is_never_asked_for_again() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let offers = demanded(&call(&shop, "parrot", "under way", None).await);
    let hash = ada.pays(&shop, harness::PRICE).await;
    let proof = Native::of(&offers, hash, &ada.key, "under way").payload(&ada.key);
    let payment = object(&payload_for(&offers, offer_by(&offers, "transaction-proof"), proof));
    let params = of_tool("parrot", "under way", Some(&payment));
    let pending = asked(&shop, "tools/call", params.clone(), &[("prefer", "wait=0")]).await;
    let said = told(&pending, "payment_pending");
    assert_eq!(said["retry"], "same_payment");
    let run = said["runUrl"].as_str().unwrap().strip_prefix(harness::PUBLIC_URL).unwrap();
    assert_eq!(
        (shop.get(run).await.status, &pending["_meta"]["coinslot/run"]),
        (200, &said["runUrl"]),
        "with its key and no session"
    );
    shop.node.finalize().await;
    let paid = ask(&shop, "tools/call", params).await;
    assert_eq!((&paid["structuredContent"], worked_on("under way")), (&json!({ "said": "under way" }), 1), "{paid}");
}

#[tokio::test]
async fn what_cannot_be_settled_is_withheld_from_a_model_too() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let input = "gate:nobody reads this";
    let offers = demanded(&call(&shop, "macaw", input, None).await);
    let payment = object(&pays(&offers, &ada.key, &token, input));
    let params = of_tool("macaw", input, Some(&payment));
    told(&asked(&shop, "tools/call", params.clone(), &[("prefer", "wait=0")]).await, "running");
    // While the agent works: before that, her balance is looked at.
    eventually_some(async || (worked_on(input) == 1).then_some(())).await;
    spend_elsewhere(&shop, &token, ada.address(), PURSE).await;
    goes_on(input, 1);
    let failed = ask(&shop, "tools/call", params).await;
    assert!(!demanded(&failed).accepts.is_empty(), "another payment can help");
    let receipt = &failed["_meta"]["x402/payment-response"];
    assert_eq!((&receipt["success"], &receipt["transaction"]), (&json!(false), &json!("")), "{receipt}");
    assert_eq!(failed["_meta"]["coinslot/error"]["code"], "settlement_failed");
    assert_eq!(worked_on(input), 1, "it was worked for");
    assert!(!failed.to_string().contains("nobody reads this"), "and nobody reads it");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_cookie_pays_for_no_tool_and_a_signed_sign_in_does() {
    let shop = Shop::open().await;
    let ada = with_credit(&shop).await;
    let offers = demanded(&call(&shop, "parrot", "from credit by mcp", None).await);
    let payment = object(&from_credit(&offers, "0d8f5c0e-0f7e-4f57-8c5c-3c6d4c1d7a05"));
    let params = of_tool("parrot", "from credit by mcp", Some(&payment));
    let session = shop.signed_in(1).await.cookie.unwrap();
    told(&asked(&shop, "tools/call", params.clone(), &[("cookie", &session)]).await, "not_signed_in");
    let signed = signed_in_with(&offers, &ada.key, |_| {});
    let paid = asked(&shop, "tools/call", params, &[("sign-in-with-x", &signed)]).await;
    assert_eq!(paid["structuredContent"], json!({ "said": "from credit by mcp" }), "{paid}");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payment_that_cannot_be_read_is_told_so() {
    let shop = Shop::open().await;
    for payment in
        [json!(null), json!("0x00"), json!({}), json!({ "x402Version": 3 }), json!({ "x402Version": 2, "payload": {} })]
    {
        told(&call(&shop, "parrot", "unreadable", Some(&payment)).await, "bad_payment_header");
    }
    told(&call(&shop, "parrot", &"x".repeat(5000), None).await, "too_large");
    told(&ask(&shop, "tools/call", json!({ "name": "parrot" })).await, "invalid_input");
    let nobody = send(&shop, &request("tools/call", of_tool("dodo", "x", None)).to_string(), &[]).await.json();
    assert_eq!(nobody["error"]["code"], -32602, "{nobody}");
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
}

#[tokio::test]
async fn m3_a_payment_beside_arguments_that_are_no_call_is_followed_and_asked_for_no_more() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let offers = demanded(&call(&shop, "parrot", "m3 by mcp", None).await);
    let unused = |said: &Value| {
        let sentence = said["error"].as_str().unwrap_or_default();
        assert_eq!(said["retry"], "same_payment", "{said}");
        assert!(sentence.contains("the payment was not used") && !sentence.contains("Nothing was charged"), "{said}");
    };
    let hash = ada.paid(&shop, harness::PRICE).await;
    let proof = Native { body: r#"{"say":"m3 by mcp"}"#.into(), ..Native::of(&offers, hash, &ada.key, "") }.payload(&ada.key);
    let payment = object(&payload_for(&offers, offer_by(&offers, "transaction-proof"), proof));
    let with =
        |tool: &str, arguments: Value| json!({ "name": tool, "arguments": arguments, "_meta": { "x402/payment": payment } });
    for (arguments, code) in [
        (json!({ "say": "" }), "invalid_input"),
        (json!({}), "invalid_input"),
        (json!({ "say": "x", "more": 1 }), "invalid_input"),
        (json!({ "say": 7 }), "invalid_input"),
        (json!({ "say": "x".repeat(5000) }), "too_large"),
        (json!([]), "bad_json"),
        (json!("say"), "bad_json"),
    ] {
        let result = ask(&shop, "tools/call", with("parrot", arguments)).await;
        unused(told(&result, code));
        let receipt = &result["_meta"]["x402/payment-response"];
        assert_eq!((&receipt["success"], &receipt["errorReason"]), (&json!(false), &json!(code)), "{result}");
    }
    let none = send(&shop, &request("tools/call", with("dodo", json!({ "say": "x" }))).to_string(), &[]).await.json();
    assert_eq!((&none["error"]["code"], &none["error"]["data"]["code"]), (&json!(-32602), &json!("no_such_agent")), "{none}");
    unused(&none["error"]["data"]);
    let credit =
        async || shop.desk.books.balance(ada.address(), &coinslot::money::Asset::native(harness::NETWORK)).await.unwrap();
    crate::paying::eventually(async || credit().await == coinslot::money::Amount::from_atomic(harness::PRICE)).await;
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
    // What cannot be read is not used either; and the same payment still buys its call.
    let unreadable = json!({ "name": "parrot", "arguments": {}, "_meta": { "x402/payment": "0x00" } });
    unused(told(&ask(&shop, "tools/call", unreadable).await, "invalid_input"));
    let paid = ask(&shop, "tools/call", with("parrot", json!({ "say": "m3 by mcp" }))).await;
    assert_eq!(paid["structuredContent"], json!({ "said": "m3 by mcp" }), "{paid}");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_client_from_anywhere_shakes_hands_lists_and_buys_over_a_socket() {
    let (shop, token) = shop_for_dollars().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let service = shop.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    let http = coinslot::http_client::builder().build().unwrap();
    // As a page of another origin, under a name that was bound to this address.
    let base = |request: reqwest::RequestBuilder| {
        request
            .header("accept", "application/json, text/event-stream")
            .header("origin", "https://elsewhere.example")
            .header("host", "rebound.example")
    };
    let sends = async |message: Value| base(http.post(&url)).json(&message).send().await.unwrap();
    let result = async |method: &str, params: Value| {
        let answer = sends(request(method, params)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert!(answer.headers().get("mcp-session-id").is_none(), "nothing is kept of a client");
        answer.json::<Value>().await.unwrap()["result"].clone()
    };

    let client = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
    let hello = result("initialize", client).await;
    assert_eq!((&hello["protocolVersion"], &hello["serverInfo"]["name"]), (&json!("2025-06-18"), &json!("coinslot")));
    let noted = sends(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    assert_eq!(noted.status(), 202);
    assert_eq!(base(http.get(&url)).send().await.unwrap().status(), 405, "no stream of the server's own");
    assert_eq!(base(http.delete(&url)).send().await.unwrap().status(), 405, "no session to end");

    assert_eq!(result("tools/list", json!({})).await["tools"][2]["name"], "macaw");
    let offers = demanded(&result("tools/call", of_tool("macaw", "by socket", None)).await);
    let payment = object(&pays(&offers, &shop.visitor(1).key, &token, "by socket"));
    let paid = result("tools/call", of_tool("macaw", "by socket", Some(&payment))).await;
    assert_eq!((&paid["structuredContent"], taken(&shop, &token).await), (&json!({ "said": "by socket" }), PRICE), "{paid}");
    server.abort();
}
