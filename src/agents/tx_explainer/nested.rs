//! Which arguments are calls themselves: batches, wallets that call on behalf, routers with commands of their own.

use std::sync::LazyLock;

use alloy::{dyn_abi::DynSolType, primitives::U256};

use super::{
    abi::{self, Budget, Value},
    call::Told,
    shape::Shape,
    tx,
};
use crate::{evm::Address, money::Amount};

/// A call that lies in another's arguments, or the transaction's own.
#[derive(Clone, Debug, Default)]
pub struct Inner {
    pub from: Option<Address>,
    pub to: Option<Address>,
    pub value: Amount,
    pub data: Vec<u8>,
    pub is_delegate: bool,
    pub note: Option<String>,
    /// It only looks like a call: told where all of it fits, else not at all.
    pub is_hint: bool,
    /// A router's command, whose input is `data`, without a selector.
    pub command: Option<Shape>,
}

/// Calls to the contract itself, one after the other.
const TO_ITSELF: [&str; 3] = ["multicall", "batch", "multicallWithValue"];
/// One call to somebody else: address, perhaps a value, data.
const ON_BEHALF: [&str; 13] = [
    "execute",
    "exec",
    "call",
    "run",
    "forward",
    "execTransaction",
    "execTransactionFromModule",
    "execTransactionFromModuleReturnData",
    "functionCall",
    "functionCallWithValue",
    "simulateAndRevert",
    "schedule",
    "invoke",
];
/// Several of them.
const BATCHES: [&str; 13] = [
    "aggregate",
    "aggregate3",
    "aggregate3Value",
    "blockAndAggregate",
    "tryAggregate",
    "tryBlockAndAggregate",
    "execute",
    "executeBatch",
    "executeBatchWithValue",
    "executeMany",
    "scheduleBatch",
    "propose",
    "batchExecute",
];

/// What is inside this call, in the order in which it is done.
pub fn inside(told: &Told, budget: &mut Budget) -> Vec<Inner> {
    let Some(name) = told.name() else { return Vec::new() };
    let values = told.values.as_slice();
    let by_contract = |to: Option<Address>, value: Amount, data: &[u8]| Inner {
        // A call that runs as its caller keeps its caller's name.
        from: told.to,
        to,
        value,
        data: data.to_vec(),
        ..Inner::default()
    };
    match (name, values) {
        (name, [.., Value::List(calls)]) if TO_ITSELF.contains(&name) && all_bytes(calls) => {
            let to_itself = |data: &[u8]| Inner { from: told.from, ..by_contract(told.to, Amount::ZERO, data) };
            calls.iter().filter_map(bytes).map(to_itself).collect()
        }
        ("multiSend", [Value::Bytes(packed)]) => packed_calls(packed, told),
        ("execute", [Value::Bytes(mode), Value::Bytes(calls)]) if mode.len() == 32 => by_mode(mode[0], calls, told, budget),
        ("execute", [Value::Bytes(commands), Value::List(inputs), ..]) if all_bytes(inputs) => plan(commands, inputs, told),
        ("EXECUTE_SUB_PLAN", [Value::Bytes(commands), Value::List(inputs)]) => plan(commands, inputs, told),
        ("handleOps", [Value::List(operations), ..]) => (operations.iter())
            .filter_map(|operation| match operation {
                Value::Tuple(fields) => match fields.as_slice() {
                    [Value::Address(sender), _, _, Value::Bytes(data), ..] => {
                        Some(by_contract(Some(Address(*sender)), Amount::ZERO, data))
                    }
                    _ => None,
                },
                _ => None,
            })
            .collect(),
        ("upgradeToAndCall", [Value::Address(code), Value::Bytes(data)]) if !data.is_empty() => {
            vec![Inner { note: Some(with_code(*code)), ..by_contract(told.to, told.value, data) }]
        }
        ("upgradeAndCall", [Value::Address(proxy), Value::Address(code), Value::Bytes(data)]) if !data.is_empty() => {
            vec![Inner { note: Some(with_code(*code)), ..by_contract(Some(Address(*proxy)), told.value, data) }]
        }
        (name, [Value::Address(to), Value::Uint(value), Value::Bytes(data), more @ ..]) if ON_BEHALF.contains(&name) => {
            let is_delegate = name.starts_with("execTransaction") && matches!(more, [Value::Uint(operation), ..] if *operation == U256::from(1));
            vec![Inner { is_delegate, note: is_delegate.then(|| AS_ITS_OWN.to_owned()), ..by_contract(Some(Address(*to)), tx::amount(*value), data) }]
        }
        (name, [Value::Address(to), Value::Bytes(data), ..]) if ON_BEHALF.contains(&name) => {
            vec![by_contract(Some(Address(*to)), Amount::ZERO, data)]
        }
        (name, values) if BATCHES.contains(&name) => match values {
            [Value::List(to), Value::List(amounts), Value::List(data), ..] if all_bytes(data) => side_by_side(to, Some(amounts), data, told),
            [Value::List(to), Value::List(data), ..] if all_bytes(data) => side_by_side(to, None, data, told),
            _ => {
                let calls = values.iter().find_map(|value| match value {
                    Value::List(calls) => Some(calls.as_slice()),
                    _ => None,
                });
                calls.unwrap_or_default().iter().filter_map(|call| in_a_tuple(call, told)).collect()
            }
        },
        _ => hints(values, told),
    }
}

const AS_ITS_OWN: &str = "Its code runs as the caller's own (DELEGATECALL): it may do whatever the caller can.";

fn with_code(code: [u8; 20]) -> String {
    format!("Run by the proxy, with the new code of {}.", Address(code))
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn all_bytes(values: &[Value]) -> bool {
    values.iter().all(|value| bytes(value).is_some())
}

/// `(address, …, bytes)`, with the first number between them as its value.
fn in_a_tuple(call: &Value, told: &Told) -> Option<Inner> {
    let Value::Tuple(fields) = call else { return None };
    let [Value::Address(to), between @ .., Value::Bytes(data)] = fields.as_slice() else { return None };
    let value = between.iter().find_map(|field| match field {
        Value::Uint(value) => Some(tx::amount(*value)),
        _ => None,
    });
    Some(Inner {
        from: told.to,
        to: Some(Address(*to)),
        value: value.unwrap_or_default(),
        data: data.clone(),
        ..Inner::default()
    })
}

fn side_by_side(to: &[Value], amounts: Option<&[Value]>, data: &[Value], told: &Told) -> Vec<Inner> {
    (to.iter().zip(data).enumerate())
        .filter_map(|(place, (to, data))| {
            let Value::Address(to) = to else { return None };
            let value = match amounts.and_then(|amounts| amounts.get(place)) {
                Some(Value::Uint(value)) => tx::amount(*value),
                _ => Amount::ZERO,
            };
            Some(Inner { from: told.to, to: Some(Address(*to)), value, data: bytes(data)?.to_vec(), ..Inner::default() })
        })
        .collect()
}

/// Safe's multiSend: operation, address, value, length and data, one after the other without padding.
fn packed_calls(mut packed: &[u8], told: &Told) -> Vec<Inner> {
    let mut calls = Vec::new();
    while let Some((head, rest)) = packed.split_first_chunk::<85>() {
        let Some((to, value, length)) = address_and_words(&head[1..]) else { break };
        let Some((data, after)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else { break };
        let is_delegate = head[0] == 1;
        calls.push(Inner {
            // It is the wallet that runs this, as its own.
            from: if told.is_delegate { told.from } else { told.to },
            to: Some(to),
            value: tx::amount(value),
            data: data.to_vec(),
            is_delegate,
            note: is_delegate.then(|| AS_ITS_OWN.to_owned()),
            ..Inner::default()
        });
        packed = after;
    }
    calls
}

fn address_and_words(bytes: &[u8]) -> Option<(Address, U256, U256)> {
    let (to, words) = bytes.split_first_chunk::<20>()?;
    let (value, length) = words.split_at_checked(32)?;
    Some((Address(*to), U256::try_from_be_slice(value)?, U256::try_from_be_slice(length)?))
}

/// ERC-7579: the mode's first byte says whether one call, a batch or a DELEGATECALL follows.
fn by_mode(mode: u8, calls: &[u8], told: &Told, budget: &mut Budget) -> Vec<Inner> {
    static BATCH: LazyLock<Vec<DynSolType>> = LazyLock::new(|| "(address,uint256,bytes)[]".parse().into_iter().collect());
    let alone = |value: Amount, data: &[u8], to: &[u8; 20], is_delegate: bool| Inner {
        from: told.to,
        to: Some(Address(*to)),
        value,
        data: data.to_vec(),
        is_delegate,
        note: is_delegate.then(|| AS_ITS_OWN.to_owned()),
        ..Inner::default()
    };
    match (mode, calls.split_first_chunk::<20>()) {
        (0x00, Some((to, rest))) => match rest.split_first_chunk::<32>() {
            Some((value, data)) => vec![alone(Amount::from_be_bytes(*value), data, to, false)],
            None => Vec::new(),
        },
        (0x01, _) => match abi::decode(&BATCH, calls, budget).map(|decoded| decoded.values) {
            Ok(values) => match values.as_slice() {
                [Value::List(calls)] => calls.iter().filter_map(|call| in_a_tuple(call, told)).collect(),
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        },
        (0xff, Some((to, data))) => vec![alone(Amount::ZERO, data, to, true)],
        _ => Vec::new(),
    }
}

/// The commands of Uniswap's Universal Router, by their number (its `Commands.sol`); the upper two bits say whether it may fail.
const COMMANDS: [(u8, &str); 15] = [
    (0x00, "V3_SWAP_EXACT_IN(address recipient, uint256 amountIn, uint256 amountOutMin, bytes path, bool payerIsUser)"),
    (0x01, "V3_SWAP_EXACT_OUT(address recipient, uint256 amountOut, uint256 amountInMax, bytes path, bool payerIsUser)"),
    (0x02, "PERMIT2_TRANSFER_FROM(address token, address recipient, uint160 amount)"),
    (0x03, "PERMIT2_PERMIT_BATCH(((address token, uint160 amount, uint48 expiration, uint48 nonce)[] details, address spender, uint256 sigDeadline) permitBatch, bytes signature)"),
    (0x04, "SWEEP(address token, address recipient, uint256 amountMin)"),
    (0x05, "TRANSFER(address token, address recipient, uint256 value)"),
    (0x06, "PAY_PORTION(address token, address recipient, uint256 bips)"),
    (0x08, "V2_SWAP_EXACT_IN(address recipient, uint256 amountIn, uint256 amountOutMin, address[] path, bool payerIsUser)"),
    (0x09, "V2_SWAP_EXACT_OUT(address recipient, uint256 amountOut, uint256 amountInMax, address[] path, bool payerIsUser)"),
    (0x0a, "PERMIT2_PERMIT(((address token, uint160 amount, uint48 expiration, uint48 nonce) details, address spender, uint256 sigDeadline) permitSingle, bytes signature)"),
    (0x0b, "WRAP_ETH(address recipient, uint256 amount)"),
    (0x0c, "UNWRAP_WETH(address recipient, uint256 amountMin)"),
    (0x0d, "PERMIT2_TRANSFER_FROM_BATCH((address from, address to, uint160 amount, address token)[] batch)"),
    (0x10, "V4_SWAP(bytes actions, bytes[] params)"),
    (0x21, "EXECUTE_SUB_PLAN(bytes commands, bytes[] inputs)"),
];

fn command(number: u8) -> Option<Shape> {
    let (_, line) = COMMANDS.iter().find(|(known, _)| *known == number & 0x3f)?;
    Shape::of_function(&alloy::json_abi::Function::parse(line).ok()?).ok()
}

fn plan(commands: &[u8], inputs: &[Value], told: &Told) -> Vec<Inner> {
    (commands.iter().zip(inputs))
        .filter_map(|(number, input)| {
            Some(Inner {
                from: told.from,
                to: told.to,
                data: bytes(input)?.to_vec(),
                note: (number & 0x80 != 0).then(|| "It may fail without the rest failing.".to_owned()),
                command: Some(command(*number)?),
                ..Inner::default()
            })
        })
        .collect()
}

/// Bytes that read as a well-known call to their last byte probably are one; what is done with it is up to the contract.
fn hints(values: &[Value], told: &Told) -> Vec<Inner> {
    let mut all: Vec<&[u8]> = Vec::new();
    for value in values {
        match value {
            Value::Bytes(data) => all.push(data),
            Value::List(values) | Value::Tuple(values) => all.extend(values.iter().filter_map(bytes)),
            _ => {}
        }
    }
    (all.into_iter())
        .filter(|data| data.len() >= 4 && data.len() % 32 == 4)
        .map(|data| Inner {
            from: told.to,
            data: data.to_vec(),
            note: Some("It lies in an argument; what is done with it is up to the contract.".to_owned()),
            is_hint: true,
            ..Inner::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_router_is_read() {
        for (number, line) in COMMANDS {
            assert!(command(number | 0x80).is_some_and(|shape| line.starts_with(&shape.name)), "{line}");
        }
    }
}
