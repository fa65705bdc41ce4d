//! A follower that keeps what it is told, in memory, where the till keeps it in the ledger.

use std::{collections::HashSet, sync::Arc};

use coinslot::{
    chain::{
        Chain, Cursor, FinalBlock, Follower, Interest, Transfer,
        follow::{NotTaken, follow},
    },
    evm::{Address, TxHash},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::anvil::PATIENCE;

#[derive(Clone, Debug, Default)]
pub struct Told {
    pub interest: Option<Interest>,
    /// How often it was asked for its interest.
    pub asked: usize,
    pub included: Vec<(TxHash, Option<u64>)>,
    pub blocks: Vec<FinalBlock>,
    pub changed: Vec<u64>,
    /// So many blocks it will not take.
    pub refusals: usize,
    /// So many times it will panic.
    pub panics: usize,
}

impl Told {
    pub fn transfers(&self) -> Vec<Transfer> {
        self.blocks.iter().flat_map(|block| block.transfers.clone()).collect()
    }

    pub fn hashes(&self) -> Vec<TxHash> {
        self.transfers().iter().map(|transfer| transfer.hash).collect()
    }

    pub fn height(&self) -> Option<u64> {
        self.interest.as_ref()?.cursor.map(|cursor| cursor.height)
    }
}

/// A clone is the same follower; the last one ends the following.
#[derive(Clone)]
pub struct Recorder {
    told: watch::Sender<Told>,
    pub wake: Arc<Notify>,
    stop: CancellationToken,
    _stop: Arc<DropGuard>,
    following: Arc<JoinHandle<()>>,
}

struct Book(watch::Sender<Told>);

impl Follower for Book {
    async fn interest(&self) -> Option<Interest> {
        self.0.send_modify(|told| told.asked += 1);
        self.0.borrow().interest.clone()
    }

    async fn included(&self, seen: Vec<(TxHash, Option<u64>)>) {
        self.0.send_modify(|told| told.included.extend(seen));
    }

    async fn became_final(&self, block: FinalBlock) -> Result<(), NotTaken> {
        let mut is_refused = false;
        let mut panics = false;
        self.0.send_modify(|told| {
            if told.panics > 0 {
                told.panics -= 1;
                panics = true;
            } else if told.refusals > 0 {
                told.refusals -= 1;
                is_refused = true;
            } else {
                told.interest.as_mut().expect("nobody waits, and a block comes").cursor = Some(block.cursor);
                told.blocks.push(block);
            }
        });
        assert!(!panics, "a panic that the test asked for");
        if is_refused { Err(NotTaken("the ledger is away".to_owned())) } else { Ok(()) }
    }

    async fn changed_below(&self, height: u64, _why: String) {
        self.0.send_modify(|told| told.changed.push(height));
    }
}

impl Recorder {
    /// Starts following.
    pub fn of(chain: Chain, interest: Option<Interest>) -> Self {
        let told = watch::Sender::new(Told { interest, ..Told::default() });
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let following = tokio::spawn(follow(chain, Book(told.clone()), wake.clone(), stop.clone()));
        Self { told, wake, stop: stop.clone(), _stop: Arc::new(stop.drop_guard()), following: Arc::new(following) }
    }

    /// Ends the following, and waits until it has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        let following = Arc::into_inner(self.following).expect("the last of its clones");
        tokio::time::timeout(PATIENCE, following).await.expect("it stops").expect("it did not panic");
    }

    pub fn told(&self) -> Told {
        self.told.borrow().clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Told)) {
        self.told.send_modify(change);
    }

    pub fn wait_for(&self, hash: TxHash) {
        self.change(|told| {
            told.interest.as_mut().unwrap().hashes.insert(hash);
        });
    }

    /// Waits until it was told what is looked for.
    #[track_caller]
    pub fn until(&self, what: &'static str, is: impl Fn(&Told) -> bool) -> impl Future<Output = Told> {
        let mut told = self.told.subscribe();
        async move {
            let found = tokio::time::timeout(PATIENCE, told.wait_for(|told| is(told))).await.map(|told| told.unwrap().clone());
            found.unwrap_or_else(|_| panic!("it was never told: {what}; it was told {:?}", told.borrow()))
        }
    }

    /// Wakes it so many times, and waits each time until it has come round.
    pub async fn wake_for_turns(&self, turns: usize) {
        for _ in 0..turns {
            let turn = self.until_more_turns(1);
            self.wake.notify_one();
            turn.await;
        }
    }

    /// Waits until the follower came round so many times more.
    pub fn until_more_turns(&self, more: usize) -> impl Future<Output = Told> {
        let before = self.told().asked;
        self.until("another turn", move |told| told.asked >= before + more)
    }
}

/// Everything that pays this address from here on.
pub fn payments_to(pay_to: Address, from_block: u64) -> Interest {
    Interest { pay_to, former: Vec::new(), hashes: HashSet::new(), from_block, cursor: None }
}

pub fn after(cursor: Cursor, interest: Interest) -> Interest {
    Interest { cursor: Some(cursor), ..interest }
}
