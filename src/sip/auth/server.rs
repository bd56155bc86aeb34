//! The server side: challenges and their check (RFC 7616 3.3-3.5, RFC 3261 22, RFC 8760).
//!
//! An unknown user and a wrong password take the same way through this file: same verdict, same work.

use std::time::Duration;

use super::digest::{Algorithm, Credentials, Hex, Qop, Sum};
use super::nonce::{Key, Windows, made_at};
use crate::sip::message::{AuthHeader, Uri};
use crate::types::{Mono, Now};

/// Credentials headers of one request that are looked at; a request has one a realm.
const MAX_HEADERS: usize = 4;
/// Longest field that enters a hash; beyond it the request is malformed.
const MAX_FIELD_BYTES: usize = 256;

/// How a realm is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The protection domain as phones show it, for example `12345.example`. HA1 holds it: changing it voids all accounts.
    pub realm: String,
    /// What is offered, most wanted first (RFC 8760 2.4). Default: SHA-256, MD5. Accounts must hold an HA1 for each.
    pub algorithms: Vec<Algorithm>,
    /// Whether `auth-int` is offered beside `auth`. Default true. It is accepted in either case.
    pub offers_auth_int: bool,
    /// How long a nonce is good; later it is answered with `stale=true`. Default 300 s.
    pub nonce_life: Duration,
    /// Nonces remembered for their counts. Default 65,536 (about 3 MB).
    pub windows: usize,
}

impl Settings {
    /// The defaults for a realm.
    pub fn new(realm: &str) -> Settings {
        Settings {
            realm: realm.to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            offers_auth_int: true,
            nonce_life: Duration::from_secs(300),
            windows: 65_536,
        }
    }
}

/// What is checked of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method as it stands on the wire.
    pub method: &'a str,
    /// Request-URI as it stands on the wire.
    pub uri: &'a str,
    /// Body, for `auth-int`.
    pub body: &'a [u8],
    /// Its Authorization (or Proxy-Authorization) headers.
    pub credentials: &'a [AuthHeader],
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user is who it says. Whether it may do what it asks (its own address of record?) is the caller's question.
    Accepted {
        /// User name.
        user: String,
    },
    /// No credentials for this realm: challenge.
    Missing,
    /// The password is right, the nonce is too old, of an earlier start of ours, or was used with this count:
    /// challenge with `stale=true`, so that the phone answers without asking anybody.
    Stale,
    /// Unknown user, wrong password or wrong target: challenge again, or 403; the same for all three.
    Refused,
    /// Not a digest that can be read: 400.
    Malformed(&'static str),
}

/// The guard of one realm.
pub struct Guard {
    settings: Settings,
    key: Key,
    windows: Windows,
    /// Stands in for the account of an unknown user, so that the work is the same.
    nobody: Credentials,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Guard {
    /// Makes a guard; `key` is 32 random bytes of this start of the process.
    pub fn new(settings: Settings, key: &[u8; 32]) -> Guard {
        let windows = Windows::new(settings.windows);
        Guard { key: Key::new(key), windows, settings, nobody: Credentials::from_password("", "", "") }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.settings.realm
    }

    /// Nonces that are remembered at the moment; a metric.
    pub fn remembered(&self) -> usize {
        self.windows.len()
    }

    /// The challenges of a 401 or 407, one header each, in this order. All bear one nonce.
    pub fn challenge(&self, now: Now, random: [u8; 8], stale: bool) -> Vec<AuthHeader> {
        let nonce = self.key.nonce(now.mono, random);
        let qop = if self.settings.offers_auth_int { "auth,auth-int" } else { "auth" };
        let one = |algorithm: &Algorithm| {
            let header = AuthHeader::new("Digest").quoted("realm", &self.settings.realm).quoted("nonce", &nonce);
            let header = if stale { header.token("stale", "true") } else { header };
            header.token("algorithm", algorithm.name()).quoted("qop", qop)
        };
        self.settings.algorithms.iter().map(one).collect()
    }

    /// Checks a request. `account` gives what is stored of a user.
    pub fn check<'c>(
        &mut self,
        now: Now,
        request: &Request<'_>,
        account: impl FnOnce(&str) -> Option<&'c Credentials>,
    ) -> Verdict {
        self.windows.forget_older_than(now.mono, self.settings.nonce_life);
        let Some(header) = self.ours(request.credentials) else { return Verdict::Missing };
        let claim = match Claim::read(header) {
            Ok(claim) => claim,
            Err(why) => return Verdict::Malformed(why),
        };
        let stored = account(claim.user);
        let known = stored.and_then(|c| c.ha1(claim.algorithm));
        let ha1 = known.or_else(|| self.nobody.ha1(claim.algorithm));
        let Some(ha1) = ha1 else { return Verdict::Malformed("this algorithm was not offered") };
        let is_right = self.is_response(request, &claim, &ha1);
        if !is_right || known.is_none() || !is_same_target(claim.uri, request.uri) {
            return Verdict::Refused;
        }
        match self.key.open(claim.nonce) {
            Some(id) if self.is_young(now.mono, made_at(&id)) && self.windows.take(id, claim.count) => {
                Verdict::Accepted { user: claim.user.to_owned() }
            }
            Some(_) | None => Verdict::Stale,
        }
    }

    /// The credentials for this realm, the strongest of them.
    fn ours<'a>(&self, headers: &'a [AuthHeader]) -> Option<&'a AuthHeader> {
        let strength = |h: &&AuthHeader| h.get("algorithm").and_then(Algorithm::parse);
        let ours = headers.iter().filter(|h| is_of_realm(h, &self.settings.realm));
        ours.take(MAX_HEADERS).max_by_key(strength)
    }

    fn is_response(&self, request: &Request<'_>, claim: &Claim<'_>, ha1: &Hex) -> bool {
        let right = claim.response_of(request, ha1);
        self.key.same(right.bytes(), claim.response.to_ascii_lowercase().as_bytes())
    }

    fn is_young(&self, now: Mono, made: Mono) -> bool {
        made <= now && now.since(made) <= self.settings.nonce_life
    }
}

/// Whether a credentials header is for this realm's digest.
pub(super) fn is_of_realm(header: &AuthHeader, realm: &str) -> bool {
    header.scheme.eq_ignore_ascii_case("Digest") && header.get("realm") == Some(realm)
}

/// The fields of a credentials header.
pub(super) struct Claim<'a> {
    pub(super) user: &'a str,
    nonce: &'a str,
    uri: &'a str,
    pub(super) response: &'a str,
    pub(super) algorithm: Algorithm,
    qop: Qop,
    nc: &'a str,
    count: Option<u32>,
    cnonce: &'a str,
}

impl<'a> Claim<'a> {
    pub(super) fn read(header: &'a AuthHeader) -> Result<Claim<'a>, &'static str> {
        let field = |name: &str, missing: &'static str| header.get(name).ok_or(missing).and_then(bounded);
        let algorithm = match header.get("algorithm").map(Algorithm::parse) {
            None => Algorithm::Md5,
            Some(Some((algorithm, false))) => algorithm,
            Some(Some((_, true)) | None) => return Err("this algorithm was not offered"),
        };
        let qop = match header.get("qop") {
            None => Qop::None,
            Some(q) if q.eq_ignore_ascii_case("auth") => Qop::Auth,
            Some(q) if q.eq_ignore_ascii_case("auth-int") => Qop::AuthInt,
            Some(_) => return Err("this qop was not offered"),
        };
        let (nc, cnonce) = match qop {
            Qop::None => ("", ""),
            Qop::Auth | Qop::AuthInt => (field("nc", "nc is missing")?, field("cnonce", "cnonce is missing")?),
        };
        Ok(Claim {
            user: field("username", "username is missing")?,
            nonce: field("nonce", "nonce is missing")?,
            uri: field("uri", "uri is missing")?,
            response: field("response", "response is missing")?,
            algorithm,
            count: if qop == Qop::None { None } else { Some(count(nc)?) },
            qop,
            nc,
            cnonce,
        })
    }

    /// The response that would be right for it.
    pub(super) fn response_of(&self, request: &Request<'_>, ha1: &Hex) -> Hex {
        let sum = Sum {
            algorithm: self.algorithm,
            method: request.method,
            uri: self.uri,
            body: request.body,
            nonce: self.nonce,
            nc: self.nc,
            cnonce: self.cnonce,
            qop: self.qop,
        };
        sum.response(ha1)
    }
}

fn bounded(text: &str) -> Result<&str, &'static str> {
    if text.len() <= MAX_FIELD_BYTES { Ok(text) } else { Err("a digest field is too long") }
}

/// Reads a nonce count: hexadecimal, at most 32 bits.
fn count(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() || text.len() > 8 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("nc is not 8 hexadecimal digits");
    }
    u32::from_str_radix(text, 16).map_err(|_| "nc is not 8 hexadecimal digits")
}

/// Whether the digest's `uri` names the target of the request. Parameters and ports are left out: phones write them in one
/// place and not in the other, and proxies add them on the way (RFC 3261 22.4 7 asks for equivalence only).
fn is_same_target(claimed: &str, requested: &str) -> bool {
    if claimed == requested {
        return true;
    }
    let (Ok(a), Ok(b)) = (Uri::parse(claimed), Uri::parse(requested)) else { return false };
    a.user() == b.user() && a.host().eq_ignore_ascii_case(b.host())
}
