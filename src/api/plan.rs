//! `/api/v1/lines`, `/plan/tasks`, `/trunks`, `/settings`: what the plan and the configuration say. Read-only: the files rule.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::clock;
use super::error::{ApiError, ErrorBody};
use super::extract::Params;
use super::rights::{May, SeePlan};
use crate::center::{CallView, WhereIs};
use crate::dialplan::task::TaskView;
use crate::dialplan::{Phase, Plan, Reactivated, Service};
use crate::store::counters::TO_CANCELLED;
use crate::types::{Origin, Wall};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(lines)).routes(routes!(tasks)).routes(routes!(trunks)).routes(routes!(settings))
}

/// All lines.
#[derive(Serialize, ToSchema)]
struct Lines {
    /// In the order of their numbers.
    lines: Vec<Line>,
}

/// A number that citizens dial.
#[derive(Serialize, ToSchema)]
struct Line {
    /// The number.
    #[schema(example = "12315")]
    line: String,
    /// Its name.
    #[schema(example = "市场监管投诉举报热线")]
    name: String,
    /// The responsible unit.
    unit: String,
    /// Merge mode as it is named, today; nothing before its first phase.
    #[schema(example = "双号并行")]
    mode: Option<String>,
    /// The queue that it rings today; nothing when it is not served.
    #[schema(example = "general")]
    queue: Option<String>,
    /// Calls to it that are in progress.
    #[schema(example = 3)]
    calls: usize,
    /// Those of them that wait for a seat.
    #[schema(example = 1)]
    waiting: usize,
    /// All phases, in order.
    phases: Vec<PhaseOf>,
}

/// What a line does from a date on.
#[derive(Serialize, ToSchema)]
struct PhaseOf {
    /// Milliseconds since 1970.
    from: i64,
    /// Merge mode as it is named.
    #[schema(example = "双号并行")]
    mode: &'static str,
    /// What becomes of the number: `keep`, `cancel`, `internal`.
    #[schema(example = "keep")]
    number_fate: &'static str,
    /// Whose seats answer first: `here`, `experts`, `own`, `upper`, `other-line`, `operator`, `office`.
    #[schema(example = "here")]
    seats: &'static str,
    /// Where unresolved matters go: `order`, `transfer`, `three-party`, `push`, `operator`, `other-line`, `nowhere`.
    #[schema(example = "order")]
    unresolved_to: &'static str,
    /// Where the line stands in its life: `planned`, `integrating`, `transition`, `in-force`, `cancelled`, `not-merged`.
    #[schema(example = "in-force")]
    lifecycle: &'static str,
    /// The queue that its calls wait in, or fall back to.
    #[schema(example = "general")]
    queue: Option<String>,
    /// The place outside that its calls go on to.
    #[schema(example = "sub-center-12366")]
    destination: Option<String>,
    /// Who decided that a cancelled number serves again, and why.
    reactivated: Option<String>,
}

/// Which tasks.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those of which something should be done by now and is not.
    #[serde(default)]
    overdue: bool,
}

/// The ledger of merging.
#[derive(Serialize, ToSchema)]
struct Tasks {
    /// In the order of their numbers.
    tasks: Vec<Task>,
}

/// What the merge document asks of a line, and how far it is.
#[derive(Serialize, ToSchema)]
struct Task {
    /// The number.
    #[schema(example = "12336")]
    line: String,
    /// Its name.
    #[schema(example = "全国统一自然资源违法举报电话")]
    name: String,
    /// The responsible unit.
    #[schema(example = "市自然资源和规划局")]
    unit: String,
    /// The merge mode that is asked for, as it is named.
    #[schema(example = "整体并入")]
    mode: &'static str,
    /// `planned`, `integrating`, `transition`, `done` or `cancelled`.
    #[schema(example = "integrating")]
    state: &'static str,
    /// The last day for merging it.
    #[schema(example = "2021-05-31")]
    deadline: Option<String>,
    /// The last day for cancelling its number.
    #[schema(example = "2021-08-01")]
    cancel_by: Option<String>,
    /// Since when it is merged by the plan, or will be; milliseconds since 1970.
    merged_at: Option<i64>,
    /// Since when its number is cancelled by the plan, or will be.
    cancelled_at: Option<i64>,
    /// What should be done by now and is not: `merge`, `cancel`.
    #[schema(example = json!(["cancel"]))]
    overdue: Vec<&'static str>,
    /// Calls to the number that came after its cancellation.
    #[schema(example = 17)]
    calls_to_cancelled: i64,
}

/// All trunks.
#[derive(Serialize, ToSchema)]
struct Trunks {
    /// In the order of the plan.
    trunks: Vec<Trunk>,
}

/// A way to a carrier.
#[derive(Serialize, ToSchema)]
struct Trunk {
    /// Its name.
    #[schema(example = "telecom")]
    trunk: String,
    /// The network that it uses.
    network: String,
    /// Whether it answers; nothing until it was asked or tried.
    up: Option<bool>,
    /// Calls in progress that came over it.
    #[schema(example = 12)]
    calls: usize,
    /// Most calls at a time.
    max_calls: Option<u32>,
    /// Most new calls a second.
    max_calls_per_s: Option<u32>,
    /// Its failover group.
    group: Option<String>,
}

/// What runs here. No secret is in it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Settings {
    /// Version of the program.
    pub version: String,
    /// Name of the deployment.
    pub deployment: String,
    /// Time zone of dates and hours.
    pub zone: String,
    /// Realm of the telephones' digest.
    pub realm: String,
    /// Where SIP is heard.
    pub listeners: Vec<String>,
    /// Whether calls are recorded.
    pub recording: bool,
    /// Most calls at a time over all trunks.
    pub max_calls: u32,
    /// Most new calls a second over all trunks.
    pub max_calls_per_s: u32,
    /// Days for which records are kept; those under legal hold stay.
    pub records_days: u32,
    /// Days for which recordings are kept.
    pub recordings_days: u32,
}

/// All lines of the plan and how many calls they have.
#[utoipa::path(get, path = "/lines", tag = "plan",
    responses((status = 200, body = Lines), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn lines(State(shared): State<Shared>, _: May<SeePlan>) -> Result<Json<Lines>, ApiError> {
    let view = shared.core.look().await?;
    let (now, plan) = (clock::wall_ms(), Arc::clone(&shared.plan.borrow()));
    let line = |line: &crate::dialplan::Line| {
        let current: Option<&Phase> = line.phase_at(Wall(now));
        let queue = current.and_then(|phase| match &phase.service {
            Service::Queue(service) => plan.queues.get(usize::from(service.queue.0)),
            Service::Outside(_) | Service::Told(_) | Service::NotServed => None,
        });
        let to = |call: &&CallView| matches!(call.origin, Origin::Trunk(_)) && call.called == line.number;
        let calls = view.calls.iter().filter(to);
        Line {
            calls: calls.clone().count(),
            waiting: calls.filter(|call| matches!(call.place, WhereIs::Waiting | WhereIs::Offered)).count(),
            line: line.number.to_string(),
            name: line.name.clone(),
            unit: line.unit.clone(),
            mode: current.map(|phase| phase.mode.shown().to_owned()),
            queue: queue.map(|q| q.name.clone()),
            phases: line.phases.iter().map(|phase| PhaseOf::of(phase, &plan)).collect(),
        }
    };
    Ok(Json(Lines { lines: plan.lines.values().map(line).collect() }))
}

impl PhaseOf {
    fn of(phase: &Phase, plan: &Plan) -> Self {
        let (queue, destination) = match &phase.service {
            Service::Queue(service) => (Some(service.queue), service.desk),
            Service::Outside(service) => (service.fallback, Some(service.destination)),
            Service::Told(_) | Service::NotServed => (None, None),
        };
        let why = |word: &Reactivated| format!("{}: {}", word.by, word.reason);
        Self {
            from: phase.from.0,
            mode: phase.mode.shown(),
            number_fate: phase.attributes.number_fate.word(),
            seats: phase.attributes.seats.word(),
            unresolved_to: phase.attributes.unresolved_to.word(),
            lifecycle: phase.attributes.lifecycle.word(),
            queue: queue.and_then(|queue| plan.queue(queue)).map(|queue| queue.name.clone()),
            destination: destination.and_then(|id| plan.destination(id)).map(|d| d.name.clone()),
            reactivated: phase.reactivated.as_ref().map(why),
        }
    }
}

/// The ledger of merging (台账): each line's task with its unit, mode, days and state, which follows from the phases of the plan.
#[utoipa::path(get, path = "/plan/tasks", tag = "plan", params(Which),
    responses((status = 200, body = Tasks), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn tasks(
    State(shared): State<Shared>,
    _: May<SeePlan>,
    Params(which): Params<Which>,
) -> Result<Json<Tasks>, ApiError> {
    let calls = shared.store.counted_by_line(TO_CANCELLED).await?;
    let plan = Arc::clone(&shared.plan.borrow());
    let task = |task: TaskView<'_>| {
        // Records have the number as the carrier wrote it.
        let others = plan.aliases.iter().filter(|(_, line)| **line == task.line.number).map(|(alias, _)| alias);
        let numbers = others.chain([&task.line.number]);
        Task {
            calls_to_cancelled: numbers.filter_map(|number| calls.get(number.as_str())).sum(),
            line: task.line.number.to_string(),
            name: task.line.name.clone(),
            unit: task.line.unit.clone(),
            mode: task.mode.shown(),
            state: task.state.word(),
            deadline: task.deadline.map(|day| day.to_string()),
            cancel_by: task.cancel_by.map(|day| day.to_string()),
            merged_at: task.merged.map(|at| at.0),
            cancelled_at: task.cancelled.map(|at| at.0),
            overdue: task.overdue.iter().map(|duty| duty.word()).collect(),
        }
    };
    let all = plan.tasks(Wall(clock::wall_ms())).into_iter();
    let tasks = all.filter(|task| !which.overdue || !task.overdue.is_empty()).map(task).collect();
    Ok(Json(Tasks { tasks }))
}

/// All trunks of the plan, whether they answer, and how many calls they have.
#[utoipa::path(get, path = "/trunks", tag = "plan",
    responses((status = 200, body = Trunks), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn trunks(State(shared): State<Shared>, _: May<SeePlan>) -> Result<Json<Trunks>, ApiError> {
    let view = shared.core.look().await?;
    let plan = Arc::clone(&shared.plan.borrow());
    let trunk = |trunk: &crate::dialplan::Trunk| Trunk {
        trunk: trunk.name.clone(),
        network: trunk.network.clone(),
        up: view.trunks.iter().find(|t| t.trunk == trunk.name).and_then(|t| t.up),
        calls: view.calls.iter().filter(|call| call.origin == Origin::Trunk(trunk.id)).count(),
        max_calls: trunk.max_calls,
        max_calls_per_s: trunk.max_calls_per_s,
        group: trunk.group.as_ref().map(|g| g.name.clone()),
    };
    Ok(Json(Trunks { trunks: plan.trunks.iter().map(trunk).collect() }))
}

/// What runs here, as configured.
#[utoipa::path(get, path = "/settings", tag = "plan",
    responses((status = 200, body = Settings), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn settings(State(shared): State<Shared>, _: May<SeePlan>) -> Json<Settings> {
    Json((*shared.settings).clone())
}
