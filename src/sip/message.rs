//! SIP messages on the wire: lexer, lazy view, typed headers (one a file), printer, stream framing (RFC 3261 7).
//!
//! [`Message`] owns the bytes of one message and knows where everything stands in them. Headers are read when somebody
//! asks. Knows no transaction, dialog, socket or clock.

mod auth_header;
mod build;
mod content_type;
mod cseq;
mod error;
mod framing;
mod header_name;
mod index;
mod lex;
mod method;
mod name_addr;
mod params;
mod privacy;
mod reason;
mod replaces;
mod scan;
mod session_expires;
mod text;
mod typed;
mod uri;
mod via;

pub use auth_header::AuthHeader;
pub use build::{Builder, HeaderValue, RequestBuilder, ResponseBuilder, reason_phrase};
pub use content_type::ContentType;
pub use cseq::{CSeq, RAck};
pub use error::{BadRequest, HeaderError, ParseError};
pub use framing::{Frame, FramingError, StreamFramer};
pub use header_name::HeaderName;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use privacy::Privacy;
pub use reason::Reason;
pub use replaces::Replaces;
pub use session_expires::{Refresher, SessionExpires};
pub use uri::{Scheme, Uri};
pub use via::{Transport, Via};

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use index::Index;
use lex::{Fault, Field, Start};
use scan::Span;

/// Longest message, and the size of a receive buffer: a UDP datagram (RFC 3261 18.1.1).
pub const MAX_MESSAGE_BYTES: usize = scan::MAX_MESSAGE_BYTES;

/// One SIP request or response with well-formed Via, From, To, Call-ID and CSeq. Other headers may hold anything.
///
/// Cloning shares the bytes.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    /// Method of the request line, or of the CSeq of a response.
    method: Method,
    line: Line,
    fields: Vec<Field>,
    body: Span,
    index: Index,
    source: Option<SocketAddr>,
}

/// What stands in the first line besides the method.
#[derive(Clone, Copy, Debug)]
enum Line {
    Request { uri: Span },
    Response { status: u16, reason: Span },
}

/// How the end of the body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A datagram: Content-Length, else all the rest (RFC 3261 18.3).
    Datagram,
    /// A message cut from a stream: Content-Length must be there.
    Stream,
}

impl Message {
    /// Reads one datagram, or one WebSocket message. Bytes behind Content-Length are dropped; without it the rest is
    /// the body.
    ///
    /// # Errors
    /// [`ParseError`]; [`ParseError::answer`] gives the response, where there is one.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        Self::parse_until(bytes, End::Datagram)
    }

    /// Reads one message that [`StreamFramer`] has cut.
    ///
    /// # Errors
    /// As for [`Message::parse`]; also when there is no Content-Length.
    pub fn parse_framed(bytes: Bytes) -> Result<Self, ParseError> {
        Self::parse_until(bytes, End::Stream)
    }

    fn parse_until(bytes: Bytes, end: End) -> Result<Self, ParseError> {
        let readable = &bytes[..bytes.len().min(MAX_MESSAGE_BYTES)];
        let at = lex::skip_line_ends(readable);
        if at == readable.len() {
            return Err(ParseError::Empty);
        }
        let (line, at) = lex::first_line(readable, at).ok_or(ParseError::Unusable("no line end"))?;
        let (start, line_fault) = lex::start_line(line, readable).ok_or(ParseError::Unusable("not SIP"))?;
        let (fields, body_start) = lex::fields(readable, at);
        let (method, line) = match start {
            Start::Request { method, uri } => (method, Line::Request { uri }),
            Start::Response { status, reason } => (Method::Other("".into()), Line::Response { status, reason }),
        };
        let too_large = bytes.len() > MAX_MESSAGE_BYTES;
        let mut message =
            Self { bytes, method, line, fields, body: Span::default(), index: Index::default(), source: None };
        let checked = match (too_large, line_fault, body_start) {
            (true, _, _) => Err(Fault { status: 413, reason: "Request Entity Too Large" }),
            (false, Some(fault), _) | (false, None, Err(fault)) => Err(fault),
            (false, None, Ok(body_start)) => message.check(body_start, end),
        };
        match checked {
            Ok(()) => Ok(message),
            Err(fault) => Err(message.into_error(fault)),
        }
    }

    fn check(&mut self, body_start: usize, end: End) -> Result<(), Fault> {
        let (index, cseq_method) = Index::build(&self.bytes, &self.fields)?;
        self.index = index;
        if let Line::Request { uri } = self.line {
            check_request_uri(uri.slice(&self.bytes))?;
            if cseq_method != self.method {
                return Err(Fault::bad("CSeq Method Mismatch"));
            }
        } else {
            self.method = cseq_method;
        }
        let rest = self.bytes.len() - body_start;
        let length = match (self.index.content_length, end) {
            (Some(length), _) => length as usize,
            (None, End::Datagram) => rest,
            (None, End::Stream) => return Err(Fault::bad("Missing Content-Length")),
        };
        if length > rest {
            return Err(Fault::bad("Content-Length Beyond Message"));
        }
        self.body = Span::new(body_start, body_start + length);
        Ok(())
    }

    /// A broken response is dropped, and so is what nobody can be told about (no Via); an ACK is never answered.
    fn into_error(self, fault: Fault) -> ParseError {
        let Fault { status, reason } = fault;
        if self.is_response() || self.header(HeaderName::Via).is_none() {
            return ParseError::Unusable(reason);
        }
        let request = (self.method != Method::Ack).then(|| Box::new(BadRequest(self)));
        ParseError::Malformed { status, reason, request }
    }

    /// The message as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        self.body.slice(&self.bytes)
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.line, Line::Request { .. })
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        !self.is_request()
    }

    /// Method of the request, or of the request that a response answers.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Request-URI; `None` for a response.
    pub fn request_uri(&self) -> Option<Uri> {
        Uri::parse(self.request_uri_text()).ok()
    }

    /// Request-URI as written; empty for a response.
    pub fn request_uri_text(&self) -> &str {
        match self.line {
            Line::Request { uri } => uri.str(&self.bytes),
            Line::Response { .. } => "",
        }
    }

    /// Status of a response, 100 to 699; `None` for a request.
    pub fn status(&self) -> Option<u16> {
        match self.line {
            Line::Request { .. } => None,
            Line::Response { status, .. } => Some(status),
        }
    }

    /// Reason phrase of a response as text; often empty.
    pub fn reason(&self) -> Cow<'_, str> {
        match self.line {
            Line::Request { .. } => Cow::Borrowed(""),
            Line::Response { reason, .. } => text::decode(reason.slice(&self.bytes)),
        }
    }

    /// Where the message came from, once the transport has said so.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Notes where the message came from. Responses built from it then carry `received` and `rport` (RFC 3581 4).
    pub fn set_source(&mut self, source: SocketAddr) {
        self.source = Some(source);
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        self.index.call_id.str(&self.bytes)
    }

    /// CSeq.
    pub fn cseq(&self) -> CSeq {
        CSeq { number: self.index.cseq, method: self.method.clone() }
    }

    /// Number of CSeq, below 2^31.
    pub fn cseq_number(&self) -> u32 {
        self.index.cseq
    }

    /// Tag of From; `None` from RFC 2543 peers.
    pub fn from_tag(&self) -> Option<&str> {
        self.optional(self.index.from_tag)
    }

    /// Tag of To; `None` outside a dialog.
    pub fn to_tag(&self) -> Option<&str> {
        self.optional(self.index.to_tag)
    }

    /// Branch of the top Via; `None` from RFC 2543 peers.
    pub fn branch(&self) -> Option<&str> {
        self.optional(self.index.branch)
    }

    /// Host and port of the top Via as written.
    pub fn sent_by(&self) -> &str {
        self.index.sent_by.str(&self.bytes)
    }

    /// Max-Forwards; `None` when absent.
    pub fn max_forwards(&self) -> Option<u8> {
        self.index.max_forwards
    }

    fn optional(&self, span: Span) -> Option<&str> {
        (!span.is_empty()).then(|| span.str(&self.bytes))
    }

    /// Value of the first line with this name, raw: without blanks at the ends, folds kept, lists not split.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.lines(name).next()
    }

    /// All values with this name, in order. Comma lists are split where the grammar has them.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let list = name.is_list();
        self.lines(name).flat_map(move |line| {
            let whole = (!list).then_some(line);
            scan::Elements::new(if list { line } else { b"" }).chain(whole)
        })
    }

    /// Value of the first line with this name, whatever its case; for names that [`HeaderName`] does not have.
    pub fn header_named(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(n, _, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, _, value)| value)
    }

    /// Value of the first line with this name as text for people: unfolded; UTF-8, else GBK, else Latin-1.
    pub fn text(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        self.header(name).map(|value| text::unfold(text::decode(value)))
    }

    /// The same by name, for names that [`HeaderName`] does not have.
    pub fn text_named(&self, name: &str) -> Option<Cow<'_, str>> {
        self.header_named(name).map(|value| text::unfold(text::decode(value)))
    }

    /// All header lines in order: name as written (empty for a line that is no header), known name, raw value.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], HeaderName, &[u8])> {
        self.fields.iter().map(|field| (field.name.slice(&self.bytes), field.id, field.value.slice(&self.bytes)))
    }

    fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |field| field.id == name).map(|field| field.value.slice(&self.bytes))
    }
}

/// A Request-URI of another scheme is 416 (RFC 3261 8.2.2.1); one with headers is malformed (RFC 3261 19.1.1).
fn check_request_uri(uri: &[u8]) -> Result<(), Fault> {
    let marks = Uri::check(uri).map_err(|_| Fault::bad("Malformed Request-URI"))?;
    if marks.scheme == Scheme::Other {
        return Err(Fault { status: 416, reason: "Unsupported URI Scheme" });
    }
    match marks.headers.is_empty() {
        true => Ok(()),
        false => Err(Fault::bad("Malformed Request-URI")),
    }
}

/// Shows the first line and the Call-ID only: messages hold numbers and names of citizens.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call_id = String::from_utf8_lossy(self.index.call_id.slice(&self.bytes));
        match self.line {
            Line::Request { .. } => write!(f, "{} {} ({call_id})", self.method, self.index.cseq),
            Line::Response { status, .. } => write!(f, "{status} to {} {} ({call_id})", self.method, self.index.cseq),
        }
    }
}

#[cfg(test)]
mod tests;
