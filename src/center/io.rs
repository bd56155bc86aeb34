//! What the center is fed and what it wants done. Plain data: a log of inputs replays exactly.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dialplan::Plan;
use crate::types::{CallId, Hear, LegCommand, LegEvent, LegId, ReplyId, Row, RunId, SeatId, StreamReport, TrunkId};

/// Everything that can happen to the center.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A leg reports.
    Leg {
        /// Which.
        leg: LegId,
        /// What.
        event: LegEvent,
    },
    /// A prompt has been played to its end for a leg.
    PromptEnded {
        /// The listener.
        leg: LegId,
        /// Which playing.
        run: RunId,
    },
    /// The audio figures of a leg that has ended.
    Measured {
        /// Which.
        leg: LegId,
        /// The figures.
        report: StreamReport,
    },
    /// The recording of a call broke (disk full, write error).
    RecordingFailed {
        /// Which call.
        call: CallId,
        /// In words.
        why: String,
    },
    /// A seat's phone became reachable (registered, or has a fixed contact) or unreachable. Never makes a seat ready.
    Reachable {
        /// Which seat.
        seat: SeatId,
        /// Whether at least one contact is known.
        reachable: bool,
    },
    /// A trunk came up or went down.
    TrunkHealth {
        /// Which.
        trunk: TrunkId,
        /// Whether it answers.
        up: bool,
    },
    /// An agent chose a presence (feature code of the phone, or API).
    Presence {
        /// Which seat.
        seat: SeatId,
        /// What.
        command: PresenceCommand,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// Somebody wants to see all seats, queues and calls.
    Look {
        /// Who.
        reply: ReplyId,
    },
    /// A new plan counts from now on; calls in progress keep theirs.
    Plan {
        /// The plan.
        #[serde(skip, default)]
        plan: Option<Arc<Plan>>,
    },
    /// No new calls from now on (drain).
    Drain,
    /// A deadline passed.
    Tick,
}

/// What an agent may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceCommand {
    /// Sign in; not ready yet.
    SignIn,
    /// Take calls.
    Ready,
    /// Take no calls.
    NotReady,
    /// Sign out.
    SignOut,
}

/// What the shell must do, in this order. Each names its call, but replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the ledger.
    Ledger(Row),
    /// Tell a leg.
    Leg {
        /// Its call.
        call: CallId,
        /// Which.
        leg: LegId,
        /// What.
        command: LegCommand,
    },
    /// The full set of who hears what in this call. Idempotent.
    Hear {
        /// Which call.
        call: CallId,
        /// One entry a leg; a leg that is not named hears comfort silence.
        set: Vec<Hear>,
    },
    /// Record the call from now on: `caller` on the left channel, everybody else on the right. Idempotent.
    Record {
        /// Which call.
        call: CallId,
        /// Left channel.
        caller: LegId,
        /// File name below the recording folder.
        file: String,
    },
    /// The call is over: end its recording.
    EndRecording {
        /// Which call.
        call: CallId,
    },
    /// Answer to a command.
    Reply {
        /// Whom.
        to: ReplyId,
        /// What.
        reply: Reply,
    },
}

/// Answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Done,
    /// Refused, with the reason.
    Refused(Refusal),
    /// What is going on.
    Seen(Box<super::View>),
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The plan has no such seat.
    #[error("the plan has no such seat")]
    NoSuchSeat,
    /// Nobody is signed in there.
    #[error("nobody is signed in at this seat")]
    NotSignedIn,
    /// The seat's phone cannot be reached.
    #[error("the seat's phone is not registered")]
    PhoneUnreachable,
}
