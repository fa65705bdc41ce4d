//! The document around the application: its head, its start script, and the policy that lets nothing else run.
//!
//! The start script is ours instead of leptos's (`shell/page.js`): the server owns the assets' hashed names; a download that fails leaves a
//! sentence on the page instead of a dead button; and what extensions and translations do to the document does not kill the page (P6).

use std::sync::LazyLock;

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use super::App;
use crate::{server::one_name, x402::desk::Desk};

/// Where the three built files are: paths with their hashes, so that they can be kept for ever.
#[derive(Clone, Debug)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
    /// The demo's wallet is loaded beside whatever is installed.
    pub demo: bool,
}

/// The whole document. Sends the content security policy with it, for the same nonce.
pub fn shell(assets: Assets) -> impl IntoView {
    let nonce = use_nonce();
    if let (Some(response), Some(nonce)) = (use_context::<leptos_axum::ResponseOptions>(), &nonce) {
        // A nonce is base64, which always fits a header.
        if let Ok(policy) = content_security_policy(nonce.as_inner()).parse() {
            response.insert_header(http::header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    let script = start_script(&assets);
    let one_name = use_context::<Desk>().map(|desk| one_name::script(&desk.public_url));
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                // Before anything else: under another name nothing here is to begin.
                {one_name.map(|script| view! { <script nonce=nonce.clone() inner_html=script></script> })}
                // Before anybody else can write into the document.
                <script nonce=nonce.clone() inner_html=script></script>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#fbfbf9"/>
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#101413"/>
                <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
                <link rel="apple-touch-icon" href="/icon-180.png"/>
                <link rel="stylesheet" href=assets.css/>
                <link rel="modulepreload" href=assets.js nonce=nonce/>
                <link rel="preload" r#as="fetch" r#type="application/wasm" crossorigin="" href=assets.wasm/>
                {assets.demo.then(|| view! { <script src="/demo/wallet.js" defer></script> })}
                <MetaTags/>
            </head>
            <body>
                <App/>
                // The last of our own nodes: from then on nobody but others writes into what is before it.
                <template id="page-end"></template>
            </body>
        </html>
    }
}

/// Nothing that is not ours, nothing inline but what carries the nonce. `wasm-unsafe-eval` compiles WebAssembly and evaluates no text;
/// `data:` images are wallets' icons (A2). No inline style either: a style attribute in a view has no effect.
fn content_security_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// The script's statements, without the lines that only say something.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("shell/page.js").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect::<Vec<_>>().join("\n")
});

fn start_script(assets: &Assets) -> String {
    let (js, wasm) = (quoted(&assets.js), quoted(&assets.wasm));
    format!("if (!document.documentElement.dataset.elsewhere) ({})({{js:{js},wasm:{wasm}}})", *PAGE)
}

/// A text as JavaScript reads it, also between script tags.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_lets_nothing_run_but_our_files_and_our_nonce() {
        let policy = content_security_policy("abc");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'nonce-abc' 'wasm-unsafe-eval';"), "{policy}");
        for open in ["unsafe-inline", "'unsafe-eval'", "*", "http:", "https:"] {
            assert!(!policy.contains(open), "{open} in {policy}");
        }
    }

    #[test]
    fn a_file_name_cannot_end_the_script() {
        let assets = Assets { js: "/a\"b.js".into(), wasm: "/</script>.wasm".into(), css: String::new(), demo: false };
        let script = start_script(&assets);
        assert!(script.contains(r#"js:"/a\"b.js""#) && !script.contains("</") && !script.contains("<!--"), "{script}");
    }
}
