//! The parts that run beside the control thread on the tokio runtime: the tailer of the ledger, the keeper of the records and
//! the HTTP interface.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::api::{self, FirstPassword};
use crate::config::Config;
use crate::dialplan::Plan;
use crate::media::recording::{Recording, export};
use crate::sip::transport::certificate::Certificate;
use crate::store::{self, Store};

use super::renew::Reloader;
use super::start::{Bound, NODE, most_segments};
use super::versions::Desk;

/// How long a start waits for the database to make the local session; then it goes on without.
const PREPARED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is tried again.
const PREPARED_AGAIN: Duration = Duration::from_secs(5);

/// The port of the HTTP interface, taken before anything else is started.
pub(super) struct Http {
    config: api::Config,
    listener: TcpListener,
    /// Where it is.
    pub(super) address: SocketAddr,
}

impl Http {
    pub(super) fn bind(config: &Config, certificate: Option<&Arc<Certificate>>) -> Result<Self> {
        let certificate = certificate.filter(|_| config.http.tls).cloned();
        let config = api::Config {
            listen: config.http.listen,
            tls: certificate.map(|certificate| -> api::Tls { Arc::new(move || certificate.server()) }),
            behind_proxy: config.http.behind_proxy,
            requests_per_s: config.http.requests_per_s,
            ..api::Config::default()
        };
        let listener = api::bind(&config)?;
        let address = listener.local_addr().context("the HTTP listener has no address")?;
        Ok(Self { config, listener, address })
    }
}

/// The running parts.
pub(super) struct Offices {
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    store: Store,
    /// What `/readyz` says.
    pub(super) ready: Arc<AtomicBool>,
    /// The first administrator's password, at the first start.
    pub(super) first_password: Option<FirstPassword>,
}

/// What the offices are made of.
pub(super) struct Needs<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) config: &'a Config,
    pub(super) plan: watch::Receiver<Arc<Plan>>,
    pub(super) core: api::core::CoreHandle,
    pub(super) store: Store,
    pub(super) metrics: api::Metrics,
    pub(super) http: Http,
    pub(super) listeners: &'a [Bound],
    pub(super) reloader: Arc<Reloader>,
}

impl Offices {
    /// Starts them; the feed takes what the stream of events is made of.
    pub(super) fn open(needs: Needs<'_>) -> (Self, api::events::Feed) {
        let Needs { runtime, config, plan, core, store, metrics, http, listeners, reloader } = needs;
        let (stop, stopped) = watch::channel(false);
        let keep = store::Keep::of(config.ledger.keep_days, most_segments(config));
        let tailer = store::Tailer::new(store.clone(), config.folders.ledger(), NODE, keep);
        let holder = format!("node {NODE}, process {}", std::process::id());
        let recordings = config.folders.recordings.clone();
        let keeper = store::Keeper::new(store.clone(), recordings, config.retention, holder);
        let mut tasks = vec![runtime.spawn(tailer.run(stopped.clone())), runtime.spawn(keeper.run(stopped.clone()))];
        let first_password = prepare(runtime, &store, config.folders.token(), &stopped, &mut tasks);

        let ring = Arc::new(api::events::Ring::new(&super::clock::wall().0.to_string()));
        let (feed, following) = api::events::feed();
        tasks.push(runtime.spawn(api::events::follow(following, core.clone(), Arc::clone(&ring), stopped.clone())));

        let settings = settings(config, &plan.borrow(), listeners);
        let shared = api::Shared::new(api::Parts {
            config: http.config,
            core,
            store: store.clone(),
            settings,
            plan,
            metrics,
            render: render(config.folders.recordings.clone()),
            events: ring,
            plans: Arc::new(Desk(Arc::clone(&reloader))),
            reload: Arc::new(move || reloader.reload().map_err(|error| error.to_string())),
        });
        let ready = shared.ready();
        ready.store(true, Ordering::Release);
        tasks.push(runtime.spawn(api::keep_lists(shared.clone(), stopped.clone())));
        tasks.push(runtime.spawn(api::keep_versions(shared.clone(), stopped.clone())));
        let listener = http.listener;
        tasks.push(runtime.spawn(async move {
            if let Err(error) = api::serve(listener, shared, stopped).await {
                tracing::error!(%error, "the HTTP interface has ended");
            }
        }));
        (Self { stop, tasks, store, ready, first_password }, feed)
    }

    /// Lets all finish: the database follows the ledger to its end.
    pub(super) fn close(self, runtime: &Runtime) {
        // Nobody listens any more only when all have ended already.
        let _ended = self.stop.send(true);
        runtime.block_on(async {
            for task in self.tasks {
                if tokio::time::timeout(Duration::from_secs(6), task).await.is_err() {
                    tracing::warn!("a task did not end in time");
                }
            }
            self.store.close().await;
        });
    }
}

/// Makes the first accounts and the local session now, or as soon as the database answers: calls do not wait for it.
fn prepare(
    runtime: &Runtime,
    store: &Store,
    token: PathBuf,
    stopped: &watch::Receiver<bool>,
    tasks: &mut Vec<tokio::task::JoinHandle<()>>,
) -> Option<FirstPassword> {
    let now = runtime.block_on(async { tokio::time::timeout(PREPARED_WITHIN, api::prepare(store, &token)).await });
    if let Ok(Ok(first)) = now {
        return first;
    }
    tracing::warn!("nobody can sign in until the database answers; `yihao user password admin` then gives a password");
    let (store, mut stopped) = (store.clone(), stopped.clone());
    tasks.push(runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(PREPARED_AGAIN) => {}
            }
            match api::prepare(&store, &token).await {
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "the local session cannot be made yet"),
            }
        }
    }));
    None
}

fn settings(config: &Config, plan: &Plan, listeners: &[Bound]) -> api::Settings {
    api::Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        deployment: plan.deployment.clone(),
        zone: plan.zone.clone(),
        realm: config.realm.clone(),
        listeners: listeners.iter().map(|l| format!("{} {}", l.transport.as_via(), l.address)).collect(),
        recording: config.recording.on,
        max_calls: config.limits.calls,
        max_calls_per_s: config.limits.calls_per_s,
        records_days: config.retention.records_days,
        recordings_days: config.retention.recordings_days.min(config.retention.records_days),
    }
}

/// Makes WAV of a file below the recording folder.
fn render(folder: PathBuf) -> api::Render {
    Arc::new(move |file| {
        let bytes = std::fs::read(folder.join(file)).map_err(|e| e.to_string())?;
        let recording = Recording::read(&bytes).map_err(|e| e.to_string())?;
        let mut wav = Vec::new();
        export::wav_pcm16(&recording, &mut wav).map_err(|e| e.to_string())?;
        Ok(wav)
    })
}
