//! The rows of the ledger: all that is ever known of a call, in the order in which it became true.

use serde::{Deserialize, Serialize};

use super::{CallId, Calling, Cause, Digit, LegId, LineNumber, OfferId, Origin, SeatId, Wall};

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
    /// The call exists. Always the first row; written before 100 Trying.
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
    },
    /// The caller hears the greeting (early media or answered).
    Greeted {
        /// Name of the prompt.
        prompt: String,
    },
    /// The caller's leg was answered by us (200 sent).
    AnsweredByExchange,
    /// The call waits in a queue.
    Queued {
        /// Name of the queue.
        queue: String,
    },
    /// The call is offered to a seat.
    Offered {
        /// Fencing number.
        offer: OfferId,
        /// The seat.
        seat: SeatId,
        /// The new leg.
        leg: LegId,
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
    /// The fate of the call. Exactly one a call; only `Quality` rows may follow.
    Ended {
        /// What became of it.
        fate: Fate,
    },
}

/// Audio figures of one leg (RFC 3550 6.4.1, G.107 for the score).
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct StreamReport {
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
    /// The caller left while the greeting played.
    AbandonedInGreeting,
    /// The caller left while waiting.
    AbandonedInQueue,
    /// The caller left while a seat was rung.
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
    /// An internal service (feature code) was done.
    Served,
    /// The exchange was restarted while the call lived; the books were closed afterwards.
    CutByRestart,
}

impl Fate {
    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Answered { .. } => "answered",
            Fate::AbandonedInGreeting => "abandoned_in_greeting",
            Fate::AbandonedInQueue => "abandoned_in_queue",
            Fate::AbandonedInRing => "abandoned_in_ring",
            Fate::Overflowed => "overflowed",
            Fate::Refused { .. } => "refused",
            Fate::Failed { .. } => "failed",
            Fate::Served => "served",
            Fate::CutByRestart => "cut_by_restart",
        }
    }
}
