//! A line of the agents' list, as the worker sees it, and what its types say of it to programs: schemas, an example, a check.

use std::{future::Future, pin::Pin};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{cycles::without_cycles, input, schema};
use crate::{card::Card, error::CallError};

type Answer = Pin<Box<dyn Future<Output = Result<String, CallError>> + Send>>;

/// A card, the server function that does its work, from JSON to JSON, and what that JSON is.
pub struct Agent {
    pub card: &'static Card,
    /// JSON Schema 2020-12 of what it takes. It stands alone: its `$ref`s are to its own `$defs`, and lead into no cycle.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of what it answers, standing alone as well.
    pub output_schema: Value,
    /// An input that it takes.
    pub example: Value,
    /// An answer of its kind: the card's sample.
    pub sample: Value,
    /// The exact text of a body, if it is an input that may be paid for ([`input::check`]).
    pub check: fn(&[u8]) -> Result<String, CallError>,
    pub(super) call: Box<dyn Fn(&str) -> Answer + Send + Sync>,
}

/// The input was validated when the run was recorded; what does not parse now was written by another version.
pub fn agent<I, O, F>(card: &'static Card, function: fn(I) -> F, example: fn() -> I, sample: fn() -> O) -> Agent
where
    I: DeserializeOwned + Serialize + JsonSchema + garde::Validate<Context = ()> + 'static,
    O: Serialize + JsonSchema + 'static,
    F: Future<Output = Result<O, CallError>> + Send + 'static,
{
    Agent {
        card,
        input_schema: without_cycles(schema::of_input::<I>()),
        output_schema: without_cycles(schema::of_output::<O>()),
        example: json(&example()),
        sample: json(&sample()),
        check: input::check::<I>,
        call: Box::new(move |json| {
            let input = serde_json::from_str::<I>(json).map(function);
            Box::pin(async move {
                let report = input.map_err(CallError::agent_failed)?.await?;
                serde_json::to_string(&report).map_err(CallError::agent_failed)
            })
        }),
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    // Only maps with keys that are no strings fail to serialise: such an agent answers nobody, and the test of its example says so.
    serde_json::to_value(value).unwrap_or_default()
}
