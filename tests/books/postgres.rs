//! One PostgreSQL server per test process, one database per test.
//!
//! `COINSLOT_TEST_POSTGRES` (`postgres://postgres@127.0.0.1:5433`) names a server that is there; else one is made in a temporary
//! directory, reached by a socket in it, so that no port is fought over.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, any::AnyConnectOptions};
use url::Url;

/// Foreign keys are triggers, which a replica does not fire; a check can only be dropped.
pub const FREELY: &str = "
    set session_replication_role = replica;
    do $$ declare c record; begin
        for c in select conrelid::regclass as t, conname as n from pg_constraint
                 where contype = 'c' and connamespace = 'public'::regnamespace
        loop execute format('alter table %s drop constraint %I', c.t, c.n); end loop;
    end $$";

/// A database of its own: its name and its URL.
pub async fn new_database() -> (String, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // With the process's id: another test binary may use the same server.
    let name = format!("coinslot_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    as_admin(&format!("drop database if exists {name}")).await;
    // The other strategy, through the log, takes most of a second.
    as_admin(&format!("create database {name} strategy file_copy")).await;
    (name.clone(), url_of(&name))
}

pub async fn drop_database(name: &str) {
    as_admin(&format!("drop database if exists {name} with (force)")).await;
}

async fn as_admin(sql: &str) {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url_of("postgres").parse().expect("a PostgreSQL URL");
    let mut admin = options.connect().await.expect("PostgreSQL answers");
    admin.execute(AssertSqlSafe(sql.to_owned())).await.expect("an administrator may do that");
    admin.close().await.expect("it closes");
}

fn url_of(database: &str) -> String {
    static SERVER: OnceLock<String> = OnceLock::new();
    let base = SERVER.get_or_init(|| std::env::var("COINSLOT_TEST_POSTGRES").unwrap_or_else(|_| start_server()));
    let mut url = Url::parse(base).expect("COINSLOT_TEST_POSTGRES is a URL");
    url.set_path(database);
    url.into()
}

/// Its base URL.
fn start_server() -> String {
    let directory = super::new_directory().keep();
    let user = user_for(&directory);
    let programs = programs();
    let made = with_user(&user, &programs.join("initdb"))
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(directory.join("data"))
        .stdout(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "initdb failed: run make setup");

    // Taken as it starts: the shell, and its open stdin, are to live as long as this process.
    let server = Box::leak(Box::new(start(&user, &programs, &directory)));
    let mut log = BufReader::new(server.stderr.take().expect("it is piped")).lines();
    if log.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections")) {
        // It must always be read, or the server stops at a full pipe.
        std::thread::spawn(move || log.for_each(drop));
        return format!("postgres://postgres@localhost/postgres?host={}", directory.display());
    }
    panic!("PostgreSQL did not start: run make setup");
}

/// The shell ends the server and cleans up when its stdin closes: when the test process is gone, however it went. `fsync` is off: what
/// a power cut does to PostgreSQL is not ours to test.
fn start(user: &[String], programs: &Path, directory: &Path) -> Child {
    let script = r#"
        trap '' INT HUP TERM
        directory=$1; shift
        "$@" </dev/null &
        read -r _
        kill -QUIT $! && wait $!
        rm -rf "$directory"
    "#;
    let server = with_user(user, &programs.join("postgres"));
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(directory)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(directory.join("data"))
        .arg("-k")
        .arg(directory)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh starts")
}

/// The newest that the system has.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists() && programs.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().expect("no PostgreSQL: run make setup").1
}

/// PostgreSQL refuses to run as root: then as another user, who gets the directory. Empty: as we are.
pub(super) fn user_for(directory: &Path) -> Vec<String> {
    if directory.metadata().expect("it was made").uid() != 0 {
        return Vec::new();
    }
    let exists = |user: &&str| Command::new("id").arg(user).output().is_ok_and(|id| id.status.success());
    let user = ["pgtest", "postgres"].into_iter().find(|user| exists(user)).expect("no user for PostgreSQL: run make setup");
    let given = Command::new("chown").arg(user).arg(directory).status();
    assert!(given.is_ok_and(|status| status.success()), "chown failed");
    ["setpriv", &format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--pdeathsig=QUIT"]
        .map(str::to_owned)
        .to_vec()
}

pub(super) fn with_user(user: &[String], program: &Path) -> Command {
    let mut command = match user {
        [] => return Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest);
            command
        }
    };
    command.arg(program);
    command
}
