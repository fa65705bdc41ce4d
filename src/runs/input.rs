//! What an agent is asked, as its exact text: parsed and validated before a price is named, whichever way it came (HTTP or MCP).

use serde::de::DeserializeOwned;

use super::nul;
use crate::error::{CallError, Code, FieldError};

/// The body's text, if it is an input of this type that its agent takes. It is what the run's row keeps, byte for byte.
///
/// # Errors
/// [`Code::BadJson`] for what is no JSON, [`Code::InvalidInput`] with its fields for JSON of another shape or with values that cannot be used,
/// the character U+0000 among them.
pub fn check<I>(body: &[u8]) -> Result<String, CallError>
where
    I: DeserializeOwned + garde::Validate<Context = ()>,
{
    let input: I = serde_json::from_slice(body).map_err(|cause| unreadable(&cause))?;
    input.validate().map_err(|report| {
        CallError::invalid_input(
            report
                .iter()
                .map(|(path, error)| FieldError { field: path.to_string(), error: error.message().to_string() })
                .collect(),
        )
    })?;
    let text = String::from_utf8(body.to_owned()).map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    if nul::is_in(&text) { Err(nul::refused("")) } else { Ok(text) }
}

/// Broken JSON is `bad_json`; JSON of another shape is a field that is missing, unknown or of another type.
fn unreadable(cause: &serde_json::Error) -> CallError {
    if !cause.is_data() {
        return CallError::from(Code::BadJson).with_details(cause);
    }
    let words = cause.to_string();
    let field = words.split('`').nth(1).filter(|_| words.contains("field")).unwrap_or_default().to_owned();
    let sentence = words.split(" at line ").next().unwrap_or_default().to_owned();
    CallError::invalid_input(vec![FieldError { field, error: sentence }])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(serde::Deserialize, garde::Validate)]
    #[serde(deny_unknown_fields)]
    struct Input {
        #[garde(length(min = 1))]
        param: String,
    }

    #[test]
    fn the_text_is_kept_as_it_came() {
        let odd = r#" { "param" : "\u0061" } "#;
        assert_eq!(check::<Input>(odd.as_bytes()).as_deref(), Ok(odd));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (body, field) in [("{}", "param"), (r#"{"param":"x","more":1}"#, "more"), (r#"{"param":""}"#, "param")] {
            let why = check::<Input>(body.as_bytes()).unwrap_err();
            assert_eq!((why.code, why.fields[0].field.as_str()), (Code::InvalidInput, field), "{body}");
        }
        for body in [&b"{"[..], b"", b"\xff", b"{\"param\":\"\xff\"}"] {
            assert_eq!(check::<Input>(body).unwrap_err().code, Code::BadJson, "{body:?}");
        }
    }
}
