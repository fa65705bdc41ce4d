//! Words, and those of them that carry what a text is about.

use std::{collections::HashSet, ops::Range};

use unicode_segmentation::UnicodeSegmentation;

use super::Language;

/// Nobody's word is longer: what is, is data.
const WORD_MAX: usize = 40;

/// Where the words of a span are (UAX #29): letters and digits, without what stands between them.
pub fn words(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.unicode_word_indices().map(|(at, word)| at..at + word.len())
}

/// The words of a text that are not mere grammar, lower case and without endings, so that forms of one word are equal. With each the form
/// that stands in the text.
pub fn content_words(text: &str, language: Option<Language>) -> Vec<(String, &str)> {
    let stop: HashSet<&str> = language.map(Language::stop_words).unwrap_or_default().iter().copied().collect();
    let stemmer = language.and_then(Language::stemmer);
    let mut content = Vec::new();
    for span in words(text) {
        let word = &text[span];
        let plain = word.to_lowercase();
        let is_word = word.len() <= WORD_MAX && plain.chars().count() > 1 && plain.chars().any(char::is_alphabetic);
        if is_word && !stop.contains(plain.as_str()) {
            let stem = stemmer.as_ref().map_or_else(|| plain.clone(), |stemmer| stemmer.stem(&plain).into_owned());
            content.push((stem, word));
        }
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::language;

    #[test]
    fn forms_of_a_word_are_one_and_grammar_is_none() {
        let text = "The payer was paying for the payments that the payer had paid for.";
        let stems: Vec<String> = content_words(text, language(text)).into_iter().map(|(stem, _)| stem).collect();
        assert!(!stems.iter().any(|stem| stem == "the" || stem == "was"), "{stems:?}");
        assert_eq!(stems.iter().filter(|stem| *stem == "payer").count(), 2, "{stems:?}");
    }

    #[test]
    fn numbers_and_data_are_no_words() {
        let data = format!("0x{} 12.5 {}", "ab".repeat(32), "x".repeat(5000));
        assert_eq!(content_words(&data, None), vec![]);
    }
}
