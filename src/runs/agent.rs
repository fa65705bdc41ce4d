//! A line of the agents' list, as the worker sees it.

use std::{future::Future, pin::Pin};

use serde::{Serialize, de::DeserializeOwned};

use crate::{card::Card, error::CallError};

type Answer = Pin<Box<dyn Future<Output = Result<String, CallError>> + Send>>;

/// A card and the server function that does its work, from JSON to JSON.
pub struct Agent {
    pub card: &'static Card,
    pub(super) call: Box<dyn Fn(&str) -> Answer + Send + Sync>,
}

/// The input was validated when the run was recorded; what does not parse now was written by another version.
pub fn agent<I, O, F>(card: &'static Card, function: fn(I) -> F) -> Agent
where
    I: DeserializeOwned + 'static,
    O: Serialize + 'static,
    F: Future<Output = Result<O, CallError>> + Send + 'static,
{
    Agent {
        card,
        call: Box::new(move |json| {
            let input = serde_json::from_str::<I>(json).map(function);
            Box::pin(async move {
                let report = input.map_err(CallError::agent_failed)?.await?;
                serde_json::to_string(&report).map_err(CallError::agent_failed)
            })
        }),
    }
}
