//! What agents called final for an input, kept in memory: a demand for payment tells of it and asks no database.
//!
//! What this process wrote is there at once, what other instances wrote with the next [`Books::read_failures`]. It is bounded, and what ends first is
//! forgotten first: the next payer of a forgotten one finds it out, and is not charged.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    runs::{FAILURE_KNOWN_MS, KnownFailure, Run, read_error},
    store::{Books, Result},
};
use crate::error::CallError;

/// Inputs and networks that are remembered at once, in one process.
pub const KEPT_MAX: usize = 4096;
/// Bytes of what is said of one: with [`KEPT_MAX`], a few megabytes in all.
const SENTENCE_BYTES_MAX: usize = 1024;
/// A row may be seen so long after the time that it bears: by another instance's clock, which may be two minutes behind, and before its transaction was
/// committed.
const READ_AGAIN_MS: i64 = 5 * 60 * 1000;

/// One process's. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Failures(Arc<RwLock<Kept>>);

#[derive(Default)]
struct Kept {
    /// By agent, version and input ([`key`]): on each network the newest.
    known: HashMap<String, Vec<KnownFailure>>,
    /// When each of them ends (Unix milliseconds), its key and its network.
    ends: BTreeSet<(i64, String, String)>,
    /// When the books were last read, Unix milliseconds.
    read_ms: Option<i64>,
}

fn key(agent: &str, version: &str, input_sha256: &str) -> String {
    format!("{agent}\n{version}\n{input_sha256}")
}

impl Failures {
    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn note(&mut self, key: String, mut failure: KnownFailure) {
        failure.error = in_short(failure.error);
        let (until_ms, network) = (failure.until_ms, failure.network.clone());
        let of_input = self.known.entry(key.clone()).or_default();
        match of_input.iter_mut().find(|known| known.network == network) {
            Some(known) if known.until_ms >= until_ms => return,
            Some(known) => {
                self.ends.remove(&(known.until_ms, key.clone(), network.clone()));
                *known = failure;
            }
            None => of_input.push(failure),
        }
        self.ends.insert((until_ms, key, network));
        while self.ends.len() > KEPT_MAX {
            self.forget_first();
        }
    }

    fn forget_ended(&mut self, now_ms: i64) {
        while self.ends.first().is_some_and(|(until_ms, ..)| *until_ms <= now_ms) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, key, network)) = self.ends.pop_first() else { return };
        if let Some(of_input) = self.known.get_mut(&key) {
            of_input.retain(|known| known.network != network);
            if of_input.is_empty() {
                self.known.remove(&key);
            }
        }
    }
}

/// The sentence, which is what is told to those who have not paid.
fn in_short(mut error: CallError) -> CallError {
    if error.error.len() > SENTENCE_BYTES_MAX {
        let end = (0..=SENTENCE_BYTES_MAX).rev().find(|at| error.error.is_char_boundary(*at)).unwrap_or(0);
        error.error.truncate(end);
        error.error.push('…');
    }
    CallError { error: error.error, fields: Vec::new(), details: None, ..CallError::from(error.code) }
}

impl Books {
    /// Is any failure remembered at all? Mostly none is, and then nothing has to be looked for.
    pub fn remembers_failures(&self) -> bool {
        !self.failures.read().known.is_empty()
    }

    /// As [`Books::known_failures`], as far as this process knows: it asks nobody. The newest first.
    pub fn remembered_failures(&self, agent: &str, version: &str, input_sha256: &str, now_ms: i64) -> Vec<KnownFailure> {
        let kept = self.failures.read();
        let Some(of_input) = kept.known.get(&key(agent, version, input_sha256)) else { return Vec::new() };
        let mut known: Vec<_> = of_input.iter().filter(|failure| failure.until_ms > now_ms).cloned().collect();
        known.sort_by_key(|failure| std::cmp::Reverse(failure.until_ms));
        known
    }

    /// Learns what other instances wrote since the last time; the first time, all of the last hour. One indexed read of few rows.
    ///
    /// # Errors
    /// The database is away, or a row cannot be read. What is remembered stands.
    pub async fn read_failures(&self, now_ms: i64) -> Result<()> {
        let hour_ago_ms = now_ms.saturating_sub(FAILURE_KNOWN_MS);
        let read_ms = self.failures.read().read_ms;
        let since_ms = read_ms.map_or(hour_ago_ms, |read_ms| read_ms.saturating_sub(READ_AGAIN_MS).max(hour_ago_ms));
        let rows: Vec<(String, String, String, String, String, i64)> = sqlx::query_as(
            "select agent, version, input_sha256, network, error, finished_ms from runs
             where state = 'failed' and error_final = 1 and finished_ms > $1
             order by finished_ms desc limit $2",
        )
        .bind(since_ms)
        .bind(i64::try_from(KEPT_MAX).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let (mut kept, mut unreadable) = (self.failures.write(), None);
        kept.forget_ended(now_ms);
        for (agent, version, input_sha256, network, error, finished_ms) in rows {
            match read_error(&error) {
                Ok(error) => {
                    let until_ms = finished_ms.saturating_add(FAILURE_KNOWN_MS);
                    kept.note(key(&agent, &version, &input_sha256), KnownFailure { network, error, until_ms });
                }
                Err(why) => unreadable = Some(why),
            }
        }
        kept.read_ms = Some(now_ms);
        unreadable.map_or(Ok(()), Err)
    }

    /// What this process has just written: `error` is the run's, as JSON.
    pub(super) fn note_failure(&self, run: &Run, error: &str, now_ms: i64) {
        // Our own JSON. Were it unreadable, the next read would say so.
        let Ok(error) = read_error(error) else { return };
        let (network, until_ms) = (run.network.clone(), now_ms.saturating_add(FAILURE_KNOWN_MS));
        let key = key(&run.agent, &run.version, &run.input_sha256);
        self.failures.write().note(key, KnownFailure { network, error, until_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn failure(network: &str, until_ms: i64, why: &str) -> KnownFailure {
        KnownFailure { network: network.into(), error: CallError::saying(Code::AgentFailed, why), until_ms }
    }

    #[test]
    fn s5_what_is_remembered_is_bounded_and_what_ends_first_goes_first() {
        let mut kept = Kept::default();
        for n in 0..10_000_i64 {
            kept.note(format!("input {n}"), failure("eip155:1", n, &"é".repeat(10_000)));
        }
        assert_eq!((kept.known.len(), kept.ends.len()), (KEPT_MAX, KEPT_MAX));
        assert!(!kept.known.contains_key("input 0") && kept.known.contains_key("input 9999"));
        assert!(kept.known.values().flatten().all(|known| known.error.error.len() < SENTENCE_BYTES_MAX + 4));
        kept.forget_ended(9_998);
        assert_eq!((kept.known.len(), kept.ends.len()), (1, 1));
    }

    #[test]
    fn s5_on_each_network_the_newest_is_remembered() {
        let mut kept = Kept::default();
        for (network, until_ms, why) in
            [("a", 2, "second"), ("b", 7, "other"), ("a", 1, "first"), ("a", 3, "third"), ("a", 3, "again")]
        {
            kept.note("input".into(), failure(network, until_ms, why));
        }
        let of = |kept: &Kept| kept.known.get("input").cloned().unwrap_or_default();
        let said: Vec<_> = of(&kept).into_iter().map(|known| (known.network, known.error.error, known.until_ms)).collect();
        assert_eq!(said, [("a".into(), "third".into(), 3), ("b".into(), "other".to_owned(), 7)]);
        kept.forget_ended(3);
        assert_eq!((of(&kept).len(), kept.ends.len()), (1, 1));
        kept.forget_ended(7);
        assert!(kept.known.is_empty() && kept.ends.is_empty());
    }
}
