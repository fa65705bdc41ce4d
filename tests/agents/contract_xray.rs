//! Contract X-ray against solc, and against what is read in the sources (end2end/agents/contract_xray.corpus.mjs).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Command,
};

use alloy::dyn_abi::DynSolType;
use coinslot::agents::{
    contract_xray::{
        Mutability, Power, Variable,
        examine::{Examined, examine},
    },
    names,
};
use serde::Deserialize;

use crate::table::Row;

/// One contract, as solc and its source have it.
#[derive(Deserialize)]
struct Known {
    name: String,
    runtime: String,
    functions: Vec<Method>,
    storage: Vec<Stored>,
    /// Signatures.
    only: BTreeSet<String>,
    powers: BTreeSet<Power>,
    proxy: Option<String>,
    slot: Option<String>,
    hidden: Vec<String>,
}

#[derive(Deserialize)]
struct Method {
    signature: String,
    mutability: Mutability,
}

#[derive(Deserialize)]
struct Stored {
    label: String,
    slot: String,
    offset: u8,
    bytes: u8,
    #[serde(rename = "type")]
    kind: String,
}

impl Known {
    /// Signature by selector, of everything that it answers to.
    fn signatures(&self) -> BTreeMap<String, &str> {
        let declared = self.functions.iter().map(|method| method.signature.as_str());
        declared.chain(self.hidden.iter().map(String::as_str)).map(|signature| (selector(signature), signature)).collect()
    }
}

pub fn rows() -> Vec<Row> {
    let pairs: Vec<(Known, Examined)> = corpus()
        .into_iter()
        .map(|known| {
            let code = alloy::hex::decode(&known.runtime).expect("hexadecimal");
            let examined = examine(&code).unwrap_or_else(|refusal| panic!("{}: {refusal}", known.name));
            (known, examined)
        })
        .collect();
    vec![
        row("selectors (solc)", 10_000, &pairs, selectors),
        row("arguments as encoded, blind to * (solc)", 9_500, &pairs, arguments),
        row("reads, writes or takes coins (solc)", 9_900, &pairs, mutability),
        row("storage types, blind to * (solc)", 9_500, &pairs, storage),
        row("proxies (the source)", 10_000, &pairs, proxies),
        row("owner powers (the source)", 10_000, &pairs, powers),
        row("who is let in (the source)", 9_500, &pairs, guards),
    ]
}

fn corpus() -> Vec<Known> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("end2end/agents/contract_xray.mjs");
    let output = Command::new("node").arg(script).output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("contracts")
}

/// Cases, and a line for each that differs.
struct Compared<'a> {
    contract: &'a str,
    cases: usize,
    differences: Vec<String>,
}

impl Compared<'_> {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: &T, theirs: &T) {
        self.cases += 1;
        if ours != theirs {
            self.differences.push(format!("{}, {what}: {ours:?}, but is {theirs:?}", self.contract));
        }
    }

    /// Each member of either is a case.
    fn sets<T: Ord + std::fmt::Debug>(&mut self, ours: &BTreeSet<T>, theirs: &BTreeSet<T>) {
        self.cases += ours.union(theirs).count();
        self.differences.extend(ours.difference(theirs).map(|extra| format!("{}: {extra:?}, but has none", self.contract)));
        self.differences.extend(theirs.difference(ours).map(|missed| format!("{}: {missed:?} is not seen", self.contract)));
    }
}

fn row(what: &'static str, target: usize, pairs: &[(Known, Examined)], compare: fn(&Known, &Examined, &mut Compared)) -> Row {
    let mut row = Row { agent: "Contract X-ray", what, target, cases: 0, differences: Vec::new() };
    for (known, examined) in pairs {
        let mut compared = Compared { contract: &known.name, cases: 0, differences: Vec::new() };
        compare(known, examined, &mut compared);
        row.cases += compared.cases;
        row.differences.append(&mut compared.differences);
    }
    row
}

fn selector(signature: &str) -> String {
    alloy::hex::encode_prefixed(names::selector(signature))
}

/// What is the same bytes, and treated the same unless the code looks into it: a whole word as a number and as bytes, `bytes` and text.
fn one_word(kind: &str) -> String {
    kind.replace("bytes32", "uint256").replace("string", "bytes")
}

/// As it is encoded: a struct and an array of fixed length, where nothing in them is of any length, are their members one after the other.
fn encoded(arguments: &str) -> String {
    let arguments: DynSolType = arguments.parse().expect("types");
    match arguments {
        DynSolType::Tuple(members) => members.iter().flat_map(flat).map(|member| written(&member)).collect::<Vec<_>>().join(","),
        one => written(&one),
    }
}

fn flat(kind: &DynSolType) -> Vec<DynSolType> {
    match kind {
        DynSolType::Tuple(members) if !is_dynamic(kind) => members.iter().flat_map(flat).collect(),
        DynSolType::FixedArray(member, length) if !is_dynamic(kind) => {
            vec![member.as_ref(); *length].into_iter().flat_map(flat).collect()
        }
        _ => vec![kind.clone()],
    }
}

fn is_dynamic(kind: &DynSolType) -> bool {
    match kind {
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => true,
        DynSolType::Tuple(members) => members.iter().any(is_dynamic),
        DynSolType::FixedArray(member, _) => is_dynamic(member),
        _ => false,
    }
}

fn written(kind: &DynSolType) -> String {
    let list =
        |members: &[DynSolType]| members.iter().flat_map(flat).map(|member| written(&member)).collect::<Vec<_>>().join(",");
    match kind {
        DynSolType::Tuple(members) => format!("({})", list(members)),
        DynSolType::Array(member) => match flat(member).as_slice() {
            [one] => format!("{}[]", written(one)),
            members => format!("({})[]", list(members)),
        },
        DynSolType::FixedArray(member, length) => format!("{}[{length}]", written(member)),
        other => one_word(&other.sol_type_name()),
    }
}

fn selectors(known: &Known, examined: &Examined, compared: &mut Compared) {
    let ours = examined.contract.functions.iter().map(|function| function.selector.clone()).collect();
    compared.sets(&ours, &known.signatures().into_keys().collect());
}

fn arguments(known: &Known, examined: &Examined, compared: &mut Compared) {
    let signatures = known.signatures();
    for function in &examined.contract.functions {
        let Some(signature) = signatures.get(&function.selector) else { continue };
        let (_, arguments) = signature.split_once('(').expect("arguments");
        compared.same(signature, &encoded(&format!("({})", function.arguments)), &encoded(&format!("({arguments}")));
    }
}

fn mutability(known: &Known, examined: &Examined, compared: &mut Compared) {
    for method in &known.functions {
        let Some(function) = examined.contract.functions.iter().find(|found| found.selector == selector(&method.signature))
        else {
            continue;
        };
        // A constant's getter is `view` by declaration and pure by its code: only whether it reads is not compared.
        let effect = |mutability| match mutability {
            Mutability::Pure | Mutability::View => "only reads",
            Mutability::NonPayable => "writes",
            Mutability::Payable => "takes coins",
        };
        compared.same(&method.signature, &effect(function.mutability), &effect(method.mutability));
    }
}

/// Each variable of solc's layout, and each of ours in a numbered slot that solc knows nothing of.
fn storage(known: &Known, examined: &Examined, compared: &mut Compared) {
    if known.storage.is_empty() {
        return;
    }
    let described = |kind: &str, bytes: u8| format!("{} in {bytes} bytes", one_word(kind));
    let mut ours: BTreeMap<(&str, u8), &Variable> =
        examined.contract.storage.iter().map(|variable| ((variable.slot.as_str(), variable.offset), variable)).collect();
    for Stored { label, slot, offset, bytes, kind } in &known.storage {
        let found = ours.remove(&(slot.as_str(), *offset));
        let found = found.map_or_else(|| "nothing".to_owned(), |variable| described(&variable.kind, variable.bytes));
        compared.same(&format!("{label} at {slot}+{offset}"), &found, &described(kind, *bytes));
    }
    // What a standard puts where a hash says is in no layout.
    for ((slot, offset), variable) in ours.into_iter().filter(|((slot, _), _)| slot.len() < 18) {
        compared.same(&format!("{slot}+{offset}"), &described(&variable.kind, variable.bytes), &"nothing".to_owned());
    }
}

fn proxies(known: &Known, examined: &Examined, compared: &mut Compared) {
    let ours = examined.proxy.as_ref();
    let kind = ours.map(|proxy| serde_json::to_value(proxy.kind).expect("a word").as_str().expect("a word").to_owned());
    let slot = ours.and_then(|proxy| proxy.slot.clone());
    compared.same("proxy", &(kind, slot), &(known.proxy.clone(), known.slot.clone()));
}

fn powers(known: &Known, examined: &Examined, compared: &mut Compared) {
    compared.sets(&examined.findings.iter().map(|finding| finding.power).collect(), &known.powers);
}

fn guards(known: &Known, examined: &Examined, compared: &mut Compared) {
    let signatures = known.signatures();
    for function in &examined.contract.functions {
        let Some(signature) = signatures.get(&function.selector) else { continue };
        let ours = function.guard.as_ref().map_or("anybody", |_| "only some");
        let theirs = if known.only.contains(*signature) { "only some" } else { "anybody" };
        compared.same(signature, &ours, &theirs);
    }
}
