//! What the page asks of the browser: the clock, a pause, requests, events, memory, a lock between tabs.
//!
//! No domain words, and nothing that panics: a browser that lacks something (private mode, no secure context) answers "no".

pub mod events;
pub mod http;
pub mod lock;
pub mod memory;

use js_sys::{Array, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Unix milliseconds, by the visitor's clock. For waiting, never for deciding what is valid: the server's clock does that.
pub fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

/// Milliseconds. A tab in the background may sleep longer.
pub async fn sleep(pause_ms: u64) {
    let pause_ms = i32::try_from(pause_ms).unwrap_or(i32::MAX);
    let promise = Promise::new(&mut |done: Function, _| {
        if let Some(window) = web_sys::window() {
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(&done, pause_ms);
        }
    });
    let _ = JsFuture::from(promise).await;
}

/// `host` with its port, and `https://host`.
pub fn host_and_origin() -> Option<(String, String)> {
    let location = web_sys::window()?.location();
    Some((location.host().ok()?, location.origin().ok()?))
}

/// The page's path, for links that lead back to it.
pub fn path() -> String {
    web_sys::window().and_then(|window| window.location().pathname().ok()).unwrap_or_default()
}

/// A run's key for requests that can carry no header, in a cookie of that path, for an hour. Where cookies are off, nothing happens.
pub fn hand_over_key(key: &str, path: &str) {
    if let Some(document) = web_sys::window().and_then(|window| window.document())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let cookie = format!("coinslot-key={key}; path={path}; max-age=3600; samesite=lax");
        let _ = js_sys::Reflect::set(&document, &"cookie".into(), &cookie.into());
    }
}

pub fn user_agent() -> String {
    web_sys::window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default()
}

/// From the browser's cryptographic source; there also outside of secure contexts, where `crypto.randomUUID` is not.
pub fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let bytes = Uint8Array::new_with_length(N as u32);
    web_sys::window()?.crypto().ok()?.get_random_values_with_array_buffer_view(&bytes).ok()?;
    let mut random = [0; N];
    bytes.copy_to(&mut random);
    Some(random)
}

/// A JavaScript value as people read it, for "Details".
pub fn in_words(value: &JsValue) -> String {
    let field = |name: &str| js_sys::Reflect::get(value, &name.into()).ok().filter(|found| !found.is_undefined());
    let message = field("message").and_then(|message| message.as_string());
    match (value.as_string(), message) {
        (Some(text), _) | (None, Some(text)) => text,
        (None, None) => js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string()).unwrap_or_default(),
    }
}

/// The items of a JavaScript iterable of pairs, such as `Headers`.
pub fn pairs(iterable: &JsValue) -> Vec<(String, String)> {
    let Ok(Some(items)) = js_sys::try_iter(iterable) else { return Vec::new() };
    items
        .filter_map(|item| {
            let pair = Array::from(&item.ok()?);
            Some((pair.get(0).as_string()?, pair.get(1).as_string()?))
        })
        .collect()
}
