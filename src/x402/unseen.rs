//! Payments that nobody has seen: what is asked and written down for them before a block has them.
//!
//! Wallets, signatures and hashes cost nothing to make. So a transaction that a wallet shows which is not known here is looked for first, once, and
//! its run is written down when a node has it and it pays this shop; until then the answer is 202 or 429, and the same payment is sent again. Nothing
//! is lost by that: what arrives is booked whoever told of it (`arrivals`), and then the same payment buys its call. The look-ups are bounded per
//! visitor's address and in all, wait beside the block reader and not in its way, and while anybody shows such a payment the block reader reads on: it
//! books every payment for one look per block, however many hashes were made up meanwhile.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::future::Cache;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use super::{
    brought::{Brought, brought},
    call::{Caller, broken},
    desk::{Desk, now_ms},
    native::{self, Inside},
    signer::{Allowance, Asks, Wait},
    till::log_deposit,
};
use crate::{
    chain::{Chain, Glance, Sighting, Transfer, Unavailable},
    error::{CallError, Code, Stage},
    evm::{Address, TxHash},
    ledger::{BooksError, Deposit, How, Known, awaited::UNSEEN_IN_ALL_MAX},
};

/// Look-ups for strangers per second and at once, of one network: a flood of hashes must not use up what payments need of the nodes.
const IN_ALL_PER_S: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
const IN_ALL_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
/// Of them under way at the same time; who finds no place within [`PLACE_TIME`] comes again.
const LOOKING_MAX: usize = 8;
const PLACE_TIME: Duration = Duration::from_secs(2);
/// For one look-up, whatever the node's own time is: somebody waits, and another look-up for the place.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// Transactions whose calls are asked for at once: a node takes its time for that.
const TRACING_MAX: usize = 2;
/// Requests that wait for their hash to be seen. Each holds its body; those beyond are told at once to come again.
const WAITING_MAX: usize = 16;
/// They look at the books so often, and at the chain so often.
const LOOK_AT_BOOKS: Duration = Duration::from_millis(250);
const LOOK_AT_CHAIN: Duration = Duration::from_secs(2);
/// Since a stranger showed a hash for the last time, the block reader goes on for so long.
const SOUGHT_MS: i64 = 30_000;
/// The same payment again after so long.
const AGAIN_MS: u64 = 1_000;
const LATER_MS: u64 = 2_000;
/// A hash is remembered for so long: it is a new one of its visitor's once, and without an end of its own it is said to be not found after
/// [`NOT_FOUND_MS`].
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
const REMEMBERED_MAX: u64 = 10_000;
const NOT_FOUND_MS: i64 = 2 * 60 * 1000;
/// Of a final transaction it is known for so long that it brought nothing.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// What is known of payments that nobody has seen, and how many look-ups there may be. One per process.
pub struct Unseen {
    networks: HashMap<String, OfNetwork>,
    /// When a hash was first shown by a wallet, Unix milliseconds.
    first: Cache<(TxHash, Address), i64>,
    /// Final transactions that brought their presenter nothing.
    nothing: Cache<(TxHash, Address), CallError>,
    waiting: Semaphore,
}

struct OfNetwork {
    in_all: DefaultDirectRateLimiter,
    looking: Semaphore,
    tracing: Semaphore,
    /// Unix milliseconds.
    sought_until: AtomicI64,
}

impl Unseen {
    /// `networks`: CAIP-2.
    pub fn on<'a>(networks: impl Iterator<Item = &'a str>) -> Self {
        let of_network = || OfNetwork {
            in_all: RateLimiter::direct(Quota::per_second(IN_ALL_PER_S).allow_burst(IN_ALL_AT_ONCE)),
            looking: Semaphore::new(LOOKING_MAX),
            tracing: Semaphore::new(TRACING_MAX),
            sought_until: AtomicI64::new(0),
        };
        Self {
            networks: networks.map(|network| (network.to_owned(), of_network())).collect(),
            first: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED).build(),
            nothing: Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(NOTHING_FOR).build(),
            waiting: Semaphore::new(WAITING_MAX),
        }
    }

    /// Does somebody show payments on this network that no row is written for? Then its blocks are read all the same.
    pub fn is_sought(&self, network: &str, now_ms: i64) -> bool {
        self.networks.get(network).is_some_and(|of| of.sought_until.load(Ordering::Relaxed) > now_ms)
    }

    /// The block reader reads on; if it rests, it is woken. Also for who is told to come again at once: that is how they are answered then.
    fn seek(&self, desk: &Desk, network: &str) {
        let (Some(of), now) = (self.networks.get(network), now_ms()) else { return };
        if of.sought_until.fetch_max(now.saturating_add(SOUGHT_MS), Ordering::Relaxed) <= now {
            desk.waiting.notify_waiters();
        }
    }
}

/// A transaction that somebody shows for a call.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// CAIP-2.
    pub network: &'a str,
    pub transaction: TxHash,
    /// As a session or a signature says.
    pub presenter: Address,
    /// It is a session that says so.
    pub has_session: bool,
    /// When what was signed is over, Unix milliseconds.
    pub until_ms: Option<i64>,
}

impl Shown<'_> {
    fn pending(&self, stage: Stage) -> CallError {
        CallError::from(Code::PaymentPending).with_transaction(self.transaction).at_stage(stage).after_ms(AGAIN_MS)
    }

    fn unavailable(&self) -> CallError {
        CallError::from(Code::VerifierUnavailable).with_transaction(self.transaction).after_ms(LATER_MS)
    }

    fn too_many(&self, wait_ms: u64) -> CallError {
        CallError::saying(
            Code::RateLimited,
            "Too many payments are shown right now that no block has yet. Nothing is lost: send the same payment again in a moment.",
        )
        .with_transaction(self.transaction)
        .after_ms(wait_ms)
    }

    async fn known(&self, desk: &Desk) -> Result<Known, CallError> {
        let proof = native::proof_of(self.transaction);
        desk.books.known(self.network, &proof, self.presenter, now_ms()).await.map_err(broken)
    }

    /// May a run be written down for it before anything is seen?
    async fn is_trusted(&self, desk: &Desk, known: Known) -> Result<bool, CallError> {
        if known.is_shown || known.is_theirs {
            return Ok(true);
        }
        if !known.has_history && !self.has_session {
            return Ok(false);
        }
        // What is booked is seen.
        Ok(known.is_booked || desk.books.unseen_in_all(self.network).await.map_err(broken)? < UNSEEN_IN_ALL_MAX)
    }
}

/// What one look came to.
#[allow(clippy::large_enum_variant)] // a `CallError` is the whole answer, made once and moved along
enum Found {
    /// It pays this shop from its presenter's account: it is in a block, or waits for one.
    Pays,
    /// A node knows it, and whether it pays this shop is not certain yet.
    Perhaps(Stage),
    Unknown,
    /// Nobody looked: there are too many.
    Later,
    /// It pays nothing, or somebody else did.
    Refused(CallError),
}

/// Returns when a run may be written down for a shown payment. `patience`: of its caller.
///
/// # Errors
/// Not yet, and the same payment is to be sent again (202, 410, 429, 503); or never: it is not its presenter's, or paid nothing.
pub async fn admit(desk: &Desk, caller: Caller<'_>, shown: &Shown<'_>, patience: Duration) -> Result<(), CallError> {
    let Some(chain) = desk.chain(shown.network) else { return Ok(()) };
    let known = shown.known(desk).await?;
    if shown.is_trusted(desk, known).await? {
        return Ok(());
    }
    if desk.unmet.has(shown.network) {
        return Err(shown.unavailable());
    }
    if known.is_booked {
        return Err(CallError::from(Code::PayerMismatch).with_transaction(shown.transaction));
    }
    desk.unseen.seek(desk, shown.network);
    let first_ms = first_shown(desk, caller.allowance, shown).await?;
    let not_found_ms = shown.until_ms.unwrap_or_else(|| first_ms.saturating_add(NOT_FOUND_MS));
    let until = Instant::now() + patience;
    let mut place = None;
    loop {
        let why = match look(desk, chain, shown).await? {
            Found::Pays => return Ok(()),
            Found::Refused(why) => return Err(why),
            Found::Perhaps(stage) => shown.pending(stage),
            Found::Unknown => shown.pending(Stage::Sent),
            Found::Later => shown.too_many(LATER_MS),
        };
        desk.unseen.seek(desk, shown.network);
        if place.is_none() {
            place = desk.unseen.waiting.try_acquire().ok();
        }
        let again = Instant::now() + LOOK_AT_CHAIN;
        loop {
            if now_ms() > not_found_ms {
                match desk.absent.is(chain, shown.transaction).await {
                    Some(true) => {}
                    // A block has it, and it is about to be booked; or nobody knows.
                    Some(false) => return Err(why),
                    None => return Err(shown.unavailable()),
                }
                let lost = CallError::from(Code::PaymentNotFound).with_transaction(shown.transaction);
                return Err(lost.after_ms(10_000));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || place.is_none() {
                return Err(why);
            }
            sleep(left.min(LOOK_AT_BOOKS)).await;
            // The block reader has it, or what looks at the balance.
            if shown.known(desk).await?.is_theirs {
                return Ok(());
            }
            if Instant::now() >= again {
                break;
            }
        }
    }
}

/// The same for what is followed without a call: few bytes, so that a node knows it is enough. `false`: not yet.
///
/// # Errors
/// As of [`admit`], where nothing is known.
pub async fn may_be_followed(desk: &Desk, caller: Caller<'_>, shown: &Shown<'_>) -> Result<bool, CallError> {
    let Some(chain) = desk.chain(shown.network) else { return Ok(false) };
    let known = shown.known(desk).await?;
    if known.is_booked || shown.is_trusted(desk, known).await? {
        return Ok(true);
    }
    desk.unseen.seek(desk, shown.network);
    first_shown(desk, caller.allowance, shown).await?;
    let Some(_place) = place(desk, shown.network).await else { return Ok(false) };
    Ok(glance(chain, shown).await? != Glance::Unknown)
}

/// When it was first shown, Unix milliseconds. A new one is counted against its visitor's address.
async fn first_shown(desk: &Desk, allowance: Option<&Allowance>, shown: &Shown<'_>) -> Result<i64, CallError> {
    let key = (shown.transaction, shown.presenter);
    if let Some(first_ms) = desk.unseen.first.get(&key).await {
        return Ok(first_ms);
    }
    if let Some(Err(Wait::Own(wait) | Wait::All(wait))) = allowance.map(|allowance| allowance.try_take(Asks::Unseen)) {
        return Err(shown.too_many(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(AGAIN_MS)));
    }
    let now = now_ms();
    desk.unseen.first.insert(key, now).await;
    Ok(now)
}

/// A place to look from. `None`: they are all taken, or were taken too often lately.
async fn place<'a>(desk: &'a Desk, network: &str) -> Option<tokio::sync::SemaphorePermit<'a>> {
    let of = desk.unseen.networks.get(network)?;
    of.in_all.check().ok()?;
    timeout(PLACE_TIME, of.looking.acquire()).await.ok()?.ok()
}

async fn look(desk: &Desk, chain: &Chain, shown: &Shown<'_>) -> Result<Found, CallError> {
    if let Some(why) = desk.unseen.nothing.get(&(shown.transaction, shown.presenter)).await {
        return Ok(Found::Refused(why));
    }
    let Some(_place) = place(desk, shown.network).await else { return Ok(Found::Later) };
    match glance(chain, shown).await? {
        Glance::Unknown => match elsewhere(desk, shown.network, shown.transaction).await.map_err(broken)? {
            Some(why) => nothing(desk, shown, why).await,
            None => Ok(Found::Unknown),
        },
        Glance::Waits { from, to, value } => {
            let is_to_us = to.is_some_and(|to| desk.recipients().contains(&to));
            match is_to_us && from == shown.presenter && !value.is_zero() {
                true => Ok(Found::Pays),
                false => Ok(Found::Perhaps(Stage::Sent)),
            }
        }
        Glance::Included => match in_time(shown, chain.lookup(shown.transaction)).await? {
            Sighting::NotSeen => Ok(Found::Unknown),
            Sighting::Included(transfer) => Ok(included(desk, shown, &transfer)),
            Sighting::Final(transfer) => finally(desk, chain, shown, &transfer).await,
        },
    }
}

async fn glance(chain: &Chain, shown: &Shown<'_>) -> Result<Glance, CallError> {
    in_time(shown, chain.glance(shown.transaction)).await
}

/// Unknown is not no.
async fn in_time<T>(shown: &Shown<'_>, asked: impl Future<Output = Result<T, Unavailable>>) -> Result<T, CallError> {
    match timeout(LOOK_TIME, asked).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(_)) | Err(_) => Err(shown.unavailable()),
    }
}

/// Its block may still vanish; who sent it, and to whom, never changes.
fn included(desk: &Desk, shown: &Shown<'_>, transfer: &Transfer) -> Found {
    match native::deposit_of(transfer, shown.network, &desk.recipients(), How::Hash) {
        Ok(deposit) if deposit.payer == shown.presenter => Found::Pays,
        Ok(_) => Found::Refused(CallError::from(Code::PayerMismatch).with_transaction(shown.transaction)),
        Err(_) => Found::Perhaps(Stage::Included),
    }
}

async fn finally(desk: &Desk, chain: &Chain, shown: &Shown<'_>, transfer: &Transfer) -> Result<Found, CallError> {
    let deposits = match native::deposit_of(transfer, shown.network, &desk.recipients(), How::Hash) {
        Ok(deposit) => vec![deposit],
        Err(Inside::Refused(why)) => return nothing(desk, shown, why).await,
        Err(Inside::Perhaps) => {
            let tracing = desk.unseen.networks.get(shown.network).and_then(|of| of.tracing.try_acquire().ok());
            let Some(_tracing) = tracing else { return Ok(Found::Perhaps(Stage::Included)) };
            match brought(desk, chain, transfer, How::Hash).await.map_err(broken)? {
                Brought::Deposits(deposits) => deposits,
                Brought::Nothing(why) => return nothing(desk, shown, why).await,
                Brought::Arrived => {
                    let unknown = CallError::from(Code::PayerUnknown).with_transaction(shown.transaction).at_stage(Stage::Final);
                    return Ok(Found::Refused(unknown.after_ms(5_000)));
                }
                Brought::Unknown => return Ok(Found::Perhaps(Stage::Included)),
            }
        }
    };
    let is_theirs = deposits.iter().any(|deposit| deposit.payer == shown.presenter);
    book(desk, &deposits).await.map_err(broken)?;
    match is_theirs {
        true => Ok(Found::Pays),
        // It stays the credit of whoever paid.
        false => nothing(desk, shown, CallError::from(Code::PayerMismatch).with_transaction(shown.transaction)).await,
    }
}

async fn nothing(desk: &Desk, shown: &Shown<'_>, why: CallError) -> Result<Found, CallError> {
    desk.unseen.nothing.insert((shown.transaction, shown.presenter), why.clone()).await;
    Ok(Found::Refused(why))
}

pub(super) async fn book(desk: &Desk, deposits: &[Deposit]) -> Result<(), BooksError> {
    for deposit in deposits {
        if desk.books.deposit(deposit, now_ms()).await? {
            log_deposit(deposit, deposit.transaction);
        }
    }
    Ok(())
}

/// Was it sent on another of the shop's networks? Then on this one it is waited for in vain. What it brought is its payer's credit over there.
pub(super) async fn elsewhere(desk: &Desk, network: &str, hash: TxHash) -> Result<Option<CallError>, BooksError> {
    let here = desk.chain(network).map_or(network, |chain| chain.network().name.as_str());
    let others = desk.chains.iter().filter(|chain| chain.network().id != network);
    for chain in others.filter(|chain| desk.is_believed(&chain.network().id)) {
        let Ok(Ok(Sighting::Final(transfer))) = timeout(LOOK_TIME, chain.lookup(hash)).await else { continue };
        let there = &chain.network().name;
        let Some(of) = desk.unseen.networks.get(&chain.network().id) else { continue };
        let Ok(_tracing) = of.tracing.acquire().await else { continue };
        let arrived = match brought(desk, chain, &transfer, How::Hash).await? {
            Brought::Deposits(deposits) => {
                book(desk, &deposits).await?;
                format!("What it brought is its payer's credit on {there}: one click away there.")
            }
            Brought::Nothing(_) => "It did not pay this shop.".to_owned(),
            Brought::Arrived | Brought::Unknown => return Ok(None),
        };
        let sentence = format!("This payment is on {there}, and the offer was for {here}. {arrived}");
        return Ok(Some(CallError::saying(Code::WrongNetwork, sentence).with_transaction(hash)));
    }
    Ok(None)
}
