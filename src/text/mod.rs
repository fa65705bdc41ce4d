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
pub use language::{Language, language};
pub use places::{Place, Places};
pub use rank::{RANKED_MAX, Ranking, central, extract};
pub use sentences::{SENTENCE_CHARS_MAX, Sentence, prose, sentences, sentences_of};
pub use words::{Vocabulary, Word, content_words, words, words_in};
