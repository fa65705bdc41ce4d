//! Payments that were shown and that no block has: sped up, replaced or cancelled in their wallet, they never will be in one (ux.md, C4).
//!
//! Beside the block reader, never in its way. Each waiting payment is looked at every few seconds: what is its number among its sender's, which
//! payment of its payer has that number now, and has the sender's final count passed it? A payment with its number takes its place, whatever its
//! hash; where none of the payer's came here with it, nothing was paid and nothing will be, and the offer opens again. Where no node ever saw the
//! payment, its number is unknown: then the payment that a watch of the very same call found, of the same amount, is the same payment; and what else
//! its account has sent since that watch was opened has taken its place, if the payment has not shown up within a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use tracing::{debug, error, info};

use super::{
    desk::{Desk, now_ms},
    native, till,
};
use crate::{
    chain::{Chain, Unavailable},
    error::{CallError, Code},
    evm::{Address, TxHash},
    ledger::{
        BooksError,
        replacing::{StandIn, Unseen},
    },
};

/// Between two looks at one payment.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Payments in one round of looks, and how many at once: what nodes are asked does not grow with those who show hashes that nobody sent.
const LOOKS_MAX: usize = 24;
const LOOKS_AT_ONCE: usize = 4;
/// Of those that were shown last, who has a turn.
const WAITING_MAX: u32 = 500;
/// Payments that are remembered between two looks.
const KNOWN_MAX: u64 = 10_000;
/// Two looks in a row must have found that a payment's number is gone: a node that lags behind its own count may not have its receipt yet.
const PASSED_FOR: Duration = Duration::from_secs(60);
/// A payment that no node shows, whose account has sent something since: after so long it is what took the payment's place. A network that shows
/// nothing that waits includes what it takes within seconds.
const NEVER_SHOWN_MS: i64 = 20_000;

/// What one instance remembers of the payments that it looks at. Cheap to clone.
#[derive(Clone)]
pub struct Replaced {
    /// A round is under way.
    busy: Arc<AtomicBool>,
    /// Runs that were looked at lately.
    looked: moka::future::Cache<String, ()>,
    /// Runs whose number was found to be gone once.
    passed: moka::future::Cache<String, ()>,
    /// Senders and numbers of final transactions, which never change.
    numbers: moka::future::Cache<TxHash, (Address, u64)>,
}

impl Replaced {
    pub fn new() -> Self {
        let kept = |time| moka::future::Cache::builder().max_capacity(KNOWN_MAX).time_to_live(time).build();
        let numbers = moka::future::Cache::new(KNOWN_MAX);
        Self { busy: Arc::default(), looked: kept(LOOK_EVERY), passed: kept(PASSED_FOR), numbers }
    }

    /// Begins a round of looks, in a task of its own, unless one is under way or nobody is due.
    pub async fn look(&self, desk: &Desk, chain: &Chain) -> Result<(), BooksError> {
        if self.busy.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut due = desk.books.unseen(&chain.network().id, now_ms(), WAITING_MAX).await?;
        due.retain(|unseen| !self.looked.contains_key(&unseen.run));
        due.truncate(LOOKS_MAX);
        if due.is_empty() || self.busy.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let round = Round { replaced: self.clone(), desk: desk.clone(), chain: chain.clone() };
        tokio::spawn(async move {
            let looks = stream::iter(due).map(|unseen| round.look_at(unseen));
            looks.buffer_unordered(LOOKS_AT_ONCE).for_each(|()| async {}).await;
        });
        Ok(())
    }
}

impl Default for Replaced {
    fn default() -> Self {
        Self::new()
    }
}

/// One round; it ends when it is dropped, however that comes about.
struct Round {
    replaced: Replaced,
    desk: Desk,
    chain: Chain,
}

impl Drop for Round {
    fn drop(&mut self) {
        self.replaced.busy.store(false, Ordering::Relaxed);
    }
}

impl Round {
    async fn look_at(&self, unseen: Unseen) {
        self.replaced.looked.insert(unseen.run.clone(), ()).await;
        match self.became(&unseen).await {
            Ok(Ok(())) => {}
            // Unknown is not no: it is looked at again.
            Ok(Err(unavailable)) => {
                debug!(run.id = %unseen.run, cause = %unavailable, "whether a payment was replaced cannot be asked")
            }
            Err(cause) => error!(run.id = %unseen.run, %cause, "what became of a payment could not be stored"),
        }
    }

    async fn became(&self, unseen: &Unseen) -> Result<Result<(), Unavailable>, BooksError> {
        let (books, network) = (&self.desk.books, &self.chain.network().id);
        // The count is asked for at a final block that was read before the books are asked: whatever came up to there is in them.
        let read_to = books.read_to(network).await?.map(|read| read.height);
        let waits = match self.chain.waits(unseen.transaction, unseen.payer, read_to).await {
            Ok(waits) => waits,
            Err(unavailable) => return Ok(Err(unavailable)),
        };
        if waits.is_included {
            return Ok(Ok(()));
        }
        // Somebody else's transaction, a relayer's, says nothing of this account's numbers.
        let told = waits.sender.filter(|(sender, _)| *sender == unseen.payer).map(|(_, nonce)| nonce);
        if let (None, Some(nonce)) = (unseen.nonce, told) {
            books.note_nonce(network, unseen, nonce).await?;
        }
        let nonce = unseen.nonce.or(told);
        let next_nonce = match waits.sender {
            None => books.next_nonce(&unseen.run).await?,
            Some(_) => None,
        };
        // Where no node shows it, its number is not known, but that its account has sent something since. Of an account with code that says nothing: a
        // relayer may have sent its payment, whatever its wallet gave as the hash.
        let was_sent_since = read_to.is_some()
            && waits.sender.is_none()
            && !waits.has_code
            && next_nonce.is_some_and(|next| waits.sent > next)
            && now_ms() > unseen.created_ms.saturating_add(NEVER_SHOWN_MS);
        for found in books.stand_ins(&unseen.run).await? {
            match self.took_its_place(unseen, nonce, was_sent_since, &found).await {
                Ok(true) => return self.follow(unseen, &found).await.map(Ok),
                Ok(false) => {}
                Err(unavailable) => return Ok(Err(unavailable)),
            }
        }
        let is_gone = match nonce {
            Some(nonce) => read_to.is_some() && waits.sent > nonce,
            None => was_sent_since,
        };
        if !is_gone {
            self.replaced.passed.invalidate(&unseen.run).await;
        } else if self.replaced.passed.contains_key(&unseen.run) {
            let why = CallError::from(Code::PaymentReplaced).with_transaction(unseen.transaction);
            books.void(&unseen.run, &why, now_ms()).await?;
            info!(run.id = %unseen.run, transaction = %unseen.transaction, "the payment of run {} was replaced, and nothing was paid", unseen.run);
            self.desk.ring(&unseen.run);
        } else {
            self.replaced.passed.insert(unseen.run.clone(), ()).await;
        }
        Ok(Ok(()))
    }

    /// Is it what became of the unseen payment? Where nobody knows the payment's number: it is for the same call, and of the same amount or the only
    /// thing that its account has sent since.
    async fn took_its_place(
        &self,
        unseen: &Unseen,
        nonce: Option<u64>,
        was_sent_since: bool,
        found: &StandIn,
    ) -> Result<bool, Unavailable> {
        let Some(nonce) = nonce else { return Ok(found.is_awaited && (found.is_its_amount || was_sent_since)) };
        let known = self.replaced.numbers.get(&found.transaction).await;
        let number = match known {
            Some(number) => Some(number),
            None => self.chain.number_of(found.transaction).await?,
        };
        if let (None, Some(number)) = (known, number) {
            self.replaced.numbers.insert(found.transaction, number).await;
        }
        Ok(number == Some((unseen.payer, nonce)))
    }

    async fn follow(&self, unseen: &Unseen, found: &StandIn) -> Result<(), BooksError> {
        let books = &self.desk.books;
        if !books.replace(&unseen.run, &found.proof, now_ms()).await? {
            return Ok(());
        }
        info!(
            run.id = %unseen.run, transaction = %found.transaction,
            "the payment of run {} was sent again as {}", unseen.run, found.transaction
        );
        if let Some(run) = books.run(&unseen.run).await? {
            till::judge(&self.desk, &run).await?;
        }
        self.desk.ring(&unseen.run);
        Ok(())
    }
}

/// An unseen payment may come as long as nothing else has its number, and it is waited for as long as its call is watched for.
pub async fn may_arrive(desk: &Desk, run: &crate::ledger::Run) -> Result<bool, BooksError> {
    if native::transaction_of(&run.proof).is_some() && desk.books.nonce_is_known(&run.network, &run.proof, run.payer).await? {
        return Ok(true);
    }
    let Some(input) = &run.input else { return Ok(false) };
    desk.books.is_watched_for(&run.network, run.payer, &run.agent, input, now_ms()).await
}
