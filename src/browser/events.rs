//! Server-sent events from our own server, with its cookies. The browser comes again by itself when the connection is cut, with the last event's id.

use wasm_bindgen::prelude::*;
use web_sys::{EventSource, MessageEvent};

/// Open until dropped.
pub struct Listening {
    source: EventSource,
    _heard: Closure<dyn FnMut(MessageEvent)>,
    _ended: Closure<dyn FnMut()>,
    _failed: Closure<dyn FnMut()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// `heard` gets an event's name and data. `last`: the event that nothing follows. `failed`: the browser has given up, because the server refused.
/// `None`: this browser has no events.
pub fn listen(
    path: &str,
    names: &[&str],
    last: &str,
    mut heard: impl FnMut(String, String) + 'static,
    mut failed: impl FnMut() + 'static,
) -> Option<Listening> {
    let source = EventSource::new(path).ok()?;
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        heard(event.type_(), event.data().as_string().unwrap_or_default());
    });
    for name in names {
        source.add_event_listener_with_callback(name, heard.as_ref().unchecked_ref()).ok()?;
    }
    // Left alone, the browser would take the stream's end for a cut, and come again.
    let ending = source.clone();
    let ended = Closure::<dyn FnMut()>::new(move || ending.close());
    source.add_event_listener_with_callback(last, ended.as_ref().unchecked_ref()).ok()?;
    let looked_at = source.clone();
    let failed = Closure::<dyn FnMut()>::new(move || {
        if looked_at.ready_state() == EventSource::CLOSED {
            failed();
        }
    });
    source.set_onerror(Some(failed.as_ref().unchecked_ref()));
    Some(Listening { source, _heard: heard, _ended: ended, _failed: failed })
}
