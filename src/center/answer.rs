//! Somebody is up: a seat that we rang, or a caller whose answer is confirmed.

use std::time::Duration;

use super::live::{Offer, Party, Place, Talk};
use super::timers::Timer;
use super::{Center, Effect, Out};
use crate::call::Phase;
use crate::seat::Then;
use crate::types::{CallEvent, CallId, Cause, Choice, LegCommand, LegId};

impl Center {
    pub(super) fn on_answered(&mut self, leg: LegId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else {
            // We gave this leg up, and here it is: it must not stay open.
            if let Some(call) = self.memory.call_of(leg) {
                out.leg(call, leg, LegCommand::Hangup(Cause::Cancelled));
            }
            return;
        };
        let Some(phase) = self.calls.get(&id).and_then(|live| live.call.leg(leg)).map(|leg| leg.phase) else { return };
        match phase {
            Phase::Answering | Phase::Joining => self.caller_up(id, leg, out),
            Phase::Dialled | Phase::Ringing | Phase::Heard => match self.offer_of(leg) {
                Some((_, offer)) => self.seat_up(id, offer, out),
                None if self.supervisor_up(id, leg, out)
                    || self.guest_up(id, leg, out)
                    || self.outside_up(id, leg, out) => {}
                None => self.outing_up(id, leg, out),
            },
            // The answer has crossed our hang-up: the offer is void, and the leg must still end.
            Phase::Parting => {
                out.leg(id, leg, LegCommand::Hangup(Cause::Cancelled));
                self.watch_parting(leg, out);
            }
            Phase::Arrived | Phase::Early | Phase::Deaf | Phase::Up => tracing::warn!(%leg, "answered out of turn"),
        }
    }

    /// A seat has answered its offer.
    fn seat_up(&mut self, id: CallId, offer: Offer, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        live.call.up(offer.leg);
        let others: Vec<Offer> = live.place.offers().iter().copied().filter(|other| *other != offer).collect();
        for other in others {
            self.withdraw(id, other, Cause::Cancelled, Then::Idle, out);
        }
        if let Some(seat) = self.seats.get_mut(&offer.seat) {
            seat.talk(offer.id, out.now.wall.in_china().date());
        }
        self.let_desk_go(id, out);
        self.timers.clear(Timer::Place(id));
        let Some(live) = self.calls.get_mut(&id) else { return };
        let party = Party { seat: offer.seat, leg: offer.leg };
        let Some(caller) = live.call.caller() else { return };
        if let Some(command) = live.call.answer(caller) {
            out.row(id, CallEvent::AnsweredByExchange);
            out.leg(id, caller, command);
        }
        // Early media becomes a call only when the answer is confirmed; who is answered already talks at once. An answer whose
        // ACK is late counts: the endpoint watches over it.
        if live.call.is_joining(caller) {
            out.hear(id, live.go(out.now.mono, Place::Joining(party)));
            let longest = Duration::from_millis(self.config.join_max_ms.into());
            self.timers.set(Timer::Place(id), out.now.mono + longest);
        } else {
            self.talk(id, party, out);
        }
        self.record(id, caller, out);
    }

    fn caller_up(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let joins = live.call.is_joining(leg);
        live.call.up(leg);
        if let Place::Joining(party) = live.place {
            self.timers.clear(Timer::Place(id));
            self.talk(id, party, out);
        } else if joins {
            self.note_outside(id, out);
        }
    }

    pub(super) fn talk(&mut self, id: CallId, party: Party, out: &mut Out<'_>) {
        self.forget_waiting(id);
        let agent = self.seats.get(&party.seat).and_then(|seat| seat.agent_id());
        let Some(live) = self.calls.get_mut(&id) else { return };
        let known = live.way.as_ref().is_some_and(|way| way.planned().choice == Choice::LastAgent);
        if let Some(caller) = live.calling.number.as_ref().filter(|_| known) {
            self.familiar.note(caller, party.seat, agent);
        }
        out.row(id, CallEvent::Talking { seat: party.seat, leg: party.leg, agent });
        live.answered.get_or_insert(party.seat);
        out.hear(id, live.go(out.now.mono, Place::Talking(Talk::of(party))));
    }

    /// Talks are recorded if the configuration says so.
    pub(super) fn record(&mut self, id: CallId, caller: LegId, out: &mut Out<'_>) {
        if self.config.records {
            self.begin_recording(id, caller, out);
        }
    }

    /// One recording a call, from the first answer of a seat, or from the message, to the end.
    pub(super) fn begin_recording(&mut self, id: CallId, caller: LegId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if live.recording {
            return;
        }
        live.recording = true;
        let file = file_name(id, live.arrived_wall);
        out.row(id, CallEvent::Recording { file: file.clone() });
        out.effects.push(Effect::Record { call: id, caller, file });
    }
}

/// Name of a recording below its folder: the day of arrival (UTC), then the call, for example `2026-11-23/c1042`. A call
/// id never repeats, so neither does a name.
pub(super) fn file_name(id: CallId, arrived: crate::types::Wall) -> String {
    match jiff::Timestamp::from_millisecond(arrived.0) {
        Ok(at) => format!("{}/{id}", jiff::tz::Offset::UTC.to_datetime(at).date()),
        Err(_) => format!("undated/{id}"),
    }
}
