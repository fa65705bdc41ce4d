//! Who sent a transaction, by its own signature: a node's word for `from` is not taken.
//!
//! The transaction that a node tells is put together again and hashed: its hash has to be the one that it was told under, its signer the sender,
//! its chain this one. So nobody between us and the chain can give one account's payment to another, or show one that was made elsewhere; what a
//! node may still lie about is whether a block holds it.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy},
    eips::{
        eip2930::{AccessList, AccessListItem},
        eip7702::{Authorization, SignedAuthorization},
    },
    primitives::{Address as Word20, B256, Signature, TxKind, U256},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    node::{Fault, parse},
    wire::{Data, Number, Quantity, Transaction},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// The fields that are signed, and the signature. Which of them there are, the type says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    nonce: Number,
    gas: Number,
    #[serde(default)]
    to: Option<Address>,
    value: Quantity,
    input: Data,
    #[serde(default)]
    chain_id: Option<Number>,
    #[serde(default)]
    gas_price: Option<Quantity>,
    #[serde(default)]
    max_fee_per_gas: Option<Quantity>,
    #[serde(default)]
    max_priority_fee_per_gas: Option<Quantity>,
    #[serde(default)]
    access_list: Option<Vec<Access>>,
    #[serde(default)]
    max_fee_per_blob_gas: Option<Quantity>,
    #[serde(default)]
    blob_versioned_hashes: Option<Vec<TxHash>>,
    #[serde(default)]
    authorization_list: Option<Vec<Delegation>>,
    r: Quantity,
    s: Quantity,
    /// Of a legacy transaction: 27 or 28, or, since EIP-155, 35 or 36 and twice the chain's id. Of the others, what `yParity` is.
    #[serde(default)]
    v: Option<Quantity>,
    #[serde(default)]
    y_parity: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    address: Address,
    storage_keys: Vec<TxHash>,
}

/// An account that lends itself code (EIP-7702).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delegation {
    chain_id: Quantity,
    address: Address,
    nonce: Number,
    #[serde(default)]
    v: Option<Number>,
    #[serde(default)]
    y_parity: Option<Number>,
    r: Quantity,
    s: Quantity,
}

#[derive(Deserialize)]
struct Kind {
    /// Nodes of long ago left it out.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// `false`: it is of a type that carries no signature that we know (rollups have such for what they do themselves), so nothing shows whose coin
/// it moves: it is booked by nobody but a person.
///
/// # Errors
/// The node's, if its signature is not the sender's, or it is not the transaction that it was told as.
pub(super) fn is_proven(raw: &RawValue, told: &Transaction, chain_id: u64) -> Result<bool, Fault> {
    let kind = match parse::<Kind>(raw)?.kind.as_deref() {
        None | Some("0x0") => 0,
        Some("0x1") => 1,
        Some("0x2") => 2,
        Some("0x3") => 3,
        Some("0x4") => 4,
        Some(_) => return Ok(false),
    };
    let signed: Signed = parse(raw)?;
    let (hash, signer) =
        signed.hashed(kind, chain_id).ok_or_else(|| Fault::of_node("a transaction whose signature cannot be read"))?;
    if signer != Some(told.from) {
        return Err(Fault::of_node("a transaction that its sender has not signed"));
    }
    if hash != told.hash {
        return Err(Fault::of_node("a transaction under the hash of another"));
    }
    Ok(true)
}

impl Signed {
    /// Its hash, and who signed it for this chain. `None`: a field is missing, or beyond its bounds.
    fn hashed(&self, kind: u8, chain_id: u64) -> Option<(TxHash, Option<Address>)> {
        let nonce = self.nonce.0;
        let (gas_limit, value, input) = (self.gas.0, wide(self.value.0), self.input.0.clone().into());
        let to = self.to.map_or(TxKind::Create, |to| TxKind::Call(to.0.into()));
        // What a contract is created with has no recipient; these two types always have one.
        let called: Option<Word20> = self.to.map(|to| to.0.into());
        let gas_price = self.gas_price.and_then(small);
        let (most, tip) = (self.max_fee_per_gas.and_then(small), self.max_priority_fee_per_gas.and_then(small));
        let access_list = || AccessList(self.access_list.iter().flatten().map(Access::item).collect());
        if kind == 0 {
            let (parity, of_chain) = of_legacy(self.v?)?;
            // Before EIP-155 a signature was good on every chain.
            if of_chain.is_some_and(|of_chain| of_chain != chain_id) {
                return Some((TxHash([0; 32]), None));
            }
            let tx = TxLegacy { chain_id: of_chain, nonce, gas_price: gas_price?, gas_limit, to, value, input };
            return Some(self.seal(tx, parity));
        }
        if self.chain_id?.0 != chain_id {
            return Some((TxHash([0; 32]), None));
        }
        let parity = match (self.y_parity, self.v) {
            (Some(parity), _) => bit(parity.0)?,
            (None, v) => bit(u64::try_from(small(v?)?).ok()?)?,
        };
        let access_list = access_list();
        Some(match kind {
            1 => {
                self.seal(TxEip2930 { chain_id, nonce, gas_price: gas_price?, gas_limit, to, value, access_list, input }, parity)
            }
            2 => {
                let (max_fee_per_gas, max_priority_fee_per_gas) = (most?, tip?);
                let tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                };
                self.seal(tx, parity)
            }
            3 => {
                let tx = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: most?,
                    max_priority_fee_per_gas: tip?,
                    to: called?,
                    value,
                    access_list,
                    blob_versioned_hashes: self.blob_versioned_hashes.iter().flatten().map(|hash| B256::from(hash.0)).collect(),
                    max_fee_per_blob_gas: small(self.max_fee_per_blob_gas?)?,
                    input,
                };
                self.seal(tx, parity)
            }
            _ => {
                let authorization_list =
                    self.authorization_list.iter().flatten().map(Delegation::signed).collect::<Option<_>>()?;
                let (max_fee_per_gas, max_priority_fee_per_gas, to) = (most?, tip?, called?);
                let tx = TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    authorization_list,
                    input,
                };
                self.seal(tx, parity)
            }
        })
    }

    fn seal<T: SignableTransaction<Signature> + alloy::consensus::transaction::RlpEcdsaEncodableTx>(
        &self,
        tx: T,
        parity: bool,
    ) -> (TxHash, Option<Address>) {
        let signature = Signature::new(wide(self.r.0), wide(self.s.0), parity);
        let signer = signature.recover_address_from_prehash(&tx.signature_hash()).ok();
        (TxHash(tx.into_signed(signature).hash().0), signer.map(|signer| Address(signer.into_array())))
    }
}

impl Access {
    fn item(&self) -> AccessListItem {
        let storage_keys = self.storage_keys.iter().map(|key| B256::from(key.0)).collect();
        AccessListItem { address: self.address.0.into(), storage_keys }
    }
}

impl Delegation {
    fn signed(&self) -> Option<SignedAuthorization> {
        let unsigned = Authorization { chain_id: wide(self.chain_id.0), address: self.address.0.into(), nonce: self.nonce.0 };
        let parity = u8::try_from(self.y_parity.or(self.v)?.0).ok()?;
        Some(SignedAuthorization::new_unchecked(unsigned, parity, wide(self.r.0), wide(self.s.0)))
    }
}

/// `v` of a legacy transaction: the parity, and the chain that it was signed for.
fn of_legacy(v: Quantity) -> Option<(bool, Option<u64>)> {
    match u64::try_from(small(v)?).ok()? {
        v @ (0 | 1) => Some((v == 1, None)),
        v @ (27 | 28) => Some((v == 28, None)),
        v @ 35.. => Some((v % 2 == 0, Some((v - 35) / 2))),
        _ => None,
    }
}

fn bit(number: u64) -> Option<bool> {
    (number <= 1).then_some(number == 1)
}

fn wide(amount: Amount) -> U256 {
    U256::from_be_bytes(amount.to_be_bytes())
}

fn small(quantity: Quantity) -> Option<u128> {
    u128::try_from(wide(quantity.0)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    /// As before EIP-155: for no chain, signed with the same key as [`of_155`].
    fn of_before_155() -> Value {
        json!({
            "hash": "0x3b8336a67b0acf0d73051a5d28c4a126096590336d0b7d2543902e6d470f0f23", "nonce": "0x0", "type": "0x0",
            "from": "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f", "to": "0x5df9b87991262f6ba471f09758cde1fc0de1de73",
            "value": "0x7a69", "gas": "0x5208", "gasPrice": "0x2d79883d2000", "input": "0x", "v": "0x1b",
            "r": "0x021637d3702712763c079805fe56a9192846c796350939692742626d49370216",
            "s": "0x0160b96bcdb13d62dd4388021d7cfaf7f7bc724c86c50678d9dc9747bac01f90",
            "blockHash": "0x4e3a3754410177e6937ef1f84bba68ea139e8d1a2258c5f85db9f1cd715a1bdd", "blockNumber": "0xb443", "transactionIndex": "0x0",
        })
    }

    /// The example of EIP-155, signed for chain 1 with the key of 32 times 0x46.
    fn of_155() -> Value {
        json!({
            "hash": "0x33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788", "nonce": "0x9", "type": "0x0",
            "from": "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f", "to": "0x3535353535353535353535353535353535353535",
            "value": "0xde0b6b3a7640000", "gas": "0x5208", "gasPrice": "0x4a817c800", "input": "0x", "v": "0x25",
            "r": "0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
            "s": "0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
        })
    }

    fn proven(json: &Value, chain_id: u64) -> Result<bool, String> {
        let told: Transaction = serde_json::from_value(json.clone()).unwrap();
        is_proven(&to_raw_value(json).unwrap(), &told, chain_id).map_err(|fault| fault.cause)
    }

    fn with(mut json: Value, field: &str, value: Value) -> Value {
        json[field] = value;
        json
    }

    #[test]
    fn m7_a_legacy_transaction_is_its_signers_with_and_without_a_chain() {
        assert_eq!(proven(&of_155(), 1), Ok(true));
        assert_eq!(proven(&of_before_155(), 1), Ok(true));
        assert_eq!(proven(&of_before_155(), 143), Ok(true), "such a signature is good on every chain");
        assert!(proven(&of_155(), 143).unwrap_err().contains("not signed"), "nor for another chain");
        // Nodes of long ago say no type.
        let mut untyped = of_155();
        untyped.as_object_mut().unwrap().remove("type");
        assert_eq!(proven(&untyped, 1), Ok(true));
    }

    #[test]
    fn m7_one_changed_field_is_another_signature() {
        let address = json!("0x1111111111111111111111111111111111111111");
        for (field, value) in [
            ("from", address.clone()),
            ("to", address),
            ("value", json!("0xde0b6b3a7640001")),
            ("nonce", json!("0xa")),
            ("gas", json!("0x5209")),
            ("gasPrice", json!("0x4a817c801")),
            ("input", json!("0x00")),
            ("v", json!("0x26")),
            ("v", json!("0x1b")),
            ("v", json!("0x1c")),
        ] {
            assert!(proven(&with(of_155(), field, value), 1).unwrap_err().contains("not signed"), "{field}");
        }
        let other = json!("0x33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350789");
        assert!(proven(&with(of_155(), "hash", other), 1).unwrap_err().contains("hash of another"));
        for field in ["v", "r", "s", "nonce", "gasPrice"] {
            let mut without = of_155();
            without.as_object_mut().unwrap().remove(field);
            assert!(proven(&without, 1).is_err(), "{field}");
        }
    }

    #[test]
    fn m7_a_type_that_nobody_signs_is_proven_by_nothing() {
        for kind in ["0x7e", "0x7f", "0x6a", "0x5", "0x00", "2"] {
            assert_eq!(proven(&with(of_155(), "type", json!(kind)), 1), Ok(false), "{kind}");
        }
    }
}
