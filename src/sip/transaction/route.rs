//! The way of a response (RFC 3261 18.2.2, RFC 3581 4).
//!
//! Knows addresses as data; looks no name up.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::sip::flow::{Flow, Hop, Transport};
use crate::sip::message::{HeaderName, Message, ResponseBuilder};

use super::{By, Transmit};

/// Where the response to a request goes.
///
/// A stream takes it back on the connection; its address is for the case that it has been closed: the source with the port
/// of the Via, and under TLS the host of the Via as the name that a new connection must prove. A datagram goes to `maddr` if
/// there is one, else to the source, with its port where `rport` asks for it and with that of the Via where not.
pub fn response_hop(flow: &Flow, request: &Message) -> Hop {
    let (host, port) = split(request.sent_by());
    let port = port.unwrap_or(flow.transport.default_port());
    let remote = match flow.transport {
        Transport::Udp => datagram_target(flow, request, port),
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => SocketAddr::new(flow.remote.ip(), port),
    };
    let server_name = flow.transport.is_secure().then(|| host.into());
    Hop { remote, server_name, ..flow.back() }
}

/// Host, without brackets, and port of `host:port` or `[v6]:port`.
fn split(sent_by: &str) -> (&str, Option<u16>) {
    let behind_host = sent_by.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match sent_by[behind_host..].rsplit_once(':') {
        Some((rest, port)) => (&sent_by[..behind_host + rest.len()], port.trim().parse().ok()),
        None => (sent_by, None),
    };
    (host.trim().trim_start_matches('[').trim_end_matches(']'), port)
}

fn datagram_target(flow: &Flow, request: &Message, port: u16) -> SocketAddr {
    let via = request.headers(HeaderName::Via).next().unwrap_or(b"");
    if let Some(maddr) = parameter(via, "maddr").and_then(ip) {
        return SocketAddr::new(maddr, port);
    }
    match parameter(via, "rport") {
        Some(_) => flow.remote,
        None => SocketAddr::new(flow.remote.ip(), port),
    }
}

/// Value of a parameter of a Via, empty for a flag. Every request passes here, so nothing is copied; a Via has no quoted
/// parameters that matter (RFC 3261 25.1).
fn parameter<'a>(via: &'a [u8], name: &str) -> Option<&'a str> {
    via.split(|&byte| byte == b';').skip(1).find_map(|parameter| {
        let mut parts = parameter.splitn(2, |&byte| byte == b'=');
        let found = parts.next()?.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let value = parts.next().unwrap_or(b"").trim_ascii();
        found.then(|| std::str::from_utf8(value).unwrap_or(""))
    })
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
