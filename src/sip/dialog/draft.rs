//! A request inside a dialog while it is written.
//!
//! Writes what every such request has (RFC 3261 12.2.1.1); the rest is added by the user.

use crate::sip::flow::Transport;
use crate::sip::message::{CSeq, HeaderName, HeaderValue, Method, NameAddr, RequestBuilder, Via};
use crate::sip::transaction::{Branch, Outgoing};

use super::Dialog;

/// What a request says about its sender.
#[derive(Clone, Debug)]
pub struct Stamp<'a> {
    /// How it is sent.
    pub transport: Transport,
    /// The address we advertise there, IPv6 in brackets.
    pub host: &'a str,
    /// Its port; `None` stands for the default.
    pub port: Option<u16>,
    /// A branch that has not been used before.
    pub branch: Branch,
    /// Where we want requests; written where it refreshes the target or the RFC asks for it.
    pub contact: &'a NameAddr,
}

impl Stamp<'_> {
    /// The only Via of the request; asks for the source port (RFC 3581).
    pub fn via(&self) -> Via {
        let transport = match self.transport {
            Transport::Udp => crate::sip::message::Transport::Udp,
            Transport::Tcp => crate::sip::message::Transport::Tcp,
            Transport::Tls => crate::sip::message::Transport::Tls,
            Transport::Ws => crate::sip::message::Transport::Ws,
            Transport::Wss => crate::sip::message::Transport::Wss,
        };
        let mut via = Via::new(transport, self.host, self.port, self.branch.as_str());
        via.params.set("rport", None);
        via
    }
}

/// A request that is being written.
pub struct Draft {
    method: Method,
    branch: Branch,
    cseq: u32,
    builder: RequestBuilder,
}

/// RFC 3261 8.1.1.6.
const MAX_FORWARDS: u32 = 70;

impl Draft {
    pub(super) fn new(dialog: &Dialog, method: Method, cseq: u32, stamp: &Stamp<'_>) -> Draft {
        let (uri, routes) = dialog.path();
        let mut builder = RequestBuilder::new(&method, &uri);
        builder.header(HeaderName::Via, &stamp.via()).header(HeaderName::MaxForwards, &MAX_FORWARDS);
        for route in &routes {
            builder.header(HeaderName::Route, route);
        }
        builder
            .header(HeaderName::From, &dialog.local)
            .header(HeaderName::To, &dialog.remote)
            .raw("Call-ID", dialog.id.call_id.as_bytes())
            .header(HeaderName::CSeq, &CSeq { number: cseq, method: method.clone() });
        if has_contact(&method) {
            builder.header(HeaderName::Contact, stamp.contact);
        }
        Draft { method, branch: stamp.branch.clone(), cseq, builder }
    }

    /// Its CSeq number: a PRACK's RAck and the ACK of a re-INVITE want the one of their INVITE.
    pub fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Adds a header.
    pub fn header<V: HeaderValue + ?Sized>(&mut self, name: HeaderName, value: &V) -> &mut Draft {
        self.builder.header(name, value);
        self
    }

    /// Adds a header by name, as raw bytes.
    pub fn raw(&mut self, name: &str, value: &[u8]) -> &mut Draft {
        self.builder.raw(name, value);
        self
    }

    /// Sets the body.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> &mut Draft {
        self.builder.body(content_type, body);
        self
    }

    /// The request, ready to be sent.
    pub fn finish(mut self) -> Outgoing {
        Outgoing::new(self.method, self.branch, self.builder.build())
    }
}

/// INVITE, UPDATE, REFER, SUBSCRIBE and NOTIFY refresh the target and need a Contact (RFC 3261 table 2, RFC 3311 5.1,
/// RFC 3515 2.2, RFC 6665 4.1.2). An ACK may have one; some gateways take it as the target.
fn has_contact(method: &Method) -> bool {
    match method {
        Method::Invite | Method::Update | Method::Refer | Method::Subscribe | Method::Notify | Method::Ack => true,
        Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Register
        | Method::Prack
        | Method::Info
        | Method::Message
        | Method::Publish
        | Method::Other(_) => false,
    }
}
