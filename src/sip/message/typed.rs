//! Typed views of headers: parsed when asked, from the first line or from all of them.
//!
//! Three manners. What every message must have was checked and cannot fail. What decides a request (`contacts`,
//! `replaces`) gives an error, which is a 400. What only informs (`expires`, `reason_headers`) is absent when it cannot
//! be read (RFC 3261 8.2.2: ignore what is not necessary).

use super::{
    AuthHeader, ContentType, HeaderError, HeaderName, Message, NameAddr, Privacy, RAck, Reason, Replaces,
    SessionExpires, Via, scan,
};

impl Message {
    /// From.
    pub fn from(&self) -> NameAddr {
        NameAddr::parse(self.index.from.slice(&self.bytes)).expect("checked by parse")
    }

    /// To.
    pub fn to(&self) -> NameAddr {
        NameAddr::parse(self.index.to.slice(&self.bytes)).expect("checked by parse")
    }

    /// The first Via: of the last hop in a request, ours in a response.
    pub fn top_via(&self) -> Via {
        Via::parse(self.index.via.slice(&self.bytes)).expect("checked by parse")
    }

    /// All Via values, the top one first.
    ///
    /// # Errors
    /// [`HeaderError`] when one below the top is malformed.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.headers(HeaderName::Via).map(Via::parse).collect()
    }

    /// All contacts but `*`.
    ///
    /// # Errors
    /// [`HeaderError`] when one is malformed.
    pub fn contacts(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.headers(HeaderName::Contact).filter(|value| *value != b"*").map(NameAddr::parse).collect()
    }

    /// The first contact: the remote target of a dialog.
    ///
    /// # Errors
    /// [`HeaderError`] when it is malformed.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.headers(HeaderName::Contact).find(|value| *value != b"*").map(NameAddr::parse).transpose()
    }

    /// Whether Contact is `*`: a REGISTER that takes all bindings away (RFC 3261 10.2.2).
    pub fn contact_is_star(&self) -> bool {
        self.headers(HeaderName::Contact).any(|value| value == b"*")
    }

    /// All Route values in order.
    ///
    /// # Errors
    /// [`HeaderError`] when one is malformed.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(HeaderName::Route)
    }

    /// All Record-Route values in order.
    ///
    /// # Errors
    /// [`HeaderError`] when one is malformed.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(HeaderName::RecordRoute)
    }

    /// All Path values in order (RFC 3327).
    ///
    /// # Errors
    /// [`HeaderError`] when one is malformed.
    pub fn path(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(HeaderName::Path)
    }

    /// All Service-Route values in order (RFC 3608).
    ///
    /// # Errors
    /// [`HeaderError`] when one is malformed.
    pub fn service_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(HeaderName::ServiceRoute)
    }

    fn addresses(&self, name: HeaderName) -> Result<Vec<NameAddr>, HeaderError> {
        self.headers(name).map(NameAddr::parse).collect()
    }

    /// Seconds of Expires; `None` when absent or unreadable (RFC 3261 20.19: then the default applies).
    pub fn expires(&self) -> Option<u32> {
        self.header(HeaderName::Expires).and_then(scan::number)
    }

    /// Seconds of Min-Expires in a 423.
    pub fn min_expires(&self) -> Option<u32> {
        self.header(HeaderName::MinExpires).and_then(scan::number)
    }

    /// Session-Expires (RFC 4028).
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.header(HeaderName::SessionExpires).and_then(|value| SessionExpires::parse(value).ok())
    }

    /// Seconds of Min-SE (RFC 4028 5).
    pub fn min_se(&self) -> Option<u32> {
        self.leading_number(HeaderName::MinSe)
    }

    /// Seconds of Retry-After.
    pub fn retry_after(&self) -> Option<u32> {
        self.leading_number(HeaderName::RetryAfter)
    }

    /// RSeq of a reliable provisional response (RFC 3262).
    pub fn rseq(&self) -> Option<u32> {
        self.header(HeaderName::RSeq).and_then(scan::number)
    }

    /// RAck of a PRACK (RFC 3262).
    pub fn rack(&self) -> Option<RAck> {
        self.header(HeaderName::RAck).and_then(|value| RAck::parse(value).ok())
    }

    /// A number that a comment or parameters may follow.
    fn leading_number(&self, name: HeaderName) -> Option<u32> {
        let value = self.header(name)?;
        let end = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
        scan::number(&value[..end])
    }

    /// Replaces (RFC 3891).
    ///
    /// # Errors
    /// [`HeaderError`] when it is malformed or there is more than one, which is a 400 (RFC 3891 3).
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        if self.headers(HeaderName::Replaces).count() > 1 {
            return Err(HeaderError::new("More Than One Replaces"));
        }
        self.header(HeaderName::Replaces).map(Replaces::parse).transpose()
    }

    /// Refer-To (RFC 3515 2.4.1).
    ///
    /// # Errors
    /// [`HeaderError`] when it is malformed or there is more than one, which is a 400.
    pub fn refer_to(&self) -> Result<Option<NameAddr>, HeaderError> {
        if self.headers(HeaderName::ReferTo).count() > 1 {
            return Err(HeaderError::new("More Than One Refer-To"));
        }
        self.header(HeaderName::ReferTo).map(NameAddr::parse).transpose()
    }

    /// Referred-By (RFC 3892).
    ///
    /// # Errors
    /// [`HeaderError`] when it is malformed.
    pub fn referred_by(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.header(HeaderName::ReferredBy).map(NameAddr::parse).transpose()
    }

    /// All readable reasons (RFC 3326).
    pub fn reason_headers(&self) -> Vec<Reason> {
        self.headers(HeaderName::Reason).filter_map(|value| Reason::parse(value).ok()).collect()
    }

    /// All readable asserted identities: at most a SIP and a tel one (RFC 3325 9.1).
    pub fn p_asserted_identity(&self) -> Vec<NameAddr> {
        self.readable(HeaderName::PAssertedIdentity).collect()
    }

    /// All readable diversions, the latest first (RFC 5806).
    pub fn diversion(&self) -> Vec<NameAddr> {
        self.readable(HeaderName::Diversion).collect()
    }

    /// All readable entries of History-Info, the oldest first (RFC 7044).
    pub fn history_info(&self) -> Vec<NameAddr> {
        self.readable(HeaderName::HistoryInfo).collect()
    }

    /// P-Called-Party-ID: the number dialled, where a switch of the carrier has rewritten the Request-URI (RFC 7315).
    pub fn p_called_party_id(&self) -> Option<NameAddr> {
        self.readable(HeaderName::PCalledPartyId).next()
    }

    /// P-Preferred-Identity (RFC 3325 9.2).
    pub fn p_preferred_identity(&self) -> Option<NameAddr> {
        self.readable(HeaderName::PPreferredIdentity).next()
    }

    /// Remote-Party-ID, the draft before RFC 3325.
    pub fn remote_party_id(&self) -> Option<NameAddr> {
        self.readable(HeaderName::RemotePartyId).next()
    }

    fn readable(&self, name: HeaderName) -> impl Iterator<Item = NameAddr> {
        self.headers(name).filter_map(|value| NameAddr::parse(value).ok())
    }

    /// Privacy; all lines together (RFC 3323 4.2).
    pub fn privacy(&self) -> Privacy {
        let all: Vec<&[u8]> = self.headers(HeaderName::Privacy).collect();
        Privacy::parse(&all.join(&b';'))
    }

    /// All readable credentials for us (RFC 3261 22).
    pub fn authorization(&self) -> Vec<AuthHeader> {
        self.auth_headers(HeaderName::Authorization)
    }

    /// All readable credentials for a proxy.
    pub fn proxy_authorization(&self) -> Vec<AuthHeader> {
        self.auth_headers(HeaderName::ProxyAuthorization)
    }

    /// All readable challenges of a 401, in the order of the server's preference (RFC 8760 2.3).
    pub fn www_authenticate(&self) -> Vec<AuthHeader> {
        self.auth_headers(HeaderName::WwwAuthenticate)
    }

    /// All readable challenges of a 407.
    pub fn proxy_authenticate(&self) -> Vec<AuthHeader> {
        self.auth_headers(HeaderName::ProxyAuthenticate)
    }

    fn auth_headers(&self, name: HeaderName) -> Vec<AuthHeader> {
        self.headers(name).filter_map(|value| AuthHeader::parse(value).ok()).collect()
    }

    /// Words of a list header such as Supported, Require, Allow, without parameters; unreadable ones are skipped.
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        let word = |value: &'_ [u8]| -> Option<usize> { scan::find(value, b';') };
        self.headers(name).filter_map(move |value| {
            let end = word(value).unwrap_or(value.len());
            str::from_utf8(scan::trim(&value[..end])).ok()
        })
    }

    /// Whether a list header has a word, whatever its case.
    pub fn has_token(&self, name: HeaderName, word: &str) -> bool {
        self.tokens(name).any(|token| token.eq_ignore_ascii_case(word))
    }

    /// Content-Type; `None` when absent or unreadable.
    pub fn content_type(&self) -> Option<ContentType> {
        self.header(HeaderName::ContentType).and_then(|value| ContentType::parse(value).ok())
    }
}
