//! What is wrong with an input, told at the field where it can be put right, before anybody is asked for money.

use garde::{Error, Result};

pub fn address(address: &str, (): &()) -> Result {
    if address.is_empty() {
        return Err(Error::new("Enter an address."));
    }
    if address.parse::<crate::evm::Address>().is_err() {
        return Err(Error::new(
            "An address is 0x and 40 hexadecimal digits, for example 0x52908400098527886E0F7030069857D2E4169EE7.",
        ));
    }
    // EIP-55: letters in both cases are a check sum.
    let digits = address.get(2..).unwrap_or_default();
    let mixed = digits.bytes().any(|digit| digit.is_ascii_lowercase()) && digits.bytes().any(|digit| digit.is_ascii_uppercase());
    if mixed && alloy::primitives::Address::parse_checksummed(address, None).is_err() {
        return Err(Error::new(
            "This address has a typing error: its upper and lower case letters do not fit its digits (EIP-55).",
        ));
    }
    Ok(())
}

/// One of a list: a person finds it by its text, a program by its place.
pub fn entry(text: &str, (): &()) -> Result {
    address(text, &()).map_err(|wrong| {
        let shown: String = text.chars().take(44).collect();
        Error::new(format!("“{shown}”: {wrong}"))
    })
}

pub fn at_most<const MAX: usize>(addresses: &[String], (): &()) -> Result {
    match addresses.len() {
        count if count > MAX => Err(Error::new(format!("{count} addresses are more than are looked at: {MAX} at most."))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Input;
    use garde::Validate;

    fn wrong(input: &Input) -> Vec<String> {
        match input.validate() {
            Ok(()) => Vec::new(),
            Err(report) => report.iter().map(|(path, error)| format!("{path}: {error}")).collect(),
        }
    }

    const GOOD: &str = "0x52908400098527886E0F7030069857D2E4169EE7";

    #[test]
    fn what_is_no_address_is_told_at_its_field() {
        let of = |address: &str| wrong(&Input { address: address.to_owned(), ..Input::default() });
        assert_eq!(of(GOOD), [""; 0]);
        assert_eq!(of(&GOOD.to_lowercase()), [""; 0], "one case is no check sum");
        assert!(of("")[0].starts_with("address: Enter"), "{:?}", of(""));
        for bad in ["0x", "5290", &GOOD[..41], &format!("{GOOD}0"), "vitalik.eth", &format!("0x{}", "é".repeat(20))] {
            assert!(of(bad)[0].starts_with("address: An address is 0x"), "{bad}");
        }
        let typo = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD".replace("5aA", "5aa");
        assert!(of(&typo)[0].contains("EIP-55"), "{:?}", of(&typo));
    }

    #[test]
    fn lists_are_bounded_and_each_entry_has_its_place() {
        let input = |tokens: usize, spenders: usize| Input {
            address: GOOD.to_owned(),
            tokens: vec![GOOD.to_owned(); tokens],
            spenders: vec![GOOD.to_owned(); spenders],
        };
        assert_eq!(wrong(&input(30, 10)), [""; 0]);
        assert_eq!(wrong(&input(31, 10)), ["tokens: 31 addresses are more than are looked at: 30 at most."]);
        assert_eq!(wrong(&input(30, 11)), ["spenders: 11 addresses are more than are looked at: 10 at most."]);
        let mut bad = input(3, 0);
        bad.tokens[1] = "0x12".to_owned();
        assert!(wrong(&bad)[0].starts_with("tokens[1]: “0x12”: An address is"), "{:?}", wrong(&bad));
    }
}
