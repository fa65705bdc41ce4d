//! An amount as people write it, as exact decimal text. No float ever holds it.

/// What a comma and a point mean in a number, where the number alone does not tell: 1.234 is a thousand and more in German.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    Point,
    Comma,
}

impl Decimal {
    /// The habit of most who write in this language (ISO 639-1).
    pub fn of_language(code: &str) -> Self {
        const COMMA: &[&str] = &[
            "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "it", "lt", "lv", "nb", "nl", "no", "pl", "pt",
            "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi",
        ];
        if COMMA.contains(&code) { Self::Comma } else { Self::Point }
    }
}

/// Digits with separators, times ten to the power `scale`. `None`: it is no number that anybody writes.
pub fn exact(written: &str, scale: usize, habit: Decimal) -> Option<String> {
    // Spaces and apostrophes only ever part thousands.
    let digits: String = written.chars().filter(|c| !matches!(c, '\'' | '’' | '_') && !c.is_whitespace()).collect();
    let (points, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let mark = match (points, commas) {
        (0, 0) => None,
        (1.., 1..) => {
            // The last one parts the decimals, and is there once.
            let last = if digits.rfind('.') > digits.rfind(',') { '.' } else { ',' };
            if digits.matches(last).count() > 1 {
                return None;
            }
            Some(last)
        }
        (2.., 0) | (0, 2..) => None,
        (points, _) => {
            let mark = if points == 1 { '.' } else { ',' };
            let (whole, after) = digits.split_once(mark)?;
            let could_be_thousands = after.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
            let is_habit = (mark == '.') == (habit == Decimal::Point);
            (!could_be_thousands || is_habit).then_some(mark)
        }
    };
    let (whole, decimals) = match mark.and_then(|mark| digits.split_once(mark)) {
        Some((whole, decimals)) => (whole, decimals),
        None => (digits.as_str(), ""),
    };
    let groups: Vec<&str> = whole.split(['.', ',']).collect();
    let are_thousands =
        groups.len() == 1 || ((1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|group| group.len() == 3));
    let whole = groups.concat();
    let is_number = !whole.is_empty() && whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit());
    (are_thousands && is_number).then(|| shifted(&whole, decimals, scale))
}

fn shifted(whole: &str, decimals: &str, scale: usize) -> String {
    let moved = decimals.len().min(scale);
    let whole = format!("{whole}{}{}", &decimals[..moved], "0".repeat(scale - moved));
    let plain = whole.trim_start_matches('0');
    let plain = if plain.is_empty() { "0" } else { plain };
    let rest = &decimals[moved..];
    if rest.is_empty() { plain.to_owned() } else { format!("{plain}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_however_it_is_written() {
        for (written, habit, amount) in [
            ("5", Decimal::Point, "5"),
            ("1,299.00", Decimal::Point, "1299.00"),
            ("1.299,00", Decimal::Point, "1299.00"),
            ("1 299,00", Decimal::Comma, "1299.00"),
            ("1'299.50", Decimal::Point, "1299.50"),
            ("1,234", Decimal::Point, "1234"),
            ("1,234", Decimal::Comma, "1.234"),
            ("1.234", Decimal::Comma, "1234"),
            ("1.234", Decimal::Point, "1.234"),
            ("1.234.567", Decimal::Point, "1234567"),
            ("0.001", Decimal::Comma, "0.001"),
            ("0,99", Decimal::Point, "0.99"),
            ("12,5", Decimal::Point, "12.5"),
            ("007", Decimal::Point, "7"),
            ("0.000000000000000001", Decimal::Point, "0.000000000000000001"),
            ("123456789012345678901234567890.12", Decimal::Point, "123456789012345678901234567890.12"),
        ] {
            assert_eq!(exact(written, 0, habit).as_deref(), Some(amount), "{written} {habit:?}");
        }
        assert_eq!(exact("1.5", 6, Decimal::Point).as_deref(), Some("1500000"));
        assert_eq!(exact("1.23456789", 6, Decimal::Point).as_deref(), Some("1234567.89"));
        assert_eq!(exact("0.5", 3, Decimal::Point).as_deref(), Some("500"));
    }

    #[test]
    fn what_is_no_number_has_no_amount() {
        for written in ["", ".", "1,2,3", "12,34,567.8.9", "1.23.4567", "1,2345,678"] {
            assert_eq!(exact(written, 0, Decimal::Point), None, "{written}");
        }
    }
}
