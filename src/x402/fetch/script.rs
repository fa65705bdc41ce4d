//! `window.x402Fetch(url, init)`: the same way, for the page's JavaScript. It takes what `fetch` takes and gives what `fetch` gives.

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{Headers, Request, Response, ResponseInit, Url};

use super::{
    page, pay,
    request::{Answer, PAID, Recipe},
};
use crate::{
    browser,
    error::{CallError, Code},
    x402::phase::Call,
};

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
/// wallet, a refusal in the wallet, no connection. What asks for the price alone (another method than POST, no body) is answered with it, and not paid.
/// Where nothing is sold it is `fetch` itself.
async fn fetch(url: JsValue, init: JsValue) -> Result<JsValue, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let here = window.location();
    let text = match url.dyn_ref::<Request>() {
        Some(request) => request.url(),
        None => js_sys::Object::from(url.clone()).to_string().into(),
    };
    let target = Url::new_with_base(&text, &here.href()?)?;
    if target.origin() != here.origin()? || !target.pathname().starts_with(PAID) {
        let fetch: Function = Reflect::get(&window, &"fetch".into())?.unchecked_into();
        let answer: Promise = Reflect::apply(&fetch, &window, &Array::of2(&url, &init))?.unchecked_into();
        return JsFuture::from(answer).await;
    }
    let recipe = recipe(&url, &init, &target).await?;
    let call = call_of_scripts();
    call.shown_price.set(None);
    call.asset.set(super::preferred());
    match pay::call(recipe, call).await {
        Ok(answer) => response(&answer).map(JsValue::from),
        Err(error) => Err(refusal(&error)),
    }
}

/// What `fetch` would send, read by the browser's own `Request`: a body may be bytes, a file or a form as well as a text, and brings its content type
/// along. It is read before anything is paid, so what the server refuses, it refuses then.
async fn recipe(url: &JsValue, init: &JsValue, target: &Url) -> Result<Recipe, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let class: Function = Reflect::get(&window, &"Request".into())?.unchecked_into();
    let init = if init.is_object() { init.clone() } else { js_sys::Object::new().into() };
    let request: Request = Reflect::construct(&class, &Array::of2(url, &init))?.unchecked_into();
    let method = request.method().to_ascii_uppercase();
    let headers = browser::pairs(request.headers().as_ref());
    let bytes = Uint8Array::new(&JsFuture::from(request.array_buffer()?).await?).to_vec();
    let body = String::from_utf8(bytes).map_err(|cause| refusal(&CallError::from(Code::BadJson).with_details(cause)))?;
    Ok(Recipe { method, path: format!("{}{}", target.pathname(), target.search()), headers, body })
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
