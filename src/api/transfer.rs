//! A third in the talk of the own seat: `POST /api/v1/calls/{call}/transfer` and what follows it; `/transfer-targets` says whom.
//!
//! The ledger holds each transfer with agent, reason and outcome: it is written before anybody is rung, and asks no database.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::rights::{May, Work};
use super::seats::own_seat;
use super::session::Session;
use crate::center::{Input, TransferCommand};
use crate::store::calls::parse_call_id;
use crate::types::{PhoneNumber, TransferHow, TransferTo, Word};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(targets))
        .routes(routes!(begin))
        .routes(routes!(join))
        .routes(routes!(leave))
        .routes(routes!(take_back))
}

/// Whom an agent may bring in with one key.
#[derive(Serialize, ToSchema)]
struct Targets {
    /// Emergency services, by number.
    emergency: Vec<Service>,
    /// Places outside: sub-centers, utilities, the upper platform.
    destinations: Vec<String>,
    /// Queues, with the seats that are free for them now.
    queues: Vec<Experts>,
    /// Reasons; where there are any, one must be named.
    reasons: Vec<String>,
}

/// An emergency service.
#[derive(Serialize, ToSchema)]
struct Service {
    /// Its number.
    #[schema(example = "110")]
    number: String,
    /// Its name.
    #[schema(example = "公安报警")]
    name: String,
}

/// A queue with experts.
#[derive(Serialize, ToSchema)]
struct Experts {
    /// Its name.
    #[schema(example = "expert-12333")]
    queue: String,
    /// Seats that are free for it now.
    #[schema(example = 2)]
    free_seats: usize,
}

/// Whom an agent brings in: exactly one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Whom {
    /// An emergency number, a seat, or a number of the network in normal form.
    Number(String),
    /// A place outside, by its name in the plan.
    Destination(String),
    /// Whoever of this queue is free.
    Queue(String),
}

/// In which way.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    /// Caller and agent talk on while the third is rung; then all three talk.
    #[default]
    Conference,
    /// The caller hears music; agent and third talk between themselves first.
    Consult,
    /// The agent leaves at once. A caller whom nobody answers waits at the front of the queue.
    Blind,
}

/// A transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": {"number": "110"}, "how": "conference", "reason": "危及生命"}))]
struct Transfer {
    /// Whom.
    to: Whom,
    /// In which way.
    #[serde(default)]
    how: How,
    /// Why: one of the reasons of `/transfer-targets`.
    #[serde(default)]
    reason: Option<String>,
}

impl Transfer {
    fn command(self) -> Result<TransferCommand, ApiError> {
        let to = match self.to {
            Whom::Number(number) => {
                let number = PhoneNumber::parse(&number);
                TransferTo::Number(number.map_err(|e| ApiError::BadRequest(format!("number: {e}")))?)
            }
            Whom::Destination(name) => TransferTo::Destination(name),
            Whom::Queue(name) => TransferTo::Queue(name),
        };
        let how = match self.how {
            How::Conference => TransferHow::Conference,
            How::Consult => TransferHow::Consult,
            How::Blind => TransferHow::Blind,
        };
        Ok(TransferCommand::Begin { to, how, reason: self.reason.as_deref().map(Word::new) })
    }
}

/// Whom an agent may bring into a talk, and for which reasons.
#[utoipa::path(get, path = "/transfer-targets", tag = "calls",
    responses((status = 200, body = Targets), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn targets(State(shared): State<Shared>, _who: May<Work>) -> Result<Json<Targets>, ApiError> {
    let view = shared.core.look().await?;
    let plan = shared.plan.borrow().clone();
    let service = |(number, name): (&crate::types::LineNumber, &String)| Service {
        number: number.to_string(),
        name: name.clone(),
    };
    let queues = view.queues.iter().map(|queue| Experts { queue: queue.queue.clone(), free_seats: queue.free_seats });
    Ok(Json(Targets {
        emergency: plan.emergency.iter().map(service).collect(),
        destinations: plan.destinations.iter().map(|destination| destination.name.clone()).collect(),
        queues: queues.collect(),
        reasons: plan.desk.transfer_reasons.iter().map(ToString::to_string).collect(),
    }))
}

/// Rings a third for the talk of the own seat. Where nobody can be rung (`not_reached`, `nobody_free`) caller and agent have each other
/// as before; whether the third answers is told by the events of the call (`transfer_answered`, `transfer_ended`).
#[utoipa::path(post, path = "/calls/{call}/transfer", tag = "calls", request_body = Transfer,
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn begin(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(call): Path<String>,
    Body(transfer): Body<Transfer>,
) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, transfer.command()?).await
}

/// After a consultation: caller, agent and third talk.
#[utoipa::path(post, path = "/calls/{call}/transfer/join", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn join(State(shared): State<Shared>, who: May<Work>, Path(call): Path<String>) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TransferCommand::Join).await
}

/// The agent leaves: the caller goes on with the third, who may still be rung.
#[utoipa::path(post, path = "/calls/{call}/transfer/leave", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn leave(State(shared): State<Shared>, who: May<Work>, Path(call): Path<String>) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TransferCommand::Leave).await
}

/// The third is let go: caller and agent have each other again.
#[utoipa::path(post, path = "/calls/{call}/transfer/take-back", tag = "calls",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn take_back(
    State(shared): State<Shared>,
    who: May<Work>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    command(&shared, &who.session, &call, TransferCommand::TakeBack).await
}

async fn command(shared: &Shared, who: &Session, call: &str, command: TransferCommand) -> Result<StatusCode, ApiError> {
    let call = parse_call_id(call).ok_or(ApiError::NoSuchCall)?;
    let view = shared.core.look().await?;
    let seat = own_seat(&view.seats, who).ok_or(ApiError::NoSeat)?;
    // Whose call it is not need not know that it exists.
    if !view.calls.iter().any(|seen| seen.call == call && seen.seat == Some(seat)) {
        return Err(ApiError::NoSuchCall);
    }
    let input = move |reply| Input::Transfer { seat, call: Some(call), command, reply: Some(reply) };
    shared.core.command(input).await?;
    Ok(StatusCode::NO_CONTENT)
}
