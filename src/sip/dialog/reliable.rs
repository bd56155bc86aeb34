//! Reliable provisional responses, both sides (RFC 3262).
//!
//! The callee repeats one response at a time until its PRACK comes and keeps the next ones waiting; the caller takes them in
//! order. Knows no transaction: bytes to send are handed back.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::sip::message::{Method, RAck};
use crate::sip::transaction::{Repeat, Timers};
use crate::types::Mono;

/// Responses that may wait for the PRACK of an earlier one. A call needs two or three.
const MOST_WAITING: usize = 8;

/// Reliable provisional responses that we send to one INVITE.
#[derive(Clone, Debug)]
pub struct ReliableSender {
    timers: Timers,
    invite_cseq: u32,
    next_rseq: u32,
    sent: Option<Sent>,
    waiting: VecDeque<Provisional>,
    /// The final response is out: nothing is repeated any more, a PRACK is still taken.
    closed: bool,
}

/// A provisional response with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisional {
    /// Its RSeq.
    pub rseq: u32,
    /// Whether it carries a session description: a 2xx waits for its PRACK then.
    pub has_sdp: bool,
    /// The whole response.
    pub bytes: Bytes,
}

#[derive(Clone, Debug)]
struct Sent {
    provisional: Provisional,
    repeat: Repeat,
    limit: Mono,
}

/// Too many responses wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many provisional responses wait for a PRACK")]
pub struct Full;

/// A PRACK names no response that waits for one: 481 (RFC 3262 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such provisional response")]
pub struct NoMatch;

/// What is due while a PRACK is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrackDue {
    /// Nothing yet.
    Nothing,
    /// The response goes out again.
    Resend(Bytes),
    /// No PRACK came in 64 * T1: the INVITE is refused with a 5xx (RFC 3262 3).
    GiveUp,
}

impl ReliableSender {
    /// For the INVITE with this CSeq number. `first_rseq` is random, below 2^31 (RFC 3262 3); its highest bit is dropped.
    pub fn new(timers: Timers, invite_cseq: u32, first_rseq: u32) -> ReliableSender {
        let next_rseq = (first_rseq & 0x7fff_ffff).max(1);
        ReliableSender { timers, invite_cseq, next_rseq, sent: None, waiting: VecDeque::new(), closed: false }
    }

    /// The RSeq for the response that is written next.
    pub fn next_rseq(&self) -> u32 {
        self.next_rseq
    }

    /// Takes a response that bears `next_rseq`. Gives it back when it is to be sent now; else it waits its turn.
    ///
    /// # Errors
    /// [`Full`] when eight wait already; the number is not used up.
    pub fn send(&mut self, now: Mono, has_sdp: bool, bytes: Bytes) -> Result<Option<Bytes>, Full> {
        if self.waiting.len() >= MOST_WAITING {
            return Err(Full);
        }
        let provisional = Provisional { rseq: self.next_rseq, has_sdp, bytes };
        self.next_rseq = self.next_rseq.wrapping_add(1);
        self.waiting.push_back(provisional);
        Ok(if self.sent.is_none() { self.send_next(now) } else { None })
    }

    fn send_next(&mut self, now: Mono) -> Option<Bytes> {
        let provisional = self.waiting.pop_front()?;
        let bytes = provisional.bytes.clone();
        // Doubling without a cap, unlike a 2xx (RFC 3262 3).
        let repeat = Repeat::start(now, self.timers.t1, std::time::Duration::MAX);
        self.sent = Some(Sent { provisional, repeat, limit: now + self.timers.patience() });
        Some(bytes)
    }

    /// A PRACK has come. Gives the next response to send, if one waits.
    ///
    /// # Errors
    /// [`NoMatch`], to be answered with 481.
    pub fn on_prack(&mut self, now: Mono, rack: &RAck) -> Result<Option<Bytes>, NoMatch> {
        let named = rack.method == Method::Invite && rack.cseq == self.invite_cseq;
        match &self.sent {
            Some(sent) if named && sent.provisional.rseq == rack.rseq => {
                self.sent = None;
                Ok(if self.closed { None } else { self.send_next(now) })
            }
            Some(_) | None => Err(NoMatch),
        }
    }

    /// Whether a 2xx may go out: not while a session description waits for its PRACK (RFC 3262 3).
    pub fn may_answer(&self) -> bool {
        let sent = self.sent.iter().map(|sent| &sent.provisional);
        !sent.chain(&self.waiting).any(|provisional| provisional.has_sdp)
    }

    /// The final response is out: what waits is dropped, nothing is repeated, a late PRACK is still taken.
    pub fn close(&mut self) {
        self.closed = true;
        self.waiting.clear();
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Mono) -> PrackDue {
        let Some(sent) = self.sent.as_mut().filter(|_| !self.closed) else { return PrackDue::Nothing };
        if sent.limit <= now {
            self.close();
            return PrackDue::GiveUp;
        }
        if !sent.repeat.is_due(now) {
            return PrackDue::Nothing;
        }
        sent.repeat = sent.repeat.next(now);
        PrackDue::Resend(sent.provisional.bytes.clone())
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        self.sent.as_ref().filter(|_| !self.closed).map(|sent| sent.repeat.at.min(sent.limit))
    }
}

/// Reliable provisional responses that come in one early dialog of our INVITE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReliableReceiver {
    last: Option<u32>,
}

/// How a reliable provisional response fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The next one: it counts, and gets a PRACK.
    Next,
    /// One that has been seen: its PRACK is on the way, nothing is to be done.
    Repeated,
    /// An earlier one is missing: dropped without a PRACK, the callee sends both again.
    Early,
}

impl ReliableReceiver {
    /// A response with this RSeq has come.
    pub fn on_provisional(&mut self, rseq: u32) -> Fit {
        match self.last {
            Some(last) if rseq <= last => Fit::Repeated,
            Some(last) if rseq != last.wrapping_add(1) => Fit::Early,
            Some(_) | None => {
                self.last = Some(rseq);
                Fit::Next
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SDP: bool = true;
    const NO_SDP: bool = false;

    fn sender() -> ReliableSender {
        ReliableSender::new(Timers::default(), 1, 100)
    }

    fn rack(rseq: u32) -> RAck {
        RAck { rseq, cseq: 1, method: Method::Invite }
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn one_response_at_a_time_is_outstanding_and_the_next_follows_its_prack() {
        let (mut sender, now) = (sender(), Mono::default());
        assert_eq!(sender.send(now, NO_SDP, bytes("180")), Ok(Some(bytes("180"))));
        assert_eq!(sender.next_rseq(), 101);
        assert_eq!(sender.send(now, SDP, bytes("183")), Ok(None));
        assert_eq!(sender.on_prack(now, &rack(101)), Err(NoMatch), "the second is not out yet");
        assert_eq!(sender.on_prack(now, &rack(100)), Ok(Some(bytes("183"))));
        assert_eq!(sender.on_prack(now, &rack(100)), Err(NoMatch), "a PRACK counts once");
        assert_eq!(sender.on_prack(now, &rack(101)), Ok(None));
        assert_eq!(sender.deadline(), None);
    }

    #[test]
    fn a_prack_for_another_request_does_not_match() {
        let (mut sender, now) = (sender(), Mono::default());
        sender.send(now, SDP, bytes("183")).unwrap();
        assert_eq!(sender.on_prack(now, &RAck { cseq: 2, ..rack(100) }), Err(NoMatch));
        assert_eq!(sender.on_prack(now, &RAck { method: Method::Update, ..rack(100) }), Err(NoMatch));
    }

    #[test]
    fn the_answer_waits_for_the_prack_only_when_a_session_description_is_out() {
        let (mut sender, now) = (sender(), Mono::default());
        sender.send(now, NO_SDP, bytes("180")).unwrap();
        assert!(sender.may_answer());
        sender.send(now, SDP, bytes("183")).unwrap();
        assert!(!sender.may_answer(), "it waits, yet it will be sent");
        sender.on_prack(now, &rack(100)).unwrap();
        assert!(!sender.may_answer());
        sender.on_prack(now, &rack(101)).unwrap();
        assert!(sender.may_answer());
    }

    #[test]
    fn a_response_without_prack_is_repeated_at_doubling_intervals_then_given_up() {
        let mut sender = sender();
        sender.send(Mono::default(), SDP, bytes("183")).unwrap();
        let mut sent_at_ms = Vec::new();
        let end = loop {
            let now = sender.deadline().expect("a PRACK is awaited");
            match sender.tick(now) {
                PrackDue::Nothing => panic!("woken for nothing at {now:?}"),
                PrackDue::Resend(_) => sent_at_ms.push(now.since(Mono::default()).as_millis()),
                PrackDue::GiveUp => break now,
            }
        };
        assert_eq!(sent_at_ms, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert_eq!(end.since(Mono::default()), Duration::from_secs(32));
        assert_eq!(sender.deadline(), None);
    }

    #[test]
    fn a_prack_that_crosses_the_final_response_is_still_taken_and_nothing_is_repeated() {
        let (mut sender, now) = (sender(), Mono::default());
        sender.send(now, NO_SDP, bytes("180")).unwrap();
        sender.send(now, NO_SDP, bytes("181")).unwrap();
        sender.close();
        assert_eq!(sender.deadline(), None);
        assert_eq!(sender.tick(now + Duration::from_secs(60)), PrackDue::Nothing);
        assert_eq!(sender.on_prack(now, &rack(100)), Ok(None), "181 is not sent after the final response");
    }

    #[test]
    fn the_queue_is_bounded_and_a_refused_response_uses_no_number() {
        let (mut sender, now) = (sender(), Mono::default());
        for _ in 0..=MOST_WAITING {
            sender.send(now, NO_SDP, bytes("180")).unwrap();
        }
        let next = sender.next_rseq();
        assert_eq!(sender.send(now, NO_SDP, bytes("180")), Err(Full));
        assert_eq!(sender.next_rseq(), next);
    }

    #[test]
    fn responses_are_taken_in_order_and_once() {
        let mut receiver = ReliableReceiver::default();
        assert_eq!(receiver.on_provisional(776_655), Fit::Next);
        assert_eq!(receiver.on_provisional(776_657), Fit::Early);
        assert_eq!(receiver.on_provisional(776_655), Fit::Repeated);
        assert_eq!(receiver.on_provisional(776_656), Fit::Next);
        assert_eq!(receiver.on_provisional(776_657), Fit::Next, "it was sent again");
    }
}
