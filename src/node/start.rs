//! Starting a node, part after part; whatever is missing ends the start with one message that says what to do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Interest, Poll, Token, Waker};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::api;
use crate::center::{self, Center};
use crate::config::secrets::Secrets;
use crate::config::{Config, DiskFull, Network};
use crate::dialplan::Plan;
use crate::exchange::Exchange;
use crate::media::engine::prompt::Prompts;
use crate::media::engine::{Engine, EngineConfig, NetworkPorts};
use crate::media::ports::PortPool;
use crate::observability;
use crate::sip::dns::{self, Resolver};
use crate::sip::endpoint::{self, Endpoint, Named};
use crate::sip::flow::Transport;
use crate::sip::message::Uri;
use crate::sip::transport::certificate::{self, Certificate};
use crate::sip::transport::hep::Hep;
use crate::sip::transport::stream::{self, Inbox, Listen, Streams};
use crate::sip::transport::udp::Udp;
use crate::store::{self, Store};
use crate::types::{IdBase, MediaPort, NetworkId, Now};

use super::Running;
use super::captures::Captures;
use super::clock::{self, Clock};
use super::input_log::{Header, InputLog, Limits, Mask, SeatProof};
use super::offices::{Http, Needs, Offices};
use super::renew::Reloader;
use super::run::{Control, Socket, WAKE};
use super::versions::Starting;

/// Signals and watchers that may wait for the next turn of the loop.
const SIGNALS: usize = 16;
/// Look-ups whose answers may wait.
const LOOKUPS: usize = 256;

/// Number of this node, until there are several.
pub(super) const NODE: u8 = 0;

/// A function that wakes the control thread.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Starts a node and gives its handle. Nothing is left running when it fails.
///
/// # Errors
/// What could not be had (port, folder, certificate, prompt) and what to do about it.
pub fn start(config: &Config, starting: &Starting, secrets: &Secrets) -> Result<Running> {
    let plan = Arc::new(starting.plan.clone());
    let clock = Clock::start();
    let metrics = observability::install_metrics().context("figures cannot be kept")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("yihao-io")
        .enable_all()
        .build()
        .context("no threads can be started")?;
    let poll = Poll::new().context("the control loop cannot be made")?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKE).context("the control loop cannot be made")?);
    let wake: Wake = Arc::new(move || {
        // It fails only when the loop is gone.
        let _gone = waker.wake();
    });

    make_folder(&config.folders.var)?;
    let epoch_s = u32::try_from(clock::wall().0 / 1_000).unwrap_or(u32::MAX);
    let ids = IdBase { node: NODE, epoch_s };
    let mut ledger_config = store::ledger::Config::new(config.folders.ledger(), &plan.deployment);
    ledger_config.most_segments = most_segments(config);
    let (ledger, recovered) = store::ledger::Ledger::open(ledger_config, ids, clock::wall())
        .with_context(|| format!("the ledger in {} cannot be opened", config.folders.ledger().display()))?;
    if !recovered.closed.is_empty() {
        tracing::warn!(
            calls = recovered.closed.len(),
            "calls of the last run were cut by its end; their books are closed"
        );
    }
    let place = config.records(secrets.database.as_ref());
    let store =
        runtime.block_on(Store::open(&place)).with_context(|| format!("the records in {place} cannot be opened"))?;

    let (engine, ports) = start_engine(config, &plan, &wake)?;
    let (mut sockets, streams, inbox, certificate, listeners) = listen(config, &runtime, &wake)?;
    for (index, socket) in sockets.iter_mut().enumerate() {
        poll.registry()
            .register(&mut socket.udp, Token(index + 1), Interest::READABLE)
            .context("a datagram socket cannot be watched")?;
    }

    let http = Http::bind(config, certificate.as_ref())?;
    let http_at = http.address;

    let header = header(config, starting, secrets, &listeners, &ports, ids);
    let inputs = open_input_log(config, &header, secrets, epoch_s)?;
    let endpoint = make_endpoint(&header, &plan, secrets, ports);
    let center = Center::new(Arc::clone(&plan), header.center, ids);
    let (signals, signals_in) = sync_channel(SIGNALS);
    let (watchers, watchers_in) = sync_channel(SIGNALS);
    let (lookups, resolved) = sync_channel(LOOKUPS);
    let (core, requests) = api::core::CoreHandle::new(Arc::clone(&wake));
    let (plan_now, plan_seen) = watch::channel(Arc::clone(&plan));
    let reloader = Arc::new(Reloader {
        config: config.clone(),
        prompts: Mutex::new(plan.prompts()),
        kept: Mutex::new(starting.kept.clone()),
        certificate,
        own_seat: starting.own_seat.clone(),
        signals: signals.clone(),
        wake: Arc::clone(&wake),
    });
    let (offices, stream) = Offices::open(Needs {
        runtime: &runtime,
        config,
        plan: plan_seen,
        core,
        store,
        metrics,
        http,
        listeners: &listeners,
        reloader: Arc::clone(&reloader),
    });
    let control = Control {
        poll,
        clock,
        udp: sockets,
        streams,
        inbox,
        engine,
        exchange: Exchange::new(endpoint, center),
        inputs,
        captures: open_captures(config)?,
        turn_time: metrics::histogram!("yihao_loop_turn_seconds"),
        ledger,
        requests,
        resolved,
        resolver: Resolve::new(&runtime, lookups, Arc::clone(&wake)),
        signals: signals_in,
        watchers_in,
        watchers: Vec::new(),
        stream,
        plan_now,
        trunk_names: plan.trunks.iter().map(|t| (t.id, t.name.clone())).collect(),
        disk: DiskWatch::new(config),
        replies: BTreeMap::new(),
        next_reply: 0,
        out: Vec::new(),
        media_events: Vec::new(),
        admitted: 0,
        ready: Arc::clone(&offices.ready),
        ending: None,
        audit_due: Now::default(),
    };
    let first_password = offices.first_password.clone();
    let thread = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            control.run();
            offices.close(&runtime);
        })
        .context("no threads can be started")?;
    let listeners = listeners.into_iter().map(|l| (l.transport, l.address)).collect();
    Ok(Running {
        listeners,
        http: http_at,
        token_file: config.folders.token(),
        first_password,
        signals,
        wake,
        reloader,
        control: thread,
        watchers,
    })
}

/// A listener as bound.
pub(super) struct Bound {
    pub(super) network: usize,
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
}

/// Makes a folder that only the exchange's user can look into: it holds numbers, voices and keys.
fn make_folder(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the folder {} cannot be made; choose another with --var", path.display()))
}

fn start_engine(config: &Config, plan: &Plan, wake: &Wake) -> Result<(Engine, Vec<MediaPort>)> {
    let prompts = Prompts::load(&config.folders.prompts, plan.prompts()).with_context(|| {
        format!("prompts are missing in {}; `make prompts` makes them", config.folders.prompts.display())
    })?;
    let mut engine = EngineConfig::new(Arc::new(prompts), config.folders.recordings.clone(), Arc::clone(wake));
    engine.workers = config.media.workers;
    engine.pin = config.media.pin;
    engine.silence = Duration::from_secs(config.media.silence_s.into());
    engine.silence_on_hold = Duration::from_secs(config.media.silence_on_hold_s.into());
    for (index, network) in config.networks.iter().enumerate() {
        for v6 in [false, true] {
            if let Some(bind) = network.media_address(v6) {
                engine.networks.push(NetworkPorts {
                    network: network_id(index),
                    bind,
                    first_port: network.rtp.first,
                    last_port: network.rtp.last,
                    dscp: network.dscp_media,
                    pairs: None,
                });
            }
        }
    }
    Ok(Engine::start(engine)?)
}

fn network_id(index: usize) -> NetworkId {
    NetworkId(u8::try_from(index).expect("the configuration allows 16 networks"))
}

type Listening = (Vec<Socket>, Streams, Inbox, Option<Arc<Certificate>>, Vec<Bound>);

fn listen(config: &Config, runtime: &Runtime, wake: &Wake) -> Result<Listening> {
    let settings = stream::Settings {
        max_connections: config.limits.connections as usize,
        max_per_address: config.limits.connections_per_address as usize,
        ..stream::Settings::default()
    };
    let (streams, inbox) = Streams::start(runtime.handle(), settings, Arc::clone(wake));
    let wants_tls = config.http.tls || config.networks.iter().any(|n| !n.tls.is_empty());
    let certificate = if wants_tls { Some(Arc::new(load_certificate(config)?)) } else { None };
    let (mut sockets, mut bound) = (Vec::new(), Vec::new());
    for (index, network) in config.networks.iter().enumerate() {
        for address in &network.udp {
            let udp = Udp::bind(network_id(index), *address, network.dscp_signalling)?;
            bound.push(Bound { network: index, transport: Transport::Udp, address: udp.local() });
            sockets.push(Socket { udp, has_more: false, awaits_room: false });
        }
        let streamed =
            network.tcp.iter().map(|a| (Transport::Tcp, a)).chain(network.tls.iter().map(|a| (Transport::Tls, a)));
        for (transport, address) in streamed {
            let certificate = certificate.clone().filter(|_| transport == Transport::Tls);
            let listen = Listen { network: network_id(index), transport, address: *address, certificate };
            let address = streams.listen(listen)?;
            bound.push(Bound { network: index, transport, address });
        }
    }
    Ok((sockets, streams, inbox, certificate, bound))
}

fn load_certificate(config: &Config) -> Result<Certificate> {
    let (certificate, key) = match &config.tls.identity {
        Some(identity) => (identity.certificate.clone(), identity.key.clone()),
        None => {
            let mut names = vec!["localhost".to_owned()];
            names.extend(config.networks.iter().flat_map(Network::listeners).map(|a| a.ip().to_string()));
            names.sort();
            names.dedup();
            let folder = config.folders.certificates();
            make_folder(&folder)?;
            certificate::self_signed(&folder, &names)?
        }
    };
    let files = certificate::Files {
        certificate,
        key,
        client_ca: config.tls.client_ca.clone(),
        trusted_ca: config.tls.client_ca.clone(),
        trusts_loopback: true,
    };
    Ok(Certificate::load(files)?)
}

/// All that the exchange is made of; the log of inputs begins with it.
fn header(
    config: &Config,
    starting: &Starting,
    secrets: &Secrets,
    listeners: &[Bound],
    ports: &[MediaPort],
    ids: IdBase,
) -> Header {
    let networks = config.networks.iter().enumerate().map(|(index, network)| endpoint::Network {
        name: network.name.clone(),
        listeners: listeners.iter().filter(|l| l.network == index).map(|l| (l.transport, l.address)).collect(),
        advertised_v4: network.advertised(false),
        advertised_v6: network.advertised(true),
        media_over_tls: network.media_over_tls,
    });
    let endpoint = endpoint::Config {
        networks: networks.collect(),
        realm: config.realm.clone(),
        digest: config.digest.clone(),
        t1: Duration::from_millis(config.timers.t1_ms.into()),
        t2: Duration::from_millis(config.timers.t2_ms.into()),
        t4: Duration::from_millis(config.timers.t4_ms.into()),
        session_expires_s: config.timers.session_expires_s,
        min_se_s: config.timers.min_se_s,
        min_registration_s: config.timers.register_min_s,
        max_registration_s: config.timers.register_max_s,
        max_legs: config.limits.calls as usize * 2,
        max_transactions: most_transactions(config.limits.calls_per_s),
        max_calls_per_s: config.limits.calls_per_s,
        ..endpoint::Config::default()
    };
    let center = center::Config {
        max_calls: config.limits.calls as usize,
        records: config.recording.on,
        drain_ms: config.drain.seconds * 1_000,
        drain_notice_ms: config.drain.notice_s * 1_000,
        ..center::Config::default()
    };
    Header {
        segment: 0,
        plan: starting.text.clone(),
        endpoint,
        center,
        seats: secrets.seats.iter().map(|(seat, credentials)| SeatProof::new(*seat, credentials)).collect(),
        trunks: starting
            .plan
            .trunks
            .iter()
            .map(|t| t.name.clone())
            .filter(|n| secrets.trunks.contains_key(n))
            .collect(),
        ports: ports.iter().map(|p| (p.network.0, p.worker, p.port, p.v6)).collect(),
        ids,
        seed: rand::random(),
    }
}

/// Prepares copies of messages where the configuration names a collector.
fn open_captures(config: &Config) -> Result<Option<Captures>> {
    let Some(hep) = &config.hep else { return Ok(None) };
    let made = Hep::new(hep.collector, hep.agent)
        .with_context(|| format!("the collector of captures at {} cannot be reached from here", hep.collector))?;
    // Nobody judges a copy: without accounts every proof becomes zeros.
    let mask = Mask::new(&config.realm, &BTreeMap::new(), &rand::random());
    Ok(Some(Captures::new(made, mask)))
}

/// Begins the log of inputs where the configuration asks for one.
fn open_input_log(config: &Config, header: &Header, secrets: &Secrets, epoch_s: u32) -> Result<Option<InputLog>> {
    if !config.input_log.on {
        return Ok(None);
    }
    let defaults = Limits::default();
    let limits = Limits {
        segment_bytes: (u64::from(config.input_log.max_mb) << 20) / u64::from(defaults.segments),
        days: config.input_log.keep_days,
        ..defaults
    };
    let folder = config.folders.captures();
    make_folder(&folder)?;
    let mask = Mask::new(&header.endpoint.realm, &secrets.seats, &rand::random());
    let log = InputLog::create(&folder, &epoch_s.to_string(), header.clone(), mask, limits);
    log.map(Some).with_context(|| format!("the log of inputs in {} cannot be written", folder.display()))
}

fn make_endpoint(header: &Header, plan: &Arc<Plan>, secrets: &Secrets, ports: Vec<MediaPort>) -> Endpoint {
    let ids = header.ids.legs_of_endpoint();
    let secrets = secrets_of(secrets);
    let seeds = endpoint::Seeds { wire: header.seed, keys: rand::random() };
    Endpoint::new(header.endpoint.clone(), Arc::clone(plan), secrets, PortPool::new(ports), ids, seeds)
}

/// Secrets as the endpoint uses them.
pub(super) fn secrets_of(secrets: &Secrets) -> endpoint::Secrets {
    endpoint::Secrets {
        seats: secrets.seats.clone(),
        trunks: secrets.trunks.iter().map(|(name, p)| (name.clone(), p.reveal().to_owned())).collect(),
    }
}

/// A call of two legs leaves three transactions that linger for 32 s and one for 5 s (RFC 3261 17, RFC 6026), 101 seconds
/// together: room for that at the admitted rate, and a quarter more.
fn most_transactions(calls_per_s: u32) -> usize {
    endpoint::Config::default().max_transactions.max(calls_per_s as usize * 128)
}

/// How many segments the ledger may take.
pub(super) fn most_segments(config: &Config) -> usize {
    let bytes = u64::from(config.ledger.max_mb) << 20;
    usize::try_from(bytes / store::ledger::SEGMENT_BYTES).unwrap_or(usize::MAX)
}

/// Looks names up on the runtime and hands the answers to the control thread.
pub(super) struct Resolve {
    runtime: tokio::runtime::Handle,
    resolver: Option<Arc<Resolver>>,
    tasks: tokio::task::JoinSet<()>,
    answers: SyncSender<endpoint::Input>,
    wake: Wake,
}

impl Resolve {
    fn new(runtime: &Runtime, answers: SyncSender<endpoint::Input>, wake: Wake) -> Self {
        let resolver = runtime.block_on(async { Resolver::new(&dns::Settings::default()) });
        let resolver = resolver.map(Arc::new).inspect_err(|error| {
            tracing::warn!(%error, "names cannot be looked up; plain addresses of the plan work");
        });
        Self {
            runtime: runtime.handle().clone(),
            resolver: resolver.ok(),
            tasks: tokio::task::JoinSet::new(),
            answers,
            wake,
        }
    }

    pub(super) fn ask(&mut self, whom: Named, uri: Uri, network: NetworkId) {
        while self.tasks.try_join_next().is_some() {}
        let (answers, wake, resolver) = (self.answers.clone(), Arc::clone(&self.wake), self.resolver.clone());
        self.tasks.spawn_on(
            async move {
                let found = match resolver {
                    Some(resolver) => resolver.resolve(&uri, network, &mut rand::random).await,
                    None => Ok(Vec::new()),
                };
                let hops = found.unwrap_or_else(|error| {
                    tracing::warn!(?whom, %error, "a name of the plan was not found");
                    Vec::new()
                });
                // A full line means that the loop is stuck: the trunk asks again by its own timer.
                let _full = answers.try_send(endpoint::Input::Resolved { whom, hops });
                wake();
            },
            &self.runtime,
        );
    }
}

/// Looks once a second whether there is room for recordings.
pub(super) struct DiskWatch {
    folder: std::path::PathBuf,
    least_bytes: u64,
    refuses: bool,
    next: Option<Now>,
    full: bool,
}

impl DiskWatch {
    fn new(config: &Config) -> Self {
        Self {
            folder: config.folders.recordings.clone(),
            least_bytes: u64::from(config.recording.min_free_mb) << 20,
            refuses: config.recording.disk_full == DiskFull::Refuse,
            next: None,
            full: false,
        }
    }

    pub(super) fn is_due(&self, now: Now) -> bool {
        self.next.is_none_or(|at| at.mono <= now.mono)
    }

    /// Looks; true when the answer has changed.
    pub(super) fn look(&mut self, now: Now) -> bool {
        self.next = Some(now.after(Duration::from_secs(1)));
        let free = nix::sys::statvfs::statvfs(&self.folder).map(|s| s.blocks_available() * s.fragment_size());
        let full = free.is_ok_and(|free| free < self.least_bytes);
        if full && !self.full {
            tracing::error!(folder = %self.folder.display(), "the disk has too little room for recordings: free space");
        }
        metrics::gauge!("yihao_recording_disk_full").set(f64::from(u8::from(full)));
        std::mem::replace(&mut self.full, full) != full
    }

    /// Whether there is too little room to begin a recording.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether new calls are refused for want of room.
    pub(super) fn refuses_calls(&self) -> bool {
        self.full && self.refuses
    }
}
