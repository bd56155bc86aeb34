//! SDES keys: `a=crypto:<tag> <suite> inline:<key>` (RFC 4568 9.1). They travel under TLS only.

use std::fmt;

use crate::types::{CryptoSuite, SrtpKey};

/// One offered or chosen key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Number by which an answer names it, at most nine digits.
    pub tag: u32,
    /// Suite and key.
    pub key: SrtpKey,
}

impl Crypto {
    /// Reads the value. `None` for another suite, a key of the wrong length, several keys, a master key identifier or
    /// a session parameter that changes the packets: such a line is skipped, the next one may do.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok().filter(|tag| *tag <= 999_999_999)?;
        let suite = parse_suite(words.next()?)?;
        let mut parts = words.next()?.strip_prefix("inline:")?.split('|');
        let key_salt = decode(parts.next()?)?;
        // A lifetime may follow; a key identifier (`1:4`) or a second key (`;inline:`) is more than we speak.
        if parts.any(|part| part.contains([':', ';'])) || words.any(|word| !word.starts_with("WSH=")) {
            return None;
        }
        Some(Self { tag, key: SrtpKey { suite, key_salt } })
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, suite_name(self.key.suite), encode(&self.key.key_salt))
    }
}

fn suite_name(suite: CryptoSuite) -> &'static str {
    match suite {
        CryptoSuite::Aes128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
        CryptoSuite::Aes128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
    }
}

fn parse_suite(name: &str) -> Option<CryptoSuite> {
    [CryptoSuite::Aes128Sha1_80, CryptoSuite::Aes128Sha1_32].into_iter().find(|suite| suite_name(*suite) == name)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 of 30 bytes: exactly 40 characters, never padded.
fn encode(bytes: &[u8; 30]) -> String {
    let mut out = String::with_capacity(40);
    for chunk in bytes.as_chunks::<3>().0 {
        let word = u32::from_be_bytes([0, chunk[0], chunk[1], chunk[2]]);
        out.extend([18, 12, 6, 0].map(|shift| char::from(ALPHABET[(word >> shift) as usize & 63])));
    }
    out
}

fn decode(text: &str) -> Option<[u8; 30]> {
    let mut out = [0; 30];
    let (chunks, rest) = text.as_bytes().as_chunks::<4>();
    if chunks.len() != 10 || !rest.is_empty() {
        return None;
    }
    for (chunk, out) in chunks.iter().zip(out.as_chunks_mut::<3>().0) {
        let mut word = 0;
        for byte in chunk {
            let digit = ALPHABET.iter().position(|letter| letter == byte)?;
            word = word << 6 | u32::try_from(digit).ok()?;
        }
        out.copy_from_slice(&word.to_be_bytes()[1..]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4568 4.1.
    const LINE: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20";

    #[test]
    fn the_key_of_the_rfc_comes_back() {
        let crypto = Crypto::parse(LINE).unwrap();
        assert_eq!((crypto.tag, crypto.key.suite), (1, CryptoSuite::Aes128Sha1_80));
        assert_eq!(&crypto.key.key_salt[..4], b"=-n@");
        assert_eq!(crypto.to_string(), LINE.strip_suffix("|2^20").unwrap());
    }

    #[test]
    fn lines_that_we_cannot_honour_are_skipped() {
        for bad in [
            &LINE.replace("_80", "_81"),
            &LINE.replace("|2^20", "|2^20|1:4"),
            &LINE.replace("|2^20", " UNENCRYPTED_SRTP"),
            &LINE.replace("VBR", "VB"),
            &LINE.replace("VBR", "VB!"),
            &LINE.replace("|2^20", "|2^20;inline:x"),
            &LINE.replace("1 AES", "1234567890 AES"),
        ] {
            assert_eq!(Crypto::parse(bad), None, "{bad}");
        }
        assert!(Crypto::parse(&LINE.replace("|2^20", "|2^20 WSH=60")).is_some());
    }

    #[test]
    fn the_key_is_not_printed_in_logs() {
        assert!(!format!("{:?}", Crypto::parse(LINE)).contains("61"));
    }
}
