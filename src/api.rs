//! The HTTP API: accounts and rights, seats, queues, calls, records, counters, the audit, health, and the stream of events.
//!
//! It reaches the live core through [`core::CoreHandle`] and the past through the store. Every path is described where its
//! handler stands; `/api/v1/openapi.json` and the page `/api/docs/` are made of that. Knows no SIP and no media.

mod accounts;
mod audit;
mod callers;
mod calls;
mod clock;
pub mod core;
mod counters;
mod error;
pub mod events;
mod extract;
mod health;
mod holds;
mod limits;
mod local;
mod lockout;
mod me;
mod operate;
mod password;
mod plan;
mod queues;
mod recordings;
mod records;
mod rights;
mod seats;
mod serve;
mod session;
mod supervise;
mod surges;
mod talk;
#[cfg(test)]
mod tests;
mod transfer;
mod versions;
mod wishes;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::dialplan::Plan;
use crate::store::Store;
use core::CoreHandle;
use error::ApiError;
use events::Ring;
pub use local::{FirstPassword, LocalError, prepare};
pub use plan::Settings;
pub use recordings::Render;
pub use serve::Tls;
pub use versions::{Counting, Plans};

/// Requests that are served at a time; beyond them 503.
const REQUESTS: usize = 64;

/// Where the API listens and how much it takes.
#[derive(Clone)]
pub struct Config {
    /// Address. Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// The certificate, when it speaks TLS itself.
    pub tls: Option<Tls>,
    /// Whether our own proxy stands before it: then it says where requests come from (`X-Forwarded-For`), and speaks TLS.
    pub behind_proxy: bool,
    /// Most requests a second from one address. Default 100.
    pub requests_per_s: u32,
    /// Longest body in bytes. Default 512 KiB: a dial plan as text.
    pub max_body_bytes: usize,
    /// Longest time for one request. Default 10 s.
    pub request_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            behind_proxy: false,
            requests_per_s: 100,
            max_body_bytes: 512 * 1024,
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("listen", &self.listen).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Passwords would cross the network in clear.
    #[error(
        "HTTP on {0} would carry passwords in clear: set http.tls, or http.behind_proxy when a proxy speaks TLS for it"
    )]
    InClear(SocketAddr),
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
    let is_covered = config.tls.is_some() || config.behind_proxy;
    if !is_covered && !config.listen.ip().to_canonical().is_loopback() {
        return Err(BindError::InClear(config.listen));
    }
    let error = |source| BindError::Io { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    Ok(listener)
}

/// Writes all metrics as Prometheus text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Has plan, secrets, prompts and certificates read again, or says what is wrong with them. Blocks.
pub type Reload = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the API is made of.
pub struct Parts {
    /// Where it listens and how much it takes.
    pub config: Config,
    /// The way to the core.
    pub core: CoreHandle,
    /// Records, accounts and the audit.
    pub store: Store,
    /// The plan that counts now.
    pub plan: watch::Receiver<Arc<Plan>>,
    /// What `/settings` says.
    pub settings: Settings,
    /// What `/metrics` says.
    pub metrics: Metrics,
    /// Makes WAV of a recording.
    pub render: Render,
    /// What the stream of events is read from.
    pub events: Arc<Ring>,
    /// What `/reload` does.
    pub reload: Reload,
    /// What is done for versions of the plan.
    pub plans: Arc<dyn Plans>,
}

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    config: Arc<Config>,
    core: CoreHandle,
    store: Store,
    plan: watch::Receiver<Arc<Plan>>,
    settings: Arc<Settings>,
    metrics: Metrics,
    render: Render,
    rendered: Arc<recordings::Rendered>,
    events: Arc<Ring>,
    streams: Arc<Semaphore>,
    sessions: Arc<session::Remembered>,
    lockout: Arc<Mutex<lockout::Lockout>>,
    rates: Arc<limits::Rates>,
    started: Instant,
    ready: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    /// The caller lists have changed.
    lists: Arc<Notify>,
    reload: Reload,
    reloading: Arc<Semaphore>,
    plans: Arc<dyn Plans>,
    /// A version of the plan was set for a time, or that was taken back.
    versions: Arc<Notify>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    /// Joins what requests need.
    pub fn new(parts: Parts) -> Self {
        Self {
            config: Arc::new(parts.config),
            core: parts.core,
            store: parts.store,
            plan: parts.plan,
            settings: Arc::new(parts.settings),
            metrics: parts.metrics,
            render: parts.render,
            rendered: Arc::default(),
            events: parts.events,
            streams: Arc::new(Semaphore::new(events::STREAMS)),
            sessions: Arc::default(),
            lockout: Arc::default(),
            rates: Arc::default(),
            started: Instant::now(),
            ready: Arc::default(),
            places: Arc::new(Semaphore::new(REQUESTS)),
            lists: Arc::default(),
            reload: parts.reload,
            reloading: Arc::new(Semaphore::new(1)),
            plans: parts.plans,
            versions: Arc::default(),
        }
    }

    /// Whether `/readyz` says yes; the node sets it when calls are taken and clears it when it drains.
    pub fn ready(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ready)
    }

    /// Time since the start, which no clock that is put right can change.
    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Serves requests until `stop` becomes true (or its sender is gone); requests in progress are finished.
///
/// # Errors
/// What the listener reports at the start.
pub async fn serve(listener: TcpListener, shared: Shared, stop: watch::Receiver<bool>) -> io::Result<()> {
    serve::run(listener, shared.clone(), router(shared), stop).await
}

/// Keeps the core's caller lists as the database has them, until `stop` becomes true (or its sender is gone).
pub async fn keep_lists(shared: Shared, stop: watch::Receiver<bool>) {
    callers::keep(shared, stop).await;
}

/// Publishes versions of the plan that are due and numbers those that came from a file, until `stop` becomes true (or its
/// sender is gone).
pub async fn keep_versions(shared: Shared, stop: watch::Receiver<bool>) {
    versions::keep(shared, stop).await;
}

/// What the document says beside the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Yihao 一号",
        description = "The HTTP interface of the contact centre. Times ending in `_at` are milliseconds since 1970, UTC; durations \
                       end in `_ms`. Fields may be added: pass over those that you do not know."
    ),
    security(("bearer" = []), ("cookie" = []))
)]
struct Document;

/// All paths with their handlers, and the document that describes them.
fn described() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let v1 = OpenApiRouter::new()
        .merge(me::routes())
        .merge(seats::routes())
        .merge(queues::routes())
        .merge(calls::routes())
        .merge(talk::routes())
        .merge(transfer::routes())
        .merge(records::routes())
        .merge(recordings::routes())
        .merge(holds::routes())
        .merge(callers::routes())
        .merge(wishes::routes())
        .merge(plan::routes())
        .merge(versions::routes())
        .merge(supervise::routes())
        .merge(surges::routes())
        .merge(operate::routes())
        .merge(counters::routes())
        .merge(accounts::routes())
        .merge(audit::routes())
        .merge(events::routes());
    let (router, mut document) =
        OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", v1).merge(health::routes()).split_for_parts();
    let schemes = &mut document.components.get_or_insert_default().security_schemes;
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    schemes.insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(session::COOKIE));
    schemes.insert("cookie".to_owned(), RefOr::T(SecurityScheme::ApiKey(cookie)));
    (router, document)
}

fn router(shared: Shared) -> Router {
    let (router, document) = described();
    router
        .merge(SwaggerUi::new("/api/docs").url("/api/v1/openapi.json", document))
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::WrongMethod)
        .layer(from_fn_with_state(shared.clone(), limits::hold))
        .with_state(shared)
}
