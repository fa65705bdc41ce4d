//! Programs are read as the reference reads them, and read us: headers in every spelling, refusals in a receipt's place, facilitators that list.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{Method, Request, Uri},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use coinslot::{
    server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
    },
    x402::{
        facilitator::{Facilitator, Remote},
        wire::Settlement,
    },
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    dollars::{Eip3009, PRICE, chain_with_dollars, offer_by, pays, shop_for_dollars, taken, v1},
    harness::{Answer, NETWORK, Shop, Staff, Visitor, body, eventually_some, limits_off, payload_for, post, proof, settlement},
};

fn decoded(header: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap()
}

/// One whole payment for macaw, changed.
async fn shows(
    shop: &Shop,
    ada: &Visitor,
    token: &coinslot::network::Token,
    say: &str,
    change: impl FnOnce(&mut Value),
) -> Answer {
    let mut payment = decoded(&pays(&shop.offer("macaw").await, &ada.key, token, say));
    change(&mut payment);
    ada.call(shop, "macaw", say, &BASE64_STANDARD.encode(payment.to_string())).await
}

#[tokio::test]
async fn f3_a_payment_is_read_in_every_spelling_of_base64() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let mut paid = 0;
    // One more byte each time, so that every length of padding comes.
    for (at, spelled) in [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD].into_iter().enumerate() {
        for more in 0..3 {
            let say = format!("f3 base64 {at} {more}");
            let mut payment = decoded(&pays(&offers, &ada.key, &token, &say));
            payment["note"] = json!(format!("{}{}", ">?~".repeat(9), "x".repeat(more)));
            let header = spelled.encode(payment.to_string());
            ada.call_with(&shop, "macaw", &say, &[("payment-signature", &header)]).await.said(&say);
            paid += PRICE;
        }
    }
    assert_eq!(taken(&shop, &token).await, paid);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn f3_nulls_unknown_members_numbers_and_an_id_alone_change_nothing() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    shows(&shop, &ada, &token, "f3 nulls", |payment| {
        payment["resource"] = Value::Null;
        payment["extensions"] = Value::Null;
        payment["accepted"]["extra"]["finality"] = Value::Null;
    })
    .await
    .said("f3 nulls");
    shows(&shop, &ada, &token, "f3 unknown", |payment| {
        for place in ["", "/accepted", "/accepted/extra", "/payload", "/payload/authorization"] {
            payment.pointer_mut(place).unwrap()["another"] = json!({ "member": [1, null] });
        }
        payment["extensions"] = json!({ "another": { "info": {} }, "payment-identifier": null });
    })
    .await
    .said("f3 unknown");
    shows(&shop, &ada, &token, "f3 numbers", |payment| {
        payment["accepted"]["amount"] = json!(PRICE);
        let signed = &mut payment["payload"]["authorization"];
        for member in ["value", "validAfter", "validBefore"] {
            signed[member] = json!(signed[member].as_str().unwrap().parse::<u64>().unwrap());
        }
    })
    .await
    .said("f3 numbers");
    let named = |payment: &mut Value| {
        payment["extensions"] = json!({ "payment-identifier": { "info": { "id": "an-id-and-nothing-else" } } })
    };
    shows(&shop, &ada, &token, "f3 id", named).await.said("f3 id");
    shows(&shop, &ada, &token, "f3 id again", named).await.is(409, "payment_already_used");
    // What it would change is no unknown member: a second proof in the same payload.
    shows(&shop, &ada, &token, "f3 two", |payment| payment["payload"]["credit"] = json!("0d8f5c0e-0f7e-4f57-8c5c-3c6d4c1d7a09"))
        .await
        .is(400, "bad_payment_header");
    assert_eq!(taken(&shop, &token).await, 4 * PRICE);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn f3_version_1_may_name_its_network_as_version_2_does() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let signed = Eip3009::of(&ada.key, "f3 v1");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let answer = ada.call_with(&shop, "macaw", "f3 v1", &[("x-payment", &v1(NETWORK, &payload))]).await;
    answer.said("f3 v1");
    assert_eq!(settlement(&answer).network, NETWORK);
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

/// In the place of a receipt, under both names.
#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.bytes));
    let receipt = settlement(answer);
    let told = (receipt.success, receipt.transaction.as_str(), receipt.network.as_str(), receipt.error_reason.as_deref());
    assert_eq!(told, (false, "", NETWORK, Some(reason)), "{status}");
    let of_v1: Settlement = coinslot::x402::wire::decode(answer.header("x-payment-response").unwrap()).unwrap();
    assert_eq!((of_v1.success, of_v1.network.as_str(), of_v1.error_reason), (false, "local", receipt.error_reason));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("PAYMENT-RESPONSE"), "a page of another origin reads it too");
}

#[tokio::test]
async fn f3_every_refusal_of_a_payment_says_so_where_clients_read() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let good = pays(&offers, &ada.key, &token, "f3 refused");
    let path = "/api/x402/macaw";
    let with = |request: axum::http::request::Builder, text: String| {
        shop.ask(request.header("payment-signature", &good).body(Body::from(text)).unwrap())
    };
    refused(&ada.call_with(&shop, "macaw", "x", &[("payment-signature", "%%%")]).await, 400, "bad_payment_header");
    refused(&ada.call_with(&shop, "macaw", "x", &[("x-payment", "e30=")]).await, 400, "bad_payment_header");
    refused(&with(post(path, ""), "{".into()).await, 400, "bad_json");
    refused(&with(post(path, ""), body("")).await, 400, "invalid_input");
    refused(&with(post(path, ""), String::new()).await, 400, "bad_json");
    let hash = format!("0x{}", "ab".repeat(32));
    refused(&ada.call_with(&shop, "macaw", "x", &[("x-payment", &hash)]).await, 401, "payer_not_proven");
    let short = Eip3009 { value: 999, ..Eip3009::of(&ada.key, "f3 short") };
    let short = payload_for(&offers, offer_by(&offers, "eip3009"), short.payload(&short.sign(&ada.key, &token)));
    let answer = ada.call(&shop, "macaw", "x", &short).await;
    refused(&answer, 402, "invalid_exact_evm_payload_authorization_value_mismatch");
    assert!(!answer.offers().accepts.is_empty(), "beside fresh offers");
    refused(&with(post("/api/x402/dodo", ""), body("x")).await, 404, "no_such_agent");
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        refused(&with(Request::builder().method(method).uri(path), String::new()).await, 405, "method_not_allowed");
    }
    refused(&with(post(path, ""), body(&"x".repeat(5_000))).await, 413, "too_large");
    refused(&with(post(path, "").header("content-length", "2000000"), body(&"x".repeat(2_000_000))).await, 413, "too_large");
    refused(&with(Request::post(path), body("x")).await, 415, "unsupported_media_type");
    let foreign = post(path, "").header("cookie", "coinslot=x").header("origin", "https://elsewhere.example");
    let foreign = foreign.header("payment-signature", &good).body(Body::from(body("x"))).unwrap();
    refused(&Answer::of(shop.router.clone().oneshot(foreign).await.unwrap()).await, 403, "cross_site");

    // Another call for what is used already, and one that fails.
    ada.call(&shop, "macaw", "f3 refused", &good).await.said("f3 refused");
    refused(&ada.call(&shop, "macaw", "f3 another", &good).await, 409, "payment_already_used");
    let failing = pays(&offers, &ada.key, &token, "f3 fails");
    refused(&ada.call(&shop, "macaw", "fail:f3", &failing).await, 500, "agent_failed");

    // Too many requests, before anything of the payment is looked at.
    let limits = Limits { api: Quota::per_minute(1, 1), ..limits_off() };
    let router = coinslot::server::router::router(shop.desk.clone(), Site::new([]), None, Doorkeeper::new(limits, Vec::new()));
    let ask = || post(path, "").header("payment-signature", &good).body(Body::from(body("f3 refused"))).unwrap();
    let first = Answer::of(router.clone().oneshot(ask()).await.unwrap()).await;
    assert_eq!(first.status, 200);
    refused(&Answer::of(router.oneshot(ask()).await.unwrap()).await, 429, "rate_limited");

    // Payments wait for an operator: nobody knows, which is a refusal for now.
    shop.desk.set_halted(NETWORK);
    let late = pays(&offers, &ada.key, &token, "f3 halted");
    refused(&ada.call(&shop, "macaw", "f3 halted", &late).await, 503, "verifier_unavailable");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn f3_what_is_no_refusal_of_a_payment_has_no_receipt_of_one() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    for unpaid in [
        shop.price("parrot", "x").await,
        shop.price("parrot", "").await,
        shop.get("/api/x402/parrot").await,
        shop.price("dodo", "x").await,
    ] {
        assert!(unpaid.status >= 400 && unpaid.header("payment-response").is_none(), "{}", unpaid.status);
    }
    let hash = ada.pays(&shop, crate::harness::PRICE).await;
    let pending = ada.glance(&shop, "parrot", "f3 pending", &proof(&shop.offer("parrot").await, hash)).await;
    assert_eq!((pending.status, pending.header("payment-response")), (202, None), "{}", pending.json());
    // Coin that has arrived is paid, whatever the agent makes of it.
    let hash = ada.paid(&shop, crate::harness::PRICE).await;
    let failed = ada.call(&shop, "parrot", "fail:f3 coin", &proof(&shop.offer("parrot").await, hash)).await;
    failed.is(500, "agent_failed");
    assert!(settlement(&failed).success);
}

#[tokio::test]
async fn f3_the_body_of_a_402_in_coin_alone_says_where_to_look() {
    let (shop, _token) = shop_for_dollars().await;
    let ask = |path: &str, method: Method| {
        let text = if method == Method::POST { body("x") } else { String::new() };
        Request::builder().method(method).uri(path).header("content-type", "application/json").body(Body::from(text)).unwrap()
    };
    for method in [Method::POST, Method::GET] {
        let told = shop.ask(ask("/api/x402/parrot", method.clone())).await;
        told.is(402, "payment_required");
        let said = told.json();
        assert_eq!(said["accepts"], json!([]));
        let hint = said["hint"].as_str().unwrap();
        assert!(hint.contains("header PAYMENT-REQUIRED") && hint.contains("/llms.txt"), "{hint}");
        let both = shop.ask(ask("/api/x402/macaw", method)).await.json();
        assert!(both.get("hint").is_none() && !both["accepts"].as_array().unwrap().is_empty(), "{both}");
    }
}

#[tokio::test]
async fn f1_a_question_about_the_price_is_offered_no_sign_in_and_a_call_is() {
    let shop = Shop::open().await;
    let empty = Request::post("/api/x402/parrot").body(Body::empty()).unwrap();
    let page = Request::get("/api/x402/parrot").header("accept", "text/html").header("user-agent", "Mozilla/5.0");
    for (what, answer) in [
        ("GET", shop.get("/api/x402/parrot").await),
        ("HEAD", shop.ask(Request::head("/api/x402/parrot").body(Body::empty()).unwrap()).await),
        ("empty", shop.ask(empty).await),
        ("page", shop.ask(page.body(Body::empty()).unwrap()).await),
        ("slash", shop.get("/api/x402/parrot/").await),
    ] {
        let offers = answer.offers();
        assert_eq!(offers.extensions.keys().collect::<Vec<_>>(), ["bazaar", "payment-identifier"], "{what}");
        assert!(!offers.accepts.is_empty(), "{what}");
    }
    assert!(shop.offer("parrot").await.extensions.contains_key("sign-in-with-x"), "who calls may have credit");
}

/// A facilitator that writes down what it is asked, finds every payment good, and settles none.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(String, Value)>>>);

impl Recorder {
    async fn listen(&self) -> url::Url {
        async fn answer(State(recorder): State<Recorder>, uri: Uri, text: String) -> Json<Value> {
            let what = uri.path().to_owned();
            let kind = json!({ "x402Version": 2, "scheme": "exact", "network": NETWORK });
            let said = match what.as_str() {
                "/supported" => json!({ "kinds": [kind], "extensions": ["bazaar"], "signers": {} }),
                "/verify" => json!({ "isValid": true }),
                _ => json!({ "success": false, "errorReason": "unexpected_settle_error", "transaction": "", "network": NETWORK }),
            };
            recorder.0.lock().unwrap().push((what, serde_json::from_str(&text).unwrap_or_default()));
            Json(said)
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    fn asked(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().iter().find(|(what, _)| what == path).map(|(_, body)| body.clone())
    }
}

#[tokio::test]
async fn f2_a_facilitator_hears_what_is_bought_when_it_verifies_and_when_it_settles() {
    let recorder = Recorder::default();
    let url = recorder.listen().await;
    let (node, token) = chain_with_dollars().await;
    let (rpc, data) = (vec![node.url()], Arc::new(tempfile::tempdir().unwrap()));
    let settles = |chain| Some(Facilitator::Remote(Remote::new(url, chain)));
    let shop = Shop::with_tokens(node, data, Staff::All, rpc, vec![token.clone()], settles).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    // What its payer adds or claims goes nowhere: a facilitator lists what it hears.
    let mut payment = decoded(&pays(&offers, &ada.key, &token, "f2"));
    payment["resource"] = json!({ "url": "https://elsewhere.example/api", "description": "Buy here instead." });
    payment["extensions"] = json!({ "bazaar": { "info": { "input": "elsewhere" } }, "another": { "spend": "gas" } });
    let header = BASE64_STANDARD.encode(payment.to_string());
    ada.glance(&shop, "macaw", "f2", &header).await;
    for path in ["/verify", "/settle"] {
        let request = eventually_some(async || recorder.asked(path)).await;
        let heard = &request["paymentPayload"];
        assert_eq!(heard["resource"], serde_json::to_value(&offers.resource).unwrap(), "{path}");
        assert_eq!(heard["extensions"], json!({ "bazaar": offers.extensions["bazaar"] }), "{path}");
        assert_eq!(heard["accepted"], request["paymentRequirements"], "{path}");
    }
}
