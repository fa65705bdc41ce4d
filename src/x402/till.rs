//! The till: joins the chain's follower with the books.
//!
//! A request only writes a `waiting` run and rings. Everything that needs the chain happens here, by whichever instance holds the network's
//! lease: a new hash is looked up once; from then on final blocks bring what became of it. A deposit is written before anything is judged,
//! so a crash between the two is picked up by the next look at the waiting runs.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

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
};
use crate::{
    chain::{Chain, Cursor, FinalBlock, Follower, Interest, Sighting, Transfer, Unavailable, follow},
    error::{CallError, Code},
    evm::TxHash,
    ledger::{AuthorizationState, Books, BooksError, Deposit, HeldOrNot, How, Run, RunAuthorization, deposits::ReadTo},
    money::{Amount, Asset, Money},
    run::RunState,
};

/// How long an instance follows a network without renewing; another one takes over after that.
const LEASE_MS: i64 = 10_000;
/// Look-ups of new hashes that are under way at once.
const LOOKUPS: usize = 8;
/// A hash that was not found is looked up again after so long: the first answer may have come from a node that lagged.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Between two looks at payments that nobody asks about any more.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
/// A run that was held off (its payer's runs fail too often) is not tried again sooner.
const HELD_OFF: Duration = Duration::from_secs(60);

/// For one attempt to settle what is settled before the work; the next look begins another.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);

/// Transactions whose calls are being asked for at once.
const TRACED_AT_ONCE: usize = 4;

/// Starts one follower per network, and beside it who looks that nothing arrives unseen.
pub fn start(desk: &Desk, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    desk.chains
        .iter()
        .map(|chain| {
            let (desk, chain, stop) = (desk.clone(), chain.clone(), stop.clone());
            let (lease, booked) = (Lease::of(&chain.network().id), Arc::new(Notify::new()));
            let till = Till::new(desk.clone(), chain.clone(), lease.clone(), booked.clone());
            let arrivals = Arrivals::new(desk.clone(), chain.clone(), lease.clone(), booked);
            tokio::spawn(async move {
                tokio::join!(follow::follow(chain, till, desk.waiting.clone(), stop.clone()), arrivals.look_after(stop));
                lease.give_up(&desk.books).await;
            })
        })
        .collect()
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
    /// For each hash that was looked up and not found: the lowest block that can hold it, and when that was.
    since: Arc<Mutex<HashMap<TxHash, (u64, Instant)>>>,
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

impl Till {
    fn new(desk: Desk, chain: Chain, lease: Lease, booked: Arc<Notify>) -> Self {
        Self {
            desk,
            chain,
            lease,
            booked,
            since: Arc::default(),
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
            match (run.deposit_block, native::transaction_of(&run.proof)) {
                (None, Some(hash)) => unseen.push(hash),
                // Its money is here, or it is paid from credit: only a crash, or a pause, left it waiting.
                _ if !self.held_off.contains_key(&run.id) => self.judge(&run).await?,
                _ => {}
            }
        }
        // Shown beside no call: what they bring is their payers' credit all the same.
        unseen.extend(books.followed_transactions(network, now).await?);
        if self.looked_back_ms.load(Ordering::Relaxed) < now - LOOK_BACK_MS {
            self.looked_back_ms.store(now, Ordering::Relaxed);
            self.look_back(now).await?;
        }
        self.settle_signed(now).await?;
        self.replaced.look(&self.desk, &self.chain).await?;
        let watches = books.followed_watches(network, now).await?;
        let hashes = self.look_up(unseen).await?;
        if hashes.is_empty() && watches.is_empty() {
            return Ok(None);
        }
        let from_block =
            hashes.values().map(|(block, _)| *block).chain(watches.iter().map(|watch| watch.from_block + 1)).min().unwrap_or(0);
        Ok(Some(Interest {
            pay_to: self.desk.pay_to,
            former: self.desk.recipients().split_off(1),
            hashes: hashes.into_keys().collect(),
            from_block,
            cursor: books.read_to(network).await?.map(|at| Cursor { height: at.height, hash: at.hash }),
        }))
    }

    /// A payment may come hours after its payer has closed the tab: what nobody asks about any more is looked up now and then.
    async fn look_back(&self, now: i64) -> Result<(), BooksError> {
        for run in self.desk.books.waiting_unasked(self.network(), now).await? {
            // Credit is never spent behind its owner's back: a call from it waits until he shows it again.
            let Some(hash) = native::transaction_of(&run.proof) else { continue };
            if run.deposit_block.is_none() {
                let Ok(Sighting::Final(transfer)) = self.chain.lookup(hash).await else { continue };
                match native::deposit_of(&transfer, self.network(), &self.desk.recipients(), How::Hash) {
                    Ok(deposit) => drop(self.desk.books.deposit(&deposit, now).await?),
                    Err(Inside::Refused(why)) => {
                        self.desk.books.void(&run.id, &why, now).await?;
                        continue;
                    }
                    Err(Inside::Perhaps) => {
                        self.find_out(transfer);
                        continue;
                    }
                }
            }
            self.judge(&run).await?;
        }
        for hash in self.desk.books.followed_unasked(self.network(), now).await? {
            if let Ok(Sighting::Final(transfer)) = self.chain.lookup(hash).await {
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

    /// Looks new hashes up, and again after a while. Returns those that only a later block can tell about.
    async fn look_up(&self, unseen: Vec<TxHash>) -> Result<HashMap<TxHash, (u64, Instant)>, BooksError> {
        let mut since = self.since.lock().await;
        let wanted: HashSet<_> = unseen.iter().copied().collect();
        since.retain(|hash, _| wanted.contains(hash));
        let new: Vec<_> =
            wanted.into_iter().filter(|hash| since.get(hash).is_none_or(|(_, at)| at.elapsed() > LOOK_AGAIN)).collect();
        if new.is_empty() {
            return Ok(since.clone());
        }
        // Asked for before the look-ups: what they do not find is in a later block than this one.
        let Ok(head) = self.chain.final_head().await else { return Ok(since.clone()) };
        let seen: Vec<_> = stream::iter(new)
            .map(|hash| async move { (hash, self.chain.lookup(hash).await) })
            .buffer_unordered(LOOKUPS)
            .collect::<Vec<(TxHash, Result<Sighting, Unavailable>)>>()
            .await;
        for (hash, sighting) in seen {
            let mut note = |hash| {
                let lowest = since.get(&hash).map_or(head + 1, |(known, _)| *known.min(&(head + 1)));
                since.insert(hash, (lowest, Instant::now()));
            };
            match sighting {
                // Unknown is not no: it is looked up again with the next look.
                Err(_) => {}
                Ok(Sighting::NotSeen) => match self.elsewhere(hash).await? {
                    Some(why) => self.tell(hash, Some(why)).await?,
                    None => note(hash),
                },
                Ok(Sighting::Included(transfer)) => {
                    note(hash);
                    self.desk.books.set_included(self.network(), &native::proof_of(hash), Some(transfer.block)).await?;
                    self.changed_proof(hash).await?;
                }
                Ok(Sighting::Final(transfer)) => {
                    if !self.settle(&transfer, How::Hash).await? {
                        // Its calls are being asked for; until that is told, it is looked up no more often than others.
                        note(hash);
                    }
                }
            }
        }
        Ok(since.clone())
    }

    /// Was it sent on another of the shop's networks? Then here it is waited for in vain. What it brought is its payer's credit over there.
    async fn elsewhere(&self, hash: TxHash) -> Result<Option<CallError>, BooksError> {
        let others = self.desk.chains.iter().filter(|chain| chain.network().id != self.network());
        for chain in others.filter(|chain| !self.desk.is_halted(&chain.network().id)) {
            let Ok(Sighting::Final(transfer)) = chain.lookup(hash).await else { continue };
            let network = chain.network();
            let arrived = match brought(&self.desk, chain, &transfer, How::Hash).await? {
                Brought::Deposits(deposits) => {
                    self.book(&deposits).await?;
                    format!("What it brought is its payer's credit on {}: one click away there.", network.name)
                }
                Brought::Nothing(_) => "It did not pay this shop.".to_owned(),
                Brought::Arrived | Brought::Unknown => return Ok(None),
            };
            let sentence =
                format!("This payment is on {}, and the offer was for {}. {arrived}", network.name, self.chain.network().name);
            return Ok(Some(CallError::saying(Code::WrongNetwork, sentence).with_transaction(hash)));
        }
        Ok(None)
    }

    /// Books one final transaction, whatever it did, and judges who waits for it. `false`: its calls have to be asked for first.
    async fn settle(&self, transfer: &Transfer, how: How) -> Result<bool, BooksError> {
        match native::deposit_of(transfer, self.network(), &self.desk.recipients(), how) {
            Ok(deposit) => {
                self.book(&[deposit]).await?;
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

    async fn book(&self, deposits: &[Deposit]) -> Result<(), BooksError> {
        for deposit in deposits {
            if self.desk.books.deposit(deposit, now_ms()).await? {
                log_deposit(deposit, deposit.transaction);
            }
        }
        Ok(())
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
                self.book(&deposits).await?;
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
        for run in self.desk.books.waiting(self.network(), now_ms()).await?.iter().filter(|run| run.proof == proof) {
            match &refused {
                Some(why) => {
                    self.desk.books.void(&run.id, why, now_ms()).await?;
                    self.desk.ring(&run.id);
                }
                None => self.judge(run).await?,
            }
        }
        Ok(())
    }

    async fn changed_proof(&self, hash: TxHash) -> Result<(), BooksError> {
        let proof = native::proof_of(hash);
        for run in self.desk.books.waiting(self.network(), now_ms()).await?.iter().filter(|run| run.proof == proof) {
            self.desk.ring(&run.id);
        }
        Ok(())
    }

    async fn judge(&self, run: &Run) -> Result<(), BooksError> {
        if let Judged::HeldOff = judge(&self.desk, run).await? {
            self.held_off.insert(run.id.clone(), ()).await;
        }
        Ok(())
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
            let missing = CallError::saying(
                Code::AmountTooLow,
                format!("That is not enough yet: the price is {price}, and your credit is {}.", price.with(balance)),
            );
            desk.books.void(&run.id, &missing.with_credit(price.with(balance)), now).await?;
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
            error!(network = self.network(), %cause, source = ?std::error::Error::source(&cause), "the waiting payments cannot be read");
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

    async fn changed_below(&self, height: u64) {
        error!(
            network = self.network(),
            height, "a final block has changed: payments on this network stop until an operator looks"
        );
        if let Err(cause) = self.desk.books.halt_network(self.network(), height).await {
            error!(network = self.network(), %cause, "the halt could not be stored");
        }
        self.desk.set_halted(self.network());
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
