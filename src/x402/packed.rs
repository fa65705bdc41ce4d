//! An offer's terms in as few bytes as they need. Each 402 carries one seal per way to pay, all in one header, and headers are bounded by
//! every proxy on the way.
//!
//! A number is its length and its bytes without leading zeros, the highest first; a text is its length and its bytes. In this order: method,
//! agent, network, token (20 bytes, or none), price, amount, recipient (20 bytes), issue, life in milliseconds, random bits (16 bytes).

use super::{
    offers::Terms,
    wire::{EIP3009, PERMIT2, TRANSACTION_PROOF},
};
use crate::{
    evm::Address,
    money::{Amount, Asset},
};

/// By their number in the seal.
const METHODS: [&str; 3] = [TRANSACTION_PROOF, EIP3009, PERMIT2];
/// Every network of ours is one of these (CAIP-2).
const NAMESPACE: &str = "eip155:";

/// `None`: these are no terms of ours (an agent's name of more than 255 bytes, a network that is no EVM chain, …).
pub(super) fn pack(terms: &Terms) -> Option<Vec<u8>> {
    let method = METHODS.iter().position(|method| *method == terms.method)?;
    let life_ms = terms.expires_ms.checked_sub(terms.issued_ms)?;
    let mut bytes = vec![u8::try_from(method).ok()?];
    put(&mut bytes, terms.agent.as_bytes())?;
    put(&mut bytes, terms.asset.network.strip_prefix(NAMESPACE)?.as_bytes())?;
    put(&mut bytes, terms.asset.token.as_ref().map_or(&[][..], |token| &token.0))?;
    put(&mut bytes, trimmed(&terms.price.to_be_bytes()))?;
    put(&mut bytes, trimmed(&terms.amount.to_be_bytes()))?;
    bytes.extend(terms.pay_to.0);
    put(&mut bytes, trimmed(&u64::try_from(terms.issued_ms).ok()?.to_be_bytes()))?;
    put(&mut bytes, trimmed(&u64::try_from(life_ms).ok()?.to_be_bytes()))?;
    bytes.extend(terms.nonce);
    Some(bytes)
}

/// `None`: not what [`pack`] writes.
pub(super) fn unpack(bytes: &[u8]) -> Option<Terms> {
    let mut rest = bytes;
    let method = METHODS.get(usize::from(take::<1>(&mut rest)?[0]))?;
    let agent = String::from_utf8(taken(&mut rest)?.to_vec()).ok()?;
    let network = format!("{NAMESPACE}{}", std::str::from_utf8(taken(&mut rest)?).ok()?);
    let token = match taken(&mut rest)? {
        [] => None,
        token => Some(Address(token.try_into().ok()?)),
    };
    let price = Amount::from_be_bytes(widened(taken(&mut rest)?)?);
    let amount = Amount::from_be_bytes(widened(taken(&mut rest)?)?);
    let pay_to = Address(take(&mut rest)?);
    let issued_ms = i64::try_from(u64::from_be_bytes(widened(taken(&mut rest)?)?)).ok()?;
    let life_ms = i64::try_from(u64::from_be_bytes(widened(taken(&mut rest)?)?)).ok()?;
    let nonce = take(&mut rest)?;
    let (method, asset) = ((*method).to_owned(), Asset { network, token });
    let terms =
        Terms { agent, price, amount, asset, method, pay_to, issued_ms, expires_ms: issued_ms.checked_add(life_ms)?, nonce };
    rest.is_empty().then_some(terms)
}

/// Where the issue time begins in what [`pack`] wrote, with its length. `None`: it is nothing of that.
pub(super) fn issue_at(packed: &[u8]) -> Option<usize> {
    let mut rest = packed;
    take::<1>(&mut rest)?;
    for _ in ["agent", "network", "token", "price", "amount"] {
        taken(&mut rest)?;
    }
    take::<20>(&mut rest)?;
    Some(packed.len() - rest.len())
}

/// The same terms, issued at another time, with other random bits. `None`: that time has another length in bytes.
pub(super) fn restamp(packed: &mut [u8], issue_at: usize, issued_ms: i64, nonce: &[u8; 16]) -> Option<()> {
    let number = u64::try_from(issued_ms).ok()?.to_be_bytes();
    let number = trimmed(&number);
    let (length, after) = packed.get_mut(issue_at..)?.split_first_mut()?;
    if usize::from(*length) != number.len() {
        return None;
    }
    after.get_mut(..number.len())?.copy_from_slice(number);
    *packed.last_chunk_mut()? = *nonce;
    Some(())
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) -> Option<()> {
    bytes.push(u8::try_from(part.len()).ok()?);
    bytes.extend(part);
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (part, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*part)
}

fn taken<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let [length] = take(rest)?;
    let (part, after) = rest.split_at_checked(length.into())?;
    *rest = after;
    Some(part)
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn widened<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let mut wide = [0; N];
    wide.get_mut(N.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some(wide)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms() -> impl Strategy<Value = Terms> {
        let amount = || any::<[u8; 32]>().prop_map(Amount::from_be_bytes);
        let asset = (any::<u64>(), proptest::option::of(any::<[u8; 20]>()))
            .prop_map(|(chain, token)| Asset { network: format!("eip155:{chain}"), token: token.map(Address) });
        let times = (0..i64::MAX / 2, 0..i64::MAX / 2);
        ("[a-z0-9-]{1,40}", amount(), amount(), asset, 0..METHODS.len(), any::<[u8; 20]>(), times, any::<[u8; 16]>()).prop_map(
            |(agent, price, amount, asset, method, pay_to, (issued_ms, life_ms), nonce)| Terms {
                agent,
                price,
                amount,
                asset,
                method: METHODS[method].to_owned(),
                pay_to: Address(pay_to),
                issued_ms,
                expires_ms: issued_ms + life_ms,
                nonce,
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_whole(terms in terms()) {
            let bytes = pack(&terms).expect("terms of ours");
            prop_assert_eq!(unpack(&bytes), Some(terms));
            prop_assert_eq!(unpack(&bytes[..bytes.len() - 1]), None);
            prop_assert_eq!(unpack(&[&bytes[..], &[0]].concat()), None);
        }

        #[test]
        fn s5_terms_of_another_moment_are_the_same_but_for_that(terms in terms(), later_ms in 0..i64::MAX / 2, nonce in any::<[u8; 16]>()) {
            let mut bytes = pack(&terms).expect("terms of ours");
            let life_ms = terms.expires_ms - terms.issued_ms;
            let later = Terms { issued_ms: later_ms, expires_ms: later_ms + life_ms, nonce, ..terms };
            let at = issue_at(&bytes).expect("terms of ours");
            if restamp(&mut bytes, at, later_ms, &nonce).is_some() {
                prop_assert_eq!(unpack(&bytes), Some(later));
            } else {
                prop_assert_ne!(bytes.len(), pack(&later).expect("terms of ours").len());
            }
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(terms) = unpack(&bytes) {
                prop_assert_eq!(pack(&terms).and_then(|bytes| unpack(&bytes)), Some(terms));
            }
            if let Some(at) = issue_at(&bytes) {
                let _ = restamp(&mut bytes, at, 1_795_000_000_000, &[7; 16]);
            }
        }
    }
}
