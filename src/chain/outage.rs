//! What the log says while nodes are away: one line a minute and network, whoever asks and how often.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::seldom::SAID_EVERY;

/// No node answers, from the first question without an answer to the next one with an answer.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    /// Questions without an answer since then.
    unanswered: u64,
    /// Was there a line about this one?
    is_told: bool,
    /// The last line about any: an outage that comes and goes is told no more often.
    told: Option<Instant>,
}

impl Outage {
    /// A question found no answer.
    pub fn goes_on(&self, network: &str, cause: &str) {
        let mut state = self.state();
        let since = *state.since.get_or_insert_with(Instant::now);
        state.unanswered += 1;
        if state.told.is_some_and(|told| told.elapsed() < SAID_EVERY) {
            debug!(network, cause, "no RPC of {network} answers: {cause}");
            return;
        }
        (state.told, state.is_told) = (Some(Instant::now()), true);
        let (unanswered, away_s) = (state.unanswered, since.elapsed().as_secs());
        warn!(
            network,
            cause,
            unanswered,
            away_s,
            "no RPC of {network} answers: {cause}. Its payments wait until one does ({unanswered} questions without an answer in {away_s} s)"
        );
    }

    /// A node answered.
    pub fn is_over(&self, network: &str) {
        let mut state = self.state();
        let Some(since) = state.since.take() else { return };
        let (unanswered, away_s) = (std::mem::take(&mut state.unanswered), since.elapsed().as_secs());
        if std::mem::take(&mut state.is_told) {
            info!(network, unanswered, away_s, "an RPC of {network} answers again, after {away_s} s");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
