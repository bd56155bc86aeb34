//! Reaching somebody over trunks, one way after the other: whom a seat calls, and where a caller's call goes on outside.

use std::time::Duration;

use super::{Center, Out};
use crate::call::Role;
use crate::dialplan::{Destination, Plan};
use crate::seat::{Seat, Then, Work};
use crate::types::{
    CallEvent, CallId, Calling, Cause, Dial, LegCommand, LegId, LineNumber, PhoneNumber, PromptName, QueueId, SeatId,
    Target, TrunkId,
};

/// One way that was not tried yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WayOut {
    /// A number over a trunk, with which its group is tried.
    Trunk { trunk: TrunkId, number: PhoneNumber },
    /// A seat of ours.
    Seat(SeatId),
    /// Whoever of a queue is free, other than the seats that were rung for it already.
    Queue(QueueId, Vec<SeatId>),
}

/// Reaching a place outside for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Name of the place.
    pub(super) destination: String,
    /// The next one first.
    pub(super) ways: Vec<WayOut>,
    /// How long each is rung.
    pub(super) ring: Duration,
    /// The leg that is rung now.
    pub(super) leg: Option<LegId>,
    /// Heard by both while somebody holds.
    pub(super) music: PromptName,
}

impl Attempt {
    /// All ways to a place, for a caller of a line. A trunk that is not in the plan is none.
    pub(super) fn new(plan: &Plan, destination: &Destination, line: &LineNumber) -> Self {
        let line = plan.line(line).map_or(line, |planned| &planned.number);
        let ways = destination.routes.iter().filter_map(|route| {
            let number = route.number.clone().or_else(|| PhoneNumber::parse(line.as_str()).ok())?;
            Some(WayOut::Trunk { trunk: plan.trunk_named(&route.trunk)?, number })
        });
        Self {
            destination: destination.name.clone(),
            ways: ways.collect(),
            ring: Duration::from_millis(destination.ring_ms.into()),
            leg: None,
            music: super::live::music_on_hold(plan),
        }
    }
}

impl Center {
    /// Dials the next way in the name of whoever calls; `None` when there is none left. The leg `beside` is in the same call.
    pub(super) fn dial_way(
        &mut self,
        id: CallId,
        ways: &mut Vec<WayOut>,
        destination: Option<&str>,
        (calling, beside): (Calling, Option<LegId>),
        out: &mut Out<'_>,
    ) -> Option<LegId> {
        while !ways.is_empty() {
            let seat = match ways.remove(0) {
                WayOut::Trunk { trunk, number } => {
                    return self.dial_trunk(id, (trunk, number), destination, (calling, beside), out);
                }
                WayOut::Seat(seat) => Some(seat),
                WayOut::Queue(queue, mut rung) => {
                    let seat = self.acd.free_seat(queue, &rung);
                    if let Some(seat) = seat {
                        rung.push(seat);
                        ways.insert(0, WayOut::Queue(queue, rung));
                    }
                    seat
                }
            };
            let line = self.name_of_line(&self.calls.get(&id)?.called);
            if let Some(seat) = seat
                && let Some(leg) = self.ring_seat(id, seat, (calling.clone(), line, beside), destination, out)
            {
                return Some(leg);
            }
        }
        None
    }

    fn dial_trunk(
        &mut self,
        id: CallId,
        (trunk, number): (TrunkId, PhoneNumber),
        destination: Option<&str>,
        (calling, beside): (Calling, Option<LegId>),
        out: &mut Out<'_>,
    ) -> Option<LegId> {
        let line = self.calls.get(&id)?.called.clone();
        let name = self.plan.trunk(trunk).map(|planned| planned.name.clone());
        let target = Target::Trunk { trunk, number: number.clone() };
        let dial = Dial { target, beside, calling, line_name: self.name_of_line(&line), line, auto_answer: false };
        Some(self.dial_party(id, dial, (number, name, destination.map(str::to_owned)), out))
    }

    /// A leg that was dialled is heard before its answer, or no more.
    pub(super) fn on_early_media(&mut self, leg: LegId, heard: bool, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.heard(leg, heard);
            out.hear(id, live.sound());
        }
    }

    /// Rings a seat for somebody who is in a call; `None` when it is not free.
    pub(super) fn ring_seat(
        &mut self,
        id: CallId,
        seat: SeatId,
        (calling, line_name, beside): (Calling, String, Option<LegId>),
        destination: Option<&str>,
        out: &mut Out<'_>,
    ) -> Option<LegId> {
        let free = |seat: &Seat| seat.is_signed_in() && seat.reachable() && seat.work() == Work::Idle;
        self.seats.get(&seat).filter(|seat| free(seat))?;
        let line = self.calls.get(&id)?.called.clone();
        let number = PhoneNumber::parse(&seat.0.to_string()).ok()?;
        let auto_answer = self.plan.seats.get(&seat).is_some_and(|planned| planned.auto_answer);
        let dial = Dial { target: Target::Seat(seat), beside, calling, line, line_name, auto_answer };
        let leg = self.dial_party(id, dial, (number, None, destination.map(str::to_owned)), out);
        self.seat_of.insert(leg, seat);
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.own_call(out.now.mono, id, leg);
        }
        self.settle(seat, out);
        Some(leg)
    }

    /// Hangs up a leg that is rung, or was brought in; the seat that it belongs to is free afterwards.
    pub(super) fn let_rung_go(&mut self, id: CallId, leg: LegId, cause: Cause, out: &mut Out<'_>) {
        if let Some(seat) = self.seat_of.get(&leg).and_then(|seat| self.seats.get_mut(seat))
            && seat.busy_with() == Some((id, leg))
        {
            seat.leave(Then::Idle);
        }
        self.part(id, leg, cause, out);
    }

    /// Makes the leg of a party that is no seat's offer, and dials it.
    pub(super) fn dial_party(
        &mut self,
        id: CallId,
        dial: Dial,
        (number, trunk, destination): (PhoneNumber, Option<String>, Option<String>),
        out: &mut Out<'_>,
    ) -> LegId {
        let leg = self.ids.legs.take();
        self.call_of.insert(leg, id);
        if let Some(live) = self.calls.get_mut(&id) {
            live.call.dial(leg, Role::Called);
        }
        out.row(id, CallEvent::Dialled { leg, number, trunk, destination });
        out.leg(id, leg, LegCommand::Dial(Box::new(dial)));
        leg
    }
}
