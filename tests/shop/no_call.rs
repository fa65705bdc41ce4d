//! A payment beside something that is no call (M3): never fresh offers, the payment is not used, and what was sent is its payer's credit.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, request::Builder},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use coinslot::{
    evm::TxHash,
    ledger::{followed::FOLLOWED_MAX, runs::UNSEEN_MAX},
    money::{Amount, Asset},
    x402::desk::now_ms,
};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    dollars::{Eip3009, Permit2, now_s, offer_by, pays, shop_for_dollars, taken, v1},
    harness::{Answer, NETWORK, Node, PRICE, SHOP, Shop, Staff, Visitor, body, from_credit, payload_for, proof, v1_payload},
    paying::eventually,
    programs::Native,
};

const JSON: &str = "application/json";

/// What is no call of an agent: the request, and how it is refused.
fn no_calls(agent: &str) -> Vec<(Builder, Body, u16, &'static str)> {
    let at = |slash: &str| format!("/api/x402/{agent}{slash}");
    let post = |kind: &str| Request::post(at("")).header("content-type", kind);
    let text = |text: &str| Body::from(text.to_owned());
    let mut all = vec![
        (post(JSON), Body::empty(), 400, "bad_json"),
        (Request::post(at("")), Body::empty(), 400, "bad_json"),
        (Request::post(at("/")), Body::empty(), 400, "bad_json"),
        (post("text/plain"), text(&body("x")), 415, "unsupported_media_type"),
        (Request::post(at("")), text(&body("x")), 415, "unsupported_media_type"),
        (post("application/x-www-form-urlencoded"), text("say=x"), 415, "unsupported_media_type"),
        (post(JSON), text(&body(&"x".repeat(5_000))), 413, "too_large"),
        (post(JSON).header("content-length", "2000000"), text(&body(&"x".repeat(2_000_000))), 413, "too_large"),
        (post(JSON), text("{"), 400, "bad_json"),
        (post(JSON), text("\u{feff}{}"), 400, "bad_json"),
        (post(JSON), text("null"), 400, "invalid_input"),
        (post(JSON), text(r#"{"say":""}"#), 400, "invalid_input"),
        (post(JSON), text(r#"{"say":"x","more":1}"#), 400, "invalid_input"),
        (Request::post(at("/")).header("content-type", JSON), text("{}"), 400, "invalid_input"),
        (Request::post("/api/x402/dodo").header("content-type", JSON), text(&body("x")), 404, "no_such_agent"),
        (Request::get("/api/x402/dodo/"), Body::empty(), 404, "no_such_agent"),
    ];
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        for slash in ["", "/"] {
            let request = Request::builder().method(method).uri(at(slash)).header("accept", "text/html");
            all.push((request.header("user-agent", "Mozilla/5.0"), Body::empty(), 405, "method_not_allowed"));
        }
    }
    all
}

fn with(mut request: Builder, visitor: &Visitor, payment: &[(&str, &str)]) -> Builder {
    for (name, value) in payment {
        request = request.header(*name, *value);
    }
    match &visitor.cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    }
}

/// No offers in any of their places, and what is said of the payment.
#[track_caller]
fn unused(answer: &Answer) -> Value {
    for name in ["payment-required", "x-payment-address", "x-price-amount"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert!(!crate::harness::settlement(answer).success);
    if answer.bytes.is_empty() {
        return Value::Null;
    }
    let said = answer.json();
    assert_eq!(
        (&said["retry"], said.get("accepts"), said.get("paymentRequirements")),
        (&json!("same_payment"), None, None),
        "{said}"
    );
    let sentence = said["error"].as_str().unwrap();
    assert!(sentence.contains("the payment was not used") && !sentence.contains("Nothing was charged"), "{sentence}");
    said
}

async fn credit(shop: &Shop, of: &Visitor) -> Amount {
    shop.desk.books.balance(of.address(), &Asset::native(NETWORK)).await.unwrap()
}

async fn gets(shop: &Shop, visitor: &Visitor, payment: &[(&str, &str)]) -> Answer {
    shop.ask(with(Request::get("/api/x402/parrot"), visitor, payment).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn m3_a_payment_beside_no_call_never_meets_offers_and_still_buys_its_call() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await;
    let (payment, bare) = (proof(&shop.offer("parrot").await, hash), hash.to_string());
    let ways: [&[(&str, &str)]; 4] = [
        &[("payment-signature", &payment)],
        &[("x-payment", &payment)],
        &[("payment-signature", &payment), ("x-payment", &payment)],
        &[("x-payment", &bare)],
    ];
    for way in ways {
        for (request, body, status, code) in no_calls("parrot") {
            let answer = shop.ask(with(request, &ada, way).body(body).unwrap()).await;
            assert_eq!(answer.status, status, "{way:?}: {}", String::from_utf8_lossy(&answer.bytes));
            let said = unused(&answer);
            if !said.is_null() {
                assert_eq!((&said["code"], &said["transaction"]), (&json!(code), &json!(hash)));
            }
        }
    }
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(PRICE)).await;
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0);
    ada.call(&shop, "parrot", "m3 buys", &payment).await.said("m3 buys");
    // Now it is another call's, which its payer is told of, and nothing more.
    let said = unused(&gets(&shop, &ada, &[("x-payment", &bare)]).await);
    assert!(said["run"].is_string(), "{said}");
    let said = unused(&gets(&shop, &shop.signed_in(2).await, &[("x-payment", &bare)]).await);
    assert!(said.get("run").is_none(), "{said}");
    assert_eq!(worked_on("m3 buys"), 1);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_what_was_sent_is_its_payers_credit_without_another_request() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    // Not in a block yet.
    let hash = ada.pays(&shop, PRICE).await;
    let said = unused(&gets(&shop, &ada, &[("x-payment", &hash.to_string())]).await);
    assert!(said["error"].as_str().unwrap().contains("It is followed"), "{said}");
    shop.node.finalize().await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    let statement = ada.get(&shop, "/api/page/statement").await.json();
    assert_eq!(statement["lines"][0]["transaction"], json!(hash));
    // Its money pays for whatever they want.
    let offers = shop.offer("parrot").await;
    let from_credit = from_credit(&offers, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f33");
    ada.call(&shop, "parrot", "m3 credit", &from_credit).await.said("m3 credit");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_a_program_is_credited_by_its_signature_whatever_body_that_was_for() {
    let shop = Shop::open().await;
    let offers = shop.offer("parrot").await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let signed = |hash: TxHash, say: &str, by: &Visitor| {
        let payload = Native::of(&offers, hash, &ada.key, say).payload(&by.key);
        payload_for(&offers, offer_by(&offers, "transaction-proof"), payload)
    };
    let hash = ada.paid(&shop, PRICE).await;
    // By another key than its payer's: nothing is followed, and nothing is written.
    let theirs = signed(hash, "m3", &eve);
    let said = unused(&gets(&shop, &eve, &[("payment-signature", &theirs)]).await);
    assert!(said["error"].as_str().unwrap().contains("not followed"), "{said}");
    let late = Native { valid_before: now_s() - 1, ..Native::of(&offers, hash, &ada.key, "m3") }.payload(&ada.key);
    let late = payload_for(&offers, offer_by(&offers, "transaction-proof"), late);
    unused(&gets(&shop, &ada, &[("payment-signature", &late)]).await);
    assert_eq!(shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap(), []);
    // Signed for a call; sent as another method, and beside an input that cannot be used.
    unused(&gets(&shop, &ada, &[("payment-signature", &signed(hash, "m3 program", &ada))]).await);
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(PRICE)).await;
    let second = ada.paid(&shop, PRICE).await;
    let payment = signed(second, "m3 program", &ada);
    let refused = ada.call(&shop, "parrot", "", &payment).await;
    refused.is(400, "invalid_input");
    unused(&refused);
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(2 * PRICE)).await;
    ada.call(&shop, "parrot", "m3 program", &payment).await.said("m3 program");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_a_signed_sign_in_says_whose_it_is_too() {
    let shop = Shop::open().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("parrot").await;
    let hash = ada.paid(&shop, PRICE).await.to_string();
    let signed = crate::programs::signed_in_with(&offers, &ada.key, |_| {});
    let shown: [(&str, &str); 2] = [("x-payment", &hash), ("sign-in-with-x", &signed)];
    unused(&gets(&shop, &ada, &shown).await);
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(PRICE)).await;
    // The same signature still shows the same payment for its call.
    ada.call_with(&shop, "parrot", "m3 signed in", &shown).await.said("m3 signed in");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_nobodys_hash_is_not_followed_but_by_a_watch() {
    let shop = Shop::open().await;
    // What comes after the first look is a payment.
    eventually(async || shop.desk.books.explained(NETWORK, SHOP).await.unwrap().is_some()).await;
    let ada = shop.signed_in(1).await;
    let nobody = shop.visitor(1);
    let hash = ada.paid(&shop, PRICE).await.to_string();
    let said = unused(&gets(&shop, &nobody, &[("x-payment", &hash)]).await);
    assert!(said["error"].as_str().unwrap().contains("not shown to be yours"), "{said}");
    let books = &shop.desk.books;
    assert_eq!(books.followed_transactions(NETWORK, now_ms()).await.unwrap(), []);
    assert_eq!(books.audit().await.unwrap().deposits, 0);
    // The watch of its wallet needs no hash.
    assert_eq!(crate::watching::watch(&shop, &ada, "contract-xray", "m3").await.status, 200);
    let watched = ada.pays(&shop, PRICE + 1).await.to_string();
    unused(&gets(&shop, &nobody, &[("x-payment", &watched)]).await);
    shop.node.finalize().await;
    // It is what arrived for the watch. The other is its sender's credit all the same: blocks bring a look at the balance (P2).
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(2 * PRICE + 1)).await;
    let arrived = ada.session(&shop).await["arrived"].clone();
    assert_eq!((arrived.as_array().unwrap().len(), &arrived[0]["transaction"]), (1, &json!(watched)));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_whoever_shows_it_the_money_is_its_payers() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.visitor(1), shop.signed_in(2).await);
    let hash = ada.paid(&shop, PRICE).await.to_string();
    unused(&gets(&shop, &eve, &[("x-payment", &hash)]).await);
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(PRICE)).await;
    let said = unused(&gets(&shop, &eve, &[("x-payment", &hash)]).await);
    assert!(said["error"].as_str().unwrap().contains("of the wallet that sent it"), "{said}");
    assert_eq!(credit(&shop, &eve).await, Amount::ZERO);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_a_wallet_has_three_payments_that_no_block_has_whatever_they_stand_beside() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let hash = |n: u8| TxHash([n; 32]).to_string();
    let followed = async || shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap().len();
    ada.glance(&shop, "parrot", "m3 unseen", &proof(&offers, TxHash([1; 32]))).await.is(202, "payment_pending");
    for n in 2..=3 {
        unused(&gets(&shop, &ada, &[("x-payment", &hash(n))]).await);
    }
    let said = unused(&gets(&shop, &ada, &[("x-payment", &hash(4))]).await);
    assert!(said["error"].as_str().unwrap().contains("not followed either"), "{said}");
    ada.glance(&shop, "parrot", "m3 unseen 5", &proof(&offers, TxHash([5; 32]))).await.is(429, "rate_limited");
    // Shown again it is no other one; and the call that it was meant for is none either.
    let said = unused(&gets(&shop, &ada, &[("x-payment", &hash(2))]).await);
    assert!(said["error"].as_str().unwrap().contains("It is followed"), "{said}");
    assert_eq!((followed().await, UNSEEN_MAX), (2, 3));
    ada.glance(&shop, "parrot", "m3 unseen 2", &proof(&offers, TxHash([2; 32]))).await.is(202, "payment_pending");
    assert_eq!(followed().await, 1, "a run shows it now, and is followed itself");
    // Wallets are free, so there is an end to all of them together.
    let stranger = |n: u32| {
        let mut word = [0xbb; 32];
        word[..4].copy_from_slice(&n.to_be_bytes());
        word
    };
    for n in 0..FOLLOWED_MAX {
        let wallet = coinslot::evm::Address(stranger(n)[..20].try_into().unwrap());
        let proof = format!("tx/{}", TxHash(stranger(n)));
        shop.desk.books.follow_transaction(NETWORK, &proof, wallet, now_ms()).await.unwrap();
    }
    assert_eq!(followed().await, FOLLOWED_MAX as usize);
    let eve = shop.signed_in(2).await;
    unused(&gets(&shop, &eve, &[("x-payment", &hash(9))]).await);
    assert_eq!(followed().await, FOLLOWED_MAX as usize);
}

#[tokio::test]
async fn m3_what_brought_nothing_is_not_followed_for_ever() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let elsewhere = json!({ "from": ada.address(), "to": format!("0x{}", "77".repeat(20)), "value": "0x1" });
    let hash = shop.node.send(elsewhere).await.to_string();
    unused(&gets(&shop, &ada, &[("x-payment", &hash)]).await);
    assert_eq!(shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap().len(), 1);
    shop.node.finalize().await;
    eventually(async || shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap().is_empty()).await;
    assert_eq!((credit(&shop, &ada).await, SHOP), (Amount::ZERO, shop.desk.pay_to));
}

#[tokio::test]
async fn m3_it_is_followed_over_a_restart_and_after_the_caller_is_long_gone() {
    let (node, data) = (Arc::new(Node::start()), Arc::new(tempfile::tempdir().unwrap()));
    let shop = Shop::with(node, data, Staff::CounterOnly).await;
    let (ada, eve) = (shop.signed_in(1).await, shop.visitor(2));
    let hash = ada.pays(&shop, PRICE).await.to_string();
    unused(&gets(&shop, &ada, &[("x-payment", &hash)]).await);
    // Nobody has asked about this one for an hour.
    let old = eve.pays(&shop, PRICE).await;
    shop.desk.books.follow_transaction(NETWORK, &format!("tx/{old}"), eve.address(), now_ms() - 3_600_000).await.unwrap();
    shop.node.finalize().await;
    let shop = shop.reopen(Staff::All).await;
    eventually(async || credit(&shop, &ada).await == Amount::from_atomic(PRICE)).await;
    eventually(async || credit(&shop, &eve).await == Amount::from_atomic(PRICE)).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_a_hash_of_another_of_the_shops_networks_is_credit_there() {
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(31_338));
    let shop = Shop::on_two(node, &other, 31_338).await;
    let ada = shop.signed_in(1).await;
    let hash = other.send(json!({ "from": ada.address(), "to": SHOP, "value": format!("{PRICE:#x}"), "gas": "0x5208" })).await;
    other.finalize().await;
    unused(&gets(&shop, &ada, &[("x-payment", &hash.to_string())]).await);
    let there = Asset::native("eip155:31338");
    eventually(async || shop.desk.books.balance(ada.address(), &there).await.unwrap() == Amount::from_atomic(PRICE)).await;
    // A network that the shop does not know is said to be one.
    let mut offers = shop.offer("parrot").await;
    offers.accepts[0].network = "eip155:1".into();
    let said = unused(&gets(&shop, &ada, &[("payment-signature", &proof(&offers, hash))]).await);
    assert!(said["error"].as_str().unwrap().contains("does not know"), "{said}");
}

#[tokio::test]
async fn m3_what_was_signed_is_not_settled_and_no_credit_is_spent() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("macaw").await;
    let eip3009 = Eip3009::of(&ada.key, "m3");
    let eip3009 = eip3009.payload(&eip3009.sign(&ada.key, &token));
    let permit2 = Permit2::of(&ada.key, 3).payload(&ada.key, &token);
    let version_1 = v1("local", &eip3009);
    let of_transaction = v1_payload("local", &json!({ "transaction": format!("0x{}", "ab".repeat(32)) }));
    let of_transaction = BASE64_STANDARD.encode(of_transaction.to_string());
    let payments = [
        ("payment-signature", payload_for(&offers, offer_by(&offers, "eip3009"), eip3009)),
        ("payment-signature", payload_for(&offers, offer_by(&offers, "permit2"), permit2)),
        ("payment-signature", from_credit(&offers, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f34")),
        ("x-payment", version_1),
        ("x-payment", of_transaction),
    ];
    for (name, payment) in &payments {
        for (request, body, status, _) in no_calls("macaw") {
            let answer = shop.ask(with(request, &ada, &[(name, payment)]).body(body).unwrap()).await;
            assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.bytes));
            unused(&answer);
        }
    }
    assert_eq!((shop.desk.books.audit().await.unwrap().runs, taken(&shop, &token).await), (0, 0));
    // It is as good as before.
    ada.call(&shop, "macaw", "m3 signed", &payments[0].1).await.said("m3 signed");
    ada.call(&shop, "macaw", "m3 more", &pays(&offers, &ada.key, &token, "m3 more")).await.said("m3 more");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m3_a_payment_that_cannot_be_read_is_no_reason_for_offers_either() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let (one, other) = (TxHash([1; 32]).to_string(), TxHash([2; 32]).to_string());
    let unreadable: [&[(&str, &str)]; 6] = [
        &[("x-payment", "foo")],
        &[("x-payment", "")],
        &[("x-payment", "0x12")],
        &[("payment-signature", "e30=")],
        &[("x-payment", &one), ("x-payment", &one)],
        &[("payment-signature", &other), ("x-payment", &one)],
    ];
    for payment in unreadable {
        for (request, body, status, code) in no_calls("parrot") {
            let answer = shop.ask(with(request, &ada, payment).body(body).unwrap()).await;
            assert_eq!(answer.status, status, "{payment:?}: {}", String::from_utf8_lossy(&answer.bytes));
            let said = unused(&answer);
            if !said.is_null() {
                assert_eq!((said["code"].as_str(), said["details"].is_string()), (Some(code), true), "{said}");
            }
        }
        ada.call_with(&shop, "parrot", "m3 unreadable", payment).await.is(400, "bad_payment_header");
    }
    let books = &shop.desk.books;
    assert_eq!((books.audit().await.unwrap().runs, books.followed_transactions(NETWORK, now_ms()).await.unwrap()), (0, vec![]));
}

#[tokio::test]
async fn m3_without_a_payment_the_price_is_told_as_ever() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    for (request, body, status, code) in no_calls("parrot") {
        let is_question = [400, 405].contains(&status) && matches!(code, "bad_json" | "method_not_allowed");
        let answer = shop.ask(with(request, &ada, &[]).body(body).unwrap()).await;
        if is_question && answer.status == 402 {
            assert!(!answer.offers().accepts.is_empty());
        } else {
            assert_eq!((answer.status, answer.header("payment-required")), (status, None));
        }
    }
    gets(&shop, &ada, &[]).await;
    shop.get("/api/x402/parrot").await.is(402, "payment_required");
}
