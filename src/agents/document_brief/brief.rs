//! From a text to a report.

use std::{collections::HashSet, ops::Range};

use regex::Regex;

use super::{
    At, KeyWord, LISTED_MAX, LanguageFound, Quote, Report, actions, amounts, dates, figures, links, onchain,
    remarks::{self, Found},
};
use crate::text::{self, Language, Places};

/// Key words that are listed, at most.
const KEY_WORDS: usize = 12;

/// A pattern of this agent's own; the tests compile each. Its word boundaries are those of ASCII: Unicode's would keep the fast engines from
/// any text that is not English.
pub(super) fn pattern(text: &str) -> Regex {
    #[allow(clippy::expect_used)]
    Regex::new(&text.replace(r"\b", r"(?-u:\b)")).expect("our own pattern")
}

impl At {
    pub(super) fn of(places: &Places, range: &Range<usize>) -> Self {
        let (start, end) = (places.of_byte(range.start), places.of_byte(range.end));
        Self {
            line: small(start.line),
            character: small(start.character),
            character_end: small(end.character),
            byte: small(range.start),
            byte_end: small(range.end),
        }
    }
}

/// A text is shorter than four billion of anything.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Of an English word: what its readability stands on.
pub fn syllables(word: &str) -> u32 {
    super::syllables::syllables(word)
}

/// Reads a text and quotes `n` sentences. Time and memory grow with the text's length alone, whatever it holds.
pub fn of(text: &str, n: usize) -> Report {
    let places = Places::of(text);
    let blocks = text::blocks(text);
    let sentences = text::sentences_of(text, &blocks);
    let language = Language::of(text);
    let ranking = text::central(text, &sentences, language, n);
    let extract = ranking.chosen.iter().zip(&ranking.scores).map(|(index, score)| {
        let sentence = &sentences[*index];
        Quote {
            text: text[sentence.range.clone()].to_owned(),
            at: At::of(&places, &sentence.range),
            score: *score,
            whole: sentence.whole,
        }
    });
    let key_words = text::key_words(text, &sentences, language, KEY_WORDS).into_iter().map(|word| KeyWord {
        text: word.text,
        count: word.count,
        line: small(places.line(word.start)),
    });
    let mut dates = dates::of(text, &places);
    let mut amounts = amounts::of(text, &places, language);
    let mut actions = actions::of(text, &sentences, &dates, &places);
    let mut links = links::of(text, &places);
    let mut on_chain = onchain::of(text, &places);
    let figures = figures::of(text, &blocks, &sentences, language);
    let mut found = Found::new(text, &ranking, &sentences, language);
    found.links(&links);
    found.on_chain(&on_chain);
    found.dates(&dates);
    found.shortened("tasks", &mut actions);
    found.shortened("dates", &mut dates);
    found.shortened("amounts", &mut amounts);
    found.shortened("links", &mut links);
    found.shortened("addresses and hashes", &mut on_chain);
    Report {
        explanation: None,
        engine: "computed".to_owned(),
        headline: remarks::headline(&figures, language, &actions, &on_chain),
        notes: found.notes(),
        language: language.map(|language| LanguageFound {
            code: language.code().to_owned(),
            name: language.name().to_owned(),
            confidence: language.confidence,
            reliable: language.is_reliable,
        }),
        extract: extract.collect(),
        key_words: key_words.collect(),
        actions,
        dates,
        amounts,
        links,
        on_chain,
        figures,
    }
}

/// Is there no letter or digit on either side?
pub(super) fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(|c| c.is_alphanumeric() || c == '_') && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// In the order of the text; of two that overlap, the one that begins first, and of those the longest.
pub(super) fn apart<T>(mut found: Vec<T>, range: impl Fn(&T) -> Range<usize>) -> Vec<T> {
    found.sort_by_key(|one| (range(one).start, usize::MAX - range(one).end));
    let mut end = 0;
    found.retain(|one| {
        let range = range(one);
        let keep = range.start >= end;
        if keep {
            end = range.end;
        }
        keep
    });
    found
}

/// The first of each spelling.
pub(super) fn once<T>(found: Vec<T>, spelling: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = HashSet::new();
    found.into_iter().filter(|one| seen.insert(spelling(one))).collect()
}

/// Shortens a list, and says by how many.
pub(super) fn shorten<T>(list: &mut Vec<T>) -> usize {
    let all = list.len();
    list.truncate(LISTED_MAX);
    all - list.len()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::agents::{
        document_brief::{CARD, form::LETTER, sample},
        sheet::Severity,
    };

    #[track_caller]
    fn holds(text: &str, report: &Report) {
        let characters: Vec<char> = text.chars().collect();
        let quoted = (report.extract.iter().map(|one| (&one.text, one.at)))
            .chain(report.actions.iter().map(|one| (&one.text, one.at)))
            .chain(report.dates.iter().map(|one| (&one.text, one.at)))
            .chain(report.amounts.iter().map(|one| (&one.text, one.at)))
            .chain(report.links.iter().map(|one| (&one.text, one.at)))
            .chain(report.on_chain.iter().map(|one| (&one.text, one.at)));
        for (words, at) in quoted {
            assert_eq!(&text[at.byte as usize..at.byte_end as usize], words);
            assert_eq!(characters[at.character as usize..at.character_end as usize].iter().collect::<String>(), *words);
            assert_eq!(text[..at.byte as usize].matches('\n').count() + 1, at.line as usize);
        }
    }

    #[test]
    fn the_sample_is_what_the_letter_gives() {
        let report = of(LETTER, 3);
        holds(LETTER, &report);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/agents/document_brief/sample.json");
        if std::env::var_os("WRITE_SAMPLES").is_some() {
            std::fs::write(path, serde_json::to_string(&report).unwrap() + "\n").unwrap();
        } else {
            assert_eq!(report, sample(), "run the test again with WRITE_SAMPLES=1 if this is meant");
        }
    }

    #[test]
    fn whatever_is_quoted_stands_where_it_is_said_to_stand() {
        let text = "# Ünï\n\n👩‍👩‍👧 Please pay 1.250,50 € to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 by 5. März 2027!\n\n\
                    - [ ] Mail a@b.example\n- [x] https://example.com/a(b)\n";
        let report = of(text, 5);
        holds(text, &report);
        assert_eq!(report.actions.len(), 3);
        assert_eq!((report.dates.len(), report.amounts.len(), report.links.len(), report.on_chain.len()), (1, 1, 2, 1));
    }

    #[test]
    fn the_same_text_gives_the_same_bytes() {
        let text = LETTER.repeat(20);
        assert_eq!(serde_json::to_string(&of(&text, 12)).unwrap(), serde_json::to_string(&of(&text, 12)).unwrap());
    }

    #[test]
    fn no_text_takes_long_or_answers_without_end() {
        let full = |unit: &str| unit.repeat(100 * 1024 / unit.len());
        for unit in [
            "x",
            "a.",
            "a. ",
            "?",
            "1",
            "1.",
            "1/1/20 ",
            "$1 ",
            "0x",
            "a@b.co ",
            "http://a.b ",
            "- [ ] a\n",
            "e\u{301}",
            "\u{200b}",
            "\u{202e}a ",
            "שלום. ",
            "漢。",
            "May ",
            "1 May ",
            "((((a. ",
            "[a](",
            "TODO ",
            "please ",
            "\n",
            "> ",
            "| a ",
            "``` ",
            "1,000 ",
            "@",
            "://",
            "A\u{300}\u{301}",
            "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 ",
            "Pay 5 USD by 3 May 2027. ",
        ] {
            let text = full(unit) + "a";
            let began = Instant::now();
            let report = of(&text, 12);
            holds(&text, &report);
            let size = serde_json::to_string(&report).unwrap().len();
            assert!(began.elapsed() < CARD.time_limit / 2, "{unit:?} took {:?}", began.elapsed());
            assert!(size < 512 * 1024, "{unit:?} gave {size} bytes");
        }
    }

    #[test]
    fn a_wrong_checksum_is_the_first_thing_that_is_told() {
        let report = of("Send it to 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96046 please, before noon.", 5);
        assert_eq!(report.notes[0].severity, Severity::High);
        assert!(report.notes[0].title.contains("typing error"), "{:?}", report.notes);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn every_place_is_right_whatever_the_text(text in "(\\PC|[.!?()\\n \"#>A-C0-9/$€@-]|0x|May |2026|please ){0,200}") {
            holds(&text, &of(&text, 6));
        }
    }
}
