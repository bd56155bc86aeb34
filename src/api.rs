//! The HTTP API of the local operator: seats, queues, calls, counters, health, metrics.
//!
//! Loopback only, with a start-up token, until there are accounts. It reaches the live core through [`core::CoreHandle`]
//! and the past through the store. Knows no SIP and no media.

mod auth;
mod calls;
pub mod core;
mod counters;
mod error;
mod health;
mod limits;
mod queues;
mod seats;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::{Semaphore, watch};

use crate::store::Store;
pub use auth::Token;
use core::CoreHandle;
use error::ApiError;

/// Requests that are served at a time; beyond them 503.
const REQUESTS: usize = 64;

/// Where the API listens and how much it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address; loopback only. Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// Longest body in bytes. Default 64 KiB.
    pub max_body_bytes: usize,
    /// Longest time for one request. Default 10 s.
    pub request_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            max_body_bytes: 64 * 1024,
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// There are no accounts yet, so nobody else than this machine may come in.
    #[error("HTTP listens on loopback only until there are accounts; {0} is not loopback, use 127.0.0.1 and a tunnel")]
    NotLoopback(SocketAddr),
    /// The port is taken, or something else is wrong.
    #[error("cannot listen on {address} for HTTP: is another yihao running, or the port taken?")]
    Io {
        /// Which address.
        address: SocketAddr,
        /// What the system reports.
        source: io::Error,
    },
}

/// Takes the port. Call it before anything else is started, so that a taken port is no half-started exchange.
///
/// # Errors
/// [`BindError`], one clear sentence each.
pub fn bind(config: &Config) -> Result<TcpListener, BindError> {
    if !config.listen.ip().to_canonical().is_loopback() {
        return Err(BindError::NotLoopback(config.listen));
    }
    let error = |source| BindError::Io { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    Ok(listener)
}

/// Writes all metrics as Prometheus text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    config: Arc<Config>,
    core: CoreHandle,
    store: Store,
    token: Arc<Token>,
    metrics: Metrics,
    ready: Arc<AtomicBool>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    /// Joins what requests need.
    pub fn new(config: Config, core: CoreHandle, store: Store, token: Token, metrics: Metrics) -> Self {
        Self {
            config: Arc::new(config),
            core,
            store,
            token: Arc::new(token),
            metrics,
            ready: Arc::default(),
            places: Arc::new(Semaphore::new(REQUESTS)),
        }
    }

    /// Whether `/readyz` says yes; the node sets it when calls are taken and clears it when it drains.
    pub fn ready(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ready)
    }
}

/// Serves requests until `stop` becomes true (or its sender is gone); requests in progress are finished.
///
/// # Errors
/// What the listener reports at the start.
pub async fn serve(listener: TcpListener, shared: Shared, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let stopped = async move {
        // An error means that the sender is gone: the same.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router(shared)).with_graceful_shutdown(stopped).await
}

fn router(shared: Shared) -> Router {
    let v1 = Router::new()
        .merge(seats::routes())
        .merge(queues::routes())
        .merge(calls::routes())
        .merge(counters::routes())
        .fallback(async || ApiError::NoSuchPath)
        .layer(from_fn_with_state(shared.clone(), auth::require_token));
    Router::new()
        .nest("/api/v1", v1)
        .merge(health::routes())
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::WrongMethod)
        .layer(from_fn_with_state(shared.clone(), limits::hold))
        .with_state(shared)
}
