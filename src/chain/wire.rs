//! What a node's JSON says, as far as it is read.
//!
//! Only the fields that a verdict needs, so that a chain's own additions (transaction types, header fields) cannot break
//! it. What is read is exact: an odd number is an error, never a guess.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// A block's hash.
pub(super) type Hash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Header {
    #[serde(rename = "number", deserialize_with = "number")]
    pub height: u64,
    #[serde(deserialize_with = "word")]
    pub hash: Hash,
    #[serde(rename = "parentHash", deserialize_with = "word")]
    pub parent: Hash,
    /// Unix seconds.
    #[serde(rename = "timestamp", deserialize_with = "number")]
    pub time_s: u64,
}

/// A block with its whole transactions, of which only what a payment is made of is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub height: u64,
    pub hash: Hash,
    pub parent: Hash,
    /// Unix seconds.
    pub time_s: u64,
    pub transactions: Vec<Transaction>,
}

/// The same, its transactions not read yet.
#[derive(Debug, Deserialize)]
pub(super) struct RawBlock {
    #[serde(rename = "number", deserialize_with = "number")]
    pub height: u64,
    #[serde(deserialize_with = "word")]
    pub hash: Hash,
    #[serde(rename = "parentHash", deserialize_with = "word")]
    pub parent: Hash,
    /// Unix seconds.
    #[serde(rename = "timestamp", deserialize_with = "number")]
    pub time_s: u64,
    pub transactions: Vec<Box<RawValue>>,
}

impl Block {
    pub fn header(&self) -> Header {
        Header { height: self.height, hash: self.hash, parent: self.parent, time_s: self.time_s }
    }
}

/// What it wants to move; whether it did is the receipt's to say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Transaction {
    pub hash: TxHash,
    pub from: Address,
    #[serde(default)]
    pub to: Option<Address>,
    #[serde(deserialize_with = "quantity")]
    pub value: Amount,
    #[serde(rename = "input", deserialize_with = "is_not_empty")]
    pub has_data: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    pub transaction_hash: TxHash,
    #[serde(rename = "blockNumber", deserialize_with = "number")]
    pub height: u64,
    #[serde(deserialize_with = "word")]
    pub block_hash: Hash,
    #[serde(rename = "status", deserialize_with = "is_one")]
    pub succeeded: bool,
}

/// A receipt with what was written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoggedReceipt {
    pub transaction_hash: TxHash,
    #[serde(rename = "blockNumber", deserialize_with = "number")]
    pub height: u64,
    #[serde(deserialize_with = "word")]
    pub block_hash: Hash,
    #[serde(rename = "status", deserialize_with = "is_one")]
    pub succeeded: bool,
    pub logs: Vec<Log>,
}

/// A receipt with all that an explanation needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FullReceipt {
    pub transaction_hash: TxHash,
    #[serde(rename = "transactionIndex", deserialize_with = "number")]
    pub index: u64,
    #[serde(rename = "blockNumber", deserialize_with = "number")]
    pub height: u64,
    #[serde(deserialize_with = "word")]
    pub block_hash: Hash,
    #[serde(rename = "status", deserialize_with = "is_one")]
    pub succeeded: bool,
    #[serde(deserialize_with = "number")]
    pub gas_used: u64,
    #[serde(rename = "effectiveGasPrice", deserialize_with = "quantity")]
    pub gas_price: Amount,
    #[serde(default, rename = "contractAddress")]
    pub created: Option<Address>,
    pub logs: Vec<Log>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    pub address: Address,
    #[serde(deserialize_with = "words")]
    pub topics: Vec<Hash>,
    pub data: Data,
    /// Null in a block that is still being made.
    #[serde(default)]
    pub transaction_hash: Option<TxHash>,
}

/// A transaction, as far as what it calls is concerned.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Called {
    pub hash: TxHash,
    #[serde(default)]
    pub to: Option<Address>,
    pub input: Data,
}

/// Bytes, as `0x` and hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Data(pub Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| de::Error::custom("expected 0x"))?;
        alloy::hex::decode(digits).map(Self).map_err(de::Error::custom)
    }
}

/// A JSON-RPC quantity that fits 64 bits.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Number(#[serde(deserialize_with = "number")] pub u64);

/// A JSON-RPC quantity of up to 256 bits.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Quantity(#[serde(deserialize_with = "quantity")] pub Amount);

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let word = quantity(from)?.to_be_bytes();
    let (high, low) = word.split_at(24);
    match <[u8; 8]>::try_from(low) {
        Ok(low) if high.iter().all(|byte| *byte == 0) => Ok(u64::from_be_bytes(low)),
        _ => Err(de::Error::custom("expected at most 64 bits")),
    }
}

fn quantity<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
    struct Hex;
    impl de::Visitor<'_> for Hex {
        type Value = Amount;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a hexadecimal quantity")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
            Amount::from_hex_quantity(text).map_err(E::custom)
        }
    }
    from.deserialize_str(Hex)
}

pub(super) fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
    TxHash::deserialize(from).map(|hash| hash.0)
}

fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
    Vec::<TxHash>::deserialize(from).map(|words| words.into_iter().map(|word| word.0).collect())
}

pub(super) fn is_one<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match number(from)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(de::Error::custom("expected a status of 0x0 or 0x1")),
    }
}

/// Calldata may be large, and only whether there is any matters.
pub(super) fn is_not_empty<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    struct Data;
    impl de::Visitor<'_> for Data {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("hexadecimal data")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
            text.strip_prefix("0x").map(|digits| !digits.is_empty()).ok_or_else(|| E::custom("expected 0x"))
        }
    }
    from.deserialize_str(Data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn transaction(change: &str, to: serde_json::Value) -> Result<Transaction, serde_json::Error> {
        let mut json = serde_json::json!({
            "hash": format!("0x{}", "AB".repeat(32)), "from": format!("0x{}", "11".repeat(20)), "to": format!("0x{}", "22".repeat(20)),
            "value": "0x5af3107a4000", "input": "0x", "type": "0x7f", "unheardOf": {"a": [1]},
        });
        if !change.is_empty() {
            json[change] = to;
        }
        serde_json::from_value(json)
    }

    #[test]
    fn an_unheard_of_transaction_type_is_still_a_transfer() {
        let read = transaction("", ().into()).expect("a transfer");
        assert_eq!(read.value, Amount::from_atomic(100_000_000_000_000));
        assert!(!read.has_data);
        assert!(transaction("input", "0x00".into()).unwrap().has_data);
        assert_eq!(transaction("to", ().into()).unwrap().to, None);
    }

    #[test]
    fn what_is_not_exactly_a_quantity_is_an_error() {
        for odd in ["", "0x", "12", "-0x1", "0x 1", "0xg", &format!("0x1{}", "0".repeat(64))] {
            assert!(transaction("value", odd.into()).is_err(), "{odd:?}");
        }
        assert!(transaction("value", 5.into()).is_err());
        assert!(serde_json::from_str::<Number>("\"0x10000000000000000\"").is_err());
        assert_eq!(serde_json::from_str::<Number>("\"0xffffffffffffffff\"").unwrap().0, u64::MAX);
    }

    #[test]
    fn a_receipt_without_a_status_says_nothing() {
        let receipt = |status: serde_json::Value| {
            serde_json::from_value::<Receipt>(serde_json::json!({
                "transactionHash": format!("0x{}", "ab".repeat(32)), "blockHash": format!("0x{}", "cd".repeat(32)),
                "blockNumber": "0x7", "status": status,
            }))
        };
        assert!(receipt("0x1".into()).unwrap().succeeded);
        assert!(!receipt("0x0".into()).unwrap().succeeded);
        for odd in [serde_json::Value::Null, "0x2".into(), true.into()] {
            assert!(receipt(odd).is_err());
        }
    }
}
