//! What an agent's desk does with calls: `/api/v1/calls/{call}/answer`, `hang-up`, `hold` and `retrieve`, `POST /calls` to call
//! somebody, `/seats/{seat}/wrap-up` for the notes afterwards.
//!
//! All of it acts on the own seat. Supervisors may end the talk of another's, which is noted. A caller who waits is never
//! thrown out: there is no command for it.

use axum::Json;
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
use super::rights::{Lead, May, Work, check};
use super::seats::{Seat, call_and_left, own_seat};
use super::session::Session;
use crate::center::{Doing, Input, Refusal, TalkCommand, WrapUpCommand};
use crate::store::calls::parse_call_id;
use crate::types::{CallId, LineNumber, PhoneNumber, SeatId, Word};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(dial))
        .routes(routes!(answer))
        .routes(routes!(hang_up))
        .routes(routes!(hold))
        .routes(routes!(retrieve))
        .routes(routes!(wrap_up))
}

/// Whom to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"number": "13900001234", "line": "12345", "linked": "c30117452718080001"}))]
struct Dial {
    /// A number of the network in normal form, or another seat's.
    number: String,
    /// The line that is shown as the caller's number; the plan's without.
    #[serde(default)]
    line: Option<String>,
    /// The earlier call that this one belongs to.
    #[serde(default)]
    linked: Option<String>,
}

/// A call that was placed.
#[derive(Serialize, ToSchema)]
struct Placed {
    /// Its id.
    #[schema(example = "c30117452718080001")]
    call: String,
}

/// Calls somebody from the own seat, whose telephone rings first. Noted without the number. Not to be repeated blindly: while the
/// first call lives a second one is refused (`seat_busy`), afterwards it is a new call.
#[utoipa::path(post, path = "/calls", tag = "calls", request_body = Dial,
    responses((status = 201, body = Placed), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn dial(
    State(shared): State<Shared>,
    who: May<Work>,
    Body(dial): Body<Dial>,
) -> Result<(StatusCode, Json<Placed>), ApiError> {
    let number = PhoneNumber::parse(&dial.number).map_err(|e| ApiError::BadRequest(format!("number: {e}")))?;
    let line = dial.line.as_deref().map(LineNumber::parse).transpose();
    let line = line.map_err(|e| ApiError::BadRequest(format!("line: {e}")))?;
    let linked = match &dial.linked {
        None => None,
        Some(call) => Some(parse_call_id(call).ok_or(ApiError::NoSuchCall)?),
    };
    let view = shared.core.look().await?;
    let seat = own_seat(&view.seats, &who.session).ok_or(ApiError::NoSeat)?;
    let detail = json!({"line": line, "linked": linked.map(|call| call.to_string())});
    note(&shared, &who.session, Action::CallDialled, &seat.0.to_string(), detail).await?;
    let call = shared.core.dial(move |reply| Input::DialOut { seat, number, line, linked, reply: Some(reply) }).await?;
    Ok((StatusCode::CREATED, Json(Placed { call: call.to_string() })))
}

/// Has the telephone of the own seat answer the call that it rings for, where it can (`auto-answer`). Again: nothing happens.
#[utoipa::path(post, path = "/calls/{call}/answer", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn answer(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TalkCommand::Answer).await
}

/// Ends the talk of the own seat, or declines the call that rings there. Supervisors end any talk, which is noted. Again: nothing
/// happens; once the call is gone, `no_such_call`.
#[utoipa::path(post, path = "/calls/{call}/hang-up", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn hang_up(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TalkCommand::HangUp).await
}

/// Holds the talk of the own seat: the caller hears music. Again: nothing happens.
#[utoipa::path(post, path = "/calls/{call}/hold", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn hold(State(shared): State<Shared>, who: May<Work>, Path(call): Path<String>) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TalkCommand::Hold).await
}

/// Takes the talk of the own seat back from hold. Again: nothing happens.
#[utoipa::path(post, path = "/calls/{call}/retrieve", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn retrieve(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TalkCommand::Retrieve).await
}

async fn command(shared: &Shared, who: &Session, call: &str, command: TalkCommand) -> Result<StatusCode, ApiError> {
    let call = parse_call_id(call).ok_or(ApiError::NoSuchCall)?;
    let view = shared.core.look().await?;
    let has = |work: &Doing| !matches!(work, Doing::WrapUp { .. }) && call_and_left(work).0 == Some(call);
    let here: Vec<_> = view.seats.iter().filter(|seat| has(&seat.work)).collect();
    let own = here.iter().find(|seat| Seat::of(seat).is_of(who));
    let leads = command == TalkCommand::HangUp && check::<Lead>(who).is_ok();
    let other = here.iter().find(|seat| {
        leads && matches!(seat.work, Doing::Talking { .. } | Doing::OwnCall { .. } | Doing::Leaving { .. })
    });
    let Some(found) = own.or(other) else {
        // Whose call it is not need not know that it exists.
        let waits = leads && view.calls.iter().any(|c| c.call == call);
        return Err(if waits { ApiError::Refused(Refusal::NoCall) } else { ApiError::NoSuchCall });
    };
    let is_done = match command {
        TalkCommand::Answer => matches!(found.work, Doing::Talking { .. }),
        TalkCommand::HangUp => matches!(found.work, Doing::Leaving { .. }),
        TalkCommand::Hold | TalkCommand::Retrieve => false,
    };
    if is_done {
        return Ok(StatusCode::NO_CONTENT);
    }
    let seat = found.seat;
    if own.is_none() {
        let detail = json!({"seat": seat.0});
        note(shared, who, Action::CallHungUpForAnother, &call.to_string(), detail).await?;
    }
    shared.core.command(move |reply| talk(seat, call, command, reply)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn talk(seat: SeatId, call: CallId, command: TalkCommand, reply: crate::types::ReplyId) -> Input {
    Input::Talk { seat, call: Some(call), command, reply: Some(reply) }
}

/// What is done with the notes of the last call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[schema(example = json!({"do": "result", "code": "answered_from_knowledge"}))]
enum Notes {
    /// More time, up to the queue's limit. Each time adds more.
    Extend,
    /// What the call led to; may be said in the talk already. The last one counts.
    Result {
        /// A result code of the plan.
        code: String,
    },
    /// The notes are finished.
    Done,
}

/// Wrap-up: more time, the result, the end. For the own seat, or with the right to lead for another's, which is noted.
#[utoipa::path(post, path = "/seats/{seat}/wrap-up", tag = "seats", request_body = Notes,
    params(("seat" = u32, Path, description = "Its number", example = 8001)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn wrap_up(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(seat): Path<String>,
    Body(notes): Body<Notes>,
) -> Result<StatusCode, ApiError> {
    let seat = seat.parse().map(SeatId).map_err(|_| ApiError::Refused(Refusal::NoSuchSeat))?;
    let view = shared.core.look().await?;
    let own = view.seats.iter().any(|s| s.seat == seat && Seat::of(s).is_of(&who.session));
    if !own {
        check::<Lead>(&who.session)?;
        note(&shared, &who.session, Action::WrapUpForAnother, &seat.0.to_string(), json!(notes)).await?;
    }
    let command = match notes {
        Notes::Extend => WrapUpCommand::Extend,
        Notes::Result { code } => WrapUpCommand::Result { code: Word::new(&code) },
        Notes::Done => WrapUpCommand::Done,
    };
    shared.core.command(move |reply| Input::WrapUp { seat, command, reply: Some(reply) }).await?;
    Ok(StatusCode::NO_CONTENT)
}
