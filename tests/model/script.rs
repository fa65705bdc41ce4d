//! A model's server that plays a list of answers, one for each question, and remembers what it was asked.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode},
    routing::{get, post},
};
use coinslot::model::{Model, ModelKey, ModelSettings, settings::base_url};
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const NAME: &str = "scripted-1";
pub const KEY: &str = "sk-test-do-not-tell";

/// One answer.
#[derive(Clone)]
pub enum Play {
    /// As JSON, whole.
    Whole(Value),
    /// As server-sent events, each with this data.
    Pieces(Vec<String>),
    /// A status, what it says to wait for, a body.
    Status(u16, Option<&'static str>, &'static str),
    /// Any body, as JSON.
    Text(String),
    /// Headers, and nothing more, ever.
    Silence,
    /// Some of the answer; then the connection breaks.
    Broken(&'static str, String),
    /// Pieces without an end.
    Endless,
}

#[derive(Clone)]
pub struct Script(Arc<Stage>);

struct Stage {
    url: String,
    plays: Mutex<VecDeque<Play>>,
    asked: Mutex<Vec<Asked>>,
    looks: AtomicUsize,
    models: AtomicU16,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub body: Value,
    pub authorization: Option<String>,
}

impl Script {
    pub async fn of(plays: impl IntoIterator<Item = Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Self(Arc::new(Stage {
            url: format!("http://{}", listener.local_addr().unwrap()),
            plays: Mutex::new(plays.into_iter().collect()),
            asked: Mutex::default(),
            looks: AtomicUsize::new(0),
            models: AtomicU16::new(200),
        }));
        let router =
            Router::new().route("/v1/chat/completions", post(answer)).route("/v1/models", get(models)).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        script
    }

    /// As an operator would set it up.
    pub fn model(&self) -> Model {
        Model::new(self.settings())
    }

    pub fn settings(&self) -> ModelSettings {
        ModelSettings {
            url: base_url(&self.0.url).unwrap(),
            key: ModelKey::parse(KEY),
            name: NAME.into(),
            timeout: Duration::from_secs(20),
            explains: true,
        }
    }

    pub fn then(&self, play: Play) {
        self.0.plays.lock().unwrap().push_back(play);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.0.asked.lock().unwrap().clone()
    }

    /// How often it was looked at.
    pub fn looks(&self) -> usize {
        self.0.looks.load(Ordering::SeqCst)
    }

    /// What a look is answered with from now on.
    pub fn looks_like(&self, status: u16) {
        self.0.models.store(status, Ordering::SeqCst);
    }
}

/// Where nobody listens.
pub async fn nobody() -> Model {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = Script::of([]).await.settings();
    Model::new(ModelSettings { url: base_url(&format!("http://{free}")).unwrap(), ..settings })
}

async fn models(State(script): State<Script>) -> (StatusCode, &'static str) {
    script.0.looks.fetch_add(1, Ordering::SeqCst);
    (StatusCode::from_u16(script.0.models.load(Ordering::SeqCst)).unwrap(), r#"{"data":[]}"#)
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    script.0.asked.lock().unwrap().push(Asked { body: serde_json::from_slice(&body).unwrap(), authorization });
    let play = script.0.plays.lock().unwrap().pop_front();
    let json = |status: u16, body: String| {
        Response::builder().status(status).header("content-type", "application/json").body(Body::from(body)).unwrap()
    };
    let events = |body: Body| Response::builder().header("content-type", "text/event-stream").body(body).unwrap();
    match play.unwrap_or(Play::Status(500, None, "the script is at its end")) {
        Play::Whole(value) => json(200, value.to_string()),
        Play::Text(text) => json(200, text),
        Play::Pieces(pieces) => {
            let lines = pieces.iter().map(|data| format!(": a comment\r\ndata: {data}\r\n\r\n")).collect::<Vec<_>>();
            events(Body::from_stream(stream::iter(lines.into_iter().map(Ok::<_, Infallible>))))
        }
        Play::Status(status, wait, body) => {
            let mut response = json(status, body.to_owned());
            if let Some(wait) = wait {
                response.headers_mut().insert("retry-after", wait.parse().unwrap());
            }
            if status == 307 {
                response.headers_mut().insert("location", "/v1/chat/completions".parse().unwrap());
            }
            response
        }
        Play::Silence => events(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())),
        Play::Broken(kind, begun) => {
            let pieces = [Ok(Bytes::from(begun)), Err(io::Error::other("the connection breaks"))];
            let body = Body::from_stream(stream::iter(pieces));
            Response::builder().header("content-type", kind).body(body).unwrap()
        }
        Play::Endless => {
            let piece = format!("data: {}\n\n", delta(json!({ "content": "and so on " })));
            events(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone()))))
        }
    }
}

/// An answer in words.
pub fn says(text: &str) -> Play {
    Play::Whole(whole(json!({ "role": "assistant", "content": text }), "stop"))
}

/// The same, word by word.
pub fn says_in_pieces(text: &str) -> Play {
    let mut pieces: Vec<String> = text.split_inclusive(' ').map(|word| delta(json!({ "content": word }))).collect();
    pieces.extend(the_end("stop"));
    Play::Pieces(pieces)
}

/// It wants these calls made.
pub fn calls(calls: &[(&str, Value)]) -> Play {
    let call = |(at, (name, arguments)): (usize, &(&str, Value))| json!({ "id": format!("c{at}"), "type": "function", "function": { "name": name, "arguments": arguments.to_string() } });
    let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
    Play::Whole(whole(json!({ "role": "assistant", "content": null, "tool_calls": calls }), "tool_calls"))
}

/// Its last answer, in the form that was asked for.
pub fn concludes(answer: &str, citations: &[i64]) -> Play {
    let form =
        json!({ "answer": answer, "citations": citations, "confidence": "medium", "open_questions": ["Who is the owner?"] });
    says_in_pieces(&form.to_string())
}

fn whole(message: Value, reason: &str) -> Value {
    json!({
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 },
    })
}

pub fn delta(delta: Value) -> String {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }).to_string()
}

/// Of a stream: the reason, the usage, the word.
pub fn the_end(reason: &str) -> [String; 3] {
    [
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }).to_string(),
        json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 10 } }).to_string(),
        "[DONE]".to_owned(),
    ]
}
