//! The browser's side: 402 → wallet → proof → retry → answer.

/// The `client` of every paid server function.
pub struct X402;

#[cfg(feature = "hydrate")]
pub fn export_to_javascript() {}
