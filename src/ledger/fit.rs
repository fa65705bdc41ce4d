//! Is a database one that the books can be kept in? Asked at the start: what is wrong is then a sentence, and not a fault under load.
//!
//! - SQLite has to write ahead (WAL): with a rollback journal readers and the writer shut each other out, and a network file system has neither
//!   the shared memory nor the locks that either needs.
//! - PostgreSQL has to keep its sessions: sqlx prepares statements by name, the migrations' lock is a session's, and so are the time-outs. A
//!   pooler that gives every transaction another session (PgBouncer's `pool_mode = transaction` or `statement`) breaks all three, now and then.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{AnyConnection, ConnectOptions, Connection, Executor, Row, any::AnyConnectOptions};

use super::store::{BooksError, Kind, Result, on_connect};

/// Rounds in which two connections say which session of the server they have. A pooler that is idle is found in the first; one that is busy with
/// others, and gives both connections their own by chance each time, in one of these.
const ROUNDS: usize = 8;
/// How long a connection that cannot write is used at most.
const READ_ONLY_AGE_MAX: Duration = Duration::from_secs(1);

/// SQLite, on a connection of its own: in the pool's, what is wrong would be tried again until nobody knows what it was.
///
/// # Errors
/// [`BooksError::Refused`] with what to do instead.
pub(super) async fn writes_ahead(url: &str) -> Result<()> {
    if let Some(kind) = network_file_system(url) {
        return Err(BooksError::refused(format!(
            "SQLite's file is on a network file system ({kind}), where its locks and its write-ahead log do not hold: put it on a disk of this \
             machine, or use PostgreSQL"
        )));
    }
    let options: AnyConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    // What is wrong with the journal is what this says, or how it fails.
    let said = match connection.execute(on_connect(Kind::Sqlite)).await {
        Ok(_) => journal(&mut connection).await,
        Err(cause) => Err(cause),
    };
    let _ = connection.close().await;
    match said {
        Ok(mode) if mode.eq_ignore_ascii_case("wal") => Ok(()),
        Ok(mode) => Err(without_wal(&format!("its journal stays `{mode}`"))),
        // Two that make the file at once: the caller tries again.
        Err(cause) if is_busy(&cause) => Err(cause.into()),
        Err(cause) => Err(without_wal(&cause.to_string())),
    }
}

fn without_wal(why: &str) -> BooksError {
    BooksError::refused(format!(
        "SQLite cannot write ahead here (WAL: {why}): put the file into a directory that can be written, on a disk of this machine and not on a \
         network file system or in memory, or use PostgreSQL"
    ))
}

async fn journal(connection: &mut AnyConnection) -> sqlx::Result<String> {
    sqlx::raw_sql("pragma journal_mode").fetch_one(connection).await?.try_get(0)
}

/// SQLite's busy and locked, and their extended codes.
fn is_busy(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// The file that a SQLite URL names. `None`: none.
pub(super) fn file_of(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?.split('?').next()?;
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" => None,
        absolute if absolute.starts_with('/') => url::Url::parse(&format!("file://{absolute}")).ok()?.to_file_path().ok(),
        relative => Some(PathBuf::from(relative)),
    }
}

/// The directory that it is in.
pub(super) fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Its name, if the file's directory is on one that this system tells from others.
#[cfg(target_os = "linux")]
fn network_file_system(url: &str) -> Option<&'static str> {
    let found = rustix::fs::statfs(directory_of(&file_of(url)?)).ok()?;
    // Its width and sign are the architecture's; the numbers have 32 bits.
    named(u32::try_from(found.f_type & 0xffff_ffff).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_url: &str) -> Option<&'static str> {
    None
}

/// linux/magic.h and the file systems' own headers. Not 9p and FUSE, which are often a disk of this machine.
#[cfg(any(target_os = "linux", test))]
fn named(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        _ => return None,
    })
}

/// PostgreSQL.
///
/// # Errors
/// [`BooksError::Refused`] with what to do instead; [`BooksError::Database`] where it does not answer.
pub(super) async fn keeps_sessions(pool: &sqlx::AnyPool, wait: Duration) -> Result<()> {
    let kept = tokio::time::timeout(wait, async {
        let (mut one, mut other) = (pool.acquire().await?, pool.acquire().await?);
        same_sessions(&mut one, &mut other).await
    });
    match kept.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))? {
        true => Ok(()),
        false => Err(BooksError::refused(
            "a pooler such as PgBouncer stands before PostgreSQL and gives every transaction another session (pool_mode = transaction or \
             statement): name the server itself in database_url, or give Coinslot's user a pool with pool_mode = session",
        )),
    }
}

/// Can this connection still write? A server that became a standby, or whose `default_transaction_read_only` was turned on, refuses; a new
/// connection may reach the one that took over, so an old one is not kept. One that is new is: where nothing can be written, books can still be
/// read. It stands for the pool's own question whether a connection lives.
pub(super) async fn still_writes(connection: &mut AnyConnection, age: Duration) -> sqlx::Result<bool> {
    let read_only: String = sqlx::raw_sql("show transaction_read_only").fetch_one(connection).await?.try_get(0)?;
    Ok(read_only != "on" || age < READ_ONLY_AGE_MAX)
}

/// Has each of two connections a session of its own, and always the same? By PostgreSQL's simple protocol, which every pooler understands.
async fn same_sessions(one: &mut AnyConnection, other: &mut AnyConnection) -> sqlx::Result<bool> {
    let (first, second) = (session(one).await?, session(other).await?);
    let mut kept = first != second;
    for _ in 0..ROUNDS {
        // Twice the same in a row: a pooler that goes round gives it another one.
        kept &= session(one).await? == first && session(other).await? == second && session(other).await? == second;
    }
    Ok(kept)
}

/// The server's process behind a connection.
async fn session(connection: &mut AnyConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

/// What PgBouncer says of a parameter that every connection of sqlx has.
pub(super) fn named_pooler(cause: sqlx::Error) -> BooksError {
    let refuses = cause.as_database_error().is_some_and(|error| error.message().contains("unsupported startup parameter"));
    match refuses {
        true => BooksError::refused(format!(
            "PgBouncer refuses the connection ({cause}): set ignore_startup_parameters = extra_float_digits and pool_mode = session there, or \
             name the server itself in database_url"
        )),
        false => cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_named_and_a_disk_is_none() {
        assert_eq!([0x6969, 0xff53_4d42, 0xfe53_4d42].map(named), [Some("NFS"), Some("SMB"), Some("SMB")]);
        // ext, tmpfs, btrfs, xfs, overlay.
        assert_eq!([0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630].map(named), [None; 5]);
        assert_eq!(network_file_system("sqlite:///tmp/a.db?mode=rwc"), None);
    }
}
