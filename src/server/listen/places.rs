//! Who has a place among the connections. Where there is none left, the one that was quiet for longest leaves its place to the newcomer: of those
//! of the same address where that has its share, else of all.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Rules, quiet::Pulse};
use crate::server::limits::Visitor;

/// While all places are taken, those who worked on a request a moment ago are looked at again after so long.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Connections that leave at once where the process has no descriptors left.
const LEAVE_AT_ONCE: usize = 16;

pub struct Places {
    rules: Rules,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Kept>,
    /// Of addresses that have a bound, those that were not told to leave.
    of_addresses: HashMap<Visitor, HashSet<u64>>,
}

struct Kept {
    address: Option<Visitor>,
    pulse: Arc<Pulse>,
    leaves: CancellationToken,
}

/// One connection's place, until it is dropped.
pub struct Place {
    id: u64,
    places: Arc<Places>,
    pub pulse: Arc<Pulse>,
    /// Somebody else needs the place.
    pub leaves: CancellationToken,
}

enum Found {
    Place(Place),
    /// All of the address's places have requests that are worked on.
    Refused,
    /// Nobody has left yet.
    NotYet,
}

impl Places {
    pub fn new(rules: Rules) -> Self {
        Self { rules, open: Mutex::default(), freed: Notify::new() }
    }

    /// Waits until there is one. `None`: this address has its share, and all of them are busy.
    pub async fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let address = self.rules.bounded(peer);
        loop {
            match self.find(address) {
                Found::Place(place) => return Some(place),
                Found::Refused => return None,
                Found::NotYet => {}
            }
            let _ = timeout(LOOK_EVERY, self.freed.notified()).await;
        }
    }

    /// Some of those who are quiet leave.
    pub fn make_room(&self) {
        let mut open = self.open();
        for _ in 0..LEAVE_AT_ONCE {
            let Some(id) = quietest(open.all.iter()) else { break };
            open.tell_to_leave(id);
        }
    }

    fn find(self: &Arc<Self>, address: Option<Visitor>) -> Found {
        let mut open = self.open();
        if let Some(address) = address {
            let none = HashSet::new();
            let own = open.of_addresses.get(&address).unwrap_or(&none);
            if own.len() >= self.rules.of_address {
                let own = own.iter().filter_map(|id| Some((id, open.all.get(id)?)));
                let Some(id) = quietest(own) else { return Found::Refused };
                open.tell_to_leave(id);
            }
        }
        // Until it has left, its descriptor is still taken.
        if open.all.len() >= self.rules.in_all {
            if let Some(id) = quietest(open.all.iter()) {
                open.tell_to_leave(id);
            }
            return Found::NotYet;
        }
        let (id, pulse, leaves) = (open.next, Arc::new(Pulse::new()), CancellationToken::new());
        open.next += 1;
        open.all.insert(id, Kept { address, pulse: pulse.clone(), leaves: leaves.clone() });
        if let Some(address) = address {
            open.of_addresses.entry(address).or_default().insert(id);
        }
        Found::Place(Place { id, places: self.clone(), pulse, leaves })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of those who were not told to leave, the one that was quiet for longest. `None`: all of them work.
fn quietest<'a>(of: impl Iterator<Item = (&'a u64, &'a Kept)>) -> Option<u64> {
    of.filter(|(_, kept)| !kept.leaves.is_cancelled())
        .filter_map(|(id, kept)| Some((kept.pulse.quiet_since()?, *id)))
        .min()
        .map(|(_, id)| id)
}

impl Open {
    fn tell_to_leave(&mut self, id: u64) {
        if let Some(kept) = self.all.get(&id) {
            kept.leaves.cancel();
            if let Some(address) = kept.address {
                self.forget(address, id);
            }
        }
    }

    fn forget(&mut self, address: Visitor, id: u64) {
        if let Some(own) = self.of_addresses.get_mut(&address) {
            own.remove(&id);
            if own.is_empty() {
                self.of_addresses.remove(&address);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        if let Some(Kept { address: Some(address), .. }) = open.all.remove(&self.id) {
            open.forget(address, self.id);
        }
        drop(open);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn places(of_address: usize, in_all: usize) -> Arc<Places> {
        Arc::new(Places::new(Rules { of_address, in_all, unbounded: vec!["10.0.0.0/8".parse().unwrap()], ..Rules::default() }))
    }

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn s4_an_address_has_its_share_and_its_quietest_connection_makes_room() {
        let places = places(2, 100);
        let first = places.take(peer("192.0.2.1")).await.unwrap();
        first.pulse.works(false);
        let second = places.take(peer("192.0.2.1")).await.unwrap();
        let third = places.take(peer("::ffff:192.0.2.1")).await.unwrap();
        assert!(second.leaves.is_cancelled() && !first.leaves.is_cancelled(), "the quiet one leaves, not the one that works");
        third.pulse.works(false);
        assert!(places.take(peer("192.0.2.1")).await.is_none(), "all of its share are at work");
        let other = places.take(peer("192.0.2.2")).await.unwrap();
        assert!(!other.leaves.is_cancelled(), "others have a share of their own");
        drop((first, second, third, other));
        assert!(places.open().all.is_empty() && places.open().of_addresses.is_empty(), "nobody is remembered");
    }

    #[tokio::test]
    async fn s4_a_proxy_has_no_share_and_there_is_an_end_in_all() {
        let places = places(2, 4);
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(places.take(peer("10.1.2.3")).await.unwrap());
        }
        taken[0].pulse.works(false);
        let waits = tokio::spawn({
            let places = places.clone();
            async move { places.take(peer("192.0.2.1")).await.is_some() }
        });
        taken[1].leaves.cancelled().await;
        assert!(!waits.is_finished(), "its descriptor is still taken");
        taken.remove(1);
        assert!(waits.await.unwrap());
        assert!(!taken[0].leaves.is_cancelled());
    }
}
