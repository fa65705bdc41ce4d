//! What a shop asks its nodes: little for a stranger, once for the same payment, and with blocks, not with people.

use std::{sync::Arc, time::Duration};

use alloy::{primitives::keccak256, signers::local::PrivateKeySigner};
use axum::{body::Body, http::Request};
use coinslot::{
    network::Token,
    server::{
        assets::Site,
        limits::{Asked, Doorkeeper, Limits, Quota},
    },
    x402::{
        facilitator::{Facilitator, Operator},
        wire::PaymentRequired,
    },
};
use futures::future::join_all;
use serde_json::json;

use crate::{
    agents::worked_on,
    anvil::proxy::{Fault, Proxy},
    dollars::{
        Eip3009, OPERATOR, PRICE, Permit2, chain_with_dollars, mint, offer_by, open_at, pays, strangers, taken, with_dollars,
    },
    harness::{Answer, NETWORK, Node, SHOP, Shop, Staff, Visitor, eventually_some, payload, payload_for, post},
    mcp,
};

/// Requests to a node for one token payment, from its first showing to its answer.
const ONE_MAX: usize = 15;
/// The same for each of fifty at once.
const FIFTY_MAX: usize = 8;

/// A wallet that owns nothing.
fn nobody(seed: &str) -> Visitor {
    Visitor { key: PrivateKeySigner::from_bytes(&keccak256(seed)).unwrap(), cookie: None }
}

fn visitor(key: &PrivateKeySigner) -> Visitor {
    Visitor { key: key.clone(), cookie: None }
}

/// A shop for dollars whose only node is behind a proxy that counts.
async fn counted() -> (Shop, Token, Proxy) {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::All, vec![proxy.url.clone()]).await;
    // It looks at its own balance once, and then nobody asks but for the test.
    eventually_some(async || shop.desk.books.explained(NETWORK, SHOP).await.unwrap()).await;
    (shop, token, proxy)
}

async fn shows(shop: &Shop, offers: &PaymentRequired, payer: &Visitor, token: &Token, agent: &str, say: &str) -> Answer {
    payer.call(shop, agent, say, &pays(offers, &payer.key, token, say)).await
}

#[tokio::test]
async fn s9_one_payment_takes_few_requests_and_fifty_at_once_fewer_each() {
    let (node, token) = with_dollars(Node::that_mines_every("0.2")).await;
    let proxy = Proxy::before(node.url()).await;
    let key = node.key(OPERATOR).to_bytes().0;
    let operator = |chain| Some(Facilitator::Operator(Operator::new(&key, chain).unwrap()));
    let poll = Duration::from_millis(200);
    let shop = Shop::that_polls(poll, node, proxy.url.clone(), vec![token.clone()], operator).await;
    let keys = strangers(&shop, &token, 51).await;
    let (macaw, kea) = (shop.offer("macaw").await, shop.offer("kea").await);

    let before = proxy.asked();
    shows(&shop, &macaw, &visitor(&keys[50]), &token, "macaw", "s9 alone").await.said("s9 alone");
    let one = proxy.asked().requests - before.requests;

    let before = proxy.asked();
    let (shop_, token_) = (&shop, &token);
    let calls = keys[..50].iter().enumerate().map(|(n, key)| {
        // No more than 32 of an agent at once are taken.
        let (agent, offers) = if n % 2 == 0 { ("macaw", &macaw) } else { ("kea", &kea) };
        async move {
            let say = format!("s9 {n}");
            let payment = pays(offers, key, token_, &say);
            let call = async || Some(visitor(key).call(shop_, agent, &say, &payment).await).filter(|answer| answer.status != 202);
            eventually_some(call).await.said(&say);
        }
    });
    join_all(calls).await;
    let after = proxy.asked();
    let fifty = after.requests - before.requests;
    let mut calls: Vec<_> = after.calls.iter().map(|(method, calls)| (calls - before.calls(method), method)).collect();
    calls.sort();
    println!("{one} requests for one payment, {fifty} for 50 at once; their calls: {calls:?}");
    assert!(one <= ONE_MAX, "{one} requests for one payment");
    assert!(fifty <= 50 * FIFTY_MAX, "{fifty} requests for 50 payments at once");
    assert_eq!(taken(&shop, &token).await, 51 * PRICE);
    shop.assert_balanced().await;
}

/// However often its payer asks what became of it.
#[tokio::test]
async fn s9_polls_of_a_payer_ask_no_node() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::NoWorker, vec![proxy.url.clone()]).await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "s9 polls");
    ada.glance(&shop, "macaw", "s9 polls", &payment).await.is(202, "running");
    let before = proxy.asked().requests;
    for _ in 0..20 {
        ada.glance(&shop, "macaw", "s9 polls", &payment).await.is(202, "running");
    }
    assert_eq!(proxy.asked().requests, before);
}

#[tokio::test]
async fn s2_a_stranger_who_owns_nothing_costs_one_request_and_the_same_payment_none() {
    let (shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    shows(&shop, &offers, &nobody("s2 first"), &token, "macaw", "s2 first").await.is(402, "payment_invalid");
    let before = proxy.asked();
    for n in 0..20 {
        let say = format!("s2 poor {n}");
        let answer = shows(&shop, &offers, &nobody(&say), &token, "macaw", &say).await;
        assert_eq!(answer.json()["reason"], "invalid_exact_evm_insufficient_balance");
    }
    let asked = proxy.asked();
    assert!(asked.requests - before.requests <= 20, "{} requests", asked.requests - before.requests);
    assert_eq!(asked.calls("eth_getCode") - before.calls("eth_getCode"), 0, "what is true of all is not asked for each");

    // The same payment again, for whatever input and by whatever offer.
    let poor = nobody("s2 again");
    let payload = {
        let signed = Eip3009::of(&poor.key, "s2 again");
        signed.payload(&signed.sign(&poor.key, &token))
    };
    let again = async |say: &str| {
        let offers = shop.offer("macaw").await;
        let payment = payload_for(&offers, offer_by(&offers, "eip3009"), payload.clone());
        let answer = poor.call(&shop, "macaw", say, &payment).await;
        answer.is(402, "payment_invalid");
        assert_eq!(answer.json()["reason"], "invalid_exact_evm_insufficient_balance");
        assert!(!answer.offers().accepts.is_empty());
    };
    again("s2 again").await;
    let before = proxy.asked().requests;
    for n in 0..20 {
        again(&format!("s2 again {n}")).await;
    }
    assert_eq!(proxy.asked().requests, before);
    assert_eq!((worked_on("s2 again"), taken(&shop, &token).await), (0, 0));
    shop.assert_balanced().await;
}

/// Neither a signature of nobody's nor Permit2 costs more than that.
#[tokio::test]
async fn s2_what_is_refused_in_any_way_is_cheap_and_remembered() {
    let (shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    let ada = shop.visitor(1);
    let signed = Eip3009::of(&ada.key, "s2 forged");
    let forged = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&[7; 65]));
    let spent = nobody("s2 permit");
    let permit = payload_for(&offers, offer_by(&offers, "permit2"), Permit2::of(&spent.key, 2).payload(&spent.key, &token));
    let before = proxy.asked().requests;
    ada.call(&shop, "macaw", "s2 forged", &forged).await.is(402, "payment_invalid");
    assert_eq!(proxy.asked().requests - before, 1, "nobody's signature");
    spent.call(&shop, "macaw", "s2 permit", &permit).await.is(412, "permit2_allowance_required");
    let before = proxy.asked().requests;
    ada.call(&shop, "macaw", "s2 forged", &forged).await.is(402, "payment_invalid");
    assert_eq!(proxy.asked().requests, before);
    // An allowance is given in a moment, and then the same payment is good: this is asked each time, and with one request.
    spent.call(&shop, "macaw", "s2 permit", &permit).await.is(412, "permit2_allowance_required");
    assert_eq!(proxy.asked().requests - before, 1);
    // Her own payment, of the same nonce, is good all the same: nobody can have it refused for her.
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signed.sign(&ada.key, &token)));
    ada.call(&shop, "macaw", "s2 forged", &payment).await.said("s2 forged");
}

#[tokio::test]
async fn s2_twenty_at_once_of_the_same_payment_are_looked_at_once() {
    let (shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    shows(&shop, &offers, &nobody("s2 before"), &token, "macaw", "s2 before").await.is(402, "payment_invalid");
    let poor = nobody("s2 at once");
    let payment = pays(&offers, &poor.key, &token, "s2 at once");
    let before = proxy.asked().requests;
    for answer in join_all((0..20).map(|_| poor.call(&shop, "macaw", "s2 at once", &payment))).await {
        answer.is(402, "payment_invalid");
    }
    assert_eq!(proxy.asked().requests - before, 1);
}

fn router(shop: &Shop, asked: Asked) -> axum::Router {
    let off = || Quota::NONE;
    let limits = Limits { pages: off(), api: off(), sign_in: off() };
    let doorkeeper = Doorkeeper::that_asks(limits, asked, vec!["::/0".parse().unwrap()]);
    coinslot::server::router::router(shop.desk.clone(), Site::new([]), None, doorkeeper)
}

/// Calls from one address.
async fn from(shop: &Shop, address: &str, payer: &Visitor, payment: &str, say: &str) -> Answer {
    let headers = [("payment-signature", payment), ("x-forwarded-for", address)];
    payer.call_with(shop, "macaw", say, &headers).await
}

#[tokio::test]
async fn s2_what_nodes_are_asked_is_bounded_for_each_address_and_in_all_and_customers_are_served() {
    let (mut shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    let ada = shop.visitor(1);
    shows(&shop, &offers, &ada, &token, "macaw", "s2 customer").await.said("s2 customer");
    let keys = strangers(&shop, &token, 4).await;
    shop.router = router(&shop, Asked { each: Quota::per_minute(1, 5), all: Quota::per_minute(1, 3) });

    let poor = async |address: &str, n: usize| {
        let (say, payer) = (format!("s2 flood {n}"), nobody(&format!("s2 flood {n}")));
        let payment = pays(&offers, &payer.key, &token, &say);
        from(&shop, address, &payer, &payment, &say).await
    };
    for n in 0..5 {
        poor("192.0.2.1", n).await.is(402, "payment_invalid");
    }
    let before = proxy.asked().requests;
    for n in 5..10 {
        let answer = poor("192.0.2.1", n).await;
        answer.is(429, "rate_limited");
        assert_eq!(answer.json()["retry"], "same_payment");
        assert!(answer.header("retry-after").is_some() && answer.header("payment-required").is_none());
    }
    assert_eq!(proxy.asked().requests, before, "no node heard of it");
    // What was refused a moment ago still is, without a node.
    poor("192.0.2.1", 4).await.is(402, "payment_invalid");
    // Another address is not held up by that one; and whoever owns nothing takes nothing from those who can pay.
    for n in 10..15 {
        poor("192.0.2.2", n).await.is(402, "payment_invalid");
    }
    let buys = async |n: usize| {
        let (say, payer) = (format!("s2 buys {n}"), visitor(&keys[n]));
        let payment = pays(&offers, &payer.key, &token, &say);
        from(&shop, &format!("192.0.2.{}", 10 + n), &payer, &payment, &say).await
    };
    for n in 0..3 {
        buys(n).await.said(&format!("s2 buys {n}"));
    }
    // Then all together are too many.
    let answer = buys(3).await;
    answer.is(503, "verifier_unavailable");
    assert_eq!(answer.json()["retry"], "same_payment");
    assert!(answer.header("payment-required").is_none(), "unknown is not no");

    // Who has bought here is served, from whichever address; what only says so is not.
    let payment = pays(&offers, &ada.key, &token, "s2 served");
    from(&shop, "192.0.2.1", &ada, &payment, "s2 served").await.said("s2 served");
    let signed = Eip3009::of(&ada.key, "s2 says so");
    let forged = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&[7; 65]));
    from(&shop, "192.0.2.1", &ada, &forged, "s2 says so").await.is(429, "rate_limited");
    // A payment that is known asks nobody, so it has no limit here.
    for _ in 0..10 {
        from(&shop, "192.0.2.1", &ada, &payment, "s2 served").await.said("s2 served");
    }
    shop.assert_balanced().await;
}

/// A hundred penniless strangers, each from an address of their own, are a few requests; the only one with money is served among them.
#[tokio::test]
async fn s2_a_crowd_of_strangers_is_asked_about_together_and_an_honest_one_is_served() {
    let (shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    shows(&shop, &offers, &nobody("s2 one"), &token, "macaw", "s2 one").await.is(402, "payment_invalid");
    let before = proxy.asked();
    let (shop_, offers_, token_) = (&shop, &offers, &token);
    let crowd = join_all((0..200).map(|n| async move {
        let say = format!("s2 many {n}");
        shows(shop_, offers_, &nobody(&say), token_, "macaw", &say).await.is(402, "payment_invalid");
    }));
    let ada = shop.visitor(1);
    let honest = async {
        shows(&shop, &offers, &ada, &token, "macaw", "s2 among").await.said("s2 among");
    };
    tokio::join!(crowd, honest);
    let asked = proxy.asked().requests - before.requests;
    println!("{asked} requests for 200 strangers and one payment");
    assert!(asked <= 100, "{asked} requests");
    shop.assert_balanced().await;
}

/// Whoever has the price of one call can sign for a thousand.
#[tokio::test]
async fn s2_one_coin_does_not_have_nodes_asked_for_ever() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::NoWorker, vec![proxy.url.clone()]).await;
    let offers = shop.offer("macaw").await;
    let eve = nobody("s2 eve");
    mint(&shop, &token, eve.address(), PRICE).await;
    let mut answers = Vec::new();
    let mut asked = Vec::new();
    for n in 0..20 {
        let say = format!("s2 coin {n}");
        let before = proxy.asked().requests;
        let payment = pays(&offers, &eve.key, &token, &say);
        answers.push(eve.glance(&shop, "macaw", &say, &payment).await.status);
        asked.push(proxy.asked().requests - before);
    }
    assert_eq!((answers[0], answers[1]), (202, 402), "one run, and no more");
    assert_eq!(answers[19], 429, "{answers:?}");
    assert!(asked[19] <= 1, "{asked:?}");
    assert!(answers.iter().all(|status| matches!(status, 202 | 402 | 429)), "{answers:?}");
}

/// `/api/check` and `/api/watch`, which nobody has paid for.
#[tokio::test]
async fn s2_what_pages_ask_before_a_payment_is_bounded_too() {
    let (mut shop, token, proxy) = counted().await;
    shop.router = router(&shop, Asked { each: Quota::per_minute(1, 3), all: Quota::per_minute(1, 100) });
    let ada = shop.signed_in(1).await;
    let watch = async |n: usize| {
        let asked = json!({ "network": NETWORK, "agent": "contract-xray", "input": format!("s2 watch {n}") }).to_string();
        let request = post("/api/watch", "").header("cookie", ada.cookie.as_deref().unwrap());
        shop.ask(request.header("x-forwarded-for", "192.0.2.1").body(Body::from(asked)).unwrap()).await
    };
    for n in 0..3 {
        assert_eq!(watch(n).await.status, 200);
    }
    let before = proxy.asked().requests;
    watch(3).await.is(429, "rate_limited");
    let check = async |address: &str, n: u8| {
        let path = format!("/api/check/contract-xray?address=0x{}", alloy::hex::encode([n; 20]));
        shop.ask(Request::get(path).header("x-forwarded-for", address).body(Body::empty()).unwrap()).await
    };
    check("192.0.2.1", 1).await.is(429, "rate_limited");
    assert_eq!(proxy.asked().requests, before);
    for n in 2..5 {
        assert_eq!(check("192.0.2.2", n).await.status, 200, "another address");
    }
    check("192.0.2.2", 5).await.is(429, "rate_limited");
    assert_eq!(check("192.0.2.2", 4).await.status, 200, "what is known asks nobody");
    // Payments are counted apart.
    let offers = shop.offer("macaw").await;
    let bob = shop.visitor(2);
    from(&shop, "192.0.2.1", &bob, &pays(&offers, &bob.key, &token, "s2 apart"), "s2 apart").await.said("s2 apart");
}

#[tokio::test]
async fn s2_over_mcp_the_same_bounds_hold() {
    let (mut shop, token, proxy) = counted().await;
    shop.router = router(&shop, Asked { each: Quota::per_minute(1, 2), all: Quota::per_minute(1, 100) });
    let offers: PaymentRequired =
        serde_json::from_value(mcp::call(&shop, "macaw", "s2 mcp", None).await["structuredContent"].clone()).unwrap();
    let call = async |n: usize| {
        let (say, payer) = (format!("s2 mcp {n}"), nobody(&format!("s2 mcp {n}")));
        let signed = Eip3009::of(&payer.key, &say);
        let payload = signed.payload(&signed.sign(&payer.key, &token));
        let payment = json!({ "x402Version": 2, "resource": offers.resource, "accepted": offer_by(&offers, "eip3009"), "payload": payload });
        mcp::call(&shop, "macaw", &say, Some(&payment)).await["structuredContent"].clone()
    };
    for n in 0..2 {
        assert_eq!(call(n).await["error"], "invalid_exact_evm_insufficient_balance");
    }
    let before = proxy.asked().requests;
    assert_eq!(call(2).await["code"], "rate_limited");
    assert_eq!(proxy.asked().requests, before);
}

#[tokio::test]
async fn s2_a_nodes_429_is_no_outage_of_the_shop() {
    let (shop, token, proxy) = counted().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("macaw").await;
    let payment = pays(&offers, &ada.key, &token, "s2 limited");
    proxy.fault(Fault::Status(429));
    let answer = ada.call(&shop, "macaw", "s2 limited", &payment).await;
    answer.is(503, "verifier_unavailable");
    assert_eq!(answer.json()["retry"], "same_payment");
    assert!(answer.header("payment-required").is_none());
    assert!(shop.desk.chains[0].healthy(), "asked too much is not away");
    assert_eq!(shop.get("/readyz").await.json()["networks"][0]["rpc"], "ok");
    // A coin whose block nobody has seen is on its way, as ever.
    let sent = payload(&shop.offer("parrot").await, json!({ "transaction": format!("0x{}", "5e".repeat(32)) }));
    ada.glance(&shop, "parrot", "s2 coin", &sent).await.is(202, "payment_pending");
    assert!(!shop.price("macaw", "s2 price").await.offers().accepts.is_empty());
    proxy.heal();
    let served = async || Some(ada.call(&shop, "macaw", "s2 limited", &payment).await).filter(|answer| answer.status == 200);
    eventually_some(served).await.said("s2 limited");
    shop.assert_balanced().await;
}

/// Strangers without a coin beside payers who wait for an answer, over one node that takes so many requests a second.
#[tokio::test]
async fn s2_honest_payers_are_served_by_a_limited_node_beside_a_flood() {
    let (shop, token, proxy) = counted().await;
    let offers = shop.offer("macaw").await;
    let keys = strangers(&shop, &token, 4).await;
    proxy.fault(Fault::PerSecond(12));
    let (shop_, offers_, token_) = (&shop, &offers, &token);
    let flood = join_all((0..60).map(|n| async move {
        let say = format!("s2 crowd {n}");
        shows(shop_, offers_, &nobody(&say), token_, "macaw", &say).await.status
    }));
    let honest = join_all(keys.iter().enumerate().map(|(n, key)| async move {
        let say = format!("s2 honest {n}");
        let payment = pays(offers_, key, token_, &say);
        let call = async || {
            let answer = visitor(key).call(shop_, "macaw", &say, &payment).await;
            assert!(matches!(answer.status, 200 | 202 | 503), "never a second demand: {}", answer.status);
            Some(answer).filter(|answer| answer.status == 200)
        };
        eventually_some(call).await.said(&say);
    }));
    let (flood, _) = tokio::join!(flood, honest);
    assert!(flood.iter().all(|status| matches!(status, 402 | 503)), "{flood:?}");
    assert!(proxy.asked().limited > 0, "the node did refuse some");
    assert!(shop.desk.chains[0].healthy());
    assert_eq!(taken(&shop, &token).await, 4 * PRICE);
    shop.assert_balanced().await;
}
