//! Replaces: this call takes the place of another (RFC 3891).

use super::{HeaderError, HeaderValue, Params, scan};

/// Value of Replaces; the tags are seen from the receiver of the INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the dialog to replace.
    pub call_id: String,
    /// Local tag of that dialog at the receiver.
    pub to_tag: String,
    /// Remote tag of that dialog at the receiver.
    pub from_tag: String,
    /// Whether only an early dialog may be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the value, also the unescaped one from a Refer-To URI.
    ///
    /// # Errors
    /// [`HeaderError`] when the Call-ID or a tag is missing.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        const MALFORMED: HeaderError = HeaderError::new("Malformed Replaces");
        let value = scan::trim(value);
        let end = scan::find(value, b';').unwrap_or(value.len());
        let call_id = str::from_utf8(scan::trim(&value[..end])).map_err(|_| MALFORMED)?;
        let params = Params::parse(&value[end..])?;
        let tag = |name| params.get(name).filter(|tag| !tag.is_empty()).map(str::to_owned).ok_or(MALFORMED);
        if call_id.is_empty() {
            return Err(MALFORMED);
        }
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

impl HeaderValue for Replaces {
    fn write(&self, out: &mut Vec<u8>) {
        let Self { call_id, to_tag, from_tag, early_only } = self;
        let flag = if *early_only { ";early-only" } else { "" };
        out.extend_from_slice(format!("{call_id};to-tag={to_tag};from-tag={from_tag}{flag}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let value = Replaces::parse(b"425928@bobster.example.org;from-tag=6472;to-tag=7743;early-only").unwrap();
        assert_eq!((value.to_tag.as_str(), value.from_tag.as_str(), value.early_only), ("7743", "6472", true));
        let mut out = Vec::new();
        value.write(&mut out);
        assert_eq!(Replaces::parse(&out).unwrap(), value);
        assert!(Replaces::parse(b"a@b;to-tag=1").is_err());
    }
}
