//! `window.x402Fetch(url, init)`: the same way, for the page's JavaScript. It takes what `fetch` takes and gives what `fetch` gives.

use js_sys::{Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{Headers, RequestInit, Response, ResponseInit, Url};

use super::{
    page, pay,
    request::{Answer, PAID, Recipe},
};
use crate::{browser, error::CallError, x402::phase::Call};

/// Puts `x402Fetch` into the window.
pub fn export_to_javascript() {
    let fetch =
        Closure::<dyn Fn(JsValue, JsValue) -> Promise>::new(|url: JsValue, init: JsValue| future_to_promise(fetch(url, init)));
    if let Some(window) = web_sys::window() {
        let _ = Reflect::set(&window, &"x402Fetch".into(), fetch.as_ref());
    }
    fetch.forget();
}

/// Where the calls of scripts are: the last one's phase, for a status line of the page.
pub fn call_of_scripts() -> Call {
    page::slot("")
}

/// Resolves with the last answer, a refusal of the server's included. Rejects with an `Error` whose `code` is our word where there is none: no
/// wallet, a refusal in the wallet, no connection. Where nothing is sold it is `fetch` itself.
async fn fetch(url: JsValue, init: JsValue) -> Result<JsValue, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let text = url.as_string().or_else(|| js_sys::Object::from(url).to_string().as_string()).unwrap_or_default();
    let here = window.location();
    let target = Url::new_with_base(&text, &here.href()?)?;
    if target.origin() != here.origin()? || !target.pathname().starts_with(PAID) {
        let init: RequestInit = if init.is_object() { init.unchecked_into() } else { RequestInit::new() };
        return JsFuture::from(window.fetch_with_str_and_init(&target.href(), &init)).await;
    }
    let field = |name: &str| Reflect::get(&init, &name.into()).ok().filter(|found| !found.is_undefined() && !found.is_null());
    let headers = match field("headers") {
        // The constructor takes all three shapes that `fetch` takes.
        Some(headers) => browser::pairs(Headers::new_with_record_from_str_to_str(headers.unchecked_ref())?.as_ref()),
        None => Vec::new(),
    };
    let recipe = Recipe {
        method: field("method").and_then(|method| method.as_string()).unwrap_or_else(|| "GET".into()).to_ascii_uppercase(),
        path: format!("{}{}", target.pathname(), target.search()),
        headers,
        body: field("body").and_then(|body| body.as_string()).unwrap_or_default(),
    };
    let call = call_of_scripts();
    call.shown_price.set(None);
    call.asset.set(super::preferred());
    match pay::call(recipe, call).await {
        Ok(answer) => response(&answer).map(JsValue::from),
        Err(error) => Err(refusal(&error)),
    }
}

fn response(answer: &Answer) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &answer.headers {
        headers.set(name, value)?;
    }
    let init = ResponseInit::new();
    init.set_status(answer.status);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(&answer.body), &init)
}

fn refusal(error: &CallError) -> JsValue {
    let refusal = js_sys::Error::new(&error.error);
    let _ = Reflect::set(&refusal, &"code".into(), &error.code.to_string().into());
    refusal.into()
}
