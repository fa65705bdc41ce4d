//! The `bazaar` extension of a 402: what the agent takes, so that a facilitator that saw a payment can list it (x402
//! `specs/extensions/bazaar.md`; docs/protocol.md, "Being found").
//!
//! Over HTTP it travels in a header with every 402, so it is kept small: no words, and the answer's schema is in `/openapi.json`.

use serde_json::{Value, json};

use crate::runs::{Agent, schema};

/// Its name among the extensions.
pub const BAZAAR: &str = "bazaar";

/// Bytes of JSON: a larger sample stays out of the header.
const SAMPLE_MAX: usize = 256;

/// `info` shows one call, and `schema` says what `info` may be, with the agent's own input schema at `body`.
pub fn bazaar(agent: &Agent) -> Value {
    let (mut body, mut definitions) = schema::inside(&agent.input_schema, "#/properties/input/properties/body", "#/$defs/");
    without_words(&mut body);
    definitions.values_mut().for_each(without_words);
    let mut info = json!({ "input": { "type": "http", "method": "POST", "bodyType": "json", "body": agent.example } });
    let mut properties = json!({
        "input": {
            "type": "object",
            "properties": {
                "type": { "type": "string", "const": "http" },
                "method": { "type": "string", "enum": ["POST"] },
                "bodyType": { "type": "string", "enum": ["json"] },
                "body": body,
            },
            "required": ["type", "method", "bodyType", "body"],
            "additionalProperties": false,
        },
    });
    sampled(agent, &mut info, &mut properties);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": ["input"],
    });
    if !definitions.is_empty() {
        schema["$defs"] = definitions.into();
    }
    json!({ "info": info, "schema": schema })
}

/// What fields are for is said at length in `/openapi.json`; a header has room for what they may be.
fn without_words(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    schema.remove("description");
    schema.remove("title");
    for (keyword, part) in schema.iter_mut() {
        match (keyword.as_str(), part) {
            ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(without_words),
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) => all.iter_mut().for_each(without_words),
            ("items" | "additionalProperties", one) => without_words(one),
            _ => {}
        }
    }
}

/// The same of the agent as an MCP tool: there its input's schema is a part of `info`.
pub fn bazaar_of_tool(agent: &Agent) -> Value {
    let mut info = json!({ "input": {
        "type": "mcp",
        "toolName": agent.card.mcp_tool(),
        "description": agent.card.summary,
        "transport": "streamable-http",
        "inputSchema": agent.input_schema,
        "example": agent.example,
    } });
    let mut properties = json!({
        "input": {
            "type": "object",
            "properties": {
                "type": { "type": "string", "const": "mcp" },
                "toolName": { "type": "string" },
                "description": { "type": "string" },
                "transport": { "type": "string", "enum": ["streamable-http"] },
                "inputSchema": { "type": "object" },
                "example": { "type": "object" },
            },
            "required": ["type", "toolName", "inputSchema"],
            "additionalProperties": false,
        },
    });
    sampled(agent, &mut info, &mut properties);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": ["input"],
    });
    json!({ "info": info, "schema": schema })
}

fn sampled(agent: &Agent, info: &mut Value, properties: &mut Value) {
    if agent.sample.to_string().len() > SAMPLE_MAX {
        return;
    }
    info["output"] = json!({ "type": "json", "example": agent.sample });
    properties["output"] = json!({
        "type": "object",
        "properties": { "type": { "type": "string" }, "example": {} },
        "required": ["type"],
    });
}
