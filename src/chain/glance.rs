//! Does a node know a transaction at all? One small request, for hashes that anybody can make up.

use serde_json::json;

use super::{
    Chain, Unavailable,
    node::{Blame, Call, Fault, Node, parse},
    question::{Question, receipt_of},
    signer::is_proven,
    wire::{Receipt, Transaction},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// What one node knows of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Glance {
    /// Nothing. Another node may know it, and this one in a moment.
    Unknown,
    /// It waits for its block. Only where nodes show what waits.
    Waits { from: Address, to: Option<Address>, value: Amount },
    /// A block has it: [`Chain::lookup`] tells the rest.
    Included,
}

impl Chain {
    /// One batch to one node; where it knows nothing, to a second one.
    pub async fn glance(&self, hash: TxHash) -> Result<Glance, Unavailable> {
        let question = Glancing { hash, chain_id: self.network().chain_id };
        self.answer_twice(&question, |glance| *glance == Glance::Unknown).await.map(|(glance, _)| glance)
    }
}

struct Glancing {
    hash: TxHash,
    chain_id: u64,
}

impl Question for Glancing {
    type Answer = Glance;

    async fn put_to(&self, node: &Node) -> Result<Glance, Fault> {
        let transaction = Call::new("eth_getTransactionByHash", json!([self.hash]));
        let mut answers = node.batch(&[receipt_of(self.hash), transaction]).await?;
        let receipt: Option<Receipt> = answers.read()?;
        if receipt.is_some() {
            return Ok(Glance::Included);
        }
        let told = answers.raw()?.map_err(|error| error.into_fault(Blame::Node))?;
        let waiting: Option<Transaction> = parse(&told)?;
        // One that nobody signed is one that nobody sent.
        Ok(match waiting {
            Some(waiting) if waiting.hash == self.hash && is_proven(&told, &waiting, self.chain_id)? => {
                Glance::Waits { from: waiting.from, to: waiting.to, value: waiting.value }
            }
            _ => Glance::Unknown,
        })
    }
}
