//! Money is an integer with its asset. A float never touches it.

use std::{fmt, str::FromStr};

use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::evm::Address;

/// A whole number of an asset's smallest unit (wei, or 10⁻⁶ USDC). Never a float, never negative.
///
/// On the wire and in the database it is decimal text: a 64-bit integer of wei ends at 18.4 MON.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(U256);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    #[error("expected digits, with at most one decimal point")]
    NotANumber,
    #[error("more decimals than the asset has")]
    TooPrecise,
    #[error("larger than 256 bits")]
    TooLarge,
}

impl Amount {
    pub const ZERO: Self = Self(U256::ZERO);

    /// So many atomic units.
    pub fn from_atomic(units: u128) -> Self {
        Self(U256::from(units))
    }

    /// From a chain's 256-bit big-endian word.
    pub fn from_be_bytes(word: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(word))
    }

    /// As a chain's 256-bit big-endian word.
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// `None` past 256 bits.
    pub fn plus(self, more: Self) -> Option<Self> {
        self.0.checked_add(more.0).map(Self)
    }

    /// `None` if `price` is more than there is: the caller says what that means.
    pub fn minus(self, price: Self) -> Option<Self> {
        self.0.checked_sub(price.0).map(Self)
    }

    /// `None` past 256 bits.
    pub fn times(self, count: u64) -> Option<Self> {
        self.0.checked_mul(U256::from(count)).map(Self)
    }

    /// Reads what a person writes: `"0.0001"` with 18 decimals is 10¹⁴.
    ///
    /// # Errors
    /// Signs, exponents, spaces, a bare point, or more decimals than the asset has: nothing is rounded.
    pub fn parse_units(text: &str, decimals: u8) -> Result<Self, BadAmount> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || (text.contains('.') && fraction.is_empty()) {
            return Err(BadAmount::NotANumber);
        }
        if fraction.len() > usize::from(decimals) {
            return Err(BadAmount::TooPrecise);
        }
        format!("{whole}{fraction:0<width$}", width = usize::from(decimals)).parse()
    }

    /// Writes it as a person reads it, whole and without trailing zeros: 10¹⁴ with 18 decimals is `"0.0001"`.
    pub fn to_units(self, decimals: u8) -> String {
        let decimals = usize::from(decimals);
        let digits = format!("{:0>width$}", self.to_string(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// To three significant digits, to the nearest. What has no more than three is as it was.
    pub fn rounded(self) -> Self {
        let text = self.to_string();
        let (kept, rest) = text.split_at(text.len().min(3));
        let up = rest.as_bytes().first().is_some_and(|digit| *digit >= b'5');
        // Digits of our own: it parses, but for what rounds up past 256 bits.
        let kept = kept.parse::<u32>().unwrap_or_default() + u32::from(up);
        format!("{kept}{:0<width$}", "", width = rest.len()).parse().unwrap_or(self)
    }

    /// As an EIP-1193 quantity: `0x5af3107a4000`.
    pub fn to_hex_quantity(self) -> String {
        format!("{:#x}", self.0)
    }

    /// From a JSON-RPC quantity.
    ///
    /// # Errors
    /// Anything but `0x` and 1 to 64 hexadecimal digits.
    pub fn from_hex_quantity(text: &str) -> Result<Self, BadAmount> {
        let digits = text.strip_prefix("0x").ok_or(BadAmount::NotANumber)?;
        if digits.is_empty() || !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
            return Err(BadAmount::NotANumber);
        }
        U256::from_str_radix(digits, 16).map(Self).map_err(|_| BadAmount::TooLarge)
    }
}

/// Atomic units, in decimal.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Atomic units, in decimal; leading zeros are allowed, nothing else is.
impl FromStr for Amount {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        if text.is_empty() || !text.bytes().all(|d| d.is_ascii_digit()) {
            return Err(BadAmount::NotANumber);
        }
        U256::from_str_radix(text, 10).map(Self).map_err(|_| BadAmount::TooLarge)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Decimal text, or a whole number that JSON can hold exactly: clients write both.
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;

        impl serde::de::Visitor<'_> for Read {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, in decimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount::from_atomic(number.into()))
            }
        }

        from.deserialize_any(Read)
    }
}

/// An asset with its network: play money of one chain is never money on another.
///
/// Text form: `eip155:143/native` or `eip155:143/erc20:0x…` (CAIP-2, a slash, then what it is on that network).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asset {
    /// CAIP-2 network id: `eip155:143`.
    pub network: String,
    /// `None` is the network's own coin.
    pub token: Option<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected eip155:<chain>/native or eip155:<chain>/erc20:0x…")]
pub struct BadAsset;

impl Asset {
    pub fn native(network: &str) -> Self {
        Self { network: network.to_owned(), token: None }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            None => write!(f, "{}/native", self.network),
            Some(token) => write!(f, "{}/erc20:{token}", self.network),
        }
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Asset {
    type Err = BadAsset;

    fn from_str(text: &str) -> Result<Self, BadAsset> {
        let (network, what) = text.split_once('/').ok_or(BadAsset)?;
        let chain = network.strip_prefix("eip155:").ok_or(BadAsset)?;
        if chain.is_empty() || !chain.bytes().all(|d| d.is_ascii_digit()) {
            return Err(BadAsset);
        }
        let token = match what {
            "native" => None,
            token => Some(token.strip_prefix("erc20:").and_then(|a| a.parse().ok()).ok_or(BadAsset)?),
        };
        Ok(Self { network: network.to_owned(), token })
    }
}

impl Serialize for Asset {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount together with how to show it: what pages and answers carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    pub amount: Amount,
    pub asset: Asset,
    /// `MON`, `USDC`.
    pub symbol: String,
    pub decimals: u8,
}

impl Money {
    /// The same asset, another amount.
    pub fn with(&self, amount: Amount) -> Self {
        Self { amount, ..self.clone() }
    }

    /// To three significant digits: how a network's fee is told, before and after it is paid. A price, and what stands in the books, never is.
    pub fn rounded(&self) -> Self {
        self.with(self.amount.rounded())
    }
}

/// `0.0001 MON`
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_units(self.decimals), self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mon(text: &str) -> Amount {
        Amount::parse_units(text, 18).expect("a price")
    }

    #[test]
    fn o7_a_small_price_survives_parse_and_print() {
        for text in ["0.00001", "0.0001", "1", "0", "9.220000000000000001", "115792089237316195423570985008687907853269"] {
            assert_eq!(mon(text).to_units(18), text);
        }
        assert_eq!(mon("0.0001").to_string(), "100000000000000");
        assert_eq!(mon("1.50").to_units(18), "1.5");
    }

    #[test]
    fn p4_a_fee_is_told_to_three_digits() {
        for (exact, told) in [
            ("0.002142", "0.00214"),
            ("0.0021", "0.0021"),
            ("0.002100000000021", "0.0021"),
            ("0.0021449999", "0.00214"),
            ("0.002145", "0.00215"),
            ("0.0009996", "0.001"),
            ("1234.5", "1230"),
            ("0.000000000000000147", "0.000000000000000147"),
            ("0", "0"),
        ] {
            assert_eq!(mon(exact).rounded().to_units(18), told, "{exact}");
        }
        let most = Amount::from_be_bytes([0xff; 32]);
        assert!(most.rounded() >= mon("1"), "whatever a node says");
    }

    #[test]
    fn what_is_not_exactly_a_number_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "0x1", "1_000", "1,5", "٣", "1.2.3"] {
            assert!(Amount::parse_units(text, 18).is_err(), "{text:?}");
        }
        assert_eq!(Amount::parse_units("0.0000001", 6), Err(BadAmount::TooPrecise));
        assert_eq!(Amount::parse_units(&"9".repeat(80), 0), Err(BadAmount::TooLarge));
    }

    #[test]
    fn an_asset_is_named_with_its_network() {
        for text in ["eip155:143/native", "eip155:143/erc20:0x754704bc059f8c67012fed69bc8a327a5aafb603"] {
            assert_eq!(text.parse::<Asset>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        for text in ["native", "eip155:/native", "eip155:143/erc20:0x1", "solana:1/native", "eip155:143"] {
            assert!(text.parse::<Asset>().is_err(), "{text}");
        }
    }

    fn amounts() -> impl Strategy<Value = Amount> {
        any::<[u8; 32]>().prop_map(Amount::from_be_bytes)
    }

    proptest! {
        #[test]
        fn every_amount_survives_text_and_hex_and_units(amount in amounts(), decimals in 0_u8..=36) {
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            prop_assert_eq!(Amount::from_hex_quantity(&amount.to_hex_quantity()), Ok(amount));
            prop_assert_eq!(Amount::parse_units(&amount.to_units(decimals), decimals), Ok(amount));
            prop_assert_eq!(Amount::from_be_bytes(amount.to_be_bytes()), amount);
        }

        #[test]
        fn what_is_added_can_be_taken_away_again(a in amounts(), b in amounts()) {
            if let Some(sum) = a.plus(b) {
                prop_assert_eq!(sum.minus(b), Some(a));
                prop_assert!(sum >= a);
            }
            prop_assert_eq!(a.minus(b).is_some(), a >= b);
        }

        #[test]
        fn no_text_panics(text in ".{0,90}", decimals in 0_u8..=36) {
            let _ = Amount::parse_units(&text, decimals);
            let _ = Amount::from_hex_quantity(&text);
            let _ = text.parse::<Asset>();
        }
    }
}
