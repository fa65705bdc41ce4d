//! What `/readyz` says of a network: whether its payments are taken, and if not, since when and why. No node is asked for it.

use serde::Serialize;

use crate::{ledger::Halt, x402::desk::Desk};

#[derive(Debug, Serialize)]
pub struct NetworkState {
    pub network: String,
    pub state: Taken,
    /// Of the last request that was made to it anyway: `ok`, `failing`, or `stale` where it answers and its newest block is old.
    pub rpc: &'static str,
    /// Why its payments wait; no address, no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it is halted, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The final block that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
}

/// Are its payments taken?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    Open,
    /// No node of it has answered since the start.
    NotMet,
    /// A final block has changed; `coinslot resume` opens it again.
    Halted,
}

/// Of all networks, in their order. Whether one is halted, the books say, for every instance; where they do not answer (`are_there`), what this process
/// knows.
pub async fn all(desk: &Desk, are_there: bool) -> Vec<NetworkState> {
    let mut all = Vec::new();
    for chain in &desk.chains {
        let network = chain.network().id.clone();
        let rpc = match (chain.healthy(), chain.is_stale()) {
            (false, _) => "failing",
            (true, true) => "stale",
            (true, false) => "ok",
        };
        let halt = match are_there {
            true => desk.books.halt_of(&network).await.unwrap_or_else(|_| known(desk, &network)),
            false => known(desk, &network),
        };
        let state = match (halt, desk.unmet.why(&network)) {
            (Some(Halt { height, since_ms, why }), _) => NetworkState {
                state: Taken::Halted,
                why: Some(why.unwrap_or_else(|| "a final block has changed".to_owned())),
                since: since_ms.and_then(utc),
                block: (height > 0).then_some(height),
                network,
                rpc,
            },
            (None, Some(why)) => NetworkState { state: Taken::NotMet, why: Some(why), since: None, block: None, network, rpc },
            (None, None) => NetworkState { state: Taken::Open, why: None, since: None, block: None, network, rpc },
        };
        all.push(state);
    }
    all
}

/// Without the books.
fn known(desk: &Desk, network: &str) -> Option<Halt> {
    desk.is_halted(network).then_some(Halt { height: 0, since_ms: None, why: None })
}

/// Unix milliseconds as people and programs read them: `2026-11-30T22:10:00Z`.
pub fn utc(ms: i64) -> Option<String> {
    jiff::Timestamp::from_second(ms.div_euclid(1000)).ok().map(|at| at.to_string())
}

/// A halt in one sentence, for the terminal.
pub fn sentence(halt: &Halt) -> String {
    let since = halt.since_ms.and_then(utc).map(|since| format!(" since {since}")).unwrap_or_default();
    let why = halt.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("payments are stopped{since}: a final block at height {} has changed{why}", halt.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_a_halt_is_said_with_since_when_and_why() {
        let halt =
            Halt { height: 8, since_ms: Some(1_796_076_600_000), why: Some("two of its nodes have another block 8 now".into()) };
        assert_eq!(
            sentence(&halt),
            "payments are stopped since 2026-11-30T22:10:00Z: a final block at height 8 has changed (two of its nodes have another block 8 now)"
        );
        let old = Halt { height: 8, since_ms: None, why: None };
        assert_eq!(sentence(&old), "payments are stopped: a final block at height 8 has changed");
    }
}
