//! The operator's language model, behind any server that speaks OpenAI's chat completions. Optional: a shop without one computes all the same.
//!
//! It knows no agent and no payment. What it promises: every request ends within its time, every answer is bounded, what went wrong is a
//! variant, and no log line holds the key, what was asked or what was answered.
//!
//! - `settings`: where it is and what opens it. `client`: a question and its answer; whether the server is there.
//! - `ask`: what is asked and what comes back. `wire`: the same as JSON, whole or streamed. `dialect`: what a server does not understand.
//! - `fault`: why there is no answer. `data`: strangers' text marked as data on the way in, and made plain on the way out.

mod ask;
mod client;
pub mod data;
mod dialect;
mod fault;
pub mod settings;
mod wire;

pub use ask::{Answer, Ask, Call, Ended, Form, Message, Tool, Usage};
pub use client::Model;
pub use fault::ModelError;
pub use settings::{ModelKey, ModelSettings};
