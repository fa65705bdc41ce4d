//! What is asked of one node as a whole: however many batches it takes, their answers are of one node.

use std::{collections::HashMap, future::Future};

use serde_json::json;
use tracing::warn;

use super::{
    Cursor, Finality, Interest, Sighting, Transfer,
    node::{Answers, Blame, Call, Fault, Node, RpcError, Said, parse},
    reader::is_wanted,
    signer::is_proven,
    wire::{Block, Hash, Header, Number, RawBlock, Receipt, Transaction},
};
use crate::evm::TxHash;

pub(super) trait Question: Sync {
    type Answer: Send;

    fn put_to(&self, node: &Node) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;

    /// Only the question for a chain's id is put to nodes whose chain is not known yet.
    fn is_for_any_chain(&self) -> bool {
        false
    }
}

/// What the node says its chain's id is.
pub(super) struct ChainId;

impl Question for ChainId {
    type Answer = u64;

    async fn put_to(&self, node: &Node) -> Result<u64, Fault> {
        let id: Number = node.batch(&[Call::new("eth_chainId", json!([]))]).await?.read()?;
        Ok(id.0)
    }

    fn is_for_any_chain(&self) -> bool {
        true
    }
}

/// Which chain a node is of: its id and the hash of its first block.
pub(super) struct Identity;

impl Question for Identity {
    type Answer = (u64, Hash);

    async fn put_to(&self, node: &Node) -> Result<(u64, Hash), Fault> {
        let id = ChainId.put_to(node).await?;
        let first: Option<Header> = node.batch(&[header_at(0)]).await?.read()?;
        let first = first.ok_or_else(|| Fault { cause: "it does not have block 0".to_owned(), blame: Blame::Question })?;
        Ok((id, first.hash))
    }

    fn is_for_any_chain(&self) -> bool {
        true
    }
}

/// One method, and how its answer is read.
pub(super) struct One<T> {
    pub call: Call,
    pub read: fn(Said) -> Result<T, Fault>,
}

impl<T: Send> Question for One<T> {
    type Answer = T;

    async fn put_to(&self, node: &Node) -> Result<T, Fault> {
        (self.read)(node.batch(std::slice::from_ref(&self.call)).await?.raw()?)
    }
}

/// How far the chain is final.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The block that was asked for: the final one itself or, where confirmations are counted, the newest.
    pub header: Header,
    pub final_height: u64,
}

impl Head {
    pub fn call(finality: &Finality) -> Call {
        match finality {
            Finality::Tag(tag) => by_tag(tag),
            Finality::Confirmations(_) => by_tag("latest"),
        }
    }

    pub fn read(finality: &Finality, answers: &mut Answers) -> Result<Self, Fault> {
        match finality {
            Finality::Tag(tag) => {
                let unknown =
                    || Fault::of_node(format!("it does not know the block tag `{tag}`: set the finality of this network"));
                let header: Option<Header> = match answers.raw()? {
                    Ok(raw) => parse(&raw)?,
                    Err(error) if error.is_unknown_block(tag) => return Err(unknown()),
                    Err(error) => return Err(error.into_fault(Blame::Node)),
                };
                let header = header.ok_or_else(unknown)?;
                Ok(Self { header, final_height: header.height })
            }
            Finality::Confirmations(blocks) => {
                let header: Header = answers.read()?;
                Ok(Self { header, final_height: header.height.saturating_sub(*blocks) })
            }
        }
    }

    /// Is this block, canonical by the same batch, final?
    fn covers(&self, block: &Header) -> bool {
        let contradicts = self.header.height == block.height && self.header.hash != block.hash;
        block.height <= self.final_height && !contradicts
    }
}

pub(super) fn by_tag(tag: &str) -> Call {
    Call::new("eth_getBlockByNumber", json!([tag, false]))
}

pub(super) fn header_at(height: u64) -> Call {
    Call::new("eth_getBlockByNumber", json!([format!("{height:#x}"), false]))
}

pub(super) fn receipt_of(hash: TxHash) -> Call {
    Call::new("eth_getTransactionReceipt", json!([hash]))
}

/// How far the chain is final, alone.
pub(super) struct FinalHead<'a>(pub &'a Finality);

impl Question for FinalHead<'_> {
    type Answer = Head;

    async fn put_to(&self, node: &Node) -> Result<Head, Fault> {
        Head::read(self.0, &mut node.batch(&[Head::call(self.0)]).await?)
    }
}

/// When the newest final block was made, in Unix seconds.
pub(super) struct FinalTime<'a>(pub &'a Finality);

impl Question for FinalTime<'_> {
    type Answer = u64;

    async fn put_to(&self, node: &Node) -> Result<u64, Fault> {
        let head = Head::read(self.0, &mut node.batch(&[Head::call(self.0)]).await?)?;
        if head.header.height == head.final_height {
            return Ok(head.header.time_s);
        }
        let header: Header = node.batch(&[header_at(head.final_height)]).await?.read()?;
        Ok(header.time_s)
    }
}

/// What became of a transaction.
pub(super) struct Lookup<'a> {
    pub hash: TxHash,
    pub chain_id: u64,
    pub finality: &'a Finality,
}

impl Question for Lookup<'_> {
    type Answer = Sighting;

    async fn put_to(&self, node: &Node) -> Result<Sighting, Fault> {
        let receipt: Option<Receipt> = node.batch(&[receipt_of(self.hash)]).await?.read()?;
        let Some(Receipt { height, .. }) = receipt else { return Ok(Sighting::NotSeen) };
        // Only now the height is known. All is asked once more, so that one batch tells the whole verdict.
        let transaction = Call::new("eth_getTransactionByHash", json!([self.hash]));
        let calls = [receipt_of(self.hash), transaction, header_at(height), Head::call(self.finality)];
        let mut answers = node.batch(&calls).await?;
        let receipt: Option<Receipt> = answers.read()?;
        let told = answers.raw()?.map_err(|error| error.into_fault(Blame::Node))?;
        let transaction: Option<Transaction> = parse(&told)?;
        let block: Option<Header> = answers.read()?;
        let head = Head::read(self.finality, &mut answers)?;
        let (Some(receipt), Some(transaction), Some(block)) = (receipt, transaction, block) else {
            return Ok(Sighting::NotSeen); // it vanished in between
        };
        if receipt.transaction_hash != self.hash || transaction.hash != self.hash || block.height != height {
            return Err(Fault::of_node("an answer about something else than what was asked"));
        }
        if !is_proven(&told, &transaction, self.chain_id)? {
            warn!(transaction = %self.hash, "transaction {} is of a type that nobody signs: whose coin it moves cannot be told", self.hash);
            return Ok(Sighting::NotSeen);
        }
        // What a transaction is, its hash says for ever; where it is, the receipt says (a node may still call it pending).
        if receipt.block_hash != block.hash {
            return Ok(Sighting::NotSeen); // its block was replaced; where it is now, the next look tells
        }
        let transfer = Transfer::new(&transaction, receipt.succeeded, height, block.hash, block.time_s);
        Ok(if head.covers(&block) { Sighting::Final(transfer) } else { Sighting::Included(transfer) })
    }
}

/// Is the block of a cursor still where it was?
pub(super) struct StillThere<'a> {
    pub cursor: Cursor,
    pub finality: &'a Finality,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Same,
    /// Another block, with this hash, is final at its height.
    Changed([u8; 32]),
}

impl Question for StillThere<'_> {
    type Answer = Stands;

    async fn put_to(&self, node: &Node) -> Result<Stands, Fault> {
        let mut answers = node.batch(&[header_at(self.cursor.height), Head::call(self.finality)]).await?;
        let block: Option<Header> = answers.read()?;
        let head = Head::read(self.finality, &mut answers)?;
        match block {
            _ if head.final_height < self.cursor.height => Err(below(head.final_height, self.cursor)),
            Some(block) if block.height != self.cursor.height => {
                Err(Fault::of_node("a block of another height than was asked for"))
            }
            Some(block) if block.hash == self.cursor.hash => Ok(Stands::Same),
            Some(block) => Ok(Stands::Changed(block.hash)),
            None => Err(Fault { cause: format!("it does not have block {}", self.cursor.height), blame: Blame::Question }),
        }
    }
}

/// Another node may have come further.
fn below(final_height: u64, cursor: Cursor) -> Fault {
    let height = cursor.height;
    Fault::behind(format!(
        "its final head, {final_height}, is below the cursor, {height}: it lags, or its chain was started anew"
    ))
}

/// The final head, and the next blocks with all of their transactions.
pub(super) struct Scan<'a> {
    pub finality: &'a Finality,
    pub chain_id: u64,
    /// The senders of what is waited for are checked.
    pub interest: &'a Interest,
    pub from: u64,
    /// How many blocks; those that do not exist yet cost next to nothing.
    pub width: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Scanned {
    pub head: Head,
    /// The newest block: of the same height as before and another hash, it tells of a replaced one at once.
    pub latest: Header,
    /// From `from` on, without a gap; at most `width`.
    pub blocks: Vec<Block>,
}

impl Question for Scan<'_> {
    type Answer = Scanned;

    async fn put_to(&self, node: &Node) -> Result<Scanned, Fault> {
        let heights = self.from..self.from.saturating_add(self.width);
        let mut calls = vec![Head::call(self.finality)];
        // Where confirmations are counted, the head is the newest block already.
        let asks_newest = matches!(self.finality, Finality::Tag(_));
        calls.extend(asks_newest.then(|| by_tag("latest")));
        calls.extend(heights.clone().map(|height| Call::new("eth_getBlockByNumber", json!([format!("{height:#x}"), true]))));
        let mut answers = node.batch(&calls).await?;
        let head = Head::read(self.finality, &mut answers)?;
        let latest = if asks_newest { answers.read()? } else { head.header };
        node.hear(&latest);
        if let Some(cursor) = self.interest.cursor.filter(|cursor| head.final_height < cursor.height) {
            return Err(below(head.final_height, cursor));
        }
        let mut blocks = Vec::new();
        for height in heights {
            match not_yet(&mut answers)? {
                Some(block) if block.height == height => blocks.push(self.read(block)?),
                Some(_) => return Err(Fault::of_node("a block of another height than was asked for")),
                None if height > head.final_height => break,
                // It was pruned, or the node is several that do not agree: another may have it. It is never passed over.
                None => {
                    let cause = format!("it does not have block {height}, which it says is final");
                    return Err(Fault { cause, blame: Blame::Question });
                }
            }
        }
        Ok(Scanned { head, latest, blocks })
    }
}

impl Scan<'_> {
    /// Without what is waited for and carries no signature: nothing shows whose payment it would be.
    fn read(&self, block: RawBlock) -> Result<Block, Fault> {
        let RawBlock { height, hash, parent, time_s, transactions: raw } = block;
        let mut transactions = Vec::with_capacity(raw.len());
        for raw in raw {
            let transaction: Transaction = parse(&raw)?;
            if is_wanted(&transaction, self.interest) && !is_proven(&raw, &transaction, self.chain_id)? {
                let hash = transaction.hash;
                warn!(transaction = %hash, height, "transaction {hash} is of a type that nobody signs: it is booked for nobody by itself");
                continue;
            }
            transactions.push(transaction);
        }
        Ok(Block { height, hash, parent, time_s, transactions })
    }
}

/// Most nodes say `null` to a block that does not exist yet; some say an error.
fn not_yet(answers: &mut Answers) -> Result<Option<RawBlock>, Fault> {
    match answers.raw()? {
        Ok(raw) => parse(&raw),
        Err(error) if error.is_unknown_block("not found") => Ok(None),
        Err(error) => Err(error.into_fault(Blame::Node)),
    }
}

/// Did these transactions succeed? Together with the blocks they were read in, once more.
pub(super) struct Outcomes {
    /// Height and hash.
    pub blocks: Vec<(u64, Hash)>,
    /// Each with the hash of its block.
    pub transactions: Vec<(TxHash, Hash)>,
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// `true`: it succeeded. Every transaction that was asked for is there.
    Known(HashMap<TxHash, bool>),
    /// At this height there is another block by now.
    Moved { height: u64 },
}

impl Question for Outcomes {
    type Answer = Outcome;

    async fn put_to(&self, node: &Node) -> Result<Outcome, Fault> {
        let headers = self.blocks.iter().map(|(height, _)| header_at(*height));
        let receipts = self.transactions.iter().map(|(hash, _)| receipt_of(*hash));
        let mut answers = node.batch(&headers.chain(receipts).collect::<Vec<_>>()).await?;
        // A node that is behind the one that was read from: another may know.
        let behind = || Fault { cause: "it is behind".to_owned(), blame: Blame::Question };
        for (height, hash) in &self.blocks {
            let header: Option<Header> = answers.read()?;
            if header.ok_or_else(behind)?.hash != *hash {
                return Ok(Outcome::Moved { height: *height });
            }
        }
        let mut known = HashMap::new();
        for (hash, block_hash) in &self.transactions {
            let receipt: Option<Receipt> = answers.read()?;
            let receipt = receipt.ok_or_else(behind)?;
            if receipt.transaction_hash != *hash || receipt.block_hash != *block_hash {
                return Err(Fault::of_node("a receipt that is not of the block it was read in"));
            }
            known.insert(*hash, receipt.succeeded);
        }
        Ok(Outcome::Known(known))
    }
}

/// The code ran and failed, as opposed to: the node could not run it. EIP-1474 has code 3 for a revert, but not every node
/// uses it, and for the other failures of the EVM there is no code at all.
pub(super) fn is_execution_failure(error: &RpcError) -> bool {
    const WORDS: [&str; 8] = [
        "revert",
        "opcode",
        "out of gas",
        "invalid jump",
        "stack ",
        "write protection",
        "return data out of bounds",
        "evm error",
    ];
    let message = error.message.to_lowercase();
    error.code == 3 || WORDS.iter().any(|word| message.contains(word))
}
