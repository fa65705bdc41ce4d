//! Nobody is charged for a failure (D2), and a failure is not free for ever.

use serde_json::json;

use crate::{
    agents::worked_on,
    harness::{PRICE, Shop, from_credit, proof},
};

#[tokio::test]
async fn d2_an_agent_that_fails_costs_nothing_and_is_tried_again_with_no_new_payment() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let failed = ada.call(&shop, "parrot", "fail-once:d2", &payment).await;
    failed.is(500, "agent_failed");
    assert_eq!(failed.json()["retry"], json!("same_payment"));
    assert_eq!(ada.credit(&shop).await, PRICE.to_string());
    ada.call(&shop, "parrot", "fail-once:d2", &payment).await.said("fail-once:d2");
    assert_eq!((ada.credit(&shop).await, worked_on("fail-once:d2")), ("0".into(), 2));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn an_agent_that_takes_too_long_is_stopped_and_not_charged() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let failed = ada.call(&shop, "parrot", "hang:slow", &payment).await;
    failed.is(500, "agent_failed");
    assert!(failed.json()["error"].as_str().unwrap().contains("longer than 2 s"));
    assert_eq!(ada.credit(&shop).await, PRICE.to_string());
}

#[tokio::test]
async fn an_agent_that_broke_once_is_tried_again_by_itself() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "break-once:x", &payment).await.said("break-once:x");
    assert_eq!(worked_on("break-once:x"), 2);
}

#[tokio::test]
async fn an_input_that_always_breaks_the_agent_is_begun_three_times_by_one_payment() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "break:always", &payment).await.is(500, "agent_failed");
    assert_eq!((worked_on("break:always"), ada.credit(&shop).await), (3, PRICE.to_string()));
    // Showing the payment again does not begin it again. Nobody else is kept from it: the agent has not said that it is the input (M5).
    shop.price("parrot", "break:always").await.is(402, "payment_required");
    ada.call(&shop, "parrot", "break:always", &payment).await.is(500, "agent_failed");
    assert_eq!(worked_on("break:always"), 3);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_failure_that_the_same_input_will_always_have_is_told_before_the_next_payment() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    shop.price("parrot", "never:rude").await.is(402, "payment_required");
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "never:rude", &payment).await.is(500, "agent_failed");
    let told = shop.price("parrot", "never:rude").await;
    told.is(400, "invalid_input");
    assert!(told.json()["fields"][0]["error"].as_str().unwrap().contains("does not say such words"));
    shop.price("parrot", "never:polite").await.is(402, "payment_required");
}

#[tokio::test]
async fn failures_are_free_but_not_unlimited() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    for _ in 0..coinslot::ledger::runs::FAILURES_MAX {
        ada.call(&shop, "parrot", "fail:often", &payment).await.is(500, "agent_failed");
    }
    let paused = ada.call(&shop, "parrot", "fail:often", &payment).await;
    paused.is(429, "failing_too_often");
    assert!(paused.header("retry-after").is_some());
    let other = from_credit(&shop.offer("parrot").await, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f02");
    ada.call(&shop, "parrot", "fine", &other).await.is(429, "failing_too_often");
    // Another wallet is not held off for it.
    let eve = shop.signed_in(2).await;
    let theirs = proof(&shop.offer("parrot").await, eve.paid(&shop, PRICE).await);
    eve.call(&shop, "parrot", "not hers", &theirs).await.said("not hers");
    assert_eq!(ada.credit(&shop).await, PRICE.to_string(), "the credit stays");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn waiting_for_a_run_that_failed_does_not_begin_it_again() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "fail:waiting", &payment).await.is(500, "agent_failed");
    let polled = [("payment-signature", payment.as_str()), ("prefer", "wait=1, only-wait")];
    ada.call_with(&shop, "parrot", "fail:waiting", &polled).await.is(500, "agent_failed");
    assert_eq!(worked_on("fail:waiting"), 1, "a poll began the run again");
    ada.call(&shop, "parrot", "fail:waiting", &payment).await.is(500, "agent_failed");
    assert_eq!(worked_on("fail:waiting"), 2, "a click did not");
}
