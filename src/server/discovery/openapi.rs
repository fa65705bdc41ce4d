//! `/openapi.json` (OpenAPI 3.1): every agent as an operation, with the schemas of its types, and what a program needs around it.
//!
//! `around`: the operations beside the agents. `components`: what operations share: errors, money, runs, the protocol's objects. `payment_info`: what an
//! operation costs, as registries read it.
//!
//! Registries list each operation as something to call, so an agent is one: `POST`. That the same address answers `GET` and `HEAD` with the price
//! is said in words.

mod around;
mod components;
mod payment_info;

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
            "contact": { "name": "Coinslot", "url": desk.public_url },
            "x-guidance": guidance(desk),
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
    let accepts = accepts(desk, card);
    json!({
        "post": {
            "operationId": slug,
            "tags": ["agents"],
            "summary": card.name,
            "description": format!(
                "{} At most {} seconds of work and {} bytes of input. An empty body is answered with the price, as are GET and HEAD. The \
                 payment comes in `PAYMENT-SIGNATURE` (x402 version 2) or `X-PAYMENT` (version 1, or a transaction's hash).",
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
            // No account and no key: a call is paid for on its own. Registries take a header for a key that has to be got from somewhere.
            "security": [],
            "x-payment-info": payment_info::of(desk, card, &accepts),
            "x-payment": { "x402Version": 2, "accepts": accepts },
            "x-mcp-tool": card.mcp_tool(),
        },
    })
}

/// How to buy, for an agent that reads nothing else of this document.
fn guidance(desk: &Desk) -> String {
    format!(
        "Each agent is one POST with its input as JSON, paid per call over x402: without a payment it answers 402 with its offers in the header \
         PAYMENT-REQUIRED. Pay one of them and send the same request again with the payment in PAYMENT-SIGNATURE. 200 is the answer. 202 means \
         that the payment is not final yet or that the agent works: poll `Location`, and never pay twice. A run that fails is not charged. \
         More: {}/llms.txt",
        desk.public_url
    )
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
