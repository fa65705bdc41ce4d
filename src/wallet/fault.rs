//! What a wallet's error means. By its numbers; by its text only where the number is one that wallets use for everything.

use serde_json::Value;

use crate::error::{CallError, Code};

/// What the wallet was asked for when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Connect,
    SignIn,
    SwitchNetwork,
    Pay,
    /// To sign a payment that somebody else sends.
    Authorize,
    /// Something that shows the person no question.
    Read,
}

/// An EIP-1193 error as it came: what every part of it says, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Wallets wrap what their node, extension or library said: in `data`, `originalError`, `cause`, `info`, `error`, to any depth.
    pub codes: Vec<i32>,
    /// What the person reads; in lower case.
    messages: Vec<String>,
    /// ethers' name for a no.
    action_rejected: bool,
    /// The wallet has said nothing, and the visitor did not want to wait any longer.
    is_let_go: bool,
    /// For "Details".
    pub raw: String,
}

/// EIP-1193: the person said no.
const USER_REJECTED: i32 = 4001;
/// WalletConnect: the person said no.
const WALLETCONNECT_REJECTED: i32 = 5000;
/// ethers: the person said no.
const ACTION_REJECTED: &str = "ACTION_REJECTED";
/// EIP-1474, "internal error" and "invalid input", by which some wallets mean anything.
const ANYTHING: [i32; 2] = [-32603, -32000];
/// How those say that the person said no.
const NO: [&str; 4] = ["rejected", "denied", "cancelled", "canceled"];
/// EIP-1193: this account or method was not granted to this site.
const UNAUTHORIZED: i32 = 4100;
/// EIP-1193: the wallet is disconnected from every chain, or from this one.
const DISCONNECTED: [i32; 2] = [4900, 4901];
/// EIP-3326: the wallet does not know this chain.
const UNKNOWN_CHAIN: i32 = 4902;
/// JSON-RPC and EIP-1193: the wallet does not know this method.
const UNKNOWN_METHOD: [i32; 2] = [-32601, 4200];
/// How an "internal error" says that the wallet does not know this chain.
const NOT_KNOWN: [&str; 3] = ["unrecognized chain", "unknown chain", "wallet_addethereumchain"];
/// EIP-1474, as wallets use it: the same question is already open.
const ALREADY_ASKED: i32 = -32002;

/// Parts of an error that are looked into: an error is a stranger's, and may lead in circles.
pub const PARTS_MAX: usize = 100;
/// Where an error holds another one.
pub const INSIDE: [&str; 6] = ["data", "originalError", "cause", "info", "error", "inner"];

impl Fault {
    /// From the error as JSON. `raw`: its text.
    pub fn of(error: &Value, raw: String) -> Self {
        let mut fault = Self { raw, ..Self::default() };
        // In the order of depth, so that the wallet's own words come first.
        let mut parts = vec![error];
        let mut at = 0;
        while let Some(part) = parts.get(at).copied() {
            at += 1;
            fault.hear(part);
            let inside = INSIDE.iter().filter_map(|name| part.get(*name)).filter(|inside| inside.is_object());
            parts.extend(inside.take(PARTS_MAX - parts.len().min(PARTS_MAX)));
        }
        fault
    }

    /// No answer, and nobody who waits for it any more.
    pub fn let_go(method: &str) -> Self {
        Self { is_let_go: true, raw: format!("no answer to {method}"), ..Self::default() }
    }

    fn hear(&mut self, part: &Value) {
        match part.get("code") {
            Some(Value::String(word)) if word == ACTION_REJECTED => self.action_rejected = true,
            Some(Value::String(number)) => self.codes.extend(number.trim().parse::<i32>().ok()),
            Some(number) => self.codes.extend(number.as_f64().map(|code| code as i32)),
            None => {}
        }
        for name in ["message", "reason"] {
            self.messages.extend(part.get(name).and_then(Value::as_str).map(str::to_lowercase));
        }
        // A bare text, or a message where an object is expected.
        self.messages.extend(part.as_str().or_else(|| part.get("data")?.as_str()).map(str::to_lowercase));
    }

    pub fn says(&self, code: i32) -> bool {
        self.codes.contains(&code)
    }

    fn says_any(&self, codes: &[i32]) -> bool {
        codes.iter().any(|code| self.says(*code))
    }

    fn reads(&self, words: &[&str]) -> bool {
        self.messages.iter().any(|message| words.iter().any(|word| message.contains(word)))
    }

    /// Did the person say no? Then the question is answered, and nothing was sent.
    pub fn is_refusal(&self) -> bool {
        let by_number = self.says_any(&[USER_REJECTED, WALLETCONNECT_REJECTED]) || self.action_rejected;
        let by_words = self.says_any(&ANYTHING) && self.reads(&NO);
        // Without any number: only if it says whose no it was.
        let bare = self.codes.is_empty() && self.reads(&NO) && self.reads(&["user"]);
        by_number || by_words || bare
    }

    fn is_already_asked(&self) -> bool {
        self.says(ALREADY_ASKED)
    }

    /// Is a question open there, as far as anybody knows?
    pub fn is_busy(&self) -> bool {
        self.is_already_asked() || self.is_let_go
    }

    /// Is it worth offering the chain to the wallet (B3)? It does not know the chain, or no way to switch to it.
    pub fn is_unknown_chain(&self) -> bool {
        self.says(UNKNOWN_CHAIN) || self.says_any(&UNKNOWN_METHOD) || (self.says_any(&ANYTHING) && self.reads(&NOT_KNOWN))
    }

    /// In our words, with the wallet's own under "Details". `wallet` is its name.
    pub fn meaning(&self, asked: Asked, wallet: &str) -> CallError {
        let error = if self.is_refusal() {
            match asked {
                Asked::Connect | Asked::SignIn => Code::Cancelled.into(),
                Asked::SwitchNetwork => Code::WrongChain.into(),
                Asked::Pay => Code::PaymentCancelled.into(),
                Asked::Authorize => CallError::saying(Code::PaymentCancelled, "Signature cancelled. Nothing was charged."),
                // Nobody was asked: it is the node that says so.
                Asked::Read => Code::WalletFailed.into(),
            }
        } else if self.is_let_go {
            CallError::saying(Code::WalletBusy, format!("{wallet} has not answered. Open it: a request may be waiting there."))
        } else if self.is_already_asked() {
            CallError::saying(Code::WalletBusy, format!("Open {wallet}: a request is waiting there."))
        } else if self.says(UNAUTHORIZED) || self.says_any(&DISCONNECTED) {
            Code::WalletDisconnected.into()
        } else {
            CallError::from(Code::WalletFailed)
        };
        error.with_details(&self.raw)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(codes: &[i32]) -> Fault {
        Fault { codes: codes.to_vec(), raw: "MetaMask: said so".into(), ..Fault::default() }
    }

    fn code(codes: &[i32], asked: Asked) -> Code {
        fault(codes).meaning(asked, "MetaMask").code
    }

    fn of(error: Value) -> Fault {
        Fault::of(&error, "as it came".into())
    }

    #[test]
    fn a4_b7_a_no_is_named_after_what_was_refused() {
        assert_eq!(code(&[4001], Asked::Connect), Code::Cancelled);
        assert_eq!(code(&[4001], Asked::SignIn), Code::Cancelled);
        assert_eq!(code(&[4001], Asked::SwitchNetwork), Code::WrongChain);
        assert_eq!(code(&[4001], Asked::Pay), Code::PaymentCancelled);
        let unsigned = fault(&[4001]).meaning(Asked::Authorize, "MetaMask");
        assert_eq!(
            (unsigned.code, unsigned.error.as_str()),
            (Code::PaymentCancelled, "Signature cancelled. Nothing was charged.")
        );
        assert_eq!(code(&[-32603, 4001], Asked::Pay), Code::PaymentCancelled, "also where the wallet wrapped it");
    }

    #[test]
    fn p6_every_way_to_say_no_is_a_no() {
        for no in [
            json!({ "code": 4001, "message": "" }),
            json!({ "code": "4001" }),
            json!({ "code": 5000, "message": "User rejected." }),
            json!({ "code": "ACTION_REJECTED", "message": "x" }),
            json!({ "code": -32603, "message": "MetaMask Tx Signature: User denied transaction signature." }),
            json!({ "code": -32603, "message": "Transaction REJECTED" }),
            json!({ "code": -32000, "message": "Cancelled by the user" }),
            json!({ "code": -32000, "message": "the request was canceled" }),
            json!({ "code": -32603, "message": "Internal JSON-RPC error.", "data": { "code": 4001 } }),
            json!({ "code": -32603, "message": "Internal JSON-RPC error.", "data": { "message": "User rejected the request" } }),
            json!({ "code": -32603, "data": { "originalError": { "code": 5000 } } }),
            json!({ "code": -32603, "data": { "cause": { "data": { "originalError": { "code": 4001 } } } } }),
            json!({ "message": "x", "cause": { "cause": { "cause": { "code": 4001 } } } }),
            json!({ "code": "UNKNOWN_ERROR", "info": { "error": { "code": 4001 } } }),
            json!({ "code": "UNKNOWN_ERROR", "error": { "code": "ACTION_REJECTED" } }),
            json!({ "message": "User rejected the transaction" }),
            json!("User denied"),
        ] {
            let said = of(no.clone());
            assert!(said.is_refusal(), "{no}");
            assert_eq!(said.meaning(Asked::Pay, "W").code, Code::PaymentCancelled, "{no}");
            assert_eq!(said.meaning(Asked::Connect, "W").code, Code::Cancelled, "{no}");
        }
        for other in [
            json!({ "code": -32603, "message": "Internal JSON-RPC error." }),
            json!({ "code": -32000, "message": "insufficient funds for gas * price + value" }),
            json!({ "code": -32002, "message": "Request denied: already pending" }),
            json!({ "code": -32601, "message": "The method is not available: denied" }),
            json!({ "message": "connection rejected" }),
            json!({}),
            json!(null),
        ] {
            assert!(!of(other.clone()).is_refusal(), "{other}");
        }
        let denied = of(json!({ "code": -32603, "message": "request rejected: too many" }));
        assert_eq!(denied.meaning(Asked::Read, "W").code, Code::WalletFailed, "nobody was asked");
    }

    #[test]
    fn p6_a_chain_that_cannot_be_switched_to_is_worth_offering() {
        for unknown in [
            json!({ "code": 4902 }),
            json!({ "code": "4902" }),
            json!({ "code": -32603, "data": { "originalError": { "code": 4902 } } }),
            json!({ "code": -32000, "cause": { "info": { "error": { "code": 4902 } } } }),
            json!({ "code": -32603, "message": "Unrecognized chain ID \"0x279f\"." }),
            json!({ "code": -32603, "message": "x", "data": { "message": "Unrecognized chain ID" } }),
            json!({ "code": -32601, "message": "The method does not exist" }),
            json!({ "code": 4200, "message": "Unsupported method" }),
        ] {
            assert!(of(unknown.clone()).is_unknown_chain(), "{unknown}");
        }
        for other in [json!({ "code": 4001 }), json!({ "code": -32603, "message": "Failed to fetch" }), json!({ "code": -32002 })]
        {
            assert!(!of(other.clone()).is_unknown_chain(), "{other}");
        }
    }

    #[test]
    fn an_error_of_any_shape_is_looked_into_with_bounds() {
        let mut deep = json!({ "code": 4001 });
        for _ in 0..1_000 {
            deep = json!({ "data": deep });
        }
        assert!(!of(deep).is_refusal(), "further down than any wallet goes");
        let wide =
            json!({ "data": { "cause": {}, "error": {}, "info": {} }, "cause": { "error": { "error": { "code": 4001 } } } });
        assert!(of(wide).is_refusal());
        let odd = json!({ "code": [4001], "message": 5, "data": "rejected", "cause": null, "error": [] });
        assert_eq!(of(odd).codes, Vec::<i32>::new());
    }

    #[test]
    fn a5_a_waiting_question_names_the_wallet_that_has_it() {
        let error = fault(&[-32002]).meaning(Asked::Connect, "Rabby");
        assert_eq!((error.code, error.error.as_str()), (Code::WalletBusy, "Open Rabby: a request is waiting there."));
    }

    #[test]
    fn a8_locked_and_disconnected_can_be_retried() {
        for gone in [4100, 4900, 4901] {
            assert_eq!(code(&[gone], Asked::Pay), Code::WalletDisconnected);
        }
    }

    #[test]
    fn b8_anything_else_keeps_the_wallets_words_under_details() {
        let error = fault(&[-32603]).meaning(Asked::Pay, "MetaMask");
        assert_eq!((error.code, error.details.as_deref()), (Code::WalletFailed, Some("MetaMask: said so")));
        assert_eq!(code(&[], Asked::Read), Code::WalletFailed);
    }
}
