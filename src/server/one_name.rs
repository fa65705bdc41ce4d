//! The shop has one name, `public_url`: a page that was opened under another one (localhost, www) goes there before a wallet is asked for anything, since
//! a sign-in, the cookie and what this browser remembers of its payments belong to one origin.
//!
//! It is the page that goes, in the first script of its head (`script`): it alone knows what stands in the address bar. A server sees a `Host` that a
//! proxy may have rewritten, and would send a visitor who is in the right place round and round. One case is safe here too, and spares the visitor a
//! page (`redirecting`): where `public_url` is this very listener, no proxy can stand between a browser that goes there and us.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use super::assets::PACKAGE;

/// A page that came back within so long was sent away again by somebody else, such as a proxy that has another name for the shop: then it stays.
const AGAIN_MS: u32 = 10_000;

/// JavaScript that goes to the same page under the shop's own name, and tells the start script (`app::shell`) by `data-elsewhere` that nothing is to
/// begin meanwhile. It stays where it cannot remember that it went.
pub fn script(public_url: &str) -> String {
    // An origin as settings have it: a URL's own spelling. What comes behind it begins with a slash, so it is no other place.
    let to = serde_json::Value::from(public_url).to_string().replace('<', "\\u003c");
    format!(
        "(()=>{{const to={to};if(location.origin===to)return;try{{const at=Number(sessionStorage.getItem(\"coinslot.went\"));\
         if(Math.abs(Date.now()-at)<{AGAIN_MS})return;sessionStorage.setItem(\"coinslot.went\",String(Date.now()));}}catch{{return;}}\
         document.documentElement.dataset.elsewhere=\"true\";location.replace(to+location.pathname+location.search+location.hash);}})();"
    )
}

/// Sends a browser that came by another name to `public_url`, where that is `bound` itself; else it changes nothing.
pub fn redirecting(router: Router, public_url: &str, bound: SocketAddr) -> Router {
    if public_url != format!("http://{bound}") {
        return router;
    }
    router.layer(middleware::from_fn_with_state(bound, redirect))
}

async fn redirect(State(bound): State<SocketAddr>, request: Request, next: Next) -> Response {
    match elsewhere(bound, request.method(), request.uri(), request.headers()) {
        // Temporary: what the shop is called is a setting.
        Some(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => next.run(request).await,
    }
}

/// The address of the same page under the right name, if it was asked for under another one of this machine's.
fn elsewhere(bound: SocketAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
    if !matches!(*method, Method::GET | Method::HEAD) || !is_page(uri.path()) {
        return None;
    }
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    // Another port is somebody else's: a tunnel, whose other end only its visitor knows.
    if port.parse::<u16>().ok() != Some(bound.port()) || host.eq_ignore_ascii_case(&bound.to_string()) || !is_this_machine(name) {
        return None;
    }
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    format!("http://{bound}{rest}").parse().ok()
}

fn is_this_machine(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ip = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// What a visitor reads; not what programs, the page's own scripts or a balancer ask for.
fn is_page(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let first = parts.next().unwrap_or_default();
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    !is_file && !["api", "demo", "mcp", "healthz", "readyz", "metrics", ".well-known", PACKAGE].contains(&first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUND: &str = "127.0.0.1:4020";

    fn sent(method: &str, host: &str, uri: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        let there = elsewhere(BOUND.parse().unwrap(), &method.parse().unwrap(), &uri.parse().unwrap(), &headers);
        there.map(|there| there.to_str().unwrap().to_owned())
    }

    #[test]
    fn p5_a_page_under_another_name_of_this_machine_is_the_same_page_under_ours() {
        for host in ["localhost:4020", "LocalHost:4020", "shop.localhost:4020", "127.0.0.2:4020", "[::1]:4020"] {
            assert_eq!(sent("GET", host, "/").as_deref(), Some("http://127.0.0.1:4020/"), "{host}");
        }
        assert_eq!(
            sent("HEAD", "localhost:4020", "/agents/contract-xray?a=1&b=%2F").as_deref(),
            Some("http://127.0.0.1:4020/agents/contract-xray?a=1&b=%2F")
        );
        // Nothing that is asked for leads elsewhere.
        for path in ["//evil.example/", "/@evil", "/history?to=https://evil.example"] {
            let there = sent("GET", "localhost:4020", path).unwrap();
            assert!(there.parse::<Uri>().is_ok_and(|uri| uri.authority().unwrap() == BOUND), "{there}");
        }
    }

    #[test]
    fn p5_what_is_no_page_and_what_may_be_right_stays() {
        for host in
            ["127.0.0.1:4020", "localhost:8080", "localhost", "shop.example", "shop.example:4020", "evil.example:4020", "", ":"]
        {
            assert_eq!(sent("GET", host, "/"), None, "{host}");
        }
        for path in [
            "/api/x402/contract-xray",
            "/healthz",
            "/readyz",
            "/.well-known/x402",
            "/openapi.json",
            "/llms.txt",
            "/mcp",
            "/demo/rpc",
            "/pkg/a",
        ] {
            assert_eq!(sent("GET", "localhost:4020", path), None, "{path}");
        }
        for method in ["POST", "OPTIONS", "DELETE"] {
            assert_eq!(sent(method, "localhost:4020", "/"), None, "{method}");
        }
    }

    #[test]
    fn p5_the_script_holds_one_place_and_ends_no_script() {
        let script = script("https://shop.example");
        assert!(script.contains("const to=\"https://shop.example\";"), "{script}");
        assert!(!super::script("https://a</script>").contains("</script"));
    }
}
