//! Work that nobody can be charged for is not begun: one balance, or one transfer, and several signatures; strangers at a dear agent; settlements
//! that fail; gas that is too dear.

use std::sync::Arc;

use alloy::primitives::Address as Word20;
use coinslot::{
    error::Code,
    ledger::{Claimed, Has, Method, NewAuthorization, NewRun},
    network::Token,
    x402::{
        desk::now_ms,
        facilitator::{Facilitator, Operator},
    },
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    agents::{goes_on, worked_on},
    dollars::{
        EXACT_PROXY, Eip3009, OPERATOR, PRICE, PURSE, Permit2, approve_permit2, batch, chain_with_dollars, contract_wallet, mint,
        now_s, offer_by, open, pays, shop_for_dollars, spend_elsewhere, taken,
    },
    harness::{Answer, NETWORK, SHOP, Shop, Staff, Visitor, eventually_some, payload_for},
};

const BALANCE: &str = "invalid_exact_evm_insufficient_balance";

async fn shows(shop: &Shop, token: &Token, payer: &Visitor, agent: &str, say: &str) -> Answer {
    let payment = pays(&shop.offer(agent).await, &payer.key, token, say);
    payer.call(shop, agent, say, &payment).await
}

#[tokio::test]
async fn m8_of_three_signatures_over_one_balance_one_is_worked_for() {
    let (shop, token) = shop_for_dollars().await;
    let poor = shop.visitor(5);
    mint(&shop, &token, poor.address(), PRICE).await;
    let says = ["gate:m8 one", "gate:m8 two", "gate:m8 three"];
    for say in says {
        goes_on(say, 1);
    }
    let answers = futures::future::join_all(says.map(|say| shows(&shop, &token, &poor, "macaw", say))).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.is(402, "payment_invalid");
        assert_eq!(answer.json()["reason"], BALANCE);
        assert_eq!(answer.offers().error.as_deref(), Some(BALANCE));
    }
    assert_eq!(says.iter().map(|say| worked_on(say)).sum::<usize>(), 1);
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

/// What was settled a moment ago is missing from the balance already: it is not promised twice.
#[tokio::test]
async fn m8_a_balance_for_two_buys_two_at_once_and_one_after_the_other() {
    let (shop, token) = shop_for_dollars().await;
    let payer = shop.visitor(5);
    mint(&shop, &token, payer.address(), 4 * PRICE).await;
    let (one, two) = tokio::join!(shows(&shop, &token, &payer, "macaw", "m8 a"), shows(&shop, &token, &payer, "macaw", "m8 b"));
    one.said("m8 a");
    two.said("m8 b");
    shows(&shop, &token, &payer, "macaw", "m8 c").await.said("m8 c");
    shows(&shop, &token, &payer, "macaw", "m8 d").await.said("m8 d");
    let refused = shows(&shop, &token, &payer, "macaw", "m8 e").await;
    refused.is(402, "payment_invalid");
    assert_eq!((refused.json()["reason"].clone(), taken(&shop, &token).await), (json!(BALANCE), 4 * PRICE));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m8_a_balance_that_is_gone_right_before_the_work_begins_none() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node, data, &token, Staff::NoWorker).await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "m8 gone");
    ada.glance(&shop, "macaw", "m8 gone", &payment).await.is(202, "running");
    spend_elsewhere(&shop, &token, ada.address(), PURSE).await;
    let shop = {
        let (node, data) = (shop.node.clone(), shop.data.clone());
        drop(shop);
        open(node, data, &token, Staff::All).await
    };
    let answer = ada.call(&shop, "macaw", "m8 gone", &payment).await;
    answer.is(402, "settlement_failed");
    assert_eq!((answer.json()["reason"].clone(), worked_on("m8 gone")), (json!(BALANCE), 0));
    shop.assert_balanced().await;
}

/// Two that began when there was enough for both, and then not: the first is worked for.
#[tokio::test]
async fn m8_what_is_left_of_a_balance_is_for_the_call_that_began_first() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node, data, &token, Staff::NoWorker).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let payments = ["m8 first", "m8 second"].map(|say| (say, pays(&offers, &ada.key, &token, say)));
    for (say, payment) in &payments {
        ada.glance(&shop, "macaw", say, payment).await.is(202, "running");
    }
    spend_elsewhere(&shop, &token, ada.address(), PURSE - PRICE).await;
    let shop = {
        let (node, data) = (shop.node.clone(), shop.data.clone());
        drop(shop);
        open(node, data, &token, Staff::All).await
    };
    ada.call(&shop, "macaw", "m8 first", &payments[0].1).await.said("m8 first");
    ada.call(&shop, "macaw", "m8 second", &payments[1].1).await.is(402, "settlement_failed");
    assert_eq!((worked_on("m8 first"), worked_on("m8 second")), (1, 0));
    shop.assert_balanced().await;
}

/// Paid first, a run that fails leaves its price as credit; paid after the work, its signature unused.
async fn leaves_credit(shop: &Shop, token: &Token, payer: &Visitor, agent: &str, seed: &str) -> bool {
    let before = taken(shop, token).await;
    let say = format!("fail:{seed}");
    let payment = pays(&shop.offer(agent).await, &payer.key, token, seed);
    payer.call(shop, agent, &say, &payment).await.is(500, "agent_failed");
    taken(shop, token).await > before
}

#[tokio::test]
async fn m8_a_dear_agent_is_paid_first_by_whoever_never_bought_here() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    assert!(leaves_credit(&shop, &token, &ada, "galah", "m8 first purchase").await);
    assert!(leaves_credit(&shop, &token, &ada, "galah", "m8 nothing bought yet").await, "a failure is no purchase");
    assert!(!leaves_credit(&shop, &token, &ada, "macaw", "m8 cheap").await, "whose work is not dear works first");
    shows(&shop, &token, &ada, "galah", "m8 bought").await.said("m8 bought");
    assert!(!leaves_credit(&shop, &token, &ada, "galah", "m8 known").await);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m8_a_dear_agent_is_paid_first_by_every_account_with_code() {
    let (shop, token) = shop_for_dollars().await;
    let owner = shop.visitor(1);
    let wallet = contract_wallet(&shop, &token, owner.key.address()).await;
    let shows = async |say: &str, seed: &str| {
        let offers = shop.offer("galah").await;
        let signed = Eip3009 { from: Word20::from(wallet.0), ..Eip3009::of(&owner.key, seed) };
        let payload = signed.payload(&signed.sign(&owner.key, &token));
        owner.call(&shop, "galah", say, &payload_for(&offers, offer_by(&offers, "eip3009"), payload)).await
    };
    shows("m8 contract", "m8 contract").await.said("m8 contract");
    assert_eq!(taken(&shop, &token).await, PRICE);
    shows("fail:m8 contract", "m8 contract fails").await.is(500, "agent_failed");
    assert_eq!(taken(&shop, &token).await, 2 * PRICE, "however often it has bought");
    shop.assert_balanced().await;
}

/// A key's account that has lent itself code (EIP-7702) is one with code.
#[tokio::test]
async fn m8_a_delegated_account_has_code() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    shows(&shop, &token, &ada, "galah", "m8 plain").await.said("m8 plain");
    assert!(!leaves_credit(&shop, &token, &ada, "galah", "m8 still plain").await);
    let chain = &shop.desk.chains[0];
    assert!(!chain.purse(token.address, ada.address(), &[]).await.unwrap().has_code);
    shop.node.rpc("anvil_setCode", json!([ada.address(), format!("0xef0100{}", "66".repeat(20))])).await;
    let purse = chain.purse(token.address, ada.address(), &[]).await.unwrap();
    assert!(purse.has_code && !purse.balance.is_zero());
}

/// Settlements of this agent that failed, as they stand in the books.
async fn fail_settlements(shop: &Shop, token: &Token, agent: &str, count: u8) {
    let (books, now) = (&shop.desk.books, now_ms());
    let asset = coinslot::money::Asset { network: NETWORK.into(), token: Some(token.address) };
    for n in 0..count {
        let payer = coinslot::evm::Address([0xf0 + n; 20]);
        let nonce = uuid::Uuid::now_v7().simple();
        let new = NewRun {
            id: uuid::Uuid::now_v7().to_string(),
            agent: agent.to_owned(),
            version: "7".to_owned(),
            payer,
            input: "{}".to_owned(),
            input_sha256: alloy::hex::encode(Sha256::digest("{}")),
            network: NETWORK.to_owned(),
            proof: format!("eip3009/{}/{payer}/0x{nonce}{nonce}", token.address),
            payment_id: None,
            terms: None,
            key_sha256: String::new(),
        };
        let authorization = NewAuthorization {
            method: Method::Eip3009,
            asset: asset.clone(),
            pay_to: SHOP,
            amount: coinslot::money::Amount::from_atomic(PRICE.into()),
            valid_before_ms: now + 60_000,
            signed: "{}".to_owned(),
            since_block: 0,
            settle_first: false,
            has: None::<Has>,
        };
        let Claimed::New(run) = books.claim(&new, &authorization, now).await.unwrap() else { panic!("it is new") };
        books.lease_run("a", now, 10_000).await.unwrap().unwrap();
        assert!(books.answered(&run.id, "a", "{}", "computed", now).await.unwrap());
        assert!(books.settlement_failed(&run.id, "a", &Code::SettlementFailed.into(), now).await.unwrap());
    }
}

#[tokio::test]
async fn m8_after_too_many_failed_settlements_everybody_pays_first_until_they_hold_again() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node.clone(), data.clone(), &token, Staff::NoWorker).await;
    fail_settlements(&shop, &token, "macaw", 10).await;
    drop(shop);
    let shop = open(node.clone(), data.clone(), &token, Staff::All).await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    assert!(!leaves_credit(&shop, &token, &ada, "macaw", "m8 half is not more than half").await);
    drop(shop);
    let shop = open(node.clone(), data.clone(), &token, Staff::NoWorker).await;
    fail_settlements(&shop, &token, "macaw", 1).await;
    drop(shop);
    let shop = open(node, data, &token, Staff::All).await;
    assert!(leaves_credit(&shop, &token, &ada, "macaw", "m8 closed").await);
    // Nobody is turned away, whoever they are, and another agent's settlements are its own.
    shows(&shop, &token, &eve, "macaw", "m8 served").await.said("m8 served");
    assert_eq!(shop.desk.books.settlements_failed("kea", now_ms()).await.unwrap(), 0);
    for n in 0..8 {
        let say = format!("m8 holds {n}");
        shows(&shop, &token, &eve, "macaw", &say).await.said(&say);
    }
    // Twenty-one, of which the oldest failure is not counted any more.
    assert!(!leaves_credit(&shop, &token, &ada, "macaw", "m8 open again").await);
    shop.assert_balanced().await;
}

/// Whoever sent it already has nothing left, and owes nothing.
#[tokio::test]
async fn m8_what_a_front_runner_sent_is_paid_though_the_purse_is_empty() {
    let (shop, token) = shop_for_dollars().await;
    let payer = shop.visitor(5);
    mint(&shop, &token, payer.address(), PRICE).await;
    let offers = shop.offer("macaw").await;
    let signed = Eip3009 { valid_before: now_s() + 300, ..Eip3009::of(&payer.key, "m8 sent") };
    let signature = signed.sign(&payer.key, &token);
    let data = signed.calldata(&signature);
    crate::dollars::mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": token.address, "data": data })).await;
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
    payer.call(&shop, "macaw", "m8 sent", &payment).await.said("m8 sent");
    eventually_some(async || (taken(&shop, &token).await == PRICE).then_some(())).await;
    shop.assert_balanced().await;
}

/// One transfer through somebody's contract, and two other nonces used up beside it in its block: nothing in it says which of them it pays.
async fn one_transfer_for_three(shop: &Shop, token: &Token, payer: &Visitor) -> Vec<String> {
    approve_permit2(shop, token, payer.address()).await;
    let offers = shop.offer("macaw").await;
    let permits: Vec<_> = (1..=3).map(|nonce| Permit2::of(&payer.key, nonce)).collect();
    let payloads: Vec<_> = permits.iter().map(|permit| permit.payload(&payer.key, token)).collect();
    let calldata = permits[0].calldata(token, payloads[0]["signature"].as_str().unwrap());
    let paid = (EXACT_PROXY.parse::<Word20>().unwrap(), alloy::hex::decode(calldata).unwrap());
    let taken_back = {
        alloy::sol! { function invalidateUnorderedNonces(uint256 wordPos, uint256 mask); }
        use alloy::{primitives::U256, sol_types::SolCall};
        crate::dollars::hex(
            &invalidateUnorderedNoncesCall { wordPos: U256::ZERO, mask: U256::from((1 << 2) | (1 << 3)) }.abi_encode(),
        )
    };
    shop.node.rpc("evm_setIntervalMining", json!([0])).await;
    tokio::join!(batch(shop, vec![paid]), async {
        let pool = async || shop.node.rpc("txpool_status", json!([])).await["pending"] != "0x0";
        eventually_some(async || pool().await.then_some(())).await;
        let sent = json!({ "from": payer.address(), "to": crate::dollars::PERMIT2, "data": taken_back, "gas": "0x30d40" });
        shop.node.send(sent).await;
        shop.node.rpc("evm_mine", json!([])).await;
        shop.node.rpc("evm_setIntervalMining", json!([1])).await;
    });
    assert_eq!(taken(shop, token).await, PRICE);
    payloads.into_iter().map(|payload| payload_for(&offers, offer_by(&offers, "permit2"), payload)).collect()
}

#[tokio::test]
async fn m8_one_transfer_that_three_signatures_are_shown_for_is_worked_for_once() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payments = one_transfer_for_three(&shop, &token, &ada).await;
    let says = ["m8 untied a", "m8 untied b", "m8 untied c"];
    // All at once: none of them is booked when the others are looked at.
    let calls = says.iter().zip(&payments).map(|(say, payment)| ada.call(&shop, "macaw", say, payment));
    let answers = futures::future::join_all(calls).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1, "{:?}", answers.iter().map(|answer| (answer.status, answer.code())).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert!(matches!(answer.code().as_str(), "settlement_failed" | "payment_invalid"), "{}", answer.json());
    }
    assert_eq!(says.iter().map(|say| worked_on(say)).sum::<usize>(), 1, "work that nobody can be charged for is not begun");
    assert_eq!((taken(&shop, &token).await, shop.desk.books.audit().await.unwrap().deposits), (PRICE, 1));
    shop.assert_balanced().await;
}

/// They were shown, and held, before their nonces were used: it is looked at again right before the work.
#[tokio::test]
async fn m8_one_transfer_for_three_calls_that_are_held_is_booked_before_the_work() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node, data, &token, Staff::NoWorker).await;
    let ada = shop.visitor(1);
    approve_permit2(&shop, &token, ada.address()).await;
    let offers = shop.offer("macaw").await;
    let says = ["m8 held a", "m8 held b", "m8 held c"];
    for (say, nonce) in says.iter().zip(1..) {
        let payload = Permit2::of(&ada.key, nonce).payload(&ada.key, &token);
        ada.glance(&shop, "macaw", say, &payload_for(&offers, offer_by(&offers, "permit2"), payload)).await.is(202, "running");
    }
    one_transfer_for_three(&shop, &token, &ada).await;
    let shop = {
        let (node, data) = (shop.node.clone(), shop.data.clone());
        drop(shop);
        open(node, data, &token, Staff::All).await
    };
    let runs = eventually_some(async || {
        let runs = shop.desk.books.runs_of(ada.address(), None, 10).await.unwrap();
        runs.iter().all(|run| run.state.ended()).then_some(runs)
    })
    .await;
    let done = runs.iter().filter(|run| run.state == coinslot::run::RunState::Done).count();
    assert_eq!((runs.len(), done), (3, 1));
    assert_eq!(says.iter().map(|say| worked_on(say)).sum::<usize>(), 1);
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

/// Trying a call again that failed is no way around it either.
#[tokio::test]
async fn m8_a_failed_call_is_tried_again_only_for_a_transfer_that_is_its_own() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    approve_permit2(&shop, &token, ada.address()).await;
    let offers = shop.offer("macaw").await;
    let payload = |nonce| Permit2::of(&ada.key, nonce).payload(&ada.key, &token);
    let failed = payload_for(&offers, offer_by(&offers, "permit2"), payload(2));
    ada.call(&shop, "macaw", "fail:m8 again", &failed).await.is(500, "agent_failed");
    let payments = one_transfer_for_three(&shop, &token, &ada).await;
    ada.call(&shop, "macaw", "m8 its own", &payments[0]).await.said("m8 its own");
    let again = eventually_some(async || {
        Some(ada.call(&shop, "macaw", "fail:m8 again", &failed).await).filter(|answer| answer.status != 503)
    })
    .await;
    assert!(matches!(again.code().as_str(), "payment_invalid" | "settlement_failed"), "{}", again.json());
    assert_eq!((worked_on("fail:m8 again"), taken(&shop, &token).await), (1, PRICE));
    shop.assert_balanced().await;
}

/// A node asks for so much gas that nothing is signed: tokens wait, and nobody signs anew for it.
#[tokio::test]
async fn m8_gas_above_the_operators_highest_price_is_503_and_no_demand() {
    let (node, token) = chain_with_dollars().await;
    let (url, data, key) = (node.url(), Arc::new(tempfile::tempdir().unwrap()), node.key(OPERATOR).to_bytes().0);
    let settles = move |most: u128| {
        move |chain| {
            let operator = Operator::with_gas_price_max(&key, chain, coinslot::money::Amount::from_atomic(most)).unwrap();
            Some(Facilitator::Operator(operator))
        }
    };
    let shop =
        Shop::with_tokens(node.clone(), data.clone(), Staff::All, vec![url.clone()], vec![token.clone()], settles(1)).await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "m8 dear gas");
    let told = ada.call(&shop, "macaw", "m8 dear gas", &payment).await;
    told.is(503, "verifier_unavailable");
    assert_eq!(told.json()["retry"], "same_payment");
    assert!(told.header("retry-after").is_some() && told.header("payment-required").is_none(), "{}", told.json());
    assert!(told.json()["details"].as_str().unwrap().contains("gwei"), "{}", told.json());
    assert_eq!(worked_on("m8 dear gas"), 0);
    // Coins do not wait, and what was signed is good when gas is cheaper.
    let mut coin = shop.offer("macaw").await;
    coin.accepts.retain(|offer| offer.is_native());
    let visitor = shop.signed_in(2).await;
    let paid = visitor.pays(&shop, crate::harness::PRICE).await;
    visitor.call(&shop, "macaw", "m8 coin", &crate::harness::proof(&coin, paid)).await.said("m8 coin");
    drop(shop);
    let shop = Shop::with_tokens(node, data, Staff::All, vec![url], vec![token.clone()], settles(u128::MAX)).await;
    ada.call(&shop, "macaw", "m8 dear gas", &payment).await.said("m8 dear gas");
    shop.assert_balanced().await;
}
