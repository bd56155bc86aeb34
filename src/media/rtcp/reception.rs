//! Reception statistics of one leg (RFC 3550 A.1, A.3, A.8), over all sources that it had.

use rtc_rtcp::reception_report::ReceptionReport;

use crate::media::rtp::{CLOCK_HZ, Header};
use crate::types::Mono;

/// A step of more than this is no loss but a restart (RFC 3550 A.1).
const MAX_DROPOUT: i32 = 3_000;
/// A packet further back than this is no reordering but a restart (RFC 3550 A.1).
const MAX_MISORDER: i32 = 100;

/// How a packet fits what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// In order, or after a gap.
    Next,
    /// Behind a later one.
    Reordered,
    /// For the second time.
    Duplicate,
    /// The first of a source, or of a source that began anew.
    First,
    /// Far away from what is expected: one stray, or the first of a restart.
    Stray,
}

/// One source.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    first: u64,
    highest: u64,
    /// The packets up to `highest`, newest in bit 0: duplicates are told by it.
    seen: u64,
    received: u64,
    /// Sequence number that would prove a restart.
    expected_restart: Option<u16>,
    /// For the fraction of the next report.
    expected_prior: u64,
    received_prior: u64,
    timestamp: u32,
    /// Arrival minus timestamp, in ticks.
    transit: i64,
    /// Interarrival jitter in ticks, times 16 (RFC 3550 A.8).
    jitter_x16: u64,
    last_report: Option<(u32, Mono)>,
}

impl Source {
    fn new(header: &Header, at: Mono) -> Self {
        let first = 0x1_0000 + u64::from(header.sequence);
        Self {
            ssrc: header.ssrc,
            first,
            highest: first,
            seen: 1,
            received: 1,
            expected_restart: None,
            expected_prior: 0,
            received_prior: 0,
            timestamp: header.timestamp,
            transit: transit(header.timestamp, at),
            jitter_x16: 0,
            last_report: None,
        }
    }

    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    fn next(&mut self, step: u32) {
        self.highest += u64::from(step);
        self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
        self.received += 1;
    }

    /// A packet from `back` places behind the newest.
    fn behind(&mut self, back: u32) -> Arrived {
        let bit = 1u64.checked_shl(back).unwrap_or(0);
        if self.seen & bit != 0 {
            return Arrived::Duplicate;
        }
        self.seen |= bit;
        self.received += 1;
        self.first = self.first.min(self.highest - u64::from(back));
        Arrived::Reordered
    }

    /// Jitter over packets whose timestamp has moved: the packets of one event share theirs.
    fn time(&mut self, header: &Header, at: Mono) {
        if header.timestamp == self.timestamp {
            return;
        }
        self.timestamp = header.timestamp;
        let transit = transit(header.timestamp, at);
        // Both wrap with the timestamp: the difference is what counts.
        let moved = i64::from(transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        // A jump of the far end's clock is not jitter.
        if moved < u64::from(CLOCK_HZ) {
            self.jitter_x16 = (self.jitter_x16 + moved).saturating_sub((self.jitter_x16 + 8) >> 4);
        }
    }
}

/// Statistics of all that a leg received.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// Of sources that are gone.
    received: u64,
    lost: u64,
    worst_jitter_x16: u64,
}

impl Reception {
    /// Counts a packet.
    pub fn packet(&mut self, header: &Header, at: Mono) -> Arrived {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == header.ssrc) else {
            return self.restart(header, at);
        };
        let step = i32::from(header.sequence.wrapping_sub(source.highest as u16) as i16);
        let arrived = match step {
            1..=MAX_DROPOUT => {
                source.next(step.unsigned_abs());
                Arrived::Next
            }
            0 => Arrived::Duplicate,
            back if (-MAX_MISORDER..0).contains(&back) => source.behind(back.unsigned_abs()),
            _ if source.expected_restart == Some(header.sequence) => return self.restart(header, at),
            _ => {
                source.expected_restart = Some(header.sequence.wrapping_add(1));
                return Arrived::Stray;
            }
        };
        source.expected_restart = None;
        if arrived == Arrived::Next {
            source.time(header, at);
        }
        arrived
    }

    fn restart(&mut self, header: &Header, at: Mono) -> Arrived {
        if let Some(old) = self.source.take() {
            self.received += old.received;
            self.lost += old.lost();
            self.worst_jitter_x16 = self.worst_jitter_x16.max(old.jitter_x16);
        }
        self.source = Some(Source::new(header, at));
        Arrived::First
    }

    /// Packets received, duplicates not counted.
    pub fn received(&self) -> u64 {
        self.received + self.source.map_or(0, |source| source.received)
    }

    /// Packets missing.
    pub fn lost(&self) -> u64 {
        self.lost + self.source.map_or(0, |source| source.lost())
    }

    /// Interarrival jitter in microseconds.
    pub fn jitter_us(&self) -> u32 {
        let ticks_x16 = self.source.map_or(self.worst_jitter_x16, |source| source.jitter_x16);
        u32::try_from(ticks_x16 * 1_000_000 / 16 / u64::from(CLOCK_HZ)).unwrap_or(u32::MAX)
    }

    /// Notes a sender report of the far end, for LSR and DLSR of the next block.
    pub fn sender_report(&mut self, ssrc: u32, ntp: u64, at: Mono) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            source.last_report = Some(((ntp >> 16) as u32, at));
        }
    }

    /// The block of the next report (RFC 3550 6.4.1, A.3); `None` before the first packet.
    pub fn block(&mut self, now: Mono) -> Option<ReceptionReport> {
        let source = self.source.as_mut()?;
        let expected = source.expected() - source.expected_prior.min(source.expected());
        let received = source.received - source.received_prior.min(source.received);
        source.expected_prior = source.expected();
        source.received_prior = source.received;
        let lost = expected.saturating_sub(received);
        let fraction = (lost << 8).checked_div(expected).unwrap_or(0);
        let (last_sender_report, delay) = match source.last_report {
            Some((middle, at)) => (middle, delay_since(at, now)),
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            total_lost: u32::try_from(source.lost().min(0x7f_ffff)).expect("23 bits fit"),
            // Cycles begin at 0 on the wire; the source counts from 1 so that nothing falls below zero.
            last_sequence_number: source.highest.saturating_sub(0x1_0000) as u32,
            jitter: u32::try_from(source.jitter_x16 >> 4).unwrap_or(u32::MAX),
            last_sender_report,
            delay,
        })
    }
}

/// Arrival time minus timestamp in ticks; only differences of it mean something.
fn transit(timestamp: u32, at: Mono) -> i64 {
    let arrival = (u128::from(at.0) * u128::from(CLOCK_HZ) / 1_000_000_000) as i64;
    arrival.wrapping_sub(i64::from(timestamp))
}

/// The delay in units of 1/65,536 s.
fn delay_since(at: Mono, now: Mono) -> u32 {
    u32::try_from((now.since(at).as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}
