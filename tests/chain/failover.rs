//! Which node is believed when one of them is down, limited, wrong or makes no sense.

use std::time::Duration;

use alloy::{
    eips::eip7702::Authorization,
    primitives::U256,
    signers::{SignerSync, local::PrivateKeySigner},
};
use coinslot::chain::{Chain, ChainSettings, Sighting};
use serde_json::json;
use url::Url;

use crate::anvil::{
    Anvil, CHAIN_ID, PATIENCE,
    proxy::{Fault, KEY, OF_CHAIN_5, Proxy},
    settings,
};

/// An address where nothing listens.
fn nowhere() -> Url {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v2/{KEY}", free.local_addr().unwrap()).parse().unwrap()
}

/// Two nodes of one chain, and the chain over them.
async fn two_nodes() -> (Anvil, Proxy, Proxy, Chain) {
    let anvil = Anvil::start().await;
    let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
    let patience = Duration::from_millis(300);
    let chain = Chain::new(ChainSettings { timeout: patience, ..settings([first.url.clone(), second.url.clone()]) });
    (anvil, first, second, chain)
}

#[tokio::test]
async fn the_preferred_node_is_the_only_one_that_is_asked() {
    let (_anvil, first, second, chain) = two_nodes().await;
    for _ in 0..3 {
        chain.final_head().await.unwrap();
    }
    assert_eq!(first.asked().requests, 4, "one for each, and the chain's id before the first");
    assert_eq!(second.asked().requests, 0);
}

#[tokio::test]
async fn a_node_that_fails_in_any_way_is_put_aside_for_the_next() {
    let anvil = Anvil::start().await;
    let faults = [
        ("limited", Fault::Status(429)),
        ("broken", Fault::Status(500)),
        ("forbidden", Fault::Status(401)),
        ("elsewhere", Fault::Redirect),
        ("silent", Fault::Hang),
        ("no JSON", Fault::Text("<html>busy</html>")),
        ("another protocol", Fault::Text(r#"{"jsonrpc":"2.0"}"#)),
        ("an error", Fault::Text(r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32603,"message":"oh"}}"#)),
        ("another chain", OF_CHAIN_5),
        ("odd numbers", Fault::Rewrite(|_, _, answer| answer["result"]["number"] = json!("12"))),
    ];
    for (name, fault) in faults {
        let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
        let patience = Duration::from_millis(300);
        let chain = Chain::new(ChainSettings { timeout: patience, ..settings([first.url.clone(), second.url.clone()]) });
        first.fault(fault);
        assert_eq!(chain.final_head().await.unwrap(), 0, "{name}");
        assert!(chain.healthy(), "{name}");
        let (to_first, to_second) = (first.asked().requests, second.asked().requests);
        chain.final_head().await.unwrap();
        assert_eq!(first.asked().requests, to_first, "{name}: it is left alone");
        assert_eq!(second.asked().requests, to_second + 1, "{name}: the id was looked at once");
    }
}

#[tokio::test]
async fn a_node_that_is_down_is_passed_over() {
    let anvil = Anvil::start().await;
    let chain = Chain::new(settings([nowhere(), anvil.url()]));
    assert_eq!(chain.final_head().await.unwrap(), 0);
    assert_eq!(chain.chain_id().await.unwrap(), CHAIN_ID);
}

#[tokio::test]
async fn a_node_that_is_well_again_is_preferred_again_after_its_chain_was_looked_at() {
    let (_anvil, first, _second, chain) = two_nodes().await;
    chain.final_head().await.unwrap();
    first.fault(Fault::Status(429));
    chain.final_head().await.unwrap();
    first.heal();
    let before = first.asked();
    let back = async {
        while first.asked().requests == before.requests {
            chain.final_head().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("the first node is asked again");
    assert_eq!(first.asked().calls("eth_chainId"), before.calls("eth_chainId") + 1);
}

#[tokio::test]
async fn one_verdict_is_of_one_node_alone() {
    let (anvil, first, second, chain) = two_nodes().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    // The first fails in the middle, when the receipt is known already.
    first.fault(Fault::Rewrite(|method, _, answer| {
        if method == "eth_getTransactionByHash" {
            answer["result"] = json!("nonsense");
        }
    }));
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Included(_)));
    assert_eq!(first.asked().calls("eth_getTransactionReceipt"), 2);
    assert_eq!(second.asked().calls("eth_getTransactionReceipt"), 2, "the second was asked from the beginning");
}

#[tokio::test]
async fn what_belongs_together_is_one_request() {
    let (anvil, first, _second, chain) = two_nodes().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    chain.final_head().await.unwrap();
    let before = first.asked().requests;
    chain.lookup(hash).await.unwrap();
    assert_eq!(first.asked().requests, before + 2, "one to learn the height, one for the verdict");
}

#[tokio::test]
async fn when_all_are_away_the_outcome_is_unknown_and_no_address_is_told() {
    let (anvil, first, second, chain) = two_nodes().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    assert!(chain.healthy(), "nobody was asked yet");
    first.fault(Fault::Rewrite(|_, _, answer| {
        *answer = json!({"id": answer["id"], "error": {"code": -32005, "message": format!("key {KEY} has no requests left")}});
    }));
    second.fault(Fault::Status(503));
    let error = chain.lookup(hash).await.unwrap_err();
    assert!(!chain.healthy());
    let told = format!("{error} {error:?} {:?}", chain.settings());
    assert!(told.contains("node 1 of 2: error -32005 (key … has no requests left)"), "{told}");
    assert!(told.contains("node 2 of 2: HTTP status 503"), "{told}");
    assert!(!told.contains(KEY) && !told.contains(&first.url.port().unwrap().to_string()), "{told}");

    second.heal();
    let back = async {
        while chain.lookup(hash).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("they are asked, although they are aside");
    assert!(chain.healthy());
}

#[tokio::test]
async fn a_single_node_that_is_aside_is_asked_all_the_same() {
    let anvil = Anvil::start().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    proxy.fault(Fault::Status(502));
    chain.final_head().await.unwrap_err();
    proxy.heal();
    chain.final_head().await.expect("a visitor waits");
}

#[tokio::test]
async fn nodes_of_another_chain_only_are_no_nodes_but_tell_their_id() {
    let anvil = Anvil::start().await;
    let proxy = Proxy::before(anvil.url()).await;
    proxy.fault(OF_CHAIN_5);
    let chain = Chain::new(settings([proxy.url.clone()]));
    let cause = chain.final_head().await.unwrap_err().cause;
    assert_eq!(cause, "node 1 of 1: it is of chain 5, not 31337");
    assert_eq!(chain.chain_id().await.unwrap(), 5);
    assert_eq!(proxy.asked().calls("eth_getBlockByNumber"), 0);
}

#[tokio::test]
async fn an_odd_question_brings_no_node_down() {
    let (_anvil, first, second, chain) = two_nodes().await;
    for proxy in [&first, &second] {
        proxy.fault(Fault::Rewrite(|method, _, answer| {
            if method == "eth_call" {
                *answer = json!({"id": answer["id"], "error": {"code": -32000, "message": "request too expensive"}});
            }
        }));
    }
    chain.call(coinslot::evm::Address([1; 20]), &[1]).await.unwrap_err();
    assert!(chain.healthy());
    let before = second.asked().requests;
    chain.final_head().await.unwrap();
    assert_eq!(second.asked().requests, before, "the first is still preferred");
}

#[tokio::test]
async fn without_any_address_nothing_is_known() {
    let error = Chain::new(settings([])).final_head().await.unwrap_err();
    assert_eq!(error.to_string(), "no RPC of Local chain answers: no RPC URL is set");
}

/// Says that somebody else sent every transaction.
fn of_somebody_else(method: &str, params: &serde_json::Value, answer: &mut serde_json::Value) {
    let eve = json!("0x00000000000000000000000000000000000000ee");
    match method {
        "eth_getTransactionByHash" if !answer["result"].is_null() => answer["result"]["from"] = eve,
        "eth_getBlockByNumber" if params[1] == true && !answer["result"].is_null() => {
            for transaction in answer["result"]["transactions"].as_array_mut().unwrap() {
                transaction["from"] = eve.clone();
            }
        }
        _ => {}
    }
}

/// Of each type that anvil makes: legacy, 2930, 1559; what a third party sends for a delegated account (7702) is of its sender too.
fn payments(from: coinslot::evm::Address, to: coinslot::evm::Address) -> Vec<serde_json::Value> {
    let payment = |extra: serde_json::Value| {
        let mut payment = json!({"from": from, "to": to, "value": "0x5", "gas": "0x186a0"});
        payment.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        payment
    };
    let price = "0x77359400";
    vec![
        payment(json!({"type": "0x0", "gasPrice": price})),
        payment(
            json!({"type": "0x1", "gasPrice": price, "accessList": [{"address": to, "storageKeys": [format!("0x{}", "01".repeat(32))]}]}),
        ),
        payment(json!({"type": "0x2", "maxFeePerGas": price, "maxPriorityFeePerGas": "0x1"})),
        payment(json!({"type": "0x2", "maxFeePerGas": price, "maxPriorityFeePerGas": "0x1", "input": "0x1234"})),
    ]
}

#[tokio::test]
async fn m7_a_node_that_gives_a_payment_to_somebody_else_lies_and_another_is_asked() {
    let (anvil, first, _second, chain) = two_nodes().await;
    let (ada, shop) = (anvil.account(1), anvil.account(2));
    let alone = Chain::new(settings([first.url.clone()]));
    for payment in payments(ada, shop) {
        let hash = anvil.transact(payment.clone()).await;
        first.heal();
        let Sighting::Included(told) = alone.lookup(hash).await.unwrap() else { panic!("it is in a block: {payment}") };
        assert_eq!((told.from, told.to), (ada, Some(shop)), "{payment}");
        first.fault(Fault::Rewrite(of_somebody_else));
        let lie = alone.lookup(hash).await.unwrap_err();
        assert!(lie.cause.contains("has not signed"), "unknown, never hers: {}", lie.cause);
        let Sighting::Included(told) = chain.lookup(hash).await.unwrap() else { panic!("the other node tells it") };
        assert_eq!(told.from, ada, "{payment}");
    }
}

#[tokio::test]
async fn m7_a_lie_in_a_block_that_is_followed_is_not_booked_and_another_node_is_read() {
    let (anvil, first, _second, chain) = two_nodes().await;
    let (ada, shop) = (anvil.account(1), anvil.account(2));
    first.fault(Fault::Rewrite(of_somebody_else));
    let mut hashes = Vec::new();
    for payment in payments(ada, shop) {
        hashes.push(anvil.transact(payment).await);
    }
    anvil.finalize().await;
    let recorder = crate::recorder::Recorder::of(chain, Some(crate::recorder::payments_to(shop, 0)));
    let told = recorder.until("the payments", |told| told.hashes().len() == hashes.len()).await;
    assert_eq!(told.hashes(), hashes);
    assert!(told.transfers().iter().all(|transfer| transfer.from == ada));
}

/// A third party's transaction that upgrades an account (EIP-7702) and pays: its list of authorizations is signed for like all the rest.
#[tokio::test]
async fn m7_a_transaction_of_type_4_is_its_senders_by_all_that_it_says() {
    let (anvil, first, _second, chain) = two_nodes().await;
    let (relayer, shop) = (anvil.account(1), anvil.account(2));
    let key = PrivateKeySigner::from_slice(&anvil.key(3)).unwrap();
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: [0xde; 20].into(), nonce: 0 };
    let signature = key.sign_hash_sync(&authorization.signature_hash()).unwrap();
    let list = vec![serde_json::to_value(authorization.into_signed(signature)).unwrap()];
    let payment = json!({
        "type": "0x4", "from": relayer, "to": shop, "value": "0x5", "gas": "0x186a0", "maxFeePerGas": "0x77359400",
        "maxPriorityFeePerGas": "0x1", "authorizationList": list,
    });
    let hash = anvil.transact(payment).await;
    let alone = Chain::new(settings([first.url.clone()]));
    let Sighting::Included(told) = alone.lookup(hash).await.unwrap() else { panic!("it is in a block") };
    assert_eq!((told.from, told.to), (relayer, Some(shop)));
    let lies: [fn(&str, &serde_json::Value, &mut serde_json::Value); 3] = [
        of_somebody_else,
        |method, _, answer| {
            if method == "eth_getTransactionByHash" {
                answer["result"]["authorizationList"] = json!([]);
            }
        },
        |method, _, answer| {
            if method == "eth_getTransactionByHash" {
                answer["result"]["authorizationList"][0]["address"] = json!(format!("0x{}", "66".repeat(20)));
            }
        },
    ];
    for lie in lies {
        first.fault(Fault::Rewrite(lie));
        let cause = alone.lookup(hash).await.unwrap_err().cause;
        assert!(cause.contains("has not signed"), "unknown, never somebody's: {cause}");
        let Sighting::Included(told) = chain.lookup(hash).await.unwrap() else { panic!("the other node tells it") };
        assert_eq!(told.from, relayer);
        first.heal();
    }
}

/// As rollups have them for what they do themselves: nothing shows whose coin it is, so nobody gets it, and nothing stops for it.
#[tokio::test]
async fn m7_a_transaction_of_a_type_that_nobody_signs_is_booked_for_nobody() {
    let anvil = Anvil::start().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    let (ada, shop) = (anvil.account(1), anvil.account(2));
    let system = anvil.send(ada, shop, 7).await;
    let block = anvil.height().await;
    let after = anvil.send(ada, shop, 8).await;
    anvil.finalize().await;
    assert_eq!(block, 1);
    proxy.fault(Fault::Rewrite(|method, params, answer| match method {
        "eth_getTransactionByHash" if answer["result"]["value"] == "0x7" => answer["result"]["type"] = json!("0x7e"),
        "eth_getBlockByNumber" if params[1] == true && params[0] == "0x1" => {
            answer["result"]["transactions"][0]["type"] = json!("0x7e")
        }
        _ => {}
    }));
    assert_eq!(chain.lookup(system).await.unwrap(), Sighting::NotSeen);
    let recorder = crate::recorder::Recorder::of(chain, Some(crate::recorder::payments_to(shop, 0)));
    let told = recorder.until("the payment after it", |told| told.hashes().contains(&after)).await;
    assert_eq!(told.hashes(), [after]);
}

/// As many providers say it, with HTTP status 200.
const LIMIT: Fault = Fault::Rewrite(|_, _, answer| {
    *answer = json!({"id": answer["id"], "error": {"code": -32005, "message": "rate limit exceeded"}});
});

#[tokio::test]
async fn s2_a_node_that_is_asked_too_much_is_left_alone_and_is_no_outage() {
    let (anvil, first, second, chain) = two_nodes().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    chain.lookup(hash).await.unwrap();
    for limit in [Fault::Status(429), LIMIT] {
        first.heal();
        chain.final_head().await.unwrap();
        first.fault(limit.clone());
        assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Included(_)), "the other one is asked");
        let before = first.asked().requests;
        chain.call(coinslot::evm::Address([1; 20]), &[1]).await.unwrap();
        assert_eq!(first.asked().requests, before, "it is left alone for a moment");
        // Both: unknown, and no outage.
        second.fault(limit);
        chain.lookup(hash).await.unwrap_err();
        assert!(chain.healthy(), "a node that says that it is asked too much is there");
        // One is asked too much, the other one is away: not all is lost either.
        second.fault(Fault::Status(500));
        chain.lookup(hash).await.unwrap_err();
        assert!(chain.healthy());
        first.heal();
        second.heal();
        let back = async { while chain.lookup(hash).await.is_err() {} };
        tokio::time::timeout(PATIENCE, back).await.expect("they answer again");
    }
    first.fault(Fault::Status(500));
    second.fault(Fault::Status(500));
    chain.lookup(hash).await.unwrap_err();
    assert!(!chain.healthy(), "that is an outage");
}

#[tokio::test]
async fn s2_a_question_waits_its_turn_where_the_only_node_is_asked_too_much() {
    let anvil = Anvil::start().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    chain.final_head().await.unwrap();
    proxy.fault(Fault::Status(429));
    let before = proxy.asked().requests;
    let heals = async {
        proxy.until("once in vain", |asked| asked.requests > before).await;
        proxy.heal();
    };
    let (head, ()) = tokio::join!(chain.final_head(), heals);
    assert_eq!(head.unwrap(), 0, "nobody heard of it");
    assert_eq!(proxy.asked().requests, before + 2, "and its chain's id was not asked again");
}
