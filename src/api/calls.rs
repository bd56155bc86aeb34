//! `/api/v1/calls`: calls in progress. Their numbers stand in these bodies only, never in an address or a log.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::rights::{May, Scope, SeeCalls};
use super::seats::Seat;
use super::session::Session;
use crate::center::{CallView, View};
use crate::store::calls::parse_call_id;
use crate::types::PhoneNumber;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// Calls in progress.
#[derive(Serialize, ToSchema)]
struct Calls {
    /// In the order of their arrival.
    calls: Vec<Call>,
}

/// A call in progress.
#[derive(Serialize, ToSchema)]
struct Call {
    /// Its id.
    #[schema(example = "c30117452718080001")]
    call: String,
    /// Name of the trunk or number of the seat where it comes from.
    #[schema(example = "telecom")]
    from: String,
    /// The number dialled; of a call that a seat placed, the line in whose name it goes out.
    #[schema(example = "12345")]
    line: String,
    /// Whom a seat calls, in normal form.
    called_number: Option<String>,
    /// Who calls, in normal form.
    #[schema(example = "13900001234")]
    calling_number: Option<String>,
    /// Display name.
    calling_display: String,
    /// Whether the caller asked for privacy: do not show the number.
    calling_private: bool,
    /// Milliseconds since 1970.
    arrived_at: i64,
    /// Its queue.
    queue: Option<String>,
    /// `greeting`, `waiting`, `offered`, `joining`, `talking`, `overflowing`, `feature`, `ending` and so on.
    #[schema(example = "talking")]
    place: String,
    /// For how long it has been there, milliseconds.
    in_place_ms: u64,
    /// For how long it has waited for a seat, milliseconds.
    waited_ms: Option<u64>,
    /// The seat that is rung or talks.
    #[schema(example = 8001)]
    seat: Option<u32>,
    /// The place outside that is rung for the caller, or has answered.
    #[schema(example = "sub-center-12366")]
    destination: Option<String>,
    /// The third whom the agent has brought into the talk.
    third: Option<Third>,
    /// Whether a far end holds.
    held: bool,
}

/// The third in a talk.
#[derive(Serialize, ToSchema)]
struct Third {
    /// Whom: the name of a place outside or of a queue, or a number.
    #[schema(example = "110")]
    name: String,
    /// `conference` or `consult`.
    #[schema(example = "conference")]
    how: &'static str,
    /// Whether it has answered.
    answered: bool,
}

impl Call {
    fn of(call: &CallView) -> Self {
        Self {
            call: call.call.to_string(),
            from: call.source.clone(),
            line: call.called.to_string(),
            called_number: call.to.as_ref().map(PhoneNumber::as_str).map(str::to_owned),
            calling_number: call.calling.number.as_ref().map(PhoneNumber::as_str).map(str::to_owned),
            calling_display: call.calling.display.clone(),
            calling_private: call.calling.private,
            arrived_at: call.arrived.0,
            queue: call.queue.clone(),
            place: serde_json::to_value(call.place).ok().and_then(|p| Some(p.as_str()?.to_owned())).unwrap_or_default(),
            in_place_ms: call.in_place_ms,
            waited_ms: call.waited_ms,
            seat: call.seat.map(|s| s.0),
            destination: call.outside.clone(),
            third: call.guest.as_ref().map(|guest| Third {
                name: guest.name.clone(),
                how: guest.how.as_str(),
                answered: guest.here,
            }),
            held: call.held,
        }
    }
}

/// Whether a call is at the seat of somebody.
fn is_at_seat_of(who: &Session, call: &CallView, view: &View) -> bool {
    let seat = view.seats.iter().find(|s| Some(s.seat) == call.seat);
    seat.is_some_and(|seat| Seat::of(seat).is_of(who))
}

/// Calls in progress; agents and experts see the one at their seat. The look is noted.
#[utoipa::path(get, path = "/calls", tag = "calls",
    responses((status = 200, body = Calls), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(State(shared): State<Shared>, who: May<SeeCalls>) -> Result<Json<Calls>, ApiError> {
    let view = shared.core.look().await?;
    let seen = |c: &&CallView| who.scope() == Scope::All || is_at_seat_of(&who.session, c, &view);
    let calls: Vec<Call> = view.calls.iter().filter(seen).map(Call::of).collect();
    if !calls.is_empty() {
        let ids: Vec<&str> = calls.iter().map(|c| c.call.as_str()).take(50).collect();
        note(&shared, &who.session, Action::CallsListed, "", json!({"count": calls.len(), "first": ids})).await?;
    }
    Ok(Json(Calls { calls }))
}

/// One call in progress. The look is noted.
#[utoipa::path(get, path = "/calls/{call}", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 200, body = Call), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn one(
    State(shared): State<Shared>,
    who: May<SeeCalls>,
    Path(call): Path<String>,
) -> Result<Json<Call>, ApiError> {
    let id = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    let view = shared.core.look().await?;
    let found = view.calls.iter().find(|c| c.call == id).ok_or(ApiError::NoSuchCall)?;
    // Whose call it is not need not know that it exists.
    if who.scope() == Scope::Own && !is_at_seat_of(&who.session, found, &view) {
        return Err(ApiError::NoSuchCall);
    }
    note(&shared, &who.session, Action::CallsListed, &id.to_string(), json!({"count": 1})).await?;
    Ok(Json(Call::of(found)))
}
