//! Fresh books for a test, on SQLite and on PostgreSQL. `mod books;` in any test binary.
//!
//! Promises: nothing is shared between two tests; a machine without PostgreSQL fails these tests in one line, it never skips them;
//! no server and no file outlives the test process.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod pgbouncer;
mod postgres;

use std::{
    ops::Deref,
    process::{Command, Output},
    sync::{Mutex, OnceLock},
};

use coinslot::ledger::{Books, store::Kind};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, any::AnyConnectOptions};

/// Books of one test, alone in their database.
pub struct TestBooks {
    books: Books,
    url: String,
    kept: Kept,
}

enum Kept {
    /// Goes with it.
    Directory(tempfile::TempDir),
    Databases(Mutex<Vec<String>>),
}

impl Deref for TestBooks {
    type Target = Books;

    fn deref(&self) -> &Books {
        &self.books
    }
}

impl TestBooks {
    pub async fn on_sqlite() -> Self {
        let directory = new_directory();
        let url = format!("sqlite://{}", directory.path().join("books.db").display());
        Self { books: open(&url).await, url, kept: Kept::Directory(directory) }
    }

    pub async fn on_postgres() -> Self {
        let (name, url) = postgres::new_database().await;
        Self { books: open(&url).await, url, kept: Kept::Databases(Mutex::new(vec![name])) }
    }

    /// For a server of its own, or for `coinslot serve`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a second instance, or the same one after a restart, has.
    pub async fn another(&self) -> Books {
        open(&self.url).await
    }

    /// A database that nobody has opened yet.
    pub async fn empty_neighbour(&self) -> String {
        match &self.kept {
            Kept::Directory(directory) => format!("sqlite://{}", directory.path().join("neighbour.db").display()),
            Kept::Databases(names) => {
                let (name, url) = postgres::new_database().await;
                names.lock().expect("nobody panicked").push(name);
                url
            }
        }
    }

    #[track_caller]
    pub fn assert_balanced(&self) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let audit = self.audit().await.expect("the books can be read");
            assert!(audit.findings.is_empty(), "at {caller}: {:#?}", audit.findings);
        }
    }

    /// Writes past the books, as a hand or a bug would; no foreign key is in the way. How many rows.
    pub async fn tamper(&self, sql: &str) -> u64 {
        sqlx::any::install_default_drivers();
        let mut connection =
            self.url.parse::<AnyConnectOptions>().expect("our own URL").connect().await.expect("the database answers");
        let freely = match self.books.kind() {
            coinslot::ledger::store::Kind::Sqlite => "pragma foreign_keys = off; pragma ignore_check_constraints = on",
            coinslot::ledger::store::Kind::Postgres => postgres::FREELY,
        };
        connection.execute(freely).await.expect("no constraints");
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await.expect("it tampers");
        connection.close().await.expect("it closes");
        done.rows_affected()
    }

    /// After a test that passed; what a failed one wrote stays, in a server that was given to us.
    pub async fn done(self) {
        self.books.close().await;
        if let Kept::Databases(names) = self.kept {
            for name in names.into_inner().expect("nobody panicked") {
                postgres::drop_database(&name).await;
            }
        }
    }
}

/// For [`TestBooks::tamper`]: these tables take no more rows, and the database says so in the words of a disk that is full. SQLite says it of a table
/// that has used up its numbers as well; PostgreSQL says what a function of ours says.
pub fn full_disk(kind: Kind, tables: &[&str]) -> String {
    let (before, does) = match kind {
        Kind::Sqlite => (
            "create table brim (n integer primary key autoincrement); insert into brim values (9223372036854775807);",
            "begin insert into brim values (null); end;",
        ),
        Kind::Postgres => (
            "create function brim() returns trigger language plpgsql as $$ begin
                raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;",
            "for each row execute function brim();",
        ),
    };
    let triggers = tables.iter().map(|table| format!("create trigger full_{table} before insert on {table} {does}"));
    std::iter::once(before.to_owned()).chain(triggers).collect::<Vec<_>>().join("\n")
}

/// Undoes [`full_disk`].
pub fn room_again(kind: Kind, tables: &[&str]) -> String {
    let drops = tables.iter().map(|table| match kind {
        Kind::Sqlite => format!("drop trigger full_{table};"),
        Kind::Postgres => format!("drop trigger full_{table} on {table};"),
    });
    let after = match kind {
        Kind::Sqlite => "drop table brim;",
        Kind::Postgres => "drop function brim();",
    };
    drops.chain([after.to_owned()]).collect::<Vec<_>>().join("\n")
}

/// In memory, where there is room: a database makes and syncs many small files, which is most of what these tests would wait for.
fn new_directory() -> tempfile::TempDir {
    static MEMORY: OnceLock<bool> = OnceLock::new();
    let free = || Command::new("df").args(["--output=avail", "--block-size=1M", "/dev/shm"]).output();
    let is_roomy =
        |free: Output| String::from_utf8_lossy(&free.stdout).lines().last()?.trim().parse().ok().map(|mb: u64| mb > 2000);
    let new = tempfile::Builder::new().prefix("coinslot-").to_owned();
    if *MEMORY.get_or_init(|| free().ok().and_then(is_roomy).unwrap_or(false))
        && let Ok(directory) = new.tempdir_in("/dev/shm")
    {
        return directory;
    }
    new.tempdir().expect("a temporary directory")
}

async fn open(url: &str) -> Books {
    Books::open(url).await.expect("the books open")
}

/// One test per database out of each promise. `async fn name(books: &TestBooks) { … }`
macro_rules! both_databases {
    ($($(#[$promise:meta])* async fn $name:ident($books:ident: &TestBooks) $body:block)+) => {$(
        $(#[$promise])*
        async fn $name($books: &$crate::books::TestBooks) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let books = $crate::books::TestBooks::on_sqlite().await;
                super::$name(&books).await;
                books.done().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let books = $crate::books::TestBooks::on_postgres().await;
                super::$name(&books).await;
                books.done().await;
            }
        }
    )+};
}
pub(crate) use both_databases;
