//! Bounds of every request: how many at a time and a second, how long its address and body are, how long it may take.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};

use super::Shared;
use super::error::{ApiError, Language, said};
use super::lockout::network_of;
use super::session::{self, Peer};

/// Longest path and query in bytes.
const ADDRESS_BYTES: usize = 2048;
/// Addresses that are counted in one second; all others of that second share one count.
const COUNTED: usize = 4_096;

/// Requests of the running second by the network they came from.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<(u64, BTreeMap<u128, u32>)>);

impl Rates {
    /// Counts a request; false when its address has had its share of this second.
    fn admits(&self, uptime: Duration, address: IpAddr, most: u32) -> bool {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.0 != uptime.as_secs() {
            *rates = (uptime.as_secs(), BTreeMap::new());
        }
        let network = network_of(address);
        let all_others = u128::MAX;
        let is_counted = rates.1.len() < COUNTED || rates.1.contains_key(&network);
        let count = rates.1.entry(if is_counted { network } else { all_others }).or_default();
        *count = count.saturating_add(1);
        *count <= most
    }
}

/// Holds a request to its bounds and notes it in the log, by route, never by the ids in its path.
pub(super) async fn hold(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let language = Language::of(request.headers());
    let response = match timeout(shared.config.request_timeout, bounded(&shared, request, next)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(_) => ApiError::TooSlow.into_response(),
    };
    let mut response = said(response, language);
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let (status, taken) = (response.status().as_u16(), begun.elapsed());
    tracing::debug!(%method, route, status, ms = taken.as_millis(), "request");
    metrics::counter!("yihao_api_requests_total", "status" => status.to_string()).increment(1);
    response
}

async fn bounded(shared: &Shared, request: Request, next: Next) -> Result<Response, ApiError> {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
    let address = session::address(request.headers(), peer, shared.config.behind_proxy);
    if !shared.rates.admits(shared.uptime(), address, shared.config.requests_per_s) {
        return Err(ApiError::RateLimited);
    }
    let _place = shared.places.try_acquire().map_err(|_| ApiError::Busy)?;
    if request.uri().path_and_query().is_some_and(|p| p.as_str().len() > ADDRESS_BYTES) {
        return Err(ApiError::AddressTooLong(ADDRESS_BYTES));
    }
    let most = shared.config.max_body_bytes;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, most).await.map_err(|_| ApiError::TooLong(most))?;
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_of_a_second_and_memory_is_bounded() {
        let rates = Rates::default();
        let second = Duration::from_secs;
        let one = IpAddr::from([192, 0, 2, 1]);
        assert!((0..3).all(|_| rates.admits(second(1), one, 3)));
        assert!(!rates.admits(second(1), one, 3));
        assert!(rates.admits(second(1), IpAddr::from([192, 0, 2, 2]), 3), "others have theirs");
        assert!(rates.admits(second(2), one, 3), "the next second is a new one");
        for n in 0..10_000_u32 {
            rates.admits(second(3), IpAddr::from(n.to_be_bytes()), 3);
        }
        assert_eq!(rates.0.lock().unwrap().1.len(), COUNTED + 1);
    }
}
