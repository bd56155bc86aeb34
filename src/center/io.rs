//! What the center is fed and what it wants done. Plain data: a log of inputs replays exactly.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialplan::Plan;
use crate::seat::Presence;
use crate::types::{
    Agent, AgentId, CallId, CallerMark, Healed, Hear, LegCommand, LegEvent, LegId, LineNumber, PhoneNumber, ReplyId,
    Row, RunId, SeatId, StreamReport, SuperviseHow, TransferHow, TransferTo, TrunkId, Word,
};

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
    /// A person signs in to a seat; not ready yet. One person has one seat and one seat one person.
    SignIn {
        /// Which seat.
        seat: SeatId,
        /// Who, with skills, as the accounts have it. Signing in again brings new skills.
        agent: Agent,
        /// Signs out whoever else has this seat and this person elsewhere; after the call, where one of them talks.
        take_over: bool,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
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
    /// An agent does something with the wrap-up of the last call.
    WrapUp {
        /// Which seat.
        seat: SeatId,
        /// What.
        command: WrapUpCommand,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// An agent does something with the call that the seat has.
    Talk {
        /// Which seat.
        seat: SeatId,
        /// Only with this call: a command that comes late must not hit the next one.
        call: Option<CallId>,
        /// What.
        command: TalkCommand,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// An agent brings a third into the talk, or leaves it to them.
    Transfer {
        /// Which seat.
        seat: SeatId,
        /// Only in this call: a command that comes late must not hit the next one.
        call: Option<CallId>,
        /// What.
        command: TransferCommand,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// A supervisor comes into a talk, whose own phone is rung first, or is in it in another way from now on.
    Supervise {
        /// The supervisor's seat.
        seat: SeatId,
        /// Which talk.
        call: CallId,
        /// In which way.
        how: SuperviseHow,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// An agent who talks asks for a supervisor.
    Help {
        /// Which seat.
        seat: SeatId,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// A seat calls a citizen over a trunk, or another seat: its own phone is rung first. The reply names the call.
    DialOut {
        /// Which seat.
        seat: SeatId,
        /// Whom: a seat's number, an emergency number, or a number of the network in normal form.
        number: PhoneNumber,
        /// The line that is shown as the caller's number; `None`: the plan's.
        line: Option<LineNumber>,
        /// The earlier call that this one belongs to.
        linked: Option<CallId>,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// A surge of the plan is switched on or off; it counts for calls that arrive from now on.
    Surge {
        /// Its name in the plan.
        name: String,
        /// Whether it is on.
        on: bool,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// The whole of the caller lists, in place of those before.
    CallerLists {
        /// All entries.
        marks: Vec<CallerMark>,
    },
    /// The monitor looks whether the books balance and puts right what does not; the node feeds it every second.
    Audit,
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
    /// No new calls from now on; those in progress may finish within a time, are told shortly before its end, and are
    /// ended then. Emergency calls of seats are still placed. A drain that runs already ends at the earlier of both times.
    Drain {
        /// The time; `None`: the setting's.
        within: Option<Duration>,
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// New calls are taken again: a drain is taken back.
    Resume {
        /// Who wants to know how it went.
        reply: Option<ReplyId>,
    },
    /// A deadline passed.
    Tick,
}

/// What an agent may choose. In a talk and in wrap-up the choice counts afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceCommand {
    /// Sign in as the person whom the plan has at this seat, or as nobody in particular; not ready yet.
    SignIn,
    /// Take calls.
    Ready,
    /// Take no calls.
    NotReady {
        /// One of the reasons of the plan.
        reason: Option<Word>,
    },
    /// Have a break; the team lead sees when it lasts longer than the plan allows.
    Break,
    /// Be in training.
    Training,
    /// Sign out.
    SignOut,
}

/// What an agent may do with a wrap-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrapUpCommand {
    /// More time, once more the queue's extension, up to its hard limit.
    Extend,
    /// What the call led to: a code of the plan. May be said in the talk already.
    Result {
        /// The code.
        code: Word,
    },
    /// The notes are finished.
    Done,
}

/// What an agent may do with the call that the seat has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TalkCommand {
    /// Everybody in the call hears music.
    Hold,
    /// And each other again.
    Retrieve,
    /// The call ends; one that only rings at the seat is declined.
    HangUp,
    /// The phone that rings is asked to answer. Whether it does is seen when it has.
    Answer,
}

/// What an agent may do with a third in the talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferCommand {
    /// Rings somebody.
    Begin {
        /// Whom.
        to: TransferTo,
        /// In which way.
        how: TransferHow,
        /// Why: one of the reasons of the plan, where it has any.
        reason: Option<Word>,
    },
    /// After a consultation: all three talk.
    Join,
    /// The agent leaves; the caller goes on with the third, rung or answered.
    Leave,
    /// The third is let go.
    TakeBack,
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
    /// Something about a seat that its team lead should see at once.
    Seat(SeatNews),
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
    /// The call that was placed.
    Dialled(CallId),
}

/// What became of a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatNews {
    /// Which seat.
    pub seat: SeatId,
    /// The person there, if one signed in.
    pub agent: Option<AgentId>,
    /// What.
    pub change: SeatChange,
}

/// What became of a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatChange {
    /// Another presence, chosen by the agent or by us (it rang and nobody answered).
    Presence(Presence),
    /// The break lasts longer than it may.
    BreakOver,
    /// The monitor put something right at it.
    Healed(Healed),
    /// What its telephone has keyed for a transfer cannot be done.
    TransferRefused(Refusal),
    /// Its agent asks for a supervisor.
    HelpWanted {
        /// In which call.
        call: CallId,
    },
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
    /// Somebody else is signed in at this seat; a take-over may be asked for.
    #[error("somebody else is signed in at this seat")]
    SeatTaken {
        /// Who; `None` when it is nobody in particular.
        by: Option<AgentId>,
    },
    /// This person is signed in at another seat; a take-over may be asked for.
    #[error("this person is signed in at another seat")]
    AgentElsewhere {
        /// Which seat.
        seat: SeatId,
    },
    /// Somebody talks or finishes the notes: the other is signed out afterwards, then the seat is free to take.
    #[error("the other is in a call and will be signed out after it; try again then")]
    InTalk,
    /// The plan has no such word (reason, result code).
    #[error("the plan has no such word")]
    NoSuchWord,
    /// The queue asks for a result before the wrap-up may end.
    #[error("the result of the call is missing")]
    ResultMissing,
    /// There is no wrap-up that could be extended or ended.
    #[error("the seat is not in wrap-up")]
    NotInWrapUp,
    /// The wrap-up has been extended as far as it may.
    #[error("the wrap-up cannot be extended further")]
    NoMoreTime,
    /// The seat has no call for which this could be done.
    #[error("the seat has no such call")]
    NoCall,
    /// The seat is in another call.
    #[error("the seat is busy")]
    SeatBusy,
    /// The number cannot be dialled: it is none, nobody has it, or the plan has no way out for it.
    #[error("the number cannot be dialled")]
    NoSuchNumber,
    /// The plan has no such line.
    #[error("the plan has no such line")]
    NoSuchLine,
    /// The number is a line of our own: a seat does not call the hotline.
    #[error("the number is a line of this exchange")]
    OwnLine,
    /// A third is in the talk already, or rung for it.
    #[error("a third is in the talk already")]
    TransferRuns,
    /// There is no third with whom this could be done.
    #[error("nobody else is in the talk")]
    NoTransfer,
    /// Another supervisor is in the talk.
    #[error("another supervisor is in the talk")]
    Supervised,
    /// The plan has no such place outside.
    #[error("the plan has no such destination")]
    NoSuchDestination,
    /// The plan has no such queue.
    #[error("the plan has no such queue")]
    NoSuchQueue,
    /// Nobody of the queue is free.
    #[error("nobody of this queue is free")]
    NobodyFree,
    /// There is no way on which somebody could be rung now.
    #[error("nobody can be reached there now")]
    NotReached,
    /// The plan asks for a reason.
    #[error("the reason of the transfer is missing")]
    ReasonMissing,
    /// The plan has no such surge.
    #[error("the plan has no such surge")]
    NoSuchSurge,
    /// No new calls: the exchange shuts down or has too many.
    #[error("no new calls are taken now")]
    NotAccepting,
}

impl Refusal {
    /// Its stable word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::NoSuchSeat => "no_such_seat",
            Refusal::NotSignedIn => "not_signed_in",
            Refusal::PhoneUnreachable => "phone_unreachable",
            Refusal::SeatTaken { .. } => "seat_taken",
            Refusal::AgentElsewhere { .. } => "agent_elsewhere",
            Refusal::InTalk => "in_talk",
            Refusal::NoSuchWord => "no_such_word",
            Refusal::ResultMissing => "result_missing",
            Refusal::NotInWrapUp => "not_in_wrap_up",
            Refusal::NoMoreTime => "no_more_time",
            Refusal::NoCall => "no_call",
            Refusal::SeatBusy => "seat_busy",
            Refusal::NoSuchNumber => "no_such_number",
            Refusal::NoSuchLine => "no_such_line",
            Refusal::OwnLine => "own_line",
            Refusal::Supervised => "supervised",
            Refusal::TransferRuns => "transfer_runs",
            Refusal::NoTransfer => "no_transfer",
            Refusal::NoSuchDestination => "no_such_destination",
            Refusal::NoSuchQueue => "no_such_queue",
            Refusal::NobodyFree => "nobody_free",
            Refusal::NotReached => "not_reached",
            Refusal::ReasonMissing => "reason_missing",
            Refusal::NoSuchSurge => "no_such_surge",
            Refusal::NotAccepting => "not_accepting",
        }
    }
}
