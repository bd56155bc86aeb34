//! `/api/v1/seats`: who works, and the agent's choice of presence.

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Serialize;

use super::Shared;
use super::error::ApiError;
use crate::center::{Doing, PresenceCommand, Refusal};
use crate::types::{CallId, SeatId};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/seats", get(list))
        .route("/seats/{id}/sign-in", post(|s, p| choose(s, p, PresenceCommand::SignIn)))
        .route("/seats/{id}/ready", post(|s, p| choose(s, p, PresenceCommand::Ready)))
        .route("/seats/{id}/not-ready", post(|s, p| choose(s, p, PresenceCommand::NotReady { reason: None })))
        .route("/seats/{id}/sign-out", post(|s, p| choose(s, p, PresenceCommand::SignOut)))
}

#[derive(Serialize)]
struct Seats {
    seats: Vec<Seat>,
}

#[derive(Serialize)]
struct Seat {
    seat: SeatId,
    name: String,
    /// `"ready"`, `"signed_out"`, or `{"not_ready": why}`.
    presence: serde_json::Value,
    reachable: bool,
    /// `idle`, `offered`, `ringing`, `talking`, `own_call`, `leaving`, `resting`, `wrap_up`.
    doing: &'static str,
    call: Option<String>,
    left_ms: Option<u64>,
}

async fn list(State(shared): State<Shared>) -> Result<Json<Seats>, ApiError> {
    let view = shared.core.look().await?;
    let seat = |seat: &crate::center::SeatView| {
        let (doing, call, left_ms) = doing(&seat.work);
        Seat {
            seat: seat.seat,
            name: seat.name.clone(),
            presence: serde_json::to_value(&seat.presence).unwrap_or_default(),
            reachable: seat.reachable,
            doing,
            call: call.map(|c| c.to_string()),
            left_ms,
        }
    };
    Ok(Json(Seats { seats: view.seats.iter().map(seat).collect() }))
}

fn doing(work: &Doing) -> (&'static str, Option<CallId>, Option<u64>) {
    match *work {
        Doing::Idle => ("idle", None, None),
        Doing::Offered { call } => ("offered", Some(call), None),
        Doing::Ringing { call } => ("ringing", Some(call), None),
        Doing::Talking { call } => ("talking", Some(call), None),
        Doing::OwnCall { call } => ("own_call", Some(call), None),
        Doing::Leaving { call } => ("leaving", Some(call), None),
        Doing::Resting { left_ms } => ("resting", None, Some(left_ms)),
        Doing::WrapUp { left_ms, .. } => ("wrap_up", None, Some(left_ms)),
    }
}

async fn choose(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    command: PresenceCommand,
) -> Result<StatusCode, ApiError> {
    // What is no number is no seat either.
    let seat = id.parse().map(SeatId).map_err(|_| ApiError::Refused(Refusal::NoSuchSeat))?;
    shared.core.presence(seat, command).await?;
    Ok(StatusCode::NO_CONTENT)
}
