//! RFC 4733 events received: each press once, reported at the first packet of it that arrives.

use super::key;
use crate::media::rtp::Header;
use crate::types::Digit;

/// Longest duration that an event can name; a longer press goes on in the next segment (RFC 4733 2.5.1.3).
const LONGEST_TICKS: u32 = 0xffff;
/// A segment may end so much before the longest duration: some senders stop at a whole packet.
const SEGMENT_SLACK_TICKS: u32 = 1_600;
/// Bytes of one event (RFC 4733 2.3).
const EVENT_BYTES: usize = 4;

/// The press that was heard last.
#[derive(Clone, Copy, Debug)]
struct Press {
    ssrc: u32,
    event: u8,
    /// Start of its segment.
    timestamp: u32,
    /// Longest duration seen.
    duration: u32,
    ended: bool,
}

/// Turns event packets into presses. Markers are not needed: an event is known by its timestamp, so repeated, reordered
/// and lost packets, also of start and end, make no difference.
#[derive(Clone, Debug, Default)]
pub struct EventReceiver {
    last: Option<Press>,
}

impl EventReceiver {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of the agreed event type; gives the key when the press is new.
    pub fn packet(&mut self, header: &Header, payload: &[u8]) -> Option<Digit> {
        let [event, flags, high, low] = *payload.first_chunk::<EVENT_BYTES>()?;
        let digit = key(event)?;
        let press = Press {
            ssrc: header.ssrc,
            event,
            timestamp: header.timestamp,
            duration: u32::from(u16::from_be_bytes([high, low])),
            ended: flags & 0x80 != 0,
        };
        let Some(last) = self.last.as_mut().filter(|last| last.ssrc == press.ssrc) else {
            self.last = Some(press);
            return Some(digit);
        };
        let step = press.timestamp.wrapping_sub(last.timestamp) as i32;
        if step <= 0 {
            // The same press again, or a straggler of an older one.
            if step == 0 {
                last.duration = last.duration.max(press.duration);
                last.ended |= press.ended;
            }
            return None;
        }
        let goes_on = continues(last, &press, header.marker);
        *last = press;
        (!goes_on).then_some(digit)
    }
}

/// Whether `next` is a further segment of a press that is still held down.
fn continues(last: &Press, next: &Press, marker: bool) -> bool {
    if last.ended || marker || last.event != next.event {
        return false;
    }
    let step = next.timestamp.wrapping_sub(last.timestamp);
    let segment_end = LONGEST_TICKS - SEGMENT_SLACK_TICKS..=LONGEST_TICKS + SEGMENT_SLACK_TICKS;
    last.duration >= LONGEST_TICKS - 2 * SEGMENT_SLACK_TICKS && segment_end.contains(&step)
        || last.duration > 0 && step == last.duration && last.duration >= SEGMENT_SLACK_TICKS
}
