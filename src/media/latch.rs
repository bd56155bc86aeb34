//! Latching: from which address a leg's packets are taken, and where ours go.
//!
//! The address of the SDP comes first. A phone behind NAT sends from another one; it is taken only in the first seconds
//! after an offer or answer, and only when it behaves like the stream that was agreed on. Nothing is ever sent to a
//! source that is not latched. Knows no socket; secure legs hand packets in only after they authenticated.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use super::rtp::{CLOCK_HZ, Header};
use crate::types::Mono;

/// How long after an offer or answer another source may be taken.
const WINDOW: Duration = Duration::from_secs(5);
/// Consecutive packets that a new source must send.
const PACKETS: u8 = 4;
/// How much earlier than real time those packets may come: half, because the first of them may have been held up.
const EARLY_DIVISOR: u64 = 2;
/// How much later than real time they may come.
const LATE: Duration = Duration::from_millis(200);

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the stream.
    Accept,
    /// It belongs to the stream, which from now on comes from, and goes to, its source: `send_to` has changed.
    Latched,
    /// Drop it.
    Refuse,
}

/// A source that might be the phone.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    first_timestamp: u32,
    first_at: Mono,
    packets: u8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Only the address of the SDP counts: latching is not allowed, or its time is over, or that address has spoken.
    Fixed,
    /// Another source may show itself.
    Open { since: Mono, candidate: Option<Candidate> },
    /// Another source was taken.
    Locked,
}

/// Address rules of one leg.
#[derive(Clone, Debug)]
pub struct Latch {
    signalled: SocketAddr,
    may_latch: bool,
    remote: SocketAddr,
    rtcp: SocketAddr,
    /// Whether RTCP has still to show its port: the stream was latched away from what the SDP said.
    rtcp_open: bool,
    state: State,
}

impl Latch {
    /// Rules after the first offer and answer. `may_latch` is false for trunks.
    pub fn new(remote: SocketAddr, rtcp: SocketAddr, may_latch: bool, now: Mono) -> Self {
        let state = if may_latch { State::Open { since: now, candidate: None } } else { State::Fixed };
        Self { signalled: remote, may_latch, remote, rtcp, rtcp_open: false, state }
    }

    /// A re-INVITE or UPDATE was agreed on. An unchanged address keeps what was latched until another source shows
    /// itself, so a refresh by session timers never interrupts a phone behind NAT.
    pub fn renegotiated(&mut self, remote: SocketAddr, rtcp: SocketAddr, may_latch: bool, now: Mono) {
        if remote == self.signalled && may_latch == self.may_latch {
            if self.may_latch {
                self.state = State::Open { since: now, candidate: None };
            }
            return;
        }
        *self = Self::new(remote, rtcp, may_latch, now);
    }

    /// Judges a packet. `right_type`: its payload type is one that was agreed on.
    pub fn packet(&mut self, from: SocketAddr, header: &Header, right_type: bool, at: Mono) -> Verdict {
        if from == self.remote {
            if let State::Open { .. } = self.state
                && right_type
            {
                self.state = if self.remote == self.signalled { State::Fixed } else { State::Locked };
            }
            return Verdict::Accept;
        }
        let State::Open { since, candidate } = &mut self.state else { return Verdict::Refuse };
        if at.since(*since) > WINDOW || !right_type {
            return Verdict::Refuse;
        }
        let next = continued(*candidate, from, header, at);
        let taken = next.packets >= PACKETS && in_real_time(&next, at);
        *candidate = Some(next);
        if !taken {
            return Verdict::Refuse;
        }
        self.state = State::Locked;
        self.rtcp_open = true;
        // Until the far end's RTCP shows its port the rule of RFC 3550 11 is the best guess.
        self.rtcp = if self.rtcp.port() == self.remote.port() {
            from
        } else {
            SocketAddr::new(from.ip(), from.port().saturating_add(1))
        };
        self.remote = from;
        Verdict::Latched
    }

    /// Whether an RTCP packet is taken. RTCP follows RTP: the host must be the same, and once the stream was latched
    /// the first packet from that host shows the port.
    pub fn rtcp_packet(&mut self, from: SocketAddr) -> bool {
        if from == self.rtcp || from == self.remote {
            return true;
        }
        if self.rtcp_open && from.ip() == self.remote.ip() {
            self.rtcp = from;
            self.rtcp_open = false;
            return true;
        }
        false
    }

    /// Where RTP goes: the address of the SDP until another one was latched.
    pub fn send_to(&self) -> SocketAddr {
        self.remote
    }

    /// Where RTCP goes.
    pub fn rtcp_to(&self) -> SocketAddr {
        self.rtcp
    }

    /// Whether a source other than the SDP's address was taken.
    pub fn is_latched(&self) -> bool {
        self.remote != self.signalled
    }
}

/// The candidate with one more packet, or a new one when the packet does not follow.
fn continued(candidate: Option<Candidate>, from: SocketAddr, header: &Header, at: Mono) -> Candidate {
    match candidate {
        Some(known)
            if known.from == from
                && known.ssrc == header.ssrc
                && header.sequence == known.sequence.wrapping_add(1)
                && (header.timestamp.wrapping_sub(known.timestamp) as i32) > 0 =>
        {
            Candidate {
                sequence: header.sequence,
                timestamp: header.timestamp,
                packets: known.packets.saturating_add(1),
                ..known
            }
        }
        Some(_) | None => Candidate {
            from,
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            first_timestamp: header.timestamp,
            first_at: at,
            packets: 1,
        },
    }
}

/// Whether the packets took about as long to come as the audio in them lasts: a replayed burst does not.
fn in_real_time(candidate: &Candidate, at: Mono) -> bool {
    let ticks = u64::from(candidate.timestamp.wrapping_sub(candidate.first_timestamp));
    let lasts = Duration::from_micros(ticks * 1_000_000 / u64::from(CLOCK_HZ));
    let took = at.since(candidate.first_at);
    took.as_micros() as u64 >= lasts.as_micros() as u64 / EARLY_DIVISOR && took <= lasts + LATE
}
