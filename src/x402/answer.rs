//! What goes back over HTTP: the 402 that three kinds of client read at once, and the answers of a run (docs/protocol.md, "Answers").

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

use super::{
    desk::Desk,
    outcome::{self, Outcome, Said},
    refusal::Reason,
    sign_in::SIGN_IN_WITH_X,
    template, v1,
    wire::{self, IDEMPOTENT_REPLAY, PAYMENT_REQUIRED, PAYMENT_RESPONSE, PaymentRequired, Settlement, X_PAYMENT_RESPONSE},
};
use crate::{
    card::Card,
    error::{CallError, Code},
};

/// What a page of another origin may read.
const EXPOSED: &str = "PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, Location, Content-Location, Retry-After, \
                       X-Idempotent-Replay, x-payment-address, x-price-amount, x-price-currency, x-evm-chain-id, ETag, Mcp-Session-Id";

/// In the body of a 402 that version 1 has no way to pay: its `accepts` is empty, and whoever reads the body alone would find nothing.
const WHERE_TO_LOOK: &str = "The offers are in the header PAYMENT-REQUIRED (base64 of JSON, x402 version 2, under `accepts`). `accepts` of this body is \
    for clients of version 1, which have no way to pay them; `paymentRequirements` is an offer in the network's own coin.";

/// Any answer to a caller: JSON, never cached, readable from any origin (without cookies).
pub fn json(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie, PAYMENT-SIGNATURE, X-PAYMENT"));
    readable_anywhere(headers);
    response
}

/// A page of any origin may read it, payment headers included; `*` never goes with cookies.
pub fn readable_anywhere(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// An error that needs no offers beside it.
pub fn error(error: &CallError) -> Response<Body> {
    let status = match error.code.status() {
        0 => 500,
        status => status,
    };
    // Plain data: it always serialises.
    let mut response = json(status, serde_json::to_vec(error).unwrap_or_default());
    response.extensions_mut().insert(Reason::from(error));
    if let Some(wait_ms) = error.retry_after_ms {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
    }
    response
}

/// A call's outcome.
pub fn of(desk: &Desk, card: &Card, outcome: &Outcome) -> Response<Body> {
    let mut response = match &outcome.said {
        Said::Report { json: report, replay } => {
            let mut response = json(200, report.clone().into_bytes());
            if *replay {
                put(response.headers_mut(), IDEMPOTENT_REPLAY, "true");
            }
            response
        }
        Said::Told(why) => error(why),
        Said::Demanded { why, without } => {
            let mut response = with_offers(desk, card, why, without, true);
            response.extensions_mut().insert(Reason::from(why));
            response
        }
    };
    let headers = response.headers_mut();
    if let Some(receipt) = &outcome.receipt {
        put_receipt(desk, headers, receipt);
    }
    if let Some(path) = &outcome.run_path {
        // What is under way is elsewhere; what has ended is here too.
        let name = if outcome.receipt.is_some() { header::CONTENT_LOCATION } else { header::LOCATION };
        put(headers, name.as_str(), path);
    }
    response
}

/// Under both names, of version 2 and of version 1.
pub fn put_receipt(desk: &Desk, headers: &mut HeaderMap, receipt: &Settlement) {
    put(headers, PAYMENT_RESPONSE, &wire::encode(receipt));
    put(headers, X_PAYMENT_RESPONSE, &wire::encode(&v1::receipt(desk, receipt)));
}

/// The 402 of a question about the price: the v2 header, the v1 body and the workflow's own shape, at once. It offers no sign-in: registries ask this
/// question, and list what offers one as free for whoever signs in. A call's own 402 does ([`of`]): who makes it may have credit.
pub fn payment_required(desk: &Desk, card: &Card, why: &CallError) -> Response<Body> {
    with_offers(desk, card, why, &[], false)
}

/// `signs_in`: with a sign-in among what is offered.
fn with_offers(desk: &Desk, card: &Card, why: &CallError, without: &[String], signs_in: bool) -> Response<Body> {
    let made = || {
        outcome::demand(desk, card, desk.resource(card), desk.bazaar(card), why, without).map(|mut required| {
            if !signs_in {
                required.extensions.remove(SIGN_IN_WITH_X);
            }
            let answer = demanded(desk, card, &required, why);
            (required, answer)
        })
    };
    // Nobody in particular asks for a price: there is a form for that.
    if without.is_empty()
        && *why == CallError::from(Code::PaymentRequired)
        && desk.is_not_known_to_be_away(card).is_ok()
        && let Some(answer) = template::unpaid(desk, card, signs_in, || made().ok())
    {
        return answer;
    }
    match made() {
        Ok((_, answer)) => answer,
        Err(closed) => error(&closed),
    }
}

fn demanded(desk: &Desk, card: &Card, required: &PaymentRequired, why: &CallError) -> Response<Body> {
    let PaymentRequired { accepts: offers, resource, .. } = required;
    let mut body = serde_json::to_value(why).unwrap_or_default();
    if let Value::Object(body) = &mut body {
        let accepts = v1::accepts(desk, card, offers, &resource.url);
        if accepts.is_empty() {
            body.insert("hint".into(), format!("{WHERE_TO_LOOK} How to pay: {}/llms.txt", desk.public_url).into());
        }
        body.insert("x402Version".into(), 1.into());
        body.insert("accepts".into(), json!(accepts));
        body.insert("message".into(), "Payment required".into());
    }
    // The workflow's payers send the coin themselves: its shape describes that offer, where there is one.
    let shown = offers.iter().find(|offer| offer.is_native()).or(offers.first());
    let workflow = shown.and_then(|offer| Some((offer, desk.money(&offer.asset()?, offer.amount)?)));
    if let (Some((offer, asked)), Value::Object(body)) = (&workflow, &mut body) {
        let network = desk.chain(&offer.network).map(|chain| chain.network());
        body.insert(
            "paymentRequirements".into(),
            json!({
                "amount": asked.amount.to_units(asked.decimals),
                "asset": asked.symbol,
                "chain": network.map(|network| network.slug.as_str()),
                "chainId": offer.chain_id(),
                "payTo": offer.pay_to,
                "description": card.name,
            }),
        );
    }
    let mut response = json(402, serde_json::to_vec(&body).unwrap_or_default());
    let headers = response.headers_mut();
    if let Some((offer, asked)) = workflow {
        put(headers, "x-payment-address", &offer.pay_to.to_string());
        put(headers, "x-price-amount", &asked.amount.to_units(asked.decimals));
        put(headers, "x-price-currency", &asked.symbol);
        put(headers, "x-evm-chain-id", &offer.chain_id().unwrap_or_default().to_string());
    }
    put(headers, PAYMENT_REQUIRED, &wire::encode(required));
    response
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    // Names are ours, and values are ASCII of ours: neither fails.
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
