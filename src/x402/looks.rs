//! How often a settlement is looked at that nobody can tell about: less and less often, so that a chain that does not answer, or a signature that
//! was taken back, does not keep this process and its nodes busy.
//!
//! Of this process only: what is forgotten is looked at once too often.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// After the first look in vain, milliseconds; twice as long after each.
const PAUSE_MS: i64 = 1_000;
const PAUSE_MAX_MS: i64 = 30_000;

/// Runs that are remembered; more than are ever open at once (32 of an agent). Where there are more, all are looked at again.
const RUNS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Looks(Mutex<HashMap<String, Pause>>);

#[derive(Clone, Copy, Debug)]
struct Pause {
    for_ms: i64,
    until_ms: i64,
}

impl Looks {
    /// Is it time for the next look at this run?
    pub fn is_time(&self, run: &str, now_ms: i64) -> bool {
        self.pauses().get(run).is_none_or(|pause| pause.until_ms <= now_ms)
    }

    /// Nothing was found out. For so many milliseconds it is left alone.
    pub fn in_vain(&self, run: &str, now_ms: i64) -> i64 {
        let mut pauses = self.pauses();
        if pauses.len() >= RUNS_MAX {
            pauses.clear();
        }
        let for_ms = pauses.get(run).map_or(PAUSE_MS, |pause| (pause.for_ms * 2).min(PAUSE_MAX_MS));
        pauses.insert(run.to_owned(), Pause { for_ms, until_ms: now_ms.saturating_add(for_ms) });
        for_ms
    }

    pub fn is_over(&self, run: &str) {
        self.pauses().remove(run);
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<String, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m9_looks_in_vain_become_rare_and_never_end() {
        let looks = Looks::default();
        assert!(looks.is_time("a", 0));
        let pauses: Vec<i64> = (0..9).map(|_| looks.in_vain("a", 0)).collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
        assert!(!looks.is_time("a", 29_999) && looks.is_time("a", 30_000));
        assert!(looks.is_time("b", 0), "another run's are its own");
        looks.is_over("a");
        assert_eq!((looks.is_time("a", 0), looks.in_vain("a", 0)), (true, 1_000));
        for run in 0..2 * RUNS_MAX {
            looks.in_vain(&run.to_string(), 0);
        }
        assert!(looks.pauses().len() <= RUNS_MAX);
    }
}
