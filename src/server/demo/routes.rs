//! What the demo's page and a visitor's own wallet ask for: the local chain, a faucet, the demo wallet's files.
//!
//! The node behind it would do anything for anybody, so: listed methods only, our own name in `Host` (a page elsewhere that points a
//! name of its own at this machine is refused), no other site's pages, and of the node's accounts only the demo wallet's.

use std::{num::NonZeroU32, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{WALLET, dollar, node::Node, relay};
use crate::{
    error::{CallError, Code},
    evm::{Address, TxHash},
    money::Amount,
    x402::answer,
};

/// Bytes of a request: a contract's creation is the largest thing somebody sends.
const BODY_MAX: usize = 256 * 1024;
/// Calls in one batch.
const BATCH_MAX: usize = 10;
/// Wei: 1 MON.
const GIFT: u128 = 1_000_000_000_000_000_000;
/// 10⁻⁶ dollars: 10 dollars.
const DOLLARS: u128 = 10_000_000;
/// Gifts at once; one more each second.
const GIFTS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// The node's first account gives.
const GIVER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";

/// What anybody may ask: reading, and sending what somebody signed elsewhere.
const OPEN: &[&str] = &[
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_getStorageAt",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_maxPriorityFeePerGas",
    "eth_sendRawTransaction",
    "eth_syncing",
    "net_version",
    "web3_clientVersion",
];

#[derive(Clone)]
pub struct DemoRoutes(Arc<Inner>);

struct Inner {
    node: Node,
    /// Scheme, host and port.
    origin: String,
    /// Host and port, as the `Host` header has them.
    host: String,
    gifts: DefaultDirectRateLimiter,
}

impl DemoRoutes {
    pub fn new(node: Node, public_url: &str) -> Self {
        let host = public_url.split_once("://").map_or(public_url, |(_, host)| host).to_owned();
        let gifts = RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(GIFTS_AT_ONCE));
        Self(Arc::new(Inner { node, origin: public_url.to_owned(), host, gifts }))
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/demo/rpc", post(rpc))
            .route("/demo/faucet", post(faucet))
            .route("/demo/relay", post(relayed))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .route_layer(middleware::from_fn_with_state(self.clone(), refuse_strangers))
            .route("/demo/wallet.js", get(|| file("text/javascript; charset=utf-8", include_str!("wallet.js"))))
            .route("/demo/wallet.css", get(|| file("text/css; charset=utf-8", include_str!("wallet.css"))))
            .with_state(self)
    }
}

async fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))]
        .into_response()
        .map(|_| axum::body::Body::from(content))
}

/// Another name for this machine, another site's page, or a form: 403. A wallet extension is not a page.
async fn refuse_strangers(State(DemoRoutes(inner)): State<DemoRoutes>, request: Request, next: Next) -> Response {
    match inner.refusal(request.headers()) {
        Some(refusal) => answer::error(&refusal),
        None => next.run(request).await,
    }
}

impl Inner {
    fn refusal(&self, headers: &HeaderMap) -> Option<CallError> {
        let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
        let is_extension = |origin: &str| origin.contains("-extension://");
        let from_here = said(header::ORIGIN).is_none_or(|origin| origin == self.origin || is_extension(origin));
        if said(header::HOST) != Some(self.host.as_str()) || !from_here {
            return Some(Code::CrossSite.into());
        }
        // What a form cannot send, a foreign page cannot send either, without asking first.
        let is_json = said(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        (!is_json).then(|| CallError::saying(Code::UnsupportedMediaType, "Send it as application/json."))
    }
}

async fn rpc(State(DemoRoutes(inner)): State<DemoRoutes>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > BATCH_MAX => {
            failure(&Value::Null, -32600, &format!("a batch has 1 to {BATCH_MAX} calls"))
        }
        Ok(Value::Array(calls)) => {
            let mut answers = Vec::with_capacity(calls.len());
            for call in &calls {
                answers.push(one(&inner.node, call).await);
            }
            Value::Array(answers)
        }
        Ok(call) => one(&inner.node, &call).await,
        Err(_) => failure(&Value::Null, -32700, "not JSON"),
    };
    Json(answer).into_response()
}

async fn one(node: &Node, call: &Value) -> Value {
    let id = call.get("id").filter(|id| id.is_number() || id.is_string()).unwrap_or(&Value::Null);
    let Some(method) = call.get("method").and_then(Value::as_str) else { return failure(id, -32600, "no method") };
    let none = Value::Array(Vec::new());
    let params = call.get("params").unwrap_or(&none);
    if !is_allowed(method, params) {
        return failure(id, -32601, "this method is not open in the demo");
    }
    match node.forward(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await {
        Ok(answer) => answer,
        Err(_) => failure(id, -32603, "the local chain does not answer"),
    }
}

fn is_allowed(method: &str, params: &Value) -> bool {
    let is_wallet = |account: &Value| account.as_str().and_then(|text| text.parse::<Address>().ok()) == Some(WALLET);
    match method {
        "eth_sendTransaction" => is_wallet(&params[0]["from"]),
        "personal_sign" => is_wallet(&params[1]),
        "eth_signTypedData_v4" => is_wallet(&params[0]),
        other => OPEN.contains(&other),
    }
}

fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    address: Address,
}

#[derive(Serialize)]
struct Gift {
    /// That gave the coins, and wei.
    transaction: Option<TxHash>,
    amount: Amount,
    dollars: Dollars,
}

/// What came with the coins.
#[derive(Serialize)]
struct Dollars {
    transaction: Option<TxHash>,
    /// 10⁻⁶ dollars.
    amount: Amount,
    /// The token's address.
    token: Address,
}

async fn faucet(State(DemoRoutes(inner)): State<DemoRoutes>, body: Bytes) -> Response {
    let Ok(Wish { address }) = serde_json::from_slice(&body) else {
        return answer::error(&CallError::saying(Code::BadJson, "Send {\"address\": \"0x…\"}."));
    };
    if inner.gifts.check().is_err() {
        return answer::error(&CallError::from(Code::RateLimited).after_ms(1000));
    }
    let amount = Amount::from_atomic(GIFT);
    let gift = json!({ "from": GIVER, "to": address, "value": amount.to_hex_quantity() });
    let dollars = Amount::from_atomic(DOLLARS);
    let mint = dollar::mint(GIVER, address, dollars);
    match tokio::try_join!(inner.node.must("the faucet's coins", gift), inner.node.must("the faucet's dollars", mint)) {
        Ok((coins, minted)) => {
            let dollars = Dollars { transaction: minted.parse().ok(), amount: dollars, token: dollar::DOLLAR };
            (StatusCode::OK, Json(Gift { transaction: coins.parse().ok(), amount, dollars })).into_response()
        }
        Err(cause) => {
            tracing::warn!(error = %cause, "the faucet is dry");
            answer::error(&CallError::saying(Code::VerifierUnavailable, "The local chain does not answer."))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    to: Address,
    /// Wei, as a quantity.
    value: String,
}

/// The demo wallet's payment, after its person confirmed it, sent by a relayer.
async fn relayed(State(DemoRoutes(inner)): State<DemoRoutes>, body: Bytes) -> Response {
    let payment = serde_json::from_slice(&body).ok().and_then(|Payment { to, value }| {
        let value = Amount::from_hex_quantity(&value).ok()?;
        Some((to, value))
    });
    let Some((to, value)) = payment else {
        return answer::error(&CallError::saying(Code::BadJson, "Send {\"to\": \"0x…\", \"value\": \"0x…\"}."));
    };
    match relay::pay(&inner.node, to, value).await {
        Ok(transaction) => (StatusCode::OK, Json(json!({ "transaction": transaction }))).into_response(),
        Err(cause) => {
            tracing::warn!(error = %cause, "the relayer does not pay");
            answer::error(&CallError::saying(Code::VerifierUnavailable, "The local chain does not answer."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_demo_wallet_signs_and_pays() {
        let wallet = WALLET.to_string();
        assert!(is_allowed("eth_sendTransaction", &json!([{ "from": wallet, "to": GIVER }])));
        assert!(is_allowed("eth_sendTransaction", &json!([{ "from": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" }])));
        assert!(is_allowed("personal_sign", &json!(["0x00", wallet])));
        assert!(is_allowed("eth_signTypedData_v4", &json!([wallet, {}])));
        assert!(is_allowed("eth_chainId", &json!([])));
        for (method, params) in [
            ("eth_sendTransaction", json!([{ "from": GIVER, "to": wallet }])),
            ("eth_sendTransaction", json!([{ "to": wallet }])),
            ("eth_sendTransaction", json!({ "from": wallet })),
            ("personal_sign", json!(["0x00", GIVER])),
            ("personal_sign", json!([])),
            ("eth_signTypedData_v4", json!([GIVER, {}])),
            ("eth_signTypedData_v4", json!([{}, wallet])),
            ("eth_signTypedData", json!([wallet, {}])),
            ("anvil_setCode", json!([wallet, "0x00"])),
            ("eth_sign", json!([wallet, "0x00"])),
            ("eth_accounts", json!([])),
            ("anvil_setBalance", json!([wallet, "0x1"])),
            ("evm_mine", json!([])),
            ("ETH_CHAINID", json!([])),
            ("", json!([])),
        ] {
            assert!(!is_allowed(method, &params), "{method} {params}");
        }
    }
}
