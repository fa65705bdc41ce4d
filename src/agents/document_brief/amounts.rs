//! Amounts of money: a number beside a currency's sign, code or name.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    Amount, At,
    brief::{apart, pattern, stands_alone},
};
use crate::text::{Language, Places};

/// Signs, codes and names, with what they stand for; a sign of several currencies stands for itself.
const CURRENCIES: &[(&str, &str)] = &[
    ("US$", "USD"),
    ("A$", "AUD"),
    ("C$", "CAD"),
    ("HK$", "HKD"),
    ("NZ$", "NZD"),
    ("S$", "SGD"),
    ("R$", "BRL"),
    ("$", "$"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "¥"),
    ("₹", "INR"),
    ("₩", "KRW"),
    ("₽", "RUB"),
    ("₺", "TRY"),
    ("₴", "UAH"),
    ("₿", "BTC"),
    ("Ξ", "ETH"),
];

const CODES: &[&str] = &[
    "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "BRL",
    "MXN", "ZAR", "SGD", "HKD", "KRW", "AED", "ILS", "UAH", "RUB", "MON", "WMON", "USDC", "USDT", "DAI", "ETH", "WETH", "BTC",
    "WBTC", "SOL", "MATIC", "POL", "gwei", "wei",
];

const NAMES: &[(&str, &str)] = &[
    ("dollars", "$"),
    ("dollar", "$"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("Euro", "EUR"),
    ("Euros", "EUR"),
    ("pounds", "GBP"),
    ("Franken", "CHF"),
    ("yen", "JPY"),
    ("rupees", "INR"),
    ("cents", "cents"),
    ("Dollar", "$"),
];

/// Names of powers of ten, with their zeros.
const POWERS: &[(&str, usize)] = &[
    ("thousand", 3),
    ("million", 6),
    ("millions", 6),
    ("billion", 9),
    ("trillion", 12),
    ("k", 3),
    ("K", 3),
    ("m", 6),
    ("M", 6),
    ("bn", 9),
    ("B", 9),
    ("Tsd.", 3),
    ("Tausend", 3),
    ("Mio.", 6),
    ("Mio", 6),
    ("Millionen", 6),
    ("Mrd.", 9),
    ("Mrd", 9),
    ("Milliarden", 9),
    ("millones", 6),
    ("milliards", 9),
    ("milioni", 6),
    ("mil", 3),
];

static PATTERNS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    let number = r"(?:\d{1,3}(?:[,.'’ \u{a0}\u{202f}]\d{3})+(?:[.,]\d{1,18})?|\d{1,30}(?:[.,]\d{1,18})?)";
    let list = |words: Vec<&str>| {
        let mut words = words;
        words.sort_by_key(|word| usize::MAX - word.len());
        words.into_iter().map(regex::escape).collect::<Vec<_>>().join("|")
    };
    let signs = list(CURRENCIES.iter().map(|(sign, _)| *sign).collect());
    let codes = list(CODES.to_vec());
    let names = list(NAMES.iter().map(|(name, _)| *name).collect());
    let powers = list(POWERS.iter().map(|(power, _)| *power).collect());
    let power = format!(r"(?:[ \u{{a0}}]?(?P<power>{powers}))?");
    let gap = r"[ \u{a0}\u{202f}]?";
    [
        pattern(&format!(r"(?P<unit>{signs}|{codes}){gap}(?P<number>{number})(?:{power}\b)?")),
        pattern(&format!(r"\b(?P<number>{number}){power}{gap}(?P<unit>{signs}|(?:{codes}|{names})\b)")),
    ]
});

/// All of them, in the order of the text.
pub(super) fn of(text: &str, places: &Places, language: Option<Language>) -> Vec<Amount> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut found: Vec<(Range<usize>, Amount)> = Vec::new();
    for captures in PATTERNS.iter().flat_map(|pattern| pattern.captures_iter(text)) {
        let (Some(whole), Some(unit), Some(number)) = (captures.get(0), captures.name("unit"), captures.name("number")) else {
            continue;
        };
        if !stands_alone(text, &whole.range()) || within_a_number(text, &whole.range()) {
            continue;
        }
        let zeros = captures
            .name("power")
            .and_then(|power| POWERS.iter().find(|(name, _)| *name == power.as_str()))
            .map_or(0, |(_, zeros)| *zeros);
        let amount = Amount {
            text: whole.as_str().to_owned(),
            currency: currency(unit.as_str()).to_owned(),
            value: decimal(number.as_str(), language).map(|value| shifted(&value, zeros)),
            at: At::of(places, &whole.range()),
        };
        found.push((whole.range(), amount));
    }
    apart(found, |(range, _)| range.clone()).into_iter().map(|(_, amount)| amount).collect()
}

fn currency(unit: &str) -> &str {
    CURRENCIES.iter().chain(NAMES).find(|(sign, _)| *sign == unit).map_or(unit, |(_, currency)| currency)
}

/// `$1.2.3` is a version, or a mistake.
fn within_a_number(text: &str, range: &Range<usize>) -> bool {
    let mut after = text[range.end..].chars();
    let mut before = text[..range.start].chars().rev();
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    matches!(after.next(), Some('.' | ',')) && is_digit(after.next())
        || matches!(before.next(), Some('.' | ',')) && is_digit(before.next())
}

/// With a point, without separators of thousands. `None` where a separator may be either.
fn decimal(number: &str, language: Option<Language>) -> Option<String> {
    let marks: Vec<(usize, char)> = number.char_indices().filter(|(_, c)| !c.is_ascii_digit()).collect();
    let Some((at, last)) = marks.last().copied() else { return Some(number.to_owned()) };
    let digits_after = number.len() - at - last.len_utf8();
    let others_differ = marks.iter().any(|(_, mark)| *mark != last);
    let point = match last {
        '.' | ',' if others_differ || (marks.len() == 1 && digits_after != 3) => true,
        '.' | ',' if marks.len() > 1 => false,
        // One mark, three digits: 1.234.
        '.' | ',' => match language.map(Language::code)? {
            "en" | "zh" | "ja" | "ko" | "he" | "th" => last == '.',
            "de" | "fr" | "es" | "it" | "pt" | "nl" | "da" | "nb" | "no" | "sv" | "fi" | "pl" | "cs" | "ru" | "tr" | "uk"
            | "ro" | "hu" => last == ',',
            _ => return None,
        },
        // 3 500: a blank parts thousands nowhere in English, where it parts two numbers.
        ' ' if language.is_none_or(Language::is_english) => return None,
        _ => false,
    };
    let kept: String = number
        .char_indices()
        .filter_map(|(place, c)| match c {
            c if c.is_ascii_digit() => Some(c),
            _ if point && place == at => Some('.'),
            _ => None,
        })
        .collect();
    Some(kept)
}

/// Times ten to the power of `zeros`, exactly.
fn shifted(value: &str, zeros: usize) -> String {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let moved = part.len().min(zeros);
    let (up, rest) = part.split_at(moved);
    let whole = format!("{whole}{up}{}", "0".repeat(zeros - moved));
    let whole = if zeros > 0 {
        Some(whole.trim_start_matches('0')).filter(|digits| !digits.is_empty()).unwrap_or("0").to_owned()
    } else {
        whole
    };
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::language;

    fn read(text: &str, language: Option<Language>) -> Vec<(String, String)> {
        of(text, &Places::of(text), language)
            .into_iter()
            .map(|amount| (amount.currency, amount.value.unwrap_or_else(|| format!("? {}", amount.text))))
            .collect()
    }

    #[track_caller]
    fn reads(text: &str, language: Option<Language>, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(read(text, language), expected);
    }

    #[test]
    fn numbers_beside_currencies_are_amounts() {
        let english = language("This is written in English, as most of what is tested here is written.");
        let german = language("Dies ist auf Deutsch geschrieben, wie manches von dem, was hier geprüft wird.");
        reads(
            "$5, US$1,234.50, € 3.20 and 0.0001 MON.",
            english,
            &[("$", "5"), ("USD", "1234.50"), ("EUR", "3.20"), ("MON", "0.0001")],
        );
        reads(
            "USDC 1,000 or $1.5 million, £2bn, 7k EUR, 3 dollars",
            english,
            &[("USDC", "1000"), ("$", "1500000"), ("GBP", "2000000000"), ("EUR", "7000"), ("$", "3")],
        );
        reads("1.234 € und 1.234,50 EUR und 2,5 Mio. Euro", german, &[("EUR", "1234"), ("EUR", "1234.50"), ("EUR", "2500000")]);
        reads("1.234 EUR", english, &[("EUR", "1.234")]);
        reads("1.234 EUR, 3 500 EUR", None, &[("EUR", "? 1.234 EUR"), ("EUR", "? 3 500 EUR")]);
    }

    #[test]
    fn other_numbers_are_not() {
        reads("In 2027 we had 5 apples, v$1.2.3, 12 MONTHS, A$AP, 3.5 weird", None, &[]);
    }
}
