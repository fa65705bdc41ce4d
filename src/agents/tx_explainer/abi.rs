//! Decoding by types, bounded.
//!
//! The bytes are a stranger's, and so may the types be. A list of offsets that all lead to the same bytes, level upon level, would make
//! gigabytes of a few hundred bytes; so every value and every byte that is copied is counted against a budget, which one report has once.
//! What the budget allows is many times what any honest payload of the size that is taken needs.

use alloy::{
    dyn_abi::DynSolType,
    hex,
    primitives::{I256, U256},
};

/// What a whole report may hold.
#[derive(Debug)]
pub struct Budget {
    /// Values, lists and tuples too.
    values: usize,
    /// Of byte strings and texts.
    bytes: usize,
    /// Characters of arguments in the report.
    text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { values: 60_000, bytes: 3 * 1024 * 1024, text: 300_000 }
    }
}

/// Why bytes do not fit their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// They end too early, or point outside.
    Short,
    /// A bool of 2, an address of more than 20 bytes, and the like.
    Dirty,
    /// They unfold to more than is read.
    Budget,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Uint(U256),
    Int(I256),
    Bool(bool),
    Address([u8; 20]),
    /// `bytes1` to `bytes32`, `bytes`, `function`.
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
}

#[derive(Debug)]
pub struct Decoded {
    pub values: Vec<Value>,
    /// Bytes from the start up to the last that some value lies in, padding included.
    pub read: usize,
}

/// Decodes a sequence of arguments.
pub fn decode(types: &[DynSolType], data: &[u8], budget: &mut Budget) -> Result<Decoded, Misfit> {
    let mut reader = Reader { data, budget, read: 0 };
    let values = reader.sequence(types.iter(), 0)?;
    Ok(Decoded { values, read: reader.read })
}

struct Reader<'a> {
    data: &'a [u8],
    budget: &'a mut Budget,
    read: usize,
}

impl Reader<'_> {
    fn word(&mut self, at: usize) -> Result<[u8; 32], Misfit> {
        let end = at.checked_add(32).ok_or(Misfit::Short)?;
        let word = self.data.get(at..end).ok_or(Misfit::Short)?;
        self.read = self.read.max(end);
        word.try_into().map_err(|_| Misfit::Short)
    }

    /// An offset or a length. What is larger than the data lies outside of it anyway.
    fn size(&mut self, at: usize) -> Result<usize, Misfit> {
        let size = usize::try_from(U256::from_be_bytes(self.word(at)?)).map_err(|_| Misfit::Short)?;
        if size > self.data.len() { Err(Misfit::Short) } else { Ok(size) }
    }

    fn sequence<'t>(&mut self, types: impl Iterator<Item = &'t DynSolType>, base: usize) -> Result<Vec<Value>, Misfit> {
        let mut head = base;
        let mut values = Vec::new();
        for kind in types {
            if is_dynamic(kind) {
                let at = base.checked_add(self.size(head)?).ok_or(Misfit::Short)?;
                values.push(self.far(kind, at)?);
                head += 32;
            } else {
                values.push(self.near(kind, head)?);
                head = head.checked_add(width(kind)).ok_or(Misfit::Short)?;
            }
        }
        Ok(values)
    }

    fn count(&mut self) -> Result<(), Misfit> {
        self.budget.values = self.budget.values.checked_sub(1).ok_or(Misfit::Budget)?;
        Ok(())
    }

    /// A value of a size that is known.
    fn near(&mut self, kind: &DynSolType, at: usize) -> Result<Value, Misfit> {
        self.count()?;
        match kind {
            DynSolType::FixedArray(kind, count) => self.sequence(std::iter::repeat_n(&**kind, *count), at).map(Value::List),
            DynSolType::Tuple(kinds) => self.sequence(kinds.iter(), at).map(Value::Tuple),
            _ => simple(kind, self.word(at)?),
        }
    }

    /// A value that lies where an offset leads.
    fn far(&mut self, kind: &DynSolType, at: usize) -> Result<Value, Misfit> {
        self.count()?;
        match kind {
            DynSolType::Array(kind) => {
                let count = self.size(at)?;
                let head = if is_dynamic(kind) { 32 } else { width(kind) };
                // Each needs its head: a count of millions over a few words is no list.
                if count.checked_mul(head).is_none_or(|bytes| bytes > self.data.len()) {
                    return Err(Misfit::Short);
                }
                self.sequence(std::iter::repeat_n(&**kind, count), at + 32).map(Value::List)
            }
            DynSolType::FixedArray(kind, count) => self.sequence(std::iter::repeat_n(&**kind, *count), at).map(Value::List),
            DynSolType::Tuple(kinds) => self.sequence(kinds.iter(), at).map(Value::Tuple),
            DynSolType::String => self.bytes(at).map(|bytes| Value::Text(String::from_utf8_lossy(&bytes).into_owned())),
            _ => self.bytes(at).map(Value::Bytes),
        }
    }

    fn bytes(&mut self, at: usize) -> Result<Vec<u8>, Misfit> {
        let length = self.size(at)?;
        let start = at + 32;
        let end = start.checked_add(length).ok_or(Misfit::Short)?;
        // Some encoders leave the padding of the last one out.
        let bytes = self.data.get(start..end).ok_or(Misfit::Short)?;
        self.budget.bytes = self.budget.bytes.checked_sub(length).ok_or(Misfit::Budget)?;
        self.read = self.read.max(end.next_multiple_of(32).min(self.data.len()));
        Ok(bytes.to_vec())
    }
}

/// One word. What a type has no room for is dirt: compilers since 2020 revert at it, so the type is not what was meant.
fn simple(kind: &DynSolType, word: [u8; 32]) -> Result<Value, Misfit> {
    let number = U256::from_be_bytes(word);
    let tail = |from: usize| word[from..].iter().all(|byte| *byte == 0);
    match kind {
        DynSolType::Uint(bits) if number.bit_len() <= *bits => Ok(Value::Uint(number)),
        DynSolType::Int(bits) => {
            let signed = I256::from_raw(number);
            let fits = *bits >= 256 || signed.asr(bits - 1) == I256::ZERO || signed.asr(bits - 1) == I256::MINUS_ONE;
            if fits { Ok(Value::Int(signed)) } else { Err(Misfit::Dirty) }
        }
        DynSolType::Bool if number <= U256::from(1) => Ok(Value::Bool(!number.is_zero())),
        DynSolType::Address if number.bit_len() <= 160 => match word[12..].try_into() {
            Ok(address) => Ok(Value::Address(address)),
            Err(_) => Err(Misfit::Dirty),
        },
        DynSolType::FixedBytes(size) if *size <= 32 && tail(*size) => Ok(Value::Bytes(word[..*size].to_vec())),
        DynSolType::Function if tail(24) => Ok(Value::Bytes(word[..24].to_vec())),
        _ => Err(Misfit::Dirty),
    }
}

/// Types are read by `shape`, which bounds how deep they nest.
pub fn is_dynamic(kind: &DynSolType) -> bool {
    match kind {
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => true,
        DynSolType::FixedArray(kind, _) => is_dynamic(kind),
        DynSolType::Tuple(kinds) => kinds.iter().any(is_dynamic),
        _ => false,
    }
}

/// Bytes of a type that is not dynamic.
fn width(kind: &DynSolType) -> usize {
    match kind {
        DynSolType::FixedArray(kind, count) => width(kind) * count,
        DynSolType::Tuple(kinds) => kinds.iter().map(width).sum(),
        _ => 32,
    }
}

/// Characters of one argument, at most.
const TEXT_MAX: usize = 2_000;
/// What each still gets when the report's characters are used up.
const TEXT_MIN: usize = 80;

impl Value {
    /// For a person and a program alike; ends with `…` where it was cut.
    pub fn text(&self, budget: &mut Budget) -> String {
        let most = TEXT_MAX.min(budget.text).max(TEXT_MIN);
        let mut text = String::new();
        match self {
            // Alone it needs no quotes.
            Self::Text(words) => text.extend(words.chars().take(most + 1)),
            other => other.write(&mut text, most),
        }
        if text.len() > most && text.chars().count() > most {
            text = text.chars().take(most).collect();
            text.push('…');
        }
        budget.text = budget.text.saturating_sub(text.len());
        text
    }

    fn write(&self, out: &mut String, most: usize) {
        if out.len() > most {
            return;
        }
        match self {
            Self::Uint(number) => out.push_str(&number.to_string()),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Address(address) => out.push_str(&hex::encode_prefixed(address)),
            Self::Bytes(bytes) => out.push_str(&hex::encode_prefixed(&bytes[..bytes.len().min(most)])),
            Self::Text(words) => {
                let beginning: String = words.chars().take(most).collect();
                out.push_str(&serde_json::Value::String(beginning).to_string());
            }
            Self::List(values) => write_all('[', values, ']', out, most),
            Self::Tuple(values) => write_all('(', values, ')', out, most),
        }
    }
}

fn write_all(open: char, values: &[Value], close: char, out: &mut String, most: usize) {
    out.push(open);
    for (place, value) in values.iter().enumerate() {
        if out.len() > most {
            return;
        }
        if place > 0 {
            out.push_str(", ");
        }
        value.write(out, most);
    }
    out.push(close);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy::dyn_abi::DynSolValue;
    use proptest::prelude::*;

    use super::*;

    fn types(text: &str) -> Vec<DynSolType> {
        match text.parse().unwrap() {
            DynSolType::Tuple(types) => types,
            one => vec![one],
        }
    }

    fn read(text: &str, data: &[u8]) -> Result<Vec<String>, Misfit> {
        let mut budget = Budget::default();
        let decoded = decode(&types(text), data, &mut budget)?;
        Ok(decoded.values.iter().map(|value| value.text(&mut budget)).collect())
    }

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect()
    }

    #[test]
    fn every_kind_of_value_is_read_as_alloy_wrote_it() {
        let value = DynSolValue::Tuple(vec![
            DynSolValue::Int(I256::MINUS_ONE, 8),
            DynSolValue::Array(vec![DynSolValue::Bytes(vec![1, 2]), DynSolValue::Bytes(Vec::new())]),
            DynSolValue::FixedArray(vec![DynSolValue::Bool(true), DynSolValue::Bool(false)]),
            DynSolValue::Tuple(vec![DynSolValue::String("a \"b\"".to_owned()), DynSolValue::Address([0x11; 20].into())]),
            DynSolValue::FixedBytes([0xab; 32].into(), 32),
            DynSolValue::String("plain".to_owned()),
        ]);
        assert_eq!(
            read("(int8,bytes[],bool[2],(string,address),bytes32,string)", &value.abi_encode_params()).unwrap(),
            [
                "-1".to_owned(),
                "[0x0102, 0x]".to_owned(),
                "[true, false]".to_owned(),
                format!("(\"a \\\"b\\\"\", 0x{})", "11".repeat(20)),
                format!("0x{}", "ab".repeat(32)),
                "plain".to_owned(),
            ]
        );
    }

    #[test]
    fn what_has_no_room_in_its_type_does_not_fit() {
        for (kind, word) in [("(bool)", 2), ("(uint8)", 256), ("(int8)", 128)] {
            assert_eq!(read(kind, &words(&[word])), Err(Misfit::Dirty), "{kind}");
        }
        assert_eq!(read("(address)", &[1; 32]), Err(Misfit::Dirty));
        assert_eq!(read("(bytes4)", &[1; 32]), Err(Misfit::Dirty));
        assert_eq!(read("(uint256,uint256)", &words(&[1])), Err(Misfit::Short));
        assert_eq!(read("(bytes)", &words(&[32, 33])), Err(Misfit::Short));
        assert_eq!(read("(uint256[])", &words(&[32, u64::MAX])), Err(Misfit::Short));
    }

    /// Offsets that lead back: 1 000 lists of 1 000 lists of 1 000 lists are a billion, in 32 kB.
    #[test]
    fn a_list_that_unfolds_to_billions_is_given_up() {
        let mut bomb = words(&[32, 1_000]);
        // Each offset is from the first of them back to the length before it: the list holds itself.
        bomb.extend(words(&[0; 1_000]));
        let same = [words(&[32]), words(&[900]), words(&vec![900 * 32; 900]), words(&[900]), words(&vec![900 * 32; 900]), words(&vec![5; 1_000])].concat();
        let start = std::time::Instant::now();
        assert_eq!(read("(uint256[][][][])", &same).unwrap_err(), Misfit::Budget);
        assert!(read("(bytes[])", &[words(&[32, 3_000]), words(&vec![3_000 * 32; 3_000]), words(&[90_000]), vec![7; 90_000]].concat()).is_err());
        let _ = read("(uint256[][][])", &bomb);
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        let long = DynSolValue::Bytes(vec![0xab; 50_000]);
        let text = &read("(bytes)", &DynSolValue::Tuple(vec![long]).abi_encode_params()).unwrap()[0];
        assert!(text.starts_with("0xabab") && text.ends_with('…') && text.chars().count() == TEXT_MAX + 1, "{}", text.len());
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(data in proptest::collection::vec(any::<u8>(), 0..400), small in proptest::collection::vec(0_u64..300, 0..40)) {
            for kind in ["(uint256[][],bytes,string)", "((address,bytes)[],bytes[2])", "(int24[3][],(bool,(string,bytes4))[])"] {
                let _ = read(kind, &data);
                let _ = read(kind, &words(&small));
            }
        }
    }
}
