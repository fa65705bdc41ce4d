//! Plain calls without a payment, answered before the router and its layers.
//!
//! A price is asked for far more often than it is paid, and by anybody. What a layer does for all requests costs more than such an answer does, so a call
//! that needs none of them is answered here: an agent's own path, a small body whose length is declared, no payment, no sign-in, no cookie, no query.
//! The limit per address, the headers of every answer and the log line are the layers' own. Everything else takes the long way, and says the same.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    Router,
    body::HttpBody,
    extract::Request,
    http::{Method, header},
    response::Response,
};
use futures::FutureExt;
use tower::{Service, ServiceExt};

use super::{
    headers::{Https, complete},
    limits::Doorkeeper,
    router::{BODY_PAUSE_MAX, note, panicked},
};
use crate::{
    error::{CallError, Code},
    runs::Agent,
    x402::{answer, decorator, desk::Desk, fetch::request::PAID},
};

/// Bytes of a body that is read here: what comes in one piece, and in a moment. An agent's own limit may be lower.
const BODY_MAX: u64 = 16 * 1024;

/// Answers plain unpaid calls; everything else is `router`'s.
pub fn before(router: Router, desk: Desk, doorkeeper: Doorkeeper, https: Https) -> Router {
    Router::new().fallback_service(Front(Arc::new(Inner { router, desk, doorkeeper, https })))
}

#[derive(Clone)]
struct Front(Arc<Inner>);

struct Inner {
    router: Router,
    desk: Desk,
    doorkeeper: Doorkeeper,
    https: Https,
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if self.0.is_plain(&request) {
            let inner = self.0.clone();
            Box::pin(async move { Ok(inner.answer(request).await) })
        } else {
            Box::pin(self.0.router.clone().oneshot(request))
        }
    }
}

impl Inner {
    fn agent(&self, request: &Request) -> Option<&Agent> {
        self.desk.agent(request.uri().path().strip_prefix(PAID)?)
    }

    /// Is there nothing about it that a layer looks at?
    fn is_plain(&self, request: &Request) -> bool {
        let headers = request.headers();
        request.method() == Method::POST
            && request.uri().query().is_none()
            && !headers.contains_key(header::COOKIE)
            && !decorator::shows_a_payer(headers)
            && length(request).is_some_and(|length| length <= BODY_MAX)
            && self.agent(request).is_some()
    }

    async fn answer(&self, request: Request) -> Response {
        let (method, uri, begun) = (request.method().clone(), request.uri().clone(), Instant::now());
        let answered = AssertUnwindSafe(self.answered(request)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(panicked);
        complete(response.headers_mut(), self.https, true);
        note(&method, uri.path(), response.status(), true, begun);
        response
    }

    async fn answered(&self, request: Request) -> Response {
        if let Err(wait) = self.doorkeeper.admit(request.method(), request.uri().path(), self.doorkeeper.visitor(&request)) {
            return super::limits::too_many(wait);
        }
        let Some(agent) = self.agent(&request) else { return answer::error(&Code::NoSuchAgent.into()) };
        match tokio::time::timeout(BODY_PAUSE_MAX, decorator::unpaid(&self.desk, agent, request)).await {
            Ok(Ok(response)) => response,
            // It shows a payer after all: no request that is plain does.
            Ok(Err(_)) => answer::error(&Code::Internal.into()),
            Err(_) => answer::error(&CallError::too_large(agent.card.input_max)),
        }
    }
}

/// Bytes of its body, as they are declared. `None`: nobody knows before it ends.
fn length(request: &Request) -> Option<u64> {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    // Where there are two, they are the same: hyper takes no others.
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) => length.to_str().ok()?.parse().ok(),
        None => request.body().size_hint().upper(),
    }
}
