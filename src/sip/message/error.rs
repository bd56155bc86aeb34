//! Why bytes are no SIP message, and what can still be answered. Knows headers by name only.

use bytes::Bytes;

use super::{HeaderName, Message, Method, ResponseBuilder};

/// A header value that does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HeaderError {
    /// Short sentence without the offending text, fit for the reason phrase of a 400.
    pub reason: &'static str,
}

impl HeaderError {
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

/// Why bytes were not taken as a message.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 3.5.1).
    #[error("keep-alive")]
    Empty,
    /// Not SIP, a broken response, or nothing to address an answer to: drop it.
    #[error("unusable: {0}")]
    Unusable(&'static str),
    /// A request that breaks the rules.
    #[error("malformed request: {status} {reason}")]
    Malformed {
        /// Status of the answer: 400, 413, 416 or 505.
        status: u16,
        /// Reason phrase of the answer.
        reason: &'static str,
        /// What can be read of the request; `None` when no answer may be sent (ACK).
        request: Option<Box<BadRequest>>,
    },
}

impl ParseError {
    /// The whole response to a malformed request; `None` when it must be dropped. `to_tag` goes into To where the
    /// request has no tag.
    pub fn answer(&self, to_tag: &str) -> Option<Bytes> {
        match self {
            Self::Malformed { status, reason, request: Some(request) } => Some(request.answer(*status, reason, to_tag)),
            Self::Malformed { request: None, .. } | Self::Empty | Self::Unusable(_) => None,
        }
    }
}

/// A request that was cut into lines but failed a check. It can be answered and logged, nothing else.
#[derive(Clone, Debug)]
pub struct BadRequest(pub(crate) Message);

impl BadRequest {
    /// Method of the request line.
    pub fn method(&self) -> &Method {
        self.0.method()
    }

    /// The first value of a header, raw.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.0.header(name)
    }

    /// Builds the response. Via, From, To, Call-ID and CSeq are copied as they came, those that are missing stay away.
    pub fn answer(&self, status: u16, reason: &str, to_tag: &str) -> Bytes {
        ResponseBuilder::to_bad_request(&self.0, status, reason, to_tag).build()
    }
}
