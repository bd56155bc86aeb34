//! Time passed: a lease ran out, somebody waited too long, a seat is done with its notes.

use super::live::Place;
use super::timers::Timer;
use super::{Center, Effect, Out, SeatChange, SeatNews};
use crate::types::{CallId, Cause, Fate, LegId, OverflowWhy, SeatId};

impl Center {
    pub(super) fn on_tick(&mut self, out: &mut Out<'_>) {
        // First: a position that is said now counts what waiting has changed.
        self.advance(out);
        while let Some(timer) = self.timers.take_due(out.now.mono) {
            match timer {
                Timer::Place(call) => self.place_over(call, out),
                Timer::MaxWait(call) => self.waited_too_long(call, out),
                Timer::Overflow(call) => self.overflow_by_rule(call, out),
                Timer::Say(call) => self.announce(call, out),
                Timer::Desk(call) => self.desk_rung_out(call, out),
                Timer::Guest(call) => self.guest_rung_out(call, out),
                Timer::Supervisor(call) => self.unsupervise(call, out),
                Timer::Leg(leg) => self.give_up(leg, out),
                Timer::Seat(seat) => self.seat_timer(seat, out),
                Timer::DrainNotice => self.tell_of_end(out),
                Timer::DrainEnd => self.drain_over(out),
            }
        }
    }

    fn place_over(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        match live.place.clone() {
            Place::Message => self.prompt_over(id, out),
            Place::Greeting(_)
            | Place::Announcing(_)
            | Place::Overflowing { .. }
            | Place::Wishing { .. }
            | Place::Telling(_) => {
                tracing::warn!(call = %id, "the end of a prompt was not reported");
                self.prompt_over(id, out);
            }
            Place::Offered(offers) => self.ring_over(id, &offers, out),
            Place::Joining(_) => self.end(id, Fate::Failed { cause: Cause::PeerLost }, Cause::PeerLost, out),
            Place::Summoning(_) => {
                self.end(id, Fate::NotReached { cause: Cause::Cancelled }, Cause::Cancelled, out);
            }
            Place::Calling(outing) => self.rung_out(id, &outing, out),
            Place::Reaching(attempt) => self.outside_rung_out(id, attempt, out),
            Place::Waiting
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Outside(_)
            | Place::Called(_)
            | Place::Ending { .. } => {}
        }
    }

    /// A seat that rings may still answer: only a call that nobody has is told that its time is over.
    fn waited_too_long(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if let Some(way) = live.way.as_mut() {
            way.too_long = true;
        }
        if matches!(live.place, Place::Waiting | Place::Announcing(_)) {
            self.overflow(id, OverflowWhy::Waited, out);
        }
    }

    /// A leg that we hung up never said its last word: the books are closed without it.
    fn give_up(&mut self, leg: LegId, out: &mut Out<'_>) {
        tracing::warn!(%leg, "a leg did not end in time and is given up");
        self.on_ended(leg, Cause::PeerLost, None, out);
    }

    fn seat_timer(&mut self, id: SeatId, out: &mut Out<'_>) {
        if let Some(seat) = self.seats.get_mut(&id)
            && seat.tick(out.now.mono)
        {
            let news = SeatNews { seat: id, agent: seat.agent_id(), change: SeatChange::BreakOver };
            out.effects.push(Effect::Seat(news));
        }
        self.settle(id, out);
    }
}
