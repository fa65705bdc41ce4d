//! What goes on being so is said once a minute: an outage fails every look, of every run, on every network.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Between two lines that say the same.
pub const SAID_EVERY: Duration = Duration::from_secs(60);

/// Subjects that are remembered: a few for each network. Where there are more, one is said once too often.
const SUBJECTS_MAX: usize = 1_000;

/// When each subject was last written about. For log lines whose number would grow with runs, looks or requests.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<HashMap<String, Instant>>);

impl Seldom {
    /// Is it time for a line about this subject? If so, it is taken for written.
    pub fn is_time(&self, subject: &str) -> bool {
        let mut said = self.said();
        if said.get(subject).is_some_and(|at| at.elapsed() < SAID_EVERY) {
            return false;
        }
        if said.len() >= SUBJECTS_MAX {
            said.clear();
        }
        said.insert(subject.to_owned(), Instant::now());
        true
    }

    fn said(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_the_same_is_said_once_a_minute_and_each_network_has_a_line_of_its_own() {
        let seldom = Seldom::default();
        let lines = (0..1_000).filter(|look| seldom.is_time(if look % 2 == 0 { "settling on a" } else { "settling on b" }));
        assert_eq!(lines.count(), 2);
        for at in seldom.said().values_mut() {
            *at = at.checked_sub(SAID_EVERY).unwrap_or(*at);
        }
        assert!(seldom.is_time("settling on a") && !seldom.is_time("settling on a"));
        for subject in 0..2 * SUBJECTS_MAX {
            seldom.is_time(&subject.to_string());
        }
        assert!(seldom.said().len() <= SUBJECTS_MAX);
    }
}
