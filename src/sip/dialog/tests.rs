//! Stories of dialogs.

mod crossing;
mod forks;
mod requests;
mod timer;
mod transfer;

use bytes::Bytes;

use super::{Dialog, DialogError, DialogId, Phase, Role, Stale, Stamp};
use crate::sip::flow::Transport;
use crate::sip::message::{HeaderName, Message, Method, NameAddr};
use crate::sip::transaction::Branch;

const CALLER: &str = "<sip:13800138000@192.0.2.9:5070>";

/// An INVITE from `them` to `us`, or the other way round, with extra header lines.
fn invite(extra: &str) -> Message {
    request("INVITE", 7, "", extra)
}

fn request(method: &str, cseq: u32, to_tag: &str, extra: &str) -> Message {
    parse(&format!(
        "{method} sip:12345@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK{method}{cseq}\r\n\
         Max-Forwards: 70\r\n\
         From: \"caller\" <sip:13800138000@192.0.2.9>;tag=caller\r\n\
         To: <sip:12345@192.0.2.1>{to_tag}\r\n\
         Call-ID: call\r\n\
         CSeq: {cseq} {method}\r\n\
         {extra}Content-Length: 0\r\n\r\n"
    ))
}

fn with_contact(extra: &str) -> String {
    format!("Contact: {CALLER}\r\n{extra}")
}

fn response(status: u16, to_tag: &str, extra: &str) -> Message {
    parse(&format!(
        "SIP/2.0 {status} Words\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKINVITE7\r\n\
         From: \"caller\" <sip:13800138000@192.0.2.9>;tag=caller\r\n\
         To: <sip:12345@192.0.2.1>{to_tag}\r\n\
         Call-ID: call\r\n\
         CSeq: 7 INVITE\r\n\
         {extra}Content-Length: 0\r\n\r\n"
    ))
}

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect("a well-formed message")
}

fn contact() -> NameAddr {
    NameAddr::parse(b"<sip:us@192.0.2.1>").unwrap()
}

fn stamp(contact: &NameAddr) -> Stamp<'_> {
    let branch = Branch::from_random([1; 12]);
    Stamp { transport: Transport::Udp, host: "192.0.2.1", port: Some(5062), branch, contact }
}

fn written(dialog: &mut Dialog, method: Method) -> Message {
    let contact = contact();
    let outgoing = dialog.request(method, &stamp(&contact)).finish();
    Message::parse(outgoing.bytes).expect("what we write can be read")
}

fn routes(message: &Message) -> Vec<String> {
    message.headers(HeaderName::Route).map(|route| String::from_utf8_lossy(route).into_owned()).collect()
}
