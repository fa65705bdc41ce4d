//! A change of an account: an amount with a sign, as the journal writes it. Exact, 256 bits and a sign; a sum that does not fit is no sum.

use std::{fmt, str::FromStr};

use crate::money::{Amount, BadAmount};

/// Zero is never negative, so equal changes are equal texts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signed {
    negative: bool,
    size: Amount,
}

impl Signed {
    pub(super) const ZERO: Self = Self { negative: false, size: Amount::ZERO };

    pub(super) fn into_account(size: Amount) -> Self {
        Self { negative: false, size }
    }

    pub(super) fn out_of_account(size: Amount) -> Self {
        Self { negative: !size.is_zero(), size }
    }

    pub(super) fn is_zero(self) -> bool {
        self.size.is_zero()
    }

    /// Less than nothing: it leaves the account.
    pub(super) fn is_out(self) -> bool {
        self.negative
    }

    pub(super) fn opposite(self) -> Self {
        Self { negative: !self.negative && !self.size.is_zero(), ..self }
    }

    /// Without the sign.
    pub(super) fn size(self) -> Amount {
        self.size
    }

    /// `None` past 256 bits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        if self.negative == other.negative {
            return self.size.plus(other.size).map(|size| Self { size, ..self });
        }
        Some(match self.size.minus(other.size) {
            Some(size) => Self { negative: self.negative && !size.is_zero(), size },
            None => Self { negative: other.negative, size: other.size.minus(self.size)? },
        })
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        fmt::Display::fmt(&self.size, f)
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signed {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        match text.strip_prefix('-') {
            Some(size) => size.parse().map(Self::out_of_account),
            None => text.parse().map(Self::into_account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_those_of_whole_numbers(a in -(1_i128 << 100)..(1_i128 << 100), b in -(1_i128 << 100)..(1_i128 << 100)) {
            let signed = |number: i128| number.to_string().parse::<Signed>();
            prop_assert_eq!(signed(a).map(|s| s.to_string()), Ok(a.to_string()));
            prop_assert_eq!(signed(a)?.plus(signed(b)?).map(|s| s.to_string()), Some((a + b).to_string()));
        }
    }

    #[test]
    fn a_sum_past_256_bits_is_none() {
        let most = Signed::into_account(Amount::from_be_bytes([0xff; 32]));
        let one = Signed::into_account(Amount::from_atomic(1));
        assert_eq!(most.plus(one), None);
        assert_eq!(most.plus(Signed::out_of_account(most.size())), Some(Signed::ZERO));
        assert_eq!("-0".parse(), Ok(Signed::ZERO));
        for text in ["", "-", "--1", "+1", "1-", " 1", "-1.0"] {
            assert!(text.parse::<Signed>().is_err(), "{text:?}");
        }
    }
}
