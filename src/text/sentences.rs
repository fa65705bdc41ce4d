//! Where a text's sentences begin and end.
//!
//! UAX #29 knows where a sentence may end; what it cannot know are abbreviations ("e.g."), initials ("J. Doe") and how plain text is laid
//! out: a paragraph may be broken into lines, and a heading or a list's item ends without a full stop.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::trimmed;

/// Without their last full stop, lower case. After one of these a sentence goes on.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "gen", "rep", "sen", "hon", "rev", "e.g", "i.e", "eg", "ie", "etc", "vs",
    "cf", "ca", "approx", "no", "nr", "vol", "pp", "fig", "figs", "eq", "sec", "ch", "art", "al", "jan", "feb", "mar", "apr",
    "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "u.s", "u.k", "u.n", "a.m", "p.m", "inc", "ltd", "co", "corp",
    "dept", "est", "z.b", "d.h", "bzw", "usw", "ggf", "vgl", "hr", "fr", "bspw", "evtl", "m.e", "mme", "mlle", "av", "sra",
    "srta", "ud", "uds",
];
/// After these a sentence may well end: only what follows in lower case, or as a number, goes on.
const MAY_END: &[&str] = &[
    "etc", "inc", "ltd", "co", "corp", "u.s", "u.k", "u.n", "a.m", "p.m", "usw", "jr", "sr", "al", "no", "art", "dec", "mar",
    "sec", "ch",
];

/// In the order of the text, without white space around them; together they hold every word of its prose. What stands between fences
/// (```` ``` ````) is no prose.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for block in blocks(text) {
        in_block(text, block, &mut found);
    }
    found
}

/// Paragraphs, headings and items of lists: what no sentence goes beyond.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let (mut at, mut is_open, mut is_fenced) = (0, false, false);
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let content = line.trim();
        if content.starts_with("```") {
            is_fenced = !is_fenced;
            is_open = false;
        } else if is_fenced || content.is_empty() {
            is_open = false;
        } else if is_open && !stands_alone(content) {
            if let Some(block) = blocks.last_mut() {
                block.end = end;
            }
        } else {
            blocks.push(start..end);
            is_open = !content.starts_with('#');
        }
    }
    blocks
}

fn stands_alone(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered =
        number.len() < line.len() && line.len() - number.len() <= 3 && (number.starts_with(". ") || number.starts_with(") "));
    is_numbered || ["- ", "* ", "+ ", "• ", "– ", "#", "|", "> "].iter().any(|mark| line.starts_with(mark))
}

fn in_block(text: &str, block: Range<usize>, found: &mut Vec<Range<usize>>) {
    let Some(raw) = text.get(block.clone()) else { return };
    // A line's end within a paragraph ends no sentence. Each stands for one byte, so offsets stay.
    let flat: String = raw.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    let mut open: Option<usize> = None;
    for (at, part) in flat.split_sentence_bound_indices() {
        let start = *open.get_or_insert(at);
        let after = &flat[at + part.len()..];
        if goes_on(&flat[start..at + part.len()], after) {
            continue;
        }
        push(text, block.start + start..block.start + at + part.len(), found);
        open = None;
    }
    if let Some(start) = open {
        push(text, block.start + start..block.end, found);
    }
}

fn push(text: &str, span: Range<usize>, found: &mut Vec<Range<usize>>) {
    let span = trimmed(text, span);
    if text[span.clone()].chars().any(char::is_alphanumeric) {
        found.push(span);
    }
}

/// Is what was read so far, with `after` behind it, not a whole sentence yet?
fn goes_on(so_far: &str, after: &str) -> bool {
    let so_far = so_far.trim_end();
    let Some(next) = after.trim_start().chars().next() else { return false };
    if !so_far.ends_with('.') {
        // A question or an exclamation in the middle of somebody's words: `"Why?" she asked.`
        return next.is_lowercase() && so_far.ends_with(['?', '!', '"', '”', '»', '\'', '’', ')']);
    }
    let last = so_far.trim_end_matches('.').rsplit([' ', '(', '[', '"', '“', '/', '\u{a0}']).next().unwrap_or_default();
    // The number of a list's item belongs to what follows.
    if !last.is_empty() && last.len() <= 2 && last.bytes().all(|byte| byte.is_ascii_digit()) && so_far.trim_start().len() <= 3 {
        return true;
    }
    let plain = last.to_lowercase();
    if ABBREVIATIONS.contains(&plain.as_str()) {
        return !MAY_END.contains(&plain.as_str()) || next.is_lowercase() || next.is_ascii_digit();
    }
    // An initial: one capital letter, or several with full stops.
    let is_initial = last.chars().count() == 1 && last.chars().all(char::is_uppercase) && last != "I";
    is_initial && next.is_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn a_sentence_ends_where_a_reader_ends_it() {
        assert_eq!(
            read("It costs 3.50 MON. Pay once!  Then wait? Yes."),
            ["It costs 3.50 MON.", "Pay once!", "Then wait?", "Yes."]
        );
        assert_eq!(read("Dr. J. Doe came, e.g. by train. He left."), ["Dr. J. Doe came, e.g. by train.", "He left."]);
        assert_eq!(read("We sell nuts, bolts, etc. The shop is open."), ["We sell nuts, bolts, etc.", "The shop is open."]);
        assert_eq!(read("\"Why?\" she asked. Nobody knew."), ["\"Why?\" she asked.", "Nobody knew."]);
        assert_eq!(read("See https://example.org/a.b?c=d. Then go."), ["See https://example.org/a.b?c=d.", "Then go."]);
        assert_eq!(read("Das ist z.B. so. Und d.h. auch so."), ["Das ist z.B. so.", "Und d.h. auch so."]);
        assert_eq!(read("これは文です。次の文です。"), ["これは文です。", "次の文です。"]);
    }

    #[test]
    fn lines_of_a_paragraph_are_one_and_items_are_their_own() {
        assert_eq!(
            read("# A heading\nA sentence that\nis broken. Another.\n\n- first item\n- second item\n1. third. It goes on.\n"),
            [
                "# A heading",
                "A sentence that\nis broken.",
                "Another.",
                "- first item",
                "- second item",
                "1. third.",
                "It goes on."
            ]
        );
    }

    #[test]
    fn code_between_fences_is_no_prose() {
        assert_eq!(read("Before.\n```\nlet a = 1. No;\n```\nAfter."), ["Before.", "After."]);
    }

    #[test]
    fn nothing_is_lost_and_nothing_overlaps_whatever_the_text() {
        for text in [
            "",
            "...",
            "a.",
            "\u{200b}\u{200b}",
            "é. Ü. ß!",
            "שלום עולם. עוד משפט.",
            "a\u{301}. b",
            &"a.".repeat(20_000),
            &"x".repeat(100_000),
        ] {
            let spans = sentences(text);
            assert!(spans.windows(2).all(|pair| pair[0].end <= pair[1].start), "{text:.20}");
            let kept: usize = spans.iter().map(|span| text[span.clone()].chars().filter(|c| c.is_alphanumeric()).count()).sum();
            assert_eq!(kept, text.chars().filter(|c| c.is_alphanumeric()).count(), "{text:.20}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_span_is_a_span(text in "\\PC{0,300}") {
            for span in sentences(&text) {
                proptest::prop_assert_eq!(text[span.clone()].trim(), &text[span]);
            }
        }
    }
}
