//! What many payments wait for is looked at together.

use coinslot::{
    chain::{Chain, Nonce, SignedTransfer, Waited},
    evm::{Address, TxHash},
    money::Amount,
};
use futures::future::join_all;
use serde_json::json;

use crate::anvil::{
    Anvil,
    proxy::{Fault, Proxy},
    settings,
};

/// Where a node says "unused" to every nonce: code that returns a zero.
const TOKEN: Address = Address([0x70; 20]);
const RETURNS_ZERO: &str = "0x5f5f5260205ff3";

async fn bed() -> (Anvil, Proxy, Chain) {
    let anvil = Anvil::start().await;
    anvil.set_code(TOKEN, RETURNS_ZERO).await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    chain.final_head().await.unwrap(); // the chain's id, once
    (anvil, proxy, chain)
}

fn waited(nonce: u8, hash: Option<TxHash>) -> Waited {
    let (from, to, nonce) = (Address([1; 20]), Address([2; 20]), Nonce::Eip3009([nonce; 32]));
    let transfer = SignedTransfer { token: TOKEN, from, to, value: Amount::from_atomic(1), nonce, valid_before_s: u64::MAX };
    Waited { transfer, hash, since: 0 }
}

#[tokio::test]
async fn s9_all_who_wait_are_one_request_to_a_node_each_time() {
    let (_anvil, proxy, chain) = bed().await;
    for people in [1, 30] {
        for is_first in [true, false, false] {
            let before = proxy.asked().requests;
            let glances = join_all((0..people).map(|nonce| chain.look_together(waited(nonce, None), is_first))).await;
            assert!(glances.iter().all(|glance| glance.as_ref().unwrap().is_used == Some(false)), "{glances:?}");
            assert_eq!(proxy.asked().requests - before, 1, "for {people}");
        }
    }
}

/// More than public nodes take in one batch.
#[tokio::test]
async fn s9_a_batch_is_no_larger_than_nodes_take() {
    let (_anvil, proxy, chain) = bed().await;
    let before = proxy.asked().requests;
    for glance in join_all((0..100).map(|nonce| chain.look_together(waited(nonce, Some(TxHash([nonce; 32]))), true))).await {
        let glance = glance.unwrap();
        assert_eq!((glance.is_used, glance.included, glance.paid), (Some(false), None, None));
    }
    assert_eq!(proxy.asked().requests - before, 3);
}

#[tokio::test]
async fn s9_whoever_asks_for_all_may_go_away() {
    let (_anvil, proxy, chain) = bed().await;
    proxy.fault(Fault::Hang);
    let first = {
        let chain = chain.clone();
        tokio::spawn(async move { chain.look_together(waited(1, None), true).await })
    };
    proxy.until_more_requests(1).await;
    let others: Vec<_> = (2..5)
        .map(|nonce| {
            let chain = chain.clone();
            tokio::spawn(async move { chain.look_together(waited(nonce, None), true).await })
        })
        .collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    proxy.heal();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap().is_used, Some(false));
    }
}

/// What one of them is about may be odd; the others hear all the same.
#[tokio::test]
async fn s9_an_odd_question_takes_nobodys_answer_away() {
    let (anvil, _proxy, chain) = bed().await;
    let nowhere = Address([0x66; 20]);
    anvil.set_code(nowhere, "0xfe").await; // no such instruction
    let odd = Waited { transfer: SignedTransfer { token: nowhere, ..waited(1, None).transfer }, hash: None, since: 0 };
    let (odd, good) = tokio::join!(chain.look_together(odd, true), chain.look_together(waited(2, None), true));
    assert_eq!((odd.unwrap().is_used, good.unwrap().is_used), (None, Some(false)));
}

#[tokio::test]
async fn s9_a_node_that_does_not_answer_is_told_to_all() {
    let (_anvil, proxy, chain) = bed().await;
    proxy.fault(Fault::Rewrite(|_, _, answer| *answer = json!({"id": answer["id"], "error": {"code": -32603, "message": "oh"}})));
    for glance in join_all((0..5).map(|nonce| chain.look_together(waited(nonce, None), true))).await {
        assert!(glance.unwrap_err().cause.contains("oh"));
    }
}
