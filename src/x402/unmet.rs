//! Networks that this process has not met yet: no node has shown, since the start, that it is of the chain that the books know.
//!
//! What a chain says is believed only after that. Until then its payments are neither refused nor lost: they are told to come again.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

#[derive(Debug, Default)]
pub struct Unmet(RwLock<HashMap<String, String>>);

impl Unmet {
    /// Not met, and why not, without addresses.
    pub fn set(&self, network: &str, why: impl Into<String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(network.to_owned(), why.into());
    }

    /// It was met.
    pub fn clear(&self, network: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(network);
    }

    pub fn has(&self, network: &str) -> bool {
        self.read().contains_key(network)
    }

    /// Why it is not met. `None`: it is.
    pub fn why(&self, network: &str) -> Option<String> {
        self.read().get(network).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, String>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
