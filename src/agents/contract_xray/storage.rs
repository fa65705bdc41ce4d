//! What is where in storage: evmole's types, and who reads and writes each byte of it as we saw it.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;

use super::{
    examine::{Traced, selector_text, slot_text},
    flow::Walk,
    names::Selector,
    proxy,
    report::Variable,
    shape::{self, Narrow, Tree},
    value::{Part, Place, array_of},
};

/// More than any contract in use has; the report stays readable.
const VARIABLES_MAX: usize = 1000;

/// A type, its bytes, readers, writers.
struct Known {
    kind: String,
    bytes: u8,
    reads: BTreeSet<Selector>,
    writes: BTreeSet<Selector>,
}

impl Known {
    fn seen(part: &Part) -> Self {
        let bytes = part.last - part.first + 1;
        let kind = match (&part.place, bytes) {
            (Place::Member { .. }, _) => "mapping or array".to_owned(),
            (_, 20) => "address".to_owned(),
            (_, bytes) => format!("uint{}", u16::from(bytes) * 8),
        };
        let bytes = if matches!(part.place, Place::Member { .. }) { 32 } else { bytes };
        Self { kind, bytes, reads: BTreeSet::new(), writes: BTreeSet::new() }
    }
}

/// As evmole types it, structs and arrays of fixed length as we do, and what evmole did not see written: slots that a standard or a
/// library names by a hash.
pub(super) fn typed<'w>(
    records: Vec<evmole::StorageRecord>,
    functions: &[Traced],
    walks: impl Iterator<Item = &'w Walk>,
) -> Vec<Variable> {
    let mut variables = BTreeMap::new();
    for record in records {
        let bytes = bytes_of(&record.r#type).min(32 - record.offset.min(31));
        let (reads, writes) = (record.reads.into_iter().collect(), record.writes.into_iter().collect());
        variables.insert((U256::from_be_bytes(record.slot), record.offset), Known { kind: record.r#type, bytes, reads, writes });
    }
    correct(&mut variables, walks);
    let slots: BTreeSet<U256> = variables.keys().map(|(slot, _)| *slot).collect();
    for write in functions.iter().flat_map(|function| &function.walk.writes) {
        if let Place::Slot(slot) = write.part.place
            && !slots.contains(&slot)
        {
            variables.entry((slot, write.part.first)).or_insert_with(|| Known::seen(&write.part));
        }
    }
    // An array's elements, and a long text's words, are told with their array.
    let numbered: BTreeSet<U256> = variables.keys().map(|(slot, _)| *slot).collect();
    variables.retain(|(slot, _), _| array_of(*slot).is_none_or(|array| !numbered.contains(&array)));
    named(variables, functions)
}

/// Mappings to structs, arrays of them, arrays of fixed length.
fn correct<'w>(variables: &mut BTreeMap<(U256, u8), Known>, walks: impl Iterator<Item = &'w Walk>) {
    let mut trees: BTreeMap<U256, Tree> = BTreeMap::new();
    let mut lengths: BTreeMap<U256, u32> = BTreeMap::new();
    let mut written: BTreeSet<&Part> = BTreeSet::new();
    let mut plain: BTreeMap<(U256, u8, u8), BTreeSet<Narrow>> = BTreeMap::new();
    for walk in walks {
        written.extend(walk.writes.iter().map(|write| &write.part));
        for (part, narrow) in &walk.shapes {
            match &part.place {
                Place::Member { slot, path, .. } => {
                    trees.entry(*slot).or_default().leaf(path, (part.first, part.last, *narrow));
                }
                Place::Slot(slot) => drop(plain.entry((*slot, part.first, part.last)).or_default().insert(*narrow)),
                Place::Unknown => {}
            }
        }
        for (place, narrow) in &walk.keys {
            if let Place::Member { slot, path, .. } = place {
                trees.entry(*slot).or_default().keyed(path, *narrow);
            }
        }
        for (slot, length) in &walk.lengths {
            let known = lengths.entry(*slot).or_insert(*length);
            *known = (*length).min(*known);
        }
    }
    for ((slot, first, last), taken) in plain {
        let bytes = last - first + 1;
        match variables.get_mut(&(slot, first)) {
            // What is only ever asked for being zero or not, and never counted or compared.
            Some(known) if known.kind == "uint8" && bytes == 1 && taken.iter().all(|narrow| *narrow == Narrow::Bool) => {
                known.kind = "bool".to_owned();
            }
            Some(_) => {}
            None => {
                // What evmole passed over between the others.
                let others = || variables.range((slot, 0)..=(slot, 31)).map(|((_, offset), known)| (*offset, known.bytes));
                let is_free = others().all(|(offset, bytes)| last < offset || offset + bytes <= first);
                let part = Part { place: Place::Slot(slot), first, last };
                if bytes < 32 && others().count() > 0 && is_free && written.contains(&part) {
                    let kind = shape::of_bytes(bytes, &taken);
                    variables.insert((slot, first), Known { kind, bytes, reads: BTreeSet::new(), writes: BTreeSet::new() });
                }
            }
        }
    }
    for (slot, tree) in trees {
        let seen = variables.get(&(slot, 0)).map(|known| known.kind.clone());
        if matches!(seen.as_deref(), Some("string" | "bytes")) {
            continue;
        }
        let kind = if tree.is_indexed() {
            let (Some(element), Some(length)) = (seen, lengths.get(&slot)) else { continue };
            format!("{element}[{length}]")
        } else {
            let ours = tree.written();
            // evmole knows keys better: it looks at what is done with them elsewhere, too.
            let kind = match seen.as_deref().and_then(|seen| seen.split_once(" => ")).zip(ours.split_once(" => ")) {
                Some(((key, _), (_, inner))) => format!("{key} => {inner}"),
                None => ours,
            };
            let signed = seen.as_deref().is_some_and(|seen| kind.replace("int", "uint").replace("uuint", "uint") == seen);
            let has_struct = kind.replace("mapping(", "").contains('(');
            // A lone number where elements are reached is their array's length.
            let is_length = seen.as_deref() == Some("uint256") || kind == "bytes[]";
            if !(has_struct || signed || is_length || seen.is_none()) {
                continue;
            }
            kind
        };
        let whole: Vec<_> = variables.range((slot, 0)..=(slot, 31)).map(|(at, _)| *at).collect();
        let mut known = Known { kind, bytes: 32, reads: BTreeSet::new(), writes: BTreeSet::new() };
        for part in whole.into_iter().filter_map(|at| variables.remove(&at)) {
            known.reads.extend(part.reads);
            known.writes.extend(part.writes);
        }
        variables.insert((slot, 0), known);
    }
}

/// Without types, as we saw it used.
pub(super) fn seen(functions: &[Traced]) -> Vec<Variable> {
    let mut variables = BTreeMap::new();
    for walk in functions.iter().map(|function| &function.walk) {
        for part in walk.reads.iter().chain(&walk.decides).chain(walk.writes.iter().map(|write| &write.part)) {
            if let Some(slot) = part.place.slot() {
                let first = if matches!(part.place, Place::Member { .. }) { 0 } else { part.first };
                variables.entry((slot, first)).or_insert_with(|| Known::seen(part));
            }
        }
    }
    named(variables, functions)
}

fn named(variables: BTreeMap<(U256, u8), Known>, functions: &[Traced]) -> Vec<Variable> {
    variables
        .into_iter()
        .take(VARIABLES_MAX)
        .map(|((slot, offset), Known { kind, bytes, mut reads, mut writes })| {
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
