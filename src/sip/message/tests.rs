//! Whole messages: what is read, what is refused and how it is answered.

use super::*;

const INVITE: &str = "INVITE sip:12345@10.0.0.1;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.168.0.9:5062;branch=z9hG4bKa1;rport, SIP/2.0/TCP b\r\n\
    Max-Forwards: 69\r\n\
    From: \"\u{5e02}\u{6c11}\" <sip:13800138000@c>;tag=x\r\n\
    To: <sip:12345@10.0.0.1>\r\n\
    Call-ID: call@c\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:13800138000@192.168.0.9:5062>\r\n\
    Supported: 100rel, timer\r\n\
    Supported: replaces\r\n\
    X-Carrier: a ,,b\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\r\nv=0\r\n";

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

/// The answer's status, 0 when the message must be dropped.
fn refusal(text: &str) -> u16 {
    let error = parse(text).expect_err("is malformed");
    let Some(answer) = error.answer("ours") else { return 0 };
    let status = answer.strip_prefix(b"SIP/2.0 ").and_then(|rest| scan::number(&rest[..3]));
    status.and_then(|status| u16::try_from(status).ok()).expect("is a response")
}

#[test]
fn a_request_is_indexed() {
    let message = parse(INVITE).unwrap();
    assert!(message.is_request() && message.status().is_none());
    assert_eq!(message.method(), &Method::Invite);
    assert_eq!(message.request_uri().unwrap().user(), Some("12345"));
    assert_eq!((message.call_id(), message.cseq_number()), ("call@c", 7));
    assert_eq!((message.from_tag(), message.to_tag()), (Some("x"), None));
    assert_eq!((message.branch(), message.sent_by()), (Some("z9hG4bKa1"), "192.168.0.9:5062"));
    assert_eq!(message.max_forwards(), Some(69));
    assert_eq!(message.from().display_text(), "市民");
    assert_eq!(message.vias().unwrap().len(), 2);
    assert_eq!(message.top_via().rport(), Some(None));
    assert_eq!(message.contact().unwrap().unwrap().uri.port(), Some(5062));
    assert!(message.has_token(HeaderName::Supported, "REPLACES"));
    assert_eq!(message.tokens(HeaderName::Supported).collect::<Vec<_>>(), ["100rel", "timer", "replaces"]);
    assert_eq!(message.body(), b"v=0\r\n");
}

#[test]
fn unknown_headers_keep_their_bytes() {
    let message = parse(INVITE).unwrap();
    assert_eq!(message.header_named("x-carrier"), Some(&b"a ,,b"[..]));
    assert_eq!(message.bytes(), INVITE.as_bytes());
}

#[test]
fn a_datagram_without_length_gives_the_rest_as_body() {
    let without = INVITE.replace("Content-Length: 5\r\n", "");
    assert_eq!(parse(&without).unwrap().body(), b"v=0\r\n");
    assert!(Message::parse_framed(Bytes::from(without)).is_err());
    let shorter = INVITE.replace("Content-Length: 5", "Content-Length: 3");
    assert_eq!(parse(&shorter).unwrap().body(), b"v=0");
}

#[test]
fn doubtful_lengths_are_refused() {
    for length in ["Content-Length: 6", "l: -5", "Content-Length: 5\r\nl: 5", "l: 5 5", "l: 99999999999", "l:"] {
        assert_eq!(refusal(&INVITE.replace("Content-Length: 5", length)), 400, "{length}");
    }
}

#[test]
fn each_needed_header_is_missed() {
    for line in ["From", "To", "Call-ID", "CSeq"] {
        assert_eq!(refusal(&INVITE.replace(&format!("\r\n{line}: "), "\r\nX: ")), 400, "{line}");
    }
    assert_eq!(refusal(&INVITE.replace("\r\nVia: ", "\r\nX: ")), 0, "nobody to answer");
}

#[test]
fn headers_that_may_stand_once_are_refused_twice() {
    for line in ["From: <sip:a@b>", "t: <sip:a@b>", "i: x", "CSeq: 7 INVITE", "Max-Forwards: 1"] {
        assert_eq!(refusal(&INVITE.replace("X-Carrier:", &format!("{line}\r\nX-Carrier:"))), 400, "{line}");
    }
}

#[test]
fn malformed_values_are_answered_with_the_right_status() {
    for (from, to, status) in [
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505),
        ("INVITE sip:12345@10.0.0.1;user=phone", "INVITE isbn:2983792873", 416),
        ("INVITE sip:12345@10.0.0.1;user=phone", "INVITE <sip:12345@10.0.0.1>", 400),
        ("INVITE sip:12345@10.0.0.1;user=phone", "INVITE sip:a@b?Route=c", 400),
        ("CSeq: 7 INVITE", "CSeq: 7 OPTIONS", 400),
        ("CSeq: 7 INVITE", "CSeq: 2147483648 INVITE", 400),
        ("Max-Forwards: 69", "Max-Forwards: 300", 400),
        ("Call-ID: call@c", "Call-ID: call c", 400),
        ("tag=x", "tag=\"x\"", 400),
        ("UDP 192.168.0.9:5062;", "UDP 192.168.0.9:5062;;", 400),
        ("\r\n\r\nv=0\r\n", "\r\n", 400),
    ] {
        assert!(INVITE.contains(from), "{from}");
        assert_eq!(refusal(&INVITE.replace(from, to)), status, "{to}");
    }
}

#[test]
fn an_ack_and_a_response_are_never_answered() {
    let ack = INVITE.replace("INVITE", "ACK").replace("Call-ID: call@c", "Call-ID:");
    assert!(matches!(parse(&ack), Err(ParseError::Malformed { request: None, .. })));
    assert_eq!(refusal(&ack), 0);
    let response = INVITE.replace("INVITE sip:12345@10.0.0.1;user=phone SIP/2.0", "SIP/2.0 200 OK");
    assert_eq!(parse(&response).unwrap().method(), &Method::Invite);
    assert_eq!(parse(&response).unwrap().reason(), "OK");
    assert_eq!(refusal(&response.replace("CSeq: 7 INVITE", "CSeq: INVITE")), 0);
}

#[test]
fn the_answer_to_a_malformed_request_copies_what_is_there() {
    let error = parse(&INVITE.replace("CSeq: 7 INVITE", "CSeq: 7 BYE")).unwrap_err();
    let answer = Message::parse(error.answer("ours").unwrap());
    // Its CSeq is the peer's, so it reads as an answer to BYE; the peer knows what it sent.
    let answer = answer.unwrap();
    assert_eq!((answer.status(), answer.to_tag()), (Some(400), Some("ours")));
    assert_eq!(answer.call_id(), "call@c");
    assert_eq!(answer.reason(), "CSeq Method Mismatch");
}

#[test]
fn what_is_no_message_is_dropped() {
    assert!(matches!(parse("\r\n\r\n"), Err(ParseError::Empty)));
    assert!(matches!(parse(""), Err(ParseError::Empty)));
    for noise in ["x", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "SIP/2.0 1000 x\r\n\r\n"] {
        assert!(matches!(parse(noise), Err(ParseError::Unusable(_))), "{noise:?}");
    }
}

#[test]
fn overlong_messages_are_answered_with_413() {
    let long = INVITE.replace("Content-Length: 5", "Content-Length: 66000") + &"x".repeat(66_000);
    assert_eq!(refusal(&long), 413);
}

#[test]
fn debug_shows_no_number() {
    let shown = format!("{:?}", parse(INVITE).unwrap());
    assert_eq!(shown, "INVITE 7 (call@c)");
}
