//! A server for as long as it is measured.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::Result;

const START_TIME_MAX: Duration = Duration::from_secs(30);
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Each says in a line of its own where it is open.
    pub async fn start(name: &'static str, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("it has no output")?).lines();
        let open = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(address) = line.split("http://").nth(1).and_then(|rest| rest.trim().parse().ok()) {
                    return Some(address);
                }
            }
            None
        };
        let address = timeout(START_TIME_MAX, open).await.ok().flatten().ok_or_else(|| format!("{name} does not open"))?;
        // What else it says is read, so that it never waits for us.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { name, address, child })
    }

    /// As by Ctrl-C, so that what it started ends with it.
    pub async fn stop(mut self) {
        let told = match self.child.id() {
            Some(pid) => Command::new("kill").arg(pid.to_string()).status().await.is_ok_and(|status| status.success()),
            None => false,
        };
        if !told || timeout(STOP_TIME_MAX, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
