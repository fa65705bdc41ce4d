//! A node that is stuck, nodes that are away, and a network that was halted: what visitors, operators and the log see of it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use coinslot::{
    chain::{Chain, Patience},
    evm::TxHash,
    ledger::deposits::ReadTo,
    server::{
        check::{self, Line, State},
        resume::resume,
        settings::{Settings, Sources},
    },
    x402::desk::now_ms,
};
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use crate::{
    agents::worked_on,
    anvil::proxy::{Fault, Proxy},
    dollars::{chain_with_dollars, open_at, pays},
    harness::{NETWORK, Node, PRICE, SHOP, Shop, Staff, proof, row},
    paying::eventually,
};

async fn before(node: &Node) -> (Proxy, Proxy) {
    (Proxy::before(node.url()).await, Proxy::before(node.url()).await)
}

/// So that a node's fault shows within a test.
const QUICK: Patience =
    Patience { stuck: Duration::from_millis(200), behind: Duration::from_secs(10), blocks: 0, doubt: Duration::from_millis(200) };

async fn block(node: &Node, height: u64) -> ReadTo {
    let block = node.rpc("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await;
    let hash: TxHash = serde_json::from_value(block["hash"].clone()).unwrap();
    ReadTo { height, hash: hash.0 }
}

fn directory() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// A payment comes after the preferred node has stopped to move: its payer is answered all the same, by what the second one says.
#[tokio::test]
async fn s3_a_payment_that_a_stuck_node_has_not_seen_is_answered() {
    let node = Arc::new(Node::start());
    let (first, second) = before(&node).await;
    node.mine(3).await;
    let shop = Shop::at(node, directory(), Staff::All, vec![first.url.clone(), second.url.clone()]).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    first.fault(Fault::FrozenAt(3));
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "s3 stuck", &proof(&offers, hash)).await.said("s3 stuck");
    assert_eq!(worked_on("s3 stuck"), 1);
    shop.assert_balanced().await;
}

/// Shown two minutes ago, and one node has not seen it. With the second away that is no answer: not found would ask for money twice.
#[tokio::test]
async fn s3_a_payment_is_not_said_to_be_not_found_by_one_nodes_word() {
    let node = Arc::new(Node::start());
    let (first, second) = before(&node).await;
    node.mine(3).await;
    let shop = Shop::patient(node, directory(), vec![first.url.clone(), second.url.clone()], QUICK).await;
    let ada = shop.signed_in(1).await;
    let payment = async |say: &str, shown_ms: i64| {
        let hash = ada.paid(&shop, PRICE).await;
        shop.desk.books.present(&row(ada.address(), say, &format!("tx/{hash}")), shown_ms).await.unwrap();
        proof(&shop.offer("parrot").await, hash)
    };
    first.fault(Fault::FrozenAt(3));
    second.fault(Fault::Status(503));
    let paid = payment("s3 late", now_ms() - 121_000).await;
    let unknown = ada.glance(&shop, "parrot", "s3 late", &paid).await;
    unknown.is(503, "verifier_unavailable");
    assert_eq!(unknown.json()["retry"], json!("same_payment"));
    assert!(unknown.header("payment-required").is_none());
    second.heal();
    eventually(async || ada.glance(&shop, "parrot", "s3 late", &paid).await.status == 200).await;
    assert_eq!(worked_on("s3 late"), 1);
    shop.assert_balanced().await;
}

fn settings(data: &TempDir, urls: &[&Url]) -> Settings {
    let urls: Vec<String> = urls.iter().map(|url| url.to_string()).collect();
    let env = [
        ("COINSLOT_DATA", data.path().display().to_string()),
        ("COINSLOT_NETWORKS", "local".to_owned()),
        ("COINSLOT_NETWORK__LOCAL__RPC_URLS", urls.join(",")),
        ("COINSLOT_PAY_TO", SHOP.to_string()),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Settings::read(&Sources { env, ..Sources::default() }).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[track_caller]
fn assert_said(lines: &[Line], state: State, words: &[&str]) {
    let said = |line: &Line| line.state == state && words.iter().all(|words| line.sentence.contains(words));
    assert!(lines.iter().any(said), "{state:?} {words:?} in {lines:#?}");
}

/// As a node that has lost what was paid.
const FORGETS: Fault = Fault::Rewrite(|method, _, answer| {
    if method == "eth_getTransactionReceipt" {
        answer["result"] = ().into();
    }
});

/// Whatever block is asked for by its height, it has another one; but the first.
const ELSEWHERE: Fault = Fault::Rewrite(|method, params, answer| {
    let is_height = params[0].as_str().is_some_and(|height| height.starts_with("0x") && height != "0x0");
    if method == "eth_getBlockByNumber" && is_height && !answer["result"].is_null() {
        answer["result"]["hash"] = json!(TxHash([6; 32]));
    }
});

/// Two instances on one database. All of it by what `/readyz`, `coinslot check` and `coinslot resume` say.
#[tokio::test]
async fn s3_a_halted_network_says_since_when_and_why_and_is_resumed_once_its_books_are_clean() {
    let (node, data) = (Arc::new(Node::start()), directory());
    let (proxy, second) = before(&node).await;
    let shop = Shop::at(node.clone(), data.clone(), Staff::All, vec![proxy.url.clone()]).await;
    let other = Shop::at(node.clone(), data.clone(), Staff::NoWorker, vec![node.url()]).await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "s3 before", &proof(&shop.offer("parrot").await, hash)).await.said("s3 before");
    shop.desk.books.deposit_block(NETWORK, block(&node, 2).await, &[], now_ms()).await.unwrap();
    let offers = shop.offer("parrot").await;
    let open = settings(&data, &[&proxy.url]);
    assert_eq!(shop.get("/readyz").await.json()["networks"][0]["state"], json!("open"));
    assert!(resume(&open, "local").await[0].sentence.contains("is not halted"));

    let why = "two of its nodes have another block 2 now";
    shop.desk.books.halt_network(NETWORK, 2, why, now_ms()).await.unwrap();
    let is = async |shop: &Shop, status: u16| {
        shop.desk.waiting.notify_waiters();
        shop.price("parrot", "s3 halted").await.status == status
    };
    for shop in [&shop, &other] {
        eventually(async || is(shop, 503).await).await;
        let ready = shop.get("/readyz").await;
        let network = &ready.json()["networks"][0];
        assert_eq!((ready.status, &network["state"], &network["block"]), (200, &json!("halted"), &json!(2)), "{network}");
        assert!(network["why"] == json!(why) && network["since"].as_str().unwrap().ends_with('Z'), "{network}");
    }
    let lines = check::check(&open, &[]).await;
    assert_said(&lines, State::Bad, &["payments are stopped since 20", why, "coinslot resume local"]);

    let unpaid = ada.paid(&shop, PRICE).await;
    let payment = proof(&offers, unpaid);
    ada.call(&shop, "parrot", "s3 halted", &payment).await.is(503, "verifier_unavailable");

    proxy.fault(FORGETS);
    let refused = resume(&open, "local").await;
    assert_said(&refused, State::Bad, &["the chain does not know its transaction"]);
    assert_said(&refused, State::Bad, &["stays halted", "is not clean"]);
    proxy.heal();
    second.fault(ELSEWHERE);
    let refused = resume(&settings(&data, &[&proxy.url, &second.url]), "local").await;
    assert_said(&refused, State::Bad, &["stays halted", "nodes 1 of 2 and 2 of 2 have different blocks"]);
    second.fault(Fault::Status(503));
    let refused = resume(&settings(&data, &[&second.url]), "local").await;
    assert_said(&refused, State::Bad, &["stays halted", "HTTP status 503"]);
    assert_said(&resume(&open, "moon").await, State::Bad, &["moon is none of the networks: local"]);
    assert_eq!(shop.desk.books.halted(NETWORK).await.unwrap(), Some(2));

    assert_said(&resume(&open, "Local").await, State::Ok, &["is open again", why]);
    for shop in [&shop, &other] {
        eventually(async || is(shop, 402).await).await;
        assert_eq!(shop.get("/readyz").await.json()["networks"][0]["state"], json!("open"));
    }
    // What was sent meanwhile counts.
    ada.call(&shop, "parrot", "s3 halted", &payment).await.said("s3 halted");
    shop.assert_balanced().await;
}

/// A halt of its follower's own making: it goes on as well, from where it was, on the block that is there now.
#[tokio::test]
async fn s3_a_network_that_its_follower_halted_is_followed_again() {
    let (node, data) = (Arc::new(Node::start()), directory());
    let shop = Shop::patient(node.clone(), data.clone(), vec![node.url()], QUICK).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    node.mine(5).await;
    // Another block than the node has.
    shop.desk.books.deposit_block(NETWORK, ReadTo { height: 2, hash: [9; 32] }, &[], now_ms()).await.unwrap();
    let hash = ada.pays(&shop, PRICE).await;
    let payment = proof(&offers, hash);
    // Somebody waits, so the chain is looked at.
    eventually(async || {
        ada.glance(&shop, "parrot", "s3 followed", &payment).await;
        shop.desk.books.halted(NETWORK).await.unwrap().is_some()
    })
    .await;
    let halt = shop.desk.books.halt_of(NETWORK).await.unwrap().unwrap();
    assert!(halt.why.as_ref().unwrap().contains("its only node has had another block 2") && halt.since_ms.is_some(), "{halt:?}");
    ada.glance(&shop, "parrot", "s3 followed", &payment).await.is(503, "verifier_unavailable");

    assert_said(&resume(&settings(&data, &[&node.url()]), NETWORK).await, State::Ok, &["is open again"]);
    assert_eq!(shop.desk.books.read_to(NETWORK).await.unwrap(), Some(block(&node, 2).await));
    eventually(async || {
        shop.desk.waiting.notify_waiters();
        !shop.desk.is_halted(NETWORK)
    })
    .await;
    node.finalize().await;
    ada.call(&shop, "parrot", "s3 followed", &payment).await.said("s3 followed");
    assert_eq!(shop.desk.books.halted(NETWORK).await.unwrap(), None);
    shop.assert_balanced().await;
}

/// What the log was told, by this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn all(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock().unwrap()).lines().map(str::to_owned).collect()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Settlements, payments that nobody has seen, and visitors who ask again and again: as long as no node answers, all of it is one line.
#[tokio::test]
async fn s8_an_outage_is_one_line_a_minute_whatever_waits_for_it() {
    // The line's place in the code is known before anybody listens: else another test's thread may be the first there, and nobody listens to that one.
    let nowhere = Chain::new(crate::anvil::settings(["http://127.0.0.1:9".parse().unwrap()]));
    nowhere.final_head().await.unwrap_err();
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_env_filter("coinslot=warn").with_ansi(false).with_writer(move || writer.clone());
    let _this_thread = tracing::subscriber::set_default(log.finish());

    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let shop = open_at(node, directory(), &token, Staff::All, vec![proxy.url.clone()]).await;
    let offers = shop.offer("macaw").await;
    let unseen = shop.signed_in(3).await;
    proxy.fault(Fault::Refuse("eth_sendRawTransaction"));
    for (payer, say) in [(1, "s8 a"), (1, "s8 b"), (1, "s8 c"), (2, "s8 d"), (2, "s8 e"), (2, "s8 f")] {
        let payer = shop.visitor(payer);
        let told = payer.glance(&shop, "macaw", say, &pays(&offers, &payer.key, &token, say)).await;
        assert_eq!(told.status, 202, "{}", told.json());
    }
    eventually(async || worked_on("s8 c") + worked_on("s8 f") == 2).await;
    let before = lines.all().len();
    proxy.fault(Fault::Status(503));
    let sent = proxy.asked().requests;
    let native = shop.offer("parrot").await;
    while proxy.asked().requests < sent + 15 {
        let shown = unseen.glance(&shop, "parrot", "s8 unseen", &proof(&native, TxHash([8; 32]))).await;
        assert!(matches!(shown.status, 202 | 503), "{}", shown.json());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = lines.all().split_off(before);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("no RPC of Local chain answers: node 1 of 1: HTTP status 503"), "{said:?}");
}
