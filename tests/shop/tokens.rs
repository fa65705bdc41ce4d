//! Paid by a signature: verify, claim, work, settle, answer.

use crate::{
    agents::worked_on,
    dollars::{PRICE, PURSE, balance, pays, shop_for_dollars, taken},
    harness::settlement,
};

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

    let again = ada.call(&shop, "macaw", "token buys", &payment).await;
    again.said("token buys");
    assert_eq!((again.header("x-idempotent-replay"), &again.bytes), (Some("true"), &answer.bytes));
    assert_eq!((worked_on("token buys"), taken(&shop, &token).await), (1, PRICE));
    shop.assert_balanced().await;
}
