//! What a model is asked, and what it says.

use std::time::Duration;

use serde_json::Value;

/// One question.
#[derive(Clone, Debug)]
pub struct Ask {
    pub messages: Vec<Message>,
    /// What it may call instead of answering. Empty: it has to answer.
    pub tools: Vec<Tool>,
    /// What its answer has to look like.
    pub form: Option<Form>,
    /// Tokens of the answer, at most.
    pub tokens_max: u32,
    /// The longest that this answer is waited for, tries and pauses included; the settings' time-out holds as well.
    pub within: Duration,
    /// Piece by piece, so that what does not end or grows too long is noticed early.
    pub streamed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Ours: the rules.
    System(String),
    User(String),
    /// What it said before.
    Assistant {
        text: String,
        calls: Vec<Call>,
    },
    /// What a call of its came to.
    Result {
        call: String,
        text: String,
    },
}

/// Something that it may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    pub description: String,
    /// JSON schema of the arguments.
    pub parameters: Value,
}

/// A JSON schema for the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// All properties required and no others allowed, as strict servers want it.
    pub schema: Value,
}

/// A call that it wants made. Nothing here is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// What the result is told under.
    pub id: String,
    pub name: String,
    /// JSON, if it kept to the schema.
    pub arguments: String,
}

/// What it said: text, calls, or both; never neither.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub calls: Vec<Call>,
    pub ended: Ended,
    pub usage: Usage,
}

/// Why it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Whole,
    /// It had more to say than it was allowed.
    Cut,
}

/// Tokens, as the server counts them. Zero where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt: u32,
    pub completion: u32,
}

impl Usage {
    pub fn plus(self, other: Self) -> Self {
        Self { prompt: self.prompt.saturating_add(other.prompt), completion: self.completion.saturating_add(other.completion) }
    }

    pub fn total(self) -> u32 {
        self.prompt.saturating_add(self.completion)
    }
}
