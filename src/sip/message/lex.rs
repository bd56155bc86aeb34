//! The lexer: cuts a message into start line, header fields and body by offsets into the datagram.
//!
//! One pass, one allocation (the list of fields). Knows names of headers, not their values; nothing is copied, so that
//! what a header held can be passed on byte for byte.

use super::scan::{self, Span};
use super::{HeaderName, Method};

/// More header fields than any real message has; a bound on the work that one datagram can ask for.
const MAX_FIELDS: usize = 256;

/// Fields that a message usually has at most: one allocation holds them.
const USUAL_FIELDS: usize = 32;

/// What is wrong with a message, and how a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
}

impl Fault {
    pub(crate) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }
}

/// One header field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// As written; empty for a line that is no header field.
    pub(crate) name: Span,
    /// Without blanks at the ends; folds are kept.
    pub(crate) value: Span,
    pub(crate) id: HeaderName,
}

/// The first line.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

/// Skips the line ends that may stand before a message (RFC 3261 7.5).
pub(crate) fn skip_line_ends(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len())
}

/// Finds the first line. Gives it without its end, and where the next line starts.
pub(crate) fn first_line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let end = at + scan::find(&bytes[at..], b'\n')?;
    bytes[at..end].strip_suffix(b"\r").map(|line| (line, end + 1))
}

/// Reads the first line. `None`: not SIP at all. A fault comes with the method, so that the request can be answered.
/// What stands between method and version is not looked at here.
pub(crate) fn start_line(line: &[u8], whole: &[u8]) -> Option<(Start, Option<Fault>)> {
    if line.get(..8).is_some_and(|version| version.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        return status_line(&line[8..], whole).map(|start| (start, None));
    }
    let (method, rest) = scan::split_once(line, b' ')?;
    let method = Method::from_bytes(method)?;
    let version_at = match rest.ends_with(b" SIP/2.0") {
        true => rest.len() - b" SIP/2.0".len(),
        false => rest.windows(5).rposition(|word| word.eq_ignore_ascii_case(b" SIP/"))?,
    };
    let (uri, version) = (&rest[..version_at], &rest[version_at + b" SIP/".len()..]);
    let fault = (version != b"2.0").then(|| version_fault(version));
    Some((Start::Request { method, uri: Span::of(uri, whole) }, fault))
}

fn version_fault(version: &[u8]) -> Fault {
    let is_version = scan::split_once(version, b'.')
        .is_some_and(|(major, minor)| scan::number(major).is_some() && scan::number(minor).is_some());
    match is_version {
        true => Fault { status: 505, reason: "Version Not Supported" },
        false => Fault::bad("Malformed Request Line"),
    }
}

fn status_line(rest: &[u8], whole: &[u8]) -> Option<Start> {
    let (code, reason) = rest.split_at_checked(3)?;
    let status = scan::number(code).and_then(|code| u16::try_from(code).ok())?;
    let separated = reason.is_empty() || reason.starts_with(b" ");
    (separated && (100..700).contains(&status))
        .then(|| Start::Response { status, reason: Span::of(scan::trim(reason), whole) })
}

/// Cuts the header from `at` to the blank line. Gives the fields and where the body starts.
///
/// A line feed without carriage return is refused: elements that differ on whether it ends a line would see different
/// headers, so that a caller's display name could carry an asserted identity past a carrier's switch. A line that is no
/// header field is kept without a name: RFC 3261 8.2.2 asks to ignore what is not needed.
pub(crate) fn fields(bytes: &[u8], mut at: usize) -> (Vec<Field>, Result<usize, Fault>) {
    let mut fields = Vec::with_capacity(USUAL_FIELDS);
    while !bytes[at..].starts_with(b"\r\n") {
        let line_start = at;
        match line_end(bytes, at) {
            _ if fields.len() == MAX_FIELDS => return (fields, Err(Fault::bad("Too Many Headers"))),
            Ok(end) => at = end,
            Err(fault) => return (fields, Err(fault)),
        }
        fields.push(field(&bytes[line_start..at], line_start));
    }
    (fields, Ok(at + 2))
}

/// The index behind the line that starts at `at`, with the folded ones that belong to it (RFC 3261 7.3.1).
fn line_end(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        let feed = at + scan::find(&bytes[at..], b'\n').ok_or(Fault::bad("Header Without End"))?;
        if !bytes[at..feed].ends_with(b"\r") {
            return Err(Fault::bad("Bare Line Feed"));
        }
        at = feed + 1;
        if !matches!(bytes.get(at), Some(b' ' | b'\t')) {
            return Ok(at);
        }
    }
}

fn field(line: &[u8], line_start: usize) -> Field {
    let at = |part: &[u8], from: usize| {
        let value = scan::trim_start(part);
        let start = from + part.len() - value.len();
        Span::new(start, start + scan::trim(value).len())
    };
    if let Some((name, value)) = scan::split_once(line, b':') {
        let name = scan::trim_end(name);
        let id = HeaderName::from_bytes(name);
        let is_name = id != HeaderName::Other || !name.is_empty() && name.iter().all(|&b| scan::is_token(b));
        if is_name {
            let name = Span::new(line_start, line_start + name.len());
            return Field { name, value: at(value, line_start + line.len() - value.len()), id };
        }
    }
    Field { name: Span::default(), value: at(line, line_start), id: HeaderName::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(head: &[u8]) -> Vec<(&[u8], &[u8])> {
        let (fields, end) = fields(head, 0);
        assert_eq!(end, Ok(head.len()));
        fields.iter().map(|f| (f.name.slice(head), f.value.slice(head))).collect()
    }

    #[test]
    fn folds_and_blanks_are_cut_right() {
        let head = b"TO :\r\n sip:a@b ;   tag = 1\r\ns : \r\nX:a\r\n\tb\r\nno field\r\n: none\r\n\r\n";
        assert_eq!(
            cut(head),
            [
                (&b"TO"[..], &b"sip:a@b ;   tag = 1"[..]),
                (b"s", b""),
                (b"X", b"a\r\n\tb"),
                (b"", b"no field"),
                (b"", b": none"),
            ]
        );
    }

    #[test]
    fn a_body_that_starts_with_a_blank_is_no_fold() {
        let message = b"A: 1\r\n\r\n body";
        let (fields, end) = fields(message, 0);
        assert_eq!((fields.len(), end), (1, Ok(8)));
    }

    #[test]
    fn a_bare_line_feed_ends_no_line() {
        for head in [&b"A: 1\nB: 2\r\n\r\n"[..], b"A: 1\r\n\nB: 2\r\n\r\n", b"A: 1\r\n\n"] {
            assert_eq!(fields(head, 0).1, Err(Fault::bad("Bare Line Feed")));
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        assert!(fields(b"A: 1\r\nB: 2", 0).1.is_err());
        assert!(fields(b"A: 1\r\n", 0).1.is_err());
        let many = b"A: 1\r\n".repeat(MAX_FIELDS + 1);
        assert_eq!(fields(&many, 0).1, Err(Fault::bad("Too Many Headers")));
    }

    #[test]
    fn start_lines_are_told_apart() {
        let fault = |line: &[u8]| start_line(line, line).map(|(_, fault)| fault.map(|f| f.status));
        assert_eq!(fault(b"INVITE sip:a@b SIP/2.0"), Some(None));
        assert_eq!(fault(b"INVITE sip:a@b SIP/7.0"), Some(Some(505)));
        assert_eq!(fault(b"INVITE sip:a@b sip/2.0"), Some(None));
        assert_eq!(fault(b"INVITE sip:a@b SIP/2"), Some(Some(400)));
        assert_eq!(fault(b"OPTIONS sip:a@b SIP/2.0  "), Some(Some(400)));
        assert_eq!(fault(b"SIP/2.0 200 "), Some(None));
        assert_eq!(fault(b"SIP/2.0 200"), Some(None));
        for dead in [&b"SIP/2.0 4294967301 better not"[..], b"SIP/2.0 99 x", b"GET / HTTP/1.1", b"INVITE", b""] {
            assert!(start_line(dead, dead).is_none(), "{dead:?}");
        }
    }
}
