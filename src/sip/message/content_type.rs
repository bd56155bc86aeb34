//! Content-Type (RFC 3261 20.15).

use super::{HeaderError, HeaderValue, Params, scan};

/// Type of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// `application`
    pub kind: String,
    /// `sdp`
    pub subtype: String,
    /// `boundary` and others.
    pub params: Params,
}

impl ContentType {
    /// Reads the value.
    ///
    /// # Errors
    /// [`HeaderError`] when type or subtype is no token or a parameter is malformed.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        const MALFORMED: HeaderError = HeaderError::new("Malformed Content-Type");
        let value = scan::trim(value);
        let end = scan::find(value, b';').unwrap_or(value.len());
        let (kind, subtype) = scan::split_once(&value[..end], b'/').ok_or(MALFORMED)?;
        let token = |bytes| match scan::trim(bytes) {
            bytes if !bytes.is_empty() && bytes.iter().all(|&b| scan::is_token(b)) => {
                Ok(String::from_utf8_lossy(bytes).into_owned())
            }
            _ => Err(MALFORMED),
        };
        Ok(Self { kind: token(kind)?, subtype: token(subtype)?, params: Params::parse(&value[end..])? })
    }

    /// Whether it is this type, whatever the case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

impl HeaderValue for ContentType {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{}/{}{}", self.kind, self.subtype, self.params).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_parameters_are_read() {
        let value = ContentType::parse(b"multipart / mixed ;boundary=\"7a9cbec02ceef655\"").unwrap();
        assert!(value.is("Multipart", "mixed"));
        assert_eq!(value.params.text("boundary").as_deref(), Some("7a9cbec02ceef655"));
        assert!(ContentType::parse(b"application").is_err());
        assert!(ContentType::parse(b"a b/sdp").is_err());
    }
}
