//! MCP over streamable HTTP at `/mcp`: every agent is a tool, paid as x402 says it for MCP (docs/protocol.md, "MCP").
//!
//! - `tools`: what is listed. `service`: one call, to the same desk as over HTTP. `result`: how its outcome is said.
//!
//! It keeps no sessions, so there is nothing that strangers could fill: each `POST` is answered by itself, and what outlives it is a run. `GET` (a
//! stream of the server's own) and `DELETE` (the end of a session) are 405, as MCP has it then. It reads no cookie, so a page of any origin may
//! call it (`cors`), whatever name it reached the shop by: there is no authority to borrow.

mod result;
mod service;
mod tools;

use std::sync::Arc;

use axum::Router;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};

use self::service::Shop;
use super::router::BODY_MAX;
use crate::x402::desk::Desk;

/// Where it is, below the shop's root.
pub const PATH: &str = "/mcp";

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
    Router::new().route_service(PATH, service)
}
