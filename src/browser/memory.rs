//! What this browser remembers between visits (`localStorage`), and what it remembers of one tab (`sessionStorage`). It may refuse: private mode, a
//! full disk, a policy.

use web_sys::Storage;

fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok()?
}

pub fn recall(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// `false`: it is not remembered, and the caller must not rely on it.
#[must_use]
pub fn remember(key: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
}

pub fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

fn of_tab() -> Option<Storage> {
    web_sys::window()?.session_storage().ok()?
}

pub fn recall_in_tab(key: &str) -> Option<String> {
    of_tab()?.get_item(key).ok()?
}

/// Where there is no room any more, what was there before is not left either: it would be told as what it is not.
pub fn remember_in_tab(key: &str, value: &str) {
    if let Some(storage) = of_tab()
        && storage.set_item(key, value).is_err()
    {
        let _ = storage.remove_item(key);
    }
}
