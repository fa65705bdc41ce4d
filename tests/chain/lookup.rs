//! What became of a transaction, and what else one node tells.

use coinslot::{
    chain::{Chain, ChainSettings, Finality, Sighting, Transfer},
    evm::{Address, TxHash},
    money::Amount,
};
use serde_json::json;

use crate::anvil::{
    Anvil, CHAIN_ID,
    proxy::{Fault, Proxy},
    settings, transfer,
};

/// Runtime code that reverts, whatever it is asked.
const REVERTS: &str = "0x60006000fd";

fn included(sighting: Sighting) -> Transfer {
    match sighting {
        Sighting::Included(transfer) => transfer,
        other => panic!("expected it to be included, not final: {other:?}"),
    }
}

#[tokio::test]
async fn a_payment_is_not_seen_then_included_then_final() {
    let anvil = Anvil::start_without_mining().await;
    let (chain, payer, shop) = (anvil.chain(), anvil.account(1), anvil.account(2));
    let hash = anvil.send(payer, shop, 100_000_000_000_000).await;
    assert_eq!(chain.lookup(hash).await.unwrap(), Sighting::NotSeen, "waiting in the pool is not seen");

    anvil.mine(1).await;
    let transfer = included(chain.lookup(hash).await.unwrap());
    assert_eq!((transfer.hash, transfer.from, transfer.to), (hash, payer, Some(shop)));
    assert_eq!(transfer.value, Amount::from_atomic(100_000_000_000_000));
    assert_eq!((transfer.succeeded, transfer.has_data, transfer.block), (true, false, 1));
    assert_eq!(transfer.block_hash, anvil.block_hash(1).await);
    assert!((1_600_000_000_000..4_000_000_000_000).contains(&transfer.block_time_ms), "milliseconds");

    anvil.mine(1).await;
    assert_eq!(chain.lookup(hash).await.unwrap(), Sighting::Included(transfer.clone()), "one block is not enough");
    anvil.mine(1).await;
    assert_eq!(chain.final_head().await.unwrap(), 1);
    assert_eq!(chain.lookup(hash).await.unwrap(), Sighting::Final(transfer));
}

#[tokio::test]
async fn what_was_never_sent_is_not_seen() {
    let anvil = Anvil::start().await;
    assert_eq!(anvil.chain().lookup(TxHash([7; 32])).await.unwrap(), Sighting::NotSeen);
}

#[tokio::test]
async fn a_dropped_payment_and_one_whose_block_vanished_are_not_seen() {
    let anvil = Anvil::start_without_mining().await;
    let dropped = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    anvil.drop_transaction(dropped).await;
    let vanished = anvil.send(anvil.account(1), anvil.account(2), 6).await;
    anvil.mine(1).await;
    included(anvil.chain().lookup(vanished).await.unwrap());
    anvil.reorg(1, &[]).await;
    for hash in [dropped, vanished] {
        assert_eq!(anvil.chain().lookup(hash).await.unwrap(), Sighting::NotSeen);
    }
}

#[tokio::test]
async fn a_reverted_transaction_moved_nothing() {
    let anvil = Anvil::start().await;
    let shop = Address([0x77; 20]);
    anvil.set_code(shop, REVERTS).await;
    let mut transaction = transfer(anvil.account(1), shop, 9);
    transaction["gas"] = json!("0xffff");
    let hash = anvil.transact(transaction).await;
    let transfer = included(anvil.chain().lookup(hash).await.unwrap());
    assert!(!transfer.succeeded);
}

#[tokio::test]
async fn a_call_and_a_creation_are_told_from_a_plain_transfer() {
    let anvil = Anvil::start().await;
    let mut call = transfer(anvil.account(1), anvil.account(2), 9);
    call["data"] = json!("0xabcdef");
    let call = included(anvil.chain().lookup(anvil.transact(call).await).await.unwrap());
    assert!(call.has_data && call.succeeded);
    let creation = json!({"from": anvil.account(1), "data": "0x00", "gas": "0x30000"});
    let creation = included(anvil.chain().lookup(anvil.transact(creation).await).await.unwrap());
    assert_eq!((creation.to, creation.has_data), (None, true));
}

#[tokio::test]
async fn a_receipt_of_a_block_that_is_not_canonical_is_not_enough() {
    let anvil = Anvil::start().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    anvil.finalize().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Final(_)));
    // The node serves a receipt of a block that is no longer the one at that height.
    proxy.fault(Fault::Rewrite(|method, _, answer| {
        if method == "eth_getTransactionReceipt" {
            answer["result"]["blockHash"] = json!(TxHash([6; 32]));
        }
    }));
    assert_eq!(chain.lookup(hash).await.unwrap(), Sighting::NotSeen);
}

#[tokio::test]
async fn a_transaction_that_is_still_called_pending_is_where_its_receipt_says() {
    let anvil = Anvil::start().await;
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    let proxy = Proxy::before(anvil.url()).await;
    proxy.fault(Fault::Rewrite(|method, _, answer| {
        if method == "eth_getTransactionByHash" {
            (answer["result"]["blockHash"], answer["result"]["blockNumber"]) = (().into(), ().into());
        }
    }));
    included(Chain::new(settings([proxy.url.clone()])).lookup(hash).await.unwrap());
}

#[tokio::test]
async fn finality_can_be_counted_in_confirmations() {
    let anvil = Anvil::start().await;
    let chain = Chain::new(ChainSettings { finality: Finality::Confirmations(3), ..settings([anvil.url()]) });
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    assert_eq!(chain.final_head().await.unwrap(), 0);
    anvil.mine(2).await;
    included(chain.lookup(hash).await.unwrap());
    anvil.mine(1).await;
    assert!(matches!(chain.lookup(hash).await.unwrap(), Sighting::Final(_)));
}

#[tokio::test]
async fn a_tag_that_the_node_does_not_know_is_named_as_the_setting_to_change() {
    let anvil = Anvil::start().await;
    let chain = Chain::new(ChainSettings { finality: Finality::Tag("irreversible".to_owned()), ..settings([anvil.url()]) });
    let hash = anvil.send(anvil.account(1), anvil.account(2), 5).await;
    for cause in [chain.final_head().await.unwrap_err().cause, chain.lookup(hash).await.unwrap_err().cause] {
        assert!(cause.contains("`irreversible`") && cause.contains("finality"), "{cause}");
    }
}

#[tokio::test]
async fn a_chain_tells_its_id_its_beginning_and_its_gas_price() {
    let (anvil, other) = (Anvil::start().await, Anvil::start_with(&["--timestamp", "1700000000"]).await);
    let chain = anvil.chain();
    assert_eq!(chain.chain_id().await.unwrap(), CHAIN_ID);
    assert_eq!(chain.genesis().await.unwrap(), anvil.block_hash(0).await);
    assert_ne!(chain.genesis().await.unwrap(), other.chain().genesis().await.unwrap(), "the same id, another chain");
    assert!(!chain.gas_price().await.unwrap().is_zero());
}

#[tokio::test]
async fn code_storage_and_calls_are_read_and_a_failing_call_is_an_answer() {
    let anvil = Anvil::start().await;
    let (chain, contract) = (anvil.chain(), Address([0x77; 20]));
    assert_eq!(chain.code(contract).await.unwrap(), Vec::<u8>::new());
    // Answers with its calldata.
    anvil.set_code(contract, "0x366000600037366000f3").await;
    assert_eq!(chain.code(contract).await.unwrap().len(), 10);
    assert_eq!(chain.call(contract, &[1, 2, 3]).await.unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(chain.call(contract, &[]).await.unwrap(), Some(vec![]));

    let word = format!("0x{:064x}", 0xabcd);
    anvil.set_storage(contract, &format!("0x{:064x}", 1), &word).await;
    let mut slot = [0; 32];
    assert_eq!(chain.storage(contract, slot).await.unwrap(), [0; 32]);
    slot[31] = 1;
    assert_eq!(Amount::from_be_bytes(chain.storage(contract, slot).await.unwrap()), Amount::from_atomic(0xabcd));

    // A revert, an invalid opcode, a jump to nowhere, an empty stack, an endless loop.
    for failing in [REVERTS, "0xfe", "0x600056", "0x50", "0x5b600056"] {
        anvil.set_code(contract, failing).await;
        assert_eq!(chain.call(contract, &[]).await.unwrap(), None, "{failing}");
    }
    assert!(chain.healthy());
}
