//! Paid by a signature: verify, claim, work, settle, answer. The numbers are those of docs/protocol.md's table of refusals.

use std::sync::Arc;

use alloy::primitives::{Address as Word20, keccak256};
use coinslot::{
    chain::{At, Seen},
    network::Token,
    x402::{authorization::booked_transfer, wire::PaymentRequired},
};
use serde_json::json;

use crate::{
    agents::{goes_on, worked_on},
    dollars::{
        Eip3009, PRICE, PURSE, Permit2, approve_permit2, balance, chain_with_dollars, mined, now_s, offer_by, open, pays,
        shop_for_dollars, spend_elsewhere, spending, taken, v1,
    },
    harness::{Answer, PRICE as COINS, Shop, Staff, Visitor, eventually_some, payload_for, proof, settlement},
};

/// Shows what was signed with these changes for the EIP-3009 offer.
async fn shows(shop: &Shop, token: &Token, payer: &Visitor, say: &str, change: impl FnOnce(&mut Eip3009)) -> Answer {
    let offers = shop.offer("macaw").await;
    let mut signed = Eip3009::of(&payer.key, say);
    change(&mut signed);
    let payload = signed.payload(&signed.sign(&payer.key, token));
    payer.call(shop, "macaw", say, &payload_for(&offers, offer_by(&offers, "eip3009"), payload)).await
}

#[track_caller]
fn refused(answer: &Answer, reason: &str) {
    answer.is(402, "payment_invalid");
    assert_eq!(answer.json()["reason"], reason);
    let offers = answer.offers();
    assert_eq!(offers.error.as_deref(), Some(reason), "a client reads x402's own word");
    let receipt = settlement(answer);
    assert_eq!((receipt.success, receipt.transaction.as_str(), receipt.error_reason.as_deref()), (false, "", Some(reason)));
}

#[tokio::test]
async fn a_signature_buys_a_run_and_moves_its_price_once() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "buys");
    let answer = ada.call(&shop, "macaw", "token buys", &payment).await;
    answer.said("token buys");
    let receipt = settlement(&answer);
    assert!(receipt.success && !receipt.transaction.is_empty(), "{receipt:?}");
    assert_eq!((receipt.payer, receipt.amount.map(|amount| amount.to_string())), (Some(ada.address()), Some(PRICE.to_string())));
    assert_eq!((taken(&shop, &token).await, balance(&shop, &token, ada.address()).await), (PRICE, PURSE - PRICE));

    // 16
    let again = ada.call(&shop, "macaw", "token buys", &payment).await;
    again.said("token buys");
    assert_eq!((again.header("x-idempotent-replay"), &again.bytes), (Some("true"), &answer.bytes));
    assert_eq!((worked_on("token buys"), taken(&shop, &token).await), (1, PRICE));
    shop.assert_balanced().await;

    // What `coinslot books --chain` looks up again.
    let (_, deposit) = shop.desk.books.deposits_after("", 1).await.unwrap().remove(0);
    let chain = &shop.desk.chains[0];
    let transfer = booked_transfer(&deposit).unwrap();
    let seen = chain.look(&transfer, Some(deposit.transaction), deposit.block, At::Final).await.unwrap();
    assert!(
        matches!(seen, Seen::Paid { transaction, block, .. } if (transaction, block) == (deposit.transaction, deposit.block)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn tokens_are_offered_first_and_coins_last() {
    let (shop, _) = shop_for_dollars().await;
    let methods = |offers: &PaymentRequired| {
        offers.accepts.iter().map(|offer| offer.extra.asset_transfer_method.clone().unwrap()).collect::<Vec<_>>()
    };
    let offers = shop.offer("macaw").await;
    assert_eq!(methods(&offers), ["eip3009", "permit2", "transaction-proof"]);
    assert!(offers.accepts[0].max_timeout_seconds >= 62, "the work and a minute");
    assert_eq!(methods(&shop.offer("parrot").await), ["transaction-proof"]);
    let body = shop.price("macaw", "x").await.json();
    assert_eq!((body["accepts"].as_array().unwrap().len(), &body["accepts"][0]["scheme"]), (1, &json!("exact")));
    assert!(body["accepts"][0].get("outputSchema").is_none());
    assert_eq!(body["paymentRequirements"]["asset"], "MON", "the workflow's shape describes the coin");
    assert_eq!(shop.price("parrot", "x").await.json()["accepts"], json!([]));
}

#[tokio::test]
async fn n06_n07_an_offer_that_is_not_ours_is_no_price() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "forged");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let good = serde_json::to_value(offer_by(&offers, "eip3009")).unwrap();
    let other_agent = serde_json::to_value(&shop.offer("kea").await.accepts[0]).unwrap();
    for (field, value, reason) in [
        ("scheme", json!("upto"), "unsupported_scheme"),
        ("network", json!("eip155:1"), "invalid_network"),
        ("amount", json!("999"), "invalid_payment_requirements"),
        ("payTo", json!(ada.address()), "invalid_payment_requirements"),
        ("asset", json!(ada.address()), "invalid_payment_requirements"),
        ("extra", other_agent["extra"].clone(), "invalid_payment_requirements"),
    ] {
        let mut forged = good.clone();
        forged[field] = value;
        let forged = serde_json::from_value(forged).unwrap();
        refused(&ada.call(&shop, "macaw", "forged", &payload_for(&offers, &forged, payload.clone())).await, reason);
    }
    assert_eq!((worked_on("forged"), taken(&shop, &token).await), (0, 0));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n10_to_n13_what_was_signed_is_exactly_what_was_offered() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let value = "invalid_exact_evm_payload_authorization_value_mismatch";
    let before = "invalid_exact_evm_payload_authorization_valid_before";
    refused(&shows(&shop, &token, &ada, "n10a", |signed| signed.value -= 1).await, value);
    refused(&shows(&shop, &token, &ada, "n10b", |signed| signed.value += 1).await, value);
    let elsewhere = |signed: &mut Eip3009| signed.to = Word20::repeat_byte(9);
    refused(&shows(&shop, &token, &ada, "n11", elsewhere).await, "invalid_exact_evm_recipient_mismatch");
    refused(&shows(&shop, &token, &ada, "n12a", |signed| signed.valid_before = now_s() + 5).await, before);
    let early = |signed: &mut Eip3009| signed.valid_after = now_s() + 60;
    refused(&shows(&shop, &token, &ada, "n12b", early).await, "invalid_exact_evm_payload_authorization_valid_after");
    refused(&shows(&shop, &token, &ada, "n13", |signed| signed.version = "1").await, "invalid_exact_evm_signature");

    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "n13b");
    for signature in [signed.sign(&shop.visitor(2).key, &token), Vec::new(), vec![7; 65]] {
        let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
        refused(&ada.call(&shop, "macaw", "n13b", &payment).await, "invalid_exact_evm_signature");
    }
    // 24
    let mut wrapped = signed.sign(&ada.key, &token);
    wrapped.extend([0x64, 0x92].repeat(16));
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&wrapped));
    refused(&ada.call(&shop, "macaw", "n24", &payment).await, "eip6492_factory_not_allowed");
    assert_eq!(taken(&shop, &token).await, 0);
    for say in ["n10a", "n10b", "n11", "n12a", "n12b", "n13", "n13b", "n24"] {
        assert_eq!(worked_on(say), 0, "{say}");
    }
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payer_with_too_little_is_refused_before_the_work() {
    let (shop, token) = shop_for_dollars().await;
    let poor = shop.visitor(5);
    refused(&shows(&shop, &token, &poor, "poor", |_| {}).await, "invalid_exact_evm_insufficient_balance");
    assert_eq!(worked_on("poor"), 0);
}

#[tokio::test]
async fn n14_a_nonce_that_was_spent_on_somebody_else_pays_nothing() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let spent = Eip3009 { to: Word20::repeat_byte(9), ..Eip3009::of(&ada.key, "n14") };
    let calldata = spent.calldata(&spent.sign(&ada.key, &token));
    mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": token.address, "data": calldata })).await;
    refused(&shows(&shop, &token, &ada, "n14", |_| {}).await, "invalid_exact_evm_nonce_already_used");
    assert_eq!(worked_on("n14"), 0);
    approve_permit2(&shop, &token, ada.address()).await;
    let elsewhere = Permit2 { to: Word20::repeat_byte(9), ..Permit2::of(&ada.key, 14) };
    let signature = elsewhere.payload(&ada.key, &token)["signature"].as_str().unwrap().to_owned();
    let calldata = elsewhere.calldata(&token, &signature);
    mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": crate::dollars::EXACT_PROXY, "data": calldata })).await;
    let offers = shop.offer("macaw").await;
    let permit = Permit2::of(&ada.key, 14).payload(&ada.key, &token);
    refused(
        &ada.call(&shop, "macaw", "n14", &payload_for(&offers, offer_by(&offers, "permit2"), permit)).await,
        "permit2_invalid_nonce",
    );
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n15_whoever_sends_what_the_payer_signed_has_paid_for_him() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "n15");
    let signature = signed.sign(&ada.key, &token);
    let calldata = signed.calldata(&signature);
    let theirs = mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": token.address, "data": calldata })).await;
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
    let answer = ada.call(&shop, "macaw", "n15", &payment).await;
    answer.said("n15");
    assert_eq!((settlement(&answer).transaction, taken(&shop, &token).await), (theirs.to_string(), PRICE));
    assert_eq!((worked_on("n15"), shop.desk.books.audit().await.unwrap().runs), (1, 1), "one run");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n15_also_through_a_contract_of_his_own() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    approve_permit2(&shop, &token, ada.address()).await;
    let offers = shop.offer("macaw").await;
    let permit = Permit2::of(&ada.key, 15);
    let payload = permit.payload(&ada.key, &token);
    let stranger = "0x6666666666666666666666666666666666666666";
    shop.node.rpc("anvil_setCode", json!([stranger, FORWARDER])).await;
    let calldata = permit.calldata(&token, payload["signature"].as_str().unwrap());
    let theirs = mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": stranger, "data": calldata })).await;
    let answer = ada.call(&shop, "macaw", "n15 wrapped", &payload_for(&offers, offer_by(&offers, "permit2"), payload)).await;
    answer.said("n15 wrapped");
    assert_eq!((settlement(&answer).transaction, taken(&shop, &token).await), (theirs.to_string(), PRICE));
    shop.assert_balanced().await;
}

/// Hands whatever it is called with on to x402's proxy.
const FORWARDER: &str = "0x365f5f375f5f365f5f73402085c248eea27d92e8b30b2c58ed07f9e200015af16026575f5ffd5b00";

#[tokio::test]
async fn n16_what_the_chain_shows_of_a_payment_buys_no_answer() {
    let (shop, token) = shop_for_dollars().await;
    let (ada, eve) = (shop.visitor(1), shop.visitor(2));
    let signed = Eip3009::of(&ada.key, "n16");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let offers = shop.offer("macaw").await;
    ada.call(&shop, "macaw", "n16", &payload_for(&offers, offer_by(&offers, "eip3009"), payload.clone())).await.said("n16");
    // All that is public, with an offer of her own.
    let hers = shop.offer("macaw").await;
    let copied = payload_for(&hers, offer_by(&hers, "eip3009"), payload);
    eve.call(&shop, "macaw", "n16", &copied).await.is(409, "payment_already_used");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n17_an_authorization_is_for_one_call() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let payment = pays(&offers, &ada.key, &token, "n17");
    ada.call(&shop, "macaw", "n17", &payment).await.said("n17");
    ada.call(&shop, "macaw", "n17 other", &payment).await.is(409, "payment_already_used");
    let kea = shop.offer("kea").await;
    ada.call(&shop, "kea", "n17", &pays(&kea, &ada.key, &token, "n17")).await.is(409, "payment_already_used");
    assert_eq!((worked_on("n17 other"), taken(&shop, &token).await), (0, PRICE));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n18_twenty_at_once_are_one_run_one_settlement_and_twenty_equal_answers() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "n18");
    let calls = (0..20).map(|_| ada.call(&shop, "macaw", "n18", &payment));
    for answer in futures::future::join_all(calls).await {
        answer.said("n18");
    }
    assert_eq!((worked_on("n18"), taken(&shop, &token).await), (1, PRICE));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n19_a_failed_run_leaves_the_authorization_unused_and_runs_again_for_it() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "n19");
    let failed = ada.call(&shop, "macaw", "fail-once:n19", &payment).await;
    failed.is(500, "agent_failed");
    assert!(failed.json()["error"].as_str().unwrap().ends_with("Your authorization was not used."), "{}", failed.json());
    let receipt = settlement(&failed);
    assert_eq!(
        (receipt.success, receipt.transaction.as_str(), receipt.error_reason.as_deref()),
        (false, "", Some("agent_failed"))
    );
    assert_eq!((taken(&shop, &token).await, ada.credit(&shop).await), (0, "0".into()));
    ada.call(&shop, "macaw", "fail-once:n19", &payment).await.said("fail-once:n19");
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n20_what_cannot_be_settled_after_the_work_is_withheld() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "n20");
    // While the agent works: before that, her balance is looked at.
    ada.glance(&shop, "macaw", "gate:n20", &payment).await.is(202, "running");
    eventually_some(async || (worked_on("gate:n20") == 1).then_some(())).await;
    spend_elsewhere(&shop, &token, ada.address(), PURSE).await;
    goes_on("gate:n20", 1);
    let answer = ada.call(&shop, "macaw", "gate:n20", &payment).await;
    answer.is(402, "settlement_failed");
    assert_eq!(worked_on("gate:n20"), 1, "it was worked for");
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("\"said\""), "and nobody reads it");
    let receipt = settlement(&answer);
    assert!(!receipt.success && receipt.transaction.is_empty() && receipt.error_reason.is_some(), "{receipt:?}");
    assert!(!answer.offers().accepts.is_empty(), "another payment can help");
    let run = answer.json()["run"].as_str().unwrap().to_owned();
    let view = shop.desk.view(&shop.desk.books.run(&run).await.unwrap().unwrap());
    assert!(view.output.is_none() && view.error.is_some());
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n23_permit2_pays_once_it_may_move_the_token() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let offer = offer_by(&offers, "permit2");
    let shows = async |say: &str, permit: Permit2| {
        ada.call(&shop, "macaw", say, &payload_for(&offers, offer, permit.payload(&ada.key, &token))).await
    };
    shows("n23", Permit2::of(&ada.key, 7)).await.is(412, "permit2_allowance_required");
    approve_permit2(&shop, &token, ada.address()).await;
    let foreign = Permit2 { spender: Word20::repeat_byte(9), ..Permit2::of(&ada.key, 7) };
    refused(&shows("n23", foreign).await, "invalid_permit2_spender");
    let elsewhere = Permit2 { to: Word20::repeat_byte(9), ..Permit2::of(&ada.key, 7) };
    refused(&shows("n23", elsewhere).await, "invalid_permit2_recipient_mismatch");
    assert_eq!(worked_on("n23"), 0);
    let permit = Permit2::of(&ada.key, 7);
    shows("n23", permit.clone()).await.said("n23");
    assert_eq!(taken(&shop, &token).await, PRICE);
    // 31: the same number in another spelling is the same permit.
    let mut payload = permit.payload(&ada.key, &token);
    payload["permit2Authorization"]["nonce"] = json!("07");
    ada.call(&shop, "macaw", "n23 other", &payload_for(&offers, offer, payload)).await.is(409, "payment_already_used");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n34_each_offer_is_paid_in_its_own_way() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("macaw").await;
    let signed = Eip3009::of(&ada.key, "n34");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    for method in ["transaction-proof", "permit2"] {
        let crossed = payload_for(&offers, offer_by(&offers, method), payload.clone());
        ada.call(&shop, "macaw", "n34", &crossed).await.is(400, "bad_payment_header");
    }
    let hash = json!({ "transaction": format!("0x{}", "ab".repeat(32)) });
    let crossed = payload_for(&offers, offer_by(&offers, "eip3009"), hash);
    ada.call(&shop, "macaw", "n34", &crossed).await.is(400, "bad_payment_header");
    assert_eq!(worked_on("n34"), 0);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n35_a_version_1_client_buys_by_the_networks_name() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let body = shop.price("macaw", "x").await.json();
    let network = body["accepts"][0]["network"].as_str().unwrap().to_owned();
    let signed = Eip3009::of(&ada.key, "n35");
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let answer = ada.call_with(&shop, "macaw", "n35", &[("x-payment", &v1(&network, &payload))]).await;
    answer.said("n35");
    let receipt: coinslot::x402::wire::Settlement =
        coinslot::x402::wire::decode(answer.header("x-payment-response").unwrap()).unwrap();
    assert_eq!((receipt.success, receipt.network), (true, network.clone()), "in version 1's words");
    let unknown = ada.call_with(&shop, "macaw", "n35", &[("x-payment", &v1("moon", &payload))]).await;
    refused(&unknown, "invalid_network");
    assert_eq!(taken(&shop, &token).await, PRICE);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_version_1_payment_finds_its_run_while_its_time_lasts_and_is_never_asked_for_twice() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let signed = Eip3009 { valid_before: now_s() + 10, ..Eip3009::of(&ada.key, "v1 again") };
    let payload = signed.payload(&signed.sign(&ada.key, &token));
    let show = async |payload: &serde_json::Value| {
        ada.call_with(&shop, "macaw", "v1 again", &[("x-payment", &v1("local", payload))]).await
    };
    show(&payload).await.said("v1 again");
    // Less time than the work would take is left, and still it is the same run.
    assert_eq!(show(&payload).await.header("x-idempotent-replay"), Some("true"));
    let unsigned = signed.payload(&signed.sign(&shop.visitor(2).key, &token));
    show(&unsigned).await.is(409, "payment_already_used");
    let over = eventually_some(async || Some(show(&payload).await).filter(|answer| answer.status != 200)).await;
    over.is(409, "payment_already_used");
    assert!(over.header("payment-required").is_none(), "no demand for another payment");
    assert_eq!((worked_on("v1 again"), taken(&shop, &token).await), (1, PRICE));
}

#[tokio::test]
async fn n08_an_expired_offer_is_renewed_before_anything_is_signed_for_nothing() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let mut offers = shop.offer("macaw").await;
    let price = shop.desk.money(&offers.accepts[0].asset().unwrap(), offers.accepts[0].amount).unwrap();
    let past = coinslot::x402::desk::now_ms() - 300_001;
    offers.accepts = vec![shop.sealed_token_offer("macaw", &price, &token, past..past + 300_000)];
    let answer = ada.call(&shop, "macaw", "n08", &pays(&offers, &ada.key, &token, "n08")).await;
    answer.is(402, "offer_expired");
    assert_eq!((answer.offers().accepts.len(), worked_on("n08"), taken(&shop, &token).await), (3, 0, 0));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn an_agent_that_settles_first_works_for_money_that_is_here() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("kea").await, &ada.key, &token, "kea");
    ada.call(&shop, "kea", "kea", &payment).await.said("kea");
    assert_eq!(taken(&shop, &token).await, PRICE);

    let mut ada = shop.visitor(1);
    ada.sign_in(&shop).await;
    let payment = pays(&shop.offer("kea").await, &ada.key, &token, "kea fails");
    let failed = ada.call(&shop, "kea", "fail-once:kea", &payment).await;
    failed.is(500, "agent_failed");
    assert_eq!((taken(&shop, &token).await, ada.credit(&shop).await), (2 * PRICE, PRICE.to_string()), "what arrived is credit");
    ada.call(&shop, "kea", "fail-once:kea", &payment).await.said("fail-once:kea");
    assert_eq!((taken(&shop, &token).await, ada.credit(&shop).await), (2 * PRICE, "0".into()));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn unsettled_signatures_of_one_payer_are_few() {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open(node, data, &token, Staff::NoWorker).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    for seed in ["few 1", "few 2", "few 3"] {
        ada.glance(&shop, "macaw", seed, &pays(&offers, &ada.key, &token, seed)).await.is(202, "running");
    }
    ada.glance(&shop, "macaw", "few 4", &pays(&offers, &ada.key, &token, "few 4")).await.is(429, "rate_limited");
    let eve = shop.visitor(2);
    eve.glance(&shop, "macaw", "few 5", &pays(&offers, &eve.key, &token, "few 5")).await.is(202, "running");
}

#[tokio::test]
async fn a_coin_pays_an_agent_that_is_sold_for_dollars_too() {
    let (shop, _) = shop_for_dollars().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.pays(&shop, COINS).await;
    let mut offers = shop.offer("macaw").await;
    offers.accepts.retain(|offer| offer.is_native());
    ada.call(&shop, "macaw", "coin", &proof(&offers, hash)).await.said("coin");
    shop.assert_balanced().await;
}

/// A signature that nobody may use again, whatever becomes of it, is looked at once more when its time is over.
#[tokio::test]
async fn what_is_sent_after_a_run_has_failed_is_its_payers_credit() {
    let (shop, token) = shop_for_dollars().await;
    let mut ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let signed = Eip3009 { valid_before: now_s() + 12, nonce: keccak256("late"), ..Eip3009::of(&ada.key, "late") };
    let signature = signed.sign(&ada.key, &token);
    let payment = payload_for(&offers, offer_by(&offers, "eip3009"), signed.payload(&signature));
    ada.call(&shop, "macaw", "fail:late", &payment).await.is(500, "agent_failed");
    let calldata = signed.calldata(&signature);
    mined(&shop.node, json!({ "from": shop.visitor(3).address(), "to": token.address, "data": calldata })).await;
    ada.sign_in(&shop).await;
    let credit = async || {
        let credit = ada.credit(&shop).await;
        (credit != "0").then_some(credit)
    };
    assert_eq!(eventually_some(credit).await, PRICE.to_string());
    shop.assert_balanced().await;
}

/// Stops the blocks, so that what is sent waits, and several of it come into one.
async fn stop_mining(shop: &Shop) {
    shop.node.rpc("evm_setIntervalMining", json!([0])).await;
}

#[tokio::test]
async fn n20_a_settlement_that_really_reverts_gives_no_answer() {
    let (shop, token) = shop_for_dollars().await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "n20 reverts");
    stop_mining(&shop).await;
    ada.glance(&shop, "macaw", "n20 reverts", &payment).await;
    let pool = async || shop.node.rpc("txpool_status", json!([])).await["pending"].clone();
    crate::harness::eventually_some(async || (pool().await == "0x1").then_some(())).await;
    // In the same block, and before it: she has nothing left.
    shop.node.send(spending(&token, ada.address(), PURSE)).await;
    shop.node.rpc("evm_setIntervalMining", json!([1])).await;
    let answer = ada.call(&shop, "macaw", "n20 reverts", &payment).await;
    answer.is(402, "settlement_failed");
    assert_eq!((worked_on("n20 reverts"), taken(&shop, &token).await), (1, 0));
    let receipt = settlement(&answer);
    assert!(!receipt.success && !String::from_utf8_lossy(&answer.bytes).contains("said"), "{receipt:?}");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payment_under_way_is_never_asked_for_again_whatever_became_of_its_offer() {
    let (node, token) = chain_with_dollars().await;
    let shop = open(node, Arc::new(tempfile::tempdir().unwrap()), &token, Staff::NoWorker).await;
    let ada = shop.visitor(1);
    let offers = shop.offer("macaw").await;
    let payment = pays(&offers, &ada.key, &token, "sealed anew");
    ada.glance(&shop, "macaw", "sealed anew", &payment).await.is(202, "running");
    // As after a new secret: nobody can open the seal any more.
    let mut offer = offer_by(&offers, "eip3009").clone();
    offer.extra.offer = Some("v1.AAAA.AAAA".into());
    let signed = Eip3009::of(&ada.key, "sealed anew");
    let again = payload_for(&offers, &offer, signed.payload(&signed.sign(&ada.key, &token)));
    let told = ada.glance(&shop, "macaw", "sealed anew", &again).await;
    told.is(202, "payment_pending");
    assert!(told.header("payment-required").is_none() && told.header("content-location").is_none(), "nor is its run told");
    let unknown = Eip3009::of(&ada.key, "never shown");
    let other = payload_for(&offers, &offer, unknown.payload(&unknown.sign(&ada.key, &token)));
    refused(&ada.glance(&shop, "macaw", "sealed anew", &other).await, "invalid_payment_requirements");
}
