//! What an account had after a block, what a block plainly did to it, and what its calls moved, as a real node tells.

use alloy::hex;
use coinslot::{
    chain::{Chain, ChainSettings, Move},
    evm::{Address, TxHash},
    money::Amount,
};
use serde_json::{Value, json};

use crate::anvil::{
    Anvil,
    proxy::{Fault, OF_CHAIN_5, Proxy},
    settings,
};

const SHOP: Address = Address([0x50; 20]);
/// Hands on to the shop what it gets.
const SPLITS: Address = Address([0x5a; 20]);

async fn node() -> Anvil {
    let anvil = Anvil::start_without_mining().await;
    anvil.set_code(SPLITS, &format!("0x5f5f5f5f3473{}5af15000", hex::encode(SHOP.0))).await;
    anvil
}

fn pays_inside(from: Address, wei: u64) -> Value {
    json!({"from": from, "to": SPLITS, "value": format!("{wei:#x}"), "gas": "0x186a0"})
}

fn wei(wei: u128) -> Amount {
    Amount::from_atomic(wei)
}

#[tokio::test]
async fn p1_a_trace_tells_which_account_the_coin_came_from() {
    let anvil = node().await;
    let (ada, bob) = (anvil.account(1), anvil.account(2));
    let inside = anvil.transact(pays_inside(ada, 7)).await;
    let plain = anvil.send(bob, SHOP, 5).await;
    let other = anvil.send(bob, ada, 9).await;
    anvil.mine(1).await;
    let (chain, block) = (anvil.chain(), anvil.block_hash(1).await);
    let moved = |from, value| vec![Move { from, to: SHOP, value: wei(value) }];
    assert_eq!(chain.moves(inside, &block, &[SHOP]).await.unwrap(), moved(SPLITS, 7));
    assert_eq!(chain.moves(plain, &block, &[SHOP]).await.unwrap(), moved(bob, 5));
    assert_eq!(chain.moves(other, &block, &[SHOP]).await.unwrap(), []);
    let mut whole = chain.moves_in_block((1, &block), &[SHOP], &[], |_| false).await.unwrap();
    whole.sort_by_key(|(hash, _)| *hash != inside);
    assert_eq!(whole, [(inside, moved(SPLITS, 7)), (plain, moved(bob, 5))]);
    // Of another block than the one that was meant, nothing is told.
    assert!(chain.moves(inside, &[9; 32], &[SHOP]).await.is_err());
    assert!(chain.moves_in_block((1, &[9; 32]), &[SHOP], &[], |_| false).await.is_err());
    assert!(chain.moves(TxHash([7; 32]), &block, &[SHOP]).await.is_err());
}

#[tokio::test]
async fn p2_a_node_that_traces_no_blocks_is_asked_for_each_transaction_until_it_is_enough() {
    let anvil = node().await;
    let proxy = Proxy::before(anvil.url()).await;
    proxy.fault(Fault::Rewrite(|method, _, answer| {
        if method == "debug_traceBlockByNumber" {
            *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32601, "message": "no such method"}});
        }
    }));
    let chain = Chain::new(settings([proxy.url.clone()]));
    let mut hashes = Vec::new();
    for value in 1..=4 {
        hashes.push(anvil.transact(pays_inside(anvil.account(1), value)).await);
    }
    anvil.mine(1).await;
    let block = anvil.block_hash(1).await;
    let moved = chain.moves_in_block((1, &block), &[SHOP], &hashes, |moved| moved.len() == 2).await.unwrap();
    assert_eq!(moved.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), hashes[..2]);
    assert_eq!(proxy.asked().calls("debug_traceTransaction"), 2);
}

#[tokio::test]
async fn p2_a_block_says_what_came_plainly_and_what_its_own_transactions_took() {
    let anvil = node().await;
    let (ada, shop) = (anvil.account(1), anvil.account(2));
    let before = anvil.chain().stood(0, &[shop]).await.unwrap();
    anvil.send(ada, shop, 1_000).await;
    let sent = anvil.send(shop, ada, 300).await;
    let inside = anvil.transact(pays_inside(ada, 7)).await;
    anvil.mine(1).await;
    let after = anvil.chain().stood(1, &[shop, SHOP]).await.unwrap();
    assert_eq!((after.height, after.hash, after.accounts[0].1, before.accounts[0].1), (1, anvil.block_hash(1).await, 1, 0));
    assert_eq!(after.accounts[1], (wei(7), 0));
    let touched = anvil.chain().touched(1, &[shop]).await.unwrap();
    assert_eq!((touched.hash, &touched.others[..]), (after.hash, &[inside][..]));
    let (came, left) = touched.of(shop);
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([sent])).await;
    let number = |of: &Value| u128::from_str_radix(of.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    assert_eq!((came, left), (wei(1_000), wei(300 + number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]))));
    let should = before.accounts[0].0.plus(came).unwrap().minus(left).unwrap();
    assert_eq!(should, after.accounts[0].0, "to the wei");
    // What does not exist is unknown, not nothing.
    assert!(anvil.chain().stood(99, &[shop]).await.is_err());
    assert!(anvil.chain().touched(99, &[shop]).await.is_err());
}

#[tokio::test]
async fn p3_probing_tells_which_nodes_trace_and_payments_do_not_suffer_from_those_that_do_not() {
    let anvil = node().await;
    let [silent, other] = [Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await];
    silent.fault(Fault::Rewrite(|method, _, answer| {
        if method.starts_with("debug_") {
            *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32601, "message": "Method not found"}});
        }
    }));
    other.fault(OF_CHAIN_5);
    let urls = [silent.url.clone(), other.url.clone(), anvil.url()];
    let chain = Chain::new(settings(urls.clone()));
    let told: Vec<_> = chain.tracing_nodes().await.into_iter().map(|(_, said)| said).collect();
    assert!(told[0].is_err() && told[2].is_ok(), "{told:?}");
    assert!(told[1].as_ref().unwrap_err().contains("chain 5"), "{told:?}");
    let inside = anvil.transact(pays_inside(anvil.account(1), 7)).await;
    anvil.mine(1).await;
    let block = anvil.block_hash(1).await;
    assert_eq!(chain.moves(inside, &block, &[SHOP]).await.unwrap().len(), 1, "by the one that does");
    let before = silent.asked().requests;
    chain.final_head().await.unwrap();
    assert!(silent.asked().requests > before, "for everything else the first is asked as before");

    let none = Chain::new(settings([silent.url.clone()]));
    assert!(none.tracing_nodes().await[0].1.is_err());
    let why = none.moves(inside, &block, &[SHOP]).await.unwrap_err().cause;
    assert!(!why.contains(crate::anvil::proxy::KEY), "{why}");
    // One for traces alone.
    let apart = Chain::new(ChainSettings { trace_urls: vec![anvil.url()], ..settings([silent.url.clone()]) });
    assert_eq!(apart.moves(inside, &block, &[SHOP]).await.unwrap().len(), 1);
    assert_eq!(apart.tracing_nodes().await.len(), 1);
}

#[tokio::test]
async fn p1_a_trace_of_another_tracer_is_no_answer() {
    let anvil = node().await;
    let proxy = Proxy::before(anvil.url()).await;
    let inside = anvil.transact(pays_inside(anvil.account(1), 7)).await;
    anvil.mine(1).await;
    let block = anvil.block_hash(1).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    for odd in [
        Fault::Rewrite(|method, _, answer| {
            if method.starts_with("debug_") {
                answer["result"] = json!({"gas": 1, "failed": false, "structLogs": []});
            }
        }),
        Fault::Rewrite(|method, _, answer| {
            if method.starts_with("debug_") {
                answer["result"] = Value::Null;
            }
        }),
        Fault::Status(500),
    ] {
        proxy.fault(odd);
        assert!(chain.moves(inside, &block, &[SHOP]).await.is_err());
        assert!(chain.moves_in_block((1, &block), &[SHOP], &[inside], |_| false).await.is_err());
    }
}
