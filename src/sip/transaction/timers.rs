//! T1, T2, T4 and the timers A to M that follow from them (RFC 3261 17 and table 4; L and M: RFC 6026 7).
//!
//! Data only: knows no queue and no clock. Timer C belongs to proxies and is absent.

use std::time::Duration;

use crate::types::Mono;

/// The three times from which all others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip, default 500 ms. Smaller values flood a slow network, larger ones make loss felt.
    pub t1: Duration,
    /// Longest pause between two retransmissions of anything but an INVITE, default 4 s.
    pub t2: Duration,
    /// Longest life of a message in the network, default 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// 64 * T1: how long anything waits for an answer (timers B, F, H, J, L and M), 32 s by default.
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }

    /// The values for one transaction over this kind of transport.
    pub(crate) fn pace(self, reliable: bool) -> Pace {
        Pace { timers: self, reliable }
    }
}

/// The timers of one transaction by their names in the RFC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    timers: Timers,
    reliable: bool,
}

impl Pace {
    /// Retransmission of an INVITE: T1, then doubled each time without limit; none over a reliable transport.
    pub(crate) fn a(&self, now: Mono) -> Option<Repeat> {
        self.repeat(now, Duration::MAX)
    }
    /// An INVITE without any response.
    pub(crate) fn b(&self) -> Duration {
        self.timers.patience()
    }
    /// Wait for repeated final responses after the ACK: at least 32 s, zero over a reliable transport.
    pub(crate) fn d(&self) -> Duration {
        self.unless_reliable(self.timers.patience().max(Duration::from_secs(32)))
    }
    /// Retransmission of another request: T1, doubled up to T2; none over a reliable transport.
    pub(crate) fn e(&self, now: Mono) -> Option<Repeat> {
        self.repeat(now, self.timers.t2)
    }
    /// Retransmission of another request once a provisional response has come: every T2.
    pub(crate) fn e_after_provisional(&self) -> Duration {
        self.timers.t2
    }
    /// Another request without a final response.
    pub(crate) fn f(&self) -> Duration {
        self.timers.patience()
    }
    /// Retransmission of a final response other than 2xx to an INVITE: T1, doubled up to T2.
    pub(crate) fn g(&self, now: Mono) -> Option<Repeat> {
        self.repeat(now, self.timers.t2)
    }
    /// Wait for the ACK; counts over any transport.
    pub(crate) fn h(&self) -> Duration {
        self.timers.patience()
    }
    /// Wait for repeated ACKs.
    pub(crate) fn i(&self) -> Duration {
        self.unless_reliable(self.timers.t4)
    }
    /// Wait for repeated requests other than INVITE.
    pub(crate) fn j(&self) -> Duration {
        self.unless_reliable(self.timers.patience())
    }
    /// Wait for repeated responses to a request other than INVITE.
    pub(crate) fn k(&self) -> Duration {
        self.unless_reliable(self.timers.t4)
    }
    /// Wait for repeated INVITEs after a 2xx; counts over any transport (RFC 6026 7.1).
    pub(crate) fn l(&self) -> Duration {
        self.timers.patience()
    }
    /// Wait for further 2xx to an INVITE; counts over any transport (RFC 6026 7.2).
    pub(crate) fn m(&self) -> Duration {
        self.timers.patience()
    }
    /// How long a cancelled INVITE may stay without a final response (RFC 3261 9.1); has no letter.
    pub(crate) fn after_cancel(&self) -> Duration {
        self.timers.patience()
    }

    fn unless_reliable(&self, wait: Duration) -> Duration {
        if self.reliable { Duration::ZERO } else { wait }
    }

    fn repeat(&self, now: Mono, longest: Duration) -> Option<Repeat> {
        (!self.reliable).then(|| Repeat::start(now, self.timers.t1, longest))
    }
}

/// A retransmission that comes at doubling intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// When the next one is due.
    pub(crate) at: Mono,
    interval: Duration,
    longest: Duration,
}

impl Repeat {
    /// First after `interval`.
    pub(crate) fn start(now: Mono, interval: Duration, longest: Duration) -> Repeat {
        Repeat { at: now + interval, interval, longest }
    }

    /// The next after this one: twice the interval from `now`, so that a loop that was held up does not send a burst.
    pub(crate) fn next(self, now: Mono) -> Repeat {
        let interval = self.interval.saturating_mul(2).min(self.longest);
        Repeat { at: now + interval, interval, longest: self.longest }
    }

    /// The same moment, but then at this interval.
    pub(crate) fn then_every(self, interval: Duration) -> Repeat {
        Repeat { at: self.at, interval, longest: interval }
    }

    /// Whether it is due.
    pub(crate) fn is_due(self, now: Mono) -> bool {
        self.at <= now
    }

    /// When `repeat` is due, moves it on and says so.
    pub(crate) fn fire(repeat: &mut Option<Repeat>, now: Mono) -> bool {
        match repeat {
            Some(r) if r.is_due(now) => {
                *r = r.next(now);
                true
            }
            Some(_) | None => false,
        }
    }
}

/// The earlier of a limit and a retransmission.
pub(crate) fn earlier(limit: Mono, repeat: Option<Repeat>) -> Mono {
    repeat.map_or(limit, |r| r.at.min(limit))
}

/// What a timer made of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// None was due.
    Nothing,
    /// The last message goes out again.
    Resend,
    /// Nobody answered; the user is told and the transaction is over.
    TimedOut,
    /// The transaction has waited long enough and is over.
    Ended,
}
