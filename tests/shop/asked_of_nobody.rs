//! An unpaid 402 asks no database and no node, and says what it always said (S5).

use std::{
    collections::HashSet,
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{body::Body, http::Request};
use coinslot::{
    error::Code,
    x402::{
        answer,
        desk::now_ms,
        outcome,
        wire::{Offer, PaymentRequired},
    },
};
use serde_json::{Value, json};

use crate::{
    anvil::proxy::{Fault, Proxy},
    dollars::{chain_with_dollars, open_at},
    harness::{NETWORK, Node, PRICE, Shop, Staff, body, post, proof},
    paying::eventually,
    programs::signed_in_with,
};

/// Everything that two 402s of one moment differ in, taken out: the seals, the challenge's nonce, and the times.
fn plain(offers: &PaymentRequired) -> Value {
    let mut json = serde_json::to_value(offers).unwrap();
    for offer in json["accepts"].as_array_mut().unwrap() {
        let extra = offer["extra"].as_object_mut().unwrap();
        assert!(extra.remove("offer").is_some() && extra.remove("expiresAtMs").is_some());
    }
    if let Some(challenge) = json["extensions"].get_mut("sign-in-with-x") {
        let info = challenge["info"].as_object_mut().unwrap();
        for name in ["nonce", "issuedAt", "expirationTime"] {
            assert!(info.remove(name).is_some_and(|value| value.is_string()), "{name}");
        }
    }
    json
}

/// Of a call. A question about the price offers no sign-in.
fn nonce(offers: &PaymentRequired) -> Option<String> {
    Some(offers.extensions.get("sign-in-with-x")?["info"]["nonce"].as_str().unwrap().to_owned())
}

/// Its seal is ours, and says what the offer says.
fn assert_sealed(shop: &Shop, offer: &Offer) {
    let terms = shop.desk.seal.open(offer.extra.offer.as_deref().unwrap()).unwrap();
    assert_eq!((terms.amount, terms.pay_to, Some(terms.asset)), (offer.amount, offer.pay_to, offer.asset()));
    assert_eq!(
        (Some(terms.method), Some(terms.expires_ms)),
        (offer.extra.asset_transfer_method.clone(), offer.extra.expires_at_ms)
    );
    assert!((now_ms() - 60_000..=now_ms()).contains(&terms.issued_ms));
    assert_eq!(terms.expires_ms - terms.issued_ms, shop.desk.offer_ttl_ms);
}

#[tokio::test]
async fn s5_a_thousand_unpaid_402s_ask_no_database_and_no_node_and_each_is_sealed_anew() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::CounterOnly, vec![proxy.url.clone()]).await;
    // From here on there is nobody to ask.
    proxy.fault(Fault::Hang);
    shop.desk.books.close().await;
    let asked = proxy.asked().requests;

    let (mut seals, mut nonces) = (HashSet::new(), HashSet::new());
    for n in 0..1_000 {
        let told = match n % 10 {
            8 => shop.get("/api/x402/macaw").await,
            9 => shop.ask(Request::post("/api/x402/macaw/").body(Body::empty()).unwrap()).await,
            _ => shop.price("macaw", &format!("s5 {n}")).await,
        };
        told.is(402, "payment_required");
        let offers = told.offers();
        let methods: Vec<_> = offers.accepts.iter().filter_map(|offer| offer.extra.asset_transfer_method.as_deref()).collect();
        assert_eq!(methods, ["eip3009", "permit2", "transaction-proof"]);
        for offer in &offers.accepts {
            assert_sealed(&shop, offer);
            assert!(seals.insert(offer.extra.offer.clone()), "a seal that was given before");
        }
        assert_eq!(nonce(&offers).is_some(), n % 10 < 8);
        assert!(nonce(&offers).is_none_or(|nonce| nonces.insert(nonce)), "a challenge that was given before");
    }
    // As a tool too.
    let tool = crate::mcp::call(&shop, "macaw", "s5 tool", None).await["structuredContent"]["accepts"].clone();
    assert_eq!(tool.as_array().map(Vec::len), Some(3));
    assert_eq!(proxy.asked().requests, asked, "a node was asked");
}

#[tokio::test]
async fn s5_a_402_that_was_made_before_says_what_one_made_for_its_caller_says() {
    let (node, token) = chain_with_dollars().await;
    let (urls, data) = (vec![node.url()], Arc::new(tempfile::tempdir().unwrap()));
    let shop = open_at(node, data, &token, Staff::CounterOnly, urls).await;
    for agent in shop.desk.agents.iter().map(|agent| agent.card) {
        let why = Code::PaymentRequired.into();
        let made = outcome::demand(&shop.desk, agent, shop.desk.resource(agent), shop.desk.bazaar(agent), &why, &[]).unwrap();
        let mut question = made.clone();
        assert!(question.extensions.remove("sign-in-with-x").is_some());
        let first = shop.price(agent.slug, "first").await;
        let (again, asked) = (shop.price(agent.slug, "again").await, shop.get(&agent.endpoint()).await);
        for (told, made) in
            [(&first, &made), (&again, &made), (&asked, &question), (&shop.get(&agent.endpoint()).await, &question)]
        {
            told.is(402, "payment_required");
            assert_eq!(plain(&told.offers()), plain(made), "{}", agent.slug);
            assert_eq!((told.json(), told.header("content-type")), (first.json(), Some("application/json")));
            for name in ["x-payment-address", "x-price-amount", "x-price-currency", "x-evm-chain-id", "vary", "cache-control"] {
                assert!(told.header(name).is_some_and(|value| Some(value) == first.header(name)), "{name}");
            }
        }
        let lengths = [&first, &again].map(|told| told.header("payment-required").unwrap().len());
        assert_eq!(lengths[0], lengths[1], "every hole is filled");
    }
    // Where something else is said as well, it is said.
    let why = coinslot::error::CallError::saying(Code::PaymentRequired, "Not everywhere.");
    let other = answer::payment_required(&shop.desk, shop.desk.agents[0].card, &why);
    assert_eq!(crate::harness::Answer::of(other).await.json()["error"], json!("Not everywhere."));
}

/// What an instance learns while it runs is in its next 402.
#[tokio::test]
async fn s5_what_is_not_to_be_had_any_more_is_in_no_402_that_was_made_before() {
    const OTHER: u64 = 31_338;
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(OTHER));
    let shop = Shop::on_two(node, &other, OTHER).await;
    let networks = async || {
        let told = shop.price("parrot", "s5 halted").await;
        told.is(402, "payment_required");
        told.offers().accepts.into_iter().map(|offer| offer.network).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        assert_eq!(networks().await, [NETWORK, "eip155:31338"]);
    }
    shop.desk.set_halted(NETWORK);
    for _ in 0..2 {
        assert_eq!(networks().await, ["eip155:31338"]);
    }
    assert_eq!(shop.get("/api/x402/parrot").await.json()["paymentRequirements"]["chainId"], json!(OTHER));
    shop.desk.set_halted("eip155:31338");
    let closed = shop.price("parrot", "s5 halted").await;
    closed.is(503, "agent_unavailable");
    assert!(closed.header("payment-required").is_none());
}

/// The seal and the challenge that a template was filled with are as good as any.
#[tokio::test]
async fn s5_what_is_sold_by_a_402_that_was_made_before_is_paid_and_run() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    shop.price("parrot", "the first one makes the form").await.is(402, "payment_required");
    let offers = shop.price("parrot", "s5 sold").await.offers();
    let payment = proof(&offers, ada.paid(&shop, 2 * PRICE).await);
    ada.call(&shop, "parrot", "s5 sold", &payment).await.said("s5 sold");
    // By its challenge, the rest is spent.
    let challenge = shop.price("parrot", "s5 order").await.offers();
    let signed = signed_in_with(&challenge, &ada.key, |_| {});
    let sent = post("/api/x402/parrot", "").header("sign-in-with-x", signed).body(Body::from(body("s5 order"))).unwrap();
    shop.ask(sent).await.said("s5 order");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s5_what_failed_for_good_is_told_by_every_instance_and_with_the_books_away() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let other = Shop::with(shop.node.clone(), shop.data.clone(), Staff::CounterOnly).await;
    let say = "never:s5";
    other.price("parrot", say).await.is(402, "payment_required");
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", say, &payment).await.is(500, "agent_failed");
    // Who wrote it knows it at once, the other one in a moment, one that begins now from the beginning.
    shop.price("parrot", say).await.is(400, "invalid_input");
    eventually(async || other.price("parrot", say).await.status == 400).await;
    let third = Shop::with(shop.node.clone(), shop.data.clone(), Staff::CounterOnly).await;
    for shop in [&shop, &other, &third] {
        shop.desk.books.close().await;
        let told = shop.price("parrot", say).await;
        told.is(400, "invalid_input");
        assert!(told.json()["fields"][0]["error"].as_str().unwrap().contains("does not say such words"), "{}", told.json());
        shop.price("parrot", "never:another").await.is(402, "payment_required");
        // What is wrong with an input is known without anybody, too.
        shop.price("parrot", "").await.is(400, "invalid_input");
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn s5_the_line_of_an_unpaid_402_is_debug_and_that_of_a_refused_payment_is_not() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let reverted = shop.node.send(json!({ "from": ada.address(), "to": crate::harness::SHOP, "value": "0x0" })).await;
    shop.node.finalize().await;
    let refused = proof(&shop.offer("parrot").await, reverted);

    let lines = Lines::default();
    let written = lines.clone();
    let log =
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false).with_writer(move || written.clone());
    // Where there is one subscriber alone, what another test's thread comes to first is asked about there, and is off for all from then on.
    let other = tracing::Dispatch::new(
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::sink).finish(),
    );
    let logging = tracing::subscriber::set_default(log.finish());
    shop.price("parrot", "s5 log").await.is(402, "payment_required");
    shop.get("/api/x402/cockatoo").await.is(402, "payment_required");
    shop.price("parrot", "").await.is(400, "invalid_input");
    ada.call(&shop, "parrot", "s5 log", &refused).await.is(402, "amount_too_low");
    drop((logging, other));

    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let level = |line: &str| {
        lines.lines().find(|all| all.contains(line)).map(|found| found.split_whitespace().nth(1).unwrap().to_owned())
    };
    assert_eq!(level("POST /api/x402/parrot → 402").as_deref(), Some("DEBUG"), "{lines}");
    assert_eq!(level("GET /api/x402/cockatoo → 402").as_deref(), Some("DEBUG"), "{lines}");
    assert_eq!(level("POST /api/x402/parrot → 400").as_deref(), Some("INFO"), "{lines}");
    let last = lines.lines().rev().find(|line| line.contains("POST /api/x402/parrot → 402")).unwrap();
    assert_eq!(last.split_whitespace().nth(1), Some("INFO"), "{lines}");
}
