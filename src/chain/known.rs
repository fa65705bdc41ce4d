//! What is true of a chain for longer than a question takes, so that it is asked once for many payments: which contracts are there, what tokens call
//! themselves, and about where the final head is. Of this process only; what is forgotten is asked once more.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Chain, Unavailable};
use crate::evm::Address;

/// A contract that is there stays; a block that made it may vanish.
const CONTRACTS_FOR: Duration = Duration::from_secs(60);

/// The final head is a lower bound wherever this is good enough.
const HEAD_FOR: Duration = Duration::from_secs(10);

/// More contracts than any shop takes tokens of.
const CONTRACTS_MAX: usize = 1_000;

/// What a token calls itself: its name and version. `None`: it does not say.
pub type Names = [Option<String>; 2];

#[derive(Default)]
pub(super) struct Known {
    contracts: Mutex<HashMap<Address, Instant>>,
    names: Mutex<HashMap<Address, (Instant, Names)>>,
    final_head: Mutex<Option<(Instant, u64)>>,
    /// Held by the one who asks; the others wait for that answer.
    asking: tokio::sync::Mutex<()>,
}

impl Known {
    pub fn note_final_head(&self, height: u64) {
        *locked(&self.final_head) = Some((Instant::now(), height));
    }
}

impl Chain {
    /// What many need is asked by one of them: whoever has this looks once more whether it is known by now.
    pub async fn asking(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.known().asking.lock().await
    }

    /// Had this address code within the last minute?
    pub fn is_known_contract(&self, address: Address) -> bool {
        locked(&self.known().contracts).get(&address).is_some_and(|seen| seen.elapsed() < CONTRACTS_FOR)
    }

    pub fn note_contract(&self, address: Address) {
        note(&self.known().contracts, address, Instant::now());
    }

    /// What this token called itself within the last minute.
    pub fn known_names(&self, token: Address) -> Option<Names> {
        let names = locked(&self.known().names);
        names.get(&token).filter(|(seen, _)| seen.elapsed() < CONTRACTS_FOR).map(|(_, names)| names.clone())
    }

    pub fn note_names(&self, token: Address, names: Names) {
        note(&self.known().names, token, (Instant::now(), names));
    }

    /// Height of a block that was the newest final one within the last ten seconds.
    ///
    /// # Errors
    /// Nobody has asked lately, and no node answers.
    pub async fn final_head_lately(&self) -> Result<u64, Unavailable> {
        let lately = || *locked(&self.known().final_head);
        let fresh = |(seen, height): (Instant, u64)| (seen.elapsed() < HEAD_FOR).then_some(height);
        if let Some(height) = lately().and_then(fresh) {
            return Ok(height);
        }
        let _asking = self.asking().await;
        if let Some(height) = lately().and_then(fresh) {
            return Ok(height);
        }
        let height = self.final_head().await?;
        self.known().note_final_head(height);
        Ok(height)
    }
}

fn note<T>(all: &Mutex<HashMap<Address, T>>, address: Address, what: T) {
    let mut all = locked(all);
    if all.len() >= CONTRACTS_MAX {
        all.clear();
    }
    all.insert(address, what);
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
