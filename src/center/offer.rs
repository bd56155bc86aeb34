//! A waiting call meets a free seat: a lease with a deadline and a fencing number, and all the ways in which it can fail.

use std::time::Duration;

use super::live::{Live, Offer, Place};
use super::timers::Timer;
use super::{Center, Out};
use crate::acd::Match;
use crate::call::Role;
use crate::seat::{Lease, Then, WhyNotReady, Work};
use crate::types::{CallEvent, CallId, Cause, Dial, LegCommand, LegId, SeatId, Target};

/// How long a seat is left alone for which we had no port or transaction: the least rest of a port.
const OUR_OWN_REST: Duration = Duration::from_secs(1);

impl Center {
    /// Offers every call that can be offered.
    pub(super) fn match_waiting(&mut self, out: &mut Out<'_>) {
        while let Some(found) = self.acd.next_match() {
            self.offer(found, out);
        }
    }

    fn offer(&mut self, found: Match, out: &mut Out<'_>) {
        let (id, seat) = (found.call, found.seat);
        let (offer, leg) = (self.ids.offer(), self.ids.legs.take());
        let live = self.calls.get_mut(&id).expect("a waiting call lives");
        let way = live.way.as_ref().expect("a waiting call has a way");
        let until = out.now.mono + Duration::from_millis(way.planned().ring_ms.into());
        let dial = Dial {
            target: Target::Seat(seat),
            beside: live.call.caller(),
            calling: live.calling.clone(),
            line: live.called.clone(),
            line_name: format!("{} {}", live.called, way.line_name),
        };
        live.call.dial(leg, Role::Seat);
        out.row(id, CallEvent::Offered { offer, seat, leg, agent: None, decision: None });
        out.leg(id, leg, LegCommand::Dial(Box::new(dial)));
        out.hear(id, live.go(out.now.mono, Place::Offered(Offer { id: offer, seat, leg })));
        self.timers.set(Timer::Place(id), until);
        self.call_of.insert(leg, id);
        self.seat_of.insert(leg, seat);
        self.seats.get_mut(&seat).expect("a free seat exists").offer(Lease { offer, call: id, leg });
    }

    pub(super) fn on_ringing(&mut self, leg: LegId, out: &mut Out<'_>) {
        let Some((id, offer)) = self.offer_of(leg) else { return };
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.rings(leg);
        }
        if self.seats.get_mut(&offer.seat).is_some_and(|seat| seat.rings(leg)) {
            out.row(id, CallEvent::Ringing { offer: offer.id });
        }
    }

    /// The open offer that a leg was dialled for.
    pub(super) fn offer_of(&self, leg: LegId) -> Option<(CallId, Offer)> {
        let id = *self.call_of.get(&leg)?;
        match &self.calls.get(&id)?.place {
            Place::Offered(offer) if offer.leg == leg => Some((id, *offer)),
            Place::Offered(_)
            | Place::Greeting { .. }
            | Place::Waiting
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::Overflowing { .. }
            | Place::Feature { .. }
            | Place::Ending { .. } => None,
        }
    }

    /// The lease ran out. A phone that rang has an agent who does not answer; one that never rang is at fault itself.
    pub(super) fn ring_over(&mut self, id: CallId, offer: Offer, out: &mut Out<'_>) {
        let rang = self.seats.get(&offer.seat).is_some_and(|seat| matches!(seat.work(), Work::Ringing(_)));
        let cause = if rang { Cause::NoAnswer } else { Cause::Unreachable };
        let then = self.judge_phone(offer.seat, cause, None, rang);
        self.withdraw(id, offer, cause, then, out);
    }

    /// The dialled leg ended by itself before it was answered.
    pub(super) fn offer_failed(
        &mut self,
        id: CallId,
        offer: Offer,
        (cause, status): (Cause, Option<u16>),
        out: &mut Out<'_>,
    ) {
        let rang = self.seats.get(&offer.seat).is_some_and(|seat| matches!(seat.work(), Work::Ringing(_)));
        let then = self.judge_phone(offer.seat, cause, status, rang);
        out.row(id, CallEvent::OfferEnded { offer: offer.id, cause });
        self.seat_left(offer.seat, then, out);
        self.back_to_queue(id, out);
    }

    /// We take an open offer back; the call waits again at its own place.
    pub(super) fn withdraw(&mut self, id: CallId, offer: Offer, cause: Cause, then: Then, out: &mut Out<'_>) {
        out.row(id, CallEvent::OfferEnded { offer: offer.id, cause });
        if let Some(seat) = self.seats.get_mut(&offer.seat) {
            seat.leave(then);
        }
        self.part(id, offer.leg, cause, out);
        self.back_to_queue(id, out);
    }

    /// What a failed offer says about the seat. Never rings the same seat again at once.
    fn judge_phone(&mut self, seat: SeatId, cause: Cause, status: Option<u16>, rang: bool) -> Then {
        if cause == Cause::Overload && status.is_none() {
            // We had no room for the leg ourselves, and no phone was asked: that says nothing of this one.
            return Then::Rest(OUR_OWN_REST);
        }
        let rest = Then::Rest(Duration::from_millis(self.config.rest_ms.into()));
        let Some(seat) = self.seats.get_mut(&seat) else { return rest };
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
            | Cause::ModeNotServed
            | Cause::NoCommonMedia
            | Cause::Overload
            | Cause::Failed
            | Cause::PeerLost
            | Cause::Restart => None,
        };
        match why {
            Some(why) => {
                // A seat that signed out in mid-offer stays signed out.
                let _ = seat.not_ready(why);
                Then::Idle
            }
            None => {
                seat.strike();
                rest
            }
        }
    }

    /// The call waits again where it stood; when its time is over it is told so instead.
    pub(super) fn back_to_queue(&mut self, id: CallId, out: &mut Out<'_>) {
        self.timers.clear(Timer::Place(id));
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        if way.too_long {
            return self.overflow(id, out);
        }
        self.acd.rejoin(way.queue, id, way.ticket);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.go(out.now.mono, Place::Waiting));
        }
    }
}
