//! What an agent calls final for an input is told before the next payment (M5): on the network where it failed, and for an hour.

use std::sync::Arc;

use coinslot::{
    error::{CallError, Code, Retry},
    evm::TxHash,
    ledger::{Deposit, HeldOrNot, How, Leased, Presented, Run},
    money::{Amount, Asset},
    run::RunState,
    x402::{
        desk::now_ms,
        wire::{Offer, PaymentRequired},
    },
};
use serde_json::{Value, json};

use crate::{
    agents::worked_on,
    harness::{Answer, NETWORK, Node, PRICE, SHOP, Shop, Staff, Visitor, from_credit, payload_for, proof, row},
    paying::eventually,
};

const OTHER: u64 = 31_338;
const OTHER_NETWORK: &str = "eip155:31338";
const HOUR_MS: i64 = 60 * 60 * 1000;

fn networks(offers: &PaymentRequired) -> Vec<&str> {
    offers.accepts.iter().map(|offer| offer.network.as_str()).collect()
}

fn on<'o>(offers: &'o PaymentRequired, network: &str) -> &'o Offer {
    offers.accepts.iter().find(|offer| offer.network == network).unwrap()
}

/// Pays on this node, for the offer on its network.
async fn buys(shop: &Shop, node: &Node, network: &str, payer: &Visitor, say: &str) -> Answer {
    let offers = shop.offer("parrot").await;
    let transfer = json!({ "from": payer.address(), "to": SHOP, "value": format!("{PRICE:#x}"), "gas": "0x5208" });
    let hash = node.send(transfer).await;
    node.finalize().await;
    let payment = payload_for(&offers, on(&offers, network), json!({ "transaction": hash }));
    payer.call(shop, "parrot", say, &payment).await
}

#[tokio::test]
async fn m5_a_failure_on_one_network_closes_the_sale_there_and_nowhere_else() {
    let (node, other) = (Arc::new(Node::start()), Node::of_chain(OTHER));
    let shop = Shop::on_two(node.clone(), &other, OTHER).await;
    let ada = shop.signed_in(1).await;
    let say = "never:on two";
    assert_eq!(networks(&shop.price("parrot", say).await.offers()), [NETWORK, OTHER_NETWORK]);
    buys(&shop, &other, OTHER_NETWORK, &ada, say).await.is(500, "agent_failed");

    // Everybody else may buy it where it was not tried; the answer says where not, and until when.
    let told = shop.price("parrot", say).await;
    told.is(402, "payment_required");
    let offers = told.offers();
    assert_eq!(networks(&offers), [NETWORK]);
    assert_eq!(told.json()["paymentRequirements"]["chainId"], json!(31337));
    let sentence = offers.error.unwrap();
    assert!(sentence.contains("Not on Other chain until") && sentence.contains("60 minutes"), "{sentence}");
    // Another input, and a look at the price, are told of both.
    assert_eq!(networks(&shop.price("parrot", "never:another").await.offers()).len(), 2);
    assert_eq!(networks(&shop.get("/api/x402/parrot").await.offers()).len(), 2);
    let by_mcp = crate::mcp::call(&shop, "parrot", say, None).await["structuredContent"]["accepts"].clone();
    assert_eq!((by_mcp.as_array().unwrap().len(), &by_mcp[0]["network"]), (1, &json!(NETWORK)));

    // It fails on the other one as well: nothing is left to offer.
    buys(&shop, &node, NETWORK, &ada, say).await.is(500, "agent_failed");
    let told = shop.price("parrot", say).await;
    told.is(400, "invalid_input");
    assert!(told.header("payment-required").is_none());
    let said = told.json();
    let fields: Vec<_> = said["fields"].as_array().unwrap().iter().map(|field| field["error"].as_str().unwrap()).collect();
    assert_eq!(fields.len(), 2);
    assert!(fields.iter().all(|why| why.contains("does not say such words") && why.contains("until 20")), "{fields:?}");
    assert!(fields[0].contains("Local chain") && fields[1].contains("Other chain"), "{fields:?}");
    let wait_ms = said["retryAfterMs"].as_i64().unwrap();
    assert!((HOUR_MS - 60_000..=HOUR_MS).contains(&wait_ms), "{wait_ms}");
    assert!(told.header("retry-after").is_some());
    let by_mcp: Value = crate::mcp::call(&shop, "parrot", say, None).await["structuredContent"].clone();
    assert_eq!((&by_mcp["code"], by_mcp.get("accepts")), (&json!("invalid_input"), None));
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m5_credit_buys_it_all_the_same_and_a_refused_payment_is_answered_as_one() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let offers = shop.offer("parrot").await;
    let hash = ada.paid(&shop, 2 * PRICE).await;
    ada.call(&shop, "parrot", "never:credit", &proof(&offers, hash)).await.is(500, "agent_failed");
    shop.price("parrot", "never:credit").await.is(400, "invalid_input");
    // Whoever pays all the same is not charged; what was paid already is told of as ever.
    let credit = from_credit(&offers, "5a3e7c5c-6d0e-4d86-9f5c-0d9c0f3a6f35");
    ada.call(&shop, "parrot", "never:credit", &credit).await.is(500, "agent_failed");
    let reverted = shop.node.send(json!({ "from": ada.address(), "to": SHOP, "value": "0x0" })).await;
    shop.node.finalize().await;
    let refused = ada.call(&shop, "parrot", "never:credit", &proof(&offers, reverted)).await;
    refused.is(402, "amount_too_low");
    assert!(!refused.offers().accepts.is_empty());
    assert_eq!(ada.credit(&shop).await, (2 * PRICE).to_string());
}

/// A run of Eve's for these words, held, as if she had bought it at that moment. Nobody works on it.
async fn bought(shop: &Shop, say: &str, n: u8, at_ms: i64) -> Run {
    let (books, payer) = (&shop.desk.books, shop.visitor(2).address());
    let hash = TxHash([n; 32]);
    let new = row(payer, say, &format!("tx/{hash}"));
    let deposit = Deposit {
        network: NETWORK.into(),
        proof: new.proof.clone(),
        transaction: hash,
        payer,
        pay_to: SHOP,
        asset: Asset::native(NETWORK),
        amount: Amount::from_atomic(PRICE),
        block: 1,
        block_time_ms: at_ms,
        how: How::Hash,
    };
    let Presented::New(run) = books.present(&new, at_ms).await.unwrap() else { panic!("it is new") };
    assert!(books.deposit(&deposit, at_ms).await.unwrap());
    match books.hold(&run.id, &deposit.asset, deposit.amount, at_ms).await.unwrap() {
        HeldOrNot::Held(run) => run,
        other => panic!("{other:?}"),
    }
}

async fn idle() -> Shop {
    Shop::with(Arc::new(Node::start()), Arc::new(tempfile::tempdir().unwrap()), Staff::CounterOnly).await
}

#[tokio::test]
async fn m5_it_is_for_sale_again_after_an_hour() {
    let shop = idle().await;
    let final_failure = CallError { retry: Retry::No, ..CallError::agent_failed("there is no code.") };
    for (n, ago_ms, status) in [(1, HOUR_MS - 60_000, 400), (2, HOUR_MS + 1, 402)] {
        let (say, at_ms) = (format!("never:{n}"), now_ms() - ago_ms);
        let run = bought(&shop, &say, n, at_ms).await;
        assert!(matches!(shop.desk.books.lease_run("w", at_ms, 1).await.unwrap(), Some(Leased::Work { .. })));
        assert!(shop.desk.books.release(&run.id, "w", &final_failure, at_ms).await.unwrap());
        let told = shop.price("parrot", &say).await;
        assert_eq!(told.status, status, "{}", told.json());
        if status == 400 {
            let wait_ms = told.json()["retryAfterMs"].as_i64().unwrap();
            assert!((1..=60_000).contains(&wait_ms), "{wait_ms}");
            assert!(told.json()["fields"][0]["error"].as_str().unwrap().contains("for 1 minute)"), "{}", told.json());
        }
    }
}

#[tokio::test]
async fn m5_a_run_that_was_lost_says_nothing_of_its_input() {
    let shop = idle().await;
    let run = bought(&shop, "m5 lost", 3, now_ms()).await;
    // Three workers took it and were never heard of again.
    for n in 0..3 {
        let leased = shop.desk.books.lease_run(&format!("lost {n}"), now_ms(), -1).await.unwrap();
        assert!(matches!(leased, Some(Leased::Work { .. })), "{leased:?}");
    }
    let shop = shop.reopen(Staff::All).await;
    let now = async || shop.desk.books.run(&run.id).await.unwrap().unwrap();
    eventually(async || now().await.state == RunState::Failed).await;
    assert_eq!(worked_on("m5 lost"), 0);
    shop.price("parrot", "m5 lost").await.is(402, "payment_required");
    shop.assert_balanced().await;
}

#[tokio::test]
async fn m5_what_breaks_or_is_away_is_no_word_of_the_agents_about_its_input() {
    let shop = Shop::open().await;
    let ada = shop.signed_in(1).await;
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    ada.call(&shop, "parrot", "break:m5", &payment).await.is(500, "agent_failed");
    assert_eq!(worked_on("break:m5"), 3);
    shop.price("parrot", "break:m5").await.is(402, "payment_required");
    // An agent that fails because what it needs is away: `retry: no` is for those who have not paid.
    let payment = proof(&shop.offer("parrot").await, ada.paid(&shop, PRICE).await);
    let away = ada.call(&shop, "parrot", "away:m5", &payment).await;
    assert_eq!(
        (away.is(500, "agent_failed").json()["retry"].clone(), Code::AgentUnavailable.retry()),
        (json!("same_payment"), Retry::No)
    );
    shop.price("parrot", "away:m5").await.is(402, "payment_required");
    ada.call(&shop, "parrot", "away:m5", &payment).await.is(500, "agent_failed");
    assert_eq!(worked_on("away:m5"), 2, "the same payment is another attempt");
    shop.assert_balanced().await;
}
