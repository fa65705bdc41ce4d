//! The one way to an HTTP client: with the process's one cryptography provider.
//!
//! `reqwest` is built without a provider of its own, since its own compiles C for minutes and stands beside the database's.

use std::sync::Once;

use rustls::crypto::{CryptoProvider, ring};

/// As [`reqwest::Client::builder`], which panics at `build` where no provider was chosen.
#[allow(clippy::disallowed_methods)] // this is where the others are sent
pub fn builder() -> reqwest::ClientBuilder {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        // Another part of the process may have chosen one before: theirs does as well.
        let _: Result<(), _> = CryptoProvider::install_default(ring::default_provider());
    });
    reqwest::Client::builder()
}
