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
    value::{Part, Place},
};

/// Far more than the largest contracts in use have; each costs both analyses some milliseconds.
const FUNCTIONS_MAX: usize = 1024;

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
    let info = contract_info(ContractInfoArgs::new(code).with_state_mutability().with_storage());
    let mut found = info.functions.unwrap_or_default();
    found.sort_by_key(|function| function.selector);

    let mut followed = Code::new(code);
    let traced: Vec<Traced> = found
        .iter()
        .map(|function| {
            let walk = followed.walk(Entry::Function(function.selector));
            Traced {
                selector: function.selector,
                title: String::new(),
                name: names::name(function.selector),
                arguments: function.arguments.as_ref().map_or(0, Vec::len),
                guard: guard(&walk),
                walk,
            }
        })
        .collect();
    let selectors: BTreeSet<Selector> = found.iter().map(|function| function.selector).collect();
    let nobody = (0..=u32::MAX).rev().map(u32::to_be_bytes).find(|selector| !selectors.contains(selector)).unwrap_or_default();
    let fallback = followed.walk(Entry::Function(nobody));
    let receive = followed.walk(Entry::Receive);

    let functions: Vec<Function> = found
        .iter()
        .zip(&traced)
        .map(|(function, traced)| Function {
            selector: selector_text(function.selector),
            signature: names::signature(function.selector).map(str::to_owned),
            arguments: function
                .arguments
                .iter()
                .flatten()
                .map(|argument| argument.sol_type_name().into_owned())
                .collect::<Vec<_>>()
                .join(","),
            mutability: match function.state_mutability {
                Some(StateMutability::Pure) => Mutability::Pure,
                Some(StateMutability::View) => Mutability::View,
                Some(StateMutability::Payable) => Mutability::Payable,
                Some(StateMutability::NonPayable) | None => Mutability::NonPayable,
            },
            guard: traced.guard.clone(),
        })
        .collect();
    let traced: Vec<Traced> =
        traced.into_iter().zip(&functions).map(|(traced, function)| Traced { title: function.title(), ..traced }).collect();

    let storage = storage(info.storage.unwrap_or_default(), &traced);
    let opcodes = opcodes(&traced, &fallback, &receive);
    let complete = fallback.complete && receive.complete && traced.iter().all(|function| function.walk.complete);
    let forwards = proxy::by_fallback(&fallback, &selectors);
    let findings = powers::findings(&traced, &fallback, forwards.is_some());
    let authorities = authorities(&traced);
    let contract = contract(code, metadata.as_ref(), functions, storage, opcodes, complete);
    Ok(Examined { contract, findings, authorities, proxy: forwards })
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
    walk.guards.iter().find_map(guard_of)
}

pub(super) fn guard_of(check: &Check) -> Option<Guard> {
    match check {
        Check::Is(part) => Some(Guard::Slot { slot: slot_text(part.place.slot()?), offset: part.first }),
        Check::Fixed(address) => Some(Guard::Address { address: format!("{:#x}", Address::from_word((*address).into())) }),
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

fn storage(records: Vec<evmole::StorageRecord>, functions: &[Traced]) -> Vec<Variable> {
    let mut variables = BTreeMap::new();
    for record in records {
        let bytes = bytes_of(&record.r#type).min(32 - record.offset.min(31));
        variables.insert(
            (U256::from_be_bytes(record.slot), record.offset),
            (record.r#type, bytes, record.reads.into_iter().collect(), record.writes.into_iter().collect()),
        );
    }
    // What we saw written and evmole did not: slots that a standard or a library names by a hash.
    for function in functions {
        for write in &function.walk.writes {
            let Place::Slot(slot) = write.part.place else { continue };
            let known = variables.keys().any(|(known, _)| *known == slot);
            if !known {
                let bytes = write.part.last - write.part.first + 1;
                let kind = if bytes == 20 { "address".to_owned() } else { format!("uint{}", u16::from(bytes) * 8) };
                variables.insert((slot, write.part.first), (kind, bytes, BTreeSet::new(), BTreeSet::new()));
            }
        }
    }
    variables
        .into_iter()
        .map(|((slot, offset), (kind, bytes, mut reads, mut writes))| {
            let covers = |part: &Part| {
                part.place.slot() == Some(slot)
                    && (matches!(part.place, Place::Member { .. }) || (part.first < offset + bytes && offset <= part.last))
            };
            let levels = kind.matches("mapping(").count() + kind.matches("[]").count();
            let mut name = proxy::standard_slot(slot).map(str::to_owned);
            for function in functions {
                let seen = || function.walk.reads.iter().chain(&function.walk.decides);
                if seen().any(covers) {
                    reads.insert(function.selector);
                } else if seen().any(|part| part.place.slot() == Some(slot)) {
                    // It loads the slot for another variable in it; evmole does not look that closely.
                    reads.remove(&function.selector);
                }
                if function.walk.writes.iter().any(|write| covers(&write.part)) {
                    writes.insert(function.selector);
                }
                // A getter reads one variable and nothing else, and takes a key for each level of it.
                let getter = function.walk.writes.is_empty() && function.walk.deeds.is_empty() && seen().any(covers);
                if name.is_none() && getter && seen().all(covers) && function.arguments == levels {
                    name = function.name.map(str::to_owned);
                }
            }
            Variable {
                slot: slot_text(slot),
                offset,
                bytes,
                kind,
                name,
                read_by: reads.into_iter().map(selector_text).collect(),
                written_by: writes.into_iter().map(selector_text).collect(),
            }
        })
        .collect()
}

/// Of a Solidity type in storage; what is longer than a slot, or of no fixed size, begins with a whole one.
fn bytes_of(kind: &str) -> u8 {
    let bits =
        |digits: &str| digits.parse::<u16>().ok().filter(|bits| (8..=256).contains(bits)).map_or(32, |bits| (bits / 8) as u8);
    match kind {
        "bool" => 1,
        "address" => 20,
        _ => {
            if let Some(digits) = kind.strip_prefix("uint").or_else(|| kind.strip_prefix("int")) {
                bits(digits)
            } else if let Some(digits) = kind.strip_prefix("bytes") {
                digits.parse().ok().filter(|bytes| (1..=32).contains(bytes)).unwrap_or(32)
            } else {
                32
            }
        }
    }
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
