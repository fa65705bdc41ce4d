//! Who listens to how far runs are (`GET /api/runs/<id>/events`): how many at once, for how long, and until when.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::evm::Address;

/// Open at once, of everybody. Each asks the ledger once a second.
pub const STREAMS_MAX: usize = 256;
/// Of one payer. A browser opens six connections to a shop at most, for all of its tabs.
pub const STREAMS_OF_PAYER_MAX: usize = 4;
/// Of one address, whoever pays: wallets are free. Those who are refused ask every two seconds instead, and see the same.
pub const STREAMS_OF_ADDRESS_MAX: usize = 16;

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
    /// As small.
    of_addresses: HashMap<NetAddress, usize>,
}

/// Where a listener comes from, as the limits count it: `server::limits::Visitor`'s bytes.
pub type NetAddress = [u8; 9];

/// One open stream, until it is dropped.
pub struct Place {
    payer: Address,
    from: NetAddress,
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

    /// Of a payer's run, listened to from an address. `None`: too many are open, of the payer, of the address or in all.
    pub fn take(&self, payer: Address, from: NetAddress) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_payer = open.of_payers.get(&payer).copied().unwrap_or(0);
        let of_address = open.of_addresses.get(&from).copied().unwrap_or(0);
        if open.all >= STREAMS_MAX || of_payer >= STREAMS_OF_PAYER_MAX || of_address >= STREAMS_OF_ADDRESS_MAX {
            return None;
        }
        open.all += 1;
        open.of_payers.insert(payer, of_payer + 1);
        open.of_addresses.insert(from, of_address + 1);
        Some(Place { payer, from, open: self.open.clone() })
    }
}

/// One less; who has none is forgotten.
fn leave<K: Eq + Hash>(of: &mut HashMap<K, usize>, whose: &K) {
    if let Some(count) = of.get_mut(whose) {
        *count -= 1;
        if *count == 0 {
            of.remove(whose);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        leave(&mut open.of_payers, &self.payer);
        leave(&mut open.of_addresses, &self.from);
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

    /// One of many addresses.
    fn from(n: usize) -> NetAddress {
        let mut bytes = [4; 9];
        bytes[1..].copy_from_slice(&n.to_be_bytes());
        bytes
    }

    #[test]
    fn one_payer_cannot_take_all_places() {
        let streams = Streams::new(Pace::default(), CancellationToken::new());
        let taken: Vec<_> = (0..STREAMS_OF_PAYER_MAX).map(|n| streams.take(payer(1), from(n)).unwrap()).collect();
        assert!(streams.take(payer(1), from(9)).is_none() && streams.take(payer(2), from(9)).is_some());
        drop(taken);
        assert!(streams.take(payer(1), from(9)).is_some(), "a stream that ended leaves its place");
    }

    #[test]
    fn s6_one_address_cannot_take_all_places_with_many_wallets() {
        let streams = Streams::new(Pace::default(), CancellationToken::new());
        let mut taken: Vec<_> = (0..STREAMS_MAX).map_while(|n| streams.take(payer(n), from(1))).collect();
        assert_eq!(taken.len(), STREAMS_OF_ADDRESS_MAX);
        assert!(streams.take(payer(STREAMS_MAX), from(2)).is_some(), "others have theirs");
        taken.pop();
        assert!(streams.take(payer(STREAMS_MAX), from(1)).is_some());
    }

    #[test]
    fn there_is_an_end_to_the_places_and_they_come_back() {
        let streams = Streams::new(Pace::default(), CancellationToken::new());
        let mut taken: Vec<_> = (0..STREAMS_MAX).map(|n| streams.take(payer(n), from(n)).unwrap()).collect();
        assert!(streams.take(payer(STREAMS_MAX), from(STREAMS_MAX)).is_none());
        taken.pop();
        assert!(streams.take(payer(STREAMS_MAX), from(STREAMS_MAX)).is_some());
        drop(taken);
        let open = streams.open.lock().unwrap();
        assert!(open.of_payers.is_empty() && open.of_addresses.is_empty(), "nobody is remembered");
    }
}
