//! A node that answers and is wrong: stuck, behind, alone with what it has not seen, or on blocks of its own.

use std::time::Duration;

use coinslot::{
    chain::{Chain, ChainSettings, Cursor, Patience, Sighting},
    evm::TxHash,
};
use serde_json::{Value, json};

use crate::{
    anvil::{
        Anvil,
        proxy::{Fault, Proxy},
        settings,
    },
    recorder::{Recorder, after, payments_to},
};

/// So that a node's fault shows within a test.
const QUICK: Patience =
    Patience { stuck: Duration::from_millis(200), behind: Duration::from_secs(10), blocks: 0, doubt: Duration::from_millis(200) };

/// Two nodes of one chain, and the chain over them.
async fn two_nodes(patience: Patience) -> (Anvil, Proxy, Proxy, Chain) {
    let anvil = Anvil::start().await;
    let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
    let chain = Chain::with_patience(settings([first.url.clone(), second.url.clone()]), patience);
    (anvil, first, second, chain)
}

/// Says that another block is at height 8, whenever that block alone is asked for.
const LIES: Fault = Fault::Rewrite(|method, params, answer| {
    if method == "eth_getBlockByNumber" && params[0] == "0x8" && params[1] == false {
        answer["result"]["hash"] = json!(TxHash([6; 32]));
    }
});

async fn at_8(anvil: &Anvil) -> Cursor {
    Cursor { height: 8, hash: anvil.block_hash(8).await }
}

/// The payment comes after the first node has stopped to move, and nobody told its hash: only blocks show it.
#[tokio::test]
async fn s3_a_node_that_is_stuck_and_answers_is_left_and_comes_back_when_it_has_caught_up() {
    let (anvil, first, second, chain) = two_nodes(QUICK).await;
    let shop = anvil.account(2);
    anvil.mine(5).await;
    let recorder = Recorder::of(chain.clone(), Some(payments_to(shop, 0)));
    recorder.until("the blocks", |told| told.height() == Some(3)).await;
    first.fault(Fault::FrozenAt(5));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    let told = recorder.until("the payment", |told| !told.hashes().is_empty()).await;
    assert_eq!((told.hashes(), &told.changed[..]), (vec![hash], &[][..]));
    assert!(second.asked().blocks_read.contains(&"0x6".to_owned()) && chain.healthy());

    // It shows its newest block before it is asked anything else, and that is not new enough: nothing is read from it.
    let before = first.asked();
    first.until("whether it has moved", |asked| asked.scans > before.scans).await;
    assert_eq!(first.asked().blocks_read, before.blocks_read);
    first.heal();
    let next = anvil.send(anvil.account(1), shop, 6).await;
    anvil.finalize().await;
    recorder.until("the next payment", |told| told.hashes().contains(&next)).await;
    first.until("the blocks", |asked| asked.calls("eth_getBlockByNumber") > before.calls("eth_getBlockByNumber") + 5).await;
}

#[tokio::test]
async fn s3_a_node_that_was_stuck_before_anybody_asked_is_left_too() {
    let (anvil, first, _second, chain) = two_nodes(QUICK).await;
    let shop = anvil.account(2);
    anvil.mine(5).await;
    first.fault(Fault::FrozenAt(4));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    let recorder = Recorder::of(chain, Some(payments_to(shop, 0)));
    recorder.until("the payment", |told| told.hashes() == [hash]).await;
}

/// A chain that makes no block is no node's fault.
#[tokio::test]
async fn s3_where_no_node_moves_the_preferred_one_stays() {
    let (anvil, first, second, chain) = two_nodes(QUICK).await;
    anvil.mine(5).await;
    let recorder = Recorder::of(chain, Some(payments_to(anvil.account(2), 0)));
    recorder.until("the blocks", |told| told.height() == Some(3)).await;
    // Heads are compared again and again.
    second.until("its newest block", |asked| asked.scans >= 4).await;
    let before = first.asked().scans;
    first.until("another look", |asked| asked.scans > before + 3).await;
    assert_eq!(second.asked().blocks_read, [""; 0], "only its head was asked for");
}

/// Behind the cursor that another node's blocks have moved: the next one is asked, in the same turn.
#[tokio::test]
async fn s3_a_node_below_the_cursor_is_passed_over() {
    let (anvil, first, _second, chain) = two_nodes(Patience::default()).await;
    let shop = anvil.account(2);
    anvil.mine(10).await;
    first.fault(Fault::FrozenAt(9));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    let recorder = Recorder::of(chain.clone(), Some(after(at_8(&anvil).await, payments_to(shop, 0))));
    recorder.until("the payment", |told| told.hashes() == [hash]).await;
    assert!(chain.healthy());
}

#[tokio::test]
async fn s3_not_seen_counts_only_when_a_second_node_says_so() {
    let (anvil, first, second, chain) = two_nodes(Patience::default()).await;
    first.fault(Fault::FrozenAt(0));
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Included(_)), "the second node has it");
    anvil.finalize().await;
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Final(_)));

    second.fault(Fault::Status(503));
    let unknown = chain.lookup(hash).await.unwrap_err();
    assert!(unknown.cause.contains("no second one says so"), "{}", unknown.cause);
    assert_eq!(chain.sight(hash).await.unwrap(), Sighting::NotSeen, "not yet");

    let nowhere = TxHash([7; 32]);
    assert_eq!(Chain::new(settings([first.url.clone()])).lookup(nowhere).await.unwrap(), Sighting::NotSeen, "there is no other");
    second.heal();
    let both = Chain::new(settings([first.url.clone(), second.url.clone()]));
    assert_eq!(both.lookup(nowhere).await.unwrap(), Sighting::NotSeen);
    assert!(second.asked().calls("eth_getTransactionReceipt") > 0);
}

#[tokio::test]
async fn s3_one_nodes_lie_about_a_final_block_stops_nothing() {
    let (anvil, first, second, chain) = two_nodes(QUICK).await;
    let shop = anvil.account(2);
    anvil.mine(10).await;
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    first.fault(LIES);
    let recorder = Recorder::of(chain, Some(after(at_8(&anvil).await, payments_to(shop, 9))));
    let told = recorder.until("the payment", |told| !told.hashes().is_empty()).await;
    assert_eq!((told.hashes(), told.changed), (vec![hash], vec![]));
    assert_eq!(first.asked().blocks_read, [""; 0], "nothing more is read from it");
    assert!(!second.asked().blocks_read.is_empty());
}

/// Whose word is it? With the other one away nobody knows: nothing is read, and nothing is stopped.
#[tokio::test]
async fn s3_while_the_second_node_is_away_one_nodes_lie_stops_nothing_either() {
    let (anvil, first, second, chain) = two_nodes(QUICK).await;
    let shop = anvil.account(2);
    anvil.mine(10).await;
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    first.fault(LIES);
    second.fault(Fault::Status(503));
    let recorder = Recorder::of(chain, Some(after(at_8(&anvil).await, payments_to(shop, 9))));
    first.until("again and again", |asked| asked.calls("eth_getBlockByNumber") >= 12).await;
    assert_eq!((recorder.told().blocks.len(), recorder.told().changed.len()), (0, 0));
    second.heal();
    let told = recorder.until("the payment", |told| !told.hashes().is_empty()).await;
    assert_eq!((told.hashes(), told.changed), (vec![hash], vec![]));
}

#[tokio::test]
async fn s3_two_nodes_that_agree_stop_a_network_at_once() {
    let (anvil, _first, _second, chain) = two_nodes(Patience::default()).await;
    let shop = anvil.account(2);
    anvil.mine(10).await;
    let recorder = Recorder::of(chain, Some(payments_to(shop, 0)));
    recorder.until("the blocks", |told| told.height() == Some(8)).await;
    anvil.reorg(5, &[]).await;
    anvil.mine(3).await;
    let told = recorder.until("the change", |told| !told.changed.is_empty()).await;
    assert_eq!((told.height(), &told.changed[..]), (Some(8), &[8][..]));
}

async fn lone(anvil: &Anvil, proxy: &Proxy, patience: Patience) -> Recorder {
    let chain = Chain::with_patience(settings([proxy.url.clone()]), patience);
    Recorder::of(chain, Some(after(at_8(anvil).await, payments_to(anvil.account(2), 9))))
}

#[tokio::test]
async fn s3_a_lone_node_has_to_say_it_twice() {
    let anvil = Anvil::start().await;
    let proxy = Proxy::before(anvil.url()).await;
    anvil.mine(10).await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    anvil.finalize().await;
    proxy.fault(LIES);
    // A minute, by default: its next right answer ends the doubt.
    let recorder = lone(&anvil, &proxy, Patience::default()).await;
    proxy.until("several times", |asked| asked.calls("eth_getBlockByNumber") >= 6).await;
    assert_eq!((recorder.told().blocks.len(), recorder.told().changed.len()), (0, 0));
    proxy.heal();
    let told = recorder.until("the payment", |told| !told.hashes().is_empty()).await;
    assert_eq!((told.hashes(), told.changed), (vec![hash], vec![]));
    drop(recorder);

    proxy.fault(LIES);
    let recorder = lone(&anvil, &proxy, QUICK).await;
    let told = recorder.until("the change", |told| !told.changed.is_empty()).await;
    assert_eq!((told.blocks.len(), &told.changed[..]), (0, &[8][..]));
}

/// Every node is asked at once which chain it is of: those that hang hold up none that answers, and one that is right is enough.
#[tokio::test]
async fn s8_nodes_are_met_all_at_once() {
    let anvil = Anvil::start().await;
    let mut proxies = Vec::new();
    for _ in 0..4 {
        proxies.push(Proxy::before(anvil.url()).await);
    }
    for hanging in &proxies[..3] {
        hanging.fault(Fault::Hang);
    }
    let urls = proxies.iter().map(|proxy| proxy.url.clone());
    let chain = Chain::new(ChainSettings { timeout: Duration::from_secs(30), ..settings(urls) });
    let asked = chain.introduced(Duration::from_millis(500));
    let said = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("not one after the other");
    let first: Value = anvil.rpc("eth_getBlockByNumber", json!(["0x0", false])).await["hash"].clone();
    let right = said.iter().filter(|said| said.as_ref().is_ok_and(|(id, hash)| *id == 31337 && json!(TxHash(*hash)) == first));
    assert_eq!((said.len(), right.count()), (4, 1));
    assert!(said[0].as_ref().unwrap_err().starts_with("node 1 of 4: no answer within"), "{said:?}");
    // Those that hang are left alone: the next question does not wait for them.
    let head = tokio::time::timeout(Duration::from_secs(10), chain.final_head()).await.expect("the one that answers is asked");
    assert_eq!(head.unwrap(), 0);
}
