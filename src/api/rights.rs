//! Who may do what: the one table of rights and roles. A handler names its right in its signature ([`May`]).

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Shared;
use super::error::ApiError;
use super::session::Session;
use crate::store::accounts::Role;
use Role::{Administrator, Agent, Auditor, Expert, Operator, Supervisor};

/// A right as a type, so that a handler's signature says what it needs.
pub(super) trait Right: Send + Sync + 'static {
    /// Roles that have it.
    const ROLES: &'static [Role];
    /// Whether citizens' data is behind it, so that the confidentiality agreement must be signed.
    const CONFIDENTIAL: bool = false;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident: [$($role:ident),*] $(, $confidential:ident)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name;
        impl Right for $name {
            const ROLES: &'static [Role] = &[$($role),*];
            $(const CONFIDENTIAL: bool = rights!(@$confidential);)?
        }
    )*};
    (@confidential) => { true };
}

rights! {
    /// Serve callers from a seat: choose the own presence, act on the own call.
    Work: [Agent, Expert, Supervisor];
    /// See seats and queues; agents and experts their own only.
    SeeFloor: [Agent, Expert, Supervisor, Operator, Administrator];
    /// Choose a presence: for the own seat with [`Work`], for others' with [`Lead`].
    ChoosePresence: [Agent, Expert, Supervisor, Administrator];
    /// Choose the presence of another's seat.
    Lead: [Supervisor, Administrator];
    /// See calls in progress; agents and experts their own only.
    SeeCalls: [Agent, Expert, Supervisor], confidential;
    /// See records of calls; agents and experts their own only.
    SeeRecords: [Agent, Expert, Supervisor, Auditor], confidential;
    /// Hear recordings.
    HearRecordings: [Supervisor, Auditor], confidential;
    /// Mark calls as tests: those who prove the plan, not those whose rates it changes.
    MarkTests: [Operator, Administrator];
    /// Listen to talks, whisper, barge in, take over.
    Supervise: [Supervisor], confidential;
    /// Put records under legal hold and lift it.
    HoldRecords: [Supervisor], confidential;
    /// See entries of the caller lists; agents and experts what they proposed.
    SeeCallers: [Agent, Expert, Supervisor, Auditor], confidential;
    /// Propose entries of the caller lists.
    ProposeCallers: [Agent, Expert, Supervisor], confidential;
    /// Approve entries of the caller lists and take them away.
    ApproveCallers: [Supervisor], confidential;
    /// See to what callers left as wishes.
    HandleWishes: [Agent, Expert, Supervisor], confidential;
    /// See surges.
    SeeSurges: [Supervisor, Operator, Administrator];
    /// Switch surges on and off.
    SwitchSurges: [Supervisor, Operator];
    /// Drain the exchange, have plan and certificates read again.
    Operate: [Operator, Administrator];
    /// Draft, approve and publish versions of the plan.
    ChangePlan: [Operator, Administrator];
    /// See lines, trunks, settings and versions of the plan.
    SeePlan: [Supervisor, Operator, Administrator];
    /// See counters.
    SeeCounters: [Supervisor, Operator, Administrator, Auditor];
    /// See and change accounts.
    ManageAccounts: [Administrator];
    /// See the audit.
    SeeAudit: [Auditor];
}

/// Somebody who has the right `R`.
#[derive(Debug)]
pub(super) struct May<R> {
    /// Who.
    pub(super) session: Session,
    right: PhantomData<R>,
}

/// Rows that somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// Those of the own seat and person.
    Own,
}

impl<R: Right> May<R> {
    /// Which rows: all, unless only the roles agent and expert give the right.
    pub(super) fn scope(&self) -> Scope {
        scope::<R>(&self.session)
    }
}

/// As [`May::scope`], for whoever asks in the middle of a stream.
pub(super) fn scope<R: Right>(session: &Session) -> Scope {
    let beyond = |role: &Role| !matches!(role, Agent | Expert) && R::ROLES.contains(role);
    if session.account.roles.iter().any(beyond) { Scope::All } else { Scope::Own }
}

/// Whether a session has a right.
pub(super) fn check<R: Right>(session: &Session) -> Result<(), ApiError> {
    if session.account.must_change {
        return Err(ApiError::PasswordMustChange);
    }
    if !session.account.roles.iter().any(|role| R::ROLES.contains(role)) {
        return Err(ApiError::NotAllowed);
    }
    if R::CONFIDENTIAL && session.account.confidential_at.is_none() {
        return Err(ApiError::ConfidentialityMissing);
    }
    Ok(())
}

impl<R: Right> FromRequestParts<Shared> for May<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, shared).await?;
        check::<R>(&session)?;
        Ok(Self { session, right: PhantomData })
    }
}
