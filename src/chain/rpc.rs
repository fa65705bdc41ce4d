//! Several nodes as one network: fail over, back off, never mix answers of two nodes in one verdict.

use std::{sync::Arc, time::Duration};

use alloy::hex;
use futures::future::join_all;
use serde_json::{json, value::RawValue};
use url::Url;

use super::{
    At, Cursor, Seen, Sighting, SignedTransfer,
    clock::{Clock, Newest},
    gather::Gather,
    heads::Patience,
    known::Known,
    node::{Blame, Call, Fault, Node, RpcError, Said, parse},
    nodes::{Failure, Nodes, Owes},
    question::{ChainId, FinalHead, FinalTime, Lookup, One, Question, Stands, StillThere, header_at, is_execution_failure},
    settled::{Settled, try_habits},
    together::Together,
    wire::{Header, Number, Quantity},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
    network::Network,
};

/// When a block cannot be undone any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finality {
    /// A block tag: `finalized` where the chain has it.
    Tag(String),
    /// So many blocks on top of it.
    Confirmations(u64),
}

#[derive(Clone)]
pub struct ChainSettings {
    pub network: Network,
    /// In order of preference. They may hold keys: never logged whole, never sent anywhere.
    pub rpc_urls: Vec<Url>,
    pub finality: Finality,
    /// Between two looks while anyone waits.
    pub poll: Duration,
    /// For one batch to one node.
    pub timeout: Duration,
    /// Nodes that are asked what a transaction's calls moved. Empty: those above. They may hold keys too.
    pub trace_urls: Vec<Url>,
    /// Between two looks at the recipient's balance while nobody waits.
    pub idle_look: Duration,
}

/// Tells how many nodes there are, not where: addresses hold keys.
impl std::fmt::Debug for ChainSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { network, rpc_urls, finality, poll, timeout, trace_urls, idle_look } = self;
        f.debug_struct("ChainSettings")
            .field("network", network)
            .field("rpc_urls", &rpc_urls.len())
            .field("finality", finality)
            .field("poll", poll)
            .field("timeout", timeout)
            .field("trace_urls", &trace_urls.len())
            .field("idle_look", idle_look)
            .finish()
    }
}

/// No node gave an answer that can be trusted: the outcome is unknown, which is never "no".
#[derive(Clone, Debug, thiserror::Error)]
#[error("no RPC of {network} answers: {cause}")]
pub struct Unavailable {
    pub network: String,
    /// Without URLs.
    pub cause: String,
}

/// One network as the server reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Chain(Arc<Inner>);

struct Inner {
    settings: ChainSettings,
    patience: Patience,
    nodes: Arc<Nodes>,
    /// Apart from the others: who does not trace is left alone here, and asked for payments all the same.
    tracers: Nodes,
    clock: Clock,
    known: Known,
    gather: Gather,
    together: Together,
}

/// A trace takes a node longer than what it has at hand.
const TRACE_TIME_MIN: Duration = Duration::from_secs(10);

impl Chain {
    pub fn new(settings: ChainSettings) -> Self {
        Self::with_patience(settings, Patience::default())
    }

    /// One whose nodes are taken to be wrong sooner or later than usual.
    pub fn with_patience(settings: ChainSettings, patience: Patience) -> Self {
        let count = settings.rpc_urls.len();
        let places = settings.rpc_urls.iter().zip(1..);
        let nodes = places.map(|(url, i)| Node::new(format!("{i} of {count}"), url.clone(), settings.timeout)).collect();
        let nodes = Arc::new(Nodes::new(settings.network.name.clone(), settings.network.chain_id, nodes, patience));
        let urls = if settings.trace_urls.is_empty() { &settings.rpc_urls } else { &settings.trace_urls };
        let (count, time) = (urls.len(), settings.timeout.max(TRACE_TIME_MIN));
        let tracers =
            urls.iter().zip(1..).map(|(url, i)| Node::new(format!("{i} of {count} for traces"), url.clone(), time)).collect();
        let tracers = Nodes::new(settings.network.name.clone(), settings.network.chain_id, tracers, patience).for_traces();
        let (clock, known, gather, together) = (Clock::default(), Known::default(), Gather::default(), Together::default());
        Self(Arc::new(Inner { settings, patience, nodes, tracers, clock, known, gather, together }))
    }

    pub fn network(&self) -> &Network {
        &self.0.settings.network
    }

    pub fn settings(&self) -> &ChainSettings {
        &self.0.settings
    }

    /// Receipt, transaction, canonical block at its height and final head, in one batch from one node.
    ///
    /// What was not seen is asked for once, what was seen twice: only the receipt tells the height. That a node has not seen it only counts where a
    /// second one says so, if there is one.
    ///
    /// # Errors
    /// Nobody knows: no node answers, or one has not seen it and no other one can be asked.
    pub async fn lookup(&self, hash: TxHash) -> Result<Sighting, Unavailable> {
        match self.look_for(hash).await? {
            (sighting, None) => Ok(sighting),
            (_, Some(failure)) => {
                let cause = format!("one node has not seen {hash}, and no second one says so: {}", failure.cause);
                Err(Unavailable { network: self.network().name.clone(), cause })
            }
        }
    }

    /// The same for who looks again, and reads blocks meanwhile: not seen by one node alone is not seen yet.
    pub async fn sight(&self, hash: TxHash) -> Result<Sighting, Unavailable> {
        self.look_for(hash).await.map(|(sighting, _)| sighting)
    }

    /// With why no second node could be asked about what the first has not seen.
    async fn look_for(&self, hash: TxHash) -> Result<(Sighting, Option<Failure>), Unavailable> {
        let (finality, chain_id) = (&self.settings().finality, self.network().chain_id);
        self.answer_twice(&Lookup { hash, chain_id, finality }, |sighting| matches!(sighting, Sighting::NotSeen)).await
    }

    /// Is the newest block that is known old by our clock? No node is asked.
    pub fn is_stale(&self) -> bool {
        self.0.nodes.is_stale()
    }

    /// The newest block of each node, height and Unix seconds, with its place; or why it does not say. All are asked at once.
    pub async fn heads(&self) -> Vec<(String, Result<(u64, u64), String>)> {
        let asked = self.0.nodes.each().map(|node| async move {
            let said = Newest.put_to(node).await.map_err(|fault| node.quote(&fault.cause));
            (node.place.clone(), said.map(|newest| (newest.height, newest.time_s)))
        });
        join_all(asked).await
    }

    /// Which chain its nodes are of, all asked at once, for so long each: the id, and the hash of block 0; or why it does not say.
    pub async fn introduced(&self, time: Duration) -> Vec<Result<(u64, [u8; 32]), String>> {
        self.0.nodes.introduce(time).await
    }

    /// Height of the newest final block.
    pub async fn final_head(&self) -> Result<u64, Unavailable> {
        self.answer(&FinalHead(&self.settings().finality)).await.map(|head| head.final_height)
    }

    /// When the newest final block was made, Unix milliseconds: what had to be in a block before then never will be.
    pub async fn final_time_ms(&self) -> Result<i64, Unavailable> {
        let seconds = self.answer(&FinalTime(&self.settings().finality)).await?;
        Ok(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
    }

    /// Hash of block 0: tells two chains with the same id apart.
    pub async fn genesis(&self) -> Result<[u8; 32], Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Header>(&raw)).map(|header| header.hash);
        self.answer(&One { call: header_at(0), read }).await
    }

    /// What the node itself says its id is.
    pub async fn chain_id(&self) -> Result<u64, Unavailable> {
        self.answer(&ChainId).await
    }

    /// Runtime bytecode at the newest block; empty where there is none.
    pub async fn code(&self, address: Address) -> Result<Vec<u8>, Unavailable> {
        let call = Call::new("eth_getCode", json!([address, "latest"]));
        self.answer(&One { call, read: |said| ok(said).and_then(|raw| bytes(&raw)) }).await
    }

    /// One storage word at the newest block.
    pub async fn storage(&self, address: Address, slot: [u8; 32]) -> Result<[u8; 32], Unavailable> {
        let call = Call::new("eth_getStorageAt", json!([address, hex::encode_prefixed(slot), "latest"]));
        // Some nodes leave leading zeros out, so it is read as the number it is.
        let read = |said| ok(said).and_then(|raw| parse::<Quantity>(&raw)).map(|word| word.0.to_be_bytes());
        self.answer(&One { call, read }).await
    }

    /// `eth_call` at the newest block. `None`: it reverted.
    pub async fn call(&self, to: Address, data: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        self.answer(&One { call: view(to, data), read: ran }).await
    }

    /// Several of them, in one batch from one node.
    pub async fn call_all(&self, calls: &[(Address, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        self.answer(&Views(calls)).await
    }

    /// The same, and which of these addresses have code, in the same batch.
    pub async fn call_all_and_see(
        &self,
        addresses: &[Address],
        calls: &[(Address, Vec<u8>)],
    ) -> Result<(Vec<bool>, Vec<Option<Vec<u8>>>), Unavailable> {
        self.answer(&Sights { addresses, calls }).await
    }

    /// Wei that an account has at the newest block.
    pub async fn balance(&self, account: Address) -> Result<Amount, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Quantity>(&raw)).map(|wei| wei.0);
        self.answer(&One { call: Call::new("eth_getBalance", json!([account, "latest"])), read }).await
    }

    /// Height of the newest block, which may still vanish.
    pub async fn newest_block(&self) -> Result<u64, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Number>(&raw)).map(|height| height.0);
        self.answer(&One { call: Call::new("eth_blockNumber", json!([])), read }).await
    }

    /// Hands a signed transaction to a node that takes it. One that has it already has taken it.
    ///
    /// # Errors
    /// None took it, as far as we know: one may have, and its answer was lost.
    pub async fn send_raw(&self, raw: &[u8]) -> Result<(), Unavailable> {
        let read = |said: Said| match said {
            Err(error) if !is_known_already(&error) => Err(error.into_fault(Blame::Question)),
            _ => Ok(()),
        };
        let call = Call::new("eth_sendRawTransaction", json!([hex::encode_prefixed(raw)]));
        self.answer(&One { call, read }).await
    }

    /// What became of a signed token transfer. `hash`: the transaction that was sent for it, if we know one; `since_block`:
    /// the newest block when it was first shown here, from which its use is searched where `hash` does not tell.
    ///
    /// All of it comes from one node.
    pub async fn look(
        &self,
        transfer: &SignedTransfer,
        hash: Option<TxHash>,
        since_block: u64,
        at: At,
    ) -> Result<Seen, Unavailable> {
        self.look_past(transfer, hash, since_block, &[], at).await
    }

    /// The same, past transactions that are known to have paid for others only.
    pub async fn look_past(
        &self,
        transfer: &SignedTransfer,
        hash: Option<TxHash>,
        since_block: u64,
        but: &[TxHash],
        at: At,
    ) -> Result<Seen, Unavailable> {
        let finality = &self.settings().finality;
        self.answer(&Settled { transfer, hash, since: since_block, but, at, finality }).await
    }

    /// Wei for one unit of gas, as the node suggests.
    pub async fn gas_price(&self) -> Result<Amount, Unavailable> {
        let read = |said| ok(said).and_then(|raw| parse::<Quantity>(&raw)).map(|price| price.0);
        self.answer(&One { call: Call::new("eth_gasPrice", json!([])), read }).await
    }

    /// Did the last request that was made succeed? Cached, for `/readyz`; asks nobody. `true` before the first.
    pub fn healthy(&self) -> bool {
        self.0.nodes.healthy()
    }

    /// What its nodes do not do as others do, a sentence for each: all of them are asked.
    pub async fn habits(&self) -> Vec<String> {
        let mut all = Vec::new();
        for node in self.0.nodes.each() {
            // One that does not answer now may have been met before.
            let _ = try_habits(node).await;
            all.extend(node.habits.met().sentences().map(|sentence| format!("node {} {sentence}", node.place)));
        }
        all
    }

    pub(super) fn tracers(&self) -> &Nodes {
        &self.0.tracers
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn known(&self) -> &Known {
        &self.0.known
    }

    pub(super) fn gather(&self) -> &Gather {
        &self.0.gather
    }

    pub(super) fn together(&self) -> &Together {
        &self.0.together
    }

    /// Is this block still final at its height, by the word of each node: with its place, or why it does not say.
    pub async fn each_stands_on(&self, cursor: Cursor) -> Vec<(String, Result<Stands, String>)> {
        let question = &StillThere { cursor, finality: &self.settings().finality };
        let asked = self.0.nodes.each().map(|node| async move {
            let said = question.put_to(node).await.map_err(|fault| node.quote(&fault.cause));
            (node.place.clone(), said)
        });
        join_all(asked).await
    }

    /// Is it time for a log line about this on this network? For what would be said for every run: once a minute.
    pub fn is_time_to_say(&self, subject: &str) -> bool {
        self.0.nodes.seldom().is_time(subject)
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.0.patience
    }

    pub(super) async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Failure> {
        self.ask_one(question).await.map(|(_, answer)| answer)
    }

    /// The same, with which node said it.
    pub(super) async fn ask_one<Q: Question>(&self, question: &Q) -> Result<(usize, Q::Answer), Failure> {
        let (node, answer) = self.0.nodes.ask(question).await?;
        self.0.nodes.look_at_heads(node);
        Ok((node, answer))
    }

    /// What each of the other nodes says that answers. `None`: there is no other node.
    pub(super) async fn ask_all_but<Q: Question>(&self, question: &Q, node: usize) -> Option<Vec<Q::Answer>> {
        self.0.nodes.all_but(question, node).await
    }

    /// Leaves a node that answers wrongly, until it has what it lacks.
    pub(super) fn leave(&self, node: usize, owes: Owes, cause: String) {
        self.0.nodes.leave(node, owes, cause);
    }

    pub(super) async fn answer<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Unavailable> {
        self.ask(question).await.map_err(|failure| self.unavailable(failure))
    }

    /// An answer that says nothing only counts where a second node says the same, and the second one's answer stands: with why no second one could be
    /// asked.
    pub(super) async fn answer_twice<Q: Question>(
        &self,
        question: &Q,
        says_nothing: impl FnOnce(&Q::Answer) -> bool,
    ) -> Result<(Q::Answer, Option<Failure>), Unavailable> {
        let (first, answer) = self.ask_one(question).await.map_err(|failure| self.unavailable(failure))?;
        if !says_nothing(&answer) {
            return Ok((answer, None));
        }
        Ok(match self.0.nodes.second(question, first).await {
            None => (answer, None),
            Some(Ok(second)) => (second, None),
            Some(Err(failure)) => (answer, Some(failure)),
        })
    }

    fn unavailable(&self, failure: Failure) -> Unavailable {
        Unavailable { network: self.network().name.clone(), cause: failure.cause }
    }
}

/// What was asked for may come from a visitor: an error is about that, not about the node.
pub(super) fn ok(said: Said) -> Result<Box<RawValue>, Fault> {
    said.map_err(|error| error.into_fault(Blame::Question))
}

pub(super) fn bytes(raw: &RawValue) -> Result<Vec<u8>, Fault> {
    let text: String = parse(raw)?;
    let digits = text.strip_prefix("0x").ok_or_else(|| Fault::of_node("bytes without 0x"))?;
    hex::decode(digits).map_err(|e| Fault::of_node(format!("bytes that are no hexadecimal: {e}")))
}

pub(super) fn view(to: Address, data: &[u8]) -> Call {
    let transaction = json!({"to": to, "data": hex::encode_prefixed(data)});
    Call::new("eth_call", json!([transaction, "latest"]))
}

pub(super) fn ran(said: Said) -> Result<Option<Vec<u8>>, Fault> {
    match said {
        Ok(raw) => bytes(&raw).map(Some),
        Err(error) if is_execution_failure(&error) => Ok(None),
        Err(error) => Err(error.into_fault(Blame::Question)),
    }
}

struct Views<'a>(&'a [(Address, Vec<u8>)]);

impl Question for Views<'_> {
    type Answer = Vec<Option<Vec<u8>>>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let calls: Vec<_> = self.0.iter().map(|(to, data)| view(*to, data)).collect();
        let mut answers = node.batch(&calls).await?;
        calls.iter().map(|_| ran(answers.raw()?)).collect()
    }
}

struct Sights<'a> {
    addresses: &'a [Address],
    calls: &'a [(Address, Vec<u8>)],
}

impl Question for Sights<'_> {
    type Answer = (Vec<bool>, Vec<Option<Vec<u8>>>);

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let codes = self.addresses.iter().map(|address| Call::new("eth_getCode", json!([address, "latest"])));
        let calls: Vec<_> = codes.chain(self.calls.iter().map(|(to, data)| view(*to, data))).collect();
        let mut answers = node.batch(&calls).await?;
        let codes = self.addresses.iter().map(|_| Ok(!bytes(&ok(answers.raw()?)?)?.is_empty())).collect::<Result<_, Fault>>()?;
        let said = self.calls.iter().map(|_| ran(answers.raw()?)).collect::<Result<_, Fault>>()?;
        Ok((codes, said))
    }
}

/// Nodes have no code for it.
fn is_known_already(error: &RpcError) -> bool {
    let message = error.message.to_lowercase();
    ["already known", "already imported", "known transaction", "already exists", "alreadyknown"]
        .iter()
        .any(|words| message.contains(words))
}
