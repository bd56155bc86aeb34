//! Who asks: the session behind a cookie or a bearer token, with its sliding and its absolute end.
//!
//! A token is 32 random bytes and exists only at its holder; the database has its SHA-256. Sessions that were just looked up
//! are remembered for seconds, and for longer while the database is away, so that agents go on working without it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use tokio::time::Instant;

use super::error::ApiError;
use super::{Shared, clock};
use crate::store::accounts::{Account, SessionRecord};

/// Name of the cookie.
pub(super) const COOKIE: &str = "yihao_session";
/// A session that nobody uses ends.
pub(super) const IDLE_MS: i64 = 60 * 60 * 1000;
/// Every session of a person ends: a shift with its overtime.
pub(super) const LONGEST_MS: i64 = 14 * 60 * 60 * 1000;
/// Use is written down this often, so that a request is no write.
const TOUCH_MS: i64 = 60 * 1000;
/// A session that was looked up counts for so long. Changes made through this process count at once.
const FRESH: Duration = Duration::from_secs(5);
/// While the database does not answer, for so long.
const STALE: Duration = Duration::from_secs(30 * 60);
/// Sessions that are remembered.
const REMEMBERED: usize = 10_000;
/// Sessions of one account; the oldest ends when one more begins.
pub(super) const PER_ACCOUNT: u32 = 16;

/// A session that is in use.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Whose.
    pub(super) account: Arc<Account>,
    /// Its record.
    pub(super) record: SessionRecord,
    /// Where the request came from.
    pub(super) address: IpAddr,
}

/// Sessions that were looked up lately.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<BTreeMap<String, Found>>);

/// When it was looked up, whose it is, and its record.
type Found = (Instant, Arc<Account>, SessionRecord);

impl Remembered {
    fn find(&self, digest: &str, within: Duration) -> Option<(Arc<Account>, SessionRecord)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, account, record) = all.get(digest)?;
        (at.elapsed() < within).then(|| (Arc::clone(account), record.clone()))
    }

    fn keep(&self, account: &Arc<Account>, record: &SessionRecord) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(record.digest.clone(), (Instant::now(), Arc::clone(account), record.clone()));
    }

    /// Forgets all, because an account or a session has changed.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Where a request came from; the accept loop puts it beside each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The asker's address: that of the connection, or what our own proxy says.
pub(super) fn address(headers: &HeaderMap, peer: IpAddr, behind_proxy: bool) -> IpAddr {
    let forwarded = || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let said = if behind_proxy { forwarded().and_then(|a| a.trim().parse().ok()) } else { None };
    said.unwrap_or(peer)
}

/// The token of a request, and whether a cookie brought it.
fn token(headers: &HeaderMap) -> Option<(&str, bool)> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then_some((token.trim(), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| *name == COOKIE).map(|(_, token)| (token, true))
}

/// A browser sends cookies by itself, so what changes something must come from our own page. `SameSite=Strict` says so to the
/// browser; this checks it (OWASP CSRF Prevention Cheat Sheet, "Verifying Origin").
pub(super) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, o)| o.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
        (None, _) => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
    }
}

/// SHA-256 of a token, in hexadecimal: what the database knows.
pub(super) fn digest(token: &str) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref())
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]).map(char::from).collect()
}

/// Whether a session has ended by its own.
fn is_over(record: &SessionRecord, now: i64) -> bool {
    now >= record.ends_at || (!record.is_local && now >= record.used_at + IDLE_MS)
}

/// Looks again at a session that is in use.
pub(super) async fn again(shared: &Shared, session: &Session) -> Result<Session, ApiError> {
    find(shared, session.record.digest.clone(), session.address).await
}

/// Finds the session of a token's digest.
async fn find(shared: &Shared, digest: String, address: IpAddr) -> Result<Session, ApiError> {
    let now = clock::wall_ms();
    let found = match shared.sessions.find(&digest, FRESH) {
        Some(found) => Some(found),
        None => look_up(shared, &digest).await?,
    };
    let (account, mut record) = found.ok_or(ApiError::NotAuthenticated)?;
    if account.disabled || is_over(&record, now) {
        return Err(ApiError::NotAuthenticated);
    }
    if now >= record.used_at + TOUCH_MS {
        record.used_at = now;
        shared.sessions.keep(&account, &record);
        if let Err(error) = shared.store.touch_session(&digest, now).await {
            tracing::warn!(%error, "the use of a session could not be written down");
        }
    }
    Ok(Session { account, record, address })
}

async fn look_up(shared: &Shared, digest: &str) -> Result<Option<(Arc<Account>, SessionRecord)>, ApiError> {
    match shared.store.session(digest).await {
        Ok(Some((account, record))) => {
            let account = Arc::new(account);
            shared.sessions.keep(&account, &record);
            Ok(Some((account, record)))
        }
        Ok(None) => Ok(None),
        Err(error) => shared.sessions.find(digest, STALE).map(Some).ok_or_else(|| error.into()),
    }
}

impl FromRequestParts<Shared> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let (token, by_cookie) = token(&parts.headers).ok_or(ApiError::NotAuthenticated)?;
        let only_reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
            && !parts.headers.contains_key(header::UPGRADE);
        if by_cookie && !only_reads && !same_origin(&parts.headers) {
            return Err(ApiError::CrossSite);
        }
        let peer = parts.extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
        find(shared, digest(token), address(&parts.headers, peer, shared.config.behind_proxy)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (header::HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_our_cookie() {
        assert_eq!(token(&headers(&[("authorization", "bearer  abc ")])), Some(("abc", false)));
        assert_eq!(token(&headers(&[("authorization", "Basic abc"), ("cookie", "yihao_session=x")])), None);
        assert_eq!(token(&headers(&[("cookie", "a=b; yihao_session=abc; c=d")])), Some(("abc", true)));
        assert_eq!(token(&headers(&[("cookie", "xyihao_session=abc")])), None);
    }

    #[test]
    fn only_our_own_page_is_of_the_same_origin() {
        let ours = [("host", "hotline.example:8443"), ("origin", "https://hotline.example:8443")];
        assert!(same_origin(&headers(&ours)));
        for origin in ["https://evil.example", "https://hotline.example:8443.evil.example", "null", ""] {
            assert!(!same_origin(&headers(&[ours[0], ("origin", origin)])), "{origin}");
        }
        assert!(same_origin(&headers(&[ours[0], ("sec-fetch-site", "same-origin")])));
        assert!(!same_origin(&headers(&[ours[0], ("sec-fetch-site", "same-site")])));
        assert!(!same_origin(&headers(&[ours[0]])), "a browser says where it comes from");
    }

    #[test]
    fn the_address_of_the_asker_is_our_proxys_word_only_when_there_is_one() {
        let peer = IpAddr::from([127, 0, 0, 1]);
        let said = headers(&[("x-forwarded-for", "198.51.100.7, 192.0.2.3")]);
        assert_eq!(address(&said, peer, false), peer);
        assert_eq!(
            address(&said, peer, true),
            IpAddr::from([192, 0, 2, 3]),
            "what the caller wrote itself is no proof"
        );
        assert_eq!(address(&headers(&[("x-forwarded-for", "nonsense")]), peer, true), peer);
    }
}
