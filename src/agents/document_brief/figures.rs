//! How much text it is, and how hard to read.

use super::{Figures, Readability, brief::small, syllables::syllables};
use crate::text::{Block, Kind, Language, Sentence, words_in};

/// Of silent reading in English: Brysbaert, "How many words do we read per minute?", 2019.
const WORDS_A_MINUTE: usize = 238;
/// Of scripts without spaces.
const CHARACTERS_A_MINUTE: usize = 500;

/// Words below which a school grade says nothing.
const WORDS_MIN: usize = 30;

pub(super) fn of(text: &str, blocks: &[Block], sentences: &[Sentence], language: Option<Language>) -> Figures {
    let count = |is: fn(Kind) -> bool| small(blocks.iter().filter(|block| is(block.kind)).count());
    let words: usize = sentences.iter().map(|sentence| words_in(text, sentence.range.clone()).len()).sum();
    let characters = text.chars().count();
    let seconds = match language {
        Some(language) if language.without_spaces() => {
            text.chars().filter(|c| c.is_alphanumeric()).count() * 60 / CHARACTERS_A_MINUTE
        }
        _ => words * 60 / WORDS_A_MINUTE,
    };
    let readability = readability(text, sentences, language);
    Figures {
        characters: small(characters),
        bytes: small(text.len()),
        lines: small(text.lines().count()),
        paragraphs: count(|kind| kind == Kind::Text),
        headings: count(|kind| matches!(kind, Kind::Heading(_))),
        list_items: count(|kind| matches!(kind, Kind::Item(_))),
        sentences: small(sentences.len()),
        words: small(words),
        reading_seconds: small(seconds),
        readability_absent: readability.as_ref().err().map(|why| (*why).to_owned()),
        readability: readability.ok(),
    }
}

/// Of sentences outside of headings, and words that begin with a letter.
fn readability(text: &str, sentences: &[Sentence], language: Option<Language>) -> Result<Readability, &'static str> {
    if !language.is_some_and(Language::is_english) {
        return Err("computed for English only");
    }
    let (mut said, mut words, mut parts) = (0_u32, 0_u32, 0_u32);
    for sentence in sentences.iter().filter(|sentence| !matches!(sentence.kind, Kind::Heading(_))) {
        let before = words;
        for word in words_in(text, sentence.range.clone()) {
            let word = &text[word];
            if word.starts_with(char::is_alphabetic) {
                words += 1;
                parts += syllables(word);
            }
        }
        said += u32::from(words > before);
    }
    if (words as usize) < WORDS_MIN {
        return Err("there are too few sentences to measure");
    }
    let per_sentence = f64::from(words) / f64::from(said);
    let per_word = f64::from(parts) / f64::from(words);
    Ok(Readability {
        reading_ease: rounded(206.835 - 1.015 * per_sentence - 84.6 * per_word, 10.0),
        grade: rounded(0.39 * per_sentence + 11.8 * per_word - 15.59, 10.0),
        words_per_sentence: rounded(per_sentence, 10.0),
        syllables_per_word: rounded(per_word, 100.0),
    })
}

fn rounded(number: f64, by: f64) -> f64 {
    (number * by).round() / by
}
