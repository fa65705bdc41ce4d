//! Each final block is handed on once, in order, and what is not final is only told.

use coinslot::{
    chain::{Chain, ChainSettings, Cursor, Finality},
    evm::{Address, TxHash},
    money::Amount,
};
use serde_json::json;

use crate::{
    anvil::{Anvil, proxy::Proxy, settings, transfer},
    recorder::{Recorder, after, payments_to},
};

/// A node behind a counting proxy, and the chain over it.
async fn counted() -> (Anvil, Proxy, Chain) {
    let anvil = Anvil::start_without_mining().await;
    let proxy = Proxy::before(anvil.url()).await;
    let chain = Chain::new(settings([proxy.url.clone()]));
    (anvil, proxy, chain)
}

async fn cursor(anvil: &Anvil, height: u64) -> Cursor {
    Cursor { height, hash: anvil.block_hash(height).await }
}

#[tokio::test]
async fn payments_are_handed_on_once_and_in_order() {
    let anvil = Anvil::start().await;
    let (payer, shop, other) = (anvil.account(1), anvil.account(2), anvil.account(3));
    let recorder = Recorder::of(anvil.chain(), Some(payments_to(shop, 0)));
    let first = anvil.send(payer, shop, 11).await;
    anvil.send(payer, other, 99).await;
    let second = anvil.send(other, shop, 22).await;
    anvil.finalize().await;
    recorder.until("the second payment", |told| told.hashes().contains(&second)).await;
    anvil.finalize().await;
    let told = recorder.until("the blocks after it", |told| told.height() == Some(5)).await;
    assert_eq!(told.hashes(), [first, second]);
    let [one, two] = &told.transfers()[..] else { panic!("two transfers") };
    assert_eq!((one.from, one.value, one.block, one.succeeded), (payer, Amount::from_atomic(11), 1, true));
    assert_eq!((two.from, two.value, two.block, two.block_hash), (other, Amount::from_atomic(22), 3, anvil.block_hash(3).await));
    assert!(told.blocks.is_sorted_by(|a, b| a.cursor.height < b.cursor.height), "{:#?}", told.blocks);
    for block in &told.blocks {
        assert_eq!(block.cursor, cursor(&anvil, block.cursor.height).await);
    }
}

#[tokio::test]
async fn nothing_is_handed_on_before_it_is_final() {
    let (anvil, proxy, chain) = counted().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    let hash = anvil.send(payer, shop, 5).await;
    let recorder = Recorder::of(chain, Some(payments_to(shop, 1)));
    recorder.wait_for(hash);
    anvil.mine(2).await;
    recorder.until("the inclusion", |told| told.included == [(hash, Some(1))]).await;
    proxy.until_more_requests(5).await;
    assert_eq!(recorder.told().blocks, [], "one block on top is not enough");
    anvil.mine(1).await;
    let told = recorder.until("the payment", |told| !told.blocks.is_empty()).await;
    assert_eq!(told.hashes(), [hash]);
    assert_eq!(told.included, [(hash, Some(1))], "told once");
}

#[tokio::test]
async fn nobody_is_asked_while_nobody_waits() {
    let (anvil, proxy, chain) = counted().await;
    let shop = anvil.account(2);
    let recorder = Recorder::of(chain, None);
    recorder.wake_for_turns(3).await;
    assert_eq!(proxy.asked().requests, 0);

    let hash = anvil.send(anvil.account(1), shop, 5).await;
    anvil.mine(3).await;
    recorder.change(|told| told.interest = Some(payments_to(shop, 1)));
    recorder.wake.notify_one();
    recorder.until("the payment", |told| told.hashes() == [hash]).await;

    recorder.change(|told| told.interest = None);
    recorder.wake_for_turns(2).await;
    let before = proxy.asked().requests;
    recorder.wake_for_turns(3).await;
    assert_eq!(proxy.asked().requests, before, "quiet again");
}

#[tokio::test]
async fn the_cost_grows_with_blocks_and_not_with_what_is_waited_for() {
    let (anvil, proxy, chain) = counted().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    let mut interest = payments_to(shop, 0);
    interest.hashes = (0..2_000_u128).map(|i| TxHash(Amount::from_atomic(i).to_be_bytes())).collect();
    let mut paid = Vec::new();
    for wei in 1..=30 {
        paid.push(anvil.send(payer, shop, wei).await);
    }
    interest.hashes.extend(&paid);
    anvil.mine(50).await;
    let recorder = Recorder::of(chain, Some(interest));
    recorder.until("the last final block", |told| told.height() == Some(48)).await;
    proxy.until_more_requests(5).await;
    let asked = proxy.asked();
    let expected: Vec<String> = (0..=50).map(|height| format!("{height:#x}")).collect();
    assert_eq!(asked.blocks_read, expected, "each block once");
    assert_eq!(asked.calls("eth_getTransactionReceipt"), 30, "of what paid, and of nothing else");
    // One to learn how far it is, four scans of sixteen, one batch of receipts, the id; the rest found nothing new.
    let working = asked.requests - (asked.scans - 5);
    assert!(working <= 8, "{working} requests for 51 blocks: {:?}", asked.calls);
    assert_eq!(recorder.told().hashes(), paid);
}

#[tokio::test]
async fn more_payments_in_one_block_than_one_batch_holds_are_all_handed_on() {
    let anvil = Anvil::start_without_mining().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    let mut paid = Vec::new();
    for wei in 1..=95 {
        paid.push(anvil.send(payer, shop, wei).await);
    }
    anvil.mine(3).await;
    let recorder = Recorder::of(anvil.chain(), Some(payments_to(shop, 1)));
    let told = recorder.until("the payments", |told| !told.blocks.is_empty()).await;
    assert_eq!(told.hashes(), paid);
    assert_eq!(told.blocks.len(), 1);
}

#[tokio::test]
async fn a_failed_or_empty_transfer_is_handed_on_only_if_its_hash_is_waited_for() {
    let anvil = Anvil::start().await;
    let (payer, shop) = (anvil.account(1), Address([0x77; 20]));
    anvil.set_code(shop, "0x60006000fd").await;
    let failing = |wei| {
        let mut transaction = transfer(payer, shop, wei);
        transaction["gas"] = json!("0xffff");
        transaction
    };
    let ignored = anvil.transact(failing(5)).await;
    let waited_for = anvil.transact(failing(6)).await;
    let elsewhere = anvil.send(payer, anvil.account(3), 7).await;
    anvil.set_code(shop, "0x").await;
    let empty = anvil.send(payer, shop, 0).await;
    let good = anvil.send(payer, shop, 8).await;
    anvil.finalize().await;
    let mut interest = payments_to(shop, 0);
    interest.hashes.extend([waited_for, elsewhere]);
    let recorder = Recorder::of(anvil.chain(), Some(interest));
    let told = recorder.until("the good one", |told| told.hashes().contains(&good)).await;
    assert_eq!(told.hashes(), [waited_for, elsewhere, good]);
    assert_eq!(told.transfers().iter().map(|transfer| transfer.succeeded).collect::<Vec<_>>(), [false, true, true]);
    assert!(!told.hashes().contains(&ignored) && !told.hashes().contains(&empty));
}

#[tokio::test]
async fn a_hash_that_is_waited_for_late_is_handed_on_without_reading_its_block_again() {
    let (anvil, proxy, chain) = counted().await;
    let hash = anvil.send(anvil.account(1), anvil.account(3), 5).await;
    anvil.mine(2).await;
    let recorder = Recorder::of(chain, Some(payments_to(anvil.account(2), 0)));
    proxy.until("both blocks", |asked| asked.blocks_read.len() == 3).await;
    recorder.until_more_turns(2).await;
    recorder.wait_for(hash);
    recorder.until("the inclusion", |told| told.included == [(hash, Some(1))]).await;
    anvil.mine(1).await;
    recorder.until("the transaction", |told| told.hashes() == [hash]).await;
    assert_eq!(proxy.asked().blocks_read, ["0x0", "0x1", "0x2", "0x3"]);
}

#[tokio::test]
async fn c7_a_payment_whose_block_vanished_is_taken_back_and_the_replacing_block_is_read() {
    let anvil = Anvil::start_without_mining().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    anvil.mine(3).await;
    let gone = anvil.send(payer, shop, 5).await;
    anvil.mine(1).await;
    let recorder = Recorder::of(anvil.chain(), Some(payments_to(shop, 0)));
    recorder.wait_for(gone);
    recorder.until("the inclusion", |told| told.included == [(gone, Some(4))]).await;
    anvil.reorg(1, &[(transfer(payer, shop, 7), 0)]).await;
    recorder.until("that it is gone", |told| told.included.ends_with(&[(gone, None)])).await;
    anvil.mine(2).await;
    let told = recorder.until("the replacing payment", |told| !told.hashes().is_empty()).await;
    let [payment] = &told.transfers()[..] else { panic!("one payment") };
    assert_eq!((payment.value, payment.block), (Amount::from_atomic(7), 4));
    assert_ne!(payment.hash, gone);
    assert_eq!(payment.block_hash, anvil.block_hash(4).await);
}

#[tokio::test]
async fn confirmations_are_followed_as_well_also_over_a_reorg() {
    let anvil = Anvil::start_without_mining().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    let finality = Finality::Confirmations(5);
    let chain = Chain::new(ChainSettings { finality, ..settings([anvil.url()]) });
    anvil.mine(20).await;
    let recorder = Recorder::of(chain, Some(payments_to(shop, 0)));
    recorder.until("the blocks", |told| told.height() == Some(15)).await;
    let gone = anvil.send(payer, shop, 5).await;
    recorder.wait_for(gone);
    anvil.mine(3).await;
    recorder.until("the inclusion", |told| told.included == [(gone, Some(21))]).await;
    anvil.reorg(3, &[(transfer(payer, shop, 7), 1)]).await;
    recorder.until("that it is gone", |told| told.included.ends_with(&[(gone, None)])).await;
    anvil.mine(4).await;
    let told = recorder.until("the replacing payment", |told| !told.hashes().is_empty()).await;
    assert_eq!(told.transfers()[0].block, 22);
    assert_eq!(told.height(), Some(22));
}

#[tokio::test]
async fn reading_goes_on_after_the_cursor_and_skips_what_nobody_waited_for() {
    let (anvil, proxy, chain) = counted().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    anvil.mine(40).await;
    let stored = cursor(&anvil, 10).await;
    let hash = anvil.send(payer, shop, 5).await;
    anvil.mine(3).await;
    let recorder = Recorder::of(chain.clone(), Some(after(stored, payments_to(shop, 41))));
    let told = recorder.until("the payment", |told| told.hashes() == [hash]).await;
    assert_eq!(told.height(), Some(41));
    assert_eq!(proxy.asked().blocks_read[0], "0x29");
    assert_eq!(told.changed, [0; 0]);
    drop(recorder);

    // A restart: what was handed on is not read again, although something lower is waited for.
    let again = Recorder::of(chain, Some(after(told.blocks[0].cursor, payments_to(shop, 5))));
    anvil.mine(1).await;
    let told = again.until("the next block", |told| !told.blocks.is_empty()).await;
    assert_eq!((told.hashes().len(), told.height()), (0, Some(42)));
    let asked = proxy.asked();
    assert_eq!(asked.blocks_read.iter().filter(|height| *height == "0x29").count(), 1);
}
