//! What many payments wait for, looked at once for all of them: what nodes are asked grows with blocks, not with people.
//!
//! Everybody who waits hands in what they wait for. One of them asks for all, when the next block is due, and tells the others; if it goes away in the
//! middle, another one asks again. There is no task of its own: while nobody waits, no node is asked.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::hex;
use serde_json::json;
use tokio::{
    sync::{self, Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Chain, Finality, Seen, SignedTransfer, Unavailable,
    node::{Call, Fault, Node, Said, parse},
    question::{Head, Question, by_tag, header_at, receipt_of},
    settled::{State, is_used, state_of},
    wire::{Called, Header, LoggedReceipt, Quantity},
};
use crate::evm::TxHash;

/// Looked at in one batch: two calls each, and public nodes take a hundred.
const WAITED_MAX: usize = 40;
/// Of those, so many in the batch that says what is final: four calls each.
const FINAL_MAX: usize = 20;

/// The next look is put off by so many of the network's `poll` at most, and never by more than this.
const POLLS_MAX: u32 = 8;
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// While no new block comes, each pause is so many percent of the one before.
const PAUSE_GROWS_PERCENT: u32 = 150;

/// A signed transfer that somebody waits for.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    pub transfer: SignedTransfer,
    /// The transaction that was sent for it, if one is known.
    pub hash: Option<TxHash>,
    /// The newest block when it was first shown here.
    pub since: u64,
}

/// The block that has the transaction that was sent. It may still vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    pub block: u64,
    pub succeeded: bool,
}

/// What one look says of one transfer. All of it comes from one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferState {
    /// When about the newest block was made, Unix milliseconds.
    pub block_time_ms: i64,
    /// Height of the newest final block.
    pub final_block: u64,
    /// Is its nonce used in about the newest block? `None`: this node does not tell.
    pub is_used: Option<bool>,
    /// Is it used in the newest final one? `None`: it was no question yet, or this node does not tell.
    pub is_used_at_last: Option<bool>,
    pub included: Option<Included>,
    /// A final block shows that the transaction that was sent carried it out: [`Seen::Paid`] or [`Seen::Wrapped`].
    pub paid: Option<Seen>,
}

#[derive(Default)]
pub(super) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by the one who asks for all.
    pace: sync::Mutex<Pace>,
    /// Somebody came who has not looked at all yet.
    came: Notify,
}

struct Waiting {
    waited: Waited,
    is_first: bool,
    answer: oneshot::Sender<Result<TransferState, Unavailable>>,
}

impl Together {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, waiting: Waiting) {
        let is_first = waiting.is_first;
        self.waiting().push(waiting);
        if is_first {
            self.came.notify_one();
        }
    }

    /// Those who have gone away wait for nothing.
    fn take(&self) -> Vec<Waiting> {
        let mut all = std::mem::take(&mut *self.waiting());
        all.retain(|waiting| !waiting.answer.is_closed());
        all
    }

    fn has_first(&self) -> bool {
        self.waiting().iter().any(|waiting| waiting.is_first)
    }
}

impl Chain {
    /// Looks at the next block for what is waited for, together with everybody else who waits then. `is_first`: not looked at before by whoever asks,
    /// who need not wait for a new block.
    ///
    /// # Errors
    /// No node tells.
    pub async fn look_together(&self, waited: Waited, is_first: bool) -> Result<TransferState, Unavailable> {
        let together = self.together();
        loop {
            let (answer, mut told) = oneshot::channel();
            together.hand_in(Waiting { waited, is_first, answer });
            let pace = tokio::select! {
                biased;
                told = &mut told => match told {
                    Ok(glance) => return glance,
                    // Who asked for all has gone away.
                    Err(_) => continue,
                },
                pace = together.pace.lock() => pace,
            };
            if let Ok(glance) = told.try_recv() {
                return glance; // in this moment
            }
            self.look_for_all(pace).await;
            if let Ok(glance) = told.await {
                return glance;
            }
        }
    }

    async fn look_for_all(&self, mut pace: sync::MutexGuard<'_, Pace>) {
        let (together, poll) = (self.together(), self.settings().poll);
        while let Some(due) = pace.due(poll, together.has_first()).filter(|due| *due > Instant::now()) {
            tokio::select! {
                () = sleep_until(due) => {}
                () = together.came.notified() => {}
            }
        }
        // Whoever comes in this moment is looked at with the others.
        tokio::task::yield_now().await;
        let mut all = together.take();
        while !all.is_empty() {
            let some: Vec<_> = all.drain(..all.len().min(WAITED_MAX)).collect();
            let waited: Vec<_> = some.iter().map(|waiting| waiting.waited).collect();
            let round = Round { waited: &waited, finality: &self.settings().finality };
            match self.answer(&round).await {
                Ok(Looked { newest, final_block, glances }) => {
                    pace.looked_at(&newest, poll, Instant::now());
                    self.known().note_final_head(final_block);
                    for (waiting, glance) in some.into_iter().zip(glances) {
                        // Whoever has gone away needs no answer.
                        let _ = waiting.answer.send(Ok(glance));
                    }
                }
                Err(unavailable) => {
                    pace.looked = Some(Instant::now());
                    for waiting in some {
                        let _ = waiting.answer.send(Err(unavailable.clone()));
                    }
                }
            }
        }
    }
}

/// When blocks come, as far as looks have told.
#[derive(Default)]
struct Pace {
    looked: Option<Instant>,
    newest: Option<([u8; 32], u64)>,
    changed: Option<Instant>,
    /// From one block to the next.
    every: Option<Duration>,
    /// Looks in a row that found no new block.
    in_vain: u32,
}

impl Pace {
    /// When to look again. `None`: at once.
    fn due(&self, poll: Duration, has_first: bool) -> Option<Instant> {
        let looked = self.looked?;
        let soonest = looked + poll;
        if has_first {
            return Some(soonest);
        }
        let most = longest(poll);
        if self.in_vain > 0 {
            let grown = (1..self.in_vain.min(32)).fold(poll, |pause, _| (pause * PAUSE_GROWS_PERCENT / 100).min(most));
            return Some(looked + grown);
        }
        let next = self.changed.zip(self.every).map(|(changed, every)| changed + every);
        Some(next.map_or(soonest, |next| next.clamp(soonest, looked + most)))
    }

    fn looked_at(&mut self, newest: &Header, poll: Duration, now: Instant) {
        let before = self.looked.replace(now);
        let newest = (newest.hash, newest.height);
        if self.newest == Some(newest) {
            self.in_vain = self.in_vain.saturating_add(1);
            return;
        }
        // Somewhere between the two looks.
        let gap = before.map_or(Duration::ZERO, |before| now.duration_since(before));
        let changed = now.checked_sub(gap.min(poll) / 2).unwrap_or(now);
        if let (Some((_, height)), Some(since)) = (self.newest, self.changed)
            && let Some(blocks) =
                newest.1.checked_sub(height).and_then(|blocks| u32::try_from(blocks).ok()).filter(|blocks| *blocks > 0)
            && gap <= longest(poll)
        {
            let took = changed.saturating_duration_since(since) / blocks;
            self.every = Some(self.every.map_or(took, |every| (every * 3 + took) / 4));
        }
        (self.newest, self.changed, self.in_vain) = (Some(newest), Some(changed), 0);
    }
}

fn longest(poll: Duration) -> Duration {
    (poll * POLLS_MAX).min(PAUSE_MAX).max(poll)
}

/// One look for all of these.
struct Round<'a> {
    waited: &'a [Waited],
    finality: &'a Finality,
}

struct Looked {
    newest: Header,
    final_block: u64,
    /// One for each, in their order.
    glances: Vec<TransferState>,
}

impl Question for Round<'_> {
    type Answer = Looked;

    async fn put_to(&self, node: &Node) -> Result<Looked, Fault> {
        let states: Vec<_> =
            self.waited.iter().map(|Waited { transfer, .. }| state_of(transfer.token, transfer.from, transfer.nonce)).collect();
        let mut calls = vec![by_tag("latest"), Head::call(self.finality)];
        for (waited, state) in self.waited.iter().zip(&states) {
            calls.push(view(state, "latest"));
            calls.extend(waited.hash.map(receipt_of));
        }
        let mut answers = node.batch(&calls).await?;
        let newest: Header = answers.read()?;
        node.hear(&newest);
        let head = Head::read(self.finality, &mut answers)?;
        let final_block = head.final_height;
        let block_time_ms = i64::try_from(newest.time_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let (mut glances, mut receipts) = (Vec::new(), Vec::new());
        for (waited, state) in self.waited.iter().zip(&states) {
            let is_used = used(answers.raw()?, state);
            let receipt = match waited.hash {
                Some(hash) => told::<LoggedReceipt>(answers.raw()?).filter(|receipt| receipt.transaction_hash == hash),
                None => None,
            };
            let included = receipt.as_ref().map(|receipt| Included { block: receipt.height, succeeded: receipt.succeeded });
            glances.push(TransferState { block_time_ms, final_block, is_used, is_used_at_last: None, included, paid: None });
            receipts.push(receipt.filter(|receipt| receipt.succeeded));
        }
        // What may be final by now: its nonce in the final block, and the transaction once more together with the block that is canonical there.
        let may_be_final = |at: &usize| {
            glances[*at].is_used == Some(true) && receipts[*at].as_ref().is_none_or(|receipt| receipt.height <= final_block)
        };
        let asked: Vec<usize> = (0..glances.len()).filter(may_be_final).collect();
        for some in asked.chunks(FINAL_MAX) {
            self.at_last(node, &head, some, &states, &receipts, &mut glances).await?;
        }
        Ok(Looked { newest, final_block, glances })
    }
}

impl Round<'_> {
    async fn at_last(
        &self,
        node: &Node,
        head: &Head,
        some: &[usize],
        states: &[State],
        receipts: &[Option<LoggedReceipt>],
        glances: &mut [TransferState],
    ) -> Result<(), Fault> {
        let height = head.final_height;
        let mut calls = vec![header_at(height)];
        for at in some {
            calls.push(view(&states[*at], &format!("{height:#x}")));
            if let Some(receipt) = &receipts[*at] {
                let hash = receipt.transaction_hash;
                calls.extend([receipt_of(hash), Call::new("eth_getTransactionByHash", json!([hash])), header_at(receipt.height)]);
            }
        }
        let mut answers = node.batch(&calls).await?;
        // Who does not have the block cannot know what is in it.
        let block = told::<Header>(answers.raw()?).filter(|block| block.height == height);
        let has_block = block.is_some_and(|block| head.header.height != height || head.header.hash == block.hash);
        for at in some {
            let is_used_at_last = used(answers.raw()?, &states[*at]).filter(|_| has_block);
            glances[*at].is_used_at_last = is_used_at_last;
            let Some(receipt) = &receipts[*at] else { continue };
            let (again, called, block) = (told(answers.raw()?), told(answers.raw()?), told(answers.raw()?));
            if is_used_at_last == Some(true) {
                glances[*at].paid = self.waited[*at].paid_by(receipt, again, called, block);
            }
        }
        Ok(())
    }
}

impl Waited {
    /// Whatever does not fit is no answer: then it is looked at alone, and searched for.
    fn paid_by(
        &self,
        first: &LoggedReceipt,
        again: Option<LoggedReceipt>,
        called: Option<Called>,
        block: Option<Header>,
    ) -> Option<Seen> {
        let (again, called, block) = (again?, called?, block?);
        let is_it = [again.transaction_hash, called.hash].iter().all(|hash| Some(*hash) == self.hash);
        let is_there = again.block_hash == block.hash && first.block_hash == block.hash;
        let is_same = again.height == first.height && block.height == first.height;
        (is_it && is_there && is_same).then(|| self.transfer.known_to_pay(&again, &called, &block, self.since)).flatten()
    }
}

fn view(state: &State, block: &str) -> Call {
    Call::new("eth_call", json!([{"to": state.contract, "data": hex::encode_prefixed(&state.data)}, block]))
}

fn used(said: Said, state: &State) -> Option<bool> {
    told::<Quantity>(said).map(|word| is_used(word.0, state))
}

/// What one of the many has for an answer, and an odd one must not take the others' away.
fn told<T: serde::de::DeserializeOwned>(said: Said) -> Option<T> {
    parse::<Option<T>>(&said.ok()?).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(200);

    fn block(height: u64) -> Header {
        Header { height, hash: [u8::try_from(height % 250).unwrap_or(0); 32], parent: [0; 32], time_s: height }
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn s9_the_next_look_is_when_the_next_block_is_due() {
        let (begin, mut pace) = (Instant::now(), Pace::default());
        assert_eq!(pace.due(POLL, false), None, "nobody has looked yet");
        // A block each second; looks as it says.
        let (mut now, mut looks) = (begin, 0);
        while now < begin + ms(20_000) {
            let height = u64::try_from(now.duration_since(begin).as_millis() / 1000).unwrap_or(0);
            pace.looked_at(&block(height), POLL, now);
            looks += 1;
            now = pace.due(POLL, false).unwrap_or(now);
        }
        assert!(looks <= 40, "{looks} looks at 20 blocks, of 100 polls");
        // Who has not looked at all does not wait for the next block.
        let looked = pace.looked.unwrap_or(now);
        assert_eq!(pace.due(POLL, true), Some(looked + POLL));
    }

    #[test]
    fn s9_blocks_that_come_faster_than_looks_are_looked_at_at_each_poll() {
        let (begin, mut pace) = (Instant::now(), Pace::default());
        for look in 0..20 {
            let now = begin + POLL * look;
            pace.looked_at(&block(u64::from(look) * 2), POLL, now);
            assert_eq!(pace.due(POLL, false), Some(now + POLL));
        }
    }

    #[test]
    fn s9_a_chain_that_stands_still_is_looked_at_more_and_more_rarely() {
        let (mut now, mut pace) = (Instant::now(), Pace::default());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            pace.looked_at(&block(7), POLL, now);
            let due = pace.due(POLL, false).unwrap_or(now);
            pauses.push(due.duration_since(now));
            now = due;
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!((pauses[0], pauses[11]), (POLL, POLL * POLLS_MAX));
        // The next block ends that.
        pace.looked_at(&block(8), POLL, now);
        assert_eq!(pace.in_vain, 0);
    }
}
