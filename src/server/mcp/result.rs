//! A call's outcome as a tool's result (x402 `specs/transports-v2/mcp.md`). Whatever is no report is `isError`, never an error of JSON-RPC:
//! models see the former only.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject};
use serde::Serialize;
use serde_json::Value;

use crate::{
    card::Card,
    error::{CallError, Code},
    x402::{
        desk::Desk,
        outcome::{self, Outcome, Said},
        wire::{MCP_PAYMENT_RESPONSE, Resource, Settlement},
    },
};

/// Where the run can be read, without a session.
const RUN: &str = "coinslot/run";
/// Beside a demand: our own words for why a payment was refused.
const ERROR: &str = "coinslot/error";
/// The answer was stored before.
const REPLAY: &str = "coinslot/replay";

/// `resource`: what the offers name. `bazaar`: what goes with them to those that list it.
pub fn of(desk: &Desk, card: &Card, resource: Resource, bazaar: &Value, outcome: Outcome) -> CallToolResult {
    let run_url = outcome.run_path.map(|path| format!("{}{path}", desk.public_url));
    let mut meta = JsonObject::new();
    let result = match outcome.said {
        Said::Report { json, replay } => {
            if replay {
                meta.insert(REPLAY.to_owned(), true.into());
            }
            reported(json)
        }
        Said::Told(why) => told(&why, run_url.as_deref()),
        Said::Demanded { why, without } => match outcome::demand(desk, card, resource, Some(bazaar), &why, &without) {
            Ok(required) => {
                if why.code != Code::PaymentRequired {
                    meta.insert(ERROR.to_owned(), json(&why));
                }
                CallToolResult::structured_error(json(&required))
            }
            Err(closed) => told(&closed, None),
        },
    };
    if let Some(receipt) = &outcome.receipt {
        meta.insert(MCP_PAYMENT_RESPONSE.to_owned(), json(receipt));
    }
    if let Some(url) = run_url {
        meta.insert(RUN.to_owned(), url.into());
    }
    result.with_meta((!meta.is_empty()).then_some(MetaObject(meta)))
}

/// The text is the stored answer, byte for byte.
fn reported(json: String) -> CallToolResult {
    let structured = serde_json::from_str(&json).ok();
    let mut result = CallToolResult::success(vec![ContentBlock::text(json)]);
    result.structured_content = structured;
    result
}

/// As the body of the same answer over HTTP, and `runUrl` for its `Location`, since a model sees no `_meta`.
pub fn told(why: &CallError, run_url: Option<&str>) -> CallToolResult {
    let mut body = json(why);
    if let (Value::Object(body), Some(url)) = (&mut body, run_url) {
        body.insert("runUrl".to_owned(), url.into());
    }
    CallToolResult::structured_error(body)
}

/// The same, beside a payment that was refused with it.
pub fn refused(why: &CallError, receipt: &Settlement) -> CallToolResult {
    let meta = JsonObject::from_iter([(MCP_PAYMENT_RESPONSE.to_owned(), json(receipt))]);
    told(why, None).with_meta(Some(MetaObject(meta)))
}

fn json<T: Serialize>(value: &T) -> Value {
    // Plain data: it always serialises.
    serde_json::to_value(value).unwrap_or_default()
}
