//! Who has how many of this instance's workers.
//!
//! A payer has half of them at most (one at least) while others wait. Nobody can be asked to hand a worker back in the middle of a run, so what a
//! payer takes beyond that, while nobody else waits, is lent: it does not count against those who come later. Their runs are begun beside it. At the
//! very worst half as many runs again are worked on as there are workers, for as long as what was lent lasts.
//!
//! Counted in this process and not in the ledger: each instance keeps half of its own workers, so all of them together keep half of all, and none
//! has to know how many the others have. Whose turn it is, the ledger knows, for all instances (`ledger::turns`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    evm::Address,
    ledger::{Books, BooksError, Leased, Whose},
};

pub struct Hands {
    count: usize,
    /// Of one payer.
    half: usize,
    busy: Mutex<HashMap<Address, usize>>,
    freed: Notify,
}

/// A worker that has a run of this payer, until it is dropped.
pub struct Hand {
    payer: Address,
    hands: Arc<Hands>,
}

impl Hands {
    /// So many workers; one at least.
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { count, half: (count / 2).max(1), busy: Mutex::default(), freed: Notify::new() }
    }

    /// Leases the run whose turn it is, of those that a worker is free for. `None`: there is none.
    ///
    /// # Errors
    /// The books do not answer.
    pub async fn lease(&self, books: &Books, now_ms: i64, for_ms: i64) -> Result<Option<Leased>, BooksError> {
        let token = uuid::Uuid::new_v4().to_string();
        let Some(have_half) = self.room() else {
            return books.lease_run_of(Whose::ToBeSettled, &token, now_ms, for_ms).await;
        };
        let leased = books.lease_run_of(Whose::NotOf(&have_half), &token, now_ms, for_ms).await?;
        if leased.is_none() && !have_half.is_empty() && self.can_lend() {
            return books.lease_run_of(Whose::Anybodys, &token, now_ms, for_ms).await;
        }
        Ok(leased)
    }

    /// A worker takes a run of this payer. What is only to be settled takes none.
    pub fn take(self: &Arc<Self>, payer: Address) -> Hand {
        *self.busy().entry(payer).or_default() += 1;
        Hand { payer, hands: self.clone() }
    }

    /// Ends when a worker has become free since it was last asked.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Ends when nothing is under way.
    pub async fn all_free(&self) {
        while !self.busy().is_empty() {
            self.freed().await;
        }
    }

    /// Those who have their half already. `None`: no worker is free, not even for others.
    fn room(&self) -> Option<Vec<Address>> {
        let busy = self.busy();
        let not_lent: usize = busy.values().map(|count| (*count).min(self.half)).sum();
        (not_lent < self.count).then(|| busy.iter().filter(|(_, count)| **count >= self.half).map(|(payer, _)| *payer).collect())
    }

    fn can_lend(&self) -> bool {
        self.busy().values().sum::<usize>() < self.count
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Address, usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let mut busy = self.hands.busy();
        if let Some(count) = busy.get_mut(&self.payer) {
            *count -= 1;
            if *count == 0 {
                busy.remove(&self.payer);
            }
        }
        drop(busy);
        self.hands.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::NOT_OF_MAX;

    fn payer(n: usize) -> Address {
        Address([u8::try_from(n).unwrap(); 20])
    }

    #[test]
    fn s6_half_of_the_workers_are_left_for_others_whatever_was_lent() {
        let hands = Arc::new(Hands::new(4));
        let mut taken: Vec<Hand> = Vec::new();
        for n in 0..4 {
            assert_eq!((hands.room().unwrap().is_empty(), hands.can_lend()), (n < 2, true));
            taken.push(hands.take(payer(1)));
        }
        assert_eq!((hands.room(), hands.can_lend()), (Some(vec![payer(1)]), false), "all are taken, and two of them are lent");
        taken.push(hands.take(payer(2)));
        taken.push(hands.take(payer(2)));
        assert_eq!(hands.room(), None);
        drop(taken.remove(0));
        assert_eq!(hands.room(), None, "what was lent is theirs now");
        taken.drain(..2);
        assert_eq!(hands.room(), Some(vec![payer(2)]));
        drop(taken);
        assert!(hands.busy().is_empty());
    }

    #[test]
    fn s6_while_there_is_room_few_have_half_and_the_ledger_can_be_told_all_of_them() {
        for count in 1..=256 {
            let hands = Arc::new(Hands::new(count));
            let mut taken: Vec<Hand> = Vec::new();
            for n in 0..8 {
                let Some(have_half) = hands.room() else { break };
                assert!(have_half.len() <= NOT_OF_MAX, "{count} workers");
                assert!(taken.len() <= count);
                taken.extend((0..hands.half).map(|_| hands.take(payer(n))));
            }
            assert_eq!(hands.room(), None, "{count} workers");
        }
    }
}
