//! `/api/v1/callers`: the caller lists. Agents propose, supervisors approve; what holds goes to the core with each change.
//!
//! A mark changes queue, priority and prompt of a call; none refuses a call. Numbers stand in bodies only.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, plain};
use super::rights::{ApproveCallers, May, ProposeCallers, Scope, SeeCallers, check};
use super::session::hex;
use super::{Shared, clock};
use crate::center::{Input, Refusal};
use crate::dialplan::Mark;
use crate::store::callers::{CallerEntry, Filter, Unlisted};
use crate::types::{PhoneNumber, Wall};

/// Entries of a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (50, 500);
/// Longest that a mark which needs approval may hold: a person is not marked for ever.
const LONGEST_MS: i64 = 366 * 24 * 3600 * 1000;
/// The lists go to the core again this often even without a change: another node may have changed them, and entries end.
const AGAIN: Duration = Duration::from_secs(60);
/// How soon it is tried again when the database or the core does not answer.
const RETRY: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(propose))
        .routes(routes!(search))
        .routes(routes!(approve))
        .routes(routes!(remove))
}

/// What is said of a number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"number": "13900001234", "mark": "nuisance", "reason": "每日拨打数十次", "until": 1811000000000_i64}))]
struct Proposal {
    /// The number, in normal form.
    number: String,
    /// A mark of the plan.
    mark: String,
    /// Why, in 1 to 200 characters.
    reason: String,
    /// When it ends, milliseconds since 1970. A mark that needs approval must have an end, within 366 days.
    #[serde(default)]
    until: Option<i64>,
}

/// Puts a number on the lists. What an agent or expert says, and each mark for which the plan asks it, waits for approval; the
/// rest holds at once. Noted. A number that has the mark already, or for which it is proposed, is `already_listed`.
#[utoipa::path(post, path = "/callers", tag = "callers", request_body = Proposal,
    responses((status = 201, body = CallerEntry), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn propose(
    State(shared): State<Shared>,
    who: May<ProposeCallers>,
    Body(said): Body<Proposal>,
) -> Result<(StatusCode, Json<CallerEntry>), ApiError> {
    let now = clock::wall_ms();
    let needs_approval = mark(&shared, &said.mark)?;
    plain("reason", &said.reason, 200)?;
    let number = PhoneNumber::parse(&said.number).map_err(|e| ApiError::BadRequest(format!("number: {e}")))?;
    if needs_approval && said.until.is_none() {
        return Err(ApiError::BadRequest("until: this mark must have an end".to_owned()));
    }
    if said.until.is_some_and(|until| until <= now || (needs_approval && until > now + LONGEST_MS)) {
        return Err(ApiError::BadRequest("until: must be to come, and within 366 days".to_owned()));
    }
    let login = &who.session.account.login;
    let holds = !needs_approval && check::<ApproveCallers>(&who.session).is_ok();
    let entry = CallerEntry {
        id: hex(&rand::random::<[u8; 8]>()),
        number: number.as_str().to_owned(),
        mark: said.mark,
        reason: said.reason,
        proposed_at: now,
        proposed_by: login.clone(),
        approved_at: holds.then_some(now),
        approved_by: holds.then(|| login.clone()),
        until_at: said.until,
    };
    let detail = json!({"mark": entry.mark, "until": entry.until_at, "holds": holds});
    note(&shared, &who.session, Action::CallerProposed, &entry.id, detail).await?;
    shared.store.list_caller(&entry, Wall(now)).await?.map_err(|why| match why {
        Unlisted::Known => ApiError::AlreadyListed,
        Unlisted::Full => ApiError::ListFull,
    })?;
    shared.lists.notify_one();
    Ok((StatusCode::CREATED, Json(entry)))
}

/// Whether a mark of the plan needs approval.
fn mark(shared: &Shared, name: &str) -> Result<bool, ApiError> {
    let plan = shared.plan.borrow();
    let found: Option<&Mark> = plan.marks.iter().find(|mark| &*mark.name.0 == name);
    found.map(|mark| mark.approval).ok_or(ApiError::Refused(Refusal::NoSuchWord))
}

/// Which entries.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"approved": false}))]
struct Question {
    /// Only of this number, whole, in normal form.
    #[serde(default)]
    number: Option<String>,
    /// Only this mark.
    #[serde(default)]
    mark: Option<String>,
    /// `false`: only those that wait for approval; `true`: only those that hold.
    #[serde(default)]
    approved: Option<bool>,
    /// `next` of the page before.
    #[serde(default)]
    before: Option<String>,
    /// Most entries, 1 to 500; 50.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of the lists.
#[derive(Serialize, ToSchema)]
struct CallerPage {
    /// Newest first; none that is over.
    entries: Vec<CallerEntry>,
    /// `before` of the next page; nothing on the last.
    next: Option<String>,
}

/// Searches the lists; agents and experts find what they proposed. The look is noted.
#[utoipa::path(post, path = "/callers/search", tag = "callers", request_body = Question,
    responses((status = 200, body = CallerPage), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn search(
    State(shared): State<Shared>,
    who: May<SeeCallers>,
    Body(question): Body<Question>,
) -> Result<Json<CallerPage>, ApiError> {
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    for text in [&question.number, &question.mark].into_iter().flatten() {
        plain("number or mark", text, 64)?;
    }
    let own = who.scope() == Scope::Own;
    let filter = Filter {
        number: question.number,
        mark: question.mark,
        proposed_by: own.then(|| who.session.account.login.clone()),
        approved: question.approved,
        before: question.before.as_deref().map(cursor).transpose()?,
    };
    let entries = shared.store.caller_entries(&filter, Wall(clock::wall_ms()), limit).await?;
    let ids: Vec<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    let detail = json!({"mark": filter.mark, "by_number": filter.number.is_some(), "entries": ids});
    note(&shared, &who.session, Action::CallersSearched, "", detail).await?;
    let is_full = entries.len() == limit as usize;
    let next = entries.last().filter(|_| is_full).map(|last| format!("{}-{}", last.proposed_at, last.id));
    Ok(Json(CallerPage { entries, next }))
}

fn cursor(text: &str) -> Result<(i64, String), ApiError> {
    let read = || {
        let (at, id) = text.split_once('-')?;
        plain("before", id, 32).ok()?;
        Some((at.parse().ok()?, id.to_owned()))
    };
    read().ok_or_else(|| ApiError::BadRequest("before: not the cursor of a page".to_owned()))
}

/// Approves what somebody else proposed: it holds for calls that arrive from now on. Noted. Again: nothing happens.
#[utoipa::path(post, path = "/callers/{id}/approve", tag = "callers",
    params(("id" = String, Path, description = "Of the entry", example = "9f0c1d7a52be4e61")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn approve(
    State(shared): State<Shared>,
    who: May<ApproveCallers>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let entry = found(&shared, &id).await?;
    if entry.approved_at.is_some() {
        return Ok(StatusCode::NO_CONTENT);
    }
    if entry.proposed_by == who.session.account.login {
        return Err(ApiError::OwnProposal);
    }
    let detail = json!({"mark": entry.mark, "until": entry.until_at});
    note(&shared, &who.session, Action::CallerApproved, &entry.id, detail).await?;
    // Whoever came first has approved it; that is as good.
    let _first = shared.store.approve_caller(&entry.id, &who.session.account.login, Wall(clock::wall_ms())).await?;
    shared.lists.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an entry away: supervisors any, others what they proposed while nobody has approved it. Noted. Again: `no_such_entry`.
#[utoipa::path(delete, path = "/callers/{id}", tag = "callers",
    params(("id" = String, Path, description = "Of the entry", example = "9f0c1d7a52be4e61")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn remove(
    State(shared): State<Shared>,
    who: May<ProposeCallers>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let entry = found(&shared, &id).await?;
    let own = entry.proposed_by == who.session.account.login;
    if check::<ApproveCallers>(&who.session).is_err() {
        if !own {
            return Err(ApiError::NoSuchEntry);
        }
        if entry.approved_at.is_some() {
            return Err(ApiError::NotAllowed);
        }
    }
    note(&shared, &who.session, Action::CallerRemoved, &entry.id, json!({"mark": entry.mark})).await?;
    shared.store.delist_caller(&entry.id).await?;
    shared.lists.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

async fn found(shared: &Shared, id: &str) -> Result<CallerEntry, ApiError> {
    plain("id", id, 32).map_err(|_| ApiError::NoSuchEntry)?;
    shared.store.caller_entry(id, Wall(clock::wall_ms())).await?.ok_or(ApiError::NoSuchEntry)
}

/// Keeps the core's lists as the database has them: at the start, at each change, when entries end, until told to stop.
pub(super) async fn keep(shared: Shared, mut stop: watch::Receiver<bool>) {
    let mut told = None;
    loop {
        let wait = match shared.store.caller_marks(Wall(clock::wall_ms())).await {
            Ok(marks) if told.as_ref() == Some(&marks) => AGAIN,
            Ok(marks) => match shared.core.tell(Input::CallerLists { marks: marks.clone() }) {
                Ok(()) => {
                    tracing::info!(entries = marks.len(), "the caller lists that hold have changed");
                    told = Some(marks);
                    AGAIN
                }
                Err(_) => RETRY,
            },
            Err(error) => {
                tracing::debug!(%error, "the caller lists cannot be read; those before stay");
                RETRY
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = timeout(wait, shared.lists.notified()) => {}
        }
    }
}
