//! `/healthz`: the process is alive. `/readyz`: it can do its work, which is to write; the chains' state is told, but an outage of theirs does
//! not take the shop out of a balancer: pages, history and running agents go on.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde::Serialize;

use super::network_state::{self, NetworkState};
use crate::x402::desk::{Desk, now_ms};

pub fn routes(desk: Desk) -> Router {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(desk)
}

async fn alive() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    database: &'static str,
    networks: Vec<NetworkState>,
}

/// The database answers, and takes writes: one is made every few seconds at most, however many ask.
async fn can_work(desk: &Desk) -> Result<(), String> {
    desk.books.ping().await.map_err(|cause| format!("{cause:?}"))?;
    desk.books.try_to_write(now_ms()).await.map_err(|cause| cause.to_string())
}

async fn ready(State(desk): State<Desk>) -> impl IntoResponse {
    let database = can_work(&desk).await;
    let networks = network_state::all(&desk, database.is_ok()).await;
    let readiness = Readiness { database: if database.is_ok() { "ok" } else { "failing" }, networks };
    match database {
        Ok(()) => (StatusCode::OK, Json(readiness)),
        Err(cause) => {
            tracing::error!(error = cause, "the database does not do its work");
            (StatusCode::SERVICE_UNAVAILABLE, Json(readiness))
        }
    }
}
