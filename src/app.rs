//! The shell, the routes.

use leptos::prelude::*;

/// Where the page's own files are, with hashes in their names where the server has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
    /// Only then the shell loads `/demo/wallet.js`.
    pub demo: bool,
}

pub fn shell(assets: Assets) -> impl IntoView {
    let _ = assets;
    view! { <!DOCTYPE html> <html><body><App/></body></html> }
}

#[component]
pub fn App() -> impl IntoView {
    view! { <main>"Coinslot"</main> }
}
