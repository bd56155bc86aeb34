//! `/api/v1/calls`: calls that live (from the core) and calls that were (from the records), and one call's timeline.
//!
//! Callers' numbers stand in these bodies only, for the local operator; never in an address or a log.

use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::error::ApiError;
use crate::center::{CallView, TrunkView, WhereIs};
use crate::store::calls::{CallRecord, Cursor, FATES, Filter, Timeline, parse_call_id};
use crate::types::{Origin, PhoneNumber, Wall};

/// Records of a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (50, 500);

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/calls", get(list)).route("/calls/{id}", get(one))
}

/// Times are milliseconds since 1970, UTC.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    line: Option<String>,
    fate: Option<String>,
    seat: Option<u32>,
    since: Option<i64>,
    until: Option<i64>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Calls {
    /// Calls in progress, in order of arrival; only on the first page, and nothing while the core does not answer.
    live: Option<Vec<LiveCall>>,
    /// Records, newest first; calls in progress are among them.
    records: Vec<CallRecord>,
    /// `before` of the next page; nothing on the last.
    next: Option<String>,
}

#[derive(Serialize)]
struct LiveCall {
    call: String,
    from: String,
    line: String,
    calling_number: Option<String>,
    calling_display: String,
    calling_private: bool,
    arrived_at: i64,
    queue: Option<String>,
    place: WhereIs,
    in_place_ms: u64,
    waited_ms: Option<u64>,
    seat: Option<u32>,
    held: bool,
}

async fn list(
    State(shared): State<Shared>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Calls>, ApiError> {
    let Query(question) = question.map_err(|e| ApiError::BadQuery(e.body_text()))?;
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let filter = filter(question)?;
    let live = match &filter.before {
        Some(_) => None,
        // The past can be read while the present does not answer.
        None => shared.core.look().await.ok(),
    };
    let on_line = |c: &&CallView| filter.line.as_deref().is_none_or(|line| line == c.called.as_str());
    let live = live.map(|view| view.calls.iter().filter(on_line).map(|c| live_call(c, &view.trunks)).collect());
    let records = shared.store.calls(&filter, limit).await?;
    let is_full = records.len() == limit as usize;
    let next = records.last().filter(|_| is_full).map(|last| last.cursor().to_string());
    Ok(Json(Calls { live, records, next }))
}

fn filter(question: Question) -> Result<Filter, ApiError> {
    if let Some(fate) = &question.fate
        && !FATES.contains(&fate.as_str())
    {
        return Err(ApiError::BadQuery(format!("fate is one of {}", FATES.join(", "))));
    }
    let cursor = |text: String| text.parse::<Cursor>().map_err(|e| ApiError::BadQuery(format!("before: {e}")));
    Ok(Filter {
        line: question.line,
        fate: question.fate,
        seat: question.seat,
        since: question.since.map(Wall),
        until: question.until.map(Wall),
        before: question.before.map(cursor).transpose()?,
        ..Filter::default()
    })
}

fn live_call(call: &CallView, trunks: &[TrunkView]) -> LiveCall {
    let from = match call.origin {
        Origin::Trunk(id) => trunks.iter().find(|t| t.id == id).map(|t| t.trunk.clone()).unwrap_or_default(),
        Origin::Seat(seat) => seat.0.to_string(),
    };
    LiveCall {
        call: call.call.to_string(),
        from,
        line: call.called.to_string(),
        calling_number: call.calling.number.as_ref().map(PhoneNumber::as_str).map(str::to_owned),
        calling_display: call.calling.display.clone(),
        calling_private: call.calling.private,
        arrived_at: call.arrived.0,
        queue: call.queue.clone(),
        place: call.place,
        in_place_ms: call.in_place_ms,
        waited_ms: call.waited_ms,
        seat: call.seat.map(|s| s.0),
        held: call.held,
    }
}

async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Timeline>, ApiError> {
    let call = parse_call_id(&id).ok_or(ApiError::NoSuchCall)?;
    shared.store.call(call).await?.map(Json).ok_or(ApiError::NoSuchCall)
}
