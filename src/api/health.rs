//! `/healthz`, `/readyz`, `/metrics`: for whoever watches the process. They hold nothing about citizens and need no session.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready)).routes(routes!(metrics))
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = String)))]
async fn health() -> &'static str {
    "ok\n"
}

/// Whether calls are taken.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// New calls are taken.
    ready: bool,
    /// Records can be read. Calls go on without.
    records: bool,
}

/// Whether new calls are taken: 200 or 503.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    let ready = shared.ready.load(Ordering::Relaxed);
    let records = shared.store.is_alive().await;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, records }))
}

/// All figures as Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "health", security(()), responses((status = 200, body = String)))]
async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.metrics)())
}
