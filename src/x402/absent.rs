//! Is a payment that nobody has seen really not there? Asked before its payer is told so, for they may pay again.
//!
//! What is remembered is few and short-lived: one look a minute for each payment, however often it is shown.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use tokio::time::timeout;

use crate::{
    chain::{Chain, Sighting},
    evm::TxHash,
};

/// An answer is good for so long.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const KNOWN_MAX: u64 = 10_000;

/// For one look; a payer waits.
const LOOK_TIME: Duration = Duration::from_secs(5);

pub struct Absent(Cache<(String, TxHash), ()>);

impl Default for Absent {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(KNOWN_MAX).time_to_live(KNOWN_FOR).build())
    }
}

/// What a look found instead.
#[derive(Clone, Copy, Debug)]
enum Otherwise {
    /// A block has it.
    Seen,
    Unknown,
}

impl Absent {
    /// `Some(true)`: no node has it, a second one included where there is one. `None`: nobody knows.
    pub async fn is(&self, chain: &Chain, transaction: TxHash) -> Option<bool> {
        let look = async {
            match chain.lookup(transaction).await {
                Ok(Sighting::NotSeen) => {}
                Ok(Sighting::Included(_) | Sighting::Final(_)) => return Err(Otherwise::Seen),
                Err(_) => return Err(Otherwise::Unknown),
            }
            // A node that is stuck has not seen anything of late.
            let is_up_to_date = chain.newest_time_s().await.is_ok() && !chain.is_stale();
            if is_up_to_date { Ok(()) } else { Err(Otherwise::Unknown) }
        };
        let look = async { timeout(LOOK_TIME, look).await.unwrap_or(Err(Otherwise::Unknown)) };
        let key = (chain.network().id.clone(), transaction);
        match self.0.try_get_with(key, look).await.map_err(|why: Arc<Otherwise>| *why) {
            Ok(()) => Some(true),
            Err(Otherwise::Seen) => Some(false),
            Err(Otherwise::Unknown) => None,
        }
    }
}
