//! What goes back over HTTP: the 402 that three kinds of client read at once, and the answers of a run (docs/protocol.md, "Answers").

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

use super::{
    bazaar::BAZAAR,
    desk::{Desk, now_ms},
    payment_identifier::{self, PAYMENT_IDENTIFIER},
    sign_in::{self, SIGN_IN_WITH_X},
    till, v1,
    wire::{self, IDEMPOTENT_REPLAY, PAYMENT_REQUIRED, PAYMENT_RESPONSE, PaymentRequired, Settlement, X_PAYMENT_RESPONSE},
};
use crate::{
    card::Card,
    error::{CallError, Code, Retry, Stage},
    ledger::{AuthorizationState, Run},
    run::RunState,
};

/// The same request again after so long, while a payment is under way.
const AGAIN_MS: u64 = 1_000;
/// What a page of another origin may read.
const EXPOSED: &str = "PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, Location, Content-Location, Retry-After, \
                       X-Idempotent-Replay, x-payment-address, x-price-amount, x-price-currency, x-evm-chain-id, ETag, Mcp-Session-Id";

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
    if let Some(wait_ms) = error.retry_after_ms {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
    }
    response
}

/// An error of a call: with fresh offers, if only another payment can help. Where one was made already and may count, there are none: a client
/// that sees offers pays.
pub fn refusal(desk: &Desk, card: &Card, why: &CallError) -> Response<Body> {
    let may_pay = why.code.status() == 402 && why.retry != Retry::SamePayment;
    if may_pay { payment_required(desk, card, why) } else { error(why) }
}

/// The 402: the v2 header, the v1 body and the workflow's own shape, at once.
pub fn payment_required(desk: &Desk, card: &Card, why: &CallError) -> Response<Body> {
    let offers = desk.offers(card, now_ms(), why.credit.as_ref());
    // The workflow's payers send the coin themselves: its shape describes that offer, where there is one.
    let shown = offers.iter().find(|offer| offer.is_native()).or(offers.first());
    let Some((offer, asked)) = shown.and_then(|offer| Some((offer, desk.money(&offer.asset()?, offer.amount)?))) else {
        return error(&CallError::saying(Code::AgentUnavailable, "Payments are closed for now. Nothing was charged."));
    };
    let network = desk.chain(&offer.network).map(|chain| chain.network());
    let amount = asked.amount.to_units(asked.decimals);
    let resource = desk.resource(card);
    let mut body = serde_json::to_value(why).unwrap_or_default();
    if let Value::Object(body) = &mut body {
        body.insert("x402Version".into(), 1.into());
        body.insert("accepts".into(), json!(v1::accepts(desk, card, &offers, &resource.url)));
        body.insert("message".into(), "Payment required".into());
        body.insert(
            "paymentRequirements".into(),
            json!({
                "amount": amount,
                "asset": asked.symbol,
                "chain": network.map(|network| network.slug.as_str()),
                "chainId": offer.chain_id(),
                "payTo": offer.pay_to,
                "description": card.name,
            }),
        );
    }
    let mut response = json(402, serde_json::to_vec(&body).unwrap_or_default());
    let legacy = [
        ("x-payment-address", offer.pay_to.to_string()),
        ("x-price-amount", amount),
        ("x-price-currency", asked.symbol),
        ("x-evm-chain-id", offer.chain_id().unwrap_or_default().to_string()),
    ];
    for (name, value) in legacy {
        put(response.headers_mut(), name, &value);
    }
    let url = resource.url.clone();
    let required = PaymentRequired {
        x402_version: 2,
        error: Some(why.reason.clone().unwrap_or_else(|| why.error.clone())),
        resource,
        accepts: offers,
        extensions: extensions(desk, card, &url),
    };
    put(response.headers_mut(), PAYMENT_REQUIRED, &wire::encode(&required));
    response
}

/// What a client may use beside a payment, each under its name.
fn extensions(desk: &Desk, card: &Card, resource: &str) -> serde_json::Map<String, Value> {
    let bazaar = desk.bazaar(card).map(|bazaar| (BAZAAR.to_owned(), bazaar.clone()));
    let ours = [
        (PAYMENT_IDENTIFIER.to_owned(), payment_identifier::extension()),
        (SIGN_IN_WITH_X.to_owned(), sign_in::extension(desk, resource, now_ms())),
    ];
    bazaar.into_iter().chain(ours).collect()
}

/// What the row says, whether it has just become so or was so before.
pub fn of_run(desk: &Desk, card: &Card, run: &Run, replay: bool) -> Response<Body> {
    match run.state {
        RunState::Waiting | RunState::Held | RunState::Running => {
            let stage = till::stage_of(run);
            let code = if stage == Stage::Running { Code::Running } else { Code::PaymentPending };
            let mut pending = CallError::from(code).at_stage(stage).with_run(&run.id).after_ms(AGAIN_MS);
            pending.transaction = run.transaction;
            let mut response = error(&pending);
            put(response.headers_mut(), header::LOCATION.as_str(), &location(desk, run));
            response
        }
        RunState::Done => match &run.output {
            Some(output) => {
                let mut response = json(200, output.clone().into_bytes());
                if replay {
                    put(response.headers_mut(), IDEMPOTENT_REPLAY, "true");
                }
                with_receipt(response, desk, run)
            }
            None => with_receipt(error(&CallError::from(Code::ContentDeleted).with_run(&run.id)), desk, run),
        },
        // Signed for and not settled: no payment took place, so there is no receipt of one.
        RunState::Failed if is_signed_only(run) => error(&not_charged(desk, run)),
        RunState::Failed => with_receipt(error(&not_charged(desk, run)), desk, run),
        RunState::Void => {
            let why = failure(run);
            let response = refusal(desk, card, &why);
            if why.code == Code::SettlementFailed { not_settled(response, run, &why) } else { response }
        }
    }
}

fn failure(run: &Run) -> CallError {
    let mut why = run.error.clone().unwrap_or_else(|| Code::AgentFailed.into()).with_run(&run.id);
    why.transaction = why.transaction.or(run.transaction);
    why
}

/// Its price was signed for, and nobody has sent it.
fn is_signed_only(run: &Run) -> bool {
    run.authorization.as_ref().is_some_and(|paid| paid.state != AuthorizationState::Settled)
}

/// A failed run's reason, and what became of its price.
fn not_charged(desk: &Desk, run: &Run) -> CallError {
    let why = failure(run);
    if is_signed_only(run) {
        return CallError { error: format!("{} Your authorization was not used.", why.error), ..why };
    }
    match run.price.as_ref().and_then(|(asset, amount)| desk.money(asset, *amount)) {
        Some(price) => CallError { error: format!("{} {price} went to your credit.", why.error), ..why },
        None => why,
    }
}

/// A settlement was tried and failed: the receipt says so, in x402's words.
fn not_settled(mut response: Response<Body>, run: &Run, why: &CallError) -> Response<Body> {
    let receipt = wire::encode(&Settlement {
        success: false,
        transaction: String::new(),
        network: run.network.clone(),
        payer: Some(run.payer),
        amount: None,
        error_reason: why.reason.clone(),
    });
    put(response.headers_mut(), PAYMENT_RESPONSE, &receipt);
    put(response.headers_mut(), X_PAYMENT_RESPONSE, &receipt);
    response
}

/// Where the run can be read with its key and no session.
fn location(desk: &Desk, run: &Run) -> String {
    format!("/api/runs/{}?key={}", run.id, desk.seal.run_key(&run.id))
}

/// The payment itself succeeded, whatever the agent made of it: the money is spent or credit, and the receipt says whose.
fn with_receipt(mut response: Response<Body>, desk: &Desk, run: &Run) -> Response<Body> {
    let receipt = wire::encode(&Settlement {
        success: true,
        transaction: run.transaction.map(|hash| hash.to_string()).unwrap_or_default(),
        network: run.network.clone(),
        payer: Some(run.payer),
        amount: run.price.as_ref().map(|(_, amount)| *amount),
        error_reason: None,
    });
    let headers = response.headers_mut();
    put(headers, PAYMENT_RESPONSE, &receipt);
    put(headers, X_PAYMENT_RESPONSE, &receipt);
    put(headers, header::CONTENT_LOCATION.as_str(), &location(desk, run));
    response
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    // Names are ours, and values are ASCII of ours: neither fails.
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
