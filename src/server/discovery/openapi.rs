//! `/openapi.json` (OpenAPI 3.1): every agent as an operation, with the schemas of its types, and what a program needs around it.
//!
//! `around`: the operations beside the agents. `components`: what operations share: errors, money, runs, the protocol's objects.

mod around;
mod components;

use serde_json::{Map, Value, json};

use super::accepts;
use crate::{
    error::Code,
    runs::{Agent, schema},
    x402::desk::Desk,
};

pub fn document(desk: &Desk) -> Value {
    let mut paths = Map::new();
    let mut schemas = components::schemas();
    for agent in &desk.agents {
        paths.insert(agent.card.endpoint(), endpoint(desk, agent));
        for (part, schema) in [("Input", &agent.input_schema), ("Output", &agent.output_schema)] {
            let name = format!("{}.{part}", agent.card.slug);
            let (schema, definitions) = schema::inside(schema, &at(&name), &at(&format!("{name}.")));
            schemas.extend(definitions.into_iter().map(|(definition, schema)| (format!("{name}.{definition}"), schema)));
            schemas.insert(name, schema);
        }
    }
    paths.extend(around::paths());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Coinslot",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A shop of coin-operated AI agents, paid per call over x402.",
            "description": "A call without a payment is answered with 402 and its offers; the same call with a payment is answered with \
                the result. Nothing is charged for an input that cannot be used, nor for a run that fails. `x-payment` tells what an \
                operation costs; only the offers of a 402 can be paid. The agents are MCP tools as well, at `/mcp`.",
        },
        "servers": [{ "url": desk.public_url }],
        "tags": [
            { "name": "agents", "description": "What is on sale: each call is paid for." },
            { "name": "runs", "description": "What was bought." },
            { "name": "session", "description": "Sign-in with Ethereum (EIP-4361), for wallets that show a bare hash or spend credit." },
            { "name": "discovery", "description": "What is on sale and how it is paid, for free." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": components::responses(),
            "headers": components::headers(),
            "securitySchemes": components::security(desk),
        },
    })
}

/// A `$ref` to one of our schemas.
fn at(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// One agent's path.
fn endpoint(desk: &Desk, agent: &Agent) -> Value {
    let card = agent.card;
    let slug = card.slug;
    let mut responses = refusals(|code| !matches!(code.status(), 404 | 405));
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The answer. It is paid for, and every call with the same payment and body gets the same bytes.",
            "headers": {
                "PAYMENT-RESPONSE": { "$ref": "#/components/headers/PAYMENT-RESPONSE" },
                "X-PAYMENT-RESPONSE": { "$ref": "#/components/headers/PAYMENT-RESPONSE" },
                "Content-Location": { "$ref": "#/components/headers/Run-Location" },
                "X-Idempotent-Replay": { "$ref": "#/components/headers/X-Idempotent-Replay" },
            },
            "content": { "application/json": { "schema": { "$ref": at(&format!("{slug}.Output")) }, "example": agent.sample } },
        }),
    );
    // A payment beside it is refused with 405.
    let asked = [Code::PaymentRequired, Code::MethodNotAllowed, Code::RateLimited, Code::AgentUnavailable];
    let told = refusals(|code| asked.contains(&code));
    let price = |operation: &str| {
        json!({
            "operationId": format!("{operation}-{slug}"),
            "tags": ["agents"],
            "summary": format!("The price of {}", card.name),
            "responses": told,
        })
    };
    json!({
        "post": {
            "operationId": slug,
            "tags": ["agents"],
            "summary": card.name,
            "description": format!(
                "{} At most {} seconds of work and {} bytes of input. An empty body is answered with the price.",
                card.summary, card.time_limit.as_secs(), card.input_max
            ),
            "parameters": [{
                "name": "Prefer",
                "in": "header",
                "description": "`wait=<seconds>`: how long the request waits for its run, 20 at most (RFC 7240). \
                    `only-wait`: a run that failed meanwhile is told, not begun again.",
                "schema": { "type": "string" },
                "example": "wait=5",
            }],
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": { "$ref": at(&format!("{slug}.Input")) }, "example": agent.example } },
            },
            "responses": responses,
            // Nothing at all is a question for the price.
            "security": [
                { "x402": [] }, { "x402": [], "session": [] }, { "x402": [], "signInWithX": [] }, { "x402V1": [] }, {},
            ],
            "x-payment": { "x402Version": 2, "accepts": accepts(desk, card) },
            "x-mcp-tool": card.mcp_tool(),
        },
        "get": price("price-of"),
        "head": price("look-at-price-of"),
    })
}

/// A response for each status that one of these codes has.
fn refusals(of: impl Fn(Code) -> bool) -> Map<String, Value> {
    let codes = Code::ALL.iter().copied().filter(|code| code.status() != 0 && of(*code));
    let response = |status| json!({ "$ref": format!("#/components/responses/{}", components::response_name(status)) });
    codes.map(|code| (code.status().to_string(), response(code.status()))).collect()
}

/// What `json!` made of braces.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
