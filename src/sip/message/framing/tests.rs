//! Streams cut at every byte, bounds and broken peers.

use super::*;

fn options(body: &str) -> String {
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\n\
         Call-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn name(frame: Option<Result<Frame, FramingError>>) -> String {
    match frame {
        Some(Ok(Frame::Message(message))) => format!("{} {}", message.method(), message.body().len()),
        Some(Ok(Frame::Malformed(error))) => error.to_string(),
        Some(Ok(Frame::Ping)) => "ping".into(),
        Some(Ok(Frame::Pong)) => "pong".into(),
        Some(Err(error)) => format!("close: {error}"),
        None => "-".into(),
    }
}

#[test]
fn messages_come_out_however_the_stream_is_cut() {
    let stream = format!("{}{}\r\n\r\n{}", options(""), options("hello"), options("\r\n\r\n"));
    for step in [1, 2, 3, 7, 100, 10_000] {
        let mut framer = StreamFramer::new();
        let mut seen = Vec::new();
        for chunk in stream.as_bytes().chunks(step) {
            framer.push(chunk);
            seen.extend(framer.by_ref().map(|frame| name(Some(frame))));
        }
        seen.retain(|name| name != "pong");
        assert_eq!(seen, ["OPTIONS 0", "OPTIONS 5", "ping", "OPTIONS 4"], "cut every {step}");
        assert_eq!(framer.pending_bytes(), 0);
    }
}

#[test]
fn keep_alives_are_told_apart() {
    let mut framer = StreamFramer::new();
    framer.push(b"\r\n");
    assert_eq!(name(framer.next()), "pong");
    assert_eq!(name(framer.next()), "-");
    framer.push(b"\r\n");
    assert_eq!(name(framer.next()), "ping");
    framer.push(b"\r\n\r\n\r\n\r");
    assert_eq!(name(framer.next()), "ping");
    assert_eq!(name(framer.next()), "pong");
    assert_eq!(name(framer.next()), "-");
    framer.push(b"\n");
    assert_eq!(name(framer.next()), "ping");
}

#[test]
fn one_bad_message_of_known_length_does_not_end_the_stream() {
    let bad = options("xx").replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE");
    let mut framer = StreamFramer::new();
    framer.push(format!("{bad}{}", options("")).as_bytes());
    assert_eq!(name(framer.next()), "malformed request: 400 CSeq Method Mismatch");
    assert_eq!(name(framer.next()), "OPTIONS 0");
}

#[test]
fn an_unknown_length_ends_the_stream_with_an_answer() {
    for (from, to) in [
        ("Content-Length: 0", "X: 0"),
        ("Content-Length: 0", "Content-Length: -1"),
        ("Content-Length: 0", "Content-Length: 0\r\nl: 1"),
    ] {
        let mut framer = StreamFramer::new();
        framer.push(options("").replace(from, to).as_bytes());
        let error = framer.next().unwrap().unwrap_err();
        assert!(error.answer("t").unwrap().starts_with(b"SIP/2.0 400 "), "{to}");
        framer.push(options("").as_bytes());
        assert_eq!(name(framer.next()), "-");
        assert_eq!(framer.pending_bytes(), 0);
    }
}

#[test]
fn overlong_messages_and_heads_end_the_stream() {
    let mut framer = StreamFramer::new();
    framer.push(options("").replace("Content-Length: 0", "Content-Length: 65500").as_bytes());
    let error = framer.next().unwrap().unwrap_err();
    assert!(error.answer("t").unwrap().starts_with(b"SIP/2.0 413 "));

    let mut framer = StreamFramer::new();
    framer.push(&[b'a'; MAX_HEAD_BYTES]);
    assert_eq!(name(framer.next()), "-");
    framer.push(b"a");
    assert!(name(framer.next()).starts_with("close: no end of header"));
}
