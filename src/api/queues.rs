//! `/api/v1/queues`: who waits where.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::error::{ApiError, ErrorBody};
use super::rights::{May, Scope, SeeFloor};
use super::session::Session;
use crate::center::QueueView;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// All queues.
#[derive(Serialize, ToSchema)]
struct Queues {
    /// In the order of the plan.
    queues: Vec<Queue>,
    /// Whether new calls are refused because the exchange shuts down.
    draining: bool,
}

/// A queue and who waits in it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Queue {
    /// Its name.
    #[schema(example = "general")]
    pub(super) queue: String,
    /// Ids of the calls that wait, next first; calls that are being offered are not among them.
    #[schema(example = json!(["c30117452718080001"]))]
    pub(super) waiting: Vec<String>,
    /// How long the first has waited, milliseconds.
    pub(super) longest_ms: u64,
    /// Seats that would take a call now.
    pub(super) free_seats: usize,
    /// Seats that serve it and at which somebody is signed in.
    pub(super) signed_in: usize,
    /// How long a caller who comes now is expected to wait, milliseconds.
    pub(super) expected_ms: Option<u64>,
}

impl Queue {
    pub(super) fn of(queue: &QueueView) -> Self {
        Self {
            queue: queue.queue.clone(),
            waiting: queue.waiting.iter().map(ToString::to_string).collect(),
            longest_ms: queue.longest_ms,
            free_seats: queue.free_seats,
            signed_in: queue.signed_in,
            expected_ms: queue.expected_ms,
        }
    }
}

/// Whether somebody serves a queue, as far as the account says.
pub(super) fn serves(who: &Session, queue: &str) -> bool {
    who.account.queues.is_empty() || who.account.queues.iter().any(|q| q == queue)
}

/// All queues; agents and experts see those that they serve.
#[utoipa::path(get, path = "/queues", tag = "queues",
    responses((status = 200, body = Queues), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(State(shared): State<Shared>, who: May<SeeFloor>) -> Result<Json<Queues>, ApiError> {
    let view = shared.core.look().await?;
    let seen = |q: &&QueueView| who.scope() == Scope::All || serves(&who.session, &q.queue);
    let queues = view.queues.iter().filter(seen).map(Queue::of).collect();
    Ok(Json(Queues { queues, draining: view.draining }))
}
