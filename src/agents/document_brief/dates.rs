//! Days and months that a text names, as ISO 8601 where it leaves no choice.
//!
//! No clock: `tomorrow` and `3 May` say nothing alone. A year of two digits is left open, and so is whether 3/4/2027 is in March or April;
//! with periods (3.4.2027) the day comes first wherever that is written.

use std::{ops::Range, sync::LazyLock};

use jiff::civil::Date;
use regex::{Captures, Regex};

use super::{
    At, DateFound,
    brief::{apart, pattern, stands_alone},
};
use crate::text::Places;

/// Why there is no ISO date.
pub(super) const WHICH: &str = "day or month first?";
pub(super) const NEVER: &str = "no day of the calendar";
const NO_YEAR: &str = "the year is not said";
const SHORT_YEAR: &str = "the century is not said";

/// By their names and usual abbreviations in English, German, French, Spanish, Italian, Portuguese and Dutch, lower case.
const MONTHS: [&[&str]; 12] = [
    &["january", "januar", "jänner", "janvier", "enero", "gennaio", "janeiro", "januari", "jan", "janv"],
    &["february", "februar", "février", "febrero", "febbraio", "fevereiro", "februari", "feb", "févr"],
    &["march", "märz", "mars", "marzo", "março", "maart", "mar", "mrz"],
    &["april", "avril", "abril", "aprile", "apr", "avr"],
    &["may", "mai", "mayo", "maggio", "maio", "mei"],
    &["june", "juni", "juin", "junio", "giugno", "junho", "jun"],
    &["july", "juli", "juillet", "julio", "luglio", "julho", "jul", "juil"],
    &["august", "août", "agosto", "augustus", "aug"],
    &["september", "septembre", "septiembre", "settembre", "setembro", "sept", "sep"],
    &["october", "oktober", "octobre", "octubre", "ottobre", "outubro", "oct", "okt"],
    &["november", "novembre", "noviembre", "novembro", "nov"],
    &["december", "dezember", "décembre", "diciembre", "dicembre", "dezembro", "dec", "dez", "déc"],
];

/// English words that are months only with a capital.
const CAPITAL_ONLY: [&str; 3] = ["may", "march", "mar"];

struct Patterns {
    /// 2027-03-04, also with a time of day.
    year_first: Regex,
    /// 3.4.2027, 3/4/27.
    year_last: Regex,
    /// 4th of March, 2027; 4 de marzo de 2027; 4. März.
    day_month: Regex,
    /// March 4th, 2027.
    month_day: Regex,
    /// March 2027.
    month_year: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let mut names: Vec<&str> = MONTHS.into_iter().flatten().copied().collect();
    names.sort_by_key(|name| usize::MAX - name.len());
    let month = names.join("|");
    let gap = r"[ \t\u{a0}]{1,3}|\r?\n[ \t]*";
    Patterns {
        year_first: pattern(
            r"(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?",
        ),
        year_last: pattern(r"(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4}|\d{2})"),
        day_month: pattern(&format!(
            r"(?i)(\d{{1,2}})(?:st|nd|rd|th|er|º|ª|\.)?(?:{gap})(?:of (?:the )?|de |di )?({month})\b\.?(?:,?(?:{gap})(?:de |del )?(\d{{4}}))?"
        )),
        month_day: pattern(&format!(r"(?i)({month})\b\.?(?:{gap})(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?(?:{gap})(\d{{4}}))?")),
        month_year: pattern(&format!(r"(?i)({month})\b\.?,?(?:{gap})(?:de |del )?(\d{{4}})")),
    }
});

/// All of them, in the order of the text.
pub(super) fn of(text: &str, places: &Places) -> Vec<DateFound> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut found: Vec<(Range<usize>, Result<String, &'static str>)> = Vec::new();
    let mut look = |pattern: &Regex, read: fn(&Captures) -> Option<Result<String, &'static str>>| {
        for captures in pattern.captures_iter(text) {
            let Some(range) = captures.get(0).map(|whole| whole.range()) else { continue };
            if !within_a_number(text, &range)
                && let Some(date) = read(&captures)
            {
                found.push((range, date));
            }
        }
    };
    look(&PATTERNS.year_first, |found| (found.get(2)?.as_str() == found.get(4)?.as_str()).then_some(day(found, 1, 3, 5)?));
    look(&PATTERNS.year_last, numeric);
    look(&PATTERNS.day_month, |found| named(found, 3, 2, 1));
    look(&PATTERNS.month_day, |found| named(found, 3, 1, 2));
    look(&PATTERNS.month_year, |found| {
        let (month, year) = (month(found.get(1)?.as_str())?, number(found, 2)?);
        Some(if (1000..=2999).contains(&year) { Ok(format!("{year:04}-{month:02}")) } else { Err(NO_YEAR) })
    });
    apart(found, |(range, _)| range.clone())
        .into_iter()
        .map(|(range, date)| DateFound {
            text: text[range.clone()].to_owned(),
            at: At::of(places, &range),
            iso: date.as_ref().ok().cloned(),
            open: date.err().map(str::to_owned),
        })
        .collect()
}

/// Is it a piece of something longer: a version, a phone number, a path?
fn within_a_number(text: &str, range: &Range<usize>) -> bool {
    let joins = |c: char| matches!(c, '.' | '-' | '/' | ':' | ',');
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    let (first, second) = (after.next(), after.next());
    let goes_on = first.is_some_and(joins) && second.is_some_and(|c| c.is_ascii_digit());
    let (last, but_one) = (before.next(), before.next());
    let went_on = last.is_some_and(|c| joins(c) && c != ':') && but_one.is_some_and(|c| c.is_ascii_digit())
        || last.is_some_and(|c| matches!(c, '$' | '€' | '£'));
    goes_on || went_on || !stands_alone(text, range)
}

fn number(found: &Captures, group: usize) -> Option<i16> {
    found.get(group)?.as_str().parse().ok()
}

fn day(found: &Captures, year: usize, month: usize, day: usize) -> Option<Result<String, &'static str>> {
    Some(calendar(number(found, year)?, number(found, month)?, number(found, day)?))
}

fn calendar(year: i16, month: i16, day: i16) -> Result<String, &'static str> {
    let date = i8::try_from(month).ok().zip(i8::try_from(day).ok()).and_then(|(month, day)| Date::new(year, month, day).ok());
    date.map(|date| date.to_string()).ok_or(NEVER)
}

fn numeric(found: &Captures) -> Option<Result<String, &'static str>> {
    let (mark, other) = (found.get(2)?.as_str(), found.get(4)?.as_str());
    let (first, second, year) = (number(found, 1)?, number(found, 3)?, number(found, 5)?);
    let full = found.get(5)?.len() == 4;
    if mark != other || (!full && mark == ".") || (full && !(1000..=2999).contains(&year)) {
        return None;
    }
    if first == 0 || second == 0 || first > 31 || second > 31 || (first > 12 && second > 12) {
        // 31/31/2027 is no date, and need not be meant as one.
        return None;
    }
    Some(match mark {
        _ if !full => Err(SHORT_YEAR),
        "." => calendar(year, second, first),
        _ if first > 12 => calendar(year, second, first),
        _ if second > 12 || first == second => calendar(year, first, second),
        _ => Err(WHICH),
    })
}

fn named(found: &Captures, year: usize, month_at: usize, day: usize) -> Option<Result<String, &'static str>> {
    let (month, day) = (month(found.get(month_at)?.as_str())?, number(found, day)?);
    if !(1..=31).contains(&day) {
        return None;
    }
    // A leap year, for a day that has none.
    let there_is = calendar(2000, month, day);
    Some(match number(found, year) {
        Some(year) => calendar(year, month, day),
        None => there_is.and(Err(NO_YEAR)),
    })
}

/// 1 to 12. `None` where it is the verb.
fn month(name: &str) -> Option<i16> {
    let lower = name.to_lowercase();
    if CAPITAL_ONLY.contains(&lower.as_str()) && name.starts_with(char::is_lowercase) && lower != "mar" {
        return None;
    }
    let place = MONTHS.iter().position(|names| names.contains(&lower.as_str()))?;
    i16::try_from(place + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        of(text, &Places::of(text)).into_iter().map(|date| (date.text, date.iso.or(date.open).unwrap_or_default())).collect()
    }

    #[track_caller]
    fn reads(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(read(text), expected);
    }

    #[test]
    fn what_is_clear_is_told_as_iso() {
        reads(
            "On 2027-03-04, and 2027-03-04T10:00:00Z.",
            &[("2027-03-04", "2027-03-04"), ("2027-03-04T10:00:00Z", "2027-03-04")],
        );
        reads("By March 4th, 2027 or 4 March 2027.", &[("March 4th, 2027", "2027-03-04"), ("4 March 2027", "2027-03-04")]);
        reads("Am 4. März 2027, bis 5.4.2027", &[("4. März 2027", "2027-03-04"), ("5.4.2027", "2027-04-05")]);
        reads(
            "el 4 de marzo de 2027; le 1er août 2027",
            &[("4 de marzo de 2027", "2027-03-04"), ("1er août 2027", "2027-08-01")],
        );
        reads(
            "25/12/2027, 12/25/2027, in May 2027",
            &[("25/12/2027", "2027-12-25"), ("12/25/2027", "2027-12-25"), ("May 2027", "2027-05")],
        );
    }

    #[test]
    fn what_is_open_is_said_to_be() {
        reads("3/4/2027 3/4/27 4 March", &[("3/4/2027", WHICH), ("3/4/27", SHORT_YEAR), ("4 March", NO_YEAR)]);
        reads("2027-02-30 and 31 April 2027", &[("2027-02-30", NEVER), ("31 April 2027", NEVER)]);
    }

    #[test]
    fn what_is_no_date_is_none() {
        reads("Version 1.2.3, 10.0.0.1, 1/2, 2027-1, we may 5 times march 3 miles, 555-12-34-2027, 99/99/2027, $3.4.2027", &[]);
    }
}
