//! The requests that the trunks themselves send: OPTIONS and REGISTER.

use bytes::Bytes;

use crate::sip::auth::Client;
use crate::sip::message::{AuthHeader, CSeq, HeaderName, Method, NameAddr, RequestBuilder, Uri, Via};

/// A request without what only the endpoint knows: Via, and Contact with its own address.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// OPTIONS or REGISTER.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// From with its tag.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// Call-ID.
    pub call_id: String,
    /// CSeq.
    pub cseq: u32,
    /// Expires, of a REGISTER.
    pub expires: Option<u32>,
    /// User part of the Contact that the endpoint adds, of a REGISTER; of OPTIONS any will do.
    pub contact_user: Option<String>,
    /// Authorization and Proxy-Authorization.
    pub credentials: Vec<(&'static str, AuthHeader)>,
}

/// What belongs to one trunk's requests for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) call_id: String,
    pub(super) tag: String,
}

impl Identity {
    /// 128 random bits of Call-ID, 64 of tag.
    pub(super) fn new(random: super::Random<'_>) -> Identity {
        let mut word = || format!("{:016x}", u64::from_be_bytes(random()));
        Identity { call_id: word() + &word(), tag: word() }
    }
}

impl Outgoing {
    /// OPTIONS to a trunk's address.
    pub(super) fn options(uri: &Uri, identity: &Identity, cseq: u32) -> Outgoing {
        let plain = NameAddr::new(uri.without_headers());
        Outgoing {
            method: Method::Options,
            uri: plain.uri.clone(),
            from: NameAddr::new(uri_of_us()).with_tag(&identity.tag),
            to: plain,
            call_id: identity.call_id.clone(),
            cseq,
            expires: None,
            contact_user: None,
            credentials: Vec::new(),
        }
    }

    /// REGISTER of `aor` at `registrar`, with the credentials that `client` has so far.
    pub(super) fn register(
        (registrar, aor): (&Uri, &Uri),
        identity: &Identity,
        (cseq, expires_s): (u32, u32),
        client: &mut Client,
        cnonce: [u8; 8],
    ) -> Outgoing {
        let credentials = client.authorize(Method::Register.as_str(), registrar.as_str(), b"", cnonce);
        Outgoing {
            method: Method::Register,
            uri: registrar.clone(),
            from: NameAddr::new(aor.clone()).with_tag(&identity.tag),
            to: NameAddr::new(aor.clone()),
            call_id: identity.call_id.clone(),
            cseq,
            expires: Some(expires_s),
            contact_user: Some(aor.user_text().into_owned()),
            credentials,
        }
    }

    /// The whole request.
    pub fn build(&self, via: &Via, contact: Option<&NameAddr>) -> Bytes {
        let mut request = RequestBuilder::new(&self.method, &self.uri);
        request.header(HeaderName::Via, via).header(HeaderName::MaxForwards, &70_u32);
        request.header(HeaderName::From, &self.from).header(HeaderName::To, &self.to);
        request.header(HeaderName::CallId, &self.call_id);
        request.header(HeaderName::CSeq, &CSeq { number: self.cseq, method: self.method.clone() });
        if let Some(contact) = contact {
            request.header(HeaderName::Contact, contact);
        }
        if let Some(expires) = &self.expires {
            request.header(HeaderName::Expires, expires);
        }
        for (name, credentials) in &self.credentials {
            let mut value = Vec::new();
            crate::sip::message::HeaderValue::write(credentials, &mut value);
            request.raw(name, &value);
        }
        if self.method == Method::Options {
            request.raw("Accept", b"application/sdp");
        }
        request.build()
    }
}

/// OPTIONS come from nobody in particular.
fn uri_of_us() -> Uri {
    Uri::parse("sip:probe@anonymous.invalid").expect("a constant")
}
