//! The printer: requests and responses as bytes. A header value can never start a new line.

use std::marker::PhantomData;

use bytes::Bytes;

use super::params::Raw;
use super::{HeaderName, Message, Method, NameAddr, Uri, name_addr, scan, uri, via};

/// A value that can stand behind a header name.
pub trait HeaderValue {
    /// Appends the value as it goes on the wire. Line ends in it are replaced by blanks afterwards.
    fn write(&self, out: &mut Vec<u8>);
}

impl HeaderValue for str {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl HeaderValue for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl HeaderValue for [u8] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl HeaderValue for Method {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

impl HeaderValue for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = *self;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.extend_from_slice(&digits[at..]);
    }
}

/// A comma list.
impl HeaderValue for [NameAddr] {
    fn write(&self, out: &mut Vec<u8>) {
        for (i, value) in self.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(b", ");
            }
            value.write(out);
        }
    }
}

/// A message in the making: first line and headers so far, and the body.
#[derive(Clone, Debug)]
pub struct Builder<Kind> {
    out: Vec<u8>,
    body: Vec<u8>,
    kind: PhantomData<Kind>,
}

/// Marks a [`Builder`] of a request.
#[derive(Clone, Copy, Debug)]
pub enum Request {}

/// Marks a [`Builder`] of a response.
#[derive(Clone, Copy, Debug)]
pub enum Response {}

/// Builds a request.
pub type RequestBuilder = Builder<Request>;

/// Builds a response.
pub type ResponseBuilder = Builder<Response>;

/// Room for a request of ours without body.
const REQUEST_BYTES: usize = 768;

/// Room that a response needs besides what it copies from the request.
const RESPONSE_BYTES: usize = 320;

impl<Kind> Builder<Kind> {
    fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), body: Vec::new(), kind: PhantomData }
    }

    /// Appends a header.
    pub fn header<V: HeaderValue + ?Sized>(&mut self, name: HeaderName, value: &V) -> &mut Self {
        debug_assert!(name != HeaderName::ContentLength, "build() writes the length");
        self.line(name.as_str(), value)
    }

    /// Appends a header by its name; for names that [`HeaderName`] does not have, and for values passed on as they
    /// came.
    pub fn raw(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.line(name, value)
    }

    fn line<V: HeaderValue + ?Sized>(&mut self, name: &str, value: &V) -> &mut Self {
        let start = self.out.len();
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        value.write(&mut self.out);
        self.end_line(start)
    }

    /// Ends a line; line ends that a value brought along become blanks, so that nobody can inject a header.
    fn end_line(&mut self, start: usize) -> &mut Self {
        for b in &mut self.out[start..] {
            *b = if matches!(*b, b'\r' | b'\n') { b' ' } else { *b };
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Sets the body and appends Content-Type.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> &mut Self {
        self.body = body.to_vec();
        self.line(HeaderName::ContentType.as_str(), content_type)
    }

    /// Appends Content-Length and body and gives the message. The builder is empty afterwards.
    pub fn build(&mut self) -> Bytes {
        let mut out = std::mem::take(&mut self.out);
        let body = std::mem::take(&mut self.body);
        out.extend_from_slice(b"Content-Length: ");
        u32::try_from(body.len()).unwrap_or(u32::MAX).write(&mut out);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&body);
        Bytes::from(out)
    }
}

impl Builder<Request> {
    /// Starts with the request line.
    pub fn new(method: &Method, uri: &Uri) -> Self {
        let mut builder = Self::with_capacity(REQUEST_BYTES);
        builder.out.extend_from_slice(method.as_str().as_bytes());
        builder.out.push(b' ');
        builder.out.extend_from_slice(uri.as_str().as_bytes());
        builder.out.extend_from_slice(b" SIP/2.0");
        builder.end_line(0);
        builder
    }
}

impl Builder<Response> {
    /// Starts with the status line and what must be copied from the request (RFC 3261 8.2.6.2): all Via, From, To with
    /// `to_tag` where it has none, Call-ID, CSeq, and Timestamp in a 100. An empty `reason` takes the usual phrase.
    pub fn to_request(request: &Message, status: u16, reason: &str, to_tag: Option<&str>) -> Self {
        let needs_tag = request.to_tag().is_none() && status != 100;
        let mut builder = Self::with_status(request, status, reason);
        builder.copy_vias(request, request.index.via.slice(&request.bytes));
        builder.copy_rest(request, status, to_tag.filter(|_| needs_tag));
        builder
    }

    /// The same for a request that was refused while it was read: what is there is copied as it is.
    pub(crate) fn to_bad_request(request: &Message, status: u16, reason: &str, to_tag: &str) -> Self {
        let mut builder = Self::with_status(request, status, reason);
        for value in request.lines(HeaderName::Via) {
            builder.header(HeaderName::Via, value);
        }
        let to = request.header(HeaderName::To).unwrap_or_default();
        let has_tag = match name_addr::Parts::scan(to).and_then(|parts| parts.check()) {
            Ok(tag) => !tag.is_empty(),
            Err(_) => to.to_ascii_lowercase().windows(4).any(|word| word == b"tag="),
        };
        builder.copy_rest(request, status, (!has_tag).then_some(to_tag));
        builder
    }

    fn with_status(request: &Message, status: u16, reason: &str) -> Self {
        let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
        let copied = request.bytes.len() - request.body().len();
        let mut builder = Self::with_capacity(copied.min(1024) + RESPONSE_BYTES);
        builder.out.extend_from_slice(b"SIP/2.0 ");
        u32::from(status).write(&mut builder.out);
        builder.out.push(b' ');
        builder.out.extend_from_slice(reason.as_bytes());
        builder.end_line(0);
        builder
    }

    fn copy_vias(&mut self, request: &Message, top: &[u8]) {
        let mut lines = request.lines(HeaderName::Via);
        let first = lines.next().unwrap_or_default();
        let start = self.out.len();
        self.out.extend_from_slice(b"Via: ");
        match request.source {
            Some(source) => {
                write_stamped(&mut self.out, top, source);
                self.out.extend_from_slice(&first[top.len()..]);
            }
            None => self.out.extend_from_slice(first),
        }
        self.end_line(start);
        for line in lines {
            self.header(HeaderName::Via, line);
        }
    }

    fn copy_rest(&mut self, request: &Message, status: u16, to_tag: Option<&str>) {
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::Timestamp] {
            let Some(value) = request.header(name) else { continue };
            if name == HeaderName::Timestamp && status != 100 {
                continue;
            }
            let start = self.out.len();
            self.out.extend_from_slice(name.as_str().as_bytes());
            self.out.extend_from_slice(b": ");
            self.out.extend_from_slice(value);
            if let Some(tag) = to_tag.filter(|_| name == HeaderName::To) {
                self.out.extend_from_slice(b";tag=");
                self.out.extend(tag.bytes().filter(|&b| scan::is_token(b)));
            }
            self.end_line(start);
        }
    }

    /// Copies Record-Route of the request, as a response that makes a dialog must (RFC 3261 12.1.1).
    pub fn record_route(&mut self, request: &Message) -> &mut Self {
        for line in request.lines(HeaderName::RecordRoute) {
            self.header(HeaderName::RecordRoute, line);
        }
        self
    }
}

/// Writes the top Via with `received` and `rport` as the source demands (RFC 3261 18.2.1, RFC 3581 4).
fn write_stamped(out: &mut Vec<u8>, top: &[u8], source: std::net::SocketAddr) {
    let parts = via::Parts::scan(top).expect("checked by parse");
    let wants_port = Raw::new(parts.params).flatten().any(|(name, _)| name.eq_ignore_ascii_case(b"rport"));
    let host = parts.host_port().map(|(host, _)| host).unwrap_or_default();
    let same_host = str::from_utf8(host).ok().and_then(uri::parse_ip) == Some(source.ip());
    if same_host && !wants_port {
        return out.extend_from_slice(top);
    }
    out.extend_from_slice(&top[..top.len() - parts.params.len()]);
    for (name, value) in Raw::new(parts.params).flatten() {
        if name.eq_ignore_ascii_case(b"rport") || name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        out.push(b';');
        out.extend_from_slice(name);
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    let stamp = match wants_port {
        true => format!(";received={};rport={}", source.ip(), source.port()),
        false => format!(";received={}", source.ip()),
    };
    out.extend_from_slice(stamp.as_bytes());
}

/// The usual phrase of a status (RFC 3261 21 and its extensions).
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        430 => "Flow Failed",
        439 => "First Hop Lacks Outbound Support",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests;
