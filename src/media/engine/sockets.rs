//! Binds the pairs of RTP and RTCP sockets ahead of time, and makes a used one fit for its next leg.
//!
//! Knows operating-system sockets only: no leg, no packet.

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, UdpSocket};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::worker::PortKey;
use super::{NetworkPorts, StartError};
use crate::types::MediaPort;

/// Descriptors that stay free of media: SIP, HTTP, database, recordings.
const RESERVED_FILES: u64 = 1_024;

/// Most packets that are thrown away when a socket is taken; a flood must not hold the worker.
const DRAIN_PACKETS: usize = 1_024;

/// The two sockets of one leg.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) port: MediaPort,
    /// Its sockets never leave the poll set of a worker while the pair is there; this is its number in it.
    pub(super) mark: usize,
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// Whether the kernel lets in one source of RTP only.
    filters: bool,
}

impl Pair {
    /// Its name on its worker.
    pub(super) fn key(&self) -> PortKey {
        (self.port.network, self.port.v6, self.port.port)
    }

    /// Throws away what came since the worker looked last. While the pair rested, [`Pair::ignore`] did.
    pub(super) fn drain(&self) {
        for _ in 0..DRAIN_PACKETS {
            if !discard(&self.rtp) {
                break;
            }
        }
    }

    /// Throws away one packet of those that come while nobody has the pair.
    pub(super) fn ignore(&self, rtcp: bool) {
        discard(if rtcp { &self.rtcp } else { &self.rtp });
    }

    /// Lets the kernel keep out everybody but `remote`. The filter outlives the leg: until the pair is used again, only
    /// the far end that it had can wake the worker.
    ///
    /// # Errors
    /// When there is no way to that address; every source is let in then.
    pub(super) fn filter(&mut self, remote: SocketAddr) -> io::Result<()> {
        let result = self.rtp.connect(remote);
        if result.is_err() {
            self.open_up();
        }
        self.filters = result.is_ok();
        result
    }

    /// Lets every source in again.
    pub(super) fn open_up(&mut self) {
        if !std::mem::take(&mut self.filters) {
            return;
        }
        if let Err(error) = dissolve(&self.rtp) {
            tracing::debug!(%error, port = self.port.port, "the association of a media socket stays");
        }
    }
}

/// Throws one packet away; `false` when there was none.
fn discard(socket: &UdpSocket) -> bool {
    let mut scratch = [0_u8; 16];
    match socket.recv(&mut scratch) {
        Ok(_) => true,
        // A pending ICMP error of the last peer is reported once and is then gone.
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Dissolves the association of a datagram socket: `connect(2)` with the family `AF_UNSPEC`.
fn dissolve(socket: &UdpSocket) -> io::Result<()> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a zeroed storage is a valid sockaddr of every family; only the family field is written.
    unsafe { storage.view_as::<libc::sockaddr>() }.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
    let length = u32::try_from(size_of::<libc::sockaddr>()).expect("a sockaddr has 16 bytes");
    // SAFETY: the length lies within the storage, which was initialised above.
    let nowhere = unsafe { SockAddr::new(storage, length) };
    socket2::SockRef::from(socket).connect(&nowhere)
}

/// Raises the soft limit of open files to the hard one and tells it.
pub(super) fn raise_file_limit() -> Result<u64, StartError> {
    let files = |error: nix::Error| StartError::Files { detail: error.to_string() };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(files)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(files)?;
    }
    Ok(hard)
}

/// Binds the pairs of all networks, dealt out to `workers` in turn.
pub(super) fn bind_all(networks: &[NetworkPorts], workers: u8) -> Result<Vec<Pair>, StartError> {
    let limit = raise_file_limit()?;
    let room = usize::try_from((limit - limit.min(RESERVED_FILES.min(limit / 2))) / 2).unwrap_or(usize::MAX);
    let wanted: usize = networks.iter().filter_map(|n| n.pairs).sum();
    let open = networks.iter().filter(|n| n.pairs.is_none()).count();
    if wanted > room {
        return Err(StartError::TooFewFiles { pairs: wanted, limit });
    }
    let share = (room - wanted) / open.max(1);
    let mut pairs = Vec::new();
    for network in networks {
        bind_network(network, workers, share, &mut pairs)?;
    }
    Ok(pairs)
}

fn bind_network(network: &NetworkPorts, workers: u8, share: usize, out: &mut Vec<Pair>) -> Result<(), StartError> {
    let first = network.first_port.next_multiple_of(2);
    let range = usize::from(network.last_port.saturating_sub(first)).div_ceil(2);
    let wanted = network.pairs.unwrap_or(range.min(share));
    let refused =
        |bound, last: Option<io::Error>| StartError::PortsTaken { network: network.clone(), wanted, bound, last };
    if wanted > range || wanted == 0 {
        return Err(StartError::RangeTooSmall { network: network.clone(), pairs: wanted.max(1) });
    }
    let (mut bound, mut last) = (0, None);
    for port in (first..network.last_port).step_by(2) {
        if bound == wanted {
            break;
        }
        let worker = u8::try_from(bound % usize::from(workers)).expect("fewer than 256 workers");
        let port = MediaPort { network: network.network, worker, port, v6: network.bind.is_ipv6() };
        match bind_pair(network, port) {
            Ok(pair) => {
                out.push(pair);
                bound += 1;
            }
            // Somebody else's socket in the range costs one pair; an address that is not ours costs them all.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) => return Err(refused(bound, Some(error))),
        }
    }
    if bound == 0 || network.pairs.is_some_and(|pairs| bound < pairs) {
        return Err(refused(bound, last));
    }
    Ok(())
}

fn bind_pair(network: &NetworkPorts, port: MediaPort) -> io::Result<Pair> {
    let rtp = bind(SocketAddr::new(network.bind, port.port), network.dscp)?;
    let rtcp = bind(SocketAddr::new(network.bind, port.port + 1), network.dscp)?;
    Ok(Pair { port, mark: 0, rtp, rtcp, filters: false })
}

fn bind(address: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    // DSCP stands in the upper six bits of the traffic class (RFC 2474 3).
    let class = u32::from(dscp) << 2;
    // A container may forbid the marking; voice without it is better than no voice.
    let marked = if address.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(class)
    } else {
        socket.set_tos_v4(class)
    };
    if let Err(error) = marked {
        tracing::debug!(%error, "DSCP cannot be set");
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}
