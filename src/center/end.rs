//! A leg is gone: free its seat, go on or end. Every call gets exactly one fate, when its caller's leg has ended.

use std::time::Duration;

use super::live::{GuestAt, Live, Place, Talk};
use super::timers::Timer;
use super::{Center, Effect, Out};
use crate::call::{Leg, Phase, Role};
use crate::seat::Then;
use crate::types::{CallEvent, CallId, Cause, Fate, LegId, SeatId, StreamReport, TransferEnd, WishKind};

impl Center {
    /// The last word of a leg.
    pub(super) fn on_ended(&mut self, leg: LegId, cause: Cause, status: Option<u16>, out: &mut Out<'_>) {
        let Some(id) = self.call_of.remove(&leg) else {
            tracing::debug!(%leg, "an unknown leg has ended");
            return;
        };
        self.timers.clear(Timer::Leg(leg));
        self.memory.remember(out.now.mono, leg, id);
        out.row(id, CallEvent::LegEnded { leg, cause, status });
        let gone = self.calls.get_mut(&id).and_then(|live| live.call.gone(leg));
        let seat = self.seat_of.remove(&leg);
        match gone {
            Some(Leg { role: Role::Caller, phase, .. }) => self.caller_gone(id, phase, cause, out),
            Some(Leg { role: Role::Seat, phase, .. }) => self.seat_gone(id, leg, seat, phase, (cause, status), out),
            Some(Leg { role: Role::Called, phase, .. }) => {
                self.called_gone(id, (leg, seat), phase, (cause, status), out);
            }
            None => {}
        }
        self.close(id, out);
    }

    fn caller_gone(&mut self, id: CallId, phase: Phase, cause: Cause, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        let left = matches!(cause, Cause::HungUp | Cause::Cancelled);
        let or_failed = |abandoned: Fate| if left { abandoned } else { Fate::Failed { cause } };
        let say = if matches!(live.place, Place::Offered(_)) { Cause::Cancelled } else { Cause::HungUp };
        let fate = match &live.place {
            Place::Greeting(_) => or_failed(Fate::AbandonedInGreeting),
            Place::Waiting | Place::Announcing(_) | Place::Wishing { kind: WishKind::Message, .. } => {
                or_failed(Fate::AbandonedInQueue)
            }
            Place::Wishing { kind: WishKind::Callback, .. } | Place::Message => Fate::LeftWish,
            Place::Offered(_) | Place::Joining(_) | Place::Reaching(_) => or_failed(Fate::AbandonedInRing),
            // Somebody outside had answered, and our answer never reached the caller.
            Place::Outside(_) if phase == Phase::Joining => or_failed(Fate::AbandonedInRing),
            Place::Talking(Talk { guest: Some(guest), .. }) if matches!(guest.at, GuestAt::Here(_)) => {
                return self.caller_left(id, out);
            }
            Place::Talking(talk) => Fate::Answered { seat: talk.party.seat },
            Place::Outside(_) => Fate::AnsweredOutside,
            Place::Overflowing { .. } => Fate::Overflowed,
            Place::Telling(sentence) => sentence.fate,
            // None of these has a caller.
            Place::Summoning(_) | Place::Calling(_) | Place::Called(_) => or_failed(Fate::Served),
            Place::CallerLeft(_) | Place::Ending { .. } => return,
        };
        self.note_talk(id, out);
        self.end(id, fate, say, out);
    }

    fn seat_gone(
        &mut self,
        id: CallId,
        leg: LegId,
        seat: Option<SeatId>,
        phase: Phase,
        (cause, status): (Cause, Option<u16>),
        out: &mut Out<'_>,
    ) {
        if phase == Phase::Parting {
            // We hung it up; what shall follow was decided then.
            if let Some(seat) = seat {
                self.seat_left_leg(seat, leg, Then::Idle, out);
            }
            return;
        }
        let Some(live) = self.calls.get(&id) else { return };
        match live.place.clone() {
            Place::Offered(offers) if offers.iter().any(|offer| offer.leg == leg) => {
                for offer in offers.into_iter().filter(|offer| offer.leg == leg) {
                    self.offer_failed(id, offer, (cause, status), out);
                }
            }
            Place::Joining(party) if party.leg == leg => {
                // The agent dropped it before the caller's answer was through: the caller keeps the place in the queue.
                let rest = Then::Rest(Duration::from_millis(self.config.rest_ms.into()));
                self.seat_left(party.seat, rest, out);
                self.back_to_queue(id, out);
            }
            Place::Talking(talk) if talk.party.leg == leg => {
                self.note_talk(id, out);
                self.seat_left(talk.party.seat, self.wrap_up(id), out);
                self.agent_gone(id, talk, cause, out);
            }
            Place::CallerLeft(talk) if talk.party.leg == leg => {
                self.seat_left(talk.party.seat, self.wrap_up(id), out);
                self.end(id, Fate::Answered { seat: talk.party.seat }, Cause::HungUp, out);
            }
            Place::Telling(sentence) => {
                if let Some(seat) = seat {
                    self.seat_left_leg(seat, leg, Then::Idle, out);
                }
                let left = matches!(cause, Cause::HungUp | Cause::Cancelled);
                let failed = sentence.fate == Fate::Served && !left;
                self.end(id, if failed { Fate::Failed { cause } } else { sentence.fate }, Cause::HungUp, out);
            }
            Place::Summoning(_) | Place::Calling(_) | Place::Called(_) => self.placer_gone(id, cause, out),
            Place::Greeting(_)
            | Place::Waiting
            | Place::Announcing(_)
            | Place::Wishing { .. }
            | Place::Message
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Overflowing { .. }
            | Place::Ending { .. } => tracing::error!(%leg, "a seat's leg was neither offered, talking nor parting"),
        }
    }

    /// The seat's leg is gone, if that leg is what keeps it busy.
    pub(super) fn seat_left_leg(&mut self, seat: SeatId, leg: LegId, then: Then, out: &mut Out<'_>) {
        let busy_with = self.seats.get(&seat).and_then(|seat| seat.busy_with());
        if busy_with.is_some_and(|(_, busy)| busy == leg) {
            self.seat_left(seat, then, out);
        }
    }

    /// The leg that kept the seat busy is gone.
    pub(super) fn seat_left(&mut self, id: SeatId, then: Then, out: &mut Out<'_>) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.left(out.now.mono, then);
        }
        self.settle(id, out);
    }

    pub(super) fn wrap_up(&self, id: CallId) -> Then {
        let way = self.calls.get(&id).and_then(|live| live.way.as_ref());
        way.map_or(Then::Idle, |way| Then::WrapUp(way.wrap_up()))
    }

    /// A talk is over: how long it took counts for the expected wait.
    pub(super) fn note_talk(&mut self, id: CallId, out: &Out<'_>) {
        let Some(Live { way: Some(way), since, place: Place::Talking(_), .. }) = self.calls.get(&id) else { return };
        let (queue, time) = (way.queue, out.now.mono.since(*since) + way.wrap_up().time);
        self.note_handling(queue, time);
    }

    /// Decides the fate of a call and hangs up whoever is still there. The first decision stands.
    pub(super) fn end(&mut self, id: CallId, fate: Fate, cause: Cause, out: &mut Out<'_>) {
        let wrap_up = self.wrap_up(id);
        let Some(live) = self.calls.get_mut(&id) else { return };
        if matches!(live.place, Place::Ending { .. }) {
            return;
        }
        // Who has talked with a seat was answered, whatever became of it afterwards.
        let fate = match live.answered.filter(|_| fate.yields_to_first_answer()) {
            Some(seat) => Fate::Answered { seat },
            None => fate,
        };
        let place = std::mem::replace(&mut live.place, Place::Ending { fate: Some(fate) });
        live.since = out.now.mono;
        let recording = std::mem::take(&mut live.recording);
        let open = live.call.legs().filter(|(_, leg)| leg.phase != Phase::Parting);
        let legs: Vec<LegId> = open.map(|(leg, _)| leg).collect();
        self.acd.leave(id);
        self.timers.clear(Timer::Place(id));
        self.timers.clear(Timer::Desk(id));
        self.timers.clear(Timer::Guest(id));
        self.timers.clear(Timer::Supervisor(id));
        if place.guest().is_some() {
            out.row(id, CallEvent::TransferEnded { end: TransferEnd::CallEnded });
        }
        if let Some(way) = &mut live.way {
            way.desk = None;
        }
        self.forget_waiting(id);
        for offer in place.offers() {
            out.row(id, CallEvent::OfferEnded { offer: offer.id, cause: Cause::Cancelled });
        }
        for leg in legs {
            let talked = matches!(&place, Place::Talking(talk) | Place::CallerLeft(talk) if talk.party.leg == leg);
            let then = if talked { wrap_up } else { self.after_outing(&place, leg) };
            if let Some(seat) = self.seat_of.get(&leg).and_then(|seat| self.seats.get_mut(seat))
                && seat.busy_with() == Some((id, leg))
            {
                seat.leave(then);
            }
            self.part(id, leg, cause, out);
        }
        if recording {
            out.effects.push(Effect::EndRecording { call: id });
        }
    }

    /// Hangs up one leg.
    pub(super) fn part(&mut self, id: CallId, leg: LegId, cause: Cause, out: &mut Out<'_>) {
        let command = self.calls.get_mut(&id).and_then(|live| live.call.part(leg, cause));
        if let Some(command) = command {
            out.leg(id, leg, command);
            self.watch_parting(leg, out);
        }
    }

    /// The call waits no more, or in another queue: what was to come of the waiting comes not.
    pub(super) fn forget_waiting(&mut self, id: CallId) {
        for timer in [Timer::MaxWait(id), Timer::Overflow(id), Timer::Say(id)] {
            self.timers.clear(timer);
        }
    }

    /// From our hang-up on a leg has a bounded time for its last word.
    pub(super) fn watch_parting(&mut self, leg: LegId, out: &Out<'_>) {
        let longest = Duration::from_millis(self.config.clear_max_ms.into());
        self.timers.set(Timer::Leg(leg), out.now.mono + longest);
    }

    /// Writes the fate when the caller is gone, or the last leg of a call without one: a telephone that was withdrawn may
    /// take half a minute for its last word, and the record does not wait for it. The call lives until its last leg is gone.
    fn close(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let is_callers = live.is_callers();
        let Live { call, place: Place::Ending { fate }, .. } = live else { return };
        let is_over = call.is_empty() || (is_callers && call.caller().is_none());
        if let Some(fate) = fate.take_if(|_| is_over) {
            out.row(id, CallEvent::Ended { fate });
        }
        if call.is_empty() {
            self.calls.remove(&id);
        }
    }

    /// The audio figures of a leg, in its call's life or shortly after it.
    pub(super) fn on_measured(&mut self, leg: LegId, report: StreamReport, out: &mut Out<'_>) {
        if let Some(call) = self.memory.take(leg).or_else(|| self.call_of.get(&leg).copied()) {
            out.row(call, CallEvent::Quality { leg, report });
        }
    }

    /// The recording broke; the call goes on.
    pub(super) fn on_recording_failed(&mut self, call: CallId, why: String, out: &mut Out<'_>) {
        if self.calls.get(&call).is_some_and(|live| !live.is_over()) {
            out.row(call, CallEvent::RecordingFailed { why });
        }
    }
}
