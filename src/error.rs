//! What a caller is told when there is no answer: one code per cause, with its status, its way out and its sentence in one place.

use std::fmt;

use leptos::server_fn::{codec::JsonEncoding, error::FromServerFnError, error::ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use crate::{evm::TxHash, money::Money};

/// What may be done next without losing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Send the same request with the same payment again.
    SamePayment,
    /// Only another payment can help.
    NewPayment,
    No,
}

/// Where a payment is that has no answer yet. Each is something that the server or the chain has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Shown to us; no block holds it yet, as far as we know.
    Sent,
    Included,
    Final,
    /// Paid for; the agent works.
    Running,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $status:literal, $retry:ident, $sentence:literal;)*) => {
        /// The machine-readable word of every outcome that is not an answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// HTTP status. Zero: it happens in the browser and never on the wire.
            pub fn status(self) -> u16 {
                match self { $(Self::$code => $status,)* }
            }

            pub fn retry(self) -> Retry {
                match self { $(Self::$code => Retry::$retry,)* }
            }

            /// What the page says, where nobody knows it better.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$code => $sentence,)* }
            }
        }
    };
}

codes! {
    PaymentPending = 202, SamePayment, "Your payment is on its way. It is not final yet.";
    /// It came inside somebody else's transaction, and no node tells whose coin moved.
    PayerUnknown = 202, SamePayment, "Your payment has arrived; we are finding out which account sent it.";
    Running = 202, SamePayment, "Your payment arrived. The agent is running.";

    BadPaymentHeader = 400, No, "The payment header cannot be read. Nothing was charged.";
    BadJson = 400, No, "The request body is not the JSON object that this agent takes. Nothing was charged.";
    InvalidInput = 400, No, "Some of the input cannot be used. Nothing was charged.";

    NotSignedIn = 401, SamePayment, "Sign in with your wallet first.";
    PayerNotProven = 401, SamePayment, "This payment is not shown to be yours. Sign in with the wallet that sent it, then send it again.";
    BadNonce = 401, No, "This sign-in was already used, or is not ours. Ask for a new one.";
    BadDomain = 401, No, "This sign-in was made for another site.";
    SignInExpired = 401, No, "This sign-in has expired. Ask for a new one.";
    BadSignature = 401, No, "The signature is not by the wallet that it names.";

    PaymentRequired = 402, NewPayment, "Payment required";
    PaymentInvalid = 402, NewPayment, "The payment does not fit the offer. Nothing was charged.";
    SettlementFailed = 402, NewPayment, "The payment could not be settled. Nothing was charged.";
    /// Of before: rows of then have it. What they were about is looked at again when it is shown again (`Run::may_be_judged_again`).
    UnsupportedTransfer = 402, NewPayment, "The money moved inside a contract call. Send the same payment again: it is looked at once more.";
    PaymentReverted = 402, NewPayment, "Failed on chain. The network fee is lost, the price was not paid.";
    WrongRecipient = 402, NewPayment, "The transaction did not pay this shop.";
    WrongNetwork = 402, NewPayment, "The payment is on a network where this agent is not sold.";
    AmountTooLow = 402, NewPayment, "The payment is less than the price. What arrived is your credit.";
    PaymentTooOld = 402, NewPayment, "The payment is older than the offer. It is your credit.";
    PaymentReplaced = 402, NewPayment, "The payment was replaced; nothing was paid. The offer is open again.";
    OfferExpired = 402, NewPayment, "The offer has expired. Here is a fresh one.";

    PayerMismatch = 403, No, "Another wallet sent this payment. It stays the credit of the wallet that paid.";
    CrossSite = 403, No, "This request came from another site.";

    NoSuchAgent = 404, No, "There is no such agent.";
    NoSuchRun = 404, No, "There is no such run.";

    MethodNotAllowed = 405, No, "Only POST runs an agent. GET and HEAD tell its price.";
    PaymentAlreadyUsed = 409, NewPayment, "This payment was already used.";
    PaymentNotFound = 410, SamePayment, "The network does not know this payment yet. We keep watching for it; another payment would be a second one.";
    ContentDeleted = 410, No, "Input and answer of this run were deleted.";
    Permit2AllowanceRequired = 412, SamePayment, "Permit2 may not move this token of yours yet: approve it once, then send the same payment again. Nothing was charged.";
    TooLarge = 413, No, "The input is too large. Nothing was charged.";
    UnsupportedMediaType = 415, No, "Send the input as application/json. Nothing was charged.";

    RateLimited = 429, SamePayment, "Too many requests. Wait a moment.";
    FailingTooOften = 429, SamePayment, "Too many of your runs failed lately. Try again later; your credit stays.";

    AgentFailed = 500, SamePayment, "The run failed. You were not charged.";
    /// Ours, and a bug or a full disk: the cause is in the log, never in the answer.
    Internal = 500, SamePayment, "Something broke on our side. Nothing is lost; try again.";

    VerifierUnavailable = 503, SamePayment, "Your payment is safe. We are checking.";
    AgentUnavailable = 503, No, "This agent is not available right now. Nothing was charged.";

    /// A call while rendering, or by another agent: nobody paid for it.
    Unpaid = 0, No, "This call has not been paid for.";
    NoWallet = 0, No, "No wallet was found in this browser.";
    Cancelled = 0, No, "Connection cancelled.";
    PaymentCancelled = 0, No, "Payment cancelled. Nothing was charged.";
    WalletBusy = 0, No, "Open MetaMask: a request is waiting there.";
    /// For this very call, before: what became of the question is not known here.
    AlreadyAsked = 0, No, "Open MetaMask: a request is waiting there.";
    WalletDisconnected = 0, No, "Your wallet is locked or not connected.";
    WrongChain = 0, No, "Your wallet is on another network. Nothing was charged.";
    AccountChanged = 0, No, "Your wallet switched to another account. Nothing was charged.";
    InsufficientFunds = 0, No, "Your wallet has too little for the price and the network fee.";
    PriceChanged = 0, No, "The price has changed.";
    WalletFailed = 0, No, "Your wallet answered with an error. Nothing was charged.";
    Offline = 0, SamePayment, "The shop cannot be reached. Nothing is lost.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One input field that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's path in the input: `address`; empty for the input as a whole.
    pub field: String,
    pub error: String,
}

/// The body of every answer that is not a result (ux.md, "Answers of the server"), and what paid server functions fail with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}")]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    /// A sentence that a visitor can act on.
    pub error: String,
    pub code: Code,
    #[serde(rename = "retry")]
    pub retry: Retry,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TxHash>,
    /// Milliseconds; also the `Retry-After` header, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What the payer has standing with us after this, in the asset concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<Money>,
    /// x402's own word for the cause (facts: `invalid_payment_requirements`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The run that this is about, where it is the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Where the payment is, on a 202.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The wallet's or library's own words, shown under "Details".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

impl From<Code> for CallError {
    fn from(code: Code) -> Self {
        Self {
            error: code.sentence().to_owned(),
            code,
            retry: code.retry(),
            fields: Vec::new(),
            transaction: None,
            retry_after_ms: None,
            credit: None,
            reason: None,
            run: None,
            stage: None,
            details: None,
        }
    }
}

impl CallError {
    /// A sentence that fits better than the code's own.
    pub fn saying(code: Code, sentence: impl Into<String>) -> Self {
        Self { error: sentence.into(), ..code.into() }
    }

    /// Input that nobody should pay for, field by field.
    pub fn invalid_input(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Code::InvalidInput.into() }
    }

    /// Input of more than so many bytes.
    pub fn too_large(max: usize) -> Self {
        Self::saying(Code::TooLarge, format!("The input is larger than {} KiB. Nothing was charged.", max / 1024))
    }

    /// The agent could not do it, in words for the payer; its price is released.
    pub fn agent_failed(why: impl fmt::Display) -> Self {
        Self::saying(Code::AgentFailed, format!("The run failed: {why} You were not charged."))
    }

    pub fn with_reason(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }

    pub fn with_transaction(self, transaction: TxHash) -> Self {
        Self { transaction: Some(transaction), ..self }
    }

    pub fn with_credit(self, credit: Money) -> Self {
        Self { credit: Some(credit), ..self }
    }

    pub fn with_run(self, run: impl fmt::Display) -> Self {
        Self { run: Some(run.to_string()), ..self }
    }

    pub fn with_details(self, details: impl fmt::Display) -> Self {
        Self { details: Some(details.to_string()), ..self }
    }

    pub fn at_stage(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Milliseconds.
    pub fn after_ms(self, wait_ms: u64) -> Self {
        Self { retry_after_ms: Some(wait_ms), ..self }
    }
}

impl CallError {
    /// What an answer that is no result says. A proxy's own page has no code: then the status decides, and never that nothing was paid.
    pub fn of_answer(status: u16, body: &str) -> Self {
        serde_json::from_slice(body.as_bytes()).unwrap_or_else(|_| {
            let code = match status {
                202 => Code::PaymentPending,
                401 => Code::NotSignedIn,
                402 => Code::PaymentRequired,
                413 => Code::TooLarge,
                429 => Code::RateLimited,
                502..=504 => Code::Offline,
                _ => Code::Internal,
            };
            Self::from(code).with_details(format_args!("HTTP {status}"))
        })
    }
}

impl FromServerFnError for CallError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(cause: ServerFnErrorErr) -> Self {
        let code = match cause {
            ServerFnErrorErr::Request(_) => Code::Offline,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Code::BadJson,
            _ => Code::Internal,
        };
        Self::from(code).with_details(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shape_is_the_documented_one() {
        let body = serde_json::to_value(CallError::from(Code::PaymentPending).after_ms(1000)).expect("plain data");
        assert_eq!(
            body,
            serde_json::json!({
                "error": "Your payment is on its way. It is not final yet.",
                "code": "payment_pending", "retry": "same_payment", "retryAfterMs": 1000,
            })
        );
    }

    #[test]
    fn a_pending_answer_says_where_the_payment_is() {
        let body = serde_json::to_value(CallError::from(Code::PaymentPending).at_stage(Stage::Included)).expect("plain data");
        assert_eq!(body["stage"], "included");
    }

    #[test]
    fn a_proxys_page_never_reads_as_unpaid() {
        assert_eq!(CallError::of_answer(504, "<html>Gateway timeout</html>").code, Code::Offline);
        assert_eq!(CallError::of_answer(500, "").code, Code::Internal);
        let said = serde_json::to_string(&CallError::from(Code::AgentFailed)).expect("plain data");
        assert_eq!(CallError::of_answer(500, &said).code, Code::AgentFailed);
    }

    #[test]
    fn unknown_is_never_a_demand_for_money() {
        assert_eq!(Code::VerifierUnavailable.status(), 503);
        assert_eq!(Code::PaymentPending.status(), 202);
        for code in Code::ALL {
            assert!(code.status() != 402 || code.retry() == Retry::NewPayment, "{code}");
        }
    }
}
