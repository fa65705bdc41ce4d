//! An answer that is no result, made by a layer: the same JSON as everywhere (ux.md, "Answers of the server").

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::error::CallError;

/// A [`CallError`] as an HTTP answer, with `Retry-After` where it says so.
pub struct Refusal(pub CallError);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait_s = self.0.retry_after_ms.map(|wait_ms| wait_ms.div_ceil(1000));
        let mut response = (status, Json(self.0)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait_s) = wait_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response
    }
}
