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
use crate::store::accounts::Account;
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
    /// For how long, milliseconds.
    pub(super) presence_ms: u64,
    /// What the agent chose for the time after the call.
    pub(super) next: serde_json::Value,
    /// Whether the break lasts longer than it may.
    pub(super) break_over: bool,
    /// Calls of queues that it answered today.
    #[schema(example = 31)]
    pub(super) calls_today: u32,
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
    /// Whether the queue asks for a result before the wrap-up may end.
    pub(super) result_missing: bool,
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
            presence_ms: seat.presence_ms,
            next: serde_json::to_value(&seat.next).unwrap_or_default(),
            break_over: seat.break_over,
            calls_today: seat.calls_today,
            reachable: seat.reachable,
            doing: doing["doing"].as_str().unwrap_or_default().to_owned(),
            call: call.map(|c| c.to_string()),
            left_ms,
            result_missing: matches!(seat.work, Doing::WrapUp { result_missing: true, .. }),
        }
    }

    /// Whether it is the seat of a person: the assigned one, or the one where the person is signed in.
    pub(super) fn is_of(&self, who: &Session) -> bool {
        let here = self.agent.is_some() && self.agent == who.account.number;
        here || (who.account.seat == Some(self.seat) && self.agent.is_none())
    }
}

/// The seat of a person: the one where the person is signed in, or else the assigned one.
pub(super) fn own_seat(seats: &[SeatView], who: &Session) -> Option<SeatId> {
    let sits_at =
        |seat: &&SeatView| who.account.number.is_some() && seat.agent.map(|agent| agent.0) == who.account.number;
    let here = seats.iter().find(sits_at);
    here.or_else(|| seats.iter().find(|seat| Seat::of(seat).is_of(who))).map(|seat| seat.seat)
}

/// The call that a seat has, and how long what it does still lasts.
pub(super) fn call_and_left(work: &Doing) -> (Option<CallId>, Option<u64>) {
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
    /// Sign in at the seat with the skills of the account; not ready yet. A seat that somebody else has is `seat_taken`, a
    /// person who sits elsewhere `agent_elsewhere`: ask the person, then repeat it with `take_over`.
    SignIn {
        /// Signs out whoever else has this seat, and oneself elsewhere; after the call, where one of them talks.
        #[serde(default)]
        take_over: bool,
        /// Agent number of the person; oneself without. Leaders may name others.
        #[serde(default)]
        agent: Option<u32>,
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
    let (view, oneself) = (shared.core.look().await?, agent_of(&who.account));
    let found = view.seats.iter().find(|s| s.seat == seat).map(Seat::of);
    let named = match choice {
        Choice::SignIn { agent: Some(number), .. } if who.account.number != Some(number) => Some(number),
        Choice::SignIn { .. }
        | Choice::Ready
        | Choice::NotReady { .. }
        | Choice::Break
        | Choice::Training
        | Choice::SignOut => None,
    };
    let signs_in = oneself.is_some() && matches!(choice, Choice::SignIn { .. });
    let own = works && named.is_none() && (signs_in || found.is_some_and(|s| s.is_of(&who)));
    if !own && !leads {
        return Err(ApiError::NotAllowed);
    }
    let agent = match named {
        Some(number) => {
            let account = shared.store.account_of_agent(number).await?.filter(|account| !account.disabled);
            agent_of(&account.ok_or(ApiError::NoSuchAccount)?)
        }
        None => oneself.filter(|_| own),
    };
    if !own {
        note(&shared, &who, Action::PresenceChosenForAnother, &seat.0.to_string(), json!(choice)).await?;
    }
    shared.core.command(move |reply| input(seat, choice, agent, reply)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The person as the core knows one; nothing for an account without agent number.
fn agent_of(account: &Account) -> Option<Agent> {
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
        Choice::SignIn { take_over, .. } => match agent {
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
