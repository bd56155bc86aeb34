//! After a 2xx to an INVITE: the callee repeats it until the ACK comes, the caller repeats the ACK for each 2xx
//! (RFC 3261 13.3.1.4, 13.2.2.4).
//!
//! Lives in the dialog, since the transaction layer passes 2xx and ACK through. Knows neither.

use bytes::Bytes;

use crate::sip::message::Message;
use crate::sip::transaction::{Repeat, Timers};
use crate::types::Mono;

/// A 2xx of ours that waits for its ACK. It is repeated over any transport.
#[derive(Clone, Debug)]
pub struct AwaitAck {
    cseq: u32,
    ok: Bytes,
    repeat: Repeat,
    limit: Mono,
}

/// What is due while an ACK is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AckDue {
    /// Nothing yet.
    Nothing,
    /// The 2xx goes out again.
    Resend(Bytes),
    /// No ACK came in 64 * T1: the session is ended with BYE.
    GiveUp,
}

impl AwaitAck {
    /// The 2xx to the INVITE with this CSeq number has just been sent.
    pub fn start(now: Mono, timers: &Timers, cseq: u32, ok: Bytes) -> AwaitAck {
        AwaitAck { cseq, ok, repeat: Repeat::start(now, timers.t1, timers.t2), limit: now + timers.patience() }
    }

    /// Whether an ACK with this CSeq number is the one that is awaited.
    pub fn is_ended_by(&self, ack_cseq: u32) -> bool {
        self.cseq == ack_cseq
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Mono) -> AckDue {
        if self.limit <= now {
            return AckDue::GiveUp;
        }
        if !self.repeat.is_due(now) {
            return AckDue::Nothing;
        }
        self.repeat = self.repeat.next(now);
        AckDue::Resend(self.ok.clone())
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Mono {
        self.repeat.at.min(self.limit)
    }
}

/// The ACK that we sent for a 2xx.
#[derive(Clone, Debug)]
pub struct SentAck {
    cseq: u32,
    ack: Bytes,
}

impl SentAck {
    /// Remembers it. `cseq` is the number of the INVITE.
    pub fn new(cseq: u32, ack: Bytes) -> SentAck {
        SentAck { cseq, ack }
    }

    /// The same ACK for a 2xx that has come again; `None` when the 2xx belongs to another INVITE of the dialog.
    pub fn again(&self, ok: &Message) -> Option<Bytes> {
        (ok.cseq_number() == self.cseq).then(|| self.ack.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_2xx_is_repeated_at_doubling_intervals_up_to_t2_until_64_t1() {
        let mut now = Mono::default();
        let mut wait = AwaitAck::start(now, &Timers::default(), 7, Bytes::from_static(b"ok"));
        let mut sent_at_ms = Vec::new();
        loop {
            now = wait.deadline();
            match wait.tick(now) {
                AckDue::Nothing => panic!("woken for nothing at {now:?}"),
                AckDue::Resend(_) => sent_at_ms.push(now.since(Mono::default()).as_millis()),
                AckDue::GiveUp => break,
            }
        }
        assert_eq!(sent_at_ms, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(now.since(Mono::default()), Duration::from_secs(32));
    }

    #[test]
    fn the_ack_of_another_invite_does_not_end_the_wait() {
        let wait = AwaitAck::start(Mono::default(), &Timers::default(), 7, Bytes::new());
        assert!(!wait.is_ended_by(6));
        assert!(wait.is_ended_by(7));
    }
}
