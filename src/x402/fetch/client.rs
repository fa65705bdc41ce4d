//! The `client` of a paid server function: what `leptos` calls to send one. The request is kept as its recipe and the answer is plain data, so
//! the way of a call (`pay.rs`) is one piece of code for every agent and for scripts.

use std::future::Future;

use futures::{Sink, Stream, sink, stream};
use http::Method;
use leptos::{
    prelude::use_context,
    server_fn::{
        Bytes,
        client::Client,
        error::{FromServerFnError, ServerFnErrorErr},
        redirect::REDIRECT_HEADER,
        request::ClientReq,
        response::ClientRes,
    },
};
use send_wrapper::SendWrapper;

use super::{
    X402,
    request::{Answer, Recipe},
};
use crate::error::CallError;

impl<E, IS, OS> Client<E, IS, OS> for X402
where
    E: FromServerFnError + From<CallError> + Send,
    IS: FromServerFnError,
    OS: FromServerFnError,
{
    type Request = Recipe;
    type Response = Answer;

    fn send(recipe: Recipe) -> impl Future<Output = Result<Answer, E>> + Send {
        // The context is the action's; a call from anywhere else is shown in its agent's slot.
        let call = use_context().unwrap_or_else(|| super::slot(recipe.agent()));
        let answer: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(super::call(recipe, call));
        // What the browser gives is not `Send`; a page has one thread.
        let answer = SendWrapper::new(answer);
        async move {
            let answer = answer.await?;
            match answer.failure() {
                Some(error) => Err(error.into()),
                None => Ok(answer),
            }
        }
    }

    /// Nothing is sold over a socket.
    #[allow(refining_impl_trait)]
    fn open_websocket(
        _path: &str,
    ) -> impl Future<
        Output = Result<(impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static, impl Sink<Bytes> + Send + 'static), E>,
    > + Send {
        let none: Result<(stream::Empty<_>, _), E> = match cannot::<(), E>("sockets") {
            Ok(()) => Ok((stream::empty(), sink::drain())),
            Err(error) => Err(error),
        };
        std::future::ready(none)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        leptos::task::spawn(future);
    }
}

fn cannot<T, E: FromServerFnError>(what: &str) -> Result<T, E> {
    Err(E::from_server_fn_error(ServerFnErrorErr::UnsupportedRequestMethod(format!("paid calls take no {what}"))))
}

fn recipe(path: &str, content_type: &str, accepts: &str, method: Method, body: String) -> Recipe {
    Recipe {
        method: method.as_str().to_owned(),
        path: path.to_owned(),
        headers: vec![("content-type".into(), content_type.to_owned()), ("accept".into(), accepts.to_owned())],
        body,
    }
}

/// A paid call is JSON text: its bytes are its identity, and they are kept and sent again.
impl<E: FromServerFnError> ClientReq<E> for Recipe {
    type FormData = ();

    fn try_new_req_query(_path: &str, _content_type: &str, _accepts: &str, _query: &str, _method: Method) -> Result<Self, E> {
        cannot("query")
    }

    fn try_new_req_text(path: &str, content_type: &str, accepts: &str, body: String, method: Method) -> Result<Self, E> {
        Ok(recipe(path, content_type, accepts, method, body))
    }

    fn try_new_req_bytes(path: &str, content_type: &str, accepts: &str, body: Bytes, method: Method) -> Result<Self, E> {
        match String::from_utf8(body.into()) {
            Ok(body) => Ok(recipe(path, content_type, accepts, method, body)),
            Err(_) => cannot("binary body"),
        }
    }

    fn try_new_req_form_data(_path: &str, _accepts: &str, _content_type: &str, _body: (), _method: Method) -> Result<Self, E> {
        cannot("form")
    }

    fn try_new_req_multipart(_path: &str, _accepts: &str, _body: (), _method: Method) -> Result<Self, E> {
        cannot("form")
    }

    fn try_new_req_streaming(
        _path: &str,
        _accepts: &str,
        _content_type: &str,
        _body: impl Stream<Item = Bytes> + Send + 'static,
        _method: Method,
    ) -> Result<Self, E> {
        cannot("stream")
    }
}

impl<E: FromServerFnError> ClientRes<E> for Answer {
    async fn try_into_string(self) -> Result<String, E> {
        Ok(self.body)
    }

    async fn try_into_bytes(self) -> Result<Bytes, E> {
        Ok(self.body.into())
    }

    fn try_into_stream(self) -> Result<impl Stream<Item = Result<Bytes, Bytes>> + Send + Sync + 'static, E> {
        Ok(stream::iter([Ok(self.body.into())]))
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn status_text(&self) -> String {
        String::new()
    }

    fn location(&self) -> String {
        self.header("location").unwrap_or_default().to_owned()
    }

    fn has_redirect(&self) -> bool {
        self.header(REDIRECT_HEADER).is_some()
    }
}
