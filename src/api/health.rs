//! `/healthz`, `/readyz`, `/metrics`: for supervisors and Prometheus. They hold nothing about citizens and need no token.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;

use super::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/healthz", get(health)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// The process lives.
async fn health() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    /// New calls are taken.
    ready: bool,
    /// Records can be read. Calls go on without.
    records: bool,
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let ready = shared.ready.load(Ordering::Relaxed);
    let records = shared.store.is_alive().await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, records }))
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.metrics)())
}
