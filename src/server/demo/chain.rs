//! The local chain node: anvil, on a free loopback port, for as long as the demo runs.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use url::Url;

use super::{CHAIN_ID, CannotDemo};

/// For the node to listen, and to write its state when it is told to stop.
const START_TIME_MAX: Duration = Duration::from_secs(20);
const STOP_TIME_MAX: Duration = Duration::from_secs(8);

/// A running node. Dropped without [`LocalChain::stop`], it is killed.
pub struct LocalChain {
    child: Child,
    url: Url,
}

impl LocalChain {
    /// A block every 0.4 s, final after two more, as on Monad. `state`: the file that the chain is kept in.
    ///
    /// Call it from the main task: where the system can, the node is told to stop when the thread that started it ends, also
    /// by a crash.
    ///
    /// # Errors
    /// No anvil, or it does not come up.
    pub async fn start(state: Option<&Path>) -> Result<Self, CannotDemo> {
        let anvil = find_anvil().ok_or(CannotDemo::NoAnvil)?;
        let mut command = match find_on_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "TERM"]).arg(&anvil);
                command
            }
            None => Command::new(&anvil),
        };
        command.args(["--host", "127.0.0.1", "--port", "0", "--chain-id", &CHAIN_ID.to_string()]);
        command.args(["--block-time", "0.4", "--slots-in-an-epoch", "1", "--no-cors"]);
        // Old states are not asked for; without this, each block's is kept in memory and then on disk.
        command.args(["--prune-history", "64"]);
        if let Some(state) = state {
            command.arg("--state").arg(state).args(["--state-interval", "5"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0); // Ctrl-C is for us alone; we stop it when we are done with it
        let mut child = command.spawn().map_err(|cause| CannotDemo::NoStart(cause.to_string()))?;
        let mut lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let port = match &mut lines {
            Some(lines) => tokio::time::timeout(START_TIME_MAX, port(lines)).await.ok().flatten(),
            None => None,
        };
        let url = port.and_then(|port| Url::parse(&format!("http://127.0.0.1:{port}")).ok());
        let url = url.ok_or_else(|| CannotDemo::NoStart(format!("{} does not say where it listens", anvil.display())))?;
        // A full pipe would stop it.
        if let Some(mut lines) = lines {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        }
        Ok(Self { child, url })
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// SIGTERM, so that it writes its state, and after a while SIGKILL.
    pub async fn stop(mut self) {
        if let Some(id) = self.child.id() {
            terminate(id);
        }
        if tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

#[cfg(unix)]
fn terminate(id: u32) {
    if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself; then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn terminate(_id: u32) {}

/// From the line `Listening on 127.0.0.1:40123`.
async fn port(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<u16> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.trim().strip_prefix("Listening on ") {
            return address.rsplit(':').next()?.parse().ok();
        }
    }
    None
}

/// `ANVIL`, else `anvil` on PATH; where that is npm's shim, the binary beside it, which a signal reaches directly.
fn find_anvil() -> Option<PathBuf> {
    match env::var_os("ANVIL").filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => find_on_path("anvil").map(|found| behind_shim(&found).unwrap_or(found)),
    }
}

fn find_on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn behind_shim(found: &Path) -> Option<PathBuf> {
    let modules = found.parent()?.parent().filter(|modules| modules.ends_with("node_modules"))?;
    let system = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Some(modules.join(format!("@foundry-rs/anvil-{system}-{machine}/bin/anvil"))).filter(|path| path.is_file())
}
