//! What the operations share. Written by hand, and held to what the shop really answers by tests (tests/shop/discovery.rs).

use serde_json::{Map, Value, json};

use super::{at, object};
use crate::{
    error::{CallError, Code},
    run::{RunState, WORDS_MAX},
    session::guard::cookie_name,
    x402::{
        desk::Desk,
        wire::{PAYMENT_SIGNATURE, X_PAYMENT},
    },
};

pub fn schemas() -> Map<String, Value> {
    let to = |name: &str| json!({ "$ref": at(name) });
    let or_null = |name: &str| json!({ "anyOf": [{ "$ref": at(name) }, { "type": "null" }] });
    let text = json!({ "type": "string" });
    let text_or_null = json!({ "type": ["string", "null"] });
    let time_or_null = json!({ "type": ["integer", "null"], "description": "Unix milliseconds." });
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| code.status() != 0).collect();
    object(json!({
        "Amount": { "type": "string", "pattern": "^[0-9]+$", "description": "Atomic units, in decimal." },
        "Address": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" },
        "TransactionHash": { "type": "string", "pattern": "^0x[0-9a-fA-F]{64}$" },
        "Network": { "type": "string", "pattern": "^eip155:[0-9]+$", "description": "CAIP-2." },
        "Asset": {
            "type": "string",
            "pattern": "^eip155:[0-9]+/(native|erc20:0x[0-9a-fA-F]{40})$",
            "description": "An asset with its network.",
        },
        "Money": {
            "type": "object",
            "properties": { "amount": to("Amount"), "asset": to("Asset"), "symbol": text, "decimals": { "type": "integer" } },
            "required": ["amount", "asset", "symbol", "decimals"],
        },
        "Error": {
            "type": "object",
            "description": "Every answer that is no result.",
            "properties": {
                "error": { "type": "string", "description": "A sentence for people." },
                "code": { "type": "string", "enum": codes },
                "retry": {
                    "type": "string", "enum": ["same_payment", "new_payment", "no"],
                    "description": "What may be done without losing anything: the same request with the same payment again; \
                        another payment; nothing.",
                },
                "fields": { "type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "field": { "type": "string", "description": "Its path in the input; empty for the input as a whole." },
                        "error": text,
                    },
                    "required": ["field", "error"],
                } },
                "transaction": to("TransactionHash"),
                "retryAfterMs": { "type": "integer", "description": "Milliseconds; also `Retry-After`, in seconds." },
                "credit": to("Money"),
                "reason": { "type": "string", "description": "x402's own word for the cause." },
                "run": { "type": "string", "format": "uuid" },
                "stage": {
                    "type": "string",
                    "enum": ["sent", "included", "final", "running"],
                    "description": "Where the payment is, on a 202.",
                },
                "details": text,
            },
            "required": ["error", "code", "retry"],
        },
        "PaymentRequiredBody": {
            "description": "The offers are in the header `PAYMENT-REQUIRED`; the body is x402 version 1's, and an error as any other.",
            "allOf": [to("Error"), {
                "type": "object",
                "properties": {
                    "x402Version": { "const": 1 },
                    "accepts": { "type": "array", "items": { "type": "object" }, "description": "For version 1: tokens only." },
                    "message": text,
                    "hint": { "type": "string", "description": "Where `accepts` is empty: where the offers are." },
                    "paymentRequirements": { "type": "object", "description": "The native offer, as the workflow's clients read it." },
                },
                "required": ["x402Version", "accepts"],
            }],
        },
        "Offer": {
            "type": "object",
            "description": "One way to pay (x402's PaymentRequirements).",
            "properties": {
                "scheme": { "const": "exact" },
                "network": to("Network"),
                "amount": to("Amount"),
                "asset": { "type": "string", "description": "`native`, or a token's address." },
                "payTo": to("Address"),
                "maxTimeoutSeconds": { "type": "integer", "minimum": 1 },
                "extra": { "type": "object", "description": "How it is transferred, and the seal. Echo it unchanged." },
            },
            "required": ["scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds"],
        },
        "Resource": {
            "type": "object",
            "properties": { "url": { "type": "string", "format": "uri" }, "description": text, "mimeType": text },
            "required": ["url"],
        },
        "PaymentRequired": {
            "type": "object",
            "properties": {
                "x402Version": { "const": 2 },
                "error": text,
                "resource": to("Resource"),
                "accepts": { "type": "array", "items": to("Offer"), "minItems": 1 },
                "extensions": { "type": "object" },
            },
            "required": ["x402Version", "resource", "accepts"],
        },
        "PaymentPayload": {
            "type": "object",
            "properties": {
                "x402Version": { "const": 2 },
                "resource": to("Resource"),
                "accepted": { "$ref": at("Offer"), "description": "The offer that was taken, unchanged." },
                "payload": { "type": "object", "description": "The proof: a signed authorization, a transaction, or credit." },
                "extensions": { "type": "object" },
            },
            "required": ["x402Version", "accepted", "payload"],
        },
        "Settlement": {
            "type": "object",
            "properties": {
                "success": { "type": "boolean" },
                "transaction": { "type": "string", "description": "Empty where no transaction belongs to it." },
                "network": to("Network"),
                "payer": to("Address"),
                "amount": to("Amount"),
                "errorReason": text,
            },
            "required": ["success", "transaction", "network"],
        },
        "Card": {
            "type": "object",
            "properties": {
                "slug": text, "name": text, "category": text, "summary": text,
                "version": { "type": "string", "description": "Raised when the same input may give another answer." },
                "url": { "type": "string", "format": "uri", "description": "Where it is called, by POST." },
                "page": { "type": "string", "format": "uri" },
                "prices": { "type": "array", "items": { "allOf": [to("Money"), {
                    "type": "object", "properties": { "network": to("Network") }, "required": ["network"],
                }] } },
                "timeLimitMs": { "type": "integer" },
                "inputMaxBytes": { "type": "integer" },
                "inputSchema": { "type": "object", "description": "JSON Schema 2020-12." },
                "outputSchema": { "type": "object", "description": "JSON Schema 2020-12." },
                "example": { "description": "An input." },
                "mcpTool": text,
            },
            "required": [
                "slug", "name", "category", "summary", "version", "url", "page", "prices", "timeLimitMs", "inputMaxBytes", "inputSchema",
                "outputSchema", "example", "mcpTool",
            ],
        },
        "Run": {
            "type": "object",
            "properties": {
                "id": { "type": "string", "format": "uuid" },
                "agent": { "type": "string", "description": "Its slug." },
                "agentName": text, "version": text,
                "state": { "type": "string", "enum": RunState::ALL },
                "payer": to("Address"),
                "price": or_null("Money"),
                "network": to("Network"),
                "transaction": or_null("TransactionHash"),
                "transactionUrl": text_or_null,
                "block": { "type": ["integer", "null"] },
                "createdAtMs": { "type": "integer", "description": "Unix milliseconds." },
                "heldAtMs": time_or_null, "finishedAtMs": time_or_null,
                "attempts": { "type": "integer" },
                "input": { "description": "Null where it was deleted." },
                "inputSha256": { "type": "string", "description": "Of the exact body bytes, lower-case hex." },
                "output": { "description": "Null until there is one." },
                "outputSha256": text_or_null,
                "engine": { "type": ["string", "null"], "description": "`computed`, or a model's name." },
                "error": or_null("Error"),
                "progress": {
                    "type": "object",
                    "description": "How far the work is, or was when it ended. Not there where nothing was said of it.",
                    "properties": {
                        "again": { "type": "boolean", "description": "The work was begun before; the steps are the last attempt's." },
                        "steps": { "type": "array", "items": to("Step") },
                    },
                },
            },
            "required": ["id", "agent", "version", "state", "payer", "network", "createdAtMs", "attempts", "inputSha256"],
        },
        "Step": {
            "type": "object",
            "properties": {
                "step": { "type": "integer" },
                "of": { "type": "integer", "description": "How many steps there are; 0: nobody knows." },
                "words": { "type": "string", "maxLength": WORDS_MAX },
                "atMs": { "type": "integer", "description": "Unix milliseconds." },
            },
            "required": ["step", "of", "words", "atMs"],
        },
        "Nonce": {
            "type": "object",
            "properties": {
                "nonce": text,
                "issuedAt": { "type": "string", "format": "date-time" },
                "expirationTime": { "type": "string", "format": "date-time" },
                "chainId": { "type": "integer" },
                "address": { "$ref": at("Address"), "description": "The address that was sent, with its checksum." },
            },
            "required": ["nonce", "issuedAt", "expirationTime", "chainId"],
        },
        "SignedIn": {
            "type": "object",
            "properties": {
                "message": { "type": "string", "description": "The EIP-4361 text." },
                "signature": {
                    "type": "string",
                    "pattern": "^0x([0-9a-fA-F]{2})*$",
                    "maxLength": 8194,
                    "description": "A key's 65 bytes, or what the wallet's contract takes (ERC-1271, ERC-6492).",
                },
            },
            "required": ["message", "signature"],
        },
        "Session": {
            "type": "object",
            "properties": {
                "address": or_null("Address"),
                "expiresAtMs": time_or_null,
                "credit": { "type": "array", "items": to("Money") },
                "underWay": { "type": "array", "items": to("Run") },
                "arrived": { "type": "array", "items": {
                    "type": "object",
                    "description": "A payment that was found on chain and that nothing was run for yet.",
                    "properties": {
                        "watch": text, "network": to("Network"), "transaction": to("TransactionHash"), "transactionUrl": text_or_null,
                        "agent": text, "input": text,
                    },
                } },
                "answered": {
                    "type": "array", "items": text,
                    "description": "Watches whose payment was booked, or whose run is paid.",
                },
            },
            "required": ["credit", "underWay", "arrived"],
        },
    }))
}

pub fn response_name(status: u16) -> String {
    match status {
        202 => "Pending".to_owned(),
        402 => "PaymentRequired".to_owned(),
        status => format!("Error{status}"),
    }
}

/// One for each status that a code has, with its codes and their sentences.
pub fn responses() -> Map<String, Value> {
    let mut responses = Map::new();
    for &code in Code::ALL.iter().filter(|code| code.status() != 0) {
        let status = code.status();
        let line = format!("\n- `{code}`: {}", code.sentence());
        let response = responses.entry(response_name(status)).or_insert_with(|| {
            let body = if status == 402 { "PaymentRequiredBody" } else { "Error" };
            let mut response = json!({
                "description": match status {
                    202 => "Not done yet: send the same request with the same payment again.\n",
                    402 => "Another payment is asked for; the offers are in the header.\n",
                    _ => "No result.\n",
                },
                "content": { "application/json": { "schema": { "$ref": at(body) } } },
            });
            if status != 402 {
                response["content"]["application/json"]["example"] = json!(CallError::from(code));
            }
            match status {
                202 => {
                    response["headers"] = json!({
                        "Location": { "$ref": "#/components/headers/Run-Location" },
                        "Retry-After": { "$ref": "#/components/headers/Retry-After" },
                    })
                }
                402 => {
                    response["content"]["text/html"] =
                        json!({ "schema": { "type": "string", "description": "For a browser that navigates here." } });
                    response["headers"] = json!({
                        "PAYMENT-REQUIRED": { "$ref": "#/components/headers/PAYMENT-REQUIRED" },
                        "x-payment-address": { "description": "Whom to pay.", "schema": { "$ref": at("Address") } },
                        "x-price-amount": { "description": "In whole units, such as `0.0001`.", "schema": { "type": "string" } },
                        "x-price-currency": { "schema": { "type": "string" } },
                        "x-evm-chain-id": { "schema": { "type": "string" } },
                    });
                }
                429 | 503 => response["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } }),
                _ => {}
            }
            if status >= 400 {
                response["headers"]["PAYMENT-RESPONSE"] = json!({ "$ref": "#/components/headers/PAYMENT-RESPONSE" });
            }
            response
        });
        if let Some(Value::String(description)) = response.get_mut("description") {
            description.push_str(&line);
        }
    }
    responses
}

/// A header that is base64 of JSON.
fn encoded(description: &str, schema: &str) -> Value {
    json!({
        "description": description,
        "schema": {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "application/json",
            "contentSchema": { "$ref": at(schema) },
        },
    })
}

pub fn headers() -> Value {
    json!({
        "PAYMENT-REQUIRED": encoded("The offers (x402 version 2).", "PaymentRequired"),
        "PAYMENT-RESPONSE": encoded(
            "The receipt; where a payment was shown and refused, whatever the status, `success` is false and `errorReason` says why.",
            "Settlement"
        ),
        "Run-Location": {
            "description": "Where the run can be read without a session: the key behind `#key=` goes in `Authorization: Bearer`.",
            "schema": { "type": "string", "format": "uri-reference" },
        },
        "Retry-After": { "description": "Seconds.", "schema": { "type": "integer" } },
        "X-Idempotent-Replay": { "description": "`true`: this answer was stored before.", "schema": { "type": "string" } },
    })
}

pub fn security(desk: &Desk) -> Value {
    let header =
        |name: &str, description: &str| json!({ "type": "apiKey", "in": "header", "name": name, "description": description });
    json!({
        "x402": header(
            &PAYMENT_SIGNATURE.to_ascii_uppercase(),
            "An x402 version 2 payment: base64 of a PaymentPayload that echoes one of the 402's offers and proves that it was paid. \
             Made for one call, by an x402 client.",
        ),
        "x402V1": header(
            &X_PAYMENT.to_ascii_uppercase(),
            "An x402 version 1 payment (base64), or the bare hash of a transaction by the wallet that is signed in.",
        ),
        "signInWithX": header(
            "SIGN-IN-WITH-X",
            "base64 of a signed EIP-4361 message (x402's sign-in-with-x extension): the wallet of a program that shows a transaction or \
             spends its credit.",
        ),
        "session": {
            "type": "apiKey", "in": "cookie", "name": cookie_name(desk),
            "description": "The session of a signed-in wallet (`POST /api/session`).",
        },
        "run-key": {
            "type": "http", "scheme": "bearer",
            "description": "The key of a run, from behind the `#` of its address, or the token of a session, from its cookie.",
        },
    })
}
