//! Words, what they have in common with their other forms, and which of them say nothing.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use rust_stemmers::Stemmer;
use unicode_segmentation::UnicodeSegmentation;

use super::Language;

/// Nobody's word is longer: what is, is data.
const WORD_CHARS_MAX: usize = 60;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// In bytes of the text.
    pub range: Range<usize>,
    /// Its stem's number in the [`Vocabulary`]; `None` for a word that says nothing of what the text is about.
    pub term: Option<u32>,
}

/// The stems of one text, numbered in the order in which they come.
pub struct Vocabulary {
    stemmer: Option<Stemmer>,
    stop_words: HashSet<&'static str>,
    /// Pairs of characters stand for words.
    pairs: bool,
    terms: HashMap<String, u32>,
}

impl Vocabulary {
    pub fn of(language: Option<Language>) -> Self {
        Self {
            stemmer: language.and_then(Language::stemmer).map(Stemmer::create),
            stop_words: language.map(Language::stop_words).unwrap_or_default().iter().copied().collect(),
            pairs: language.is_some_and(Language::without_spaces),
            terms: HashMap::new(),
        }
    }

    /// Stems so far.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// All words of a part of a text, in its order.
    pub fn read(&mut self, text: &str, part: Range<usize>) -> Vec<Word> {
        let found = words_in(text, part);
        let mut read: Vec<Word> = Vec::with_capacity(found.len());
        for (place, range) in found.iter().enumerate() {
            let next = found.get(place + 1).filter(|next| self.pairs && next.start == range.end);
            let with = next.map_or(range.end, |next| next.end);
            let term = self.term(&text[range.start..with]);
            read.push(Word { range: range.clone(), term });
        }
        read
    }

    fn term(&mut self, word: &str) -> Option<u32> {
        let stem = self.stem(word)?;
        let next = u32::try_from(self.terms.len()).unwrap_or(u32::MAX);
        Some(*self.terms.entry(stem).or_insert(next))
    }

    fn stem(&self, word: &str) -> Option<String> {
        if word.chars().nth(WORD_CHARS_MAX).is_some() {
            return None;
        }
        let lower = word.to_lowercase().replace('’', "'");
        // l'eau, dell'arte: what is before the apostrophe says nothing. It's, don't: neither does what is after it.
        let bare = match lower.split_once('\'') {
            Some((front, rest)) if front.chars().count() <= 2 && rest.chars().count() > 2 => rest,
            Some((front, rest)) if rest.chars().count() <= 2 => front,
            _ => &lower,
        };
        let says_nothing = bare.chars().count() < 2 || !bare.chars().any(char::is_alphabetic);
        if says_nothing || self.stop_words.contains(bare) || self.stop_words.contains(lower.as_str()) {
            return None;
        }
        Some(match &self.stemmer {
            Some(stemmer) => stemmer.stem(bare).into_owned(),
            None => bare.to_owned(),
        })
    }
}

/// Words by Unicode's rule (UAX 29), without those that are parts of a link, an e-mail address or a long number in hexadecimal.
pub fn words_in(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = part.start;
    for chunk in text[part].split_inclusive(char::is_whitespace) {
        let prose = &chunk[..link_at(chunk).unwrap_or(chunk.len())];
        found.extend(prose.unicode_word_indices().map(|(start, word)| at + start..at + start + word.len()));
        at += chunk.len();
    }
    found
}

/// Of a whole text.
pub fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    words_in(text, 0..text.len()).into_iter()
}

/// The words of a text that are not mere grammar, as stems, so that forms of one word are equal. With each the form that stands in the text.
pub fn content_words(text: &str, language: Option<Language>) -> Vec<(String, &str)> {
    let vocabulary = Vocabulary::of(language);
    words(text).filter_map(|range| vocabulary.stem(&text[range.clone()]).map(|stem| (stem, &text[range]))).collect()
}

/// Where in a run of characters without blanks something begins that is no word.
fn link_at(chunk: &str) -> Option<usize> {
    let scheme = chunk.find("://").map(|at| {
        let letters = chunk[..at].bytes().rev().take_while(u8::is_ascii_alphabetic).count();
        at - letters
    });
    let mail = || chunk.contains('@').then_some(0);
    let number = || chunk.find("0x").filter(|at| chunk[*at..].len() > 12);
    scheme.or_else(mail).or_else(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<Option<u32>> {
        Vocabulary::of(Language::of("This is written in plain English, for everybody who reads."))
            .read(text, 0..text.len())
            .into_iter()
            .map(|word| word.term)
            .collect()
    }

    #[test]
    fn forms_of_a_word_are_one_term_and_stop_words_are_none() {
        assert_eq!(terms("The payment pays; payments and the payer."), [None, Some(0), Some(1), Some(0), None, None, Some(2)]);
        assert_eq!(terms("It’s John's. 42"), [None, Some(0), None]);
    }

    #[test]
    fn numbers_and_data_are_no_words() {
        let data = format!("0x{} 12.5 {}", "ab".repeat(32), "x".repeat(5000));
        assert_eq!(content_words(&data, None), vec![]);
    }

    #[test]
    fn links_are_no_words() {
        let text = "See [this](https://example.com/a-b) or a@b.com, 0x52908400098527886E0F7030069857D2E4169EE7 now";
        let found: Vec<_> = words(text).map(|range| &text[range]).collect();
        assert_eq!(found, ["See", "this", "or", "now"]);
    }
}
