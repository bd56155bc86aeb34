//! `/api/v1/seats`: who works, and the choice of presence.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::audit::{Action, note};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::rights::{self, ChoosePresence, Lead, May, Scope, SeeFloor, Work};
use super::session::Session;
use crate::center::{Doing, Input, PresenceCommand, Refusal, SeatView};
use crate::types::{Agent, AgentId, CallId, Level, SeatId, Word};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(choose))
}

/// All seats.
#[derive(Serialize, ToSchema)]
struct Seats {
    /// In the order of their numbers.
    seats: Vec<Seat>,
}

/// A seat and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Seat {
    /// Its number.
    #[schema(example = 8001)]
    pub(super) seat: u32,
    /// Its name in the plan.
    #[schema(example = "综合坐席 01")]
    pub(super) name: String,
    /// Number of the person who is signed in, if one is in particular.
    #[schema(example = 1027)]
    pub(super) agent: Option<u32>,
    /// What the agent chose: `"ready"`, `"signed_out"`, `{"not_ready": why}` and so on.
    #[schema(example = json!("ready"))]
    pub(super) presence: serde_json::Value,
    /// What the agent chose for the time after the call.
    pub(super) next: serde_json::Value,
    /// Whether a telephone is registered or stands at a fixed address.
    pub(super) reachable: bool,
    /// `idle`, `offered`, `ringing`, `talking`, `own_call`, `leaving`, `resting` or `wrap_up`.
    #[schema(example = "talking")]
    pub(super) doing: String,
    /// The call that it has.
    #[schema(example = "c30117452718080001")]
    pub(super) call: Option<String>,
    /// How long resting or wrap-up still last, milliseconds.
    pub(super) left_ms: Option<u64>,
}

impl Seat {
    pub(super) fn of(seat: &SeatView) -> Self {
        let (call, left_ms) = call_and_left(&seat.work);
        let doing = serde_json::to_value(seat.work).unwrap_or_default();
        Self {
            seat: seat.seat.0,
            name: seat.name.clone(),
            agent: seat.agent.map(|agent| agent.0),
            presence: serde_json::to_value(&seat.presence).unwrap_or_default(),
            next: serde_json::to_value(&seat.next).unwrap_or_default(),
            reachable: seat.reachable,
            doing: doing["doing"].as_str().unwrap_or_default().to_owned(),
            call: call.map(|c| c.to_string()),
            left_ms,
        }
    }

    /// Whether it is the seat of a person: the assigned one, or the one where the person is signed in.
    pub(super) fn is_of(&self, who: &Session) -> bool {
        let here = self.agent.is_some() && self.agent == who.account.number;
        here || (who.account.seat == Some(self.seat) && self.agent.is_none())
    }
}

fn call_and_left(work: &Doing) -> (Option<CallId>, Option<u64>) {
    match *work {
        Doing::Idle => (None, None),
        Doing::Offered { call }
        | Doing::Ringing { call }
        | Doing::Talking { call }
        | Doing::OwnCall { call }
        | Doing::Leaving { call } => (Some(call), None),
        Doing::Resting { left_ms } => (None, Some(left_ms)),
        Doing::WrapUp { call, left_ms, .. } => (Some(call), Some(left_ms)),
    }
}

/// All seats; agents and experts see their own.
#[utoipa::path(get, path = "/seats", tag = "seats",
    responses((status = 200, body = Seats), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(State(shared): State<Shared>, who: May<SeeFloor>) -> Result<Json<Seats>, ApiError> {
    let view = shared.core.look().await?;
    let seen = |seat: &Seat| who.scope() == Scope::All || seat.is_of(&who.session);
    Ok(Json(Seats { seats: view.seats.iter().map(Seat::of).filter(seen).collect() }))
}

/// A choice of presence. In a talk and in wrap-up it counts afterwards.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "choice", rename_all = "snake_case", deny_unknown_fields)]
#[schema(example = json!({"choice": "ready"}))]
enum Choice {
    /// Sign in at the seat with the skills of the account; not ready yet.
    SignIn {
        /// Signs out whoever else has this seat, and oneself elsewhere; after the call, where one of them talks.
        #[serde(default)]
        take_over: bool,
    },
    /// Take calls.
    Ready,
    /// Take no calls.
    NotReady {
        /// One of the reasons of the plan.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Have a break.
    Break,
    /// Be in training.
    Training,
    /// Sign out.
    SignOut,
}

/// Chooses a presence: for the own seat, or with the right to lead for another's, which is noted.
#[utoipa::path(post, path = "/seats/{seat}/presence", tag = "seats", request_body = Choice,
    params(("seat" = u32, Path, description = "Its number", example = 8001)),
    responses((status = 204), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn choose(
    State(shared): State<Shared>,
    who: May<ChoosePresence>,
    Path(seat): Path<String>,
    Body(choice): Body<Choice>,
) -> Result<StatusCode, ApiError> {
    let who = who.session;
    let (leads, works) = (rights::check::<Lead>(&who).is_ok(), rights::check::<Work>(&who).is_ok());
    // What is no number is no seat either.
    let seat = seat.parse().map(SeatId).map_err(|_| ApiError::Refused(Refusal::NoSuchSeat))?;
    let (view, agent) = (shared.core.look().await?, agent_of(&who));
    let found = view.seats.iter().find(|s| s.seat == seat).map(Seat::of);
    let signs_in = agent.is_some() && matches!(choice, Choice::SignIn { .. });
    let own = works && (signs_in || found.is_some_and(|s| s.is_of(&who)));
    if !own && !leads {
        return Err(ApiError::NotAllowed);
    }
    if !own {
        note(&shared, &who, Action::PresenceChosenForAnother, &seat.0.to_string(), json!(choice)).await?;
    }
    let agent = agent.filter(|_| own);
    shared.core.command(move |reply| input(seat, choice, agent, reply)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The person as the core knows one; nothing for an account without agent number.
fn agent_of(who: &Session) -> Option<Agent> {
    let account = &who.account;
    let skill = |(skill, level): (&String, &u8)| Level::new(*level).map(|level| (skill.clone(), level));
    Some(Agent {
        id: AgentId(account.number?),
        skills: account.skills.iter().filter_map(skill).collect(),
        queues: account.queues.clone(),
    })
}

fn input(seat: SeatId, choice: Choice, agent: Option<Agent>, reply: crate::types::ReplyId) -> Input {
    let reply = Some(reply);
    let command = match choice {
        Choice::SignIn { take_over } => match agent {
            Some(agent) => return Input::SignIn { seat, agent, take_over, reply },
            None => PresenceCommand::SignIn,
        },
        Choice::Ready => PresenceCommand::Ready,
        Choice::NotReady { reason } => PresenceCommand::NotReady { reason: reason.map(|r| Word::new(&r)) },
        Choice::Break => PresenceCommand::Break,
        Choice::Training => PresenceCommand::Training,
        Choice::SignOut => PresenceCommand::SignOut,
    };
    Input::Presence { seat, command, reply }
}
