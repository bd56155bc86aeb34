//! Keys that are pressed during a call: RFC 4733 events, SIP INFO bodies and tones in the audio.
//!
//! Each press is reported once, whichever way it came. Knows no socket, no clock and no call.

mod detector;
mod info;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod tone;

pub use detector::Detector;
pub use info::{InfoDigit, InfoError, parse_info, print_info};
pub use receiver::EventReceiver;
pub use sender::EventSender;
pub use tone::ToneSender;

use crate::types::{Digit, DigitBy};

/// Keys that may wait to be sent: more than any menu asks for.
pub const MAX_WAITING: usize = 32;
/// The keys by event number (RFC 4733 3.2).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// Why a key was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DtmfError {
    /// Too many keys wait already.
    #[error("too many keys wait to be sent")]
    Full,
    /// There is no such key.
    #[error("there is no such key")]
    NoSuchKey,
}

/// The key of an event number; `None` for events that are no keys (flash, tones).
pub fn key(event: u8) -> Option<Digit> {
    KEYS.get(usize::from(event)).copied().map(Digit)
}

/// The event number of a key.
pub fn event(digit: Digit) -> Option<u8> {
    let key = digit.0.to_ascii_uppercase();
    // There are 16 of them.
    KEYS.iter().position(|known| *known == key).map(|position| position as u8)
}

/// One method a leg: a phone that sends events and INFO for the same press, or whose events leave tones in the audio,
/// is heard once. The first method heard wins for the life of the leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OneMethod {
    chosen: Option<DigitBy>,
}

impl OneMethod {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a digit that came by this method counts.
    pub fn accept(&mut self, by: DigitBy) -> bool {
        *self.chosen.get_or_insert(by) == by
    }
}
