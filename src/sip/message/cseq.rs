//! CSeq and RAck: the numbers that order requests (RFC 3261 20.16, RFC 3262 7.2).

use std::fmt;

use super::{HeaderError, HeaderValue, Method, scan};

/// Value of CSeq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 8.1.1.5).
    pub number: u32,
    /// Method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    ///
    /// # Errors
    /// [`HeaderError`] when the number is missing or 2^31 or more, or the method is no token.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        const MALFORMED: HeaderError = HeaderError::new("Malformed CSeq");
        let (number, method) = scan::first_word(value);
        let number = scan::number(number).filter(|&n| n < 1 << 31).ok_or(MALFORMED)?;
        Ok(Self { number, method: Method::from_bytes(method).ok_or(MALFORMED)? })
    }
}

impl HeaderValue for CSeq {
    fn write(&self, out: &mut Vec<u8>) {
        self.number.write(out);
        out.push(b' ');
        out.extend_from_slice(self.method.as_str().as_bytes());
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Value of RAck: which reliable provisional response a PRACK confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq number of the response.
    pub cseq: u32,
    /// CSeq method of the response.
    pub method: Method,
}

impl RAck {
    /// Reads the value.
    ///
    /// # Errors
    /// [`HeaderError`] when a number or the method is missing.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        const MALFORMED: HeaderError = HeaderError::new("Malformed RAck");
        let (rseq, rest) = scan::first_word(value);
        let rseq = scan::number(rseq).ok_or(MALFORMED)?;
        let CSeq { number, method } = CSeq::parse(rest).map_err(|_| MALFORMED)?;
        Ok(Self { rseq, cseq: number, method })
    }
}

impl HeaderValue for RAck {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} {} {}", self.rseq, self.cseq, self.method).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_leading_zeros_are_read() {
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE").unwrap(), CSeq { number: 9, method: Method::Invite });
        let rack = RAck::parse(b"776656  1\tINVITE").unwrap();
        assert_eq!(rack, RAck { rseq: 776_656, cseq: 1, method: Method::Invite });
    }

    #[test]
    fn overlarge_numbers_and_missing_methods_are_refused() {
        for bad in [&b"36893488147419103232 REGISTER"[..], b"2147483648 BYE", b"1", b"INVITE", b"1 IN VITE", b""] {
            assert!(CSeq::parse(bad).is_err(), "{bad:?}");
        }
    }
}
