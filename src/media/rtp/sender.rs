//! The outgoing timeline of one leg: one SSRC, one run of sequence numbers and timestamps for as long as it lives.
//!
//! What is sent changes (prompt, relayed voice, other codec, other speaker, keys); the far end sees one stream.

use std::time::Duration;

use super::{CLOCK_HZ, FRAME_TICKS, Header, Stamp};
use crate::types::Mono;

/// A timestamp that differs by more than this from what the clock says is a jump: 1 s.
const JUMP_TICKS: i64 = CLOCK_HZ as i64;
/// A sequence step of more than this is a restart of the sender, not loss (MAX_DROPOUT of RFC 3550 A.1).
const MAX_DROPOUT: i32 = 3_000;
/// A packet more than this behind the newest is from before a restart (MAX_MISORDER of RFC 3550 A.1).
const MAX_MISORDER: i32 = 100;
/// Our own frames may fall this much behind the clock before the timeline catches up: 100 ms.
const TICK_SLACK: i32 = 800;
/// How far the floor of a mapping may lie behind what was sent: more than any reordering, less than half the circle.
const FLOOR_BEHIND: u16 = 1_000;

/// Where a leg's outgoing stream begins; random, from the shell (RFC 3550 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Our source.
    pub ssrc: u32,
    /// First sequence number. Only its lower 15 bits count, so that a receiver of SRTP that misses the first packets
    /// still guesses the rollover counter right (RFC 3711 3.3.1).
    pub sequence: u16,
    /// First timestamp.
    pub timestamp: u32,
}

/// What a relayed packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Audio.
    Audio,
    /// Comfort noise: what follows is a gap in time (RFC 3389 4).
    Noise,
    /// An RFC 4733 event: its timestamp is the start of the event and stays the same from packet to packet.
    Event,
}

/// An RFC 4733 packet of our own making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Event, end bit with volume, duration (RFC 4733 2.3).
    pub payload: [u8; 4],
    /// Set on the first packet of an event.
    pub marker: bool,
    /// Start of the event on our timeline.
    pub timestamp: u32,
}

/// How the stream that is relayed now lies on our timeline.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    source: u64,
    ssrc: u32,
    timestamp_offset: u32,
    sequence_offset: u16,
    /// Highest sequence number and timestamp that came in.
    sequence: u16,
    timestamp: u32,
    /// When the newest packet came, and when the timestamp last moved: they differ during an event.
    at: Mono,
    moved_at: Mono,
    /// First sequence number of ours in this mapping: what falls below it belongs to an older one.
    floor: u16,
    /// Set when packets of our own went out in between: our sequence goes on, theirs has a hole.
    resume: bool,
}

/// What was sent last on the media timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Relayed,
    Ticked,
}

/// The outgoing timeline of a leg. Moves with the leg from worker to worker.
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    /// Next sequence number.
    next: u16,
    /// Highest timestamp sent, when, and how many ticks that packet lasts.
    head: u32,
    head_at: Option<Mono>,
    head_ticks: u32,
    last: Last,
    /// Timestamp and time of the first of the frames that are being sent in a row.
    run: (u32, Mono),
    mapping: Option<Mapping>,
    packets: u64,
    octets: u64,
}

impl Sender {
    /// A stream that has sent nothing yet.
    pub fn new(seed: Seed) -> Self {
        Self {
            ssrc: seed.ssrc,
            next: seed.sequence & 0x7fff,
            head: seed.timestamp,
            head_at: None,
            head_ticks: 0,
            last: Last::Nothing,
            run: (0, Mono(0)),
            mapping: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Our source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// RTP time at `at` on our timeline: the start of an event, the RTP time of a sender report.
    pub fn clock(&self, at: Mono) -> u32 {
        self.head.wrapping_add(self.elapsed(at))
    }

    /// Ticks between the head and `at`.
    fn elapsed(&self, at: Mono) -> u32 {
        self.head_at.map_or(0, |head_at| ticks(head_at, at))
    }

    /// The timestamp of a packet that begins something new: never inside the packet sent last.
    fn onward(&self, at: Mono) -> u32 {
        self.head.wrapping_add(self.elapsed(at).max(self.head_ticks))
    }

    /// Header for a relayed packet. `source` names the incoming stream (the speaking leg). Loss, reordering, silence
    /// and event timestamps of the incoming stream are kept; another source, another SSRC or a jump begins anew right
    /// behind what was sent. `None`: the packet is older than the last such beginning and is dropped.
    pub fn relay(&mut self, source: u64, header: &Header, kind: Kind, payload_type: u8, at: Mono) -> Option<Stamp> {
        let begun = !self.follows(source, header, at);
        if begun {
            self.begin(source, header, at);
        }
        let mapping = self.mapping.as_mut().expect("a mapping has just begun or is being followed");
        if mapping.resume {
            mapping.resume = false;
            mapping.sequence_offset = self.next.wrapping_sub(header.sequence);
            mapping.floor = self.next;
        }
        let sequence = header.sequence.wrapping_add(mapping.sequence_offset);
        if before(sequence, mapping.floor) {
            return None;
        }
        let timestamp = header.timestamp.wrapping_add(mapping.timestamp_offset);
        if !before(header.sequence, mapping.sequence) {
            mapping.sequence = header.sequence;
            mapping.at = at;
            if before32(mapping.timestamp, header.timestamp) {
                mapping.timestamp = header.timestamp;
                mapping.moved_at = at;
            }
        }
        if !before(sequence, self.next) {
            self.next = sequence.wrapping_add(1);
            // The floor follows, or half the sequence numbers later everything would seem to lie below it.
            let lowest = self.next.wrapping_sub(FLOOR_BEHIND);
            if before(mapping.floor, lowest) {
                mapping.floor = lowest;
            }
        }
        let packet_ticks = match kind {
            Kind::Audio => u32::try_from(header.payload_len()).unwrap_or(FRAME_TICKS).clamp(1, 6 * FRAME_TICKS),
            Kind::Event | Kind::Noise => FRAME_TICKS,
        };
        self.advance(timestamp, packet_ticks, at);
        self.last = Last::Relayed;
        let marker = header.marker || (begun && kind == Kind::Audio);
        Some(Stamp { payload_type, marker, sequence, timestamp, ssrc: self.ssrc })
    }

    /// An incoming packet was eaten, not relayed (an event that the far end has not agreed to): ours have no hole.
    pub fn skip(&mut self, source: u64, header: &Header) {
        if let Some(mapping) = self.mapping.as_mut()
            && mapping.source == source
            && mapping.ssrc == header.ssrc
            && !mapping.resume
            && before(mapping.sequence, header.sequence)
        {
            mapping.sequence_offset = mapping.sequence_offset.wrapping_sub(1);
            mapping.sequence = header.sequence;
            // What was reordered around the eaten packet would land on a number already used.
            mapping.floor = self.next;
        }
    }

    /// Header for a packet of our own making that lasts `frame_ticks`: prompt, music, mix, transcoded voice.
    pub fn tick(&mut self, frame_ticks: u32, payload_type: u8, at: Mono) -> Stamp {
        let next = self.head.wrapping_add(self.head_ticks);
        let (run_from, run_at) = self.run;
        let behind = run_from.wrapping_add(ticks(run_at, at)).wrapping_sub(next) as i32;
        let running = self.last == Last::Ticked && behind <= TICK_SLACK;
        let timestamp = if running { next } else { self.onward(at) };
        if !running {
            self.run = (timestamp, at);
        }
        let marker = !running;
        let sequence = self.take_sequence();
        self.head = timestamp;
        // When the frame was due, not when it was made: lateness must not add up from run to run.
        let due = Duration::from_micros(u64::from(behind.unsigned_abs()) * 1_000_000 / u64::from(CLOCK_HZ));
        self.head_at = Some(match (running, behind >= 0) {
            (false, _) => at,
            (true, true) => at - due,
            (true, false) => at + due,
        });
        self.head_ticks = frame_ticks;
        self.last = Last::Ticked;
        self.mapping = None;
        Stamp { payload_type, marker, sequence, timestamp, ssrc: self.ssrc }
    }

    /// Header for an event of our own. Relayed voice that was held back meanwhile leaves no hole.
    pub fn event(&mut self, packet: &EventPacket, payload_type: u8) -> Stamp {
        let sequence = self.take_sequence();
        if let Some(mapping) = self.mapping.as_mut() {
            mapping.resume = true;
        }
        Stamp { payload_type, marker: packet.marker, sequence, timestamp: packet.timestamp, ssrc: self.ssrc }
    }

    /// Counts a packet that has left, for sender reports.
    pub fn sent(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.octets += payload_bytes as u64;
    }

    /// Packets sent.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Payload bytes sent.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// When the last packet left; `None` before the first.
    pub fn last_at(&self) -> Option<Mono> {
        self.head_at
    }

    fn take_sequence(&mut self) -> u16 {
        let sequence = self.next;
        self.next = sequence.wrapping_add(1);
        sequence
    }

    fn advance(&mut self, timestamp: u32, packet_ticks: u32, at: Mono) {
        if self.head_at.is_none() || before32(self.head, timestamp) {
            self.head = timestamp;
            self.head_at = Some(at);
            self.head_ticks = packet_ticks;
        }
    }

    /// Whether a packet goes on where the mapping is. Silence may be long as long as timestamp and clock agree.
    fn follows(&self, source: u64, header: &Header, at: Mono) -> bool {
        let Some(mapping) = &self.mapping else { return false };
        if mapping.source != source || mapping.ssrc != header.ssrc {
            return false;
        }
        let step = i32::from(header.sequence.wrapping_sub(mapping.sequence) as i16);
        if !mapping.resume && !(-MAX_MISORDER..=MAX_DROPOUT).contains(&step) {
            return false;
        }
        let moved = i64::from(header.timestamp.wrapping_sub(mapping.timestamp) as i32);
        [mapping.at, mapping.moved_at].iter().any(|from| (moved - i64::from(ticks(*from, at))).abs() <= JUMP_TICKS)
    }

    fn begin(&mut self, source: u64, header: &Header, at: Mono) {
        self.mapping = Some(Mapping {
            source,
            ssrc: header.ssrc,
            timestamp_offset: self.onward(at).wrapping_sub(header.timestamp),
            sequence_offset: self.next.wrapping_sub(header.sequence),
            sequence: header.sequence,
            timestamp: header.timestamp,
            at,
            moved_at: at,
            floor: self.next,
            resume: false,
        });
    }
}

/// Whole ticks between two moments, at most an hour of them.
fn ticks(from: Mono, to: Mono) -> u32 {
    let micros = to.since(from).as_micros().min(3_600_000_000);
    u32::try_from(micros * u128::from(CLOCK_HZ) / 1_000_000).unwrap_or(u32::MAX)
}

/// Whether `a` comes before `b` on the 16-bit circle.
fn before(a: u16, b: u16) -> bool {
    (a.wrapping_sub(b) as i16) < 0
}

/// Whether `a` comes before `b` on the 32-bit circle.
fn before32(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
