//! What axum alone can do with the same bytes: a handler that reads the request and clones its answer.

use std::path::Path;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    routing::post,
};
use tokio::net::TcpListener;

use crate::{PATH, Result};

/// Every server writes these itself.
const OF_THE_CONNECTION: [&str; 4] = ["date", "content-length", "connection", "transfer-encoding"];

/// Answers with the recorded answer, until it is ended.
pub async fn serve(file: &Path) -> Result<()> {
    let recorded = std::fs::read(file)?;
    let end = recorded.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("no answer is recorded")?;
    let (head, body) = recorded.split_at(end + 4);
    let mut headers = HeaderMap::new();
    for line in std::str::from_utf8(head)?.lines().skip(1) {
        if let Some((name, value)) = line.split_once(": ")
            && !OF_THE_CONNECTION.contains(&name)
        {
            headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
    }
    let body = Bytes::copy_from_slice(body);
    let answer = move |_: Bytes| {
        let (headers, body) = (headers.clone(), body.clone());
        async move { (StatusCode::PAYMENT_REQUIRED, headers, body) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("open at http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, Router::new().route(PATH, post(answer))).await?)
}
