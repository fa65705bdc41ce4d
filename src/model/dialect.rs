//! What a server does not understand of a request, learned from its refusals: "OpenAI-compatible" is a family, not a standard.

/// What is said to a server. Begins with everything; each refusal takes away what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// `response_format` with a JSON schema; else the schema is told in words.
    pub schema: bool,
    /// `stream_options`, without which no usage is told in a stream.
    pub stream_options: bool,
    /// `temperature`, which models that reason do not take.
    pub temperature: bool,
    /// `max_completion_tokens` instead of the older `max_tokens`.
    pub newer_limit: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { schema: true, stream_options: true, temperature: true, newer_limit: false }
    }
}

impl Dialect {
    /// After a refusal (HTTP 400 or 422) with these words. `None`: they are about something else, or this was tried.
    pub fn without_what(self, refusal: &str, asked_for_schema: bool) -> Option<Self> {
        let names = |word: &str| refusal.contains(word);
        if names("max_completion_tokens") && !self.newer_limit {
            return Some(Self { newer_limit: true, ..self });
        }
        if names("stream_options") && self.stream_options {
            return Some(Self { stream_options: false, ..self });
        }
        if names("temperature") && self.temperature {
            return Some(Self { temperature: false, ..self });
        }
        // Last, and also where the words say nothing: it is what most servers lack.
        (asked_for_schema && self.schema).then_some(Self { schema: false, ..self })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_takes_away_what_it_names_once() {
        let all = Dialect::default();
        let newer = all.without_what("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", true).unwrap();
        assert_eq!(newer, Dialect { newer_limit: true, ..all });
        assert!(!newer.without_what("'temperature' does not support 0", false).unwrap().temperature);
        let unnamed = all.without_what("bad request", true).unwrap();
        assert!(!unnamed.schema);
        assert_eq!(unnamed.without_what("bad request", true), None);
        assert_eq!(all.without_what("context length exceeded", false), None);
    }
}
