//! The operations around the agents: runs, the session, and the documents of discovery.

use serde_json::{Map, Value, json};

use super::{at, object, refusals};
use crate::error::Code;

pub fn paths() -> Map<String, Value> {
    let mut paths = runs();
    paths.extend(session());
    paths.extend(discovery());
    paths
}

/// One operation that answers 200 with `answer`, or one of these codes. `more`: parameters, a body, other security than none.
fn operation(id: &str, tag: &str, summary: &str, answer: Value, codes: &[Code], more: Value) -> Value {
    let mut responses = refusals(|code| codes.contains(&code) || code == Code::RateLimited);
    responses.insert("200".to_owned(), answer);
    let mut operation = object(json!({
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "responses": responses,
        "security": [],
    }));
    operation.extend(object(more));
    operation.into()
}

/// An answer of this type.
fn answer(kind: &str, description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { kind: { "schema": schema } } })
}

fn json_of(name: &str, description: &str) -> Value {
    answer("application/json", description, json!({ "$ref": at(name) }))
}

fn body(required: bool, schema: Value) -> Value {
    json!({ "required": required, "content": { "application/json": { "schema": schema } } })
}

fn runs() -> Map<String, Value> {
    let parameters = json!([
        { "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } },
        {
            "name": "key",
            "in": "query",
            "description": "Of older links. Now the key stands behind the `#` of `Location` or `Content-Location`, and comes as `Authorization: Bearer`, which no log has.",
            "deprecated": true,
            "schema": { "type": "string" },
        },
    ]);
    let mut listener = parameters.clone();
    if let Some(listener) = listener.as_array_mut() {
        listener.push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The `id` of the last event that was heard: it goes on from there.",
            "schema": { "type": "string" },
        }));
    }
    let run = operation(
        "run",
        "runs",
        "A run: one's own, or one whose key is given",
        json_of("Run", "The run."),
        &[Code::NoSuchRun, Code::Internal],
        json!({ "parameters": parameters, "security": [{ "session": [] }, { "run-key": [] }, {}] }),
    );
    let events = operation(
        "run-events",
        "runs",
        "How far a run is, as it happens",
        answer(
            "text/event-stream",
            "Events `progress` (data: a Step; the same number as the last one's is the same step in other words), `again` (the work began \
             again: what was told before does not count) and, last, `end` (data: `{\"state\":\"done\"}`).",
            json!({ "type": "string" }),
        ),
        &[Code::NoSuchRun, Code::Internal],
        json!({ "parameters": listener, "security": [{ "session": [] }, { "run-key": [] }, {}] }),
    );
    object(json!({ "/api/runs/{id}": { "get": run }, "/api/runs/{id}/events": { "get": events } }))
}

fn session() -> Map<String, Value> {
    let session = || json_of("Session", "Who is signed in, their credit, and what is under way.");
    let nonce_for = json!({
        "type": "object",
        "properties": {
            "address": { "$ref": at("Address") },
            "chainId": { "type": "integer", "description": "The network that the wallet is on." },
        },
    });
    let nonce = operation(
        "session-nonce",
        "session",
        "What a sign-in text has to say",
        json_of("Nonce", "A nonce that works once."),
        &[Code::BadJson, Code::CrossSite],
        json!({ "requestBody": body(false, nonce_for) }),
    );
    let refused = [
        Code::BadJson,
        Code::BadNonce,
        Code::BadDomain,
        Code::SignInExpired,
        Code::BadSignature,
        Code::CrossSite,
        Code::Internal,
        Code::VerifierUnavailable,
    ];
    let sign_in = operation(
        "sign-in",
        "session",
        "Sign in with a signed EIP-4361 text",
        session(),
        &refused,
        json!({ "requestBody": body(true, json!({ "$ref": at("SignedIn") })) }),
    );
    let who = operation(
        "session",
        "session",
        "Who is signed in",
        session(),
        &[Code::Internal],
        json!({ "security": [{ "session": [] }, {}] }),
    );
    let sign_out = operation(
        "sign-out",
        "session",
        "Sign out",
        session(),
        &[Code::CrossSite, Code::Internal],
        json!({ "security": [{ "session": [] }] }),
    );
    object(json!({
        "/api/session/nonce": { "post": nonce },
        "/api/session": { "post": sign_in, "get": who, "delete": sign_out },
    }))
}

fn discovery() -> Map<String, Value> {
    let read =
        |id: &str, summary: &str, answer: Value| json!({ "get": operation(id, "discovery", summary, answer, &[], json!({})) });
    let cards = json!({ "type": "array", "items": { "$ref": at("Card") } });
    let an_object = json!({ "type": "object" });
    let agents = answer("application/json", "The cards, in the order of the shop window.", cards);
    let openapi = answer("application/json", "OpenAPI 3.1.", an_object.clone());
    let kinds = answer("application/json", "Resources, networks, and the kinds of payment that are taken.", an_object);
    let llms = answer("text/plain", "Markdown (llmstxt.org).", json!({ "type": "string" }));
    object(json!({
        "/api/agents": read("agents", "What is on sale", agents),
        "/openapi.json": read("openapi", "This document", openapi),
        "/.well-known/x402": read("x402", "What can be bought at this origin", kinds),
        "/llms.txt": read("llms", "The shop on one page, for models", llms),
    }))
}
