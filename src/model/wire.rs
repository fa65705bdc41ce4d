//! Chat completions as JSON: the request, an answer that comes whole, and one that comes in pieces.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ask::{Answer, Ask, Call, Ended, Message, Usage},
    dialect::Dialect,
    fault::ModelError,
};

/// Of one answer; what is above is not heard.
const CALLS_MAX: usize = 16;

/// A token is rarely more, whatever the language.
const BYTES_PER_TOKEN: usize = 32;

pub(super) fn request(model: &str, ask: &Ask, dialect: Dialect) -> Value {
    let mut messages: Vec<Value> = ask.messages.iter().map(message).collect();
    let mut body = json!({ "model": model, "stream": ask.streamed });
    let limit = if dialect.newer_limit { "max_completion_tokens" } else { "max_tokens" };
    body[limit] = ask.tokens_max.into();
    if dialect.temperature {
        // The same question should get the same answer, as far as the server can.
        body["temperature"] = 0.into();
    }
    if ask.streamed && dialect.stream_options {
        body["stream_options"] = json!({ "include_usage": true });
    }
    if !ask.tools.is_empty() {
        let tool = |tool: &super::Tool| {
            json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            } })
        };
        body["tools"] = ask.tools.iter().map(tool).collect();
    }
    if let Some(form) = &ask.form {
        if dialect.schema {
            body["response_format"] =
                json!({ "type": "json_schema", "json_schema": { "name": form.name, "strict": true, "schema": form.schema } });
        } else {
            let words =
                format!("Answer with one JSON object and nothing else, without a code fence. Its JSON schema: {}", form.schema);
            messages.push(message(&Message::User(words)));
        }
    }
    body["messages"] = messages.into();
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({ "role": "system", "content": text }),
        Message::User(text) => json!({ "role": "user", "content": text }),
        Message::Result { call, text } => json!({ "role": "tool", "tool_call_id": call, "content": text }),
        Message::Assistant { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        Message::Assistant { text, calls } => {
            let call = |call: &Call| json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } });
            json!({ "role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Vec<_>>() })
        }
    }
}

#[derive(Deserialize)]
struct Chunk {
    /// The last chunk of a stream has usage and none.
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Counted>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, alias = "delta")]
    message: Option<Said>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Wanted {
    /// In a stream: which call this is a piece of.
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    /// A text, as the standard has it; some servers send the object itself.
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

/// An answer as far as it came.
#[derive(Default)]
pub(super) struct Heard {
    text: String,
    calls: Vec<Call>,
    ended: Option<Ended>,
    usage: Usage,
    bytes_max: usize,
}

impl Heard {
    pub fn of_at_most(tokens_max: u32) -> Self {
        Self { bytes_max: usize::try_from(tokens_max).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN), ..Self::default() }
    }

    /// A whole answer, or the next piece of one.
    ///
    /// # Errors
    /// It is none, it reports the server's own trouble, or it is one too many.
    pub fn hear(&mut self, json: &[u8]) -> Result<(), ModelError> {
        let chunk: Chunk = serde_json::from_slice(json).map_err(|_| ModelError::Garbled)?;
        if chunk.error.is_some() {
            return Err(ModelError::Broken(0));
        }
        if let Some(counted) = chunk.usage {
            self.usage = Usage { prompt: counted.prompt_tokens, completion: counted.completion_tokens };
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(()) };
        if let Some(said) = choice.message {
            self.text.push_str(said.content.as_deref().unwrap_or_default());
            for (at, wanted) in said.tool_calls.unwrap_or_default().into_iter().enumerate() {
                self.call(at, wanted);
            }
        }
        if let Some(reason) = choice.finish_reason {
            self.ended = Some(if reason == "length" { Ended::Cut } else { Ended::Whole });
        }
        let bytes = self.text.len() + self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        if bytes > self.bytes_max { Err(ModelError::TooLong) } else { Ok(()) }
    }

    fn call(&mut self, at: usize, wanted: Wanted) {
        let at = wanted.index.unwrap_or(at);
        if at >= CALLS_MAX {
            return;
        }
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, Call::default);
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        if let Some(id) = wanted.id {
            call.id = id;
        }
        let Some(function) = wanted.function else { return };
        call.name.push_str(function.name.as_deref().unwrap_or_default());
        match function.arguments {
            Some(Value::String(piece)) => call.arguments.push_str(&piece),
            Some(Value::Null) | None => {}
            Some(object) => call.arguments.push_str(&object.to_string()),
        }
    }

    /// # Errors
    /// It did not come to its end, or it is empty.
    pub fn whole(mut self) -> Result<Answer, ModelError> {
        let ended = self.ended.ok_or(ModelError::CutOff)?;
        self.calls.retain(|call| !call.name.is_empty());
        for (at, call) in self.calls.iter_mut().enumerate() {
            if call.id.is_empty() {
                // Some servers give none; the result is told under ours.
                call.id = format!("call_{at}");
            }
        }
        if self.text.trim().is_empty() && self.calls.is_empty() {
            return Err(ModelError::Empty);
        }
        Ok(Answer { text: self.text, calls: self.calls, ended, usage: self.usage })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn heard(pieces: &[Value]) -> Result<Answer, ModelError> {
        let mut heard = Heard::of_at_most(100);
        for piece in pieces {
            heard.hear(piece.to_string().as_bytes())?;
        }
        heard.whole()
    }

    #[test]
    fn a_call_in_pieces_is_put_together() {
        let delta = |call: Value| json!({ "choices": [{ "delta": { "tool_calls": [call] } }] });
        let answer = heard(&[
            delta(json!({ "index": 0, "id": "a", "function": { "name": "look", "arguments": "" } })),
            delta(json!({ "index": 0, "function": { "arguments": "{\"at\"" } })),
            delta(json!({ "index": 1, "id": "b", "function": { "name": "look", "arguments": "{}" } })),
            delta(json!({ "index": 0, "function": { "arguments": ":1}" } })),
            json!({ "choices": [{ "delta": {}, "finish_reason": "tool_calls" }] }),
            json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 3 } }),
        ]);
        let call = |id: &str, arguments: &str| Call { id: id.into(), name: "look".into(), arguments: arguments.into() };
        let answer = answer.unwrap();
        assert_eq!(answer.calls, [call("a", "{\"at\":1}"), call("b", "{}")]);
        assert_eq!(answer.usage.total(), 10);
    }

    #[test]
    fn a_stream_that_stops_early_is_no_answer() {
        assert_eq!(heard(&[json!({ "choices": [{ "delta": { "content": "The owner can" } }] })]), Err(ModelError::CutOff));
        assert_eq!(
            heard(&[json!({ "choices": [{ "message": { "content": " " }, "finish_reason": "stop" }] })]),
            Err(ModelError::Empty)
        );
        assert_eq!(heard(&[json!({ "error": { "message": "out of memory" } })]), Err(ModelError::Broken(0)));
        let long =
            json!({ "choices": [{ "message": { "content": "x".repeat(100 * BYTES_PER_TOKEN + 1) }, "finish_reason": "stop" }] });
        assert_eq!(heard(&[long]), Err(ModelError::TooLong));
    }

    #[test]
    fn a_form_is_told_in_words_to_those_who_take_none() {
        let ask = Ask {
            messages: vec![Message::User("How many?".into())],
            tools: Vec::new(),
            form: Some(super::super::Form { name: "count".into(), schema: json!({ "type": "object" }) }),
            tokens_max: 10,
            within: std::time::Duration::from_secs(1),
            streamed: false,
        };
        let full = request("m", &ask, Dialect::default());
        assert_eq!(full["response_format"]["json_schema"]["schema"], json!({ "type": "object" }));
        let plain = request("m", &ask, Dialect { schema: false, ..Dialect::default() });
        assert!(plain.get("response_format").is_none());
        assert!(plain["messages"][1]["content"].as_str().unwrap().contains(r#"{"type":"object"}"#));
    }
}
