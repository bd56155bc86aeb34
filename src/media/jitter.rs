//! The jitter buffer: packets in as they come, one 20 ms frame out on each tick, placed by RTP time.
//!
//! Used only where audio is decoded (mixing, transcoding); relayed packets never wait here. Holds encoded bytes of
//! A-law, mu-law and G.722, which all carry one byte a tick, so a ring of bytes is a ring of time. Knows no socket and
//! no clock; allocates nothing after `new`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::rtp::{CLOCK_HZ, FRAME_TICKS, Header};
use crate::types::Mono;

/// Ticks that the ring can hold: 512 ms. A power of two, so that RTP time wraps on a slot boundary.
const RING_TICKS: usize = 4_096;
/// How long the first packet waits: 40 ms, which with the phase of the tick makes 40 to 60 ms.
const FIRST_DELAY: Duration = Duration::from_millis(40);
/// Phase of the tick: up to one frame.
const FRAME: Duration = Duration::from_millis(20);
/// Most delay that the buffer ever builds up: 200 ms.
const MOST_TICKS: i32 = 1_600;
/// Where the buffer lands when it must cut its delay: 60 ms.
const CUT_TICKS: u32 = 480;
/// When even the worst packet of a window had this long to wait, one frame of delay is given back: 60 ms.
const SLACK_TICKS: i32 = 480;
/// Packets of a window: about 2 s of 20 ms packets.
const WINDOW_PACKETS: u32 = 100;
/// A timestamp further than this from what is played next begins the stream anew: 1 s.
const JUMP_TICKS: i32 = CLOCK_HZ as i32;
/// After so many late packets in a row the far end's clock has stood still; the stream begins anew: 200 ms.
const LATE_RUN: u32 = 10;
/// Concealment is worth so many frames (100 ms); a longer gap is silence.
const CONCEAL_FRAMES: u32 = 5;
/// Longest payload taken: 120 ms.
const MAX_PAYLOAD_BYTES: usize = 960;

/// What a tick gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// 160 bytes of encoded audio.
    Frame,
    /// A hole of at most 100 ms, or a pause to build up delay: conceal.
    Missing,
    /// The far end is silent and has said so (CN): its noise goes on.
    Comfort,
    /// Nothing has begun, or the far end is gone.
    Silence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No packet yet.
    Empty,
    /// The first packet waits.
    Filling { since: Mono },
    /// Frames go out on each tick.
    Playing,
}

/// Whether the far end has said that it is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comfort {
    No,
    /// By comfort noise; no audio has come since.
    Open,
    /// Audio has come; until its time there is still silence.
    Until(u32),
}

/// Margins of the packets of one window: ticks between a packet's arrival and its turn.
#[derive(Clone, Copy, Debug)]
struct Window {
    packets: u32,
    least: i32,
    most: i32,
}

impl Window {
    const NEW: Window = Window { packets: 0, least: i32::MAX, most: 0 };
}

/// Adaptive buffer of one incoming stream. 4.7 KB; lives in a box of the leg that needs it.
#[derive(Clone, Debug)]
pub struct Buffer {
    ring: [u8; RING_TICKS],
    /// One bit a tick: whether its byte is there.
    present: [u64; RING_TICKS / 64],
    state: State,
    ssrc: u32,
    /// RTP time of the next frame.
    next: u32,
    /// RTP time behind the newest audio.
    newest: u32,
    window: Window,
    /// Most margin in the window before: with the running one, what the delay is now.
    most_before: i32,
    /// A pause of one frame is due to build up delay.
    stretch: bool,
    comfort: Comfort,
    missing_run: u32,
    late_run: u32,
    late: u64,
    concealed: u64,
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            ring: [0; RING_TICKS],
            present: [0; RING_TICKS / 64],
            state: State::Empty,
            ssrc: 0,
            next: 0,
            newest: 0,
            window: Window::NEW,
            most_before: 0,
            stretch: false,
            comfort: Comfort::No,
            missing_run: 0,
            late_run: 0,
            late: 0,
            concealed: 0,
        }
    }

    /// Forgets the stream, keeps the counters: another source is heard from now on.
    pub fn reset(&mut self) {
        self.present = [0; RING_TICKS / 64];
        self.state = State::Empty;
        self.window = Window::NEW;
        self.most_before = 0;
        self.stretch = false;
        self.comfort = Comfort::No;
        self.missing_run = 0;
        self.late_run = 0;
    }

    /// Packets that came after their turn.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Frames that were concealed.
    pub fn concealed(&self) -> u64 {
        self.concealed
    }

    /// How long a packet waits at present.
    pub fn delay(&self) -> Duration {
        let ticks = self.most_before.max(self.window.most).max(0);
        Duration::from_micros(u64::from(ticks.unsigned_abs()) * 1_000_000 / u64::from(CLOCK_HZ))
    }

    /// Takes an audio packet of any length up to 120 ms.
    pub fn push(&mut self, header: &Header, payload: &[u8], at: Mono) {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return;
        }
        let mut margin = header.timestamp.wrapping_sub(self.next) as i32;
        let known = self.state != State::Empty && header.ssrc == self.ssrc;
        if !known || margin.abs() > JUMP_TICKS || self.late_run >= LATE_RUN {
            self.begin(header, at);
            margin = 0;
        }
        // MAX_PAYLOAD_BYTES bounds the cast.
        let length = payload.len() as i32;
        let held = self.newest.wrapping_sub(header.timestamp) as i32;
        if margin < 0 && matches!(self.state, State::Filling { .. }) && held <= CUT_TICKS as i32 {
            // The packet before the first one, reordered: the stream begins with it.
            self.next = header.timestamp;
            margin = 0;
        }
        if margin + length <= 0 {
            self.too_late();
            return;
        }
        self.late_run = 0;
        if self.comfort == Comfort::Open {
            self.comfort = Comfort::Until(header.timestamp);
        }
        let wait = margin + self.filling(at);
        self.note(wait);
        let end = header.timestamp.wrapping_add(length as u32);
        if (end.wrapping_sub(self.newest) as i32) > 0 {
            self.newest = end;
        }
        if wait + length > MOST_TICKS {
            self.skip_to(end.wrapping_sub(CUT_TICKS.max(length as u32)));
        }
        self.store(header.timestamp, payload);
    }

    /// Takes a comfort noise packet (RFC 3389): what follows is silence until audio comes again, at its own time.
    pub fn comfort_noise(&mut self, header: &Header) {
        if self.state != State::Empty && header.ssrc == self.ssrc {
            self.comfort = Comfort::Open;
            self.late_run = 0;
        }
    }

    /// Gives the next 20 ms. Called on each tick, whatever came.
    pub fn pull(&mut self, out: &mut [u8; FRAME_TICKS as usize], at: Mono) -> Pulled {
        match self.state {
            State::Empty => return Pulled::Silence,
            State::Filling { since } if at.since(since) < FIRST_DELAY => return Pulled::Silence,
            State::Filling { .. } | State::Playing => self.state = State::Playing,
        }
        let most = self.most_before.max(self.window.most) + FRAME_TICKS as i32;
        if std::mem::take(&mut self.stretch) && most <= MOST_TICKS {
            self.window.most = most;
            self.concealed += 1;
            return Pulled::Missing;
        }
        self.shrink();
        let present = self.take_frame(out);
        self.next = self.next.wrapping_add(FRAME_TICKS);
        if present {
            self.missing_run = 0;
            return Pulled::Frame;
        }
        if self.is_comfort() {
            self.missing_run = 0;
            return Pulled::Comfort;
        }
        self.missing_run = self.missing_run.saturating_add(1);
        if self.missing_run > CONCEAL_FRAMES {
            return Pulled::Silence;
        }
        self.concealed += 1;
        Pulled::Missing
    }

    /// Whether the frame before `next` lies in a silence that was announced.
    fn is_comfort(&mut self) -> bool {
        if let Comfort::Until(audio) = self.comfort
            && (self.next.wrapping_sub(audio) as i32) > 0
        {
            self.comfort = Comfort::No;
        }
        self.comfort != Comfort::No
    }

    fn begin(&mut self, header: &Header, at: Mono) {
        self.reset();
        self.state = State::Filling { since: at };
        self.ssrc = header.ssrc;
        self.next = header.timestamp;
        self.newest = header.timestamp;
    }

    /// A packet missed its turn: one frame of delay more at the next tick, unless the most is reached.
    fn too_late(&mut self) {
        self.late += 1;
        self.late_run += 1;
        self.stretch = self.state == State::Playing;
    }

    /// Ticks for which the first packet may still hold up the others.
    fn filling(&self, at: Mono) -> i32 {
        match self.state {
            // At most 60 ms.
            State::Filling { since } => (FIRST_DELAY + FRAME).saturating_sub(at.since(since)).as_millis() as i32 * 8,
            State::Empty | State::Playing => 0,
        }
    }

    fn note(&mut self, margin: i32) {
        self.window.packets += 1;
        self.window.least = self.window.least.min(margin);
        self.window.most = self.window.most.max(margin);
    }

    /// At the end of a window gives back a frame of delay that nobody needed.
    fn shrink(&mut self) {
        if self.window.packets < WINDOW_PACKETS {
            return;
        }
        let least = self.window.least;
        self.most_before = self.window.most;
        self.window = Window::NEW;
        if least >= SLACK_TICKS {
            self.skip_to(self.next.wrapping_add(FRAME_TICKS));
        }
    }

    /// Jumps forward, forgetting what lies before `to`.
    fn skip_to(&mut self, to: u32) {
        let span = to.wrapping_sub(self.next);
        if span as i32 <= 0 {
            return;
        }
        if span as usize >= RING_TICKS {
            self.present = [0; RING_TICKS / 64];
        } else {
            self.mark(self.next, span as usize, false);
        }
        self.next = to;
        // Every packet that waits does so for that much less.
        let less = |most: i32| most.saturating_sub_unsigned(span).max(0);
        self.most_before = less(self.most_before);
        self.window = Window { most: less(self.window.most), ..Window::NEW };
    }

    /// Copies the part of the payload that still has its turn.
    fn store(&mut self, timestamp: u32, payload: &[u8]) {
        let gone = (self.next.wrapping_sub(timestamp) as i32).max(0).unsigned_abs() as usize;
        let Some(payload) = payload.get(gone..) else { return };
        let from = timestamp.wrapping_add(gone as u32);
        let at = from as usize % RING_TICKS;
        let first = payload.len().min(RING_TICKS - at);
        self.ring[at..at + first].copy_from_slice(&payload[..first]);
        self.ring[..payload.len() - first].copy_from_slice(&payload[first..]);
        self.mark(from, payload.len(), true);
    }

    fn mark(&mut self, from: u32, count: usize, value: bool) {
        let mut at = from as usize % RING_TICKS;
        let mut left = count;
        while left > 0 {
            let bit = at % 64;
            let run = left.min(64 - bit);
            let mask = (u64::MAX >> (64 - run)) << bit;
            if value {
                self.present[at / 64] |= mask;
            } else {
                self.present[at / 64] &= !mask;
            }
            at = (at + run) % RING_TICKS;
            left -= run;
        }
    }

    fn has(&self, tick: usize) -> bool {
        self.present[tick / 64] >> (tick % 64) & 1 == 1
    }

    /// Takes the frame at `next` out of the ring. A frame that is there only in part is filled up with the last byte
    /// before each hole; `false` when nothing of it is there.
    fn take_frame(&mut self, out: &mut [u8; FRAME_TICKS as usize]) -> bool {
        let at = self.next as usize % RING_TICKS;
        let mut missing = 0;
        for (i, byte) in out.iter_mut().enumerate() {
            let tick = (at + i) % RING_TICKS;
            *byte = self.ring[tick];
            missing += usize::from(!self.has(tick));
        }
        if missing > 0 && missing < out.len() {
            self.patch(at, out);
        }
        self.mark(self.next, FRAME_TICKS as usize, false);
        missing < out.len()
    }

    fn patch(&self, at: usize, out: &mut [u8; FRAME_TICKS as usize]) {
        let first = (0..out.len()).find(|i| self.has((at + i) % RING_TICKS)).unwrap_or(0);
        let mut last = out[first];
        for (i, byte) in out.iter_mut().enumerate() {
            if self.has((at + i) % RING_TICKS) {
                last = *byte;
            } else {
                *byte = last;
            }
        }
    }
}
