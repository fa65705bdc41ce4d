//! What an EVM chain calls things: addresses and transaction hashes, checked once, at the edge.
//!
//! Both sides of the wire use them; the server's chain code turns them into alloy's types and back.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is no address or hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 0x and {expected} hexadecimal digits")]
pub struct BadHex {
    /// Digits, without the `0x`.
    pub expected: usize,
}

macro_rules! fixed_hex {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadHex;

            fn from_str(text: &str) -> Result<Self, BadHex> {
                let bad = BadHex { expected: $bytes * 2 };
                let digits = text.strip_prefix("0x").ok_or(bad)?.as_bytes();
                if digits.len() != $bytes * 2 {
                    return Err(bad);
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let digit = |d: u8| char::from(d).to_digit(16).ok_or(bad);
                    *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fixed_hex!(
    /// An account or contract. Shown and stored in lower case, so that equal addresses are equal texts.
    Address,
    20
);
fixed_hex!(
    /// A transaction's hash, lower case: the identity of a native payment.
    TxHash,
    32
);

impl Address {
    /// `0x1234…cdef`, for places where the whole is one click away.
    pub fn short(&self) -> String {
        let whole = self.to_string();
        format!("{}…{}", &whole[..6], &whole[38..])
    }
}

impl TxHash {
    pub fn short(&self) -> String {
        let whole = self.to_string();
        format!("{}…{}", &whole[..8], &whole[60..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_in_either_case() {
        let lower: TxHash = format!("0x{}", "ab".repeat(32)).parse().expect("a hash");
        let upper: TxHash = format!("0x{}", "AB".repeat(32)).parse().expect("a hash");
        assert_eq!(lower, upper);
        assert_eq!(upper.to_string(), format!("0x{}", "ab".repeat(32)));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "0x", "foo", "0x12", &"ab".repeat(21), &format!("0x{}", "g".repeat(40)), &format!("0x{}", "é".repeat(20))]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
