//! Made-up hashes (S1): wallets, signatures and hashes cost nothing to make. What is asked and written down for them is bounded, nobody honest waits for
//! them, and a payment that a node does not know yet is answered when it is shown again.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::signers::local::PrivateKeySigner;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::Request,
};
use coinslot::{
    evm::TxHash,
    ledger::{Deposit, How, awaited::UNSEEN_IN_ALL_MAX, runs::UNSEEN_MAX},
    money::{Amount, Asset},
    server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
    },
    x402::{desk::now_ms, wire::PaymentRequired},
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sqlx::Connection;
use tower::ServiceExt;
use url::Url;

use crate::{
    agents::worked_on,
    dollars::offer_by,
    harness::{
        Answer, NETWORK, Node, PRICE, SHOP, Shop, Staff, Visitor, body, from_credit, payload_for, post, proof, row, sqlite,
    },
    paying::eventually,
    programs::{Native, signed_in_with},
};

/// A node that takes its time, counts what it is asked about each transaction, and can be behind.
struct SlowNode {
    url: Url,
    asked: Arc<Asked>,
    server: tokio::task::JoinHandle<()>,
}

struct Asked {
    target: Url,
    client: reqwest::Client,
    delay: Duration,
    /// For requests about a made-up hash.
    delay_made_up: Duration,
    /// Requests about transactions that are under way, and the most that were at once.
    now: AtomicUsize,
    at_once: AtomicUsize,
    /// Requests that name a transaction, by its hash.
    about: Mutex<HashMap<String, usize>>,
    /// It does not know this one yet.
    hidden: Mutex<Option<String>>,
}

impl SlowNode {
    async fn before(target: Url, delay: Duration, delay_made_up: Duration) -> Self {
        let asked = Arc::new(Asked {
            target,
            client: coinslot::http_client::builder().no_proxy().build().unwrap(),
            delay,
            delay_made_up,
            now: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            about: Mutex::default(),
            hidden: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(answer).with_state(asked.clone());
        Self { url, asked, server: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }) }
    }

    fn hides(&self, hash: Option<TxHash>) {
        *self.asked.hidden.lock().unwrap() = hash.map(|hash| hash.to_string());
    }

    fn about(&self, hash: TxHash) -> usize {
        self.asked.about.lock().unwrap().get(&hash.to_string()).copied().unwrap_or(0)
    }
}

impl Drop for SlowNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The transaction that a call is about.
fn subject(call: &Value) -> Option<&str> {
    let method = call["method"].as_str()?;
    matches!(method, "eth_getTransactionReceipt" | "eth_getTransactionByHash").then(|| call["params"][0].as_str())?
}

async fn answer(State(asked): State<Arc<Asked>>, body: Bytes) -> Json<Value> {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let calls = request.as_array().cloned().unwrap_or_else(|| vec![request.clone()]);
    let is_about_one = calls.iter().any(|call| subject(call).is_some());
    if let Some(hash) = calls.iter().find_map(subject) {
        *asked.about.lock().unwrap().entry(hash.to_owned()).or_default() += 1;
    }
    if is_about_one {
        let now = asked.now.fetch_add(1, Ordering::SeqCst) + 1;
        asked.at_once.fetch_max(now, Ordering::SeqCst);
    }
    let is_made_up = calls.iter().filter_map(subject).any(|hash| hash.starts_with(MADE_UP));
    tokio::time::sleep(if is_made_up { asked.delay_made_up } else { asked.delay }).await;
    let answer = asked.client.post(asked.target.clone()).json(&request).send().await.unwrap();
    let mut said: Value = answer.json().await.unwrap();
    let hidden = asked.hidden.lock().unwrap().clone();
    for call in calls.iter().filter(|call| hidden.is_some() && subject(call) == hidden.as_deref()) {
        match said.as_array_mut() {
            Some(batch) => batch.iter_mut().find(|answer| answer["id"] == call["id"]).unwrap()["result"] = Value::Null,
            None => said["result"] = Value::Null,
        }
    }
    if is_about_one {
        asked.now.fetch_sub(1, Ordering::SeqCst);
    }
    Json(said)
}

async fn shop_behind(node: Node, delay: Duration) -> (Shop, SlowNode) {
    shop_behind_with(node, delay, delay).await
}

async fn shop_behind_with(node: Node, delay: Duration, delay_made_up: Duration) -> (Shop, SlowNode) {
    let slow = SlowNode::before(node.url(), delay, delay_made_up).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    (Shop::at(Arc::new(node), data, Staff::All, vec![slow.url.clone()]).await, slow)
}

/// A key that nobody ever used.
fn fresh(n: u32) -> PrivateKeySigner {
    let mut bytes = [0x11; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PrivateKeySigner::from_slice(&bytes).unwrap()
}

/// How all of them begin.
const MADE_UP: &str = "0xf1f1f1f1";

fn made_up(n: u32) -> TxHash {
    let mut bytes = [0xf1; 32];
    bytes[28..].copy_from_slice(&n.to_be_bytes());
    TxHash(bytes)
}

/// A call as long as the agent takes: white space counts.
fn long(say: &str) -> String {
    let text = body(say);
    let rest = 4_000 - text.len();
    text.replacen('{', &format!("{{{}", " ".repeat(rest)), 1)
}

/// A program's payment with its proof, for exactly this body.
fn signed(offers: &PaymentRequired, hash: TxHash, key: &PrivateKeySigner, body: &str) -> String {
    let native = Native { body: body.to_owned(), ..Native::of(offers, hash, key, "") };
    payload_for(offers, offer_by(offers, "transaction-proof"), native.payload(key))
}

fn request(payment: &str, body: &str, wait: u32) -> Request<Body> {
    let request = post("/api/x402/parrot", "").header("payment-signature", payment).header("prefer", format!("wait={wait}"));
    request.body(Body::from(body.to_owned())).unwrap()
}

/// What is left in the books: runs, other rows that anybody can have written, and bytes.
async fn left(shop: &Shop) -> (i64, i64, i64) {
    let mut books = sqlx::AnyConnection::connect(&sqlite(shop.data.path())).await.unwrap();
    let mut count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut books).await.unwrap();
    let runs = count("select count(*) from runs").await;
    let others = count(
        "select (select count(*) from presenters) + (select count(*) from spent_nonces) + (select count(*) from followed_transactions)
              + (select count(*) from balances) + (select count(*) from unseen_payments)",
    )
    .await;
    (runs, others, count("select page_count * page_size from pragma_page_count(), pragma_page_size()").await)
}

async fn runs(shop: &Shop) -> i64 {
    left(shop).await.0
}

/// Not yet, and the same payment counts: never an offer.
#[track_caller]
fn is_not_yet(answer: &Answer) {
    let said = (answer.status, answer.code());
    assert!(
        [(202, "payment_pending".to_owned()), (429, "rate_limited".to_owned())].contains(&said),
        "{}",
        String::from_utf8_lossy(&answer.bytes)
    );
    assert_eq!((answer.json()["retry"].as_str(), answer.header("payment-required")), (Some("same_payment"), None));
    assert!(answer.header("retry-after").is_some(), "it says when");
}

/// The same payment again until it is answered.
async fn until_answered(shop: &Shop, payment: &str, body: &str) -> Answer {
    for _ in 0..200 {
        let answer = shop.ask(request(payment, body, 1)).await;
        if answer.status == 200 {
            return answer;
        }
        is_not_yet(&answer);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the same payment was never answered");
}

const WALLETS: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_flood_of_unseen_hashes_writes_nothing_and_holds_up_nobody() {
    let (shop, slow) = shop_behind(Node::that_mines(), Duration::from_millis(50)).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("parrot").await;
    let before = left(&shop).await;
    let one = |n: u32| {
        let (shop, offers) = (&shop, &offers);
        async move {
            let text = long(&format!("flood {n}"));
            let payment = signed(offers, made_up(n), &fresh(1 + n / UNSEEN_MAX), &text);
            is_not_yet(&shop.ask(request(&payment, &text, 0)).await);
        }
    };
    let flood = stream::iter(0..WALLETS * UNSEEN_MAX).map(one).buffer_unordered(32).for_each(|()| async {});
    // In the middle of it somebody pays: a wallet that nobody knows here either.
    let honest = async {
        eventually(async || slow.asked.about.lock().unwrap().len() > 20).await;
        let text = long("honest");
        let hash = ada.pays(&shop, PRICE).await;
        until_answered(&shop, &signed(&offers, hash, &ada.key, &text), &text).await.said("honest");
    };
    tokio::join!(flood, honest);
    let after = left(&shop).await;
    assert_eq!((before.0, after.0, worked_on("honest")), (0, 1, 1), "a stranger wrote a row");
    // Of the honest one: that they showed a payment, its number, and what they have and had held.
    assert!(after.1 - before.1 <= 4, "{} rows beside the runs", after.1 - before.1);
    // One run of 4 KB, where the flood brought 1.2 MB.
    assert!(after.2 - before.2 < 200_000, "{} bytes", after.2 - before.2);
    // Each was looked for once at most, and few at once: the strangers' own, and the honest one's.
    for n in 0..WALLETS * UNSEEN_MAX {
        assert!(slow.about(made_up(n)) <= 1, "{} requests about one hash", slow.about(made_up(n)));
    }
    let at_once = slow.asked.at_once.load(Ordering::SeqCst);
    assert!(at_once <= 16, "{at_once} look-ups at once");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s1_whose_node_is_behind_is_answered_when_they_show_the_same_payment_again() {
    let (shop, slow) = shop_behind(Node::start(), Duration::ZERO).await;
    let (ada, bob) = (shop.visitor(1), shop.visitor(2));
    let offers = shop.offer("parrot").await;
    let hers = ada.paid(&shop, PRICE).await;
    // In no block: the block reader would have it at once.
    let his = TxHash([0xb0; 32]);
    slow.hides(Some(hers));
    let text = body("behind");
    let payment = signed(&offers, hers, &ada.key, &text);
    let pending = shop.ask(request(&payment, &text, 0)).await;
    pending.is(202, "payment_pending");
    is_not_yet(&pending);
    assert_eq!((runs(&shop).await, pending.json()["stage"].as_str()), (0, Some("sent")));
    slow.hides(None);
    until_answered(&shop, &payment, &text).await.said("behind");
    // The node never knows this one; what arrived was found by the recipient's balance (P2), and meets its call.
    let text = body("behind and found");
    let payment = signed(&offers, his, &bob.key, &text);
    shop.ask(request(&payment, &text, 0)).await.is(202, "payment_pending");
    let found = Deposit {
        network: NETWORK.into(),
        proof: format!("tx/{his}"),
        transaction: his,
        payer: bob.address(),
        pay_to: SHOP,
        asset: Asset::native(NETWORK),
        amount: Amount::from_atomic(PRICE),
        block: 4,
        block_time_ms: now_ms(),
        how: How::Found,
    };
    shop.desk.books.deposit(&found, now_ms()).await.unwrap();
    shop.ask(request(&payment, &text, 10)).await.said("behind and found");
    assert_eq!((worked_on("behind"), worked_on("behind and found")), (1, 1));
    shop.assert_balanced().await;
}

/// Its first request waits for it, as it did before, and no row is needed for that.
#[tokio::test]
async fn s1_who_waits_is_answered_when_the_block_reader_has_the_payment() {
    let (shop, slow) = shop_behind(Node::start(), Duration::ZERO).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("parrot").await;
    let hash = ada.pays(&shop, PRICE).await;
    // As on a network that shows nothing that waits.
    slow.hides(Some(hash));
    let text = body("who waits");
    let payment = signed(&offers, hash, &ada.key, &text);
    let mined = async {
        eventually(async || slow.about(hash) > 0).await;
        assert_eq!(runs(&shop).await, 0);
        slow.hides(None);
        shop.node.finalize().await;
    };
    let (answer, ()) = tokio::join!(shop.ask(request(&payment, &text, 15)), mined);
    answer.said("who waits");
    shop.assert_balanced().await;
}

/// Real transactions are as easy to come by as made-up hashes.
#[tokio::test]
async fn s1_other_peoples_transactions_leave_nothing_either() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let offers = shop.offer("parrot").await;
    let to_nobody = |value: &str| json!({ "from": ada.address(), "to": format!("0x{}", "77".repeat(20)), "value": value });
    let (hers, elsewhere) = (ada.pays(&shop, PRICE).await, shop.node.send(to_nobody("0x1")).await);
    shop.node.finalize().await;
    let text = body("not mine");
    let shows = async |hash: TxHash, by: &Visitor| shop.ask(request(&signed(&offers, hash, &by.key, &text), &text, 5)).await;
    shows(elsewhere, &eve).await.is(402, "wrong_recipient");
    shows(elsewhere, &ada).await.is(402, "wrong_recipient");
    shows(hers, &eve).await.is(403, "payer_mismatch");
    shows(hers, &eve).await.is(403, "payer_mismatch");
    assert_eq!((runs(&shop).await, worked_on("not mine")), (0, 0));
    assert!(shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap().is_empty());
    shows(hers, &ada).await.said("not mine");
    shop.assert_balanced().await;
}

/// Beside what is no call, too.
#[tokio::test]
async fn s1_no_hash_of_a_strangers_is_followed_before_a_node_knows_it() {
    let (shop, slow) = shop_behind(Node::start(), Duration::ZERO).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("parrot").await;
    let gets = async |name: &str, payment: &str, more: &str| {
        let request = Request::get("/api/x402/parrot").header(name, payment).header("sign-in-with-x", more);
        let request = if more.is_empty() { Request::get("/api/x402/parrot").header(name, payment) } else { request };
        let answer = shop.ask(request.body(Body::empty()).unwrap()).await;
        answer.is(405, "method_not_allowed");
        assert_eq!((answer.json()["retry"].as_str(), answer.header("payment-required")), (Some("same_payment"), None));
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    let followed = async || shop.desk.books.followed_transactions(NETWORK, now_ms()).await.unwrap().len();
    let by_proof = signed(&offers, made_up(1), &ada.key, &body("x"));
    assert!(gets("payment-signature", &by_proof, "").await.contains("not followed yet"));
    let sign_in = signed_in_with(&offers, &ada.key, |_| {});
    assert!(gets("x-payment", &made_up(2).to_string(), &sign_in).await.contains("not followed yet"));
    assert_eq!((followed().await, runs(&shop).await), (0, 0));
    // The sign-in is not used up: it shows the payment that was made.
    let hash = ada.paid(&shop, PRICE).await;
    slow.hides(Some(hash));
    assert!(gets("x-payment", &hash.to_string(), &sign_in).await.contains("not followed yet"));
    slow.hides(None);
    assert!(gets("x-payment", &hash.to_string(), &sign_in).await.contains("It is followed"));
    let credit = async || shop.desk.books.balance(ada.address(), &Asset::native(NETWORK)).await.unwrap();
    eventually(async || credit().await == Amount::from_atomic(PRICE)).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s1_each_address_may_have_so_many_hashes_looked_for() {
    let (shop, slow) = shop_behind(Node::start(), Duration::ZERO).await;
    let off = || Quota::per_second(0, 1);
    let limits = Limits { pages: off(), api: off(), sign_in: Quota::per_minute(1, 3) };
    let router = coinslot::server::router::router(
        shop.desk.clone(),
        Site::new([]),
        None,
        Doorkeeper::new(limits, vec!["::".parse().unwrap()]),
    );
    let offers = shop.offer("parrot").await;
    let shows = async |n: u32, address: &str| {
        let text = body(&format!("from {address} {n}"));
        let mut request = request(&signed(&offers, made_up(n), &fresh(n + 1), &text), &text, 0);
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        let answer = Answer::of(router.clone().oneshot(request).await.unwrap()).await;
        is_not_yet(&answer);
        answer.status
    };
    let mut told = Vec::new();
    for n in 0..5 {
        told.push(shows(n, "203.0.113.7").await);
    }
    assert_eq!(told, [202, 202, 202, 429, 429]);
    // One that was shown before is no further one, and nobody else is told to wait.
    assert_eq!((shows(0, "203.0.113.7").await, shows(9, "203.0.113.8").await), (202, 202));
    assert_eq!((slow.about(made_up(3)), slow.about(made_up(9)), runs(&shop).await), (0, 1, 0));
}

/// Signing in costs little more than a signature: there is an end to what is written before anything is seen.
#[tokio::test]
async fn s1_beyond_so_many_in_all_the_known_are_looked_for_first_as_well() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    ada.glance(&shop, "parrot", "s1 first", &proof(&offers, made_up(9_999))).await.is(202, "payment_pending");
    assert_eq!(runs(&shop).await, 1, "a wallet that is signed in is no stranger");
    for n in 0..UNSEEN_IN_ALL_MAX {
        let wallet = coinslot::evm::Address(made_up(n / UNSEEN_MAX).0[12..].try_into().unwrap());
        let new = row(wallet, &format!("s1 {n}"), &format!("tx/{}", made_up(n)));
        shop.desk.books.present(&new, now_ms()).await.unwrap();
    }
    let full = runs(&shop).await;
    ada.glance(&shop, "parrot", "s1 full", &proof(&offers, made_up(8_888))).await.is(202, "payment_pending");
    assert_eq!(runs(&shop).await, full);
    // What was written down goes on, and what was paid is answered.
    ada.glance(&shop, "parrot", "s1 first", &proof(&offers, made_up(9_999))).await.is(202, "payment_pending");
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "s1 paid", &proof(&offers, hash)).await.said("s1 paid");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn s1_credit_that_is_not_there_leaves_nothing() {
    let shop = Shop::open().await;
    let eve = shop.visitor(2);
    let before = left(&shop).await;
    for n in 0..30 {
        let offers = shop.offer("parrot").await;
        let payment = from_credit(&offers, &format!("0d8f5c0e-0f7e-4f57-8c5c-{n:012x}"));
        let signed = signed_in_with(&offers, &eve.key, |_| {});
        let headers = [("payment-signature", payment.as_str()), ("sign-in-with-x", signed.as_str())];
        let answer = eve.call_with(&shop, "parrot", "s1 credit", &headers).await;
        answer.is(402, "amount_too_low");
        assert!(!answer.offers().accepts.is_empty(), "another payment helps");
        let nonce = offers.extensions["sign-in-with-x"]["info"]["nonce"].as_str().unwrap();
        assert_eq!(shop.desk.books.nonce_used_for(nonce).await.unwrap(), None);
    }
    let after = left(&shop).await;
    assert_eq!((after.0 + after.1 - before.0 - before.1, worked_on("s1 credit")), (0, 0), "a stranger wrote a row");
    // With credit it is spent as ever, and then there is none again.
    let ada = crate::programs::with_credit(&shop).await;
    for (n, code) in [(1, ""), (2, "amount_too_low")] {
        let offers = shop.offer("parrot").await;
        let payment = from_credit(&offers, &format!("0d8f5c0e-0f7e-4f57-8c5d-{n:012x}"));
        let signed = signed_in_with(&offers, &ada.key, |_| {});
        let headers = [("payment-signature", payment.as_str()), ("sign-in-with-x", signed.as_str())];
        // Shown twice, it is the same run.
        for _ in 0..2 {
            assert_eq!(ada.call_with(&shop, "parrot", "s1 spends", &headers).await.code(), code);
        }
    }
    assert_eq!(worked_on("s1 spends"), 1);
    shop.assert_balanced().await;
}

/// However long a node takes for hashes that nobody sent, blocks are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_look_ups_are_beside_the_block_reader() {
    let (shop, slow) = shop_behind_with(Node::that_mines(), Duration::ZERO, Duration::from_millis(800)).await;
    let ada = shop.signed_in(1).await;
    // More than 20 seconds of looking, eight at a time.
    for n in 0..200 {
        let wallet = coinslot::evm::Address(made_up(n).0[12..].try_into().unwrap());
        let new = row(wallet, &format!("s1 beside {n}"), &format!("tx/{}", made_up(n)));
        shop.desk.books.present(&new, now_ms()).await.unwrap();
    }
    shop.desk.waiting.notify_waiters();
    eventually(async || slow.asked.about.lock().unwrap().len() > 4).await;
    let offers = shop.offer("parrot").await;
    let hash = ada.pays(&shop, PRICE).await;
    ada.call(&shop, "parrot", "s1 beside", &proof(&offers, hash)).await.said("s1 beside");
    let looked = (0..200).filter(|n| slow.about(made_up(*n)) > 0).count();
    assert!(looked < 200, "it was answered before all others were looked for");
    assert!(slow.asked.at_once.load(Ordering::SeqCst) <= 16);
    shop.assert_balanced().await;
}
