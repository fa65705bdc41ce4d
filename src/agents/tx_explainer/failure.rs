//! Why code failed: what it left behind, and in the node's words how it ended.

use super::{
    abi::{self, Budget, Value},
    call,
    lexicon::Names,
    report::{Argument, Failure, FailureKind, FailureSource, KnownBy},
};
use crate::{
    chain::record::{Frame, Ran},
    evm::Address,
};

/// `Error(string)`: what `require` and `revert` with words leave behind.
const ERROR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
/// `Panic(uint256)`: what the compiler's own checks leave behind.
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];
/// Bytes of what was left behind that a report holds.
const DATA_MAX: usize = 1_024;

/// How it ended, as a node tells.
#[derive(Clone, Debug)]
pub struct Ended {
    pub message: String,
    pub data: Vec<u8>,
    pub at: Option<Address>,
    pub source: FailureSource,
}

impl Ended {
    /// From a trace: the outermost call's own end, and the innermost that failed on the way there. `None`: nothing failed there.
    pub fn traced(frame: &Frame) -> Option<Self> {
        let message = frame.error.clone()?;
        let data = frame.output.as_deref().and_then(|output| alloy::hex::decode(output).ok()).unwrap_or_default();
        let mut innermost = frame;
        // The reader of a trace bounds how deep it nests.
        while let Some(inner) = innermost.calls.iter().rev().find(|inner| inner.error.is_some()) {
            innermost = inner;
        }
        Some(Self { message, data, at: innermost.to, source: FailureSource::Trace })
    }

    /// From running it again. `None`: this time it did not fail.
    pub fn replayed(ran: Ran) -> Option<Self> {
        match ran {
            Ran::Returned(_) => None,
            Ran::Failed { message, data } => Some(Self { message, data, at: None, source: FailureSource::Replay }),
        }
    }
}

/// `is_exhausted`: all of the gas limit was used, which is what running out looks like where only used gas is charged.
pub fn explain(ended: Option<Ended>, is_exhausted: bool, names: Names<'_>, budget: &mut Budget) -> Failure {
    let Some(ended) = ended else {
        return match is_exhausted {
            true => Failure {
                reason: "It used all of its gas, so most likely it ran out.".to_owned(),
                ..bare(FailureKind::OutOfGas, FailureSource::None)
            },
            false => Failure {
                reason: "No node tells why: run again on the state before its block, it does not fail, or that state is not kept any more.".to_owned(),
                ..bare(FailureKind::Unknown, FailureSource::None)
            },
        };
    };
    let kept = &ended.data[..ended.data.len().min(DATA_MAX)];
    let failure = Failure {
        data: (!kept.is_empty()).then(|| alloy::hex::encode_prefixed(kept)),
        at: ended.at.map(|at| at.to_string()),
        ..bare(FailureKind::Custom, ended.source)
    };
    match ended.data.split_first_chunk::<4>() {
        Some((&ERROR, arguments)) => error(failure, arguments, budget),
        Some((&PANIC, arguments)) => panic(failure, arguments, budget),
        Some((selector, arguments)) => custom(failure, *selector, arguments, names, budget),
        None => silent(failure, &ended.message, is_exhausted),
    }
}

fn bare(kind: FailureKind, source: FailureSource) -> Failure {
    Failure { kind, reason: String::new(), signature: None, arguments: Vec::new(), data: None, at: None, source }
}

fn error(failure: Failure, arguments: &[u8], budget: &mut Budget) -> Failure {
    let decoded = abi::decode(&[alloy::dyn_abi::DynSolType::String], arguments, budget).map(|decoded| decoded.values);
    let Some(words) = decoded.ok().and_then(|values| values.into_iter().next()).map(|value| value.text(budget)) else {
        return Failure { reason: "It reverted with words that cannot be read.".to_owned(), kind: FailureKind::Error, ..failure };
    };
    Failure {
        kind: FailureKind::Error,
        reason: match words.is_empty() {
            true => "It reverted with an empty message.".to_owned(),
            false => format!("It reverted with the words “{words}”."),
        },
        signature: Some("Error(string)".to_owned()),
        arguments: vec![Argument { name: Some("message".to_owned()), kind: "string".to_owned(), value: words, note: None }],
        ..failure
    }
}

fn panic(failure: Failure, arguments: &[u8], budget: &mut Budget) -> Failure {
    let decoded = abi::decode(&[alloy::dyn_abi::DynSolType::Uint(256)], arguments, budget).map(|decoded| decoded.values);
    let Some(Value::Uint(code)) = decoded.ok().and_then(|values| values.into_iter().next()) else {
        return Failure { reason: "A check of the compiler's own failed.".to_owned(), kind: FailureKind::Panic, ..failure };
    };
    let meaning = u64::try_from(code).ok().and_then(panic_meaning).unwrap_or("a check of the compiler's own failed");
    Failure {
        kind: FailureKind::Panic,
        reason: format!("It panicked with code {code:#04x}: {meaning}."),
        signature: Some("Panic(uint256)".to_owned()),
        arguments: vec![Argument {
            name: Some("code".to_owned()),
            kind: "uint256".to_owned(),
            value: code.to_string(),
            note: Some(meaning.to_owned()),
        }],
        ..failure
    }
}

/// Solidity's documentation, "Panic via assert and Error via require".
fn panic_meaning(code: u64) -> Option<&'static str> {
    Some(match code {
        0x00 => "a panic that the compiler put in",
        0x01 => "an assertion does not hold",
        0x11 => "a number became too large or too small for its type",
        0x12 => "a division or remainder by zero",
        0x21 => "a number that is no value of its enumeration",
        0x22 => "bytes in storage that are not encoded as they must be",
        0x31 => "taking from an empty list",
        0x32 => "a place outside of its list",
        0x41 => "too much memory, or a list that is too large",
        0x51 => "calling a function variable that was never set",
        _ => return None,
    })
}

fn custom(failure: Failure, selector: [u8; 4], arguments: &[u8], names: Names<'_>, budget: &mut Budget) -> Failure {
    let shown = alloy::hex::encode_prefixed(selector);
    if let Some((shape, known_by)) = names.error(selector)
        && let Ok(decoded) = abi::decode(&shape.kinds(), arguments, budget)
    {
        let told: Vec<Argument> = (shape.parameters.iter().zip(&decoded.values))
            .map(|(parameter, value)| Argument {
                name: parameter.name.clone(),
                kind: parameter.kind_text.clone(),
                value: value.text(budget),
                note: None,
            })
            .collect();
        let listed: Vec<String> = (told.iter())
            .map(|argument| match &argument.name {
                Some(name) => format!("{name} {}", shortened(&argument.value)),
                None => shortened(&argument.value),
            })
            .collect();
        let whose = if known_by == KnownBy::Abi { "" } else { "the well-known error " };
        return Failure {
            reason: match listed.is_empty() {
                true => format!("It reverted with {whose}{}.", shape.name),
                false => format!("It reverted with {whose}{}: {}.", shape.name, listed.join(", ")),
            },
            signature: Some(shape.signature.clone()),
            arguments: told,
            ..failure
        };
    }
    Failure {
        reason: format!("It reverted with an error of the contract's own, {shown}, whose name is not known here: an ABI would tell."),
        arguments: call::words(arguments),
        ..failure
    }
}

fn shortened(value: &str) -> String {
    if value.chars().count() > 60 { format!("{}…", value.chars().take(60).collect::<String>()) } else { value.to_owned() }
}

/// It left nothing behind: how it ended, only the node's words say.
fn silent(failure: Failure, message: &str, is_exhausted: bool) -> Failure {
    // Nodes write these in many ways: `out of gas`, `OutOfGas`, `EVM error: OutOfGas(…)`.
    let words: String = message.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let (kind, reason) = if has(&["outofgas", "gasuintoverflow"]) {
        (FailureKind::OutOfGas, "It ran out of gas: the limit was too low for what it had to do.")
    } else if has(&["invalidopcode", "opcodenotfound", "invalidfeopcode", "undefinedinstruction", "notactivated", "invalid"]) && !has(&["revert"]) {
        (FailureKind::Invalid, "It came to an instruction that cannot run: an assertion of an old compiler, or a place that must not be reached.")
    } else if has(&["stack", "returndata", "createcollision", "maxcodesize", "writeprotection", "statechangeduringstaticcall"]) {
        (FailureKind::Invalid, "The code broke a rule of the machine: its stack, its memory, or writing where only reading is allowed.")
    } else if is_exhausted && !has(&["revert"]) {
        (FailureKind::OutOfGas, "It used all of its gas, so most likely it ran out.")
    } else {
        (FailureKind::Empty, "It reverted and said nothing: a condition without words, a function that does not exist there, or coin where none is taken.")
    };
    Failure { kind, reason: reason.to_owned(), ..failure }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::hex;

    use super::*;

    fn told(message: &str, data: &str) -> Failure {
        let ended = Ended { message: message.to_owned(), data: hex::decode(data).unwrap(), at: None, source: FailureSource::Replay };
        explain(Some(ended), false, Names(None), &mut Budget::default())
    }

    #[test]
    fn each_way_to_fail_is_told_apart() {
        let word = |n: u8| format!("{n:064x}");
        let text = format!("08c379a0{}{}{}", word(0x20), word(3), hex::encode([b'n', b'o', b'!']) + &"0".repeat(58));
        for (message, data, kind, words) in [
            ("execution reverted", text.as_str(), FailureKind::Error, "“no!”"),
            ("execution reverted", &format!("4e487b71{}", word(0x11)), FailureKind::Panic, "0x11: a number became too large"),
            ("execution reverted", &format!("4e487b71{}", word(0x99)), FailureKind::Panic, "0x99: a check"),
            ("execution reverted", &format!("118cdaa7{}", word(7)), FailureKind::Custom, "OwnableUnauthorizedAccount: account 0x0000"),
            ("execution reverted", "deadbeef", FailureKind::Custom, "0xdeadbeef, whose name is not known"),
            ("execution reverted", "", FailureKind::Empty, "said nothing"),
            ("out of gas", "", FailureKind::OutOfGas, "ran out of gas"),
            ("EVM error: OutOfGas(Basic)", "", FailureKind::OutOfGas, "ran out of gas"),
            ("invalid opcode: INVALID", "", FailureKind::Invalid, "cannot run"),
            ("EVM error InvalidFEOpcode", "", FailureKind::Invalid, "cannot run"),
            ("stack limit reached 1024 (1023)", "", FailureKind::Invalid, "rule of the machine"),
            ("execution reverted", "08c379a0ff", FailureKind::Error, "cannot be read"),
        ] {
            let failure = told(message, data);
            assert_eq!(failure.kind, kind, "{message} {data}");
            assert!(failure.reason.contains(words), "{message} {data}: {}", failure.reason);
        }
    }

    #[test]
    fn a_trace_names_the_contract_that_failed_first() {
        let frame = |to: u8, error: Option<&str>, calls: Vec<Frame>| Frame {
            to: Some(Address([to; 20])),
            error: error.map(str::to_owned),
            output: Some("0xdeadbeef".to_owned()),
            calls,
            ..Frame::default()
        };
        let trace = frame(1, Some("execution reverted"), vec![frame(2, None, vec![]), frame(3, Some("execution reverted"), vec![])]);
        let ended = Ended::traced(&trace).unwrap();
        assert_eq!((ended.at, ended.data.len()), (Some(Address([3; 20])), 4));
        assert!(Ended::traced(&frame(1, None, vec![])).is_none());
    }
}
