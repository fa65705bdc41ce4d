//! Strangers' code is examined in a process of its own (`runs::apart`).

use std::time::Duration;

use tokio::sync::Semaphore;

use super::examine::{Examined, Refusal, examine_telling};
use crate::runs::apart::{self, Apart, Limits};

pub use crate::runs::apart::work_with as examine_with;

/// Ordinary contracts take a tenth of a second and a few megabytes, the largest that Monad allows a few seconds. A thousand functions make
/// a tenth of the largest answer.
pub static EXAMINE: Apart = Apart {
    name: "examine-contract",
    limits: Limits { cpu_seconds: 3, memory_bytes: 768 * 1024 * 1024, answer_bytes_max: 16 * 1024 * 1024 },
    places: Semaphore::const_new(2),
    work: examine,
};
/// Within the card's time limit, so that the answer is ours. Met before the processor time only on a crowded machine.
const WALL: Duration = Duration::from_secs(8);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same code will always end so.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine has no place for it right now.
    #[error("The analyser is busy right now.")]
    Busy,
}

/// First what is known before the dearest part of the work, then everything.
fn examine(code: &[u8], tell: &mut dyn FnMut(&[u8])) {
    let mut tell = |told: &Result<Examined, Refusal>| {
        if let Ok(told) = serde_json::to_vec(told) {
            tell(&told);
        }
    };
    let all = examine_telling(code, |so_far| tell(&Ok(so_far.clone())));
    tell(&all);
}

/// Everything, or what is known before the dearest part of the work where that part is too dear (`complete` is false then).
///
/// # Errors
/// [`Failure::Refused`] for code that is too much even so, [`Failure::Busy`] where the time went by before its turn.
pub async fn examined(code: Vec<u8>) -> Result<Examined, Failure> {
    examined_within(WALL, code).await
}

/// The same with a longer or shorter patience.
pub async fn examined_within(wall: Duration, code: Vec<u8>) -> Result<Examined, Failure> {
    let told = EXAMINE.run(wall, code).await.map_err(|failure| match failure {
        apart::Failure::Exhausted => Failure::Refused(Refusal::TooExpensive),
        apart::Failure::Busy => Failure::Busy,
    })?;
    serde_json::from_slice::<Result<Examined, Refusal>>(&told).map_err(|_| Refusal::TooExpensive)?.map_err(Failure::Refused)
}
