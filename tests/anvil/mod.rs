//! A real chain node for tests: anvil, on a free port, with finality two blocks behind the newest.
//!
//! `ANVIL` names the binary, else `anvil` on the PATH is taken. It ends with its [`Anvil`]. Every method panics on what a
//! test cannot go on with.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // each test binary uses its own part of it

pub mod process;
pub mod proxy;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use coinslot::{
    chain::{Chain, ChainSettings, Finality},
    evm::{Address, TxHash},
    money::Amount,
    network::Network,
};
use serde_json::{Value, json};
use url::Url;

use self::process::AnvilProcess;

/// How long a test waits for what must come: far more than it takes, also on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const CHAIN_ID: u64 = 31337;

pub struct Anvil {
    process: AnvilProcess,
    client: reqwest::Client,
    mines_at_once: AtomicBool,
}

impl Anvil {
    /// A block for each transaction, at once; none without.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Blocks come from [`Anvil::mine`] alone.
    pub async fn start_without_mining() -> Self {
        Self::start_with(&["--no-mining"]).await
    }

    /// Blocks come as these arguments say, and nothing waits for them.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let mines_at_once = arguments.is_empty();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let spawn = move || AnvilProcess::start(CHAIN_ID, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let process = tokio::task::spawn_blocking(spawn).await.unwrap();
        let client = coinslot::http_client::builder().no_proxy().build().unwrap();
        Self { process, client, mines_at_once: AtomicBool::new(mines_at_once) }
    }

    pub fn url(&self) -> Url {
        self.process.url()
    }

    /// One of ten that are unlocked and own 10 000 coins each.
    pub fn account(&self, index: usize) -> Address {
        Address(self.process.addresses()[index].into_array())
    }

    /// The private key of one of the ten.
    pub fn key(&self, index: usize) -> [u8; 32] {
        self.process.keys()[index].0
    }

    /// # Panics
    /// If the node answers with an error.
    #[track_caller]
    pub fn rpc(&self, method: &str, params: Value) -> impl Future<Output = Value> {
        let request = self.client.post(self.url()).json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let method = method.to_owned();
        async move {
            let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
            assert!(answer.get("error").is_none(), "{method}: {answer}");
            answer["result"].take()
        }
    }

    /// A plain transfer of so many wei.
    pub async fn send(&self, from: Address, to: Address, wei: u128) -> TxHash {
        self.transact(transfer(from, to, wei)).await
    }

    /// Any transaction of an unlocked account. A `gas` of its own lets one through that will revert.
    ///
    /// Where each gets a block at once, it is in its block when this returns.
    pub async fn transact(&self, transaction: Value) -> TxHash {
        let hash = read(self.rpc("eth_sendTransaction", json!([transaction])).await);
        let is_mined = async {
            while self.rpc("eth_getTransactionReceipt", json!([hash])).await.is_null() {
                tokio::task::yield_now().await;
            }
        };
        if self.mines_at_once.load(Ordering::Relaxed) {
            tokio::time::timeout(PATIENCE, is_mined).await.expect("it is mined at once");
        }
        hash
    }

    /// So many blocks, with what waits in the first of them.
    pub async fn mine(&self, blocks: u64) {
        // One by one: `anvil_mine` gives many blocks with gaps in their time.
        for _ in 0..blocks {
            self.rpc("evm_mine", json!([])).await;
        }
    }

    /// Enough blocks on top to make the newest final.
    pub async fn finalize(&self) {
        self.mine(2).await;
    }

    pub async fn automine(&self, on: bool) {
        self.rpc("evm_setAutomine", json!([on])).await;
        self.mines_at_once.store(on, Ordering::Relaxed);
    }

    /// Replaces so many of the newest blocks by as many others, with these transactions (and in which of the new blocks).
    /// What was in the old ones is gone, also from the pool.
    pub async fn reorg(&self, depth: u64, transactions: &[(Value, u64)]) {
        self.rpc("anvil_reorg", json!([depth, transactions])).await;
    }

    /// Takes a waiting transaction out of the pool.
    pub async fn drop_transaction(&self, hash: TxHash) {
        self.rpc("anvil_dropTransaction", json!([hash])).await;
    }

    pub async fn set_code(&self, address: Address, runtime: &str) {
        self.rpc("anvil_setCode", json!([address, runtime])).await;
    }

    pub async fn set_storage(&self, address: Address, slot: &str, word: &str) {
        self.rpc("anvil_setStorageAt", json!([address, slot, word])).await;
    }

    pub async fn set_balance(&self, address: Address, wei: u128) {
        self.rpc("anvil_setBalance", json!([address, format!("{wei:#x}")])).await;
    }

    /// Of the newest block.
    pub async fn height(&self) -> u64 {
        let height: String = read(self.rpc("eth_blockNumber", json!([])).await);
        u64::from_str_radix(height.trim_start_matches("0x"), 16).unwrap()
    }

    pub async fn block_hash(&self, height: u64) -> [u8; 32] {
        let block = self.rpc("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await;
        read::<TxHash>(block["hash"].clone()).0
    }

    /// This node alone, looked at every 20 ms.
    pub fn chain(&self) -> Chain {
        Chain::new(settings([self.url()]))
    }
}

/// For [`Anvil::transact`] and [`Anvil::reorg`].
pub fn transfer(from: Address, to: Address, wei: u128) -> Value {
    json!({"from": from, "to": to, "value": format!("{wei:#x}")})
}

/// Settings of a chain over these addresses: final at `finalized`, looked at every 20 ms, one second for an answer.
pub fn settings(rpc_urls: impl IntoIterator<Item = Url>) -> ChainSettings {
    ChainSettings {
        network: Network {
            id: format!("eip155:{CHAIN_ID}"),
            chain_id: CHAIN_ID,
            name: "Local chain".to_owned(),
            slug: "local".to_owned(),
            symbol: "MON".to_owned(),
            decimals: 18,
            wallet_rpc_url: "http://127.0.0.1:8545".to_owned(),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::from_atomic(1_000_000_000),
            wallet_sponsors_gas: false,
            tokens: Vec::new(),
        },
        rpc_urls: rpc_urls.into_iter().collect(),
        finality: Finality::Tag("finalized".to_owned()),
        poll: Duration::from_millis(20),
        timeout: Duration::from_secs(1),
        trace_urls: Vec::new(),
        idle_look: Duration::from_secs(3600),
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}
