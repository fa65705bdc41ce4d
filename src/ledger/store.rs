//! The database: opening, migrating, and beginning a transaction the way each of the two wants it.

/// The books. Cheap to clone.
#[derive(Clone)]
pub struct Books {
    pub(super) pool: sqlx::AnyPool,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    #[error("the database does not answer as it should")]
    Database(#[from] sqlx::Error),
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

pub type Result<T> = std::result::Result<T, BooksError>;

impl Books {
    /// `sqlite:///path/to/coinslot.db` (made if it is not there) or `postgres://…`. Migrates.
    pub async fn open(_url: &str) -> Result<Self> {
        todo!()
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For `/readyz`.
    pub async fn ping(&self) -> Result<()> {
        todo!()
    }

    /// The network's genesis hash (lower-case hex) as it was when the books first met it. The first call stores it.
    /// A different one later is a chain that is gone: the caller refuses to start.
    pub async fn meet_network(&self, _network: &str, _genesis: &str) -> Result<bool> {
        todo!()
    }

    /// Takes or renews a named lease. `true`: it is ours until `now_ms + for_ms`. Several instances, one holder.
    pub async fn lease_name(&self, _name: &str, _holder: &str, _now_ms: i64, _for_ms: i64) -> Result<bool> {
        todo!()
    }

    pub async fn give_up_name(&self, _name: &str, _holder: &str) -> Result<()> {
        todo!()
    }
}
