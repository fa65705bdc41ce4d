//! One node: one batch is one HTTP request, and all of its answers come from there or none does.
//!
//! The batch client is our own, and small: a library's provider picks the node per request and collects what is asked
//! together into batches of its choosing, while every promise here hangs on knowing which node said what, together with
//! what. Answers are bounded in bytes and time, redirects are refused (another host is another node), and the address,
//! which may hold a key, is in no text that leaves this file.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use url::Url;

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
    /// It is down, limited, of another chain or makes no sense: it is left alone for a while.
    Node,
    /// What was asked for does not go there; another node may know. A visitor's odd input must not bring nodes down.
    Question,
    /// The answer was larger than we read.
    Size,
}

impl Fault {
    pub fn of_node(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), blame: Blame::Node }
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
        Self { place, client: client.build().ok(), secrets: secrets(&url), url, timeout }
    }

    /// Asks all of it in one request. What comes back is complete, and in order.
    ///
    /// # Errors
    /// They may quote the node: they go through [`Node::quote`] before anybody reads them.
    pub async fn batch(&self, calls: &[Call]) -> Result<Answers, Fault> {
        let body = match calls {
            // Alone it is no array, for nodes that know no batches.
            [only] => only.to_json(0),
            all => all.iter().enumerate().map(|(id, call)| call.to_json(id)).collect(),
        };
        let client = self.client.as_ref().ok_or_else(|| Fault::of_node("this machine cannot make an HTTP client"))?;
        let sent = client.post(self.url.clone()).json(&body).send().await;
        let mut response = sent.map_err(|e| self.no_answer(&e))?;
        if !response.status().is_success() {
            return Err(Fault::of_node(format!("HTTP status {}", response.status().as_u16())));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.no_answer(&e))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let cause = format!("an answer of more than {} MB", ANSWER_BYTES_MAX / 1024 / 1024);
                return Err(Fault { cause, blame: Blame::Size });
            }
            bytes.extend_from_slice(&chunk);
        }
        in_order(&bytes, calls.len())
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
    let mut sorted: Vec<_> = (0..count).map(|_| None).collect();
    for answer in answers {
        let said = match (answer.result, answer.error) {
            (_, Some(error)) => Err(error),
            (Some(result), None) => Ok(result),
            (None, None) => return Err(Fault::of_node("an answer with neither result nor error")),
        };
        match (answer.id.and_then(|id| sorted.get_mut(id)), said) {
            (Some(place @ None), said) => *place = Some(said),
            // One error for the whole batch: too large for it, too many at once, no batches.
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
    fn a_tag_that_is_not_known_is_told_from_other_errors() {
        let error = |code, message: &str| RpcError { code, message: message.to_owned(), data: None };
        assert!(error(-32000, "finalized block not found").is_unknown_block("finalized"));
        assert!(error(-39001, "Unknown block").is_unknown_block("finalized"));
        assert!(error(-32602, "invalid block tag").is_unknown_block("finalized"));
        assert!(!error(-32005, "rate limit exceeded").is_unknown_block("finalized"));
    }
}
