//! The plain routes beside the server functions: prices, runs by key, watches.

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, Query, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts},
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
    ledger::watches::{Opened, WATCH_MS, Watch},
    money::Amount,
    runs::nul,
    session::guard::{self, Refused, signed_in},
    x402::{
        answer,
        call::{Caller, broken},
        decorator,
        desk::{Desk, now_ms},
        fetch::request::PAID,
        no_call,
        offers::{same, sha256_hex},
        signer::{Allowance, Asks},
    },
};

/// Everything below `/api` that is no server function; and the paid ones that are on sale here, whose unpaid calls never get to leptos ([`sold`]).
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
    for card in unsold {
        router = router.route(&card.endpoint(), prices(card));
    }
    for card in desk.agents.iter().map(|agent| agent.card) {
        router = router.route(&card.endpoint(), prices(card).post(call));
    }
    router
}

/// The paths whose `POST` is answered here, and not by leptos.
pub fn sold(desk: &Desk) -> Vec<String> {
    desk.agents.iter().map(|agent| agent.card.endpoint()).collect()
}

/// A call without a payment is answered at once; one with a payment is its server function's.
async fn call(State(desk): State<Desk>, request: Request) -> axum::response::Response {
    let slug = request.uri().path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let request = match desk.agent(slug) {
        Some(agent) => match decorator::unpaid(&desk, agent, request).await {
            Ok(answer) => return answer,
            Err(request) => request,
        },
        None => request,
    };
    let context = desk.clone();
    axum::response::IntoResponse::into_response(
        leptos_axum::handle_server_fns_with_context(move || provide_context(context.clone()), request).await,
    )
}

/// GET and HEAD tell the offers; `POST` on the same path is a call, and OPTIONS is answered before (`cors`).
fn prices(card: &'static Card) -> MethodRouter<Desk> {
    let tell = move |State(desk): State<Desk>, parts: Parts| async move { tell(&desk, card, &parts).await };
    let refuse = move |State(desk): State<Desk>, parts: Parts| async move { refuse(&desk, card, &parts).await };
    get(tell).put(refuse).patch(refuse).delete(refuse)
}

/// Another method: no call, and no question about the price.
async fn refuse(desk: &Desk, card: &Card, parts: &Parts) -> Response<Body> {
    let why = CallError::from(Code::MethodNotAllowed);
    answer::error(&unused(desk, Some(card), card.slug, parts, why.clone()).await.unwrap_or(why))
}

/// What is said of a payment beside this. `None`: there is none.
async fn unused(desk: &Desk, card: Option<&Card>, slug: &str, parts: &Parts, why: CallError) -> Option<CallError> {
    let resource = format!("{}{PAID}{slug}", desk.public_url);
    no_call::in_headers(desk, card, Caller::of(parts, &resource), why).await
}

async fn tell(desk: &Desk, card: &Card, parts: &Parts) -> Response<Body> {
    // With a payment it is a call by the wrong method: offers would ask for another one.
    if let Some(why) = unused(desk, Some(card), card.slug, parts, Code::MethodNotAllowed.into()).await {
        return answer::error(&why);
    }
    if let Err(closed) = desk.sells(card).await {
        return answer::error(&closed);
    }
    let told = answer::payment_required(desk, card, &Code::PaymentRequired.into());
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
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

async fn no_such_agent(State(desk): State<Desk>, Path(slug): Path<String>, parts: Parts) -> Response<Body> {
    none_of_that_name(&desk, &slug, &parts).await
}

async fn none_of_that_name(desk: &Desk, slug: &str, parts: &Parts) -> Response<Body> {
    let why = CallError::from(Code::NoSuchAgent);
    answer::error(&unused(desk, None, slug, parts, why.clone()).await.unwrap_or(why))
}

/// The workflow's paths end with a slash; they are the same paths.
async fn with_slash(State(desk): State<Desk>, Path(slug): Path<String>, request: Request) -> axum::response::Response {
    let (mut parts, body) = request.into_parts();
    let sold = desk.agent(&slug).map(|agent| agent.card);
    let Some(card) = sold.or_else(|| agents::find(&slug).map(|agent| agent.card)) else {
        return none_of_that_name(&desk, &slug, &parts).await;
    };
    match parts.method {
        Method::POST => {
            parts.uri = card.endpoint().parse().unwrap_or_default();
            call(State(desk), Request::from_parts(parts, body)).await
        }
        Method::GET | Method::HEAD => tell(&desk, card, &parts).await,
        _ => refuse(&desk, card, &parts).await,
    }
}

/// What lets a program read a run without its payer's session, in the query of links of before: now it comes in `Authorization: Bearer`, which no
/// proxy writes down.
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

/// The run, if this caller may read it: by `key`, by the key that the headers bring, or by the session.
///
/// # Errors
/// [`Code::NoSuchRun`]: there is none, or it is somebody else's. Which of the two is nobody's business.
pub async fn readable(desk: &Desk, headers: &HeaderMap, id: &str, key: Option<&str>) -> Result<crate::ledger::Run, CallError> {
    let none = || CallError::from(Code::NoSuchRun);
    if id.parse::<uuid::Uuid>().is_err() {
        return Err(none());
    }
    let run = desk.books.run(id).await.map_err(broken)?.ok_or_else(none)?;
    let opens = |key: &str| key.len() <= 64 && same(sha256_hex(key.as_bytes()).as_bytes(), run.key_sha256.as_bytes());
    if [key, guard::run_key(headers)].into_iter().flatten().any(opens) {
        return Ok(run);
    }
    match signed_in(desk, headers).await? {
        Some(session) if session.wallet == run.payer && session.counts_on(&run.network) => Ok(run),
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
    /// What the wallet will be asked for, in atomic units.
    amount: Option<Amount>,
    /// A watch that was opened for this call before: it is made longer, unless what it waited for has come.
    watch: Option<String>,
}

async fn watch(
    State(desk): State<Desk>,
    headers: HeaderMap,
    allowance: Option<Extension<Allowance>>,
    body: Result<Json<WatchFor>, JsonRejection>,
) -> Result<Response<Body>, Refused> {
    let session = signed_in(&desk, &headers).await?.ok_or_else(|| CallError::from(Code::NotSignedIn))?;
    let wallet = session.wallet;
    let Json(asked) = body.map_err(|cause| CallError::from(Code::BadJson).with_details(cause))?;
    let texts = [
        ("network", Some(&asked.network)),
        ("agent", Some(&asked.agent)),
        ("input", Some(&asked.input)),
        ("watch", asked.watch.as_ref()),
    ];
    if let Some((field, _)) = texts.into_iter().find(|(_, text)| text.is_some_and(|text| nul::is_in(text))) {
        return Err(nul::refused(field).into());
    }
    let card = agents::find(&asked.agent).map(|agent| agent.card).ok_or_else(|| CallError::from(Code::NoSuchAgent))?;
    if asked.input.len() > card.input_max {
        return Err(CallError::from(Code::TooLarge).into());
    }
    if let Some(id) = &asked.watch {
        let now = now_ms();
        let renewed = desk.books.renew_watch(id, wallet, now).await.map_err(broken)?;
        // Nothing is opened anew: a question that was answered is over.
        let until = renewed.then_some(now + WATCH_MS);
        return Ok(answer::json(200, json!({ "watch": id, "untilMs": until }).to_string().into_bytes()));
    }
    let is_open = !desk.is_halted(&asked.network) && !desk.is_coin_closed(&asked.network);
    let chain = desk.chain(&asked.network).filter(|_| is_open);
    let chain = chain.ok_or_else(|| CallError::from(Code::AgentUnavailable))?;
    guard::on(&desk, &session, &asked.network)?;
    if let Some(Extension(allowance)) = allowance {
        allowance.take(Asks::Look)?;
    }
    let unreadable = || {
        CallError::saying(
            Code::VerifierUnavailable,
            "The network cannot be read right now. Nothing was charged; try again in a moment.",
        )
    };
    if desk.unmet.has(&asked.network) {
        return Err(unreadable().into());
    }
    // What is above the final head can be the payment. Without it the wallet must not open: a payment could be missed.
    let (from_block, next_nonce) = chain.before_sending(wallet).await.map_err(|cause| unreadable().with_details(cause))?;
    let now = now_ms();
    let watch = Watch {
        network: asked.network,
        wallet,
        from_block,
        until_ms: now + WATCH_MS,
        agent: asked.agent,
        input: asked.input,
        amount: asked.amount,
        next_nonce,
    };
    let id = match desk.books.open_watch(&watch, now).await.map_err(broken)? {
        Opened::Watching(id) => id,
        Opened::TooMany => {
            let error = CallError::saying(
                Code::RateLimited,
                "Your wallet may still be asking about eight other payments. Answer one of them there first.",
            );
            return Err(error.after_ms(60_000).into());
        }
    };
    desk.waiting.notify_waiters();
    let body = json!({ "watch": id, "fromBlock": watch.from_block, "untilMs": watch.until_ms });
    Ok(answer::json(200, body.to_string().into_bytes()))
}

/// Which call is not wanted any more. None: all whose payments arrived.
#[derive(Deserialize)]
struct Unwanted {
    watch: Option<String>,
}

/// The visitor does not want the run any more, or has told the wallet no; what arrived stays as credit.
async fn dismiss(State(desk): State<Desk>, Query(unwanted): Query<Unwanted>, headers: HeaderMap) -> Result<StatusCode, Refused> {
    let session = signed_in(&desk, &headers).await?.ok_or_else(|| CallError::from(Code::NotSignedIn))?;
    let now = now_ms();
    match unwanted.watch {
        Some(id) => desk.books.dismiss_watch(&id, session.wallet, now).await.map_err(broken)?,
        None => {
            for chain in desk.chains.iter().filter(|chain| session.counts_on(&chain.network().id)) {
                desk.books.dismiss_arrivals(&chain.network().id, session.wallet, now).await.map_err(broken)?;
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
