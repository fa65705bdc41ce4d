//! Prices in running text: an amount beside a sign, a code or a word for money.

use std::{cmp::Reverse, ops::Range, sync::LazyLock};

use regex::Regex;

use super::amount::{Decimal, exact};

/// As it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes.
    pub at: Range<usize>,
    pub amount: String,
    pub currency: &'static str,
}

/// Signs and codes, and what they mean where there is no doubt. A bare `$`, `¥` or `kr` is money of several countries.
#[rustfmt::skip]
const SIGNS: &[(&str, &str)] = &[
    ("US$", "USD"), ("USD", "USD"), ("A$", "AUD"), ("AU$", "AUD"), ("AUD", "AUD"), ("C$", "CAD"), ("CA$", "CAD"), ("CAD", "CAD"),
    ("HK$", "HKD"), ("HKD", "HKD"), ("NZ$", "NZD"), ("NZD", "NZD"), ("S$", "SGD"), ("SGD", "SGD"), ("R$", "BRL"), ("BRL", "BRL"),
    ("MX$", "MXN"), ("MXN", "MXN"), ("$", "$"), ("€", "EUR"), ("EUR", "EUR"), ("£", "GBP"), ("GBP", "GBP"), ("JP¥", "JPY"),
    ("JPY", "JPY"), ("CN¥", "CNY"), ("CNY", "CNY"), ("RMB", "CNY"), ("¥", "¥"), ("円", "JPY"), ("元", "CNY"), ("₹", "INR"), ("INR", "INR"),
    ("₩", "KRW"), ("KRW", "KRW"), ("₽", "RUB"), ("RUB", "RUB"), ("₺", "TRY"), ("TRY", "TRY"), ("₴", "UAH"), ("UAH", "UAH"), ("₫", "VND"),
    ("VND", "VND"), ("₪", "ILS"), ("ILS", "ILS"), ("฿", "THB"), ("THB", "THB"), ("₱", "PHP"), ("PHP", "PHP"), ("₿", "BTC"), ("BTC", "BTC"),
    ("ETH", "ETH"), ("MON", "MON"), ("USDC", "USDC"), ("USDT", "USDT"), ("DAI", "DAI"), ("SOL", "SOL"), ("CHF", "CHF"), ("SEK", "SEK"),
    ("NOK", "NOK"), ("DKK", "DKK"), ("kr", "kr"), ("zł", "PLN"), ("PLN", "PLN"), ("Kč", "CZK"), ("CZK", "CZK"), ("HUF", "HUF"), ("ZAR", "ZAR"),
];
/// Only after an amount.
#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    ("euros", "EUR"), ("euro", "EUR"), ("Euro", "EUR"), ("Euros", "EUR"), ("dollars", "$"), ("dollar", "$"), ("Dollar", "$"),
    ("US dollars", "USD"), ("U.S. dollars", "USD"), ("pounds sterling", "GBP"), ("yen", "JPY"), ("Yen", "JPY"), ("yuan", "CNY"),
    ("rupees", "INR"),
];
/// Zeros behind the amount.
#[rustfmt::skip]
const SCALES: &[(&str, usize)] = &[
    ("thousand", 3), ("million", 6), ("millions", 6), ("Million", 6), ("Millionen", 6), ("Mio.", 6), ("Mio", 6), ("mln", 6), ("billion", 9),
    ("bn", 9), ("Milliarde", 9), ("Milliarden", 9), ("Mrd.", 9), ("Mrd", 9), ("milliards", 9), ("trillion", 12), ("k", 3), ("K", 3),
    ("m", 6), ("M", 6), ("B", 9),
];
/// They have many decimals, and nobody parts their thousands with a point.
const COINS: &[&str] = &["BTC", "ETH", "MON", "USDC", "USDT", "DAI", "SOL"];

/// What is longer is no price.
const NUMBER: &str = r"\d{1,3}(?:[ \x{a0}\x{202f}\x{2009}'’]\d{3})+(?:[.,]\d{1,2})?|\d[\d.,]{0,38}";

static PRICE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // The longest first: the first that fits is taken.
    let one_of = |mut names: Vec<&str>| {
        names.sort_by_key(|name| Reverse(name.len()));
        names.into_iter().map(regex::escape).collect::<Vec<_>>().join("|")
    };
    let signs = one_of(SIGNS.iter().map(|(name, _)| *name).collect());
    let after = one_of(SIGNS.iter().chain(WORDS).map(|(name, _)| *name).collect());
    let scales = one_of(SCALES.iter().map(|(name, _)| *name).collect());
    let gap = r"[ \x{a0}\x{202f}]";
    Regex::new(&format!(
        r"(?P<sign>{signs}){gap}?(?P<number>{NUMBER})(?:(?:{gap}|-)?(?P<scale>{scales})\b)?|(?P<number2>{NUMBER})(?:{gap}?(?P<scale2>{scales}))?(?:{gap}|-)?(?P<after>{after})"
    ))
    .ok()
});

/// In the text's order. `habit`: what its language means by a comma.
pub fn prices(text: &str, habit: Decimal) -> Vec<Found> {
    let Some(price) = &*PRICE else { return Vec::new() };
    let either = |captures: &regex::Captures, one: &str, other: &str| {
        captures.name(one).or_else(|| captures.name(other)).map(|found| found.range())
    };
    let mut found = Vec::new();
    for captures in price.captures_iter(text) {
        let (Some(sign), Some(number)) = (either(&captures, "sign", "after"), either(&captures, "number", "number2")) else { continue };
        let scale = either(&captures, "scale", "scale2");
        // A full stop or a comma behind a number is the sentence's.
        let digits = text[number.clone()].trim_end_matches(['.', ',']);
        let is_last = number.start > sign.start && scale.is_none();
        let whole = captures.get(0).map_or(number.clone(), |whole| whole.range());
        let at = whole.start..if is_last { number.start + digits.len() } else { whole.end };
        // `ETH0` is a name; `USD5` is not worth the doubt.
        let is_name = number.start == sign.end && text[sign.clone()].ends_with(|c: char| c.is_ascii_uppercase());
        if is_name || !stands_alone(text, &at) {
            continue;
        }
        let zeros = scale.and_then(|scale| SCALES.iter().find(|(name, _)| *name == &text[scale.clone()])).map_or(0, |(_, zeros)| *zeros);
        let currency = SIGNS.iter().chain(WORDS).find(|(name, _)| *name == &text[sign.clone()]);
        let Some((_, currency)) = currency else { continue };
        let habit = if COINS.contains(currency) { Decimal::Point } else { habit };
        if let Some(amount) = exact(digits, zeros, habit) {
            found.push(Found { at, amount, currency });
        }
    }
    found
}

/// Not a part of a word, a version or a longer number.
fn stands_alone(text: &str, at: &Range<usize>) -> bool {
    let (before, after) = (text[..at.start].chars().next_back(), text[at.end..].chars().next());
    let (first, last) = (text[at.clone()].chars().next(), text[at.clone()].chars().next_back());
    let joins = |c: char, edge: Option<char>| match edge {
        Some(edge) if edge.is_ascii_alphanumeric() => c.is_alphanumeric() && (c.is_ascii() || !is_ideograph(c)) || matches!(c, '_' | '$' | '{'),
        _ => c.is_ascii_alphanumeric() && edge == Some('$') || matches!(c, '_' | '{'),
    };
    let is_longer_number = first.is_some_and(|c| c.is_ascii_digit()) && before.is_some_and(|c| matches!(c, '.' | ',' | '-' | '/' | ':'));
    let is_cut = before.is_some_and(|c| joins(c, first)) || after.is_some_and(|c| joins(c, last) || c == '%');
    !is_longer_number && !is_cut
}

/// Words are not parted by spaces there.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, habit: Decimal) -> Vec<(String, String, &'static str)> {
        prices(text, habit).into_iter().map(|price| (text[price.at].to_owned(), price.amount, price.currency)).collect()
    }

    #[test]
    fn a_price_is_found_however_it_is_written() {
        for (text, written, amount, currency) in [
            ("It costs $5.", "$5", "5", "$"),
            ("Now US$1,299.00, was more", "US$1,299.00", "1299.00", "USD"),
            ("for 12.50 EUR each", "12.50 EUR", "12.50", "EUR"),
            ("for €12,50 each", "€12,50", "12.50", "EUR"),
            ("ab 1.299,00 € im Monat", "1.299,00 €", "1299.00", "EUR"),
            ("ab 1.299 € im Monat", "1.299 €", "1299", "EUR"),
            ("£3.99/month", "£3.99", "3.99", "GBP"),
            ("0.0001 MON a run", "0.0001 MON", "0.0001", "MON"),
            ("USDC 0.001", "USDC 0.001", "0.001", "USDC"),
            ("raised $1.5 million in", "$1.5 million", "1500000", "$"),
            ("raised $10M in", "$10M", "10000000", "$"),
            ("3 Mio. Euro", "3 Mio. Euro", "3000000", "EUR"),
            ("20 dollars", "20 dollars", "20", "$"),
            ("CHF 1'299.50", "CHF 1'299.50", "1299.50", "CHF"),
            ("1 299 kr", "1 299 kr", "1299", "kr"),
            ("は1000円です", "1000円", "1000", "JPY"),
            ("₹4,999", "₹4,999", "4999", "INR"),
            ("(€5)", "€5", "5", "EUR"),
        ] {
            let habit = if text.starts_with("ab ") { Decimal::Comma } else { Decimal::Point };
            assert_eq!(read(text, habit), [(written.to_owned(), amount.to_owned(), currency)], "{text}");
        }
        assert_eq!(read("from $5 to $7.50, or 6 € more", Decimal::Point).len(), 3);
    }

    #[test]
    fn what_is_no_price_is_none() {
        for text in [
            "$HOME and $x1",
            "${1}",
            "$1abc",
            "a$1",
            "version 1.2.3 EURO",
            "5 krill",
            "12 Monday",
            "5 million people",
            "ETH0",
            "MON-1",
            "5 SOLID rules",
            "BTCUSD",
            "10-15 minutes",
            "5% EURIBOR",
            "US$",
            "R$ x",
            "1.2.3.4 EUR",
        ] {
            assert_eq!(read(text, Decimal::Point), [], "{text}");
        }
    }

    #[test]
    fn a_long_line_of_digits_ends_in_time() {
        let began = std::time::Instant::now();
        for text in ["1,".repeat(50_000), "$".repeat(100_000), "1 000".repeat(20_000), "9".repeat(100_000)] {
            prices(&text, Decimal::Point);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
