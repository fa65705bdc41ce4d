//! What is left over, comes late or comes twice is credit; only its own payload spends it (B18).

use serde_json::json;

use crate::{
    agents::worked_on,
    harness::{PRICE, Shop, from_credit, proof},
};

const ID: &str = "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f00";

#[tokio::test]
async fn o2_overpaying_leaves_the_rest_as_credit_to_the_wei() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE + 7).await;
    ada.call(&shop, "parrot", "over", &proof(&shop.offer("parrot").await, hash)).await.said("over");
    assert_eq!(ada.credit(&shop).await, "7");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn o2_one_wei_less_than_the_price_runs_nothing() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE - 1).await;
    let answer = ada.call(&shop, "parrot", "under", &proof(&shop.offer("parrot").await, hash)).await;
    answer.is(402, "amount_too_low");
    assert_eq!(answer.json()["credit"]["amount"], json!((PRICE - 1).to_string()), "what arrived is said to be there");
    assert_eq!(answer.offers().accepts[0].amount.to_string(), "1", "only the rest is asked for");
    assert_eq!(worked_on("under"), 0);
}

#[tokio::test]
async fn underpaid_twice_until_it_is_enough() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let first = ada.paid(&shop, PRICE / 2).await;
    let short = ada.call(&shop, "parrot", "halves", &proof(&shop.offer("parrot").await, first)).await;
    short.is(402, "amount_too_low");
    let second = ada.paid(&shop, PRICE / 2).await;
    ada.call(&shop, "parrot", "halves", &proof(&short.offers(), second)).await.said("halves");
    assert_eq!((ada.credit(&shop).await, worked_on("halves")), ("0".into(), 1));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payment_that_was_too_low_counts_when_it_is_shown_again_with_enough_behind_it() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE - 1).await);
    ada.call(&shop, "parrot", "later", &payment).await.is(402, "amount_too_low");
    // Some more comes in by another call's overpayment.
    let more = ada.paid(&shop, PRICE + 1).await;
    ada.call(&shop, "parrot", "other", &proof(&shop.offer("parrot").await, more)).await.said("other");
    ada.call(&shop, "parrot", "later", &payment).await.said("later");
    assert_eq!(ada.credit(&shop).await, "0");
}

#[tokio::test]
async fn b18_credit_pays_only_by_its_own_payload_and_once() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, 3 * PRICE).await;
    ada.call(&shop, "parrot", "one", &proof(&shop.offer("parrot").await, hash)).await.said("one");

    ada.call_with(&shop, "parrot", "two", &[]).await.is(402, "payment_required");
    assert_eq!(ada.credit(&shop).await, (2 * PRICE).to_string(), "a call without a payload spent credit");

    let offers = shop.offer("parrot").await;
    let two = ada.call(&shop, "parrot", "two", &from_credit(&offers, ID)).await;
    two.said("two");
    let again = ada.call(&shop, "parrot", "two", &from_credit(&offers, &ID.to_ascii_uppercase())).await;
    assert_eq!((again.header("x-idempotent-replay"), &again.bytes), (Some("true"), &two.bytes));
    ada.call(&shop, "parrot", "three", &from_credit(&offers, ID)).await.is(409, "payment_already_used");
    assert_eq!(ada.credit(&shop).await, PRICE.to_string());
    shop.assert_balanced().await;
}

#[tokio::test]
async fn too_little_credit_is_said_with_the_balance() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let answer = ada.call(&shop, "parrot", "poor", &from_credit(&shop.offer("parrot").await, ID)).await;
    answer.is(402, "amount_too_low");
    assert_eq!(answer.json()["credit"]["amount"], json!("0"));
    assert_eq!(worked_on("poor"), 0);
}

#[tokio::test]
async fn credit_needs_its_owner_and_a_live_offer() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    ada.paid(&shop, PRICE).await;
    let offers = shop.offer("parrot").await;
    shop.visitor(1).call(&shop, "parrot", "mine", &from_credit(&offers, ID)).await.is(401, "not_signed_in");
    eve.call(&shop, "parrot", "mine", &from_credit(&offers, ID)).await.is(402, "amount_too_low");
    ada.call(&shop, "parrot", "mine", &from_credit(&offers, "not-a-uuid")).await.is(400, "bad_payment_header");
    let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
    let past = coinslot::x402::desk::now_ms() - 300_001;
    let mut expired = offers.clone();
    expired.accepts = vec![shop.sealed_offer(&price, past..past + 300_000)];
    ada.call(&shop, "parrot", "mine", &from_credit(&expired, ID)).await.is(402, "offer_expired");
    assert_eq!(worked_on("mine"), 0);
}

#[tokio::test]
async fn paying_twice_for_one_call_costs_once() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    // As the page does before the wallet opens: what the wallet sends from now on is told to us, hash or no hash.
    assert_eq!(crate::watching::watch(&shop, &ada, "contract-xray", "twice").await.status, 200);
    let (one, _two) = (ada.pays(&shop, PRICE).await, ada.pays(&shop, PRICE).await);
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "twice", &proof(&offers, one)).await.said("twice");
    // The second is in the same block: it was booked, and stands.
    crate::paying::eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn b11_a_payment_mined_after_the_offer_ended_costs_todays_price() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    // An offer of a tenth of the price that has ended: as if the price had been raised since.
    let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
    let cheap = price.with(coinslot::money::Amount::from_atomic(PRICE / 10));
    let ended = coinslot::x402::desk::now_ms() - 10_000;
    let mut offers = shop.offer("parrot").await;
    let sealed = |issued: i64, ttl: i64| shop.sealed_offer(&cheap, issued..issued + ttl);
    offers.accepts = vec![sealed(ended - 300_000, 300_000)];
    let late = ada.paid(&shop, PRICE / 10).await;
    ada.call(&shop, "parrot", "late", &proof(&offers, late)).await.is(402, "amount_too_low");
    // Mined before the expiry: the sealed price holds, whatever the price is today.
    offers.accepts = vec![sealed(coinslot::x402::desk::now_ms(), 300_000)];
    let early = ada.paid(&shop, PRICE / 10).await;
    ada.call(&shop, "parrot", "early", &proof(&offers, early)).await.said("early");
}

#[tokio::test]
async fn m6_a_call_from_credit_that_was_dropped_before_it_was_judged_keeps_no_old_price() {
    use coinslot::{ledger::NewRun, run::RunState, x402::desk::now_ms};
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    ada.call(&shop, "parrot", "m6 fills", &proof(&shop.offer("parrot").await, ada.paid(&shop, 3 * PRICE).await))
        .await
        .said("m6 fills");
    let price = shop.desk.prices(&crate::agents::PARROT).remove(0);
    let cheap = price.with(coinslot::money::Amount::from_atomic(PRICE / 10));
    // As a request leaves it that goes away after its row is written: nobody but the follower looks at it.
    let dropped = async |id: &str, say: &str, ends_ms: i64| {
        let offer = shop.sealed_offer(&cheap, ends_ms - 300_000..ends_ms);
        let terms = shop.desk.seal.open(offer.extra.offer.as_deref().unwrap()).unwrap();
        let new = crate::harness::row(ada.address(), say, &format!("credit/{id}"));
        let new = NewRun { terms: Some(terms.for_the_books()), ..new };
        shop.desk.books.present(&new, now_ms()).await.unwrap();
        shop.desk.waiting.notify_waiters();
        crate::harness::eventually_some(async || {
            let run = shop.desk.books.run(&new.id).await.unwrap().unwrap();
            run.state.ended().then_some(run)
        })
        .await
    };
    let expired = dropped("5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f36", "m6 expired", now_ms() - 1_000).await;
    assert_eq!(expired.state, RunState::Void);
    assert_eq!(expired.error.unwrap().code, coinslot::error::Code::OfferExpired);
    assert_eq!((worked_on("m6 expired"), ada.credit(&shop).await), (0, (2 * PRICE).to_string()));
    // Whose offer holds gets its price from the follower too.
    let holds = dropped("5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f37", "m6 holds", now_ms() + 300_000).await;
    assert_eq!(holds.state, RunState::Done);
    assert_eq!((worked_on("m6 holds"), ada.credit(&shop).await), (1, (2 * PRICE - PRICE / 10).to_string()));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn the_statement_says_how_the_credit_came_about() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, 2 * PRICE).await;
    ada.call(&shop, "parrot", "statement", &proof(&shop.offer("parrot").await, hash)).await.said("statement");
    let statement = ada.get(&shop, "/api/page/statement").await.json();
    let lines: Vec<_> = statement["lines"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(lines, ["capture", "hold", "deposit"]);
    assert_eq!(statement["credit"][0]["amount"], json!(PRICE.to_string()));
    assert_eq!(statement["lines"][2]["transaction"], json!(hash));
}
