//! A URI with a display name and parameters: From, To, Contact, Route and their relatives (RFC 3261 20.10, 25.1).

use std::borrow::Cow;
use std::fmt;

use super::params::Raw;
use super::{HeaderError, HeaderValue, Params, Uri, scan, text};

/// The value of From, To, Contact, Route, Record-Route, Path, Refer-To, P-Asserted-Identity, Diversion, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name as it stands between quotes: the bytes that came, escapes included; empty when absent.
    pub display: Vec<u8>,
    /// Who or where.
    pub uri: Uri,
    /// What stands behind the angle brackets, for example `;tag=`.
    pub params: Params,
}

impl NameAddr {
    /// A bare URI; it is written in angle brackets.
    pub fn new(uri: Uri) -> Self {
        Self { display: Vec::new(), uri, params: Params::default() }
    }

    /// The same with a display name.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        let mut quoted = Vec::with_capacity(display.len() + 2);
        text::quote(&mut quoted, display);
        self.display = quoted[1..quoted.len() - 1].to_vec();
        self
    }

    /// The same with a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }

    /// Reads one value; list headers are split before. Unquoted display names may hold any bytes, because old
    /// exchanges write Chinese names so.
    ///
    /// # Errors
    /// [`HeaderError`] when quotes or brackets do not close, or the URI or a parameter is malformed.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let parts = Parts::scan(value)?;
        Ok(Self {
            display: if parts.quoted { parts.display.to_vec() } else { text::escape_unquoted(parts.display) },
            uri: Uri::from_bytes(parts.uri)?,
            params: Params::parse(parts.params)?,
        })
    }

    /// The tag (RFC 3261 19.3); `None` when there is none.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// Display name as text for people: UTF-8, else GBK, else Latin-1; folds and escapes taken out.
    pub fn display_text(&self) -> Cow<'_, str> {
        text::unescape(text::unfold(text::decode(&self.display)))
    }

    /// Preference of a contact in thousandths, 1000 when it has none (RFC 3261 20.10).
    pub fn q_thousandths(&self) -> u16 {
        self.params.get("q").and_then(|q| q.parse::<f32>().ok()).map_or(1000, |q| (q.clamp(0.0, 1.0) * 1000.0) as u16)
    }

    /// Lifetime of a contact in seconds, if it names one.
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(|n| scan::number(n.as_bytes()))
    }
}

impl HeaderValue for NameAddr {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.display.is_empty() {
            out.push(b'"');
            out.extend_from_slice(&self.display);
            out.extend_from_slice(b"\" ");
        }
        out.push(b'<');
        out.extend_from_slice(self.uri.as_str().as_bytes());
        out.push(b'>');
        self.params.write(out);
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write(&mut out);
        f.write_str(&text::decode(&out))
    }
}

/// The parts of a value as slices; URI and parameters are not read yet.
pub(crate) struct Parts<'a> {
    pub(crate) display: &'a [u8],
    /// Whether the display name stood in quotes, which are cut off.
    pub(crate) quoted: bool,
    pub(crate) uri: &'a [u8],
    pub(crate) params: &'a [u8],
}

const MALFORMED: HeaderError = HeaderError::new("Malformed Address");

impl<'a> Parts<'a> {
    pub(crate) fn scan(value: &'a [u8]) -> Result<Self, HeaderError> {
        let value = scan::trim(value);
        let quoted = value.first() == Some(&b'"');
        let (display, rest) = match quoted {
            true => {
                let end = scan::quoted_end(value, 0).ok_or(HeaderError::new("Unterminated Quoted String"))?;
                (&value[1..end - 1], scan::trim_start(&value[end..]).strip_prefix(b"<").ok_or(MALFORMED)?)
            }
            false => match scan::split_once(value, b'<') {
                Some((display, rest)) => (scan::trim(display), rest),
                None => return Self::scan_bare(value),
            },
        };
        if !quoted && display.contains(&b'"') {
            return Err(MALFORMED);
        }
        let (uri, params) = scan::split_once(rest, b'>').ok_or(MALFORMED)?;
        Ok(Self { display, quoted, uri: scan::trim(uri), params })
    }

    /// Without brackets all parameters belong to the header, and `?` and `,` are not allowed (RFC 3261 20).
    fn scan_bare(value: &'a [u8]) -> Result<Self, HeaderError> {
        let end = value.iter().position(|&b| b == b';' || scan::is_blank(b)).unwrap_or(value.len());
        let (uri, params) = value.split_at(end);
        if uri.iter().any(|b| matches!(b, b'?' | b',' | b'"' | b'>')) {
            return Err(MALFORMED);
        }
        Ok(Self { display: &[], quoted: false, uri, params })
    }

    /// Checks everything that [`NameAddr::parse`] checks and gives the tag, without allocation.
    pub(crate) fn check(&self) -> Result<&'a [u8], HeaderError> {
        Uri::check(self.uri)?;
        let mut tag: &[u8] = &[];
        for param in Raw::new(self.params) {
            if let (name, Some(value)) = param?
                && name.eq_ignore_ascii_case(b"tag")
                && tag.is_empty()
            {
                if !value.iter().all(|&b| scan::is_token(b)) {
                    return Err(HeaderError::new("Malformed Tag"));
                }
                tag = value;
            }
        }
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gbk_display_names_keep_their_bytes() {
        let raw = b"\"\xca\xd0\xc3\xf1\" <sip:13800138000@10.0.0.1;user=phone>;tag=a1";
        let from = NameAddr::parse(raw).unwrap();
        assert_eq!(from.display_text(), "市民");
        assert_eq!(from.tag(), Some("a1"));
        let mut out = Vec::new();
        from.write(&mut out);
        assert_eq!(out, raw);
    }

    #[test]
    fn a_gbk_character_may_end_in_a_backslash() {
        let from = NameAddr::parse(b"\"\xd5\x5c\" <sip:a@b>").unwrap();
        assert_eq!(from.display, b"\xd5\x5c");
        assert_eq!(from.display_text(), "誠");
    }

    #[test]
    fn an_unquoted_name_cannot_break_the_quotes_around_it() {
        let from = NameAddr::parse(b"a\\ <sip:a@b>").unwrap();
        assert_eq!((from.to_string().as_str(), from.display_text().as_ref()), ("\"a\\\\\" <sip:a@b>", "a\\"));
        let gbk = NameAddr::parse(b"\xd5\x5c <sip:a@b>").unwrap();
        assert_eq!(gbk.display_text(), "誠");
        assert_eq!(NameAddr::parse("é\\ <sip:a@b>".as_bytes()).unwrap().display_text(), "é\\");
    }

    #[test]
    fn bare_form_gives_its_parameters_to_the_header() {
        let to = NameAddr::parse(b"sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n").unwrap();
        assert_eq!(to.uri.as_str(), "sip:vivekg@chair-dnrc.example.com");
        assert_eq!(to.tag(), Some("1918181833n"));
        assert!(NameAddr::parse(b"sip:user@example.com?Route=%3Csip:sip.example.com%3E").is_err());
    }

    #[test]
    fn unbalanced_values_are_refused() {
        for bad in [&b"\"Mr. J. User <sip:j.user@example.com>"[..], b"<sip:a@b", b"\"a\" sip:a@b", b"<sip:a@b> x", b""]
        {
            assert!(NameAddr::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn display_names_cannot_break_out() {
        let addr = NameAddr::new(Uri::parse("sip:a@b").unwrap()).with_display("x\" <sip:evil@c>\r\nEvil: 1");
        assert_eq!(addr.to_string(), "\"x\\\" <sip:evil@c>  Evil: 1\" <sip:a@b>");
        assert_eq!(NameAddr::parse(addr.to_string().as_bytes()).unwrap(), addr);
    }
}
