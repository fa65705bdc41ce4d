//! What accounts and contracts are at one block, and what was written down up to it.
//!
//! Whoever asks names the block once; every further batch shows again that the node has that very block at its height. So answers belong
//! together, however many batches they take and whichever nodes give them. Views run with little gas, which bounds what they can answer.

use alloy::hex;
use serde_json::{Value, json};

use super::{
    Chain, Finality, Unavailable,
    node::{Blame, Call, Fault, Node, parse},
    question::{Head, Question, header_at},
    rpc::{bytes, ok, ran},
    wire::{Hash, Header, Log, Number, Quantity},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// Questions in one batch, besides the block's own: with answers of 1 MB each (what [`VIEW_GAS`] buys) still below what is read of a node.
pub const LOOKS_MAX: usize = 25;

/// Gas of a view: several times what the dearest honest token takes, and too little to answer more than half a megabyte.
pub const VIEW_GAS: u64 = 500_000;

/// A block that cannot be undone, which answers refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtBlock {
    pub height: u64,
    pub hash: [u8; 32],
    /// Unix seconds.
    pub time_s: u64,
}

/// What is asked about the state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// Wei.
    Balance(Address),
    /// Of an account: transactions that it sent. Of a contract: contracts that it made, from 1.
    Nonce(Address),
    /// Runtime bytecode.
    Code(Address),
    Storage(Address, [u8; 32]),
    /// A call that changes nothing, from nobody, with so much gas.
    View {
        to: Address,
        data: Vec<u8>,
        gas: u64,
    },
}

impl Look {
    /// With the gas that one question to a stranger's contract is worth.
    pub fn view(to: Address, data: Vec<u8>) -> Self {
        Self::View { to, data, gas: VIEW_GAS }
    }

    fn call(&self, height: &str) -> Call {
        let (method, params): (_, Value) = match self {
            Self::Balance(account) => ("eth_getBalance", json!([account, height])),
            Self::Nonce(account) => ("eth_getTransactionCount", json!([account, height])),
            Self::Code(account) => ("eth_getCode", json!([account, height])),
            Self::Storage(account, slot) => ("eth_getStorageAt", json!([account, hex::encode_prefixed(slot), height])),
            Self::View { to, data, gas } => {
                let transaction = json!({"to": to, "data": hex::encode_prefixed(data), "gas": format!("{gas:#x}")});
                ("eth_call", json!([transaction, height]))
            }
        };
        Call::new(method, params)
    }
}

/// What a node answered to one [`Look`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    Number(Amount),
    Bytes(Vec<u8>),
    /// The view reverted, or ran out of gas.
    Failed,
}

/// Logs of one kind in a range of blocks; a topic that is not given may be any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsOf {
    pub topics: [Option<[u8; 32]>; 3],
    pub first: u64,
    pub last: u64,
}

/// Something that a contract wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub by: Address,
    pub topics: Vec<[u8; 32]>,
    /// No longer than a few words are kept.
    pub data: Vec<u8>,
    pub transaction: TxHash,
    pub block: u64,
    /// Its place among the block's logs.
    pub index: u64,
}

/// Bytes of a log's data that are kept.
const LOG_DATA_MAX: usize = 256;

impl Chain {
    /// The newest block that is final by the network's rule.
    pub async fn final_block(&self) -> Result<AtBlock, Unavailable> {
        self.answer(&NewestFinal(&self.settings().finality)).await
    }

    /// What is asked, at that block; at most [`LOOKS_MAX`] of them, in one batch from one node.
    ///
    /// # Errors
    /// No node has that block (any more), or its state.
    pub async fn state(&self, at: &AtBlock, looks: &[Look]) -> Result<Vec<Saw>, Unavailable> {
        self.answer(&State { at, looks }).await
    }

    /// For each of them what was written down, in the chain's order; in one batch from one node. `None`: the node does not look so far, or
    /// at so much, at once.
    pub async fn written(&self, at: &AtBlock, wanted: &[LogsOf]) -> Result<Vec<Option<Vec<Written>>>, Unavailable> {
        self.answer(&Logs { at, wanted }).await
    }
}

struct NewestFinal<'a>(&'a Finality);

impl Question for NewestFinal<'_> {
    type Answer = AtBlock;

    async fn put_to(&self, node: &Node) -> Result<AtBlock, Fault> {
        let head = Head::read(self.0, &mut node.batch(&[Head::call(self.0)]).await?)?;
        let header = match head.header.height == head.final_height {
            true => head.header,
            false => node.batch(&[header_at(head.final_height)]).await?.read()?,
        };
        Ok(AtBlock { height: header.height, hash: header.hash, time_s: header.time_s })
    }
}

/// The block's own question first: is it still there?
fn with_block(at: &AtBlock, calls: impl Iterator<Item = Call>) -> Vec<Call> {
    std::iter::once(header_at(at.height)).chain(calls).collect()
}

fn same_block(at: &AtBlock, header: Option<Header>) -> Result<(), Fault> {
    match header {
        Some(Header { height, hash, .. }) if height == at.height && hash == at.hash => Ok(()),
        _ => Err(Fault { cause: format!("it has another block {}, or none", at.height), blame: Blame::Question }),
    }
}

struct State<'a> {
    at: &'a AtBlock,
    looks: &'a [Look],
}

impl Question for State<'_> {
    type Answer = Vec<Saw>;

    async fn put_to(&self, node: &Node) -> Result<Vec<Saw>, Fault> {
        let height = format!("{:#x}", self.at.height);
        let calls = with_block(self.at, self.looks.iter().map(|look| look.call(&height)));
        let mut answers = node.batch(&calls).await?;
        same_block(self.at, answers.read()?)?;
        let read = |look: &Look| -> Result<Saw, Fault> {
            let said = answers.raw()?;
            Ok(match look {
                Look::Balance(_) | Look::Nonce(_) => Saw::Number(parse::<Quantity>(&ok(said)?)?.0),
                // Some nodes leave leading zeros out.
                Look::Storage(..) => Saw::Bytes(parse::<Quantity>(&ok(said)?)?.0.to_be_bytes().to_vec()),
                Look::Code(_) => Saw::Bytes(bytes(&ok(said)?)?),
                Look::View { .. } => ran(said)?.map_or(Saw::Failed, Saw::Bytes),
            })
        };
        self.looks.iter().map(read).collect()
    }
}

struct Logs<'a> {
    at: &'a AtBlock,
    wanted: &'a [LogsOf],
}

#[derive(serde::Deserialize)]
struct PlacedLog {
    #[serde(flatten)]
    log: Log,
    #[serde(rename = "blockNumber")]
    block: Number,
    #[serde(rename = "logIndex")]
    index: Number,
}

impl Question for Logs<'_> {
    type Answer = Vec<Option<Vec<Written>>>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let call = |wanted: &LogsOf| {
            let mut topics: Vec<Option<TxHash>> = wanted.topics.iter().map(|topic| topic.map(TxHash)).collect();
            // A trailing "any" would ask for logs that have so many topics.
            while topics.last() == Some(&None) {
                topics.pop();
            }
            let (first, last) = (format!("{:#x}", wanted.first), format!("{:#x}", wanted.last));
            Call::new("eth_getLogs", json!([{"topics": topics, "fromBlock": first, "toBlock": last}]))
        };
        let calls = with_block(self.at, self.wanted.iter().map(call));
        let mut answers = node.batch(&calls).await?;
        same_block(self.at, answers.read()?)?;
        let read = |wanted: &LogsOf| -> Result<_, Fault> {
            match answers.raw()? {
                // Each node has limits of its own, and words of its own for them.
                Err(_) => Ok(None),
                Ok(raw) => {
                    let logs = parse::<Vec<PlacedLog>>(&raw)?;
                    logs.into_iter().map(|log| placed(log, wanted)).collect::<Result<_, _>>().map(Some)
                }
            }
        };
        self.wanted.iter().map(read).collect()
    }
}

fn placed(PlacedLog { log, block, index }: PlacedLog, wanted: &LogsOf) -> Result<Written, Fault> {
    let asked_for = wanted.topics.iter().enumerate().all(|(at, topic)| match topic {
        Some(topic) => log.topics.get(at) == Some::<&Hash>(topic),
        None => true,
    });
    let Some(transaction) = log.transaction_hash.filter(|_| asked_for && (wanted.first..=wanted.last).contains(&block.0)) else {
        return Err(Fault::of_node("a log that was not asked for"));
    };
    let mut data = log.data.0;
    data.truncate(LOG_DATA_MAX);
    Ok(Written { by: log.address, topics: log.topics, data, transaction, block: block.0, index: index.0 })
}
