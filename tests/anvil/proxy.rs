//! A node with faults: stands before a real one, counts what it is asked, and answers as the test wants.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;

use super::PATIENCE;

/// How it misbehaves.
#[derive(Clone)]
pub enum Fault {
    /// Answers with this HTTP status.
    Status(u16),
    /// Answers with this text.
    Text(&'static str),
    /// Answers so many requests of each second, and those beyond with HTTP status 429.
    PerSecond(usize),
    /// Sends on to the real node.
    Redirect,
    /// Accepts and never answers.
    Hang,
    /// Answers any batch of more calls than this with more than 32 MB.
    TooLargeAbove(usize),
    /// From the first call of this method on nothing is answered any more; whether the real node got that call is `passes`.
    CutOff { at: &'static str, passes: bool },
    /// Answers calls of this method with an error; the real node never gets them.
    Refuse(&'static str),
    /// Goes on answering, and knows of no block above this height: its newest one, with the final one two below it.
    FrozenAt(u64),
    /// Changes what the real node said to a call: method, parameters, the whole answer object.
    Rewrite(fn(&str, &Value, &mut Value)),
    /// Refuses requests of more calls than this with that status and text; what it answers is changed as by `Rewrite`.
    Narrow { calls: usize, status: u16, text: &'static str, rewrite: fn(&str, &Value, &mut Value) },
}

/// The logs of ten blocks at once and no more, as small public nodes say it.
pub fn ten_blocks(method: &str, params: &Value, answer: &mut Value) {
    let height = |name: &str| u64::from_str_radix(params[0][name].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    if method == "eth_getLogs" && height("toBlock") >= height("fromBlock") + 10 {
        let said = "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range.";
        *answer = json!({"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32600, "message": said}});
    }
}

/// Another chain's node.
pub const OF_CHAIN_5: Fault = Fault::Rewrite(|method, _, answer| {
    if method == "eth_chainId" {
        answer["result"] = json!("0x5");
    }
});

pub struct Proxy {
    /// With something in its path that looks like a key.
    pub url: Url,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

/// Stands in [`Proxy::url`]; must show nowhere.
pub const KEY: &str = "aSecretKey0123456789";

struct Shared {
    target: Url,
    client: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    is_cut: AtomicBool,
    asked: watch::Sender<Asked>,
    /// When it answered, within the last second.
    answered: Mutex<VecDeque<Instant>>,
}

/// What it was asked so far.
#[derive(Clone, Default)]
pub struct Asked {
    /// HTTP requests.
    pub requests: usize,
    /// Requests for the newest block, among others: one for each look of a follower.
    pub scans: usize,
    /// Of those, refused as too many.
    pub limited: usize,
    /// How often each method.
    pub calls: HashMap<String, usize>,
    /// Heights of the blocks that were handed out with their transactions, in order.
    pub blocks_read: Vec<String>,
}

impl Asked {
    pub fn calls(&self, method: &str) -> usize {
        self.calls.get(method).copied().unwrap_or(0)
    }
}

impl Proxy {
    pub async fn before(target: Url) -> Self {
        let client = coinslot::http_client::builder().no_proxy().build().unwrap();
        let shared = Arc::new(Shared {
            target,
            client,
            fault: Mutex::default(),
            is_cut: AtomicBool::default(),
            asked: watch::Sender::default(),
            answered: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v2/{KEY}", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, server }
    }

    pub fn fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = Some(fault);
    }

    pub fn heal(&self) {
        *self.shared.fault.lock().unwrap() = None;
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    pub fn asked(&self) -> Asked {
        self.shared.asked.borrow().clone()
    }

    /// Waits until it was asked what is looked for.
    #[track_caller]
    pub fn until(&self, what: &'static str, is: impl Fn(&Asked) -> bool) -> impl Future<Output = Asked> {
        let mut asked = self.shared.asked.subscribe();
        async move {
            let found = tokio::time::timeout(PATIENCE, asked.wait_for(|asked| is(asked))).await;
            found.unwrap_or_else(|_| panic!("it was never asked: {what}")).unwrap().clone()
        }
    }

    /// Waits for so many requests from now on: time, in the measure of whoever asks.
    pub async fn until_more_requests(&self, more: usize) {
        let before = self.asked().requests;
        self.until("more requests", |asked| asked.requests >= before + more).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let calls = request.as_array().cloned().unwrap_or_else(|| vec![request.clone()]);
    shared.asked.send_modify(|asked| {
        asked.requests += 1;
        asked.scans += usize::from(calls.iter().any(|call| call["params"][0] == "latest"));
        for call in &calls {
            *asked.calls.entry(call["method"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    });
    let fault = shared.fault.lock().unwrap().clone();
    let frozen = if let Some(Fault::FrozenAt(height)) = fault { Some(height) } else { None };
    let body = frozen.map_or(body, |height| as_of(&request, height));
    let rewrite: fn(&str, &Value, &mut Value) = match fault {
        Some(Fault::Status(status)) => return StatusCode::from_u16(status).unwrap().into_response(),
        Some(Fault::PerSecond(most)) => {
            let is_too_many = {
                let (mut answered, now) = (shared.answered.lock().unwrap(), Instant::now());
                while answered.front().is_some_and(|then| now.duration_since(*then) >= Duration::from_secs(1)) {
                    answered.pop_front();
                }
                let is_too_many = answered.len() >= most;
                if !is_too_many {
                    answered.push_back(now);
                }
                is_too_many
            };
            if is_too_many {
                shared.asked.send_modify(|asked| asked.limited += 1);
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            }
            |_, _, _| {}
        }
        Some(Fault::Text(text)) => return text.into_response(),
        Some(Fault::Redirect) => {
            return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, shared.target.to_string())]).into_response();
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return ().into_response();
        }
        Some(Fault::TooLargeAbove(count)) if calls.len() > count => return " ".repeat(33 * 1024 * 1024).into_response(),
        Some(Fault::Rewrite(rewrite)) => rewrite,
        Some(Fault::Narrow { calls: most, status, text, .. }) if calls.len() > most => {
            return (StatusCode::from_u16(status).unwrap(), text).into_response();
        }
        Some(Fault::Narrow { rewrite, .. }) => rewrite,
        Some(Fault::CutOff { at, passes }) => {
            let is_it = calls.iter().any(|call| call["method"] == at);
            if shared.is_cut.fetch_or(is_it, Ordering::SeqCst) {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            if is_it {
                if passes {
                    let sent = shared.client.post(shared.target.clone()).body(body).header("content-type", "application/json");
                    sent.send().await.unwrap();
                }
                return StatusCode::BAD_GATEWAY.into_response();
            }
            |_, _, _| {}
        }
        Some(Fault::Refuse(method)) if calls.iter().any(|call| call["method"] == method) => {
            let error = json!({"code": -32000, "message": "the pool is full"});
            let refused: Vec<_> = calls.iter().map(|call| json!({"jsonrpc": "2.0", "id": call["id"], "error": error})).collect();
            return axum::Json(if request.is_array() { Value::Array(refused) } else { refused[0].clone() }).into_response();
        }
        Some(Fault::TooLargeAbove(_) | Fault::Refuse(_) | Fault::FrozenAt(_)) | None => |_, _, _| {},
    };
    let Ok(answer) = shared.client.post(shared.target.clone()).body(body).header("content-type", "application/json").send().await
    else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut said: Value = answer.json().await.unwrap();
    for call in &calls {
        let answers = match said.as_array_mut() {
            Some(batch) => batch.iter_mut().find(|answer| answer["id"] == call["id"]).unwrap(),
            None => &mut said,
        };
        let (method, params) = (call["method"].as_str().unwrap(), &call["params"]);
        rewrite(method, params, answers);
        if let Some(height) = frozen {
            forget_above(height, method, answers);
        }
        if method == "eth_getBlockByNumber" && params[1] == true && !answers["result"].is_null() {
            let height = params[0].as_str().unwrap().to_owned();
            shared.asked.send_modify(|asked| asked.blocks_read.push(height));
        }
    }
    axum::Json(said).into_response()
}

/// The same request, asked of the chain as it was at this height.
fn as_of(request: &Value, height: u64) -> Bytes {
    let mut request = request.clone();
    let calls = match request.as_array_mut() {
        Some(batch) => batch.iter_mut().collect(),
        None => vec![&mut request],
    };
    for param in calls.into_iter().flat_map(|call| call["params"].as_array_mut().unwrap()) {
        match param.as_str() {
            Some("latest" | "pending") => *param = json!(format!("{height:#x}")),
            Some("finalized" | "safe") => *param = json!(format!("{:#x}", height.saturating_sub(2))),
            _ => {}
        }
    }
    request.to_string().into()
}

fn forget_above(height: u64, method: &str, answer: &mut Value) {
    if method == "eth_blockNumber" {
        answer["result"] = json!(format!("{height:#x}"));
    }
    let number = |field: &str| answer["result"][field].as_str().and_then(|hex| u64::from_str_radix(&hex[2..], 16).ok());
    if number("number").or(number("blockNumber")).is_some_and(|number| number > height) {
        answer["result"] = Value::Null;
    }
}
