//! Where a received packet lies on the call's clock.

use std::time::Duration;

use super::TICKS_HZ;
use crate::media::rtp::Header;

/// How far RTP time and arrival may lie apart: 200 ms. Smaller differences are jitter, which must not be heard.
const MOST_DRIFT: u64 = 1_600;
/// Packets in a row (half a second) that must lie further apart before the stream is placed anew: the burst after a
/// stall of the network lies apart too, and its own time is the right one.
const ASTRAY_PACKETS: u8 = 25;
/// A difference of a second is a jump of the far end's clock, whatever follows.
const JUMP: u64 = TICKS_HZ;

#[derive(Clone, Copy, Debug)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    position: u64,
    astray: u8,
}

/// Places the packets of one leg by their RTP time. The first one lies where it arrived; the others follow by their
/// timestamps, so that loss and silence leave gaps of the right length. Another SSRC, a jump of the timestamps, or a
/// lasting drift of more than 200 ms begins anew at the arrival.
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
        if let Some(anchor) = self.anchor.as_mut().filter(|anchor| anchor.ssrc == header.ssrc)
            && let Some(placed) = anchor.follow(header, arrived)
        {
            return placed;
        }
        self.anchor = Some(Anchor { ssrc: header.ssrc, timestamp: header.timestamp, position: arrived, astray: 0 });
        arrived
    }
}

impl Anchor {
    /// The position by RTP time, unless that has nothing to do with the clock any more. A long silence needs no new
    /// anchor: the timestamp has gone on with the clock.
    fn follow(&mut self, header: &Header, arrived: u64) -> Option<u64> {
        let moved = i64::from(header.timestamp.wrapping_sub(self.timestamp) as i32);
        let placed = self.position.checked_add_signed(moved)?;
        let apart = placed.abs_diff(arrived);
        self.astray = if apart > MOST_DRIFT { self.astray + 1 } else { 0 };
        if apart >= JUMP || self.astray >= ASTRAY_PACKETS {
            return None;
        }
        if moved > 0 {
            (self.timestamp, self.position) = (header.timestamp, placed);
        }
        Some(placed)
    }
}

/// Whole ticks of a duration.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros() * u128::from(TICKS_HZ) / 1_000_000).unwrap_or(u64::MAX)
}
