//! Which node is asked, and which is left alone for a while.
//!
//! Nodes are tried in the order of preference. One that failed is put aside, longer each time, and is tried again when
//! its time has come: so the preferred one comes back by itself. If all are aside, the one whose time is next is tried
//! anyway: a visitor is waiting. Whenever another node than the last one answers, its chain's id is looked at first.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::{
    node::{Blame, Fault, Node},
    question::{ChainId, Question},
};

/// 1 s, then twice as long each time up to 30 s; jitter adds up to as much again, so that no two shops knock together.
const ASIDE: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_secs(30))
    .with_jitter()
    .without_max_times();

/// No node answered.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What each said, without addresses.
    pub cause: String,
    /// The answer would have been larger than we read: ask for less.
    pub is_too_large: bool,
}

pub(super) struct Nodes {
    chain_id: u64,
    /// For the log.
    network: String,
    nodes: Vec<(Node, Mutex<Standing>)>,
    /// The one that answered last. None at first: past the end.
    current: AtomicUsize,
    healthy: AtomicBool,
}

/// How a node behaved lately.
#[derive(Default)]
struct Standing {
    /// `Some` from its first failure to its next answer.
    backoff: Option<ExponentialBackoff>,
    aside_until: Option<Instant>,
    /// Was told loudly, once, that it is of another chain.
    is_told_wrong: bool,
}

impl Nodes {
    pub fn new(network: String, chain_id: u64, nodes: Vec<Node>) -> Self {
        Self {
            chain_id,
            network,
            nodes: nodes.into_iter().map(|node| (node, Mutex::default())).collect(),
            current: AtomicUsize::new(usize::MAX),
            healthy: AtomicBool::new(true),
        }
    }

    pub fn each(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().map(|(node, _)| node)
    }

    /// Did the last question that was put find an answer? `true` before the first.
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// The first answer that one node alone gives.
    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Failure> {
        let mut tried = vec![false; self.nodes.len()];
        let mut faults: Vec<(&str, Fault)> = Vec::new();
        while let Some((index, is_last_resort)) = self.next(&tried) {
            tried[index] = true;
            let (node, _) = &self.nodes[index];
            match self.put(question, index).await {
                Ok(answer) => {
                    self.answered(index);
                    return Ok(answer);
                }
                Err(fault) => {
                    let fault = Fault { cause: node.quote(&fault.cause), ..fault };
                    self.failed(index, &fault);
                    faults.push((&node.place, fault));
                }
            }
            if is_last_resort {
                break;
            }
        }
        // A question that no node can answer says nothing about the nodes.
        if faults.is_empty() || faults.iter().any(|(_, fault)| fault.blame == Blame::Node) {
            self.healthy.store(false, Ordering::Relaxed);
        }
        Err(Failure {
            is_too_large: faults.last().is_some_and(|(_, fault)| fault.blame == Blame::Size),
            cause: match faults.iter().map(|(place, fault)| format!("node {place}: {}", fault.cause)).collect::<Vec<_>>() {
                none if none.is_empty() => "no RPC URL is set".to_owned(),
                some => some.join("; "),
            },
        })
    }

    /// The first node that is not aside, or (`true`) the one whose time is next.
    fn next(&self, tried: &[bool]) -> Option<(usize, bool)> {
        let now = Instant::now();
        let untried = (0..self.nodes.len()).filter(|index| !tried[*index]);
        let waiting = untried.map(|index| (self.standing(index).aside_until.filter(|until| *until > now), index));
        // `None`, not aside, is less than any time; of equals the first is preferred.
        waiting.min().map(|(until, index)| (index, until.is_some()))
    }

    async fn put<Q: Question>(&self, question: &Q, index: usize) -> Result<Q::Answer, Fault> {
        let (node, _) = &self.nodes[index];
        if self.current.load(Ordering::Relaxed) != index && !question.is_for_any_chain() {
            let id = ChainId.put_to(node).await?;
            if id != self.chain_id {
                self.wrong_chain(index, id);
                return Err(Fault::of_node(format!("it is of chain {id}, not {}", self.chain_id)));
            }
            self.standing(index).is_told_wrong = false;
            self.current.store(index, Ordering::Relaxed);
        }
        question.put_to(node).await
    }

    fn answered(&self, index: usize) {
        self.healthy.store(true, Ordering::Relaxed);
        let mut standing = self.standing(index);
        standing.aside_until = None;
        if standing.backoff.take().is_some() {
            let (network, node) = (&self.network, &self.nodes[index].0.place);
            info!(network, node, "node {node} of {network} answers again");
        }
    }

    fn failed(&self, index: usize, fault: &Fault) {
        let (network, node, cause) = (&self.network, &self.nodes[index].0.place, &fault.cause);
        if fault.blame != Blame::Node {
            debug!(network, node, cause, "node {node} of {network} does not know: {cause}");
            return;
        }
        // Whoever comes back shows its chain's id again.
        let _ = self.current.compare_exchange(index, usize::MAX, Ordering::Relaxed, Ordering::Relaxed);
        let mut standing = self.standing(index);
        if standing.aside_until.is_some_and(|until| until > Instant::now()) {
            return; // many were asking at once: one failure, one step
        }
        let is_news = standing.backoff.is_none();
        let wait = standing.backoff.get_or_insert_with(|| ASIDE.build()).next().unwrap_or_default();
        standing.aside_until = Some(Instant::now() + wait);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match is_news {
            true => warn!(network, node, cause, wait_ms, "node {node} of {network} is put aside for {wait_ms} ms: {cause}"),
            false => debug!(network, node, cause, wait_ms, "node {node} of {network} stays aside for {wait_ms} ms: {cause}"),
        }
    }

    fn wrong_chain(&self, index: usize, id: u64) {
        if !std::mem::replace(&mut self.standing(index).is_told_wrong, true) {
            let (network, node, expected) = (&self.network, &self.nodes[index].0.place, self.chain_id);
            error!(network, node, id, expected, "node {node} of {network} is of chain {id}, not {expected}: it is not used");
        }
    }

    fn standing(&self, index: usize) -> MutexGuard<'_, Standing> {
        self.nodes[index].1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
