//! Sockets as both kinds of transport bind them: family, DSCP, and errors that say what to do.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::sip::flow::Transport;

/// Class selector 3: signalling (RFC 4594 2.3), the default.
pub const DSCP_CS3: u8 = 24;

/// Why an address could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, or another listener of ours, has it.
    #[error("{transport} {address} is in use: stop the other process (`ss -lnp` names it) or choose another port")]
    InUse {
        /// UDP, TCP or TLS.
        transport: Transport,
        /// The address.
        address: SocketAddr,
    },
    /// The host has no such address.
    #[error("{transport} {address}: this host has no such address; `ip address` lists those it has")]
    NoSuchAddress {
        /// UDP, TCP or TLS.
        transport: Transport,
        /// The address.
        address: SocketAddr,
    },
    /// Ports below 1024 need a privilege.
    #[error("{transport} {address}: not allowed; ports below 1024 need CAP_NET_BIND_SERVICE")]
    NotAllowed {
        /// UDP, TCP or TLS.
        transport: Transport,
        /// The address.
        address: SocketAddr,
    },
    /// Something else.
    #[error("{transport} {address}: {source}")]
    Other {
        /// UDP, TCP or TLS.
        transport: Transport,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl BindError {
    fn new(transport: Transport, address: SocketAddr, source: io::Error) -> BindError {
        let kind = source.kind();
        if kind == io::ErrorKind::AddrInUse {
            BindError::InUse { transport, address }
        } else if kind == io::ErrorKind::AddrNotAvailable {
            BindError::NoSuchAddress { transport, address }
        } else if kind == io::ErrorKind::PermissionDenied {
            BindError::NotAllowed { transport, address }
        } else {
            BindError::Other { transport, address, source }
        }
    }
}

/// Binds a socket without blocking; streams listen too.
pub(super) fn bind(transport: Transport, address: SocketAddr, dscp: u8) -> Result<Socket, BindError> {
    bind_socket(transport, address, dscp).map_err(|e| BindError::new(transport, address, e))
}

fn bind_socket(transport: Transport, address: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let is_stream = transport != Transport::Udp;
    let socket = open(is_stream, address, dscp)?;
    if is_stream {
        // Only for streams, where it passes over connections in TIME_WAIT. Two UDP sockets would share the port in silence.
        socket.set_reuse_address(true)?;
    } else {
        // Room for a burst while the loop is busy: 4 MB are 3,000 INVITEs. The system may grant less.
        let _granted_less = socket.set_recv_buffer_size(4 << 20);
    }
    socket.bind(&SockAddr::from(address))?;
    if is_stream {
        socket.listen(1_024)?;
    }
    Ok(socket)
}

/// A socket for an outgoing connection, bound to our address (port 0) so that the carrier sees the right one.
pub(super) fn open_stream(local: Option<SocketAddr>, remote: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let socket = open(true, remote, dscp)?;
    if let Some(local) = local.filter(|l| l.is_ipv4() == remote.is_ipv4()) {
        socket.bind(&SockAddr::from(SocketAddr::new(local.ip(), 0)))?;
    }
    Ok(socket)
}

fn open(is_stream: bool, address: SocketAddr, dscp: u8) -> io::Result<Socket> {
    let (kind, protocol) = if is_stream { (Type::STREAM, Protocol::TCP) } else { (Type::DGRAM, Protocol::UDP) };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    let class = u32::from(dscp) << 2;
    if address.is_ipv6() {
        // One family a socket: addresses of the other have listeners of their own (sip.md 16).
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(class)?;
    } else {
        socket.set_tos_v4(class)?;
    }
    if is_stream {
        socket.set_tcp_nodelay(true)?;
    }
    Ok(socket)
}
