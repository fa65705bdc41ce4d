//! What stands apart in a text: headings, list items, tables, code, paragraphs.
//!
//! Markdown's block rules as far as prose needs them (CommonMark 0.31, sections 4 and 5), read line by line with no nesting: a list item
//! in a quotation is a list item. Plain text has paragraphs, and lines that stand alone as its headings.

use std::ops::Range;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A paragraph.
    Text,
    /// An item of a list; `Some`: with a box to tick, and whether it is ticked.
    Item(Option<bool>),
    /// Of this level, from 1. A line of plain text that stands alone is of level 0.
    Heading(u8),
    /// A row of a table.
    Table,
    /// Fenced code, front matter, definitions of links: no prose.
    Code,
}

/// A stretch of lines that belong together, without the mark before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub kind: Kind,
    /// In bytes of the text.
    pub range: Range<usize>,
    /// Lines that it covers.
    pub lines: usize,
}

/// Characters that a plain line may have to be taken for a heading.
const HEADING_CHARS_MAX: usize = 80;

/// Lines of front matter, at most: a text may begin with a rule and never have another.
const FRONT_MATTER_LINES_MAX: usize = 60;

/// All blocks, in the order of the text.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader { text, done: Vec::new(), open: None, fence: None, in_list: false };
    let mut at = 0;
    let front = front_matter(text);
    if front > 0 {
        reader.done.push(Block { kind: Kind::Code, range: 0..front, lines: text[..front].lines().count() });
        at = front;
    }
    for line in text[at..].split_inclusive('\n') {
        reader.line(at, line.trim_end());
        at += line.len();
    }
    reader.close();
    reader.done
}

struct Reader<'t> {
    text: &'t str,
    done: Vec<Block>,
    open: Option<Block>,
    /// The character and length of a code fence that is open.
    fence: Option<(char, usize)>,
    in_list: bool,
}

impl Reader<'_> {
    fn line(&mut self, at: usize, line: &str) {
        let quoted = unquoted(line);
        let content = quoted.trim_start_matches(is_blank);
        let start = at + line.len() - content.len();
        let range = start..at + line.len();
        if let Some((mark, length)) = self.fence {
            if fence_of(content).is_some_and(|(with, of, bare)| bare && with == mark && of >= length) {
                self.fence = None;
            }
            return self.alone(Kind::Code, range);
        }
        if content.is_empty() {
            self.close();
            self.in_list = false;
            return;
        }
        if let Some((mark, length, _)) = fence_of(content) {
            self.fence = Some((mark, length));
            return self.alone(Kind::Code, range);
        }
        if let Some(level) = self.underlines(content) {
            if let Some(open) = &mut self.open {
                open.kind = Kind::Heading(level);
            }
            return self.close();
        }
        if is_rule(content) {
            return self.close();
        }
        if let Some((level, skip)) = heading_of(content) {
            let inside = content[skip..].trim_end_matches('#').trim_end();
            return self.alone(Kind::Heading(level), start + skip..start + skip + inside.len());
        }
        if content.starts_with('|') {
            return self.alone(Kind::Table, range);
        }
        if content.starts_with('[') && content.split_once("]: ").is_some_and(|(_, target)| target.contains("://")) {
            return self.alone(Kind::Code, range);
        }
        if let Some((skip, first)) = item_of(content)
            && (first || self.in_list || self.open.is_none())
        {
            self.close();
            self.in_list = true;
            let (ticked, skip) = match ticked(&content[skip..]) {
                Some((ticked, more)) => (Some(ticked), skip + more),
                None => (None, skip),
            };
            self.open = Some(Block { kind: Kind::Item(ticked), range: start + skip..range.end, lines: 1 });
            return;
        }
        match &mut self.open {
            Some(open) => {
                open.range.end = range.end;
                open.lines += 1;
            }
            None => self.open = Some(Block { kind: Kind::Text, range, lines: 1 }),
        }
    }

    /// Under one line of a paragraph: a row of `=` or `-` makes it a heading.
    fn underlines(&self, content: &str) -> Option<u8> {
        let open = self.open.as_ref()?;
        if open.kind != Kind::Text || open.lines != 1 || content.len() < 2 {
            return None;
        }
        match content {
            line if line.bytes().all(|byte| byte == b'=') => Some(1),
            line if line.bytes().all(|byte| byte == b'-') => Some(2),
            _ => None,
        }
    }

    fn alone(&mut self, kind: Kind, range: Range<usize>) {
        self.close();
        self.done.push(Block { kind, range, lines: 1 });
    }

    fn close(&mut self) {
        let Some(mut block) = self.open.take() else { return };
        if block.kind == Kind::Text && block.lines == 1 && reads_as_heading(&self.text[block.range.clone()]) {
            block.kind = Kind::Heading(0);
        }
        if !block.range.is_empty() {
            self.done.push(block);
        }
    }
}

/// Space, or what cannot be seen.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Zero-width and directional marks: they are part of no word and end no sentence.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Without the marks of a quotation.
fn unquoted(line: &str) -> &str {
    let mut rest = line;
    while let Some(inner) = rest.trim_start().strip_prefix('>') {
        rest = inner;
    }
    rest
}

/// Its character, its length, and whether nothing follows.
fn fence_of(content: &str) -> Option<(char, usize, bool)> {
    let mark = content.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = content.trim_start_matches(mark);
    let length = content.len() - rest.len();
    (length >= 3 && !(mark == '`' && rest.contains('`'))).then_some((mark, length, rest.is_empty()))
}

/// Its level, and the bytes before its text.
fn heading_of(content: &str) -> Option<(u8, usize)> {
    let rest = content.trim_start_matches('#');
    let level = content.len() - rest.len();
    let inside = rest.trim_start();
    let is = (1..=6).contains(&level) && (rest.len() > inside.len() || rest.is_empty());
    is.then(|| (level as u8, content.len() - inside.len()))
}

/// Three or more of one of `-*_`, and nothing else.
fn is_rule(content: &str) -> bool {
    let mut marks = content.chars().filter(|c| !c.is_whitespace());
    let Some(first) = marks.next().filter(|c| matches!(c, '-' | '*' | '_' | '=')) else { return false };
    let mut count = 1;
    marks.all(|c| {
        count += 1;
        c == first
    }) && count >= 3
}

/// The bytes of a list item's mark, and whether it may begin a list within a paragraph: a number other than 1 may be the end of a
/// sentence that was wrapped.
fn item_of(content: &str) -> Option<(usize, bool)> {
    let mut chars = content.char_indices();
    let (_, first) = chars.next()?;
    if matches!(first, '-' | '*' | '+' | '•' | '‣' | '◦' | '▪' | '·' | '–' | '—' | '☐' | '☑' | '☒') {
        let mark = if matches!(first, '☐' | '☑' | '☒') { 0 } else { first.len_utf8() };
        let rest = content[mark.max(first.len_utf8())..].trim_start();
        let spaced = content[first.len_utf8()..].starts_with(char::is_whitespace);
        let skip = if mark == 0 { 0 } else { content.len() - rest.len() };
        return (spaced && !rest.is_empty()).then_some((skip, true));
    }
    let digits = content.len() - content.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let letter = usize::from(digits == 0 && first.is_ascii_lowercase());
    let (length, close) = (digits + letter, content[digits + letter..].chars().next()?);
    let is_mark = (1..=3).contains(&length) && (close == ')' || (close == '.' && digits > 0));
    let rest = &content[(length + close.len_utf8()).min(content.len())..];
    let inside = rest.trim_start();
    let is = is_mark && inside.len() < rest.len() && !inside.is_empty();
    is.then(|| (content.len() - inside.len(), content[..length] == *"1" || close == ')'))
}

/// A box to tick: whether it is, and the bytes before the item's text.
fn ticked(item: &str) -> Option<(bool, usize)> {
    let boxes = [("[ ]", false), ("[x]", true), ("[X]", true), ("☐", false), ("☑", true), ("☒", true)];
    let (mark, ticked) = boxes.into_iter().find(|(mark, _)| item.starts_with(mark))?;
    let rest = &item[mark.len()..];
    let inside = rest.trim_start();
    (inside.len() < rest.len()).then_some((ticked, item.len() - inside.len()))
}

/// A line that stands alone, short, and ends as no sentence does.
fn reads_as_heading(line: &str) -> bool {
    let short = line.chars().take(HEADING_CHARS_MAX + 1).count() <= HEADING_CHARS_MAX && line.split_whitespace().count() <= 12;
    let last =
        line.trim_end_matches(|c: char| matches!(c, '"' | '”' | '’' | '»' | ')' | '*' | '_') || is_blank(c)).chars().next_back();
    let ended = last.is_none_or(|c| super::sentences::ends(c) || matches!(c, ':' | ';' | ','));
    let goes_on = [". ", "! ", "? "].iter().any(|end| line.contains(end));
    short && !ended && !goes_on && line.chars().any(char::is_alphabetic)
}

/// Bytes of the YAML block that a text begins with, or 0.
fn front_matter(text: &str) -> usize {
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate().take(FRONT_MATTER_LINES_MAX) {
        at += line.len();
        match (number, line.trim_end()) {
            (0, "---") => {}
            (0, _) => return 0,
            (_, "---") => return at,
            (_, line) if line.is_empty() || line.contains(':') || line.starts_with([' ', '-', '#']) => {}
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<(Kind, &str)> {
        blocks(text).into_iter().map(|block| (block.kind, &text[block.range])).collect()
    }

    #[test]
    fn markdown_is_taken_apart() {
        let text = "---\ntitle: x\n---\n# One #\n\nA line\nand its end.\n- [ ] do it\n- [x] done\n  with more\n1. first\n2) second\n\n\
                    > quoted\n> twice.\n\n```rust\nlet a. = 1;\n\n```\n| a | b |\nTwo\n---\n\n***\nThe end.";
        assert_eq!(
            seen(text),
            vec![
                (Kind::Code, "---\ntitle: x\n---\n"),
                (Kind::Heading(1), "One"),
                (Kind::Text, "A line\nand its end."),
                (Kind::Item(Some(false)), "do it"),
                (Kind::Item(Some(true)), "done\n  with more"),
                (Kind::Item(None), "first"),
                (Kind::Item(None), "second"),
                (Kind::Text, "quoted\n> twice."),
                (Kind::Code, "```rust"),
                (Kind::Code, "let a. = 1;"),
                (Kind::Code, ""),
                (Kind::Code, "```"),
                (Kind::Table, "| a | b |"),
                (Kind::Heading(2), "Two"),
                (Kind::Text, "The end."),
            ]
        );
    }

    #[test]
    fn a_wrapped_number_is_no_list() {
        assert_eq!(
            seen("It began in the year\n25. Then it ended."),
            vec![(Kind::Text, "It began in the year\n25. Then it ended.")]
        );
    }

    #[test]
    fn a_short_line_alone_is_a_heading_unless_it_ends_as_a_sentence() {
        assert_eq!(seen("Introduction\n\nIt rains."), vec![(Kind::Heading(0), "Introduction"), (Kind::Text, "It rains.")]);
    }

    #[test]
    fn what_cannot_be_seen_is_blank() {
        assert_eq!(seen("\u{200b}\u{feff}\n \u{200f}\n"), vec![]);
    }
}
