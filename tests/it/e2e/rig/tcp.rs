//! TCP peers that behave badly.

use std::net::{SocketAddr, TcpStream};

use super::site::{Site, TELECOM};

/// A connection from the trunk's address whose answers nobody reads.
pub(crate) fn deaf_peer(site: &Site) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind(&SocketAddr::new(site.street.at(TELECOM), 0).into()).unwrap();
    socket.connect(&site.sip().into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

/// Fifty requests that ask for an answer each.
pub(crate) fn options(site: &Site) -> String {
    let (to, from) = (site.sip(), site.street.at(TELECOM));
    let one = |n: u32| {
        format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/TCP {from}:5070;branch=z9hG4bK{n};rport\r\nFrom: <sip:c@{from}>;tag={n}\r\n\
             To: <sip:{to}>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    (0..50).map(one).collect()
}
