//! What an operator's world does to a database: it turns read-only, fills up, stands behind a pooler, or lies where it cannot be kept.

use std::time::Duration;

use coinslot::ledger::{Books, BooksError};

use crate::{
    books::{TestBooks, both_databases, pgbouncer::Pooler},
    people::*,
};

/// Until it is so; a try that is refused holds for two seconds, a connection that cannot write for one.
async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let so = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), so).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn unwritable(outcome: Result<impl Sized, BooksError>) -> bool {
    outcome.is_err_and(|why| why.is_unwritable())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_a_postgres_that_turned_read_only_is_dropped_and_tried_again() {
    let books = TestBooks::on_postgres().await;
    let url: url::Url = books.url().parse().unwrap();
    let database = url.path().trim_start_matches('/');
    // What a failover leaves: sessions that can only read, and a server behind the same name whose new sessions can write.
    books.tamper(&format!("alter database {database} set default_transaction_read_only = on")).await;
    let cut =
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    books.tamper(cut).await;
    eventually("the new sessions only read", async || unwritable(books.meet_network("eip155:1", "aa").await)).await;
    assert!(books.writes(NOON).await.is_err(), "and nothing is sold");
    assert!(books.ping().await.is_ok() && books.halted(NETWORK).await.is_ok(), "the books are still read");

    let reset = format!("begin read write; alter database {database} reset default_transaction_read_only; commit");
    books.tamper(&reset).await;
    eventually("a new session writes", async || books.meet_network("eip155:2", "bb").await.is_ok_and(|met| met)).await;
    eventually("it sells again", async || books.writes(NOON).await.is_ok()).await;
    // Each transaction of a payment as well, and at once.
    books.present(&call(&payment(1)), NOON).await.unwrap();
    books.done().await;
}

both_databases! {
    async fn s7_however_many_ask_one_row_is_written_in_ten_seconds(books: &TestBooks) {
        let asking: Vec<_> = (0..50).map(|_| books.try_to_write(NOON)).collect();
        assert!(futures::future::join_all(asking).await.into_iter().all(|said| said.is_ok()));
        // One; and one more for each write that was refused to another test of this process meanwhile: it is tried again then.
        let rows = async || books.tamper("update probes set tried_ms = tried_ms").await;
        assert!((1..=5).contains(&rows().await));
        // Without trouble an offer asks nobody.
        for _ in 0..50 {
            books.writes(NOON).await.unwrap();
        }
        assert!((1..=9).contains(&rows().await));
        assert!(!books.is_known_unwritable());
        // What a try left is taken away by one of later.
        let other = books.another().await;
        other.try_to_write(NOON + 2 * MINUTE).await.unwrap();
        assert!((1..=5).contains(&rows().await));
        other.close().await;
    }

    async fn s7_while_the_disk_is_full_nothing_is_sold_and_then_it_is_again(books: &TestBooks) {
        books.writes(NOON).await.unwrap();
        books.tamper(&crate::books::full_disk(books.kind(), &["runs", "probes"])).await;
        let refused = books.present(&call(&payment(1)), NOON).await;
        assert!(unwritable(refused), "it is known for what it is");
        // One write was refused: the next who would be told a price is not.
        let why = books.writes(NOON).await.unwrap_err().to_string();
        assert!(books.is_known_unwritable() && why.contains("cannot be written"), "{why}");
        assert_eq!(books.try_to_write(NOON).await.unwrap_err().to_string(), why, "readiness says the same");
        books.tamper(&crate::books::room_again(books.kind(), &["runs", "probes"])).await;
        eventually("it is tried again", async || books.writes(NOON).await.is_ok()).await;
        assert!(!books.is_known_unwritable());
        books.present(&call(&payment(1)), NOON).await.unwrap();
        books.assert_balanced().await;
    }
}

/// SQLite's own reason on a disk that really has no room: a small one in memory, which only root can make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_a_disk_without_room_sells_nothing_before_anything_was_refused() {
    let Some(disk) = SmallDisk::of_mb(16) else { return eprintln!("no small disk: not root") };
    let books = Books::open(&format!("sqlite://{}", disk.path().join("books.db").display())).await.unwrap();
    books.writes(NOON).await.unwrap();
    let junk = disk.path().join("junk");
    let mut file = std::fs::File::create(&junk).unwrap();
    // Until it is full.
    while std::io::Write::write_all(&mut file, &[7; 64 * 1024]).is_ok() {}
    eventually("it sells nothing", async || books.writes(NOON).await.is_err()).await;
    assert!(books.is_known_unwritable() && books.try_to_write(NOON).await.is_err());
    drop(file);
    std::fs::remove_file(junk).unwrap();
    eventually("it sells again", async || books.writes(NOON).await.inspect_err(|why| eprintln!("{why}")).is_ok()).await;
    books.present(&call(&payment(1)), NOON).await.unwrap();
    books.close().await;
}

struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of_mb(size: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"])
            .arg(directory.path())
            .stderr(std::process::Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(directory))
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Why the books do not open.
async fn refusal(url: &str) -> String {
    match Books::open(url).await {
        Err(BooksError::Refused(why)) => why,
        Err(other) => panic!("{url}: {other:?}"),
        Ok(_) => panic!("{url}: it opens"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_sqlite_without_its_write_ahead_log_is_refused_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("books.db").display().to_string();
    // Locks by files, without shared memory: what SQLite has on a network file system.
    let why = refusal(&format!("sqlite://{file}?vfs=unix-dotfile")).await;
    for word in ["WAL", "network file system", "PostgreSQL"] {
        assert!(why.contains(word), "{word} in: {why}");
    }
    // A database that is nowhere, and one that cannot be written.
    assert!(refusal("sqlite://").await.contains("WAL"), "no file");
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:///tmp/x.db?mode=memory", "sqlite:///tmp/x.db?mode=ro"] {
        assert!(refusal(url).await.contains("the books are a file"), "{url}");
    }
    // Books that were kept so before are taken as soon as they can be.
    let sqlite = format!("sqlite://{file}?mode=rwc");
    coinslot_tampers(&sqlite, "pragma journal_mode = delete; create table older (a text)").await;
    let why = refusal(&format!("sqlite://{file}?immutable=true")).await;
    assert!(why.contains("WAL"), "a file that is never written: {why}");
    Books::open(&format!("sqlite://{file}")).await.unwrap().close().await;
}

async fn coinslot_tampers(url: &str, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection, Executor, any::AnyConnectOptions};

    sqlx::any::install_default_drivers();
    let mut connection = url.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s7_pgbouncer_is_refused_by_name_unless_it_keeps_sessions() {
    let books = TestBooks::on_postgres().await;
    let empty = books.empty_neighbour().await;
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::before(&empty, &[&format!("pool_mode = {mode}"), "ignore_startup_parameters = extra_float_digits"]);
        for round in 0..3 {
            let why = refusal(&pooler.url).await;
            assert!(why.contains("PgBouncer") && why.contains("pool_mode = session"), "{mode}, {round}: {why}");
        }
    }
    let pooler = Pooler::before(
        &empty,
        &["pool_mode = transaction", "server_round_robin = 1", "ignore_startup_parameters = extra_float_digits"],
    );
    assert!(refusal(&pooler.url).await.contains("PgBouncer"), "one that goes round");

    let pooler = Pooler::before(&empty, &["pool_mode = session"]);
    let why = refusal(&pooler.url).await;
    assert!(why.contains("PgBouncer") && why.contains("ignore_startup_parameters = extra_float_digits"), "{why}");

    let pooler = Pooler::before(&empty, &["pool_mode = session", "ignore_startup_parameters = extra_float_digits"]);
    let (one, other) = (Books::open(&pooler.url).await.unwrap(), Books::open(&pooler.url).await.unwrap());
    let writes = (0..40).map(|n| {
        let (books, call) = (if n % 2 == 0 { &one } else { &other }, by(if n % 3 == 0 { ADA } else { BOB }, &credit(n)));
        async move { books.present(&call, NOON).await.map(drop) }
    });
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    one.close().await;
    other.close().await;
    books.done().await;
}
