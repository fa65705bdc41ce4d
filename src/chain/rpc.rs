//! Several nodes as one network: fail over, back off, never mix answers of two nodes in one verdict.

use std::{sync::Arc, time::Duration};

use url::Url;

use super::Sighting;
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

#[derive(Clone, Debug)]
pub struct ChainSettings {
    pub network: Network,
    /// In order of preference. They may hold keys: never logged whole, never sent anywhere.
    pub rpc_urls: Vec<Url>,
    pub finality: Finality,
    /// Between two looks while anyone waits.
    pub poll: Duration,
    /// For one batch to one node.
    pub timeout: Duration,
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
}

impl Chain {
    pub fn new(settings: ChainSettings) -> Self {
        Self(Arc::new(Inner { settings }))
    }

    pub fn network(&self) -> &Network {
        &self.0.settings.network
    }

    pub fn settings(&self) -> &ChainSettings {
        &self.0.settings
    }

    /// Receipt, transaction, canonical block at its height and final head, in one batch from one node.
    pub async fn lookup(&self, _hash: TxHash) -> Result<Sighting, Unavailable> {
        todo!()
    }

    /// Height of the newest final block.
    pub async fn final_head(&self) -> Result<u64, Unavailable> {
        todo!()
    }

    /// Hash of block 0: tells two chains with the same id apart.
    pub async fn genesis(&self) -> Result<[u8; 32], Unavailable> {
        todo!()
    }

    /// What the node itself says its id is.
    pub async fn chain_id(&self) -> Result<u64, Unavailable> {
        todo!()
    }

    /// Runtime bytecode at the newest block; empty where there is none.
    pub async fn code(&self, _address: Address) -> Result<Vec<u8>, Unavailable> {
        todo!()
    }

    /// One storage word at the newest block.
    pub async fn storage(&self, _address: Address, _slot: [u8; 32]) -> Result<[u8; 32], Unavailable> {
        todo!()
    }

    /// `eth_call` at the newest block. `None`: it reverted.
    pub async fn call(&self, _to: Address, _data: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        todo!()
    }

    /// Wei for one unit of gas, as the node suggests.
    pub async fn gas_price(&self) -> Result<Amount, Unavailable> {
        todo!()
    }

    /// Did the last request that was made succeed? Cached, for `/readyz`; asks nobody.
    pub fn healthy(&self) -> bool {
        todo!()
    }
}
