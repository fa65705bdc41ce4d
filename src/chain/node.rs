//! One node: one batch is one HTTP request, and all of its answers come from there or none does.
//!
//! The batch client is our own, and small: a library's provider picks the node per request and collects what is asked
//! together into batches of its choosing, while every promise here hangs on knowing which node said what, together with
//! what. Answers are bounded in bytes and time, redirects are refused (another host is another node), and the address,
//! which may hold a key, is in no text that leaves this file.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use url::Url;

use super::{
    habits::{Habits, is_about_the_batch},
    heads::Heard,
    wire::Header,
};
use crate::http_client;

/// Larger than any single block we have met; a scan of several busy ones is made smaller by its asker.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a node says of itself is quoted no longer than this.
const QUOTE_CHARS_MAX: usize = 160;

/// One method with its parameters.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Cow<'static, str>,
    params: Value,
}

impl Call {
    pub fn new(method: impl Into<Cow<'static, str>>, params: Value) -> Self {
        Self { method: method.into(), params }
    }

    /// Does it ask for a block by its number, not by what it is now?
    fn names_a_height(&self) -> bool {
        self.method == "eth_getBlockByNumber"
            && self.params.get(0).and_then(Value::as_str).is_some_and(|block| block.starts_with("0x"))
    }

    fn to_json(&self, id: usize) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "method": self.method, "params": self.params})
    }
}

/// Why a node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Without the node's address.
    pub cause: String,
    pub blame: Blame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// It is down, of another chain or makes no sense: it is left alone for a while.
    Node,
    /// It is well, and is asked too much: left alone for so long as it says, if it says. No outage.
    Limited(Option<Duration>),
    /// What was asked for does not go there; another node may know. A visitor's odd input must not bring nodes down.
    Question,
    /// The answer was larger than we read.
    Size,
    /// It has not come as far as we have: another one may have. It is left only where it stays behind (`heads`), or another one says otherwise.
    Behind,
    /// It takes no requests of so many calls. Nobody outside this file meets it.
    Batch,
}

impl Fault {
    pub fn of_node(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), blame: Blame::Node }
    }

    pub fn behind(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), blame: Blame::Behind }
    }
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct RpcError {
    pub code: i64,
    #[serde(default)]
    pub message: String,
    /// What code that reverted left behind, where the node tells.
    #[serde(default)]
    pub data: Option<Value>,
}

impl RpcError {
    pub fn into_fault(self, blame: Blame) -> Fault {
        Fault { cause: format!("error {} ({})", self.code, self.message), blame }
    }

    /// Does the node refuse because it is asked too often? -32005 alone does not say so: nodes have it for other limits as well, such as too many logs.
    fn is_limit(&self) -> bool {
        const WORDS: [&str; 9] = [
            "rate limit",
            "ratelimit",
            "too many request",
            "requests per",
            "per second",
            "request limit",
            "compute units",
            "throughput",
            "throttl",
        ];
        let message = self.message.to_lowercase();
        // What a contract says when it reverts is its author's word; that a batch is too large, `habits` knows.
        let is_of_code = self.code == 3 || message.contains("revert");
        !is_of_code && !message.contains("batch") && (self.code == 429 || WORDS.iter().any(|words| message.contains(words)))
    }

    /// Is it about a block (or a block's tag) that the node does not have?
    pub fn is_unknown_block(&self, tag: &str) -> bool {
        let message = self.message.to_lowercase();
        let names_it = || ["unknown block", "block not found", "header not found", tag].iter().any(|word| message.contains(word));
        // −39001 is what EIP-1474's successors give to an unknown block, −32602 what others give to a tag they cannot read.
        matches!(self.code, -39001 | -32602) || names_it()
    }
}

/// What a node said to one call.
pub(super) type Said = Result<Box<RawValue>, RpcError>;

/// What one node said to one batch, in the order it was asked.
pub(super) struct Answers(std::vec::IntoIter<Said>);

impl Answers {
    /// The next answer as it is, for whoever can make sense of an error.
    pub fn raw(&mut self) -> Result<Said, Fault> {
        self.0.next().ok_or_else(|| Fault::of_node("fewer answers than questions"))
    }

    /// The next answer. An error object is the node's fault.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        match self.raw()? {
            Ok(raw) => parse(&raw),
            Err(error) => Err(error.into_fault(Blame::Node)),
        }
    }
}

pub(super) fn parse<T: DeserializeOwned>(raw: &RawValue) -> Result<T, Fault> {
    // The text of a parse error quotes what it met, which is the node's word: it goes through the same filter.
    serde_json::from_str(raw.get()).map_err(|e| Fault::of_node(format!("an answer that makes no sense: {e}")))
}

pub(super) struct Node {
    /// `1 of 3`: how it is called wherever people read.
    pub place: String,
    /// `None`: this machine cannot make an HTTP client (no TLS), which is told at the first request.
    client: Option<reqwest::Client>,
    url: Url,
    timeout: Duration,
    /// Parts of the address that may be keys.
    secrets: Vec<String>,
    /// The newest block that it has told of.
    heard: Mutex<Option<Heard>>,
    /// What it was found not to do.
    pub habits: Habits,
}

impl Node {
    pub fn new(place: String, url: Url, timeout: Duration) -> Self {
        let mut client = http_client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout)
            .timeout(timeout)
            .user_agent(concat!("coinslot/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy of the environment is for the world outside.
            client = client.no_proxy();
        }
        Self {
            place,
            client: client.build().ok(),
            secrets: secrets(&url),
            url,
            timeout,
            heard: Mutex::default(),
            habits: Habits::default(),
        }
    }

    /// It has told of this block as its newest.
    pub fn hear(&self, newest: &Header) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(Heard::after(*heard, newest));
    }

    /// The newest block that it has told of, if it was asked.
    pub fn heard(&self) -> Option<Heard> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks all of it in one request, or in parts where the node takes no requests of so many calls. What comes back is complete, and in order.
    ///
    /// # Errors
    /// They may quote the node: they go through [`Node::quote`] before anybody reads them.
    pub async fn batch(&self, calls: &[Call]) -> Result<Answers, Fault> {
        let mut size = self.habits.calls_at_once().min(calls.len()).max(1);
        let mut refused = None;
        if size == calls.len() {
            match self.post(calls).await {
                Err(fault) if fault.blame == Blame::Batch => refused = Some(fault),
                said => return said,
            }
            size = (size / 2).max(1);
        }
        let answers = self.in_parts(calls, &mut size, refused).await.map_err(of_node)?;
        self.stands_still(calls, &answers, &mut size).await.map_err(of_node)?;
        Ok(Answers(answers.into_iter()))
    }

    /// As many at once as it takes: half as many each time that it refuses, which is only believed of it once it has answered so.
    async fn in_parts(&self, calls: &[Call], size: &mut usize, mut refused: Option<Fault>) -> Result<Vec<Said>, Fault> {
        let mut said = Vec::with_capacity(calls.len());
        while said.len() < calls.len() {
            let part = &calls[said.len()..calls.len().min(said.len() + *size)];
            match self.post(part).await {
                Ok(answers) => {
                    if let Some(refused) = refused.take() {
                        // One that says no to a part as well does not answer: that it was asked too much at once is not why.
                        if !answers.0.as_slice().iter().any(Result::is_ok) {
                            return Err(refused);
                        }
                        self.learn(*size, &refused);
                    }
                    said.extend(answers.0);
                }
                Err(fault) if fault.blame == Blame::Batch => {
                    *size = (part.len() / 2).max(1);
                    refused.get_or_insert(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(said)
    }

    /// One batch sees one state of the chain; parts of it may see several. So the blocks that were asked for by their height are asked for again at
    /// the end: if they are the same, they were for as long as it took.
    async fn stands_still(&self, calls: &[Call], said: &[Said], size: &mut usize) -> Result<(), Fault> {
        let (named, then): (Vec<Call>, Vec<&Said>) =
            calls.iter().zip(said).filter(|(call, _)| call.names_a_height()).map(|(call, said)| (call.clone(), said)).unzip();
        let now = self.in_parts(&named, size, None).await?;
        let block = |said: &Said| {
            said.as_ref().ok().and_then(|raw| parse::<Option<Header>>(raw).ok()).flatten().map(|header| header.hash)
        };
        match then.into_iter().zip(&now).all(|(then, now)| block(then) == block(now)) {
            true => Ok(()),
            false => Err(Fault { cause: "a block changed while it was asked one by one".to_owned(), blame: Blame::Question }),
        }
    }

    fn learn(&self, calls: usize, refused: &Fault) {
        let (node, cause) = (&self.place, self.quote(&refused.cause));
        if self.habits.takes_no_more_calls(calls, &cause) {
            tracing::info!(
                node,
                cause,
                calls,
                "node {node} refuses batches of more than {calls}: it is asked for so many at once"
            );
        }
    }

    /// Logs of more blocks than these were refused, and those of these told.
    pub fn tells_no_more_logs(&self, blocks: u64, refused: RpcError) {
        let (node, cause) = (&self.place, self.quote(&refused.into_fault(Blame::Question).cause));
        if self.habits.tells_no_more_logs(blocks, &cause) {
            tracing::info!(
                node,
                cause,
                blocks,
                "node {node} tells the logs of no more than {blocks} blocks at once: it is asked for so many"
            );
        }
    }

    /// One request. [`Blame::Batch`]: it is refused for there being several calls in it.
    async fn post(&self, calls: &[Call]) -> Result<Answers, Fault> {
        let body = match calls {
            // Alone it is no array, for nodes that know no batches.
            [only] => only.to_json(0),
            all => all.iter().enumerate().map(|(id, call)| call.to_json(id)).collect(),
        };
        let client = self.client.as_ref().ok_or_else(|| Fault::of_node("this machine cannot make an HTTP client"))?;
        let sent = client.post(self.url.clone()).json(&body).send().await;
        let mut response = sent.map_err(|e| self.no_answer(&e))?;
        let status = response.status();
        let may_be_about_the_batch = calls.len() > 1 && may_be_about_the_batch(status.as_u16());
        if !status.is_success() && !may_be_about_the_batch {
            let blame = match status {
                reqwest::StatusCode::TOO_MANY_REQUESTS => Blame::Limited(retry_after(response.headers())),
                _ => Blame::Node,
            };
            return Err(Fault { cause: format!("HTTP status {}", status.as_u16()), blame });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.no_answer(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let cause = format!("an answer of more than {} MB", ANSWER_BYTES_MAX / 1024 / 1024);
                return Err(Fault { cause, blame: Blame::Size });
            }
            bytes.extend_from_slice(&chunk);
        }
        let said = in_order(&bytes, calls.len());
        match (status.is_success(), said) {
            (true, said) => said,
            (false, Err(fault)) if fault.blame == Blame::Batch && fault.cause.to_lowercase().contains("batch") => Err(fault),
            // The request as such cannot be read, whatever it says; a server's own trouble is about all of it, unless it says otherwise.
            (false, _) if status.is_client_error() || status.as_u16() == 501 => {
                Err(Fault { cause: format!("HTTP status {}", status.as_u16()), blame: Blame::Batch })
            }
            (false, _) => Err(Fault::of_node(format!("HTTP status {}", status.as_u16()))),
        }
    }

    /// In our words: reqwest's hold the address.
    fn no_answer(&self, e: &reqwest::Error) -> Fault {
        Fault::of_node(if e.is_timeout() {
            format!("no answer within {:?}", self.timeout)
        } else if e.is_connect() {
            "it cannot be reached".to_owned()
        } else {
            "the connection broke".to_owned()
        })
    }

    /// What a node wrote, made fit for a log: short, one line, and without what it may have repeated of our address.
    pub fn quote(&self, text: &str) -> String {
        let text = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTE_CHARS_MAX).collect()
    }
}

/// Is this a status with which nodes refuse that there are several calls in a request?
fn may_be_about_the_batch(status: u16) -> bool {
    matches!(status, 400 | 405 | 413 | 415 | 422 | 500 | 501)
}

/// For those outside: whatever it refuses, the node does.
fn of_node(fault: Fault) -> Fault {
    match fault.blame {
        Blame::Batch => Fault { blame: Blame::Node, ..fault },
        _ => fault,
    }
}

/// For how long a node wants to be left alone, where it says so in seconds.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Sorts the answers by their ids. A batch is answered in any order, but wholly.
fn in_order(body: &[u8], count: usize) -> Result<Answers, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        /// Null where the node could not even read the request.
        id: Option<usize>,
        // `null` is an answer ("there is none"); no `result` at all is not.
        #[serde(default, deserialize_with = "present")]
        result: Option<Box<RawValue>>,
        error: Option<RpcError>,
    }

    fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
        Box::<RawValue>::deserialize(from).map(Some)
    }

    let nonsense = |_| Fault::of_node("an answer that is no JSON-RPC");
    let is_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let answers: Vec<Answer> = match is_list {
        true => serde_json::from_slice(body).map_err(nonsense)?,
        false => vec![serde_json::from_slice(body).map_err(nonsense)?],
    };
    if let ([only], true) = (answers.as_slice(), !is_list && count > 1) {
        return Err(match &only.error {
            Some(error) if error.is_limit() => error.clone().into_fault(Blame::Limited(None)),
            Some(error) if !is_about_the_batch(error) => error.clone().into_fault(Blame::Node),
            Some(error) => error.clone().into_fault(Blame::Batch),
            None => Fault { cause: "one answer to several calls".to_owned(), blame: Blame::Batch },
        });
    }
    let mut sorted: Vec<_> = (0..count).map(|_| None).collect();
    for answer in answers {
        let said = match (answer.result, answer.error) {
            // Whatever else it answered: asked again in a moment, it answers all.
            (_, Some(error)) if error.is_limit() => return Err(error.into_fault(Blame::Limited(None))),
            (_, Some(error)) => Err(error),
            (Some(result), None) => Ok(result),
            (None, None) => return Err(Fault::of_node("an answer with neither result nor error")),
        };
        match (answer.id.and_then(|id| sorted.get_mut(id)), said) {
            (Some(place @ None), said) => *place = Some(said),
            // One error for the whole batch: too large for it, too many at once, no batches.
            (_, Err(error)) if count > 1 && is_about_the_batch(&error) => return Err(error.into_fault(Blame::Batch)),
            (_, Err(error)) => return Err(error.into_fault(Blame::Node)),
            (_, Ok(_)) => return Err(Fault::of_node("an answer to nothing that was asked")),
        }
    }
    let complete: Option<Vec<_>> = sorted.into_iter().collect();
    complete.map(|all| Answers(all.into_iter())).ok_or_else(|| Fault::of_node("fewer answers than questions"))
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Providers put keys into the path, the query, the user or the password. Short parts (`v2`, `rpc`) are words.
fn secrets(url: &Url) -> Vec<String> {
    let path = url.path_segments().into_iter().flatten().map(str::to_owned);
    let query = url.query_pairs().map(|(_, value)| value.into_owned());
    let user = [url.username(), url.password().unwrap_or_default()].map(str::to_owned);
    path.chain(query).chain(user).filter(|part| part.len() >= 6).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn numbers(body: &str, count: usize) -> Result<Vec<Option<u64>>, String> {
        let mut answers = in_order(body.as_bytes(), count).map_err(|fault| fault.cause)?;
        (0..count).map(|_| answers.read().map_err(|fault| fault.cause)).collect()
    }

    #[test]
    fn a_batch_is_answered_in_any_order_but_wholly() {
        assert_eq!(numbers(r#"[{"id":1,"result":11},{"id":0,"result":null}]"#, 2), Ok(vec![None, Some(11)]));
        assert_eq!(numbers(r#" {"id":0,"result":7}"#, 1), Ok(vec![Some(7)]));
        for (bad, why) in [
            (r#"[{"id":0,"result":1}]"#, "fewer answers"),
            (r#"[{"id":0,"result":1},{"id":0,"result":2}]"#, "nothing that was asked"),
            (r#"[{"id":0,"result":1},{"id":2,"result":2}]"#, "nothing that was asked"),
            (r#"[{"id":0,"result":1},{"id":null,"result":2}]"#, "nothing that was asked"),
            (r#"[{"id":0,"result":1},{"id":1}]"#, "neither"),
            (r#"{"id":null,"error":{"code":-32600,"message":"no batches here"}}"#, "no batches here"),
            ("<html>", "no JSON-RPC"),
            ("", "no JSON-RPC"),
            ("[]", "fewer answers"),
        ] {
            let said = numbers(bad, 2).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn a_key_in_the_address_is_in_no_text_of_ours() {
        let url: Url = "https://user:hunter22@rpc.example/v2/aBcDeF0123456789?token=s3cr3t-t0ken".parse().unwrap();
        let node = Node::new("1 of 1".to_owned(), url, Duration::from_secs(1));
        let said = node.quote("bad key aBcDeF0123456789\n(token s3cr3t-t0ken, hunter22) on v2");
        assert_eq!(said, "bad key … (token …, …) on v2");
        assert!(node.quote(&"x".repeat(9_999)).len() <= QUOTE_CHARS_MAX);
    }

    #[test]
    fn s2_a_limit_is_no_fault_of_the_node_and_no_answer_to_the_question() {
        let blame = |body: &str| in_order(body.as_bytes(), 1).err().map(|fault| fault.blame);
        let error = |code: i64, message: &str| format!(r#"{{"id":0,"error":{{"code":{code},"message":"{message}"}}}}"#);
        let limited = Some(Blame::Limited(None));
        assert_eq!(blame(&error(-32005, "Rate limit exceeded")), limited);
        assert_eq!(blame(&error(429, "slow down")), limited);
        assert_eq!(
            in_order(error(-32005, "Rate limit exceeded").as_bytes(), 3).err().map(|fault| fault.blame),
            limited,
            "of many"
        );
        assert_eq!(blame(&error(31, "Batch of more than 3 requests: rate limited")), None, "that is about the batch");
        assert_eq!(blame(&error(-32029, "Too many requests, please wait")), limited);
        assert_eq!(blame(&error(-32005, "query returned more than 10000 results")), None, "that is about the question");
        assert_eq!(blame(&error(3, "execution reverted: rate limit")), None, "a contract says so");
        assert_eq!(blame(&error(-32000, "execution reverted: Too many requests")), None);
        assert_eq!(blame(r#"{"id":null,"error":{"code":-32600,"message":"no batches here"}}"#), Some(Blame::Node));
    }

    #[test]
    fn a_tag_that_is_not_known_is_told_from_other_errors() {
        let error = |code, message: &str| RpcError { code, message: message.to_owned(), data: None };
        assert!(error(-32000, "finalized block not found").is_unknown_block("finalized"));
        assert!(error(-39001, "Unknown block").is_unknown_block("finalized"));
        assert!(error(-32602, "invalid block tag").is_unknown_block("finalized"));
        assert!(!error(-32005, "rate limit exceeded").is_unknown_block("finalized"));
    }
}
