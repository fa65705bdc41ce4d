//! A text becomes a file of the visitor's. It never leaves the browser.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// # Errors
/// The browser's own: no room, or files are not allowed here.
pub fn save(name: &str, kind: &str, text: &str) -> Result<(), JsValue> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    let blob = web_sys::Blob::new_with_str_sequence_and_options(&js_sys::Array::of1(&text.into()), &options)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let link: web_sys::HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser has its own reference by now.
    web_sys::Url::revoke_object_url(&url)
}
