//! Days and months in running text, as ISO 8601 where there is no doubt which is meant.

use std::{cmp::Reverse, ops::Range, sync::LazyLock};

use jiff::civil::Date;
use regex::{Captures, Regex};

/// As it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes.
    pub at: Range<usize>,
    /// `None`: it could be two days.
    pub date: Option<String>,
}

/// English, German, French, Spanish, Italian, Portuguese, Dutch; lower case, without the full stop of an abbreviation.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "janvier", "janv", "enero", "ene", "gennaio", "gen", "janeiro", "januari"],
    &["february", "feb", "februar", "février", "févr", "fév", "febrero", "febbraio", "fevereiro", "fev", "februari"],
    &["march", "mar", "märz", "mrz", "mars", "marzo", "março", "maart", "mrt"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maggio", "mag", "maio", "mei"],
    &["june", "jun", "juni", "juin", "junio", "giugno", "giu", "junho"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug", "julho"],
    &["august", "aug", "août", "agosto", "ago", "augustus"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre", "set", "setembro"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro", "out"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &["december", "dec", "dezember", "dez", "décembre", "déc", "diciembre", "dic", "dicembre", "dezembro"],
];

static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let mut names: Vec<&str> = MONTHS.iter().flat_map(|names| names.iter().copied()).collect();
    names.sort_by_key(|name| Reverse(name.len()));
    let month = names.join("|");
    let year = "[12][0-9]{3}";
    let day = "[0-9]{1,2}";
    Regex::new(&format!(
        r"(?ix)
        \b (?P<iy>{year}) [-/.] (?P<im>{day}) [-/.] (?P<id>{day}) (?: \b | T )
        | \b (?P<dd>{day}) \. \ ? (?P<dm>{day}) \. \ ? (?P<dy>{year}) \b
        | \b (?P<sa>{day}) [/-] (?P<sb>{day}) [/-] (?P<sy>{year}) \b
        | \b (?P<wd>{day}) (?:st|nd|rd|th|\.|º|er)? \ (?:of\ |de\ )? (?P<wm>{month}) \b \.? ,? \ (?:de\ )? (?P<wy>{year}) \b
        | \b (?P<md>{month}) \.? \ (?P<mdd>{day}) (?:st|nd|rd|th)? ,? \ (?P<my>{year}) \b
        | \b (?P<om>{month}) \.? ,? \ (?:de\ )? (?P<oy>{year}) \b
        | (?P<cy>{year}) 年 \ ? (?P<cm>{day}) 月 \ ? (?P<cd>{day}) 日"
    ))
    .ok()
});

/// In the text's order.
pub fn dates(text: &str) -> Vec<Found> {
    let Some(date) = &*DATE else { return Vec::new() };
    date.captures_iter(text)
        .filter_map(|captures| {
            let whole = captures.get(0)?;
            // A time may follow; the day is what is told.
            let at = whole.start()..whole.start() + whole.as_str().trim_end_matches(['T', 't']).len();
            let at = if captures.name("om").or_else(|| captures.name("wm")).or_else(|| captures.name("md")).is_some() { whole.range() } else { at };
            let (before, after) = (text[..at.start].chars().next_back(), text[at.end..].chars().next());
            // A part of a longer number, of an address or of a file's name.
            let is_cut = before.is_some_and(|c| matches!(c, '/' | '-' | '.' | '_' | '='))
                || after.is_some_and(|c| matches!(c, '/' | '-' | '_'));
            let date = if is_cut { None } else { meant(&captures) }?;
            Some(Found { at, date })
        })
        .collect()
}

/// `None`: there is no such day. `Some(None)`: it could be two.
fn meant(captures: &Captures) -> Option<Option<String>> {
    let number = |name: &str| captures.name(name).and_then(|digits| digits.as_str().parse::<i16>().ok());
    let day = |year: i16, month: i16, day: i16| {
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().map(|date| Some(date.to_string()))
    };
    if let (Some(year), Some(month), Some(of_month)) = (number("iy"), number("im"), number("id")) {
        return day(year, month, of_month);
    }
    if let (Some(of_month), Some(month), Some(year)) = (number("dd"), number("dm"), number("dy")) {
        return day(year, month, of_month);
    }
    if let (Some(a), Some(b), Some(year)) = (number("sa"), number("sb"), number("sy")) {
        return match (day(year, b, a), day(year, a, b)) {
            (Some(one), Some(other)) => Some(if one == other { one } else { None }),
            (one, other) => one.or(other),
        };
    }
    if let (Some(of_month), Some(month), Some(year)) = (number("wd"), named(captures, "wm"), number("wy")) {
        return day(year, month, of_month);
    }
    if let (Some(month), Some(of_month), Some(year)) = (named(captures, "md"), number("mdd"), number("my")) {
        return day(year, month, of_month);
    }
    if let (Some(month), Some(year)) = (named(captures, "om"), number("oy")) {
        return Some(Some(format!("{year:04}-{month:02}")));
    }
    day(number("cy")?, number("cm")?, number("cd")?)
}

fn named(captures: &Captures, name: &str) -> Option<i16> {
    let word = captures.name(name)?.as_str().to_lowercase();
    let month = MONTHS.iter().position(|names| names.contains(&word.as_str()))?;
    i16::try_from(month + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        dates(text).into_iter().map(|found| (text[found.at].to_owned(), found.date)).collect()
    }

    #[test]
    fn a_day_is_told_where_there_is_no_doubt() {
        for (text, written, iso) in [
            ("On 2026-11-25 it opened.", "2026-11-25", "2026-11-25"),
            ("at 2026-11-25T10:00Z", "2026-11-25", "2026-11-25"),
            ("on November 25, 2026.", "November 25, 2026", "2026-11-25"),
            ("on Nov. 5th, 2026", "Nov. 5th, 2026", "2026-11-05"),
            ("on 25 November 2026", "25 November 2026", "2026-11-25"),
            ("the 3rd of May 1999", "3rd of May 1999", "1999-05-03"),
            ("am 25. November 2026", "25. November 2026", "2026-11-25"),
            ("am 3.5.1999 war", "3.5.1999", "1999-05-03"),
            ("le 1er août 2020", "1er août 2020", "2020-08-01"),
            ("el 3 de mayo de 2020", "3 de mayo de 2020", "2020-05-03"),
            ("25/12/2026", "25/12/2026", "2026-12-25"),
            ("12/25/2026", "12/25/2026", "2026-12-25"),
            ("5/5/2026", "5/5/2026", "2026-05-05"),
            ("2026/1/2", "2026/1/2", "2026-01-02"),
            ("since May 2020 only", "May 2020", "2020-05"),
            ("2024年5月1日に", "2024年5月1日", "2024-05-01"),
            ("29 February 2024", "29 February 2024", "2024-02-29"),
        ] {
            assert_eq!(read(text), [(written.to_owned(), Some(iso.to_owned()))], "{text}");
        }
    }

    #[test]
    fn what_could_be_two_days_is_neither() {
        assert_eq!(read("on 03/04/2026"), [("03/04/2026".to_owned(), None)]);
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in ["30/30/2026", "2026-13-01", "v1.2.2026-3", "/2026/11/25/", "may 12", "1234-5678-90", "192.168.1.2026"] {
            assert_eq!(read(text), [], "{text}");
        }
    }
}
