//! What is cut off in the middle: unknown now, one payment in the end.

use coinslot::{
    chain::{At, Chain, Seen},
    x402::{
        authorization::Method,
        facilitator::{NotRecorded, Record, VerifyError, look},
    },
};
use serde_json::{Value, json};

use super::{
    anvil::{
        PATIENCE,
        proxy::{Fault, KEY, Proxy},
        settings,
    },
    bed::{Bed, Ledger, METHODS, PRICE, SOMEBODY, unknown},
};

#[tokio::test]
async fn killed_between_the_record_and_the_broadcast() {
    for method in METHODS {
        let bed = Bed::new().await;
        let (operator, authorization, ledger) = (bed.operator(), bed.authorization(method, 1), Ledger::default());
        let since = bed.anvil.height().await;
        let process = tokio::spawn({
            let (record, authorization) = (ledger.record_and_die(), authorization.clone());
            async move { operator.settle(&authorization, &*record).await }
        });
        let recorded = ledger.first().await;
        process.abort();
        assert!(process.await.unwrap_err().is_cancelled());
        assert!(matches!(
            look(&bed.chain, &authorization, Some(recorded.hash), since, At::Latest).await.unwrap(),
            Seen::Unused { .. }
        ));
        assert!(bed.anvil.rpc("eth_getTransactionByHash", json!([recorded.hash])).await.is_null(), "nothing was sent");

        // The restart: the same bytes, twice.
        bed.anvil.automine(false).await;
        bed.operator().resend(&recorded.raw).await.unwrap();
        bed.operator().resend(&recorded.raw).await.unwrap();
        bed.anvil.mine(1).await;
        let seen = look(&bed.chain, &authorization, Some(recorded.hash), since, At::Latest).await.unwrap();
        assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == recorded.hash), "{seen:?}");
        assert_eq!(bed.earned().await, PRICE);
    }
}

/// The node does what it is asked; its answer is lost.
fn answer_is_lost(method: &str, _: &Value, answer: &mut Value) {
    if method == "eth_sendRawTransaction" {
        answer.as_object_mut().unwrap().remove("result");
        answer["error"] = json!({"code": -32603, "message": "the connection broke"});
    }
}

/// No receipts any more.
fn receipts_are_lost(method: &str, _: &Value, answer: &mut Value) {
    if method == "eth_getTransactionReceipt" {
        answer["result"] = Value::Null;
    }
}

#[tokio::test]
async fn the_rpc_dies_after_the_broadcast() {
    for (fault, method) in
        [(Fault::Rewrite(answer_is_lost), Method::Eip3009), (Fault::Rewrite(receipts_are_lost), Method::Permit2)]
    {
        let bed = Bed::new().await;
        let proxy = Proxy::before(bed.anvil.url()).await;
        let chain = Chain::new(settings([proxy.url.clone()]));
        let (operator, authorization, ledger) =
            (bed.operator_over(chain.clone()), bed.authorization(method, 1), Ledger::default());
        let since = bed.anvil.height().await;
        proxy.fault(fault);
        let unknown = unknown(operator.settle(&authorization, &*ledger.record()).await);
        assert_eq!(ledger.hashes(), [unknown.transaction.expect("it was sent, or may have been")]);
        assert!(!unknown.cause.contains(KEY), "{}", unknown.cause);
        proxy.heal();
        // Somebody asks again, or a restart looks: the chain tells, with our hash or without.
        for known in [unknown.transaction, None] {
            let seen = look(&bed.chain, &authorization, known, since, At::Latest).await.unwrap();
            assert!(matches!(seen, Seen::Paid { transaction, .. } if Some(transaction) == unknown.transaction), "{seen:?}");
        }
        // Settling once more sends nothing, and the next payment goes through.
        assert!(operator.settle(&authorization, &*ledger.record()).await.is_err());
        operator.settle(&bed.authorization(method, 2), &*ledger.record()).await.unwrap();
        assert_eq!((bed.earned().await, ledger.rows().len()), (2 * PRICE, 2));
    }
}

#[tokio::test]
async fn a_node_that_does_not_answer_says_nothing_about_a_payment() {
    let bed = Bed::new().await;
    let proxy = Proxy::before(bed.anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    for fault in [Fault::Status(500), Fault::Text("{}"), Fault::Hang, Fault::Status(429)] {
        proxy.fault(fault);
        for method in METHODS {
            let (operator, authorization, ledger) =
                (bed.operator_over(chain.clone()), bed.authorization(method, 1), Ledger::default());
            match operator.verify(&authorization).await {
                Err(VerifyError::Unknown(unknown)) => assert!(!unknown.cause.contains(KEY), "{}", unknown.cause),
                other => panic!("not unknown: {other:?}"),
            }
            assert_eq!(unknown(operator.settle(&authorization, &*ledger.record()).await).transaction, None);
            assert!(ledger.rows().is_empty());
            assert!(look(&chain, &authorization, None, 0, At::Latest).await.is_err());
        }
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    let bed = Bed::new().await;
    let authorization = bed.authorization(Method::Eip3009, 1);
    let record: Box<Record<'_>> = Box::new(|_| Box::pin(async { Err(NotRecorded("the database is gone".to_owned())) }));
    let unknown = unknown(bed.operator().settle(&authorization, &*record).await);
    assert_eq!((unknown.transaction, bed.earned().await), (None, 0));
    assert!(unknown.cause.contains("the database is gone"), "{}", unknown.cause);
    assert!(matches!(look(&bed.chain, &authorization, None, 0, At::Latest).await.unwrap(), Seen::Unused { .. }));
}

#[tokio::test]
async fn overtaken_by_somebody_else_it_is_paid_all_the_same() {
    for method in METHODS {
        let bed = Bed::new().await;
        let (operator, authorization, ledger) = (bed.operator(), bed.authorization(method, 1), Ledger::default());
        let since = bed.anvil.height().await;
        bed.anvil.automine(false).await;
        let settling = tokio::spawn({
            let (record, authorization) = (ledger.record(), authorization.clone());
            async move { operator.settle(&authorization, &*record).await }
        });
        let ours = ledger.first().await.hash;
        let is_known = async {
            while bed.anvil.rpc("eth_getTransactionByHash", json!([ours])).await.is_null() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, is_known).await.expect("it is sent");
        let mut faster = bed.settlement(&authorization, SOMEBODY);
        faster["gas"] = json!("0x493e0");
        faster["maxFeePerGas"] = json!("0x174876e800");
        faster["maxPriorityFeePerGas"] = json!("0x174876e800");
        let theirs = bed.anvil.transact(faster).await;
        bed.anvil.mine(1).await;
        // Ours reverted. That says nothing about the payment.
        assert_eq!(unknown(settling.await.unwrap()).transaction, Some(ours));
        let seen = look(&bed.chain, &authorization, Some(ours), since, At::Latest).await.unwrap();
        assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == theirs), "{seen:?}");
        assert_eq!(bed.earned().await, PRICE);
    }
}

/// 300,000 gwei, as a lying node said, in the base fee; and in the tip.
fn dear_base(method: &str, _: &Value, answer: &mut Value) {
    if method == "eth_feeHistory" {
        let blocks = answer["result"]["baseFeePerGas"].as_array().unwrap().len();
        answer["result"]["baseFeePerGas"] = json!(vec!["0x110d9316ec000"; blocks]);
    }
}

fn dear_tip(method: &str, _: &Value, answer: &mut Value) {
    if method == "eth_feeHistory" {
        let blocks = answer["result"]["baseFeePerGas"].as_array().unwrap().len() - 1;
        answer["result"]["reward"] = json!(vec![["0x110d9316ec000"]; blocks]);
    }
}

#[tokio::test]
async fn m8_above_the_highest_price_of_gas_nothing_is_signed() {
    let bed = Bed::new().await;
    let proxy = Proxy::before(bed.anvil.url()).await;
    let operator = bed.operator_over(Chain::new(settings([proxy.url.clone()])));
    for (method, dear) in METHODS.into_iter().zip([dear_base, dear_tip]) {
        let (authorization, ledger) = (bed.authorization(method, 1), Ledger::default());
        proxy.fault(Fault::Rewrite(dear));
        match operator.verify(&authorization).await {
            Err(VerifyError::Unknown(unknown)) => assert!(unknown.cause.contains("gwei"), "{}", unknown.cause),
            other => panic!("not unknown: {other:?}"),
        }
        let unknown = unknown(operator.settle(&authorization, &*ledger.record()).await);
        assert_eq!((unknown.transaction, ledger.rows().len()), (None, 0), "{}", unknown.cause);
        proxy.heal();
        operator.verify(&authorization).await.unwrap();
        operator.settle(&authorization, &*ledger.record()).await.unwrap();
    }
    assert_eq!(bed.earned().await, 2 * PRICE);
}

#[tokio::test]
async fn m8_the_highest_price_of_gas_is_the_operators_own() {
    let bed = Bed::new().await;
    let chain = bed.chain.clone();
    let at = |wei: u128| {
        let operator = coinslot::x402::facilitator::Operator::with_gas_price_max(
            &bed.anvil.key(super::bed::OPERATOR),
            chain.clone(),
            coinslot::money::Amount::from_atomic(wei),
        );
        coinslot::x402::facilitator::Facilitator::Operator(operator.unwrap())
    };
    let authorization = bed.authorization(Method::Eip3009, 1);
    assert!(matches!(at(1).verify(&authorization).await, Err(VerifyError::Unknown(_))));
    at(1_000_000_000_000).verify(&authorization).await.unwrap();
}

/// The block that held a settlement vanishes, and the transaction with it: the next one's number leaves no gap, and the first is sent again.
#[tokio::test]
async fn m9_after_a_reorganisation_the_next_settlement_leaves_no_gap() {
    let bed = Bed::new().await;
    let (operator, ledger) = (bed.operator(), Ledger::default());
    operator.settle(&bed.authorization(Method::Eip3009, 9), &*ledger.record()).await.unwrap();
    bed.anvil.finalize().await;
    for (round, method) in (1..).zip(METHODS) {
        let earned = bed.earned().await;
        let (dropped, next) = (bed.authorization(method, 2 * round), bed.authorization(method, 2 * round + 1));
        operator.settle(&dropped, &*ledger.record()).await.unwrap();
        bed.anvil.reorg(1, &[]).await;
        assert_eq!(bed.earned().await, earned, "it is gone");
        operator.settle(&next, &*ledger.record()).await.unwrap();
        assert_eq!(bed.earned().await, earned + 2 * PRICE, "both, by the same bytes");
        bed.anvil.finalize().await;
    }
    assert_eq!(ledger.rows().len(), 5, "nothing was signed anew");
}

/// What was dropped cannot be carried out any more: its number is used by the next one.
#[tokio::test]
async fn m9_a_number_whose_transaction_nobody_wants_is_used_again() {
    let bed = Bed::new().await;
    let (operator, ledger) = (bed.operator(), Ledger::default());
    for nonce in 1..=3 {
        operator.settle(&bed.authorization(Method::Eip3009, nonce), &*ledger.record()).await.unwrap();
        bed.anvil.reorg(1, &[]).await;
    }
    // Its operator was started anew, and knows of nothing.
    let fresh = bed.operator();
    fresh.settle(&bed.authorization(Method::Eip3009, 4), &*ledger.record()).await.unwrap();
    assert!(bed.earned().await >= PRICE);
}
