//! `/api/v1/records`: calls that were. Each look is noted; a number is searched by body, never by address.

use axum::Json;
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
use super::rights::{MarkTests, May, Scope, SeeRecords};
use super::session::Session;
use super::{Shared, clock};
use crate::store::calls::{CallRecord, Cursor, FATES, Filter, Timeline, parse_call_id};
use crate::types::Wall;

/// Records of a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (50, 500);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(one)).routes(routes!(test))
}

/// Which records. Times are milliseconds since 1970, UTC.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"line": "12315", "fate": "abandoned_in_queue", "limit": 50}))]
struct Question {
    /// Only this line, whole.
    #[serde(default)]
    line: Option<String>,
    /// Only this fate.
    #[serde(default)]
    fate: Option<String>,
    /// Only calls whose line had this merge mode when they came, by its name.
    #[serde(default)]
    #[schema(example = "双号并行")]
    mode: Option<String>,
    /// Only calls that this seat answered.
    #[serde(default)]
    seat: Option<u32>,
    /// Only calls that this person answered, by agent number.
    #[serde(default)]
    agent: Option<u32>,
    /// Only calls from this number, whole, in normal form.
    #[serde(default)]
    number: Option<String>,
    /// Arrived at this moment or later.
    #[serde(default)]
    since: Option<i64>,
    /// Arrived before this moment.
    #[serde(default)]
    until: Option<i64>,
    /// `next` of the page before.
    #[serde(default)]
    before: Option<String>,
    /// Most records, 1 to 500; 50.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of records.
#[derive(Serialize, ToSchema)]
struct RecordPage {
    /// Newest first; calls in progress are among them.
    records: Vec<CallRecord>,
    /// `before` of the next page; nothing on the last.
    next: Option<String>,
}

/// Searches records; agents and experts find those of their own. The search is noted with the ids that it gave.
#[utoipa::path(post, path = "/records/search", tag = "records", request_body = Question,
    responses((status = 200, body = RecordPage), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn search(
    State(shared): State<Shared>,
    who: May<SeeRecords>,
    Body(question): Body<Question>,
) -> Result<Json<RecordPage>, ApiError> {
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let mut filter = filter(question)?;
    if who.scope() == Scope::Own {
        keep_to_own(&who.session, &mut filter)?;
    }
    let records = shared.store.calls(&filter, limit).await?;
    let ids: Vec<&str> = records.iter().map(|r| r.id.as_str()).collect();
    let detail = json!({"line": filter.line, "fate": filter.fate, "mode": filter.mode, "seat": filter.seat, "agent": filter.agent,
        "by_number": filter.number.is_some(), "records": ids});
    note(&shared, &who.session, Action::RecordsSearched, "", detail).await?;
    let is_full = records.len() == limit as usize;
    let next = records.last().filter(|_| is_full).map(|last| last.cursor().to_string());
    Ok(Json(RecordPage { records, next }))
}

fn filter(question: Question) -> Result<Filter, ApiError> {
    if let Some(fate) = &question.fate
        && !FATES.contains(&fate.as_str())
    {
        return Err(ApiError::BadRequest(format!("fate is one of {}", FATES.join(", "))));
    }
    for text in [&question.line, &question.number, &question.mode].into_iter().flatten() {
        plain("line, number or mode", text, 32)?;
    }
    let cursor = |text: String| text.parse::<Cursor>().map_err(|e| ApiError::BadRequest(format!("before: {e}")));
    Ok(Filter {
        line: question.line,
        fate: question.fate,
        mode: question.mode,
        seat: question.seat,
        agent: question.agent,
        number: question.number,
        since: question.since.map(Wall),
        until: question.until.map(Wall),
        before: question.before.map(cursor).transpose()?,
    })
}

/// The calls that an agent answered; where the account has no agent number, those of its seat.
fn keep_to_own(who: &Session, filter: &mut Filter) -> Result<(), ApiError> {
    let (asked, own) = match who.account.number {
        Some(number) => (&mut filter.agent, number),
        None => (&mut filter.seat, who.account.seat.ok_or(ApiError::NoSeat)?),
    };
    if asked.is_some_and(|asked| asked != own) {
        return Err(ApiError::NotAllowed);
    }
    *asked = Some(own);
    Ok(())
}

/// Whether an agent answered a call, by the same measure.
fn is_own(who: &Session, call: &CallRecord) -> bool {
    match who.account.number {
        Some(number) => call.agent == Some(number.into()),
        None => who.account.seat.is_some_and(|seat| call.seat == Some(seat.into())),
    }
}

/// One call with its steps. The look is noted.
#[utoipa::path(get, path = "/records/{call}", tag = "records",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 200, body = Timeline), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn one(
    State(shared): State<Shared>,
    who: May<SeeRecords>,
    Path(call): Path<String>,
) -> Result<Json<Timeline>, ApiError> {
    let call = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    let found = shared.store.call(call).await?.ok_or(ApiError::NoSuchCall)?;
    if who.scope() == Scope::Own && !is_own(&who.session, &found.call) {
        return Err(ApiError::NoSuchCall);
    }
    note(&shared, &who.session, Action::RecordSeen, &call.to_string(), json!({})).await?;
    Ok(Json(found))
}

/// Marks a call as a test of the plan, right after it: it stays in the records and leaves all counters of the day but `test`. A call
/// that is not over, came from a seat or is older than ten minutes is `no_test_call`. Noted.
#[utoipa::path(post, path = "/records/{call}/test", tag = "records",
    params(("call" = String, Path, description = "Its id", example = "c30117452718080001")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn test(
    State(shared): State<Shared>,
    who: May<MarkTests>,
    Path(call): Path<String>,
) -> Result<StatusCode, ApiError> {
    let call = parse_call_id(&call).ok_or(ApiError::NoSuchCall)?;
    note(&shared, &who.session, Action::TestMarked, &call.to_string(), json!({})).await?;
    let marked = shared.store.mark_test(call, &who.session.account.login, Wall(clock::wall_ms())).await?;
    if marked { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NoTestCall) }
}
