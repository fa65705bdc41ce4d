//! A follower outlives everything: nodes and ledgers that are away, panics, and chains that are not what they were.

use coinslot::{
    chain::{Chain, Cursor, Patience},
    evm::TxHash,
};

use crate::{
    anvil::{
        Anvil,
        proxy::{Asked, Fault, Proxy},
        settings,
    },
    recorder::{Recorder, after, payments_to},
};

/// A lone node is believed a moment later that a final block has changed, not a minute (tests/chain/wrong.rs).
fn soon() -> Patience {
    Patience { doubt: std::time::Duration::from_millis(100), ..Patience::default() }
}

#[tokio::test]
async fn a_block_that_is_not_taken_is_offered_again() {
    let anvil = Anvil::start().await;
    let shop = anvil.account(2);
    let first = anvil.send(anvil.account(1), shop, 5).await;
    let second = anvil.send(anvil.account(1), shop, 6).await;
    anvil.finalize().await;
    let recorder = Recorder::of(anvil.chain(), None);
    recorder.change(|told| (told.refusals, told.interest) = (3, Some(payments_to(shop, 1))));
    recorder.wake.notify_one();
    let told = recorder.until("both payments", |told| told.hashes().len() == 2).await;
    assert_eq!((told.hashes(), told.refusals), (vec![first, second], 0));
}

#[tokio::test]
async fn a_panic_does_not_end_the_following() {
    let anvil = Anvil::start().await;
    let shop = anvil.account(2);
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    let recorder = Recorder::of(anvil.chain(), None);
    recorder.change(|told| (told.panics, told.interest) = (2, Some(payments_to(shop, 1))));
    recorder.wake.notify_one();
    let told = recorder.until("the payment", |told| !told.blocks.is_empty()).await;
    assert_eq!((told.hashes(), told.panics), (vec![hash], 0));
}

#[tokio::test]
async fn following_goes_on_when_nodes_come_back() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    let chain = Chain::new(settings([proxy.url.clone()]));
    let recorder = Recorder::of(chain.clone(), Some(payments_to(shop, 0)));
    recorder.until("the first block", |told| told.height() == Some(0)).await;
    for fault in [Fault::Status(503), Fault::Redirect, Fault::Text("")] {
        proxy.fault(fault);
        proxy.until_more_requests(3).await;
        assert!(!chain.healthy());
        let hash = anvil.send(anvil.account(1), shop, 5).await;
        anvil.finalize().await;
        proxy.heal();
        recorder.until("the payment", |told| told.hashes().contains(&hash)).await;
        assert!(chain.healthy());
    }
    let told = recorder.told();
    assert_eq!(told.hashes().len(), 3, "each once");
}

#[tokio::test]
async fn a_failing_node_is_replaced_in_the_middle() {
    let anvil = Anvil::start().await;
    let (first, second) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
    let shop = anvil.account(2);
    let chain = Chain::new(settings([first.url.clone(), second.url.clone()]));
    let recorder = Recorder::of(chain, Some(payments_to(shop, 0)));
    let one = anvil.send(anvil.account(1), shop, 5).await;
    first.until("the block", |asked| asked.blocks_read.contains(&"0x1".to_owned())).await;
    first.fault(Fault::Status(429));
    let two = anvil.send(anvil.account(1), shop, 6).await;
    anvil.finalize().await;
    let told = recorder.until("both", |told| told.hashes().len() == 2).await;
    assert_eq!(told.hashes(), [one, two]);
    assert!(second.asked().requests > 0);
}

#[tokio::test]
async fn a_receipt_that_is_missing_is_waited_for() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    proxy.fault(Fault::Rewrite(|method, _, answer| {
        if method == "eth_getTransactionReceipt" {
            answer["result"] = ().into();
        }
    }));
    let recorder = Recorder::of(Chain::new(settings([proxy.url.clone()])), Some(payments_to(shop, 1)));
    proxy.until("the receipt", |asked| asked.calls("eth_getTransactionReceipt") >= 2).await;
    assert_eq!(recorder.told().blocks, [], "the block is not passed over");
    proxy.heal();
    recorder.until("the payment", |told| told.hashes() == [hash]).await;
}

#[tokio::test]
async fn a_block_that_moved_before_its_receipts_were_read_is_read_again() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    proxy.fault(Fault::Rewrite(|method, params, answer| {
        if method == "eth_getBlockByNumber" && params[0] == "0x1" && params[1] == false && answer["id"] == 0 {
            answer["result"]["hash"] = TxHash([6; 32]).to_string().into();
        }
    }));
    let recorder = Recorder::of(Chain::new(settings([proxy.url.clone()])), Some(payments_to(shop, 1)));
    let again = |asked: &Asked| asked.blocks_read.iter().filter(|height| *height == "0x1").count() >= 2;
    proxy.until("the block again", again).await;
    assert_eq!(recorder.told().blocks, []);
    proxy.heal();
    recorder.until("the payment", |told| told.hashes() == [hash]).await;
}

#[tokio::test]
async fn a_final_block_that_the_node_does_not_have_is_not_passed_over() {
    let anvil = Anvil::start().await;
    let (pruned, full) = (Proxy::before(anvil.url()).await, Proxy::before(anvil.url()).await);
    let shop = anvil.account(2);
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.mine(5).await;
    pruned.fault(Fault::Rewrite(|method, params, answer| {
        if method == "eth_getBlockByNumber" && params[0] == "0x1" {
            answer["result"] = ().into();
        }
    }));
    let chain = Chain::new(settings([pruned.url.clone(), full.url.clone()]));
    let recorder = Recorder::of(chain, Some(payments_to(shop, 1)));
    let told = recorder.until("the blocks", |told| told.height() == Some(4)).await;
    assert_eq!(told.hashes(), [hash]);
}

#[tokio::test]
async fn it_stops_when_told_also_while_nobody_waits_and_while_a_node_hangs() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    let idle = Recorder::of(anvil.chain(), None);
    idle.until_more_turns(1).await;
    idle.stop().await;
    proxy.fault(Fault::Hang);
    let hanging = Recorder::of(Chain::new(settings([proxy.url.clone()])), Some(payments_to(shop, 1)));
    proxy.until_more_requests(1).await;
    hanging.stop().await;
}

#[tokio::test]
async fn scans_that_are_too_large_are_made_smaller() {
    let anvil = Anvil::start_without_mining().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.mine(20).await;
    proxy.fault(Fault::TooLargeAbove(5));
    let chain = Chain::new(settings([proxy.url.clone()]));
    let recorder = Recorder::of(chain.clone(), Some(payments_to(shop, 0)));
    let told = recorder.until("all blocks", |told| told.height() == Some(18)).await;
    assert_eq!(told.hashes(), [hash]);
    assert!(chain.healthy());
}

#[tokio::test]
async fn a_final_block_that_changed_stops_the_following_until_somebody_looks() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    anvil.mine(10).await;
    let chain = Chain::with_patience(settings([proxy.url.clone()]), soon());
    let recorder = Recorder::of(chain, Some(payments_to(shop, 0)));
    recorder.until("the blocks", |told| told.height() == Some(8)).await;
    anvil.reorg(5, &[]).await;
    anvil.send(anvil.account(1), shop, 5).await;
    anvil.mine(3).await;
    let told = recorder.until("the change", |told| !told.changed.is_empty()).await;
    assert_eq!((told.height(), &told.changed[..]), (Some(8), &[8][..]));
    assert_eq!(told.transfers(), [], "nothing of the other chain is booked");
    let before = proxy.asked().requests;
    recorder.wake_for_turns(2).await;
    assert_eq!(proxy.asked().requests, before, "it does not go on");

    // The operator has looked.
    let accepted = Cursor { height: 10, hash: anvil.block_hash(10).await };
    recorder.change(|told| told.interest.as_mut().unwrap().cursor = Some(accepted));
    recorder.wake.notify_one();
    let told = recorder.until("the payment", |told| !told.hashes().is_empty()).await;
    assert_eq!((told.transfers()[0].block, told.changed), (11, vec![8]));
}

#[tokio::test]
async fn a_cursor_of_another_chain_is_found_out_before_anything_is_read() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    anvil.mine(30).await;
    let foreign = Cursor { height: 10, hash: [9; 32] };
    let chain = Chain::with_patience(settings([proxy.url.clone()]), soon());
    let recorder = Recorder::of(chain, Some(after(foreign, payments_to(shop, 25))));
    let told = recorder.until("the change", |told| !told.changed.is_empty()).await;
    assert_eq!((told.changed, told.blocks.len()), (vec![10], 0));
    assert_eq!(proxy.asked().blocks_read, [""; 0]);
}

#[tokio::test]
async fn a_chain_that_is_behind_the_cursor_is_waited_for() {
    let anvil = Anvil::start().await;
    let (proxy, shop) = (Proxy::before(anvil.url()).await, anvil.account(2));
    anvil.mine(10).await;
    let ahead = Cursor { height: 10, hash: anvil.block_hash(10).await };
    let chain = Chain::new(settings([proxy.url.clone()]));
    let recorder = Recorder::of(chain, Some(after(ahead, payments_to(shop, 0))));
    proxy.until_more_requests(4).await;
    let told = recorder.told();
    assert_eq!((told.height(), told.blocks.len(), told.changed.len()), (Some(10), 0, 0), "neither back nor stopped");
    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.finalize().await;
    recorder.until("the payment", |told| told.hashes() == [hash]).await;
}
