//! What a function, an event or an error looks like: its name and the types of its parameters, none of which may nest or unfold without end.

use alloy::{
    dyn_abi::DynSolType,
    json_abi::{Error, Event, EventParam, Function, Param},
    primitives::keccak256,
};

/// Lists in lists and tuples in tuples, at most.
const NESTING_MAX: usize = 8;
/// Places of a list of fixed length, those of lists inside it multiplied.
const PLACES_MAX: usize = 1_024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub name: String,
    /// As it is hashed: `transfer(address,uint256)`.
    pub signature: String,
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: Option<String>,
    pub kind: DynSolType,
    /// `uint256`
    pub kind_text: String,
    /// Of an event: it is in a topic.
    pub indexed: bool,
}

impl Shape {
    pub fn of_function(function: &Function) -> Result<Self, String> {
        Self::new(&function.name, function.inputs.iter().map(parameter).collect::<Result<_, _>>()?)
    }

    pub fn of_error(error: &Error) -> Result<Self, String> {
        Self::new(&error.name, error.inputs.iter().map(parameter).collect::<Result<_, _>>()?)
    }

    pub fn of_event(event: &Event) -> Result<Self, String> {
        Self::new(&event.name, event.inputs.iter().map(event_parameter).collect::<Result<_, _>>()?)
    }

    /// One of the well-known signatures, without names. They are ours and in order; a test reads them all.
    pub fn of_signature(signature: &str) -> Option<Self> {
        let (name, arguments) = signature.split_once('(')?;
        let DynSolType::Tuple(kinds) = format!("({arguments}").parse().ok()? else { return None };
        let parameters = kinds.into_iter().map(|kind| Parameter { name: None, kind_text: kind_text(&kind), kind, indexed: false });
        Self::new(name, parameters.collect()).ok()
    }

    fn new(name: &str, parameters: Vec<Parameter>) -> Result<Self, String> {
        let kinds: Vec<&str> = parameters.iter().map(|parameter| parameter.kind_text.as_str()).collect();
        Ok(Self { name: name.to_owned(), signature: format!("{name}({})", kinds.join(",")), parameters })
    }

    pub fn kinds(&self) -> Vec<DynSolType> {
        self.parameters.iter().map(|parameter| parameter.kind.clone()).collect()
    }

    pub fn selector(&self) -> [u8; 4] {
        crate::agents::names::selector(&self.signature)
    }

    pub fn topic(&self) -> [u8; 32] {
        keccak256(&self.signature).0
    }

    /// Parameters that are in topics.
    pub fn indexed(&self) -> usize {
        self.parameters.iter().filter(|parameter| parameter.indexed).count()
    }
}

fn parameter(param: &Param) -> Result<Parameter, String> {
    let kind = kind(&param.ty, &param.components, 0)?;
    bounded(&kind)?;
    Ok(Parameter { name: name(&param.name), kind_text: kind_text(&kind), kind, indexed: false })
}

fn event_parameter(param: &EventParam) -> Result<Parameter, String> {
    let kind = kind(&param.ty, &param.components, 0)?;
    bounded(&kind)?;
    Ok(Parameter { name: name(&param.name), kind_text: kind_text(&kind), kind, indexed: param.indexed })
}

fn name(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

/// `tuple[2][]` with its components, or any other type by its name.
fn kind(text: &str, components: &[Param], depth: usize) -> Result<DynSolType, String> {
    if depth > NESTING_MAX || text.matches('[').count() > NESTING_MAX {
        return Err(format!("types nest more than {NESTING_MAX} levels deep"));
    }
    let Some(suffixes) = text.strip_prefix("tuple").filter(|_| !components.is_empty()) else {
        return text.parse().map_err(|_| format!("{} is no type", quoted(text)));
    };
    let kinds: Vec<_> = components.iter().map(|part| kind(&part.ty, &part.components, depth + 1)).collect::<Result<_, _>>()?;
    let mut whole = DynSolType::Tuple(kinds);
    for suffix in suffixes.split_terminator(']') {
        whole = match suffix.strip_prefix('[') {
            Some("") => DynSolType::Array(Box::new(whole)),
            Some(count) => {
                let count = count.parse().map_err(|_| format!("{} is no type", quoted(text)))?;
                DynSolType::FixedArray(Box::new(whole), count)
            }
            None => return Err(format!("{} is no type", quoted(text))),
        };
    }
    Ok(whole)
}

/// A stranger's words in a sentence of ours.
pub fn quoted(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("“{short}”")
}

fn bounded(kind: &DynSolType) -> Result<(), String> {
    match places(kind, 0) {
        Some(1..=PLACES_MAX) => Ok(()),
        Some(0) => Err("a type has no room for anything (an empty tuple or a list of no places)".to_owned()),
        _ => Err(format!("a type has more than {PLACES_MAX} places, or nests more than {NESTING_MAX} levels deep")),
    }
}

/// How many words a value's own places take, lists of any length counted once. `None`: too many to tell.
fn places(kind: &DynSolType, depth: usize) -> Option<usize> {
    if depth > NESTING_MAX * 2 {
        return None;
    }
    match kind {
        DynSolType::Array(kind) => places(kind, depth + 1).map(|inside| inside.min(1)),
        DynSolType::FixedArray(kind, count) => places(kind, depth + 1)?.checked_mul(*count),
        DynSolType::Tuple(kinds) => {
            let parts: Option<Vec<usize>> = kinds.iter().map(|kind| places(kind, depth + 1)).collect();
            let parts = parts?;
            if parts.contains(&0) { Some(0) } else { parts.into_iter().try_fold(0_usize, usize::checked_add) }
        }
        _ => Some(1),
    }
}

/// As it is hashed. The library writes a tuple of one with a comma.
fn kind_text(kind: &DynSolType) -> String {
    kind.sol_type_name().replace(",)", ")")
}
