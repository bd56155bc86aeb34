//! Whatever the bytes, reading a message does not panic, and what `parse` promises holds.

use bytes::Bytes;
use yihao::sip::message::{HeaderName, Message, NameAddr, ResponseBuilder, Uri, Via};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let message = match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(error) => {
            let _ = error.answer("tag");
            return;
        }
    };
    touch(&message);
    promises_hold(&message);
    agrees_with_rsip(&message);
}

/// Calls every accessor.
fn touch(message: &Message) {
    let _ = (message.request_uri(), message.status(), message.reason(), message.body(), message.max_forwards());
    let _ = (message.vias(), message.contacts(), message.contact(), message.contact_is_star(), message.routes());
    let _ = (message.record_routes(), message.path(), message.service_routes(), message.expires());
    let _ = (message.min_expires(), message.session_expires(), message.min_se(), message.retry_after());
    let _ = (message.rseq(), message.rack(), message.replaces(), message.refer_to(), message.referred_by());
    let _ = (message.reason_headers(), message.p_asserted_identity(), message.diversion(), message.history_info());
    let _ = (message.p_called_party_id(), message.p_preferred_identity(), message.remote_party_id());
    let _ = (message.privacy(), message.authorization(), message.www_authenticate(), message.content_type());
    let _ = message.tokens(HeaderName::Supported).count();
    for (name, id, value) in message.fields() {
        assert!(message.headers(id).count() <= value.len() + message.bytes().len());
        let _ = message.text_named(&String::from_utf8_lossy(name));
    }
}

/// The accessors that cannot fail agree with each other and with what is printed.
fn promises_hold(message: &Message) {
    let (from, to, via) = (message.from(), message.to(), message.top_via());
    assert_eq!(from.tag(), message.from_tag());
    assert_eq!(to.tag(), message.to_tag());
    assert_eq!(via.branch(), message.branch());
    assert_eq!(message.cseq().number, message.cseq_number());
    assert!(!message.call_id().is_empty());
    reads_back(&from);
    reads_back(&to);
    assert_eq!(Via::parse(via.to_string().as_bytes()).as_ref(), Ok(&via));
    if message.is_response() {
        return;
    }
    let uri = message.request_uri().expect("is checked by parse");
    assert_eq!(Uri::parse(uri.as_str()).as_ref(), Ok(&uri));
    let mut stamped = message.clone();
    stamped.set_source("192.0.2.200:40000".parse().expect("is an address"));
    for request in [message, &stamped] {
        let bytes = ResponseBuilder::to_request(request, 200, "", Some("ours")).build();
        let response = Message::parse(bytes).expect("our own response is well-formed");
        assert_eq!(response.branch(), message.branch());
        assert_eq!(response.call_id(), message.call_id());
        assert_eq!(response.cseq(), message.cseq());
        assert_eq!(response.from_tag(), message.from_tag());
        assert_eq!(response.to_tag(), message.to_tag().or(Some("ours")));
        assert!(response.body().is_empty());
    }
}

fn reads_back(addr: &NameAddr) {
    let mut out = Vec::new();
    yihao::sip::message::HeaderValue::write(addr, &mut out);
    let again = NameAddr::parse(&out).expect("our own address is well-formed");
    assert_eq!((&again.uri, &again.params), (&addr.uri, &addr.params));
}

/// The request as `rsip` reads it, where it does. Its known faults are left out: it keeps folds and blanks, and stops at
/// bytes that are not ASCII.
pub(crate) fn second_opinion(message: &Message) -> Option<rsip::Request> {
    let head = &message.bytes()[..message.bytes().len() - message.body().len()];
    let folded = head.windows(2).any(|pair| matches!(pair, b"\n " | b"\n\t"));
    if !head.is_ascii() || folded || !head.starts_with(message.method().as_str().as_bytes()) {
        return None;
    }
    rsip::Request::try_from(message.bytes().to_vec()).ok()
}

/// Where `rsip` takes the message too, both see the same one; but it takes an unusual user for a part of the host.
fn agrees_with_rsip(message: &Message) {
    use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};

    let Some(theirs) = second_opinion(message) else { return };
    if let Ok(call_id) = theirs.call_id_header() {
        assert_eq!(call_id.value().trim(), message.call_id());
    }
    if let Ok(cseq) = theirs.cseq_header().and_then(|header| header.typed()) {
        assert_eq!((cseq.seq, cseq.method.to_string().as_str()), (message.cseq_number(), message.method().as_str()));
    }
    assert_eq!(theirs.method.to_string(), message.method().as_str());
    let host = theirs.uri.host().to_string();
    if let Some(uri) = message.request_uri()
        && !uri.host().is_empty()
        && !host.contains('@')
    {
        assert_eq!(host.trim_matches(['[', ']']), uri.host());
        assert_eq!(theirs.uri.user().filter(|user| !user.is_empty()), uri.user());
    }
    let from = theirs.from_header().and_then(|header| header.clone().into_typed());
    if let Some(tag) = from.ok().as_ref().and_then(|from| from.tag()).filter(|tag| !tag.value().is_empty()) {
        assert_eq!(Some(tag.value()), message.from_tag());
    }
}
