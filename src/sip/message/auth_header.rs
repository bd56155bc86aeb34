//! Challenges and credentials: a scheme and a comma list of parameters (RFC 3261 20.7, 20.27, 20.28, 20.44).

use std::ops::Range;

use super::{HeaderError, HeaderValue, scan, text};

/// Value of WWW-Authenticate, Authorization and their proxy forms. What the parameters mean is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHeader {
    /// `Digest` in practice.
    pub scheme: String,
    params: Vec<Param>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Param {
    name: String,
    /// Without quotes and escapes.
    value: String,
    quoted: bool,
}

/// More parameters than any digest has (RFC 7616 3.3, 3.4).
const MAX_PARAMS: usize = 32;

impl AuthHeader {
    /// A value without parameters.
    pub fn new(scheme: &str) -> Self {
        Self { scheme: scheme.to_owned(), params: Vec::new() }
    }

    /// The same with a parameter that is written in quotes: `realm`, `nonce`, `uri`, ...
    #[must_use]
    pub fn quoted(self, name: &str, value: &str) -> Self {
        self.with(name, value, true)
    }

    /// The same with a parameter that is written bare: `algorithm`, `stale`, `nc`, ...
    #[must_use]
    pub fn token(self, name: &str, value: &str) -> Self {
        self.with(name, value, false)
    }

    fn with(mut self, name: &str, value: &str, quoted: bool) -> Self {
        self.params.push(Param { name: name.to_owned(), value: value.to_owned(), quoted });
        self
    }

    /// The value of a parameter, without quotes. Names have no case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|param| param.name.eq_ignore_ascii_case(name)).map(|param| param.value.as_str())
    }

    /// Names and values in order, values without quotes and escapes.
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|param| (param.name.as_str(), param.value.as_str()))
    }

    /// Where the value of a parameter stands in the bytes of a header, with its quotes. Names have no case.
    pub fn place_of(header: &[u8], name: &str) -> Option<Range<usize>> {
        let (_, rest) = scan::first_word(header);
        let of_name = |param| {
            let (found, value) = scan::split_once(param, b'=')?;
            scan::trim(found).eq_ignore_ascii_case(name.as_bytes()).then(|| scan::trim(value))
        };
        let place = scan::Span::of(scan::Elements::new(rest).find_map(of_name)?, header);
        (!place.is_empty()).then(|| place.start.into()..place.end.into())
    }

    /// Reads the value of one header line.
    ///
    /// # Errors
    /// [`HeaderError`] when the scheme or a name is no token, a quote does not close, a name comes twice, or there are
    /// more than 32 parameters.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        const MALFORMED: HeaderError = HeaderError::new("Malformed Authentication Header");
        let (scheme, rest) = scan::first_word(value);
        let is_token = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|&b| scan::is_token(b));
        if !is_token(scheme) {
            return Err(MALFORMED);
        }
        let mut header = Self::new(&String::from_utf8_lossy(scheme));
        for param in scan::Elements::new(rest) {
            let (name, value) = scan::split_once(param, b'=').ok_or(MALFORMED)?;
            let (name, value) = (scan::trim(name), scan::trim(value));
            let quoted = value.first() == Some(&b'"');
            let closed = !quoted || scan::quoted_end(value, 0) == Some(value.len());
            let name = str::from_utf8(name).map_err(|_| MALFORMED)?;
            if !is_token(name.as_bytes()) || !closed || header.get(name).is_some() || header.params.len() == MAX_PARAMS
            {
                return Err(MALFORMED);
            }
            let value = text::decode(value);
            header = header.with(name, &text::unquote(&value), quoted);
        }
        Ok(header)
    }
}

impl HeaderValue for AuthHeader {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.scheme.as_bytes());
        let mut separator = " ";
        for Param { name, value, quoted } in &self.params {
            out.extend_from_slice(separator.as_bytes());
            separator = ", ";
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            let plain = !value.is_empty() && value.bytes().all(scan::is_token);
            match *quoted || !plain {
                true => text::quote(out, value),
                false => out.extend_from_slice(value.as_bytes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_credentials_come_back() {
        let raw = b"Digest username=\"8001\", realm=\"a, \\\"b\\\"\",\r\n nonce=\"c1\", uri=\"sip:h;x=1,2\", qop=auth, nc=00000001";
        let header = AuthHeader::parse(raw).unwrap();
        assert_eq!(header.get("REALM"), Some("a, \"b\""));
        assert_eq!(header.get("uri"), Some("sip:h;x=1,2"));
        assert_eq!(header.get("nc"), Some("00000001"));
        let mut out = Vec::new();
        header.write(&mut out);
        assert_eq!(AuthHeader::parse(&out).unwrap(), header);
    }

    #[test]
    fn malformed_values_are_refused() {
        for bad in [&b""[..], b"Digest realm", b"Digest a=\"b", b"Digest a=1, a=2", b"Digest =1"] {
            assert!(AuthHeader::parse(bad).is_err(), "{bad:?}");
        }
        let many = format!("Digest {}", (0..40).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join(","));
        assert!(AuthHeader::parse(many.as_bytes()).is_err());
    }
}
