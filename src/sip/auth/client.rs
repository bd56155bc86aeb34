//! The client side: answers the challenges of a carrier (RFC 7616 3.4, RFC 3261 22.2-22.3, RFC 8760 2.5).
//!
//! One client an account and chain of requests. It counts each nonce and notices a password that is refused.

use std::fmt;

use super::digest::{Algorithm, Credentials, Hex, Qop, Sum, hash};
use crate::sip::message::AuthHeader;

/// Realms that one chain of requests answers for: the server and the proxies before it.
const MAX_REALMS: usize = 4;
/// Challenges in a row that are answered before a success, counting those that say `stale=true`.
const MAX_STALE: u8 = 3;

/// Who asks: it decides the header of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server itself: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy on the way: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Side {
    /// Name of the header that answers.
    pub fn header(self) -> &'static str {
        match self {
            Side::Server => "Authorization",
            Side::Proxy => "Proxy-Authorization",
        }
    }
}

/// What proves the account. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password: answers each realm and algorithm.
    Password(String),
    /// HA1 of the one realm it was made for.
    Ha1(Credentials),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Our answer was refused: user or password is wrong there.
    #[error("the far end refuses this user and password")]
    Rejected,
    /// No challenge has an algorithm and qop that we (and the form of the secret) can answer.
    #[error("no challenge can be answered: unknown scheme, algorithm or qop")]
    Unsupported,
    /// More realms than any sound chain of proxies has.
    #[error("too many realms ask for credentials")]
    TooManyRealms,
}

#[derive(Clone, Debug)]
struct Session {
    side: Side,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    names_algorithm: bool,
    is_session: bool,
    /// The first cnonce after the challenge; it stays in HA1 of the `-sess` algorithms (RFC 7616 3.4.2).
    first_cnonce: Option<String>,
    hashes_user: bool,
    qop: Qop,
    nc: u32,
    /// Challenges of this realm since it last accepted us.
    challenges: u8,
}

/// Answers challenges for one account.
#[derive(Clone, Debug)]
pub struct Client {
    user: String,
    secret: Secret,
    sessions: Vec<Session>,
}

impl Client {
    /// A client that has not been challenged yet.
    pub fn new(user: &str, secret: Secret) -> Client {
        Client { user: user.to_owned(), secret, sessions: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407; afterwards [`Client::authorize`] gives the answer.
    ///
    /// # Errors
    /// [`ClientError`]: give up, the reason is for the log and the trunk's state.
    pub fn challenged(&mut self, side: Side, headers: &[AuthHeader]) -> Result<(), ClientError> {
        let mut offers: Vec<(Session, bool)> = headers.iter().filter_map(|h| self.read(side, h)).collect();
        // Strongest first; of equals the one that stood first (the sort is stable).
        offers.sort_by_key(|(session, _)| std::cmp::Reverse(session.algorithm));
        let mut realms: Vec<String> = Vec::new();
        for (session, stale) in offers {
            if !realms.contains(&session.realm) {
                realms.push(session.realm.clone());
                self.adopt(session, stale)?;
            }
        }
        if realms.is_empty() { Err(ClientError::Unsupported) } else { Ok(()) }
    }

    /// The headers that prove this account in the next request: name and value. Each call counts each nonce up; a
    /// retransmission repeats the old bytes and does not ask again. `cnonce` is random.
    pub fn authorize(
        &mut self,
        method: &str,
        uri: &str,
        body: &[u8],
        cnonce: [u8; 8],
    ) -> Vec<(&'static str, AuthHeader)> {
        let cnonce = Hex::of(&cnonce);
        let (user, secret) = (&self.user, &self.secret);
        let answer = |s: &mut Session| s.answer(user, secret, (method, uri, body), cnonce.as_str());
        self.sessions.iter_mut().filter_map(answer).collect()
    }

    /// A request was accepted (2xx, or any answer but a challenge): the password is right, later challenges only renew the nonce.
    pub fn accepted(&mut self) {
        self.sessions.iter_mut().for_each(|s| s.challenges = 0);
    }

    /// Forgets all challenges: the next one is answered as if it were the first.
    pub fn forget(&mut self) {
        self.sessions.clear();
    }

    /// Whether a challenge is known, so that the next request can carry credentials at once.
    pub fn is_armed(&self) -> bool {
        !self.sessions.is_empty()
    }

    fn adopt(&mut self, mut session: Session, stale: bool) -> Result<(), ClientError> {
        let old = self.sessions.iter_mut().find(|s| s.side == session.side && s.realm == session.realm);
        let Some(old) = old else {
            if self.sessions.len() >= MAX_REALMS {
                return Err(ClientError::TooManyRealms);
            }
            self.sessions.push(session);
            return Ok(());
        };
        let was_answered = old.challenges > 0 && old.nc > 0;
        if was_answered && (!stale || old.challenges >= MAX_STALE) {
            return Err(ClientError::Rejected);
        }
        session.challenges = old.challenges.saturating_add(1);
        *old = session;
        Ok(())
    }

    /// Reads one challenge; `None` when it cannot be answered. The flag is `stale`.
    fn read(&self, side: Side, header: &AuthHeader) -> Option<(Session, bool)> {
        if !header.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let (algorithm, is_session) = match header.get("algorithm") {
            None => (Algorithm::Md5, false),
            Some(name) => Algorithm::parse(name)?,
        };
        if let Secret::Ha1(credentials) = &self.secret {
            credentials.ha1(algorithm)?;
        }
        let qop = match header.get("qop") {
            None => Qop::None,
            Some(list) => best_qop(list)?,
        };
        let is_true = |name: &str| header.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let session = Session {
            side,
            realm: header.get("realm")?.to_owned(),
            nonce: header.get("nonce")?.to_owned(),
            opaque: header.get("opaque").map(str::to_owned),
            algorithm,
            names_algorithm: header.get("algorithm").is_some(),
            is_session,
            first_cnonce: None,
            hashes_user: is_true("userhash"),
            qop,
            nc: 0,
            challenges: 1,
        };
        Some((session, is_true("stale")))
    }
}

/// The qop that we choose of a list: `auth` where it is offered, since bodies are rewritten by many border elements.
fn best_qop(list: &str) -> Option<Qop> {
    let has = |name: &str| list.split(',').any(|q| q.trim().eq_ignore_ascii_case(name));
    if has("auth") {
        Some(Qop::Auth)
    } else if has("auth-int") {
        Some(Qop::AuthInt)
    } else {
        None
    }
}

impl Session {
    fn answer(
        &mut self,
        user: &str,
        secret: &Secret,
        (method, uri, body): (&str, &str, &[u8]),
        cnonce: &str,
    ) -> Option<(&'static str, AuthHeader)> {
        let ha1 = self.ha1(user, secret, cnonce)?;
        self.nc = self.nc.wrapping_add(1).max(1);
        let nc = format!("{:08x}", self.nc);
        let sum =
            Sum { algorithm: self.algorithm, method, uri, body, nonce: &self.nonce, nc: &nc, cnonce, qop: self.qop };
        let response = sum.response(&ha1);
        let hashed = hash(self.algorithm, &[user.as_bytes(), self.realm.as_bytes()]);
        let shown = if self.hashes_user { hashed.as_str() } else { user };
        let mut header = AuthHeader::new("Digest")
            .quoted("username", shown)
            .quoted("realm", &self.realm)
            .quoted("nonce", &self.nonce)
            .quoted("uri", uri)
            .quoted("response", response.as_str());
        if self.names_algorithm {
            let suffix = if self.is_session { "-sess" } else { "" };
            header = header.token("algorithm", &format!("{}{suffix}", self.algorithm));
        }
        header = match self.qop {
            Qop::None if self.is_session => header.quoted("cnonce", cnonce),
            Qop::None => header,
            Qop::Auth => header.token("qop", "auth").token("nc", &nc).quoted("cnonce", cnonce),
            Qop::AuthInt => header.token("qop", "auth-int").token("nc", &nc).quoted("cnonce", cnonce),
        };
        if let Some(opaque) = &self.opaque {
            header = header.quoted("opaque", opaque);
        }
        if self.hashes_user {
            header = header.token("userhash", "true");
        }
        Some((self.side.header(), header))
    }

    fn ha1(&mut self, user: &str, secret: &Secret, cnonce: &str) -> Option<Hex> {
        let base = match secret {
            Secret::Password(password) => {
                hash(self.algorithm, &[user.as_bytes(), self.realm.as_bytes(), password.as_bytes()])
            }
            Secret::Ha1(credentials) => credentials.ha1(self.algorithm)?,
        };
        if !self.is_session {
            return Some(base);
        }
        let first = self.first_cnonce.get_or_insert_with(|| cnonce.to_owned());
        Some(hash(self.algorithm, &[base.bytes(), self.nonce.as_bytes(), first.as_bytes()]))
    }
}
