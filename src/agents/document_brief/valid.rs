//! What is wrong with a text, told before anybody is asked for money.

use garde::{Error, Result};

use super::TEXT_BYTES_MAX;

pub fn text(text: &str, (): &()) -> Result {
    if text.trim().is_empty() {
        return Err(Error::new("Paste a text, or choose a file."));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::new(format!("This text has {} KB; at most 100 KB are read.", text.len().div_ceil(1024))));
    }
    let mut line = 1;
    for c in text.chars() {
        line += u32::from(c == '\n');
        if c.is_control() && !c.is_whitespace() {
            return Err(Error::new(format!(
                "Line {line} holds a control character (U+{:04X}): this is no plain text.",
                u32::from(c)
            )));
        }
    }
    if !text.chars().any(char::is_alphabetic) {
        return Err(Error::new("There is no letter in this text."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_with_its_reason() {
        let wrong = |given: &str| text(given, &()).map_err(|error| error.to_string()).err();
        assert_eq!(wrong("Hello.\r\n\tYou.\u{feff}"), None);
        assert_eq!(wrong(&"é".repeat(TEXT_BYTES_MAX / 2)), None);
        assert_eq!(
            wrong(&("é".repeat(TEXT_BYTES_MAX / 2) + ".")).as_deref(),
            Some("This text has 101 KB; at most 100 KB are read.")
        );
        assert_eq!(wrong(" \n").as_deref(), Some("Paste a text, or choose a file."));
        assert_eq!(wrong("\u{200b}... 42").as_deref(), Some("There is no letter in this text."));
        assert_eq!(wrong("a\nb\0").as_deref(), Some("Line 2 holds a control character (U+0000): this is no plain text."));
        assert!(wrong("a\u{1b}[2J").is_some());
    }
}
