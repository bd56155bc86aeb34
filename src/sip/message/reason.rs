//! Reason: why a call was ended or refused elsewhere (RFC 3326).

use super::{HeaderError, HeaderValue, Params, scan, text};

/// One value of Reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850` or another.
    pub protocol: String,
    /// Status or cause number.
    pub cause: Option<u16>,
    /// Words.
    pub text: Option<String>,
}

impl Reason {
    /// A reason with a SIP status, for example 200 "Call completed elsewhere" on the CANCEL of a lost fork.
    pub fn sip(status: u16, text: &str) -> Self {
        Self { protocol: "SIP".to_owned(), cause: Some(status), text: Some(text.to_owned()) }
    }

    /// A reason with a cause of the telephone network (Q.850), for example 16 for normal clearing.
    pub fn q850(cause: u16, text: &str) -> Self {
        Self { protocol: "Q.850".to_owned(), cause: Some(cause), text: Some(text.to_owned()) }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// [`HeaderError`] when the protocol is no token or a parameter is malformed.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let value = scan::trim(value);
        let end = scan::find(value, b';').unwrap_or(value.len());
        let protocol = scan::trim(&value[..end]);
        if protocol.is_empty() || !protocol.iter().all(|&b| scan::is_token(b)) {
            return Err(HeaderError::new("Malformed Reason"));
        }
        let params = Params::parse(&value[end..])?;
        Ok(Self {
            protocol: String::from_utf8_lossy(protocol).into_owned(),
            cause: params.get("cause").and_then(|cause| cause.parse().ok()),
            text: params.text("text").map(|text| text.into_owned()),
        })
    }
}

impl HeaderValue for Reason {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.protocol.as_bytes());
        if let Some(cause) = self.cause {
            out.extend_from_slice(b";cause=");
            u32::from(cause).write(out);
        }
        if let Some(text) = &self.text {
            out.extend_from_slice(b";text=");
            text::quote(out, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let value = Reason::parse(b"Q.850 ;cause=16 ;text=\"Terminated\"").unwrap();
        assert_eq!(value, Reason::q850(16, "Terminated"));
        let mut out = Vec::new();
        value.write(&mut out);
        assert_eq!(out, b"Q.850;cause=16;text=\"Terminated\"");
    }
}
