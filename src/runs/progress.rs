//! What the work says of itself (`tools.progress`), on its way to the ledger and to the log.
//!
//! Saying it costs the work a lock in memory and nothing else. What was said last is written down by the worker beside it, twice a second at
//! most and only where the work takes long enough for somebody to wait for it; so a loop that says a hundred thousand things fills nothing
//! and is not slowed down, and an agent that answers at once costs the ledger no write.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tracing::{debug, info, warn};

use crate::{
    ledger::Begun,
    run::{Progress, Step},
    x402::desk::{Desk, now_ms},
};

/// Work that ends sooner has nobody who waits: nothing is written of it.
const WORTH_TELLING: Duration = Duration::from_millis(250);
/// Between two writes of one run.
const PAUSE: Duration = Duration::from_millis(500);

/// What one attempt has said. The work has one end of it, the worker the other.
#[derive(Clone, Default)]
pub(super) struct Reports(Arc<Shared>);

#[derive(Default)]
struct Shared {
    said: Mutex<Said>,
    news: Notify,
}

#[derive(Default)]
struct Said {
    progress: Progress,
    /// Of `progress.steps`: from here on, they are not written as they are now.
    written: usize,
    /// Counts what was said, so that who wrote knows whether it is still so.
    version: u64,
    /// Something of it is in the ledger.
    told: bool,
}

/// What is to be written.
struct News {
    from: usize,
    steps: Vec<Step>,
    version: u64,
}

impl Reports {
    pub(super) fn add(&self, step: u32, of: u32, words: &str) {
        let step = Step::new(step, of, words, now_ms());
        let mut said = self.said();
        said.version += 1;
        said.progress.add(step);
        said.written = said.written.min(said.progress.steps.len() - 1);
        drop(said);
        self.0.news.notify_one();
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Plain data, whole after each change.
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> Option<News> {
        let said = self.said();
        let steps = said.progress.steps.get(said.written..)?.to_vec();
        (!steps.is_empty()).then(|| News { from: said.written, steps, version: said.version })
    }

    fn is_written(&self, news: &News) {
        let mut said = self.said();
        said.told = true;
        let end = news.from + news.steps.len();
        // What was said since then may have changed the last of them.
        said.written = if said.version == news.version { end } else { said.written.max(end - 1) };
    }
}

/// Before the work. Where it began before and told so, the ledger marks that it begins again; then somebody may have heard of it, and it is
/// told however soon it ends.
pub(super) async fn begin(desk: &Desk, run: &str, token: &str) -> Reports {
    let reports = Reports::default();
    match desk.books.begin_progress(run, token, now_ms()).await {
        Ok(Begun::Again) => reports.said().told = true,
        Ok(Begun::Anew | Begun::NotOurs) => {}
        // Only what is shown suffers.
        Err(cause) => warn!(run.id = run, %cause, "that run {run} begins could not be written down"),
    }
    reports
}

/// Beside the work, until it is dropped.
pub(super) async fn write_down(desk: &Desk, run: &str, token: &str, reports: &Reports) -> Infallible {
    sleep(WORTH_TELLING).await;
    loop {
        reports.0.news.notified().await;
        write(desk, run, token, reports).await;
        sleep(PAUSE).await;
    }
}

/// After the work: what was said last, where somebody heard the beginning of it, or wants to know where it failed.
pub(super) async fn write_last(desk: &Desk, run: &str, token: &str, reports: &Reports, done: bool) {
    let told = reports.said().told;
    if told || !done {
        write(desk, run, token, reports).await;
    }
}

async fn write(desk: &Desk, run: &str, token: &str, reports: &Reports) {
    let Some(news) = reports.news() else { return };
    match desk.books.write_progress(run, token, news.from, &news.steps).await {
        Ok(true) => {
            reports.is_written(&news);
            tell(run, &news.steps);
            desk.ring(run);
        }
        // The worker finds that out by itself.
        Ok(false) => {}
        Err(cause) => warn!(run.id = run, %cause, "how far run {run} is could not be written down"),
    }
}

/// The words may hold what the visitor asked for, and no ordinary log line does.
fn tell(run: &str, steps: &[Step]) {
    for Step { step, of, words, .. } in steps {
        info!(run.id = run, step, of, "run {run} is at step {step} of {of}");
        debug!(run.id = run, step, of, words);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(news: &News) -> (usize, Vec<&str>) {
        (news.from, news.steps.iter().map(|step| step.words.as_str()).collect())
    }

    #[test]
    fn what_was_written_is_not_written_again() {
        let reports = Reports::default();
        assert!(reports.news().is_none());
        reports.add(1, 3, "one");
        reports.add(2, 3, "two");
        let news = reports.news().unwrap();
        assert_eq!(words(&news), (0, vec!["one", "two"]));
        reports.is_written(&news);
        assert!(reports.news().is_none());
        reports.add(2, 3, "two, nearly");
        assert_eq!(words(&reports.news().unwrap()), (1, vec!["two, nearly"]), "the same step again");
    }

    #[test]
    fn what_is_said_while_it_is_written_is_written_next() {
        let reports = Reports::default();
        reports.add(1, 3, "one");
        let news = reports.news().unwrap();
        reports.add(1, 3, "one, nearly");
        reports.add(2, 3, "two");
        reports.is_written(&news);
        assert_eq!(words(&reports.news().unwrap()), (0, vec!["one, nearly", "two"]));
    }

    #[test]
    fn what_could_not_be_written_is_still_news() {
        let reports = Reports::default();
        reports.add(1, 3, "one");
        drop(reports.news());
        reports.add(2, 3, "two");
        assert_eq!(words(&reports.news().unwrap()), (0, vec!["one", "two"]));
    }
}
