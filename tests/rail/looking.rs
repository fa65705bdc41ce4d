//! The chain's word: who used a nonce, for what, and since when nobody can undo it.

use alloy::{primitives::U256, sol_types::SolCall};
use coinslot::{
    chain::{At, Chain, Finality, PERMIT2, Seen},
    evm::{Address, TxHash},
    x402::{
        authorization::{Authorization, Method},
        facilitator::look,
    },
};
use serde_json::{Value, json};

use super::{
    anvil::{
        proxy::{Fault, Proxy, ten_blocks},
        settings,
    },
    bed::{Bed, METHODS, PAYER, PRICE, SHOP, SOMEBODY, call, invalidateUnorderedNoncesCall, now_s, settle},
};

#[tokio::test]
async fn a_settlement_is_in_the_newest_block_before_it_is_final() {
    for finality in [Finality::Tag("finalized".to_owned()), Finality::Confirmations(2)] {
        let bed = Bed::new().await;
        let mut settings = settings([bed.anvil.url()]);
        settings.finality = finality;
        let chain = Chain::new(settings);
        for method in METHODS {
            bed.anvil.finalize().await;
            let authorization = bed.authorization(method, 1);
            let since = chain.newest_block().await.unwrap();
            let hash = settle(&bed.operator(), &authorization).await.unwrap();
            let at = async |at| look(&chain, &authorization, Some(hash), since, at).await.unwrap();
            assert!(matches!(at(At::Latest).await, Seen::Paid { .. }));
            assert!(matches!(at(At::Final).await, Seen::Unused { .. }));
            bed.anvil.finalize().await;
            let Seen::Paid { transaction, block, block_time_ms } = at(At::Final).await else { panic!("it is final") };
            assert_eq!((transaction, block), (hash, since + 1));
            let header = bed.anvil.rpc("eth_getBlockByNumber", json!([format!("{block:#x}"), false])).await;
            assert_eq!(header["timestamp"], format!("{:#x}", block_time_ms / 1000));
        }
    }
}

#[tokio::test]
async fn s7_a_node_that_tells_ten_blocks_logs_and_no_more_is_searched_in_ranges_so_small() {
    let bed = Bed::new().await;
    for (calls, method) in [(usize::MAX, Method::Eip3009), (1, Method::Permit2)] {
        let proxy = Proxy::before(bed.anvil.url()).await;
        let chain = Chain::new(settings([proxy.url.clone()]));
        proxy.fault(Fault::Narrow { calls, status: 400, text: "", rewrite: ten_blocks });
        let authorization = bed.authorization(method, 1);
        let since = bed.anvil.height().await;
        bed.anvil.mine(40).await;
        let hash = bed.front_run(&authorization).await;
        bed.anvil.mine(40).await;
        let seen = look(&chain, &authorization, None, since, At::Latest).await.unwrap();
        assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == hash), "{seen:?}");
        // Learnt once, with the node's words, which the check tells.
        let said = chain.habits().await.join("; ");
        assert!(said.contains("the logs of 10 blocks at once") && said.contains("up to a 10 block range"), "{said}");
        assert_eq!(said.contains("takes no batches"), calls == 1, "{said}");
        let before = proxy.asked().calls("eth_getLogs");
        look(&chain, &authorization, None, since, At::Latest).await.unwrap();
        let asked = proxy.asked().calls("eth_getLogs") - before;
        assert!(asked <= 30, "no range is asked for that is refused: {asked}");
    }
}

#[tokio::test]
async fn a_settlement_that_vanished_is_unused_again() {
    let bed = Bed::new().await;
    for method in METHODS {
        let authorization = bed.authorization(method, 1);
        let hash = settle(&bed.operator(), &authorization).await.unwrap();
        bed.anvil.reorg(1, &[]).await;
        assert!(matches!(look(&bed.chain, &authorization, Some(hash), 0, At::Latest).await.unwrap(), Seen::Unused { .. }));
    }
    assert_eq!(bed.earned().await, 0);
}

#[tokio::test]
async fn a_front_runners_settlement_pays() {
    let bed = Bed::new().await;
    for method in METHODS {
        let authorization = bed.authorization(method, 1);
        let since = bed.anvil.height().await;
        let hash = bed.front_run(&authorization).await;
        for known in [None, Some(TxHash([9; 32]))] {
            let seen = look(&bed.chain, &authorization, known, since, At::Latest).await.unwrap();
            assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == hash), "{seen:?}");
        }
    }
    assert_eq!(bed.earned().await, 2 * PRICE);
}

/// Hands whatever it is called with on to x402's proxy: no transaction to the proxy itself, so its arguments are nobody's to read.
const FORWARDER: &str = "0x365f5f375f5f365f5f73402085c248eea27d92e8b30b2c58ed07f9e200015af16026575f5ffd5b00";

#[tokio::test]
async fn what_a_strangers_contract_settled_is_found_by_the_block_that_used_it_up() {
    let bed = Bed::new().await;
    let stranger = Address([0x66; 20]);
    bed.anvil.set_code(stranger, FORWARDER).await;
    let (paid, taken_back) = (bed.authorization(Method::Permit2, 1), bed.authorization(Method::Permit2, 2));
    let since = bed.anvil.height().await;
    bed.anvil.transact(invalidation(&bed, &taken_back)).await;
    let mut wrapped = bed.settlement(&paid, SOMEBODY);
    wrapped["to"] = json!(stranger);
    let hash = bed.anvil.transact(wrapped).await;
    assert_eq!(bed.earned().await, PRICE);
    let at = async |authorization| look(&bed.chain, authorization, None, since, At::Latest).await.unwrap();
    let seen = at(&paid).await;
    assert!(matches!(seen, Seen::Wrapped { transaction, .. } if transaction == hash), "{seen:?}");
    assert_eq!(at(&taken_back).await, Seen::Elsewhere, "used up in another block");
}

/// A relayer's batch: each payer's transfer is their own, and so is each of one payer's.
#[tokio::test]
async fn m1_what_a_batch_settled_for_several_payers_is_found_for_each() {
    let bed = Bed::new().await;
    bed.mint(bed.account(SHOP + 2), 5 * PRICE).await;
    bed.allow(SHOP + 2, U256::MAX).await;
    let of = |by: usize, nonce| {
        let authorization = Authorization { from: bed.account(by), ..bed.authorization(Method::Permit2, nonce) };
        bed.signed(authorization, by)
    };
    let (ada, bob, twice) = (of(PAYER, 1), of(SHOP + 2, 1), of(SHOP + 2, 2));
    let own = bed.authorization(Method::Eip3009, 1);
    let since = bed.anvil.height().await;
    let hash = bed.batch(&[&ada, &bob, &own, &twice]).await;
    assert_eq!(bed.earned().await, 4 * PRICE);
    for (authorization, expected) in [(&ada, 1), (&bob, 2), (&twice, 2)] {
        for known in [None, Some(hash)] {
            let seen = look(&bed.chain, authorization, known, since, At::Latest).await.unwrap();
            assert!(
                matches!(seen, Seen::Wrapped { transaction, transfers, .. } if (transaction, transfers) == (hash, expected)),
                "{seen:?}"
            );
        }
        // Paid for others, as the books know: nothing else is there that paid for this one.
        let past = coinslot::x402::facilitator::look_past(&bed.chain, authorization, None, since, &[hash], At::Latest).await;
        assert_eq!(past.unwrap(), Seen::Elsewhere);
    }
    let seen = look(&bed.chain, &own, None, since, At::Latest).await.unwrap();
    assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == hash), "{seen:?}");
}

/// Two of one payer, in two transactions of one block: past the one that paid for the first, the other is found.
#[tokio::test]
async fn m1_another_transaction_of_the_same_block_pays_for_the_other() {
    let bed = Bed::new().await;
    let (one, two) = (bed.authorization(Method::Permit2, 1), bed.authorization(Method::Permit2, 2));
    let since = bed.anvil.height().await;
    let stranger = Address([0x66; 20]);
    bed.anvil.set_code(stranger, FORWARDER).await;
    bed.anvil.automine(false).await;
    let mut hashes = Vec::new();
    for authorization in [&one, &two] {
        let mut wrapped = bed.settlement(authorization, SOMEBODY);
        (wrapped["to"], wrapped["gas"]) = (json!(stranger), json!("0x493e0"));
        hashes.push(bed.anvil.transact(wrapped).await);
    }
    bed.anvil.mine(1).await;
    let seen = look(&bed.chain, &two, None, since, At::Latest).await.unwrap();
    let Seen::Wrapped { transaction: first, transfers: 1, .. } = seen else { panic!("{seen:?}") };
    let past = coinslot::x402::facilitator::look_past(&bed.chain, &two, None, since, &[first], At::Latest).await.unwrap();
    let Seen::Wrapped { transaction: other, transfers: 1, .. } = past else { panic!("{past:?}") };
    assert!(first != other && hashes.contains(&first) && hashes.contains(&other));
}

/// Our settlement never reached a block, and its payer took it back: the search has seen every block, and the event says so besides.
#[tokio::test]
async fn m9_a_cancelled_authorization_is_known_though_our_own_settlement_is_lost() {
    let bed = Bed::new().await;
    let since = bed.anvil.height().await;
    let lost = Some(TxHash([9; 32]));
    let [cancelled, invalidated] = METHODS.map(|method| bed.authorization(method, 1));
    bed.cancel(&cancelled, PAYER).await;
    bed.anvil.transact(invalidation(&bed, &invalidated)).await;
    for authorization in [&cancelled, &invalidated] {
        for known in [lost, None] {
            let seen = look(&bed.chain, authorization, known, since, At::Latest).await.unwrap();
            assert_eq!(seen, Seen::Elsewhere);
        }
        // Whoever does not know since when asks about one transaction alone, and of that this node says nothing.
        assert_eq!(look(&bed.chain, authorization, lost, u64::MAX, At::Latest).await.unwrap(), Seen::Unclear);
    }
}

/// Who pays once and uses up a second nonce has not paid twice.
#[tokio::test]
async fn a_nonce_that_its_owner_took_back_paid_nothing_beside_one_that_did() {
    let bed = Bed::new().await;
    let (paid, taken_back) = (bed.authorization(Method::Permit2, 1), bed.authorization(Method::Permit2, 2));
    let since = bed.anvil.height().await;
    let hash = settle(&bed.operator(), &paid).await.unwrap();
    bed.anvil.transact(invalidation(&bed, &taken_back)).await;
    let at = async |authorization| look(&bed.chain, authorization, None, since, At::Latest).await.unwrap();
    assert!(matches!(at(&paid).await, Seen::Paid { transaction, .. } if transaction == hash));
    assert_eq!(at(&taken_back).await, Seen::Elsewhere);
}

/// Small public nodes answer no more than that.
fn logs_of_few_blocks(method: &str, params: &Value, answer: &mut Value) {
    let height = |what: &str| u64::from_str_radix(&params[0][what].as_str().unwrap()[2..], 16).unwrap();
    if method == "eth_getLogs" && height("toBlock") - height("fromBlock") >= 100 {
        answer.as_object_mut().unwrap().remove("result");
        answer["error"] = json!({"code": -32614, "message": "eth_getLogs is limited to a 100 block range"});
    }
}

#[tokio::test]
async fn a_use_is_searched_with_small_questions_up_to_the_end_of_its_time() {
    let bed = Bed::new().await;
    let proxy = Proxy::before(bed.anvil.url()).await;
    proxy.fault(Fault::Rewrite(logs_of_few_blocks));
    let chain = Chain::new(settings([proxy.url.clone()]));
    let since = bed.anvil.height().await;
    let long = |authorization: Authorization| {
        let authorization = Authorization { valid_before: U256::from(now_s() + 2000), ..authorization };
        bed.signed(authorization, PAYER)
    };
    let [ours, other] = METHODS.map(|method| long(bed.authorization(method, 1)));
    let other = Authorization { to: bed.account(SOMEBODY), ..other };
    // Later than the first two ranges, as long as it is good.
    bed.anvil.rpc("anvil_mine", json!(["0xfa"])).await;
    let hash = bed.front_run(&ours).await;
    bed.front_run(&bed.signed(other.clone(), PAYER)).await;
    let seen = look(&chain, &ours, None, since, At::Latest).await.unwrap();
    assert!(matches!(seen, Seen::Paid { transaction, .. } if transaction == hash), "{seen:?}");

    // Hours later, what lies after its time is not read.
    bed.anvil.rpc("anvil_mine", json!(["0x5dc", "0x3c"])).await;
    let before = proxy.asked().calls("eth_getLogs");
    let for_us = Authorization { to: bed.account(SHOP), ..other };
    assert_eq!(look(&chain, &for_us, None, since, At::Latest).await.unwrap(), Seen::Elsewhere);
    let asked = proxy.asked().calls("eth_getLogs") - before;
    assert!((3..=6).contains(&asked), "{asked}");
}

/// Its payer takes back what he signed.
fn invalidation(bed: &Bed, taken_back: &Authorization) -> Value {
    let number = U256::from_be_bytes(taken_back.nonce);
    let mask = U256::ONE << usize::from(taken_back.nonce[31]);
    call(bed.account(PAYER), PERMIT2, invalidateUnorderedNoncesCall { word: number >> 8, mask }.abi_encode())
}

#[tokio::test]
async fn a_node_that_lags_says_nothing_of_what_it_has_not_seen() {
    let bed = Bed::new().await;
    let proxy = Proxy::before(bed.anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    for method in METHODS {
        let paid = bed.authorization(method, 1);
        let since = bed.anvil.height().await;
        let hash = bed.front_run(&paid).await;
        let at = async |known| look(&chain, &paid, known, since, At::Latest).await;
        // One that has the block's state and not yet its receipts and logs, as an index that is written behind.
        proxy.fault(Fault::Rewrite(|method, _, answer| match method {
            "eth_getTransactionReceipt" => answer["result"] = Value::Null,
            "eth_getLogs" => answer["result"] = json!([]),
            _ => {}
        }));
        assert_eq!(at(Some(hash)).await.unwrap(), Seen::Unclear, "our own transaction has no receipt yet");
        // Behind one address, another one that is blocks behind: no logs, and not the block that was asked for.
        proxy.fault(Fault::Rewrite(|method, params, answer| match method {
            "eth_getLogs" => answer["result"] = json!([]),
            "eth_getBlockByNumber" if params[0].as_str().is_some_and(|block| block.starts_with("0x")) => {
                answer["result"] = Value::Null
            }
            _ => {}
        }));
        assert!(at(None).await.is_err(), "it cannot know");
        proxy.heal();
        assert!(matches!(at(None).await.unwrap(), Seen::Paid { transaction, .. } if transaction == hash));
    }
}

/// Anybody can send the same amount again and again, to be looked through.
#[tokio::test]
async fn more_equal_transfers_than_are_looked_through_leave_it_unclear_and_never_hang() {
    let bed = Bed::new().await;
    let taken_back = bed.authorization(Method::Permit2, 9);
    let since = bed.anvil.height().await;
    bed.mint(bed.account(PAYER), 40 * PRICE).await;
    for n in 10..51 {
        bed.front_run(&bed.authorization(Method::Eip3009, n)).await;
    }
    bed.anvil.transact(invalidation(&bed, &taken_back)).await;
    assert_eq!(look(&bed.chain, &taken_back, None, since, At::Latest).await.unwrap(), Seen::Unclear);
}
