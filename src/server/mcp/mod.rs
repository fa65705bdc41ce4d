//! MCP over streamable HTTP at `/mcp`: every agent is a tool, paid as x402 says it for MCP (docs/protocol.md, "MCP").
//!
//! - `tools`: what is listed. `service`: one call, to the same desk as over HTTP. `result`: how its outcome is said.
//!
//! It keeps no sessions, so there is nothing that strangers could fill: each `POST` is answered by itself, and what outlives it is a run. It
//! reads no cookie, so a page of any origin may call it, whatever name it reached the shop by: there is no authority to borrow.

mod result;
mod service;
mod tools;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    middleware,
    routing::options,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

use self::service::Shop;
use super::router::BODY_MAX;
use crate::x402::{answer, desk::Desk};

/// Where it is, below the shop's root.
pub const PATH: &str = "/mcp";

/// What `GET` (a stream of the server's own) and `DELETE` (the end of a session) would be for, is not here: both are 405, as MCP says.
const METHODS: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
/// What a page of another origin may send.
const TAKEN: HeaderValue = HeaderValue::from_static(
    "Content-Type, Prefer, SIGN-IN-WITH-X, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID",
);

pub fn routes(desk: Desk) -> Router {
    let shop = Shop::new(desk);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY_MAX)
        // Behind a proxy the shop is called by any name. See above for why a rebound one gains nothing.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let service = StreamableHttpService::new(move || Ok(shop.clone()), Arc::new(NeverSessionManager::default()), config);
    let any_origin = middleware::map_response(async |mut response: Response<Body>| {
        answer::readable_anywhere(response.headers_mut());
        response
    });
    Router::new().route(PATH, options(preflight).fallback_service(service).layer(any_origin))
}

async fn preflight() -> Response<Body> {
    let mut response = answer::json(204, Vec::new());
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, TAKEN);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(header::ALLOW, METHODS);
    response
}
