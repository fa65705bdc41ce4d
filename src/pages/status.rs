//! A page that is not there says so to programs too. Pages render whole before the first byte leaves (`SsrMode::Async`), so a status
//! found out while rendering still arrives.

/// Call it before anything is awaited: the context may be another one afterwards. What it returns sets 404.
#[cfg(feature = "ssr")]
pub fn missing() -> impl Fn() + Clone + Send + Sync + 'static {
    let response = leptos::prelude::use_context::<leptos_axum::ResponseOptions>();
    move || {
        if let Some(response) = &response {
            response.set_status(http::StatusCode::NOT_FOUND);
        }
    }
}

#[cfg(not(feature = "ssr"))]
pub fn missing() -> impl Fn() + Clone + Send + Sync + 'static {
    || {}
}
