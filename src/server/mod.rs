//! The binary's outside: settings, router, assets, headers, the demo.
pub mod api;
