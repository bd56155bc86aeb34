//! What happens to the calls of a line, and the places outside that they may go on to. Data of the plan; knows no file.

use crate::types::{DestinationId, PhoneNumber, PromptName, QueueId};

/// What happens to a call on a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    /// The number is kept and rings a queue of ours.
    Queue(QueueService),
    /// Somebody outside answers: the line's own seats behind their trunk, another hotline, the upper platform, a company.
    Outside(OutsideService),
    /// Nobody serves the number any more: callers are told so.
    Told(ToldService),
    /// A mode that stands in the file and is not served yet: 404 and the fate "mode not served", never a silent ring.
    NotServed,
}

/// How a queue line treats its callers.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueService {
    /// Played before the greeting, each whole, in this order.
    pub notices: Vec<PromptName>,
    /// Which queue.
    pub queue: QueueId,
    /// Played before the waiting, whole.
    pub greeting: PromptName,
    /// Whether notices, greeting and queue come after the answer (200) or before it (183 with media).
    pub answer: AnswerWhen,
    /// Priority inside the queue: higher first; arrival order among equals.
    pub priority: u8,
    /// The old desk, which rings beside the seats from the moment in which the caller begins to wait (并行接听): the first to
    /// answer has the call.
    pub desk: Option<DestinationId>,
}

/// How a line treats its callers whose calls go on outside.
#[derive(Clone, Debug, PartialEq)]
pub struct OutsideService {
    /// Played first, each whole, in this order.
    pub notices: Vec<PromptName>,
    /// Where the calls go on.
    pub destination: DestinationId,
    /// Whether notices and ringing tone come after the answer (200) or before it (183 with media).
    pub answer: AnswerWhen,
    /// Where the caller waits when nobody outside answers; `None`: they are told so and the call ends.
    pub fallback: Option<QueueId>,
    /// Priority inside the fallback: higher first; arrival order among equals.
    pub priority: u8,
}

/// How the callers of a number learn that it is served no more.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldService {
    /// The final announcement, heard before the refusal (183 with media); `None`: refused at once.
    pub notice: Option<PromptName>,
    /// With which the call is refused.
    pub end: ToldEnd,
}

/// How a call to a number without service is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldEnd {
    /// 410: the number is cancelled.
    Gone,
    /// 404: as if the number had never been.
    NotFound,
    /// 480: the line is not served at this hour.
    Closed,
}

/// When the caller's leg is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerWhen {
    /// At once: greeting and waiting are heard after the answer.
    AtOnce,
    /// When a seat answers: greeting and waiting are early media.
    BySeat,
}

/// A place outside that is reached over trunks: a sub-center, another site, the upper platform, an old desk.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Name in records: `sub-center-12366`.
    pub name: String,
    /// Ways there, in the order in which they are tried; at least one.
    pub routes: Vec<RouteOut>,
    /// How long one of them is rung, milliseconds.
    pub ring_ms: u32,
}

/// One way to a destination.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteOut {
    /// Name of the trunk, whose group is tried with it.
    pub trunk: String,
    /// What is dialled there; `None`: the number of the line that the citizen dialled.
    pub number: Option<PhoneNumber>,
}

/// Where a rule of overflow sends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowTo {
    /// Into another queue, at its place by arrival.
    Queue(QueueId),
    /// To another site.
    Destination(DestinationId),
    /// Nowhere: the caller hears the queue's prompt of overflow and the call ends.
    Message,
}
