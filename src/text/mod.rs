//! Reading prose: where its sentences are, which of them the others lean on, its words, its language.
//!
//! Everything is a span of the text as it was given: what is quoted is quoted verbatim, with its place. No network, no model, no clock:
//! the same text gives the same answer. Time and memory are bounded for any text: see [`SENTENCE_CHARS_MAX`], [`RANKED_MAX`].
//!
//! - `blocks`: headings, list items, tables, code, paragraphs, as Markdown and plain text set them apart.
//! - `sentences`: where a sentence ends (`abbreviations`: where a period does not end one).
//! - `words`: words, their stems, and which of them say nothing (`language`: in which language).
//! - `rank`: which sentences are central, by LexRank. `key_words`: what the text speaks of most.
//! - `places`: from a byte to its line and its character.

mod abbreviations;
mod blocks;
mod key_words;
mod language;
mod places;
mod rank;
mod sentences;
mod words;

pub use blocks::{Block, Kind, blocks};
pub use key_words::{KeyWord, key_words};
pub use language::Language;
pub use places::{Place, Places};
pub use rank::{Central, RANKED_MAX, central};
pub use sentences::{SENTENCE_CHARS_MAX, Sentence, sentences, sentences_of};
pub use words::{Vocabulary, Word, words};

/// The `n` most central sentences, in the order of the text: [`sentences`], [`Language::of`] and [`central`] in one.
///
/// ```
/// let text = "Cats sleep a lot. Most cats sleep in the sun. Paris is far away.";
/// let best = coinslot::text::extract(text, 1);
/// assert_eq!(best.len(), 1);
/// assert!(text.get(best[0].start..best[0].end).is_some());
/// ```
pub fn extract(text: &str, n: usize) -> Vec<Central> {
    central(text, &sentences(text), Language::of(text), n)
}
