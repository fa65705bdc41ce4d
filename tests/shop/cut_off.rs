//! A settlement that is cut off in the middle is found again, and ends as one run and one charge.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    agents::worked_on,
    anvil::proxy::{Fault, Proxy},
    dollars::{OPERATOR, PRICE, chain_with_dollars, open, open_at, pays, taken},
    harness::{Node, PRICE as COINS, Shop, Staff, from_credit, proof, settlement},
};

const SEND: &str = "eth_sendRawTransaction";

/// How many transactions the operator has on the chain.
async fn sent(node: &Node) -> String {
    node.rpc("eth_getTransactionCount", json!([node.key(OPERATOR).address(), "latest"])).await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn n21_an_rpc_that_drops_after_sending_is_not_a_second_payment() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::All, vec![proxy.url.clone()]).await;
    let ada = shop.visitor(1);
    let payment = pays(&shop.offer("macaw").await, &ada.key, &token, "n21");
    proxy.fault(Fault::CutOff { at: SEND, passes: true });
    let waited = [("payment-signature", payment.as_str()), ("prefer", "wait=2")];
    let pending = ada.call_with(&shop, "macaw", "n21", &waited).await;
    pending.is(202, "payment_pending");
    assert!(pending.header("payment-required").is_none() && pending.header("payment-response").is_none());
    assert!(pending.json()["transaction"].is_string(), "the payer sees which transaction it is");
    proxy.heal();
    ada.call(&shop, "macaw", "n21", &payment).await.said("n21");
    assert_eq!((worked_on("n21"), taken(&shop, &token).await, sent(&shop.node).await), (1, PRICE, "0x1".into()));
    shop.assert_balanced().await;
}

/// Everything of a process ends in this moment, as by SIGKILL; the chain and the files live on.
async fn killed_while_sending(
    node: &Arc<Node>,
    data: &Arc<TempDir>,
    token: &coinslot::network::Token,
    say: &'static str,
    passes: bool,
) -> String {
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let proxy = Proxy::before(node.url()).await;
    let (node, data, token, url) = (node.clone(), data.clone(), token.clone(), proxy.url.clone());
    let (offered, payment) = tokio::sync::oneshot::channel();
    let (ready, go) = tokio::sync::oneshot::channel();
    process.spawn(async move {
        let shop = open_at(node, data, &token, Staff::All, vec![url]).await;
        let ada = shop.visitor(1);
        let payment = pays(&shop.offer("macaw").await, &ada.key, &token, say);
        offered.send(payment.clone()).unwrap();
        go.await.unwrap();
        ada.call(&shop, "macaw", say, &payment).await
    });
    let payment = payment.await.unwrap();
    proxy.fault(Fault::CutOff { at: SEND, passes });
    ready.send(()).unwrap();
    proxy.until("the settlement is sent", |asked| asked.calls(SEND) > 0).await;
    process.shutdown_background();
    payment
}

async fn ends_once(say: &'static str, passes: bool) {
    let (node, token) = chain_with_dollars().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let payment = killed_while_sending(&node, &data, &token, say, passes).await;
    let shop: Shop = open(node, data, &token, Staff::All).await;
    let ada = shop.visitor(1);
    let answer = ada.call(&shop, "macaw", say, &payment).await;
    answer.said(say);
    assert!(settlement(&answer).success);
    assert_eq!((worked_on(say), taken(&shop, &token).await), (1, PRICE), "its answer was stored, so it is not worked for again");
    assert_eq!(sent(&shop.node).await, "0x1", "no second transaction");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn n22_killed_between_writing_a_settlement_down_and_sending_it() {
    ends_once("n22 before", false).await;
}

#[tokio::test]
async fn n22_killed_between_sending_a_settlement_and_its_receipt() {
    ends_once("n22 after", true).await;
}

#[tokio::test]
async fn settlements_that_wait_for_the_chain_hold_up_nobodys_work() {
    let (node, token) = chain_with_dollars().await;
    let proxy = Proxy::before(node.url()).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let shop = open_at(node, data, &token, Staff::All, vec![proxy.url.clone()]).await;
    let ben = shop.signed_in(3).await;
    let native = async || {
        let mut offers = shop.offer("macaw").await;
        offers.accepts.retain(|offer| offer.is_native());
        offers
    };
    let hash = ben.pays(&shop, 2 * COINS).await;
    ben.call(&shop, "macaw", "ben pays", &proof(&native().await, hash)).await.said("ben pays");
    let credit = from_credit(&native().await, "3f0b7a52-8a0b-4a57-9d0c-2f6c4f9c8e01");
    let offers = shop.offer("macaw").await;
    proxy.fault(Fault::Refuse(SEND));
    // More of them than the shop has workers.
    for (payer, say) in [(1, "stuck 1"), (1, "stuck 2"), (1, "stuck 3"), (2, "stuck 4"), (2, "stuck 5"), (2, "stuck 6")] {
        let payer = shop.visitor(payer);
        // Running or answered already: in either case nothing is settled.
        let told = payer.glance(&shop, "macaw", say, &pays(&offers, &payer.key, &token, say)).await;
        assert_eq!(told.status, 202, "{}", told.json());
    }
    crate::paying::eventually(async || worked_on("stuck 6") == 1).await;
    let waited = [("payment-signature", credit.as_str()), ("prefer", "wait=5")];
    ben.call_with(&shop, "macaw", "from credit meanwhile", &waited).await.said("from credit meanwhile");
    assert_eq!(taken(&shop, &token).await, 0, "the settlements are still waiting");
}
