//! Where a message came from and where one goes.
//!
//! Names addresses and connections, holds no socket. What carries the bytes is `sip/transport`.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::types::NetworkId;

/// What carries a message (RFC 3261 18; WebSocket: RFC 7118).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream under TLS.
    Tls,
    /// WebSocket: read in headers, not carried yet.
    Ws,
    /// WebSocket under TLS: read in headers, not carried yet.
    Wss,
}

impl Transport {
    /// Whether the transport itself retransmits, so that the timers A, E, G and I, J, K are zero (RFC 3261 17).
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
        }
    }

    /// Whether the bytes are protected by TLS.
    pub fn is_secure(self) -> bool {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Ws => false,
            Transport::Tls | Transport::Wss => true,
        }
    }

    /// The port where a URI or a Via names none (RFC 3261 19.1.2, RFC 7118 5.3).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }

    /// As a Via header writes it: `UDP`.
    pub fn as_via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// As a `transport=` parameter of a URI writes it: `udp`. TLS is `tls` (deprecated by RFC 3261 26.2.2, yet what
    /// phones send and understand); WebSocket is `ws` in either case (RFC 7118 5.2).
    pub fn as_param(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws | Transport::Wss => "ws",
        }
    }

    /// Reads the name in a Via or a `transport=` parameter, whatever its case.
    pub fn parse(text: &str) -> Option<Transport> {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|t| t.as_via().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_via())
    }
}

/// One stream connection, counted by the transport; never used again in the life of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn{}", self.0)
    }
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The network whose listener took it.
    pub network: NetworkId,
    /// What carried it.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The sender's address as we see it.
    pub remote: SocketAddr,
    /// The connection; `None` for UDP.
    pub connection: Option<ConnId>,
}

impl Flow {
    /// The way back to the sender.
    pub fn back(&self) -> Hop {
        Hop {
            network: self.network,
            transport: self.transport,
            remote: self.remote,
            connection: self.connection,
            server_name: None,
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// The network whose socket sends it.
    pub network: NetworkId,
    /// What carries it.
    pub transport: Transport,
    /// Where to.
    pub remote: SocketAddr,
    /// The connection to use; when it is closed or `None`, the transport uses or opens one to `remote`.
    pub connection: Option<ConnId>,
    /// The name that a TLS certificate must bear on a new connection; `None`: no new one is made.
    pub server_name: Option<Box<str>>,
}

impl Hop {
    /// A way to an address, on no particular connection.
    pub fn to(network: NetworkId, transport: Transport, remote: SocketAddr) -> Hop {
        Hop { network, transport, remote, connection: None, server_name: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_names_are_read_in_any_case_and_nothing_else_is() {
        assert_eq!(Transport::parse("Udp"), Some(Transport::Udp));
        assert_eq!(Transport::parse("WSS"), Some(Transport::Wss));
        assert_eq!(Transport::parse("sctp"), None);
        assert_eq!(Transport::parse(""), None);
    }

    #[test]
    fn the_way_back_stays_on_the_connection() {
        let flow = Flow {
            network: NetworkId(1),
            transport: Transport::Tls,
            local: "192.0.2.1:5061".parse().unwrap(),
            remote: "198.51.100.7:40000".parse().unwrap(),
            connection: Some(ConnId(9)),
        };
        let back = flow.back();
        assert_eq!((back.remote, back.connection), (flow.remote, flow.connection));
    }
}
