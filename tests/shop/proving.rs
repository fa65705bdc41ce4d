//! `coinslot books --chain`: what was booked is what the chain says, in every column that says whose money it is.

use coinslot::server::{
    books::prove,
    check::{Line, State},
    settings::{Settings, Sources},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, any::AnyConnectOptions};

use crate::{
    dollars::{Permit2, approve_permit2, offer_by, pays, shop_for_dollars},
    harness::{PRICE, Shop, payload_for, proof, sqlite},
};

async fn lines(shop: &Shop) -> Vec<Line> {
    let env = [
        ("COINSLOT_NETWORKS", "local".to_owned()),
        ("COINSLOT_NETWORK__LOCAL__RPC_URLS", shop.node.url().to_string()),
        ("COINSLOT_DATA", shop.data.path().display().to_string()),
        ("COINSLOT_DATABASE_URL", sqlite(shop.data.path())),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let settings = Settings::read(&Sources { env, ..Sources::default() }).unwrap_or_else(|wrong| panic!("{wrong}"));
    prove(&settings, true).await
}

async fn tamper(shop: &Shop, sql: &str) {
    sqlx::any::install_default_drivers();
    let url = sqlite(shop.data.path());
    let mut connection = url.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
    connection.execute("pragma foreign_keys = off").await.unwrap();
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    assert!(done.rows_affected() > 0, "it changes something");
    connection.close().await.unwrap();
}

/// Says that of the chain, once this was done; then it is undone.
async fn is_found(shop: &Shop, tampered: &str, undone: &str, words: &[&str]) {
    tamper(shop, tampered).await;
    let told = lines(shop).await;
    let found = told.iter().any(|line| line.state == State::Bad && words.iter().all(|words| line.sentence.contains(words)));
    assert!(found, "{tampered}: {told:#?}");
    tamper(shop, undone).await;
}

const EVE: &str = "0x00000000000000000000000000000000000000ee";

#[tokio::test]
async fn m7_recipient_and_payer_of_every_deposit_are_compared_with_the_chain() {
    let (shop, token) = shop_for_dollars().await;
    let (ada, bob) = (shop.signed_in(1).await, shop.visitor(2));
    let mut coin = shop.offer("macaw").await;
    coin.accepts.retain(|offer| offer.is_native());
    ada.call(&shop, "macaw", "m7 coin", &proof(&coin, ada.pays(&shop, PRICE).await)).await.said("m7 coin");
    let offers = shop.offer("macaw").await;
    ada.call(&shop, "macaw", "m7 token", &pays(&offers, &ada.key, &token, "m7 token")).await.said("m7 token");
    approve_permit2(&shop, &token, bob.address()).await;
    let permit = payload_for(&offers, offer_by(&offers, "permit2"), Permit2::of(&bob.key, 7).payload(&bob.key, &token));
    bob.call(&shop, "macaw", "m7 permit", &permit).await.said("m7 permit");
    let good = lines(&shop).await;
    assert!(good.iter().all(|line| line.state == State::Ok), "{good:#?}");

    for kind in ["tx", "eip3009", "permit2"] {
        let (shop_address, payer) = (crate::harness::SHOP, if kind == "permit2" { bob.address() } else { ada.address() });
        let change = |column: &str, to: &str| format!("update deposits set {column} = '{to}' where proof like '{kind}/%'");
        let undone = change("pay_to", &shop_address.to_string());
        is_found(&shop, &change("pay_to", EVE), &undone, &["deposit", kind, EVE]).await;
        is_found(&shop, &change("payer", EVE), &change("payer", &payer.to_string()), &["deposit", kind, EVE]).await;
        is_found(
            &shop,
            &format!("update deposits set amount = amount || '0' where proof like '{kind}/%'"),
            &format!("update deposits set amount = substr(amount, 1, length(amount) - 1) where proof like '{kind}/%'"),
            &["deposit", kind],
        )
        .await;
    }
    let other = "ab".repeat(32);
    let hash: String = shop.desk.books.deposits_after("", 10).await.unwrap()[0].1.transaction.to_string();
    is_found(
        &shop,
        &format!("update deposits set transaction_hash = '0x{other}' where proof like 'tx/%'"),
        &format!("update deposits set transaction_hash = '{hash}' where proof like 'tx/%'"),
        &["deposit", "booked as"],
    )
    .await;
    assert!(lines(&shop).await.iter().all(|line| line.state == State::Ok));
}

#[tokio::test]
async fn m10_a_changed_answer_is_told_by_the_command() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "m10 answer", &payment).await.said("m10 answer");
    is_found(
        &shop,
        "update runs set output = replace(output, 'answer', 'bribe') where state = 'done'",
        "update runs set output = replace(output, 'bribe', 'answer') where state = 'done'",
        &["its answer is not what was sold"],
    )
    .await;
    assert!(lines(&shop).await.iter().all(|line| line.state == State::Ok));
}
