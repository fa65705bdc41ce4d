//! The agents as MCP tools.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::{
    runs::{Agent, schema},
    x402::{bazaar::bazaar_of_tool, desk::Desk},
};

/// An agent as it is listed, by us and by others.
pub struct Listed {
    /// What `tools/list` says.
    pub tool: Tool,
    /// What a demand for payment says to those that list it.
    pub bazaar: Value,
}

impl Listed {
    pub fn new(desk: &Desk, agent: &Agent) -> Self {
        Self { tool: tool(desk, agent), bazaar: bazaar_of_tool(agent) }
    }
}

fn tool(desk: &Desk, agent: &Agent) -> Tool {
    let card = agent.card;
    let mut tool = Tool::new(card.mcp_tool(), described(desk, agent), input(agent)).with_title(card.name).with_annotations(
        // It changes nothing but the payer's balance. That it does is why no client should call it unasked.
        ToolAnnotations::with_title(card.name).read_only(false).destructive(false).idempotent(false).open_world(true),
    );
    if let Some(output) = output(agent) {
        tool = tool.with_raw_output_schema(Arc::new(output));
    }
    tool
}

/// The card's summary, and its price, which a model should know before it calls.
fn described(desk: &Desk, agent: &Agent) -> String {
    let mut prices: Vec<String> = desk.prices(agent.card).iter().map(ToString::to_string).collect();
    // The same price on two networks is one price.
    prices.sort();
    prices.dedup();
    format!("{} One call costs {}, paid over x402; a run that fails costs nothing.", agent.card.summary, prices.join(" or "))
}

/// MCP takes an object, of JSON Schema 2020-12 where nothing else is said.
fn input(agent: &Agent) -> JsonObject {
    let (schema, definitions) = schema::inside(&agent.input_schema, "#", "#/$defs/");
    let mut input = match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    input.insert("type".to_owned(), "object".into());
    if !definitions.is_empty() {
        input.insert("$defs".to_owned(), definitions.into());
    }
    input
}

/// The report, or what is said in its place. Clients check the structured content of errors too (typescript-sdk, `callTool`): a schema of reports
/// alone would have them throw the payment demand away.
fn output(agent: &Agent) -> Option<JsonObject> {
    let (report, definitions) = schema::inside(&agent.output_schema, "#/anyOf/0", "#/$defs/");
    // MCP before 2026-07-28 has no structured content but objects.
    if report.get("type") != Some(&json!("object")) {
        return None;
    }
    let demand = json!({
        "title": "PaymentRequired",
        "description": "x402 version 2: pay one of `accepts` and call again with the payment in `_meta[\"x402/payment\"]`.",
        "type": "object",
        "properties": {"x402Version": {"const": 2}, "accepts": {"type": "array", "items": {"type": "object"}}},
        "required": ["x402Version", "accepts"],
    });
    let error = json!({
        "title": "CallError",
        "type": "object",
        "properties": {
            "error": {"type": "string", "description": "A sentence for people."},
            "code": {"type": "string"},
            "retry": {"enum": ["no", "same_payment", "new_payment"], "description": "What may be done without losing anything."},
        },
        "required": ["error", "code", "retry"],
    });
    let mut output = JsonObject::new();
    output.insert("type".to_owned(), "object".into());
    output.insert("anyOf".to_owned(), json!([report, demand, error]));
    if !definitions.is_empty() {
        output.insert("$defs".to_owned(), definitions.into());
    }
    Some(output)
}
