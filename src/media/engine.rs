//! The media engine: worker threads that own sockets, legs, mixers and recorders, and the handle that steers them.
//!
//! A shell: it obeys [`Command`] and reports [`Event`], and knows nothing of calls beyond who hears whom. Packets never
//! leave the worker that received them; the control loop only sends orders over bounded channels.

mod control;
mod disk;
mod inlet;
mod io;
mod leg;
mod plan;
pub mod prompt;
mod receive;
mod slots;
mod sockets;
#[cfg(test)]
mod tests;
mod tick;
mod watch;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

pub use io::{Command, Event};

use crate::types::{CallId, LegId, MediaPort, NetworkId, Origin};
use prompt::Prompts;
use watch::{Found, Pulse, Watch};
use worker::{Order, Shared, Worker};

/// Orders that wait for one worker at most; further ones wait in the engine, in order.
const ORDERS: usize = 4_096;

/// Events that wait for the control loop at most; further ones wait in their worker.
const EVENTS: usize = 16_384;

/// The range of ports that one network gives to media. A network with IPv4 and IPv6 has two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkPorts {
    /// Which network.
    pub network: NetworkId,
    /// Address to bind; the unspecified address binds all of its family.
    pub bind: IpAddr,
    /// First port of the range; an odd one is rounded up.
    pub first_port: u16,
    /// Last port of the range, inclusive.
    pub last_port: u16,
    /// DSCP of media, usually 46 (EF, RFC 3246).
    pub dscp: u8,
    /// How many pairs are bound. `None`: as many as the range and the limit of open files allow.
    pub pairs: Option<usize>,
}

/// How the engine is set up.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where RTP is received.
    pub networks: Vec<NetworkPorts>,
    /// Worker threads. `None`: one less than there are cores, at least one.
    pub workers: Option<u8>,
    /// Whether each worker stays on a core of its own when there are several.
    pub pin: bool,
    /// What can be played.
    pub prompts: Arc<Prompts>,
    /// Folder of the recordings; made when absent.
    pub recordings: PathBuf,
    /// Called from a worker after it has put events into the channel; must not block.
    pub waker: Arc<dyn Fn() + Send + Sync>,
    /// Time without RTP and RTCP after which a leg is reported silent. Default 30 s.
    pub silence: Duration,
    /// The same for a leg whose far end holds us. Default 300 s.
    pub silence_on_hold: Duration,
}

impl EngineConfig {
    /// Defaults, without a network.
    pub fn new(prompts: Arc<Prompts>, recordings: PathBuf, waker: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            networks: Vec::new(),
            workers: None,
            pin: true,
            prompts,
            recordings,
            waker,
            silence: Duration::from_secs(30),
            silence_on_hold: Duration::from_secs(300),
        }
    }
}

/// Why the engine does not start. Each message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Too few ports of a range can be bound.
    #[error(
        "only {bound} of {wanted} media port pairs can be bound on {} {}-{}{}: choose another RTP range or address, or end \
         the program that holds these ports",
        network.bind, network.first_port, network.last_port,
        last.as_ref().map(|e| format!(" ({e})")).unwrap_or_default()
    )]
    PortsTaken {
        /// Which range.
        network: NetworkPorts,
        /// How many pairs were asked for.
        wanted: usize,
        /// How many could be had.
        bound: usize,
        /// The last refusal.
        last: Option<std::io::Error>,
    },
    /// A range has no room for the pairs that it shall give.
    #[error(
        "the RTP range {}-{} has no room for {pairs} pairs of ports: make it larger",
        network.first_port, network.last_port
    )]
    RangeTooSmall {
        /// Which range.
        network: NetworkPorts,
        /// How many pairs were asked for.
        pairs: usize,
    },
    /// The limit of open files is too low for the pairs that were asked for.
    #[error(
        "{pairs} media port pairs need more open files than the limit of {limit} allows: raise it (LimitNOFILE, ulimit -n) or ask for fewer pairs"
    )]
    TooFewFiles {
        /// How many pairs were asked for.
        pairs: usize,
        /// The limit.
        limit: u64,
    },
    /// The limit of open files cannot be read or raised.
    #[error("the limit of open files cannot be raised: {detail}")]
    Files {
        /// What the system said.
        detail: String,
    },
    /// The folder of the recordings cannot be used.
    #[error("recordings cannot be written to {}: {source}; make the folder writable or choose another one", path.display())]
    Recordings {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread or its poll set cannot be made.
    #[error("a media thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// The control side of one worker.
struct Post {
    orders: SyncSender<Order>,
    wake: Arc<EventFd>,
    /// Orders that found the channel full, oldest first.
    waiting: VecDeque<Order>,
    /// Whether orders are in the channel for which the bell was not rung.
    unheard: bool,
    pulse: Arc<Pulse>,
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

impl Post {
    fn send(&mut self, order: Order) {
        self.queue(order);
        self.ring();
    }

    fn queue(&mut self, order: Order) {
        self.waiting.push_back(order);
        self.push();
    }

    fn push(&mut self) {
        while let Some(order) = self.waiting.pop_front() {
            match self.orders.try_send(order) {
                Ok(()) => self.unheard = true,
                Err(TrySendError::Full(order)) => {
                    self.waiting.push_front(order);
                    break;
                }
                // The worker is gone: only at shutdown.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// Wakes the worker when it has not heard of an order yet.
    fn ring(&mut self) {
        if std::mem::take(&mut self.unheard) {
            ring(&self.wake);
        }
    }
}

/// Wakes the thread that polls `bell`.
fn ring(bell: &EventFd) {
    // A full counter (never reached: it is read at each wake) means that the bell is rung already.
    let _ = bell.write(1);
}

/// A leg as the control side knows it.
struct Whereabouts {
    worker: u8,
    call: CallId,
}

/// The handle of the running engine; owned by the control loop.
pub struct Engine {
    posts: Vec<Post>,
    events: Receiver<Event>,
    legs: BTreeMap<LegId, Whereabouts>,
    /// Worker and number of legs of each call.
    calls: BTreeMap<CallId, (u8, usize)>,
    disk: Option<disk::Disk>,
}

impl Engine {
    /// Binds the ports, starts the workers and tells which pairs the pool may deal out.
    ///
    /// # Errors
    /// [`StartError`] when ports, files, folder or threads cannot be had; nothing is left running then.
    pub fn start(config: EngineConfig) -> Result<(Engine, Vec<MediaPort>), StartError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let default = u8::try_from(cores.saturating_sub(1).clamp(1, 64)).expect("at most 64");
        let workers = config.workers.unwrap_or(default).max(1);
        let pairs = sockets::bind_all(&config.networks, workers)?;
        let ports: Vec<MediaPort> = pairs.iter().map(|pair| pair.port).collect();
        let (events_in, events) = sync_channel(EVENTS);
        let disk = disk::Disk::start(&config, events_in.clone())?;
        let mut posts = Vec::new();
        let mut orders = Vec::new();
        for _ in 0..workers {
            let (sender, receiver) = sync_channel(ORDERS);
            let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC);
            let wake = Arc::new(wake.map_err(|e| StartError::Thread(e.into()))?);
            posts.push(Post {
                orders: sender,
                wake,
                waiting: VecDeque::new(),
                unheard: false,
                pulse: Arc::default(),
                watch: Watch::default(),
                thread: None,
            });
            orders.push(receiver);
        }
        let shared = Shared {
            config: config.clone(),
            clock: worker::Clock::start(),
            peers: posts.iter().map(|post| (post.orders.clone(), post.wake.clone())).collect(),
            pulses: posts.iter().map(|post| post.pulse.clone()).collect(),
            events: events_in,
            disk: disk.queue(),
        };
        let mut engine = Engine { posts, events, legs: BTreeMap::new(), calls: BTreeMap::new(), disk: Some(disk) };
        let mut by_worker: Vec<Vec<sockets::Pair>> = (0..workers).map(|_| Vec::new()).collect();
        for pair in pairs {
            by_worker[usize::from(pair.port.worker)].push(pair);
        }
        for (index, (pairs, orders)) in by_worker.into_iter().zip(orders).enumerate() {
            let worker = Worker::new(index, shared.clone(), pairs, orders).map_err(StartError::Thread)?;
            let core = (config.pin && cores > 1).then_some((index + 1) % cores);
            let thread = std::thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || worker.run(core))
                .map_err(StartError::Thread)?;
            engine.posts[index].thread = Some(thread);
        }
        Ok((engine, ports))
    }

    /// How many workers there are.
    pub fn workers(&self) -> u8 {
        u8::try_from(self.posts.len()).expect("at most 255 workers are started")
    }

    /// Carries out an order, in the order of sending for each call. Never blocks and never loses one.
    pub fn send(&mut self, command: Command) {
        self.queue(command);
        self.wake();
    }

    /// Wakes the workers that have orders in their queue. One call for all orders of a turn: a wake is a system call.
    pub fn wake(&mut self) {
        self.posts.iter_mut().for_each(Post::ring);
    }

    /// Puts an order in line; [`Engine::wake`] must follow, or it waits for the next packet.
    pub fn queue(&mut self, command: Command) {
        match &command {
            Command::Open { leg, call, port, party } => self.open(*leg, *call, *port, *party),
            Command::Move { leg, to_worker, call } => self.relocate(*leg, *to_worker, *call),
            Command::Hear { call, .. } | Command::Record { call, .. } | Command::EndRecording { call } => {
                if let Some((worker, _)) = self.calls.get(call).copied() {
                    self.post(worker).queue(Order::Command(command));
                }
            }
            Command::Stream { leg, .. } | Command::SendDigit { leg, .. } => {
                if let Some(place) = self.legs.get(leg) {
                    let worker = place.worker;
                    self.post(worker).queue(Order::Command(command));
                }
            }
            // The leg is forgotten at once: it may be opened again, with another port, before the first is reported closed.
            Command::Close { leg } => {
                if let Some(place) = self.legs.remove(leg) {
                    self.post(place.worker).queue(Order::Command(command));
                    self.leave(place.call);
                }
            }
        }
    }

    /// Plays other prompts from now on; what is being played goes on as it was.
    pub fn replace_prompts(&mut self, prompts: &Arc<Prompts>) {
        for post in &mut self.posts {
            post.send(Order::Prompts(prompts.clone()));
        }
    }

    /// Takes all events that have come, oldest first, and hands on orders that had to wait.
    pub fn events(&mut self, out: &mut Vec<Event>) {
        for post in &mut self.posts {
            post.push();
            post.ring();
        }
        out.extend(self.events.try_iter().take(EVENTS));
    }

    /// Looks whether every worker has turned since the last look, and has each turn once more. A worker that stands still takes
    /// the sound of its calls along; the others go on. Called about once a second.
    pub fn look(&mut self) {
        let mut stalled = 0;
        for (worker, post) in self.posts.iter_mut().enumerate() {
            match post.watch.look(&post.pulse) {
                Found::Turning => {}
                Found::Stalled => {
                    tracing::error!(worker, "a media worker stands still: nobody in its calls hears anything");
                    stalled += 1;
                }
                Found::StillStalled => stalled += 1,
                Found::Recovered => tracing::warn!(worker, "the media worker goes on"),
            }
            ring(&post.wake);
        }
        metrics::gauge!("yihao_media_workers_stalled").set(f64::from(stalled));
    }

    /// Ends all legs and recordings and waits for the threads; the last events stay readable.
    pub fn shutdown(&mut self) {
        for post in &mut self.posts {
            post.send(Order::Stop);
            while !post.waiting.is_empty() && post.thread.as_ref().is_some_and(|t| !t.is_finished()) {
                std::thread::yield_now();
                post.push();
                post.ring();
            }
        }
        for post in &mut self.posts {
            if let Some(thread) = post.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a media worker had panicked");
            }
        }
        if let Some(disk) = self.disk.take() {
            disk.stop();
        }
    }

    fn post(&mut self, worker: u8) -> &mut Post {
        let last = self.posts.len() - 1;
        &mut self.posts[usize::from(worker).min(last)]
    }

    fn open(&mut self, leg: LegId, call: CallId, port: MediaPort, party: Origin) {
        if self.legs.contains_key(&leg) {
            let worker = self.calls.get(&call).map_or(port.worker, |(worker, _)| *worker);
            return self.relocate(leg, worker, call);
        }
        self.legs.insert(leg, Whereabouts { worker: port.worker, call });
        let (home, count) = self.calls.entry(call).or_insert((port.worker, 0));
        *count += 1;
        let home = *home;
        self.post(port.worker).queue(Order::Command(Command::Open { leg, call, port, party }));
        if home != port.worker {
            self.relocate(leg, home, call);
        }
    }

    fn relocate(&mut self, leg: LegId, to_worker: u8, call: CallId) {
        let to_worker = self.calls.get(&call).map_or(to_worker, |(worker, _)| *worker).min(self.workers() - 1);
        let Some(place) = self.legs.get_mut(&leg) else { return };
        let (from, old_call) = (place.worker, place.call);
        *place = Whereabouts { worker: to_worker, call };
        self.calls.entry(call).or_insert((to_worker, 0)).1 += 1;
        self.leave(old_call);
        if from != to_worker {
            self.post(to_worker).queue(Order::Expect(leg));
        }
        self.post(from).queue(Order::Command(Command::Move { leg, to_worker, call }));
    }

    fn leave(&mut self, call: CallId) {
        if let Some((_, legs)) = self.calls.get_mut(&call) {
            *legs -= 1;
            if *legs == 0 {
                self.calls.remove(&call);
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}
