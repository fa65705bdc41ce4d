//! What stands in a receipt's place where a payment was shown and refused: `success: false`, and why (docs/protocol.md, "The receipt").
//!
//! Clients read `PAYMENT-RESPONSE`, not our bodies. A payment is refused in many places: by the call, by the limit per address, by a body that is too
//! long, by a panic. So over HTTP one layer around all of them sees to it. What is pending (202) is refused by nobody, and has none.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Response, StatusCode},
    middleware::Next,
};
use serde_json::Value;

use super::{
    answer,
    desk::Desk,
    fetch::request::PAID,
    outcome::{Outcome, Said},
    presented::{self, Presented},
    v1,
    wire::{PAYMENT_RESPONSE, PAYMENT_SIGNATURE, Settlement, X_PAYMENT},
};
use crate::error::{CallError, Code};

/// Bytes of a network's name that is told again: CAIP-2 allows 41.
const NETWORK_MAX: usize = 41;

/// Why, for the layer: whoever words an answer puts it beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    code: Code,
    /// x402's own word for it, if it has one.
    word: Option<String>,
}

impl From<&CallError> for Reason {
    fn from(why: &CallError) -> Self {
        Self { code: why.code, word: why.reason.clone() }
    }
}

impl Reason {
    fn text(&self) -> String {
        self.word.clone().unwrap_or_else(|| self.code.to_string())
    }
}

/// The layer: where a call's payment header was shown and refused, the answer says so as a receipt does.
pub async fn told(State(desk): State<Desk>, request: Request, next: Next) -> axum::response::Response {
    let shown = match request.uri().path().starts_with(PAID) {
        true => payment_headers(request.headers()),
        false => HeaderMap::new(),
    };
    let mut response = next.run(request).await;
    let status = response.status();
    let is_refused = status.is_client_error() || status.is_server_error();
    if shown.is_empty() || !is_refused || response.headers().contains_key(PAYMENT_RESPONSE) {
        return response;
    }
    let receipt = receipt(&desk, presented::read(&shown).ok().as_ref(), reason(&response));
    answer::put_receipt(&desk, response.headers_mut(), &receipt);
    response
}

/// Of all headers, those that the layer needs when the answer is there.
fn payment_headers(headers: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::new();
    for name in [PAYMENT_SIGNATURE, X_PAYMENT] {
        for value in headers.get_all(name) {
            shown.append(HeaderName::from_static(name), value.clone());
        }
    }
    shown
}

fn reason<B>(response: &Response<B>) -> String {
    match response.extensions().get::<Reason>() {
        Some(reason) => reason.text(),
        // Refused before anything of ours had words for it; x402 has some.
        None if response.status().is_client_error() && response.status() != StatusCode::TOO_MANY_REQUESTS => {
            "invalid_payload".to_owned()
        }
        None => "unexpected_verify_error".to_owned(),
    }
}

/// `shown`: `None` where it cannot be read.
fn receipt(desk: &Desk, shown: Option<&Presented>, reason: String) -> Settlement {
    let named = match shown {
        Some(Presented::V2(payment)) => Some(payment.accepted.network.clone()),
        Some(Presented::V1(payment)) => Some(v1::network(desk, payment).map_or(&payment.network, |network| &network.id).clone()),
        Some(Presented::BareHash(_) | Presented::Nothing) | None => None,
    };
    // What names none is for the first network of the shop.
    let first = || desk.chains.first().map(|chain| chain.network().id.clone()).unwrap_or_default();
    Settlement {
        success: false,
        transaction: String::new(),
        network: named.filter(|name| name.len() <= NETWORK_MAX).unwrap_or_else(first),
        payer: None,
        amount: None,
        error_reason: Some(reason),
    }
}

/// The same over MCP, whose payment is no header: the receipt of a refusal.
pub fn of_meta(desk: &Desk, payment: &Value, why: &CallError) -> Settlement {
    receipt(desk, presented::in_meta(Some(payment)).ok().as_ref(), Reason::from(why).text())
}

/// A call over MCP, with that receipt where it was refused and has none.
pub fn with_receipt(desk: &Desk, payment: Option<&Value>, outcome: Outcome) -> Outcome {
    let refused = match (&outcome.said, payment) {
        (Said::Demanded { why, .. }, Some(payment)) => Some((why, payment)),
        (Said::Told(why), Some(payment)) if why.code.status() >= 400 => Some((why, payment)),
        _ => None,
    };
    let receipt = outcome.receipt.clone().or_else(|| refused.map(|(why, payment)| of_meta(desk, payment, why)));
    Outcome { receipt, ..outcome }
}
