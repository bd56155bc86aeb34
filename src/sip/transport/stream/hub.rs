//! The switchboard: which connection a message takes, who may connect, which tasks there are.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time;

use super::connection::{Item, Line};
use super::{Command, Counters, Event, Listen, Outlet, Settings, connection, count, dial};
use crate::sip::flow::{ConnId, Hop, Transport};
use crate::sip::transaction::Transmit;
use crate::types::NetworkId;

/// Accepted peers that wait for the hub.
const ACCEPTED: usize = 64;
/// Pause after a failed accept (out of files): the next one would fail too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the last messages may take at the shutdown.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What two messages must share to take one connection. A TLS connection that we opened was checked against one name;
/// one that the peer opened proves no server name.
type Way = (NetworkId, Transport, SocketAddr, Option<Box<str>>);

/// A connection as the hub sees it.
struct Peer {
    queue: mpsc::Sender<Item>,
    waiting_bytes: Arc<AtomicUsize>,
    kill: Arc<Notify>,
    way: Way,
    address: IpAddr,
}

struct Accepted {
    listener: Arc<Listen>,
    stream: TcpStream,
    remote: SocketAddr,
}

pub(super) struct Hub {
    settings: Arc<Settings>,
    outlet: Outlet,
    counters: Arc<Counters>,
    listeners: Vec<Arc<Listen>>,
    peers: BTreeMap<ConnId, Peer>,
    ways: BTreeMap<Way, ConnId>,
    per_address: BTreeMap<IpAddr, usize>,
    accept_tasks: JoinSet<()>,
    tasks: JoinSet<ConnId>,
    accepted: (mpsc::Sender<Accepted>, mpsc::Receiver<Accepted>),
    last_id: u64,
}

impl Hub {
    pub(super) fn new(settings: Settings, outlet: Outlet, counters: Arc<Counters>) -> Hub {
        Hub {
            settings: Arc::new(settings),
            outlet,
            counters,
            listeners: Vec::new(),
            peers: BTreeMap::new(),
            ways: BTreeMap::new(),
            per_address: BTreeMap::new(),
            accept_tasks: JoinSet::new(),
            tasks: JoinSet::new(),
            accepted: mpsc::channel(ACCEPTED),
            last_id: 0,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Listen(listen, socket)) => self.listen(*listen, socket),
                    Some(Command::Send(transmit)) => self.send(transmit),
                    Some(Command::Close(connection)) => self.forget(connection),
                    Some(Command::Shutdown) | None => break,
                },
                Some(accepted) = self.accepted.1.recv() => self.accept(accepted),
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(connection) => self.forget(connection),
                    // The task reports its own end; only a bug of ours loses it.
                    Err(error) => tracing::error!(%error, "a connection's task failed"),
                },
            }
        }
        self.shutdown().await;
    }

    fn listen(&mut self, listen: Listen, socket: std::net::TcpListener) {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(address = %listen.address, %error, "cannot listen"),
        };
        let listen = Arc::new(listen);
        self.listeners.push(Arc::clone(&listen));
        self.accept_tasks.spawn(accept_all(listener, listen, self.accepted.0.clone()));
    }

    fn accept(&mut self, accepted: Accepted) {
        let Accepted { listener, stream, remote } = accepted;
        let address = remote.ip().to_canonical();
        let from_there = self.per_address.get(&address).copied().unwrap_or(0);
        if self.peers.len() >= self.settings.max_connections || from_there >= self.settings.max_per_address {
            count(&self.counters.refused);
            return tracing::debug!(%remote, "connection refused: too many");
        }
        let way = (listener.network, listener.transport, remote, None);
        let line = self.add(way, address);
        self.tasks.spawn(connection::serve(stream, listener, line));
    }

    /// Enters a connection and gives its task's end.
    fn add(&mut self, way: Way, address: IpAddr) -> Line {
        self.last_id += 1;
        let id = ConnId(self.last_id);
        let (queue, items) = mpsc::channel(self.settings.queue_messages);
        let peer = Peer {
            waiting_bytes: Arc::new(AtomicUsize::new(0)),
            kill: Arc::new(Notify::new()),
            way: way.clone(),
            address,
            queue,
        };
        let line = Line {
            id,
            items,
            pongs: peer.queue.downgrade(),
            waiting_bytes: Arc::clone(&peer.waiting_bytes),
            kill: Arc::clone(&peer.kill),
            outlet: self.outlet.clone(),
            settings: Arc::clone(&self.settings),
            counters: Arc::clone(&self.counters),
        };
        *self.per_address.entry(address).or_default() += 1;
        self.ways.insert(way, id);
        self.peers.insert(id, peer);
        self.counters.open.store(self.peers.len() as u64, Ordering::Relaxed);
        line
    }

    /// Takes a connection out. Without its queue the task writes what waits and ends.
    fn forget(&mut self, connection: ConnId) {
        let Some(peer) = self.peers.remove(&connection) else { return };
        if self.ways.get(&peer.way) == Some(&connection) {
            self.ways.remove(&peer.way);
        }
        if let Some(n) = self.per_address.get_mut(&peer.address) {
            *n -= 1;
            if *n == 0 {
                self.per_address.remove(&peer.address);
            }
        }
        self.counters.open.store(self.peers.len() as u64, Ordering::Relaxed);
    }

    /// Takes out a connection that has just ended and whose task has not been awaited yet: its queue takes nothing any more,
    /// and another connection is to take its place.
    fn forget_ended(&mut self, named: Option<ConnId>, way: &Way) {
        for connection in [named, self.ways.get(way).copied()].into_iter().flatten() {
            if self.peers.get(&connection).is_some_and(|peer| peer.queue.is_closed()) {
                self.forget(connection);
            }
        }
    }

    fn send(&mut self, transmit: Transmit) {
        let Transmit { hop, bytes, by } = transmit;
        let named = if hop.transport == Transport::Tls { hop.server_name.clone() } else { None };
        let way = (hop.network, hop.transport, hop.remote, named);
        self.forget_ended(hop.connection, &way);
        let open = hop.connection.filter(|c| self.peers.contains_key(c)).or_else(|| self.ways.get(&way).copied());
        let connection = match open {
            Some(connection) => connection,
            None => match self.connect(&hop, way) {
                Some(connection) => connection,
                None => return self.outlet.try_put(Event::Unsent { by }),
            },
        };
        let Some(peer) = self.peers.get(&connection) else { return };
        let waiting = peer.waiting_bytes.fetch_add(bytes.len(), Ordering::AcqRel) + bytes.len();
        // One long message is no sign of a slow reader.
        let is_full = waiting > self.settings.queue_bytes && waiting > bytes.len();
        if is_full || peer.queue.try_send((bytes, by)).is_err() {
            tracing::info!(remote = %peer.way.2, "peer does not read: closed");
            count(&self.counters.slow);
            peer.kill.notify_one();
            self.forget(connection);
            self.outlet.try_put(Event::Unsent { by });
        }
    }

    /// Begins a new connection; messages wait in its line until it stands.
    fn connect(&mut self, hop: &Hop, way: Way) -> Option<ConnId> {
        let is_secure = match hop.transport {
            Transport::Tcp => false,
            Transport::Tls => true,
            Transport::Udp | Transport::Ws | Transport::Wss => return None,
        };
        if is_secure && hop.server_name.is_none() {
            // The way back on a connection that is gone: nobody could be checked on a new one.
            return None;
        }
        if self.peers.len() >= self.settings.max_connections {
            count(&self.counters.refused);
            return None;
        }
        let family = |l: &&Arc<Listen>| l.network == hop.network && l.address.is_ipv4() == hop.remote.is_ipv4();
        let sites = || self.listeners.iter().filter(family);
        let local = sites().find(|l| l.transport == hop.transport).or_else(|| sites().next()).map(|l| l.address);
        let certificate =
            self.listeners.iter().filter(|l| l.network == hop.network).find_map(|l| l.certificate.clone());
        let certificate = certificate.or_else(|| self.listeners.iter().find_map(|l| l.certificate.clone()));
        if is_secure && certificate.is_none() {
            tracing::warn!(remote = %hop.remote, "no TLS connection without a TLS listener and its certificate");
            return None;
        }
        let line = self.add(way, hop.remote.ip().to_canonical());
        let id = line.id;
        let plan = dial::Plan { hop: hop.clone(), local, certificate: certificate.filter(|_| is_secure) };
        self.tasks.spawn(connection::call(plan, line));
        Some(id)
    }

    async fn shutdown(mut self) {
        self.accept_tasks.shutdown().await;
        self.accepted.1.close();
        // Without their queues the tasks write what waits and end.
        self.peers.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::debug!("some peers did not take their last messages");
        }
        self.tasks.shutdown().await;
    }
}

async fn accept_all(listener: TcpListener, listen: Arc<Listen>, accepted: mpsc::Sender<Accepted>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let one = Accepted { listener: Arc::clone(&listen), stream, remote };
                if accepted.send(one).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(address = %listen.address, %error, "cannot accept a connection");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
