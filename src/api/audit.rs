//! The audit: what handlers write into it, and `/api/v1/audit` for those who check.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, ErrorBody};
use super::extract::Params;
use super::rights::{May, SeeAudit};
use super::session::Session;
use super::{Shared, clock};
use crate::store::audit::{Entry, Filter, NewEntry, Verdict};

/// Entries of a page, unless the request says otherwise, and at most.
const PAGE: (u32, u32) = (100, 1_000);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(verify))
}

/// What was done. The words stand in the audit for ever: none is ever renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    SignedIn,
    SignInFailed,
    LockedOut,
    SignedOut,
    PasswordChanged,
    ConfidentialitySigned,
    AccountCreated,
    AccountChanged,
    PasswordReset,
    SessionsEnded,
    CallsListed,
    RecordsSearched,
    RecordSeen,
    RecordingHeard,
    PresenceChosenForAnother,
    CallHungUpForAnother,
    CallDialled,
    CallSupervised,
    WrapUpForAnother,
    SurgeSwitched,
    Drained,
    Resumed,
    Reloaded,
    PlanDrafted,
    PlanApproved,
    PlanScheduled,
    PlanWithdrawn,
    PlanPublished,
    PlanRolledBack,
    CallerProposed,
    CallersSearched,
    CallerApproved,
    CallerRemoved,
    WishesListed,
    WishTaken,
    WishDone,
    RecordHeld,
    TestMarked,
    HoldLifted,
    AuditSeen,
    AuditVerified,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::SignInFailed => "sign_in_failed",
            Self::LockedOut => "locked_out",
            Self::SignedOut => "signed_out",
            Self::PasswordChanged => "password_changed",
            Self::ConfidentialitySigned => "confidentiality_signed",
            Self::AccountCreated => "account_created",
            Self::AccountChanged => "account_changed",
            Self::PasswordReset => "password_reset",
            Self::SessionsEnded => "sessions_ended",
            Self::CallsListed => "calls_listed",
            Self::RecordsSearched => "records_searched",
            Self::RecordSeen => "record_seen",
            Self::RecordingHeard => "recording_heard",
            Self::PresenceChosenForAnother => "presence_chosen_for_another",
            Self::CallHungUpForAnother => "call_hung_up_for_another",
            Self::CallDialled => "call_dialled",
            Self::CallSupervised => "call_supervised",
            Self::WrapUpForAnother => "wrap_up_for_another",
            Self::SurgeSwitched => "surge_switched",
            Self::Drained => "drained",
            Self::Resumed => "resumed",
            Self::Reloaded => "reloaded",
            Self::PlanDrafted => "plan_drafted",
            Self::PlanApproved => "plan_approved",
            Self::PlanScheduled => "plan_scheduled",
            Self::PlanWithdrawn => "plan_withdrawn",
            Self::PlanPublished => "plan_published",
            Self::PlanRolledBack => "plan_rolled_back",
            Self::CallerProposed => "caller_proposed",
            Self::CallersSearched => "callers_searched",
            Self::CallerApproved => "caller_approved",
            Self::CallerRemoved => "caller_removed",
            Self::WishesListed => "wishes_listed",
            Self::WishTaken => "wish_taken",
            Self::WishDone => "wish_done",
            Self::RecordHeld => "record_held",
            Self::TestMarked => "test_marked",
            Self::HoldLifted => "hold_lifted",
            Self::AuditSeen => "audit_seen",
            Self::AuditVerified => "audit_verified",
        }
    }
}

/// Writes what somebody signed in does. What cannot be written must not be done: call it before the answer is given.
pub(super) async fn note(
    shared: &Shared,
    who: &Session,
    action: Action,
    object: &str,
    detail: Value,
) -> Result<(), ApiError> {
    let by = (who.account.id.as_str(), who.account.login.as_str());
    write(shared, by, &who.address.to_string(), action, object, &detail).await
}

/// Writes what somebody does who is not signed in (yet).
pub(super) async fn note_stranger(
    shared: &Shared,
    login: &str,
    address: std::net::IpAddr,
    action: Action,
) -> Result<(), ApiError> {
    let login: String = login.chars().filter(|c| !c.is_control()).take(64).collect();
    write(shared, ("", &login), &address.to_string(), action, "", &json!({})).await
}

/// Writes what the exchange does of itself.
pub(super) async fn note_as(
    shared: &Shared,
    login: &str,
    action: Action,
    object: &str,
    detail: Value,
) -> Result<(), ApiError> {
    write(shared, ("", login), "local", action, object, &detail).await
}

async fn write(
    shared: &Shared,
    (account, login): (&str, &str),
    address: &str,
    action: Action,
    object: &str,
    detail: &Value,
) -> Result<(), ApiError> {
    let entry = NewEntry {
        at: clock::wall_ms(),
        account: account.to_owned(),
        login: login.to_owned(),
        address: address.to_owned(),
        action: action.as_str().to_owned(),
        object: object.to_owned(),
        detail: detail.to_string(),
    };
    shared.store.append_audit(entry).await.map(|_| ()).map_err(|error| {
        tracing::error!(%error, "the audit cannot be written, so what it would have noted was refused");
        ApiError::AuditUnavailable
    })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// Only of this account.
    account: Option<String>,
    /// Only this action.
    #[param(example = "record_seen")]
    action: Option<String>,
    /// Only about this call, account or seat.
    object: Option<String>,
    /// `next` of the page before.
    before: Option<i64>,
    /// Most entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
struct AuditPage {
    /// Newest first.
    entries: Vec<Entry>,
    /// `before` of the next page; nothing on the last.
    next: Option<i64>,
}

/// Who looked at what and changed what, newest first. The look is noted too.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Question),
    responses((status = 200, body = AuditPage), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    who: May<SeeAudit>,
    Params(question): Params<Question>,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = question.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let Question { account, action, object, before, .. } = question;
    let detail = json!({"account": account, "action": action, "object": object, "before": before});
    let filter = Filter { account, action, object, before };
    for text in [&filter.account, &filter.action, &filter.object].into_iter().flatten() {
        super::extract::plain("a filter", text, 100)?;
    }
    note(&shared, &who.session, Action::AuditSeen, "", detail).await?;
    let entries = shared.store.audit(&filter, limit).await?;
    let next = entries.last().filter(|_| entries.len() == limit as usize).map(|e| e.seq);
    Ok(Json(AuditPage { entries, next }))
}

/// Goes through the whole chain of hashes and names the first broken entry.
#[utoipa::path(get, path = "/audit/verify", tag = "audit",
    responses((status = 200, body = Verdict), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn verify(State(shared): State<Shared>, who: May<SeeAudit>) -> Result<Json<Verdict>, ApiError> {
    note(&shared, &who.session, Action::AuditVerified, "", json!({})).await?;
    Ok(Json(shared.store.verify_audit().await?))
}
