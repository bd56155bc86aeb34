//! Where a received packet lies on the call's clock.

use std::time::Duration;

use super::TICKS_HZ;
use crate::media::rtp::Header;

/// How far RTP time and arrival may drift apart before the stream is placed anew: 200 ms. Smaller differences are
/// jitter, which must not be heard.
const MOST_DRIFT: i64 = 1_600;

#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    position: u64,
}

/// Places the packets of one leg by their RTP time. The first one lies where it arrived; the others follow by their
/// timestamps, so that loss and silence leave gaps of the right length. Another SSRC, a jump of the timestamps, or a
/// drift of more than 200 ms begins anew at the arrival.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placer {
    anchor: Option<Anchor>,
}

impl Placer {
    /// Nothing placed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Position of a packet in ticks. `since_start`: from the beginning of the recording to its arrival.
    pub fn place(&mut self, header: &Header, since_start: Duration) -> u64 {
        let lasts = header.payload_len() as u64;
        // A packet is sent when its audio is over: it began that much earlier.
        let arrived = ticks(since_start).saturating_sub(lasts);
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.ssrc == header.ssrc) {
            let moved = i64::from(header.timestamp.wrapping_sub(anchor.timestamp) as i32);
            let placed = anchor.position.checked_add_signed(moved);
            // A long silence needs no second anchor: the timestamp has gone on with the clock.
            if let Some(placed) = placed.filter(|placed| placed.abs_diff(arrived) <= MOST_DRIFT.unsigned_abs()) {
                if moved > 0 {
                    self.anchor = Some(Anchor { ssrc: header.ssrc, timestamp: header.timestamp, position: placed });
                }
                return placed;
            }
        }
        self.anchor = Some(Anchor { ssrc: header.ssrc, timestamp: header.timestamp, position: arrived });
        arrived
    }
}

/// Whole ticks of a duration.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros() * u128::from(TICKS_HZ) / 1_000_000).unwrap_or(u64::MAX)
}
