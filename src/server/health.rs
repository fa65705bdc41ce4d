//! `/healthz`: the process is alive. `/readyz`: it can do its work; the chains' state is told, but an outage of theirs does
//! not take the shop out of a balancer: pages, history and running agents go on.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde::Serialize;

use crate::x402::desk::Desk;

pub fn routes(desk: Desk) -> Router {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(desk)
}

async fn alive() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    database: &'static str,
    networks: Vec<NetworkHealth>,
}

#[derive(Serialize)]
struct NetworkHealth {
    network: String,
    /// Of the last request that was made to it anyway: nobody is asked for this.
    rpc: &'static str,
}

async fn ready(State(desk): State<Desk>) -> impl IntoResponse {
    let database = desk.books.ping().await;
    let networks = desk
        .chains
        .iter()
        .map(|chain| NetworkHealth { network: chain.network().id.clone(), rpc: if chain.healthy() { "ok" } else { "failing" } });
    let readiness = Readiness { database: if database.is_ok() { "ok" } else { "failing" }, networks: networks.collect() };
    match database {
        Ok(()) => (StatusCode::OK, Json(readiness)),
        Err(cause) => {
            tracing::error!(error = ?cause, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, Json(readiness))
        }
    }
}
