//! `#[middleware(payment_required::<Input>(&CARD))]`: reads and validates the input *before* it names a price.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use serde::de::DeserializeOwned;
use tower::{Layer, Service};

use crate::card::Card;

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
    #[allow(dead_code)]
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

    fn call(&mut self, _req: Request<Body>) -> Self::Future {
        todo!()
    }
}
