//! A far end that writes its messages by hand: it keeps tags and numbers, and has no machine of its own.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::sip::message::{HeaderName, Message, ResponseBuilder};

/// One party in one call.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its address.
    pub(super) at: SocketAddr,
    /// The Request-URI of its first request and what it says in From, as user parts.
    pub(super) called: String,
    pub(super) caller: String,
    pub(super) call_id: String,
    pub(super) tag: String,
    /// The exchange's tag.
    pub(super) theirs: String,
    pub(super) cseq: u32,
    /// CSeq and branch of its last INVITE.
    invite: (u32, String),
    branches: u32,
}

impl Party {
    /// A party that calls.
    pub(super) fn caller(at: &str, call_id: &str) -> Party {
        Party {
            at: at.parse().unwrap(),
            called: "12345".to_owned(),
            caller: "13981112233".to_owned(),
            call_id: call_id.to_owned(),
            tag: format!("tag-of-{call_id}"),
            theirs: String::new(),
            cseq: 0,
            invite: (0, String::new()),
            branches: 0,
        }
    }

    /// A party that gets this INVITE.
    pub(super) fn callee(at: &str, invite: &Message) -> Party {
        let mut party = Party::caller(at, invite.call_id());
        party.tag = format!("tag-at-{}", at.replace(':', "-"));
        party.theirs = invite.from_tag().expect("the exchange writes a tag").to_owned();
        party.cseq = 100;
        party
    }

    /// The same party behind a forking proxy, as another branch of the call.
    pub(super) fn fork(&self, tag: &str) -> Party {
        Party { tag: tag.to_owned(), ..self.clone() }
    }

    /// Takes the exchange's tag from a response.
    pub(super) fn learns(&mut self, response: &Message) {
        self.theirs = response.to_tag().expect("the exchange writes a tag").to_owned();
    }

    /// An INVITE, first or in the dialog; `extra` are header lines.
    pub(super) fn invite(&mut self, extra: &str, body: &str) -> String {
        let text = self.request("INVITE", extra, body);
        self.invite = (self.cseq, self.branch());
        text
    }

    /// A request with the next number.
    pub(super) fn request(&mut self, method: &str, extra: &str, body: &str) -> String {
        self.cseq += 1;
        self.branches += 1;
        self.text(method, (self.cseq, &self.branch()), extra, body)
    }

    /// The ACK to a 2xx.
    pub(super) fn ack(&mut self, body: &str) -> String {
        self.branches += 1;
        self.text("ACK", (self.invite.0, &self.branch()), "", body)
    }

    /// The ACK to a refusal.
    pub(super) fn ack_refusal(&self) -> String {
        self.text("ACK", (self.invite.0, &self.invite.1), "", "")
    }

    /// CANCEL of the last INVITE.
    pub(super) fn cancel(&self) -> String {
        self.text("CANCEL", (self.invite.0, &self.invite.1), "", "")
    }

    /// PRACK of a reliable response.
    pub(super) fn prack(&mut self, response: &Message, body: &str) -> String {
        let rack = format!("RAck: {} {} INVITE\r\n", response.rseq().expect("it is reliable"), self.invite.0);
        self.request("PRACK", &rack, body)
    }

    /// A response to a request of the exchange, with our tag and Contact.
    pub(super) fn response(&self, request: &Message, status: u16, extra: &[(&str, &str)], body: &str) -> Bytes {
        let contact = format!("<sip:{}@{}>", self.caller, self.at);
        let mut with_contact = vec![("Contact", contact.as_str())];
        with_contact.extend_from_slice(extra);
        self.bare_response(request, status, &with_contact, body)
    }

    /// The same without Contact.
    pub(super) fn bare_response(&self, request: &Message, status: u16, extra: &[(&str, &str)], body: &str) -> Bytes {
        let tag = if status == 100 { None } else { Some(self.tag.as_str()) };
        let mut response = ResponseBuilder::to_request(request, status, "", tag);
        for (name, value) in extra {
            response.raw(name, value.as_bytes());
        }
        if !body.is_empty() {
            response.body("application/sdp", body.as_bytes());
        }
        response.build()
    }

    fn branch(&self) -> String {
        format!("z9hG4bK-{}-{}-{}", self.call_id, self.tag, self.branches)
    }

    fn text(&self, method: &str, (cseq, branch): (u32, &str), extra: &str, body: &str) -> String {
        let Party { at, called, caller, call_id, tag, .. } = self;
        let theirs = if self.theirs.is_empty() || method == "CANCEL" && self.invite.0 == cseq && cseq == 1 {
            String::new()
        } else {
            format!(";tag={}", self.theirs)
        };
        let kind = match body.get(..2) {
            Some("v=") => "Content-Type: application/sdp\r\n",
            Some("Si") => "Content-Type: application/dtmf-relay\r\n",
            _ => "",
        };
        format!(
            "{method} sip:{called}@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{caller}@{at}>;tag={tag}\r\n\
             To: <sip:{called}@10.0.0.1>{theirs}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:{caller}@{at}>\r\n\
             {extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// A description with A-law and telephone-event at an address, flowing as said: `sendrecv`, `sendonly`, `inactive`.
pub(super) fn sdp(at: &str, direction: &str) -> String {
    described(at, "8 101", direction)
}

/// A description with payload types: static ones, and 101 for telephone-event.
pub(super) fn described(at: &str, types: &str, direction: &str) -> String {
    let at: SocketAddr = at.parse().unwrap();
    let events = if types.contains("101") { "a=rtpmap:101 telephone-event/8000\r\n" } else { "" };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {types}\r\n{events}a={direction}\r\n",
        ip = at.ip(),
        port = at.port()
    )
}

/// A header as text, empty where there is none.
pub(super) fn header(message: &Message, name: HeaderName) -> String {
    message.text(name).unwrap_or_default().into_owned()
}
