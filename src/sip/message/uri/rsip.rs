//! Conversions between our URI and method and those of `rsip`, the vocabulary of values at the edges.

use super::Uri;
use crate::sip::message::{HeaderError, Method};

impl TryFrom<&rsip::Uri> for Uri {
    type Error = HeaderError;

    fn try_from(uri: &rsip::Uri) -> Result<Self, HeaderError> {
        Self::parse(&uri.to_string())
    }
}

impl TryFrom<&Uri> for rsip::Uri {
    type Error = rsip::Error;

    fn try_from(uri: &Uri) -> Result<Self, rsip::Error> {
        Self::try_from(uri.as_str())
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Self {
        let name = method.to_string();
        Self::parse(&name).unwrap_or(Self::Other(name.into()))
    }
}

impl TryFrom<&Method> for rsip::Method {
    type Error = rsip::Error;

    /// Fails for extension methods, which `rsip` does not know.
    fn try_from(method: &Method) -> Result<Self, rsip::Error> {
        method.as_str().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_the_edge_both_ways() {
        let ours = Uri::parse("sip:8001@pbx.example.com:5070;transport=tcp").unwrap();
        let theirs = rsip::Uri::try_from(&ours).unwrap();
        assert_eq!(theirs.user(), Some("8001"));
        assert!(Uri::try_from(&theirs).unwrap().equivalent(&ours));
        assert_eq!(Method::from(rsip::Method::Refer), Method::Refer);
        assert_eq!(rsip::Method::try_from(&Method::Prack).unwrap(), rsip::Method::PRack);
        assert!(rsip::Method::try_from(&Method::Other("PING".into())).is_err());
    }
}
