//! What an operator's world does to a shop, as its visitors meet it: a full disk, a recipient that became a contract, proxies that write every
//! query down, and texts that no database keeps.

use axum::{
    body::Body,
    http::{Method, Request},
};
use coinslot::{server::recipient, x402::wire::Offer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    books::{both_databases, full_disk, room_again},
    dollars::{self, shop_for_dollars},
    harness::{Answer, Look, NETWORK, Node, PRICE, SHOP, Shop, Visitor, body, payload, post, proof},
    paying::eventually,
};

/// Some code: it takes what comes.
const CODE: &str = "0x00";

async fn get_with(shop: &Shop, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    shop.ask(request.body(Body::empty()).unwrap()).await
}

both_databases! {
    async fn s7_a_full_disk_is_503_before_anybody_pays_and_safe_for_those_who_have(books: &TestBooks) {
        let shop = Shop::with_books((**books).clone()).await;
        let ada = shop.signed_in(1).await;
        let offers = shop.offer("parrot").await;
        let payment = proof(&offers, ada.paid(&shop, PRICE).await);
        books.tamper(&full_disk(books.kind(), &["runs", "watches", "probes"])).await;

        // Who has paid keeps the payment, and is asked for no other.
        let told = ada.call(&shop, "parrot", "full", &payment).await;
        told.is(503, "verifier_unavailable");
        assert_eq!((&told.json()["retry"], told.header("payment-required")), (&json!("same_payment"), None));
        assert!(told.header("retry-after").is_some());
        // Who has not is told no price, however it is asked for, and no wallet opens.
        let watched = crate::watching::watch(&shop, &ada, "contract-xray", "full").await;
        watched.is(503, "verifier_unavailable");
        let asked = [shop.price("parrot", "full").await, shop.get("/api/x402/parrot").await];
        for answer in asked {
            answer.is(503, "agent_unavailable");
            assert!(answer.header("payment-required").is_none() && answer.header("retry-after").is_some());
        }
        let by_tool = crate::mcp::call(&shop, "parrot", "full", None).await;
        assert!(by_tool["structuredContent"].get("accepts").is_none(), "{by_tool}");
        assert_eq!(shop.get("/readyz").await.status, 503);
        assert_eq!(shop.get("/healthz").await.status, 200, "it lives");

        books.tamper(&room_again(books.kind(), &["runs", "watches", "probes"])).await;
        eventually(async || shop.price("parrot", "full").await.status == 402).await;
        eventually(async || shop.get("/readyz").await.status == 200).await;
        ada.call(&shop, "parrot", "full", &payment).await.said("full");
        shop.assert_balanced().await;
    }

    async fn s7_readiness_is_a_write_that_all_who_ask_share(books: &TestBooks) {
        let shop = Shop::with_books((**books).clone()).await;
        for _ in 0..30 {
            assert_eq!(shop.get("/readyz").await.status, 200);
        }
        // One; and one more for each write that was refused to another test of this process meanwhile.
        let rows = books.tamper("update probes set tried_ms = tried_ms").await;
        assert!((1..=9).contains(&rows), "{rows}");
    }

    async fn s7_nul_in_a_text_is_400_whichever_database_is_behind(books: &TestBooks) {
        let shop = Shop::with_books((**books).clone()).await;
        let ada = shop.signed_in(1).await;
        let offers = shop.offer("parrot").await;

        // The input, before its price is told and with a payment.
        let say = "a\0b";
        shop.price("parrot", say).await.is(400, "invalid_input");
        let payment = proof(&offers, ada.paid(&shop, PRICE).await);
        ada.call(&shop, "parrot", say, &payment).await.is(400, "invalid_input");
        // What only looks like one is a text like others.
        ada.call(&shop, "parrot", r"a\u0000b", &payment).await.said(r"a\u0000b");

        // A payment's own texts, and a name that its client gives it.
        for (name, value) in [("credit", "x\0y"), ("credit", "\0")] {
            let payment = payload(&offers, json!({ name: value }));
            ada.call(&shop, "parrot", "nul", &payment).await.is(400, "bad_payment_header");
        }
        for change in ["/accepted/network", "/accepted/extra/offer", "/resource/url"] {
            let mut payment = json!({ "x402Version": 2, "resource": offers.resource, "accepted": offers.accepts[0],
                "payload": { "credit": "00000000-0000-4000-8000-000000000001" } });
            *payment.pointer_mut(change).unwrap() = json!("eip155:1\0");
            let payment = base64(&payment);
            ada.call(&shop, "parrot", "nul", &payment).await.is(400, "bad_payment_header");
        }
        let named = json!({ "x402Version": 2, "resource": offers.resource, "accepted": offers.accepts[0],
            "payload": { "credit": "00000000-0000-4000-8000-000000000001" },
            "extensions": { "payment-identifier": { "info": { "required": false, "id": "0123456789abcdef\0" } } } });
        ada.call(&shop, "parrot", "nul", &base64(&named)).await.is(400, "bad_payment_header");

        // A watch, field by field.
        let watch = json!({ "network": NETWORK, "agent": "contract-xray", "input": body("x"), "watch": null });
        for field in ["network", "agent", "input", "watch"] {
            let mut watch = watch.clone();
            watch[field] = json!("x\0");
            posts(&shop, &ada, "/api/watch", &watch).await.is(400, "invalid_input");
        }
        let mut hidden = watch.clone();
        hidden["input"] = json!(body(say));
        posts(&shop, &ada, "/api/watch", &hidden).await.is(400, "invalid_input");

        // A sign-in, names in a path, and what pages are asked for.
        let sign_in = json!({ "message": "x\0", "signature": "0x00" });
        posts(&shop, &ada, "/api/session", &sign_in).await.is(400, "invalid_input");
        for path in ["/api/runs/%00", "/api/x402/%00", "/runs/%00", "/agents/%00", "/history?before=%00", "/api/page/history?before=%00", "/api/runs/x?key=%00"] {
            ada.get(&shop, path).await.is(400, "invalid_input");
        }
        let mut dismissed = Request::builder().method(Method::DELETE).uri("/api/watch?watch=a%00b");
        dismissed = dismissed.header("cookie", ada.cookie.as_deref().unwrap());
        shop.ask(dismissed.body(Body::empty()).unwrap()).await.is(400, "invalid_input");
        // Over MCP as over HTTP.
        let by_tool = crate::mcp::call(&shop, "parrot", say, None).await;
        assert_eq!(by_tool["structuredContent"]["code"], "invalid_input", "{by_tool}");
        shop.assert_balanced().await;
    }
}

fn base64(value: &Value) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, value.to_string())
}

async fn posts(shop: &Shop, visitor: &Visitor, path: &str, text: &Value) -> Answer {
    let request = post(path, "").header("cookie", visitor.cookie.as_deref().unwrap());
    shop.ask(request.body(Body::from(text.to_string())).unwrap()).await
}

fn is_coin(offer: &Offer) -> bool {
    offer.is_native()
}

#[tokio::test]
async fn s7_the_coin_is_not_offered_while_pay_to_has_code() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let stop = CancellationToken::new();
    let looking = tokio::spawn(recipient::keep_looking(shop.desk.clone(), shop.desk.chains[0].clone(), stop.clone()));
    let ada = shop.signed_in(1).await;
    let before = shop.offer("parrot").await;
    // A contract, then a delegation (EIP-7702), which runs code as well.
    for code in [CODE.to_owned(), format!("0xef0100{}", "77".repeat(20))] {
        shop.node.rpc("anvil_setCode", json!([SHOP, code])).await;
        eventually(async || shop.price("parrot", "code").await.status == 503).await;
        shop.price("parrot", "code").await.is(503, "agent_unavailable");
        crate::watching::watch(&shop, &ada, "contract-xray", "code").await.is(503, "agent_unavailable");
        shop.node.rpc("anvil_setCode", json!([SHOP, "0x"])).await;
        eventually(async || shop.price("parrot", "code").await.status == 402).await;
    }
    // What was offered before, and sent, is a payment all the same.
    shop.node.rpc("anvil_setCode", json!([SHOP, CODE])).await;
    eventually(async || shop.price("parrot", "code").await.status == 503).await;
    let hash =
        shop.node.send(json!({ "from": ada.address(), "to": SHOP, "value": format!("{PRICE:#x}"), "gas": "0x15f90" })).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "code", &proof(&before, hash)).await.said("code");
    stop.cancel();
    looking.await.unwrap();
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s7_tokens_are_offered_to_a_recipient_with_code_and_an_outage_changes_nothing() {
    let (shop, token) = shop_for_dollars().await;
    let chain = shop.desk.chains[0].clone();
    recipient::look(&shop.desk, &chain).await;
    assert!(shop.offer("macaw").await.accepts.iter().any(is_coin));
    shop.node.rpc("anvil_setCode", json!([SHOP, CODE])).await;
    recipient::look(&shop.desk, &chain).await;
    let offers = shop.offer("macaw").await;
    assert!(!offers.accepts.is_empty() && !offers.accepts.iter().any(is_coin), "{:?}", offers.accepts);
    let ada = shop.visitor(1);
    ada.call(&shop, "macaw", "dollars", &dollars::pays(&offers, &ada.key, &token, "s7")).await.said("dollars");
    // Where nobody answers, what was known stands.
    let away = coinslot::chain::Chain::new(coinslot::chain::ChainSettings {
        rpc_urls: vec!["http://127.0.0.1:1".parse().unwrap()],
        ..chain.settings().clone()
    });
    recipient::look(&shop.desk, &away).await;
    assert!(!shop.offer("macaw").await.accepts.iter().any(is_coin));
}

#[tokio::test]
async fn s7_a_runs_key_comes_in_a_header_and_stands_behind_the_hash_of_every_link() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.pays(&shop, PRICE).await);
    let pending = ada.glance(&shop, "parrot", "key", &payment).await;
    shop.node.finalize().await;
    let answer = ada.call(&shop, "parrot", "key", &payment).await;
    answer.said("key");
    let (path, key) = answer.header("content-location").unwrap().split_once("#key=").expect("behind the #");
    assert_eq!(pending.header("location").unwrap(), format!("{path}#key={key}"), "the same while it is under way");
    assert!(key.len() == 32 && !path.contains('?'));
    let id = path.rsplit('/').next().unwrap();

    // A program: in a header, whatever the case of its scheme; and as links of before had it.
    for value in [format!("Bearer {key}"), format!("bearer {key}")] {
        assert_eq!(get_with(&shop, path, &[("authorization", &value)]).await.json()["output"]["said"], "key");
    }
    assert_eq!(shop.get(&format!("{path}?key={key}")).await.json()["output"]["said"], "key");
    let stream = get_with(&shop, &format!("{path}/events"), &[("authorization", &format!("Bearer {key}"))]).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    // Nothing else opens it.
    let wrong = "0".repeat(32);
    for headers in [
        vec![],
        vec![("authorization", wrong.as_str())],
        vec![("authorization", key)],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Basic Zm9vOmJhcg==")],
    ] {
        get_with(&shop, path, &headers).await.is(404, "no_such_run");
    }
    get_with(&shop, path, &[("authorization", &format!("Bearer {wrong}"))]).await.is(404, "no_such_run");

    // A page: its script hands over what stands behind the # in a cookie of the page's path; its links have it there too.
    let page = format!("/runs/{id}");
    let cookie = format!("coinslot-key={key}");
    let bearer = format!("Bearer {key}");
    for header in [("cookie", cookie.as_str()), ("authorization", bearer.as_str())] {
        let shown = get_with(&shop, &page, &[header]).await;
        let html = String::from_utf8(shown.bytes).unwrap();
        assert_eq!(shown.status, 200, "{html}");
        assert!(html.contains(&format!("/receipts/{id}#key={key}")) && !html.contains("?key="), "{html}");
    }
    let of_before = String::from_utf8(shop.get(&format!("{page}?key={key}")).await.bytes).unwrap();
    assert!(of_before.contains(&format!("/receipts/{id}#key={key}")), "a link of before: {of_before}");
    let without = String::from_utf8(shop.get(&page).await.bytes).unwrap();
    assert!(!without.contains(&format!("/receipts/{id}")), "without it there is nothing to see: {without}");
    assert!(without.contains("#key=") && without.contains("coinslot-key="), "the page's script hands it over");
}

#[tokio::test]
async fn s7_a_programs_session_comes_in_the_same_header() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let token = ada.cookie.as_deref().unwrap().split_once('=').unwrap().1;
    let authorization = format!("Bearer {token}");
    let session = get_with(&shop, "/api/session", &[("authorization", &authorization)]).await.json();
    assert_eq!(session, ada.session(&shop).await);
    assert_eq!(session["address"], json!(ada.address()));
    // It pays as the cookie does, but for tools, where nobody's session does.
    let hash = ada.paid(&shop, PRICE).await;
    let payment = proof(&shop.offer("parrot").await, hash);
    let headers = [("payment-signature", payment.as_str()), ("authorization", authorization.as_str())];
    let stranger = shop.visitor(2);
    stranger.call_with(&shop, "parrot", "bearer", &headers).await.said("bearer");
    // And ends by it.
    let mut ends = Request::builder().method(Method::DELETE).uri("/api/session");
    ends = ends.header("authorization", &authorization);
    assert_eq!(shop.ask(ends.body(Body::empty()).unwrap()).await.status, 200);
    assert_eq!(ada.session(&shop).await["address"], Value::Null);
}
