//! The sentences of a page: all of them, to say where something stands, and those that say most.

use std::ops::Range;

use super::write::{Block, Kind};
use crate::text::{self, Language};

/// Bytes. What is longer is no sentence that anybody reads.
const SENTENCE_MAX: usize = 1_000;

/// Of running text, not of headings, tables and code: bytes of `text`.
pub fn all(text: &str, blocks: &[Block]) -> Vec<Range<usize>> {
    let prose = blocks.iter().filter(|block| matches!(block.kind, Kind::Prose | Kind::Item));
    prose
        .flat_map(|block| {
            let start = block.text.start;
            let spans = text.get(block.text.clone()).map(text::sentences).unwrap_or_default();
            spans.into_iter().map(move |span| start + span.start..start + span.end)
        })
        .collect()
}

/// The `count` that say most of it, in the text's order. Whole sentences, where there are enough; else what stands like one.
pub fn sentences(text: &str, all: &[Range<usize>], language: Option<Language>, count: usize) -> Vec<Range<usize>> {
    let short: Vec<Range<usize>> = all.iter().filter(|span| span.len() <= SENTENCE_MAX).cloned().collect();
    let whole: Vec<Range<usize>> = short.iter().filter(|span| is_whole(&text[(*span).clone()])).cloned().collect();
    let from = if whole.len() >= count { whole } else { short };
    text::extract(text, &from, language, count).chosen.into_iter().map(|index| from[index].clone()).collect()
}

/// It ends as sentences end, and not as what only leads to a list or to code.
fn is_whole(sentence: &str) -> bool {
    sentence
        .trim_end_matches(['"', '\'', '”', '’', '»', ')', ']'])
        .ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '।'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extract_is_of_sentences_and_not_of_what_leads_to_them() {
        let text = "A shop sells answers\n\nThe shop sells answers of agents. An answer has a price:\n\n- the price of an answer\n\nThe agent answers when the price is paid.";
        let block = |part: &str, kind| {
            let start = text.find(part).unwrap_or_default();
            Block { kind, text: start..start + part.len(), markdown_end: 0 }
        };
        let blocks = [
            block("A shop sells answers\n", Kind::Heading(1)),
            block("The shop sells answers of agents. An answer has a price:", Kind::Prose),
            block("the price of an answer", Kind::Item),
            block("The agent answers when the price is paid.", Kind::Prose),
        ];
        let every = all(text, &blocks);
        assert_eq!(every.len(), 4);
        let chosen = sentences(text, &every, text::language(text), 2);
        let chosen: Vec<&str> = chosen.into_iter().map(|span| &text[span]).collect();
        assert_eq!(chosen, ["The shop sells answers of agents.", "The agent answers when the price is paid."]);
    }
}
