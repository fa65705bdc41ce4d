//! What strangers' contracts answer, believed only as far as it can be true: bounded, and `None` for what is not what was asked for.

use alloy::primitives::U256;

use crate::{evm::Address, money::Amount};

/// Characters of a symbol; honest ones have a dozen at most.
const SYMBOL_CHARS_MAX: usize = 32;

/// Owners of one wallet that are told.
const OWNERS_MAX: usize = 50;

/// More decimals than any honest token has: 10³⁶ and 78 digits of an amount are still read.
pub const DECIMALS_MAX: u8 = 36;

/// Exactly one word.
pub fn word(answer: &[u8]) -> Option<Amount> {
    <[u8; 32]>::try_from(answer).ok().map(Amount::from_be_bytes)
}

fn number(word: &[u8]) -> Option<usize> {
    usize::try_from(U256::from_be_bytes(<[u8; 32]>::try_from(word).ok()?)).ok()
}

/// One word of 64 bits at most.
pub fn small(answer: &[u8]) -> Option<u64> {
    number(answer).and_then(|number| u64::try_from(number).ok())
}

/// One word that is zero or one.
pub fn truth(answer: &[u8]) -> Option<bool> {
    match small(answer)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// One word that is an address, and not zero.
pub fn address(answer: &[u8]) -> Option<Address> {
    address_or_zero(answer).filter(|address| address.0 != [0; 20])
}

/// One word that is an address; zero is nobody.
pub fn address_or_zero(answer: &[u8]) -> Option<Address> {
    let (high, low) = <&[u8; 32]>::try_from(answer).ok()?.split_at(12);
    let low = <[u8; 20]>::try_from(low).ok()?;
    high.iter().all(|byte| *byte == 0).then_some(Address(low))
}

/// A list of addresses, if there are no more than a wallet has owners.
pub fn addresses(answer: &[u8]) -> Option<Vec<Address>> {
    let (offset, rest) = answer.split_at_checked(32)?;
    let (count, rest) = rest.split_at_checked(32)?;
    let count = number(count).filter(|count| (1..=OWNERS_MAX).contains(count))?;
    if number(offset) != Some(32) || rest.len() != count * 32 {
        return None;
    }
    rest.chunks_exact(32).map(address).collect()
}

/// A symbol: a string, or the bytes32 of old tokens. What cannot be shown, or would show as something else, is none.
pub fn symbol(answer: &[u8]) -> Option<String> {
    let bytes = match answer.len() {
        32 => answer.split(|byte| *byte == 0).next().unwrap_or_default(),
        _ => string(answer)?,
    };
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let is_shown = |c: char| !c.is_control() && !is_invisible(c);
    (!text.is_empty() && text.chars().count() <= SYMBOL_CHARS_MAX && text.chars().all(is_shown)).then(|| text.to_owned())
}

fn string(answer: &[u8]) -> Option<&[u8]> {
    let (offset, rest) = answer.split_at_checked(32)?;
    let (length, rest) = rest.split_at_checked(32)?;
    if number(offset) != Some(32) {
        return None;
    }
    rest.get(..number(length)?)
}

/// Marks that turn the direction of text, join, or take no room: what a symbol with them looks like is not what it is.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// More of a token than there ever will be: the largest numbers, and what wallets and tokens write for "all".
pub fn is_unlimited(amount: Amount) -> bool {
    const WIDE: u32 = 128;
    let amount = U256::from_be_bytes(amount.to_be_bytes());
    // Some tokens keep allowances in 96 bits.
    amount >> WIDE != U256::ZERO || amount == (U256::ONE << 96) - U256::ONE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn words(words: &[&[u8]]) -> Vec<u8> {
        let padded = |bytes: &&[u8]| [vec![0; 32 - bytes.len()], bytes.to_vec()].concat();
        words.iter().flat_map(padded).collect()
    }

    fn text(text: &[u8]) -> Vec<u8> {
        let mut tail = text.to_vec();
        tail.resize(text.len().div_ceil(32) * 32, 0);
        [words(&[&[32], &u64::try_from(text.len()).unwrap().to_be_bytes()]), tail].concat()
    }

    #[test]
    fn symbols_are_strings_or_words() {
        assert_eq!(symbol(&text(b"USDC")).as_deref(), Some("USDC"));
        assert_eq!(symbol(&text("₮oken".as_bytes())).as_deref(), Some("₮oken"));
        let mut word = b"MKR".to_vec();
        word.resize(32, 0);
        assert_eq!(symbol(&word).as_deref(), Some("MKR"));
    }

    #[test]
    fn a_symbol_that_lies_or_cannot_be_shown_is_none() {
        for bad in [
            text(b""),
            text(b"   "),
            text(&[0xff, 0xfe]),
            text(b"A\nB"),
            text(b"A\0B"),
            text("USDC\u{202e}X".as_bytes()),
            text("US\u{200b}DC".as_bytes()),
            text("x".repeat(33).as_bytes()),
            words(&[&[32], &[0xff; 32]]),
            words(&[&[0xff; 32], &[1], &[1]]),
            words(&[&[64], &[4], &[4], b"USDC"]),
            vec![],
            vec![1],
            vec![0; 32],
            vec![0; 100 * 1024],
        ] {
            assert_eq!(symbol(&bad), None, "{:?}", &bad[..bad.len().min(70)]);
        }
    }

    #[test]
    fn words_are_exactly_words() {
        assert_eq!(word(&words(&[&[5]])), Some(Amount::from_atomic(5)));
        assert_eq!((word(&[5]), word(&[0; 64]), word(&[])), (None, None, None));
        assert_eq!((truth(&words(&[&[1]])), truth(&words(&[&[0]])), truth(&words(&[&[2]]))), (Some(true), Some(false), None));
        assert_eq!(address(&words(&[&[7; 20]])), Some(Address([7; 20])));
        assert_eq!((address(&words(&[&[7; 21]])), address(&[0; 32])), (None, None));
    }

    #[test]
    fn owners_are_a_bounded_list_with_nothing_behind_it() {
        assert_eq!(addresses(&words(&[&[32], &[2], &[1; 20], &[2; 20]])), Some(vec![Address([1; 20]), Address([2; 20])]));
        for bad in [
            words(&[&[32], &[0]]),
            words(&[&[32], &[2], &[1; 20]]),
            words(&[&[32], &[1], &[1; 20], &[2; 20]]),
            words(&[&[32], &[0xff; 32], &[1; 20]]),
            words(&[&[32], &[1], &[1; 32]]),
            vec![],
        ] {
            assert_eq!(addresses(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn unlimited_is_what_nobody_can_have() {
        let max = |bits: u32| Amount::from_be_bytes((U256::MAX >> (256 - bits)).to_be_bytes());
        for bits in [256, 255, 160, 129, 96] {
            assert!(is_unlimited(max(bits)), "{bits}");
        }
        assert!(!is_unlimited(Amount::ZERO) && !is_unlimited(max(64)) && !is_unlimited(max(127)));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (symbol(&bytes), addresses(&bytes), address(&bytes), word(&bytes), truth(&bytes), small(&bytes));
        }
    }
}
