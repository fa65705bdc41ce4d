//! Nothing arrives unseen: what `payTo` has after a final block is what it had before, what was booked, and what left.
//!
//! One instance per network looks, beside the follower and never in its way: at each block that the follower has booked, and while nobody waits
//! after so many seconds. Where the balance is what it should be, one look explains any number of blocks. Where it is not, they are halved until
//! the block is found; its transactions are read, then traced, and what they moved is booked to the accounts that it came from. What no node can
//! tell is written down (`rises`) and looked at again until one can.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{
    brought::{Difference, Place, came, difference, standing, unbooked},
    desk::{Desk, now_ms},
    gaps::{Reading, is_long},
    till::{Lease, log_deposit},
};
use crate::{
    chain::{Chain, Move, Touched, Unavailable},
    evm::{Address, TxHash},
    ledger::{Account, Books, BooksError, Deposit, How, Rise, RiseState, Standing},
    money::Amount,
};

/// Blocks that are looked into before the follower's next ones have their turn.
const BLOCKS_AT_ONCE: usize = 64;

/// Blocks that are read in one go where no node has the state between them: minutes of any chain, and some seconds of reading. More of them are read
/// bit by bit (`gaps`).
pub(super) const READ_MAX: u64 = 4_096;

/// Of them, so many at the same time.
pub(super) const READ_AT_ONCE: usize = 8;

/// Between two looks at what could not be told.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Between two looks at a rise of too many blocks, while they are read: an hour of a fast chain is read in seconds, and nodes have their pauses.
const READ_ON: Duration = Duration::from_secs(1);

/// Of what could not be told, so much is looked at in one go.
const RISES_AT_ONCE: u32 = 20;

/// Why a look came to nothing. It is repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Chain(#[from] Unavailable),
    #[error(transparent)]
    Books(#[from] BooksError),
}

pub(super) struct Arrivals {
    pub(super) desk: Desk,
    pub(super) chain: Chain,
    lease: Lease,
    /// Rung when the follower has booked a block.
    booked: Arc<Notify>,
    looked_again: Instant,
    /// When a rise of too many blocks is read on.
    next_read: Instant,
    /// How far a rise of too many blocks was read.
    reading: Option<Reading>,
    /// Told once, until it is over.
    in_trouble: bool,
}

/// The first look at a network: from here on every change of the balance is explained. Where there was one before, it goes on from there.
///
/// # Errors
/// No node answers, or the books do not.
pub async fn open(books: &Books, chain: &Chain, pay_to: Address) -> Result<(), String> {
    first_look(books, chain, pay_to).await.map_err(|trouble| trouble.to_string())
}

async fn first_look(books: &Books, chain: &Chain, pay_to: Address) -> Result<(), Trouble> {
    let network = &chain.network().id;
    if books.explained(network, pay_to).await?.is_some() {
        return Ok(());
    }
    // What the follower has read is booked: begin there, if a node still knows what there was.
    let begun = match books.read_to(network).await? {
        Some(read_to) => chain.stood(read_to.height, &[pay_to]).await.ok().filter(|stood| stood.hash == read_to.hash),
        None => None,
    };
    let stood = match begun {
        Some(stood) => stood,
        None => chain.stood(chain.final_head().await?, &[pay_to]).await?,
    };
    if let Some(at) = standing(&stood, 0) {
        books.open_explained(network, pay_to, &at).await?;
    }
    Ok(())
}

impl Arrivals {
    pub fn new(desk: Desk, chain: Chain, lease: Lease, booked: Arc<Notify>) -> Self {
        Self {
            desk,
            chain,
            lease,
            booked,
            looked_again: Instant::now(),
            next_read: Instant::now(),
            reading: None,
            in_trouble: false,
        }
    }

    /// Looks until `stop`.
    pub async fn look_after(mut self, stop: CancellationToken) {
        let booked = self.booked.clone();
        loop {
            // Before the look: what is booked from now on is heard.
            let mut woken = pin!(booked.notified());
            woken.as_mut().enable();
            let look = std::panic::AssertUnwindSafe(self.look());
            let Some(looked) = stop.run_until_cancelled(futures::FutureExt::catch_unwind(look)).await else { return };
            let idle = self.chain.settings().idle_look;
            let pause = match looked {
                Ok(Ok(pause)) => {
                    self.told_over();
                    pause
                }
                Ok(Err(trouble)) => {
                    self.told(&trouble);
                    idle.min(LOOK_AGAIN)
                }
                Err(_panic) => {
                    error!(network = self.network(), "the look at what arrived panicked");
                    idle
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
                // The follower has booked blocks; more of them come than need a look each.
                () = woken => tokio::time::sleep(self.chain.settings().poll).await,
            }
        }
    }

    fn told(&mut self, trouble: &Trouble) {
        let network = &self.chain.network().name;
        // Of nodes that do not answer, their network's own line tells.
        if matches!(trouble, Trouble::Chain(_)) && !self.chain.healthy() {
            debug!(network, %trouble, "what arrives on {network} cannot be looked at now: {trouble}");
        } else if !self.in_trouble && self.desk.seldom.is_time(&format!("arrivals on {network}")) {
            self.in_trouble = true;
            warn!(network, %trouble, "what arrives on {network} cannot be looked at now: {trouble}");
        }
    }

    fn told_over(&mut self) {
        if std::mem::replace(&mut self.in_trouble, false) {
            let network = &self.chain.network().name;
            info!(network, "what arrives on {network} is looked at again");
        }
    }

    pub(super) fn network(&self) -> &str {
        &self.chain.network().id
    }

    /// How long until the next one, if nobody wakes it.
    async fn look(&mut self) -> Result<Duration, Trouble> {
        let idle = self.chain.settings().idle_look;
        let (books, pay_to) = (self.desk.books.clone(), self.desk.pay_to);
        if books.halted(self.network()).await?.is_some() || !self.lease.hold(&books, now_ms()).await? {
            return Ok(idle);
        }
        first_look(&books, &self.chain, pay_to).await?;
        let Some(explained) = books.explained(self.network(), pay_to).await? else { return Ok(idle) };
        let head = self.chain.final_head().await?;
        let is_through = match head > explained.at.height {
            true => {
                let stood = self.chain.stood(head, &[pay_to]).await?;
                match standing(&stood, 0) {
                    Some(now) => self.explain(explained.at, now).await?,
                    None => true,
                }
            }
            false => true,
        };
        if !is_through {
            return Ok(Duration::ZERO);
        }
        let open = books.open_rises(self.network(), RISES_AT_ONCE).await?;
        if open.is_empty() {
            return Ok(idle);
        }
        let again = LOOK_AGAIN.min(idle);
        if self.looked_again.elapsed() >= again {
            for rise in open.iter().filter(|rise| !is_long(rise)) {
                self.look_again(rise).await?;
            }
            self.looked_again = Instant::now();
        }
        if Instant::now() >= self.next_read {
            // One after the other: the one that was begun, else the oldest.
            let begun = self.reading.take();
            let is_begun = |rise: &&Rise| begun.as_ref().is_some_and(|reading| reading.rise == rise.id);
            let long = open.iter().filter(|rise| is_long(rise));
            if let Some(rise) = long.clone().find(is_begun).or_else(|| long.clone().next()) {
                let mut reading = begun.clone();
                let read = self.read_on(&mut reading, rise).await;
                // Where nothing could be read, it waits as long as everything else.
                let pause = if reading == begun { again } else { READ_ON.min(again) };
                self.reading = reading;
                self.next_read = Instant::now() + pause;
                read?;
            }
        }
        if self.reading.is_some() {
            return Ok(self.next_read.saturating_duration_since(Instant::now()).min(again));
        }
        Ok(again)
    }

    /// From one standing to a later one, the blocks in their order. `false`: there is more to look into.
    async fn explain(&self, from: Standing, to: Standing) -> Result<bool, Trouble> {
        let pay_to = self.desk.pay_to;
        let (mut at, mut upper, mut looked_into) = (from, vec![to], 0);
        while let Some(next) = upper.last().copied() {
            if self.is_as_booked(&at, &next).await? {
                if !self.store(&at, &next, &Account::default()).await? {
                    return Ok(true);
                }
            } else if next.height <= at.height + 1 {
                if !self.store(&at, &next, &self.account(pay_to, &at, &next).await?).await? {
                    return Ok(true);
                }
                looked_into += 1;
            } else {
                let middle = at.height + (next.height - at.height) / 2;
                match self.chain.stood(middle, &[pay_to]).await {
                    Ok(stood) => {
                        upper.extend(standing(&stood, 0));
                        continue;
                    }
                    Err(cause) => {
                        // Is it the state that is gone, or are the nodes?
                        self.chain.final_head().await?;
                        debug!(network = self.network(), middle, %cause, "no node has the state of block {middle}: the blocks are read");
                        if !self.store(&at, &next, &self.account(pay_to, &at, &next).await?).await? {
                            return Ok(true);
                        }
                        looked_into += 1;
                    }
                }
            }
            at = next;
            upper.pop();
            if looked_into >= BLOCKS_AT_ONCE && !upper.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Nothing left, and what came is booked.
    async fn is_as_booked(&self, at: &Standing, next: &Standing) -> Result<bool, Trouble> {
        if at.nonce != next.nonce {
            return Ok(false);
        }
        let booked = self.desk.books.deposits_between(self.network(), self.desk.pay_to, at.height, next.height).await?;
        let sum = booked.iter().try_fold(at.balance, |sum, deposit| sum.plus(deposit.amount));
        Ok(sum == Some(next.balance))
    }

    async fn store(&self, at: &Standing, next: &Standing, account: &Account) -> Result<bool, Trouble> {
        let stored = self.desk.books.explain(self.network(), self.desk.pay_to, (at, next), account, now_ms()).await?;
        // Another instance was faster: it goes on from where that one is.
        let Some(new) = stored else { return Ok(false) };
        self.tell(&new, account, &format!("after block {} up to {}", at.height, next.height));
        Ok(true)
    }

    pub(super) fn tell(&self, new: &[Deposit], account: &Account, blocks: &str) {
        let (network, coin) = (&self.chain.network().name, |amount| self.chain.network().coin(amount));
        for deposit in new {
            log_deposit(deposit, deposit.transaction);
        }
        if !new.is_empty() {
            // Somebody may wait for one of them.
            self.desk.waiting.notify_waiters();
        }
        match account.rest {
            Some((RiseState::Open, amount)) => warn!(
                network = self.network(), %amount,
                "{} arrived on {network} {blocks}, and no node tells from whom: set trace_urls, or credit it by hand", coin(amount)
            ),
            Some((_, amount)) => info!(
                network = self.network(), %amount,
                "{} came on {network} {blocks} by no call: a withdrawal, a block's reward, or what a contract left", coin(amount)
            ),
            None => {}
        }
    }

    async fn look_again(&self, rise: &Rise) -> Result<(), Trouble> {
        // It may be a former recipient's.
        let account = self.account(rise.pay_to, &rise.before, &rise.after).await?;
        let is_news = account.rest != Some((RiseState::Open, rise.amount)) || !account.deposits.is_empty();
        if is_news && let Some(new) = self.desk.books.explain_rise(rise, &account, now_ms()).await? {
            info!(
                network = self.network(),
                "what arrived in {} of {} is looked at again",
                rise.blocks(),
                self.chain.network().name
            );
            self.tell(&new, &account, &format!("in {}", rise.blocks()));
        }
        Ok(())
    }

    /// What explains the blocks between two standings of an account.
    async fn account(&self, pay_to: Address, before: &Standing, after: &Standing) -> Result<Account, Trouble> {
        let booked = self.desk.books.deposits_between(self.network(), pay_to, before.height, after.height).await?;
        let mut sums = Sums { came: Amount::ZERO, left: Amount::ZERO, deposits: Vec::new() };
        if after.height - before.height > READ_MAX {
            return Ok(unread(before, after, &booked));
        }
        let mut blocks = Vec::new();
        let heights = stream::iter(before.height + 1..=after.height);
        let mut reading =
            heights.map(|height| async move { (height, self.chain.touched(height, &[pay_to]).await) }).buffered(READ_AT_ONCE);
        while let Some((height, touched)) = reading.next().await {
            let touched = match touched {
                Ok(touched) => touched,
                Err(cause) => {
                    // Is the block gone, or are the nodes?
                    self.chain.final_head().await?;
                    debug!(network = self.network(), height, %cause, "no node has block {height} any more");
                    return Ok(unread(before, after, &booked));
                }
            };
            if height == after.height && touched.hash != after.hash {
                return Err(self.moved(height));
            }
            let here: Vec<_> = booked.iter().filter(|deposit| deposit.block == height).cloned().collect();
            sums.add(came(&touched, pay_to, &here), touched.of(pay_to).1);
            sums.deposits.extend(self.plain(pay_to, height, &touched, &here));
            blocks.push((height, touched));
        }
        match difference(before.balance, after.balance, sums.came, sums.left) {
            Difference::None => Ok(Account { deposits: sums.deposits, left: sums.left, rest: None }),
            rest => self.traced(pay_to, (before, after), blocks, booked, sums, rest).await,
        }
    }

    pub(super) fn moved(&self, height: u64) -> Trouble {
        let cause = format!("its nodes have different blocks {height}");
        Trouble::Chain(Unavailable { network: self.chain.network().name.clone(), cause })
    }

    /// Plain transfers that nobody has booked yet.
    pub(super) fn plain(&self, pay_to: Address, block: u64, touched: &Touched, booked: &[Deposit]) -> Vec<Deposit> {
        let place = Place { network: self.network(), block, time_ms: touched.time_ms, how: How::Found };
        let came = touched.touches.iter().filter(|touch| touch.succeeded && touch.to == Some(pay_to) && touch.from != pay_to);
        let came = came.filter(|touch| !touch.value.is_zero());
        let came = came.flat_map(|touch| {
            place.deposits(touch.hash, &[Move { from: touch.from, to: pay_to, value: touch.value }], &[pay_to])
        });
        came.filter(|deposit| !booked.iter().any(|known| known.proof == deposit.proof && known.payer == deposit.payer)).collect()
    }

    /// What the calls moved, of blocks that plain transfers do not explain.
    async fn traced(
        &self,
        pay_to: Address,
        (before, after): (&Standing, &Standing),
        blocks: Vec<(u64, Touched)>,
        booked: Vec<Deposit>,
        plain: Sums,
        rest: Difference,
    ) -> Result<Account, Trouble> {
        let untold = |why: &Unavailable| {
            debug!(network = self.network(), %why, "no node traces");
            let (deposits, left) = (plain.deposits.clone(), plain.left);
            match rest {
                Difference::Rose(amount) => Account { deposits, left, rest: Some((RiseState::Open, amount)) },
                // A chain that charges otherwise than we count.
                Difference::Fell(more) => Account { deposits, left: left.plus(more).unwrap_or(left), rest: None },
                Difference::None => Account { deposits, left, rest: None },
            }
        };
        if blocks
            .iter()
            .all(|(_, touched)| touched.others.is_empty() && touched.touches.iter().all(|touch| touch.to == Some(pay_to)))
            && let Difference::Rose(amount) = rest
        {
            // Nothing in there could have called anything.
            return Ok(Account { deposits: plain.deposits, left: plain.left, rest: Some((RiseState::Nobody, amount)) });
        }
        let mut sums = plain.clone();
        for (height, touched) in &blocks {
            let needed = difference(before.balance, after.balance, sums.came, sums.left);
            if needed == Difference::None {
                break;
            }
            let enough = |moved: &[(TxHash, Vec<Move>)]| {
                let came = moved.iter().flat_map(|(_, moves)| moves).filter(|one| one.to == pay_to);
                let came = came.fold(Amount::ZERO, |sum, one| sum.plus(one.value).unwrap_or(sum));
                matches!(needed, Difference::Rose(amount) if came == amount)
            };
            let (new, left) = match self.inside(pay_to, *height, touched, &booked, enough).await {
                Ok(inside) => inside,
                Err(why) => return Ok(untold(&why)),
            };
            let came = new.iter().fold(Amount::ZERO, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum));
            sums.add(came, left);
            sums.deposits.extend(new);
        }
        Ok(match difference(before.balance, after.balance, sums.came, sums.left) {
            Difference::None => Account { deposits: sums.deposits, left: sums.left, rest: None },
            Difference::Rose(amount) => {
                Account { deposits: sums.deposits, left: sums.left, rest: Some((RiseState::Nobody, amount)) }
            }
            // A chain that charges otherwise than we count: what is gone has left.
            Difference::Fell(more) => {
                Account { left: sums.left.plus(more).unwrap_or(sums.left), deposits: sums.deposits, rest: None }
            }
        })
    }

    /// What a block's calls brought that is not booked yet, and what they took: besides what is plain to see.
    pub(super) async fn inside(
        &self,
        pay_to: Address,
        height: u64,
        touched: &Touched,
        booked: &[Deposit],
        enough: impl Fn(&[(TxHash, Vec<Move>)]) -> bool,
    ) -> Result<(Vec<Deposit>, Amount), Unavailable> {
        // Also its own transactions may have called somebody who sent something back.
        let own = touched.touches.iter().filter(|touch| touch.to != Some(pay_to)).map(|touch| touch.hash);
        let each: Vec<TxHash> = own.chain(touched.others.iter().copied()).collect();
        if each.is_empty() {
            return Ok((Vec::new(), Amount::ZERO)); // nothing in it could have called anything
        }
        let moved = self.chain.moves_in_block((height, &touched.hash), &[pay_to], &each, enough).await?;
        let place = Place { network: self.network(), block: height, time_ms: touched.time_ms, how: How::Found };
        // What is plain to see was counted.
        let inside =
            moved.iter().filter(|(hash, _)| !touched.touches.iter().any(|touch| touch.hash == *hash && touch.to == Some(pay_to)));
        let (mut traced, mut left) = (Vec::new(), Amount::ZERO);
        for (hash, moves) in inside {
            traced.extend(place.deposits(*hash, moves, &[pay_to]));
            let own = touched.touches.iter().find(|touch| touch.hash == *hash);
            // The value of its own transaction was counted too.
            let skip = usize::from(own.is_some_and(|touch| touch.from == pay_to && touch.succeeded && !touch.value.is_zero()));
            let sent = moves.iter().filter(|one| one.from == pay_to).skip(skip);
            left = sent.fold(left, |sum, one| sum.plus(one.value).unwrap_or(sum));
        }
        Ok((unbooked(traced, booked), left))
    }
}

/// Nobody knows what was in between: the blocks are too many to read in one go, or gone. It is written down, and the look goes on.
fn unread(before: &Standing, after: &Standing, booked: &[Deposit]) -> Account {
    let came = booked.iter().fold(Amount::ZERO, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum));
    match difference(before.balance, after.balance, came, Amount::ZERO) {
        Difference::None => Account::default(),
        Difference::Rose(amount) => Account { rest: Some((RiseState::Open, amount)), ..Account::default() },
        Difference::Fell(left) => Account { left, rest: Some((RiseState::Open, Amount::ZERO)), ..Account::default() },
    }
}

#[derive(Clone)]
struct Sums {
    came: Amount,
    left: Amount,
    /// To be booked.
    deposits: Vec<Deposit>,
}

impl Sums {
    fn add(&mut self, came: Amount, left: Amount) {
        self.came = self.came.plus(came).unwrap_or(self.came);
        self.left = self.left.plus(left).unwrap_or(self.left);
    }
}
