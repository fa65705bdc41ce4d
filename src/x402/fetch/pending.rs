//! The list of payments that have no answer yet, as one browser remembers it for one wallet (B13, C9). Pure; `storage.rs` keeps it.

use serde::{Deserialize, Serialize};

use super::request::Recipe;
use crate::evm::TxHash;

/// One call that was or may have been paid for. Without a payment: the wallet's question was open when this was written, and what became of it
/// only the chain knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The card's slug.
    pub agent: String,
    pub path: String,
    /// The exact body.
    pub body: String,
    /// CAIP-2.
    pub network: String,
    /// The payment header, base64.
    pub payment: Option<String>,
    pub transaction: Option<TxHash>,
    /// The server's watch for it, by whose id the server says that the question is answered.
    #[serde(default)]
    pub watch: Option<String>,
    /// Unix milliseconds, by this browser's clock.
    pub created_ms: i64,
}

impl Pending {
    pub fn of(recipe: &Recipe, network: &str, created_ms: i64) -> Self {
        Self {
            agent: recipe.agent().to_owned(),
            path: recipe.path.clone(),
            body: recipe.body.clone(),
            network: network.to_owned(),
            payment: None,
            transaction: None,
            watch: None,
            created_ms,
        }
    }

    pub fn is_for(&self, path: &str, body: &str) -> bool {
        self.path == path && self.body == body
    }

    pub fn recipe(&self) -> Recipe {
        Recipe::post_json(&self.path, &self.body)
    }
}

/// A server's watch lasts so long: an open question that is older is no longer watched for, and the wallet's history has the answer.
pub const QUESTION_MS: i64 = 15 * 60 * 1_000;
/// Payments older than this are the server's to tell about (history, credit).
const PAYMENT_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// More than anybody has under way at once.
const MOST: usize = 20;

/// What is still worth remembering, oldest first. Anything unreadable is nothing: this is a convenience, the server has the books.
pub fn read(text: &str, now_ms: i64) -> Vec<Pending> {
    let mut list: Vec<Pending> = serde_json::from_slice(text.as_bytes()).unwrap_or_default();
    list.retain(|entry| {
        let age_ms = now_ms.saturating_sub(entry.created_ms);
        age_ms < if entry.payment.is_some() { PAYMENT_MS } else { QUESTION_MS }
    });
    list
}

/// Adds it, or replaces the one for the same request: one entry per request, since the same request is the same run.
pub fn put(list: &mut Vec<Pending>, entry: Pending) {
    list.retain(|known| !known.is_for(&entry.path, &entry.body));
    list.push(entry);
    if list.len() > MOST {
        list.remove(0);
    }
}

pub fn find<'a>(list: &'a [Pending], path: &str, body: &str) -> Option<&'a Pending> {
    list.iter().find(|entry| entry.is_for(path, body))
}

/// `None`: it was not there.
pub fn take(list: &mut Vec<Pending>, path: &str, body: &str) -> Option<Pending> {
    let at = list.iter().position(|entry| entry.is_for(path, body))?;
    Some(list.remove(at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(body: &str, created_ms: i64) -> Pending {
        Pending::of(&Recipe::post_json("/api/x402/contract-xray", body), "eip155:143", created_ms)
    }

    fn bodies(list: &[Pending]) -> Vec<&str> {
        list.iter().map(|entry| entry.body.as_str()).collect()
    }

    #[test]
    fn a_paid_call_replaces_its_own_open_question() {
        let mut list = Vec::new();
        put(&mut list, entry("a", 1));
        put(&mut list, entry("b", 2));
        put(&mut list, Pending { payment: Some("p".into()), ..entry("a", 3) });
        assert_eq!(bodies(&list), ["b", "a"]);
        assert_eq!(find(&list, "/api/x402/contract-xray", "a").unwrap().payment.as_deref(), Some("p"));
        assert_eq!(find(&list, "/api/x402/other", "a"), None);
        assert!(take(&mut list, "/api/x402/contract-xray", "a").is_some());
        assert_eq!(take(&mut list, "/api/x402/contract-xray", "a"), None, "once");
        assert_eq!(bodies(&list), ["b"]);
    }

    #[test]
    fn it_survives_a_reload_and_forgets_what_is_too_old() {
        let mut list = Vec::new();
        put(&mut list, entry("question", 0));
        put(&mut list, Pending { payment: Some("p".into()), transaction: Some(TxHash([7; 32])), ..entry("paid", 0) });
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(read(&text, QUESTION_MS - 1), list);
        assert_eq!(bodies(&read(&text, QUESTION_MS)), ["paid"]);
        assert!(read(&text, PAYMENT_MS).is_empty());
        assert!(read("not json", 0).is_empty() && read("", 0).is_empty());
        let before = text.replace(r#""watch":null,"#, "");
        assert_eq!(read(&before, 0), list, "what an older page wrote has no watch");
    }

    #[test]
    fn it_never_grows_past_its_limit() {
        let mut list = Vec::new();
        (0..50).for_each(|at| put(&mut list, entry(&at.to_string(), at)));
        assert_eq!((list.len(), list[0].body.as_str()), (MOST, "30"));
    }
}
