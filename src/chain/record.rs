//! One transaction as it is on record, for whoever explains it: as a node tells it, run again before its block, and traced where a node does.
//!
//! What is asked here comes from visitors, so it is never a node's fault: a transaction that takes long to run again must not put nodes aside
//! that payments wait for.

use alloy::hex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Chain, Finality, Unavailable,
    node::{Blame, Call, Fault, Node, RpcError, Said, parse},
    question::{Question, by_tag, header_at, is_execution_failure, receipt_of},
    wire::{FullReceipt, Header},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// What one node has on record.
#[derive(Clone, Debug)]
pub struct Record {
    /// As the node tells it: its fields depend on its type.
    pub transaction: Value,
    /// `None`: no block holds it.
    pub included: Option<Included>,
}

/// Where a transaction is, and what came of it.
#[derive(Clone, Debug)]
pub struct Included {
    pub block: u64,
    pub block_hash: [u8; 32],
    /// Unix seconds.
    pub time_s: u64,
    /// Its place in the block.
    pub index: u64,
    pub succeeded: bool,
    pub gas_used: u64,
    /// Wei for one unit of gas, as charged.
    pub gas_price: Amount,
    /// The contract that it created.
    pub created: Option<Address>,
    pub logs: Vec<LogEntry>,
    /// Newest block.
    pub latest: u64,
    /// `None`: the node does not know the tag.
    pub safe: Option<u64>,
    /// Height up to which blocks are final, as this shop counts it.
    pub final_height: Option<u64>,
}

/// What a contract wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub address: Address,
    pub topics: Vec<[u8; 32]>,
    pub data: Vec<u8>,
}

/// What came of running a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    Returned(Vec<u8>),
    Failed {
        /// The node's own words: `execution reverted`, `out of gas`.
        message: String,
        /// What the code left behind; empty where there is nothing.
        data: Vec<u8>,
    },
}

/// A call of a trace (`callTracer`), as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Frame {
    /// `CALL`, `DELEGATECALL`, `CREATE2` …
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub from: Option<Address>,
    #[serde(default)]
    pub to: Option<Address>,
    /// Wei, as a quantity.
    #[serde(default)]
    pub value: Option<String>,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub output: Option<String>,
    #[serde(default)]
    pub calls: Vec<Frame>,
}

impl Chain {
    /// A transaction with its receipt, its block and how final that is, from one node. `None`: the node does not know it.
    pub async fn record(&self, hash: TxHash) -> Result<Option<Record>, Unavailable> {
        self.answer(&OnRecord { hash, finality: &self.settings().finality }).await
    }

    /// Runs a call (the fields of `eth_call`) on the state after this block.
    ///
    /// # Errors
    /// Nodes keep the state of a limited number of blocks: for an older one there is no answer.
    pub async fn run_at(&self, call: Value, block: u64) -> Result<Ran, Unavailable> {
        self.answer(&Mild { call: Call::new("eth_call", json!([call, format!("{block:#x}")])), read: ran }).await
    }

    /// What each of these contracts answers at the newest block, in one batch from one node. `None`: it reverted, or took too much gas: a
    /// stranger's contract answers as it likes.
    pub async fn answers(&self, calls: &[(Address, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        self.answer(&MildViews(calls)).await
    }

    /// The calls that a transaction made. `None`: no node here traces.
    pub async fn trace(&self, hash: TxHash) -> Option<Frame> {
        let call = Call::new("debug_traceTransaction", json!([hash, {"tracer": "callTracer"}]));
        let read = |said: Said| match said {
            Ok(raw) => parse(&raw),
            Err(error) => Err(error.into_fault(Blame::Question)),
        };
        self.answer(&Mild { call, read }).await.ok()
    }
}

struct OnRecord<'a> {
    hash: TxHash,
    finality: &'a Finality,
}

impl Question for OnRecord<'_> {
    type Answer = Option<Record>;

    async fn put_to(&self, node: &Node) -> Result<Option<Record>, Fault> {
        let asked = Call::new("eth_getTransactionByHash", json!([self.hash]));
        let mut answers = node.batch(&[asked, receipt_of(self.hash)]).await?;
        let transaction: Value = answers.read()?;
        let receipt: Option<FullReceipt> = answers.read()?;
        if transaction.is_null() {
            return Ok(None);
        }
        let Some(receipt) = receipt else { return Ok(Some(Record { transaction, included: None })) };
        let calls = [header_at(receipt.height), by_tag("latest"), by_tag("safe"), by_tag(self.tag())];
        let mut answers = node.batch(&calls).await?;
        let block: Option<Header> = answers.read()?;
        let latest: Header = answers.read()?;
        let safe = height(answers.raw()?);
        let tagged = height(answers.raw()?);
        if receipt.transaction_hash != self.hash {
            return Err(Fault::of_node("a receipt of another transaction than was asked for"));
        }
        // Its block was replaced in between: where it is now, the next look tells.
        let Some(block) = block.filter(|block| block.hash == receipt.block_hash) else {
            return Ok(Some(Record { transaction, included: None }));
        };
        let final_height = match self.finality {
            Finality::Tag(_) => tagged,
            Finality::Confirmations(blocks) => Some(latest.height.saturating_sub(*blocks)),
        };
        let logs = receipt.logs.into_iter().map(|log| LogEntry { address: log.address, topics: log.topics, data: log.data.0 });
        let included = Included {
            block: block.height,
            block_hash: block.hash,
            time_s: block.time_s,
            index: receipt.index,
            succeeded: receipt.succeeded,
            gas_used: receipt.gas_used,
            gas_price: receipt.gas_price,
            created: receipt.created,
            logs: logs.collect(),
            latest: latest.height,
            safe,
            final_height,
        };
        Ok(Some(Record { transaction, included: Some(included) }))
    }
}

impl OnRecord<'_> {
    fn tag(&self) -> &str {
        match self.finality {
            Finality::Tag(tag) => tag,
            Finality::Confirmations(_) => "finalized",
        }
    }
}

/// A tag that a node does not know is no reason to fail.
fn height(said: Said) -> Option<u64> {
    let header: Option<Header> = parse(&said.ok()?).ok()?;
    header.map(|header| header.height)
}

/// One call whose failure, even to answer in time, is the question's.
struct Mild<T> {
    call: Call,
    read: fn(Said) -> Result<T, Fault>,
}

impl<T: Send> Question for Mild<T> {
    type Answer = T;

    async fn put_to(&self, node: &Node) -> Result<T, Fault> {
        let mild = |fault: Fault| Fault { blame: Blame::Question, ..fault };
        let said = node.batch(std::slice::from_ref(&self.call)).await.and_then(|mut answers| answers.raw()).map_err(mild)?;
        (self.read)(said).map_err(mild)
    }
}

/// More than any token's name costs to read.
const VIEW_GAS: &str = "0x7a120";

struct MildViews<'a>(&'a [(Address, Vec<u8>)]);

impl Question for MildViews<'_> {
    type Answer = Vec<Option<Vec<u8>>>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let view = |(to, data): &(Address, Vec<u8>)| {
            Call::new("eth_call", json!([{"to": to, "data": hex::encode_prefixed(data), "gas": VIEW_GAS}, "latest"]))
        };
        let calls: Vec<Call> = self.0.iter().map(view).collect();
        let mild = |fault: Fault| Fault { blame: Blame::Question, ..fault };
        let mut answers = node.batch(&calls).await.map_err(mild)?;
        calls
            .iter()
            .map(|_| match answers.raw().and_then(ran) {
                Ok(Ran::Returned(bytes)) => Ok(Some(bytes)),
                Ok(Ran::Failed { .. }) => Ok(None),
                Err(fault) => Err(mild(fault)),
            })
            .collect()
    }
}

fn ran(said: Said) -> Result<Ran, Fault> {
    match said {
        Ok(raw) => {
            let text: String = parse(&raw)?;
            hex::decode(text).map(Ran::Returned).map_err(|e| Fault::of_node(format!("bytes that are no hexadecimal: {e}")))
        }
        Err(error) if is_execution_failure(&error) => Ok(Ran::Failed { data: left_behind(&error), message: error.message }),
        Err(error) => Err(error.into_fault(Blame::Question)),
    }
}

/// Nodes put it into `data` as it is, into an object there, or behind a word.
fn left_behind(error: &RpcError) -> Vec<u8> {
    let text = match &error.data {
        Some(Value::String(text)) => text.as_str(),
        Some(Value::Object(fields)) => fields.get("data").and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    let digits = text.find("0x").map(|at| &text[at..]).unwrap_or_default();
    hex::decode(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_revert_left_behind_is_found_wherever_nodes_put_it() {
        let error = |data| RpcError { code: 3, message: "execution reverted".to_owned(), data };
        for data in [json!("0x08c379a0"), json!("Reverted 0x08c379a0"), json!({"data": "0x08c379a0"})] {
            assert_eq!(left_behind(&error(Some(data))), [0x08, 0xc3, 0x79, 0xa0]);
        }
        for data in [None, Some(json!(7)), Some(json!("nothing")), Some(json!("0x")), Some(json!("0xé"))] {
            assert!(left_behind(&error(data)).is_empty());
        }
    }

    #[test]
    fn code_that_failed_is_told_from_a_node_that_could_not_run_it() {
        let said = |code, message: &str| ran(Err(RpcError { code, message: message.to_owned(), data: None }));
        assert!(matches!(said(-32000, "out of gas"), Ok(Ran::Failed { .. })));
        assert!(said(-32000, "missing trie node").is_err());
    }
}
