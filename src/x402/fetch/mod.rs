//! The browser's side: 402 → wallet → proof → retry → answer. The `client` of every paid server function, and `window.x402Fetch`.

mod client;

/// The `client` of every paid server function. What it is doing is in the `Call` of the context that the action was made in.
pub struct X402;

#[cfg(feature = "hydrate")]
pub fn export_to_javascript() {}
