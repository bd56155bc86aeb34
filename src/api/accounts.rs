//! `/api/v1/accounts`: who may do what. For administrators.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, Params, plain};
use super::local::LOCAL;
use super::rights::{ManageAccounts, May};
use super::session;
use super::{Shared, clock, password};
use crate::store::accounts::{Account, LEVELS, Role, Unique};

/// Accounts of a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (100, 500);
/// Longest login, name, skill or queue in characters.
const LONGEST: usize = 64;
/// Most skills and queues of an account.
const MOST: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, change))
        .routes(routes!(reset_password))
        .routes(routes!(end_sessions))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// `next` of the page before.
    after: Option<String>,
    /// Most accounts.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
struct AccountPage {
    /// In the order of their logins.
    accounts: Vec<Account>,
    /// `after` of the next page; nothing on the last.
    next: Option<String>,
}

/// What an administrator says about an account.
#[derive(Deserialize, ToSchema)]
struct Profile {
    /// Name of the person.
    #[schema(example = "王芳")]
    name: String,
    /// At least one.
    roles: BTreeSet<Role>,
    /// Agent number.
    #[serde(default)]
    #[schema(example = 1027)]
    number: Option<u32>,
    /// The seat that the person usually takes.
    #[serde(default)]
    #[schema(example = 8001)]
    seat: Option<u32>,
    /// Skills with their levels, 1 to 9.
    #[serde(default)]
    #[schema(example = json!({"general": 5}))]
    skills: BTreeMap<String, u8>,
    /// Queues, first ones first; empty: those of the skills.
    #[serde(default)]
    queues: Vec<String>,
    /// When the confidentiality agreement was signed on paper, milliseconds since 1970.
    #[serde(default)]
    confidential_at: Option<i64>,
    /// Whether nobody may sign in with it.
    #[serde(default)]
    disabled: bool,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
struct NewAccount {
    /// Name to sign in with: letters, digits, `.`, `-`, `_`.
    #[schema(example = "wangfang")]
    login: String,
    /// What it holds.
    #[serde(flatten)]
    profile: Profile,
}

/// An account with a password that is shown this once and must be changed at the first sign-in.
#[derive(Serialize, ToSchema)]
struct Made {
    /// The account.
    account: Account,
    /// Its one-time password.
    #[schema(example = "k3vqm-7hd2w-ynx4p-ab9ce")]
    password: String,
}

/// A password that is shown this once.
#[derive(Serialize, ToSchema)]
struct OneTime {
    /// To be changed at the next sign-in.
    #[schema(example = "k3vqm-7hd2w-ynx4p-ab9ce")]
    password: String,
}

/// All accounts.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(Question),
    responses((status = 200, body = AccountPage), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    _: May<ManageAccounts>,
    Params(question): Params<Question>,
) -> Result<Json<AccountPage>, ApiError> {
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let after = question.after.unwrap_or_default();
    if !after.is_empty() {
        plain("after", &after, LONGEST)?;
    }
    let accounts = shared.store.accounts(&after, limit).await?;
    let next = accounts.last().filter(|_| accounts.len() == limit as usize).map(|a| a.login.clone());
    Ok(Json(AccountPage { accounts, next }))
}

/// A new account, with a one-time password.
#[utoipa::path(post, path = "/accounts", tag = "accounts", request_body = NewAccount,
    responses((status = 201, body = Made), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn create(
    State(shared): State<Shared>,
    who: May<ManageAccounts>,
    Body(body): Body<NewAccount>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if body.login.is_empty() || body.login.chars().count() > LONGEST || !body.login.chars().all(allowed) {
        return Err(ApiError::BadRequest(format!("login: 1 to {LONGEST} letters, digits, '.', '-' or '_'")));
    }
    let now = clock::wall_ms();
    let fresh = Account {
        id: session::hex(&rand::random::<[u8; 8]>()),
        login: body.login,
        name: String::new(),
        roles: BTreeSet::new(),
        number: None,
        seat: None,
        skills: BTreeMap::new(),
        queues: Vec::new(),
        must_change: true,
        confidential_at: None,
        disabled: false,
        created_at: now,
        changed_at: now,
    };
    let account = filled(fresh, body.profile, now)?;
    let password = password::one_time(rand::random());
    let hash = password::hash(&password).await?;
    if shared.store.account_of(&account.login).await?.is_some() {
        return Err(ApiError::Taken(Unique::Login));
    }
    note(&shared, &who.session, Action::AccountCreated, &account.id, summary(&account)).await?;
    shared.store.insert_account(&account, Some(&hash)).await?;
    Ok((StatusCode::CREATED, Json(Made { account, password })))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", tag = "accounts", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Account), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn one(
    State(shared): State<Shared>,
    _: May<ManageAccounts>,
    Path(id): Path<String>,
) -> Result<Json<Account>, ApiError> {
    Ok(Json(find(&shared, &id).await?))
}

/// Changes an account; it counts at once, in open sessions too.
#[utoipa::path(put, path = "/accounts/{id}", tag = "accounts", request_body = Profile,
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Account), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn change(
    State(shared): State<Shared>,
    who: May<ManageAccounts>,
    Path(id): Path<String>,
    Body(profile): Body<Profile>,
) -> Result<Json<Account>, ApiError> {
    let before = find_changeable(&shared, &id).await?;
    let account = filled(before.clone(), profile, clock::wall_ms())?;
    if administers(&before) && !administers(&account) {
        keep_one_administrator(&shared, &id).await?;
    }
    note(&shared, &who.session, Action::AccountChanged, &id, summary(&account)).await?;
    shared.store.update_account(&account).await?;
    if account.disabled {
        shared.store.end_sessions(&id, "").await?;
    }
    shared.sessions.forget();
    Ok(Json(account))
}

/// Gives an account a new one-time password and ends its sessions.
#[utoipa::path(post, path = "/accounts/{id}/password", tag = "accounts",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = OneTime), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn reset_password(
    State(shared): State<Shared>,
    who: May<ManageAccounts>,
    Path(id): Path<String>,
) -> Result<Json<OneTime>, ApiError> {
    find_changeable(&shared, &id).await?;
    let password = password::one_time(rand::random());
    let hash = password::hash(&password).await?;
    note(&shared, &who.session, Action::PasswordReset, &id, json!({})).await?;
    shared.store.set_password(&id, &hash, true, clock::wall_ms()).await?;
    shared.store.end_sessions(&id, "").await?;
    shared.sessions.forget();
    Ok(Json(OneTime { password }))
}

/// Ends all sessions of an account.
#[utoipa::path(delete, path = "/accounts/{id}/sessions", tag = "accounts",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn end_sessions(
    State(shared): State<Shared>,
    who: May<ManageAccounts>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    find_changeable(&shared, &id).await?;
    note(&shared, &who.session, Action::SessionsEnded, &id, json!({})).await?;
    shared.store.end_sessions(&id, "").await?;
    shared.sessions.forget();
    Ok(StatusCode::NO_CONTENT)
}

async fn find(shared: &Shared, id: &str) -> Result<Account, ApiError> {
    if id.contains('\0') {
        return Err(ApiError::NoSuchAccount);
    }
    shared.store.account(id).await?.ok_or(ApiError::NoSuchAccount)
}

/// The account of the token file belongs to the machine, not to an administrator.
async fn find_changeable(shared: &Shared, id: &str) -> Result<Account, ApiError> {
    if id == LOCAL { Err(ApiError::NoSuchAccount) } else { find(shared, id).await }
}

fn filled(account: Account, profile: Profile, now: i64) -> Result<Account, ApiError> {
    let Profile { name, roles, number, seat, skills, queues, confidential_at, disabled } = profile;
    plain("name", &name, LONGEST)?;
    if roles.is_empty() {
        return Err(ApiError::BadRequest("roles: at least one".to_owned()));
    }
    if skills.len() > MOST || queues.len() > MOST {
        return Err(ApiError::BadRequest(format!("at most {MOST} skills and {MOST} queues")));
    }
    for word in skills.keys().chain(&queues) {
        plain("a skill or queue", word, LONGEST)?;
    }
    if skills.values().any(|level| !LEVELS.contains(level)) {
        return Err(ApiError::BadRequest("the level of a skill is 1 to 9".to_owned()));
    }
    Ok(Account { name, roles, number, seat, skills, queues, confidential_at, disabled, changed_at: now, ..account })
}

fn administers(account: &Account) -> bool {
    account.roles.contains(&Role::Administrator) && !account.disabled
}

async fn keep_one_administrator(shared: &Shared, but: &str) -> Result<(), ApiError> {
    let mut after = String::new();
    loop {
        let page = shared.store.accounts(&after, PAGE.1).await?;
        if page.iter().any(|a| a.id != but && a.id != LOCAL && administers(a)) {
            return Ok(());
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE.1 as usize) else {
            return Err(ApiError::LastAdministrator);
        };
        after.clone_from(&last.login);
    }
}

fn summary(account: &Account) -> serde_json::Value {
    let roles: Vec<&str> = account.roles.iter().map(|r| r.as_str()).collect();
    json!({"login": account.login, "roles": roles, "seat": account.seat, "number": account.number,
        "disabled": account.disabled, "confidential_at": account.confidential_at})
}
