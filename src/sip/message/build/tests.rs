//! Builders: what is written, and that nothing can be injected.

use super::*;
use crate::sip::message::{AuthHeader, CSeq, Transport, Via};

fn invite() -> Message {
    let raw = "INVITE sip:12345@10.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.168.0.9:5062;rport;branch=z9hG4bKa1;received=1.2.3.4,SIP/2.0/UDP b\r\n\
        v: SIP/2.0/TCP c;branch=z9hG4bK2\r\n\
        Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n\
        f: <sip:13800138000@c>;tag=x\r\nt: <sip:12345@10.0.0.1>\r\ni: call\r\nCSeq: 7\r\n INVITE\r\n\
        Timestamp: 54\r\nl: 0\r\n\r\n";
    Message::parse(Bytes::from(raw)).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn a_response_carries_what_the_rfc_copies() {
    let request = invite();
    let response = ResponseBuilder::to_request(&request, 200, "", Some("ours")).record_route(&request).build();
    assert_eq!(
        text(&response),
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/UDP 192.168.0.9:5062;rport;branch=z9hG4bKa1;received=1.2.3.4,SIP/2.0/UDP b\r\n\
         Via: SIP/2.0/TCP c;branch=z9hG4bK2\r\n\
         From: <sip:13800138000@c>;tag=x\r\nTo: <sip:12345@10.0.0.1>;tag=ours\r\nCall-ID: call\r\nCSeq: 7   INVITE\r\n\
         Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_100_has_the_timestamp_and_no_tag() {
    let response = ResponseBuilder::to_request(&invite(), 100, "", Some("ours")).build();
    assert!(text(&response).contains("Timestamp: 54\r\n"));
    assert!(!text(&response).contains("ours"));
}

#[test]
fn the_source_is_stamped_on_the_top_via_only() {
    let mut request = invite();
    request.set_source("203.0.113.5:40000".parse().unwrap());
    let response = Message::parse(ResponseBuilder::to_request(&request, 180, "", Some("o")).build()).unwrap();
    let vias = response.vias().unwrap();
    assert_eq!(vias.len(), 3);
    assert_eq!(vias[0].to_string(), "SIP/2.0/UDP 192.168.0.9:5062;branch=z9hG4bKa1;received=203.0.113.5;rport=40000");
    assert_eq!(vias[2].to_string(), "SIP/2.0/TCP c;branch=z9hG4bK2");
}

#[test]
fn stamping_agrees_with_the_via_type() {
    for (value, source) in [
        ("SIP/2.0/UDP h;branch=z9hG4bK1", "10.0.0.1:5060"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", "10.0.0.1:5060"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport", "10.0.0.1:9"),
        ("SIP/2.0/UDP [::1]:5060;rport=7;branch=z9hG4bK1", "[::1]:8"),
    ] {
        let mut out = Vec::new();
        let source = source.parse().unwrap();
        write_stamped(&mut out, value.as_bytes(), source);
        let mut via = Via::parse(value.as_bytes()).unwrap();
        via.set_received(source);
        let stamped = Via::parse(&out).unwrap();
        assert_eq!((stamped.rport(), stamped.received()), (via.rport(), via.received()), "{value}");
        assert_eq!((stamped.branch(), stamped.sent_by()), (via.branch(), via.sent_by()), "{value}");
    }
}

#[test]
fn a_request_is_written_and_read_back() {
    let uri = Uri::parse("sip:8001@10.0.0.9:5070;transport=tcp").unwrap();
    let from = NameAddr::new(Uri::parse("sip:12345@10.0.0.1").unwrap()).with_display("12345 热线").with_tag("f1");
    let bytes = RequestBuilder::new(&Method::Invite, &uri)
        .header(HeaderName::Via, &Via::new(Transport::Tcp, "10.0.0.1", Some(5060), "z9hG4bKq"))
        .header(HeaderName::MaxForwards, &70)
        .header(HeaderName::From, &from)
        .header(HeaderName::To, &uri)
        .header(HeaderName::CallId, "id@10.0.0.1")
        .header(HeaderName::CSeq, &CSeq { number: 1, method: Method::Invite })
        .header(HeaderName::Route, [NameAddr::new(uri.clone()), NameAddr::new(uri.clone())].as_slice())
        .header(HeaderName::Authorization, &AuthHeader::new("Digest").quoted("realm", "r").token("qop", "auth"))
        .raw("X-Yihao-Line", "12315\r\nEvil: 1".as_bytes())
        .body("application/sdp", b"v=0\r\n")
        .build();
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.request_uri(), Some(uri));
    assert_eq!(message.from(), from);
    assert_eq!(message.routes().unwrap().len(), 2);
    assert_eq!(message.authorization()[0].get("qop"), Some("auth"));
    assert_eq!(message.header_named("x-yihao-line"), Some(&b"12315  Evil: 1"[..]));
    assert_eq!(message.header_named("Evil"), None);
    assert!(message.content_type().unwrap().is("application", "sdp"));
    assert_eq!(message.body(), b"v=0\r\n");
}

#[test]
fn numbers_are_written_whole() {
    for n in [0, 9, 10, 65_535, u32::MAX] {
        let mut out = Vec::new();
        n.write(&mut out);
        assert_eq!(text(&out), n.to_string());
    }
}
