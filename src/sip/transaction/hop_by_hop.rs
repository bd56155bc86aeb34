//! The two requests that the layer writes itself: ACK to a refusal (RFC 3261 17.1.1.3) and CANCEL (9.1).
//!
//! Both repeat the INVITE's Request-URI, top Via, Route, From, Call-ID and CSeq number. Knows no dialog.

use bytes::Bytes;

use crate::sip::message::{CSeq, HeaderName, Message, Method, Reason, RequestBuilder};

/// The ACK to a refusal of this INVITE. `None` when the INVITE cannot be read, which the user who wrote it prevents.
pub(super) fn ack(invite: &Bytes, refusal: &Message) -> Option<Bytes> {
    let invite = Message::parse(invite.clone()).ok()?;
    let to = refusal.header(HeaderName::To)?;
    Some(begin(&invite, Method::Ack, to)?.build())
}

/// The CANCEL of this INVITE, which also names its branch. `None` as for `ack`.
pub(super) fn cancel(invite: &Bytes, reason: Option<&Reason>) -> Option<Bytes> {
    let invite = Message::parse(invite.clone()).ok()?;
    let to = invite.header(HeaderName::To)?;
    let mut builder = begin(&invite, Method::Cancel, to)?;
    if let Some(reason) = reason {
        builder.header(HeaderName::Reason, reason);
    }
    Some(builder.build())
}

fn begin(invite: &Message, method: Method, to: &[u8]) -> Option<RequestBuilder> {
    let mut builder = RequestBuilder::new(&method, &invite.request_uri()?);
    builder.raw("Via", invite.headers(HeaderName::Via).next()?);
    for route in invite.headers(HeaderName::Route) {
        builder.raw("Route", route);
    }
    builder
        .raw("Max-Forwards", b"70")
        .raw("From", invite.header(HeaderName::From)?)
        .raw("To", to)
        .raw("Call-ID", invite.call_id().as_bytes())
        .header(HeaderName::CSeq, &CSeq { number: invite.cseq_number(), method });
    Some(builder)
}
