//! What the model may look with: the other agents' own work, each with its schema, its check and its time limit. All of it only reads.
//!
//! Another agent is a line in [`LOOKS`].

use std::{future::Future, pin::Pin};

use serde_json::Value;
use tokio::time::timeout;

use crate::{agents::{contract_xray, document_brief, page_brief, tx_explainer, wallet_report}, card::Card, error::CallError, model::Tool, runs::{Tools, input, schema}};

/// An agent as a tool.
pub(super) struct Look {
    pub card: &'static Card,
    /// For the model: when to use it.
    does: &'static str,
    schema: fn() -> Value,
    run: for<'a> fn(&'a str, &'a Tools) -> Looking<'a>,
}

type Looking<'a> = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send + 'a>>;

macro_rules! looks {
    ($($agent:ident: $does:literal),* $(,)?) => {
        pub(super) const LOOKS: &[Look] = &[$(Look {
            card: &$agent::CARD,
            does: $does,
            schema: schema::of_input::<$agent::Input>,
            run: |arguments, tools| Box::pin(async move {
                // The same check as for somebody who pays.
                let text = input::check::<$agent::Input>(arguments.as_bytes())?;
                let input: $agent::Input = serde_json::from_str(&text).map_err(CallError::agent_failed)?;
                let report = $agent::inspect(&input, tools).await?;
                serde_json::to_value(&report).map_err(CallError::agent_failed)
            }),
        }),*];
    };
}

looks! {
    contract_xray: "What a contract can do, from its code: dangerous powers of its owner, proxies, functions, storage. Give either the \
        contract's address or its runtime bytecode, exactly as the question has it.",
    wallet_report: "What an account holds and who may take it: balance, tokens, allowances, recent transfers, what kind of account it is. Give its \
        address.",
    tx_explainer: "What a transaction did, would do or why it failed: calls, transfers, approvals, fee. Give exactly one of its hash, its raw \
        bytes, or call data.",
    page_brief: "What a web page says: its text, most important sentences, dates, prices, links. Give its URL, exactly as the question has it.",
    document_brief: "What a longer text says: its most important sentences, dates, tasks, addresses. Give the text.",
}

impl Look {
    /// As a model calls it.
    pub fn name(&self) -> String {
        self.card.slug.replace('-', "_")
    }

    pub fn tool(&self) -> Tool {
        Tool { name: self.name(), description: self.does.to_owned(), parameters: (self.schema)() }
    }

    /// Within the agent's own time limit, and no more of a body than it takes.
    ///
    /// # Errors
    /// In words for the model, which may ask better.
    pub async fn run(&self, arguments: &str, tools: &Tools) -> Result<Value, String> {
        if arguments.len() > self.card.input_max {
            return Err("The input is too large.".to_owned());
        }
        let limit = self.card.time_limit.min(tools.time_left());
        match timeout(limit, (self.run)(arguments, tools)).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(why)) => Err(told(&why)),
            Err(_) => Err(format!("It took longer than {} s.", limit.as_secs())),
        }
    }
}

/// Without what concerns a payer: nobody pays for a look.
fn told(why: &CallError) -> String {
    if why.fields.is_empty() {
        return why.error.replace("You were not charged.", "").replace("The run failed: ", "").replace("You were not charged; try again.", "").trim().to_owned();
    }
    why.fields.iter().map(|field| format!("{} {}", field.field, field.error).trim().to_owned()).collect::<Vec<_>>().join(" ")
}

/// By the name that a model used; some write the slug.
pub(super) fn find(name: &str) -> Option<&'static Look> {
    LOOKS.iter().find(|look| look.name() == name || look.card.slug == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_is_a_tool_that_a_server_takes() {
        let names: std::collections::BTreeSet<String> = LOOKS.iter().map(Look::name).collect();
        assert_eq!(names.len(), LOOKS.len(), "servers refuse a name that is there twice");
        for look in LOOKS {
            let Tool { name, description, parameters } = look.tool();
            assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
            assert!(!description.is_empty() && parameters["type"] == "object", "{name}");
            assert!(look.card.needs.is_empty(), "{name}: nothing that thinks asks something that thinks");
        }
    }
}
