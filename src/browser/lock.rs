//! One holder at a time among all tabs of this site (`navigator.locks`).

use futures::channel::oneshot;
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Locks;

    #[wasm_bindgen(method, catch)]
    fn request(this: &Locks, name: &str, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// Held until dropped. The browser lets go of it when the tab closes.
pub struct Held(Option<Function>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(release) = &self.0 {
            let _ = release.call0(&JsValue::NULL);
        }
    }
}

/// Waits for its turn. Where the browser has no locks (no secure context) everybody's turn is at once.
pub async fn hold(name: &str) -> Held {
    let Some(locks) = locks() else { return Held(None) };
    let (told, granted) = oneshot::channel();
    let callback = Closure::once_into_js(move |_lock: JsValue| -> Promise {
        let mut told = Some(told);
        Promise::new(&mut |release: Function, _| {
            if let Some(told) = told.take() {
                // Nobody waits any more: let go at once.
                if let Err(release) = told.send(release) {
                    let _ = release.call0(&JsValue::NULL);
                }
            }
        })
    });
    match locks.request(name, &callback) {
        Ok(_held_until_released) => Held(granted.await.ok()),
        Err(_) => Held(None),
    }
}

fn locks() -> Option<Locks> {
    let navigator = web_sys::window()?.navigator();
    let found = Reflect::get(&navigator, &"locks".into()).ok()?;
    (!found.is_undefined() && !found.is_null()).then(|| found.unchecked_into())
}
