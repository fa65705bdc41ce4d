//! One piece of code, whole: evmole's view of it and ours, put together.
//!
//! evmole's work is not bounded for code that was written to stall it (a loop of twelve bytes takes a gigabyte), so what was
//! sent by a stranger is examined in a process of its own: `apart`.

use std::collections::{BTreeMap, BTreeSet};

use alloy::{
    hex,
    primitives::{Address, U256, keccak256},
};
use evmole::{CborMetadata, CborValue, ContractInfoArgs, StateMutability, contract_info};
use serde::{Deserialize, Serialize};

use super::{
    flow::{Check, Code, Entry, Walk},
    interfaces,
    names::{self, Selector},
    op, powers, proxy,
    report::{Authority, Compiler, Contract, Finding, Function, Guard, Mutability, OpcodeSite, Proxy, Variable},
    storage,
};

/// Far more than the largest contracts in use have; each costs both analyses some milliseconds.
const FUNCTIONS_MAX: usize = 1024;

/// Calls no function where nobody made one for it: no mask, no interface's identifier.
const NOBODY: u32 = 0x9e37_79b9;

/// The code on its own, before any question to a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examined {
    pub contract: Contract,
    pub findings: Vec<Finding>,
    pub authorities: Vec<Authority>,
    pub proxy: Option<Proxy>,
}

/// Why code cannot be examined: the same code will always meet the same end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("This code answers to {0} functions, more than any contract in use: it is made to be expensive, not to be called.")]
    TooManyFunctions(u32),
    #[error(
        "Following this code takes more time or memory than any contract in use: it is made to be expensive, not to be called."
    )]
    TooExpensive,
}

/// One function, with all that was found out about it.
pub(super) struct Traced {
    pub selector: Selector,
    pub title: String,
    pub name: Option<&'static str>,
    /// How many.
    pub arguments: usize,
    pub guard: Option<Guard>,
    pub walk: Walk,
}

/// Examines runtime code. Pure: the same code gives the same answer, in the same order.
///
/// # Errors
/// [`Refusal::TooManyFunctions`], before anything expensive is done with them.
pub fn examine(code: &[u8]) -> Result<Examined, Refusal> {
    examine_telling(code, |_| ())
}

/// The same, telling what is known before the dearest part of the work: all but the types of what is stored.
pub fn examine_telling(code: &[u8], so_far: impl FnOnce(&Examined)) -> Result<Examined, Refusal> {
    let shape = proxy::by_shape(code);
    let metadata = contract_info(ContractInfoArgs::new(code).with_metadata()).metadata;
    if shape.is_some() {
        // Nothing but a jump elsewhere: what follows it is data.
        let contract = contract(code, metadata.as_ref(), Vec::new(), Vec::new(), Vec::new(), true);
        return Ok(Examined { contract, findings: Vec::new(), authorities: Vec::new(), proxy: shape });
    }

    let dispatched = contract_info(ContractInfoArgs::new(code).with_selectors()).functions.unwrap_or_default().len();
    if dispatched > FUNCTIONS_MAX {
        return Err(Refusal::TooManyFunctions(u32::try_from(dispatched).unwrap_or(u32::MAX)));
    }
    let info = contract_info(ContractInfoArgs::new(code).with_arguments().with_state_mutability());
    let mut found: Vec<Found> = info.functions.unwrap_or_default().iter().map(Found::in_dispatcher).collect();
    let selectors: BTreeSet<Selector> = found.iter().map(|function| function.selector).collect();

    let mut followed = Code::new(code);
    let nobody = (NOBODY..=u32::MAX).map(u32::to_be_bytes).find(|selector| !selectors.contains(selector)).unwrap_or_default();
    let fallback = followed.walk(Entry::Function(nobody));
    let receive = followed.walk(Entry::Receive);
    let forwards = proxy::by_fallback(&fallback, &selectors);
    if forwards.is_some() {
        // A transparent proxy answers its admin before it hands calls on, without a dispatcher.
        found.extend(fallback.selectors.iter().filter(|selector| !selectors.contains(*selector)).map(|selector| Found::hidden(*selector)));
        followed.handed_on =
            fallback.deeds.keys().filter(|deed| deed.opcode == op::DELEGATECALL).map(|deed| deed.offset).collect();
    }
    found.sort_by_key(|function| function.selector);

    let traced: Vec<Traced> = found
        .iter()
        .map(|function| {
            let walk = followed.walk(Entry::Function(function.selector));
            Traced {
                selector: function.selector,
                title: function.described.title(),
                name: names::name(function.selector),
                arguments: function.arguments,
                guard: guard(&walk),
                walk,
            }
        })
        .collect();
    let functions = found
        .into_iter()
        .zip(&traced)
        .map(|(function, traced)| Function { guard: traced.guard.clone(), ..function.described })
        .collect();

    let findings = powers::findings(&traced, &fallback, forwards.is_some());
    let opcodes = opcodes(&traced, &fallback, &receive);
    let contract = contract(code, metadata.as_ref(), functions, storage::seen(&traced), opcodes, false);
    let mut examined = Examined { contract, findings, authorities: authorities(&traced), proxy: forwards };
    so_far(&examined);

    let records = contract_info(ContractInfoArgs::new(code).with_storage()).storage.unwrap_or_default();
    let walks = traced.iter().map(|function| &function.walk).chain([&fallback, &receive]);
    examined.contract.storage = storage::typed(records, &traced, walks);
    examined.contract.complete = fallback.complete && receive.complete && traced.iter().all(|function| function.walk.complete);
    Ok(examined)
}

/// A function, before it is followed.
struct Found {
    selector: Selector,
    /// How many.
    arguments: usize,
    described: Function,
}

impl Found {
    fn in_dispatcher(function: &evmole::Function) -> Self {
        let arguments: Vec<_> =
            function.arguments.iter().flatten().map(|argument| argument.sol_type_name().into_owned()).collect();
        let mutability = match function.state_mutability {
            Some(StateMutability::Pure) => Mutability::Pure,
            Some(StateMutability::View) => Mutability::View,
            Some(StateMutability::Payable) => Mutability::Payable,
            Some(StateMutability::NonPayable) | None => Mutability::NonPayable,
        };
        Self {
            selector: function.selector,
            arguments: arguments.len(),
            described: described(function.selector, arguments.join(","), mutability),
        }
    }

    /// Its arguments are those that its selector is known for: it is not called in a way that evmole follows.
    fn hidden(selector: Selector) -> Self {
        let known = names::signature(selector).and_then(|signature| signature.split_once('(')?.1.strip_suffix(')'));
        let arguments = known.unwrap_or_default().to_owned();
        Self { selector, arguments: usize::MAX, described: described(selector, arguments, Mutability::NonPayable) }
    }
}

fn described(selector: Selector, arguments: String, mutability: Mutability) -> Function {
    let signature = names::signature(selector).map(str::to_owned);
    Function { selector: selector_text(selector), signature, arguments, mutability, guard: None }
}

fn contract(
    code: &[u8],
    metadata: Option<&CborMetadata>,
    functions: Vec<Function>,
    storage: Vec<Variable>,
    opcodes: Vec<OpcodeSite>,
    complete: bool,
) -> Contract {
    let selectors = functions.iter().filter_map(|function| function.selector.get(2..)).filter_map(|digits| {
        let bytes = hex::decode(digits).ok()?;
        Selector::try_from(bytes.as_slice()).ok()
    });
    Contract {
        address: None,
        code_size: u32::try_from(code.len()).unwrap_or(u32::MAX),
        code_hash: keccak256(code).to_string(),
        compiler: metadata.map(compiler),
        interfaces: interfaces::recognised(&selectors.collect()),
        functions,
        storage,
        opcodes,
        complete,
    }
}

fn compiler(metadata: &CborMetadata) -> Compiler {
    let entry = |key: &str| metadata.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let version = |key: &str| match entry(key)? {
        CborValue::Bytes(version) if version.len() == 3 => Some(format!("{key} {}.{}.{}", version[0], version[1], version[2])),
        // Nightly builds spell it out. Bounded and printable: it is somebody else's text.
        CborValue::String(version) => {
            let version: String = version.chars().filter(char::is_ascii_graphic).take(64).collect();
            Some(format!("{key} {version}"))
        }
        _ => None,
    };
    Compiler {
        version: version("solc").or_else(|| version("vyper")),
        ipfs: match entry("ipfs") {
            Some(CborValue::Bytes(hash)) if hash.len() <= 64 => Some(hex::encode_prefixed(hash)),
            _ => None,
        },
        experimental: matches!(entry("experimental"), Some(CborValue::Bool(true))),
    }
}

/// The strictest kind of check first: one address, then a list.
fn guard(walk: &Walk) -> Option<Guard> {
    if !walk.ends {
        return None;
    }
    walk.guards.iter().find_map(guard_of).or_else(|| {
        let of: Vec<Guard> = walk.either.iter().filter_map(guard_of).collect::<BTreeSet<_>>().into_iter().collect();
        match of.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            _ => Some(Guard::AnyOf { of }),
        }
    })
}

pub(super) fn guard_of(check: &Check) -> Option<Guard> {
    match check {
        Check::Is(part) => Some(Guard::Slot { slot: slot_text(part.place.slot()?), offset: part.first }),
        Check::Fixed(address) => Some(Guard::Address { address: format!("{:#x}", Address::from_word((*address).into())) }),
        Check::Itself => Some(Guard::Itself),
        Check::Told => Some(Guard::Told),
        Check::In(place) => Some(Guard::Mapping { slot: slot_text(place.slot()?) }),
    }
}

fn authorities(functions: &[Traced]) -> Vec<Authority> {
    let mut by_guard: BTreeMap<&Guard, Vec<String>> = BTreeMap::new();
    for function in functions {
        if let Some(guard) = &function.guard {
            by_guard.entry(guard).or_default().push(function.title.clone());
        }
    }
    by_guard
        .into_iter()
        .map(|(guard, functions)| {
            let holder = match guard {
                Guard::Address { address } => Some(address.clone()),
                _ => None,
            };
            Authority { guard: guard.clone(), holder, functions }
        })
        .collect()
}

fn opcodes(functions: &[Traced], fallback: &Walk, receive: &Walk) -> Vec<OpcodeSite> {
    let mut sites: BTreeMap<(u32, u8), BTreeSet<String>> = BTreeMap::new();
    let named = functions.iter().map(|function| (selector_text(function.selector), &function.walk));
    for (from, walk) in named.chain([("fallback".to_owned(), fallback), ("receive".to_owned(), receive)]) {
        for deed in walk.deeds.keys() {
            if matches!(deed.opcode, op::DELEGATECALL | op::CALLCODE | op::SELFDESTRUCT | op::CREATE | op::CREATE2) {
                sites.entry((deed.offset, deed.opcode)).or_default().insert(from.clone());
            }
        }
    }
    sites
        .into_iter()
        .map(|((offset, opcode), reached_by)| OpcodeSite {
            opcode: op::name(opcode).to_owned(),
            offset,
            reached_by: reached_by.into_iter().collect(),
        })
        .collect()
}

pub(super) fn selector_text(selector: Selector) -> String {
    hex::encode_prefixed(selector)
}

/// Without leading zeros: `0x5`.
pub(super) fn slot_text(slot: U256) -> String {
    format!("{slot:#x}")
}
