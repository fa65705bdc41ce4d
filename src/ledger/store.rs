//! The database: opening, migrating, and beginning a transaction the way each of the two wants it.
//!
//! Promises: a transaction that is dropped leaves nothing; two that write the same balance follow one another, on either database; and
//! one that lost to another is run again a few times before its caller hears of it.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use sqlx::{
    Connection, Executor,
    any::{AnyPoolOptions, install_default_drivers},
};
use uuid::{Timestamp, Uuid, timestamp::context::ContextV7};

use super::{
    failures::Failures,
    fit,
    migrations::migrator,
    reach,
    writing::{self, Writing},
};

/// Connections of one process. SQLite has one writer anyway; PostgreSQL's default is a hundred for all instances.
const CONNECTIONS_MAX: u32 = 16;
/// A request that waits longer for a connection is better told to come again.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// After a lost race: 8 rounds, from 4 ms, doubling to 250 ms, each with jitter, so that those who met do not meet again.
const ROUNDS_MAX: usize = 8;
const ROUND_PAUSE_MIN: Duration = Duration::from_millis(4);
const ROUND_PAUSE_MAX: Duration = Duration::from_millis(250);

/// The books. Cheap to clone.
#[derive(Clone)]
pub struct Books {
    pub(super) pool: sqlx::AnyPool,
    pub(super) kind: Kind,
    /// Keeps ids of one millisecond in the order they were made.
    ids: Arc<Mutex<ContextV7>>,
    /// What agents called final for an input, as far as this process knows.
    pub(super) failures: Failures,
    pub(super) writing: Arc<Writing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    #[error("the database does not answer as it should")]
    Database(#[source] sqlx::Error),
    /// Nobody answers at its address.
    #[error("the database at {place} cannot be reached: {cause}")]
    Away {
        /// Host and port, or a socket: never with a password.
        place: String,
        cause: String,
    },
    #[error("the migrations do not apply")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row that our own code cannot have written.
    #[error("a row cannot be read: {0}")]
    Corrupt(String),
    /// A sum past 256 bits, or below zero: refused, nothing was written.
    #[error("the amount does not fit: {0}")]
    Overflow(&'static str),
    #[error("{0}")]
    Refused(String),
}

impl From<sqlx::Error> for BooksError {
    fn from(cause: sqlx::Error) -> Self {
        writing::note(&cause);
        Self::Database(cause)
    }
}

impl BooksError {
    /// The database takes no writes: its disk is full, or it became read-only.
    pub fn is_unwritable(&self) -> bool {
        matches!(self, Self::Database(cause) if writing::is_refusal(cause))
    }

    pub(super) fn refused(why: impl fmt::Display) -> Self {
        Self::Refused(why.to_string())
    }

    /// Another transaction was in the way, and this one left nothing: SQLite's busy and locked, PostgreSQL's serialization failure
    /// and deadlock. Not PostgreSQL's lock time-out: who waited that long has waited enough. And a server that became read-only under us
    /// (25006): the next connection may reach the one that took over.
    fn lost_a_race(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("5" | "6" | "261" | "517" | "40001" | "40P01" | "25006"))
    }
}

pub type Result<T> = std::result::Result<T, BooksError>;

/// One transaction. Dropping it undoes it.
pub(super) type Tx = sqlx::Transaction<'static, sqlx::Any>;

impl Books {
    /// `sqlite:///path/to/coinslot.db` (made if it is not there) or `postgres://…`. Migrates.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for any other URL, and for a SQLite database in memory: each connection would have its own.
    pub async fn open(url: &str) -> Result<Self> {
        install_default_drivers();
        let (kind, url) = kind_of(url)?;
        // SQLite has no lock for a file's first moments: of two instances that make it at once, one fails, and finds all done later.
        (|| connect(kind, &url))
            .retry(rounds())
            .when(|error: &BooksError| kind == Kind::Sqlite && (error.lost_a_race() || matches!(error, BooksError::Migration(_))))
            .await
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For `/readyz`.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Ends all connections, after what they are doing. Later calls are errors.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// SQLite: `immediate`, or two that read first and write later could not both go on, and no time-out would help them.
    pub(super) async fn begin(&self) -> Result<Tx> {
        Ok(match self.kind {
            Kind::Sqlite => self.pool.begin_with("begin immediate").await?,
            Kind::Postgres => self.pool.begin().await?,
        })
    }

    /// A UUIDv7 of that time, later than all before it of this process.
    pub(super) fn id(&self, now_ms: i64) -> Result<String> {
        let now_ms = u64::try_from(now_ms).map_err(|_| BooksError::refused("a time before 1970"))?;
        let nanos = (now_ms % 1000) as u32 * 1_000_000;
        Ok(Uuid::new_v7(Timestamp::from_unix(&*self.ids, now_ms / 1000, nanos)).to_string())
    }
}

/// Runs a whole transaction again, a few times, when it lost to another one.
pub(super) async fn again<T, F: Future<Output = Result<T>>>(transaction: impl FnMut() -> F) -> Result<T> {
    transaction.retry(rounds()).when(BooksError::lost_a_race).await
}

async fn connect(kind: Kind, url: &str) -> Result<Books> {
    if kind == Kind::Sqlite {
        fit::writes_ahead(url).await?;
    }
    reach::reach(kind, url).await?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(CONNECTION_WAIT)
        .after_connect(move |connection, _| Box::pin(async move { connection.execute(on_connect(kind)).await.map(drop) }))
        .test_before_acquire(kind == Kind::Sqlite)
        .before_acquire(move |connection, met| {
            Box::pin(async move {
                // On a full disk SQLite ends a transaction by itself, the rollback after it fails, and the connection would count it as open for ever.
                if connection.is_in_transaction() {
                    return Ok(false);
                }
                match kind {
                    Kind::Sqlite => Ok(true),
                    Kind::Postgres => fit::still_writes(connection, met.age).await,
                }
            })
        })
        .connect(url)
        .await
        .map_err(|cause| if kind == Kind::Postgres { reach::away(url, cause) } else { cause.into() })?;
    if kind == Kind::Postgres {
        fit::keeps_sessions(&pool, CONNECTION_WAIT).await?;
    }
    migrator().run(&pool).await?;
    let writing = Arc::new(Writing::new(fit::file_of(url)));
    Ok(Books { pool, kind, ids: Arc::new(Mutex::new(ContextV7::new())), failures: Failures::default(), writing })
}

fn rounds() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(ROUND_PAUSE_MIN)
        .with_max_delay(ROUND_PAUSE_MAX)
        .with_max_times(ROUNDS_MAX)
        .with_jitter()
}

fn kind_of(url: &str) -> Result<(Kind, String)> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok((Kind::Postgres, url.to_owned()));
    }
    if !url.starts_with("sqlite:") {
        return Err(BooksError::refused("expected sqlite:///path/to/file or postgres://…"));
    }
    if url.contains(":memory:") || url.contains("mode=") {
        return Err(BooksError::refused("expected sqlite:///path/to/file: the books are a file, and are written"));
    }
    Ok((Kind::Sqlite, format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })))
}

/// `synchronous = full` costs an fsync per commit; with less, a power cut can undo the last ones, and this is money. PostgreSQL: an
/// instance that hangs in the middle of a transaction must not keep a payer's row from the others for ever.
pub(super) fn on_connect(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => {
            "pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on"
        }
        Kind::Postgres => "set lock_timeout = '10s'; set idle_in_transaction_session_timeout = '60s'",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_databases_are_taken() {
        assert!(matches!(kind_of("postgres://x@y/z"), Ok((Kind::Postgres, _))));
        assert!(matches!(kind_of("sqlite:///tmp/a.db"), Ok((Kind::Sqlite, url)) if url == "sqlite:///tmp/a.db?mode=rwc"));
        for url in ["mysql://x/y", "/tmp/a.db", "", "sqlite::memory:", "sqlite:///tmp/a.db?mode=ro"] {
            assert!(kind_of(url).is_err(), "{url}");
        }
    }
}
