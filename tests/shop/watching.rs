//! The hash is only a hint: a payment whose hash never reached us is found and credited, and the run is offered.

use axum::body::Body;
use serde_json::json;

use crate::{
    agents::worked_on,
    harness::{NETWORK, PRICE, Shop, Staff, Visitor, body, from_credit, post, proof},
    paying::eventually,
};

pub async fn watch(shop: &Shop, visitor: &Visitor, agent: &str, say: &str) -> crate::harness::Answer {
    let text = json!({ "network": NETWORK, "agent": agent, "input": body(say) }).to_string();
    let mut request = post("/api/watch", "");
    if let Some(cookie) = &visitor.cookie {
        request = request.header("cookie", cookie);
    }
    shop.ask(request.body(Body::from(text)).unwrap()).await
}

#[tokio::test]
async fn a_payment_whose_hash_never_reached_us_is_found_and_its_run_is_offered() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    // An agent of the real list: the watch names what is on sale.
    assert_eq!(watch(&shop, &ada, "contract-xray", "lost").await.status, 200);
    let hash = ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    let arrived = ada.session(&shop).await["arrived"].clone();
    assert_eq!((&arrived[0]["transaction"], &arrived[0]["agent"]), (&json!(hash), &json!("contract-xray")));
    assert_eq!(arrived[0]["input"], json!(body("lost")));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn what_is_shown_with_its_hash_after_all_is_no_arrival() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    watch(&shop, &ada, "contract-xray", "both").await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "both", &payment).await.said("both");
    assert_eq!(ada.session(&shop).await["arrived"], json!([]));
    assert_eq!((ada.credit(&shop).await, worked_on("both")), ("0".into(), 1));
}

#[tokio::test]
async fn without_a_watch_nothing_is_read_and_a_watch_needs_a_session() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    watch(&shop, &shop.visitor(1), "contract-xray", "x").await.is(401, "not_signed_in");
    watch(&shop, &ada, "no-such-bird", "x").await.is(404, "no_such_agent");
    assert_eq!(shop.desk.books.read_to(NETWORK).await.unwrap(), None);
}

#[tokio::test]
async fn a_watch_survives_a_restart() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    assert_eq!(watch(&shop, &ada, "contract-xray", "restart").await.status, 200);
    let shop = shop.reopen(Staff::CounterOnly).await;
    ada.paid(&shop, PRICE).await;
    shop.node.mine(5).await;
    let shop = shop.reopen(Staff::All).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_watch_does_not_open_while_the_network_cannot_be_read() {
    let node = std::sync::Arc::new(crate::harness::Node::start());
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let shop = Shop::at(node, data, Staff::All, vec!["http://127.0.0.1:1".parse().unwrap()]).await;
    let ada = shop.signed_in(1).await;
    watch(&shop, &ada, "contract-xray", "x").await.is(503, "verifier_unavailable");
}

#[tokio::test]
async fn the_credit_of_an_arrival_buys_a_run_with_no_wallet_window() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    watch(&shop, &ada, "contract-xray", "x").await;
    ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    let credit = from_credit(&shop.offer("parrot").await, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f03");
    ada.call(&shop, "parrot", "arrived", &credit).await.said("arrived");
}

#[tokio::test]
async fn a_watch_that_ended_while_no_block_was_read_still_finds_its_payment() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    assert_eq!(watch(&shop, &ada, "contract-xray", "outage").await.status, 200);
    let shop = shop.reopen(Staff::CounterOnly).await;
    ada.paid(&shop, PRICE).await;
    // Its time is over before anybody could read the block.
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&crate::harness::sqlite(shop.data.path())).await.unwrap();
    let now = coinslot::x402::desk::now_ms();
    let ended = sqlx::query("update watches set until_ms = $1").bind(now + 1).execute(&pool).await.unwrap();
    assert_eq!(ended.rows_affected(), 1);
    eventually(async || coinslot::x402::desk::now_ms() > now + 1).await;
    let shop = shop.reopen(Staff::All).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_hash_that_nobody_asks_about_any_more_is_looked_up_all_the_same() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let shop = shop.reopen(Staff::CounterOnly).await;
    let payment = proof(&offers, ada.pays(&shop, PRICE).await);
    ada.glance(&shop, "parrot", "closed tab", &payment).await.is(202, "payment_pending");
    shop.node.finalize().await;
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&crate::harness::sqlite(shop.data.path())).await.unwrap();
    let long_ago = coinslot::x402::desk::now_ms() - coinslot::ledger::runs::FOLLOWED_MS - 1;
    sqlx::query("update runs set presented_ms = $1").bind(long_ago).execute(&pool).await.unwrap();
    let shop = shop.reopen(Staff::All).await;
    eventually(async || worked_on("closed tab") == 1).await;
    shop.assert_balanced().await;
}
