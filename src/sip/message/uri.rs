//! SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966). Other schemes are kept as text.
//!
//! A URI is its text and the places of its parts: one allocation, and what is printed is what was read.

mod compare;
mod rsip;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::scan::{self, Span};
use super::{HeaderError, HeaderValue};

const MALFORMED: HeaderError = HeaderError::new("Malformed URI");

/// Scheme of a URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip:`
    #[default]
    Sip,
    /// `sips:` every hop under TLS.
    Sips,
    /// `tel:` a number (RFC 3966).
    Tel,
    /// Any other; such a URI has no parts.
    Other,
}

/// A URI. Equality and order are those of the text; [`Uri::equivalent`] compares as RFC 3261 19.1.4 does.
#[derive(Clone)]
pub struct Uri {
    text: Box<str>,
    marks: Marks,
}

/// Where the parts of a URI stand in its text. Empty spans are absent parts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) scheme: Scheme,
    user: Span,
    password: Span,
    host: Span,
    port: Option<u16>,
    /// From the first `;`.
    params: Span,
    /// From the `?`.
    pub(crate) headers: Span,
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`HeaderError`] when there is no scheme, a blank or control byte inside, or host or port are malformed.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        Self::from_bytes(text.as_bytes())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, HeaderError> {
        let marks = Self::check(bytes)?;
        let text = str::from_utf8(bytes).map_err(|_| MALFORMED)?;
        Ok(Self { text: text.into(), marks })
    }

    /// A `sip:` URI of ours. The user is escaped, an IPv6 host may come without brackets.
    ///
    /// # Errors
    /// [`HeaderError`] when the host is no host.
    pub fn sip(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Self, HeaderError> {
        let mut text = String::with_capacity(16 + user.map_or(0, str::len) + host.len());
        text.push_str("sip:");
        if let Some(user) = user {
            escape(&mut text, user, b"&=+$,/*()!'~-_.");
            text.push('@');
        }
        match host.contains(':') && !host.starts_with('[') {
            true => text.extend(["[", host, "]"]),
            false => text.push_str(host),
        }
        if let Some(port) = port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        let uri = Self::parse(&text)?;
        match uri.marks.params.is_empty() && uri.marks.headers.is_empty() {
            true => Ok(uri),
            false => Err(MALFORMED),
        }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.marks.scheme
    }

    /// User part as written, without password; the number of a tel URI. `None` when absent.
    pub fn user(&self) -> Option<&str> {
        self.part(self.marks.user)
    }

    /// User part without escapes.
    pub fn user_text(&self) -> Cow<'_, str> {
        unescape(self.user().unwrap_or_default())
    }

    /// Password as written; deprecated by RFC 3261 19.1.1, compared all the same.
    pub(crate) fn password(&self) -> Option<&str> {
        self.part(self.marks.password)
    }

    /// Host name or address, IPv6 without brackets; empty for tel and other schemes.
    pub fn host(&self) -> &str {
        let host = self.part(self.marks.host).unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The host, if it is an address.
    pub fn ip(&self) -> Option<IpAddr> {
        parse_ip(self.host())
    }

    /// Port, where it is written.
    pub fn port(&self) -> Option<u16> {
        self.marks.port
    }

    /// A parameter as written; empty for a flag, `None` when absent. Names have no case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether a parameter is there.
    pub fn has_param(&self, name: &str) -> bool {
        self.param(name).is_some()
    }

    /// Whether this route is a loose one (RFC 3261 19.1.1 `lr`).
    pub fn is_loose(&self) -> bool {
        self.has_param("lr")
    }

    /// Parameters in order, as written; a flag has an empty value.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(self.part(self.marks.params).unwrap_or_default(), ';')
    }

    /// Headers behind `?` in order, as written.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(self.part(self.marks.headers).and_then(|h| h.strip_prefix('?')).unwrap_or_default(), '&')
    }

    /// The value of one header behind `?` without escapes, for example `Replaces` in a Refer-To.
    pub fn header_text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| unescape(value))
    }

    /// The same with a parameter set (`None`: a flag); what may not stand in a parameter is escaped.
    #[must_use]
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        let mut param = String::from(";");
        escape(&mut param, name, PARAM_MARKS);
        if let Some(value) = value {
            param.push('=');
            escape(&mut param, value, PARAM_MARKS);
        }
        self.rebuilt(|n| !n.eq_ignore_ascii_case(name), &param, true)
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without_param(&self, name: &str) -> Self {
        self.rebuilt(|n| !n.eq_ignore_ascii_case(name), "", true)
    }

    /// The same without headers: what may stand as a Request-URI.
    #[must_use]
    pub fn without_headers(&self) -> Self {
        self.rebuilt(|_| true, "", false)
    }

    /// The same with a header behind `?` added, escaped; for Refer-To with Replaces (RFC 3891 7).
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut text = String::from(self.as_str());
        text.push(if self.marks.headers.is_empty() { '?' } else { '&' });
        escape(&mut text, name, b"-_.!~*'()");
        text.push('=');
        escape(&mut text, value, b"-_.!~*'()[]/?:+$");
        Self::parse(&text).unwrap_or_else(|_| self.clone())
    }

    fn rebuilt(&self, keep: impl Fn(&str) -> bool, extra: &str, headers: bool) -> Self {
        if self.marks.scheme == Scheme::Other {
            return self.clone();
        }
        let tail_starts = [self.marks.params, self.marks.headers].into_iter().find(|span| !span.is_empty());
        let tail = tail_starts.map_or(self.text.len(), |span| usize::from(span.start));
        let mut text = String::with_capacity(self.text.len() + extra.len());
        text.push_str(&self.text[..tail]);
        for (name, value) in self.params().filter(|(name, _)| keep(name)) {
            text.extend([";", name]);
            if !value.is_empty() {
                text.extend(["=", value]);
            }
        }
        text.push_str(extra);
        if headers && let Some(headers) = self.part(self.marks.headers) {
            text.push_str(headers);
        }
        Self::parse(&text).unwrap_or_else(|_| self.clone())
    }

    fn part(&self, span: Span) -> Option<&str> {
        (!span.is_empty()).then(|| &self.text[usize::from(span.start)..usize::from(span.end)])
    }

    /// Finds the parts without allocation; refuses everything that [`Uri::parse`] refuses.
    pub(crate) fn check(bytes: &[u8]) -> Result<Marks, HeaderError> {
        let fits = bytes.len() <= scan::MAX_MESSAGE_BYTES && bytes.iter().all(|&b| scan::is_uri(b));
        if !fits || str::from_utf8(bytes).is_err() {
            return Err(MALFORMED);
        }
        let colon = scan::find(bytes, b':').ok_or(MALFORMED)?;
        let scheme = scheme(&bytes[..colon])?;
        let start = colon + 1;
        if start == bytes.len() {
            return Err(MALFORMED);
        }
        match scheme {
            Scheme::Sip | Scheme::Sips => mark_sip(bytes, start, scheme),
            Scheme::Tel => mark_tel(bytes, start),
            Scheme::Other => Ok(Marks { scheme, ..Marks::default() }),
        }
    }
}

fn scheme(name: &[u8]) -> Result<Scheme, HeaderError> {
    let letter_first = name.first().is_some_and(u8::is_ascii_alphabetic);
    if !letter_first || !name.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
        return Err(MALFORMED);
    }
    Ok(match name {
        name if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
        name if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
        name if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
        _ => Scheme::Other,
    })
}

fn mark_sip(bytes: &[u8], start: usize, scheme: Scheme) -> Result<Marks, HeaderError> {
    let mut marks = Marks { scheme, ..Marks::default() };
    let mut at = start;
    // Everything before the only `@` is the user, even `;` and `?` (RFC 3261 25.1 user-unreserved).
    if let Some(len) = scan::find(&bytes[at..], b'@') {
        let userinfo = &bytes[at..at + len];
        let user_len = scan::find(userinfo, b':').unwrap_or(len);
        marks.user = Span::new(at, at + user_len);
        if user_len < len {
            marks.password = Span::new(at + user_len + 1, at + len);
        }
        at += len + 1;
    }
    let host_len = host_end(&bytes[at..]).ok_or(MALFORMED)?;
    marks.host = Span::new(at, at + host_len);
    at += host_len;
    if bytes.get(at) == Some(&b':') {
        let len = bytes[at + 1..].iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len() - at - 1);
        let port = scan::number(&bytes[at + 1..at + 1 + len]).ok_or(MALFORMED)?;
        marks.port = Some(u16::try_from(port).map_err(|_| MALFORMED)?);
        at += 1 + len;
    }
    let question = scan::find(&bytes[at..], b'?').map_or(bytes.len(), |i| at + i);
    marks.params = params(bytes, at, question)?;
    marks.headers = Span::new(question, bytes.len());
    Ok(marks)
}

fn mark_tel(bytes: &[u8], start: usize) -> Result<Marks, HeaderError> {
    let end = scan::find(&bytes[start..], b';').map_or(bytes.len(), |i| start + i);
    let digit = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')' | b'%');
    if start == end || !bytes[start..end].iter().all(digit) {
        return Err(MALFORMED);
    }
    let params = params(bytes, end, bytes.len())?;
    Ok(Marks { scheme: Scheme::Tel, user: Span::new(start, end), params, ..Marks::default() })
}

/// Checks `;name[=value]` repeated.
fn params(bytes: &[u8], start: usize, end: usize) -> Result<Span, HeaderError> {
    if start == end {
        return Ok(Span::default());
    }
    let rest = bytes[start..end].strip_prefix(b";").ok_or(MALFORMED)?;
    if rest.split(|&b| b == b';').any(|param| param.is_empty() || param[0] == b'=') {
        return Err(MALFORMED);
    }
    Ok(Span::new(start, end))
}

/// Length of the host at the start of `bytes`: an IPv6 address in brackets, or letters, digits, `.`, `-`, `_`.
pub(crate) fn host_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'[') {
        let end = scan::find(bytes, b']')?;
        str::from_utf8(&bytes[1..end]).ok()?.parse::<Ipv6Addr>().ok()?;
        return Some(end + 1);
    }
    let end = bytes.iter().position(|&b| !scan::is_host(b)).unwrap_or(bytes.len());
    (end > 0).then_some(end)
}

/// An address, IPv6 with or without brackets (RFC 5118 4.5 shows both).
pub(crate) fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse().ok()
}

const PARAM_MARKS: &[u8] = b"-_.!~*'()[]/:&+$";

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    let split = |pair: &'_ str| -> Option<usize> { pair.find('=') };
    text.split(separator).filter(|pair| !pair.is_empty()).map(move |pair| match split(pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, ""),
    })
}

/// Writes text; what is neither a letter, a digit nor in `marks` becomes `%HH`.
fn escape(out: &mut String, text: &str, marks: &[u8]) {
    for &b in text.as_bytes() {
        if b.is_ascii_alphanumeric() || marks.contains(&b) {
            out.push(char::from(b));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.extend(['%', char::from(HEX[usize::from(b >> 4)]), char::from(HEX[usize::from(b & 15)])]);
        }
    }
}

/// Text without `%HH`; broken escapes stay, bytes that are no UTF-8 become U+FFFD.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match escaped(&bytes[i..]) {
            Some(b) => {
                out.push(b);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The byte that `%HH` at the start stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let high = char::from(*high).to_digit(16)?;
    let low = char::from(*low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

impl PartialOrd for Uri {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uri {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As a header value a URI stands in angle brackets.
impl HeaderValue for Uri {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'<');
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'>');
    }
}

#[cfg(test)]
mod tests;
