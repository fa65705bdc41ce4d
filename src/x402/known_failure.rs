//! An input that its agent called final is told of before the next payment, on the network where it failed and for an hour
//! (`ledger::runs::FAILURE_KNOWN_MS`): a contract that one network does not have is on another, and a page that is gone comes back.
//!
//! Who has not paid is told what this process remembers (`ledger::failures`), so that an unpaid 402 asks no database: what it wrote itself, and what the
//! other instances wrote a moment ago ([`start`]).

use std::{collections::BTreeSet, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    desk::{Desk, now_ms},
    outcome::{Outcome, Said},
};
use crate::{
    card::Card,
    error::{CallError, Code, FieldError},
    ledger::runs::KnownFailure,
};

/// Between two looks at what other instances have seen fail.
const READ_EVERY: Duration = Duration::from_secs(2);

/// What is in the books, before anybody is told a price. The books may be away: then it is read later.
pub async fn read(desk: &Desk) {
    if let Err(cause) = desk.books.read_failures(now_ms()).await {
        warn!(%cause, "what failed for good is not known yet");
    }
}

/// Learns every few seconds what other instances have seen fail.
pub fn start(desk: &Desk, stop: &CancellationToken) -> JoinHandle<()> {
    let (books, stop) = (desk.books.clone(), stop.clone());
    tokio::spawn(async move {
        let mut is_away = false;
        while stop.run_until_cancelled(tokio::time::sleep(READ_EVERY)).await.is_some() {
            let Some(read) = stop.run_until_cancelled(books.read_failures(now_ms())).await else { return };
            match read {
                // Once per outage: it is read every few seconds.
                Err(cause) if !is_away => {
                    warn!(%cause, source = ?std::error::Error::source(&cause), "what other instances have seen fail is not read; what is known stands");
                    is_away = true;
                }
                Ok(()) if is_away => {
                    info!("what other instances have seen fail is read again");
                    is_away = false;
                }
                _ => {}
            }
        }
    })
}

/// A demand for money leaves out the networks where this input is known to fail. Where no other is on offer, whoever has not paid is told why, and
/// until when. Everything else is as it was. Without a payment it asks nobody; beside one that was refused, one read.
pub async fn before_paying(desk: &Desk, card: &Card, input_sha256: &str, mut outcome: Outcome) -> Outcome {
    let Said::Demanded { why, without } = &mut outcome.said else { return outcome };
    let now = now_ms();
    let is_unpaid = why.code == Code::PaymentRequired;
    let known = if is_unpaid {
        desk.books.remembered_failures(card.slug, card.version, input_sha256, now)
    } else {
        // What became of a payment is told all the same.
        desk.books.known_failures(card.slug, card.version, input_sha256, now).await.unwrap_or_default()
    };
    if known.is_empty() {
        return outcome;
    }
    let offered: BTreeSet<String> = desk.offers(card, now, None).into_iter().map(|offer| offer.network).collect();
    let (failing, fine): (Vec<String>, Vec<String>) =
        offered.into_iter().partition(|network| known.iter().any(|failure| failure.network == *network));
    if failing.is_empty() {
        return outcome;
    }
    let failures: Vec<_> = known.iter().filter(|failure| failing.contains(&failure.network)).collect();
    if fine.is_empty() {
        // After a payment that was refused, the refusal is the answer, with its offers: a run that fails again costs nothing.
        return if is_unpaid { Outcome::refused(told(desk, &failures, now)) } else { outcome };
    }
    if is_unpaid {
        let where_not: Vec<_> = failures.iter().map(|failure| format!("{} {}", on(desk, failure), until(failure, now))).collect();
        let sentence = format!(
            "{}. Not on {}: there this agent failed on exactly this input.",
            why.error.trim_end_matches('.'),
            where_not.join(", not on ")
        );
        why.error = sentence;
    }
    *without = failing;
    outcome
}

fn told(desk: &Desk, failures: &[&KnownFailure], now_ms: i64) -> CallError {
    let fields = failures.iter().map(|failure| FieldError {
        field: String::new(),
        error: format!(
            "This agent failed on exactly this input before, on {}, and would again. {} It is not sold for this input there {}.",
            on(desk, failure),
            failure.error.error,
            until(failure, now_ms)
        ),
    });
    let until_ms = failures.iter().map(|failure| failure.until_ms).min().unwrap_or(now_ms);
    CallError::invalid_input(fields.collect()).after_ms(until_ms.saturating_sub(now_ms).unsigned_abs())
}

fn on<'d>(desk: &'d Desk, failure: &'d KnownFailure) -> &'d str {
    desk.chain(&failure.network).map_or(failure.network.as_str(), |chain| chain.network().name.as_str())
}

/// `until 2026-11-30T20:05:12Z (in 59 minutes)`.
fn until(failure: &KnownFailure, now_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(failure.until_ms).unwrap_or_default();
    let minutes = failure.until_ms.saturating_sub(now_ms).unsigned_abs().div_ceil(60_000);
    let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
    format!("until {at:.0} (for {minutes})")
}
