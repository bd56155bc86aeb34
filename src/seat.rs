//! A seat: who sits there, what this person chose ([`Presence`]), whether the phone can be reached, and what we do with it
//! ([`Work`]).
//!
//! The three are apart: a registration never makes a seat ready, and a call in progress survives a change of presence.
//! Knows neither calls nor queues, only their ids.

use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::types::{Agent, AgentId, CallId, LegId, Mono, OfferId, Word};

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
    /// The phone is in a call outside of the queues: one that it began itself, or one from another seat.
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
    WrapUp(Notes),
}

/// What a seat does when its leg is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is free.
    Idle,
    /// It rests.
    Rest(Duration),
    /// It wraps up; no time and no result asked for means no wrap-up.
    WrapUp(WrapUpRule),
}

/// How long a wrap-up lasts, by the queue of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrapUpRule {
    /// Ordinarily.
    pub time: Duration,
    /// What one wish for more adds.
    pub more: Duration,
    /// At most, whatever is asked for or missing.
    pub most: Duration,
    /// Whether it ends only with a result, or at its longest.
    pub result: bool,
}

/// A wrap-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notes {
    /// Of which call.
    pub call: CallId,
    /// It ends then.
    pub until: Mono,
    /// And never later than this.
    pub at_most: Mono,
    /// What one wish for more adds.
    more: Duration,
    /// The result is asked for and has not been given.
    pub result_missing: bool,
}

/// A wrap-up whose result is missing, put off for a call of the seat's own; its time stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PutOff {
    call: CallId,
    left: Duration,
    left_at_most: Duration,
    more: Duration,
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
    /// The wrap-up may not end without a result.
    #[error("the result of the call is missing")]
    ResultMissing,
    /// There is no wrap-up.
    #[error("the seat is not in wrap-up")]
    NotInWrapUp,
    /// The wrap-up is as long as it may be.
    #[error("the wrap-up cannot be extended further")]
    NoMoreTime,
}

/// One working position.
#[derive(Debug)]
pub struct Seat {
    /// Who is signed in; `None` while nobody is, or nobody in particular.
    agent: Option<Agent>,
    presence: Presence,
    presence_since: Mono,
    /// What counts after the call that goes on.
    next: Option<Presence>,
    /// The team lead has been told that the break is over.
    break_told: bool,
    longest_break: Duration,
    reachable: bool,
    work: Work,
    /// Since when it could take a call, as far as agent and work go. A phone that registers anew keeps its place.
    free_since: Mono,
    strikes: u8,
    /// The wrap-up that goes on after a call of the seat's own.
    put_off: Option<PutOff>,
    /// The last call whose result was given.
    noted: Option<CallId>,
    /// The presence has changed and nobody was told.
    news: bool,
    /// The day and how many calls of queues were answered on it.
    today: (Date, u32),
}

impl Seat {
    /// A seat at which nobody has signed in.
    pub fn new(now: Mono, reachable: bool) -> Self {
        Self {
            agent: None,
            presence: Presence::SignedOut,
            presence_since: now,
            next: None,
            break_told: false,
            longest_break: Duration::MAX,
            reachable,
            work: Work::Idle,
            free_since: now,
            strikes: 0,
            put_off: None,
            noted: None,
            news: false,
            today: (Date::ZERO, 0),
        }
    }

    /// Who is signed in, as a person.
    pub fn agent(&self) -> Option<&Agent> {
        self.agent.as_ref()
    }

    /// The number of the person who is signed in.
    pub fn agent_id(&self) -> Option<AgentId> {
        self.agent.as_ref().map(|agent| agent.id)
    }

    /// What the agent chose.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Since when.
    pub fn presence_since(&self) -> Mono {
        self.presence_since
    }

    /// Whether the presence has changed since this was asked last.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// What will count after the call that goes on.
    pub fn next(&self) -> Option<&Presence> {
        self.next.as_ref()
    }

    /// Whether somebody works here.
    pub fn is_signed_in(&self) -> bool {
        self.presence != Presence::SignedOut
    }

    /// Whether the phone has at least one contact.
    pub fn reachable(&self) -> bool {
        self.reachable
    }

    /// What we do with it.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Whether it takes calls, now or after the one it has.
    pub fn is_serving(&self) -> bool {
        self.presence == Presence::Ready && self.reachable
    }

    /// Since when it waits for a call, if it may get one now.
    pub fn available_since(&self) -> Option<Mono> {
        (self.is_serving() && self.work == Work::Idle).then_some(self.free_since)
    }

    /// Whether the break has lasted longer than it may.
    pub fn is_break_over(&self) -> bool {
        self.break_told
    }

    /// Calls of queues that were answered on this day.
    pub fn calls_on(&self, day: Date) -> u32 {
        if self.today.0 == day { self.today.1 } else { 0 }
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
            | Work::WrapUp(_) => None,
        }
    }

    /// Call and leg that keep it busy.
    pub fn busy_with(&self) -> Option<(CallId, LegId)> {
        match self.work {
            Work::Offered(lease) | Work::Ringing(lease) => Some((lease.call, lease.leg)),
            Work::Talking { call, leg } | Work::OwnCall { call, leg } | Work::Leaving { call, leg, .. } => {
                Some((call, leg))
            }
            Work::Idle | Work::Resting { .. } | Work::WrapUp(_) => None,
        }
    }

    /// The call about which the agent may give a result now: the one whose result is owed, goes on or is written up.
    pub fn call_of_notes(&self) -> Option<CallId> {
        if let Some(put_off) = self.put_off {
            return Some(put_off.call);
        }
        match self.work {
            Work::Talking { call, .. } | Work::Leaving { call, then: Then::WrapUp(_), .. } => Some(call),
            Work::WrapUp(notes) => Some(notes.call),
            Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::OwnCall { .. }
            | Work::Leaving { then: Then::Idle | Then::Rest(_), .. }
            | Work::Resting { .. } => None,
        }
    }

    /// When [`Seat::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        let work = match self.work {
            Work::Resting { until } => Some(until),
            Work::WrapUp(notes) => Some(notes.until),
            Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. } => None,
        };
        work.into_iter().chain(self.break_ends()).min()
    }

    fn break_ends(&self) -> Option<Mono> {
        let counts = self.presence == Presence::Break && !self.break_told;
        counts.then(|| self.presence_since + self.longest_break)
    }

    // The agent.

    /// How long a break may last.
    pub fn set_longest_break(&mut self, longest: Duration) {
        self.longest_break = longest;
    }

    /// Somebody signs in and is not ready yet. The same person again brings new skills, and nothing else changes.
    pub fn sign_in(&mut self, now: Mono, agent: Option<Agent>) {
        self.agent = agent;
        if self.presence == Presence::SignedOut {
            self.enter(now, Presence::NotReady(WhyNotReady::Chosen));
        }
        if self.next == Some(Presence::SignedOut) {
            self.next = None;
        }
    }

    /// The agent chooses. In a call and in wrap-up the choice counts afterwards; ready ends a wrap-up or a rest.
    ///
    /// # Errors
    /// [`PresenceError`] when nobody is signed in, the phone cannot be reached, or a result is missing.
    pub fn choose(&mut self, now: Mono, presence: Presence) -> Result<(), PresenceError> {
        let leaves = presence == Presence::SignedOut;
        if !self.is_signed_in() {
            return if leaves { Ok(()) } else { Err(PresenceError::NotSignedIn) };
        }
        let ready = presence == Presence::Ready;
        if ready && !self.reachable {
            return Err(PresenceError::PhoneUnreachable);
        }
        match self.work {
            Work::Talking { .. } | Work::OwnCall { .. } | Work::Leaving { then: Then::WrapUp(_), .. } => {
                self.next = (presence != self.presence).then_some(presence);
                return Ok(());
            }
            Work::WrapUp(notes) if ready && notes.result_missing => return Err(PresenceError::ResultMissing),
            Work::WrapUp(notes) if !ready && (!leaves || notes.result_missing) => {
                self.next = (presence != self.presence).then_some(presence);
                return Ok(());
            }
            Work::WrapUp(_) | Work::Resting { .. } if ready || leaves => {
                self.next = None;
                self.become_idle(now);
            }
            Work::WrapUp(_)
            | Work::Resting { .. }
            | Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::Leaving { then: Then::Idle | Then::Rest(_), .. } => {}
        }
        // What was chosen for afterwards, in a call that is ending, does not outlive this choice.
        self.next = None;
        self.enter(now, presence);
        Ok(())
    }

    /// We set an agent not ready who did not answer or declined. A seat that takes no calls anyway keeps its reason.
    pub fn blame(&mut self, now: Mono, why: WhyNotReady) {
        if self.presence == Presence::Ready {
            self.enter(now, Presence::NotReady(why));
        }
    }

    /// More time for the notes.
    ///
    /// # Errors
    /// [`PresenceError`] when there is no wrap-up, or it is as long as it may be.
    pub fn extend(&mut self) -> Result<(), PresenceError> {
        let Work::WrapUp(notes) = &mut self.work else { return Err(PresenceError::NotInWrapUp) };
        let until = (notes.until + notes.more).min(notes.at_most);
        if until <= notes.until {
            return Err(PresenceError::NoMoreTime);
        }
        notes.until = until;
        Ok(())
    }

    /// The agent says what the call led to; gives the call.
    pub fn note_result(&mut self) -> Option<CallId> {
        let call = self.call_of_notes()?;
        self.noted = Some(call);
        self.put_off = None;
        if let Work::WrapUp(notes) = &mut self.work {
            notes.result_missing = false;
        }
        Some(call)
    }

    /// The notes are finished.
    ///
    /// # Errors
    /// [`PresenceError`] when there is no wrap-up, or the result is missing.
    pub fn finish(&mut self, now: Mono) -> Result<(), PresenceError> {
        match self.work {
            Work::WrapUp(notes) if notes.result_missing => Err(PresenceError::ResultMissing),
            Work::WrapUp(_) => {
                self.become_idle(now);
                Ok(())
            }
            Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. }
            | Work::Resting { .. } => Err(PresenceError::NotInWrapUp),
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
            | Work::WrapUp(_) => false,
        }
    }

    /// The agent answered the open offer on this day.
    ///
    /// # Panics
    /// When another offer than `offer` is open: the fencing number guards against it.
    pub fn talk(&mut self, offer: OfferId, day: Date) {
        let lease = self.lease().expect("only a seat with an open offer answers");
        assert_eq!(lease.offer, offer, "answered an offer that is not open");
        self.strikes = 0;
        self.today = (day, self.calls_on(day) + 1);
        self.work = Work::Talking { call: lease.call, leg: lease.leg };
    }

    /// Whether its phone may begin a call of its own now.
    pub fn may_call(&self) -> bool {
        matches!(self.work, Work::Idle | Work::Resting { .. } | Work::WrapUp(_))
    }

    /// The phone is in a call outside of the queues. A seat that is busy already stays with its first call. A wrap-up ends
    /// with it, but one that owes a result is put off.
    pub fn own_call(&mut self, now: Mono, call: CallId, leg: LegId) -> bool {
        let free = self.may_call();
        if free {
            if let Work::WrapUp(Notes { call, until, at_most, more, result_missing: true }) = self.work {
                self.put_off = Some(PutOff { call, left: until.since(now), left_at_most: at_most.since(now), more });
            }
            self.work = Work::OwnCall { call, leg };
        }
        free
    }

    /// The seat was brought into a talk and has the call now: it counts and is written up as one of a queue.
    pub fn adopt(&mut self, call: CallId, leg: LegId, day: Date) {
        if self.work == (Work::OwnCall { call, leg }) {
            self.today = (day, self.calls_on(day) + 1);
            self.work = Work::Talking { call, leg };
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
        let call = self.busy_with().map(|(call, _)| call);
        let then = if let Work::Leaving { then, .. } = self.work { then } else { then };
        if let Some(owed) = self.put_off.take() {
            let own = if let Then::WrapUp(rule) = then { rule } else { WrapUpRule::default() };
            let (until, at_most) = (now + owed.left.max(own.time), now + owed.left_at_most.max(own.most));
            self.work = Work::WrapUp(Notes { call: owed.call, until, at_most, more: owed.more, result_missing: true });
            return;
        }
        match (then, call) {
            (Then::Rest(time), _) => self.work = Work::Resting { until: now + time },
            (Then::WrapUp(rule), Some(call)) if self.wraps_up(rule, call) => {
                let at_most = now + rule.most.max(rule.time);
                let result_missing = rule.result && self.noted != Some(call);
                let until = now + rule.time;
                self.work = Work::WrapUp(Notes { call, until, at_most, more: rule.more, result_missing });
            }
            (Then::Idle | Then::WrapUp(_), _) => self.become_idle(now),
        }
    }

    /// Whoever has signed out meanwhile has no notes to write, unless a result is asked for.
    fn wraps_up(&self, rule: WrapUpRule, call: CallId) -> bool {
        let result_missing = rule.result && self.noted != Some(call);
        let leaves = !self.is_signed_in() || self.next == Some(Presence::SignedOut);
        result_missing || (!leaves && !rule.time.is_zero())
    }

    /// Ends a wrap-up or a rest whose time is over. `true` when the break has just become too long.
    pub fn tick(&mut self, now: Mono) -> bool {
        match &mut self.work {
            Work::Resting { until } if *until <= now => self.become_idle(now),
            Work::WrapUp(notes) if notes.until <= now => {
                if notes.result_missing && notes.until < notes.at_most {
                    notes.until = notes.at_most;
                } else {
                    self.become_idle(now);
                }
            }
            Work::Resting { .. }
            | Work::WrapUp(_)
            | Work::Idle
            | Work::Offered(_)
            | Work::Ringing(_)
            | Work::Talking { .. }
            | Work::OwnCall { .. }
            | Work::Leaving { .. } => {}
        }
        let over = self.break_ends().is_some_and(|at| at <= now);
        self.break_told |= over;
        over
    }

    /// Counts one offer that failed at the phone; too many in a row set the seat not ready.
    pub fn strike(&mut self, now: Mono) {
        self.strikes += 1;
        if self.strikes >= MOST_STRIKES {
            self.strikes = 0;
            self.blame(now, WhyNotReady::PhoneFails);
        }
    }

    fn enter(&mut self, now: Mono, presence: Presence) {
        if self.presence == presence {
            return;
        }
        if presence == Presence::SignedOut {
            self.agent = None;
        }
        if presence == Presence::Ready {
            self.free_since = now;
            self.strikes = 0;
        }
        self.presence = presence;
        self.news = true;
        self.presence_since = now;
        self.break_told = false;
    }

    fn become_idle(&mut self, now: Mono) {
        self.work = Work::Idle;
        self.free_since = now;
        if let Some(next) = self.next.take() {
            self.enter(now, next);
        }
    }
}

#[cfg(test)]
mod tests;
