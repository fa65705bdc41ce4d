//! From a byte of a text to what people and programs call that place.

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// UTF-8 bytes before it.
    pub byte: usize,
    /// Unicode code points before it, as Python and Rust's `chars` count them (JavaScript counts UTF-16 units).
    pub character: usize,
    /// The line it is in, from 1. Only `\n` ends a line.
    pub line: usize,
}

/// Bytes between two characters whose number is remembered: a text of one endless line is no worse than another.
const STRIDE: usize = 512;

/// Looks up places of one text, each in a time that does not grow with the text.
pub struct Places<'t> {
    text: &'t str,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    /// Characters before the first character at or below each multiple of `STRIDE` bytes.
    characters: Vec<usize>,
}

impl<'t> Places<'t> {
    pub fn of(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut characters = Vec::with_capacity(text.len() / STRIDE + 1);
        let (mut from, mut before) = (0, 0);
        for mark in (0..=text.len()).step_by(STRIDE) {
            let mark = text.floor_char_boundary(mark);
            before += text[from..mark].chars().count();
            characters.push(before);
            from = mark;
        }
        Self { text, lines, characters }
    }

    /// Of a byte at the beginning of a character; of another byte, the place of its character.
    pub fn of_byte(&self, byte: usize) -> Place {
        let byte = self.text.floor_char_boundary(byte);
        let mark = byte / STRIDE;
        let from = self.text.floor_char_boundary(mark * STRIDE);
        let before = self.characters.get(mark).copied().unwrap_or_default();
        Place {
            byte,
            character: before + self.text[from..byte].chars().count(),
            line: self.lines.partition_point(|start| *start <= byte),
        }
    }

    /// From 1.
    pub fn line(&self, byte: usize) -> usize {
        self.of_byte(byte).line
    }

    /// Unicode code points before this byte.
    pub fn character(&self, byte: usize) -> usize {
        self.of_byte(byte).character
    }

    /// Lines of the text; what follows the last `\n` is one only if there is something.
    pub fn lines(&self) -> usize {
        self.lines.len() - usize::from(self.lines.last() == Some(&self.text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_counting_from_the_start_gives() {
        let text = "é\n".repeat(700) + &"日本".repeat(600) + "\n🦀";
        let places = Places::of(&text);
        let (mut character, mut line) = (0, 1);
        for (byte, c) in text.char_indices() {
            assert_eq!(places.of_byte(byte), Place { byte, character, line });
            character += 1;
            line += usize::from(c == '\n');
        }
        assert_eq!(places.of_byte(text.len()).character, character);
    }

    #[test]
    fn a_last_line_end_begins_no_line() {
        assert_eq!(Places::of("a\nb\n").lines(), 2);
        assert_eq!(Places::of("a\nb").lines(), 2);
        assert_eq!(Places::of("").lines(), 0);
    }
}
