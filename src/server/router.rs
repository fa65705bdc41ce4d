//! What answers which path, and the layers around all of it.
//!
//! Outermost first: the log line, a panic's 500, security headers, other origins' preflights, the limit per address, cross-site refusal,
//! compression, bounds on the body. The limit comes before anything that costs.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderName, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list_with_exclusions};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::Predicate},
    limit::RequestBodyLimitLayer,
    timeout::RequestBodyTimeoutLayer,
};

use super::{
    api,
    assets::{PACKAGE, Site},
    cors::any_origin,
    demo::DemoRoutes,
    discovery, front,
    headers::{Https, finish},
    health,
    limits::{Doorkeeper, limit},
    mcp, one_name,
    same_site::{OwnOrigin, refuse_cross_site},
};
use crate::{
    app::{App, shell},
    error::Code,
    pages::data::Demo,
    runs::nul,
    x402::{answer, decorator, desk::Desk, no_call, refusal},
};

/// Bytes of any request's body. Agents have limits of their own below it.
pub const BODY_MAX: usize = 1024 * 1024;

/// Between two pieces of a request's body.
pub(super) const BODY_PAUSE_MAX: Duration = Duration::from_secs(15);

/// Smaller answers are not worth compressing.
const COMPRESSED_FROM: u16 = 1024;

/// Everything, with the layers.
pub fn router(desk: Desk, site: Site, demo: Option<(Demo, DemoRoutes)>, doorkeeper: Doorkeeper) -> Router {
    router_at(desk, site, demo, doorkeeper, None)
}

/// The same at the address where it listens, if browsers are to find it under no other one (`one_name`).
pub fn router_at(
    desk: Desk,
    site: Site,
    demo: Option<(Demo, DemoRoutes)>,
    doorkeeper: Doorkeeper,
    bound: Option<SocketAddr>,
) -> Router {
    let public_url = desk.public_url.clone();
    let options = leptos_options();
    let (demo, demo_routes) = demo.unzip();
    let assets = site.assets(demo.is_some());
    let context = {
        let desk = desk.clone();
        move || {
            provide_context(desk.clone());
            if let Some(demo) = demo.clone() {
                provide_context(demo);
            }
        }
    };
    let shell = move || shell(assets.clone());
    let nothing_here = leptos_axum::render_app_async_with_context(context.clone(), shell.clone());

    let mut inside: Router = Router::new()
        .leptos_routes_with_context(&options, generate_route_list_with_exclusions(App, Some(api::sold(&desk))), context, shell)
        .with_state(options)
        .merge(api::routes(&desk).with_state(desk.clone()))
        .merge(mcp::routes(desk.clone()))
        .merge(discovery::routes().with_state(desk.clone()))
        .merge(health::routes(desk.clone()));
    if let Some(demo) = demo_routes {
        inside = inside.merge(demo.routes());
    }
    let inside = inside.fallback(move |request: Request| {
        let (site, nothing_here) = (site.clone(), nothing_here.clone());
        async move { file_or_nothing(site, nothing_here, request).await }
    });
    // Around all of it: whoever refuses a payment, its payer is told as a receipt tells it.
    let told = middleware::from_fn_with_state(desk.clone(), refusal::told);
    let mut router = protected(inside, &public_url, doorkeeper.clone()).layer(told);
    if let Some(bound) = bound {
        router = one_name::redirecting(router, &public_url, bound);
    }
    front::before(router, desk, doorkeeper, Https::of(&public_url))
}

/// The layers around a router, whatever it answers.
pub fn protected(inside: Router, public_url: &str, doorkeeper: Doorkeeper) -> Router {
    inside
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE_MAX))
        .layer(middleware::from_fn(refuse_too_large))
        .layer(CompressionLayer::new().compress_when(Compressible))
        .layer(middleware::map_request(without_way_back))
        .layer(middleware::from_fn(refuse_nul))
        .layer(middleware::from_fn_with_state(OwnOrigin::new(public_url), refuse_cross_site))
        .layer(middleware::from_fn_with_state(doorkeeper, limit))
        .layer(middleware::from_fn(any_origin))
        .layer(middleware::from_fn_with_state(Https::of(public_url), finish))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(log))
}

/// No name, cursor or key of ours has the character U+0000, and PostgreSQL keeps no text that has.
async fn refuse_nul(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00")) {
        return answer::error(&nul::refused(""));
    }
    next.run(request).await
}

/// Leptos sends a browser that posted a form back to where it came from, whatever the answer was, a 402 too. Nothing under /api is a form.
async fn without_way_back(mut request: Request) -> Request {
    if request.uri().path().starts_with("/api/") {
        request.headers_mut().remove(header::REFERER);
    }
    request
}

/// A file of the site, else a page that says so, with status 404.
async fn file_or_nothing<F>(site: Site, nothing_here: impl FnOnce(Request<Body>) -> F, request: Request) -> Response
where
    F: Future<Output = Response<Body>>,
{
    let path = request.uri().path();
    if let Some(file) = site.answer(request.method(), path, request.headers()) {
        return file;
    }
    let folder = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD) && !["api", "demo", PACKAGE].contains(&folder);
    if !is_page {
        let nothing = serde_json::json!({ "error": "There is nothing at this address.", "code": "not_found", "retry": "no" });
        return (StatusCode::NOT_FOUND, Json(nothing)).into_response();
    }
    let mut page = nothing_here(request).await;
    if page.status() == StatusCode::OK {
        *page.status_mut() = StatusCode::NOT_FOUND;
    }
    page
}

/// What leptos wants to know at run time; a unit test keeps it the same as in Cargo.toml.
fn leptos_options() -> LeptosOptions {
    LeptosOptions::builder().output_name(super::assets::OUTPUT).site_pkg_dir(PACKAGE).build()
}

/// Says it as everything else is said, where the length is declared; what only turns out to be too long fails while it is read.
async fn refuse_too_large(request: Request, next: Next) -> Response {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_MAX as u64) {
        // What is to be said of a payment beside it, and done for it, the agent's own handler knows.
        if no_call::is_there(request.uri().path(), request.headers()) {
            return next.run(no_call::without_body(request)).await;
        }
        return answer::error(&Code::TooLarge.into());
    }
    next.run(request).await
}

/// One line per request: no query (it may hold a run's key), no header, no address. What anybody may ask for as often as they like, a price, a file,
/// is `debug`: it would hide the rest.
async fn log(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let is_unpaid = !decorator::shows_a_payer(request.headers());
    let begun = std::time::Instant::now();
    let response = next.run(request).await;
    note(&method, uri.path(), response.status(), is_unpaid, begun);
    response
}

/// The line. `is_unpaid`: it shows nobody who pays.
pub(super) fn note(method: &Method, path: &str, status: StatusCode, is_unpaid: bool, begun: std::time::Instant) {
    let status = status.as_u16();
    let is_file = path.trim_start_matches('/').starts_with(PACKAGE) || path == "/healthz" || path == "/readyz";
    let (path, ms) = (shortened(path), begun.elapsed().as_millis());
    match status {
        // What waits for a network is told to come again, by many and often; the network's own line says why.
        503 => tracing::info!(%method, path, status, ms, "{method} {path} → {status}"),
        500.. => tracing::warn!(%method, path, status, ms, "{method} {path} → {status}"),
        402 if is_unpaid => tracing::debug!(%method, path, status, ms, "{method} {path} → {status}"),
        _ if is_file => tracing::debug!(%method, path, status, ms, "{method} {path} → {status}"),
        _ => tracing::info!(%method, path, status, ms, "{method} {path} → {status}"),
    }
}

/// So much of a path as a log line has room for: a URI is ASCII.
fn shortened(path: &str) -> &str {
    path.get(..200).unwrap_or(path)
}

pub(super) fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    // The panic hook has logged where and what; the caller learns neither.
    drop(cause);
    let mut response = answer::error(&Code::Internal.into());
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-content-type-options"), axum::http::HeaderValue::from_static("nosniff"));
    response
}

/// Pages and JSON; the site's files bring their compressed forms along. A 402's bulk is in its header: what there is to gain from its body is not
/// worth the work, which anybody can ask for.
#[derive(Clone, Copy)]
struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let kind = response.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
        let is_text = kind.starts_with(b"text/html") || kind.starts_with(b"application/json");
        let is_offer = response.status() == StatusCode::PAYMENT_REQUIRED;
        is_text && !is_offer && tower_http::compression::predicate::SizeAbove::new(COMPRESSED_FROM).should_compress(response)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use figment::providers::{Format, Toml};
    use figment::value::Value;

    use super::*;
    use crate::server::{assets::OUTPUT, settings::sources::DEFAULTS};

    /// `key` of Leptos.toml's `[package.metadata.leptos]`.
    fn of_leptos(key: &str) -> Value {
        figment::Figment::from(Toml::string(DEFAULTS)).find_value(&format!("package.metadata.leptos.{key}")).unwrap()
    }

    /// `key` of the one project in Cargo.toml's `[[workspace.metadata.leptos]]`.
    fn of_cargo(file: &str, key: &str) -> Value {
        let projects = figment::Figment::from(Toml::string(file)).find_value("workspace.metadata.leptos").unwrap();
        projects.as_array().unwrap()[0].as_dict().unwrap()[key].clone()
    }

    #[test]
    fn what_the_build_and_the_server_agree_on_is_written_the_same_twice() {
        let cargo = include_str!("../../Cargo.toml");
        for key in ["output-name", "site-pkg-dir", "site-addr", "hash-files"] {
            assert_eq!(of_cargo(cargo, key).to_actual(), of_leptos(key).to_actual(), "{key}");
        }
        assert_eq!(of_leptos("output-name").as_str(), Some(OUTPUT));
        assert_eq!(of_leptos("site-pkg-dir").as_str(), Some(PACKAGE));
    }

    #[test]
    fn leptos_gets_what_leptos_toml_says() {
        let options = leptos::config::get_config_from_str(DEFAULTS).unwrap();
        let ours = leptos_options();
        assert_eq!((options.output_name, options.site_pkg_dir), (ours.output_name, ours.site_pkg_dir));
    }
}
