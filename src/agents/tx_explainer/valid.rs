//! What is wrong with an input, told at the field where it can be put right, before anybody is asked for money.

use garde::{Error, Result};

use super::{lexicon, raw as transaction};

/// Bytes of call data or of a raw transaction; what networks take is of this size at most.
pub const BYTES_MAX: usize = 128 * 1024;
/// Characters of an ABI.
pub const ABI_CHARS_MAX: usize = 64 * 1024;

/// The rule of the three is told at the first: it is the field that a form shows.
pub fn exactly_one<'a>(raw: &'a Option<String>, calldata: &'a Option<String>) -> impl FnOnce(&Option<String>, &()) -> Result + 'a {
    move |hash, ()| match [hash, raw, calldata].iter().filter(|field| field.is_some()).count() {
        0 => Err(Error::new("Paste a transaction's hash, a raw transaction or call data.")),
        1 => Ok(()),
        _ => Err(Error::new("Give one of hash, raw transaction and call data, not several.")),
    }
}

pub fn hash(hash: &Option<String>, (): &()) -> Result {
    match hash {
        Some(hash) if hash.parse::<crate::evm::TxHash>().is_err() => {
            Err(Error::new("A transaction's hash is 0x and 64 hexadecimal digits."))
        }
        _ => Ok(()),
    }
}

/// It is read here already: nobody pays to hear that it is none.
pub fn raw(raw: &Option<String>, (): &()) -> Result {
    let Some(raw) = raw else { return Ok(()) };
    let bytes = bytes("A raw transaction", raw)?;
    transaction::read(&bytes).map(|_| ()).map_err(Error::new)
}

pub fn calldata(calldata: &Option<String>, (): &()) -> Result {
    let Some(calldata) = calldata else { return Ok(()) };
    match bytes("Call data", calldata)?.len() {
        0..=3 => Err(Error::new("Call data begins with a selector: four bytes, eight digits.")),
        _ => Ok(()),
    }
}

pub fn abi(abi: &Option<String>, (): &()) -> Result {
    let Some(abi) = abi else { return Ok(()) };
    if abi.len() > ABI_CHARS_MAX {
        return Err(Error::new("This ABI is larger than 64 KB: give the functions, events and errors that matter."));
    }
    lexicon::read(abi).map(|_| ()).map_err(Error::new)
}

pub fn to(calldata: &Option<String>) -> impl FnOnce(&Option<String>, &()) -> Result + '_ {
    move |to, ()| match to {
        None => Ok(()),
        Some(_) if calldata.is_none() => Err(Error::new("Only call data needs to be told whom it is sent to.")),
        Some(to) if to.parse::<crate::evm::Address>().is_err() => Err(Error::new("An address is 0x and 40 hexadecimal digits.")),
        Some(_) => Ok(()),
    }
}

fn bytes(what: &str, text: &str) -> std::result::Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").ok_or_else(|| Error::new(format!("{what} starts with 0x.")))?;
    if digits.len() > BYTES_MAX * 2 {
        return Err(Error::new(format!("{what} has 128 KB at most, 262,144 digits.")));
    }
    if let Some(at) = digits.bytes().position(|digit| !digit.is_ascii_hexdigit()) {
        return Err(Error::new(format!("{what} is hexadecimal digits only; digit {} is none.", at + 1)));
    }
    alloy::hex::decode(digits).map_err(|_| Error::new(format!("{what} has two digits for each byte; one digit is missing or too many.")))
}

#[cfg(test)]
mod tests {
    use garde::Validate;

    use super::super::{Input, example};

    fn said(input: &Input) -> Vec<(String, String)> {
        match input.validate() {
            Ok(()) => Vec::new(),
            Err(report) => report.iter().map(|(path, error)| (path.to_string(), error.message().to_string())).collect(),
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field_before_the_price() {
        let text = |text: &str| Some(text.to_owned());
        let none = Input::default();
        let bad = [
            (none.clone(), "hash", "Paste"),
            (Input { hash: text("0x12"), ..none.clone() }, "hash", "64"),
            (Input { hash: text(&format!("0x{}", "ab".repeat(32))), raw: text("0x00"), ..none.clone() }, "hash", "not several"),
            (Input { raw: text("0x02c0"), ..none.clone() }, "raw", "0 fields"),
            (Input { raw: text("0x05c0"), ..none.clone() }, "raw", "type 5"),
            (Input { raw: text("0xzz"), ..none.clone() }, "raw", "digit 1"),
            (Input { calldata: text("a9059cbb"), ..none.clone() }, "calldata", "starts with 0x"),
            (Input { calldata: text("0xa9"), ..none.clone() }, "calldata", "selector"),
            (Input { calldata: text("0xa9059cb"), ..none.clone() }, "calldata", "two digits"),
            (Input { calldata: Some(format!("0x{}", "00".repeat(128 * 1024 + 1))), ..none.clone() }, "calldata", "128 KB"),
            (Input { abi: text("nonsense"), ..example() }, "abi", "no signature"),
            (Input { abi: Some("f()\n".repeat(20_000)), ..example() }, "abi", "64 KB"),
            (Input { to: text("0x12"), ..example() }, "to", "40"),
            (Input { hash: text(&format!("0x{}", "ab".repeat(32))), to: text(&format!("0x{}", "ab".repeat(20))), ..none.clone() }, "to", "Only call data"),
        ];
        for (input, field, words) in bad {
            let said = said(&input);
            assert!(said.iter().any(|(at, why)| at == field && why.contains(words)), "{field} {words}: {said:?}");
        }
        assert_eq!(said(&example()), []);
    }
}
