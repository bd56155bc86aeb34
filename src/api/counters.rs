//! `/api/v1/counters`: every INVITE received is either a call in the ledger or counted here with its reason.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::core::Counters;
use super::error::{ApiError, ErrorBody};
use super::rights::{May, SeeCounters};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Counters since the start: `received` = `admitted` + `refused_total`.
#[derive(Serialize, ToSchema)]
struct Totals {
    /// The counters.
    #[serde(flatten)]
    counters: Counters,
    /// Sum of the refused.
    refused_total: u64,
}

/// What became of every INVITE since the start.
#[utoipa::path(get, path = "/counters", tag = "counters",
    responses((status = 200, body = Totals), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(State(shared): State<Shared>, _: May<SeeCounters>) -> Result<Json<Totals>, ApiError> {
    let counters = shared.core.counters().await?;
    let refused_total = counters.refused.iter().map(|r| r.count).sum();
    Ok(Json(Totals { counters, refused_total }))
}
