//! Two facts of a certificate: the names it is for and when it is valid (RFC 5280 4.1, 4.2.1.6).
//!
//! Reads certificates of our own files and those that `rustls` has verified; it verifies nothing itself.

use std::net::IpAddr;

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, explicit: version.
const VERSION: u8 = 0xa0;
/// `[3]`, explicit: extensions.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17, subjectAltName.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// `[2]`, `[6]`, `[7]` of GeneralName.
const DNS_NAME: u8 = 0x82;
const URI_NAME: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
/// Names read of one certificate.
const MAX_NAMES: usize = 64;

/// What is read of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// DNS names, URIs and addresses of subjectAltName, in order, as text.
    pub(super) names: Vec<String>,
    /// First second of validity, since 1970.
    pub(super) not_before_s: i64,
    /// Last second of validity, since 1970.
    pub(super) not_after_s: i64,
}

/// Reads a certificate; `None` when it is none.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    let mut certificate = Reader(Reader(der).expect(SEQUENCE)?);
    let mut body = Reader(certificate.expect(SEQUENCE)?);
    body.skip_if(VERSION);
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        body.next()?;
    }
    let mut validity = Reader(body.expect(SEQUENCE)?);
    let (not_before_s, not_after_s) = (time(validity.next()?)?, time(validity.next()?)?);
    // Subject, public key.
    body.next()?;
    body.next()?;
    let mut names = Vec::new();
    while let Some((tag, value)) = body.next() {
        if tag == EXTENSIONS {
            names = alt_names(value).unwrap_or_default();
        }
    }
    Some(Facts { names, not_before_s, not_after_s })
}

fn alt_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut list = Reader(Reader(extensions).expect(SEQUENCE)?);
    while let Some((_, extension)) = list.next() {
        let mut extension = Reader(extension);
        if extension.expect(OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        // An optional BOOLEAN `critical` stands before the value.
        let value = std::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == OCTET_STRING)?.1;
        let mut names = Reader(Reader(value).expect(SEQUENCE)?);
        return Some(std::iter::from_fn(|| names.next()).filter_map(name).take(MAX_NAMES).collect());
    }
    None
}

fn name((tag, value): (u8, &[u8])) -> Option<String> {
    match (tag, value.len()) {
        (DNS_NAME | URI_NAME, 1..=255) => std::str::from_utf8(value).ok().map(str::to_owned),
        (IP_ADDRESS, 4) => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?).to_string()),
        (IP_ADDRESS, 16) => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?).to_string()),
        _ => None,
    }
}

/// Seconds since 1970 of `YYMMDDHHMMSSZ` (50 to 99 are of the last century, RFC 5280 4.1.2.5.1) or `YYYYMMDDHHMMSSZ`.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text.len() == 12 => format!("{}{text}", if text >= "50" { "19" } else { "20" }),
        GENERALIZED_TIME if text.len() == 14 => text.to_owned(),
        _ => return None,
    };
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse::<i16>().ok()?;
    let (month, day) = (field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(8, 10)?, field(10, 12)?, field(12, 14)?);
    let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Takes DER elements one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element: tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Up to four bytes of length: a certificate is shorter than 4 GB.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |len, b| len << 8 | usize::from(*b)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, value)| value)
    }

    fn skip_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_validity_are_read() {
        let names = ["sbc.carrier.example", "192.0.2.7", "2001:db8::7"].map(str::to_owned);
        let mut params = rcgen::CertificateParams::new(names.to_vec()).unwrap();
        let uri = "sip:carrier.example".try_into().unwrap();
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
        params.not_before = rcgen::date_time_ymd(1999, 12, 31);
        params.not_after = rcgen::date_time_ymd(2055, 6, 1);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let facts = read(certificate.der()).unwrap();
        assert_eq!(facts.names, ["sbc.carrier.example", "192.0.2.7", "2001:db8::7", "sip:carrier.example"]);
        assert_eq!((facts.not_before_s, facts.not_after_s), (946_598_400, 2_695_420_800));
    }

    #[test]
    fn no_certificate_is_none_and_no_prefix_panics() {
        let certificate = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let der = certificate.cert.der();
        for len in 0..der.len() {
            assert_eq!(read(&der[..len]), None);
        }
        assert_eq!(read(b"-----BEGIN CERTIFICATE-----"), None);
        assert_eq!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]), None);
    }
}
