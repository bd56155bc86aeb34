//! Bounds of every request: how many at a time, how long its address and body are, how long it may take.

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};

use super::Shared;
use super::error::ApiError;

/// Longest path and query in bytes.
const ADDRESS_BYTES: usize = 2048;

/// Holds a request to its bounds and notes it in the log, by route, never by the ids in its path.
pub(super) async fn hold(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = match timeout(shared.config.request_timeout, bounded(&shared, request, next)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(_) => ApiError::TooSlow.into_response(),
    };
    let (status, taken) = (response.status().as_u16(), begun.elapsed());
    tracing::debug!(%method, route, status, ms = taken.as_millis(), "request");
    metrics::counter!("yihao_api_requests_total", "status" => status.to_string()).increment(1);
    response
}

async fn bounded(shared: &Shared, request: Request, next: Next) -> Result<Response, ApiError> {
    let _place = shared.places.try_acquire().map_err(|_| ApiError::Busy)?;
    if request.uri().path_and_query().is_some_and(|p| p.as_str().len() > ADDRESS_BYTES) {
        return Err(ApiError::AddressTooLong(ADDRESS_BYTES));
    }
    let most = shared.config.max_body_bytes;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, most).await.map_err(|_| ApiError::TooLong(most))?;
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}
