//! A chain without a node: what the sample is made of, Monad's reserve, and nodes that tell less than they are asked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::HashMap, sync::Mutex};

use alloy::{
    primitives::{Address as Word20, U256, keccak256},
    sol_types::SolValue,
};

use super::*;
use crate::{
    agents::wallet_report::{
        Severity,
        ask::StateSource,
        report::{Standard, Via},
        sample,
    },
    chain::state::{LogsOf, Written},
    error::Retry,
    evm::TxHash,
    network::Token as Sold,
};

const WALLET: Address = Address(alloy::hex!("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"));
const USDC: Address = Address(alloy::hex!("534b2f3a21130d7a60830c2df862319e593943a3"));
const SHELLS: Address = Address(alloy::hex!("3c0a1e5dd5b3f1d5c46d1a0ebd0b1d7a9f6c2e41"));
const FAKE: Address = Address(alloy::hex!("badc0ffee0ddf00d5ca1ab1e0123456789abcdef"));
const MARKET: Address = Address(alloy::hex!("a11ce0000000000000000000000000000000b0b5"));
const FRIEND: Address = Address(alloy::hex!("fb6916095ca1df60bb79ce92ce3ea74c37c5d359"));

fn network() -> Network {
    Network {
        id: "eip155:10143".to_owned(),
        chain_id: 10143,
        name: "Monad testnet".to_owned(),
        slug: "monad-testnet".to_owned(),
        symbol: "MON".to_owned(),
        decimals: 18,
        wallet_rpc_url: "https://testnet-rpc.monad.xyz".to_owned(),
        explorer: None,
        faucet: None,
        gas_price_hint: Amount::ZERO,
        wallet_sponsors_gas: false,
        tokens: vec![Sold {
            address: USDC,
            symbol: "USDC".to_owned(),
            decimals: 6,
            name: "USDC".to_owned(),
            version: "2".to_owned(),
            eip3009: true,
            permit2: true,
        }],
    }
}

struct Shelf {
    network: Network,
    at: AtBlock,
    balance: U256,
    nonce: u64,
    code: HashMap<Address, Vec<u8>>,
    views: HashMap<(Address, Vec<u8>), Vec<u8>>,
    logs: Vec<Written>,
    /// Blocks that it tells logs of in one request; 0: none.
    width: u64,
    log_requests: Mutex<u64>,
}

impl Shelf {
    fn new() -> Self {
        Self {
            network: network(),
            at: AtBlock { height: 41_230_777, hash: keccak256("block").0, time_s: 1_795_600_000 },
            balance: U256::from(12_345_u64) * U256::from(10_u64.pow(15)),
            nonce: 27,
            code: HashMap::new(),
            views: HashMap::new(),
            logs: Vec::new(),
            width: 1000,
            log_requests: Mutex::new(0),
        }
    }

    fn tells(&mut self, who: Address, call: &str, arguments: &[u8], answer: Vec<u8>) {
        let data = [&keccak256(call)[..4], arguments].concat();
        self.views.insert((who, data), answer);
    }

    fn token(&mut self, at: Address, symbol: &str, decimals: u64, balance: u128) {
        self.tells(at, "symbol()", &[], symbol.to_owned().abi_encode());
        self.tells(at, "decimals()", &[], U256::from(decimals).abi_encode());
        self.tells(at, "balanceOf(address)", &word(WALLET), U256::from(balance).abi_encode());
    }

    fn allows(&mut self, token: Address, spender: Address, amount: U256) {
        self.tells(token, "allowance(address,address)", &[word(WALLET), word(spender)].concat(), amount.abi_encode());
    }

    fn moved(&mut self, back: u64, token: Address, from: Address, to: Address, value: u64) {
        let topic = |address| <[u8; 32]>::try_from(word(address)).unwrap();
        self.logs.push(Written {
            by: token,
            topics: vec![keccak256("Transfer(address,address,uint256)").0, topic(from), topic(to)],
            data: U256::from(value).abi_encode(),
            transaction: TxHash(keccak256(back.to_be_bytes()).0),
            block: self.at.height - back,
            index: back,
        });
    }

    fn delegated(mut self) -> Self {
        self.code.insert(WALLET, [[0xef, 0x01, 0x00].as_slice(), &MARKET.0].concat());
        self.code.insert(MARKET, vec![0x00]);
        self
    }

    async fn look(&self) -> Report {
        self.look_for(&[]).await.unwrap()
    }

    async fn look_for(&self, spenders: &[Address]) -> Result<Report, CallError> {
        let spenders = spenders.iter().map(Address::to_string).collect();
        let input = Input { address: WALLET.to_string(), tokens: Vec::new(), spenders };
        wallet(&input, self, &|_, _, _| {}).await
    }
}

fn word(address: Address) -> Vec<u8> {
    Word20::from(address.0).abi_encode()
}

impl StateSource for Shelf {
    fn network(&self) -> &Network {
        &self.network
    }

    async fn final_block(&self) -> Result<AtBlock, Unavailable> {
        Ok(self.at)
    }

    async fn state(&self, _: &AtBlock, looks: &[Look]) -> Result<Vec<Saw>, Unavailable> {
        let see = |look: &Look| match look {
            Look::Balance(_) => Saw::Number(Amount::from_be_bytes(self.balance.to_be_bytes())),
            Look::Nonce(_) => Saw::Number(Amount::from_atomic(self.nonce.into())),
            Look::Code(at) => Saw::Bytes(self.code.get(at).cloned().unwrap_or_default()),
            Look::Storage(..) => Saw::Bytes(vec![0; 32]),
            Look::View { to, data, .. } => self.views.get(&(*to, data.clone())).cloned().map_or(Saw::Failed, Saw::Bytes),
        };
        Ok(looks.iter().map(see).collect())
    }

    async fn written(&self, _: &AtBlock, wanted: &[LogsOf]) -> Result<Vec<Option<Vec<Written>>>, Unavailable> {
        *self.log_requests.lock().unwrap() += wanted.len() as u64;
        let fits = |log: &Written, wanted: &LogsOf| {
            (wanted.first..=wanted.last).contains(&log.block)
                && wanted.topics.iter().zip(&log.topics).all(|(wanted, topic)| wanted.is_none_or(|wanted| wanted == *topic))
        };
        let tell = |wanted: &LogsOf| {
            let is_allowed = wanted.last - wanted.first < self.width;
            is_allowed.then(|| self.logs.iter().filter(|log| fits(log, wanted)).cloned().collect())
        };
        Ok(wanted.iter().map(tell).collect())
    }
}

/// A wallet with what wallets have, and what should worry its owner.
fn example() -> Shelf {
    let mut shelf = Shelf::new();
    shelf.token(USDC, "USDC", 6, 128_450_000);
    shelf.token(SHELLS, "SHELLS", 18, 2_500_000_000_000_000_000_000);
    shelf.token(FAKE, "USDC", 6, 1_000_000_000_000);
    for (contract, code) in [(PERMIT2, 1), (MARKET, 2), (crate::chain::EXACT_PROXY, 3)] {
        shelf.code.insert(contract, vec![code]);
    }
    shelf.allows(USDC, PERMIT2, U256::MAX);
    shelf.allows(SHELLS, MARKET, U256::MAX);
    shelf.allows(SHELLS, PERMIT2, U256::from(500_u64) * U256::from(10_u64.pow(18)));
    let inner = (U256::from(25_000_000), U256::from(1_795_686_400_u64), U256::from(4)).abi_encode_params();
    for token in [USDC, SHELLS, FAKE] {
        for spender in [crate::chain::EXACT_PROXY, known::UPTO_PROXY, MARKET] {
            let is_open = token == USDC && spender == MARKET;
            let arguments = [word(WALLET), word(token), word(spender)].concat();
            let answer = if is_open { inner.clone() } else { vec![0; 96] };
            shelf.tells(PERMIT2, "allowance(address,address,address)", &arguments, answer);
        }
    }
    shelf.moved(12, USDC, WALLET, FRIEND, 1_000);
    shelf.moved(140, SHELLS, FRIEND, WALLET, 0);
    shelf.moved(431, FAKE, MARKET, WALLET, 1_000_000_000_000);
    shelf
}

/// The shop window's sample is that wallet as it is looked at today.
/// `UPDATE_SAMPLE=1 cargo test …` writes it anew; the card's version is then to be raised.
#[tokio::test]
async fn the_sample_is_honest() {
    let report = example().look_for(&[MARKET]).await.unwrap();
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        let path = format!("{}/src/agents/wallet_report/sample.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, serde_json::to_string(&report).unwrap() + "\n").unwrap();
        return;
    }
    assert_eq!(sample(), report);
    assert_eq!(
        report.summary,
        "0x5aae…eaed is a plain account on Monad testnet that has sent 27 transactions; it holds 12.345 MON, 128.45 USDC, 2500 SHELLS \
         and 1000000 false USDC, and 2 spenders may take tokens of it, 2 times without limit."
    );
    let severities: Vec<Severity> = report.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Medium, Severity::Medium, Severity::Low], "{:#?}", report.findings);
}

#[tokio::test]
async fn the_reserve_holds_for_delegated_accounts_of_monad_alone() {
    let plain = Shelf::new().look().await;
    let reserve = plain.reserve.expect("Monad keeps 10 MON");
    assert_eq!((reserve.amount.as_str(), reserve.always), ("10000000000000000000", false));
    assert!(reserve.words.contains("sent nothing in the last 3 blocks"), "{}", reserve.words);
    assert!(plain.findings.iter().all(|finding| !finding.title.contains("coin")), "{:#?}", plain.findings);

    let delegated = Shelf::new().delegated().look().await;
    let reserve = delegated.reserve.expect("and for ever");
    assert_eq!((reserve.always, reserve.above.as_str()), (true, "2345000000000000000"));
    let told = delegated.findings.iter().find(|finding| finding.title.contains("A part of its coin")).expect("it is told");
    assert_eq!(told.severity, Severity::Low);
    assert!(told.detail.contains("may not go below 10 MON: 2.345 MON can be spent now"), "{}", told.detail);

    for (wei, above) in [("10000000000000000000", "0"), ("9999999999999999999", "0"), ("10000000000000000001", "1")] {
        let mut shelf = Shelf::new().delegated();
        shelf.balance = wei.parse().unwrap();
        let report = shelf.look().await;
        assert_eq!(report.reserve.unwrap().above, above, "{wei}");
        let nothing = report.findings.iter().any(|finding| finding.title.contains("cannot spend any"));
        assert_eq!(nothing, above == "0", "{wei}");
    }

    let mut elsewhere = Shelf::new().delegated();
    elsewhere.network.chain_id = 1;
    assert_eq!(elsewhere.look().await.reserve, None);
}

#[tokio::test]
async fn how_far_it_looked_back_is_said_whatever_the_node_allows() {
    for (width, blocks, words) in [
        (1000, 1000, "Older ones were not looked at."),
        (100, 1000, "Older ones were not looked at."),
        (10, 100, "so few blocks at once"),
        (9, 0, "The node tells no logs further back."),
    ] {
        let mut shelf = example();
        shelf.width = width;
        let activity = shelf.look().await.activity;
        assert_eq!(activity.blocks, blocks, "{width}: {}", activity.words);
        assert!(activity.words.contains(words), "{width}: {}", activity.words);
        assert!(*shelf.log_requests.lock().unwrap() <= 22, "{width}: it is bounded");
        let told = u32::from(blocks > 12) + u32::from(blocks > 140) + u32::from(blocks > 431);
        assert_eq!(activity.received + activity.sent, told, "{width}");
    }
}

#[tokio::test]
async fn permit2_that_is_not_there_is_not_asked_and_one_that_does_not_answer_is_said_to() {
    let mut shelf = example();
    shelf.code.remove(&PERMIT2);
    let report = shelf.look().await;
    assert!(!report.permit2_answers);
    assert!(report.allowances.iter().all(|allowance| allowance.via == Via::Token));
    let permit2 = report.findings.iter().find(|finding| finding.title.contains("Permit2 may take all USDC")).unwrap();
    assert_eq!(permit2.severity, Severity::Medium, "whoever puts a contract there takes all");

    let mut silent = example();
    silent.views.retain(|(to, _), _| *to != PERMIT2);
    assert!(!silent.look().await.permit2_answers);
}

#[tokio::test]
async fn tokens_of_the_chain_are_known_although_the_shop_does_not_sell_for_them() {
    let mut shelf = example();
    shelf.network.tokens.clear();
    let report = shelf.look().await;
    assert_eq!((report.tokens[0].address.clone(), report.tokens[0].origin), (USDC.to_string(), Origin::Known));
    shelf.network.chain_id = 31337;
    assert_eq!(shelf.look().await.tokens[0].origin, Origin::Seen);
}

#[tokio::test]
async fn odd_logs_are_no_transfers() {
    let mut shelf = Shelf::new();
    shelf.moved(1, FAKE, FRIEND, WALLET, 5);
    let honest = shelf.logs[0].clone();
    let odd = |change: fn(&mut Written)| {
        let mut log = honest.clone();
        log.index += 1;
        change(&mut log);
        log
    };
    shelf.logs.extend([
        odd(|log| log.data.clear()),
        odd(|log| log.data.push(0)),
        odd(|log| log.topics[1] = [0xff; 32]),
        odd(|log| log.topics.truncate(2)),
    ]);
    let report = shelf.look().await;
    assert_eq!((report.activity.received, report.activity.sent), (1, 0));
    assert_eq!(report.tokens.iter().filter(|token| token.standard == Standard::None).count(), 2, "USDC and the other are silent");
}

struct Silent(Network);

impl StateSource for Silent {
    fn network(&self) -> &Network {
        &self.0
    }
    async fn final_block(&self) -> Result<AtBlock, Unavailable> {
        Err(Unavailable { network: self.0.name.clone(), cause: "refused".to_owned() })
    }
    async fn state(&self, _: &AtBlock, _: &[Look]) -> Result<Vec<Saw>, Unavailable> {
        unreachable!("it is asked for a block first")
    }
    async fn written(&self, _: &AtBlock, _: &[LogsOf]) -> Result<Vec<Option<Vec<Written>>>, Unavailable> {
        unreachable!("it is asked for a block first")
    }
}

#[tokio::test]
async fn a_silent_node_is_no_empty_wallet() {
    let input = Input { address: WALLET.to_string(), ..Input::default() };
    let failed = wallet(&input, &Silent(network()), &|_, _, _| {}).await.unwrap_err();
    assert_eq!((failed.code, failed.retry), (Code::AgentFailed, Retry::SamePayment));
}
