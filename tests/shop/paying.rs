//! From a transaction to an answer.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::{
    agents::worked_on,
    harness::{Node, PRICE, SHOP, Shop, Staff, proof},
};

#[tokio::test]
async fn a_paid_call_gets_its_answer_and_its_receipt() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let hash = ada.paid(&shop, PRICE).await;
    let answer = ada.call(&shop, "parrot", "hello", &proof(&offers, hash)).await;
    answer.said("hello");
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let receipt: serde_json::Value = coinslot::x402::wire::decode(answer.header("payment-response").unwrap()).unwrap();
    assert_eq!(
        receipt,
        json!({"success": true, "transaction": hash, "network": "eip155:31337", "payer": ada.address(), "amount": PRICE.to_string()})
    );
    assert_eq!(ada.credit(&shop).await, "0");
    let run = ada.get(&shop, answer.header("content-location").unwrap()).await.json();
    assert_eq!((&run["payTo"], &run["transaction"]), (&json!(SHOP), &json!(hash)), "the row says where its own payment went");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn the_workflows_bare_hash_pays_too() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await.to_string();
    ada.call_with(&shop, "parrot", "bare", &[("x-payment", &hash)]).await.said("bare");
    let upper = hash.to_ascii_uppercase().replacen("0X", "0x", 1);
    let other = ada.call_with(&shop, "parrot", "another", &[("x-payment", &upper)]).await;
    other.is(409, "payment_already_used");
}

#[tokio::test]
async fn o6_a_payment_that_is_not_final_is_pending_and_its_stages_are_told() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.pays(&shop, PRICE).await);
    let sent = ada.glance(&shop, "parrot", "o6", &payment).await;
    sent.is(202, "payment_pending");
    assert_eq!((&sent.json()["stage"], &sent.json()["retry"]), (&json!("sent"), &json!("same_payment")));
    assert!(sent.header("retry-after").is_some());
    let location = sent.header("location").unwrap().to_owned();

    shop.node.mine(1).await;
    let stage = || async { ada.glance(&shop, "parrot", "o6", &payment).await.json()["stage"].clone() };
    eventually(async || stage().await == json!("included")).await;
    assert_eq!(worked_on("o6"), 0, "a payment that may still vanish ran the agent");

    shop.node.mine(2).await;
    ada.call(&shop, "parrot", "o6", &payment).await.said("o6");
    // The run's own address needs no session.
    let run = shop.get(&location).await.json();
    assert_eq!((&run["state"], &run["output"]["said"]), (&json!("done"), &json!("o6")));
    let without = location.split('#').next().unwrap().to_owned();
    shop.get(&without).await.is(404, "no_such_run");
}

#[tokio::test]
async fn d8_the_same_proof_and_input_again_is_the_same_answer_byte_for_byte() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let first = ada.call(&shop, "parrot", "d8", &payment).await;
    let again = ada.call(&shop, "parrot", "d8", &payment).await;
    assert_eq!((again.status, &again.bytes), (200, &first.bytes));
    assert_eq!((first.header("x-idempotent-replay"), again.header("x-idempotent-replay")), (None, Some("true")));
    assert_eq!(worked_on("d8"), 1);
    assert_eq!(ada.credit(&shop).await, "0");
}

#[tokio::test]
async fn the_same_proof_twenty_times_at_once_is_one_run() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let answers = futures::future::join_all((0..20).map(|_| ada.call(&shop, "parrot", "twenty", &payment))).await;
    for answer in &answers {
        answer.said("twenty");
    }
    assert_eq!(worked_on("twenty"), 1);
    let audit = shop.desk.books.audit().await.unwrap();
    assert_eq!((audit.runs, audit.deposits, audit.findings), (1, 1, vec![]));
}

#[tokio::test]
async fn o3_one_payment_buys_one_run_also_across_agents_and_inputs() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "o3", &proof(&shop.offer("parrot").await, hash)).await.said("o3");
    let other_input = ada.call(&shop, "parrot", "o3 again", &proof(&shop.offer("parrot").await, hash)).await;
    other_input.is(409, "payment_already_used");
    let other_agent = ada.call(&shop, "cockatoo", "o3", &proof(&shop.offer("cockatoo").await, hash)).await;
    other_agent.is(409, "payment_already_used");
    assert_eq!((worked_on("o3"), worked_on("o3 again")), (1, 0));
}

#[tokio::test]
async fn an_offer_that_was_changed_or_is_for_another_agent_is_refused() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await;
    let fine = shop.offer("parrot").await;
    let mut cheaper = fine.clone();
    cheaper.accepts[0].amount = coinslot::money::Amount::from_atomic(1);
    let mut elsewhere = fine.clone();
    elsewhere.accepts[0].pay_to = ada.address();
    let mut unsealed = fine.clone();
    unsealed.accepts[0].extra.offer = None;
    let mut token = fine.clone();
    token.accepts[0].asset = SHOP.to_string();
    for changed in [cheaper, elsewhere, unsealed, token, shop.offer("cockatoo").await] {
        let answer = ada.call(&shop, "parrot", "changed", &proof(&changed, hash)).await;
        answer.is(402, "payment_invalid");
        assert_eq!(answer.json()["reason"], json!("invalid_payment_requirements"));
        assert_eq!(answer.json()["retry"], json!("same_payment"), "never ask for another payment before the first was looked at");
        assert!(answer.header("payment-required").is_none(), "a client that sees offers pays");
    }
    let mut scheme = fine.clone();
    scheme.accepts[0].scheme = "upto".into();
    assert_eq!(ada.call(&shop, "parrot", "x", &proof(&scheme, hash)).await.json()["reason"], json!("unsupported_scheme"));
    let mut network = fine.clone();
    network.accepts[0].network = "eip155:1".into();
    assert_eq!(ada.call(&shop, "parrot", "x", &proof(&network, hash)).await.json()["reason"], json!("invalid_network"));
    assert_eq!(worked_on("changed"), 0);
    // Nothing of that touched the payment: it still buys its run.
    ada.call(&shop, "parrot", "unchanged", &proof(&fine, hash)).await.said("unchanged");
}

#[tokio::test]
async fn what_did_not_pay_the_shop_has_a_code_each() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let from = ada.address();
    let elsewhere = shop.node.send(json!({"from": from, "to": format!("0x{}", "77".repeat(20)), "value": "0x1"})).await;
    let nothing = shop.node.send(json!({"from": from, "to": SHOP, "value": "0x0"})).await;
    let called = shop
        .node
        .send(
            json!({"from": from, "to": format!("0x{}", "78".repeat(20)), "value": "0x1", "data": "0x01020304", "gas": "0x30d40"}),
        )
        .await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "elsewhere", &proof(&offers, elsewhere)).await.is(402, "wrong_recipient");
    ada.call(&shop, "parrot", "nothing", &proof(&offers, nothing)).await.is(402, "amount_too_low");
    // Its calls were looked at, and none of them brought us anything.
    ada.call(&shop, "parrot", "called", &proof(&offers, called)).await.is(402, "wrong_recipient");

    // A contract that reverts whatever it is sent, at the shop's own address for one block.
    shop.node.rpc("anvil_setCode", json!([SHOP, "0x60006000fd"])).await;
    let reverted = shop.node.send(json!({"from": from, "to": SHOP, "value": "0x1", "gas": "0x30d40"})).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "reverted", &proof(&offers, reverted)).await.is(402, "payment_reverted");
    assert_eq!(ada.credit(&shop).await, "0");
    assert_eq!(worked_on("elsewhere") + worked_on("nothing") + worked_on("called") + worked_on("reverted"), 0);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn o5_a_payment_older_than_the_offer_is_credit_and_runs_nothing_by_itself() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let now: u64 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let shop_node = &shop.node;
    let hash = ada.pays(&shop, PRICE).await;
    // The chain's clock is ahead of ours by nothing; the offer is asked for well after the block.
    shop_node.finalize().await;
    let block = shop_node.rpc("eth_getTransactionByHash", json!([hash])).await["blockNumber"].as_str().unwrap().to_owned();
    let stamp = shop_node.rpc("eth_getBlockByNumber", json!([block, false])).await["timestamp"].as_str().unwrap().to_owned();
    let age = now.saturating_sub(u64::from_str_radix(stamp.trim_start_matches("0x"), 16).unwrap());
    assert!(age < 60, "anvil's clock is ours");
    // An offer that is issued later than the block, by more than clocks differ.
    let later = coinslot::x402::desk::now_ms() + coinslot::x402::desk::CLOCK_SLACK_MS + 10_000;
    let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
    let offer = shop.sealed_offer(&price, later..later + 300_000);
    let mut offers = shop.offer("parrot").await;
    offers.accepts = vec![offer];
    let answer = ada.call(&shop, "parrot", "o5", &proof(&offers, hash)).await;
    answer.is(402, "payment_too_old");
    assert_eq!((worked_on("o5"), ada.credit(&shop).await), (0, PRICE.to_string()));
    // One click away.
    let fresh = shop.offer("parrot").await;
    let credit = crate::harness::from_credit(&fresh, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f01");
    ada.call(&shop, "parrot", "o5", &credit).await.said("o5");
}

#[tokio::test]
async fn b16_an_unknown_hash_is_pending_and_never_a_demand_for_money() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let unknown = |n: u8| proof(&offers, coinslot::evm::TxHash([n; 32]));
    for n in 1..=3 {
        ada.glance(&shop, "parrot", &format!("unknown {n}"), &unknown(n)).await.is(202, "payment_pending");
    }
    // A wallet may have three hashes at a time that nobody has seen.
    ada.glance(&shop, "parrot", "unknown 4", &unknown(4)).await.is(429, "rate_limited");
    // Asking again for one of the three is no fourth.
    ada.glance(&shop, "parrot", "unknown 1", &unknown(1)).await.is(202, "payment_pending");
}

#[tokio::test]
async fn c8_an_rpc_that_is_down_is_503_and_the_payment_is_found_when_it_is_back() {
    let node = std::sync::Arc::new(crate::harness::Node::start());
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let open = Shop::with(node.clone(), data.clone(), Staff::All).await;
    let ada = open.signed_in(1).await;
    let payment = proof(&open.offer("parrot").await, ada.paid(&open, PRICE).await);
    drop(open);
    let down = Shop::at(node.clone(), data.clone(), Staff::All, vec!["http://127.0.0.1:1".parse().unwrap()]).await;
    eventually(async || ada.glance(&down, "parrot", "c8", &payment).await.status == 503).await;
    ada.glance(&down, "parrot", "c8", &payment).await.is(503, "verifier_unavailable");
    let back = down.reopen(Staff::All).await;
    eventually(async || ada.glance(&back, "parrot", "c8", &payment).await.status == 200).await;
    assert_eq!(worked_on("c8"), 1);
    back.assert_balanced().await;
}

#[tokio::test]
async fn c9_the_server_finishes_without_the_caller() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.pays(&shop, PRICE).await);
    // The caller gives up at once.
    ada.glance(&shop, "parrot", "c9", &payment).await.is(202, "payment_pending");
    shop.node.finalize().await;
    eventually(async || worked_on("c9") == 1).await;
    ada.call(&shop, "parrot", "c9", &payment).await.said("c9");
}

#[tokio::test]
async fn c7_a_payment_that_a_reorg_took_back_is_sent_again_not_lost() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.pays(&shop, PRICE).await;
    let raw = shop.node.rpc("eth_getRawTransactionByHash", json!([hash])).await;
    let payment = proof(&shop.offer("parrot").await, hash);
    ada.glance(&shop, "parrot", "c7", &payment).await.is(202, "payment_pending");
    shop.node.mine(1).await;
    eventually(async || ada.glance(&shop, "parrot", "c7", &payment).await.json()["stage"] == json!("included")).await;
    shop.node.rpc("anvil_reorg", json!([1, []])).await;
    eventually(async || ada.glance(&shop, "parrot", "c7", &payment).await.json()["stage"] == json!("sent")).await;
    // A real node puts it back into its pool by itself.
    shop.node.rpc("eth_sendRawTransaction", json!([raw])).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "c7", &payment).await.said("c7");
    assert_eq!(worked_on("c7"), 1);
}

#[tokio::test]
async fn a_restart_in_the_middle_ends_the_run_once() {
    let shop = Shop::with(
        std::sync::Arc::new(crate::harness::Node::start()),
        std::sync::Arc::new(tempfile::tempdir().unwrap()),
        Staff::CounterOnly,
    )
    .await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.glance(&shop, "parrot", "restart", &payment).await.is(202, "payment_pending");
    let shop = shop.reopen(Staff::NoWorker).await;
    eventually(async || ada.glance(&shop, "parrot", "restart", &payment).await.json()["stage"] == json!("running")).await;
    let shop = shop.reopen(Staff::All).await;
    ada.call(&shop, "parrot", "restart", &payment).await.said("restart");
    assert_eq!(worked_on("restart"), 1);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_call_while_rendering_gets_no_tools() {
    use leptos::{prelude::Owner, reactive::computed::ScopedFuture};
    let input = crate::agents::Input { say: "unpaid".into() };
    let direct = Owner::new().with(|| ScopedFuture::new(crate::agents::parrot(input)));
    assert_eq!(direct.await.map(|_| ()).map_err(|e| e.code), Err(coinslot::error::Code::Unpaid));
    assert_eq!(worked_on("unpaid"), 0);
}

#[tokio::test]
async fn the_pages_data_is_ones_own_and_needs_no_chain() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let answer = ada.call(&shop, "parrot", "mine", &payment).await;
    let id = answer.header("content-location").unwrap().trim_start_matches("/api/runs/").split('#').next().unwrap().to_owned();
    assert_eq!(ada.get(&shop, "/api/page/history").await.json()["runs"][0]["id"], json!(id));
    assert_eq!(ada.get(&shop, &format!("/api/page/run?id={id}")).await.json()["state"], json!("done"));
    // O13, E1
    eve.get(&shop, &format!("/api/page/run?id={id}")).await.is(404, "no_such_run");
    eve.get(&shop, &format!("/api/runs/{id}")).await.is(404, "no_such_run");
    assert_eq!(eve.get(&shop, "/api/page/history").await.json()["runs"], json!([]));
    shop.get("/api/page/history").await.is(401, "not_signed_in");
    let request = Request::get("/api/page/run?id=nonsense").body(Body::empty()).unwrap();
    shop.ask(request).await.is(404, "no_such_run");
}

/// Waits for what other tasks bring about; fails after ten seconds.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "it did not come about within ten seconds");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn b16_a_hash_that_no_node_knows_is_said_to_be_not_found_after_two_minutes_and_still_counts_when_it_comes() {
    use coinslot::x402::desk::now_ms;
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let hash = ada.pays(&shop, PRICE).await;
    let raw = shop.node.rpc("eth_getRawTransactionByHash", json!([hash])).await;
    shop.node.rpc("anvil_dropTransaction", json!([hash])).await;
    // Shown for the first time a little more than two minutes ago.
    let shown = crate::harness::row(ada.address(), "late", &format!("tx/{hash}"));
    shop.desk.books.present(&shown, now_ms() - 121_000).await.unwrap();
    let payment = proof(&offers, hash);
    let lost = ada.glance(&shop, "parrot", "late", &payment).await;
    lost.is(410, "payment_not_found");
    assert_eq!(lost.json()["retry"], json!("same_payment"), "a new payment would be a second one");
    // It is still watched for.
    shop.node.rpc("eth_sendRawTransaction", json!([raw])).await;
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "late", &payment).await.said("late");
}

#[tokio::test]
async fn a_network_whose_final_block_changed_takes_no_payments_and_asks_for_none() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    shop.desk.books.halt_network(crate::harness::NETWORK, 1, "a test", coinslot::x402::desk::now_ms()).await.unwrap();
    shop.desk.waiting.notify_waiters();
    eventually(async || shop.price("parrot", "halted").await.status == 503).await;
    shop.price("parrot", "halted").await.is(503, "agent_unavailable");
    ada.call(&shop, "parrot", "halted", &payment).await.is(503, "verifier_unavailable");
    assert_eq!(worked_on("halted"), 0);
}

/// Sends the price to the shop on this node, finally.
async fn paid_on(node: &Node, from: coinslot::evm::Address, to: coinslot::evm::Address) -> coinslot::evm::TxHash {
    let hash = node.send(json!({ "from": from, "to": to, "value": format!("{PRICE:#x}"), "gas": "0x5208" })).await;
    node.finalize().await;
    hash
}

#[tokio::test]
async fn n27_a_payment_on_another_of_the_shops_networks_is_credit_there_and_never_asked_for_again() {
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(31_338));
    let shop = Shop::on_two(node, &other, 31_338).await;
    let ada = shop.signed_in(1).await;
    let hash = paid_on(&other, ada.address(), SHOP).await;
    let offers = shop.offer("parrot").await;
    let payment = proof(&offers, hash);
    let answer = ada.call(&shop, "parrot", "elsewhere", &payment).await;
    answer.is(402, "wrong_network");
    assert_eq!(answer.json()["transaction"], json!(hash));
    let sentence = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(sentence.contains("is on Other chain, and the offer was for Local chain"), "{sentence}");
    assert!(!answer.offers().accepts.is_empty(), "fresh offers come with it");
    let credit = ada.session(&shop).await["credit"].clone();
    assert_eq!((&credit[0]["asset"], &credit[0]["amount"]), (&json!("eip155:31338/native"), &json!(PRICE.to_string())));
    assert_eq!(worked_on("elsewhere"), 0);
    ada.call(&shop, "parrot", "elsewhere", &payment).await.is(402, "wrong_network");
    let bare = ada.call_with(&shop, "parrot", "elsewhere too", &[("x-payment", &hash.to_string())]).await;
    bare.is(409, "payment_already_used");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n27_what_paid_somebody_else_on_another_network_is_nobodys_credit() {
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(31_338));
    let shop = Shop::on_two(node, &other, 31_338).await;
    let ada = shop.signed_in(1).await;
    let hash = paid_on(&other, ada.address(), coinslot::evm::Address([7; 20])).await;
    let answer = ada.call(&shop, "parrot", "not ours", &proof(&shop.offer("parrot").await, hash)).await;
    answer.is(402, "wrong_network");
    assert!(answer.json()["error"].as_str().unwrap().ends_with("It did not pay this shop."));
    assert_eq!(ada.session(&shop).await["credit"], json!([]));
}

#[tokio::test]
async fn n33_a_transaction_of_yesterday_that_nobody_claimed_is_credit() {
    let node = Arc::new(Node::that_lags(25));
    let shop = Shop::with(node, Arc::new(tempfile::tempdir().unwrap()), Staff::All).await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await.to_string();
    let answer = ada.call_with(&shop, "parrot", "n33", &[("x-payment", &hash)]).await;
    answer.is(402, "payment_too_old");
    assert_eq!((worked_on("n33"), ada.credit(&shop).await), (0, PRICE.to_string()));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n09_mined_after_the_offer_ended_it_runs_at_todays_price_where_the_balance_covers_it() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let ended = coinslot::x402::desk::now_ms() - 60_000;
    let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
    let cheaper = price.with(coinslot::money::Amount::from_atomic(PRICE / 2));
    let mut offers = shop.offer("parrot").await;
    offers.accepts = vec![shop.sealed_offer(&cheaper, ended - 300_000..ended)];
    let hash = ada.paid(&shop, PRICE + 5).await;
    ada.call(&shop, "parrot", "n09", &proof(&offers, hash)).await.said("n09");
    assert_eq!(ada.credit(&shop).await, "5", "today's price, not the sealed one");
    shop.assert_balanced().await;
}
