//! `payTo` moved while an offer was open: what was sent to where it was counts all the same.

use coinslot::evm::Address;
use serde_json::json;

use crate::{
    agents::worked_on,
    harness::{Look, Node, PRICE, SHOP, Shop, proof},
    paying::eventually,
    watching::watch,
};

const NEW: Address = Address([0x51; 20]);

/// A shop that is paid at another address than the one before.
async fn moved(shop: Shop) -> Shop {
    let look = Look {
        node: shop.node.clone(),
        data: shop.data.clone(),
        rpc_url: shop.node.url(),
        pay_to: NEW,
        ..Look::at(Node::start())
    };
    shop.closes();
    drop(shop);
    Shop::that_looks(look).await
}

#[tokio::test]
async fn m2_an_offer_of_before_the_move_is_paid_where_it_said() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let shop = moved(shop).await;
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "moved", &proof(&offers, hash)).await.said("moved");
    assert_eq!(worked_on("moved"), 1);
    let (_, deposit) = shop.desk.books.deposits_after("", 1).await.unwrap().remove(0);
    assert_eq!(deposit.pay_to, SHOP);
    assert_eq!(shop.offer("parrot").await.accepts[0].pay_to, NEW);
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m2_a_bare_hash_to_a_former_recipient_counts() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let ada = shop.signed_in(1).await;
    let shop = moved(shop).await;
    let hash = ada.paid(&shop, PRICE).await.to_string();
    ada.call_with(&shop, "parrot", "bare", &[("x-payment", &hash)]).await.said("bare");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m2_a_watched_wallets_payment_to_a_former_recipient_is_found() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let ada = shop.signed_in(1).await;
    watch(&shop, &ada, "contract-xray", "moved").await;
    let shop = moved(shop).await;
    ada.paid(&shop, PRICE).await;
    eventually(async || ada.credit(&shop).await == PRICE.to_string()).await;
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m2_an_inner_transfer_to_a_former_recipient_counts() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let shop = moved(shop).await;
    let splits = Address([0x5a; 20]);
    shop.node.rpc("anvil_setCode", json!([splits, format!("0x5f5f5f5f3473{}5af15000", alloy::hex::encode(SHOP.0))])).await;
    let hash =
        shop.node.send(json!({"from": ada.address(), "to": splits, "gas": "0x30d40", "value": format!("{PRICE:#x}")})).await;
    shop.node.finalize().await;
    // Its payer is the contract, which nobody signs in with; it is in the books all the same.
    ada.call(&shop, "parrot", "inside", &proof(&offers, hash)).await.is(403, "payer_mismatch");
    let (_, deposit) = shop.desk.books.deposits_after("", 1).await.unwrap().remove(0);
    assert_eq!((deposit.pay_to, deposit.payer), (SHOP, splits));
}

#[tokio::test]
async fn m2_a_seal_proves_an_address_that_the_books_do_not_know() {
    let shop = Shop::that_looks(Look::at(Node::start())).await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let shop = moved(shop).await;
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&crate::harness::sqlite(shop.data.path())).await.unwrap();
    sqlx::query("delete from facts where fact = $1").bind(format!("recipient/{SHOP}")).execute(&pool).await.unwrap();
    eventually(async || shop.desk.recipients() == [NEW]).await;
    let hash = ada.paid(&shop, PRICE).await;
    ada.call(&shop, "parrot", "sealed", &proof(&offers, hash)).await.said("sealed");
    assert!(shop.desk.books.recipients().await.unwrap().contains(&SHOP));
}
