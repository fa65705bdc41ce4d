//! `coinslot demo`: the whole flow with no extension, no faucet and no internet. None of it is mounted in `serve`.
//!
//! - `chain`: a local chain node, started and stopped with the shop. `node`: asking it. `contract`: something worth X-raying.
//! - `dollar`: a token to pay with, and what x402 settles it through.
//! - `home`: the directory it lives in.
//! - `relay`: a payment that somebody else sends, as wallets with gas sponsorship do.
//! - `routes`: `/demo/rpc`, `/demo/faucet`, `/demo/relay` and the demo wallet's files (`wallet.js`, `wallet.css`).

mod chain;
mod contract;
mod dollar;
mod home;
mod node;
mod relay;
mod routes;

use std::{path::Path, time::Duration};

pub use chain::LocalChain;
pub use dollar::DOLLAR;
pub use home::Home;
pub use routes::DemoRoutes;

use crate::{
    chain::{ChainSettings, Finality},
    evm::Address,
    money::Amount,
    network::Network,
    pages::data::Demo,
};

/// Of the local chain: nobody's real money.
pub const CHAIN_ID: u64 = 31337;

/// Where the demo's visitors pay to: none of the chain's own accounts, and nobody has its key.
pub const PAY_TO: Address = Address(*b"\xc0\x15\x70\x70coinslot demo\xc0\x15\x70");

/// The demo wallet: the chain node's second account, which holds its key and 10,000 MON.
pub const WALLET: Address = Address([
    0x70, 0x99, 0x79, 0x70, 0xc5, 0x18, 0x12, 0xdc, 0x3a, 0x01, 0x0c, 0x7d, 0x01, 0xb5, 0x0e, 0x0d, 0x17, 0xdc, 0x79, 0xc8,
]);

/// Of who settles the demo's dollars and pays the fee: the chain node's eighth account. The key comes from the mnemonic that every such
/// node prints ("test test … junk"): it is nobody's secret, and never to be used where coins are worth something.
pub const OPERATOR_KEY: [u8; 32] = [
    0x4b, 0xbb, 0xf8, 0x5c, 0xe3, 0x37, 0x74, 0x67, 0xaf, 0xe5, 0xd4, 0x6f, 0x80, 0x4f, 0x22, 0x18, 0x13, 0xb2, 0xbb, 0x87, 0xf2,
    0x4d, 0x81, 0xf6, 0x0f, 0x1f, 0xcd, 0xbf, 0x7c, 0xbf, 0x43, 0x56,
];

/// Why there is no demo: a sentence for the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CannotDemo {
    #[error("the demo needs anvil, a local chain node: run make setup")]
    NoAnvil,
    #[error("the local chain does not start: {0}")]
    NoStart(String),
    #[error("the local chain does not answer: {0}")]
    NoAnswer(#[from] node::NodeError),
}

/// A running chain with everything on it that the demo shows.
pub struct Ready {
    pub chain: LocalChain,
    pub network: ChainSettings,
    pub demo: Demo,
    pub routes: DemoRoutes,
}

/// Starts the chain, kept in `state` if one is given, and puts the example contract and the dollar on it. `public_url`: where the shop will be.
///
/// # Errors
/// No chain node, or it does not answer.
pub async fn prepare(state: Option<&Path>, public_url: &str) -> Result<Ready, CannotDemo> {
    let chain = LocalChain::start(state).await?;
    let node = node::Node::new(chain.url())?;
    let (example_contract, (), ()) = tokio::try_join!(contract::deploy(&node), dollar::deploy(&node), relay::deploy(&node))?;
    let network = ChainSettings {
        network: Network {
            id: format!("eip155:{CHAIN_ID}"),
            chain_id: CHAIN_ID,
            name: "Coinslot demo".to_owned(),
            slug: "demo".to_owned(),
            symbol: "MON".to_owned(),
            decimals: 18,
            wallet_rpc_url: format!("{public_url}/demo/rpc"),
            explorer: None,
            faucet: None,
            gas_price_hint: Amount::from_atomic(2_000_000_000),
            wallet_sponsors_gas: false,
            tokens: vec![dollar::token()],
        },
        rpc_urls: vec![chain.url().clone()],
        finality: Finality::Tag("finalized".to_owned()),
        poll: Duration::from_millis(200),
        timeout: Duration::from_secs(5),
        trace_urls: Vec::new(),
        // More often than a real shop: whoever tries it waits for it.
        idle_look: Duration::from_secs(10),
    };
    let routes = DemoRoutes::new(node, public_url);
    Ok(Ready { chain, network, demo: Demo { example_contract }, routes })
}
