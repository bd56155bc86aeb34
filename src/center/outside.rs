//! A caller's call goes on outside: the line's own seats behind their trunk, another site, an old desk that rings beside our
//! seats. The caller hears the ringing tone meanwhile, or the queue's music while an old desk is rung beside it.

use super::live::{Live, Offer, Place, Through, Way};
use super::timers::Timer;
use super::way_out::Attempt;
use super::{Center, Out};
use crate::call::Phase;
use crate::dialplan::feature;
use crate::seat::Then;
use crate::types::{CallEvent, CallId, Calling, Cause, DestinationId, Fate, Hops, LegId, OverflowWhy};

impl Center {
    /// The call leaves its queue, or does not enter it, for another site. When nobody answers there it is back at its place.
    pub(super) fn overflow_outside(&mut self, id: CallId, to: DestinationId, why: OverflowWhy, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(way) = &mut live.way else { return };
        let Some(attempt) = way.leave_for(to, &live.called) else { return };
        let (from, to) = (way.planned().name.clone(), Some(attempt.destination.clone()));
        self.acd.leave(id);
        out.row(id, CallEvent::Overflowed { from, to, why });
        self.let_desk_go(id, out);
        self.reach(id, attempt, Cause::Unreachable, out);
    }

    /// Rings the next way outside. `before`: what the last one came to.
    pub(super) fn reach(&mut self, id: CallId, mut attempt: Attempt, before: Cause, out: &mut Out<'_>) {
        if self.onward(id).is_none() {
            tracing::warn!(call = %id, "hotlines pass a call on in a circle");
            return self.unreached(id, Cause::Loop, out);
        }
        if !self.ring_next(id, &mut attempt, out) {
            return self.unreached(id, before, out);
        }
        self.timers.set(Timer::Place(id), out.now.mono + attempt.ring);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.go(out.now.mono, Place::Reaching(attempt)));
        }
    }

    /// Dials the next way of an attempt; `false` when there is none left.
    pub(super) fn ring_next(&mut self, id: CallId, attempt: &mut Attempt, out: &mut Out<'_>) -> bool {
        let (Some(live), Some(hops)) = (self.calls.get(&id), self.onward(id)) else { return false };
        let who = (Calling { hops, ..live.calling.clone() }, live.call.caller());
        attempt.leg = self.dial_way(id, &mut attempt.ways, Some(&attempt.destination), who, out);
        attempt.leg.is_some()
    }

    /// How a call goes on from here; `None` when it has gone far enough.
    fn onward(&self, id: CallId) -> Option<Hops> {
        self.calls.get(&id)?.calling.hops.onward(self.plan.outgoing.most_passed_on)
    }

    /// Nobody outside has answered: the caller waits in the queue, in the place of the arrival, or is told so.
    fn unreached(&mut self, id: CallId, cause: Cause, out: &mut Out<'_>) {
        self.timers.clear(Timer::Place(id));
        match self.calls.get(&id).map(|live| &live.way) {
            Some(Some(_)) if self.calls.get(&id).is_some_and(|live| live.answered.is_some()) => {
                self.wait_in_front(id, out)
            }
            Some(Some(Way { queued: true, .. })) => self.come_back(id, out),
            Some(Some(_)) => self.enqueue(id, out),
            Some(None) => self.tell(id, feature::UNANSWERED, Fate::UnansweredOutside { cause }, cause, out),
            None => {}
        }
    }

    /// The call waits again where it stood before a rule sent it outside.
    fn come_back(&mut self, id: CallId, out: &mut Out<'_>) {
        if let Some(Live { way: Some(way), .. }) = self.calls.get(&id).filter(|live| live.may_wait()) {
            let row = self.queued_row(way);
            out.row(id, row);
            self.expect_overflow(id);
        }
        self.back_to_queue(id, out);
    }

    /// The old desk begins to ring beside the seats; once a call.
    pub(super) fn ring_desk(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        if let Some(desk) = way.desk.take_if(|desk| desk.leg.is_none()) {
            self.desk_next(id, desk, out);
        }
    }

    /// Rings the desk's next way; without one the caller waits for the seats alone.
    fn desk_next(&mut self, id: CallId, mut desk: Attempt, out: &mut Out<'_>) {
        self.timers.clear(Timer::Desk(id));
        if !self.ring_next(id, &mut desk, out) {
            desk.leg = None;
        }
        let rung = desk.leg.is_some();
        if rung {
            self.timers.set(Timer::Desk(id), out.now.mono + desk.ring);
        }
        if let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) {
            way.desk = Some(desk).filter(|_| rung);
        }
    }

    /// The desk is rung no more: a seat was faster, or the caller waits no more.
    pub(super) fn let_desk_go(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        if let Some(leg) = way.desk.take_if(|desk| desk.leg.is_some()).and_then(|desk| desk.leg) {
            self.timers.clear(Timer::Desk(id));
            self.part(id, leg, Cause::Cancelled, out);
        }
    }

    /// The place outside has rung long enough.
    pub(super) fn outside_rung_out(&mut self, id: CallId, attempt: Attempt, out: &mut Out<'_>) {
        if let Some(leg) = attempt.leg {
            self.let_rung_go(id, leg, Cause::NoAnswer, out);
        }
        self.reach(id, attempt, Cause::NoAnswer, out);
    }

    /// The desk has rung long enough.
    pub(super) fn desk_rung_out(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return };
        let Some(desk) = way.desk.take() else { return };
        if let Some(leg) = desk.leg {
            self.part(id, leg, Cause::NoAnswer, out);
        }
        self.desk_next(id, desk, out);
    }

    /// A leg that was dialled for a caller has answered. `false` when this call is not a caller's, or waits for another leg.
    pub(super) fn outside_up(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) -> bool {
        let Some(live) = self.calls.get_mut(&id) else { return false };
        let is_rung = |attempt: &Attempt| attempt.leg == Some(leg);
        let reaching = live.place.reaching().filter(|attempt| is_rung(attempt)).cloned();
        let desk = || live.way.as_mut()?.desk.take_if(|desk| is_rung(desk));
        let Some(attempt) = reaching.or_else(desk) else { return false };
        live.call.up(leg);
        self.go_through(id, leg, attempt, out);
        true
    }

    /// Caller and somebody outside hear each other; seats that ring for the call are let go.
    fn go_through(&mut self, id: CallId, leg: LegId, attempt: Attempt, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let offers: Vec<Offer> = live.place.offers().to_vec();
        for offer in offers {
            self.withdraw(id, offer, Cause::Cancelled, Then::Idle, out);
        }
        self.acd.leave(id);
        self.forget_waiting(id);
        self.timers.clear(Timer::Place(id));
        self.timers.clear(Timer::Desk(id));
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(caller) = live.call.caller() else { return };
        if let Some(command) = live.call.answer(caller) {
            out.row(id, CallEvent::AnsweredByExchange);
            out.leg(id, caller, command);
        }
        self.give_to(id, leg, attempt.destination, out);
        self.record(id, caller, out);
    }

    /// Somebody outside has answered, and the caller knows.
    pub(super) fn note_outside(&self, id: CallId, out: &mut Out<'_>) {
        if let Some(Through { leg, destination, .. }) = self.calls.get(&id).and_then(|live| live.place.through()) {
            out.row(id, CallEvent::AnsweredOutside { leg: *leg, destination: destination.clone() });
        }
    }

    /// A leg that was dialled for a caller is gone.
    pub(super) fn outside_gone(&mut self, id: CallId, leg: LegId, phase: Phase, cause: Cause, out: &mut Out<'_>) {
        let parted = phase == Phase::Parting;
        if parted || self.supervisor_gone(id, leg, out) || self.guest_gone(id, leg, cause, out) {
            return;
        }
        let Some(live) = self.calls.get_mut(&id) else { return };
        let is_rung = |attempt: &Attempt| attempt.leg == Some(leg);
        if let Some(attempt) = live.place.reaching().filter(|attempt| is_rung(attempt)).cloned() {
            self.reach(id, attempt, cause, out);
        } else if live.place.through().is_some_and(|through| through.leg == leg) {
            let joins = live.call.caller().is_some_and(|caller| live.call.is_joining(caller));
            let fate = if joins { Fate::UnansweredOutside { cause } } else { Fate::AnsweredOutside };
            self.end(id, fate, Cause::HungUp, out);
        } else if let Some(desk) = live.way.as_mut().and_then(|way| way.desk.take_if(|desk| is_rung(desk))) {
            self.desk_next(id, desk, out);
        }
    }
}
