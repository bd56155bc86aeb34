//! What a leg reports and what it is told, whichever protocol carries it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{LegId, LineNumber, PhoneNumber, SeatId, TrunkId};

/// Where an incoming leg comes from, proved by address, certificate, registration or digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A carrier's trunk.
    Trunk(TrunkId),
    /// The phone of a seat.
    Seat(SeatId),
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Calling {
    /// The number in normal form; `None` when the carrier sent none that can be read.
    pub number: Option<PhoneNumber>,
    /// What the carrier sent, as text, for the record.
    pub raw: String,
    /// Display name as text (GBK and other bytes decoded), empty when absent.
    pub display: String,
    /// Whether the caller asked for privacy (RFC 3323, `Anonymous`): the number may be recorded, not shown.
    pub private: bool,
    /// How the call has come to us.
    #[serde(default, skip_serializing_if = "Hops::is_fresh")]
    pub hops: Hops,
}

/// How often a call was passed on and how far it may still go: what keeps hotlines from sending one round in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hops {
    /// From number to number so far (Diversion with its counters, RFC 5806; History-Info, RFC 7044; the larger).
    pub passed_on: u8,
    /// What is left of Max-Forwards (RFC 3261 8.1.1.6), which begins at 70.
    pub left: u8,
}

impl Default for Hops {
    fn default() -> Self {
        Self { passed_on: 0, left: 70 }
    }
}

impl Hops {
    /// Fewest hops that must be left for us to pass a call on: its way to the callee behind the next exchange.
    const FEWEST_LEFT: u8 = 10;

    fn is_fresh(&self) -> bool {
        *self == Self::default()
    }

    /// One number further; `None` when the call has been passed on as often as it may be, or has hardly a hop left.
    pub fn onward(self, most: u32) -> Option<Self> {
        let may = u32::from(self.passed_on) < most && self.left > Self::FEWEST_LEFT;
        may.then(|| Self { passed_on: self.passed_on + 1, left: self.left - 1 })
    }
}

/// A new incoming leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Where it comes from.
    pub origin: Origin,
    /// The number dialled, taken by the trunk's profile; whole.
    pub called: LineNumber,
    /// Who calls.
    pub calling: Calling,
    /// SIP Call-ID, to find the call in a carrier's trace.
    pub call_id: String,
    /// Address the INVITE came from.
    pub source: IpAddr,
}

/// Why a leg or an attempt ended. Closed: records and statistics count these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody hung up after the answer: the normal end.
    HungUp,
    /// The calling side gave up before the answer (CANCEL, or we withdrew the attempt).
    Cancelled,
    /// Engaged: 486, 600.
    Busy,
    /// The person pressed decline: 603, 403 from a phone.
    Declined,
    /// It rang and nobody answered: 408 after 180, 480, our ring time over.
    NoAnswer,
    /// Nothing answered at all: time-out before any response, transport failure, 503.
    Unreachable,
    /// The seat has no registered phone and no fixed contact.
    Unregistered,
    /// No such number: 404, 484, 604; also 410 from the far end.
    NoSuchNumber,
    /// The number is cancelled: 410.
    Gone,
    /// The line is not served at this hour: 480.
    Closed,
    /// Hotlines pass the call on in a circle: 482.
    Loop,
    /// The line exists, its mode is not served yet.
    ModeNotServed,
    /// No codec or no secure media in common: 488, 606, 415.
    NoCommonMedia,
    /// We or the far end are out of capacity: 503, 500 with Retry-After, no free port.
    Overload,
    /// Another final response or a protocol violation.
    Failed,
    /// The session timer ran out or a probe failed: the far end is dead.
    PeerLost,
    /// The exchange shuts down or was restarted.
    Restart,
}

impl Cause {
    /// Whether the way to the callee has failed, so that another one may do better. 480 and 430 speak of the callee, whom
    /// another trunk would reach no better.
    pub fn is_of_the_way(self, status: Option<u16>) -> bool {
        matches!(self, Cause::Unreachable | Cause::Overload | Cause::Failed) && !matches!(status, Some(480 | 430))
    }

    /// Its word in records and figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::HungUp => "hung_up",
            Cause::Cancelled => "cancelled",
            Cause::Busy => "busy",
            Cause::Declined => "declined",
            Cause::NoAnswer => "no_answer",
            Cause::Unreachable => "unreachable",
            Cause::Unregistered => "unregistered",
            Cause::NoSuchNumber => "no_such_number",
            Cause::Gone => "gone",
            Cause::Closed => "closed",
            Cause::Loop => "loop",
            Cause::ModeNotServed => "mode_not_served",
            Cause::NoCommonMedia => "no_common_media",
            Cause::Overload => "overload",
            Cause::Failed => "failed",
            Cause::PeerLost => "peer_lost",
            Cause::Restart => "restart",
        }
    }
}

/// How a digit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigitBy {
    /// RFC 4733 telephone-event.
    Event,
    /// SIP INFO (application/dtmf-relay or application/dtmf).
    Info,
    /// Tones in the audio.
    Inband,
}

/// A key: `0`-`9`, `*`, `#`, `A`-`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digit(pub char);

/// What a leg reports to the core. `Ended` is its last word; nothing comes for this leg afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegEvent {
    /// A new incoming leg; it waits for `Ring`, `EarlyMedia`, `Answer` or `Refuse`.
    Arrived(Arrival),
    /// A dialled leg rings (180 or 183).
    Ringing,
    /// A dialled leg has answered, or our answer on an incoming leg is confirmed (ACK).
    Answered,
    /// An incoming leg cannot hear us before it is answered; it rings instead.
    NoEarlyMedia,
    /// A dialled leg that has not answered is heard (`true`), its network's announcement or ringing tone; or no more.
    EarlyMedia(bool),
    /// The far end holds us (`true`) or has us back (`false`).
    Held(bool),
    /// A key was pressed, each press once.
    Digit {
        /// Which.
        digit: Digit,
        /// How it came.
        by: DigitBy,
    },
    /// The telephone of a seat asks us to bring its far end to somebody else (REFER); it waits for `Referred`.
    Refer {
        /// Whom, as the telephone dials it.
        to: PhoneNumber,
    },
    /// The leg is over.
    Ended {
        /// Why.
        cause: Cause,
        /// Final SIP status where there was one (486, 603, ...).
        status: Option<u16>,
    },
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All contacts of a seat's phone; the first to answer wins.
    Seat(SeatId),
    /// A number over a trunk.
    Trunk {
        /// First choice; the endpoint fails over inside the trunk's group.
        trunk: TrunkId,
        /// What is dialled there.
        number: PhoneNumber,
    },
}

/// An order to dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Whom.
    pub target: Target,
    /// A leg of the same call: the new one takes a port on the same media worker.
    pub beside: Option<LegId>,
    /// Shown as the caller: From and, by the trunk's policy, P-Asserted-Identity and Diversion.
    pub calling: Calling,
    /// The line that the citizen dialled; goes to the seat in `X-Yihao-Line`.
    pub line: LineNumber,
    /// Name of the line for the display, for example "12315 市场监管".
    pub line_name: String,
    /// Whether the phone is asked to answer by itself (a headset seat, or a call that the seat has ordered).
    pub auto_answer: bool,
}

/// How far it has come with whom a telephone has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Referral {
    /// It rings there.
    Ringing,
    /// Answered: the last word.
    Answered,
    /// Nobody comes: the last word.
    Failed(Cause),
}

/// What the core tells a leg. A command for a leg that has just ended is ignored: its `Ended` is on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegCommand {
    /// 180 Ringing.
    Ring,
    /// 183 with an answer: the caller hears us before the answer.
    EarlyMedia,
    /// 200 with an answer.
    Answer,
    /// Final refusal of an incoming leg, status by cause.
    Refuse(Cause),
    /// Make this (new) leg and dial.
    Dial(Box<Dial>),
    /// CANCEL or BYE, by state, with a Reason header.
    Hangup(Cause),
    /// Put the far end on hold (`true`: we offer sendonly) or take it back.
    Hold(bool),
    /// Send a key to the far end.
    SendDigit(Digit),
    /// What has become of that for which the telephone asked by REFER. Ignored when it asks for nothing.
    Referred(Referral),
    /// Ask the phone that rings to answer (NOTIFY with `Event: talk`). One that does not know this goes on ringing.
    PickUp,
}
