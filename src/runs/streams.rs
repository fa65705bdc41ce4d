//! Who listens to how far runs are (`GET /api/runs/<id>/events`): how many at once, for how long, and until when.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::evm::Address;

/// Open at once, of everybody. Each asks the ledger once a second.
pub const STREAMS_MAX: usize = 256;
/// Of one payer. A browser opens six connections to a shop at most, for all of its tabs.
pub const STREAMS_OF_PAYER_MAX: usize = 4;

/// How a stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two signs of life, so that no proxy takes a quiet stream for a dead one.
    pub heartbeat: Duration,
    /// What another instance wrote is seen at the latest after so long.
    pub look: Duration,
    /// Then it ends, and the client comes again with its last event's id: a session that has ended listens no longer than this.
    pub life: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(10), look: Duration::from_secs(1), life: Duration::from_secs(5 * 60) }
    }
}

/// The streams of this process.
#[derive(Clone)]
pub struct Streams {
    pace: Pace,
    stop: CancellationToken,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    all: usize,
    /// Those who have one, so it is as small as `all`.
    of_payers: HashMap<Address, usize>,
}

/// One open stream, until it is dropped.
pub struct Place {
    payer: Address,
    open: Arc<Mutex<Open>>,
}

impl Streams {
    /// All of them end at `stop`: an open stream would hold up the shop's end.
    pub fn new(pace: Pace, stop: CancellationToken) -> Self {
        Self { pace, stop, open: Arc::default() }
    }

    pub fn pace(&self) -> Pace {
        self.pace
    }

    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// `None`: too many are open.
    pub fn take(&self, payer: Address) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_payer = open.of_payers.get(&payer).copied().unwrap_or(0);
        if open.all >= STREAMS_MAX || of_payer >= STREAMS_OF_PAYER_MAX {
            return None;
        }
        open.all += 1;
        open.of_payers.insert(payer, of_payer + 1);
        Some(Place { payer, open: self.open.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(of_payer) = open.of_payers.get_mut(&self.payer) {
            *of_payer -= 1;
            if *of_payer == 0 {
                open.of_payers.remove(&self.payer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn payer(n: usize) -> Address {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        Address(bytes)
    }

    #[test]
    fn one_payer_cannot_take_all_places() {
        let streams = Streams::new(Pace::default(), CancellationToken::new());
        let taken: Vec<_> = (0..STREAMS_OF_PAYER_MAX).map(|_| streams.take(payer(1)).unwrap()).collect();
        assert!(streams.take(payer(1)).is_none() && streams.take(payer(2)).is_some());
        drop(taken);
        assert!(streams.take(payer(1)).is_some(), "a stream that ended leaves its place");
    }

    #[test]
    fn there_is_an_end_to_the_places_and_they_come_back() {
        let streams = Streams::new(Pace::default(), CancellationToken::new());
        let mut taken: Vec<_> = (0..STREAMS_MAX).map(|n| streams.take(payer(n)).unwrap()).collect();
        assert!(streams.take(payer(STREAMS_MAX)).is_none());
        taken.pop();
        assert!(streams.take(payer(STREAMS_MAX)).is_some());
        drop(taken);
        assert!(streams.open.lock().unwrap().of_payers.is_empty(), "nobody is remembered");
    }
}
