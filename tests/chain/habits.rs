//! Nodes that do less than others: they are used all the same, with less at once, and what they said no with is told.

use std::sync::atomic::{AtomicU64, Ordering};

use coinslot::chain::{Chain, Sighting};
use serde_json::{Value, json};

use crate::anvil::{
    Anvil,
    proxy::{Fault, Proxy},
    settings,
};

/// Ways in which public nodes say no to a batch: the most calls that they take, and what they say to more.
const NO: [(usize, u16, &str, &str); 7] = [
    (
        1,
        200,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch requests are disabled"}}"#,
        "batch requests are disabled",
    ),
    (1, 200, r#"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}]"#, "Invalid Request"),
    (1, 200, r#"{"jsonrpc":"2.0","id":0,"result":"0x7a69"}"#, "one answer to several calls"),
    (1, 400, "Bad Request", "HTTP status 400"),
    (1, 413, "", "HTTP status 413"),
    (
        3,
        500,
        r#"{"id":1,"jsonrpc":"2.0","error":{"message":"Batch of more than 3 requests are not allowed on free tier","code":31}}"#,
        "more than 3",
    ),
    (2, 200, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"batch limit exceeded"}}"#, "batch limit exceeded"),
];

#[tokio::test]
async fn s7_a_node_without_batches_is_asked_one_by_one() {
    let anvil = Anvil::start().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    anvil.finalize().await;
    for (calls, status, text, why) in NO {
        let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
        first.fault(Fault::Narrow { calls, status, text, rewrite: |_, _, _| {} });
        let chain = Chain::new(settings([first.url.clone(), second.url.clone()]));
        assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Final(_)), "{why}");
        assert_eq!(second.asked().requests, 0, "{why}: it is no reason to leave the node");
        assert!(chain.healthy());
        // What was learnt is not tried again: nothing is refused any more.
        let said = chain.habits().await;
        assert!(said[0].contains("node 1 of 2") && said[0].contains(why), "{said:?}");
        assert_eq!(said.len(), 1, "the other one does what others do: {said:?}");
        let before = first.asked();
        chain.lookup(hash).await.unwrap();
        let after = first.asked();
        let asked: usize = after.calls.values().sum::<usize>() - before.calls.values().sum::<usize>();
        assert!(after.requests - before.requests <= asked, "{why}: no call was made for nothing");
        assert!(calls > 1 || after.requests - before.requests == asked, "{why}: one by one");
    }
}

#[tokio::test]
async fn s7_a_node_that_fails_at_a_batch_and_at_its_parts_is_left_as_before() {
    let anvil = Anvil::start().await;
    for text in [
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal"}}"#,
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32600,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"rate limit exceeded"}}"#,
    ] {
        let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
        let chain = Chain::new(settings([first.url.clone(), second.url.clone()]));
        let calls = [(anvil.account(1), vec![1]), (anvil.account(2), vec![2]), (anvil.account(3), vec![3])];
        chain.call_all(&calls).await.unwrap();
        first.fault(Fault::Text(text));
        assert_eq!(chain.call_all(&calls).await.unwrap(), vec![Some(Vec::<u8>::new()); 3], "{text}");
        assert!(second.asked().requests > 0, "{text}: the next one was asked");
        first.heal();
        assert!(chain.habits().await.is_empty(), "{text}: and nothing was learnt of it");
    }
}

/// Blocks by their height have another hash each time.
fn replaced(method: &str, params: &Value, answer: &mut Value) {
    static ASKED: AtomicU64 = AtomicU64::new(1);
    if method == "eth_getBlockByNumber"
        && params[0].as_str().is_some_and(|block| block.starts_with("0x"))
        && !answer["result"].is_null()
    {
        answer["result"]["hash"] = json!(format!("{:#066x}", ASKED.fetch_add(1, Ordering::Relaxed)));
    }
}

#[tokio::test]
async fn s7_what_changes_while_a_node_is_asked_one_by_one_is_no_verdict() {
    let anvil = Anvil::start().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    anvil.finalize().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    proxy.fault(Fault::Narrow { calls: 1, status: 400, text: "", rewrite: replaced });
    let why = chain.lookup(hash).await.unwrap_err().cause;
    assert!(why.contains("a block changed while it was asked one by one"), "{why}");
    proxy.fault(Fault::Narrow { calls: 1, status: 400, text: "", rewrite: |_, _, _| {} });
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Final(_)));
}
