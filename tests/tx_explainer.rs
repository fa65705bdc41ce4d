//! Tx Explainer on a real chain node: what happened, what failed and why, what is on its way; and what is made to stall it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod anvil;

use std::{
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy::{
    dyn_abi::{DynSolType, DynSolValue},
    hex,
    primitives::{U256, keccak256},
};
use anvil::{Anvil, settings};
use coinslot::{
    agents::tx_explainer::{
        Allows, Basis, CARD, Charged, FailureKind, FailureSource, Finality, Form, Input, KnownBy, Note, Report, ReportView,
        Severity, Standard, Status, sample,
        source::{TxSource, explain},
    },
    chain::{
        Chain, Unavailable,
        record::{Frame, Included, LogEntry, Ran, Record},
    },
    error::{CallError, Code, FieldError, Retry},
    evm::{Address, TxHash},
    money::Amount,
    network::{Network, Token},
};
use leptos::prelude::*;
use serde_json::{Value, json};

async fn report(input: &Input, source: &impl TxSource) -> Report {
    explain(input, source, &|_, _| {}).await.unwrap()
}

fn hash(hash: TxHash) -> Input {
    Input { hash: Some(hash.to_string()), ..Input::default() }
}

fn calldata(data: &[u8]) -> Input {
    Input { calldata: Some(hex::encode_prefixed(data)), ..Input::default() }
}

/// `transfer(address,uint256)` with these values, as text.
fn encoded(signature: &str, values: &[&str]) -> Vec<u8> {
    let (_, types) = signature.split_once('(').unwrap();
    let DynSolType::Tuple(types) = format!("({types}").parse().unwrap() else { panic!("{signature}") };
    let values = types.iter().zip(values).map(|(kind, value)| kind.coerce_str(value).unwrap()).collect();
    [&keccak256(signature)[..4], DynSolValue::Tuple(values).abi_encode_params().as_slice()].concat()
}

/// A call to one of the node's own accounts' contracts, with more than enough gas.
fn call(from: Address, to: Address, data: &[u8]) -> Value {
    json!({"from": from, "to": to, "data": hex::encode_prefixed(data), "gas": "0x493e0"})
}

async fn deploy(anvil: &Anvil, name: &str) -> Address {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("end2end/contracts/out").join(format!("{name}.json"));
    let artifact: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let code = format!("0x{}", artifact["creation"].as_str().unwrap());
    let hash = anvil.transact(json!({"from": anvil.account(0), "data": code, "gas": "0x7a1200"})).await;
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([hash])).await;
    receipt["contractAddress"].as_str().unwrap().parse().unwrap()
}

#[track_caller]
fn warning<'a>(report: &'a Report, words: &str) -> &'a Note {
    let found = report.warnings.iter().find(|note| note.title.contains(words));
    found.unwrap_or_else(|| panic!("nothing warns of {words:?}: {:#?}", report.warnings))
}

#[tokio::test]
async fn a_transfer_of_tokens_is_told_in_one_sentence_with_its_fee() {
    let anvil = Anvil::start().await;
    let coin = deploy(&anvil, "PlayCoin").await;
    let (ada, bob) = (anvil.account(0), anvil.account(1));
    let sent = anvil.transact(call(ada, coin, &encoded("transfer(address,uint256)", &[&bob.to_string(), "12500000"]))).await;
    let fresh = report(&hash(sent), &anvil.chain()).await;
    let fee = fresh.fee.clone().unwrap();
    let paid = fee.paid.unwrap().words;
    assert_eq!(fresh.summary, format!("{} sent 12.5 PLAY to {} and paid {paid} in fees.", ada.short(), bob.short()));
    assert_eq!((fresh.status, fee.charged), (Status::Success, Charged::GasUsed));
    let transfer = &fresh.transfers[0];
    assert_eq!((transfer.standard, transfer.basis, transfer.sum.amount.as_str()), (Standard::Erc20, Basis::Event, "12500000"));
    assert_eq!(transfer.sum.asset, format!("eip155:31337/erc20:{coin}"));
    assert_eq!(fresh.flow.moves[0].words, "12.5 PLAY");
    assert_eq!(fresh.flow.parties[fresh.flow.moves[0].to as usize].address, bob.to_string());
    let call = &fresh.calls[0];
    assert_eq!((call.signature.as_deref(), call.known_by), (Some("transfer(address,uint256)"), KnownBy::Selector));
    assert_eq!(call.arguments[1].note.as_deref(), Some("12.5 PLAY"));
    assert_eq!(fresh.transaction.as_ref().unwrap().finality, Some(Finality::Latest));
    warning(&fresh, "Not final yet");

    anvil.finalize().await;
    let later = report(&hash(sent), &anvil.chain()).await;
    assert_eq!(later.transaction.unwrap().finality, Some(Finality::Finalized));
    assert!(later.warnings.iter().all(|note| note.title != "Not final yet"));
}

#[tokio::test]
async fn an_approval_without_limit_is_the_first_thing_that_is_warned_of() {
    let anvil = Anvil::start().await;
    let coin = deploy(&anvil, "PlayCoin").await;
    let (ada, bob) = (anvil.account(0), anvil.account(1));
    let unlimited = encoded("approve(address,uint256)", &[&bob.to_string(), &U256::MAX.to_string()]);
    let given = report(&hash(anvil.transact(call(ada, coin, &unlimited)).await), &anvil.chain()).await;
    assert!(given.summary.contains(&format!("let {} take an unlimited amount of PLAY", bob.short())), "{}", given.summary);
    assert_eq!((given.approvals[0].allows, given.approvals[0].basis), (Allows::Unlimited, Basis::Event));
    assert_eq!(given.warnings[0].severity, Severity::High);
    warning(&given, "may take an unlimited amount of PLAY");

    let back = encoded("approve(address,uint256)", &[&bob.to_string(), "0"]);
    let taken = report(&hash(anvil.transact(call(ada, coin, &back)).await), &anvil.chain()).await;
    assert_eq!(taken.approvals[0].allows, Allows::Nothing);
    assert!(taken.warnings.iter().all(|note| note.severity > Severity::High), "{:#?}", taken.warnings);

    // The same before anybody signs it.
    let asked = report(&Input { to: Some(coin.to_string()), ..calldata(&unlimited) }, &anvil.chain()).await;
    assert_eq!(asked.summary, format!("This call would let {} take an unlimited amount of PLAY.", bob.short()));
    assert_eq!((asked.approvals[0].owner.as_str(), asked.approvals[0].basis), ("sender", Basis::CallData));
}

#[tokio::test]
async fn coin_that_moves_inside_a_call_is_found_in_the_trace() {
    let anvil = Anvil::start().await;
    let deeds = deploy(&anvil, "Deeds").await;
    let ada = anvil.account(0);
    anvil.send(ada, deeds, 5_000).await;
    let out = anvil.transact(call(ada, deeds, &encoded("withdraw(uint256)", &["2000"]))).await;
    let told = report(&hash(out), &anvil.chain()).await;
    let inside: Vec<_> =
        told.transfers.iter().map(|one| (one.basis, one.from.clone(), one.to.clone(), one.sum.amount.clone())).collect();
    assert_eq!(inside, [(Basis::Trace, deeds.to_string(), ada.to_string(), "2000".to_owned())]);
    assert!(told.summary.contains("got 0.000000000000002 MON"), "{}", told.summary);
}

/// A node that does not trace: then the call is run again.
struct Untraced(Chain);

impl TxSource for Untraced {
    fn network(&self) -> &Network {
        self.0.network()
    }
    async fn record(&self, hash: TxHash) -> Result<Option<Record>, Unavailable> {
        TxSource::record(&self.0, hash).await
    }
    async fn run_at(&self, call: Value, block: u64) -> Result<Ran, Unavailable> {
        TxSource::run_at(&self.0, call, block).await
    }
    async fn trace(&self, _: TxHash) -> Option<Frame> {
        None
    }
    async fn answers(&self, calls: &[(Address, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        TxSource::answers(&self.0, calls).await
    }
}

#[tokio::test]
async fn why_it_failed_is_told_with_a_trace_and_without() {
    let anvil = Anvil::start().await;
    let deeds = deploy(&anvil, "Deeds").await;
    let ada = anvil.account(0);
    let abi = "error TooLate(uint256 at, string why)";
    let (chain, untraced) = (anvil.chain(), Untraced(anvil.chain()));
    for (data, kind, words) in [
        (encoded("failWithWords(string)", &["not today"]), FailureKind::Error, "“not today”"),
        (encoded("failEmpty()", &[]), FailureKind::Empty, "said nothing"),
        (encoded("panicOverflow(uint8)", &["1"]), FailureKind::Panic, "too large or too small"),
        (encoded("failNamed(uint256)", &["99"]), FailureKind::Custom, "TooLate: at 99, why come back tomorrow"),
        (encoded("failDeep()", &[]), FailureKind::Custom, "TooLate: at 7"),
        (encoded("spin()", &[]), FailureKind::OutOfGas, "ran out of gas"),
        (encoded("invalid()", &[]), FailureKind::Invalid, "cannot run"),
    ] {
        let input = Input { abi: Some(abi.to_owned()), ..hash(anvil.transact(call(ada, deeds, &data)).await) };
        let (traced, replayed) = (report(&input, &chain).await, report(&input, &untraced).await);
        for (report, source) in [(&traced, FailureSource::Trace), (&replayed, FailureSource::Replay)] {
            let failure = report.failure.as_ref().unwrap();
            assert_eq!((report.status, failure.kind, failure.source), (Status::Reverted, kind, source), "{failure:?}");
            assert!(failure.reason.contains(words), "{words}: {}", failure.reason);
            assert!(report.summary.contains(&failure.reason) && report.summary.contains("nothing moved"), "{}", report.summary);
            assert!(report.transfers.is_empty() && report.fee.as_ref().unwrap().paid.is_some());
        }
    }
}

#[tokio::test]
async fn a_transaction_that_is_not_there_is_not_charged_and_may_be_asked_for_again() {
    let anvil = Anvil::start_without_mining().await;
    let chain = anvil.chain();
    let unknown = explain(&hash(TxHash([7; 32])), &chain, &|_, _| {}).await.unwrap_err();
    assert_eq!((unknown.code, unknown.retry), (Code::AgentFailed, Retry::SamePayment));
    assert!(unknown.error.contains("knows no transaction"), "{}", unknown.error);

    let waiting = anvil.send(anvil.account(0), anvil.account(1), 1).await;
    let pending = report(&hash(waiting), &chain).await;
    assert_eq!(pending.status, Status::Pending);
    assert!(pending.summary.contains("no block holds it yet") && pending.fee.unwrap().most.is_some(), "{}", pending.summary);
    anvil.mine(1).await;
    assert_eq!(report(&hash(waiting), &chain).await.status, Status::Success);
}

/// One coin, signed for this chain with the first key: `cast mktx`'s way, by our own node.
#[tokio::test]
async fn a_raw_transaction_is_looked_up_where_it_is_of_this_network() {
    use alloy::{
        consensus::{SignableTransaction, TxLegacy},
        eips::Encodable2718,
        primitives::TxKind,
        signers::{SignerSync, local::PrivateKeySigner},
    };
    let anvil = Anvil::start().await;
    let signed = |chain_id| {
        let transaction = TxLegacy {
            chain_id: Some(chain_id),
            nonce: 0,
            gas_price: 5_000_000_000,
            gas_limit: 21_000,
            to: TxKind::Call([0x11; 20].into()),
            value: U256::from(1),
            input: Default::default(),
        };
        let signer = PrivateKeySigner::from_bytes(&anvil.key(0).into()).unwrap();
        let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
        alloy::consensus::TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
    };
    let raw = signed(anvil::CHAIN_ID);
    let input = Input { raw: Some(hex::encode_prefixed(&raw)), ..Input::default() };
    let before = report(&input, &anvil.chain()).await;
    assert_eq!(before.status, Status::NotFound);
    assert_eq!(before.transaction.unwrap().from, Some(anvil.account(0).to_string()));
    anvil.rpc("eth_sendRawTransaction", json!([hex::encode_prefixed(&raw)])).await;
    assert_eq!(report(&input, &anvil.chain()).await.status, Status::Success);

    let elsewhere = Input { raw: Some(hex::encode_prefixed(signed(1))), ..Input::default() };
    let elsewhere = report(&elsewhere, &anvil.chain()).await;
    assert_eq!((elsewhere.status, elsewhere.network.as_deref()), (Status::Unsent, Some("eip155:1")));
    warning(&elsewhere, "another network");
}

// --- without a chain ---

/// A shelf with one transaction.
struct Shelf {
    network: Network,
    record: Option<Record>,
    answers: Vec<Option<Vec<u8>>>,
    trace: Option<Frame>,
}

impl TxSource for Shelf {
    fn network(&self) -> &Network {
        &self.network
    }
    async fn record(&self, _: TxHash) -> Result<Option<Record>, Unavailable> {
        Ok(self.record.clone())
    }
    async fn run_at(&self, _: Value, _: u64) -> Result<Ran, Unavailable> {
        Err(Unavailable { network: "nowhere".to_owned(), cause: "no state".to_owned() })
    }
    async fn trace(&self, _: TxHash) -> Option<Frame> {
        self.trace.clone()
    }
    async fn answers(&self, calls: &[(Address, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        Ok((0..calls.len()).map(|place| self.answers.get(place).cloned().flatten()).collect())
    }
}

fn shelf() -> Shelf {
    Shelf { network: settings([]).network, record: None, answers: Vec::new(), trace: None }
}

fn word(number: u64) -> [u8; 32] {
    U256::from(number).to_be_bytes()
}

fn of_address(address: [u8; 20]) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address);
    word
}

fn transferred(token: Address, from: [u8; 20], to: [u8; 20], amount: u64) -> LogEntry {
    let topic = keccak256("Transfer(address,address,uint256)").0;
    LogEntry { address: token, topics: vec![topic, of_address(from), of_address(to)], data: word(amount).to_vec() }
}

fn included(logs: Vec<LogEntry>) -> Included {
    Included {
        block: 1_234_567,
        block_hash: [9; 32],
        time_s: 1_795_000_000,
        index: 3,
        succeeded: true,
        gas_used: 118_204,
        gas_price: Amount::from_atomic(102_000_000_000),
        created: None,
        logs,
        latest: 1_234_570,
        safe: Some(1_234_569),
        final_height: Some(1_234_568),
    }
}

const SENDER: [u8; 20] = hex!("a11ce0000000000000000000000000000000a11c");
const ROUTER: [u8; 20] = hex!("40000000000000000000000000000000000e4004");
const POOL: [u8; 20] = hex!("9001000000000000000000000000000000009001");
const USDC: [u8; 20] = hex!("534b2f3a21130d7a60830c2df862319e593943a3");

/// A swap on Monad's testnet: coin in, dollars out. The addresses are made up, but the token's.
fn swap() -> Shelf {
    let network = Network {
        id: "eip155:10143".to_owned(),
        chain_id: 10143,
        name: "Monad testnet".to_owned(),
        tokens: vec![Token {
            address: Address(USDC),
            symbol: "USDC".to_owned(),
            decimals: 6,
            name: "USDC".to_owned(),
            version: "2".to_owned(),
            eip3009: true,
            permit2: true,
        }],
        ..settings([]).network
    };
    let path = format!("[{},{}]", Address([0x77; 20]), Address(USDC));
    let data = encoded(
        "swapExactETHForTokens(uint256,address[],address,uint256)",
        &["2450000", &path, &Address(SENDER).to_string(), "1795000600"],
    );
    let transaction = json!({
        "hash": TxHash([0xc0; 32]), "type": "0x2", "chainId": "0x279f", "nonce": "0x11", "from": Address(SENDER), "to": Address(ROUTER),
        "value": "0xde0b6b3a7640000", "gas": "0x30d40", "maxFeePerGas": "0x1d1a94a200", "maxPriorityFeePerGas": "0x77359400",
        "gasPrice": "0x17bfac7c00", "input": hex::encode_prefixed(data),
    });
    let record = Record { transaction, included: Some(included(vec![transferred(Address(USDC), POOL, SENDER, 2_481_377)])) };
    Shelf { network, record: Some(record), ..shelf() }
}

/// The shop window's sample is this swap as it is explained today.
/// `UPDATE_SAMPLE=1 cargo test …` writes it anew; the card's version is then to be raised.
#[tokio::test]
async fn the_sample_is_honest() {
    let report = report(&hash(TxHash([0xc0; 32])), &swap()).await;
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/agents/tx_explainer/sample.json");
        std::fs::write(path, serde_json::to_string(&report).unwrap() + "\n").unwrap();
        return;
    }
    assert_eq!(sample(), report);
}

/// Monad charges the limit: 200,000 gas × 102 gwei, whatever was used.
#[tokio::test]
async fn on_monad_the_gas_limit_is_what_was_paid() {
    let told = report(&hash(TxHash([0xc0; 32])), &swap()).await;
    let fee = told.fee.unwrap();
    assert_eq!((fee.charged, fee.paid.unwrap().words.as_str()), (Charged::GasLimit, "0.0204 MON"));
    assert_eq!((fee.gas_limit, fee.gas_used), (200_000, Some(118_204)));
    assert!(told.summary.contains("gave 1 MON and got 2.481377 USDC"), "{}", told.summary);
}

#[tokio::test]
async fn a_token_with_somebody_else_s_name_is_warned_of() {
    let mut swap = swap();
    let fake = Address([0xfa; 20]);
    if let Some(included) = swap.record.as_mut().and_then(|record| record.included.as_mut()) {
        included.logs = vec![transferred(fake, POOL, SENDER, 1_000_000)];
    }
    let text = DynSolValue::Tuple(vec![DynSolValue::String("USDC".to_owned())]).abi_encode_params();
    swap.answers = vec![Some(text), Some(word(6).to_vec())];
    let told = report(&hash(TxHash([0xc0; 32])), &swap).await;
    assert_eq!(warning(&told, "calls itself USDC").severity, Severity::High);
}

// --- what is made to stall it ---

/// In time, and no larger than a page can show.
async fn within_bounds(input: &Input, source: &impl TxSource) -> Report {
    let begun = Instant::now();
    let report = report(input, source).await;
    assert!(begun.elapsed() < CARD.time_limit / 2, "{:?}", begun.elapsed());
    let size = serde_json::to_string(&report).unwrap().len();
    assert!(size < 1024 * 1024, "{size}");
    report
}

#[tokio::test]
async fn a_payload_of_a_hundred_kilobytes_makes_a_bounded_report() {
    let junk: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 + n / 251) as u8).collect();
    let told = within_bounds(&calldata(&[&[0xde, 0xad, 0xbe, 0xef], junk.as_slice()].concat()), &shelf()).await;
    assert_eq!(told.calls[0].known_by, KnownBy::Guess);
    // Known by name, and as large.
    let bytes = hex::encode_prefixed(&junk);
    let told =
        within_bounds(&calldata(&encoded("execute(address,bytes)", &[&Address([1; 20]).to_string(), &bytes])), &shelf()).await;
    assert!(told.calls[0].arguments[1].value.ends_with('…'), "what is long is cut, and says so");
}

fn multicall(calls: &[Vec<u8>]) -> Vec<u8> {
    let calls = calls.iter().map(|call| DynSolValue::Bytes(call.clone())).collect();
    [&keccak256("multicall(bytes[])")[..4], DynSolValue::Tuple(vec![DynSolValue::Array(calls)]).abi_encode_params().as_slice()]
        .concat()
}

#[tokio::test]
async fn calls_in_calls_without_end_are_followed_so_far_and_no_further() {
    let mut deep = encoded("pause()", &[]);
    for _ in 0..400 {
        deep = multicall(&[deep]);
    }
    let told = within_bounds(&calldata(&deep), &shelf()).await;
    assert_eq!(told.calls.iter().map(|call| call.depth).max(), Some(8));
    warning(&told, "nest deeper");

    let mut wide = vec![encoded("pause()", &[]); 30];
    for _ in 0..2 {
        wide = vec![multicall(&wide); 5];
    }
    let told = within_bounds(&calldata(&multicall(&wide)), &shelf()).await;
    assert!(told.left_out.calls > 0, "{:?}", told.left_out);
    warning(&told, "more than is told");
}

/// One list whose offsets all lead to the same bytes, and whose bytes are such a list.
#[tokio::test]
async fn a_batch_that_unfolds_to_gigabytes_is_given_up() {
    let words = |numbers: &[u64]| numbers.iter().flat_map(|number| word(*number)).collect::<Vec<u8>>();
    let tail = 97_000_u64;
    let count = 1_000;
    let data =
        [words(&[32, count]), words(&vec![count * 32; count as usize]), words(&[tail]), vec![0xac; tail as usize]].concat();
    let told = within_bounds(&calldata(&[&keccak256("multicall(bytes[])")[..4], data.as_slice()].concat()), &shelf()).await;
    warning(&told, "unfolds to more");
    let abi = Some("function f(uint256[][][][] x)".to_owned());
    let level = [words(&[900]), words(&vec![900 * 32; 900])].concat();
    let data = [words(&[32]), level.repeat(3), words(&[900]), words(&vec![5; 900])].concat();
    let input = Input { abi, ..calldata(&[&keccak256("f(uint256[][][][])")[..4], data.as_slice()].concat()) };
    let told = within_bounds(&input, &shelf()).await;
    assert_eq!(told.calls[0].known_by, KnownBy::Guess);
    warning(&told, "unfolds to more");
}

#[tokio::test]
async fn ten_thousand_events_are_counted_and_the_first_are_told() {
    let mut swap = swap();
    if let Some(included) = swap.record.as_mut().and_then(|record| record.included.as_mut()) {
        included.logs = (0..10_000).map(|n| transferred(Address(USDC), POOL, [n as u8; 20], n)).collect();
    }
    let told = within_bounds(&hash(TxHash([0xc0; 32])), &swap).await;
    assert!(told.left_out.events > 9_000 && told.left_out.transfers > 9_000, "{:?}", told.left_out);
    warning(&told, "more than is told");
}

#[tokio::test]
async fn a_trace_of_a_hundred_thousand_calls_is_read_so_far() {
    let frame = |to: u8| Frame {
        kind: "CALL".to_owned(),
        to: Some(Address([to; 20])),
        value: Some("0x1".to_owned()),
        ..Frame::default()
    };
    let trace = Frame { calls: (0..100_000).map(|n| frame(n as u8)).collect(), ..frame(1) };
    let told = within_bounds(&hash(TxHash([0xc0; 32])), &Shelf { trace: Some(trace), ..swap() }).await;
    assert!(told.left_out.transfers > 10_000);
}

// --- the page ---

fn html(view: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| view().to_html())
}

#[tokio::test]
async fn whatever_a_stranger_wrote_is_shown_as_text() {
    let evil = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let told =
        report(&calldata(&encoded("propose(address[],uint256[],bytes[],string)", &["[]", "[]", "[]", evil])), &shelf()).await;
    assert!(told.calls[0].arguments[3].value.contains("<script>"));
    let page = html(|| view! { <ReportView report=told/> }.into_any());
    assert!(!page.contains("<script") && !page.contains("<img") && page.contains("&lt;script&gt;"), "{page}");
}

#[tokio::test]
async fn the_picture_has_its_words_and_the_page_its_answer_first() {
    let page = html(|| view! { <ReportView report=sample()/> }.into_any());
    assert!(
        page.contains("role=\"img\"") && page.contains("gives 1 MON to Called contract") && page.contains("2.481377 USDC"),
        "{page}"
    );
    let (headline, rest) = (page.find("class=\"headline\"").unwrap(), page.find("<section").unwrap());
    assert!(headline < rest);
}

#[tokio::test]
async fn what_is_wrong_is_told_at_the_one_field_that_is_pasted_into() {
    let page = html(|| {
        let input = RwSignal::new(Input { calldata: Some("0xa9".to_owned()), ..Input::default() });
        let wrong = FieldError { field: "calldata".to_owned(), error: "Call data begins with a selector.".to_owned() };
        let errors = Signal::derive(move || vec![wrong.clone()]);
        view! { <Form input errors/> }.into_any()
    });
    assert!(page.contains("aria-invalid=\"true\"") && page.contains("begins with a selector"), "{page}");
    assert!(page.contains("Taken for call data."), "{page}");
}

#[tokio::test]
async fn the_work_says_how_far_it_is() {
    let said = Mutex::new(Vec::new());
    explain(&hash(TxHash([0xc0; 32])), &swap(), &|step, _| said.lock().unwrap().push(step)).await.unwrap();
    assert_eq!(said.into_inner().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_node_that_does_not_answer_fails_the_run_and_says_nothing_else() {
    let nobody = Chain::new(settings(["http://127.0.0.1:1".parse().unwrap()]));
    let said: CallError = explain(&hash(TxHash([1; 32])), &nobody, &|_, _| {}).await.unwrap_err();
    assert_eq!((said.code, said.retry), (Code::AgentFailed, Retry::SamePayment));
    assert!(said.error.contains("did not answer"), "{}", said.error);
    // Call data needs no node but for the names of its tokens.
    let begun = Instant::now();
    let told = report(&calldata(&encoded("transfer(address,uint256)", &[&Address([5; 20]).to_string(), "7"])), &nobody).await;
    assert!(told.summary.contains("7 units of the called token"), "{}", told.summary);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
