//! A transaction's hash is public: only its payer is answered.

use crate::{
    agents::worked_on,
    harness::{PRICE, Shop, proof},
};

#[tokio::test]
async fn a_hash_without_a_session_is_not_shown_to_be_anybodys() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let hash = ada.paid(&shop, PRICE).await;
    let payment = proof(&shop.offer("parrot").await, hash);
    shop.visitor(1).call(&shop, "parrot", "no session", &payment).await.is(401, "payer_not_proven");
    let bare = shop.visitor(1).call_with(&shop, "parrot", "no session", &[("x-payment", &hash.to_string())]).await;
    bare.is(401, "payer_not_proven");
    assert_eq!(shop.desk.books.audit().await.unwrap().runs, 0, "a stranger wrote a row");
}

#[tokio::test]
async fn o4_somebody_elses_transaction_is_refused_and_stays_its_payers() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let hash = ada.paid(&shop, PRICE).await;
    let stolen = eve.call(&shop, "parrot", "o4", &proof(&shop.offer("parrot").await, hash)).await;
    stolen.is(403, "payer_mismatch");
    let bare = eve.call_with(&shop, "parrot", "o4 bare", &[("x-payment", &hash.to_string())]).await;
    bare.is(409, "payment_already_used");
    let fresh = ada.paid(&shop, PRICE).await;
    eve.call_with(&shop, "parrot", "o4 bare", &[("x-payment", &fresh.to_string())]).await.is(403, "payer_mismatch");
    assert_eq!((worked_on("o4") + worked_on("o4 bare"), eve.credit(&shop).await), (0, "0".into()));
    ada.call(&shop, "parrot", "o4", &proof(&shop.offer("parrot").await, hash)).await.said("o4");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_thief_who_shows_a_fresh_hash_first_blocks_nobody() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let hash = ada.pays(&shop, PRICE).await;
    let theirs = proof(&shop.offer("parrot").await, hash);
    eve.glance(&shop, "parrot", "fresh", &theirs).await.is(202, "payment_pending");
    let hers = proof(&shop.offer("parrot").await, hash);
    ada.glance(&shop, "parrot", "fresh", &hers).await.is(202, "payment_pending");
    shop.node.finalize().await;
    ada.call(&shop, "parrot", "fresh", &hers).await.said("fresh");
    eve.call(&shop, "parrot", "fresh", &theirs).await.is(403, "payer_mismatch");
    assert_eq!(worked_on("fresh"), 1);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn a_payment_rebuilt_from_public_data_gets_no_stored_answer() {
    let shop = Shop::open().await;
    let (ada, eve) = (shop.signed_in(1).await, shop.signed_in(2).await);
    let hash = ada.paid(&shop, PRICE).await;
    let answer = ada.call(&shop, "parrot", "secret", &proof(&shop.offer("parrot").await, hash)).await;
    answer.said("secret");
    // Hash, input and a fresh offer are all that the public can know.
    let rebuilt = proof(&shop.offer("parrot").await, hash);
    shop.visitor(1).call(&shop, "parrot", "secret", &rebuilt).await.is(401, "payer_not_proven");
    eve.call(&shop, "parrot", "secret", &rebuilt).await.is(403, "payer_mismatch");
    let id = answer.header("content-location").unwrap().split('#').next().unwrap().to_owned();
    eve.get(&shop, &id).await.is(404, "no_such_run");
    for guess in ["?key=", "#key="] {
        eve.get(&shop, &format!("{id}{guess}{}", "0".repeat(32))).await.is(404, "no_such_run");
    }
}

#[tokio::test]
async fn two_accounts_in_one_browser_do_not_see_each_others_runs() {
    let shop = Shop::open().await;
    let mut browser = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, browser.paid(&shop, PRICE).await);
    let answer = browser.call(&shop, "parrot", "first account", &payment).await;
    answer.said("first account");
    let first = browser.cookie.clone();
    browser.key = shop.visitor(2).key;
    browser.sign_in(&shop).await;
    assert_ne!(browser.cookie, first);
    browser.call(&shop, "parrot", "first account", &payment).await.is(403, "payer_mismatch");
    assert_eq!(
        browser.get(&shop, "/api/page/history").await.json()["runs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|run| run["state"] == "done")
            .count(),
        0
    );
}
