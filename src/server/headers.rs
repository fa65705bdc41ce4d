//! Headers that every answer carries, and those that an answer gets when it has not set them itself.
//!
//! Pages bring their own Content-Security-Policy, with a nonce; everything else gets one that allows nothing.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use super::mcp;

/// A year, and all subdomains' own business.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

const EVERYWHERE: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    // Not `same-origin`: a wallet's pop-up has to find its opener.
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin-allow-popups")),
];

/// Whether visitors come over https: only then a browser may be told to insist on it.
#[derive(Clone, Copy)]
pub struct Https(pub bool);

impl Https {
    pub fn of(public_url: &str) -> Self {
        Self(public_url.starts_with("https:"))
    }
}

/// The layer.
pub async fn finish(State(Https(https)): State<Https>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_api = path.starts_with("/api/") || path.starts_with("/demo/") || path == mcp::PATH;
    let mut response = next.run(request).await;
    complete(response.headers_mut(), Https(https), is_api);
    response
}

/// What every answer carries, and what it gets when it has not set it itself.
pub fn complete(headers: &mut HeaderMap, Https(https): Https, is_api: bool) {
    for (name, value) in EVERYWHERE {
        headers.insert(name, value);
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    let is_page = is_html(headers);
    if !is_page {
        default(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    }
    if is_page {
        // Who is signed in is on it: no shared cache, and a look at the server before it is shown again.
        default(headers, header::CACHE_CONTROL, "private, no-cache");
    } else if is_api {
        default(headers, header::CACHE_CONTROL, "no-store");
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
