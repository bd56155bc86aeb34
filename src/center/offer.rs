//! A waiting call meets free seats: leases with a deadline and fencing numbers, and all the ways in which they can fail.

use std::time::Duration;

use super::live::{Live, Offer, Place};
use super::timers::Timer;
use super::{Center, Out};
use crate::acd::Match;
use crate::call::Role;
use crate::seat::{Lease, Then, WhyNotReady, Work};
use crate::types::{CallEvent, CallId, Cause, Decision, Dial, LegCommand, LegId, SeatId, Target};

/// How long a seat is left alone for which we had no port or transaction: the least rest of a port.
const OUR_OWN_REST: Duration = Duration::from_secs(1);

impl Center {
    /// Lets waiting calls rise and widen, moves those on whose queue has nobody, and offers every call that can be offered.
    pub(super) fn match_waiting(&mut self, out: &mut Out<'_>) {
        self.advance(out);
        self.move_returned(out);
        self.leave_empty_queues(out);
        self.move_returned(out);
        while let Some(found) = self.acd.next_match() {
            self.offer(found, out);
        }
    }

    /// Calls that came back to their queues may have to go on; a place outside that cannot be rung gives them back at once.
    fn move_returned(&mut self, out: &mut Out<'_>) {
        while !self.returned.is_empty() {
            for call in std::mem::take(&mut self.returned) {
                self.overflow_by_rule(call, out);
            }
        }
    }

    /// Waiting calls rise and widen whose time has come.
    pub(super) fn advance(&mut self, out: &mut Out<'_>) {
        for (call, step) in self.acd.advance(out.now.mono) {
            out.row(call, CallEvent::Widened { step: u8::try_from(step).unwrap_or(u8::MAX) });
        }
    }

    fn offer(&mut self, found: Match, out: &mut Out<'_>) {
        let id = found.call;
        let why = self.decision(&found, out);
        let line_name = self.name_of_line(&self.calls.get(&id).expect("a waiting call lives").called);
        let live = self.calls.get_mut(&id).expect("a waiting call lives");
        let way = live.way.as_ref().expect("a waiting call has a way");
        let until = out.now.mono + Duration::from_millis(way.planned().ring_ms.into());
        let mut dial = Dial {
            target: Target::Seat(SeatId(0)),
            beside: live.call.caller(),
            calling: live.calling.clone(),
            line: live.called.clone(),
            line_name,
            auto_answer: false,
        };
        let mut offers = Vec::new();
        for seat in found.seats {
            let (offer, leg) = (self.ids.offer(), self.ids.legs.take());
            let known = self.seats.get_mut(&seat).expect("a free seat exists");
            known.offer(Lease { offer, call: id, leg });
            live.call.dial(leg, Role::Seat);
            let decision = Some(Box::new(why.clone()));
            out.row(id, CallEvent::Offered { offer, seat, leg, agent: known.agent_id(), decision });
            dial.target = Target::Seat(seat);
            dial.auto_answer = self.plan.seats.get(&seat).is_some_and(|planned| planned.auto_answer);
            out.leg(id, leg, LegCommand::Dial(Box::new(dial.clone())));
            self.call_of.insert(leg, id);
            self.seat_of.insert(leg, seat);
            offers.push(Offer { id: offer, seat, leg });
        }
        out.hear(id, live.go(out.now.mono, Place::Offered(offers)));
        self.timers.set(Timer::Place(id), until);
    }

    /// Why these seats: enough to tell afterwards why the caller waited.
    fn decision(&self, found: &Match, out: &Out<'_>) -> Decision {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let way = self.calls.get(&found.call).and_then(|live| live.way.as_ref());
        let waited = way.and_then(|way| way.waiting_since).map(|since| out.now.mono.since(since));
        let pool = found.pool.and_then(|id| self.queue_ids.iter().find(|(_, queue)| **queue == id));
        Decision {
            choice: found.choice,
            pool: pool.map(|(name, _)| name.clone()).unwrap_or_default(),
            level: found.level,
            step: u8::try_from(found.step).unwrap_or(u8::MAX),
            priority: found.priority,
            waited_ms: waited.map_or(0, |waited| u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)),
            candidates: small(found.candidates),
            first: found.first.clone(),
            waiting: small(self.acd.length(found.queue)),
        }
    }

    pub(super) fn on_ringing(&mut self, leg: LegId, out: &mut Out<'_>) {
        if let Some(live) = self.call_of.get(&leg).and_then(|id| self.calls.get_mut(id)) {
            live.call.rings(leg);
        }
        self.guest_rings(leg, out);
        let Some((id, offer)) = self.offer_of(leg) else { return };
        if self.seats.get_mut(&offer.seat).is_some_and(|seat| seat.rings(leg)) {
            out.row(id, CallEvent::Ringing { offer: offer.id });
        }
    }

    /// The open offer that a leg was dialled for.
    pub(super) fn offer_of(&self, leg: LegId) -> Option<(CallId, Offer)> {
        let id = *self.call_of.get(&leg)?;
        let offers = self.calls.get(&id)?.place.offers();
        offers.iter().find(|offer| offer.leg == leg).map(|offer| (id, *offer))
    }

    /// The leases ran out. A phone that rang has an agent who does not answer; one that never rang is at fault itself.
    pub(super) fn ring_over(&mut self, id: CallId, offers: &[Offer], out: &mut Out<'_>) {
        for offer in offers {
            let cause = if self.rang(*offer) { Cause::NoAnswer } else { Cause::Unreachable };
            let then = self.judge_phone(*offer, (cause, None), out);
            self.withdraw(id, *offer, cause, then, out);
        }
        self.back_to_queue(id, out);
    }

    /// The dialled leg ended by itself before it was answered.
    pub(super) fn offer_failed(
        &mut self,
        id: CallId,
        offer: Offer,
        (cause, status): (Cause, Option<u16>),
        out: &mut Out<'_>,
    ) {
        let then = self.judge_phone(offer, (cause, status), out);
        out.row(id, CallEvent::OfferEnded { offer: offer.id, cause });
        self.seat_left(offer.seat, then, out);
        self.offer_is_over(id, offer, out);
    }

    /// One of the open offers is taken back for the seat's sake.
    pub(super) fn take_back_one(&mut self, id: CallId, offer: Offer, cause: Cause, then: Then, out: &mut Out<'_>) {
        self.withdraw(id, offer, cause, then, out);
        self.offer_is_over(id, offer, out);
    }

    /// Without any open offer the call waits again.
    fn offer_is_over(&mut self, id: CallId, over: Offer, out: &mut Out<'_>) {
        let Some(Live { place: Place::Offered(offers), .. }) = self.calls.get_mut(&id) else { return };
        offers.retain(|offer| *offer != over);
        if offers.is_empty() {
            self.back_to_queue(id, out);
        }
    }

    /// Hangs a phone up that was rung.
    pub(super) fn withdraw(&mut self, id: CallId, offer: Offer, cause: Cause, then: Then, out: &mut Out<'_>) {
        out.row(id, CallEvent::OfferEnded { offer: offer.id, cause });
        if let Some(seat) = self.seats.get_mut(&offer.seat) {
            seat.leave(then);
        }
        self.part(id, offer.leg, cause, out);
        self.settle(offer.seat, out);
    }

    fn rang(&self, offer: Offer) -> bool {
        self.seats.get(&offer.seat).is_some_and(|seat| matches!(seat.work(), Work::Ringing(_)))
    }

    /// What a failed offer says about the seat. Never rings the same seat again at once.
    pub(super) fn judge_phone(&mut self, offer: Offer, (cause, status): (Cause, Option<u16>), out: &Out<'_>) -> Then {
        if cause == Cause::Overload && status.is_none() {
            // We had no room for the leg ourselves, and no phone was asked: that says nothing of this one.
            return Then::Rest(OUR_OWN_REST);
        }
        let rang = self.rang(offer);
        let rest = Then::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let Some(seat) = self.seats.get_mut(&offer.seat) else { return rest };
        let why = match cause {
            Cause::Declined => Some(WhyNotReady::Declined),
            Cause::NoAnswer if rang => Some(WhyNotReady::NoAnswer),
            Cause::NoAnswer
            | Cause::HungUp
            | Cause::Cancelled
            | Cause::Busy
            | Cause::Unreachable
            | Cause::Unregistered
            | Cause::NoSuchNumber
            | Cause::Gone
            | Cause::Closed
            | Cause::Loop
            | Cause::ModeNotServed
            | Cause::NoCommonMedia
            | Cause::Overload
            | Cause::Failed
            | Cause::PeerLost
            | Cause::Restart => None,
        };
        match why {
            Some(why) => {
                seat.blame(out.now.mono, why);
                Then::Idle
            }
            None => {
                seat.strike(out.now.mono);
                rest
            }
        }
    }

    /// The call waits again where it stood; when its time is over it goes on or is told so instead.
    pub(super) fn back_to_queue(&mut self, id: CallId, out: &mut Out<'_>) {
        self.timers.clear(Timer::Place(id));
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        if way.too_long {
            return self.overflow(id, crate::types::OverflowWhy::Waited, out);
        }
        self.acd.rejoin(out.now.mono, way.queue, id, way.ticket, way.joined, way.prefer);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.go(out.now.mono, Place::Waiting));
        }
        // Not now: a take-over has a moment in which nobody is signed in.
        self.returned.push(id);
    }
}
