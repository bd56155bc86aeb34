//! How peers write: descriptions and requests outside of dialogs, byte by byte and not by the exchange's own code.

use std::net::SocketAddr;

use bytes::Bytes;
use yihao::sip::auth;
use yihao::sip::flow::Transport;
use yihao::sip::message::{AuthHeader, HeaderValue, Message, NameAddr, Uri};
use yihao::sip::transaction::Branch;

use super::script::{Reliable, Script};

/// A description of one audio stream.
pub(crate) struct Audio {
    pub(crate) at: SocketAddr,
    pub(crate) version: u32,
    pub(crate) odd: bool,
    pub(crate) direction: &'static str,
}

impl Audio {
    pub(crate) fn write(&self) -> String {
        let (ip, port, version, way) = (self.at.ip(), self.at.port(), self.version, self.direction);
        let (format, map) = match self.odd {
            true => ("18", "a=rtpmap:18 G729/8000\r\n"),
            false => {
                ("8 0 101", "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n")
            }
        };
        format!(
            "v=0\r\no=- {port} {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {format}\r\n{map}a={way}\r\n"
        )
    }
}

/// The Contact of a peer.
pub(crate) fn contact(user: &str, at: SocketAddr, transport: Transport) -> NameAddr {
    let by = transport.as_param();
    NameAddr::new(Uri::parse(&format!("sip:{user}@{at};transport={by}")).expect("an address makes a URI"))
}

/// What an INVITE outside of a dialog says.
pub(crate) struct Invite<'a> {
    pub(crate) number: &'a str,
    pub(crate) user: &'a str,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) call_id: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) cseq: u32,
    pub(crate) branch: &'a Branch,
    pub(crate) sdp: Option<String>,
    pub(crate) proofs: Vec<(&'static str, AuthHeader)>,
}

impl Invite<'_> {
    pub(crate) fn write(&self, script: &Script) -> Bytes {
        let Invite { number, user, from, to, call_id, tag, cseq, .. } = self;
        let (via, by) = (self.transport.as_via(), self.transport.as_param());
        let mut text = format!(
            "INVITE sip:{number}@{to} SIP/2.0\r\nVia: SIP/2.0/{via} {from};branch={};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{from}>;tag={tag}\r\nTo: <sip:{number}@{to}>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} INVITE\r\nContact: <sip:{user}@{from};transport={by}>\r\n{}",
            self.branch.as_str(),
            abilities(script),
        );
        if script.reliable == Reliable::Required {
            text.push_str("Require: 100rel\r\n");
        }
        if let Some(seconds) = script.timer_s {
            text.push_str(&format!("Session-Expires: {seconds};refresher=uac\r\n"));
        }
        text.push_str(&proofs(&self.proofs));
        finish(text, self.sdp.as_deref())
    }
}

fn abilities(script: &Script) -> String {
    let update = if script.update { ", UPDATE" } else { "" };
    let mut supported = Vec::new();
    if script.timer_s.is_some() {
        supported.push("timer");
    }
    if script.reliable != Reliable::No {
        supported.push("100rel");
    }
    let supported = match supported.is_empty() {
        true => String::new(),
        false => format!("Supported: {}\r\n", supported.join(", ")),
    };
    format!("Allow: INVITE, ACK, BYE, CANCEL, PRACK, INFO, OPTIONS{update}\r\n{supported}")
}

pub(crate) fn allow(script: &Script) -> String {
    let update = if script.update { ", UPDATE" } else { "" };
    format!("INVITE, ACK, BYE, CANCEL, PRACK, INFO, OPTIONS{update}")
}

pub(crate) fn proofs(proofs: &[(&'static str, AuthHeader)]) -> String {
    let mut text = Vec::new();
    for (name, value) in proofs {
        text.extend_from_slice(format!("{name}: ").as_bytes());
        value.write(&mut text);
        text.extend_from_slice(b"\r\n");
    }
    String::from_utf8(text).expect("a digest is ASCII")
}

fn finish(mut text: String, sdp: Option<&str>) -> Bytes {
    let body = sdp.unwrap_or_default();
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    Bytes::from(text)
}

/// A REGISTER for one seat; `expires_s` 0 takes it back. Who has moved takes back where it has `left`.
pub(crate) fn register(
    (seat, from, to, transport): (u32, SocketAddr, SocketAddr, Transport),
    (call_id, cseq, branch): (&str, u32, &Branch),
    (expires_s, left): (u32, Option<SocketAddr>),
    client: &mut auth::Client,
    cnonce: [u8; 8],
) -> Bytes {
    let uri = format!("sip:{to}");
    let (via, by) = (transport.as_via(), transport.as_param());
    let mut text = format!(
        "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {from};branch={};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{seat}@{to}>;tag=r{cseq}\r\nTo: <sip:{seat}@{to}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:{seat}@{from};transport={by}>;expires={expires_s}\r\n",
        branch.as_str(),
    );
    if let Some(left) = left {
        text.push_str(&format!("Contact: <sip:{seat}@{left};transport={by}>;expires=0\r\n"));
    }
    text.push_str(&proofs(&client.authorize("REGISTER", &uri, b"", cnonce)));
    finish(text, None)
}

/// The audio address in a description.
pub(crate) fn has_sdp(message: &Message) -> bool {
    !message.body().is_empty()
}
