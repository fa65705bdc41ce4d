//! A transaction's own fields, wherever they were read: from its raw bytes, or as a node tells them.

use alloy::primitives::{B256, Signature, U256, keccak256};
use serde_json::Value;

use super::rlp;
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// What a transaction asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tx {
    /// EIP-2718; 0 for what has no type byte.
    pub kind: u8,
    /// `None`: signed for whatever chain (before EIP-155), or not told.
    pub chain_id: Option<u64>,
    pub nonce: u64,
    /// `None`: it is not signed.
    pub from: Option<Address>,
    /// `None`: it creates a contract.
    pub to: Option<Address>,
    /// Wei.
    pub value: Amount,
    pub input: Vec<u8>,
    pub gas_limit: u64,
    /// Wei for one unit of gas (types 0 and 1).
    pub gas_price: Option<Amount>,
    /// Wei for one unit of gas (the other types).
    pub max_fee: Option<Amount>,
    pub max_priority: Option<Amount>,
    /// Addresses in its access list.
    pub access_list: usize,
    pub blobs: usize,
    pub authorizations: Vec<Authorization>,
    /// `None`: it is not signed.
    pub hash: Option<TxHash>,
}

/// An account says whose code it runs from now on (EIP-7702).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Zero: on every chain.
    pub chain_id: Amount,
    /// Whose code; zero: its own again, which is none.
    pub code_of: Address,
    pub nonce: u64,
    /// Who signed. `None`: the signature is nobody's.
    pub authority: Option<Address>,
}

/// Whose signature this is over a hash. `None`: nobody's.
pub fn signer(hash: B256, r: U256, s: U256, odd: bool) -> Option<Address> {
    Signature::new(r, s, odd).recover_address_from_prehash(&hash).ok().map(|address| Address(address.into_array()))
}

/// Who signed this authorization (EIP-7702: 0x05 and the list of its three fields).
pub fn authority(chain_id: U256, code_of: Address, nonce: u64, odd: bool, r: U256, s: U256) -> Option<Address> {
    let fields = [rlp::number(chain_id), rlp::address(code_of.0), rlp::number(U256::from(nonce))].concat();
    signer(keccak256([&[0x05], rlp::list(&fields).as_slice()].concat()), r, s, odd)
}

/// As a node tells it. `None`: something that every transaction has is not there.
pub fn from_json(told: &Value) -> Option<Tx> {
    let quantity = |name: &str| told.get(name)?.as_str().and_then(|text| Amount::from_hex_quantity(text).ok());
    let small = |name: &str| quantity(name).and_then(narrow);
    let address = |name: &str| told.get(name)?.as_str()?.parse::<Address>().ok();
    let length = |name: &str| told.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let kind = u8::try_from(small("type").unwrap_or(0)).ok()?;
    // Nodes add the price that was charged to the types that name a maximum.
    let has_maximum = kind >= 2;
    let authorizations = told.get("authorizationList").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(Tx {
        kind,
        chain_id: small("chainId"),
        nonce: small("nonce")?,
        from: address("from"),
        to: address("to"),
        value: quantity("value")?,
        input: alloy::hex::decode(told.get("input")?.as_str()?).ok()?,
        gas_limit: small("gas")?,
        gas_price: quantity("gasPrice").filter(|_| !has_maximum),
        max_fee: quantity("maxFeePerGas").filter(|_| has_maximum),
        max_priority: quantity("maxPriorityFeePerGas").filter(|_| has_maximum),
        access_list: length("accessList"),
        blobs: length("blobVersionedHashes"),
        authorizations: authorizations.iter().filter_map(authorization).collect(),
        hash: told.get("hash")?.as_str()?.parse().ok(),
    })
}

fn authorization(told: &Value) -> Option<Authorization> {
    let word = |name: &str| told.get(name)?.as_str().and_then(|text| Amount::from_hex_quantity(text).ok());
    let chain_id = word("chainId")?;
    let code_of: Address = told.get("address")?.as_str()?.parse().ok()?;
    let nonce = narrow(word("nonce")?)?;
    let odd = narrow(word("yParity").or_else(|| word("v"))?)? % 2 == 1;
    let (r, s) = (wide(word("r")?), wide(word("s")?));
    Some(Authorization { chain_id, code_of, nonce, authority: authority(wide(chain_id), code_of, nonce, odd, r, s) })
}

pub fn wide(amount: Amount) -> U256 {
    U256::from_be_bytes(amount.to_be_bytes())
}

pub fn amount(number: U256) -> Amount {
    Amount::from_be_bytes(number.to_be_bytes())
}

pub fn narrow(amount: Amount) -> Option<u64> {
    u64::try_from(wide(amount)).ok()
}

/// What a type is called.
pub fn kind_words(kind: u8) -> &'static str {
    match kind {
        0 => "legacy",
        1 => "with an access list (EIP-2930)",
        2 => "with a priority fee (EIP-1559)",
        3 => "with blobs (EIP-4844)",
        4 => "sets account code (EIP-7702)",
        _ => "of a type that is not known here",
    }
}
