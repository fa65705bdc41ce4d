//! What a reader should know before acting on the text, and the text in one sentence.

use super::{
    DateFound, Figures, Link, LinkKind, OnChain, OnChainKind, Task,
    brief::{pattern, shorten},
};
use crate::{
    agents::sheet::{Note, Severity},
    text::{Language, Ranking, SENTENCE_CHARS_MAX, Sentence},
};

/// Gathers remarks.
pub(super) struct Found<'t> {
    text: &'t str,
    notes: Vec<Note>,
}

impl<'t> Found<'t> {
    pub(super) fn new(text: &'t str, ranking: &Ranking, sentences: &[Sentence], language: Option<Language>) -> Self {
        let mut found = Self { text, notes: Vec::new() };
        if sentences.is_empty() {
            found.add(
                Severity::Medium,
                "There is no prose in it",
                "Tables, code and marks hold no sentences: there is nothing to quote.".to_owned(),
            );
        }
        if ranking.is_partial {
            let detail =
                "The 600 sentences with the most of the text’s frequent words were compared with each other; the rest was not.";
            found.add(Severity::Info, "A long text", detail.to_owned());
        }
        let pieces = sentences.iter().filter(|sentence| !sentence.whole).count();
        if pieces > 0 {
            let detail =
                format!("What has no end within {SENTENCE_CHARS_MAX} characters was cut at a mark or a blank: {pieces} pieces.");
            found.add(Severity::Info, "Sentences that were cut", detail);
        }
        if language.is_some_and(|language| !language.is_reliable) {
            let detail = "The text is short, or mixes languages: stems and key words may be off.";
            found.add(Severity::Info, "The language is a guess", detail.to_owned());
        }
        found.unseen();
        found
    }

    fn add(&mut self, severity: Severity, title: impl Into<String>, detail: String) {
        self.notes.push(Note { severity, title: title.into(), detail });
    }

    /// Marks that turn the order of letters around can make a text read other than it is ("Trojan Source", 2021).
    fn unseen(&mut self) {
        let line_of = |at: usize| self.text[..at].matches('\n').count() + 1;
        let turning = self.text.char_indices().find(|(_, c)| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        let hidden = self
            .text
            .char_indices()
            .skip(1)
            .find(|(_, c)| matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'));
        if let Some((at, c)) = turning {
            let detail = format!(
                "U+{:04X} in line {}: what is shown may stand in another order than what is there.",
                u32::from(c),
                line_of(at)
            );
            self.add(Severity::Medium, "Marks that turn the direction of writing", detail);
        }
        if let Some((at, c)) = hidden {
            let detail =
                format!("U+{:04X} in line {}, the first of them: words that look alike may differ.", u32::from(c), line_of(at));
            self.add(Severity::Low, "Characters that cannot be seen", detail);
        }
    }

    pub(super) fn on_chain(&mut self, all: &[OnChain]) {
        for wrong in all.iter().filter(|one| one.kind == OnChainKind::AddressWrong).take(5) {
            let detail = format!(
                "{} in line {}: the case of its letters does not fit its digits (EIP-55). Do not send anything to it.",
                wrong.text, wrong.at.line
            );
            self.add(Severity::High, "An address with a typing error", detail);
        }
        self.look_alike(all);
        if let Some(hash) = all.iter().find(|one| one.kind == OnChainKind::Hash) {
            let detail = format!(
                "Line {}. A transaction’s hash is harmless; a private key is not: whoever reads it owns its money.",
                hash.at.line
            );
            self.add(Severity::Medium, "32 bytes that may be a private key", detail);
        }
        let unchecked = all.iter().filter(|one| one.kind == OnChainKind::AddressUnchecked).count();
        if unchecked > 0 {
            let detail = format!(
                "{unchecked} of them. Their letters are in one case, so a typing error would not show: compare each digit."
            );
            self.add(Severity::Low, "Addresses without a checksum", detail);
        }
        let odd = pattern(r"\b0x[0-9a-fA-F]{36,44}\b");
        if let Some(odd) = odd.find_iter(self.text).find(|found| found.len() != 42) {
            let line = self.text[..odd.start()].matches('\n').count() + 1;
            let detail = format!("{} in line {line} has {} digits; an address has 40.", odd.as_str(), odd.len() - 2);
            self.add(Severity::Medium, "Almost an address", detail);
        }
    }

    /// "Address poisoning": another address with the same ends, for whoever compares the ends only.
    fn look_alike(&mut self, all: &[OnChain]) {
        let ends = |one: &OnChain| {
            let digits = one.text.to_lowercase();
            (digits.get(..6).unwrap_or_default().to_owned(), digits.get(38..).unwrap_or_default().to_owned())
        };
        let addresses: Vec<&OnChain> = all.iter().filter(|one| one.kind != OnChainKind::Hash).collect();
        let mut seen = std::collections::HashMap::new();
        for one in addresses {
            let before = seen.entry(ends(one)).or_insert(one);
            if !before.text.eq_ignore_ascii_case(&one.text) {
                let detail = format!(
                    "{} and {} begin and end alike, and are not the same (lines {} and {}).",
                    before.text, one.text, before.at.line, one.at.line
                );
                return self.add(Severity::High, "Two addresses that look alike", detail);
            }
        }
    }

    pub(super) fn links(&mut self, all: &[Link]) {
        let says = pattern(r"\[(?:https?://)?((?:[\w-]+\.)+[A-Za-z]{2,})[^\]\s]{0,200}\]\(https?://([^/\s)?#:]{1,255})");
        let bare = |host: &str| host.to_lowercase().trim_start_matches("www.").to_owned();
        for found in says.captures_iter(self.text).take(5) {
            let (Some(whole), Some(said), Some(target)) = (found.get(0), found.get(1), found.get(2)) else { continue };
            if bare(said.as_str()) != bare(target.as_str()) {
                let line = self.text[..whole.start()].matches('\n').count() + 1;
                let detail = format!("In line {line} a link reads {} and leads to {}.", said.as_str(), target.as_str());
                self.add(Severity::High, "A link that leads elsewhere", detail);
            }
        }
        let host = |link: &Link| {
            link.text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default().to_owned()
        };
        for link in all.iter().filter(|link| link.kind == LinkKind::Web) {
            let host = host(link);
            let why = match () {
                () if host.contains('@') => "what stands before the @ is no part of the host",
                () if host.split('.').any(|label| label.starts_with("xn--")) || !host.is_ascii() => {
                    "its host has letters that may look like others"
                }
                () => continue,
            };
            self.add(Severity::Medium, "A link to look at twice", format!("{} in line {}: {why}.", link.text, link.at.line));
            return;
        }
    }

    pub(super) fn dates(&mut self, all: &[DateFound]) {
        if let Some(never) = all.iter().find(|date| date.open.as_deref() == Some(super::dates::NEVER)) {
            let detail = format!("{} in line {} is not in the calendar.", never.text, never.at.line);
            self.add(Severity::Low, "A day that never comes", detail);
        }
        let open = all.iter().filter(|date| date.open.as_deref() == Some(super::dates::WHICH)).count();
        if open > 0 {
            self.add(
                Severity::Low,
                "Dates that can be read in two ways",
                format!("{open} of them: whether day or month comes first is not said."),
            );
        }
    }

    /// Shortens a list, and says so.
    pub(super) fn shortened<T>(&mut self, what: &str, list: &mut Vec<T>) {
        let left_out = shorten(list);
        if left_out > 0 {
            self.add(
                Severity::Info,
                format!("Not all {what} are listed"),
                format!("The first {} are; {left_out} more are in the text.", list.len()),
            );
        }
    }

    /// The worst first.
    pub(super) fn notes(mut self) -> Vec<Note> {
        self.notes.sort_by_key(|note| note.severity);
        self.notes
    }
}

/// `English, 312 words, about 2 minutes to read: 4 tasks, and an address with a typing error.`
pub(super) fn headline(figures: &Figures, language: Option<Language>, actions: &[Task], on_chain: &[OnChain]) -> String {
    let mut parts = Vec::new();
    if let Some(language) = language {
        parts.push(language.name().to_owned());
    }
    parts.push(match language {
        Some(language) if language.without_spaces() => counted(figures.characters, "character"),
        _ => counted(figures.words, "word"),
    });
    parts.push(match figures.reading_seconds {
        seconds if seconds < 60 => "less than a minute to read".to_owned(),
        seconds => format!("about {} to read", counted(seconds.div_ceil(60), "minute")),
    });
    let open = super::brief::small(actions.iter().filter(|action| action.done != Some(true)).count());
    let tasks = if open == 0 { "no open task was found".to_owned() } else { counted(open, "open task") };
    let wrong = super::brief::small(on_chain.iter().filter(|one| one.kind == OnChainKind::AddressWrong).count());
    let warning = match wrong {
        0 => String::new(),
        1 => ", and an address with a typing error".to_owned(),
        more => format!(", and {more} addresses with typing errors"),
    };
    format!("{}: {tasks}{warning}.", parts.join(", "))
}

/// `1 word`, `1,200 words`.
fn counted(number: u32, what: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use crate::agents::document_brief::brief;

    #[track_caller]
    fn warns(text: &str, title: &str) {
        let report = brief::of(text, 3);
        assert!(report.notes.iter().any(|note| note.title == title), "{:?}", report.notes);
    }

    #[test]
    fn what_may_cost_somebody_money_is_told() {
        warns("Pay [example.com](https://examp1e.com/pay) now.", "A link that leads elsewhere");
        warns("Go to https://example.com@evil.example/ at once.", "A link to look at twice");
        warns(
            "From 0xd8da6bf26964af9d7eed9e03e53415d37aa96045 to 0xd8da111111111111111111111111111111116045.",
            "Two addresses that look alike",
        );
        warns("Take 0xd8da6bf26964af9d7eed9e03e53415d37aa9604 please.", "Almost an address");
        warns(&format!("Mine is 0x{} ok.", "ab".repeat(32)), "32 bytes that may be a private key");
        warns("access\u{202e}resu", "Marks that turn the direction of writing");
        warns("Meet on 2027-02-30.", "A day that never comes");
        warns("Meet on 3/4/2027.", "Dates that can be read in two ways");
    }

    #[test]
    fn an_honest_link_is_no_warning() {
        let report = brief::of("Read [www.example.com/a](https://example.com/a) and [this](https://example.org).", 3);
        assert!(report.notes.iter().all(|note| !note.title.contains("link")), "{:?}", report.notes);
    }
}
