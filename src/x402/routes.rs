//! Placeholder.

use super::desk::Desk;

pub fn routes(_desk: Desk) -> axum::Router {
    axum::Router::new()
}
