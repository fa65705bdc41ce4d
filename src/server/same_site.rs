//! What changes something is done by our own page or by a program, never by another site's page in a visitor's browser.
//!
//! A browser says where a request comes from (`Sec-Fetch-Site`, `Origin`), and no page can make it lie. Who says nothing and brings no
//! cookie is a program, which has no authority to borrow. A payment without a cookie is let through from anywhere: it is its own authority.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};

use crate::{error::Code, x402::answer};

/// Where our own page comes from: scheme, host and port.
#[derive(Clone)]
pub struct OwnOrigin(Arc<str>);

impl OwnOrigin {
    pub fn new(public_url: &str) -> Self {
        Self(public_url.into())
    }
}

/// The layer: 403 `cross_site`, or on it goes.
pub async fn refuse_cross_site(State(own): State<OwnOrigin>, request: Request, next: Next) -> Response {
    if is_foreign(&own.0, request.method(), request.uri().path(), request.headers()) {
        return answer::error(&Code::CrossSite.into());
    }
    next.run(request).await
}

/// Paths that are for our own page alone, with or without a cookie: signing somebody in is a change too.
fn is_guarded(path: &str) -> bool {
    ["/api/session", "/api/watch", "/api/page"].iter().any(|guarded| path.starts_with(guarded))
}

fn is_foreign(own_origin: &str, method: &Method, path: &str, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let has_cookie = headers.contains_key(header::COOKIE);
    if !has_cookie && !is_guarded(path) {
        return false;
    }
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let (site, origin) = (said("sec-fetch-site"), said("origin"));
    if site.is_none() && origin.is_none() {
        return has_cookie;
    }
    let ours = matches!(site, Some("same-origin" | "none")) || origin == Some(own_origin);
    !ours
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn foreign(method: &str, path: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        is_foreign("https://shop.example", &method.parse().unwrap(), path, &headers)
    }

    const COOKIE: (&str, &str) = ("cookie", "session=1");

    #[test]
    fn our_own_page_may() {
        for site in ["same-origin", "none"] {
            assert!(!foreign("POST", "/api/session", &[("sec-fetch-site", site)]));
            assert!(!foreign("DELETE", "/api/session", &[COOKIE, ("sec-fetch-site", site)]));
        }
        assert!(!foreign("POST", "/api/x402/contract-xray", &[COOKIE, ("origin", "https://shop.example")]));
    }

    #[test]
    fn another_site_may_not_use_a_visitors_cookie() {
        for site in ["cross-site", "same-site", "nonsense"] {
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                assert!(foreign(method, "/api/x402/contract-xray", &[COOKIE, ("sec-fetch-site", site)]), "{method} {site}");
            }
        }
        for origin in
            ["https://evil.example", "null", "http://shop.example", "https://shop.example:8443", "https://shop.example.evil"]
        {
            assert!(foreign("POST", "/api/x402/contract-xray", &[COOKIE, ("origin", origin)]), "{origin}");
        }
        assert!(foreign("POST", "/api/x402/contract-xray", &[COOKIE]), "a cookie needs a word about where it comes from");
    }

    #[test]
    fn another_site_may_not_sign_a_visitor_in() {
        for path in ["/api/session", "/api/session/nonce", "/api/watch", "/api/page/anything"] {
            assert!(foreign("POST", path, &[("origin", "https://evil.example")]), "{path}");
            assert!(foreign("POST", path, &[("sec-fetch-site", "cross-site")]), "{path}");
        }
    }

    #[test]
    fn programs_and_reading_are_let_through() {
        assert!(!foreign("POST", "/api/session", &[]));
        assert!(!foreign("POST", "/api/x402/contract-xray", &[("origin", "https://client.example")]));
        assert!(!foreign("GET", "/api/session", &[COOKIE, ("sec-fetch-site", "cross-site")]));
    }
}
