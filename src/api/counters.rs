//! `/api/v1/counters`: every INVITE received is either a call in the ledger or counted here with its reason.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::Shared;
use super::core::Counters;
use super::error::ApiError;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/counters", get(list))
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    counters: Counters,
    /// Sum of the refused.
    refused_total: u64,
}

async fn list(State(shared): State<Shared>) -> Result<Json<Totals>, ApiError> {
    let counters = shared.core.counters().await?;
    let refused_total = counters.refused.iter().map(|r| r.count).sum();
    Ok(Json(Totals { counters, refused_total }))
}
