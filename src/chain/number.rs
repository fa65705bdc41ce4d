//! What number a waiting transaction has among its sender's, and whether another one has taken it.
//!
//! An account's transactions are numbered without a gap, and of one number one is included at most. So a transaction whose number is below its
//! sender's final count, and that has no receipt, never will be: it was replaced or cancelled.

use serde::Deserialize;
use serde_json::json;

use super::{
    Chain, Finality, Unavailable,
    node::{Blame, Call, Fault, Node, parse},
    question::{Head, Question, receipt_of},
    wire::{Data, Number, Receipt},
};
use crate::evm::{Address, TxHash};

/// What one node knows of a transaction that was shown and that no block is known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Who sent it and its number there, where the node has it, in its pool or in a block.
    pub sender: Option<(Address, u64)>,
    /// A block has it, final or not.
    pub is_included: bool,
    /// How many transactions the account had sent after the block that was asked about.
    pub sent: u64,
    /// The account has code, its own or by delegation: others can send what it pays, and its count moves without a transaction of its own (EIP-7702).
    pub has_code: bool,
}

impl Chain {
    /// `account`: whose count is asked for, as of the block at height `at`, or of the newest. All of it comes from one node.
    pub async fn waits(&self, hash: TxHash, account: Address, at: Option<u64>) -> Result<Waits, Unavailable> {
        self.answer(&Waiting { hash, account, at }).await
    }

    /// Height of the newest final block, and the number of the account's next transaction, what waits included as far as the node shows it. All that
    /// the account sends from now on has this number or a later one, and is in a later block than this.
    pub async fn before_sending(&self, account: Address) -> Result<(u64, Option<u64>), Unavailable> {
        self.answer(&BeforeSending { account, finality: &self.settings().finality }).await
    }

    /// Who sent a transaction, and its number there. `None`: the node does not have it.
    pub async fn number_of(&self, hash: TxHash) -> Result<Option<(Address, u64)>, Unavailable> {
        self.answer(&NumberOf(hash)).await
    }
}

/// Of a transaction, what says which others it excludes.
#[derive(Deserialize)]
struct Numbered {
    hash: TxHash,
    from: Address,
    nonce: Number,
}

impl Numbered {
    fn call(hash: TxHash) -> Call {
        Call::new("eth_getTransactionByHash", json!([hash]))
    }

    fn of(found: Option<Self>, hash: TxHash) -> Result<Option<(Address, u64)>, Fault> {
        match found {
            Some(found) if found.hash != hash => Err(Fault::of_node("another transaction than was asked for")),
            found => Ok(found.map(|found| (found.from, found.nonce.0))),
        }
    }
}

struct Waiting {
    hash: TxHash,
    account: Address,
    at: Option<u64>,
}

impl Question for Waiting {
    type Answer = Waits;

    async fn put_to(&self, node: &Node) -> Result<Waits, Fault> {
        let at = self.at.map_or_else(|| "latest".to_owned(), |height| format!("{height:#x}"));
        let count = Call::new("eth_getTransactionCount", json!([self.account, at]));
        let code = Call::new("eth_getCode", json!([self.account, "latest"]));
        let mut answers = node.batch(&[count, code, Numbered::call(self.hash), receipt_of(self.hash)]).await?;
        // A node may have let go of what accounts were at that block: it is no worse for it.
        let sent: Number = answers.raw()?.map_err(|error| error.into_fault(Blame::Question)).and_then(|raw| parse(&raw))?;
        let code: Data = answers.read()?;
        let sender = Numbered::of(answers.read()?, self.hash)?;
        let receipt: Option<Receipt> = answers.read()?;
        Ok(Waits { sender, is_included: receipt.is_some(), sent: sent.0, has_code: !code.0.is_empty() })
    }
}

struct BeforeSending<'a> {
    account: Address,
    finality: &'a Finality,
}

impl Question for BeforeSending<'_> {
    type Answer = (u64, Option<u64>);

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let count = Call::new("eth_getTransactionCount", json!([self.account, "pending"]));
        let mut answers = node.batch(&[Head::call(self.finality), count]).await?;
        let head = Head::read(self.finality, &mut answers)?;
        // A help, not a must: some nodes know no such block.
        let next = answers.raw()?.ok().and_then(|raw| parse::<Number>(&raw).ok());
        Ok((head.final_height, next.map(|next| next.0)))
    }
}

struct NumberOf(TxHash);

impl Question for NumberOf {
    type Answer = Option<(Address, u64)>;

    async fn put_to(&self, node: &Node) -> Result<Self::Answer, Fault> {
        let found = node.batch(&[Numbered::call(self.0)]).await?.read()?;
        Numbered::of(found, self.0)
    }
}
