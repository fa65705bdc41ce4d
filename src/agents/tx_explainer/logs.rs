//! What contracts wrote down: what moved, who may take what, and everything else that can be named.

use alloy::primitives::{U256, b256};

use super::{
    abi::{self, Budget, Value},
    call,
    lexicon::Names,
    report::{Argument, Basis, Event, KnownBy, Standard},
    tx,
};
use crate::{chain::record::LogEntry, evm::Address, money::Amount};

/// Something changed hands, before anybody knows what its token is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub standard: Standard,
    /// `None`: whoever sends the call.
    pub from: Option<Address>,
    pub to: Address,
    /// `None`: the network's own coin; for a token, whatever contract the call is sent to.
    pub token: Option<Address>,
    pub id: Option<U256>,
    pub amount: Amount,
    pub basis: Basis,
}

/// Somebody may take something from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    pub standard: Standard,
    /// `None`: whoever sends the call.
    pub owner: Option<Address>,
    pub spender: Address,
    pub token: Option<Address>,
    pub grant: Grant,
    /// Unix seconds.
    pub until: Option<u64>,
    pub basis: Basis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    Amount(Amount),
    /// So much more than before.
    More(Amount),
    /// So much less than before.
    Less(Amount),
    /// This one of a collection.
    One(U256),
    /// All of a collection, or none any more.
    All(bool),
    /// The account itself (EIP-7702); `false`: its delegation ends.
    Account(bool),
}

/// Read from a receipt.
#[derive(Debug, Default)]
pub struct Written {
    pub moved: Vec<Moved>,
    pub granted: Vec<Granted>,
    pub events: Vec<Event>,
    /// Of events alone: the other lists are cut where they are told.
    pub left_out: u32,
    /// Contracts that changed hands, code or masters: event and contract.
    pub powers: Vec<(String, Address)>,
}

/// Events that are told one by one.
pub const EVENTS_MAX: usize = 150;
/// Transfers and approvals that are kept at all: totals of more than this are not told.
const KEPT_MAX: usize = 20_000;

const TRANSFER: [u8; 32] = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef").0;
const APPROVAL: [u8; 32] = b256!("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925").0;
const APPROVAL_FOR_ALL: [u8; 32] = b256!("17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31").0;
const TRANSFER_SINGLE: [u8; 32] = b256!("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62").0;
const TRANSFER_BATCH: [u8; 32] = b256!("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb").0;
/// Permit2's: owner, token, spender, amount, expiration.
const PERMIT2_APPROVAL: [u8; 32] = b256!("da9fa7c1b00402c17d0161b249b1ab8bbec047c5a52207b9c112deffd817036b").0;
const PERMIT2_PERMIT: [u8; 32] = b256!("c6a377bfc4eb120024a8ac08eef205be16b817020812c73223e81d1bdb9708ec").0;
const PERMIT2_LOCKDOWN: [u8; 32] = b256!("89b1add15eff56b3dfe299ad94e01f2b52fbcb80ae1a3baea6ae8c04cb2b98a4").0;

/// Events that say who is in charge of a contract, or which code it runs.
const POWERS: [&str; 6] = [
    "OwnershipTransferred(address,address)",
    "RoleGranted(bytes32,address,address)",
    "Upgraded(address)",
    "AdminChanged(address,address)",
    "BeaconUpgraded(address)",
    "ChangedThreshold(uint256)",
];

pub fn read(logs: &[LogEntry], names: Names<'_>, budget: &mut Budget) -> Written {
    let mut written = Written::default();
    for (index, log) in logs.iter().enumerate() {
        if written.moved.len() + written.granted.len() < KEPT_MAX {
            written.note(log, budget);
        }
        if written.events.len() < EVENTS_MAX {
            let event = event(index, log, names, budget);
            if let Some(power) = event.signature.as_deref().filter(|signature| POWERS.contains(signature)) {
                written.powers.push((power.split('(').next().unwrap_or_default().to_owned(), log.address));
            }
            written.events.push(event);
        } else {
            written.left_out = written.left_out.saturating_add(1);
        }
    }
    written
}

impl Written {
    fn note(&mut self, log: &LogEntry, budget: &mut Budget) {
        let words: Vec<[u8; 32]> = log.data.chunks_exact(32).take(8).filter_map(|word| word.try_into().ok()).collect();
        let token = Some(log.address);
        match (log.topics.as_slice(), words.as_slice()) {
            ([TRANSFER, from, to], [amount, ..]) | ([TRANSFER], [from, to, amount, ..]) => {
                self.moves(Standard::Erc20, *from, *to, token, None, Amount::from_be_bytes(*amount));
            }
            ([TRANSFER, from, to, id], _) => self.moves(Standard::Erc721, *from, *to, token, Some(number(id)), Amount::from_atomic(1)),
            ([TRANSFER_SINGLE, _, from, to], [id, amount, ..]) => {
                self.moves(Standard::Erc1155, *from, *to, token, Some(number(id)), Amount::from_be_bytes(*amount));
            }
            ([TRANSFER_BATCH, _, from, to], _) => {
                for (id, amount) in batch(&log.data, budget) {
                    self.moves(Standard::Erc1155, *from, *to, token, Some(id), tx::amount(amount));
                }
            }
            ([APPROVAL, owner, spender], [amount, ..]) => {
                self.grants(Standard::Erc20, *owner, *spender, token, Grant::Amount(Amount::from_be_bytes(*amount)), None);
            }
            ([APPROVAL, owner, spender, id], _) => self.grants(Standard::Erc721, *owner, *spender, token, Grant::One(number(id)), None),
            // Both kinds of collections have the same event.
            ([APPROVAL_FOR_ALL, owner, operator], [approved, ..]) => {
                self.grants(Standard::Erc721, *owner, *operator, token, Grant::All(!number(approved).is_zero()), None);
            }
            ([PERMIT2_APPROVAL | PERMIT2_PERMIT, owner, token, spender], [amount, until, ..]) => {
                let grant = Grant::Amount(Amount::from_be_bytes(*amount));
                self.grants(Standard::Permit2, *owner, *spender, address(token), grant, u64::try_from(number(until)).ok());
            }
            ([PERMIT2_LOCKDOWN, owner], [token, spender, ..]) => {
                self.grants(Standard::Permit2, *owner, *spender, address(token), Grant::Amount(Amount::ZERO), None);
            }
            _ => {}
        }
    }

    fn moves(&mut self, standard: Standard, from: [u8; 32], to: [u8; 32], token: Option<Address>, id: Option<U256>, amount: Amount) {
        if let (Some(from), Some(to)) = (address(&from), address(&to)) {
            self.moved.push(Moved { standard, from: Some(from), to, token, id, amount, basis: Basis::Event });
        }
    }

    fn grants(&mut self, standard: Standard, owner: [u8; 32], spender: [u8; 32], token: Option<Address>, grant: Grant, until: Option<u64>) {
        if let (Some(owner), Some(spender)) = (address(&owner), address(&spender)) {
            self.granted.push(Granted { standard, owner: Some(owner), spender, token, grant, until, basis: Basis::Event });
        }
    }
}

fn number(word: &[u8; 32]) -> U256 {
    U256::from_be_bytes(*word)
}

/// `None`: the word is wider than an address; then the event only shares its topic.
fn address(word: &[u8; 32]) -> Option<Address> {
    let (high, low) = word.split_at(12);
    high.iter().all(|byte| *byte == 0).then(|| low.try_into().ok().map(Address)).flatten()
}

fn batch(data: &[u8], budget: &mut Budget) -> Vec<(U256, U256)> {
    static KINDS: std::sync::LazyLock<Vec<alloy::dyn_abi::DynSolType>> =
        std::sync::LazyLock::new(|| ["uint256[]", "uint256[]"].iter().filter_map(|kind| kind.parse().ok()).collect());
    let Ok(decoded) = abi::decode(&KINDS, data, budget) else { return Vec::new() };
    let [Value::List(ids), Value::List(amounts)] = decoded.values.as_slice() else { return Vec::new() };
    (ids.iter().zip(amounts))
        .filter_map(|pair| match pair {
            (Value::Uint(id), Value::Uint(amount)) => Some((*id, *amount)),
            _ => None,
        })
        .collect()
}

fn event(index: usize, log: &LogEntry, names: Names<'_>, budget: &mut Budget) -> Event {
    let topic = log.topics.first();
    let mut told = Event {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        contract: log.address.to_string(),
        signature: None,
        topic: topic.map(alloy::hex::encode_prefixed),
        known_by: KnownBy::Guess,
        arguments: Vec::new(),
    };
    let Some(topic) = topic else {
        told.arguments = call::words(&log.data);
        return told;
    };
    for (shape, known_by) in names.events(*topic, log.topics.len() - 1) {
        let kinds: Vec<_> = shape.parameters.iter().filter(|parameter| !parameter.indexed).map(|parameter| parameter.kind.clone()).collect();
        let Ok(decoded) = abi::decode(&kinds, &log.data, budget) else { continue };
        let (mut topics, mut values) = (log.topics[1..].iter(), decoded.values.into_iter());
        let arguments: Option<Vec<Argument>> = (shape.parameters.iter())
            .map(|parameter| {
                let (value, note) = match parameter.indexed {
                    false => (values.next()?.text(budget), None),
                    true => indexed(&parameter.kind, topics.next()?, budget)?,
                };
                Some(Argument { name: parameter.name.clone(), kind: parameter.kind_text.clone(), value, note })
            })
            .collect();
        if let Some(arguments) = arguments {
            return Event { signature: Some(shape.signature.clone()), known_by, arguments, ..told };
        }
    }
    told.arguments = log.topics[1..].iter().map(|topic| call::words(topic)).chain([call::words(&log.data)]).flatten().collect();
    told
}

/// A topic has room for one word: of what is longer there is the hash.
fn indexed(kind: &alloy::dyn_abi::DynSolType, topic: &[u8; 32], budget: &mut Budget) -> Option<(String, Option<String>)> {
    use alloy::dyn_abi::DynSolType::{FixedArray, Tuple};
    if abi::is_dynamic(kind) || matches!(kind, FixedArray(..) | Tuple(_)) {
        let hash = Some("the Keccak-256 of its value, which the event does not hold".to_owned());
        return Some((alloy::hex::encode_prefixed(topic), hash));
    }
    let decoded = abi::decode(std::slice::from_ref(kind), topic, budget).ok()?;
    Some((decoded.values.first()?.text(budget), None))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::primitives::keccak256;

    use super::*;

    #[test]
    fn topics_are_the_hashes_of_their_signatures() {
        for (topic, signature) in [
            (TRANSFER, "Transfer(address,address,uint256)"),
            (APPROVAL, "Approval(address,address,uint256)"),
            (APPROVAL_FOR_ALL, "ApprovalForAll(address,address,bool)"),
            (TRANSFER_SINGLE, "TransferSingle(address,address,address,uint256,uint256)"),
            (TRANSFER_BATCH, "TransferBatch(address,address,address,uint256[],uint256[])"),
            (PERMIT2_APPROVAL, "Approval(address,address,address,uint160,uint48)"),
            (PERMIT2_PERMIT, "Permit(address,address,address,uint160,uint48,uint48)"),
            (PERMIT2_LOCKDOWN, "Lockdown(address,address,address)"),
        ] {
            assert_eq!(alloy::hex::encode(topic), alloy::hex::encode(keccak256(signature)), "{signature}");
        }
    }

    fn word(n: u64) -> [u8; 32] {
        U256::from(n).to_be_bytes()
    }

    fn log(topics: &[[u8; 32]], data: &[[u8; 32]]) -> LogEntry {
        LogEntry { address: Address([0xcc; 20]), topics: topics.to_vec(), data: data.concat() }
    }

    #[test]
    fn tokens_and_collections_are_told_apart_by_what_is_indexed() {
        let logs = [
            log(&[TRANSFER, word(1), word(2)], &[word(5)]),
            log(&[TRANSFER, word(1), word(2), word(5)], &[]),
            log(&[TRANSFER], &[word(1), word(2), word(5)]),
            log(&[TRANSFER_BATCH, word(9), word(1), word(2)], &[word(64), word(160), word(2), word(7), word(8), word(2), word(70), word(80)]),
            // Somebody else's event of the same topic: its first word is wider than an address.
            log(&[TRANSFER, [0xff; 32], word(2)], &[word(5)]),
        ];
        let written = read(&logs, Names(None), &mut Budget::default());
        let seen: Vec<_> = written.moved.iter().map(|moved| (moved.standard, moved.id.map(|id| id.to::<u64>()), moved.amount.to_string())).collect();
        assert_eq!(
            seen,
            [
                (Standard::Erc20, None, "5".to_owned()),
                (Standard::Erc721, Some(5), "1".to_owned()),
                (Standard::Erc20, None, "5".to_owned()),
                (Standard::Erc1155, Some(7), "70".to_owned()),
                (Standard::Erc1155, Some(8), "80".to_owned()),
            ]
        );
        assert_eq!(written.events[4].known_by, KnownBy::Guess);
        assert_eq!(written.events[0].arguments[2].name.as_deref(), Some("value"));
    }

    #[test]
    fn ten_thousand_events_make_a_report_of_a_page() {
        let logs: Vec<_> = (0..10_000).map(|n| log(&[TRANSFER, word(1), word(2)], &[word(n)])).collect();
        let written = read(&logs, Names(None), &mut Budget::default());
        assert_eq!((written.moved.len(), written.events.len(), written.left_out), (10_000, EVENTS_MAX, 10_000 - EVENTS_MAX as u32));
    }
}
