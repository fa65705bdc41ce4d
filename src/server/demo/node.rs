//! Asking the local chain node, as its owner: JSON-RPC over loopback.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use crate::http_client;

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("{0}")]
    Away(#[from] reqwest::Error),
    #[error("{method}: {cause}")]
    Refused { method: String, cause: String },
    #[error("{0} takes too long")]
    Slow(&'static str),
}

#[derive(Clone)]
pub struct Node {
    http: reqwest::Client,
    url: Url,
    /// The node counts an account's transactions when it is asked, so two that come at once would get the same number.
    sending: Arc<Mutex<()>>,
}

impl Node {
    /// # Errors
    /// This machine cannot make an HTTP client.
    pub fn new(url: &Url) -> Result<Self, NodeError> {
        Ok(Self { http: http_client::builder().build()?, url: url.clone(), sending: Arc::default() })
    }

    /// Hands a whole request on and gives the whole answer back, error or not.
    pub async fn forward(&self, request: &Value) -> Result<Value, NodeError> {
        let asked = self.http.post(self.url.clone()).timeout(Duration::from_secs(10)).json(request);
        Ok(asked.send().await?.json().await?)
    }

    /// The result of one call.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, NodeError> {
        let mut answer = self.forward(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await?;
        match answer.get("error") {
            Some(error) => Err(NodeError::Refused {
                method: method.to_owned(),
                cause: error["message"].as_str().unwrap_or("an error").to_owned(),
            }),
            None => Ok(answer["result"].take()),
        }
    }

    /// Sends a transaction that is not to fail; `what` it does, for the sentence if it does.
    pub async fn must(&self, what: &str, transaction: Value) -> Result<String, NodeError> {
        let (hash, receipt) = self.send(transaction).await?;
        if receipt["status"] == "0x1" {
            return Ok(hash);
        }
        Err(NodeError::Refused { method: what.to_owned(), cause: "its transaction was reverted".to_owned() })
    }

    /// Sends a transaction from one of the node's own accounts: its hash.
    pub async fn put(&self, transaction: Value) -> Result<String, NodeError> {
        let _alone = self.sending.lock().await;
        Ok(self.call("eth_sendTransaction", json!([transaction])).await?.as_str().unwrap_or_default().to_owned())
    }

    /// Sends a transaction from one of the node's own accounts and waits until a block includes it: hash and receipt.
    pub async fn send(&self, transaction: Value) -> Result<(String, Value), NodeError> {
        let hash = self.put(transaction).await?;
        for _ in 0..100 {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
            if !receipt.is_null() {
                return Ok((hash, receipt));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(NodeError::Slow("a block"))
    }
}
