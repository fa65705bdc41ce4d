//! `#[middleware(payment_required::<Input>(&CARD))]`: reads and validates the input *before* it names a price.
//!
//! It never calls the function it decorates. It records the run and waits for it; a worker, which outlives the request, the tab and
//! the process, does the work (`runs::worker`). A dropped request takes nothing with it.
//!
//! A call without a payment asks no database and no node, and needs no server function either: [`unpaid`] answers it alone.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response, header, request::Parts},
};
use leptos::prelude::use_context;
use serde::de::DeserializeOwned;
use tower::{Layer, Service};
use tracing::error;

use super::{
    answer,
    call::Caller,
    desk::Desk,
    known_failure, no_call,
    offers::sha256_hex,
    outcome::{self, Outcome},
    presented, sign_in,
    wire::{PAYMENT_SIGNATURE, X_PAYMENT},
};
use crate::{
    card::Card,
    error::{CallError, Code},
    runs::{Agent, input},
};

pub const fn payment_required<I>(card: &'static Card) -> PaymentRequired<I> {
    PaymentRequired { card, input: PhantomData }
}

pub struct PaymentRequired<I> {
    card: &'static Card,
    input: PhantomData<fn() -> I>,
}

impl<S, I> Layer<S> for PaymentRequired<I> {
    type Service = Decorated<S, I>;

    fn layer(&self, _: S) -> Self::Service {
        Decorated { card: self.card, input: PhantomData, inner: PhantomData }
    }
}

pub struct Decorated<S, I> {
    card: &'static Card,
    input: PhantomData<fn() -> I>,
    inner: PhantomData<fn() -> S>,
}

impl<S, I> Service<Request<Body>> for Decorated<S, I>
where
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    I: DeserializeOwned + garde::Validate<Context = ()> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Body>) -> Self::Future {
        let card = self.card;
        // Read now, on the request's own reactive owner.
        let desk = use_context::<Desk>();
        Box::pin(async move {
            let Some(desk) = desk else {
                error!(agent = card.slug, "a paid function is mounted without a desk");
                return Ok(answer::error(&Code::Internal.into()));
            };
            let (parts, body) = req.into_parts();
            Ok(match read(card, input::check::<I>, &parts, body).await {
                Ok(Asked::Price) => price(&desk, card, &parts).await,
                Ok(Asked::Run(body)) => asked(&desk, card, &parts, body).await,
                Err(why) => refused(&desk, card, &parts, why).await,
            })
        })
    }
}

enum Asked {
    /// An empty body: a look at the offers, for discovery.
    Price,
    /// Valid input, as its exact text.
    Run(String),
}

/// Does this show something that pays, or says who does?
pub fn shows_a_payer(headers: &HeaderMap) -> bool {
    [PAYMENT_SIGNATURE, X_PAYMENT, sign_in::SIGN_IN_WITH_X].iter().any(|name| headers.contains_key(*name))
}

/// The answer to a call without a payment: what is wrong with its input, or the price.
///
/// # Errors
/// It shows a payer, so it is the decorated function's: the request as it came.
pub async fn unpaid(desk: &Desk, agent: &Agent, request: Request<Body>) -> Result<Response<Body>, Request<Body>> {
    if shows_a_payer(request.headers()) {
        return Err(request);
    }
    let (parts, body) = request.into_parts();
    let asked = match read(agent.card, agent.check, &parts, body).await {
        Ok(asked) => asked,
        Err(why) => return Ok(answer::error(&why)),
    };
    if let Err(closed) = desk.sells(agent.card).await {
        return Ok(answer::error(&closed));
    }
    let why = CallError::from(Code::PaymentRequired);
    let body = match asked {
        Asked::Price => return Ok(answer::payment_required(desk, agent.card, &why)),
        Asked::Run(body) => body,
    };
    let mut outcome = Outcome::refused(why);
    if desk.books.remembers_failures() {
        outcome = known_failure::before_paying(desk, agent.card, &sha256_hex(body.as_bytes()), outcome).await;
    }
    Ok(answer::of(desk, agent.card, &outcome))
}

/// Everything about the input that can be known without a payment, before a price is named: nobody pays for a typo (O8).
async fn read(card: &Card, check: fn(&[u8]) -> Result<String, CallError>, parts: &Parts, body: Body) -> Result<Asked, CallError> {
    let too_large = || CallError::too_large(card.input_max);
    if parts.extensions.get::<no_call::BodyTooLarge>().is_some() {
        return Err(too_large());
    }
    let bytes = to_bytes(body, card.input_max).await.map_err(|_| too_large())?;
    if bytes.is_empty() {
        return Ok(Asked::Price);
    }
    if !is_json(&parts.headers) {
        return Err(Code::UnsupportedMediaType.into());
    }
    check(&bytes).map(Asked::Run)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mime = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    mime.split(';').next().is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/json"))
}

/// With a payment it is no question about the price: an empty body is no input, whatever was paid.
async fn price(desk: &Desk, card: &Card, parts: &Parts) -> Response<Body> {
    let resource = desk.resource(card).url;
    if let Some(why) = no_call::in_headers(desk, Some(card), Caller::of(parts, &resource), no_call::no_body()).await {
        return answer::error(&why);
    }
    match desk.sells(card).await {
        Ok(()) => answer::payment_required(desk, card, &Code::PaymentRequired.into()),
        Err(closed) => answer::error(&closed),
    }
}

/// No call: what is wrong with it, and what became of a payment beside it.
async fn refused(desk: &Desk, card: &Card, parts: &Parts, why: CallError) -> Response<Body> {
    let resource = desk.resource(card).url;
    let why = no_call::beside(desk, Some(card), Caller::of(parts, &resource), presented::read(&parts.headers), why).await;
    answer::of(desk, card, &Outcome::refused(why))
}

async fn asked(desk: &Desk, card: &'static Card, parts: &Parts, body: String) -> Response<Body> {
    let (resource, headers) = (desk.resource(card).url, &parts.headers);
    let caller = Caller::of(parts, &resource);
    let outcome = outcome::of_call(desk, card, caller, presented::read(headers), body, Waiting::of(headers)).await;
    answer::of(desk, card, &outcome)
}

/// How long a request waits for its run, at most.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(20);

/// How a caller waits for his run: `Prefer` (RFC 7240).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// `wait=<seconds>` shortens the wait: the page wants to show the stages.
    pub patience: Duration,
    /// `only-wait`: asked while waiting, not by a click. A run that failed meanwhile is told, not begun again.
    pub only: bool,
}

impl Waiting {
    pub fn of(headers: &HeaderMap) -> Self {
        let all = headers.get_all("prefer");
        let preferences: Vec<_> =
            all.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim).collect();
        let only = preferences.contains(&"only-wait");
        let seconds = preferences.iter().find_map(|preference| preference.strip_prefix("wait=")?.parse().ok());
        Self { patience: seconds.map(Duration::from_secs).map_or(WAIT_MAX, |preferred| preferred.min(WAIT_MAX)), only }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wait_is_bounded_whatever_is_preferred() {
        let read = |value: &str| Waiting::of(&HeaderMap::from_iter([("prefer".parse().unwrap(), value.parse().unwrap())]));
        let wait = |value: &str| read(value).patience;
        assert!(read("wait=1, only-wait").only && !read("wait=1").only);
        assert_eq!(wait("wait=1"), Duration::from_secs(1));
        assert_eq!(wait("respond-async, wait=3"), Duration::from_secs(3));
        assert_eq!(wait("wait=99999999999"), WAIT_MAX);
        assert_eq!(wait("wait=-1"), WAIT_MAX);
        assert_eq!(Waiting::of(&HeaderMap::new()).patience, WAIT_MAX);
    }
}
