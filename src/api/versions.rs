//! `/api/v1/plan/versions`: drafts of the dial plan, what they would change, and which of them counts from when on.
//!
//! A version is checked before it is kept and again before it counts. Publishing goes the way of a reload: calls in progress
//! keep their plan. What is due while the exchange is down counts when it is up again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note, note_as};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Params, plain};
use super::rights::{ChangePlan, May, SeePlan};
use super::{Shared, clock};
use crate::dialplan::sheet::{self, Form};
use crate::store::plan_versions::{NewVersion, PlanVersion};
use crate::types::Wall;

/// Versions of a list, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (50, 500);
/// Longest plan in bytes; twenty cities' worth.
const LONGEST: usize = 400_000;
/// Days over which a draft is compared, unless the request says otherwise, and at most.
const DAYS: (u32, u32) = (31, 366);
/// How long a plan may take until it counts; the control thread takes it between two inputs.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a version is due: the set minute is met to a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks pass before the database is asked again: another node may have changed it.
const ASK_EVERY: u32 = 30;
/// The media type of a workbook (ECMA-376 part 2).
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Login of the exchange itself.
const ITSELF: &str = "exchange";

/// The plan that counts, as its owner has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Its version; `None`: a file that has not been numbered yet.
    pub id: Option<i64>,
    /// Name of its file.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// What the node does for versions. Every call may block on files.
pub trait Plans: Send + Sync {
    /// The plan that counts.
    fn counting(&self) -> Counting;
    /// Notes the number that the plan that counts has got.
    fn numbered(&self, id: i64);
    /// Checks a plan against disk and configuration; gives its warnings.
    ///
    /// # Errors
    /// All its mistakes, for people.
    fn check(&self, name: &str, text: &str) -> Result<Vec<String>, String>;
    /// What changes for whom from one plan to another over so many days from a moment on, as JSON.
    ///
    /// # Errors
    /// The mistakes of a plan that cannot be read any more.
    fn compare(&self, before: &str, after: &str, from: Wall, days: u32) -> Result<Value, String>;
    /// Lets a version count from now on, kept so that the next start begins with it.
    ///
    /// # Errors
    /// Why everything stays as it is.
    fn apply(&self, id: i64, name: &str, text: &str) -> Result<(), String>;
    /// The text of the plan that counts with the lines of a CSV sheet in the place of its own.
    ///
    /// # Errors
    /// All mistakes of the sheet by row and column, for people.
    fn with_lines(&self, name: &str, csv: &[u8]) -> Result<Counting, String>;
    /// Whether a second person must approve.
    fn asks_second_person(&self) -> bool;
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(draft))
        .routes(routes!(lines_csv, draft_lines))
        .routes(routes!(lines_xlsx))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(changes))
        .routes(routes!(approve))
        .routes(routes!(publish))
        .routes(routes!(withdraw))
        .routes(routes!(rollback))
}

/// A plan to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "mianyang.toml", "text": "deployment = \"mianyang\"\n...", "why": "12336 销号"}))]
struct Draft {
    /// Name of its file, for messages.
    name: String,
    /// The whole plan.
    text: String,
    /// Why, in 1 to 200 characters.
    why: String,
}

/// A draft that was kept.
#[derive(Serialize, ToSchema)]
struct Drafted {
    /// The version.
    version: PlanVersion,
    /// What works and is probably not meant.
    warnings: Vec<String>,
    /// What would change for whom in the next 31 days, if it counted now.
    #[schema(value_type = Vec<Object>)]
    changes: Value,
}

/// Checks a plan and keeps it as a draft; nothing changes yet. With mistakes it is `plan_refused` and all are told. Noted.
#[utoipa::path(post, path = "/plan/versions", tag = "plan", request_body = Draft,
    responses((status = 201, body = Drafted), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn draft(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Body(draft): Body<Draft>,
) -> Result<(StatusCode, Json<Drafted>), ApiError> {
    plain("name", &draft.name, 200)?;
    let drafted = keep_draft(&shared, &who, draft).await?;
    Ok((StatusCode::CREATED, Json(drafted)))
}

/// Checks a plan and keeps it.
async fn keep_draft(shared: &Shared, who: &May<ChangePlan>, draft: Draft) -> Result<Drafted, ApiError> {
    plain("why", &draft.why, 200)?;
    if draft.text.len() > LONGEST {
        return Err(ApiError::TooLong(LONGEST));
    }
    let now = Wall(clock::wall_ms());
    let (name, text) = (draft.name.clone(), draft.text.clone());
    let (warnings, changes) = blocking(shared, move |plans| {
        let warnings = plans.check(&name, &text)?;
        let changes = plans.compare(&plans.counting().text, &text, now, DAYS.0)?;
        Ok((warnings, changes))
    })
    .await?;
    let login = &who.session.account.login;
    let new = NewVersion { name: &draft.name, text: &draft.text, why: &draft.why, by: login };
    let id = shared.store.draft_plan(new, now).await?;
    note(shared, &who.session, Action::PlanDrafted, &id.to_string(), json!({"why": draft.why})).await?;
    let (version, _) = found(shared, id).await?;
    Ok(Drafted { version, warnings, changes })
}

/// Why a sheet becomes a draft.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SheetFor {
    /// Why, in 1 to 200 characters.
    #[param(example = "12336 销号")]
    why: String,
}

/// Reads a table of lines, as `GET` gives it, into the plan that counts and keeps that as a draft; nothing changes yet. UTF-8 or
/// GB18030. With mistakes it is `plan_refused` and all are told by row and column. Noted.
#[utoipa::path(post, path = "/plan/lines.csv", tag = "plan", params(SheetFor),
    request_body(content = Vec<u8>, content_type = "text/csv"),
    responses((status = 201, body = Drafted), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn draft_lines(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Params(SheetFor { why }): Params<SheetFor>,
    csv: Bytes,
) -> Result<(StatusCode, Json<Drafted>), ApiError> {
    let plan = blocking(&shared, move |plans| plans.with_lines("lines.csv", &csv)).await?;
    let drafted = keep_draft(&shared, &who, Draft { name: plan.name, text: plan.text, why }).await?;
    Ok((StatusCode::CREATED, Json(drafted)))
}

/// The table of lines of the plan that counts as CSV, a row for each line and phase.
#[utoipa::path(get, path = "/plan/lines.csv", tag = "plan",
    responses((status = 200, content_type = "text/csv", body = Vec<u8>),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn lines_csv(State(shared): State<Shared>, _: May<SeePlan>) -> Result<Response, ApiError> {
    written(&shared, Form::Csv, "text/csv; charset=utf-8").await
}

/// The table of lines of the plan that counts as a workbook.
#[utoipa::path(get, path = "/plan/lines.xlsx", tag = "plan",
    responses((status = 200, content_type = XLSX, body = Vec<u8>),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn lines_xlsx(State(shared): State<Shared>, _: May<SeePlan>) -> Result<Response, ApiError> {
    written(&shared, Form::Xlsx, XLSX).await
}

async fn written(shared: &Shared, form: Form, media_type: &'static str) -> Result<Response, ApiError> {
    let bytes = blocking(shared, move |plans| {
        let counting = plans.counting();
        sheet::export(&counting.name, &counting.text, form).map_err(|report| report.to_string())
    });
    Ok(([(header::CONTENT_TYPE, media_type)], bytes.await?).into_response())
}

/// Which versions.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Most versions, 1 to 500; 50.
    limit: Option<u32>,
}

/// All versions.
#[derive(Serialize, ToSchema)]
struct Versions {
    /// The number of the one that counts; nothing while it has none.
    counts: Option<i64>,
    /// Whether a second person must approve.
    second_person: bool,
    /// Newest first.
    versions: Vec<PlanVersion>,
}

/// The versions of the plan.
#[utoipa::path(get, path = "/plan/versions", tag = "plan", params(Page),
    responses((status = 200, body = Versions), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    _: May<SeePlan>,
    Params(page): Params<Page>,
) -> Result<Json<Versions>, ApiError> {
    let versions = shared.store.plan_versions(page.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1)).await?;
    let second_person = shared.plans.asks_second_person();
    Ok(Json(Versions { counts: shared.plans.counting().id, second_person, versions }))
}

/// A version with its text.
#[derive(Serialize, ToSchema)]
struct Shown {
    /// The version.
    version: PlanVersion,
    /// The whole plan.
    text: String,
}

/// One version with its text.
#[utoipa::path(get, path = "/plan/versions/{id}", tag = "plan",
    params(("id" = i64, Path, description = "Of the version", example = 7)),
    responses((status = 200, body = Shown), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn show(State(shared): State<Shared>, _: May<SeePlan>, Path(id): Path<i64>) -> Result<Json<Shown>, ApiError> {
    let (version, text) = found(&shared, id).await?;
    Ok(Json(Shown { version, text }))
}

/// What is compared.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Against {
    /// The version before; the one that counts, where none is named.
    against: Option<i64>,
    /// First moment, milliseconds since 1970; now, where none is named.
    from: Option<i64>,
    /// How many days, 1 to 366; 31.
    days: Option<u32>,
}

/// What would change for whom.
#[derive(Serialize, ToSchema)]
struct Changes {
    /// By line, each with what is done before and after, and when.
    #[schema(value_type = Vec<Object>)]
    changes: Value,
}

/// What changes for whom from another version to this one, for every line and every quarter of an hour.
#[utoipa::path(get, path = "/plan/versions/{id}/changes", tag = "plan",
    params(("id" = i64, Path, description = "Of the version", example = 7), Against),
    responses((status = 200, body = Changes), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn changes(
    State(shared): State<Shared>,
    _: May<SeePlan>,
    Path(id): Path<i64>,
    Params(against): Params<Against>,
) -> Result<Json<Changes>, ApiError> {
    let (_, after) = found(&shared, id).await?;
    let before = match against.against {
        Some(id) => found(&shared, id).await?.1,
        None => shared.plans.counting().text,
    };
    let from = Wall(against.from.unwrap_or_else(clock::wall_ms));
    let days = against.days.unwrap_or(DAYS.0).clamp(1, DAYS.1);
    let changes = blocking(&shared, move |plans| plans.compare(&before, &after, from, days)).await?;
    Ok(Json(Changes { changes }))
}

/// Agrees to a draft of somebody else. Noted. Again: nothing happens.
#[utoipa::path(post, path = "/plan/versions/{id}/approve", tag = "plan",
    params(("id" = i64, Path, description = "Of the version", example = 7)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn approve(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let (version, _) = found(&shared, id).await?;
    let login = &who.session.account.login;
    if version.approved_at.is_some() {
        return Ok(StatusCode::NO_CONTENT);
    }
    if version.made_by == *login {
        return Err(ApiError::OwnProposal);
    }
    note(&shared, &who.session, Action::PlanApproved, &id.to_string(), json!({})).await?;
    if !shared.store.approve_plan(id, login, Wall(clock::wall_ms())).await? {
        return Err(ApiError::VersionPublished);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// When it shall count.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"at": 1811000000000_i64}))]
struct When {
    /// Milliseconds since 1970; at once, where it is not given or is past.
    #[serde(default)]
    at: Option<i64>,
}

/// Lets a version count: at once, or from a set moment on. Calls in progress keep their plan. Noted. A version that nobody else
/// has approved is `not_approved` where the configuration asks for a second person; each version is published once.
#[utoipa::path(post, path = "/plan/versions/{id}/publish", tag = "plan", request_body = When,
    params(("id" = i64, Path, description = "Of the version", example = 7)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn publish(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Path(id): Path<i64>,
    Body(when): Body<When>,
) -> Result<StatusCode, ApiError> {
    let (version, text) = found(&shared, id).await?;
    may_be_published(&shared, &version)?;
    let (name, checked) = (version.name.clone(), text.clone());
    blocking(&shared, move |plans| plans.check(&name, &checked).map(drop)).await?;
    let at = when.at.map(Wall).filter(|at| at.0 > clock::wall_ms());
    let action = if at.is_some() { Action::PlanScheduled } else { Action::PlanPublished };
    note(&shared, &who.session, action, &id.to_string(), json!({"at": at})).await?;
    let login = &who.session.account.login;
    if !shared.store.schedule_plan(id, Some(at.unwrap_or(Wall(clock::wall_ms()))), login).await? {
        return Err(ApiError::VersionPublished);
    }
    if at.is_none()
        && let Err(error) = apply(&shared, version, text).await
    {
        return Err(not_due_any_more(&shared, id, login, error).await?);
    }
    shared.versions.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back that a version shall count from a moment on. Noted. Again: nothing happens.
#[utoipa::path(delete, path = "/plan/versions/{id}/publish", tag = "plan",
    params(("id" = i64, Path, description = "Of the version", example = 7)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn withdraw(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    found(&shared, id).await?;
    note(&shared, &who.session, Action::PlanWithdrawn, &id.to_string(), json!({})).await?;
    if !shared.store.schedule_plan(id, None, &who.session.account.login).await? {
        return Err(ApiError::VersionPublished);
    }
    shared.versions.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

/// Why an older version comes back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"why": "12336 转接错误"}))]
struct Back {
    /// Why, in 1 to 200 characters.
    why: String,
}

/// Lets the text of a version that has counted before count again, at once, as a new version. It needs no second person: it had
/// been agreed to. Noted.
#[utoipa::path(post, path = "/plan/versions/{id}/rollback", tag = "plan", request_body = Back,
    params(("id" = i64, Path, description = "Of the version", example = 6)),
    responses((status = 201, body = PlanVersion), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn rollback(
    State(shared): State<Shared>,
    who: May<ChangePlan>,
    Path(id): Path<i64>,
    Body(back): Body<Back>,
) -> Result<(StatusCode, Json<PlanVersion>), ApiError> {
    plain("why", &back.why, 200)?;
    let (version, text) = found(&shared, id).await?;
    if version.published_at.is_none() {
        return Err(ApiError::NeverPublished);
    }
    let (name, checked) = (version.name.clone(), text.clone());
    blocking(&shared, move |plans| plans.check(&name, &checked).map(drop)).await?;
    let login = &who.session.account.login;
    let new = NewVersion { name: &version.name, text: &text, why: &back.why, by: login };
    let now = Wall(clock::wall_ms());
    let again = shared.store.draft_plan(new, now).await?;
    note(&shared, &who.session, Action::PlanRolledBack, &again.to_string(), json!({"to": id, "why": back.why})).await?;
    shared.store.schedule_plan(again, Some(now), login).await?;
    let (version, text) = found(&shared, again).await?;
    if let Err(error) = apply(&shared, version, text).await {
        return Err(not_due_any_more(&shared, again, login, error).await?);
    }
    Ok((StatusCode::CREATED, Json(found(&shared, again).await?.0)))
}

/// A version that lost its place to another must not count a second later because it is due.
async fn not_due_any_more(shared: &Shared, id: i64, login: &str, error: ApiError) -> Result<ApiError, ApiError> {
    if error == ApiError::PublishedMeanwhile {
        shared.store.schedule_plan(id, None, login).await?;
    }
    Ok(error)
}

fn may_be_published(shared: &Shared, version: &PlanVersion) -> Result<(), ApiError> {
    match version {
        PlanVersion { published_at: Some(_), .. } => Err(ApiError::VersionPublished),
        PlanVersion { approved_at: None, .. } if shared.plans.asks_second_person() => Err(ApiError::NotApproved),
        _ => Ok(()),
    }
}

async fn found(shared: &Shared, id: i64) -> Result<(PlanVersion, String), ApiError> {
    shared.store.plan_version(id).await?.ok_or(ApiError::NoSuchVersion)
}

/// Work on files, off the threads that serve others; what it refuses are the mistakes of a plan.
async fn blocking<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&dyn Plans) -> Result<T, String> + Send + 'static,
) -> Result<T, ApiError> {
    let plans = Arc::clone(&shared.plans);
    let done = tokio::task::spawn_blocking(move || work(&*plans)).await.map_err(|_| ApiError::CoreSilent)?;
    done.map_err(ApiError::PlanRefused)
}

/// Lets a version count now. What counts is kept beside the ledger first, so that a start after a crash begins with it; the
/// database learns of it last and is put right by [`keep`] when it does not answer. Before anything changes the version takes its
/// place behind the one that counts: where another node gives that place away at this moment, everything stays as it is.
async fn apply(shared: &Shared, version: PlanVersion, text: String) -> Result<(), ApiError> {
    let alone = Arc::clone(&shared.reloading).acquire_owned().await.map_err(|_| ApiError::CoreSilent)?;
    let id = version.id;
    if !shared.store.take_over(id, Wall(clock::wall_ms())).await? {
        return Err(ApiError::PublishedMeanwhile);
    }
    let mut plan = shared.plan.clone();
    plan.mark_unchanged();
    let name = version.name.clone();
    let applied = blocking(shared, move |plans| {
        let done = plans.apply(id, &name, &text);
        drop(alone);
        done
    });
    if let Err(error) = applied.await {
        shared.store.let_go(id).await?;
        return Err(error);
    }
    match timeout(TAKEN_WITHIN, plan.changed()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) | Err(_) => return Err(ApiError::CoreSilent),
    }
    shared.store.plan_published(id, Wall(clock::wall_ms())).await?;
    tracing::info!(version = id, why = version.why, "another version of the plan counts");
    Ok(())
}

/// Publishes what is due and numbers what came from a file, until told to stop.
pub(super) async fn keep(shared: Shared, mut stop: watch::Receiver<bool>) {
    let (mut next, mut asked) = (None, ASK_EVERY);
    loop {
        if asked >= ASK_EVERY {
            match settle(&shared).await {
                Ok(found) => (next, asked) = (found, 0),
                Err(error) => tracing::debug!(?error, "the versions of the plan cannot be read"),
            }
        }
        if let Some((id, at)) = next
            && at <= clock::wall_ms()
        {
            publish_due(&shared, id).await;
            (next, asked) = (None, ASK_EVERY);
        }
        asked += 1;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            waited = timeout(LOOK_EVERY, shared.versions.notified()) => if waited.is_ok() { asked = ASK_EVERY },
        }
        if shared.plans.counting().id.is_none() {
            asked = ASK_EVERY;
        }
    }
}

/// Brings the database after what counts; gives the version that is due next.
async fn settle(shared: &Shared) -> Result<Option<(i64, i64)>, ApiError> {
    let (counting, now) = (shared.plans.counting(), Wall(clock::wall_ms()));
    match counting.id {
        Some(id) => {
            // The process may have ended between the two.
            if shared.store.plan_published(id, now).await? {
                tracing::warn!(version = id, "the version that counts is noted only now");
            }
        }
        None => {
            let why = "the plan file had changed at a start or a reload";
            let new = NewVersion { name: &counting.name, text: &counting.text, why, by: ITSELF };
            let id = shared.store.draft_plan(new, now).await?;
            shared.store.plan_published(id, now).await?;
            note_as(shared, ITSELF, Action::PlanPublished, &id.to_string(), json!({"file": counting.name})).await?;
            shared.plans.numbered(id);
        }
    }
    Ok(shared.store.next_plan().await?.and_then(|version| Some((version.id, version.publish_at?))))
}

async fn publish_due(shared: &Shared, id: i64) {
    let published = async {
        let (version, text) = found(shared, id).await?;
        may_be_published(shared, &version)?;
        note_as(shared, ITSELF, Action::PlanPublished, &id.to_string(), json!({"due": version.publish_at})).await?;
        apply(shared, version, text).await
    };
    if let Err(error) = published.await {
        tracing::error!(version = id, ?error, "a version of the plan was due and does not count; the old plan stays");
        if matches!(error, ApiError::PlanRefused(_) | ApiError::NotApproved)
            && let Err(error) = shared.store.schedule_plan(id, None, ITSELF).await
        {
            tracing::error!(version = id, %error, "it is tried again");
        }
    }
}
