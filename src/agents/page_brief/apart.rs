//! From an input to a report: fetches where an address is given, and lets a process of its own read what came.

use std::time::Duration;

use tokio::sync::Semaphore;

use super::{
    Input, Report,
    brief::{Page, Unreadable, brief},
    fetch::{self, Net},
};
use crate::{
    error::{CallError, Retry},
    runs::apart::{Apart, Failure, Limits},
};

/// Ordinary pages take a few milliseconds and megabytes.
pub static READ: Apart = Apart {
    name: "read-page",
    limits: Limits { cpu_seconds: 4, memory_bytes: 1024 * 1024 * 1024, answer_bytes_max: 8 * 1024 * 1024 },
    places: Semaphore::const_new(2),
    work,
};
/// With the fetching's own limit within the card's, so that the answer is ours.
const WALL: Duration = Duration::from_secs(10);

fn work(page: &[u8], tell: &mut dyn FnMut(&[u8])) {
    let told = serde_json::from_slice::<Page>(page).map_err(|_| Unreadable::NothingToRead).and_then(|page| brief(&page));
    if let Ok(told) = serde_json::to_vec(&told) {
        tell(&told);
    }
}

/// The whole work of a run.
///
/// # Errors
/// [`crate::error::Code::AgentFailed`]: what cannot be fetched or read, now or ever (`retry`).
pub(super) async fn read(input: &Input, net: &impl Net, progress: impl Fn(u32, &str)) -> Result<Report, CallError> {
    let page = match (&input.url, &input.html) {
        (Some(url), None) => {
            progress(1, "Fetching the page.");
            fetch::fetch(url, net).await.map_err(|why| if why.is_final() { for_good(&why) } else { CallError::agent_failed(why) })?
        }
        (None, Some(html)) => Page { html: html.clone(), url: None, is_plain: false },
        // The input was validated before anybody paid.
        _ => return Err(for_good("Give either an address or HTML.")),
    };
    progress(2, "Reading it.");
    read_page(&page).await
}

/// What a page says.
///
/// # Errors
/// [`crate::error::Code::AgentFailed`]: nothing to read, or a page that no parser ends on.
pub async fn read_page(page: &Page) -> Result<Report, CallError> {
    let page = serde_json::to_vec(page).map_err(CallError::agent_failed)?;
    let told = READ.run(WALL, page).await.map_err(|failure| match failure {
        Failure::Exhausted => for_good("the page is made so that reading it takes too much."),
        Failure::Busy => CallError::agent_failed("the reader is busy right now."),
    })?;
    serde_json::from_slice::<Result<Report, Unreadable>>(&told).map_err(CallError::agent_failed)?.map_err(for_good)
}

/// The same input will always fail.
fn for_good(why: impl std::fmt::Display) -> CallError {
    CallError { retry: Retry::No, ..CallError::agent_failed(why) }
}
