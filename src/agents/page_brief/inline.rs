//! One line of running text, as it is read and as Markdown, written at once.
//!
//! White space is one space, as browsers show it. Emphasis and links open with their first visible character and close before the space
//! that follows, because Markdown wants it so; what is open at a block's end opens again in the next.

use std::ops::Range;

/// What is around a piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Around {
    Strong,
    Emphasis,
    Code,
    /// An absolute address of the web.
    Link(String),
}

impl Around {
    fn opener(&self) -> &'static str {
        match self {
            Self::Strong => "**",
            Self::Emphasis => "*",
            Self::Code => "`",
            Self::Link(_) => "[",
        }
    }

    fn close(&self, markdown: &mut String) {
        match self {
            Self::Link(url) => {
                markdown.push_str("](");
                // A parenthesis would end it.
                markdown.push_str(&url.replace('(', "%28").replace(')', "%29"));
                markdown.push(')');
            }
            other => markdown.push_str(other.opener()),
        }
    }
}

/// Nobody nests deeper, but for those who want to stall us.
const NESTED_MAX: usize = 16;

#[derive(Default)]
pub struct Inline {
    text: String,
    markdown: String,
    /// White space was read, and nothing after it.
    is_spaced: bool,
    /// With each: has it been written in this block?
    around: Vec<(Around, bool)>,
    code: Vec<Range<usize>>,
}

/// A finished line.
pub struct Line {
    pub text: String,
    pub markdown: String,
    /// Which parts of `text` are code.
    pub code: Vec<Range<usize>>,
}

impl Inline {
    pub fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                c if c.is_whitespace() => self.is_spaced = true,
                // Invisible: where a word may be broken, and marks of byte order.
                '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
                c if c.is_control() => {}
                c => self.push(c),
            }
        }
    }

    pub fn space(&mut self) {
        self.is_spaced = true;
    }

    /// A line break within the block.
    pub fn line_break(&mut self) {
        self.is_spaced = false;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
            self.markdown.push_str("  \n");
        }
    }

    fn push(&mut self, c: char) {
        if std::mem::take(&mut self.is_spaced) && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
            self.markdown.push(' ');
        }
        for (around, is_written) in &mut self.around {
            if !*is_written {
                self.markdown.push_str(around.opener());
                *is_written = true;
                if *around == Around::Code {
                    self.code.push(self.text.len()..self.text.len());
                }
            }
        }
        self.text.push(c);
        let is_code = self.around.iter().any(|(around, _)| *around == Around::Code);
        match c {
            // There is no other way to have one between two of them.
            '`' if is_code => self.markdown.push('\''),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '!' if !is_code => self.markdown.extend(['\\', c]),
            '|' => self.markdown.push_str("\\|"),
            c => self.markdown.push(c),
        }
    }

    /// Is it opened? Then it is to be closed.
    pub fn open(&mut self, around: Around) -> bool {
        // Twice the same is once, and within code nothing means anything.
        let is_in = |kind: &Around| self.around.iter().any(|(other, _)| std::mem::discriminant(other) == std::mem::discriminant(kind));
        let is_opened = self.around.len() < NESTED_MAX && !is_in(&around) && !is_in(&Around::Code);
        if is_opened {
            self.around.push((around, false));
        }
        is_opened
    }

    pub fn close(&mut self) {
        if let Some((around, true)) = self.around.pop() {
            self.end(&around);
        }
    }

    fn end(&mut self, around: &Around) {
        around.close(&mut self.markdown);
        if *around == Around::Code && let Some(code) = self.code.last_mut() {
            code.end = self.text.len();
        }
    }

    /// What was read so far; empty if nothing is to be seen.
    pub fn take(&mut self) -> Line {
        let open: Vec<Around> = self.around.iter().rev().filter(|(_, is_written)| *is_written).map(|(around, _)| around.clone()).collect();
        self.around.iter_mut().for_each(|(_, is_written)| *is_written = false);
        open.iter().for_each(|around| self.end(around));
        self.is_spaced = false;
        let mut line =
            Line { text: std::mem::take(&mut self.text), markdown: std::mem::take(&mut self.markdown), code: std::mem::take(&mut self.code) };
        line.text.truncate(line.text.trim_end().len());
        line.markdown.truncate(line.markdown.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emphasis_holds_its_words_and_no_space() {
        let mut line = Inline::default();
        line.text("  a");
        assert!(line.open(Around::Strong));
        line.text(" b \n c ");
        line.close();
        line.text("d");
        let line = line.take();
        assert_eq!((line.text.as_str(), line.markdown.as_str()), ("a b c d", "a **b c** d"));
    }

    #[test]
    fn what_is_empty_leaves_no_trace_and_what_is_open_goes_on_in_the_next_block() {
        let mut line = Inline::default();
        line.open(Around::Emphasis);
        line.text(" ");
        line.close();
        line.open(Around::Link("https://example.org/a_(b)".to_owned()));
        line.text("one");
        assert_eq!(line.take().markdown, "[one](https://example.org/a_%28b%29)");
        line.text("two");
        line.close();
        assert_eq!(line.take().markdown, "[two](https://example.org/a_%28b%29)");
    }

    #[test]
    fn d4_what_means_something_to_markdown_is_only_said() {
        let mut line = Inline::default();
        line.text("![x](javascript:alert(1)) <b> *a* _b_ &lt; a|b ~~c~~ `d`");
        let line = line.take();
        assert_eq!(line.markdown, r"\!\[x\](javascript:alert(1)) \<b\> \*a\* \_b\_ \&lt; a\|b \~\~c\~\~ \`d\`");
    }

    #[test]
    fn code_is_known_by_its_place() {
        let mut line = Inline::default();
        line.text("pay ");
        line.open(Around::Code);
        line.text("$5 `x`");
        line.close();
        line.text(" now");
        let line = line.take();
        assert_eq!((line.text.as_str(), line.markdown.as_str()), ("pay $5 `x` now", "pay `$5 'x'` now"));
        assert_eq!(line.code.iter().map(|code| &line.text[code.clone()]).collect::<Vec<_>>(), ["$5 `x`"]);
    }
}
