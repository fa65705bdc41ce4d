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
