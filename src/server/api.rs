//! The plain routes beside the server functions: prices by GET, runs by key, watches.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    routing::{MethodRouter, any, get, post},
};
use leptos::prelude::provide_context;
use serde::Deserialize;
use serde_json::json;

use super::events;
use crate::{
    agents,
    card::Card,
    error::{CallError, Code},
    ledger::watches::{WATCH_MS, Watch},
    session::guard::{self, Refused, signed_in},
    x402::{
        answer,
        call::broken,
        desk::{Desk, now_ms},
        offers::{same, sha256_hex},
    },
};

/// Everything below `/api` that is no server function. The paid `POST`s are mounted with leptos' routes, on the same paths.
pub fn routes(desk: &Desk) -> Router<Desk> {
    let mut router = Router::new()
        .route("/api/runs/{id}", get(run))
        .route("/api/runs/{id}/events", get(events::listen))
        .route("/api/watch", post(watch).delete(dismiss))
        .route("/api/x402/{agent}", any(no_such_agent))
        .route("/api/x402/{agent}/", any(with_slash))
        .merge(guard::routes());
    // Those too that this shop does not sell: their paid functions are mounted all the same, and say so.
    let unsold = agents::ON_SALE.iter().map(|agent| agent.card).filter(|card| desk.agent(card.slug).is_none());
    for card in desk.agents.iter().map(|agent| agent.card).chain(unsold) {
        router = router.route(&card.endpoint(), prices(card));
    }
    router
}

/// GET and HEAD tell the offers; `POST` on the same path is the server function, and OPTIONS is answered before (`cors`).
fn prices(card: &'static Card) -> MethodRouter<Desk> {
    let tell = move |State(desk): State<Desk>, headers: HeaderMap| async move { tell(&desk, card, &headers).await };
    let refuse = || async { answer::error(&Code::MethodNotAllowed.into()) };
    get(tell).put(refuse).patch(refuse).delete(refuse)
}

async fn tell(desk: &Desk, card: &Card, headers: &HeaderMap) -> Response<Body> {
    if let Err(closed) = desk.sells(card).await {
        return answer::error(&closed);
    }
    let told = answer::payment_required(desk, card, &Code::PaymentRequired.into());
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    // A browser that navigates here gets a page, with the same status and headers (B17).
    if text(header::ACCEPT).contains("text/html") && text(header::USER_AGENT).contains("Mozilla") {
        let (mut parts, _) = told.into_parts();
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        parts
            .headers
            .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
        let (name, summary, page, price) = (card.name, card.summary, card.page(), card.headline_price());
        // Every word of it is the card's, fixed at compile time.
        let html = format!(
            "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{name}: payment required</title><h1>{name}</h1><p>{summary}</p><p>One call costs {price}.</p>\
             <p><a href=\"{page}\">Run it in your browser</a></p>\
             <p>Programs: <a href=\"/openapi.json\">OpenAPI</a>, <a href=\"/llms.txt\">llms.txt</a></p></html>"
        );
        return Response::from_parts(parts, Body::from(html));
    }
    told
}

async fn no_such_agent() -> Refused {
    CallError::from(Code::NoSuchAgent).into()
}

/// The workflow's paths end with a slash; they are the same paths.
async fn with_slash(State(desk): State<Desk>, Path(slug): Path<String>, mut request: Request) -> axum::response::Response {
    let sold = desk.agent(&slug).map(|agent| agent.card);
    let Some(card) = sold.or_else(|| agents::find(&slug).map(|agent| agent.card)) else {
        return answer::error(&Code::NoSuchAgent.into());
    };
    match *request.method() {
        Method::POST => {
            *request.uri_mut() = card.endpoint().parse().unwrap_or_default();
            let context = desk.clone();
            axum::response::IntoResponse::into_response(
                leptos_axum::handle_server_fns_with_context(move || provide_context(context.clone()), request).await,
            )
        }
        Method::GET | Method::HEAD => tell(&desk, card, request.headers()).await,
        _ => answer::error(&Code::MethodNotAllowed.into()),
    }
}

/// What lets a program read a run without its payer's session.
#[derive(Deserialize)]
pub struct Key {
    pub key: Option<String>,
}

/// One's own run, or the run whose key is given; everything else is not there (E1).
async fn run(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Query(key): Query<Key>,
    headers: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let run = readable(&desk, &headers, &id, key.key.as_deref()).await?;
    let progress = desk.books.progress(&run.id).await.map_err(broken)?;
    Ok(answer::json(200, serde_json::to_vec(&desk.view_with(&run, progress)).unwrap_or_default()))
}

/// The run, if this caller may read it.
///
/// # Errors
/// [`Code::NoSuchRun`]: there is none, or it is somebody else's. Which of the two is nobody's business.
pub async fn readable(desk: &Desk, headers: &HeaderMap, id: &str, key: Option<&str>) -> Result<crate::ledger::Run, CallError> {
    let none = || CallError::from(Code::NoSuchRun);
    if id.parse::<uuid::Uuid>().is_err() {
        return Err(none());
    }
    let run = desk.books.run(id).await.map_err(broken)?.ok_or_else(none)?;
    if key.is_some_and(|key| key.len() <= 64 && same(sha256_hex(key.as_bytes()).as_bytes(), run.key_sha256.as_bytes())) {
        return Ok(run);
    }
    match signed_in(desk, headers).await? {
        Some((wallet, _)) if wallet == run.payer => Ok(run),
        _ => Err(none()),
    }
}

/// "This wallet is about to pay": asked by the page before the wallet opens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchFor {
    network: String,
    /// The card's slug.
    agent: String,
    /// The exact body of the run that was asked for.
    input: String,
}

async fn watch(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Result<Json<WatchFor>, JsonRejection>,
) -> Result<Response<Body>, Refused> {
    let (wallet, _) = signed_in(&desk, &headers).await?.ok_or_else(|| CallError::from(Code::NotSignedIn))?;
    let Json(asked) = body.map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    let card = agents::find(&asked.agent).map(|agent| agent.card).ok_or_else(|| CallError::from(Code::NoSuchAgent))?;
    if asked.input.len() > card.input_max {
        return Err(CallError::from(Code::TooLarge).into());
    }
    let chain = desk.chain(&asked.network).filter(|_| !desk.is_halted(&asked.network));
    let chain = chain.ok_or_else(|| CallError::from(Code::AgentUnavailable))?;
    // What is above the final head can be the payment. Without it the wallet must not open: a payment could be missed.
    let from_block = chain.final_head().await.map_err(|cause| {
        CallError::saying(
            Code::VerifierUnavailable,
            "The network cannot be read right now. Nothing was charged; try again in a moment.",
        )
        .with_details(cause)
    })?;
    let now = now_ms();
    let watch =
        Watch { network: asked.network, wallet, from_block, until_ms: now + WATCH_MS, agent: asked.agent, input: asked.input };
    desk.books.open_watch(&watch, now).await.map_err(broken)?;
    desk.waiting.notify_waiters();
    let body = json!({ "fromBlock": watch.from_block, "untilMs": watch.until_ms });
    Ok(answer::json(200, body.to_string().into_bytes()))
}

/// The visitor does not want the run any more; what arrived stays as credit.
async fn dismiss(State(desk): State<Desk>, headers: HeaderMap) -> Result<StatusCode, Refused> {
    let (wallet, _) = signed_in(&desk, &headers).await?.ok_or_else(|| CallError::from(Code::NotSignedIn))?;
    for chain in &desk.chains {
        desk.books.dismiss_arrival(&chain.network().id, wallet).await.map_err(broken)?;
    }
    Ok(StatusCode::NO_CONTENT)
}
