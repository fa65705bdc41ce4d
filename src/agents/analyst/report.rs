//! What Analyst answers: a model's words, the facts that they stand on, and how it came to them.

use serde::{Deserialize, Serialize};

/// An answer, and what it stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// What made the answer: `computed + ` and the model's name. The facts were computed; the answer was written by the model.
    pub engine: String,
    /// The language model that wrote `answer`, `confidence` and `open_questions`, by the name that the operator gave it.
    pub model: String,
    /// Plain text, with the facts' numbers in square brackets. It may be wrong.
    pub answer: String,
    /// Numbers of the facts that the answer names, each of which is in `facts`. Empty: the answer is uncited, and stands on nothing that was
    /// computed.
    pub citations: Vec<u32>,
    /// How sure the model says it is; absent where it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// What the model says is left to find out.
    pub open_questions: Vec<String>,
    /// What a reader should know of this answer, in sentences of ours: that it is uncited, that a bound ended the work, and the like.
    pub notices: Vec<String>,
    /// What was computed, in the order in which it was found.
    pub facts: Vec<Fact>,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
    /// What the model was asked, and how much it read and wrote.
    pub usage: Used,
}

/// Something that an agent computed. Its words are data: some of them were written by strangers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Fact {
    /// From 1.
    pub number: u32,
    /// The agent that computed it: `contract-xray`.
    pub agent: String,
    /// Where in that agent's report it stands, and what it says.
    pub text: String,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Step {
    /// The agent that the model asked for, as it wrote it; it may be none.
    pub agent: String,
    /// What it asked it, as the model wrote it, shortened.
    pub input: String,
    /// What came of it, in a sentence.
    pub outcome: String,
    /// Numbers of the facts that it found.
    pub facts: Vec<u32>,
}

/// How sure a model says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Of the model. Tokens are zero where its server does not count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Used {
    pub requests: u32,
    pub tokens_read: u32,
    pub tokens_written: u32,
}
