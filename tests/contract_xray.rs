//! Contract X-ray against what solc knows of our own contracts (end2end/contracts), and against code that wants to stall it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy::{hex, primitives::keccak256};
use coinslot::{
    agents::contract_xray::{
        Contract, Finding, Form, Guard, Input, Mutability, Power, ProxyKind, Report, ReportView, Severity, apart,
        examine::{Examined, Refusal, examine},
        sample,
        source::{CodeSource, x_ray},
    },
    chain::Unavailable,
    error::{CallError, Code, FieldError, Retry},
    evm::Address,
};
use garde::Validate;
use leptos::prelude::*;
use serde::Deserialize;

#[path = "anvil/process.rs"]
mod anvil_process;

use anvil_process::AnvilProcess;

#[derive(Deserialize)]
struct Artifact {
    creation: String,
    runtime: String,
    functions: Vec<Method>,
    storage: Vec<Stored>,
}

#[derive(Deserialize)]
struct Method {
    signature: String,
    selector: String,
    mutability: Option<String>,
}

#[derive(Deserialize)]
struct Stored {
    label: String,
    slot: String,
    offset: u8,
    bytes: u32,
    #[serde(rename = "type")]
    kind: String,
}

const CONTRACTS: &[&str] = &[
    "DemoToken",
    "Shapes",
    "Traps",
    "Tickets",
    "Items",
    "Dollar",
    "Vault",
    "Upgradeable",
    "Proxy1967",
    "Transparent",
    "Beacon",
    "FromBeacon",
];

#[track_caller]
fn artifact(name: &str) -> Artifact {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("end2end/contracts/out").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("an artifact of compile.mjs")).expect("its shape")
}

#[track_caller]
fn runtime(name: &str) -> Vec<u8> {
    hex::decode(artifact(name).runtime).unwrap()
}

#[track_caller]
fn examined(name: &str) -> Examined {
    examine(&runtime(name)).expect("an ordinary contract")
}

#[track_caller]
fn finding(findings: &[Finding], power: Power) -> &Finding {
    findings.iter().find(|finding| finding.power == power).unwrap_or_else(|| panic!("no {power:?} among {findings:#?}"))
}

fn powers(examined: &Examined) -> BTreeSet<Power> {
    examined.findings.iter().map(|finding| finding.power).collect()
}

/// Whole words that the code treats alike cannot be told apart from bytecode.
fn one_word(kind: &str) -> String {
    kind.replace("bytes32", "uint256")
}

// --- what solc knows ---

#[test]
fn every_selector_of_our_contracts_is_found_and_no_other() {
    for name in CONTRACTS {
        let wanted: BTreeSet<_> = artifact(name).functions.iter().map(|method| format!("0x{}", method.selector)).collect();
        let found: BTreeSet<_> = examined(name).contract.functions.into_iter().map(|function| function.selector).collect();
        // A transparent proxy answers its admin, and only its admin, without a dispatcher: not in its ABI.
        let hidden = |selector: &&String| *name == "Transparent" && *selector == "0x4f1ef286";
        let extra: Vec<_> = found.difference(&wanted).filter(|selector| !hidden(selector)).collect();
        assert!(wanted.is_subset(&found) && extra.is_empty(), "{name}: {wanted:?} {found:?}");
    }
}

#[test]
fn arguments_are_solc_s_up_to_words_that_nothing_narrows() {
    for name in CONTRACTS {
        let found: BTreeMap<_, _> =
            examined(name).contract.functions.into_iter().map(|function| (function.selector.clone(), function)).collect();
        for method in artifact(name).functions {
            let function = &found[&format!("0x{}", method.selector)];
            let (_, arguments) = method.signature.split_once('(').unwrap();
            assert_eq!(one_word(&format!("{})", function.arguments)), one_word(arguments), "{name}.{}", method.signature);
            if let Some(signature) = &function.signature {
                assert_eq!(*signature, method.signature, "{name}: a known name is the right one");
            }
        }
    }
}

#[test]
fn what_calling_may_do_is_solc_s() {
    for name in CONTRACTS {
        let found: BTreeMap<_, _> = examined(name)
            .contract
            .functions
            .into_iter()
            .map(|function| (function.selector.clone(), function.mutability))
            .collect();
        for method in artifact(name).functions {
            let may_change = matches!(method.mutability.as_deref(), Some("nonpayable" | "payable"));
            let mutability = found[&format!("0x{}", method.selector)];
            // "Nothing but read" is told strictly; pure code that reads its own immutables looks pure, whatever was declared.
            let changes = matches!(mutability, Mutability::NonPayable | Mutability::Payable);
            assert!(changes == may_change, "{name}.{}: {mutability:?}", method.signature);
            assert_eq!(
                mutability == Mutability::Payable,
                method.mutability.as_deref() == Some("payable"),
                "{name}.{}: {mutability:?}",
                method.signature
            );
        }
    }
}

#[test]
fn the_storage_layout_is_solc_s() {
    for name in ["DemoToken", "Shapes"] {
        let found: BTreeMap<_, _> = examined(name)
            .contract
            .storage
            .into_iter()
            .map(|variable| ((variable.slot.clone(), variable.offset), variable))
            .collect();
        for stored in artifact(name).storage {
            let slot = format!("{:#x}", stored.slot.parse::<u64>().unwrap());
            let variable =
                found.get(&(slot, stored.offset)).unwrap_or_else(|| panic!("{name}.{}: not in {found:#?}", stored.label));
            // Names of keys are the source's alone; a whole word of bytes32 looks like a number.
            let kind = one_word(&stored.kind).replace(" account", "").replace(" holder", "").replace(" spender", "");
            let kind = kind.replace(" key", "").replace(" id", "");
            assert_eq!(one_word(&variable.kind), kind, "{name}.{}", stored.label);
            assert_eq!(u32::from(variable.bytes), stored.bytes.min(32), "{name}.{}", stored.label);
        }
    }
}

#[test]
fn variables_are_named_after_their_getters_and_know_their_writers() {
    let examined = examined("DemoToken");
    let variable =
        |name: &str| examined.contract.storage.iter().find(|variable| variable.name.as_deref() == Some(name)).expect(name);
    let owner = variable("owner");
    assert_eq!((owner.slot.as_str(), owner.offset, owner.kind.as_str()), ("0x5", 0, "address"));
    assert_eq!(owner.written_by, ["0x715018a6", "0xf2fde38b"], "renounceOwnership and transferOwnership");
    let paused = variable("paused");
    assert_eq!(
        (paused.slot.as_str(), paused.offset, paused.written_by.as_slice()),
        ("0x5", 20, ["0x16c38b3c".to_owned()].as_slice())
    );
}

// --- guards and powers ---

#[test]
fn the_owner_s_functions_are_told_from_everybody_s() {
    let owner = Guard::Slot { slot: "0x5".to_owned(), offset: 0 };
    let guarded: BTreeSet<_> = examined("DemoToken")
        .contract
        .functions
        .into_iter()
        .filter(|function| function.guard.is_some())
        .map(|function| {
            assert_eq!(function.guard.as_ref(), Some(&owner), "{function:?}");
            function.selector
        })
        .collect();
    let source = [
        "mint(address,uint256)",
        "burnFrom(address,uint256)",
        "setPaused(bool)",
        "setBlacklisted(address,bool)",
        "setFee(uint16,address)",
        "sweep(address)",
        "sweepToken(address,address,uint256)",
        "run(address,bytes)",
        "transferOwnership(address)",
        "renounceOwnership()",
    ];
    let wanted: BTreeSet<_> = source.iter().map(|signature| hex::encode_prefixed(&keccak256(signature)[..4])).collect();
    assert_eq!(guarded, wanted);
}

#[test]
fn each_power_of_the_demo_s_owner_is_found_with_what_it_stands_on() {
    let examined = examined("DemoToken");
    let of = |power| finding(&examined.findings, power);
    for (power, severity, function) in [
        (Power::Mint, Severity::High, "mint(address,uint256)"),
        (Power::Burn, Severity::High, "burnFrom(address,uint256)"),
        (Power::Block, Severity::High, "setBlacklisted(address,bool)"),
        (Power::RunAnyCode, Severity::High, "run(address,bytes)"),
        (Power::Pause, Severity::Medium, "setPaused(bool)"),
        (Power::Fee, Severity::Medium, "setFee(uint16,address)"),
        (Power::Withdraw, Severity::Medium, "sweep(address)"),
        (Power::CallAnything, Severity::Medium, "sweepToken(address,address,uint256)"),
    ] {
        assert_eq!(of(power).functions, [function], "{power:?}");
        assert_eq!(of(power).severity, severity, "{power:?}");
        assert!(of(power).title.starts_with("The owner "), "{}", of(power).title);
    }
    assert_eq!(of(Power::Block).slots, ["0x7"]);
    assert_eq!(of(Power::Pause).slots, ["0x5"]);
    assert_eq!(of(Power::Fee).slots, ["0x5", "0x6"]);
    assert!(of(Power::RunAnyCode).opcodes[0].starts_with("DELEGATECALL at 0x"), "{:?}", of(Power::RunAnyCode).opcodes);
    assert_eq!(of(Power::Ownership).functions, ["renounceOwnership()", "transferOwnership(address)"]);
    let severities: Vec<_> = examined.findings.iter().map(|finding| finding.severity).collect();
    assert!(severities.is_sorted(), "the worst first: {severities:?}");
    assert!(!powers(&examined).contains(&Power::TakeOver));
    assert!(examined.contract.complete);
}

#[test]
fn traps_are_open_to_anybody() {
    let examined = examined("Traps");
    for (power, function) in [
        (Power::Destroy, "destroy(address)"),
        (Power::Withdraw, "0xece53132(address)"),
        (Power::RunAnyCode, "execute(address,bytes)"),
        (Power::TakeOver, "0x159090bd()"),
    ] {
        let finding = finding(&examined.findings, power);
        assert_eq!(finding.functions, [function], "{power:?}");
        assert_eq!(finding.severity, Severity::High);
        assert!(finding.title.starts_with("Anybody "), "{}", finding.title);
    }
    let opcodes: BTreeSet<_> = examined.contract.opcodes.iter().map(|site| site.opcode.as_str()).collect();
    assert_eq!(opcodes, ["CREATE2", "DELEGATECALL", "SELFDESTRUCT"].into());
    let code = runtime("Traps");
    for site in &examined.contract.opcodes {
        let byte = match site.opcode.as_str() {
            "CREATE2" => 0xf5,
            "DELEGATECALL" => 0xf4,
            _ => 0xff,
        };
        assert_eq!(code[site.offset as usize], byte, "{site:?}");
    }
}

/// Its admin's function is in no dispatcher, and everybody else's calls are handed on: neither hides who may upgrade.
#[test]
fn a_transparent_proxy_shows_what_only_its_admin_reaches() {
    let examined = examined("Transparent");
    assert_eq!(examined.proxy.expect("a proxy").kind, ProxyKind::Transparent);
    let [upgrade] = examined.contract.functions.as_slice() else { panic!("{:#?}", examined.contract.functions) };
    assert_eq!(upgrade.title(), "upgradeToAndCall(address,bytes)");
    assert!(matches!(upgrade.guard, Some(Guard::Address { .. })), "{:?}", upgrade.guard);
    assert_eq!(finding(&examined.findings, Power::Upgrade).functions, ["upgradeToAndCall(address,bytes)"]);
}

#[test]
fn structs_in_mappings_are_told_with_their_members() {
    let of = |name: &str, slot: &str| {
        let storage = examined(name).contract.storage;
        storage.into_iter().find(|variable| variable.slot == slot).map(|variable| variable.kind)
    };
    // bytes32 => RoleData: a mapping and a word.
    assert_eq!(of("Tickets", "0x7").as_deref(), Some("mapping(uint256 => (mapping(address => bool),uint256))"));
    // Elements and long texts lie where a hash says, and are told with their variable.
    for name in ["Shapes", "DemoToken"] {
        assert!(examined(name).contract.storage.iter().all(|variable| variable.slot.len() < 10), "{name}");
    }
}

#[tokio::test]
async fn the_answer_is_one_sentence_and_each_finding_says_what_to_do() {
    let of = async |name: &str| {
        let input = Input { address: None, bytecode: Some(format!("0x{}", artifact(name).runtime)) };
        x_ray(&input, &Shelf::default()).await.unwrap()
    };
    let token = of("DemoToken").await;
    assert!(token.headline.starts_with("A token (ERC-20) with 24 functions"), "{}", token.headline);
    assert!(token.headline.contains("Whoever is in charge can run any code in its name, create tokens"), "{}", token.headline);
    assert!(token.findings.iter().all(|finding| !finding.advice.is_empty()), "{:#?}", token.findings);
    let traps = of("Traps").await;
    assert!(traps.headline.contains("Anybody can run any code in its name, end it"), "{}", traps.headline);
    assert!(traps.headline.contains("stay away from it"), "{}", traps.headline);
    assert!(of("Shapes").await.headline.ends_with("We found no power over those who use it."));
    assert!(of("Proxy1967").await.headline.contains("that code is elsewhere"));
}

#[test]
fn plain_storage_without_owners_worries_nobody() {
    let examined = examined("Shapes");
    assert_eq!(examined.findings, []);
    assert_eq!(examined.authorities, []);
    assert_eq!(examined.proxy, None);
}

#[test]
fn roles_are_guards_too() {
    let examined = examined("Tickets");
    let guarded = |title: &str| {
        examined.contract.functions.iter().find(|function| function.title() == title).and_then(|function| function.guard.clone())
    };
    let roles = examined.contract.storage.iter().find(|variable| variable.name.as_deref() == Some("hasRole")).expect("the roles");
    for title in
        ["safeMint(address,uint256)", "pause()", "unpause()", "grantRole(bytes32,address)", "revokeRole(bytes32,address)"]
    {
        assert_eq!(guarded(title), Some(Guard::Mapping { slot: roles.slot.clone() }), "{title}");
    }
    for title in ["transferFrom(address,address,uint256)", "approve(address,uint256)", "setApprovalForAll(address,bool)"] {
        assert_eq!(guarded(title), None, "{title}");
    }
    assert_eq!(finding(&examined.findings, Power::Mint).functions, ["safeMint(address,uint256)"]);
    assert_eq!(finding(&examined.findings, Power::Pause).functions, ["unpause()", "pause()"]);
    finding(&examined.findings, Power::Roles);
    assert!(!powers(&examined).contains(&Power::Block), "{:#?}", examined.findings);
    assert!(!powers(&examined).contains(&Power::CallAnything), "asking the receiver back is no power");
}

#[test]
fn standards_are_recognised_by_all_their_functions() {
    for (name, standards) in [
        ("DemoToken", vec!["ERC-20", "ERC-173"]),
        ("Tickets", vec!["ERC-165", "ERC-721", "AccessControl"]),
        ("Items", vec!["ERC-165", "ERC-173", "ERC-1155"]),
        ("Dollar", vec!["ERC-20", "ERC-2612", "ERC-3009", "ERC-5267"]),
        ("Vault", vec!["ERC-20", "ERC-4626"]),
        ("Upgradeable", vec!["ERC-1822"]),
        ("Traps", vec![]),
    ] {
        assert_eq!(examined(name).contract.interfaces, standards, "{name}");
    }
}

#[test]
fn the_compiler_is_read_from_the_metadata() {
    let compiler = examined("DemoToken").contract.compiler.expect("solc leaves its name");
    assert_eq!(compiler.version.as_deref(), Some("solc 0.8.37"));
    assert!(compiler.ipfs.expect("and the source's hash").starts_with("0x1220"));
    assert_eq!(examine(&[0x60, 0x00]).unwrap().contract.compiler, None);
}

#[test]
fn the_same_code_gives_the_same_answer() {
    for name in CONTRACTS {
        assert_eq!(examined(name), examined(name), "{name}");
    }
}

/// The shop window's sample is the demo's contract as it is examined today.
/// `UPDATE_SAMPLE=1 cargo test …` writes it anew; the card's version is then to be raised.
#[tokio::test]
async fn the_sample_is_honest() {
    let input = Input { address: None, bytecode: Some(format!("0x{}", artifact("DemoToken").runtime)) };
    let report = x_ray(&input, &Shelf::default()).await.unwrap();
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/agents/contract_xray/sample.json");
        std::fs::write(path, serde_json::to_string(&report).unwrap() + "\n").unwrap();
        return;
    }
    assert_eq!(sample(), report);
}

#[test]
fn what_the_demo_deploys_is_what_was_examined() {
    let creation = include_str!("../end2end/contracts/out/DemoToken.hex");
    assert_eq!(creation.trim_end(), artifact("DemoToken").creation);
    assert!(creation.contains(&artifact("DemoToken").runtime), "no immutables: the runtime code is in it as it is");
}

// --- proxies, by address ---

/// Code and storage by address: a chain without a node.
#[derive(Default)]
struct Shelf {
    code: BTreeMap<Address, Vec<u8>>,
    storage: BTreeMap<(Address, [u8; 32]), [u8; 32]>,
    answers: BTreeMap<Address, Vec<u8>>,
    silent: bool,
    asked: Mutex<u32>,
}

impl Shelf {
    fn with(mut self, address: u8, code: Vec<u8>) -> Self {
        self.code.insert(Address([address; 20]), code);
        self
    }

    /// The slot's low 20 bytes hold the address.
    fn pointing(mut self, from: u8, slot: &str, to: u8) -> Self {
        let slot: [u8; 32] = hex::decode(slot).unwrap().try_into().unwrap();
        let mut word = [0; 32];
        word[12..].fill(to);
        self.storage.insert((Address([from; 20]), slot), word);
        self
    }

    fn answer<T>(&self, answer: T) -> Result<T, Unavailable> {
        *self.asked.lock().unwrap() += 1;
        if self.silent {
            Err(Unavailable { network: "eip155:31337".to_owned(), cause: "refused".to_owned() })
        } else {
            Ok(answer)
        }
    }
}

impl CodeSource for Shelf {
    fn network_id(&self) -> String {
        "eip155:31337".to_owned()
    }
    fn network_name(&self) -> String {
        "Test chain".to_owned()
    }
    async fn code(&self, address: Address) -> Result<Vec<u8>, Unavailable> {
        self.answer(self.code.get(&address).cloned().unwrap_or_default())
    }
    async fn storage(&self, address: Address, slot: [u8; 32]) -> Result<[u8; 32], Unavailable> {
        self.answer(self.storage.get(&(address, slot)).copied().unwrap_or_default())
    }
    async fn call(&self, to: Address, _data: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        self.answer(self.answers.get(&to).cloned())
    }
}

const IMPLEMENTATION_SLOT: &str = "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc";
const ADMIN_SLOT: &str = "b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103";
const BEACON_SLOT: &str = "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50";

fn address(byte: u8) -> String {
    Address([byte; 20]).to_string()
}

async fn look_at(byte: u8, shelf: &Shelf) -> Result<Report, CallError> {
    x_ray(&Input { address: Some(address(byte)), bytecode: None }, shelf).await
}

#[tokio::test]
async fn a_clone_tells_its_target_and_the_target_is_examined() {
    for (before, after) in [
        ("363d3d373d3d3d363d73", "5af43d82803e903d91602b57fd5bf3"),
        ("3d3d3d3d363d3d37363d73", "5af43d3d93803e602a57fd5bf3"),
        ("365f5f375f5f365f73", "5af43d5f5f3e5f3d91602a57fd5bf3"),
    ] {
        let clone = hex::decode(format!("{before}{}{after}", "22".repeat(20))).unwrap();
        let report = look_at(1, &Shelf::default().with(1, clone).with(2, runtime("DemoToken"))).await.unwrap();
        let proxy = report.proxy.expect("a clone");
        assert_eq!((proxy.kind, proxy.implementation), (ProxyKind::Minimal, Some(address(0x22))));
        assert_eq!(report.implementation, None, "nobody lives at 0x2222…");
    }
    let clone = hex::decode(format!("363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf3", "02".repeat(20))).unwrap();
    let report = look_at(1, &Shelf::default().with(1, clone).with(2, runtime("DemoToken"))).await.unwrap();
    let implementation = report.implementation.expect("examined too");
    assert_eq!((implementation.address, implementation.interfaces.len()), (Some(address(2)), 2));
    assert!(finding(&report.findings, Power::Burn).in_implementation);
}

#[tokio::test]
async fn a_1967_proxy_is_uups_where_its_implementation_upgrades_itself() {
    let shelf =
        Shelf::default().with(1, runtime("Proxy1967")).with(2, runtime("Upgradeable")).pointing(1, IMPLEMENTATION_SLOT, 2);
    let report = look_at(1, &shelf).await.unwrap();
    let proxy = report.proxy.expect("a proxy");
    assert_eq!((proxy.kind, proxy.implementation, proxy.admin), (ProxyKind::Uups, Some(address(2)), None));
    let upgrade = finding(&report.findings, Power::Upgrade);
    assert_eq!((upgrade.severity, upgrade.in_implementation), (Severity::Low, true), "the owner's slot is empty in the proxy");
    assert_eq!(upgrade.functions, ["upgradeToAndCall(address,bytes)"]);
    assert_eq!(upgrade.slots, [format!("0x{IMPLEMENTATION_SLOT}")]);

    let plain = Shelf::default().with(1, runtime("Proxy1967")).with(2, runtime("Shapes")).pointing(1, IMPLEMENTATION_SLOT, 2);
    assert_eq!(look_at(1, &plain).await.unwrap().proxy.unwrap().kind, ProxyKind::Eip1967);
}

#[tokio::test]
async fn a_transparent_proxy_names_its_admin() {
    let shelf = Shelf::default()
        .with(1, runtime("Transparent"))
        .with(2, runtime("Shapes"))
        .pointing(1, IMPLEMENTATION_SLOT, 2)
        .pointing(1, ADMIN_SLOT, 3);
    let proxy = look_at(1, &shelf).await.unwrap().proxy.expect("a proxy");
    assert_eq!((proxy.kind, proxy.implementation, proxy.admin), (ProxyKind::Transparent, Some(address(2)), Some(address(3))));
}

#[tokio::test]
async fn a_beacon_is_asked_for_the_implementation() {
    let mut shelf = Shelf::default()
        .with(1, runtime("FromBeacon"))
        .with(2, runtime("Shapes"))
        .with(3, runtime("Beacon"))
        .pointing(1, BEACON_SLOT, 3);
    let mut word = vec![0; 12];
    word.extend([2; 20]);
    shelf.answers.insert(Address([3; 20]), word);
    let report = look_at(1, &shelf).await.unwrap();
    let proxy = report.proxy.expect("a proxy");
    assert_eq!((proxy.kind, proxy.beacon, proxy.implementation), (ProxyKind::Beacon, Some(address(3)), Some(address(2))));
    assert!(report.implementation.is_some());
}

#[tokio::test]
async fn a_delegated_account_runs_a_contract_s_code() {
    let account = [[0xef, 0x01, 0x00].as_slice(), &[2; 20]].concat();
    let report = look_at(1, &Shelf::default().with(1, account).with(2, runtime("Traps"))).await.unwrap();
    let proxy = report.proxy.expect("a delegation");
    assert_eq!((proxy.kind, proxy.implementation), (ProxyKind::Delegation, Some(address(2))));
    assert_eq!(report.contract.code_size, 23);
    assert!(finding(&report.findings, Power::Destroy).in_implementation);
}

#[tokio::test]
async fn an_owner_who_is_nobody_is_no_danger() {
    let slot = format!("{:064x}", 5);
    let owned = Shelf::default().with(1, runtime("DemoToken")).pointing(1, &slot, 9);
    let report = look_at(1, &owned).await.unwrap();
    assert_eq!(report.authorities[0].holder, Some(address(9)));
    assert_eq!(finding(&report.findings, Power::Mint).severity, Severity::High);

    let renounced = look_at(1, &Shelf::default().with(1, runtime("DemoToken"))).await.unwrap();
    assert_eq!(renounced.authorities[0].holder, Some(address(0)));
    let mint = finding(&renounced.findings, Power::Mint);
    assert_eq!(mint.severity, Severity::Low);
    assert!(mint.detail.contains("zero address"), "{}", mint.detail);
}

#[tokio::test]
async fn no_code_fails_for_good_and_a_silent_node_does_not() {
    let nothing = look_at(1, &Shelf::default()).await.unwrap_err();
    assert_eq!((nothing.code, nothing.retry), (Code::AgentFailed, Retry::No));
    assert!(nothing.error.contains("There is no code at 0x0101") && nothing.error.contains("Test chain"), "{}", nothing.error);

    let silent = look_at(1, &Shelf { silent: true, ..Shelf::default() }).await.unwrap_err();
    assert_eq!((silent.code, silent.retry), (Code::AgentFailed, Retry::SamePayment));
    assert!(silent.error.contains("The network's node did not answer."), "{}", silent.error);
}

#[tokio::test]
async fn given_bytecode_asks_no_chain() {
    let shelf = Shelf { silent: true, ..Shelf::default() };
    let input = Input { address: None, bytecode: Some(format!("0x{}", artifact("Proxy1967").runtime)) };
    let report = x_ray(&input, &shelf).await.unwrap();
    assert_eq!(report.proxy.expect("told by the code").kind, ProxyKind::Eip1967);
    assert_eq!(*shelf.asked.lock().unwrap(), 0);
}

/// A node's answers, read as the shop reads them, but for the batching and the failover.
struct Node {
    url: url::Url,
    client: reqwest::Client,
}

impl Node {
    /// The result, or the error object.
    async fn request(&self, method: &str, params: serde_json::Value) -> Result<serde_json::Value, serde_json::Value> {
        let request = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.client.post(self.url.clone()).json(&request).send().await.expect("anvil answers");
        let mut answer: serde_json::Value = answer.json().await.expect("in JSON");
        if answer.get("error").is_some() { Err(answer["error"].take()) } else { Ok(answer["result"].take()) }
    }

    async fn ask(&self, method: &'static str, words: Vec<String>) -> Result<Vec<u8>, Unavailable> {
        let words: Vec<_> = words.into_iter().chain(["latest".to_owned()]).collect();
        let answer = self.request(method, words.into()).await.expect("anvil answers");
        Ok(hex::decode(answer.as_str().unwrap()).unwrap())
    }
}

impl CodeSource for Node {
    fn network_id(&self) -> String {
        "eip155:31337".to_owned()
    }
    fn network_name(&self) -> String {
        "Anvil".to_owned()
    }
    async fn code(&self, address: Address) -> Result<Vec<u8>, Unavailable> {
        self.ask("eth_getCode", vec![address.to_string()]).await
    }
    async fn storage(&self, address: Address, slot: [u8; 32]) -> Result<[u8; 32], Unavailable> {
        let word = self.ask("eth_getStorageAt", vec![address.to_string(), hex::encode_prefixed(slot)]).await?;
        Ok(word.try_into().unwrap())
    }
    async fn call(&self, to: Address, data: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        let call = serde_json::json!({ "to": to.to_string(), "data": hex::encode_prefixed(data) });
        let answer = self.request("eth_call", serde_json::json!([call, "latest"])).await;
        Ok(answer.ok().map(|answer| hex::decode(answer.as_str().unwrap()).unwrap()))
    }
}

/// Deploys and calls from anvil's unlocked first account.
async fn send(node: &Node, from: &str, to: Option<&str>, data: String) -> Option<String> {
    let mut transaction = serde_json::json!({ "from": from, "data": data });
    if let Some(to) = to {
        transaction["to"] = to.into();
    }
    let hash = node.request("eth_sendTransaction", serde_json::json!([transaction])).await.expect("sent");
    // Mined at once; the receipt may follow a moment later.
    for _ in 0..200 {
        let receipt = node.request("eth_getTransactionReceipt", serde_json::json!([hash])).await.unwrap();
        if !receipt.is_null() {
            assert_eq!(receipt["status"], "0x1", "{receipt}");
            return receipt["contractAddress"].as_str().map(str::to_owned);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{hash} was not mined");
}

/// What is deployed by real transactions is read as it stands: constructor, immutables, storage and all.
#[tokio::test]
async fn contracts_on_a_real_chain_are_read_through_their_proxies() {
    let anvil = AnvilProcess::start(31337, &[]);
    let node = Node { url: anvil.url(), client: coinslot::http_client::builder().build().unwrap() };
    let deployer = format!("{:#x}", anvil.addresses()[0]);
    let word = |address: &str| format!("{:0>64}", address.trim_start_matches("0x"));
    let creation = |name: &str| format!("0x{}", artifact(name).creation);
    let report = async |address: &str| x_ray(&Input { address: Some(address.to_owned()), bytecode: None }, &node).await.unwrap();

    let token = send(&node, &deployer, None, creation("DemoToken")).await.unwrap();
    let seen = report(&token).await;
    assert_eq!(seen.contract.interfaces, ["ERC-20", "ERC-173"]);
    assert_eq!(seen.authorities[0].holder.as_deref(), Some(deployer.as_str()));
    assert_eq!(seen.network.as_deref(), Some("eip155:31337"));
    assert_eq!(seen.contract, Contract { address: Some(token.clone()), ..sample().contract });

    send(&node, &deployer, Some(&token), hex::encode_prefixed(&keccak256("renounceOwnership()")[..4])).await;
    assert_eq!(finding(&report(&token).await.findings, Power::Mint).severity, Severity::Low);

    // new Proxy1967(Upgradeable, initialize(deployer))
    let upgradeable = send(&node, &deployer, None, creation("Upgradeable")).await.unwrap();
    let initialize = format!("{}{}", hex::encode(&keccak256("initialize(address)")[..4]), word(&deployer));
    let arguments = format!("{}{:064x}{:064x}{initialize:0<128}", word(&upgradeable), 0x40, initialize.len() / 2);
    let proxy = send(&node, &deployer, None, creation("Proxy1967") + &arguments).await.unwrap();
    let seen = report(&proxy).await;
    let shown = seen.proxy.expect("a proxy");
    assert_eq!((shown.kind, shown.implementation), (ProxyKind::Uups, Some(upgradeable.clone())));
    let upgrade = finding(&seen.findings, Power::Upgrade);
    assert_eq!((upgrade.severity, upgrade.in_implementation), (Severity::High, true));
    assert_eq!(
        seen.authorities[0].holder.as_deref(),
        Some(deployer.as_str()),
        "who is in the proxy's storage, not the implementation's"
    );

    // new Transparent(Upgradeable, deployer, initialize(deployer)) makes its own admin.
    let tail = format!("{:064x}{initialize:0<128}", initialize.len() / 2);
    let arguments = format!("{}{}{:064x}{tail}", word(&upgradeable), word(&deployer), 0x60);
    let transparent = send(&node, &deployer, None, creation("Transparent") + &arguments).await.unwrap();
    let shown = report(&transparent).await.proxy.expect("a proxy");
    assert_eq!((shown.kind, shown.implementation), (ProxyKind::Transparent, Some(upgradeable.clone())));
    assert!(shown.admin.is_some_and(|admin| admin != deployer));

    // new Beacon(Upgradeable, deployer), new FromBeacon(beacon, "")
    let beacon =
        send(&node, &deployer, None, format!("{}{}{}", creation("Beacon"), word(&upgradeable), word(&deployer))).await.unwrap();
    let arguments = format!("{}{:064x}{:064x}", word(&beacon), 0x40, 0);
    let from_beacon = send(&node, &deployer, None, creation("FromBeacon") + &arguments).await.unwrap();
    let shown = report(&from_beacon).await.proxy.expect("a proxy");
    assert_eq!((shown.kind, shown.beacon, shown.implementation), (ProxyKind::Beacon, Some(beacon), Some(upgradeable)));
}

// --- how it is shown ---

fn html(view: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| view().to_html())
}

#[test]
fn the_report_is_shown_as_data() {
    let mut report = sample();
    let evil = "<script>alert(1)</script>";
    report.contract.functions[0].signature = Some(evil.to_owned());
    report.contract.storage[0].name = Some(evil.to_owned());
    report.findings[0].title = evil.to_owned();
    let shown = html(move || view! { <ReportView report/> }.into_any());
    assert!(!shown.contains("<script"), "an agent's text is never markup");
    assert!(shown.contains("&lt;script"), "but it is shown");
    assert!(!shown.contains("style="), "the page's policy allows no style attributes");
    for part in ["<caption>", "<tbody>", "severity high", "scope=\"col\"", "<svg", "role=\"region\"", "transfer(address,uint256)"]
    {
        assert!(shown.contains(part), "{part} is not in the page");
    }
}

#[test]
fn the_form_tells_each_error_at_its_field() {
    let shown = html(|| {
        let input = RwSignal::new(Input { address: None, bytecode: Some("0x608".to_owned()) });
        let errors = Signal::stored(vec![FieldError { field: "bytecode".to_owned(), error: "One digit is missing.".to_owned() }]);
        view! { <Form input errors/> }.into_any()
    });
    let at = shown.find("One digit is missing.").expect("it is told");
    assert!(shown[..at].rfind("id=\"xray-bytecode-error\"") > shown[..at].rfind("id=\"xray-bytecode-hint\""), "{shown}");
    assert!(shown.contains("aria-describedby=\"xray-bytecode-hint xray-bytecode-error\""));
    assert_eq!(shown.matches("aria-invalid").count(), 1, "only the field that is wrong");
}

// --- hostile code ---

/// A dispatcher with one function, then `body`, which begins at 0x21.
fn function(body: &[u8]) -> Vec<u8> {
    let mut code = hex::decode("5f3560e01c631122334414602057").unwrap();
    code.resize(0x20, 0);
    code.push(0x5b);
    code.extend(body);
    code
}

/// Each entry of ours alone, without evmole: bounded work, whatever the code.
#[test]
fn following_code_ends_whatever_the_code() {
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise as u8
    };
    let mut codes: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("one byte", vec![0x5b]),
        ("128 KB of JUMPDEST", vec![0x5b; 131_072]),
        ("128 KB of PUSH32", vec![0x7f; 131_072]),
        ("128 KB of INVALID", vec![0xfe; 131_072]),
        ("a loop", function(&[0x5b, 0x60, 0x21, 0x56])),
        ("a loop that branches", function(&[0x5b, 0x36, 0x60, 0x21, 0x57, 0x60, 0x21, 0x56])),
        ("a cut PUSH", function(&[0x62, 0x01])),
    ];
    codes.extend((0..20).map(|_| ("noise", (0..4096).map(|_| random()).collect())));
    for (what, code) in codes {
        let begun = Instant::now();
        let _ = examine(&code);
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
    }
}

#[test]
fn empty_code_has_nothing() {
    let examined = examine(&[]).unwrap();
    assert_eq!(examined.contract.code_size, 0);
    assert_eq!(examined.contract.functions, []);
    assert_eq!(examined.findings, []);
}

#[test]
fn more_functions_than_anybody_has_are_refused_before_they_cost() {
    let mut code = hex::decode("5f3560e01c").unwrap();
    for selector in 1..=5000u32 {
        code.extend([0x80, 0x63]);
        code.extend(selector.to_be_bytes());
        code.extend([0x14, 0x62, 1, 0xff, 0xfe, 0x57]);
    }
    code.resize(0x1fffe, 0);
    code.push(0x5b);
    let begun = Instant::now();
    assert_eq!(examine(&code), Err(Refusal::TooManyFunctions(5000)));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// Loops that cost evmole gigabytes or minutes: the process that examines them ends, the shop does not.
///
/// The limit that ends it is the processor's time, which other work on the machine does not use up, and evmole is optimised in every
/// profile (Cargo.toml), so a debug build has the same three seconds for the same work.
#[tokio::test]
async fn code_made_to_stall_the_analyser_ends_in_time() {
    apart::examine_with(env!("CARGO_BIN_EXE_coinslot").into());
    // The program does work, and says the same as we do here.
    assert_eq!(apart::examined(runtime("DemoToken")).await, Ok(examined("DemoToken")));

    // What can be told without the dearest part is told, and that it is not all.
    let copies_32_kb_for_ever = function(&hex::decode("5b617fff5f5f39602156").unwrap());
    let stores_and_loads_for_ever = function(&hex::decode("5b5f61ffff525f5150602156").unwrap());
    for code in [copies_32_kb_for_ever, stores_and_loads_for_ever] {
        let begun = Instant::now();
        let examined = apart::examined(code).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!((examined.contract.functions.len(), examined.contract.complete), (1, false));
    }

    // A thousand such functions are too much for every part.
    let mut code = hex::decode("5f3560e01c").unwrap();
    for selector in 1..=1000u32 {
        code.extend([0x80, 0x63]);
        code.extend(selector.to_be_bytes());
        code.extend([0x14, 0x62, 1, 0xff, 0x00, 0x57]);
    }
    code.resize(0x1ff00, 0);
    code.extend(hex::decode("5b5f61ffff525f51506201ff0056").unwrap());
    let begun = Instant::now();
    let input = Input { address: None, bytecode: Some(hex::encode_prefixed(&code)) };
    let failure = x_ray(&input, &Shelf::default()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(failure.code, Code::AgentFailed);
    // A crowded machine says "busy" at that point. Given time, the limit on the processor's is met, for good.
    assert_eq!(apart::examined_within(Duration::from_secs(120), code).await, Err(apart::Failure::Refused(Refusal::TooExpensive)));
}

// --- validation ---

fn errors(json: &str) -> Vec<(String, String)> {
    let input: Input = serde_json::from_str(json).unwrap();
    match input.validate() {
        Ok(()) => Vec::new(),
        Err(report) => report.iter().map(|(path, error)| (path.to_string(), error.to_string())).collect(),
    }
}

#[test]
fn what_is_wrong_is_told_at_its_field() {
    let long = format!(r#"{{"bytecode":"0x{}"}}"#, "00".repeat(131_073));
    for (json, field, part) in [
        ("{}", "address", "Enter a contract's address"),
        (r#"{"address":"0x52908400098527886e0f7030069857d2e4169ee7","bytecode":"0x00"}"#, "address", "not both"),
        (r#"{"address":"foo"}"#, "address", "40 hexadecimal digits"),
        (r#"{"address":""}"#, "address", "40 hexadecimal digits"),
        (r#"{"address":"0x5290840009852788"}"#, "address", "40 hexadecimal digits"),
        (r#"{"address":"0x52908400098527886E0F7030069857d2E4169EE7"}"#, "address", "typing error"),
        (r#"{"bytecode":""}"#, "bytecode", "starts with 0x"),
        (r#"{"bytecode":"6080"}"#, "bytecode", "starts with 0x"),
        (r#"{"bytecode":"0x"}"#, "bytecode", "no code"),
        (r#"{"bytecode":"0x608"}"#, "bytecode", "two digits"),
        (r#"{"bytecode":"0x60zz"}"#, "bytecode", "digit 3 is none"),
        (r#"{"bytecode":"0xéé"}"#, "bytecode", "digit 1 is none"),
        (long.as_str(), "bytecode", "at most 128 KB"),
    ] {
        let errors = errors(json);
        let shown: String = json.chars().take(80).collect();
        assert_eq!(errors.len(), 1, "{shown}: {errors:?}");
        assert_eq!(errors[0].0, field, "{shown}");
        assert!(errors[0].1.contains(part), "{shown}: {}", errors[0].1);
    }
}

#[test]
fn what_is_right_passes_and_is_sent_as_it_is() {
    let longest = format!(r#"{{"bytecode":"0x{}"}}"#, "00".repeat(131_072));
    for json in [
        r#"{"address":"0x52908400098527886E0F7030069857D2E4169EE7"}"#,
        r#"{"address":"0x52908400098527886e0f7030069857d2e4169ee7"}"#,
        r#"{"bytecode":"0x00"}"#,
        longest.as_str(),
    ] {
        assert_eq!(errors(json), [], "{}", &json[..20]);
        let input: Input = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&input).unwrap(), json);
    }
    assert!(serde_json::from_str::<Input>(r#"{"adress":"0x00"}"#).is_err(), "a misspelt field is no empty input");
}
