//! Signed payments that end in an unusual way: each is answered, and what was given up is credit or unused, never open.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::Address as Word20;
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use coinslot::{
    ledger::AuthorizationState,
    run::RunState,
    x402::{
        desk::now_ms,
        facilitator::{Facilitator, Remote},
    },
};
use serde_json::{Value, json};

use crate::{
    agents::{goes_on, worked_on},
    anvil::proxy::{Fault, Proxy},
    dollars::{
        EXACT_PROXY, Eip3009, PRICE, PURSE, Permit2, approve_permit2, batch, cancel, chain_with_dollars, offer_by, open, open_at,
        pays, shop_for_dollars, spend_elsewhere, strangers, taken,
    },
    harness::{NETWORK, Node, PRICE as COINS, Shop, Staff, Visitor, eventually_some, payload_for, proof, settlement},
};

/// What the proxy is called with for a permit.
fn settles(permit: &Permit2, payload: &Value, token: &coinslot::network::Token) -> (Word20, Vec<u8>) {
    let calldata = permit.calldata(token, payload["signature"].as_str().unwrap());
    (EXACT_PROXY.parse().unwrap(), alloy::hex::decode(calldata).unwrap())
}

/// As in the review: twelve wallets in each of three transactions of somebody's contract. Each is answered, and the agent goes on selling.
#[tokio::test]
async fn m1_thirty_six_payers_in_three_transactions_are_all_answered() {
    let (shop, token) = shop_for_dollars().await;
    let keys = strangers(&shop, &token, 36).await;
    let offers = shop.offer("macaw").await;
    let mut shown = Vec::new();
    for (n, keys) in keys.chunks(12).enumerate() {
        let mut calls = Vec::new();
        for (m, key) in keys.iter().enumerate() {
            let permit = Permit2::of(key, n as u64 * 12 + m as u64);
            let payload = permit.payload(key, &token);
            calls.push(settles(&permit, &payload, &token));
            shown.push((Visitor { key: key.clone(), cookie: None }, format!("m1 {n} {m}"), payload));
        }
        batch(&shop, calls).await;
    }
    assert_eq!(taken(&shop, &token).await, 36 * PRICE);
    let (asked, sold) = (&shop, &offers);
    let calls = shown.iter().map(|(visitor, say, payload)| async move {
        let payment = payload_for(sold, offer_by(sold, "permit2"), payload.clone());
        // No more than 32 of an agent at once: the others come again.
        let call = async || Some(visitor.call(asked, "macaw", say, &payment).await).filter(|answer| answer.status == 200);
        eventually_some(call).await
    });
    for (answer, (_, say, _)) in futures::future::join_all(calls).await.iter().zip(&shown) {
        answer.said(say);
        assert!(settlement(answer).success);
    }
    let audit = shop.desk.books.audit().await.unwrap();
    assert_eq!((audit.deposits, audit.findings), (36, vec![]));
    // Nothing was sent twice, and the agent is open for everybody.
    assert_eq!(taken(&shop, &token).await, 36 * PRICE);
    let ada = shop.visitor(1);
    ada.call(&shop, "macaw", "m1 after", &pays(&shop.offer("macaw").await, &ada.key, &token, "m1 after")).await.said("m1 after");
}

/// A relayer that batches for one payer: two transfers, two answers. One transfer and two used nonces: one answer, and the other ends.
#[tokio::test]
async fn m1_one_payers_transfers_in_one_transaction_pay_for_as_many_calls() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    approve_permit2(&shop, &token, ada.address()).await;
    let offers = shop.offer("macaw").await;
    let permits: Vec<_> = (1..=3).map(|nonce| Permit2::of(&ada.key, nonce)).collect();
    let payloads: Vec<_> = permits.iter().map(|permit| permit.payload(&ada.key, &token)).collect();
    let taken_back = crate::dollars::hex(&{
        alloy::sol! { function invalidateUnorderedNonces(uint256 wordPos, uint256 mask); }
        use alloy::{primitives::U256, sol_types::SolCall};
        invalidateUnorderedNoncesCall { wordPos: U256::ZERO, mask: U256::from(1 << 3) }.abi_encode()
    });
    // In one block: the third is used up beside the two that paid.
    shop.node.rpc("evm_setIntervalMining", json!([0])).await;
    let data = [settles(&permits[0], &payloads[0], &token), settles(&permits[1], &payloads[1], &token)].to_vec();
    let batched = tokio::join!(batch(&shop, data), async {
        let pool = async || shop.node.rpc("txpool_status", json!([])).await["pending"] != "0x0";
        eventually_some(async || pool().await.then_some(())).await;
        shop.node
            .send(json!({ "from": ada.address(), "to": crate::dollars::PERMIT2, "data": taken_back, "gas": "0x30d40" }))
            .await;
        shop.node.rpc("evm_mine", json!([])).await;
        shop.node.rpc("evm_setIntervalMining", json!([1])).await;
    });
    assert_eq!(taken(&shop, &token).await, 2 * PRICE, "{batched:?}");
    let payments: Vec<_> =
        payloads.into_iter().map(|payload| payload_for(&offers, offer_by(&offers, "permit2"), payload)).collect();
    let says = ["m1 twice a", "m1 twice b", "m1 twice c"];
    for (say, payment) in says.iter().zip(&payments).take(2) {
        ada.call(&shop, "macaw", say, payment).await.said(say);
    }
    let third = ada.call(&shop, "macaw", says[2], &payments[2]).await;
    assert!(matches!(third.code().as_str(), "settlement_failed" | "payment_invalid"), "{}", third.json());
    assert_eq!(worked_on(says[2]), 0, "nothing is left to pay it with");
    assert_eq!(shop.desk.books.audit().await.unwrap().deposits, 2);
    assert!(shop.desk.books.promised(ada.address(), &asset(&token)).await.unwrap().is_empty(), "nothing is left open");
    shop.assert_balanced().await;
}

fn asset(token: &coinslot::network::Token) -> coinslot::money::Asset {
    coinslot::money::Asset { network: NETWORK.into(), token: Some(token.address) }
}

/// Our settlement never reaches a node, and its signer takes it back: it ends at once, and its payer is told.
#[tokio::test]
async fn m9_what_its_signer_cancels_while_our_settlement_is_lost_ends_at_once() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let shop = open_at(node, Arc::new(tempfile::tempdir().unwrap()), &token, Staff::All, vec![proxy.url.clone()]).await;
    let ada = shop.visitor(1);
    let signed = Eip3009::of(&ada.key, "m9 cancelled");
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "m9 cancelled");
    proxy.fault(Fault::Refuse("eth_sendRawTransaction"));
    let run = ada.glance(&shop, "macaw", "m9 cancelled", &payment).await.json()["run"].as_str().map(str::to_owned);
    let run = match run {
        Some(run) => run,
        None => shop.desk.books.under_way(ada.address(), now_ms()).await.unwrap()[0].id.clone(),
    };
    let now = async || shop.desk.books.run(&run).await.unwrap().unwrap();
    eventually_some(async || now().await.authorization.unwrap().sent).await;
    cancel(&shop, &token, &ada.key, signed.nonce).await;
    let cancelled = Instant::now();
    let ended = eventually_some(async || Some(now().await).filter(|run| run.state.ended())).await;
    assert!(cancelled.elapsed() < Duration::from_secs(15), "{:?}", cancelled.elapsed());
    assert_eq!((ended.state, ended.authorization.unwrap().state), (RunState::Void, AuthorizationState::Unused));
    let told = ada.call(&shop, "macaw", "m9 cancelled", &payment).await;
    told.is(402, "settlement_failed");
    assert_eq!(told.json()["reason"], "invalid_exact_evm_nonce_already_used");
    assert_eq!(taken(&shop, &token).await, 0);
    shop.assert_balanced().await;
}

/// While nobody can tell, the node is asked less and less often.
#[tokio::test]
async fn m9_looks_at_what_nobody_can_settle_back_off() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let shop = open_at(node, Arc::new(tempfile::tempdir().unwrap()), &token, Staff::All, vec![proxy.url.clone()]).await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "m9 hammers");
    proxy.fault(Fault::Refuse("eth_sendRawTransaction"));
    ada.glance(&shop, "macaw", "m9 hammers", &payment).await;
    eventually_some(async || (worked_on("m9 hammers") == 1).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let before = proxy.asked().requests;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = proxy.asked().requests - before;
    assert!(asked <= 40, "{asked} requests in five seconds");
    proxy.heal();
    ada.call(&shop, "macaw", "m9 hammers", &payment).await.said("m9 hammers");
    assert_eq!((worked_on("m9 hammers"), taken(&shop, &token).await), (1, PRICE));
    shop.assert_balanced().await;
}

/// The block that had our settlement vanishes: the same bytes are sent again, and the next payment's number leaves no gap.
#[tokio::test]
async fn m9_a_settlement_that_a_reorganisation_drops_is_sent_again_and_leaves_no_gap() {
    let (shop, token) = shop_for_dollars().await;
    let (ada, bob) = (shop.visitor(1), shop.visitor(2));
    ada.call(&shop, "macaw", "m9 before", &pays(&shop.offer("macaw").await, &ada.key, &token, "m9 before"))
        .await
        .said("m9 before");
    shop.node.rpc("evm_setIntervalMining", json!([0])).await;
    let dropped = pays(&shop.offer("macaw").await, &ada.key, &token, "m9 dropped");
    ada.glance(&shop, "macaw", "m9 dropped", &dropped).await;
    let pool = async || shop.node.rpc("txpool_status", json!([])).await["pending"].clone();
    eventually_some(async || (pool().await == "0x1").then_some(())).await;
    shop.node.rpc("evm_mine", json!([])).await;
    let run = shop.desk.books.under_way(ada.address(), now_ms()).await.unwrap()[0].id.clone();
    // Until it was seen in that block.
    tokio::time::sleep(Duration::from_millis(600)).await;
    shop.node.rpc("anvil_reorg", json!([1, []])).await;
    shop.node.rpc("evm_setIntervalMining", json!([1])).await;
    let began = Instant::now();
    let other = pays(&shop.offer("macaw").await, &bob.key, &token, "m9 next");
    let (again, next) =
        tokio::join!(ada.call(&shop, "macaw", "m9 dropped", &dropped), bob.call(&shop, "macaw", "m9 next", &other));
    again.said("m9 dropped");
    next.said("m9 next");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!((taken(&shop, &token).await, worked_on("m9 dropped")), (3 * PRICE, 1));
    assert_eq!(shop.desk.books.run(&run).await.unwrap().unwrap().state, RunState::Done);
    shop.assert_balanced().await;
}

async fn lost_attempts(shop: &Shop, run: &str, times: usize) {
    for n in 0..times {
        // As by SIGKILL: its lease ends, and nobody says why.
        let leased = shop.desk.books.lease_run(&format!("killed {n}"), now_ms(), 1).await.unwrap();
        assert!(leased.is_some(), "{run}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn m9_a_run_that_restarts_took_three_times_is_not_final() {
    let node = Arc::new(Node::start());
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = Shop::with(node, data, Staff::NoWorker).await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, COINS).await);
    let glance = ada.glance(&shop, "parrot", "m9 restarts", &payment).await;
    assert_eq!(glance.status, 202);
    let run = eventually_some(async || {
        let runs = shop.desk.books.under_way(ada.address(), now_ms()).await.unwrap();
        runs.into_iter().find(|run| run.state == RunState::Held)
    })
    .await;
    lost_attempts(&shop, &run.id, 3).await;
    let shop = shop.reopen(Staff::All).await;
    let told = eventually_some(async || {
        let run = shop.desk.books.run(&run.id).await.unwrap().unwrap();
        run.error.filter(|_| run.state == RunState::Failed)
    })
    .await;
    assert_eq!(serde_json::to_value(&told).unwrap()["retry"], "same_payment", "{told:?}");
    // Nobody is told that this input fails, and the same payment runs it.
    shop.price("parrot", "m9 restarts").await.is(402, "payment_required");
    ada.call(&shop, "parrot", "m9 restarts", &payment).await.said("m9 restarts");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m9_a_run_that_broke_once_after_two_restarts_is_not_final() {
    let node = Arc::new(Node::start());
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = Shop::with(node, data, Staff::NoWorker).await;
    let ada = shop.signed_in(1).await;
    let say = "break-once:m9 after restarts";
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, COINS).await);
    ada.glance(&shop, "parrot", say, &payment).await;
    let run = eventually_some(async || {
        let runs = shop.desk.books.under_way(ada.address(), now_ms()).await.unwrap();
        runs.into_iter().find(|run| run.state == RunState::Held)
    })
    .await;
    lost_attempts(&shop, &run.id, 2).await;
    let shop = shop.reopen(Staff::All).await;
    eventually_some(async || {
        let run = shop.desk.books.run(&run.id).await.unwrap().unwrap();
        (run.state == RunState::Failed).then_some(())
    })
    .await;
    assert_eq!(worked_on(say), 1);
    shop.price("parrot", say).await.is(402, "payment_required");
    ada.call(&shop, "parrot", say, &payment).await.said(say);
    shop.assert_balanced().await;
}

/// The network's Permit2 cannot be seen yet, as after a start with a node that lags: what was signed stays good.
#[tokio::test]
async fn m10_a_signed_permit_that_meets_a_facilitator_not_ready_is_sent_again_and_pays() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    approve_permit2(&shop, &token, ada.address()).await;
    let offers = shop.offer("macaw").await;
    let payment = payload_for(&offers, offer_by(&offers, "permit2"), Permit2::of(&ada.key, 10).payload(&ada.key, &token));
    let code = shop.node.rpc("eth_getCode", json!([EXACT_PROXY, "latest"])).await;
    shop.node.rpc("anvil_setCode", json!([EXACT_PROXY, "0x"])).await;
    let shop = {
        let (node, data) = (shop.node.clone(), shop.data.clone());
        drop(shop);
        open(node, data, &token, Staff::All).await
    };
    for _ in 0..2 {
        let told = ada.call(&shop, "macaw", "m10 not ready", &payment).await;
        told.is(503, "verifier_unavailable");
        assert_eq!(told.json()["retry"], "same_payment");
        assert!(told.header("retry-after").is_some());
        assert!(told.header("payment-required").is_none(), "no demand for another payment");
    }
    assert_eq!(worked_on("m10 not ready"), 0);
    shop.node.rpc("anvil_setCode", json!([EXACT_PROXY, code])).await;
    shop.desk.facilitator(NETWORK).unwrap().refresh().await.unwrap();
    ada.call(&shop, "macaw", "m10 not ready", &payment).await.said("m10 not ready");
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

/// A facilitator that answers as those built on x402-rs do.
async fn of_x402_rs() -> (url::Url, Arc<std::sync::Mutex<Option<&'static str>>>) {
    let refuses: Arc<std::sync::Mutex<Option<&'static str>>> = Arc::default();
    let verify = async |State(refuses): State<Arc<std::sync::Mutex<Option<&'static str>>>>, Json(asked): Json<Value>| {
        let payer = asked["paymentPayload"]["payload"]["authorization"]["from"].clone();
        match *refuses.lock().unwrap() {
            Some("verify") => {
                let no =
                    json!({"isValid": false, "invalidReason": "insufficient_funds", "invalidReasonDetails": "…", "payer": ""});
                (StatusCode::BAD_REQUEST, Json(no))
            }
            _ => (StatusCode::OK, Json(json!({"isValid": true, "payer": payer}))),
        }
    };
    let settle = async || {
        let no = json!({"success": false, "network": "", "transaction": "", "errorReason": "unexpected_error", "errorMessage": "…", "payer": ""});
        (StatusCode::INTERNAL_SERVER_ERROR, Json(no))
    };
    let kinds = json!({"kinds": [{"x402Version": 2, "scheme": "exact", "network": NETWORK}], "extensions": [], "signers": {}});
    let router = Router::new()
        .route("/verify", post(verify))
        .route("/settle", post(settle))
        .route("/supported", axum::routing::get(async move || Json(kinds)))
        .with_state(refuses.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, refuses)
}

#[tokio::test]
async fn m7_the_payer_of_a_facilitator_that_is_built_on_x402_rs_hears_the_reason() {
    let (node, token) = chain_with_dollars().await;
    let (url, refuses) = of_x402_rs().await;
    let (rpc, data) = (node.url(), Arc::new(tempfile::tempdir().unwrap()));
    let remote = |chain| Some(Facilitator::Remote(Remote::new(url, chain)));
    let shop = Shop::with_tokens(node, data, Staff::All, vec![rpc], vec![token.clone()], remote).await;
    // Refused before the work.
    *refuses.lock().unwrap() = Some("verify");
    let poor = shop.visitor(5);
    let told = poor.call(&shop, "macaw", "m7 poor", &pays(&shop.offer("macaw").await, &poor.key, &token, "m7 poor")).await;
    told.is(402, "payment_invalid");
    assert_eq!(told.json()["reason"], "invalid_exact_evm_insufficient_balance");
    // Refused after it: the money went elsewhere while the agent worked.
    *refuses.lock().unwrap() = None;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "m7 spent");
    ada.glance(&shop, "macaw", "gate:m7 spent", &payment).await.is(202, "running");
    eventually_some(async || (worked_on("gate:m7 spent") == 1).then_some(())).await;
    spend_elsewhere(&shop, &token, ada.address(), PURSE).await;
    goes_on("gate:m7 spent", 1);
    let told = ada.call(&shop, "macaw", "gate:m7 spent", &payment).await;
    told.is(402, "settlement_failed");
    assert_eq!(told.json()["reason"], "invalid_exact_evm_insufficient_balance");
    assert!(!settlement(&told).success);
    shop.assert_balanced().await;
}

/// Good for years, and nobody could settle it within the hour: its payer is told, before the work and after it, and what is sent later is credit.
#[tokio::test]
async fn m4_what_cannot_be_settled_within_an_hour_is_given_up_and_is_credit_when_it_is_sent() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node.clone(), data.clone(), &token, Staff::CounterOnly).await;
    let ada = shop.signed_in(1).await;
    let mut shown = Vec::new();
    for agent in ["macaw", "kea"] {
        let say = format!("m4 given up by {agent}");
        let signed = Eip3009 { valid_before: crate::dollars::now_s() + 10 * 365 * 86_400, ..Eip3009::of(&ada.key, &say) };
        let signature = signed.sign(&ada.key, &token);
        let offers = shop.offer(agent).await;
        let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
        assert_eq!(ada.glance(&shop, agent, &say, &payment).await.status, 202);
        shown.push((agent, say, payment, signed.calldata(&signature)));
    }
    drop(shop);
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&crate::harness::sqlite(data.path())).await.unwrap();
    let an_hour_ago = sqlx::query("update runs set held_ms = held_ms - 3700000, created_ms = created_ms - 3700000");
    assert_eq!(an_hour_ago.execute(&pool).await.unwrap().rows_affected(), 2);
    pool.close().await;

    let shop = open(node, data, &token, Staff::All).await;
    for (agent, say, payment, _) in &shown {
        let told = ada.call(&shop, agent, say, payment).await;
        told.is(402, "settlement_failed");
        assert_eq!(told.json()["reason"], "invalid_exact_evm_payload_authorization_valid_before");
    }
    assert_eq!((worked_on(&shown[0].1), worked_on(&shown[1].1), taken(&shop, &token).await), (1, 0, 0));
    let runs = shop.desk.books.runs_of(ada.address(), None, 10).await.unwrap();
    let states = runs.iter().map(|run| (run.state, run.authorization.as_ref().unwrap().state));
    assert!(states.clone().all(|state| state == (RunState::Void, AuthorizationState::Open)), "{:?}", states.collect::<Vec<_>>());
    assert!(shop.desk.books.promised(ada.address(), &asset(&token)).await.unwrap().is_empty(), "it takes up no place any more");
    // Somebody sends them after all.
    for (.., calldata) in &shown {
        crate::dollars::mined(
            &shop.node,
            json!({ "from": shop.visitor(3).address(), "to": token.address, "data": calldata, "gas": "0x30d40" }),
        )
        .await;
    }
    eventually_some(async || {
        for run in &runs {
            // As if the time of the next look had come.
            shop.desk.books.look_later(&run.id, None, now_ms() - 3_600_000).await.unwrap();
        }
        shop.desk.waiting.notify_waiters();
        (ada.credit(&shop).await == (2 * PRICE).to_string()).then_some(())
    })
    .await;
    shop.assert_balanced().await;
}
