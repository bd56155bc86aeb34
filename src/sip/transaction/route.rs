//! The way of a response (RFC 3261 18.2.2, RFC 3581 4).
//!
//! Knows addresses as data; looks no name up.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{Message, ResponseBuilder, Via};

use super::{By, Transmit};

/// Where the response to a request goes.
///
/// A stream takes it back on the connection; its address is for the case that it has been closed: the source with the port
/// of the Via. A datagram goes to `maddr` if there is one, else to the source, with its port where `rport` asks
/// for it and with that of the Via where not.
pub fn response_hop(flow: &Flow, request: &Message) -> Hop {
    let via = request.top_via();
    let port = via.port.unwrap_or(flow.transport.default_port());
    let source = flow.remote.ip();
    match flow.transport {
        Transport::Udp => Hop { remote: datagram_target(flow, &via, port), ..flow.back() },
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
            Hop { remote: SocketAddr::new(source, port), ..flow.back() }
        }
    }
}

fn datagram_target(flow: &Flow, via: &Via, port: u16) -> SocketAddr {
    if let Some(maddr) = via.params.get("maddr").and_then(ip) {
        return SocketAddr::new(maddr, port);
    }
    match via.rport() {
        Some(_) => flow.remote,
        None => SocketAddr::new(flow.remote.ip(), port),
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Begins the response to a request; its top Via says where the request came from (`received`, `rport`). `to_tag` is added
/// where the request has none.
pub fn response(request: &Message, flow: &Flow, status: u16, to_tag: Option<&str>) -> ResponseBuilder {
    if request.source().is_some() {
        return ResponseBuilder::to_request(request, status, "", to_tag);
    }
    let mut request = request.clone();
    request.set_source(flow.remote);
    ResponseBuilder::to_request(&request, status, "", to_tag)
}

/// A response outside of any transaction, for a request that is refused before state is made.
pub fn stateless(flow: &Flow, request: &Message, bytes: Bytes) -> Transmit {
    Transmit { hop: response_hop(flow, request), bytes, by: By::Nobody }
}
