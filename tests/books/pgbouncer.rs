//! PgBouncer before the test's PostgreSQL, as an operator may have it. Debian's: `make setup` installs it.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Stdio},
};

use url::Url;

use super::postgres::{user_for, with_user};

/// Ends when it is dropped.
pub struct Pooler {
    pub url: String,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// Before the database that this URL names, with these lines in its settings.
    ///
    /// # Panics
    /// There is no PgBouncer.
    pub fn before(database: &str, lines: &[&str]) -> Self {
        let server = Url::parse(database).unwrap();
        let name = server.path().trim_start_matches('/').to_owned();
        let of = |key: &str| server.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned());
        // The test's own server listens on a socket alone; one that was given to us has a host and a port.
        let host = of("host").or_else(|| server.host_str().map(str::to_owned)).unwrap();
        let port = server.port().unwrap_or(5432);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n{name} = host={host} port={port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {free}\nunix_socket_dir =\nauth_type = any\nmax_client_conn = 200\n\
             default_pool_size = 40\n{}\n",
            lines.join("\n")
        );
        std::fs::write(&settings, text).unwrap();
        let user = user_for(directory.path());
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|program| Path::new(program).exists());
        let mut process = with_user(&user, Path::new(program.expect("no PgBouncer: run make setup")))
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let is_up = log.by_ref().map_while(Result::ok).any(|line| line.contains("process up"));
        assert!(is_up, "PgBouncer did not start");
        // It must always be read, or it stops at a full pipe.
        std::thread::spawn(move || log.for_each(drop));
        Self { url: format!("postgres://postgres@127.0.0.1:{free}/{name}"), process, _directory: directory }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
