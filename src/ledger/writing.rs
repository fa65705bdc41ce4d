//! Can the books be written? Asked before anybody is told where to pay: a payment that cannot be written down is a payer's trouble, and ours.
//!
//! Every refused write of the process is counted where it becomes an error. While the last try was refused, nothing is offered; whoever asks
//! then may try again, a few seconds apart and one at a time, and all who ask share what it said. Without trouble nobody is asked here: a try
//! every few seconds, while anybody looks at prices, is made apart from them ([`keep_trying`]), and by `/readyz`.

use std::{
    fmt::Write,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{
    fit::directory_of,
    store::{Books, Result, again},
};

/// What a try said holds for so long.
const FINE_FOR: Duration = Duration::from_secs(10);
/// Shorter where it was refused: the disk may have room again.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// A database that takes longer than this to write a row does not write.
const TRY_MAX: Duration = Duration::from_secs(5);
/// How long a try's row stays.
const KEPT_MS: i64 = 60_000;
/// Random bytes of a try: twice as many characters, about what a small run with its answer takes.
const FILLING: usize = 8 * 1024;
/// Free bytes on SQLite's disk below which nothing is sold: the largest input of one more run.
const ROOM_MIN: u64 = 1024 * 1024;
/// For so long it is not looked at again.
const ROOM_FOR: Duration = Duration::from_secs(1);

/// Writes that a database refused for lack of room, or for being read-only, in this process. A hint to try: whose books it were does not matter.
static REFUSALS: AtomicU64 = AtomicU64::new(0);

/// Why nothing can be sold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the books cannot be written: {0}")]
pub struct Unwritable(String);

/// What is known of it. One per opened books.
pub(super) struct Writing {
    /// [`REFUSALS`] at the last try.
    seen: AtomicU64,
    /// The last try was refused.
    failing: AtomicBool,
    /// Somebody asked since [`keep_trying`] looked.
    asked: AtomicBool,
    /// Held while one tries: the others wait for what it finds.
    last: tokio::sync::Mutex<Option<(Instant, std::result::Result<(), Unwritable>)>>,
    /// SQLite's file.
    file: Option<PathBuf>,
    /// When its disk was looked at, and whether there is room.
    room: Mutex<Option<(Instant, bool)>>,
}

impl Writing {
    pub fn new(file: Option<PathBuf>) -> Self {
        Self {
            seen: AtomicU64::new(REFUSALS.load(Ordering::Relaxed)),
            failing: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            last: tokio::sync::Mutex::default(),
            file,
            room: Mutex::default(),
        }
    }

    /// Is there a little room left where SQLite writes? Where nobody can tell, there is.
    fn has_room(&self) -> std::result::Result<(), Unwritable> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut known = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.filter(|(at, _)| at.elapsed() < ROOM_FOR).map(|(_, has)| has);
        let has = fresh.unwrap_or_else(|| {
            let has = free_bytes(file).is_none_or(|free| free >= ROOM_MIN);
            *known = Some((Instant::now(), has));
            has
        });
        if has { Ok(()) } else { Err(Unwritable("less than 1 MB is free on their disk".to_owned())) }
    }
}

#[cfg(unix)]
fn free_bytes(file: &std::path::Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory_of(file)).ok()?;
    // Some file systems count nothing.
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_file: &std::path::Path) -> Option<u64> {
    None
}

/// Counts a refused write.
pub(super) fn note(cause: &sqlx::Error) {
    if is_refusal(cause) {
        REFUSALS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Is it a write that the database refused for lack of room, or for being read-only? SQLite's codes are decimal numbers, whose low byte is the
/// kind (read-only, input/output, full); PostgreSQL's have five characters (disk full, read-only transaction, input/output).
pub(super) fn is_refusal(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(code) if code.len() == 5 => matches!(code, "53100" | "25006" | "58030"),
        Some(code) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 13)),
        None => false,
    }
}

impl Books {
    /// Before an offer. Asks nobody, unless a write was refused since the last try, or by it.
    ///
    /// # Errors
    /// Nothing must be offered now.
    pub async fn writes(&self, now_ms: i64) -> std::result::Result<(), Unwritable> {
        let writing = &self.writing;
        writing.asked.store(true, Ordering::Relaxed);
        writing.has_room()?;
        let is_quiet = REFUSALS.load(Ordering::Relaxed) == writing.seen.load(Ordering::Relaxed);
        if is_quiet && !writing.failing.load(Ordering::Relaxed) { Ok(()) } else { self.try_to_write(now_ms).await }
    }

    /// The same, from what is known.
    pub fn is_known_unwritable(&self) -> bool {
        self.writing.failing.load(Ordering::Relaxed) || self.writing.has_room().is_err()
    }

    /// Writes, or says what another try said a few seconds ago.
    ///
    /// # Errors
    /// It was refused.
    pub async fn try_to_write(&self, now_ms: i64) -> std::result::Result<(), Unwritable> {
        let writing = &self.writing;
        writing.has_room()?;
        let mut last = writing.last.lock().await;
        let refusals = REFUSALS.load(Ordering::Relaxed);
        if let Some((at, said)) = &*last {
            let holds = if said.is_ok() { FINE_FOR } else { REFUSED_FOR };
            let is_news = said.is_ok() && refusals != writing.seen.load(Ordering::Relaxed);
            if at.elapsed() < holds && !is_news {
                return said.clone();
            }
        }
        let said = match tokio::time::timeout(TRY_MAX, self.write_a_probe(now_ms)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(Unwritable(words(&cause))),
            Err(_) => Err(Unwritable(format!("no answer within {TRY_MAX:?}"))),
        };
        // Its own refusal is known; one of another write meanwhile is a reason to try again.
        let seen = if said.is_ok() { refusals } else { REFUSALS.load(Ordering::Relaxed) };
        writing.seen.store(seen, Ordering::Relaxed);
        match (&said, writing.failing.swap(said.is_err(), Ordering::Relaxed)) {
            (Err(cause), false) => tracing::error!("{cause}: nothing is sold until they can be"),
            (Ok(()), true) => tracing::info!("the books can be written again"),
            _ => {}
        }
        *last = Some((Instant::now(), said.clone()));
        said
    }

    /// New rows first: room that an older row gives back must not be taken for room.
    async fn write_a_probe(&self, now_ms: i64) -> Result<()> {
        let (id, filling) = (&self.id(now_ms)?, &filling());
        again(|| async move {
            let mut tx = self.begin().await?;
            sqlx::query("insert into probes (probe_id, tried_ms, filling) values ($1, $2, $3)")
                .bind(id)
                .bind(now_ms)
                .bind(filling)
                .execute(&mut *tx)
                .await?;
            sqlx::query("delete from probes where tried_ms < $1").bind(now_ms.saturating_sub(KEPT_MS)).execute(&mut *tx).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// The cause's own words, with the driver's: it is for the operator.
fn words(cause: &super::store::BooksError) -> String {
    std::error::Error::source(cause).map_or_else(|| cause.to_string(), ToString::to_string)
}

fn filling() -> String {
    let mut bytes = vec![0_u8; FILLING];
    rand::rng().fill(&mut bytes[..]);
    bytes.iter().fold(String::with_capacity(2 * FILLING), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Tries every few seconds while anybody looks at prices: a disk that is full is known before somebody pays.
pub async fn keep_trying(books: Books, now_ms: fn() -> i64, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FINE_FOR) => {}
        }
        if books.writing.asked.swap(false, Ordering::Relaxed) {
            // What it says is kept for those who ask.
            let _ = books.try_to_write(now_ms()).await;
        }
    }
}
