//! Where sentences are.
//!
//! Unicode's own rule (UAX 29) splits at `Dr.` and within `the 3. Mai`; what follows here knows abbreviations, initials, ordinals,
//! brackets and lines that were broken by hand. It asks no model and no language: the marks and the letters' case decide.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::{
    abbreviations::{Abbreviation, abbreviation, before_ordinal, begins, month},
    blocks::{Block, Kind, blocks, is_blank, is_invisible},
};

/// Characters of one sentence, at most. A longer one is cut where it hurts least: a text without any end is still cut into pieces.
pub const SENTENCE_CHARS_MAX: usize = 1000;

/// Characters between two brackets that keep a sentence together, at most.
const BRACKET_CHARS_MAX: usize = 400;

/// Lines are taken for wrapped at this many characters at least: shorter ones may be so by intent.
const WRAP_CHARS_MIN: usize = 56;

/// Characters before a period that may make an abbreviation, at most.
const ABBREVIATION_CHARS_MAX: usize = 12;

/// One sentence of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// In bytes of the text; blank on neither end.
    pub range: Range<usize>,
    /// Of the block that it is in.
    pub kind: Kind,
    /// False for a piece of a sentence longer than [`SENTENCE_CHARS_MAX`].
    pub whole: bool,
}

/// All sentences as spans, headings and list items too, in the order of the text.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    prose(text).into_iter().map(|sentence| sentence.range).collect()
}

/// The same, with what is known of each. Every letter and digit is in one, but for the marks of lists, tables and code.
pub fn prose(text: &str) -> Vec<Sentence> {
    sentences_of(text, &blocks(text))
}

/// Of a text whose blocks are known.
pub fn sentences_of(text: &str, blocks: &[Block]) -> Vec<Sentence> {
    let mut all = Vec::new();
    for block in blocks.iter().filter(|block| !matches!(block.kind, Kind::Table | Kind::Code)) {
        let inside = &text[block.range.clone()];
        let ranges = match block.kind {
            Kind::Heading(_) => std::iter::once(0..inside.len()).collect(),
            _ => Splitter::of(inside).ranges(),
        };
        for range in ranges {
            push(text, block.kind, block.range.start + range.start..block.range.start + range.end, &mut all);
        }
    }
    all
}

/// Without blanks at its ends, in pieces if it must be, and only if it says something.
fn push(text: &str, kind: Kind, range: Range<usize>, all: &mut Vec<Sentence>) {
    let range = trimmed(text, range);
    let mut rest = range.clone();
    let mut whole = true;
    while let Some(length) = cut(&text[rest.clone()]) {
        whole = false;
        let piece = trimmed(text, rest.start..rest.start + length);
        rest = trimmed(text, rest.start + length..rest.end);
        all.extend(says_something(&text[piece.clone()]).then_some(Sentence { range: piece, kind, whole }));
    }
    all.extend(says_something(&text[rest.clone()]).then_some(Sentence { range: rest, kind, whole }));
}

fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = &text[range.clone()];
    let front = inside.trim_start_matches(is_blank);
    let start = range.end - front.len();
    start..start + front.trim_end_matches(is_blank).len()
}

/// Bytes of the first piece of what is too long: up to its last mark within the bound, or blank, or whole character as a reader sees it.
fn cut(sentence: &str) -> Option<usize> {
    let (end, _) = sentence.char_indices().nth(SENTENCE_CHARS_MAX)?;
    let window = &sentence[..end];
    let late = window.char_indices().nth(SENTENCE_CHARS_MAX / 2).map_or(0, |(at, _)| at);
    let after = |marks: &[char]| window.rfind(|c: char| marks.contains(&c)).filter(|at| *at > late);
    let mark =
        after(&[';', ':', '；', '：']).or_else(|| after(&[',', '，', '、', '،'])).or_else(|| window.rfind(char::is_whitespace));
    let grapheme = || window.grapheme_indices(true).next_back().map(|(at, _)| at);
    let place = match mark.filter(|at| *at > 0) {
        Some(at) => at + window[at..].chars().next().map_or(1, char::len_utf8),
        None => grapheme().filter(|at| *at > 0).unwrap_or(end),
    };
    Some(place)
}

/// Does this character end sentences?
pub(super) fn ends(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '‼' | '⁇' | '⁈' | '⁉' | '‽') || ends_wide(c)
}

/// Of scripts that set no space after it.
fn ends_wide(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '．')
}

fn closes(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '"' | '\'' | '”' | '’' | '»' | '›' | '*' | '_' | '`' | '」' | '』' | '）' | '】' | '》')
        || is_invisible(c)
}

fn opens(c: char) -> bool {
    matches!(
        c,
        '(' | '['
            | '{'
            | '"'
            | '\''
            | '“'
            | '„'
            | '‘'
            | '‚'
            | '«'
            | '‹'
            | '*'
            | '_'
            | '`'
            | '¿'
            | '¡'
            | '「'
            | '『'
            | '（'
            | '【'
            | '《'
    ) || is_invisible(c)
}

/// One block, character by character.
struct Splitter<'t> {
    text: &'t str,
    chars: Vec<(usize, char)>,
    /// Characters of the longest line.
    width: usize,
}

impl<'t> Splitter<'t> {
    fn of(text: &'t str) -> Self {
        let width = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        Self { text, chars: text.char_indices().collect(), width: width.max(WRAP_CHARS_MIN) }
    }

    fn char(&self, at: usize) -> Option<char> {
        self.chars.get(at).map(|(_, c)| *c)
    }

    fn byte(&self, at: usize) -> usize {
        self.chars.get(at).map_or(self.text.len(), |(byte, _)| *byte)
    }

    fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut from = 0;
        let mut at = 0;
        let mut line = 0;
        // Where each bracket that is open was opened, in this sentence.
        let mut open: Vec<usize> = Vec::new();
        while let Some(c) = self.char(at) {
            let mut end = None;
            match c {
                '(' | '（' | '「' | '『' => open.push(at),
                ')' | '）' | '」' | '』' => drop(open.pop()),
                '\n' => {
                    end = (at > from && self.broken_by_hand(line, at)).then_some(at);
                    line = at + 1;
                }
                c if ends(c) => {
                    let run = (at..).take_while(|at| self.char(*at).is_some_and(ends)).count();
                    let after = self.past_closers(at + run);
                    let closed = (at + run..after).filter(|at| matches!(self.char(*at), Some(')' | '）' | '」' | '』'))).count();
                    let still_open = open.len().saturating_sub(closed);
                    let within = still_open > 0 && open.first().is_some_and(|open| self.holds_together(*open, from, after));
                    if !within && self.is_end(from, at, run, after) {
                        end = Some(after);
                    } else {
                        at += run - 1;
                    }
                }
                _ => {}
            }
            at += 1;
            if let Some(end) = end {
                ranges.push(self.byte(from)..self.byte(end));
                open.clear();
                from = self.skip(end, is_blank);
                at = end.max(at);
            }
        }
        ranges.push(self.byte(from)..self.text.len());
        ranges
    }

    /// Past quotation marks, brackets and footnote marks.
    fn past_closers(&self, mut at: usize) -> usize {
        loop {
            match self.char(at) {
                Some(c) if closes(c) => at += 1,
                // French sets a space before it.
                Some(' ' | '\u{a0}' | '\u{202f}') if self.char(at + 1) == Some('»') => at += 2,
                Some('[') => match (at + 1..at + 5).find(|at| !self.char(*at).is_some_and(|c| c.is_ascii_digit())) {
                    Some(end) if end > at + 1 && self.char(end) == Some(']') => at = end + 1,
                    _ => return at,
                },
                _ => return at,
            }
        }
    }

    /// A bracket that closes soon, and that the sentence did not begin with.
    fn holds_together(&self, open: usize, from: usize, at: usize) -> bool {
        let wide = matches!(self.char(open), Some('「' | '『' | '（'));
        let begins = (from..open).all(|at| self.char(at).is_some_and(is_blank));
        (wide || !begins) && (at..at + BRACKET_CHARS_MAX).any(|at| matches!(self.char(at), Some(')' | '）' | '」' | '』')))
    }

    /// Wrapping would have taken the next line's first word into this one: whoever broke it here meant it.
    fn broken_by_hand(&self, line: usize, at: usize) -> bool {
        let next = self.skip(at + 1, is_blank);
        let first = self.skip(next, opens);
        let Some(c) = self.char(first) else { return false };
        let word = (next..).take_while(|at| self.char(*at).is_some_and(|c| !is_blank(c))).take(self.width).count();
        let two_spaces = at >= 2 && self.char(at - 1) == Some(' ') && self.char(at - 2) == Some(' ');
        (c.is_uppercase() || c.is_numeric()) && (two_spaces || at - line + 1 + word + 6 <= self.width)
    }

    fn skip(&self, from: usize, what: fn(char) -> bool) -> usize {
        (from..self.chars.len()).find(|at| !self.char(*at).is_some_and(what)).unwrap_or(self.chars.len())
    }

    /// Is the run of marks at `at`, closed at `after`, the end of a sentence that began at `from`?
    fn is_end(&self, from: usize, at: usize, run: usize, after: usize) -> bool {
        let next = self.skip(after, is_blank);
        if next == self.chars.len() {
            return true;
        }
        let first = self.skip(next, |c| opens(c) || is_blank(c) || matches!(c, '-' | '–' | '—'));
        let follows = self.char(first).unwrap_or(' ');
        if (at..at + run).any(|at| self.char(at).is_some_and(ends_wide)) {
            // 「…。」と言った: what was said is part of who said it.
            let quoted = matches!(self.char(after - 1), Some('」' | '』'));
            return !(quoted && matches!(follows, '\u{3041}'..='\u{309f}' | '、'));
        }
        if next == after || follows.is_lowercase() {
            return false;
        }
        match (self.char(at), run) {
            (Some('.'), 1) => self.period_ends(from, at, after, first),
            _ => true,
        }
    }

    /// The hard one: `Dr. No`, `J. Doe`, `U.S. Senate`, `am 3. Mai`, `p. 5`, `1. First`.
    fn period_ends(&self, from: usize, at: usize, after: usize, first: usize) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '.' || c == 'º';
        let length =
            (from..at).rev().take(ABBREVIATION_CHARS_MAX + 1).take_while(|at| self.char(*at).is_some_and(is_part)).count();
        let closed_by_quote = after > at + 1 && !matches!(self.char(at + 1), Some(')' | ']'));
        let of_a_link = matches!(at.checked_sub(length + 1).and_then(|before| self.char(before)), Some('@' | '/' | ':'));
        if of_a_link || length == 0 || length > ABBREVIATION_CHARS_MAX || closed_by_quote {
            return true;
        }
        let start = at - length;
        let token = &self.text[self.byte(start)..self.byte(at)];
        let next = self.word(first);
        let follows = self.char(first).unwrap_or(' ');
        let digits = token.bytes().all(|byte| byte.is_ascii_digit());
        let letters = token.chars().count();
        // The first thing in a sentence is its number.
        let leads = (from..start).all(|at| self.char(at).is_some_and(|c| is_blank(c) || opens(c)));
        if leads && ((digits && letters <= 3) || letters == 1 || roman(token)) {
            return false;
        }
        if digits {
            let before = self.word_before(start);
            return letters > 2 || !(month(&next.to_lowercase()) || before_ordinal(&before.to_lowercase()));
        }
        let lower = token.to_lowercase();
        let numbered = follows.is_numeric() || follows == '§' || roman(next);
        match abbreviation(&lower) {
            Some(Abbreviation::Leads) => return false,
            Some(Abbreviation::Counts) if numbered => return false,
            Some(Abbreviation::Counts) if letters > 1 => return true,
            Some(Abbreviation::Trails) => return begins(next),
            Some(Abbreviation::Counts) | None => {}
        }
        if letters == 1 {
            return self.letter_ends(token, start, first);
        }
        if token.contains('.') {
            let short = token.split('.').all(|part| part.chars().count() <= 2 && part.chars().all(char::is_alphabetic));
            return !short || begins(next);
        }
        true
    }

    /// After one letter: an initial, unless it is the word "I" or a name for something (`plan B.`) before a word that begins sentences.
    fn letter_ends(&self, letter: &str, start: usize, first: usize) -> bool {
        let next = self.word(first);
        let before = self.word_before(start);
        let after_word = before.chars().next().is_some_and(char::is_lowercase);
        match letter {
            "I" => after_word || begins(next),
            letter if letter.chars().all(char::is_uppercase) => begins(next) && after_word,
            // z. B., d. h.: the second letter has a period of its own.
            _ => !(next.chars().count() == 1 && self.char(first + 1) == Some('.')),
        }
    }

    fn word(&self, first: usize) -> &str {
        let end = (first..self.chars.len())
            .take(24)
            .find(|at| !self.char(*at).is_some_and(char::is_alphanumeric))
            .unwrap_or(first + 24);
        &self.text[self.byte(first)..self.byte(end)]
    }

    fn word_before(&self, start: usize) -> &str {
        let end = (0..start).rev().take(4).find(|at| !self.char(*at).is_some_and(is_blank)).map_or(start, |at| at + 1);
        let first =
            (0..end).rev().take(24).take_while(|at| self.char(*at).is_some_and(char::is_alphanumeric)).last().unwrap_or(end);
        &self.text[self.byte(first)..self.byte(end)]
    }
}

/// In capitals, below forty.
fn roman(word: &str) -> bool {
    !word.is_empty() && word.len() <= 7 && word.bytes().all(|byte| matches!(byte, b'I' | b'V' | b'X')) && word != "I"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    /// `|` marks where it is to be split.
    #[track_caller]
    fn splits(marked: &str) {
        let expected: Vec<&str> = marked.split('|').map(str::trim).collect();
        assert_eq!(split(&marked.replace('|', "")), expected);
    }

    #[test]
    fn periods_that_belong_to_words_end_nothing() {
        splits("Dr. No met Mrs. Smith at 3.30 p.m. in St. Louis. | They talked.");
        splits("It costs $3.50, i.e. little. | See Fig. 3 and pp. 4–5, cf. Doe et al. 1999.");
        splits("J. R. R. Tolkien wrote it. | I read it in the U.S. Senate. | He lives in the U.S. | The end.");
        splits("Acme Inc. Chairman Bob left. | He works at Acme Inc. | The firm is old.");
        splits("Visit example.com or https://a.b/c.d?e=f. | Then mail a.b@c.de. | Thanks!");
        splits("Version 1.2.3 is out. | Version 2. | The rest follows.");
        splits("No. 5 is alive. | Is it? | No. | It is not.");
    }

    #[test]
    fn german_and_french_and_spanish_have_their_own_ways() {
        splits("Am 3. Mai kam Hr. Maier, z. B. mit dem Zug. | Der 2. Weltkrieg war vorbei. | Das gilt gem. § 5 Abs. 2 BGB.");
        splits("M. Dupont est là. | Il l’a dit : « Bonjour. » | Puis il est parti.");
        splits("El Sr. López llegó. | ¿Dónde está? | ¡Aquí! | Muy bien.");
    }

    #[test]
    fn quotation_marks_and_brackets_stay_with_what_they_close() {
        splits("“Stop!” he said. | “I will.” | She ran (it was late. Very late.) home. | (This is its own.) | Yes.");
        splits("It ended.[12] | Then it began. | **Bold end.** | Next");
        splits("Wait… what? | Really?! | Yes... | And no.");
    }

    #[test]
    fn scripts_without_spaces_or_case_have_sentences_too() {
        splits("これは文です。|次の文です！|「はい。」と言った。|終わり。");
        splits("这是第一句。|这是第二句？|好。");
        splits("هذه جملة. | هل هذه جملة؟ | نعم.");
        splits("यह एक वाक्य है। | यह दूसरा है।");
    }

    #[test]
    fn lines_that_were_wrapped_are_one_and_lines_that_were_broken_are_not() {
        let wrapped = "This sentence is long enough to be wrapped by the program that\nAda uses to write her letters to the bank. It\nends here.";
        assert_eq!(split(wrapped).len(), 2);
        assert_eq!(
            split("Dear Ada,\nThank you for the letter\nYours, Bob"),
            ["Dear Ada,", "Thank you for the letter", "Yours, Bob"]
        );
        assert_eq!(split("# A title\n- one thing\n- another. And more.\n"), ["A title", "one thing", "another.", "And more."]);
    }

    #[test]
    fn code_and_tables_hold_no_sentences() {
        assert_eq!(split("Look. \n```\na. B. C.\n```\n| a. | B. |\n"), ["Look."]);
    }

    #[test]
    fn a_sentence_without_end_is_cut_between_words_and_nothing_is_lost() {
        let text = "word ".repeat(900);
        let pieces = prose(&text);
        assert!(pieces.len() >= 5 && pieces.iter().all(|piece| !piece.whole));
        assert!(pieces.iter().all(|piece| text[piece.range.clone()].chars().count() <= SENTENCE_CHARS_MAX));
        assert_eq!(pieces.iter().map(|piece| text[piece.range.clone()].matches("word").count()).sum::<usize>(), 900);
    }

    #[test]
    fn a_character_as_a_reader_sees_it_is_not_cut() {
        let text = "👩‍👩‍👧‍👦a".repeat(400);
        assert!(sentences(&text).into_iter().all(|piece| text[piece].starts_with(['👩', 'a'])));
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
        fn every_span_is_a_span(text in "(\\PC|[.!?()\n \"#>A-C-]){0,300}") {
            let mut before = 0;
            for span in sentences(&text) {
                proptest::prop_assert!(span.start >= before);
                proptest::prop_assert_eq!(text[span.clone()].trim(), &text[span.clone()]);
                before = span.end;
            }
        }
    }
}
