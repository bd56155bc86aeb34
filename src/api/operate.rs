//! `/api/v1/drain` and `/reload`: what SIGTERM and SIGHUP do, asked for by HTTP; a drain by HTTP can be taken back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::rights::{May, Operate};
use crate::center::Input;

/// Longest time for calls in progress, seconds.
const LONGEST_S: u32 = 4 * 3600;
/// How long the control thread may take to go by a plan that was read.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(drain, resume)).routes(routes!(reload))
}

/// How long calls in progress may go on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seconds": 30}))]
struct Drain {
    /// In seconds, at most 14,400; then they are ended.
    #[schema(maximum = 14_400)]
    seconds: u32,
}

/// No new calls from now on; those in progress may finish within a time, hear a notice, and are ended. The program stays. Noted.
/// Again: the earlier of both times counts.
#[utoipa::path(post, path = "/drain", tag = "operation", request_body = Drain,
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn drain(
    State(shared): State<Shared>,
    who: May<Operate>,
    Body(drain): Body<Drain>,
) -> Result<StatusCode, ApiError> {
    if drain.seconds > LONGEST_S {
        return Err(ApiError::BadRequest(format!("seconds: at most {LONGEST_S}")));
    }
    note(&shared, &who.session, Action::Drained, "", json!(drain)).await?;
    let within = Some(Duration::from_secs(drain.seconds.into()));
    shared.core.command(move |reply| Input::Drain { within, reply: Some(reply) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// New calls are taken again. Noted. A drain of SIGTERM cannot be taken back; without a drain nothing happens.
#[utoipa::path(delete, path = "/drain", tag = "operation",
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn resume(State(shared): State<Shared>, who: May<Operate>) -> Result<StatusCode, ApiError> {
    note(&shared, &who.session, Action::Resumed, "", json!({})).await?;
    shared.core.command(|reply| Input::Resume { reply: Some(reply) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads plan, secrets, prompts and certificates again: new calls go by the new plan, those in progress keep theirs. With
/// mistakes plan, secrets and prompts stay as they were, and all mistakes are told (`reload_refused`); certificates are judged by
/// themselves. Noted. Again does no harm.
#[utoipa::path(post, path = "/reload", tag = "operation",
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn reload(State(shared): State<Shared>, who: May<Operate>) -> Result<StatusCode, ApiError> {
    let alone = Arc::clone(&shared.reloading).acquire_owned().await.map_err(|_| ApiError::CoreSilent)?;
    note(&shared, &who.session, Action::Reloaded, "", json!({})).await?;
    let mut plan = shared.plan.clone();
    plan.mark_unchanged();
    let read = Arc::clone(&shared.reload);
    let reading = tokio::task::spawn_blocking(move || {
        let done = read();
        drop(alone);
        done
    });
    reading.await.map_err(|_| ApiError::CoreSilent)?.map_err(ApiError::ReloadRefused)?;
    match timeout(TAKEN_WITHIN, plan.changed()).await {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(_)) | Err(_) => Err(ApiError::CoreSilent),
    }
}
