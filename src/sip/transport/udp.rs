//! Datagrams (RFC 3261 18, RFC 3581): batches in, batches out, on the thread that polls the socket.
//!
//! Never blocks. What cannot be sent waits in a bounded line until the socket is writable again.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use bytes::Bytes;
use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::Socket;

use super::socket::{self, BindError};
use crate::sip::flow::{Flow, Transport};
use crate::sip::transaction::By;
use crate::types::NetworkId;

/// Datagrams taken or given in one system call.
const BATCH: usize = 32;
/// Batches taken before others get their turn.
const BATCHES_A_TURN: usize = 4;
/// Room for the longest datagram that UDP can carry.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams that wait for a full socket; beyond, new ones are dropped, and their transactions send again.
const BACKLOG: usize = 4_096;

/// What was received and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams received whole.
    pub received: u64,
    /// Datagrams that did not fit the buffer: thrown away, a part is never parsed as the whole.
    pub truncated: u64,
    /// Datagrams given to the system.
    pub sent: u64,
    /// Datagrams that the system refused (unreachable network, too long).
    pub refused: u64,
    /// Datagrams dropped because too many waited.
    pub dropped: u64,
}

/// One UDP listener. Registered with `mio` for reading and writing.
#[derive(Debug)]
pub struct Udp {
    socket: Socket,
    network: NetworkId,
    local: SocketAddr,
    buffers: Vec<Box<[u8]>>,
    line: VecDeque<(SocketAddr, Bytes, By)>,
    blocked: bool,
    counters: Counters,
}

impl Udp {
    /// Takes an address; port 0 takes any free one.
    ///
    /// # Errors
    /// [`BindError`] says which address and what to do.
    pub fn bind(network: NetworkId, address: SocketAddr, dscp: u8) -> Result<Udp, BindError> {
        Udp::with_buffers(network, address, dscp, DATAGRAM_BYTES)
    }

    fn with_buffers(network: NetworkId, address: SocketAddr, dscp: u8, bytes: usize) -> Result<Udp, BindError> {
        let socket = socket::bind(Transport::Udp, address, dscp)?;
        let local = socket.local_addr().ok().and_then(|a| a.as_socket()).unwrap_or(address);
        let buffers = (0..BATCH).map(|_| vec![0; bytes].into_boxed_slice()).collect();
        Ok(Udp {
            socket,
            network,
            local,
            buffers,
            line: VecDeque::new(),
            blocked: false,
            counters: Counters::default(),
        })
    }

    /// Our address with the port that was given.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The network that this listener belongs to.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Gives each waiting datagram to `each`, at most 128. True: there may be more; call again before the next poll, since
    /// the poll reports only what comes new.
    ///
    /// # Errors
    /// What the system says, but for an empty socket.
    pub fn receive(&mut self, mut each: impl FnMut(Flow, &[u8])) -> io::Result<bool> {
        for _ in 0..BATCHES_A_TURN {
            if self.receive_batch(&mut each)? < BATCH {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn receive_batch(&mut self, each: &mut impl FnMut(Flow, &[u8])) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let batch =
            match recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
                Ok(batch) => batch,
                // Errors of datagrams that were sent before come back here; they concern nobody who sends to us.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
                Err(errno) => return Err(errno.into()),
            };
        let mut count = 0;
        for message in batch {
            count += 1;
            let Some(remote) = message.address.and_then(std_address) else { continue };
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                self.counters.truncated += 1;
                continue;
            }
            self.counters.received += 1;
            let flow =
                Flow { network: self.network, transport: Transport::Udp, local: self.local, remote, connection: None };
            each(flow, message.iovs().next().unwrap_or_default());
        }
        Ok(count)
    }

    /// Puts a datagram in line; [`Udp::flush`] sends it. False: too many wait, it was dropped.
    pub fn send(&mut self, to: SocketAddr, bytes: Bytes, by: By) -> bool {
        if self.line.len() >= BACKLOG {
            self.counters.dropped += 1;
            return false;
        }
        self.line.push_back((to, bytes, by));
        true
    }

    /// Sends what waits, at the end of a turn and when the socket has become writable. `refused` gets those that the
    /// system does not take at all.
    pub fn flush(&mut self, refused: &mut Vec<By>) {
        self.blocked = false;
        while !self.line.is_empty() && !self.blocked {
            match self.send_batch() {
                Ok(sent) => {
                    self.counters.sent += sent as u64;
                    self.line.drain(..sent);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => self.blocked = true,
                Err(errno) => {
                    // The error speaks of the first one only.
                    if let Some((to, _, by)) = self.line.pop_front() {
                        tracing::debug!(%to, %errno, "datagram refused");
                        self.counters.refused += 1;
                        refused.push(by);
                    }
                }
            }
        }
    }

    /// Whether something waits for the socket to become writable.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn send_batch(&mut self) -> Result<usize, Errno> {
        let batch = self.line.iter().take(BATCH);
        let slices: Vec<[IoSlice<'_>; 1]> = batch.clone().map(|(_, bytes, _)| [IoSlice::new(bytes)]).collect();
        let addresses: Vec<Option<SockaddrStorage>> =
            batch.map(|(to, _, _)| Some(SockaddrStorage::from(*to))).collect();
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slices.len(), None);
        let fd = self.socket.as_raw_fd();
        let sent = sendmmsg(fd, &mut headers, &slices, addresses, [], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?;
        Ok(sent.count())
    }
}

impl Source for Udp {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).deregister(registry)
    }
}

fn std_address(address: SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    const NETWORK: NetworkId = NetworkId(3);

    #[test]
    fn datagrams_go_both_ways_over_both_families() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let mut udp = Udp::bind(NETWORK, host.parse().unwrap(), socket::DSCP_CS3).unwrap();
            let peer = peer(host);
            peer.send_to(b"hello", udp.local()).unwrap();
            let got = receive_all(&mut udp);
            assert_eq!(got.len(), 1);
            let (flow, bytes) = &got[0];
            assert_eq!((flow.network, flow.transport, flow.local), (NETWORK, Transport::Udp, udp.local()));
            assert_eq!((flow.remote, bytes.as_slice()), (peer.local_addr().unwrap(), &b"hello"[..]));
            assert!(udp.send(flow.remote, Bytes::from_static(b"back"), By::Nobody));
            udp.flush(&mut Vec::new());
            let mut buffer = [0; 16];
            let (n, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..n], from), (&b"back"[..], udp.local()));
        }
    }

    #[test]
    fn a_burst_comes_in_order_over_several_turns() {
        let mut udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let peer = peer("127.0.0.1:0");
        for n in 0..300_u32 {
            peer.send_to(&n.to_be_bytes(), udp.local()).unwrap();
        }
        let mut got = Vec::new();
        let more = udp.receive(|_, bytes| got.push(bytes.to_vec())).unwrap();
        assert!(more, "300 do not fit one turn");
        assert_eq!(got.len(), 128);
        got.extend(receive_all(&mut udp).into_iter().map(|(_, bytes)| bytes));
        let expected: Vec<Vec<u8>> = (0..300_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn the_longest_datagram_is_whole_and_a_cut_one_is_thrown_away() {
        let peer = peer("127.0.0.1:0");
        let mut udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        peer.send_to(&[b'x'; 65_507], udp.local()).unwrap();
        assert_eq!(receive_all(&mut udp)[0].1.len(), 65_507);
        let mut small = Udp::with_buffers(NETWORK, "127.0.0.1:0".parse().unwrap(), 0, 100).unwrap();
        peer.send_to(&[b'x'; 101], small.local()).unwrap();
        peer.send_to(&[b'y'; 100], small.local()).unwrap();
        let got = receive_all(&mut small);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].1, [b'y'; 100]);
        assert_eq!(small.counters().truncated, 1);
    }

    #[test]
    fn a_datagram_that_cannot_go_is_reported_and_holds_up_nobody() {
        let mut udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let peer = peer("127.0.0.1:0");
        let long = Bytes::from(vec![0; 70_000]);
        udp.send(peer.local_addr().unwrap(), long, By::Nobody);
        udp.send(peer.local_addr().unwrap(), Bytes::from_static(b"next"), By::Nobody);
        let mut refused = Vec::new();
        udp.flush(&mut refused);
        assert_eq!(refused.len(), 1);
        let mut buffer = [0; 16];
        assert_eq!(peer.recv(&mut buffer).unwrap(), 4);
        assert_eq!((udp.counters().sent, udp.counters().refused), (1, 1));
    }

    #[test]
    fn the_line_of_waiting_datagrams_is_bounded() {
        let mut udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let to = peer("127.0.0.1:0").local_addr().unwrap();
        let taken = (0..5_000).filter(|_| udp.send(to, Bytes::from_static(b"x"), By::Nobody)).count();
        assert_eq!((taken, udp.counters().dropped), (BACKLOG, 904));
    }

    #[test]
    fn a_port_in_use_is_said_so() {
        let first = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let error = Udp::bind(NETWORK, first.local(), 0).unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }));
        assert!(error.to_string().contains("is in use"));
        let error = Udp::bind(NETWORK, "192.0.2.1:5060".parse().unwrap(), 0).unwrap_err();
        assert!(matches!(error, BindError::NoSuchAddress { .. }));
    }

    #[test]
    fn dscp_is_set() {
        let udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), socket::DSCP_CS3).unwrap();
        assert_eq!(udp.socket.tos_v4().unwrap(), 24 << 2);
        let udp = Udp::bind(NETWORK, "[::1]:0".parse().unwrap(), socket::DSCP_CS3).unwrap();
        assert_eq!(udp.socket.tclass_v6().unwrap(), 24 << 2);
    }

    #[test]
    fn mio_wakes_up_for_a_datagram() {
        let mut udp = Udp::bind(NETWORK, "127.0.0.1:0".parse().unwrap(), 0).unwrap();
        let mut poll = mio::Poll::new().unwrap();
        poll.registry().register(&mut udp, Token(7), Interest::READABLE).unwrap();
        peer("127.0.0.1:0").send_to(b"x", udp.local()).unwrap();
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert_eq!(events.iter().next().map(|e| e.token()), Some(Token(7)));
    }

    fn peer(host: &str) -> UdpSocket {
        let peer = UdpSocket::bind(host).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        peer
    }

    /// Loopback delivers before `send_to` returns, so what was sent is there.
    fn receive_all(udp: &mut Udp) -> Vec<(Flow, Vec<u8>)> {
        let mut got = Vec::new();
        while udp.receive(|flow, bytes| got.push((flow, bytes.to_vec()))).unwrap() {}
        got
    }
}
