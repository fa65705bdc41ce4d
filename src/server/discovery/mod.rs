//! What programs read of the shop before they pay, all of it from the cards and the agents' types: no row, no chain, nothing of a visitor.
//!
//! - `agents`: `GET /api/agents`, the cards as JSON. `openapi`: `/openapi.json`. `llms`: `/llms.txt`, for models and the people who steer them.
//! - `well_known`: `/.well-known/x402`, for whoever lists shops.
//!
//! Each is made when it is asked for, since a network that is halted is in none of them, and kept by its readers for a minute.

pub mod agents;
pub mod llms;
pub mod openapi;
pub mod well_known;

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    routing::{MethodRouter, get},
};
use serde_json::Value;

use super::assets::is_known;
use crate::{
    card::Card,
    x402::{
        desk::{Desk, now_ms},
        offers::sha256_hex,
        wire::Offer,
    },
};

pub fn routes() -> Router<Desk> {
    Router::new()
        .route("/api/agents", document("application/json", |desk| pretty(&agents::cards(desk))))
        .route("/openapi.json", document("application/json", |desk| pretty(&openapi::document(desk))))
        .route("/.well-known/x402", document("application/json", |desk| pretty(&well_known::manifest(desk))))
        .route("/llms.txt", document("text/plain; charset=utf-8", llms::text))
}

/// The offers of a 402, less what only one caller's have: the seal, and when it ends. They cannot be paid; the 402's can.
pub fn accepts(desk: &Desk, card: &Card) -> Vec<Offer> {
    let mut offers = desk.offers(card, now_ms(), None);
    for offer in &mut offers {
        offer.extra.offer = None;
        offer.extra.expires_at_ms = None;
    }
    offers
}

/// People read it too.
fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Fresh for a minute; then its tag tells whether it is still the same.
fn document(kind: &'static str, text: fn(&Desk) -> String) -> MethodRouter<Desk> {
    get(move |State(desk): State<Desk>, asked: HeaderMap| async move { answer(kind, text(&desk), &asked) })
}

fn answer(kind: &'static str, text: String, asked: &HeaderMap) -> Response<Body> {
    // Weak: on its way it may be compressed.
    let tag = format!("\"{}\"", &sha256_hex(text.as_bytes())[..16]);
    let unchanged = asked.get_all(header::IF_NONE_MATCH).iter().any(|known| is_known(known, &tag));
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    if let Ok(tag) = HeaderValue::try_from(format!("W/{tag}")) {
        headers.insert(header::ETAG, tag);
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    *response.body_mut() = Body::from(text);
    response
}
