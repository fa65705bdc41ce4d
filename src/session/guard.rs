//! The cookie, and who may change anything with it.

use crate::{error::CallError, evm::Address, x402::desk::Desk};

/// The signed-in wallet of a request, by its cookie. `None`: nobody. One indexed read.
pub async fn signed_in(_desk: &Desk, _headers: &http::HeaderMap) -> Result<Option<(Address, i64)>, CallError> {
    todo!()
}
