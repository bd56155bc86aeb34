//! The words every layer speaks: ids, numbers, time, and what legs and the core say to each other.
//!
//! Holds data only. Knows nothing of this crate, no socket, no clock, no protocol.

mod agent;
mod caller;
mod hear;
mod ids;
mod ledger;
mod leg;
mod now;
mod number;
mod pii;
mod stream;
mod supervise;
mod transfer;
mod work_calendar;

pub use agent::{Agent, Level, NoLevel, Word};
pub use caller::CallerMark;
pub use hear::{Hear, PromptName, RunId, Source};
pub use ids::{
    AgentId, CallId, DestinationId, IdBase, LegId, LegIds, NetworkId, OfferId, QueueId, ReplyId, SeatId, TrunkId,
};
pub use ledger::{CANCELLED_MODE, CallEvent, Choice, Decision, Fate, Healed, OverflowWhy, Row, StreamReport, WishKind};
pub use leg::{Arrival, Calling, Cause, Dial, Digit, DigitBy, Hops, LegCommand, LegEvent, Origin, Referral, Target};
pub use now::{Mono, Now, Wall};
pub use number::{LineNumber, NumberError, PhoneNumber};
pub use pii::Pii;
pub use stream::{Codec, CryptoSuite, Direction, MediaPort, SrtpKey, StreamParams, TlsMedia};
pub use supervise::SuperviseHow;
pub use transfer::{TransferEnd, TransferHow, TransferTo};
pub use work_calendar::{Dated, DayView, NamedDay, WorkCalendar};
