//! The local chain node: anvil, on a free loopback port, for as long as the demo runs.
//!
//! Everybody asks it through a door of ours, which notices that somebody asks. Blocks are made from then on, as on a real
//! chain, until nobody has asked for a while: a demo that is left open for a day keeps neither memory nor a processor busy.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{CHAIN_ID, CannotDemo, node::Node};

/// For the node to listen, and to write its state when it is told to stop.
const START_TIME_MAX: Duration = Duration::from_secs(20);
const STOP_TIME_MAX: Duration = Duration::from_secs(8);

/// As on Monad, nearly.
const BLOCK_TIME: Duration = Duration::from_millis(400);

/// For so long after a question blocks are made. What waits for one asks more often than this; what looks once a minute makes five.
const AWAKE: Duration = Duration::from_secs(2);

/// Blocks whose state is kept: what is looked up is the newest, or two below it.
const STATES_KEPT: &str = "16";

/// A running node. Dropped without [`LocalChain::stop`], it is killed.
pub struct LocalChain {
    child: Child,
    /// The door's.
    url: Url,
    _door: AbortOnDropHandle<()>,
    _blocks: AbortOnDropHandle<()>,
}

impl LocalChain {
    /// While anybody asks, a block every 0.4 s, final after two more, as on Monad. `state`: the file that the chain is kept in.
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
        command.args(["--no-mining", "--slots-in-an-epoch", "1", "--no-cors"]);
        // Old states are not asked for; without this, each block's is kept in memory and then on disk.
        command.args(["--prune-history", STATES_KEPT]);
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
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|cause| CannotDemo::NoStart(cause.to_string()))?;
        let door = listener.local_addr().ok().and_then(|door| Url::parse(&format!("http://{door}")).ok());
        let door = door.ok_or_else(|| CannotDemo::NoStart("its door has no address".to_owned()))?;
        let (asked, last_asked) = watch::channel(Instant::now());
        let node = Node::new(&url)?;
        Ok(Self {
            child,
            _door: AbortOnDropHandle::new(tokio::spawn(keep_door(listener, url, asked))),
            _blocks: AbortOnDropHandle::new(tokio::spawn(make_blocks(node, last_asked))),
            url: door,
        })
    }

    /// Where the chain is asked.
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

/// Lets every connection through to the node, and notes when something was asked.
async fn keep_door(listener: TcpListener, node: Url, asked: watch::Sender<Instant>) {
    let Some(port) = node.port() else { return };
    loop {
        let Ok((visitor, _)) = listener.accept().await else {
            tokio::time::sleep(BLOCK_TIME).await; // out of descriptors, for instance
            continue;
        };
        let asked = asked.clone();
        tokio::spawn(async move {
            let Ok(node) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let ((mut questions, mut visitor), (mut answers, mut node)) = (visitor.into_split(), node.into_split());
            let ask = async {
                let mut buffer = vec![0; 16 * 1024];
                loop {
                    match questions.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(length) => {
                            asked.send_replace(Instant::now());
                            let read = buffer.get(..length).unwrap_or_default();
                            if node.write_all(read).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            };
            let answer = tokio::io::copy(&mut answers, &mut visitor);
            // Either end hangs up: both do.
            tokio::select! { () = ask => {}, _ = answer => {} }
        });
    }
}

/// A block at once when somebody asks after a while, then one every [`BLOCK_TIME`] until nobody asked for [`AWAKE`].
async fn make_blocks(node: Node, mut last_asked: watch::Receiver<Instant>) {
    let mut ticks = tokio::time::interval(BLOCK_TIME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = *last_asked.borrow_and_update();
        if asked.elapsed() > AWAKE && last_asked.changed().await.is_err() {
            return; // the door is gone
        }
        ticks.tick().await;
        // The node may be about to end; the next tick tries again.
        let _ = node.call("evm_mine", json!([])).await;
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
