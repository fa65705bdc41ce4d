//! Coin that arrives otherwise than by a plain transfer: what an account has after a block, what a block's transactions did to it, and which calls
//! moved coin, as the nodes tell that trace.

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tracing::debug;

use super::{
    Chain, Unavailable,
    frames::{self, Move},
    node::{Blame, Call, Fault, Node, RpcError, parse},
    nodes::Failure,
    question::{ChainId, Question, header_at, receipt_of},
    wire::{Hash, Header, Number, Quantity, is_one, word},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// Receipts in one batch.
const RECEIPTS_MAX: usize = 40;

/// Transactions of one block that are traced one by one, where the node does not trace a block as a whole.
const TRACED_MAX: usize = 500;

/// What accounts had after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stood {
    pub height: u64,
    pub hash: [u8; 32],
    /// Wei, and transactions that it had sent, in the order they were asked for.
    pub accounts: Vec<(Amount, u64)>,
}

/// A transaction that went to, or came from, one of the accounts that were asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    pub hash: TxHash,
    pub from: Address,
    pub to: Option<Address>,
    pub value: Amount,
    pub succeeded: bool,
    /// What its sender paid for it, in wei.
    pub fee: Amount,
}

/// What is plain to see in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    pub hash: [u8; 32],
    /// Unix milliseconds.
    pub time_ms: i64,
    pub touches: Vec<Touch>,
    /// The others: each may have moved coin inside. Those with data first.
    pub others: Vec<TxHash>,
}

impl Touched {
    /// What plainly arrived at an account, and what its own transactions took away.
    pub fn of(&self, account: Address) -> (Amount, Amount) {
        let (mut came, mut left) = (Amount::ZERO, Amount::ZERO);
        let add = |sum: &mut Amount, more: Amount| *sum = sum.plus(more).unwrap_or(*sum);
        for touch in &self.touches {
            let value = if touch.succeeded { touch.value } else { Amount::ZERO };
            if touch.to == Some(account) && touch.from != account {
                add(&mut came, value);
            }
            if touch.from == account {
                add(&mut left, touch.fee);
                if touch.to != Some(account) {
                    add(&mut left, value);
                }
            }
        }
        (came, left)
    }
}

impl Chain {
    /// What these accounts had after the block at this height, all from one node.
    ///
    /// # Errors
    /// No node answers, or none has the state of that block any more: [`Chain::final_head`] tells which.
    pub async fn stood(&self, height: u64, accounts: &[Address]) -> Result<Stood, Unavailable> {
        self.answer(&Standing { height, accounts }).await
    }

    /// What the transactions of a final block plainly did to these accounts.
    pub async fn touched(&self, height: u64, accounts: &[Address]) -> Result<Touched, Unavailable> {
        let charges_limit = self.network().charges_gas_limit();
        self.answer(&Touching { height, accounts, charges_limit }).await
    }

    /// What a transaction in this block moved to or from these accounts, whichever call did it.
    ///
    /// # Errors
    /// No node tells: none traces, or those that do are away.
    pub async fn moves(&self, hash: TxHash, block: &[u8; 32], of: &[Address]) -> Result<Vec<Move>, Unavailable> {
        self.traced(&TraceOne { hash, block, of }).await
    }

    /// The same of all transactions of a block: those that moved something.
    ///
    /// # Errors
    /// As [`Chain::moves`]. `one_by_one`: what is traced where no node traces the block as a whole, and whether that is enough so far.
    pub async fn moves_in_block(
        &self,
        (height, block): (u64, &[u8; 32]),
        of: &[Address],
        one_by_one: &[TxHash],
        enough: impl Fn(&[(TxHash, Vec<Move>)]) -> bool,
    ) -> Result<Vec<(TxHash, Vec<Move>)>, Unavailable> {
        let whole = match self.traced(&TraceBlock { height, block, of }).await {
            Ok(moved) => return Ok(moved),
            Err(cause) if one_by_one.is_empty() || one_by_one.len() > TRACED_MAX => return Err(cause),
            Err(cause) => cause,
        };
        debug!(network = self.network().name, height, %whole, "a block is traced transaction by transaction");
        let mut moved = Vec::new();
        for hash in one_by_one {
            let moves = self.moves(*hash, block, of).await?;
            if !moves.is_empty() {
                moved.push((*hash, moves));
                if enough(&moved) {
                    break;
                }
            }
        }
        Ok(moved)
    }

    /// Which of the nodes that are asked for traces do trace: each with its place, and why not.
    pub async fn tracing_nodes(&self) -> Vec<(String, Result<(), String>)> {
        let mut told = Vec::new();
        for node in self.tracers().each() {
            let said = probe(node, self.network().chain_id).await;
            told.push((node.place.clone(), said.map_err(|fault| node.quote(&fault.cause))));
        }
        told
    }

    async fn traced<Q: Question>(&self, question: &Q) -> Result<Q::Answer, Unavailable> {
        let unavailable = |failure: Failure| Unavailable { network: self.network().name.clone(), cause: failure.cause };
        self.tracers().ask(question).await.map(|(_, answer)| answer).map_err(unavailable)
    }
}

struct Standing<'a> {
    height: u64,
    accounts: &'a [Address],
}

impl Question for Standing<'_> {
    type Answer = Stood;

    async fn put_to(&self, node: &Node) -> Result<Stood, Fault> {
        let height = format!("{:#x}", self.height);
        let of = |account: &Address| {
            ["eth_getBalance", "eth_getTransactionCount"].map(|method| Call::new(method, json!([account, height])))
        };
        let calls: Vec<Call> = std::iter::once(header_at(self.height)).chain(self.accounts.iter().flat_map(of)).collect();
        let mut answers = node.batch(&calls).await?;
        let header: Option<Header> = answers.read()?;
        let header = header.filter(|header| header.height == self.height).ok_or_else(|| lacks(self.height))?;
        // Nodes keep the state of so many blocks; another may have it.
        let mut number = || match answers.raw()? {
            Ok(raw) => parse::<Quantity>(&raw).map(|number| number.0),
            Err(error) => Err(error.into_fault(Blame::Question)),
        };
        let mut accounts = Vec::new();
        for _ in self.accounts {
            let (balance, nonce) = (number()?, number()?);
            let nonce = nonce.to_string().parse().map_err(|_| Fault::of_node("a nonce that is no number"))?;
            accounts.push((balance, nonce));
        }
        Ok(Stood { height: header.height, hash: header.hash, accounts })
    }
}

fn lacks(height: u64) -> Fault {
    Fault { cause: format!("it does not have block {height}"), blame: Blame::Question }
}

struct Touching<'a> {
    height: u64,
    accounts: &'a [Address],
    charges_limit: bool,
}

#[derive(Deserialize)]
struct FullBlock {
    #[serde(flatten)]
    header: Header,
    transactions: Vec<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    hash: TxHash,
    from: Address,
    #[serde(default)]
    to: Option<Address>,
    value: Quantity,
    gas: Number,
    #[serde(rename = "gasPrice", default)]
    price: Option<Quantity>,
    #[serde(rename = "input", deserialize_with = "super::wire::is_not_empty")]
    has_data: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paid {
    transaction_hash: TxHash,
    #[serde(deserialize_with = "word")]
    block_hash: Hash,
    #[serde(rename = "status", deserialize_with = "is_one")]
    succeeded: bool,
    gas_used: Number,
    #[serde(default)]
    effective_gas_price: Option<Quantity>,
    /// What a rollup charges for its base layer.
    #[serde(default)]
    l1_fee: Option<Quantity>,
}

impl Question for Touching<'_> {
    type Answer = Touched;

    async fn put_to(&self, node: &Node) -> Result<Touched, Fault> {
        let call = Call::new("eth_getBlockByNumber", json!([format!("{:#x}", self.height), true]));
        let block: Option<FullBlock> = node.batch(&[call]).await?.read()?;
        let block = block.filter(|block| block.header.height == self.height).ok_or_else(|| lacks(self.height))?;
        let is_ours = |sent: &&Sent| self.accounts.contains(&sent.from) || sent.to.is_some_and(|to| self.accounts.contains(&to));
        let (ours, mut others): (Vec<&Sent>, Vec<&Sent>) = block.transactions.iter().partition(is_ours);
        others.sort_by_key(|sent| !sent.has_data);
        let mut touches = Vec::new();
        for some in ours.chunks(RECEIPTS_MAX) {
            let calls: Vec<Call> = some.iter().map(|sent| receipt_of(sent.hash)).collect();
            let mut answers = node.batch(&calls).await?;
            for sent in some {
                let receipt: Option<Paid> = answers.read()?;
                let receipt = receipt.ok_or_else(|| lacks(self.height))?;
                if receipt.transaction_hash != sent.hash || receipt.block_hash != block.header.hash {
                    return Err(Fault::of_node("a receipt that is not of the block it was read in"));
                }
                touches.push(self.touch(sent, &receipt));
            }
        }
        Ok(Touched {
            hash: block.header.hash,
            time_ms: i64::try_from(block.header.time_s.saturating_mul(1000)).unwrap_or(i64::MAX),
            touches,
            others: others.iter().map(|sent| sent.hash).collect(),
        })
    }
}

impl Touching<'_> {
    fn touch(&self, sent: &Sent, receipt: &Paid) -> Touch {
        let price = receipt.effective_gas_price.or(sent.price).map_or(Amount::ZERO, |price| price.0);
        let gas = if self.charges_limit { sent.gas.0 } else { receipt.gas_used.0 };
        let base_layer = receipt.l1_fee.map_or(Amount::ZERO, |fee| fee.0);
        let fee = price.times(gas).and_then(|fee| fee.plus(base_layer)).unwrap_or(Amount::ZERO);
        Touch { hash: sent.hash, from: sent.from, to: sent.to, value: sent.value.0, succeeded: receipt.succeeded, fee }
    }
}

/// Without it nodes answer something else, or refuse.
fn tracer() -> serde_json::Value {
    json!({"tracer": "callTracer"})
}

struct TraceOne<'a> {
    hash: TxHash,
    block: &'a Hash,
    of: &'a [Address],
}

impl Question for TraceOne<'_> {
    type Answer = Vec<Move>;

    async fn put_to(&self, node: &Node) -> Result<Vec<Move>, Fault> {
        // It must have the transaction where the other nodes have it.
        let receipt: Option<super::wire::Receipt> = node.batch(&[receipt_of(self.hash)]).await?.read()?;
        if receipt.is_none_or(|receipt| receipt.block_hash != *self.block) {
            return Err(Fault { cause: "it does not have the transaction in that block".to_owned(), blame: Blame::Question });
        }
        let call = Call::new("debug_traceTransaction", json!([self.hash, tracer()]));
        match node.batch(&[call]).await?.raw()? {
            Ok(raw) => read(&raw, self.of),
            Err(error) => Err(refused(error)),
        }
    }
}

struct TraceBlock<'a> {
    height: u64,
    block: &'a Hash,
    of: &'a [Address],
}

#[derive(Deserialize)]
struct HashesOf {
    #[serde(flatten)]
    header: Header,
    transactions: Vec<TxHash>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TracedOne {
    #[serde(default)]
    tx_hash: Option<TxHash>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
}

impl Question for TraceBlock<'_> {
    type Answer = Vec<(TxHash, Vec<Move>)>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let block: Option<HashesOf> = node.batch(&[header_at(self.height)]).await?.read()?;
        let block = block.filter(|block| block.header.hash == *self.block).ok_or_else(|| lacks(self.height))?;
        let call = Call::new("debug_traceBlockByNumber", json!([format!("{:#x}", self.height), tracer()]));
        let raw = match node.batch(&[call]).await?.raw()? {
            Ok(raw) => raw,
            Err(error) => return Err(refused(error)),
        };
        let traced: Vec<TracedOne> = parse(&raw)?;
        if traced.len() != block.transactions.len() {
            return Err(Fault {
                cause: "a trace of another number of transactions than the block has".to_owned(),
                blame: Blame::Question,
            });
        }
        let mut moved = Vec::new();
        for (one, hash) in traced.iter().zip(block.transactions) {
            if one.tx_hash.is_some_and(|told| told != hash) {
                return Err(Fault::of_node("a trace of another block than was asked for"));
            }
            let raw = one
                .result
                .as_ref()
                .ok_or_else(|| Fault { cause: "a transaction without a trace".to_owned(), blame: Blame::Question })?;
            let moves = read(raw, self.of)?;
            if !moves.is_empty() {
                moved.push((hash, moves));
            }
        }
        Ok(moved)
    }
}

fn read(raw: &RawValue, of: &[Address]) -> Result<Vec<Move>, Fault> {
    // What a transaction did is a stranger's doing, and no node's fault.
    frames::moves(raw.get(), of).map_err(|cause| Fault { cause, blame: Blame::Question })
}

/// A node without the method is left alone for a while; one that did not manage this one is not.
fn refused(error: RpcError) -> Fault {
    let blame = if has_no_method(&error) { Blame::Node } else { Blame::Question };
    error.into_fault(blame)
}

fn has_no_method(error: &RpcError) -> bool {
    const WORDS: [&str; 9] = [
        "method not found",
        "method not supported",
        "does not exist",
        "not available",
        "not supported",
        "unsupported",
        "not allowed",
        "not whitelisted",
        "disabled",
    ];
    let message = error.message.to_lowercase();
    error.code == -32601
        || (message.contains("debug_") || message.contains("method")) && WORDS.iter().any(|word| message.contains(word))
}

/// Does it trace? Asked of its newest block.
async fn probe(node: &Node, chain_id: u64) -> Result<(), Fault> {
    let id = ChainId.put_to(node).await?;
    if id != chain_id {
        return Err(Fault::of_node(format!("it is of chain {id}, not {chain_id}")));
    }
    let call = |method, of: serde_json::Value| Call::new(method, json!([of, tracer()]));
    let block = node.batch(&[call("debug_traceBlockByNumber", json!("latest"))]).await?.raw()?;
    if let Ok(raw) = block
        && let Ok(traced) = parse::<Vec<TracedOne>>(&raw)
        && traced.iter().all(|one| one.result.as_ref().is_none_or(|raw| read(raw, &[]).is_ok()))
    {
        return Ok(());
    }
    // It may trace transactions alone. It does not know this one; what matters is whether it knows the method.
    match node.batch(&[call("debug_traceTransaction", json!(TxHash([0x11; 32])))]).await?.raw()? {
        Err(error) if has_no_method(&error) => Err(refused(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_the_method_is_told_from_one_that_did_not_manage() {
        let error = |code, message: &str| RpcError { code, message: message.to_owned(), data: None };
        assert!(has_no_method(&error(-32601, "nope")));
        assert!(has_no_method(&error(-32000, "the method debug_traceTransaction does not exist/is not available")));
        assert!(has_no_method(&error(-32600, "debug_traceBlockByNumber is not supported on your plan")));
        assert!(!has_no_method(&error(-32000, "transaction not found")));
        assert!(!has_no_method(&error(-32000, "execution timeout")));
    }

    #[test]
    fn p2_what_left_is_what_was_sent_and_what_sending_cost() {
        let (shop, other) = (Address([0x50; 20]), Address([7; 20]));
        let touch = |from, to, value, succeeded, fee| Touch {
            hash: TxHash([1; 32]),
            from,
            to: Some(to),
            value: Amount::from_atomic(value),
            succeeded,
            fee: Amount::from_atomic(fee),
        };
        let touches = vec![
            touch(other, shop, 100, true, 9),
            touch(other, shop, 50, false, 9),
            touch(shop, other, 30, true, 2),
            touch(shop, other, 40, false, 3),
            touch(shop, shop, 1_000, true, 4),
        ];
        let touched = Touched { hash: [0; 32], time_ms: 0, touches, others: vec![] };
        assert_eq!(touched.of(shop), (Amount::from_atomic(100), Amount::from_atomic(39)));
    }
}
