//! Reading and writing RLP, as strictly as the network does. Nothing here recurses: a list is opened by whoever wants what is in it.

use alloy::primitives::U256;

/// Items of one list, at most: more than fit the largest access list that is read here.
const ITEMS_MAX: usize = 10_000;

/// Why bytes are no RLP, or not what is expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    #[error("it ends in the middle of a value")]
    Short,
    #[error("there are more bytes after its end")]
    Long,
    #[error("a length or number is not written in its shortest way")]
    NotCanonical,
    #[error("a value stands where a list belongs, or a list where a value does")]
    Kind,
    #[error("a number or address is of the wrong length")]
    Width,
    #[error("a list has too many items")]
    Many,
}

/// A value or a list, not yet opened.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    is_list: bool,
    payload: &'a [u8],
    /// With its header: what is signed is made of these.
    pub whole: &'a [u8],
}

/// The first item of these bytes, and what comes after it.
pub fn first(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), Odd> {
    let (&head, rest) = bytes.split_first().ok_or(Odd::Short)?;
    let (is_list, skip, length) = match head {
        0..=0x7f => (false, 0, 1),
        0x80..=0xb7 => (false, 1, usize::from(head - 0x80)),
        0xb8..=0xbf => long(rest, usize::from(head - 0xb7)).map(|(of_length, length)| (false, 1 + of_length, length))?,
        0xc0..=0xf7 => (true, 1, usize::from(head - 0xc0)),
        0xf8..=0xff => long(rest, usize::from(head - 0xf7)).map(|(of_length, length)| (true, 1 + of_length, length))?,
    };
    let end = length.checked_add(skip).filter(|end| *end <= bytes.len()).ok_or(Odd::Short)?;
    let item = Item { is_list, payload: &bytes[skip..end], whole: &bytes[..end] };
    if head == 0x81 && item.payload[0] < 0x80 {
        return Err(Odd::NotCanonical);
    }
    Ok((item, &bytes[end..]))
}

fn long(rest: &[u8], of_length: usize) -> Result<(usize, usize), Odd> {
    let digits = rest.get(..of_length).ok_or(Odd::Short)?;
    let length = digits.iter().try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)));
    let length = length.ok_or(Odd::Short)?;
    if digits[0] == 0 || length < 56 {
        return Err(Odd::NotCanonical);
    }
    Ok((of_length, length))
}

/// The one item that these bytes are.
pub fn only(bytes: &[u8]) -> Result<Item<'_>, Odd> {
    match first(bytes)? {
        (item, []) => Ok(item),
        _ => Err(Odd::Long),
    }
}

impl<'a> Item<'a> {
    pub fn items(self) -> Result<Vec<Item<'a>>, Odd> {
        if !self.is_list {
            return Err(Odd::Kind);
        }
        let (mut rest, mut items) = (self.payload, Vec::new());
        while !rest.is_empty() {
            if items.len() == ITEMS_MAX {
                return Err(Odd::Many);
            }
            let (item, after) = first(rest)?;
            items.push(item);
            rest = after;
        }
        Ok(items)
    }

    pub fn is_list(self) -> bool {
        self.is_list
    }

    pub fn bytes(self) -> Result<&'a [u8], Odd> {
        if self.is_list { Err(Odd::Kind) } else { Ok(self.payload) }
    }

    pub fn number(self) -> Result<U256, Odd> {
        match self.bytes()? {
            [0, ..] => Err(Odd::NotCanonical),
            digits => U256::try_from_be_slice(digits).ok_or(Odd::Width),
        }
    }

    pub fn small(self) -> Result<u64, Odd> {
        u64::try_from(self.number()?).map_err(|_| Odd::Width)
    }

    pub fn address(self) -> Result<[u8; 20], Odd> {
        self.bytes()?.try_into().map_err(|_| Odd::Width)
    }
}

/// A number in its shortest way.
pub fn number(number: U256) -> Vec<u8> {
    value(&number.to_be_bytes_trimmed_vec())
}

fn value(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [single @ 0..=0x7f] => vec![*single],
        _ => with_header(0x80, bytes),
    }
}

/// A list of what is encoded already.
pub fn list(payload: &[u8]) -> Vec<u8> {
    with_header(0xc0, payload)
}

pub fn address(address: [u8; 20]) -> Vec<u8> {
    value(&address)
}

fn with_header(base: u8, payload: &[u8]) -> Vec<u8> {
    let header = match u8::try_from(payload.len()) {
        Ok(length @ 0..=55) => vec![base + length],
        _ => {
            let length = U256::from(payload.len()).to_be_bytes_trimmed_vec();
            // A length has eight bytes at most.
            [&[base + 55 + length.len() as u8], length.as_slice()].concat()
        }
    };
    [header.as_slice(), payload].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for size in [0, 1, 55, 56, 255, 256, 70_000] {
            let bytes = vec![0xee_u8; size];
            assert_eq!(only(&value(&bytes)).unwrap().bytes().unwrap(), bytes, "{size}");
            let whole = list(&[value(&bytes), number(U256::from(size))].concat());
            let items = only(&whole).unwrap().items().unwrap();
            assert_eq!((items.len(), items[1].small()), (2, Ok(size as u64)));
        }
        assert_eq!(number(U256::ZERO), [0x80]);
        assert_eq!(number(U256::from(0x80)), [0x81, 0x80]);
    }

    #[test]
    fn what_the_network_refuses_is_refused() {
        let odd = |bytes: &[u8]| only(bytes).map(|item| item.payload.len()).unwrap_err();
        assert_eq!(odd(&[]), Odd::Short);
        assert_eq!(odd(&[0x83, 1, 2]), Odd::Short);
        assert_eq!(odd(&[0xff; 9]), Odd::Short);
        assert_eq!(odd(&[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Odd::Short);
        assert_eq!(odd(&[0x01, 0x02]), Odd::Long);
        assert_eq!(odd(&[0x81, 0x05]), Odd::NotCanonical);
        assert_eq!(odd(&[0xb8, 0x01, 0x05]), Odd::NotCanonical);
        assert_eq!(only(&[0x82, 0, 1]).unwrap().number(), Err(Odd::NotCanonical));
        assert_eq!(only(&[0xc0]).unwrap().number(), Err(Odd::Kind));
        assert_eq!(only(&[0x05]).unwrap().items().map(|items| items.len()), Err(Odd::Kind));
        let many = list(&vec![0x80; ITEMS_MAX + 1]);
        assert_eq!(only(&many).unwrap().items().map(|items| items.len()), Err(Odd::Many));
    }
}
