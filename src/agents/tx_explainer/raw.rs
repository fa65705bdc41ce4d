//! Raw transactions: what each type's list holds (EIP-155, 2718, 2930, 1559, 4844, 7702), signed or not.

use alloy::primitives::{B256, U256, keccak256};

use super::{
    rlp::{self, Item, Odd},
    tx::{Authorization, Tx, amount, authority, signer},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// Why bytes are no transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTransaction {
    #[error("A transaction of type {0} is not known here: types 0 to 4 are.")]
    Type(u8),
    #[error("This is no raw transaction: {what}: {odd}.")]
    Field { what: &'static str, odd: Odd },
    #[error("This is no raw transaction: a list of {found} fields, where type {kind} has {unsigned} without a signature and {signed} with one.")]
    Count { kind: u8, found: usize, unsigned: usize, signed: usize },
    #[error("The signature of this transaction is nobody's.")]
    Signature,
}

trait Named<T> {
    /// Says which field it is about.
    fn of(self, what: &'static str) -> Result<T, NoTransaction>;
}

impl<T> Named<T> for Result<T, Odd> {
    fn of(self, what: &'static str) -> Result<T, NoTransaction> {
        self.map_err(|odd| NoTransaction::Field { what, odd })
    }
}

/// Reads one, whole.
pub fn read(bytes: &[u8]) -> Result<Tx, NoTransaction> {
    match bytes {
        [head, ..] if *head >= 0xc0 => legacy(bytes),
        [kind @ 1..=4, payload @ ..] => typed(*kind, bytes, payload),
        [kind, ..] => Err(NoTransaction::Type(*kind)),
        [] => Err(NoTransaction::Field { what: "its beginning", odd: Odd::Short }),
    }
}

fn legacy(bytes: &[u8]) -> Result<Tx, NoTransaction> {
    let items = rlp::only(bytes).and_then(Item::items).of("the list of its fields")?;
    let (fields, signature) = match items.as_slice() {
        [fields @ .., v, r, s] if fields.len() == 6 => (fields, Some((v, r, s))),
        fields if fields.len() == 6 => (fields, None),
        _ => return Err(NoTransaction::Count { kind: 0, found: items.len(), unsigned: 6, signed: 9 }),
    };
    let [nonce, price, gas, to, value, input] = fields else {
        return Err(NoTransaction::Count { kind: 0, found: items.len(), unsigned: 6, signed: 9 });
    };
    let mut tx = Tx { gas_price: Some(wei(price, "its gas price")?), ..common(0, nonce, gas, to, value, input)? };
    let Some((v, r, s)) = signature else { return Ok(tx) };
    let (v, r, s) = (v.small().of("its v")?, r.number().of("its r")?, s.number().of("its s")?);
    if r.is_zero() && s.is_zero() {
        // How EIP-155 writes what is to be signed.
        tx.chain_id = Some(v);
        return Ok(tx);
    }
    let mut signed: Vec<u8> = fields.iter().flat_map(|field| field.whole).copied().collect();
    let odd = match v {
        27 | 28 => v == 28,
        35.. => {
            let chain_id = (v - 35) / 2;
            tx.chain_id = Some(chain_id);
            signed.extend([rlp::number(U256::from(chain_id)), vec![0x80, 0x80]].concat());
            (v - 35) % 2 == 1
        }
        _ => return Err(NoTransaction::Signature),
    };
    seal(tx, keccak256(rlp::list(&signed)), r, s, odd, bytes)
}

fn typed(kind: u8, bytes: &[u8], payload: &[u8]) -> Result<Tx, NoTransaction> {
    let list = rlp::only(payload).of("the list of its fields")?;
    let mut items = list.items().of("the list of its fields")?;
    // With its blobs, as it travels before a block holds it: the transaction, then blobs, commitments and proofs.
    if kind == 3 && items.first().is_some_and(|item| item.is_list()) {
        items = items[0].items().of("the list of its fields")?;
    }
    let unsigned = match kind {
        1 => 8,
        2 => 9,
        3 => 11,
        _ => 10,
    };
    let (fields, signature) = match items.len().checked_sub(unsigned) {
        Some(0) => (items.as_slice(), None),
        Some(3) => (&items[..unsigned], Some((&items[unsigned], &items[unsigned + 1], &items[unsigned + 2]))),
        _ => return Err(NoTransaction::Count { kind, found: items.len(), unsigned, signed: unsigned + 3 }),
    };
    let mut tx = of_fields(kind, fields)?;
    tx.chain_id = Some(fields[0].small().of("its chain id")?);
    let Some((parity, r, s)) = signature else { return Ok(tx) };
    let (parity, r, s) = (parity.small().of("its parity")?, r.number().of("its r")?, s.number().of("its s")?);
    if parity > 1 {
        return Err(NoTransaction::Signature);
    }
    let message: Vec<u8> = fields.iter().flat_map(|field| field.whole).copied().collect();
    let digest = keccak256([&[kind], rlp::list(&message).as_slice()].concat());
    // The hash of one with blobs is without them.
    let whole: Vec<u8> = items.iter().flat_map(|item| item.whole).copied().collect();
    let identity = if kind == 3 { [&[kind], rlp::list(&whole).as_slice()].concat() } else { bytes.to_vec() };
    tx.authorizations.truncate(AUTHORIZATIONS_MAX);
    seal(tx, digest, r, s, parity == 1, &identity)
}

/// Each costs a signature to be recovered; the network's block limit allows fewer (12,500 gas each).
const AUTHORIZATIONS_MAX: usize = 200;

fn of_fields(kind: u8, fields: &[Item<'_>]) -> Result<Tx, NoTransaction> {
    let tx = match (kind, fields) {
        (1, [_, nonce, price, gas, to, value, input, access]) => Tx {
            gas_price: Some(wei(price, "its gas price")?),
            access_list: addresses(access)?,
            ..common(1, nonce, gas, to, value, input)?
        },
        (2..=4, [_, nonce, priority, most, gas, to, value, input, access, more @ ..]) => Tx {
            max_fee: Some(wei(most, "its highest fee")?),
            max_priority: Some(wei(priority, "its priority fee")?),
            access_list: addresses(access)?,
            blobs: match (kind, more) {
                (3, [_, hashes]) => hashes.items().of("its blobs' hashes")?.len(),
                _ => 0,
            },
            authorizations: match (kind, more) {
                (4, [list]) => authorizations(list)?,
                _ => Vec::new(),
            },
            ..common(kind, nonce, gas, to, value, input)?
        },
        _ => return Err(NoTransaction::Type(kind)),
    };
    Ok(tx)
}

/// What all types have.
fn common(kind: u8, nonce: &Item, gas: &Item, to: &Item, value: &Item, input: &Item) -> Result<Tx, NoTransaction> {
    let to = match to.bytes().of("its recipient")? {
        [] => None,
        _ => Some(Address(to.address().of("its recipient")?)),
    };
    Ok(Tx {
        kind,
        nonce: nonce.small().of("its nonce")?,
        to,
        value: wei(value, "its value")?,
        input: input.bytes().of("its call data")?.to_vec(),
        gas_limit: gas.small().of("its gas limit")?,
        ..Tx::default()
    })
}

fn wei(item: &Item, what: &'static str) -> Result<Amount, NoTransaction> {
    item.number().map(amount).of(what)
}

fn addresses(list: &Item) -> Result<usize, NoTransaction> {
    let entries = list.items().of("its access list")?;
    for entry in &entries {
        let [address, keys] = entry.items().of("its access list")?[..] else {
            return Err(NoTransaction::Field { what: "its access list", odd: Odd::Width });
        };
        address.address().of("its access list")?;
        keys.items().of("its access list")?;
    }
    Ok(entries.len())
}

fn authorizations(list: &Item) -> Result<Vec<Authorization>, NoTransaction> {
    const WHAT: &str = "its authorizations";
    let entries = list.items().of(WHAT)?;
    (entries.iter().take(AUTHORIZATIONS_MAX))
        .map(|entry| {
            let [chain_id, code_of, nonce, parity, r, s] = entry.items().of(WHAT)?[..] else {
                return Err(NoTransaction::Field { what: WHAT, odd: Odd::Width });
            };
            let chain_id = chain_id.number().of(WHAT)?;
            let (code_of, nonce) = (Address(code_of.address().of(WHAT)?), nonce.small().of(WHAT)?);
            let (odd, r, s) = (parity.small().of(WHAT)? == 1, r.number().of(WHAT)?, s.number().of(WHAT)?);
            Ok(Authorization {
                chain_id: amount(chain_id),
                code_of,
                nonce,
                authority: authority(chain_id, code_of, nonce, odd, r, s),
            })
        })
        .collect()
}

fn seal(tx: Tx, digest: B256, r: U256, s: U256, odd: bool, bytes: &[u8]) -> Result<Tx, NoTransaction> {
    let from = signer(digest, r, s, odd).ok_or(NoTransaction::Signature)?;
    Ok(Tx { from: Some(from), hash: Some(TxHash(keccak256(bytes).0)), ..tx })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::hex;
    use proptest::prelude::*;

    use super::*;

    /// The example of EIP-155: nonce 9, one ether, signed for chain 1 with the key of 32 times 0x46.
    const EIP155: &str = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
    const EIP155_UNSIGNED: &str = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";

    #[test]
    fn the_example_of_eip_155_is_read_signed_and_unsigned() {
        let signed = read(&hex::decode(EIP155).unwrap()).unwrap();
        assert_eq!(signed.from.unwrap().to_string(), "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
        assert_eq!((signed.nonce, signed.chain_id, signed.gas_limit), (9, Some(1), 21_000));
        assert_eq!(signed.value.to_units(18), "1");
        let unsigned = read(&hex::decode(EIP155_UNSIGNED).unwrap()).unwrap();
        assert_eq!(unsigned, Tx { from: None, hash: None, ..signed });
    }

    #[test]
    fn what_is_wrong_is_said_of_the_field_that_it_is_in() {
        let said = |digits: &str| read(&hex::decode(digits).unwrap()).unwrap_err().to_string();
        assert!(said("05c0").contains("type 5"), "{}", said("05c0"));
        assert!(said("02c0").contains("0 fields"), "{}", said("02c0"));
        assert!(said(&EIP155[..200]).contains("ends in the middle"));
        assert!(said(&format!("{EIP155}00")).contains("after its end"));
        assert!(said(&EIP155.replace("8504a817c800", "8500a817c800")).contains("its gas price"));
        let nobodys = EIP155.replace("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83", &"ff".repeat(32));
        assert_eq!(read(&hex::decode(nobodys).unwrap()), Err(NoTransaction::Signature));
    }

    proptest! {
        /// Garbage, and a transaction that was damaged somewhere: an error or another transaction, never a panic.
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..110, by in any::<u8>(), kind in 1_u8..5) {
            let _ = read(&bytes);
            let _ = read(&[&[kind, 0xf8, 0xff], bytes.as_slice()].concat());
            let mut damaged = hex::decode(EIP155).unwrap();
            damaged[at] = by;
            let _ = read(&damaged);
        }
    }
}
