//! What is wrong with an input, told at the field where it can be put right, before anybody is asked for money.

use garde::{Error, Result};

/// Bytes; the largest code that the network allows (Monad: 128 KB, Ethereum 24 KB).
pub const CODE_BYTES_MAX: usize = 128 * 1024;

/// The rule of the pair is told at the address: it is the field that a form shows first.
pub fn exactly_one(bytecode: &Option<String>) -> impl FnOnce(&Option<String>, &()) -> Result + '_ {
    move |address, ()| match (address, bytecode) {
        (None, None) => Err(Error::new("Enter a contract's address, or paste its bytecode.")),
        (Some(_), Some(_)) => Err(Error::new("Give either an address or bytecode, not both.")),
        _ => Ok(()),
    }
}

pub fn address(address: &Option<String>, (): &()) -> Result {
    let Some(address) = address else { return Ok(()) };
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

pub fn bytecode(bytecode: &Option<String>, (): &()) -> Result {
    let Some(bytecode) = bytecode else { return Ok(()) };
    let Some(digits) = bytecode.strip_prefix("0x") else {
        return Err(Error::new("Bytecode starts with 0x."));
    };
    if digits.is_empty() {
        return Err(Error::new("There is no code after the 0x."));
    }
    if digits.len() > CODE_BYTES_MAX * 2 {
        return Err(Error::new("This is more code than the network allows: at most 128 KB, 262,144 digits."));
    }
    if let Some(at) = digits.bytes().position(|digit| !digit.is_ascii_hexdigit()) {
        return Err(Error::new(format!("Bytecode is hexadecimal digits only; digit {} is none.", at + 1)));
    }
    if digits.len() % 2 != 0 {
        return Err(Error::new("Bytecode has two digits for each byte; one digit is missing or too many."));
    }
    Ok(())
}
