//! Reading plain text: its sentences, its language, and which sentences say most of it. Deterministic, and no sentence is ever rewritten:
//! everything is a span of the text that was given.
//!
//! Offsets are bytes of UTF-8 inside; [`Places`] turns them into characters and lines, which is what a reader can find again.

mod language;
mod rank;
mod sentences;
mod words;

pub use language::{Language, language};
pub use rank::{Ranking, extract};
pub use sentences::sentences;
pub use words::{content_words, words};

use std::ops::Range;

/// Where things are in a text.
pub struct Places<'t> {
    text: &'t str,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
}

impl<'t> Places<'t> {
    pub fn of(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    /// From 1.
    pub fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    /// Characters (Unicode scalar values) before this byte: what `text.chars().skip(n)` and Python's `text[n:]` count.
    pub fn character(&self, byte: usize) -> usize {
        self.text.get(..byte).map_or(0, |before| before.chars().count())
    }
}

/// The span without white space at either end.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let Some(part) = text.get(span.clone()) else { return span.start..span.start };
    let start = span.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_a_reader_counts() {
        let text = "é one\ntwo\n\nfour";
        let places = Places::of(text);
        let at = text.find("four").unwrap_or_default();
        assert_eq!((places.line(at), places.character(at)), (4, 11));
        assert_eq!((places.line(0), places.character(0)), (1, 0));
    }
}
