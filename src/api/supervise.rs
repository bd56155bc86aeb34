//! A supervisor in an agent's talk: `POST /api/v1/calls/{call}/supervise`; an agent who asks for one: `POST /calls/{call}/help`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::rights::{May, Supervise, Work};
use super::seats::own_seat;
use crate::center::Input;
use crate::store::calls::parse_call_id;
use crate::types::SuperviseHow;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(supervise)).routes(routes!(help))
}

/// In which way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    /// Heard by nobody.
    Listen,
    /// Heard by the agent only.
    Whisper,
    /// Heard by all.
    Barge,
    /// Takes the talk over: the agent leaves.
    Intercept,
}

/// How a supervisor comes into a talk.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"how": "listen"}))]
struct Supervision {
    /// In which way.
    how: How,
}

/// Comes into the talk of an agent from the own seat, whose telephone rings first, or changes how the supervisor is in it. Who hangs
/// up is in it no more. Each time is noted in the audit.
#[utoipa::path(post, path = "/calls/{call}/supervise", tag = "calls", request_body = Supervision,
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn supervise(
    State(shared): State<Shared>,
    who: May<Supervise>,
    Path(call): Path<String>,
    Body(Supervision { how }): Body<Supervision>,
) -> Result<StatusCode, ApiError> {
    let id = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    let view = shared.core.look().await?;
    let seat = own_seat(&view.seats, &who.session).ok_or(ApiError::NoSeat)?;
    if !view.calls.iter().any(|seen| seen.call == id) {
        return Err(ApiError::NoSuchCall);
    }
    // Before it happens: a look that nobody can trace does not take place.
    note(&shared, &who.session, Action::CallSupervised, &id.to_string(), json!({"seat": seat.0, "how": how})).await?;
    let how = match how {
        How::Listen => SuperviseHow::Listen,
        How::Whisper => SuperviseHow::Whisper,
        How::Barge => SuperviseHow::Barge,
        How::Intercept => SuperviseHow::Intercept,
    };
    shared.core.command(move |reply| Input::Supervise { seat, call: id, how, reply: Some(reply) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for a supervisor in the talk of the own seat: whoever watches the events of seats sees it.
#[utoipa::path(post, path = "/calls/{call}/help", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn help(State(shared): State<Shared>, who: May<Work>, Path(call): Path<String>) -> Result<StatusCode, ApiError> {
    let id = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    let view = shared.core.look().await?;
    let seat = own_seat(&view.seats, &who.session).ok_or(ApiError::NoSeat)?;
    if !view.calls.iter().any(|seen| seen.call == id && seen.seat == Some(seat)) {
        return Err(ApiError::NoSuchCall);
    }
    shared.core.command(move |reply| Input::Help { seat, reply: Some(reply) }).await?;
    Ok(StatusCode::NO_CONTENT)
}
