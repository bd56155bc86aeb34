//! Session-Expires: how long a session lives without refresh (RFC 4028 4).

use super::{HeaderError, HeaderValue, Params, scan};

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The side that sent this request.
    Uac,
    /// The side that answers it.
    Uas,
}

/// Value of Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Interval in seconds.
    pub seconds: u32,
    /// Who refreshes; `None` in a request leaves the choice to the answerer.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads the value.
    ///
    /// # Errors
    /// [`HeaderError`] when there is no number or a parameter is malformed. An unknown refresher counts as none.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let value = scan::trim(value);
        let end = scan::find(value, b';').unwrap_or(value.len());
        let seconds = scan::number(scan::trim(&value[..end])).ok_or(HeaderError::new("Malformed Session-Expires"))?;
        let params = Params::parse(&value[end..])?;
        let refresher = match params.get("refresher") {
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl HeaderValue for SessionExpires {
    fn write(&self, out: &mut Vec<u8>) {
        self.seconds.write(out);
        match self.refresher {
            Some(Refresher::Uac) => out.extend_from_slice(b";refresher=uac"),
            Some(Refresher::Uas) => out.extend_from_slice(b";refresher=uas"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refresher_is_read_whatever_its_case() {
        let value = SessionExpires::parse(b"1800 ; refresher=UAS").unwrap();
        assert_eq!(value, SessionExpires { seconds: 1800, refresher: Some(Refresher::Uas) });
        assert_eq!(SessionExpires::parse(b"90").unwrap().refresher, None);
        assert!(SessionExpires::parse(b"soon").is_err());
    }
}
