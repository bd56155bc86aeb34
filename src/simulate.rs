//! What would happen to a call: the real center on a virtual clock, in a world that is written down beforehand.
//!
//! A question names number, caller and moment; the answer is every step up to the end that is to be expected. Routing and
//! queueing are the exchange's own code, so nothing is decided here: this module plays the carriers, the callers and the
//! telephones. Reads no file and no clock.

mod diff;
mod seats;
mod treatment;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::dialplan::Plan;
use crate::types::{CallEvent, Cause, Fate, LineNumber, PhoneNumber, PromptName, SeatId, TrunkId, Wall};

pub use diff::{Change, Period, Range, diff};
pub use seats::{ScriptedSeat, SeatState, read_seats};
pub use treatment::{Decision, Treatment};

/// A call that may come.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What is dialled.
    pub called: LineNumber,
    /// Who calls; `None`: the carrier does not say.
    pub from: Option<PhoneNumber>,
    /// When.
    pub at: Wall,
    /// Over which trunk; it must be one of the plan's.
    pub via: TrunkId,
    /// Trunks that do not answer.
    pub down: BTreeSet<TrunkId>,
    /// Who is at work. A seat that is not named is empty.
    pub seats: Vec<ScriptedSeat>,
    /// After how long the caller gives up, unless somebody has answered; `None`: never.
    pub patience: Option<Duration>,
}

/// What the world is like beyond the question.
pub struct World<'w> {
    /// How long a prompt lasts.
    pub prompt: &'w dyn Fn(&PromptName) -> Duration,
    /// How long somebody outside lets it ring.
    pub outside_answers: Duration,
    /// How long people talk.
    pub talk: Duration,
    /// How long is looked ahead; a call that lives then has no end that could be told.
    pub horizon: Duration,
}

/// How long a prompt lasts whose length nobody knows.
pub const PROMPT: Duration = Duration::from_secs(5);
/// Most steps of an answer; a call with more goes round in a circle.
pub const MOST_STEPS: usize = 2_000;

/// What would happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// What the plan says, before any queue.
    pub decision: Decision,
    /// All that happens, in order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub end: End,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// After the call came, milliseconds.
    pub after_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum What {
    /// A row that the ledger would get.
    Row {
        /// The row.
        row: CallEvent,
    },
    /// The caller's telephone is told something: early media (183), ringing (180), answer (200).
    Caller {
        /// The SIP status.
        status: u16,
    },
    /// The call is refused.
    Refused {
        /// Why.
        cause: Cause,
    },
    /// The caller hears a prompt.
    Prompt {
        /// Its name.
        name: String,
        /// How long it lasts, milliseconds.
        ms: u64,
    },
    /// The caller hears music.
    Music {
        /// Its name.
        name: String,
    },
    /// The caller hears the ringing tone.
    RingingTone,
    /// The caller hears somebody.
    Voice,
    /// A seat is rung.
    Seat {
        /// Which.
        seat: SeatId,
    },
    /// Somebody outside is dialled.
    Outside {
        /// Name of the trunk.
        trunk: String,
        /// What is dialled.
        number: PhoneNumber,
        /// Whether the trunk, or another of its group, answers.
        up: bool,
    },
    /// The caller hangs up.
    HangsUp {
        /// Whether somebody had answered; otherwise patience is over.
        served: bool,
    },
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// With a fate.
    Fate {
        /// Which.
        #[serde(flatten)]
        fate: Fate,
    },
    /// The call still lives at the horizon: nobody comes.
    Unserved,
    /// It cannot come: its trunk is down.
    NoWayIn,
}

/// Plays a call. The same question has the same answer.
pub fn ask(plan: &Arc<Plan>, question: &Question, world: &World<'_>) -> Answer {
    let decision = Decision::of(plan, question);
    if question.down.contains(&question.via) {
        return Answer { decision, steps: Vec::new(), end: End::NoWayIn };
    }
    let (steps, end) = world::Stage::new(plan, question, world).play();
    Answer { decision, steps, end }
}

#[cfg(test)]
mod tests;
