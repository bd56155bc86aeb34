//! Somebody who listens on the wire and lies: requests in dialogs of others, calls and registrations with a wrong password.
//! Nothing of it may be served, and nothing may change by it.

use std::net::SocketAddr;

use bytes::Bytes;
use yihao::sip::auth;
use yihao::sip::dialog::DialogId;
use yihao::sip::message::{Message, Method};

use super::site;
use super::words::proofs;
use crate::sim::dice::Dice;

/// Where the stranger stands.
pub(crate) fn stranger() -> SocketAddr {
    ([10, 2, 200, 1], 5060).into()
}

/// What of a dialog the liar has got right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    CallId,
    PeersTag,
    ExchangesTag,
    /// Everything; then it must stand elsewhere.
    Both,
}

pub(crate) struct Forger {
    client: auth::Client,
    victim: u32,
    sent: u32,
    dice: Dice,
    pub(crate) faults: Vec<String>,
}

impl Forger {
    pub(crate) fn new(mut dice: Dice) -> Forger {
        let victim = dice.pick(&site::SEATS);
        let client = auth::Client::new(&victim.to_string(), auth::Secret::Password("guessed".to_owned()));
        Forger { client, victim, sent: 0, dice, faults: Vec::new() }
    }

    fn branch(&mut self) -> String {
        self.sent += 1;
        format!("z9hG4bKforged{}", self.sent)
    }

    /// A request in the dialog that a peer sees so, as if it came from the peer.
    pub(crate) fn lie(&mut self, at: SocketAddr, dialog: &DialogId, knows: Knows) -> Bytes {
        let method = self.dice.pick(&["BYE", "BYE", "INVITE", "REFER", "UPDATE", "INFO", "PRACK", "CANCEL"]);
        let from = if matches!(knows, Knows::PeersTag | Knows::Both) { &*dialog.local_tag } else { "forged-from" };
        let to = if matches!(knows, Knows::ExchangesTag | Knows::Both) { &*dialog.remote_tag } else { "forged-to" };
        let (branch, cseq) = (self.branch(), self.dice.pick(&[1, 2, 50_000]));
        let more = match method {
            "REFER" => "Refer-To: <sip:666@10.9.9.9>\r\n",
            "PRACK" => "RAck: 1 1 INVITE\r\n",
            _ => "",
        };
        let call_id = &dialog.call_id;
        Bytes::from(format!(
            "{method} sip:yihao@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:x@{at}>;tag={from}\r\nTo: <sip:y@10.0.0.1>;tag={to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:x@{at}>\r\n{more}Content-Length: 0\r\n\r\n"
        ))
    }

    /// The CANCEL of an open INVITE that was read on the wire, from somewhere else.
    pub(crate) fn cancel(invite: &Message) -> Bytes {
        let text = String::from_utf8_lossy(invite.bytes()).into_owned();
        let (head, _) = text.split_once("\r\n\r\n").expect("a message has a head");
        let kept = ["via", "from", "to", "call-id", "max-forwards"];
        let mut lines: Vec<String> = head
            .lines()
            .filter(|line| line.split_once(':').is_some_and(|(name, _)| kept.contains(&&*name.to_ascii_lowercase())))
            .map(str::to_owned)
            .collect();
        lines.insert(0, format!("CANCEL {} SIP/2.0", invite.request_uri_text()));
        lines.push(format!("CSeq: {} CANCEL\r\nContent-Length: 0\r\n\r\n", invite.cseq_number()));
        Bytes::from(lines.join("\r\n"))
    }

    /// A REGISTER or a call in the name of a seat, with a wrong password once it was challenged.
    pub(crate) fn impersonate(&mut self, call: bool) -> Bytes {
        let (at, to, victim) = (stranger(), site::exchange_at(1), self.victim);
        let (branch, cnonce) =
            (self.branch(), std::array::from_fn(|_| u8::try_from(self.dice.below(256)).expect("a byte")));
        let (method, user) = if call { ("INVITE", 12345) } else { ("REGISTER", victim) };
        let uri = format!("sip:{user}@{to}");
        let proofs = proofs(&self.client.authorize(method, &uri, b"", cnonce));
        let n = self.sent;
        Bytes::from(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{victim}@{to}>;tag=f{n}\r\nTo: <sip:{user}@{to}>\r\nCall-ID: forged-{n}\r\nCSeq: {n} {method}\r\n\
             Contact: <sip:{victim}@{at}>\r\n{proofs}Content-Length: 0\r\n\r\n"
        ))
    }

    /// What the exchange answers.
    pub(crate) fn receive(&mut self, bytes: &Bytes) {
        let Ok(message) = Message::parse(bytes.clone()) else { return };
        match message.status() {
            Some(401) if *message.method() == Method::Register => {
                if self.client.challenged(auth::Side::Server, &message.www_authenticate()).is_err() {
                    self.client.forget();
                }
            }
            Some(400..500) => {}
            _ => self.faults.push(format!("a stranger is served: {}", String::from_utf8_lossy(bytes))),
        }
    }
}
