//! `/api/v1/surges`: states of emergency of the plan, switched on and off while the exchange runs.

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
use super::rights::{May, SeeSurges, SwitchSurges};
use crate::center::{Input, Refusal};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(switch))
}

/// All surges of the plan.
#[derive(Serialize, ToSchema)]
struct Surges {
    /// In the order of the plan: of several that are on the first that fits a line counts.
    surges: Vec<Surge>,
}

/// A state of emergency: callers hear a prompt more, or wait in a queue of its own.
#[derive(Serialize, ToSchema)]
struct Surge {
    /// Its name.
    #[schema(example = "flood")]
    surge: String,
    /// Whether it is on.
    on: bool,
    /// Played after the greeting.
    #[schema(example = "surge/flood")]
    prompt: Option<String>,
    /// Where callers wait instead.
    queue: Option<String>,
    /// On which lines; empty: on all.
    #[schema(example = json!(["12345"]))]
    lines: Vec<String>,
}

/// All surges of the plan and whether they are on.
#[utoipa::path(get, path = "/surges", tag = "surges",
    responses((status = 200, body = Surges), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(State(shared): State<Shared>, _: May<SeeSurges>) -> Result<Json<Surges>, ApiError> {
    let on = shared.core.look().await?.surges;
    let plan = shared.plan.borrow();
    let surge = |surge: &crate::dialplan::Surge| Surge {
        surge: surge.name.clone(),
        on: on.contains(&surge.name),
        prompt: surge.prompt.as_ref().map(|prompt| prompt.0.to_string()),
        queue: surge.queue.and_then(|queue| Some(plan.queues.get(usize::from(queue.0))?.name.clone())),
        lines: surge.lines.iter().map(ToString::to_string).collect(),
    };
    Ok(Json(Surges { surges: plan.surges.iter().map(surge).collect() }))
}

/// On or off.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"on": true}))]
struct Switch {
    /// Whether it shall be on.
    on: bool,
}

/// Switches a surge: it counts for calls that arrive from now on. Noted. One that is so already stays so.
#[utoipa::path(put, path = "/surges/{surge}", tag = "surges", request_body = Switch,
    params(("surge" = String, Path, description = "Its name in the plan", example = "flood")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn switch(
    State(shared): State<Shared>,
    who: May<SwitchSurges>,
    Path(surge): Path<String>,
    Body(Switch { on }): Body<Switch>,
) -> Result<StatusCode, ApiError> {
    let is_on = shared.core.look().await?.surges.contains(&surge);
    let is_planned = shared.plan.borrow().surges.iter().any(|s| s.name == surge);
    // One that the plan has dropped can still be switched off.
    if !is_planned && (on || !is_on) {
        return Err(ApiError::Refused(Refusal::NoSuchSurge));
    }
    if is_on != on {
        note(&shared, &who.session, Action::SurgeSwitched, &surge, json!({"on": on})).await?;
        shared.core.command(move |reply| Input::Surge { name: surge, on, reply: Some(reply) }).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
