//! TCP and TLS (RFC 3261 18, RFC 5626 3.5.1, RFC 5923): tasks on a tokio runtime, spoken to over bounded channels.
//!
//! Each peer has its own bounded line of outgoing messages and a time for each write: one that does not read is closed,
//! and nobody else notices. Each task is owned and awaited.

mod connection;
mod dial;
mod hub;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::certificate::Certificate;
use super::socket::{self, BindError};
use crate::sip::flow::{ConnId, Flow, Transport};
use crate::sip::transaction::{By, Transmit};
use crate::types::NetworkId;

/// Commands that wait for the hub; beyond, [`Streams::send`] gives the message back.
const COMMANDS: usize = 4_096;
/// Events that wait for the control thread; beyond, peers are not read.
const EVENTS: usize = 1_024;

/// Limits and times. `Default` gives the values that are named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections in all: 10,000 (about half of the usual limit of open files).
    pub max_connections: usize,
    /// Connections from one address: 1,024 (an office of seats behind one router).
    pub max_per_address: usize,
    /// Bytes that wait for one peer and beyond which nothing more is read from it: 64 kB. A peer that asks faster than it
    /// reads slows itself down, and keeps its connection.
    pub pause_bytes: usize,
    /// Messages that wait for one peer: 2,560, which is two answers to each message that may wait for the control thread and
    /// some of our own. A peer for which more wait is closed.
    pub queue_messages: usize,
    /// Bytes that wait for one peer: 4 MB.
    pub queue_bytes: usize,
    /// Longest write: 5 s.
    pub write_wait: Duration,
    /// Longest making of an outgoing connection: 3 s, so that there is time for the next address.
    pub connect_wait: Duration,
    /// Longest TLS handshake: 5 s.
    pub handshake_wait: Duration,
    /// Until the first whole message of a peer that connected: 30 s.
    pub first_wait: Duration,
    /// From the first byte of a message to its last: 30 s.
    pub rest_wait: Duration,
    /// Silence after which a connection is closed: 2 h and a bit, longer than a registration.
    pub idle_wait: Duration,
    /// DSCP of signalling: CS3.
    pub dscp: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_connections: 10_000,
            max_per_address: 1_024,
            pause_bytes: 64 << 10,
            queue_messages: 2 * EVENTS + 512,
            queue_bytes: 4 << 20,
            write_wait: Duration::from_secs(5),
            connect_wait: Duration::from_secs(3),
            handshake_wait: Duration::from_secs(5),
            first_wait: Duration::from_secs(30),
            rest_wait: Duration::from_secs(30),
            idle_wait: Duration::from_secs(7_500),
            dscp: socket::DSCP_CS3,
        }
    }
}

/// What streams report.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A peer connected, or we reached one; under TLS after the handshake.
    Opened {
        /// The connection.
        flow: Flow,
        /// Names in the peer's verified certificate; empty when it showed none.
        identities: Vec<String>,
    },
    /// One message, cut out of the stream; malformed ones too, so that they can be answered.
    Message {
        /// Where it came from.
        flow: Flow,
        /// All of it.
        bytes: Bytes,
    },
    /// A connection is gone. Its last word.
    Closed {
        /// Which.
        connection: ConnId,
    },
    /// A message could not be sent: no connection, or its peer does not read.
    Unsent {
        /// Who sent it.
        by: By,
    },
}

/// A listener to be.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Its network.
    pub network: NetworkId,
    /// TCP, or TLS with a certificate.
    pub transport: Transport,
    /// Where; port 0 takes any free one.
    pub address: SocketAddr,
    /// For TLS. It is also shown to peers that we connect to from this network, when they ask.
    pub certificate: Option<Arc<Certificate>>,
}

/// What went wrong, by kind.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections refused because there were too many.
    pub refused: AtomicU64,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Peers closed because they did not read.
    pub slow: AtomicU64,
    /// Peers closed because they sent no SIP.
    pub broken: AtomicU64,
    /// Connections that are open now.
    pub open: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Wakes the control thread; called after each event.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

enum Command {
    Listen(Box<Listen>, std::net::TcpListener),
    Send(Transmit),
    Close(ConnId),
    Shutdown,
}

/// The control thread's end: gives messages to streams.
pub struct Streams {
    commands: mpsc::Sender<Command>,
    hub: JoinHandle<()>,
    counters: Arc<Counters>,
    runtime: Handle,
    dscp: u8,
}

/// The control thread's other end: takes what streams report.
#[derive(Debug)]
pub struct Inbox(mpsc::Receiver<Event>);

impl Inbox {
    /// The next event, if there is one.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where tasks put events.
#[derive(Clone)]
struct Outlet {
    events: mpsc::Sender<Event>,
    wake: Wake,
}

impl Outlet {
    /// Waits for room; false when nobody listens any more.
    async fn put(&self, event: Event) -> bool {
        let taken = self.events.send(event).await.is_ok();
        (self.wake)();
        taken
    }

    /// Does not wait; without room the event is lost. For what a timer would find out too.
    fn try_put(&self, event: Event) {
        if self.events.try_send(event).is_ok() {
            (self.wake)();
        }
    }
}

impl Streams {
    /// Starts the hub on a runtime. It ends with [`Streams::shutdown`].
    pub fn start(runtime: &Handle, settings: Settings, wake: Wake) -> (Streams, Inbox) {
        let (commands, commands_in) = mpsc::channel(COMMANDS);
        let (events, events_in) = mpsc::channel(EVENTS);
        let counters = Arc::new(Counters::default());
        let dscp = settings.dscp;
        let hub = hub::Hub::new(settings, Outlet { events, wake }, Arc::clone(&counters));
        // Owned by `Streams` and awaited in its shutdown.
        let hub = runtime.spawn(hub.run(commands_in));
        (Streams { commands, hub, counters, runtime: runtime.clone(), dscp }, Inbox(events_in))
    }

    /// Takes an address and listens there; gives the address with its port.
    ///
    /// # Errors
    /// [`BindError`] says which address and what to do.
    ///
    /// # Panics
    /// When a TLS listener has no certificate, or when called on a task of the runtime.
    pub fn listen(&self, listen: Listen) -> Result<SocketAddr, BindError> {
        assert!(listen.transport != Transport::Tls || listen.certificate.is_some(), "TLS needs a certificate");
        let listener: std::net::TcpListener = socket::bind(listen.transport, listen.address, self.dscp)?.into();
        let local = listener.local_addr().unwrap_or(listen.address);
        let command = Command::Listen(Box::new(Listen { address: local, ..listen }), listener);
        // At the start nothing else waits; the hub is alive as long as we are.
        let _hub_is_gone = self.commands.try_send(command);
        Ok(local)
    }

    /// Sends a message: over its connection, another one to the same address, or a new one.
    ///
    /// # Errors
    /// Gives the message back when too many commands wait: treat it as unsent.
    pub fn send(&self, transmit: Transmit) -> Result<(), Transmit> {
        self.commands.try_send(Command::Send(transmit)).map_err(|e| match e.into_inner() {
            Command::Send(transmit) => transmit,
            Command::Listen(..) | Command::Close(_) | Command::Shutdown => unreachable!("the command that was sent"),
        })
    }

    /// Closes a connection once what waits for it is written.
    pub fn close(&self, connection: ConnId) {
        let _busy = self.commands.try_send(Command::Close(connection));
    }

    /// What went wrong so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Stops listening, lets what waits be written (a second at most), closes all connections and awaits all tasks.
    pub async fn shutdown(self) {
        let _hub_is_gone = self.commands.send(Command::Shutdown).await;
        drop(self.commands);
        let _panicked = self.hub.await;
    }

    /// The runtime that the streams live on.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }
}
