//! What a page of another origin can do here: everything that needs no cookie, and nothing else.

use axum::{body::Body, http::Request};

use crate::harness::{Answer, Shop, body, post};

const ELSEWHERE: &str = "https://elsewhere.example";

async fn preflight(shop: &Shop, path: &str, method: &str, headers: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", ELSEWHERE)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    shop.ask(request.body(Body::empty()).unwrap()).await
}

/// As a browser reads it: the answer, and the headers that are told by name.
#[track_caller]
fn is_readable(answer: &Answer, what: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{what}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{what}");
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
    for name in [
        "PAYMENT-REQUIRED",
        "PAYMENT-RESPONSE",
        "X-PAYMENT-RESPONSE",
        "Location",
        "Content-Location",
        "Retry-After",
        "Mcp-Session-Id",
    ] {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{what}: {name} is not exposed");
    }
}

#[tokio::test]
async fn a_browser_may_ask_for_everything_that_x402_and_mcp_clients_send() {
    let shop = Shop::open().await;
    for (path, method) in [
        ("/api/x402/parrot", "POST"),
        ("/api/x402/parrot/", "POST"),
        ("/mcp", "POST"),
        ("/mcp", "DELETE"),
        ("/api/agents", "GET"),
        ("/api/runs/0190a0a0-0000-7000-8000-000000000000", "GET"),
        ("/openapi.json", "GET"),
        ("/llms.txt", "GET"),
        ("/.well-known/x402", "GET"),
    ] {
        let answer = preflight(&shop, path, method, "content-type, payment-signature, mcp-param-region").await;
        assert_eq!((answer.status, answer.bytes.len()), (204, 0), "{path}");
        is_readable(&answer, path);
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.split(", ").any(|allowed| allowed == method), "{method} {path}");
        assert_eq!(answer.header("access-control-max-age"), Some("86400"), "{path}");
        let taken = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in [
            "content-type",
            "prefer",
            "payment-signature",
            "x-payment",
            "sign-in-with-x",
            "access-control-expose-headers",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-param-region",
            "last-event-id",
        ] {
            assert!(taken.split(", ").any(|taken| taken == name), "{path} takes no {name}");
        }
    }
}

/// What wraps or observes a client adds headers of its own, and one that is not allowed ends the call before it is made.
#[tokio::test]
async fn f3_a_browser_may_add_what_its_client_library_and_its_tracer_send() {
    let shop = Shop::open().await;
    let sent = "authorization,baggage,content-type,idempotency-key,payment-signature,sentry-trace,traceparent,tracestate,\
        x-api-key,x-b3-traceid,x-client-version,x-datadog-trace-id,x-request-id";
    for path in ["/api/x402/parrot", "/api/x402/parrot/", "/mcp", "/api/agents", "/openapi.json"] {
        let answer = preflight(&shop, path, "POST", sent).await;
        assert_eq!(answer.status, 204, "{path}");
        let taken = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in sent.split(',') {
            assert_eq!(taken.split(", ").filter(|taken| *taken == name).count(), 1, "{path}: {name} in {taken}");
        }
        assert_eq!(answer.header("vary"), Some("Access-Control-Request-Headers"));
    }
    let many = (0..5_000).map(|name| format!("x-{name}")).collect::<Vec<_>>().join(",");
    let answer = preflight(&shop, "/api/x402/parrot", "POST", &many).await;
    assert!(answer.header("access-control-allow-headers").unwrap().len() < 1_000, "it grows with no question");
    let refused = preflight(&shop, "/api/x402/parrot", "POST", "cookie, host, set-cookie, forwarded").await;
    let taken = refused.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    assert!(!["cookie", "host", "forwarded"].iter().any(|name| taken.split(", ").any(|taken| taken == *name)), "{taken}");
}

#[tokio::test]
async fn every_answer_can_be_read_there_refusals_too() {
    let shop = Shop::open().await;
    let from =
        |request: axum::http::request::Builder, text: String| request.header("origin", ELSEWHERE).body(Body::from(text)).unwrap();
    for (what, status, request) in [
        ("402", 402, from(post("/api/x402/parrot", ""), body("x"))),
        ("402 with a slash", 402, from(post("/api/x402/parrot/", ""), body("x"))),
        ("402 by GET", 402, from(Request::get("/api/x402/parrot"), String::new())),
        (
            "402 as a page",
            402,
            from(
                Request::get("/api/x402/parrot").header("accept", "text/html").header("user-agent", "Mozilla/5.0"),
                String::new(),
            ),
        ),
        ("400", 400, from(post("/api/x402/parrot", ""), "{".into())),
        ("400, a header", 400, from(post("/api/x402/parrot", "").header("x-payment", "%%%"), body("x"))),
        ("404, an agent", 404, from(post("/api/x402/no-such-bird", ""), body("x"))),
        ("404, a run", 404, from(Request::get("/api/runs/nonsense"), String::new())),
        ("405", 405, from(Request::put("/api/x402/parrot"), String::new())),
        // Longer than any request may be: refused outside of the route.
        ("413", 413, from(post("/api/x402/parrot", "").header("content-length", "99999999"), body("x"))),
        ("cards", 200, from(Request::get("/api/agents"), String::new())),
        ("openapi", 200, from(Request::get("/openapi.json"), String::new())),
        ("llms", 200, from(Request::get("/llms.txt"), String::new())),
        ("manifest", 200, from(Request::get("/.well-known/x402"), String::new())),
    ] {
        let answer = shop.ask(request).await;
        assert_eq!(answer.status, status, "{what}");
        is_readable(&answer, what);
    }
}

#[tokio::test]
async fn what_belongs_to_a_visitors_session_is_for_our_own_pages() {
    let shop = Shop::open().await;
    for path in ["/api/session", "/api/session/nonce", "/api/watch", "/"] {
        let answer = preflight(&shop, path, "POST", "content-type").await;
        assert_ne!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), None, "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), None, "{path}");
    }
    // A cookie that comes along from elsewhere is no authority, wherever it goes.
    let request = post("/api/x402/parrot", "").header("origin", ELSEWHERE).header("cookie", "coinslot=x");
    let router = shop.router.clone();
    let answer = tower::ServiceExt::oneshot(router, request.body(Body::from(body("x"))).unwrap()).await.unwrap();
    Answer::of(answer).await.is(403, "cross_site");
}
