//! Which node is asked, and which is left alone for a while.
//!
//! Nodes are tried in the order of preference. One that failed is put aside, longer each time, and is tried again when
//! its time has come: so the preferred one comes back by itself. If all are aside, the one whose time is next is tried
//! anyway: a visitor is waiting. One that is asked too much (HTTP 429) is left alone for a moment and is no outage. Whenever another node than the
//! last one answers, its chain's id is looked at first.
//!
//! A node that answers may still be wrong: stuck, far behind, or on blocks of its own. Heads are compared now and then (`heads`), and what
//! only counts where two say it is asked of a second one ([`Nodes::second`]). Who was left for such a reason is taken again only when it has the
//! block that it lacked.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::future::join_all;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use super::{
    Cursor,
    clock::{Newest, Paced},
    heads::{Patience, Suspicion, now_s},
    node::{Blame, Fault, Node},
    outage::Outage,
    question::{ChainId, Identity, Question, header_at},
    wire::{Hash, Header},
};
use crate::seldom::Seldom;

/// 1 s, then twice as long each time up to 30 s; jitter adds up to as much again, so that no two shops knock together.
const ASIDE: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_secs(1))
    .with_max_delay(Duration::from_secs(30))
    .with_jitter()
    .without_max_times();

/// A second node's chain is looked at again after so long.
const MET_FOR: Duration = Duration::from_secs(10 * 60);

/// Where heads were compared and nothing was wrong, the next comparison has so many times [`Patience::stuck`], unless the head stands still.
const COMPARED_TIMES: u32 = 5;

/// What a node said of its newest block says something of it now.
const HEARD_FOR: Duration = Duration::from_secs(60);
/// A node that is asked too much is left alone for 0.5 s, then 1 s, unless it says for how long; jitter as above.
const LIMITED: ExponentialBuilder = ASIDE.with_min_delay(Duration::from_millis(500)).with_max_delay(Duration::from_secs(1));

/// What a node says of that is believed up to here.
const LIMITED_FOR_MAX: Duration = Duration::from_secs(30);

/// Where every node that is well is asked too much, a question waits its turn, so often and each time so long at most: somebody waits for it.
const TURNS_MAX: u32 = 2;
const TURN_WAIT_MAX: Duration = Duration::from_secs(1);

/// Who says nothing else for so long is away: its allowance is used up.
const LIMITED_MAX: Duration = Duration::from_secs(60);

/// That a node is asked too much is said so often at most.
const TOLD_LIMITED_EVERY: Duration = Duration::from_secs(60);

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
    patience: Patience,
    /// When heads may be compared next: where nothing was suspicious, and where the head stands still. `None` before the first question.
    compare: Mutex<Option<(Instant, Instant)>>,
    /// From one block to the next, milliseconds, as a comparison found it.
    interval_ms: AtomicU64,
    /// `None`: the log need not say that none answers.
    outage: Option<Outage>,
    seldom: Seldom,
}

/// How a node behaved lately.
#[derive(Default)]
struct Standing {
    /// `Some` from its first failure to its next answer.
    backoff: Option<ExponentialBackoff>,
    aside_until: Option<Instant>,
    /// It is aside because it is asked too much, and for nothing else.
    is_limited: bool,
    told_limited: Option<Instant>,
    /// Since when it has said nothing else.
    limited_since: Option<Instant>,
    /// Was told loudly, once, that it is of another chain.
    is_told_wrong: bool,
    /// That another one is asked in its place was told.
    is_told_left: bool,
    /// When its chain's id was last looked at; `None` since it failed.
    met: Option<Instant>,
    /// It was left because it lacked this, and is not asked again before it has it.
    owes: Option<Owes>,
}

/// What a node has to show that was left although it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owes {
    /// A newest block at this height or above.
    Height(u64),
    /// This very block.
    Block(Cursor),
}

impl Nodes {
    pub fn new(network: String, chain_id: u64, nodes: Vec<Node>, patience: Patience) -> Self {
        Self {
            chain_id,
            network,
            nodes: nodes.into_iter().map(|node| (node, Mutex::default())).collect(),
            current: AtomicUsize::new(usize::MAX),
            healthy: AtomicBool::new(true),
            patience,
            compare: Mutex::default(),
            interval_ms: AtomicU64::new(0),
            outage: Some(Outage::default()),
            seldom: Seldom::default(),
        }
    }

    /// Those that are asked for traces: that none of them traces is no outage.
    pub fn for_traces(self) -> Self {
        Self { outage: None, ..self }
    }

    pub fn each(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().map(|(node, _)| node)
    }

    /// Did the last question that was put find an answer? `true` before the first.
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub fn seldom(&self) -> &Seldom {
        &self.seldom
    }

    /// Is the newest block of the node that is asked old by our clock? `false` where it was not asked lately.
    pub fn is_stale(&self) -> bool {
        let current = self.nodes.get(self.current.load(Ordering::Relaxed));
        let heard = current.and_then(|(node, _)| node.heard()).filter(|heard| heard.at.elapsed() < HEARD_FOR);
        heard.is_some_and(|heard| heard.is_old(self.several_blocks(), now_s()))
    }

    /// The first answer that one node alone gives, and which one. Where all that are well are asked too much, it is waited for a moment: that is no outage.
    pub async fn ask<Q: Question>(&self, question: &Q) -> Result<(usize, Q::Answer), Failure> {
        let mut turns = 0;
        loop {
            if let Some(wait) = self.all_limited_for() {
                tokio::time::sleep(wait.min(TURN_WAIT_MAX)).await;
            }
            let asked = self.ask_once(question).await;
            match self.all_limited_for() {
                Some(wait) if asked.is_err() && turns < TURNS_MAX && wait <= TURN_WAIT_MAX => turns += 1,
                _ => return asked,
            }
        }
    }

    /// Until a node may be asked again, where all are aside and some for no more than that they are asked too much.
    fn all_limited_for(&self) -> Option<Duration> {
        let (now, mut first) = (Instant::now(), None::<Instant>);
        for index in 0..self.nodes.len() {
            let standing = self.standing(index);
            let until = standing.aside_until.filter(|until| *until > now)?;
            if standing.is_limited {
                first = Some(first.map_or(until, |first| first.min(until)));
            }
        }
        first.map(|until| until.saturating_duration_since(now))
    }

    fn has_limited(&self) -> bool {
        let is_limited = |standing: &Standing| {
            standing.limited_since.is_some_and(|since| since.elapsed() < LIMITED_MAX)
                && standing.is_limited
                && standing.aside_until.is_some_and(|until| until > Instant::now())
        };
        (0..self.nodes.len()).any(|index| is_limited(&self.standing(index)))
    }

    async fn ask_once<Q: Question>(&self, question: &Q) -> Result<(usize, Q::Answer), Failure> {
        let mut tried = vec![false; self.nodes.len()];
        let mut faults: Vec<(usize, Fault)> = Vec::new();
        while let Some((index, is_last_resort)) = self.next(&tried) {
            tried[index] = true;
            let is_last = is_last_resort || tried.iter().all(|tried| *tried);
            match self.put(question, index, is_last).await {
                Ok(answer) => {
                    self.answered(index);
                    self.tell_left(&faults, index);
                    return Ok((index, answer));
                }
                Err(fault) => {
                    let fault = self.failed(index, fault);
                    faults.push((index, fault));
                }
            }
            if is_last_resort {
                break;
            }
        }
        let failure = self.failure(&faults);
        // A question that no node can answer says nothing about the nodes; one that is asked too much is well, though nobody can ask it now.
        let is_used_up = |index: usize| self.standing(index).limited_since.is_some_and(|since| since.elapsed() >= LIMITED_MAX);
        let is_of_nodes = faults.iter().any(|(index, fault)| match fault.blame {
            Blame::Node | Blame::Behind => true,
            Blame::Limited(_) => is_used_up(*index),
            Blame::Question | Blame::Size | Blame::Batch => false,
        });
        if faults.is_empty() || !self.has_limited() && is_of_nodes {
            self.nobody_answered(&failure);
        }
        Err(failure)
    }

    fn nobody_answered(&self, failure: &Failure) {
        self.healthy.store(false, Ordering::Relaxed);
        if let Some(outage) = &self.outage {
            outage.goes_on(&self.network, &failure.cause);
        }
    }

    fn failure(&self, faults: &[(usize, Fault)]) -> Failure {
        let said = |(index, fault): &(usize, Fault)| format!("node {}: {}", self.nodes[*index].0.place, fault.cause);
        Failure {
            is_too_large: faults.last().is_some_and(|(_, fault)| fault.blame == Blame::Size),
            cause: match faults.iter().map(said).collect::<Vec<_>>() {
                none if none.is_empty() => "no RPC URL is set".to_owned(),
                some => some.join("; "),
            },
        }
    }

    /// What a second node says, the first of the others that answers; none of those that are aside is asked. `None`: there is no other node.
    pub async fn second<Q: Question>(&self, question: &Q, first: usize) -> Option<Result<Q::Answer, Failure>> {
        if self.nodes.len() < 2 {
            return None;
        }
        let mut faults = Vec::new();
        for index in self.others(first) {
            match self.put_beside(question, index).await {
                Ok(answer) => return Some(Ok(answer)),
                Err(fault) => faults.push((index, fault)),
            }
        }
        Some(Err(match faults.is_empty() {
            true => Failure { cause: "the others are left alone for now".to_owned(), is_too_large: false },
            false => self.failure(&faults),
        }))
    }

    /// What each of the others says that answers. `None`: there is no other node.
    pub async fn all_but<Q: Question>(&self, question: &Q, first: usize) -> Option<Vec<Q::Answer>> {
        if self.nodes.len() < 2 {
            return None;
        }
        let mut said = Vec::new();
        for index in self.others(first) {
            said.extend(self.put_beside(question, index).await.ok());
        }
        Some(said)
    }

    /// Those that are not aside, in the order of preference.
    fn others(&self, but: usize) -> Vec<usize> {
        let now = Instant::now();
        let is_aside = |index: usize| self.standing(index).aside_until.is_some_and(|until| until > now);
        (0..self.nodes.len()).filter(|index| *index != but && !is_aside(*index)).collect()
    }

    /// The first node that is not aside, or (`true`) the one whose time is next.
    fn next(&self, tried: &[bool]) -> Option<(usize, bool)> {
        let now = Instant::now();
        let untried = (0..self.nodes.len()).filter(|index| !tried[*index]);
        let waiting = untried.map(|index| (self.standing(index).aside_until.filter(|until| *until > now), index));
        // `None`, not aside, is less than any time; of equals the first is preferred.
        waiting.min().map(|(until, index)| (index, until.is_some()))
    }

    /// `is_last`: there is no other to ask, so what it owes does not matter.
    async fn put<Q: Question>(&self, question: &Q, index: usize, is_last: bool) -> Result<Q::Answer, Fault> {
        let (node, _) = &self.nodes[index];
        if self.current.load(Ordering::Relaxed) != index && !question.is_for_any_chain() {
            self.is_of_this_chain(index).await?;
            if !is_last {
                self.has_what_it_owes(index).await?;
            }
            self.current.store(index, Ordering::Relaxed);
        }
        question.put_to(node).await
    }

    /// Asks one beside the one that is asked by itself.
    async fn put_beside<Q: Question>(&self, question: &Q, index: usize) -> Result<Q::Answer, Fault> {
        let asked = async {
            let is_known = |met: Instant| met.elapsed() < MET_FOR;
            let known = self.standing(index).met.is_some_and(is_known);
            if !known {
                self.is_of_this_chain(index).await?;
            }
            self.has_what_it_owes(index).await?;
            question.put_to(&self.nodes[index].0).await
        };
        match asked.await {
            Ok(answer) => {
                self.answered(index);
                Ok(answer)
            }
            Err(fault) => Err(self.failed(index, fault)),
        }
    }

    async fn is_of_this_chain(&self, index: usize) -> Result<(), Fault> {
        let id = ChainId.put_to(&self.nodes[index].0).await?;
        if id != self.chain_id {
            self.wrong_chain(index, id);
            return Err(Fault::of_node(format!("it is of chain {id}, not {}", self.chain_id)));
        }
        let mut standing = self.standing(index);
        (standing.is_told_wrong, standing.met) = (false, Some(Instant::now()));
        Ok(())
    }

    async fn has_what_it_owes(&self, index: usize) -> Result<(), Fault> {
        let owes = self.standing(index).owes;
        let node = &self.nodes[index].0;
        match owes {
            None => return Ok(()),
            Some(Owes::Height(height)) => {
                let newest = Newest.put_to(node).await?;
                if newest.height < height {
                    return Err(Fault::of_node(format!(
                        "its newest block is {}, another node had {height} before",
                        newest.height
                    )));
                }
            }
            Some(Owes::Block(cursor)) => {
                let block: Option<Header> = node.batch(&[header_at(cursor.height)]).await?.read()?;
                if block.is_none_or(|block| block.hash != cursor.hash) {
                    return Err(Fault::of_node(format!("it has another block {} than other nodes, or none", cursor.height)));
                }
            }
        }
        self.standing(index).owes = None;
        Ok(())
    }

    /// Leaves a node that answers, until it has what it lacks.
    pub fn leave(&self, index: usize, owes: Owes, cause: String) {
        self.standing(index).owes = Some(owes);
        let fault = self.failed(index, Fault::of_node(cause));
        let place = &self.nodes[index].0.place;
        if self.seldom.is_time("left") {
            self.standing(index).is_told_left = true;
            let (network, cause) = (&self.network, &fault.cause);
            warn!(network, node = place, cause, "node {place} of {network} is not asked for now: {cause}");
        }
    }

    /// Looks, beside what was asked of this node, whether it has fallen behind: at most once in a while, and only if there is reason to.
    pub fn look_at_heads(self: &Arc<Self>, index: usize) {
        if self.nodes.len() < 2 {
            return;
        }
        let (now, patience) = (Instant::now(), &self.patience);
        {
            let mut compare = self.compare.lock().unwrap_or_else(PoisonError::into_inner);
            let first = now + patience.stuck;
            let (perhaps, stuck) = *compare.get_or_insert((first, first));
            let heard = self.nodes[index].0.heard();
            let due = match heard.map_or(Suspicion::Perhaps, |heard| heard.suspicion(self.several_blocks(), patience, now_s())) {
                Suspicion::None => false,
                Suspicion::Perhaps => perhaps <= now,
                Suspicion::Stuck => stuck <= now,
            };
            if !due {
                return;
            }
            *compare = Some((now + patience.stuck * COMPARED_TIMES, now + patience.stuck));
        }
        let nodes = self.clone();
        tokio::spawn(async move { nodes.compare_heads(index).await });
    }

    async fn compare_heads(&self, index: usize) {
        let node = &self.nodes[index].0;
        // What it says now: it may not have been asked for a while. One that fails is put aside by whatever is asked next.
        let Ok(_) = Newest.put_to(node).await else { return };
        let Some(heard) = node.heard() else { return };
        for other in self.others(index) {
            let Ok((newest, interval_ms)) = self.put_beside(&Paced, other).await else { continue };
            self.interval_ms.store(u64::try_from(interval_ms).unwrap_or(0), Ordering::Relaxed);
            if let Some(cause) = heard.is_behind(&newest, self.several_blocks(), &self.patience, now_s()) {
                return self.leave(index, Owes::Height(newest.height), cause);
            }
        }
    }

    fn several_blocks(&self) -> Duration {
        Duration::from_millis(self.interval_ms.load(Ordering::Relaxed)).saturating_mul(self.patience.blocks)
    }

    /// Asks all of them at once which chain they are of, for so long: chain id and first block of each, or why it does not say. Who does not say is
    /// left alone for a while.
    pub async fn introduce(&self, time: Duration) -> Vec<Result<(u64, Hash), String>> {
        let asked = self.nodes.iter().map(|(node, _)| async move {
            let late = |_| Err(Fault::of_node(format!("no answer within {time:?}")));
            timeout(time, Identity.put_to(node)).await.unwrap_or_else(late)
        });
        let mut all = Vec::new();
        let mut faults = Vec::new();
        for (index, said) in join_all(asked).await.into_iter().enumerate() {
            match said {
                Ok((id, first)) if id == self.chain_id => {
                    self.standing(index).met = Some(Instant::now());
                    self.answered(index);
                    all.push(Ok((id, first)));
                }
                Ok((id, first)) => {
                    self.wrong_chain(index, id);
                    let fault = self.failed(index, Fault::of_node(format!("it is of chain {id}, not {}", self.chain_id)));
                    faults.push((index, fault));
                    all.push(Ok((id, first)));
                }
                Err(fault) => {
                    let fault = self.failed(index, fault);
                    all.push(Err(format!("node {}: {}", self.nodes[index].0.place, fault.cause)));
                    faults.push((index, fault));
                }
            }
        }
        if faults.len() == self.nodes.len() {
            self.nobody_answered(&self.failure(&faults));
        }
        all
    }

    fn answered(&self, index: usize) {
        self.healthy.store(true, Ordering::Relaxed);
        if let Some(outage) = &self.outage {
            outage.is_over(&self.network);
        }
        let mut standing = self.standing(index);
        (standing.aside_until, standing.limited_since, standing.backoff) = (None, None, None);
        if std::mem::take(&mut standing.is_told_left) {
            let (network, node) = (&self.network, &self.nodes[index].0.place);
            info!(network, node, "node {node} of {network} answers again");
        }
    }

    /// Puts it aside, if it is to blame. The fault as people may read it.
    fn failed(&self, index: usize, fault: Fault) -> Fault {
        let fault = Fault { cause: self.nodes[index].0.quote(&fault.cause), ..fault };
        let (network, node, cause) = (&self.network, &self.nodes[index].0.place, &fault.cause);
        let says = match fault.blame {
            Blame::Node => None,
            Blame::Limited(says) => Some(says),
            Blame::Question | Blame::Size | Blame::Behind | Blame::Batch => {
                debug!(network, node, cause, "node {node} of {network} does not know: {cause}");
                return fault;
            }
        };
        if says.is_none() {
            // Whoever comes back shows its chain's id again.
            let _ = self.current.compare_exchange(index, usize::MAX, Ordering::Relaxed, Ordering::Relaxed);
        }
        let mut standing = self.standing(index);
        if says.is_none() {
            standing.met = None;
        }
        if standing.is_limited == says.is_some() && standing.aside_until.is_some_and(|until| until > Instant::now()) {
            return fault; // many were asking at once: one failure, one step
        }
        if std::mem::replace(&mut standing.is_limited, says.is_some()) != says.is_some() {
            standing.backoff = None;
        }
        let pauses = if says.is_some() { LIMITED } else { ASIDE };
        let wait = standing.backoff.get_or_insert_with(|| pauses.build()).next().unwrap_or_default();
        let wait = says.flatten().map_or(wait, |says| says.clamp(wait, LIMITED_FOR_MAX));
        standing.aside_until = Some(Instant::now() + wait);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if says.is_some() {
            standing.limited_since.get_or_insert_with(Instant::now);
        }
        if says.is_some() && standing.told_limited.is_none_or(|told| told.elapsed() >= TOLD_LIMITED_EVERY) {
            standing.told_limited = Some(Instant::now());
            warn!(
                network,
                node, cause, wait_ms, "node {node} of {network} is asked too much and left alone for {wait_ms} ms: {cause}"
            );
        } else {
            debug!(network, node, cause, wait_ms, "node {node} of {network} is put aside for {wait_ms} ms: {cause}");
        }
        drop(standing);
        fault
    }

    /// Another one took over: once a minute, however many of them come and go. Where none does, [`Outage`] tells.
    fn tell_left(&self, faults: &[(usize, Fault)], by: usize) {
        let Some((index, fault)) = faults.iter().find(|(_, fault)| fault.blame == Blame::Node) else { return };
        if !self.seldom.is_time("left") {
            return;
        }
        self.standing(*index).is_told_left = true;
        let (network, node, cause) = (&self.network, &self.nodes[*index].0.place, &fault.cause);
        let by = &self.nodes[by].0.place;
        warn!(network, node, cause, "node {node} of {network} is put aside for a while, node {by} takes over: {cause}");
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
