//! Payments that are sped up, replaced or cancelled in their wallet, on a real chain (ux.md, C4).

use coinslot::{
    evm::{Address, TxHash},
    ledger::watches::{Opened, WATCH_MS, Watch},
    money::Amount,
    x402::desk::now_ms,
};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    harness::{NETWORK, PRICE, SHOP, Shop, Visitor, body, eventually_some, post, proof, settlement},
    paying::eventually,
};

const GWEI: u128 = 1_000_000_000;

/// Sends a transfer with this number; `tip_gwei`: what makes it take the place of another one with the same number.
async fn sends(shop: &Shop, from: &Visitor, nonce: u64, to: Address, wei: u128, tip_gwei: u128) -> TxHash {
    let fee = |gwei: u128| format!("{:#x}", gwei * GWEI);
    let transaction = json!({
        "from": from.address(), "to": to, "value": format!("{wei:#x}"), "gas": "0x5208", "nonce": format!("{nonce:#x}"),
        "maxFeePerGas": fee(50 + tip_gwei), "maxPriorityFeePerGas": fee(tip_gwei),
    });
    shop.node.send(transaction).await
}

async fn next_nonce(shop: &Shop, of: &Visitor) -> u64 {
    let count = shop.node.rpc("eth_getTransactionCount", json!([of.address(), "latest"])).await;
    u64::from_str_radix(count.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// The shop has seen the transaction wait, and knows its number.
async fn is_known(shop: &Shop, of: &Visitor, hash: TxHash) {
    eventually(async || shop.desk.books.nonce_is_known(NETWORK, &format!("tx/{hash}"), of.address()).await.unwrap()).await;
}

/// As the page does before its wallet opens; the test's agents are not on the real list.
async fn watched(shop: &Shop, wallet: &Visitor, agent: &str, say: &str) {
    let chain = shop.desk.chain(NETWORK).unwrap();
    let watch = Watch {
        network: NETWORK.into(),
        wallet: wallet.address(),
        from_block: chain.final_head().await.unwrap(),
        until_ms: now_ms() + WATCH_MS,
        agent: agent.into(),
        input: body(say),
        amount: Some(Amount::from_atomic(PRICE)),
        next_nonce: None,
    };
    assert!(matches!(shop.desk.books.open_watch(&watch, now_ms()).await.unwrap(), Opened::Watching(_)));
    shop.desk.waiting.notify_waiters();
}

/// Blocks come until the call has ended.
async fn answer(shop: &Shop, ada: &Visitor, agent: &str, say: &str, payment: &str) -> crate::harness::Answer {
    eventually_some(async || {
        shop.node.mine(1).await;
        let answer = ada.glance(shop, agent, say, payment).await;
        (answer.status != 202).then_some(answer)
    })
    .await
}

#[tokio::test]
async fn p7_a_payment_that_was_sped_up_pays_the_same_call() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let nonce = next_nonce(&shop, &ada).await;
    let slow = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    let payment = proof(&offers, slow);
    ada.glance(&shop, "parrot", "sped up", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, slow).await;
    let fast = sends(&shop, &ada, nonce, SHOP, PRICE, 10).await;
    assert_ne!(slow, fast);
    let mined = tokio::time::Instant::now();
    let answered = answer(&shop, &ada, "parrot", "sped up", &payment).await;
    answered.said("sped up");
    assert_eq!(settlement(&answered).transaction, fast.to_string(), "the receipt is of what was paid");
    assert!(mined.elapsed() < std::time::Duration::from_secs(8), "followed within seconds: {:?}", mined.elapsed());
    assert_eq!((ada.credit(&shop).await, worked_on("sped up")), ("0".into(), 1));
    assert_eq!(ada.session(&shop).await["arrived"], json!([]));
    // The second hash is the same payment of the same call.
    ada.call(&shop, "parrot", "sped up", &proof(&offers, fast)).await.said("sped up");
    ada.call(&shop, "parrot", "another", &proof(&offers, slow)).await.is(409, "payment_already_used");
    assert_eq!((worked_on("sped up"), worked_on("another")), (1, 0));
    shop.assert_balanced().await;
}

/// It was dropped, and sent again under another hash, before our node was ever asked about it.
#[tokio::test]
async fn p7_a_hash_that_no_node_ever_saw_is_joined_with_what_its_watch_found() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let nonce = next_nonce(&shop, &ada).await;
    watched(&shop, &ada, "parrot", "never seen").await;
    let slow = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    shop.node.rpc("anvil_dropTransaction", json!([slow])).await;
    let payment = proof(&offers, slow);
    ada.glance(&shop, "parrot", "never seen", &payment).await.is(202, "payment_pending");
    let fast = sends(&shop, &ada, nonce, SHOP, PRICE, 10).await;
    let answered = answer(&shop, &ada, "parrot", "never seen", &payment).await;
    answered.said("never seen");
    assert_eq!(settlement(&answered).transaction, fast.to_string());
    assert_eq!((ada.credit(&shop).await, worked_on("never seen")), ("0".into(), 1));
    let session = ada.session(&shop).await;
    assert_eq!((&session["arrived"], session["answered"].as_array().unwrap().len()), (&json!([]), 1));
    shop.assert_balanced().await;
}

/// Sent to oneself, as wallets cancel; sent to somebody else; sent to us and reverted is no case of it, since plain transfers do not.
#[tokio::test]
async fn p7_a_payment_that_was_cancelled_or_replaced_is_said_to_be_and_the_offer_opens_again() {
    let shop = Shop::open().await;
    for (index, (say, to)) in [("cancelled", None), ("replaced", Some(Address([7; 20])))].into_iter().enumerate() {
        let ada = shop.signed_in(index + 1).await;
        let offers = shop.offer("parrot").await;
        let nonce = next_nonce(&shop, &ada).await;
        watched(&shop, &ada, "parrot", say).await;
        let hash = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
        let payment = proof(&offers, hash);
        ada.glance(&shop, "parrot", say, &payment).await.is(202, "payment_pending");
        is_known(&shop, &ada, hash).await;
        sends(&shop, &ada, nonce, to.unwrap_or(ada.address()), 0, 10).await;
        let answered = answer(&shop, &ada, "parrot", say, &payment).await;
        answered.is(402, "payment_replaced");
        let told = answered.json();
        assert_eq!((&told["retry"], &told["transaction"]), (&json!("new_payment"), &json!(hash)));
        assert!(!answered.offers().accepts.is_empty(), "the offer opens again");
        // Nothing is lost: the next payment buys the call.
        let again = proof(&shop.offer("parrot").await, sends(&shop, &ada, nonce + 1, SHOP, PRICE, 1).await);
        answer(&shop, &ada, "parrot", say, &again).await.said(say);
        assert_eq!((ada.credit(&shop).await, worked_on(say)), ("0".into(), 1));
    }
    shop.assert_balanced().await;
}

#[tokio::test]
async fn p7_a_payment_that_was_replaced_by_a_smaller_one_is_too_low_and_credit() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let nonce = next_nonce(&shop, &ada).await;
    let hash = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    let payment = proof(&offers, hash);
    ada.glance(&shop, "parrot", "smaller", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, hash).await;
    sends(&shop, &ada, nonce, SHOP, PRICE / 2, 10).await;
    answer(&shop, &ada, "parrot", "smaller", &payment).await.is(402, "amount_too_low");
    assert_eq!((ada.credit(&shop).await, worked_on("smaller")), ((PRICE / 2).to_string(), 0));
    // By a larger one: paid, and the rest is credit.
    let (nonce, offers) = (next_nonce(&shop, &ada).await, shop.offer("parrot").await);
    let hash = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    let payment = proof(&offers, hash);
    ada.glance(&shop, "parrot", "larger", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, hash).await;
    sends(&shop, &ada, nonce, SHOP, 2 * PRICE, 10).await;
    answer(&shop, &ada, "parrot", "larger", &payment).await.said("larger");
    assert_eq!(ada.credit(&shop).await, (PRICE / 2 + PRICE).to_string());
    shop.assert_balanced().await;
}

/// Another payment of the same wallet, with a number of its own, is none of it.
#[tokio::test]
async fn p7_a_payment_that_waits_is_not_joined_with_another_one_of_its_payer() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let nonce = next_nonce(&shop, &ada).await;
    watched(&shop, &ada, "parrot", "waits").await;
    // It cannot be included before the one with the number below.
    let later = sends(&shop, &ada, nonce + 1, SHOP, PRICE, 1).await;
    let payment = proof(&offers, later);
    ada.glance(&shop, "parrot", "waits", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, later).await;
    // `anvil_dropTransaction` leaves what waits for a number below it, and both would be included.
    shop.node.rpc("anvil_dropAllTransactions", json!([])).await;
    assert_eq!(shop.node.rpc("eth_getTransactionByHash", json!([later])).await, Value::Null, "it is gone");
    sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    shop.node.finalize().await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    // Several looks later it waits on, and nobody is offered a second run of it.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    ada.glance(&shop, "parrot", "waits", &payment).await.is(202, "payment_pending");
    assert_eq!((ada.session(&shop).await["arrived"].clone(), worked_on("waits")), (json!([]), 0));
    let again = sends(&shop, &ada, nonce + 1, SHOP, PRICE, 1).await;
    assert_eq!(again, later, "the same transaction, sent again");
    let answered = answer(&shop, &ada, "parrot", "waits", &payment).await;
    answered.said("waits");
    assert_eq!(settlement(&answered).transaction, later.to_string(), "paid by its own, not by what came before");
    assert_eq!(ada.credit(&shop).await, PRICE.to_string());
    shop.assert_balanced().await;
}

#[tokio::test]
async fn p7_unknown_is_never_pay_again_while_the_number_is_free_or_the_call_is_watched_for() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let long_ago = async |hash: TxHash| {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&crate::harness::sqlite(shop.data.path())).await.unwrap();
        let aged = sqlx::query("update runs set created_ms = created_ms - 121000 where proof = $1").bind(format!("tx/{hash}"));
        assert_eq!(aged.execute(&pool).await.unwrap().rows_affected(), 1);
    };
    let told = async |say: &str, payment: &str| -> (Value, Value) {
        let answer = ada.glance(&shop, "parrot", say, payment).await;
        answer.is(410, "payment_not_found");
        (answer.json()["retry"].clone(), answer.json()["reason"].clone())
    };
    let may_arrive = (json!("same_payment"), json!("may_arrive"));

    // Dropped when its number was known.
    let nonce = next_nonce(&shop, &ada).await;
    let known = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    let payment = proof(&offers, known);
    ada.glance(&shop, "parrot", "known", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, known).await;
    shop.node.rpc("anvil_dropTransaction", json!([known])).await;
    long_ago(known).await;
    assert_eq!(told("known", &payment).await, may_arrive);

    // Never seen, and its call is watched for.
    let unseen = proof(&offers, TxHash([3; 32]));
    watched(&shop, &ada, "parrot", "watched").await;
    ada.glance(&shop, "parrot", "watched", &unseen).await.is(202, "payment_pending");
    long_ago(TxHash([3; 32])).await;
    assert_eq!(told("watched", &unseen).await, may_arrive);

    // Never seen, and nobody watches.
    let nobody = proof(&offers, TxHash([4; 32]));
    ada.glance(&shop, "parrot", "nobody", &nobody).await.is(202, "payment_pending");
    long_ago(TxHash([4; 32])).await;
    assert_eq!(told("nobody", &nobody).await, (json!("same_payment"), Value::Null));
}

/// What a node that lags, or does not answer, says is not that a payment was replaced.
#[tokio::test]
async fn p7_a_node_that_does_not_answer_replaces_nothing() {
    let node = std::sync::Arc::new(crate::harness::Node::start());
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let shop = Shop::with(node.clone(), data.clone(), crate::harness::Staff::All).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let nonce = next_nonce(&shop, &ada).await;
    let hash = sends(&shop, &ada, nonce, SHOP, PRICE, 1).await;
    let payment = proof(&offers, hash);
    ada.glance(&shop, "parrot", "away", &payment).await.is(202, "payment_pending");
    is_known(&shop, &ada, hash).await;
    shop.closes();
    let away = Shop::at(node, data, crate::harness::Staff::All, vec!["http://127.0.0.1:1".parse().unwrap()]).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let answer = ada.glance(&away, "parrot", "away", &payment).await;
    assert!(matches!(answer.status, 202 | 503), "{}", answer.status);
}

/// `POST /api/watch` with these members beside the network.
async fn ask(shop: &Shop, ada: &Visitor, members: Value) -> crate::harness::Answer {
    let mut all = json!({ "network": NETWORK, "agent": "contract-xray" });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let request = post("/api/watch", "").header("cookie", ada.cookie.as_ref().unwrap());
    shop.ask(request.body(axum::body::Body::from(all.to_string())).unwrap()).await
}

async fn dismiss(shop: &Shop, ada: &Visitor, watch: &str) {
    let request = axum::http::Request::delete(format!("/api/watch?watch={watch}")).header("cookie", ada.cookie.as_ref().unwrap());
    assert_eq!(shop.ask(request.body(axum::body::Body::empty()).unwrap()).await.status, 204);
}

#[tokio::test]
async fn p8_two_questions_of_one_wallet_are_both_found_and_each_run_is_offered() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let mut ids = Vec::new();
    for say in ["one", "two"] {
        let opened = ask(&shop, &ada, json!({ "input": body(say), "amount": PRICE.to_string() })).await;
        assert_eq!(opened.status, 200);
        ids.push(opened.json()["watch"].as_str().unwrap().to_owned());
    }
    ada.pays(&shop, PRICE).await;
    ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == (2 * PRICE).to_string()).await;
    let session = ada.session(&shop).await;
    let inputs: Vec<_> = session["arrived"].as_array().unwrap().iter().map(|arrived| arrived["input"].clone()).collect();
    assert_eq!(inputs, [json!(body("one")), json!(body("two"))]);
    let mut answered: Vec<_> = session["answered"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    answered.sort();
    assert_eq!(answered, ids, "no card claims any more that the wallet may still be asking");
    // One is put away, the other is still offered; neither question is opened again by a page that only remembers it.
    dismiss(&shop, &ada, &ids[0]).await;
    let left = ada.session(&shop).await;
    assert_eq!(left["arrived"].as_array().unwrap().len(), 1);
    assert_eq!(left["arrived"][0]["watch"], json!(ids[1]));
    let renewed = ask(&shop, &ada, json!({ "input": body("one"), "watch": ids[0] })).await;
    assert_eq!((renewed.status, renewed.json()["untilMs"].clone()), (200, Value::Null));
    assert_eq!(ada.session(&shop).await["answered"].as_array().unwrap().len(), 2);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn p8_a_ninth_open_question_waits_until_one_is_answered() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let open = async |say: &str| ask(&shop, &ada, json!({ "input": body(say) })).await;
    let first = open("0").await.json()["watch"].as_str().unwrap().to_owned();
    for n in 1..8 {
        assert_eq!(open(&n.to_string()).await.status, 200);
    }
    open("8").await.is(429, "rate_limited");
    assert_eq!(open("3").await.status, 200, "one that is open already");
    // The wallet was told no.
    dismiss(&shop, &ada, &first).await;
    assert_eq!(open("8").await.status, 200);
}
