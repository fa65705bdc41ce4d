//! Addresses and hashes of EVM chains.

use std::sync::LazyLock;

use alloy::primitives::Address;
use regex::Regex;

use super::{
    At, OnChain, OnChainKind,
    brief::{once, pattern, stands_alone},
};
use crate::text::Places;

static HEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"0[xX](?:[0-9a-fA-F]{64}|[0-9a-fA-F]{40})"));

/// The first of each spelling, in the order of the text.
pub(super) fn of(text: &str, places: &Places) -> Vec<OnChain> {
    let all = HEX.find_iter(text).filter(|found| stands_alone(text, &found.range())).map(|found| OnChain {
        text: found.as_str().to_owned(),
        kind: kind(found.as_str()),
        at: At::of(places, &found.range()),
    });
    once(all.collect(), |one| one.text.clone())
}

/// EIP-55: letters in both cases are a check sum; in one case they are none. Chain ids are no part of it (EIP-1191 is not asked).
fn kind(text: &str) -> OnChainKind {
    let digits = &text[2..];
    if digits.len() == 64 {
        return OnChainKind::Hash;
    }
    let lower = digits.bytes().any(|digit| digit.is_ascii_lowercase());
    let upper = digits.bytes().any(|digit| digit.is_ascii_uppercase());
    match (lower && upper, Address::parse_checksummed(format!("0x{digits}"), None)) {
        (false, _) => OnChainKind::AddressUnchecked,
        (true, Ok(_)) => OnChainKind::AddressValid,
        (true, Err(_)) => OnChainKind::AddressWrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_right_or_wrong_or_not_there() {
        let text = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96046 \
                    0xd8da6bf26964af9d7eed9e03e53415d37aa96045 0x52908400098527886E0F7030069857D2E4169EE7 \
                    0x5208400098527886E0F7030069857D2E4169EE7 x0xd8da6bf26964af9d7eed9e03e53415d37aa96045";
        let kinds: Vec<_> = of(text, &Places::of(text)).into_iter().map(|one| one.kind).collect();
        use OnChainKind::{AddressUnchecked, AddressValid, AddressWrong};
        assert_eq!(kinds, [AddressValid, AddressWrong, AddressUnchecked, AddressUnchecked]);
    }
}
