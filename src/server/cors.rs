//! What a page of any origin may use, without its visitor's cookies: paid endpoints, runs by their key, what is on sale, MCP.
//!
//! No cookie is ever read for another site (`same_site`, and `*` forbids it), so there is nothing to borrow: a payment is its own authority. So a client
//! may send what else it likes to: what observes or wraps it adds headers of its own, and one name that is not allowed would end its call before it
//! is made.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};

use super::mcp;
use crate::x402::answer;

/// What may be sent. Some x402 clients send `Access-Control-Expose-Headers` with their request; the names of [`MIRRORED`] are many, and are added
/// where they are asked for.
const TAKEN: &str = "Content-Type, Prefer, PAYMENT-SIGNATURE, X-PAYMENT, SIGN-IN-WITH-X, Access-Control-Expose-Headers, \
                     Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, Authorization, Idempotency-Key, \
                     If-None-Match, Cache-Control, traceparent, tracestate, baggage";
/// How the others begin: parameters of MCP's tools, whatever is not standard (`X-Request-Id`, `X-B3-TraceId`, …), and what tracers other than W3C's send.
const MIRRORED: [&str; 10] =
    ["mcp-param-", "x-", "trace", "b3", "sentry-", "uber-trace-id", "uberctx-", "request-id", "correlation-id", "newrelic"];
/// So many of them, and so long, in characters: the answer is as long as the question asks for.
const MIRRORED_MAX: usize = 32;
const NAME_MAX: usize = 64;
/// How long a browser need not ask again, in seconds. Chromium stops at two hours, Firefox at a day.
const REMEMBERED_S: &str = "86400";

/// The methods of a path that is open to every origin.
fn open(path: &str) -> Option<&'static str> {
    match path {
        "/api/agents" | "/openapi.json" | "/llms.txt" | "/.well-known/x402" => Some("GET, HEAD, OPTIONS"),
        mcp::PATH => Some("GET, POST, DELETE, OPTIONS"),
        _ if path.starts_with("/api/x402/") => Some("GET, HEAD, POST, OPTIONS"),
        _ if path.starts_with("/api/runs/") => Some("GET, HEAD, OPTIONS"),
        _ => None,
    }
}

/// The layer: answers a preflight, and lets any origin read what comes back.
pub async fn any_origin(request: Request, next: Next) -> Response {
    let Some(methods) = open(request.uri().path()) else { return next.run(request).await };
    if request.method() == Method::OPTIONS {
        return preflight(methods, request.headers());
    }
    let mut response = next.run(request).await;
    answer::readable_anywhere(response.headers_mut());
    response
}

fn preflight(methods: &'static str, asked: &HeaderMap) -> Response {
    let mut response = answer::json(204, Vec::new());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_S));
    headers.insert(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    // Names that the parser let through are ASCII without controls: they make a header's value.
    if let Ok(taken) = HeaderValue::try_from(taken(asked)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, taken);
    }
    response
}

fn taken(asked: &HeaderMap) -> String {
    let asked = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|names| names.to_str().ok());
    let names = asked.flat_map(|names| names.split(',')).filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok());
    let is_mirrored =
        |name: &HeaderName| name.as_str().len() <= NAME_MAX && MIRRORED.iter().any(|begin| name.as_str().starts_with(begin));
    let is_new = |name: &HeaderName| !TAKEN.split(", ").any(|taken| taken.eq_ignore_ascii_case(name.as_str()));
    let own = names.filter(|name| is_mirrored(name) && is_new(name)).take(MIRRORED_MAX);
    own.fold(TAKEN.to_owned(), |taken, name| format!("{taken}, {name}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_does_with_his_cookie_is_open_to_nobody_else() {
        for path in [
            "/",
            "/api/session",
            "/api/session/nonce",
            "/api/watch",
            "/api/page/x",
            "/api/check/contract-xray",
            "/demo/rpc",
            "/history",
        ] {
            assert_eq!(open(path), None, "{path}");
        }
    }

    #[test]
    fn f3_what_observes_a_client_may_add_its_headers_and_the_answer_is_bounded() {
        let ask = |names: &str| {
            taken(&HeaderMap::from_iter([(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_str(names).unwrap())]))
        };
        assert_eq!(ask("x-request-id, b3,sentry-trace, Cookie, Host"), format!("{TAKEN}, x-request-id, b3, sentry-trace"));
        assert_eq!(ask("X-Payment, TraceParent, authorization"), TAKEN, "each once");
        let many = (0..1000).map(|name| format!("x-{name}")).collect::<Vec<_>>().join(",");
        assert_eq!(ask(&many).split(", ").count(), TAKEN.split(", ").count() + MIRRORED_MAX);
        assert_eq!(ask(&format!("x-{}", "a".repeat(NAME_MAX))), TAKEN);
    }

    #[test]
    fn a_tools_own_headers_are_taken_by_name_and_nothing_else_is() {
        let ask = |names: &str| {
            taken(&HeaderMap::from_iter([(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_str(names).unwrap())]))
        };
        assert_eq!(ask("mcp-param-region, authorization, mcp-param-no name"), format!("{TAKEN}, mcp-param-region"));
        assert_eq!(ask(""), TAKEN);
    }
}
