//! SDES keys as text (RFC 4568 6 and 9.2): `inline:` and 30 bytes in base64, then lifetime and MKI.

use crate::types::{CryptoSuite, SrtpKey};

/// Bytes of key and salt.
const KEY_BYTES: usize = 30;
/// Their length in base64: no padding is needed.
const KEY_CHARACTERS: usize = 40;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Why a key text was not taken; the crypto line is passed over then (RFC 4568 5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It does not begin with `inline:`.
    #[error("the key method is not inline")]
    Method,
    /// It is not 40 characters of base64.
    #[error("the key is not 30 bytes in base64")]
    Base64,
    /// The lifetime is no number and no power of two.
    #[error("the lifetime cannot be read")]
    Lifetime,
    /// A master key identifier would stand in each packet; with one key there is no need of it.
    #[error("master key identifiers are not supported")]
    Mki,
}

/// The name of a suite in SDP.
pub fn suite_name(suite: CryptoSuite) -> &'static str {
    match suite {
        CryptoSuite::Aes128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
        CryptoSuite::Aes128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
    }
}

/// The suite of a name, `None` for one that we do not speak.
pub fn parse_suite(name: &str) -> Option<CryptoSuite> {
    [CryptoSuite::Aes128Sha1_80, CryptoSuite::Aes128Sha1_32]
        .into_iter()
        .find(|suite| suite_name(*suite).eq_ignore_ascii_case(name))
}

/// Reads `inline:KEY`, `inline:KEY|LIFETIME`. The lifetime is checked and not kept: no call lasts 2^31 packets.
///
/// # Errors
/// [`KeyTextError`] when the text is no such key, or has an MKI.
pub fn parse_inline(suite: CryptoSuite, text: &str) -> Result<SrtpKey, KeyTextError> {
    let (method, rest) = text.split_once(':').ok_or(KeyTextError::Method)?;
    if !method.eq_ignore_ascii_case("inline") {
        return Err(KeyTextError::Method);
    }
    let mut parts = rest.split('|');
    let key_salt = decode(parts.next().unwrap_or("")).ok_or(KeyTextError::Base64)?;
    for part in parts {
        if part.contains(':') {
            return Err(KeyTextError::Mki);
        }
        let digits = part.strip_prefix("2^").unwrap_or(part);
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(KeyTextError::Lifetime);
        }
    }
    Ok(SrtpKey { suite, key_salt })
}

/// Prints `inline:KEY`: without lifetime and MKI, which every phone understands.
pub fn print_inline(key: &SrtpKey) -> String {
    let mut text = String::with_capacity(7 + KEY_CHARACTERS);
    text.push_str("inline:");
    for three in key.key_salt.chunks_exact(3) {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(ALPHABET[(bits >> shift & 63) as usize]));
        }
    }
    text
}

fn decode(text: &str) -> Option<[u8; KEY_BYTES]> {
    // Some phones pad what needs no padding.
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() != KEY_CHARACTERS {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (four, three) in text.chunks_exact(4).zip(key.chunks_exact_mut(3)) {
        let mut bits = 0u32;
        for byte in four {
            bits = bits << 6 | ALPHABET.iter().position(|c| c == byte)? as u32;
        }
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(key)
}
