//! A seat: what its agent chose ([`Presence`]), whether its phone can be reached, and what we do with it ([`Work`]).
//!
//! The three are apart: a registration never makes a seat ready, and a call in progress survives a change of presence.
//! Knows neither calls nor queues, only their ids.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{CallId, LegId, Mono, OfferId, Word};

/// Offers that came to nothing at the phone (busy, silent, unreachable) one after the other before the seat is set not
/// ready. A phone that is broken must not cost every caller one ring time.
const MOST_STRIKES: u8 = 3;

/// What the agent chose, or what we chose for an agent who does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nobody works here.
    SignedOut,
    /// Signed in, takes no calls.
    NotReady(WhyNotReady),
    /// Has a break, which lasts a limited time.
    Break,
    /// Is in training.
    Training,
    /// Takes calls.
    Ready,
}

/// Why a seat takes no calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotReady {
    /// The agent wants it so and said no more.
    Chosen,
    /// The agent wants it so, for a reason from the list of the plan.
    Reason(Word),
    /// It rang and nobody answered.
    NoAnswer,
    /// The agent declined a call.
    Declined,
    /// The phone failed too often in a row.
    PhoneFails,
}

/// An offer of a call to a seat; the deadline of the lease is held by the center's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Fencing number.
    pub offer: OfferId,
    /// What is offered.
    pub call: CallId,
    /// The leg that was dialled for it.
    pub leg: LegId,
}

/// What we do with the seat. Every state but the free ones names the leg that keeps it busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Free.
    Idle,
    /// Reserved and dialled; the phone has not said yet that it rings.
    Offered(Lease),
    /// The phone rings.
    Ringing(Lease),
    /// The agent answered and is in the call.
    Talking {
        /// The call.
        call: CallId,
        /// The seat's leg.
        leg: LegId,
    },
    /// The phone is in a call that it began itself (a feature code).
    OwnCall {
        /// The call.
        call: CallId,
        /// The seat's leg.
        leg: LegId,
    },
    /// We hung up and wait for the leg to be gone: until then the phone may still ring or talk.
    Leaving {
        /// The call it leaves.
        call: CallId,
        /// The leg that must end first.
        leg: LegId,
        /// What follows.
        then: Then,
    },
    /// The phone failed; no offer for a moment, so that it is not tried again at once.
    Resting {
        /// Until when.
        until: Mono,
    },
    /// The agent finishes the notes of the last call.
    WrapUp {
        /// Until when.
        until: Mono,
    },
}

/// What a seat does when its leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is free.
    Idle,
    /// It rests.
    Rest(Duration),
    /// It wraps up; zero means no wrap-up.
    WrapUp(Duration),
}

/// Why a wish of the agent is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// Nobody is signed in.
    #[error("nobody is signed in at this seat")]
    NotSignedIn,
    /// The phone has no contact.
    #[error("the seat's phone is not registered")]
    PhoneUnreachable,
}

/// One working position.
#[derive(Debug)]
pub struct Seat {
    presence: Presence,
    reachable: bool,
    work: Work,
    /// Since when it could take a call, as far as agent and work go. A phone that registers anew keeps its place.
    free_since: Mono,
    strikes: u8,
}

impl Seat {
    /// A seat at which nobody has signed in.
    pub fn new(now: Mono, reachable: bool) -> Self {
        Self { presence: Presence::SignedOut, reachable, work: Work::Idle, free_since: now, strikes: 0 }
    }

    /// What the agent chose.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Whether the phone has at least one contact.
    pub fn reachable(&self) -> bool {
        self.reachable
    }

    /// What we do with it.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Since when it waits for a call, if it may get one now.
    pub fn available_since(&self) -> Option<Mono> {
        (self.presence == Presence::Ready && self.reachable && self.work == Work::Idle).then_some(self.free_since)
    }

    /// The offer that is open on it.
    pub fn lease(&self) -> Option<Lease> {
        match self.work {
            Work::Offered(lease) | Work::Ringing(lease) => Some(lease),
            Work::Idle
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. }
            | Work::Resting { .. }
            | Work::WrapUp { .. } => None,
        }
    }

    /// Call and leg that keep it busy.
    pub fn busy_with(&self) -> Option<(CallId, LegId)> {
        match self.work {
            Work::Offered(lease) | Work::Ringing(lease) => Some((lease.call, lease.leg)),
            Work::Talking { call, leg } | Work::OwnCall { call, leg } | Work::Leaving { call, leg, .. } => {
                Some((call, leg))
            }
            Work::Idle | Work::Resting { .. } | Work::WrapUp { .. } => None,
        }
    }

    /// When [`Seat::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        match self.work {
            Work::Resting { until } | Work::WrapUp { until } => Some(until),
            Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. } => None,
        }
    }

    // The agent.

    /// The agent signs in and is not ready yet. Signing in twice changes nothing.
    pub fn sign_in(&mut self) {
        if self.presence == Presence::SignedOut {
            self.presence = Presence::NotReady(WhyNotReady::Chosen);
        }
    }

    /// The agent takes calls; a wrap-up or a rest ends with it.
    ///
    /// # Errors
    /// [`PresenceError`] when nobody is signed in or the phone cannot be reached.
    pub fn ready(&mut self, now: Mono) -> Result<(), PresenceError> {
        if self.presence == Presence::SignedOut {
            return Err(PresenceError::NotSignedIn);
        }
        if !self.reachable {
            return Err(PresenceError::PhoneUnreachable);
        }
        if matches!(self.work, Work::WrapUp { .. } | Work::Resting { .. }) {
            self.become_idle(now);
        }
        if self.presence != Presence::Ready {
            self.presence = Presence::Ready;
            self.free_since = now;
            self.strikes = 0;
        }
        Ok(())
    }

    /// No calls from now on; one in progress goes on.
    ///
    /// # Errors
    /// [`PresenceError::NotSignedIn`] when nobody is signed in.
    pub fn not_ready(&mut self, why: WhyNotReady) -> Result<(), PresenceError> {
        if self.presence == Presence::SignedOut {
            return Err(PresenceError::NotSignedIn);
        }
        self.presence = Presence::NotReady(why);
        Ok(())
    }

    /// The agent leaves; a call in progress goes on, a wrap-up ends.
    pub fn sign_out(&mut self, now: Mono) {
        self.presence = Presence::SignedOut;
        if matches!(self.work, Work::WrapUp { .. } | Work::Resting { .. }) {
            self.become_idle(now);
        }
    }

    /// The phone got its first contact or lost its last.
    pub fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
    }

    // The work.

    /// Reserves the seat for one call.
    ///
    /// # Panics
    /// When the seat is not free: offering a busy seat is a fault of ours.
    pub fn offer(&mut self, lease: Lease) {
        assert_eq!(self.work, Work::Idle, "offered a seat that is not free");
        self.work = Work::Offered(lease);
    }

    /// The phone rings; `true` the first time it says so for this lease.
    pub fn rings(&mut self, leg: LegId) -> bool {
        match self.work {
            Work::Offered(lease) if lease.leg == leg => {
                self.work = Work::Ringing(lease);
                true
            }
            Work::Offered(_)
            | Work::Idle
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. }
            | Work::Resting { .. }
            | Work::WrapUp { .. } => false,
        }
    }

    /// The agent answered the open offer.
    ///
    /// # Panics
    /// When another offer than `offer` is open: the fencing number guards against it.
    pub fn talk(&mut self, offer: OfferId) {
        let lease = self.lease().expect("only a seat with an open offer answers");
        assert_eq!(lease.offer, offer, "answered an offer that is not open");
        self.strikes = 0;
        self.work = Work::Talking { call: lease.call, leg: lease.leg };
    }

    /// The phone began a call itself. A seat that is busy already stays with its first call.
    pub fn own_call(&mut self, call: CallId, leg: LegId) -> bool {
        match self.work {
            Work::Idle | Work::Resting { .. } | Work::WrapUp { .. } => {
                self.work = Work::OwnCall { call, leg };
                true
            }
            Work::Offered(_)
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. } => false,
        }
    }

    /// We hung up the seat's leg.
    pub fn leave(&mut self, then: Then) {
        if let Some((call, leg)) = self.busy_with() {
            self.work = Work::Leaving { call, leg, then };
        }
    }

    /// The seat's leg is gone. `then` counts unless we hung up and decided before.
    pub fn left(&mut self, now: Mono, then: Then) {
        let then = if let Work::Leaving { then, .. } = self.work { then } else { then };
        self.work = match then {
            Then::Rest(time) => Work::Resting { until: now + time },
            Then::WrapUp(time) if !time.is_zero() && self.presence != Presence::SignedOut => {
                Work::WrapUp { until: now + time }
            }
            Then::Idle | Then::WrapUp(_) => return self.become_idle(now),
        };
    }

    /// Ends a wrap-up or a rest whose time is over.
    pub fn tick(&mut self, now: Mono) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.become_idle(now);
        }
    }

    /// Counts one offer that failed at the phone; too many in a row set the seat not ready.
    pub fn strike(&mut self) {
        self.strikes += 1;
        if self.strikes >= MOST_STRIKES && self.presence == Presence::Ready {
            self.presence = Presence::NotReady(WhyNotReady::PhoneFails);
            self.strikes = 0;
        }
    }

    fn become_idle(&mut self, now: Mono) {
        self.work = Work::Idle;
        self.free_since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Mono = Mono(1_000_000_000);

    fn lease(n: u64) -> Lease {
        Lease { offer: OfferId(n), call: CallId(n), leg: LegId(n) }
    }

    fn ready_seat() -> Seat {
        let mut seat = Seat::new(T0, true);
        seat.sign_in();
        seat.ready(T0).unwrap();
        seat
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_registration_alone_never_makes_a_seat_ready() {
        let mut seat = Seat::new(T0, false);
        seat.set_reachable(true);
        assert_eq!(seat.available_since(), None);
        assert_eq!(seat.ready(T0), Err(PresenceError::NotSignedIn));
        seat.sign_in();
        assert_eq!(seat.available_since(), None, "signed in is not ready");
    }

    #[test]
    fn ready_without_a_phone_is_refused() {
        let mut seat = Seat::new(T0, false);
        seat.sign_in();
        assert_eq!(seat.ready(T0), Err(PresenceError::PhoneUnreachable));
    }

    #[test]
    fn a_phone_that_registers_anew_keeps_its_place_in_the_order() {
        let mut seat = ready_seat();
        seat.set_reachable(false);
        assert_eq!(seat.available_since(), None);
        seat.set_reachable(true);
        assert_eq!(seat.available_since(), Some(T0));
    }

    #[test]
    fn who_comes_back_from_a_break_is_last_in_the_order() {
        let mut seat = ready_seat();
        seat.not_ready(WhyNotReady::Chosen).unwrap();
        seat.ready(T0 + s(60)).unwrap();
        assert_eq!(seat.available_since(), Some(T0 + s(60)));
        seat.ready(T0 + s(90)).unwrap();
        assert_eq!(seat.available_since(), Some(T0 + s(60)), "ready twice costs nothing");
    }

    #[test]
    fn a_seat_we_hung_up_on_is_busy_until_its_leg_is_gone() {
        let mut seat = ready_seat();
        seat.offer(lease(1));
        assert!(seat.rings(LegId(1)));
        assert!(!seat.rings(LegId(1)), "rings once");
        seat.leave(Then::Idle);
        assert_eq!(seat.available_since(), None);
        assert_eq!(seat.busy_with(), Some((CallId(1), LegId(1))));
        seat.left(T0 + s(2), Then::Rest(s(9)));
        assert_eq!(seat.available_since(), Some(T0 + s(2)), "what was decided at the hang-up counts");
    }

    #[test]
    fn wrap_up_lasts_its_time_or_until_the_agent_is_ready() {
        let mut seat = ready_seat();
        seat.offer(lease(1));
        seat.talk(OfferId(1));
        seat.left(T0 + s(60), Then::WrapUp(s(30)));
        assert_eq!(seat.deadline(), Some(T0 + s(90)));
        seat.tick(T0 + s(89));
        assert_eq!(seat.available_since(), None);
        seat.tick(T0 + s(90));
        assert_eq!(seat.available_since(), Some(T0 + s(90)));

        seat.offer(lease(2));
        seat.talk(OfferId(2));
        seat.left(T0 + s(100), Then::WrapUp(s(30)));
        seat.ready(T0 + s(105)).unwrap();
        assert_eq!(seat.available_since(), Some(T0 + s(105)));
    }

    #[test]
    fn signing_out_in_a_talk_keeps_the_talk_and_leaves_no_wrap_up() {
        let mut seat = ready_seat();
        seat.offer(lease(1));
        seat.talk(OfferId(1));
        seat.sign_out(T0);
        assert!(matches!(seat.work(), Work::Talking { .. }));
        seat.left(T0, Then::WrapUp(s(30)));
        assert_eq!(seat.work(), Work::Idle);
    }

    #[test]
    fn a_phone_that_fails_three_times_in_a_row_is_set_not_ready() {
        let mut seat = ready_seat();
        for n in 1..=3 {
            assert_eq!(*seat.presence(), Presence::Ready);
            seat.offer(lease(n));
            seat.strike();
            seat.left(T0, Then::Idle);
        }
        assert_eq!(*seat.presence(), Presence::NotReady(WhyNotReady::PhoneFails));
    }

    #[test]
    #[should_panic(expected = "not free")]
    fn a_busy_seat_is_never_offered() {
        let mut seat = ready_seat();
        seat.offer(lease(1));
        seat.offer(lease(2));
    }

    #[test]
    #[should_panic(expected = "not open")]
    fn a_stale_fencing_number_never_answers() {
        let mut seat = ready_seat();
        seat.offer(lease(2));
        seat.talk(OfferId(1));
    }
}
