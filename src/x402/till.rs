//! The till: joins the chain's follower with the books.
//!
//! A request only writes a `waiting` run and rings. Everything that needs the chain happens here, by whichever instance holds the network's
//! lease: a new hash is looked up beside the block reader (`Till::look_up`); from then on final blocks bring what became of it. A deposit is written
//! before anything is judged, so a crash between the two is picked up by the next look at the waiting runs.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, stream};
use tokio::{
    sync::{Mutex, Notify, Semaphore},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    arrivals::Arrivals,
    authorization::Refused,
    brought::{Brought, brought},
    desk::{Desk, now_ms},
    native::{self, Inside},
    replaced::Replaced,
    settling::{self, Settlement},
    unseen,
};
use crate::{
    chain::{Chain, Cursor, FinalBlock, Follower, Interest, Sighting, Transfer, follow},
    error::{CallError, Code},
    evm::TxHash,
    ledger::{AuthorizationState, Books, BooksError, Deposit, HeldOrNot, How, Run, RunAuthorization, deposits::ReadTo},
    money::{Amount, Asset, Money},
    run::RunState,
};

/// How long an instance follows a network without renewing; another one takes over after that.
const LEASE_MS: i64 = 10_000;
/// Look-ups that are under way at once, of one network; and in one round, after which new hashes have their turn.
const LOOKUPS: usize = 8;
const LOOKUPS_MAX: usize = 64;
/// A hash that was not found is looked up again after so long: the first answer may have come from a node that lagged.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Sooner for the first time: the block reader was not told of it while it was looked up, and may have gone past its block.
const LOOK_AGAIN_FIRST: Duration = Duration::from_secs(2);
/// Between two looks at payments that nobody asks about any more.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
/// A run that was held off (its payer's runs fail too often) is not tried again sooner.
const HELD_OFF: Duration = Duration::from_secs(60);

/// For one attempt to settle what is settled before the work; the next look begins another.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);

/// Between two attempts to store that a network is halted, at most.
const HALT_STORED_EVERY: Duration = Duration::from_secs(15);

/// Transactions whose calls are being asked for at once.
const TRACED_AT_ONCE: usize = 4;

/// Starts one follower per network, and beside it who looks that nothing arrives unseen.
pub fn start(desk: &Desk, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    desk.chains.iter().map(|chain| tokio::spawn(follow_one(desk.clone(), chain.clone(), stop.clone()))).collect()
}

/// The same for one network, until `stop`.
pub async fn follow_one(desk: Desk, chain: Chain, stop: CancellationToken) {
    let (lease, booked) = (Lease::of(&chain.network().id), Arc::new(Notify::new()));
    let till = Till::new(desk.clone(), chain.clone(), lease.clone(), booked.clone());
    let arrivals = Arrivals::new(desk.clone(), chain.clone(), lease.clone(), booked);
    tokio::join!(follow::follow(chain, till, desk.waiting.clone(), stop.clone()), arrivals.look_after(stop));
    lease.give_up(&desk.books).await;
}

/// The right to follow a network: one instance's at a time.
#[derive(Clone)]
pub(super) struct Lease {
    name: String,
    /// This process.
    holder: String,
    /// Until when it is ours, Unix milliseconds. Held while the books are asked, so that giving up comes after the last renewal.
    until: Arc<Mutex<i64>>,
}

/// The name of the right to follow a network.
pub fn lease_name(network: &str) -> String {
    format!("follow/{network}")
}

impl Lease {
    fn of(network: &str) -> Self {
        Self { name: lease_name(network), holder: uuid::Uuid::new_v4().to_string(), until: Arc::default() }
    }

    /// Is it ours? Renewed when half of it is over, not at every look. In a task of its own: who is stopped while asking still knows.
    pub(super) async fn hold(&self, books: &Books, now: i64) -> Result<bool, BooksError> {
        let mut until = self.until.clone().lock_owned().await;
        if *until >= now + LEASE_MS / 2 {
            return Ok(true);
        }
        let (books, lease) = (books.clone(), self.clone());
        let asked = tokio::spawn(async move {
            let ours = books.lease_name(&lease.name, &lease.holder, now, LEASE_MS).await?;
            *until = if ours { now + LEASE_MS } else { 0 };
            Ok(ours)
        });
        asked.await.unwrap_or(Ok(false))
    }

    /// Another instance need not wait for its end. If this fails, it waits.
    async fn give_up(&self, books: &Books) {
        let _asked = self.until.lock().await;
        let _ = books.give_up_name(&self.name, &self.holder).await;
    }
}

/// A clone is the same till.
#[derive(Clone)]
struct Till {
    desk: Desk,
    chain: Chain,
    lease: Lease,
    /// Rung when a block was booked.
    booked: Arc<Notify>,
    /// For each hash that is looked up, or was and is not final.
    since: Arc<Mutex<HashMap<TxHash, Since>>>,
    /// The lowest block that can hold what strangers show and no row is written for. `None`: nobody does.
    sought_from: Arc<Mutex<Option<u64>>>,
    /// A round of look-ups is under way; and one of looks back.
    looking_up: Arc<AtomicBool>,
    looking_back: Arc<AtomicBool>,
    looked_back_ms: Arc<AtomicI64>,
    /// Whether the books know where visitors pay to.
    has_met: Arc<AtomicBool>,
    /// Ids of runs whose authorization a task of ours looks after, and hashes whose calls one asks for.
    settling: Arc<std::sync::Mutex<HashSet<String>>>,
    tracing: Arc<Semaphore>,
    /// Transactions whose calls brought nothing: the next one who shows such a one costs no node anything.
    nothing: moka::future::Cache<TxHash, CallError>,
    held_off: moka::future::Cache<String, ()>,
    replaced: Replaced,
}

/// What the look-ups of a hash said.
#[derive(Clone, Copy)]
struct Since {
    /// The lowest block that can hold it.
    block: u64,
    /// The last of them that was answered, and how many were.
    at: Instant,
    looks: u32,
}

impl Since {
    fn is_due(&self) -> bool {
        match self.looks {
            0 => true,
            1 => self.at.elapsed() > LOOK_AGAIN_FIRST,
            _ => self.at.elapsed() > LOOK_AGAIN,
        }
    }
}

impl Till {
    fn new(desk: Desk, chain: Chain, lease: Lease, booked: Arc<Notify>) -> Self {
        Self {
            desk,
            chain,
            lease,
            booked,
            since: Arc::default(),
            sought_from: Arc::default(),
            looking_up: Arc::default(),
            looking_back: Arc::default(),
            looked_back_ms: Arc::default(),
            has_met: Arc::default(),
            settling: Arc::default(),
            tracing: Arc::new(Semaphore::new(TRACED_AT_ONCE)),
            nothing: moka::future::Cache::builder().max_capacity(10_000).time_to_live(HELD_OFF).build(),
            held_off: moka::future::Cache::builder().max_capacity(10_000).time_to_live(HELD_OFF).build(),
            replaced: Replaced::new(),
        }
    }

    fn network(&self) -> &str {
        &self.chain.network().id
    }

    async fn look(&self) -> Result<Option<Interest>, BooksError> {
        let (books, network, now) = (&self.desk.books, self.network(), now_ms());
        if books.halted(network).await?.is_some() {
            self.desk.set_halted(network);
            return Ok(None);
        }
        if self.desk.is_halted(network) {
            // An operator has looked. Who follows forgets what it held against the chain, and begins anew at once.
            self.desk.set_open(network);
            info!(network, "payments on {} are taken again", self.chain.network().name);
            self.desk.waiting.notify_waiters();
            return Ok(None);
        }
        if !self.lease.hold(books, now).await? {
            return Ok(None);
        }
        if !self.has_met.load(Ordering::Relaxed) {
            books.learn_recipients().await?;
            books.note_recipient(self.desk.pay_to).await?;
            self.has_met.store(true, Ordering::Relaxed);
        }
        self.desk.set_recipients(books.recipients().await?);
        let mut unseen = Vec::new();
        for run in books.waiting(network, now).await? {
            match native::transaction_of(&run.proof).filter(|_| !run.has_arrived) {
                Some(hash) => unseen.push(hash),
                // Its money is here, or it is paid from credit: only a crash, or a pause, left it waiting.
                None if !self.held_off.contains_key(&run.id) => self.judge(&run.id).await?,
                None => {}
            }
        }
        // Shown beside no call: what they bring is their payers' credit all the same.
        unseen.extend(books.followed_transactions(network, now).await?);
        if self.looked_back_ms.load(Ordering::Relaxed) < now - LOOK_BACK_MS {
            self.look_back(now);
        }
        self.settle_signed(now).await?;
        self.replaced.look(&self.desk, &self.chain).await?;
        let watches = books.followed_watches(network, now).await?;
        let (hashes, sought_from) = (self.look_up(unseen).await, self.sought_from(now).await);
        let from_blocks = hashes.values().map(|since| since.block).chain(watches.iter().map(|watch| watch.from_block + 1));
        let Some(from_block) = from_blocks.chain(sought_from).min() else { return Ok(None) };
        Ok(Some(Interest {
            pay_to: self.desk.pay_to,
            former: self.desk.recipients().split_off(1),
            hashes: hashes.into_keys().collect(),
            from_block,
            cursor: books.read_to(network).await?.map(|at| Cursor { height: at.height, hash: at.hash }),
        }))
    }

    /// While strangers show payments that no row is written for, blocks are read all the same: what pays us is booked, whatever was made up beside it.
    async fn sought_from(&self, now: i64) -> Option<u64> {
        let mut from = self.sought_from.lock().await;
        if !self.desk.unseen.is_sought(self.network(), now) {
            *from = None;
        } else if from.is_none() {
            // What is final already, the look at the balance finds.
            *from = self.chain.final_head().await.ok().map(|head| head + 1);
        }
        *from
    }

    /// A payment may come hours after its payer has closed the tab: what nobody asks about any more is looked up now and then, in a task of its own.
    fn look_back(&self, now: i64) {
        if self.looking_back.swap(true, Ordering::Relaxed) {
            return;
        }
        self.looked_back_ms.store(now, Ordering::Relaxed);
        let till = self.clone();
        tokio::spawn(async move {
            let _round = Round(till.looking_back.clone());
            if let Err(cause) = till.look_back_now(now).await {
                error!(network = till.network(), %cause, "what was looked back at could not be stored");
            }
        });
    }

    async fn look_back_now(&self, now: i64) -> Result<(), BooksError> {
        let mut hashes: HashSet<TxHash> = self.desk.books.followed_unasked(self.network(), now).await?.into_iter().collect();
        for run in self.desk.books.waiting_unasked(self.network(), now).await? {
            // Credit is never spent behind its owner's back: a call from it waits until he shows it again.
            let Some(hash) = native::transaction_of(&run.proof) else { continue };
            if run.has_arrived {
                self.judge(&run.id).await?;
            } else {
                hashes.insert(hash);
            }
        }
        let mut looked = stream::iter(hashes).map(|hash| self.chain.lookup(hash)).buffer_unordered(LOOKUPS);
        while let Some(sighting) = looked.next().await {
            if let Ok(Sighting::Final(transfer)) = sighting {
                self.settle(&transfer, How::Hash).await?;
            }
        }
        Ok(())
    }

    /// Payments that were signed for and that no worker looks after: those that are settled before the work, and those whose time is over. Each
    /// takes its time, so each has a task of its own.
    async fn settle_signed(&self, now: i64) -> Result<(), BooksError> {
        for run in self.desk.books.unsettled(self.network(), now).await? {
            if !self.desk.looks.is_time(&run.id, now) {
                continue;
            }
            let is_new = self.settling.lock().is_ok_and(|mut settling| settling.insert(run.id.clone()));
            if is_new {
                let (desk, settling) = (self.desk.clone(), self.settling.clone());
                tokio::spawn(async move {
                    let _looked_after = LookedAfter { settling, run: run.id.clone() };
                    settle_signed(&desk, &run).await;
                });
            }
        }
        Ok(())
    }

    /// Has new hashes looked up, and again after a while, in a task of its own: however many there are, and however long a node takes, the block reader
    /// reads on. Returns those that a later block can tell about.
    async fn look_up(&self, unseen: Vec<TxHash>) -> HashMap<TxHash, Since> {
        let wanted: HashSet<_> = unseen.into_iter().collect();
        let mut since = self.since.lock().await;
        since.retain(|hash, _| wanted.contains(hash));
        let is_due = |hash: &TxHash| since.get(hash).is_none_or(Since::is_due);
        let mut due: Vec<_> = wanted.into_iter().filter(is_due).collect();
        // New ones first, then those that wait for the longest time.
        due.sort_by_key(|hash| since.get(hash).map(|since| since.at));
        due.truncate(LOOKUPS_MAX);
        if !due.is_empty() && !self.looking_up.swap(true, Ordering::Relaxed) {
            let till = self.clone();
            tokio::spawn(async move {
                let _round = Round(till.looking_up.clone());
                if let Err(cause) = till.look_up_now(due).await {
                    error!(network = till.network(), %cause, "what was looked up could not be stored");
                }
            });
        }
        since.clone()
    }

    async fn look_up_now(&self, due: Vec<TxHash>) -> Result<(), BooksError> {
        // Asked for before the look-ups: what they do not find is in a later block than this one.
        let Ok(head) = self.chain.final_head().await else { return Ok(()) };
        let has_new = {
            let (mut since, at) = (self.since.lock().await, Instant::now());
            let before = since.len();
            for hash in &due {
                let noted = since.entry(*hash).or_insert(Since { block: head + 1, at, looks: 0 });
                noted.block = noted.block.min(head + 1);
            }
            since.len() > before
        };
        if has_new {
            // The block reader is to look for them as well from here on, and may be at rest: one of them may become final meanwhile.
            self.desk.waiting.notify_waiters();
        }
        let look = |hash| async move { (hash, self.look_up_one(hash).await) };
        let mut looked = stream::iter(due).map(look).buffer_unordered(LOOKUPS);
        while let Some((hash, answered)) = looked.next().await {
            // Unknown is not no: without an answer it is looked up again with the next look.
            if answered? && let Some(since) = self.since.lock().await.get_mut(&hash) {
                (since.at, since.looks) = (Instant::now(), since.looks.saturating_add(1));
            }
        }
        Ok(())
    }

    /// `false`: no node answers.
    async fn look_up_one(&self, hash: TxHash) -> Result<bool, BooksError> {
        // Its blocks are read meanwhile: not seen by one node is not seen yet.
        match self.chain.sight(hash).await {
            Err(_) => return Ok(false),
            Ok(Sighting::NotSeen) => {
                if let Some(why) = unseen::elsewhere(&self.desk, self.network(), hash).await? {
                    self.tell(hash, Some(why)).await?;
                }
            }
            Ok(Sighting::Included(transfer)) => {
                self.desk.books.set_included(self.network(), &native::proof_of(hash), Some(transfer.block)).await?;
                self.changed_proof(hash).await?;
            }
            // Where its calls have to be asked for first, it is looked up no more often than others until that is told.
            Ok(Sighting::Final(transfer)) => {
                self.settle(&transfer, How::Hash).await?;
            }
        }
        Ok(true)
    }

    /// Books one final transaction, whatever it did, and judges who waits for it. `false`: its calls have to be asked for first.
    async fn settle(&self, transfer: &Transfer, how: How) -> Result<bool, BooksError> {
        match native::deposit_of(transfer, self.network(), &self.desk.recipients(), how) {
            Ok(deposit) => {
                unseen::book(&self.desk, &[deposit]).await?;
                self.tell(transfer.hash, None).await?;
            }
            Err(Inside::Refused(why)) => self.tell(transfer.hash, Some(why)).await?,
            Err(Inside::Perhaps) => match self.nothing.get(&transfer.hash).await {
                Some(why) => self.tell(transfer.hash, Some(why)).await?,
                None => {
                    self.find_out(transfer.clone());
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }

    /// What a transaction's calls brought, in a task of its own: nodes take their time for it, and blocks do not wait.
    fn find_out(&self, transfer: Transfer) {
        let key = native::proof_of(transfer.hash);
        if !self.settling.lock().is_ok_and(|mut settling| settling.insert(key.clone())) {
            return;
        }
        let till = self.clone();
        tokio::spawn(async move {
            let _looked_after = LookedAfter { settling: till.settling.clone(), run: key };
            let Ok(_permit) = till.tracing.acquire().await else { return };
            let (network, transaction) = (till.network(), transfer.hash);
            if let Err(cause) = till.find_out_now(&transfer).await {
                error!(network, %transaction, %cause, "what transaction {transaction} brought could not be stored");
            }
        });
    }

    async fn find_out_now(&self, transfer: &Transfer) -> Result<(), BooksError> {
        let (books, network, proof) = (&self.desk.books, self.network(), native::proof_of(transfer.hash));
        match brought(&self.desk, &self.chain, transfer, How::Hash).await? {
            Brought::Deposits(deposits) => {
                unseen::book(&self.desk, &deposits).await?;
                self.tell(transfer.hash, None).await?;
                // Whoever shows it next is told at once, too.
                self.since.lock().await.remove(&transfer.hash);
                Ok(())
            }
            Brought::Nothing(why) => {
                self.nothing.insert(transfer.hash, why.clone()).await;
                self.tell(transfer.hash, Some(why)).await?;
                self.since.lock().await.remove(&transfer.hash);
                Ok(())
            }
            told @ (Brought::Arrived | Brought::Unknown) => {
                books.set_included(network, &proof, Some(transfer.block)).await?;
                if told == Brought::Arrived {
                    let why = CallError::from(Code::PayerUnknown).with_transaction(transfer.hash);
                    books.note_unattributed(network, &proof, &why).await?;
                }
                self.changed_proof(transfer.hash).await
            }
        }
    }

    /// Tells every waiting run with this transaction what became of it.
    async fn tell(&self, hash: TxHash, refused: Option<CallError>) -> Result<(), BooksError> {
        let proof = native::proof_of(hash);
        if refused.is_some() {
            self.desk.books.forget_transaction(self.network(), &proof).await?;
        }
        for run in self.desk.books.waiting_for(self.network(), &proof).await? {
            match &refused {
                Some(why) => {
                    self.desk.books.void(&run, why, now_ms()).await?;
                    self.desk.ring(&run);
                }
                None => self.judge(&run).await?,
            }
        }
        Ok(())
    }

    async fn changed_proof(&self, hash: TxHash) -> Result<(), BooksError> {
        for run in self.desk.books.waiting_for(self.network(), &native::proof_of(hash)).await? {
            self.desk.ring(&run);
        }
        Ok(())
    }

    /// By its id: the row, with its input, is read when its money is here, and not before.
    async fn judge(&self, run: &str) -> Result<(), BooksError> {
        let Some(run) = self.desk.books.run(run).await? else { return Ok(()) };
        if let Judged::HeldOff = judge(&self.desk, &run).await? {
            self.held_off.insert(run.id, ()).await;
        }
        Ok(())
    }
}

/// A round of looks; it ends when it is dropped, however that comes about.
struct Round(Arc<AtomicBool>);

impl Drop for Round {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// While it lives, no other task of ours takes the run; it ends with its task, however that ends.
struct LookedAfter {
    settling: Arc<std::sync::Mutex<HashSet<String>>>,
    run: String,
}

impl Drop for LookedAfter {
    fn drop(&mut self) {
        if let Ok(mut settling) = self.settling.lock() {
            settling.remove(&self.run);
        }
    }
}

async fn settle_signed(desk: &Desk, run: &Run) {
    if let Err(cause) = try_settle_signed(desk, run).await {
        error!(run.id = %run.id, %cause, "what became of the authorization of run {} could not be stored", run.id);
    }
}

async fn try_settle_signed(desk: &Desk, run: &Run) -> Result<(), BooksError> {
    let waits = run.state == RunState::Waiting;
    let valid_before_ms = run.authorization.as_ref().map_or(0, |signed| signed.valid_before_ms);
    let is_good_for_longer = !waits && valid_before_ms > now_ms();
    if is_good_for_longer && let Ok(Some(block)) = settling::unused_up_to(desk, run).await {
        return look_later(desk, run, Some(block)).await;
    }
    let settlement = if waits {
        settling::settle(desk, run, SETTLE_PATIENCE).await
    } else {
        match settling::became_of(desk, run).await {
            Ok(Some(settlement)) => settlement,
            Ok(None) | Err(_) if is_good_for_longer => return look_later(desk, run, None).await,
            // Its time is not over for the final blocks yet, or no node answers.
            Ok(None) | Err(_) => Settlement::Unknown,
        }
    };
    let failed = |why: &Refused| CallError::from(Code::SettlementFailed).with_reason(&why.reason);
    let is_told = match &settlement {
        Settlement::Settled { deposit, of } => {
            let is_new = desk.books.settle_one_of(&run.id, deposit, *of, now_ms()).await?;
            if is_new {
                log_deposit(deposit, deposit.transaction);
            }
            let now = desk.books.run(&run.id).await?;
            // By somebody else, if not by us; or not at all.
            let is_settled = now
                .as_ref()
                .and_then(|now| now.authorization.as_ref())
                .is_some_and(|paid| paid.state == AuthorizationState::Settled);
            if let (true, true, Some(now)) = (waits, is_settled, &now) {
                judge(desk, now).await?;
            }
            is_settled
        }
        // It may still be sent by somebody else, until its time is over: then it is looked at once more.
        Settlement::Failed(why) => {
            desk.books.void(&run.id, &failed(why), now_ms()).await?;
            waits
        }
        Settlement::Over(why) => {
            desk.books.authorization_over(&run.id, &failed(why), now_ms()).await?;
            true
        }
        Settlement::Unknown => false,
    };
    match is_told {
        true => desk.looks.is_over(&run.id),
        false => drop(desk.looks.in_vain(&run.id, now_ms())),
    }
    desk.ring(&run.id);
    Ok(())
}

/// Its time is far off: the books say when it is looked at again, not [`super::looks`].
async fn look_later(desk: &Desk, run: &Run, seen_block: Option<u64>) -> Result<(), BooksError> {
    desk.looks.is_over(&run.id);
    desk.books.look_later(&run.id, seen_block, now_ms()).await
}

/// What became of a waiting run whose money, if it brought any, is in the books.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// Held, void, or somebody else was faster: the row says it.
    Told,
    /// Nothing changed: its payer's runs fail too often. Milliseconds are in the error.
    HeldOff,
}

/// Holds the price for a waiting run, or says why not. Safe to call twice.
pub async fn judge(desk: &Desk, run: &Run) -> Result<Judged, BooksError> {
    let now = now_ms();
    let price = match price_of(desk, run, now).await? {
        Ok(price) => price,
        Err(why) => {
            desk.books.void(&run.id, &why, now).await?;
            desk.ring(&run.id);
            return Ok(Judged::Told);
        }
    };
    match desk.books.hold(&run.id, &price.asset, price.amount, now).await? {
        HeldOrNot::Held(run) => {
            info!(run.id = %run.id, agent = %run.agent, payer = %run.payer, network = %run.network, proof = %run.proof, "run {} paid", run.id);
            desk.held.notify_one();
        }
        HeldOrNot::TooLow(balance) => {
            desk.books.void(&run.id, &too_little(&price, balance), now).await?;
        }
        HeldOrNot::NotWaiting(_) => {}
        HeldOrNot::FailingTooOften(wait_ms) => {
            // Nothing spends credit behind its owner's back: it is judged again when he shows it again.
            if native::transaction_of(&run.proof).is_none() {
                desk.books.void(&run.id, &CallError::from(Code::FailingTooOften).after_ms(wait_ms), now).await?;
            }
            return Ok(Judged::HeldOff);
        }
    }
    desk.ring(&run.id);
    Ok(Judged::Told)
}

/// What its payer has, in the price's asset, is less than the price.
pub(super) fn too_little(price: &Money, balance: Amount) -> CallError {
    let credit = price.with(balance);
    let sentence = format!("That is not enough yet: the price is {price}, and your credit is {credit}.");
    CallError::saying(Code::AmountTooLow, sentence).with_credit(credit)
}

/// The price of a waiting run: sealed, or today's.
async fn price_of(desk: &Desk, run: &Run, now: i64) -> Result<Result<Money, CallError>, BooksError> {
    // His own, where several paid in one transaction; else somebody else's, which is told.
    let mut deposits = desk.books.deposits_of(&run.network, &run.proof).await?;
    deposits.sort_by_key(|deposit| deposit.payer != run.payer);
    let deposit = deposits.into_iter().next();
    let asset = match (&deposit, &run.terms) {
        (Some(deposit), _) => deposit.asset.clone(),
        (None, Some(terms)) => terms.asset.clone(),
        (None, None) => Asset::native(&run.network),
    };
    let Some(today) = desk.agent(&run.agent).and_then(|agent| desk.price(agent.card, &asset)) else {
        return Ok(Err(Code::AgentUnavailable.into()));
    };
    let amount: Result<Amount, CallError> = match deposit {
        Some(deposit) => native::price_for(run, &deposit, today.amount, now),
        None if native::transaction_of(&run.proof).is_some() => Err(Code::PaymentNotFound.into()),
        // Paid from credit: the sealed price, while the offer holds. A request that went away before it was judged here keeps no old price.
        None => match &run.terms {
            Some(terms) if terms.expires_ms < now => Err(Code::OfferExpired.into()),
            Some(terms) => Ok(terms.price),
            None => Ok(today.amount),
        },
    };
    Ok(amount.map(|amount| today.with(amount)))
}

pub(super) fn log_deposit(deposit: &Deposit, hash: TxHash) {
    info!(network = %deposit.network, transaction = %hash, payer = %deposit.payer, block = deposit.block, "payment {hash} arrived");
}

impl Follower for Till {
    async fn interest(&self) -> Option<Interest> {
        self.look().await.unwrap_or_else(|cause| {
            if self.desk.seldom.is_time(&format!("waiting on {}", self.network())) {
                error!(network = self.network(), %cause, source = ?std::error::Error::source(&cause), "the waiting payments cannot be read");
            }
            None
        })
    }

    async fn included(&self, seen: Vec<(TxHash, Option<u64>)>) {
        for (hash, block) in seen {
            let noted = async {
                self.desk.books.set_included(self.network(), &native::proof_of(hash), block).await?;
                self.changed_proof(hash).await
            };
            // Only a stage on the page: the next block brings the truth.
            if let Err(cause) = noted.await {
                warn!(network = self.network(), %cause, "a stage could not be noted");
            }
        }
    }

    async fn became_final(&self, block: FinalBlock) -> Result<(), follow::NotTaken> {
        let not_taken = |cause: BooksError| follow::NotTaken(cause.to_string());
        let mut waiting: HashSet<_> = self
            .desk
            .books
            .waiting(self.network(), now_ms())
            .await
            .map_err(not_taken)?
            .into_iter()
            .map(|run| run.proof)
            .collect();
        let followed = self.desk.books.followed_transactions(self.network(), now_ms()).await.map_err(not_taken)?;
        waiting.extend(followed.into_iter().map(native::proof_of));
        let (mut deposits, mut refused) = (Vec::new(), Vec::new());
        let recipients = self.desk.recipients();
        for transfer in &block.transfers {
            let how = if waiting.contains(&native::proof_of(transfer.hash)) { How::Hash } else { How::Watch };
            match native::deposit_of(transfer, self.network(), &recipients, how) {
                Ok(deposit) => deposits.push((transfer.hash, deposit)),
                Err(Inside::Refused(why)) => refused.push((transfer.hash, why)),
                Err(Inside::Perhaps) => self.find_out(transfer.clone()),
            }
        }
        let rows: Vec<_> = deposits.iter().map(|(_, deposit)| deposit.clone()).collect();
        let read_to = ReadTo { height: block.cursor.height, hash: block.cursor.hash };
        self.desk.books.deposit_block(self.network(), read_to, &rows, now_ms()).await.map_err(not_taken)?;
        self.desk.books.note_read_time(self.network(), block.time_ms).await.map_err(not_taken)?;
        for (hash, deposit) in &deposits {
            log_deposit(deposit, *hash);
            self.tell(*hash, None).await.map_err(not_taken)?;
        }
        for (hash, why) in refused {
            self.tell(hash, Some(why)).await.map_err(not_taken)?;
        }
        self.booked.notify_waiters();
        Ok(())
    }

    async fn changed_below(&self, height: u64, why: String) {
        self.desk.set_halted(self.network());
        // Until the books know it, no other instance does, and this one would forget it at its next look.
        let mut pauses = ExponentialBuilder::new().with_max_delay(HALT_STORED_EVERY).with_jitter().without_max_times().build();
        while let Err(cause) = self.desk.books.halt_network(self.network(), height, &why, now_ms()).await {
            if self.desk.seldom.is_time(&format!("halting {}", self.network())) {
                error!(network = self.network(), %cause, "the halt could not be stored; it is tried again");
            }
            tokio::time::sleep(pauses.next().unwrap_or(HALT_STORED_EVERY)).await;
        }
    }
}

/// Where a waiting run's payment is, for the page (ux.md, C1).
pub fn stage_of(run: &Run) -> crate::error::Stage {
    use crate::error::Stage;
    let is_being_settled = |signed: &RunAuthorization| signed.answered && signed.state == AuthorizationState::Open;
    match run.state {
        // The agent has answered; what is waited for is the payment.
        RunState::Running if run.authorization.as_ref().is_some_and(is_being_settled) => Stage::Sent,
        RunState::Held | RunState::Running => Stage::Running,
        _ if run.deposit_block.is_some() || is_payer_unknown(run) => Stage::Final,
        _ if run.included_block.is_some() => Stage::Included,
        _ => Stage::Sent,
    }
}

/// Its payment arrived, and which account sent it is being found out.
pub fn is_payer_unknown(run: &Run) -> bool {
    run.state == RunState::Waiting && run.error.as_ref().is_some_and(|why| why.code == Code::PayerUnknown)
}
