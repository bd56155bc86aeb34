//! The rows of the ledger: all that is ever known of a call, in the order in which it became true.

use serde::{Deserialize, Serialize};

use super::{
    AgentId, CallId, Calling, Cause, Codec, Digit, LegId, Level, LineNumber, OfferId, Origin, PhoneNumber, SeatId,
    SuperviseHow, TransferEnd, TransferHow, Wall, Word,
};

/// The name of the mode of a cancelled number, as [`CallEvent::Arrived`] has it.
pub const CANCELLED_MODE: &str = "已注销";

/// One row. Names (queue, trunk) stand as in the plan, so that an old row reads the same after the plan has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// When.
    pub at: Wall,
    /// Which call.
    pub call: CallId,
    /// What became true.
    pub event: CallEvent,
}

/// What became true of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CallEvent {
    /// The call exists because somebody sent an INVITE. Always the first row; written before 100 Trying.
    Arrived {
        /// Leg of the caller.
        leg: LegId,
        /// Where from.
        origin: Origin,
        /// Name of the trunk, or the seat's number.
        from: String,
        /// The number dialled.
        called: LineNumber,
        /// Who calls.
        calling: Calling,
        /// SIP Call-ID.
        call_id: String,
        /// Merge mode of the line at this moment, by its name ("双号并行"); `None`: no line in a phase was dialled. It says in
        /// years to come which mode the call had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<String>,
    },
    /// The caller hears the greeting or a notice (early media or answered).
    Greeted {
        /// Name of the prompt.
        prompt: String,
    },
    /// The caller's leg was answered by us (200 sent).
    AnsweredByExchange,
    /// A caller list knows the number, and the mark counts for this call.
    Marked {
        /// Which mark of the plan.
        mark: Word,
    },
    /// The call waits in a queue.
    Queued {
        /// Name of the queue.
        queue: String,
        /// How many calls stood before it.
        #[serde(default)]
        ahead: u32,
        /// Seats that take calls of this queue now, free or busy.
        #[serde(default)]
        serving: u32,
    },
    /// After waiting so long more seats may serve the call: the queue's widening has come to this step.
    Widened {
        /// Which step, counted from 1.
        step: u8,
    },
    /// Position and expected wait were said to the caller.
    Announced {
        /// The position, from 1.
        position: u32,
        /// The expected wait that was said, in minutes; `None` when no estimate was possible.
        minutes: Option<u32>,
    },
    /// The queue was left for another one, for another site, or for a message.
    Overflowed {
        /// The queue that was left.
        from: String,
        /// The queue or the place outside that follows; `None`: the overflow prompt and the end.
        to: Option<String>,
        /// Why.
        why: OverflowWhy,
    },
    /// The caller left the queue and wants something done later.
    Wish {
        /// What.
        kind: WishKind,
        /// The recorded message, below the recording folder.
        file: Option<String>,
    },
    /// The call is offered to a seat.
    Offered {
        /// Fencing number.
        offer: OfferId,
        /// The seat.
        seat: SeatId,
        /// The new leg.
        leg: LegId,
        /// The person at the seat, if one signed in.
        #[serde(default)]
        agent: Option<AgentId>,
        /// Why this seat; absent in rows of an older version.
        #[serde(default)]
        decision: Option<Box<Decision>>,
    },
    /// A seat places this call: to a citizen over a trunk, or to another seat. The first row where it was ordered and the
    /// exchange rings the seat first, the second where the seat's phone has dialled itself.
    Placed {
        /// The seat's leg.
        leg: LegId,
        /// The seat.
        seat: SeatId,
        /// The person at the seat, if one signed in.
        agent: Option<AgentId>,
        /// Whom it calls.
        number: PhoneNumber,
        /// The line in whose name it goes out; `None` to another seat.
        line: Option<LineNumber>,
        /// The earlier call that this one belongs to.
        linked: Option<CallId>,
    },
    /// The party that a seat calls is dialled, or somebody outside for a caller; once more when another way is tried. What
    /// it came to stands in the `LegEnded` of its leg.
    Dialled {
        /// Its leg.
        leg: LegId,
        /// Whom.
        number: PhoneNumber,
        /// Name of the trunk that is tried first; `None` for another seat.
        trunk: Option<String>,
        /// Name of the place outside that a caller's call goes on to; `None` in a call that a seat places.
        #[serde(default)]
        destination: Option<String>,
    },
    /// Somebody outside answered: the caller and they hear each other.
    AnsweredOutside {
        /// Their leg.
        leg: LegId,
        /// Name of the place.
        destination: String,
    },
    /// The seat's phone rings.
    Ringing {
        /// Fencing number.
        offer: OfferId,
    },
    /// An offer came to nothing.
    OfferEnded {
        /// Fencing number.
        offer: OfferId,
        /// Why.
        cause: Cause,
    },
    /// A seat answered: caller and seat hear each other.
    Talking {
        /// The seat.
        seat: SeatId,
        /// Its leg.
        leg: LegId,
        /// The person at the seat, if one signed in.
        #[serde(default)]
        agent: Option<AgentId>,
    },
    /// An agent brings a third into the talk, and may leave it to them. Who is dialled stands in the `Dialled` rows that follow.
    TransferBegun {
        /// The agent's seat.
        seat: SeatId,
        /// The person at the seat, if one signed in.
        agent: Option<AgentId>,
        /// Whom: the name of a place outside or of a queue, or a number.
        to: String,
        /// In which way.
        how: TransferHow,
        /// Why: one of the reasons of the plan.
        reason: Option<Word>,
    },
    /// The third has answered.
    TransferAnswered {
        /// Their leg.
        leg: LegId,
    },
    /// After a consultation all three talk.
    TransferJoined,
    /// What came of the transfer that began last.
    TransferEnded {
        /// Its end.
        end: TransferEnd,
    },
    /// A supervisor is in the talk from now on in this way, or no more.
    Supervised {
        /// The supervisor's seat.
        seat: SeatId,
        /// Its leg.
        leg: LegId,
        /// The person at the seat, if one signed in.
        agent: Option<AgentId>,
        /// In which way; `None`: no more.
        how: Option<SuperviseHow>,
    },
    /// A party holds the other (`true`) or has it back.
    Held {
        /// The leg whose far end did it.
        leg: LegId,
        /// Whether the call is held now.
        held: bool,
    },
    /// A key was pressed.
    Digit {
        /// By which leg.
        leg: LegId,
        /// Which. Kept in records only where the plan says so; `None` otherwise.
        digit: Option<Digit>,
    },
    /// The recording began.
    Recording {
        /// File name below the recording folder.
        file: String,
    },
    /// The recording could not go on.
    RecordingFailed {
        /// Why, in words.
        why: String,
    },
    /// A leg is gone; what was measured on it.
    LegEnded {
        /// Which.
        leg: LegId,
        /// Why.
        cause: Cause,
        /// SIP status, if one ended it.
        status: Option<u16>,
    },
    /// What was measured on a leg's audio; follows its end.
    Quality {
        /// Which leg.
        leg: LegId,
        /// The figures.
        report: StreamReport,
    },
    /// The agent noted what the call led to. May follow the fate: the notes are finished in wrap-up.
    Result {
        /// The seat.
        seat: SeatId,
        /// The person, if one signed in.
        agent: Option<AgentId>,
        /// One of the codes of the plan.
        code: Word,
    },
    /// The monitor found books that did not balance and put them right.
    Healed {
        /// What was wrong.
        what: Healed,
    },
    /// The fate of the call. Exactly one a call; only `LegEnded` of legs that we hung up, `Quality`, `Result` and
    /// `Healed` rows may follow.
    Ended {
        /// What became of it.
        fate: Fate,
    },
}

impl CallEvent {
    /// Its word in records and figures, the same as the tag in its JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            CallEvent::Arrived { .. } => "arrived",
            CallEvent::Greeted { .. } => "greeted",
            CallEvent::AnsweredByExchange => "answered_by_exchange",
            CallEvent::Marked { .. } => "marked",
            CallEvent::Queued { .. } => "queued",
            CallEvent::Widened { .. } => "widened",
            CallEvent::Announced { .. } => "announced",
            CallEvent::Overflowed { .. } => "overflowed",
            CallEvent::Wish { .. } => "wish",
            CallEvent::Offered { .. } => "offered",
            CallEvent::Placed { .. } => "placed",
            CallEvent::Dialled { .. } => "dialled",
            CallEvent::AnsweredOutside { .. } => "answered_outside",
            CallEvent::Ringing { .. } => "ringing",
            CallEvent::OfferEnded { .. } => "offer_ended",
            CallEvent::Talking { .. } => "talking",
            CallEvent::TransferBegun { .. } => "transfer_begun",
            CallEvent::TransferAnswered { .. } => "transfer_answered",
            CallEvent::TransferJoined => "transfer_joined",
            CallEvent::TransferEnded { .. } => "transfer_ended",
            CallEvent::Supervised { .. } => "supervised",
            CallEvent::Held { .. } => "held",
            CallEvent::Digit { .. } => "digit",
            CallEvent::Recording { .. } => "recording",
            CallEvent::RecordingFailed { .. } => "recording_failed",
            CallEvent::LegEnded { .. } => "leg_ended",
            CallEvent::Quality { .. } => "quality",
            CallEvent::Result { .. } => "result",
            CallEvent::Healed { .. } => "healed",
            CallEvent::Ended { .. } => "ended",
        }
    }
}

/// Why a seat was offered a call: enough to answer "why did this caller wait four minutes".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// How the queue chooses.
    pub choice: Choice,
    /// The queue whose seats were looked at; another than the call's own after widening.
    pub pool: String,
    /// Level of the chosen seat.
    pub level: Level,
    /// Step of widening that the call had come to, 0 before the first.
    pub step: u8,
    /// Priority of the call at this moment, with what waiting has added.
    pub priority: u8,
    /// For how long the call has waited, milliseconds.
    pub waited_ms: u64,
    /// How many seats could have been chosen.
    pub candidates: u32,
    /// The first of them, in the order of the choice.
    pub first: Vec<SeatId>,
    /// How many other calls waited in the queue.
    pub waiting: u32,
}

/// How a queue chooses among free seats of the best level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Who has waited longest for a call.
    #[default]
    LongestIdle,
    /// Who has answered the fewest calls today.
    FewestCalls,
    /// In turn, by seat number.
    RoundRobin,
    /// All are rung, the first to answer wins.
    RingAll,
    /// Who talked with this caller last; otherwise longest idle.
    LastAgent,
}

impl Choice {
    /// Its word in plans and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Choice::LongestIdle => "longest_idle",
            Choice::FewestCalls => "fewest_calls",
            Choice::RoundRobin => "round_robin",
            Choice::RingAll => "ring_all",
            Choice::LastAgent => "last_agent",
        }
    }
}

/// Why a call left its queue without a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverflowWhy {
    /// It had waited as long as it may.
    Waited,
    /// Too many waited.
    Full,
    /// The expected wait was too long.
    Expected,
    /// No seat that serves the queue was signed in.
    NoSeats,
}

/// What a caller who leaves the queue wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishKind {
    /// To be called back.
    Callback,
    /// To leave a recorded message.
    Message,
}

/// What the monitor put right. Closed: figures count these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Healed {
    /// A seat was busy with a leg that does not live.
    StuckSeat,
    /// A seat was free and not listed so, or the other way round.
    SeatList,
    /// A call waited and was in no queue.
    LostCall,
    /// A call was in a queue and did not wait.
    GhostCall,
    /// Something that must end had no deadline.
    NoDeadline,
}

impl Healed {
    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Healed::StuckSeat => "stuck_seat",
            Healed::SeatList => "seat_list",
            Healed::LostCall => "lost_call",
            Healed::GhostCall => "ghost_call",
            Healed::NoDeadline => "no_deadline",
        }
    }
}

/// Audio figures of one leg (RFC 3550 6.4.1, G.107 for the score).
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamReport {
    /// The codec at its end; absent in rows of an older version.
    #[serde(default)]
    pub codec: Option<Codec>,
    /// RTP packets received.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets missing from the received sequence.
    pub lost: u64,
    /// Packets that came too late to be heard.
    pub late: u64,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// Loss that the far end reported, in percent times 100.
    pub remote_loss_percent_x100: u32,
    /// Round trip from RTCP in microseconds; 0 when the far end sent no report.
    pub round_trip_us: u32,
    /// Estimated listening quality, MOS times 100 (100 to 450); 0 when nothing was received.
    pub mos_x100: u16,
}

impl Eq for StreamReport {}

/// What became of a call. Closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// A person answered.
    Answered {
        /// The seat that did.
        seat: SeatId,
    },
    /// Somebody outside answered, to whom the call went on.
    AnsweredOutside,
    /// Nobody outside answered and no queue of ours takes the line's callers: the caller was told.
    UnansweredOutside {
        /// What the last way came to.
        cause: Cause,
    },
    /// The caller left while the greeting played.
    AbandonedInGreeting,
    /// The caller left while waiting.
    AbandonedInQueue,
    /// The caller left while a seat, or somebody outside, was rung.
    AbandonedInRing,
    /// The waiting was ended by the plan's overflow rule.
    Overflowed,
    /// Refused, with the reason.
    Refused {
        /// Why.
        cause: Cause,
    },
    /// Ended by a failure of ours or of the network.
    Failed {
        /// Why.
        cause: Cause,
    },
    /// The caller left the queue for a callback or a message.
    LeftWish,
    /// An internal service (feature code) was done.
    Served,
    /// A call that a seat began reached its party.
    Reached {
        /// The seat that began it.
        seat: SeatId,
    },
    /// A call that a seat began did not reach its party.
    NotReached {
        /// Why; "cancelled" when the seat gave up.
        cause: Cause,
    },
    /// The exchange was restarted while the call lived; the books were closed afterwards.
    CutByRestart,
    /// The time of a drain was over before the call was; its people had been told.
    CutByDrain,
}

impl Fate {
    /// Whether it speaks of whether, and by whom, the caller was answered. Of a caller whom a seat has answered it says that, also
    /// when the call went on to somebody else, or waited again, and ended there.
    pub fn yields_to_first_answer(self) -> bool {
        match self {
            Fate::Answered { .. }
            | Fate::AnsweredOutside
            | Fate::UnansweredOutside { .. }
            | Fate::AbandonedInGreeting
            | Fate::AbandonedInQueue
            | Fate::AbandonedInRing
            | Fate::Overflowed
            | Fate::LeftWish => true,
            Fate::Refused { .. }
            | Fate::Failed { .. }
            | Fate::Served
            | Fate::Reached { .. }
            | Fate::NotReached { .. }
            | Fate::CutByRestart
            | Fate::CutByDrain => false,
        }
    }

    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Answered { .. } => "answered",
            Fate::AnsweredOutside => "answered_outside",
            Fate::UnansweredOutside { .. } => "unanswered_outside",
            Fate::AbandonedInGreeting => "abandoned_in_greeting",
            Fate::AbandonedInQueue => "abandoned_in_queue",
            Fate::AbandonedInRing => "abandoned_in_ring",
            Fate::Overflowed => "overflowed",
            Fate::Refused { .. } => "refused",
            Fate::Failed { .. } => "failed",
            Fate::LeftWish => "left_wish",
            Fate::Served => "served",
            Fate::Reached { .. } => "reached",
            Fate::NotReached { .. } => "not_reached",
            Fate::CutByRestart => "cut_by_restart",
            Fate::CutByDrain => "cut_by_drain",
        }
    }
}
