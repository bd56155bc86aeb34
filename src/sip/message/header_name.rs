//! Header names, long and compact, and whether a header is a comma list.

/// How the values of a header are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One value a line; a comma is part of it.
    One,
    /// Values in a comma list, or on lines of their own (RFC 3261 7.3.1).
    List,
}
use Shape::{List, One};

macro_rules! header_names {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $compact:literal, $shape:ident;)*) => {
        /// The name of a header that this crate has a use for. Compact and long form are one name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $($(#[$doc])* $variant,)*
            /// Any other name; the message keeps its bytes.
            Other,
        }

        /// Long name, compact name (`0` when there is none) and shape, in the order of the variants.
        const TABLE: &[(HeaderName, &str, u8, Shape)] =
            &[$((HeaderName::$variant, $text, $compact, $shape),)*];
    };
}

header_names! {
    /// RFC 3261 20.42
    Via = "Via", b'v', List;
    /// RFC 3261 20.20
    From = "From", b'f', One;
    /// RFC 3261 20.39
    To = "To", b't', One;
    /// RFC 3261 20.8
    CallId = "Call-ID", b'i', One;
    /// RFC 3261 20.16
    CSeq = "CSeq", 0, One;
    /// RFC 3261 20.22
    MaxForwards = "Max-Forwards", 0, One;
    /// RFC 3261 20.14
    ContentLength = "Content-Length", b'l', One;
    /// RFC 3261 20.10
    Contact = "Contact", b'm', List;
    /// RFC 3261 20.34
    Route = "Route", 0, List;
    /// RFC 3261 20.30
    RecordRoute = "Record-Route", 0, List;
    /// RFC 3261 20.15
    ContentType = "Content-Type", b'c', One;
    /// RFC 3261 20.12
    ContentEncoding = "Content-Encoding", b'e', List;
    /// RFC 3261 20.11
    ContentDisposition = "Content-Disposition", 0, One;
    /// RFC 3261 20.13
    ContentLanguage = "Content-Language", 0, List;
    /// RFC 8262
    ContentId = "Content-ID", 0, One;
    /// RFC 3261 20.1
    Accept = "Accept", 0, List;
    /// RFC 3261 20.2
    AcceptEncoding = "Accept-Encoding", 0, List;
    /// RFC 3261 20.3
    AcceptLanguage = "Accept-Language", 0, List;
    /// RFC 3261 20.5
    Allow = "Allow", 0, List;
    /// RFC 6665 8.2.2
    AllowEvents = "Allow-Events", b'u', List;
    /// RFC 6665 8.2.1
    Event = "Event", b'o', One;
    /// RFC 3261 20.36
    Subject = "Subject", b's', One;
    /// RFC 3261 20.37
    Supported = "Supported", b'k', List;
    /// RFC 3261 20.32
    Require = "Require", 0, List;
    /// RFC 3261 20.29
    ProxyRequire = "Proxy-Require", 0, List;
    /// RFC 3261 20.40
    Unsupported = "Unsupported", 0, List;
    /// RFC 3261 20.7
    Authorization = "Authorization", 0, One;
    /// RFC 3261 20.44
    WwwAuthenticate = "WWW-Authenticate", 0, One;
    /// RFC 3261 20.28
    ProxyAuthorization = "Proxy-Authorization", 0, One;
    /// RFC 3261 20.27
    ProxyAuthenticate = "Proxy-Authenticate", 0, One;
    /// RFC 3261 20.6
    AuthenticationInfo = "Authentication-Info", 0, One;
    /// RFC 3261 20.19
    Expires = "Expires", 0, One;
    /// RFC 3261 20.23
    MinExpires = "Min-Expires", 0, One;
    /// RFC 4028 4
    SessionExpires = "Session-Expires", b'x', One;
    /// RFC 4028 5
    MinSe = "Min-SE", 0, One;
    /// RFC 3262 7.1
    RSeq = "RSeq", 0, One;
    /// RFC 3262 7.2
    RAck = "RAck", 0, One;
    /// RFC 3891
    Replaces = "Replaces", 0, One;
    /// RFC 3515 2.1
    ReferTo = "Refer-To", b'r', One;
    /// RFC 3892
    ReferredBy = "Referred-By", b'b', One;
    /// RFC 4488
    ReferSub = "Refer-Sub", 0, One;
    /// RFC 3326
    Reason = "Reason", 0, List;
    /// RFC 3325 9.1
    PAssertedIdentity = "P-Asserted-Identity", 0, List;
    /// RFC 3325 9.2
    PPreferredIdentity = "P-Preferred-Identity", 0, List;
    /// RFC 7315 4.2
    PCalledPartyId = "P-Called-Party-ID", 0, One;
    /// RFC 5009
    PEarlyMedia = "P-Early-Media", 0, List;
    /// Draft that old exchanges still send (draft-ietf-sip-privacy-04)
    RemotePartyId = "Remote-Party-ID", 0, List;
    /// RFC 3323 4.2
    Privacy = "Privacy", 0, One;
    /// RFC 5806
    Diversion = "Diversion", 0, List;
    /// RFC 7044
    HistoryInfo = "History-Info", 0, List;
    /// RFC 3327
    Path = "Path", 0, List;
    /// RFC 3608
    ServiceRoute = "Service-Route", 0, List;
    /// RFC 3261 20.33
    RetryAfter = "Retry-After", 0, One;
    /// RFC 3261 20.35
    Server = "Server", 0, One;
    /// RFC 3261 20.41
    UserAgent = "User-Agent", 0, One;
    /// RFC 3261 20.43
    Warning = "Warning", 0, List;
    /// RFC 3261 20.17
    Date = "Date", 0, One;
    /// RFC 3261 20.38
    Timestamp = "Timestamp", 0, One;
    /// RFC 3261 20.25
    Organization = "Organization", 0, One;
    /// RFC 3261 20.9
    CallInfo = "Call-Info", 0, List;
    /// RFC 3261 20.4
    AlertInfo = "Alert-Info", 0, List;
    /// RFC 3261 20.18
    ErrorInfo = "Error-Info", 0, List;
    /// RFC 3261 20.21
    InReplyTo = "In-Reply-To", 0, List;
    /// RFC 3261 20.31
    ReplyTo = "Reply-To", 0, One;
    /// RFC 3261 20.26
    Priority = "Priority", 0, One;
    /// RFC 3261 20.24
    MimeVersion = "MIME-Version", 0, One;
    /// RFC 6665 8.2.3
    SubscriptionState = "Subscription-State", 0, One;
    /// RFC 8224
    Identity = "Identity", b'y', One;
    /// RFC 5626 11.1
    FlowTimer = "Flow-Timer", 0, One;
    /// RFC 6086
    InfoPackage = "Info-Package", 0, One;
    /// RFC 6086
    RecvInfo = "Recv-Info", 0, List;
    /// RFC 3841 9.2
    AcceptContact = "Accept-Contact", b'a', List;
    /// RFC 3841 9.2
    RejectContact = "Reject-Contact", b'j', List;
    /// RFC 3841 9.1
    RequestDisposition = "Request-Disposition", b'd', List;
    /// RFC 7433
    UserToUser = "User-to-User", 0, List;
}

const SLOTS: usize = 256;

/// Where the search for a name begins. Length and three letters tell nearly all names apart.
const fn slot(name: &[u8]) -> usize {
    const fn lower(letter: u8) -> usize {
        (letter | 0x20) as usize
    }
    let (first, middle, last) = (lower(name[0]), lower(name[name.len() / 2]), lower(name[name.len() - 1]));
    (name.len() * 54 + first * 21 + middle * 3 + last) % SLOTS
}

/// Known names by [`slot`]; a name whose slot is taken stands in the next free one. Every header of every message is
/// looked up here, so that one comparison has to do.
const BY_SLOT: [u8; SLOTS] = {
    let mut table = [HeaderName::Other as u8; SLOTS];
    let mut i = 0;
    while i < TABLE.len() {
        let mut at = slot(TABLE[i].1.as_bytes());
        while table[at] != HeaderName::Other as u8 {
            at = (at + 1) % SLOTS;
        }
        table[at] = i as u8;
        i += 1;
    }
    table
};

/// Known names by compact letter.
const BY_LETTER: [u8; 26] = {
    let mut table = [HeaderName::Other as u8; 26];
    let mut i = 0;
    while i < TABLE.len() {
        if TABLE[i].2 != 0 {
            table[(TABLE[i].2 - b'a') as usize] = i as u8;
        }
        i += 1;
    }
    table
};

impl HeaderName {
    /// The long form; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        TABLE.get(self as usize).map_or("", |row| row.1)
    }

    /// Finds a long or compact name, whatever its case.
    pub(crate) fn from_bytes(name: &[u8]) -> Self {
        let row = match name {
            [] => Self::Other as u8,
            [letter] => match letter.to_ascii_lowercase().checked_sub(b'a') {
                Some(at @ 0..26) => BY_LETTER[usize::from(at)],
                Some(_) | None => Self::Other as u8,
            },
            _ => search(name),
        };
        TABLE.get(usize::from(row)).map_or(Self::Other, |row| row.0)
    }

    /// How many names stand before the others because every message is searched for them.
    pub(crate) const INDEXED: usize = Self::ContentLength as usize + 1;

    /// Whether values may stand in a comma list.
    pub(crate) fn is_list(self) -> bool {
        TABLE.get(self as usize).is_some_and(|row| row.3 == List)
    }
}

fn search(name: &[u8]) -> u8 {
    let mut at = slot(name);
    while let Some((_, text, _, _)) = TABLE.get(usize::from(BY_SLOT[at])) {
        if text.len() == name.len() && (text.as_bytes() == name || text.as_bytes().eq_ignore_ascii_case(name)) {
            break;
        }
        at = (at + 1) % SLOTS;
    }
    BY_SLOT[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for &(name, text, compact, _) in TABLE {
            assert_eq!(HeaderName::from_bytes(text.as_bytes()), name);
            assert_eq!(HeaderName::from_bytes(text.to_ascii_uppercase().as_bytes()), name);
            assert_eq!(name.as_str(), text);
            if compact != 0 {
                assert_eq!(HeaderName::from_bytes(&[compact.to_ascii_uppercase()]), name);
            }
        }
        assert_eq!(HeaderName::from_bytes(b"X-Yihao-Line"), HeaderName::Other);
        assert_eq!(HeaderName::from_bytes(b"z"), HeaderName::Other);
        assert_eq!(HeaderName::from_bytes(b""), HeaderName::Other);
        assert_eq!(HeaderName::from_bytes(&[b'a'; 200]), HeaderName::Other);
    }
}
