//! `/api/v1/records/{call}/hold`: legal hold. What is held is not deleted until the hold is lifted.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, plain};
use super::rights::{HoldRecords, May};
use super::{Shared, clock};
use crate::store::calls::parse_call_id;
use crate::types::Wall;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(put, lift))
}

/// Why a call is held.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "公安协查函 2026-114"}))]
struct Hold {
    /// A file number, for example: it stands in the audit for ever, so it names no citizen. 1 to 200 characters.
    reason: String,
}

/// Puts a record with its recordings under legal hold, or gives the hold another reason. Noted with the reason.
#[utoipa::path(put, path = "/records/{call}/hold", tag = "records", request_body = Hold,
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn put(
    State(shared): State<Shared>,
    who: May<HoldRecords>,
    Path(call): Path<String>,
    Body(hold): Body<Hold>,
) -> Result<StatusCode, ApiError> {
    let call = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    plain("reason", &hold.reason, 200)?;
    note(&shared, &who.session, Action::RecordHeld, &call.to_string(), json!(hold)).await?;
    let login = &who.session.account.login;
    let held = shared.store.hold(call, login, &hold.reason, Wall(clock::wall_ms())).await?;
    if held { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NoSuchCall) }
}

/// Lifts a legal hold: the record is deleted when its time is over. Noted. Again: nothing happens.
#[utoipa::path(delete, path = "/records/{call}/hold", tag = "records",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn lift(
    State(shared): State<Shared>,
    who: May<HoldRecords>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    let call = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    note(&shared, &who.session, Action::HoldLifted, &call.to_string(), json!({})).await?;
    let lifted = shared.store.lift_hold(call).await?;
    if lifted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NoSuchCall) }
}
