//! The monitor: looks at the live books every second, puts right what does not balance, says so and counts.
//!
//! [`Center::check`] states the same for tests and panics. Here a fault of ours must not cost a seat or a caller: a seat that
//! is stuck, a call in no queue, a wait without a deadline would stay so until somebody notices.

use super::live::{GuestAt, Place};
use super::timers::Timer;
use super::{Center, Effect, Out, SeatChange, SeatNews};
use crate::call::Phase;
use crate::types::{CallEvent, CallId, Healed, LegId, SeatId};

impl Center {
    /// How often the monitor had to put something right since the start.
    pub fn healed(&self) -> u64 {
        self.healed
    }

    pub(super) fn audit(&mut self, out: &mut Out<'_>) {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            self.audit_queue(id, out);
            self.audit_deadlines(id, out);
        }
        let seats: Vec<SeatId> = self.seats.keys().copied().collect();
        for id in seats {
            self.audit_seat(id, out);
        }
    }

    /// A waiting call is in its queue, and only a waiting one.
    fn audit_queue(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        let waits = matches!(live.place, Place::Waiting | Place::Announcing(_));
        match (waits, self.acd.queue_of(id), &live.way) {
            (true, None, Some(way)) => {
                self.acd.rejoin(out.now.mono, way.queue, id, way.ticket, way.joined, way.prefer);
                self.heal_call(id, Healed::LostCall, out);
            }
            (false, Some(_), _) => {
                self.acd.leave(id);
                self.heal_call(id, Healed::GhostCall, out);
            }
            (true, Some(_), _) | (true, None, None) | (false, None, _) => {}
        }
    }

    /// What must end has a deadline: an offer, a prompt, a joining, a leg that we hung up.
    fn audit_deadlines(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        let lost_place = live.place.is_leased() && self.timers.at(Timer::Place(id)).is_none();
        let desk = live.way.as_ref().and_then(|way| way.desk.as_ref());
        let lost_desk = desk.is_some_and(|desk| desk.leg.is_some()) && self.timers.at(Timer::Desk(id)).is_none();
        let rung = live.place.guest().is_some_and(|guest| matches!(guest.at, GuestAt::Rung(_)));
        let lost_guest = rung && self.timers.at(Timer::Guest(id)).is_none();
        let legs = live.call.legs().filter(|(_, leg)| leg.phase == Phase::Parting);
        let lost: Vec<LegId> =
            legs.map(|(leg, _)| leg).filter(|leg| self.timers.at(Timer::Leg(*leg)).is_none()).collect();
        if lost_place {
            self.timers.set(Timer::Place(id), out.now.mono);
        }
        if lost_desk {
            self.timers.set(Timer::Desk(id), out.now.mono);
        }
        if lost_guest {
            self.timers.set(Timer::Guest(id), out.now.mono);
        }
        for leg in &lost {
            self.watch_parting(*leg, out);
        }
        if lost_place || lost_desk || lost_guest || !lost.is_empty() {
            self.heal_call(id, Healed::NoDeadline, out);
        }
    }

    /// A busy seat has exactly one live leg, and the lists say of a seat what it says itself.
    fn audit_seat(&mut self, id: SeatId, out: &mut Out<'_>) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        let lives =
            |(call, leg): (CallId, LegId)| self.call_of.get(&leg) == Some(&call) && self.seat_of.get(&leg) == Some(&id);
        if seat.busy_with().is_some_and(|busy| !lives(busy)) {
            seat.left(out.now.mono, crate::seat::Then::Idle);
            self.heal_seat(id, Healed::StuckSeat, out);
        }
        let Some(seat) = self.seats.get(&id) else { return };
        let standing = super::presence::standing(seat, out.now.wall.in_china().date());
        if self.acd.standing(id) != Some(standing) {
            self.heal_seat(id, Healed::SeatList, out);
        } else if self.timers.at(Timer::Seat(id)) != seat.deadline() {
            self.heal_seat(id, Healed::NoDeadline, out);
        }
    }

    fn heal_call(&mut self, id: CallId, what: Healed, out: &mut Out<'_>) {
        self.healed += 1;
        tracing::error!(call = %id, what = what.as_str(), "the books of a call did not balance");
        out.row(id, CallEvent::Healed { what });
    }

    fn heal_seat(&mut self, id: SeatId, what: Healed, out: &mut Out<'_>) {
        self.healed += 1;
        tracing::error!(seat = %id, what = what.as_str(), "the books of a seat did not balance");
        let agent = self.seats.get(&id).and_then(|seat| seat.agent_id());
        out.effects.push(Effect::Seat(SeatNews { seat: id, agent, change: SeatChange::Healed(what) }));
        self.settle(id, out);
    }
}

/// A leak that a test puts into the books.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Leak {
    /// The seat believes in a call that is gone.
    StuckSeat(SeatId),
    /// A free seat is not listed.
    UnlistedSeat(SeatId),
    /// A waiting call has fallen out of its queue.
    LostCall(CallId),
    /// A call that does not wait is in a queue.
    GhostCall(CallId),
    /// A lease has lost its deadline.
    NoDeadline(CallId),
}

#[cfg(test)]
impl Center {
    pub(super) fn leak(&mut self, leak: Leak) {
        use crate::acd::Standing;
        match leak {
            Leak::StuckSeat(id) => {
                let seat = self.seats.get_mut(&id).expect("a seat of the plan");
                assert!(seat.own_call(crate::types::Mono::default(), CallId(0), LegId(0)), "the seat is busy already");
                self.acd.set_standing(id, Standing::Busy);
            }
            Leak::UnlistedSeat(id) => self.acd.set_standing(id, Standing::Out),
            Leak::LostCall(id) => assert!(self.acd.leave(id)),
            Leak::GhostCall(id) => {
                let way = self.calls[&id].way.as_ref().expect("a call with a way");
                self.acd.rejoin(way.joined, way.queue, id, way.ticket, way.joined, None);
            }
            Leak::NoDeadline(id) => self.timers.clear(Timer::Place(id)),
        }
    }
}
