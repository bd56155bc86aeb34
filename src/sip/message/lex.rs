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
    let line = &bytes[at..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// Reads the first line. `None`: not SIP at all. A fault comes with the method, so that the request can be answered.
pub(crate) fn start_line(line: &[u8], whole: &[u8]) -> Option<(Start, Option<Fault>)> {
    if line.get(..8).is_some_and(|version| version.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        return status_line(&line[8..], whole).map(|start| (start, None));
    }
    let (method, rest) = scan::split_once(line, b' ')?;
    let method = Method::from_bytes(method)?;
    let version_at = rest.windows(5).rposition(|word| word.eq_ignore_ascii_case(b" SIP/"))?;
    let (uri, version) = (&rest[..version_at], &rest[version_at + 5..]);
    let fault = if version != b"2.0" {
        Some(version_fault(version))
    } else if uri.is_empty() || uri.iter().any(|&b| scan::is_blank(b)) {
        Some(Fault::bad("Malformed Request-URI"))
    } else {
        None
    };
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
/// Lines may end in LF alone. A line that is no header field is kept without a name: RFC 3261 8.2.2 asks to ignore what
/// is not needed.
pub(crate) fn fields(bytes: &[u8], mut at: usize) -> (Vec<Field>, Result<usize, Fault>) {
    let mut fields = Vec::with_capacity(USUAL_FIELDS);
    loop {
        match &bytes[at..] {
            [b'\r', b'\n', ..] => return (fields, Ok(at + 2)),
            [b'\n', ..] => return (fields, Ok(at + 1)),
            _ if fields.len() == MAX_FIELDS => return (fields, Err(Fault::bad("Too Many Headers"))),
            _ => {}
        }
        let line_start = at;
        loop {
            match scan::find(&bytes[at..], b'\n') {
                Some(len) => at += len + 1,
                None => return (fields, Err(Fault::bad("Header Without End"))),
            }
            // The next line belongs to this one when it starts with a blank (RFC 3261 7.3.1).
            if !matches!(bytes.get(at), Some(b' ' | b'\t')) {
                break;
            }
        }
        fields.push(field(&bytes[line_start..at], line_start));
    }
}

fn field(line: &[u8], line_start: usize) -> Field {
    let name_len = line.iter().position(|&b| !scan::is_token(b)).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_len);
    let value_of = |rest: &[u8], from: usize| {
        let skipped = rest.len() - scan::trim_start(rest).len();
        let value = scan::trim(rest);
        Span::new(from + skipped, from + skipped + value.len())
    };
    match scan::trim_start(rest).strip_prefix(b":") {
        Some(value) if name_len > 0 => Field {
            name: Span::new(line_start, line_start + name_len),
            value: value_of(value, line_start + line.len() - value.len()),
            id: HeaderName::from_bytes(name),
        },
        _ => Field { name: Span::default(), value: value_of(line, line_start), id: HeaderName::Other },
    }
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
    fn folds_blanks_and_bare_line_feeds_are_cut_right() {
        let head = b"TO :\r\n sip:a@b ;   tag = 1\r\ns : \nX:a\r\n\tb\r\nno field\r\n: none\r\n\r\n";
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
        assert_eq!(fault(b"INVITE  sip:a@b  SIP/2.0"), Some(Some(400)));
        assert_eq!(fault(b"INVITE sip:a@b; lr SIP/2.0"), Some(Some(400)));
        assert_eq!(fault(b"OPTIONS sip:a@b SIP/2.0  "), Some(Some(400)));
        assert_eq!(fault(b"SIP/2.0 200 "), Some(None));
        assert_eq!(fault(b"SIP/2.0 200"), Some(None));
        for dead in [&b"SIP/2.0 4294967301 better not"[..], b"SIP/2.0 99 x", b"GET / HTTP/1.1", b"INVITE", b""] {
            assert!(start_line(dead, dead).is_none(), "{dead:?}");
        }
    }
}
