//! The sums of digest authentication: hashes, HA1, HA2, response (RFC 7616 3.4).
//!
//! Text in, text out; knows no header and no nonce rule.

use std::fmt;

use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256, SHA512_256};
use serde::{Deserialize, Serialize};

/// Longest hash as hexadecimal text.
const HEX_MAX: usize = 64;

/// A hash algorithm of the IANA registry for HTTP digest that SIP allows (RFC 8760 2.1). Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// MD5: what phones before 2020 speak. Kept for them (RFC 8760 2.1 allows it for compatibility).
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

impl Algorithm {
    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512_256 => "SHA-512-256",
        }
    }

    /// Reads an `algorithm` parameter, whatever its case; the flag says whether it is the `-sess` variant.
    pub(super) fn parse(text: &str) -> Option<(Algorithm, bool)> {
        let is_session = text.len() > 5 && text.is_char_boundary(text.len() - 5) && {
            text[text.len() - 5..].eq_ignore_ascii_case("-sess")
        };
        let base = if is_session { &text[..text.len() - 5] } else { text };
        [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256]
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(base))
            .map(|a| (a, is_session))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A hash as lower-case hexadecimal text, which is the form that enters the next hash.
#[derive(Clone, Copy)]
pub(super) struct Hex {
    text: [u8; HEX_MAX],
    len: usize,
}

impl Hex {
    /// Writes bytes (32 at most) as text.
    pub(super) fn of(bytes: &[u8]) -> Hex {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; HEX_MAX];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Hex { text, len: (bytes.len() * 2).min(HEX_MAX) }
    }

    /// The text as bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("hexadecimal digits are ASCII")
    }
}

/// Reads hexadecimal text of exactly `N` bytes.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte");
    }
    Some(out)
}

/// Hash of the parts joined by colons.
pub(super) fn hash(algorithm: Algorithm, parts: &[&[u8]]) -> Hex {
    let pieces = || parts.iter().enumerate().flat_map(|(i, part)| [if i == 0 { &b""[..] } else { &b":"[..] }, part]);
    match algorithm {
        Algorithm::Md5 => {
            let mut sum = Md5::new();
            pieces().for_each(|piece| sum.update(piece));
            Hex::of(&sum.finalize())
        }
        Algorithm::Sha256 | Algorithm::Sha512_256 => {
            let mut sum = Context::new(if algorithm == Algorithm::Sha256 { &SHA256 } else { &SHA512_256 });
            pieces().for_each(|piece| sum.update(piece));
            Hex::of(sum.finish().as_ref())
        }
    }
}

/// Quality of protection (RFC 7616 3.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Qop {
    /// No `qop` at all: the old form of RFC 2069.
    None,
    /// `auth`.
    Auth,
    /// `auth-int`: the body is protected too.
    AuthInt,
}

/// What enters a response beside HA1.
pub(super) struct Sum<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
    pub(super) nonce: &'a str,
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
    pub(super) qop: Qop,
}

impl Sum<'_> {
    /// The response (RFC 7616 3.4.1).
    pub(super) fn response(&self, ha1: &Hex) -> Hex {
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            Qop::None | Qop::Auth => hash(self.algorithm, &[method, uri]),
            Qop::AuthInt => {
                let body = hash(self.algorithm, &[self.body]);
                hash(self.algorithm, &[method, uri, body.bytes()])
            }
        };
        let qop: &[u8] = match self.qop {
            Qop::None => return hash(self.algorithm, &[ha1.bytes(), self.nonce.as_bytes(), ha2.bytes()]),
            Qop::Auth => b"auth",
            Qop::AuthInt => b"auth-int",
        };
        let (nonce, nc, cnonce) = (self.nonce.as_bytes(), self.nc.as_bytes(), self.cnonce.as_bytes());
        hash(self.algorithm, &[ha1.bytes(), nonce, nc, cnonce, qop, ha2.bytes()])
    }
}

/// Why stored credentials cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not 32 hexadecimal digits.
    #[error("an HA1 for MD5 has 32 hexadecimal digits")]
    Md5,
    /// Not 64 hexadecimal digits.
    #[error("an HA1 for SHA-256 has 64 hexadecimal digits")]
    Sha256,
}

/// What is stored of an account: HA1, the hash of `user:realm:password`, once per algorithm. Whoever has it can
/// authenticate in this realm, so `Debug` hides it; it does not give the password away.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// For MD5; `None`: the account cannot be used by phones that know only MD5.
    pub ha1_md5: Option<[u8; 16]>,
    /// For SHA-256; `None`: phones that prefer it are refused, so leave it out only where the realm challenges with MD5 alone.
    pub ha1_sha256: Option<[u8; 32]>,
}

impl Credentials {
    /// Hashes a password for both algorithms.
    pub fn from_password(user: &str, realm: &str, password: &str) -> Credentials {
        let parts = [user.as_bytes(), realm.as_bytes(), password.as_bytes()];
        Credentials {
            ha1_md5: from_hex(hash(Algorithm::Md5, &parts).as_str()),
            ha1_sha256: from_hex(hash(Algorithm::Sha256, &parts).as_str()),
        }
    }

    /// Reads the hexadecimal texts of a secrets file.
    ///
    /// # Errors
    /// [`CredentialsError`] names the text that has the wrong length or other characters.
    pub fn from_hex(md5: Option<&str>, sha256: Option<&str>) -> Result<Credentials, CredentialsError> {
        let ha1_md5 = md5.map(|t| from_hex(t).ok_or(CredentialsError::Md5)).transpose()?;
        let ha1_sha256 = sha256.map(|t| from_hex(t).ok_or(CredentialsError::Sha256)).transpose()?;
        Ok(Credentials { ha1_md5, ha1_sha256 })
    }

    /// HA1 as text for one algorithm.
    pub(super) fn ha1(&self, algorithm: Algorithm) -> Option<Hex> {
        match algorithm {
            Algorithm::Md5 => self.ha1_md5.map(|h| Hex::of(&h)),
            Algorithm::Sha256 => self.ha1_sha256.map(|h| Hex::of(&h)),
            Algorithm::Sha512_256 => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}
