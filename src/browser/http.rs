//! Requests to our own server, by the browser's `fetch`, with its cookies.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response};

use crate::error::{CallError, Code};

/// Longer than the 20 seconds that the server may wait for a run before it answers.
const PATIENCE_MS: u32 = 30_000;

/// A whole answer: its body is text, since all of ours are JSON.
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// # Errors
/// [`Code::Offline`] if there was no whole answer: unknown is not "no".
pub async fn fetch(method: &str, path: &str, headers: &[(String, String)], body: Option<&str>) -> Result<Reply, CallError> {
    fetched(method, path, headers, body)
        .await
        .map_err(|cause| CallError::from(Code::Offline).with_details(super::in_words(&cause)))
}

async fn fetched(method: &str, path: &str, headers: &[(String, String)], body: Option<&str>) -> Result<Reply, JsValue> {
    let list = Headers::new()?;
    for (name, value) in headers {
        list.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(&list);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(PATIENCE_MS)));
    if let Some(body) = body {
        init.set_body(&body.into());
    }
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response: Response = JsFuture::from(window.fetch_with_str_and_init(path, &init)).await?.unchecked_into();
    let text = JsFuture::from(response.text()?).await?;
    Ok(Reply {
        status: response.status(),
        headers: super::pairs(&response.headers()),
        body: text.as_string().unwrap_or_default(),
    })
}

/// Asks for JSON and gives its text.
///
/// # Errors
/// What the server says instead, or [`Code::Offline`].
pub async fn json(method: &str, path: &str, body: Option<&str>) -> Result<String, CallError> {
    let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let reply = fetch(method, path, &headers, body).await?;
    match reply.status {
        200..=299 => Ok(reply.body),
        status => Err(CallError::of_answer(status, &reply.body)),
    }
}
