//! The character U+0000, which JSON's texts may hold and PostgreSQL's may not. It is in no input that means anything, so what has one is refused where
//! it comes in, whichever database is behind.

use serde_json::Value;

use crate::error::{CallError, FieldError};

/// Has this JSON a text with it? Of text that is no JSON: does it hold the character, or the escape of one?
pub fn is_in(json: &str) -> bool {
    let mut rest = json.as_bytes();
    loop {
        rest = match rest {
            [] => return false,
            [0, ..] | [b'\\', b'u', b'0', b'0', b'0', b'0', ..] => return true,
            // An escape has two characters, so that the second of two backslashes begins none.
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
        };
    }
}

/// Has this value a text, or a name, with it?
pub fn is_in_value(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(is_in_value),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || is_in_value(value)),
        _ => false,
    }
}

/// The answer: 400 `invalid_input`. `field`: where it was, if that is known.
pub fn refused(field: &str) -> CallError {
    let error = "A text holds the character U+0000, which cannot be kept.".to_owned();
    CallError::invalid_input(vec![FieldError { field: field.to_owned(), error }])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s7_a_nul_is_found_however_it_is_written_and_nothing_else_is() {
        for has in [r#"{"a":"\u0000"}"#, r#"["x\\\u0000y"]"#, r#"{"\u0000":1}"#, "a\0b"] {
            assert!(is_in(has), "{has}");
            let value = serde_json::from_str::<Value>(has).unwrap_or_else(|_| json!(has));
            assert!(is_in_value(&json!([{"deep": value}])), "{has}");
        }
        for without in [r#"{"a":"\\u0000"}"#, r#"["\u00101"]"#, r#"{"a":"\u0001"}"#, "u0000", "\\", ""] {
            assert!(!is_in(without), "{without}");
            assert!(!is_in_value(&serde_json::from_str::<Value>(without).unwrap_or_default()), "{without}");
        }
    }
}
