//! `/api/v1/sign-in`, `/sign-out`, `/me`: who one is, the own password, the confidentiality agreement.

use std::net::IpAddr;
use std::sync::PoisonError;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note, note_stranger};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::lockout::Counted;
use super::password::{self, Weak};
use super::session::{self, COOKIE, LONGEST_MS, PER_ACCOUNT, Peer, Session};
use super::{Shared, clock};
use crate::store::accounts::{Account, SessionRecord};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(change_password))
        .routes(routes!(sign_confidentiality))
}

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "wangfang", "password": "four words of your own"}))]
struct SignIn {
    /// Name of the account, whatever its case.
    login: String,
    /// Its password.
    password: String,
    /// How the session is kept.
    #[serde(default)]
    keep: Keep,
}

/// How a session is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Keep {
    /// The answer holds a token, to be sent as `Authorization: Bearer`. For programs.
    #[default]
    Token,
    /// The answer sets a cookie that scripts cannot read. For browsers.
    Cookie,
}

/// A session has begun.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// The token, when it was asked for. It cannot be had again.
    token: Option<String>,
    /// When the session ends even in use, milliseconds since 1970; unused it ends after an hour.
    ends_at: i64,
    /// Whose it is.
    account: Account,
}

/// Begins a session. Unknown names and wrong passwords get the same answer after the same time; who guesses must wait.
#[utoipa::path(post, path = "/sign-in", tag = "me", request_body = SignIn, security(()),
    responses((status = 200, body = SignedIn), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn sign_in(
    State(shared): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Body(body): Body<SignIn>,
) -> Result<Response, ApiError> {
    // A page of another site must not sign its reader in as somebody else either.
    if body.keep == Keep::Cookie && headers.contains_key(header::ORIGIN) && !session::same_origin(&headers) {
        return Err(ApiError::CrossSite);
    }
    let address = session::address(&headers, peer, shared.config.behind_proxy);
    let account = authenticate(&shared, &body.login, &body.password, address).await?;
    let (token, record) = begin(&shared, &account, address).await?;
    let who = Session { account: account.clone().into(), record: record.clone(), address };
    note(&shared, &who, Action::SignedIn, &account.id, json!({"by_cookie": body.keep == Keep::Cookie})).await?;
    let (token, cookie) = match body.keep {
        Keep::Token => (Some(token), None),
        Keep::Cookie => (None, Some(cookie(&shared, &token, LONGEST_MS / 1000))),
    };
    let headers = AppendHeaders(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((headers, Json(SignedIn { token, ends_at: record.ends_at, account })).into_response())
}

/// The account of a right name and password.
async fn authenticate(shared: &Shared, login: &str, password: &str, address: IpAddr) -> Result<Account, ApiError> {
    if let Some(wait) = shared.lockout().wait(shared.uptime(), login, address) {
        return Err(ApiError::LockedOut(wait));
    }
    let known = if login.contains('\0') { None } else { shared.store.account_of(login).await? };
    let (account, hash) = known.map_or((None, None), |(account, hash)| (Some(account), hash));
    let is_right = password::verify(password, hash.as_deref()).await?;
    match account.filter(|a| is_right && !a.disabled) {
        Some(account) => {
            shared.lockout().succeeded(login);
            Ok(account)
        }
        None => {
            let counted = shared.lockout().failed(shared.uptime(), login, address);
            let action = if counted == Counted::Locked { Action::LockedOut } else { Action::SignInFailed };
            note_stranger(shared, login, address, action).await?;
            Err(ApiError::WrongCredentials)
        }
    }
}

async fn begin(shared: &Shared, account: &Account, address: IpAddr) -> Result<(String, SessionRecord), ApiError> {
    let token = session::hex(&rand::random::<[u8; 32]>());
    let now = clock::wall_ms();
    let record = SessionRecord {
        digest: session::digest(&token),
        account: account.id.clone(),
        is_local: false,
        address: address.to_string(),
        created_at: now,
        used_at: now,
        ends_at: now + LONGEST_MS,
    };
    shared.store.begin_session(&record, PER_ACCOUNT).await?;
    // A session that was pushed out by this one ends now.
    shared.sessions.forget();
    shared.store.delete_old_sessions(now, now - session::IDLE_MS).await?;
    Ok((token, record))
}

fn cookie(shared: &Shared, token: &str, seconds: i64) -> String {
    let secure = if shared.config.tls.is_some() || shared.config.behind_proxy { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// Ends the session.
#[utoipa::path(post, path = "/sign-out", tag = "me",
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn sign_out(State(shared): State<Shared>, who: Session) -> Result<Response, ApiError> {
    note(&shared, &who, Action::SignedOut, &who.account.id, json!({})).await?;
    shared.store.end_session(&who.record.digest).await?;
    shared.sessions.forget();
    let gone = AppendHeaders([(header::SET_COOKIE, cookie(&shared, "", 0))]);
    Ok((StatusCode::NO_CONTENT, gone).into_response())
}

/// Whoever asks.
#[derive(Serialize, ToSchema)]
struct Me {
    /// The account.
    account: Account,
    /// When the session ends even in use, milliseconds since 1970.
    ends_at: i64,
}

/// The own account.
#[utoipa::path(get, path = "/me", tag = "me",
    responses((status = 200, body = Me), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn me(who: Session) -> Json<Me> {
    Json(Me { account: (*who.account).clone(), ends_at: who.record.ends_at })
}

/// The old password and a new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"old": "shown-once-abcde-fghjk", "new": "four words of your own"}))]
struct Passwords {
    /// The one that counts now.
    old: String,
    /// At least 10 characters, not too simple, without the login.
    new: String,
}

/// Changes the own password and ends all other sessions of the account.
#[utoipa::path(put, path = "/me/password", tag = "me", request_body = Passwords,
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn change_password(
    State(shared): State<Shared>,
    who: Session,
    Body(body): Body<Passwords>,
) -> Result<StatusCode, ApiError> {
    let account = authenticate(&shared, &who.account.login, &body.old, who.address).await?;
    if body.old == body.new {
        return Err(ApiError::WeakPassword(Weak::Same));
    }
    password::strength(&body.new, &account.login).map_err(ApiError::WeakPassword)?;
    let hash = password::hash(&body.new).await?;
    note(&shared, &who, Action::PasswordChanged, &account.id, json!({})).await?;
    shared.store.set_password(&account.id, &hash, false, clock::wall_ms()).await?;
    shared.store.end_sessions(&account.id, &who.record.digest).await?;
    shared.sessions.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Notes that the person has signed the confidentiality agreement today; before that no citizen's data are shown.
#[utoipa::path(post, path = "/me/confidentiality", tag = "me",
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn sign_confidentiality(State(shared): State<Shared>, who: Session) -> Result<StatusCode, ApiError> {
    if who.account.must_change {
        return Err(ApiError::PasswordMustChange);
    }
    let mut account = shared.store.account(&who.account.id).await?.ok_or(ApiError::NotAuthenticated)?;
    if account.confidential_at.is_none() {
        note(&shared, &who, Action::ConfidentialitySigned, &account.id, json!({})).await?;
        let now = clock::wall_ms();
        (account.confidential_at, account.changed_at) = (Some(now), now);
        shared.store.update_account(&account).await?;
        shared.sessions.forget();
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Shared {
    fn lockout(&self) -> std::sync::MutexGuard<'_, super::lockout::Lockout> {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
