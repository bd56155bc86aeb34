//! RTCP of one leg (RFC 3550 6): what was received, what the far end says of us, and the reports between them.
//!
//! Knows no socket; times and random numbers come in, the next report is a deadline.

mod reception;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::packet::{Packet, marshal, unmarshal};
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};

pub use reception::{Arrived, Reception};

use super::quality;
use super::rtp::{Header, Sender};
use crate::types::{Codec, Mono, Now, StreamReport};

/// Mean time between reports (RFC 3550 6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// Divisor that makes up for the randomised interval (RFC 3550 6.3.1: e - 1.5), times 100,000.
const COMPENSATION_X100000: u64 = 121_828;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
/// Longest RTCP datagram that is read. Ours and those of phones are below 200 bytes.
const MAX_DATAGRAM_BYTES: usize = 1_500;
/// Longest canonical name, so that its length fits its octet (RFC 3550 6.5).
const MAX_CNAME_BYTES: usize = 255;

/// Why an RTCP datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Longer than any report.
    #[error("the datagram is too long")]
    TooLong,
    /// It cannot be read.
    #[error("this is no compound RTCP packet")]
    Malformed,
}

/// What an RTCP datagram said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// It held a report.
    pub report: bool,
    /// The far end's stream is over.
    pub bye: bool,
}

/// What the far end says of the stream it gets from us.
#[derive(Clone, Copy, Debug, Default)]
struct Remote {
    lost: u32,
    round_trip: Duration,
}

/// RTCP of one leg. Moves with the leg from worker to worker.
#[derive(Clone, Debug)]
pub struct Session {
    ssrc: u32,
    cname: Bytes,
    reception: Reception,
    remote: Remote,
    deadline: Mono,
    /// NTP time runs on the monotonic clock from here, so that a step of the wall clock does not become a round trip.
    anchor: Option<Now>,
    /// Packets sent when the last two reports went out: silent for longer means a receiver report.
    sent_before: [u64; 2],
}

impl Session {
    /// A session that sends its first report within half an interval. `cname` must not tell who talks; `random` spreads
    /// the reports of many legs.
    pub fn new(ssrc: u32, cname: &str, random: u32, now: Mono) -> Self {
        let cname = &cname.as_bytes()[..cname.len().min(MAX_CNAME_BYTES)];
        Self {
            ssrc,
            cname: Bytes::copy_from_slice(cname),
            reception: Reception::default(),
            remote: Remote::default(),
            deadline: now + interval(random) / 2,
            anchor: None,
            sent_before: [0; 2],
        }
    }

    /// Counts an RTP packet that was accepted from the far end.
    pub fn received(&mut self, header: &Header, at: Mono) -> Arrived {
        self.reception.packet(header, at)
    }

    /// What was received so far.
    pub fn reception(&self) -> &Reception {
        &self.reception
    }

    /// When the next report is due.
    pub fn deadline(&self) -> Mono {
        self.deadline
    }

    /// The due report: SR when we have sent lately, otherwise RR, and the source description. Sets the next deadline.
    pub fn report(&mut self, sender: &Sender, random: u32, now: Now) -> Vec<u8> {
        self.deadline = now.mono + interval(random);
        let packets = self.packets(sender, now);
        self.sent_before = [self.sent_before[1], sender.packets()];
        print(&packets)
    }

    /// The last word of the leg: a report, the source description and BYE (RFC 3550 6.6).
    pub fn bye(&mut self, sender: &Sender, now: Now) -> Vec<u8> {
        let mut packets = self.packets(sender, now);
        packets.push(Box::new(Goodbye { sources: vec![self.ssrc], reason: Bytes::new() }));
        print(&packets)
    }

    /// Reads a datagram of the far end.
    ///
    /// # Errors
    /// [`RtcpError`] when it cannot be read; nothing of it was taken then.
    pub fn incoming(&mut self, datagram: &[u8], now: Now) -> Result<Incoming, RtcpError> {
        if datagram.len() > MAX_DATAGRAM_BYTES {
            return Err(RtcpError::TooLong);
        }
        let packets = unmarshal(&mut Bytes::copy_from_slice(datagram)).map_err(|_| RtcpError::Malformed)?;
        let mut incoming = Incoming::default();
        for packet in &packets {
            let any = packet.as_any();
            if let Some(report) = any.downcast_ref::<SenderReport>() {
                self.reception.sender_report(report.ssrc, report.ntp_time, now.mono);
                self.blocks(&report.reports, now);
                incoming.report = true;
            } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
                self.blocks(&report.reports, now);
                incoming.report = true;
            } else if any.is::<Goodbye>() {
                incoming.bye = true;
            }
        }
        Ok(incoming)
    }

    /// The figures of the leg. `late` packets came, but after their turn in the jitter buffer; `buffer` is its delay.
    pub fn figures(&self, codec: Codec, late: u64, buffer: Duration, sent: u64) -> StreamReport {
        let received = self.reception.received();
        let lost = self.reception.lost();
        let round_trip_us = u32::try_from(self.remote.round_trip.as_micros()).unwrap_or(u32::MAX);
        let jitter_us = self.reception.jitter_us();
        let mos_x100 = if received == 0 {
            0
        } else {
            let missed = (lost + late.min(received)) as f64;
            let delay_ms = f64::from(round_trip_us) / 2_000.0 + buffer.as_secs_f64() * 1_000.0 + FRAME_MS;
            quality::mos_x100(codec, missed * 100.0 / (received + lost) as f64, delay_ms)
        };
        let remote_loss = u64::from(self.remote.lost) * 10_000 / sent.max(1);
        StreamReport {
            codec: Some(codec),
            received,
            sent,
            lost,
            late,
            jitter_us,
            remote_loss_percent_x100: u32::try_from(remote_loss.min(10_000)).unwrap_or(10_000),
            round_trip_us,
            mos_x100,
        }
    }

    fn packets(&mut self, sender: &Sender, now: Now) -> Vec<Box<dyn Packet>> {
        let reports: Vec<ReceptionReport> = self.reception.block(now.mono).into_iter().collect();
        let profile_extensions = Bytes::new();
        let report: Box<dyn Packet> = if sender.packets() > self.sent_before[0] {
            Box::new(SenderReport {
                ssrc: self.ssrc,
                ntp_time: self.ntp(now),
                rtp_time: sender.clock(now.mono),
                // Both counters wrap (RFC 3550 6.4.1).
                packet_count: sender.packets() as u32,
                octet_count: sender.octets() as u32,
                reports,
                profile_extensions,
            })
        } else {
            Box::new(ReceiverReport { ssrc: self.ssrc, reports, profile_extensions })
        };
        let item = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: self.cname.clone() };
        let chunk = SourceDescriptionChunk { source: self.ssrc, items: vec![item] };
        vec![report, Box::new(SourceDescription { chunks: vec![chunk] })]
    }

    /// Time as NTP writes it: seconds since 1900 and a binary fraction.
    fn ntp(&mut self, now: Now) -> u64 {
        let anchor = *self.anchor.get_or_insert(now);
        let wall_ms = u64::try_from(anchor.wall.0).unwrap_or(0);
        let nanos = u128::from(wall_ms) * 1_000_000 + now.mono.since(anchor.mono).as_nanos();
        let seconds = (nanos / 1_000_000_000) as u64 + NTP_TO_UNIX_S;
        let fraction = ((nanos % 1_000_000_000) << 32) / 1_000_000_000;
        (seconds << 32) | fraction as u64
    }

    /// Takes what the far end says of our stream (RFC 3550 6.4.1: round trip from LSR and DLSR).
    fn blocks(&mut self, blocks: &[ReceptionReport], now: Now) {
        let ours = self.ssrc;
        for block in blocks.iter().filter(|block| block.ssrc == ours) {
            // 24 bits with sign: duplicates can make it negative.
            self.remote.lost = if block.total_lost < 0x80_0000 { block.total_lost } else { 0 };
            if block.last_sender_report == 0 || self.anchor.is_none() {
                continue;
            }
            let middle = (self.ntp(now) >> 16) as u32;
            let trip = middle.wrapping_sub(block.last_sender_report).wrapping_sub(block.delay);
            // More than half a minute, or less than nothing: a clock of theirs is wrong.
            if trip < 30 << 16 {
                self.remote.round_trip = Duration::from_nanos((u64::from(trip) * 1_000_000_000) >> 16);
            }
        }
    }
}

/// One frame is gathered before it is sent: 20 ms.
const FRAME_MS: f64 = 20.0;

/// The interval, between half and one and a half of its mean (RFC 3550 6.3.1).
fn interval(random: u32) -> Duration {
    let mean = INTERVAL.as_nanos() as u64 * 100_000 / COMPENSATION_X100000;
    Duration::from_nanos(mean / 2 + ((u128::from(mean) * u128::from(random)) >> 32) as u64)
}

fn print(packets: &[Box<dyn Packet>]) -> Vec<u8> {
    marshal(packets).map(|bytes| bytes.to_vec()).expect("one block and a short name fit any report")
}
