//! One core for the server that is measured, the others for the load.

use std::fmt;

use tokio::process::Command;

/// Which cores there are, where that can be told and kept apart.
pub struct Cores(Option<Apart>);

struct Apart {
    servers: String,
    load: String,
}

impl Cores {
    /// Needs `taskset`, and two cores.
    pub fn find() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ours = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(numbers).unwrap_or_default();
        let has_taskset = std::process::Command::new("taskset").arg("--version").output().is_ok();
        Self(match ours.split_first() {
            Some((first, [load, ..])) if has_taskset => Some(Apart { servers: first.to_string(), load: load.to_string() }),
            _ => None,
        })
    }

    /// This thread goes elsewhere.
    pub async fn leave_the_servers(&self) {
        if let Some(apart) = &self.0 {
            let pid = std::process::id().to_string();
            let _ = Command::new("taskset").args(["-p", "-c", &apart.load, &pid]).output().await;
        }
    }

    /// What starts a server.
    pub fn program(&self) -> &'static str {
        if self.0.is_some() { "taskset" } else { "env" }
    }

    /// Its arguments, up to the server's own.
    pub fn before(&self, server: &str) -> Vec<String> {
        let core = self.0.iter().flat_map(|apart| ["-c".to_owned(), apart.servers.clone()]);
        core.chain([server.to_owned()]).collect()
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "each server on one core, the load on another",
            None => "server and load on all cores together (no taskset, or one core: no measure)",
        })
    }
}

/// `0-2,5`
fn numbers(list: &str) -> Vec<u32> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(from.parse().ok()?..=to.parse().ok()?)
    });
    ranges.flatten().collect()
}
