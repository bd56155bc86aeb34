//! The way of a response.

use super::*;
use crate::sip::message::ResponseBuilder;
use crate::sip::transaction::response_hop;

fn hop(transport: Transport, via: &str) -> Hop {
    let text = request_text("OPTIONS", 1);
    let start = text.find("Via: ").unwrap();
    let end = start + text[start..].find("\r\n").unwrap();
    let text = format!("{}Via: {via}{}", &text[..start], &text[end..]);
    let message = Message::parse(Bytes::from(text)).expect("a well-formed request");
    response_hop(&flow(transport), &message)
}

#[test]
fn rport_sends_the_response_back_to_where_the_request_came_from() {
    let hop = hop(Transport::Udp, "SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bKx");
    assert_eq!(hop.remote, "192.0.2.9:5070".parse().unwrap());
}

#[test]
fn without_rport_it_goes_to_the_source_and_the_port_of_the_via() {
    let with_port = hop(Transport::Udp, "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx");
    assert_eq!(with_port.remote, "192.0.2.9:5062".parse().unwrap());
    let without = hop(Transport::Udp, "SIP/2.0/UDP gateway.example;branch=z9hG4bKx");
    assert_eq!(without.remote, "192.0.2.9:5060".parse().unwrap());
}

#[test]
fn maddr_comes_first() {
    let v4 = hop(Transport::Udp, "SIP/2.0/UDP 10.0.0.1:5062;maddr=192.0.2.77;rport;branch=z9hG4bKx");
    assert_eq!(v4.remote, "192.0.2.77:5062".parse().unwrap());
    let unreadable = hop(Transport::Udp, "SIP/2.0/UDP 10.0.0.1:5062;maddr=example.com;rport;branch=z9hG4bKx");
    assert_eq!(unreadable.remote, "192.0.2.9:5070".parse().unwrap());
}

#[test]
fn a_stream_takes_the_response_back_and_names_where_to_reconnect() {
    let tls = hop(Transport::Tls, "SIP/2.0/TLS 10.0.0.1;branch=z9hG4bKx;rport");
    assert_eq!(tls.connection, Some(ConnId(1)));
    assert_eq!(tls.remote, "192.0.2.9:5061".parse().unwrap());
    assert_eq!(tls.server_name.as_deref(), Some("10.0.0.1"));
    let named = hop(Transport::Tls, "SIP/2.0/TLS sbc.example:5071;branch=z9hG4bKx");
    assert_eq!((named.remote.port(), named.server_name.as_deref()), (5_071, Some("sbc.example")));
    let v6 = hop(Transport::Tls, "SIP/2.0/TLS [2001:db8::1]:5071;branch=z9hG4bKx");
    assert_eq!((v6.remote.port(), v6.server_name.as_deref()), (5_071, Some("2001:db8::1")));
    assert_eq!(hop(Transport::Tcp, "SIP/2.0/TCP sbc.example:5071;branch=z9hG4bKx").server_name, None);
}

#[test]
fn the_response_says_where_the_request_came_from() {
    let mut world = World::over(Transport::Udp);
    let Some(Event::Request { message, .. }) = world.receive(&request_text("OPTIONS", 1)) else {
        panic!("a request");
    };
    let bytes = ResponseBuilder::to_request(&message, 200, "", Some("us")).build();
    let answer = Message::parse(bytes).unwrap();
    let via = answer.top_via();
    assert_eq!(via.rport(), Some(Some(5070)));
    assert_eq!(via.received(), Some("192.0.2.9".parse().unwrap()));
    assert_eq!(answer.to_tag(), Some("us"));
}
