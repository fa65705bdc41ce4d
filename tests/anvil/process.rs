//! The process itself: anvil on a free port, its ten unlocked accounts, and its end.

use std::{
    env,
    io::{BufRead, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
    thread,
};

use alloy::primitives::{Address, B256};
use url::Url;

/// Killed when it is dropped.
#[allow(dead_code)] // each test binary uses its own part of it
pub struct AnvilProcess {
    child: Child,
    url: Url,
    addresses: Vec<Address>,
    keys: Vec<B256>,
}

#[allow(dead_code)]
impl AnvilProcess {
    /// Starts it with finality two blocks behind the newest, and waits until it listens. It says so itself or ends: there
    /// is no time to choose.
    ///
    /// # Panics
    /// It is not installed, or does not come up.
    pub fn start(chain_id: u64, arguments: &[&str]) -> Self {
        let program = env::var_os("ANVIL").filter(|path| !path.is_empty()).unwrap_or_else(|| "anvil".into());
        let mut command = Command::new(program);
        command.args(["--port", "0", "--chain-id", &chain_id.to_string(), "--slots-in-an-epoch", "1"]).args(arguments);
        let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(cause) if cause.kind() == ErrorKind::NotFound => panic!("anvil is not installed: run make setup"),
            Err(cause) => panic!("anvil does not start: {cause}"),
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut addresses, mut keys) = (Vec::new(), Vec::new());
        let address = loop {
            let line = lines.next().expect("anvil says where it listens before it ends").unwrap();
            if let Some(address) = line.trim().strip_prefix("Listening on ") {
                break address.to_owned();
            }
            // `(0) 0xf39F… (10000.000000000000000000 ETH)` and `(0) 0xac09…`.
            let listed = line.strip_prefix('(').and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default();
            match listed.len() {
                42 => addresses.extend(listed.parse::<Address>().ok()),
                66 => keys.extend(listed.parse::<B256>().ok()),
                _ => {}
            }
        };
        assert!(addresses.len() == 10 && keys.len() == 10, "anvil prints its ten accounts and their keys");
        // A full pipe would stop it.
        thread::spawn(move || lines.for_each(drop));
        Self { child, url: Url::parse(&format!("http://{address}")).unwrap(), addresses, keys }
    }

    pub fn url(&self) -> Url {
        self.url.clone()
    }

    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    pub fn keys(&self) -> &[B256] {
        &self.keys
    }
}

impl Drop for AnvilProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
