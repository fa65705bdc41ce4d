//! Somebody else's facilitator, by its URL: `GET /supported`, `POST /verify`, `POST /settle` (x402 v2).
//!
//! It is trusted to spend its own gas and with nothing else. Nobody is told "unpaid" on its word alone, and a success is
//! looked at on chain. It gets the authorization and our offer's terms: no cookies, no keys, nothing about the visitor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use reqwest::{Client, Method as Verb, StatusCode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::{
    SettleError, Unknown, VerifyError, confirmed,
    diagnose::{Finding, stands_in_its_way},
};
use crate::{
    chain::{Chain, is_loopback},
    evm::{Address, TxHash},
    http_client,
    x402::{
        authorization::{Authorization, Method, Refused},
        wire::EXACT,
    },
};

/// Its answers are short.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// For questions that move nothing; they are asked again.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// It waits for its transaction. Never asked again by itself.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Twice more, after 100 and 200 ms.
const AGAIN: ExponentialBuilder = ExponentialBuilder::new().with_min_delay(Duration::from_millis(100)).with_max_times(2);

/// Longer than any reason word there is.
const REASON_BYTES_MAX: usize = 100;

/// A facilitator on one network. Cheap to clone.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    chain: Chain,
    /// `None`: this machine cannot make an HTTP client (no TLS), which is told at the first request.
    client: Option<Client>,
    /// May hold a key: it is in no text of ours.
    url: Url,
    is_supported: AtomicBool,
}

#[derive(Deserialize)]
struct Supported {
    kinds: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    is_valid: bool,
    #[serde(default, alias = "invalid_reason", deserialize_with = "said")]
    invalid_reason: Option<String>,
    #[serde(default, deserialize_with = "said")]
    payer: Option<String>,
}

/// The spec's spelling, and that of x402-types 2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settled {
    success: bool,
    #[serde(default, alias = "error_reason", deserialize_with = "said")]
    error_reason: Option<String>,
    #[serde(default, deserialize_with = "said")]
    transaction: Option<String>,
    #[serde(default, deserialize_with = "said")]
    network: Option<String>,
    #[serde(default, deserialize_with = "said")]
    payer: Option<String>,
}

/// A field that may be missing, null or, as x402-rs writes what it does not know, empty: all the same.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(from).map(|text| text.filter(|text| !text.is_empty()))
}

/// What says no is read from an error page as well: x402-rs sends a failure on the chain with HTTP status 500. Nobody believes it without the chain.
trait Answer: DeserializeOwned {
    fn says_no(&self) -> bool;
}

impl Answer for Supported {
    fn says_no(&self) -> bool {
        false
    }
}

impl Answer for Verified {
    fn says_no(&self) -> bool {
        !self.is_valid
    }
}

impl Answer for Settled {
    fn says_no(&self) -> bool {
        !self.success && self.transaction.is_none()
    }
}

impl Remote {
    /// `url`: where `/verify` and the others are below.
    pub fn new(url: Url, chain: Chain) -> Self {
        let mut client = http_client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(ASK_TIMEOUT)
            .user_agent(concat!("coinslot/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            // A proxy of the environment is for the world outside.
            client = client.no_proxy();
        }
        Self(Arc::new(Inner { chain, client: client.build().ok(), url, is_supported: AtomicBool::new(false) }))
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.0.chain
    }

    pub(super) fn can(&self) -> bool {
        self.0.is_supported.load(Ordering::Relaxed)
    }

    /// Does it settle `exact` on our network? Which tokens and methods, its answer does not say.
    pub(super) async fn refresh(&self) -> Result<(), Unknown> {
        let asked = || async { self.ask::<Supported>(Verb::GET, "supported", None, ASK_TIMEOUT).await };
        let supported = asked.retry(AGAIN).await.map_err(Unknown::new)?;
        let is_ours =
            |kind: &Value| kind["x402Version"] == 2 && kind["scheme"] == EXACT && kind["network"] == *self.chain().network().id;
        self.0.is_supported.store(supported.kinds.iter().any(is_ours), Ordering::Relaxed);
        Ok(())
    }

    pub(super) async fn verify(&self, authorization: &Authorization) -> Result<(), VerifyError> {
        let request = authorization.request();
        let asked = || async { self.ask::<Verified>(Verb::POST, "verify", Some(&request), ASK_TIMEOUT).await };
        let answer = asked.retry(AGAIN).await.map_err(Unknown::new)?;
        if is_of_another(answer.payer.as_deref(), authorization) {
            return Err(Unknown::new("the facilitator answered about another payer").into());
        }
        match answer.invalid_reason {
            None if answer.is_valid => Ok(()),
            Some(_) if answer.is_valid => Err(Unknown::new("the facilitator's answer contradicts itself").into()),
            reason => match stands_in_its_way(self.chain(), authorization).await? {
                Finding::Used => Err(Refused::new(authorization.method.words().used).into()),
                Finding::Refused(found) => Err(found.into()),
                Finding::Nothing => Err(unfounded(reason.as_deref(), authorization.method).into()),
            },
        }
    }

    pub(super) async fn settle(&self, authorization: &Authorization) -> Result<TxHash, SettleError> {
        let request = authorization.request();
        let answer = self.ask::<Settled>(Verb::POST, "settle", Some(&request), SETTLE_TIMEOUT).await;
        let answer = answer.map_err(Unknown::new)?;
        let transaction = answer.transaction.as_deref();
        let hash = transaction.and_then(|text| text.parse::<TxHash>().ok());
        let unknown = |cause: &str| Err(Unknown { cause: cause.to_owned(), transaction: hash }.into());
        if answer.network.is_some_and(|network| network != authorization.network) {
            return unknown("the facilitator answered about another network");
        }
        if is_of_another(answer.payer.as_deref(), authorization) {
            return unknown("the facilitator answered about another payer");
        }
        match (answer.success, answer.error_reason, transaction, hash) {
            (true, None, Some(_), Some(hash)) => confirmed(self.chain(), authorization, hash).await,
            (false, reason, None, _) => self.refused(authorization, reason.as_deref()).await,
            // It was sent, and may still go through.
            (false, _, Some(_), _) => unknown("the facilitator failed with a transaction under way"),
            _ => unknown("the facilitator's answer contradicts itself"),
        }
    }

    /// It says no. That alone is no reason to ask for another payment: it may send this one yet. The chain must show why it cannot.
    async fn refused(&self, authorization: &Authorization, reason: Option<&str>) -> Result<TxHash, SettleError> {
        let is_used = |reason: &str| judged(reason, authorization.method).is_ok_and(|refused| refused.is_used());
        if reason.is_some_and(is_used) {
            // Its node may be ahead of ours, whose state then tells nothing.
            return Err(Unknown::new("its nonce is used already").into());
        }
        match stands_in_its_way(self.chain(), authorization).await? {
            Finding::Used => Err(Unknown::new("its nonce is used already").into()),
            Finding::Refused(found) => Err(found.into()),
            Finding::Nothing => Err(unfounded(reason, authorization.method).into()),
        }
    }

    /// # Errors
    /// Any answer that is none, in our words: without the address, and without what it wrote.
    async fn ask<T: Answer>(&self, verb: Verb, path: &str, body: Option<&Value>, within: Duration) -> Result<T, String> {
        let Inner { client, url, .. } = &*self.0;
        let client = client.as_ref().ok_or("this machine cannot make an HTTP client")?;
        let mut at = url.clone();
        at.path_segments_mut().map_err(|()| "the facilitator's URL has no path")?.pop_if_empty().push(path);
        let mut request = client.request(verb, at).timeout(within);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|e| no_answer(&e, within))?;
        // Version 2 refuses with 200, 400 or 412, and says why in the body.
        let status = response.status();
        let broke = status == StatusCode::INTERNAL_SERVER_ERROR;
        let odd = || format!("the facilitator answered with HTTP status {}", status.as_u16());
        if !broke && !matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::PRECONDITION_FAILED) {
            return Err(odd());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| no_answer(&e, within))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err("the facilitator's answer is too long".to_owned());
            }
            bytes.extend_from_slice(&chunk);
        }
        match serde_json::from_slice::<T>(&bytes) {
            Ok(answer) if !broke || answer.says_no() => Ok(answer),
            Err(_) if !broke => Err("the facilitator's answer makes no sense".to_owned()),
            _ => Err(odd()),
        }
    }
}

/// A payer that it names has to be ours; no payer at all is none.
fn is_of_another(payer: Option<&str>, authorization: &Authorization) -> bool {
    payer.is_some_and(|payer| payer.parse::<Address>().ok() != Some(authorization.from))
}

/// What it says alone is no reason to ask for another payment, whatever it is about.
fn unfounded(reason: Option<&str>, method: Method) -> Unknown {
    let Some(reason) = reason else { return Unknown::new("the facilitator refuses it without a reason") };
    match judged(reason, method) {
        Ok(refused) => Unknown::new(format!("the facilitator refuses it ({}), and the chain shows no reason", refused.reason)),
        Err(failed) => failed,
    }
}

/// In our words: reqwest's hold the address.
fn no_answer(e: &reqwest::Error, within: Duration) -> String {
    if e.is_timeout() {
        format!("the facilitator did not answer within {within:?}")
    } else if e.is_connect() {
        "the facilitator cannot be reached".to_owned()
    } else {
        "the connection to the facilitator broke".to_owned()
    }
}

/// Is this reason about the payment? What is about its request or itself is ours to mend, and not the payer's to pay for.
fn judged(reason: &str, method: Method) -> Result<Refused, Unknown> {
    let words = method.words();
    // Words of the Rust crates, and the spec's older ones, for what has another name elsewhere.
    let known = match reason {
        "invalid_payment_amount" | "invalid_exact_evm_payload_authorization_value" => words.amount,
        "invalid_payment_early" => words.early,
        "invalid_payment_expired" => words.expired,
        "recipient_mismatch" | "invalid_exact_evm_payload_recipient_mismatch" => words.recipient,
        "invalid_signature" | "invalid_exact_evm_payload_signature" => words.signature,
        "insufficient_funds" => words.balance,
        "transaction_simulation" => words.simulation,
        _ => "",
    };
    if !known.is_empty() {
        return Ok(Refused::new(known));
    }
    let is_word =
        reason.len() <= REASON_BYTES_MAX && reason.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_of_payment = ["invalid_exact_evm_", "invalid_permit2_", "permit2_", "eip6492_", "erc20_approval_"];
    let is_of_request = [
        "invalid_exact_evm_scheme",
        "invalid_exact_evm_network_mismatch",
        "invalid_exact_evm_missing_eip712_domain",
        "invalid_exact_evm_eip3009_not_supported",
        "invalid_exact_evm_token_name_mismatch",
        "invalid_exact_evm_token_version_mismatch",
        "permit2_proxy_not_deployed",
    ];
    match is_word && is_of_payment.iter().any(|start| reason.starts_with(start)) && !is_of_request.contains(&reason) {
        true => Ok(Refused::new(reason.to_owned())),
        false if is_word => Err(Unknown::new(format!("the facilitator failed: {reason}"))),
        false => Err(Unknown::new("the facilitator failed, and not in words")),
    }
}
