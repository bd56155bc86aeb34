//! `/api/v1/queues`: who waits where.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::Shared;
use super::error::ApiError;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/queues", get(list))
}

#[derive(Serialize)]
struct Queues {
    queues: Vec<Queue>,
    trunks: Vec<Trunk>,
    draining: bool,
}

#[derive(Serialize)]
struct Queue {
    queue: String,
    /// Next first; calls that are being offered are not among them.
    waiting: Vec<String>,
    longest_ms: u64,
    free_seats: usize,
}

#[derive(Serialize)]
struct Trunk {
    trunk: String,
    up: Option<bool>,
}

async fn list(State(shared): State<Shared>) -> Result<Json<Queues>, ApiError> {
    let view = *shared.core.look().await?;
    let queue = |q: crate::center::QueueView| Queue {
        queue: q.queue,
        waiting: q.waiting.iter().map(ToString::to_string).collect(),
        longest_ms: q.longest_ms,
        free_seats: q.free_seats,
    };
    Ok(Json(Queues {
        queues: view.queues.into_iter().map(queue).collect(),
        trunks: view.trunks.into_iter().map(|t| Trunk { trunk: t.trunk, up: t.up }).collect(),
        draining: view.draining,
    }))
}
