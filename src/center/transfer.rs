//! An agent brings a third into the talk: an emergency service, an expert, a sub-center, another seat. The caller always has
//! somebody, or hears the ringing tone, or waits at the front of the queue: nobody is hung up before the third has answered.

use std::time::Duration;

use super::dial_out::Callees;
use super::live::{Guest, GuestAt, Live, Party, Place, Talk, Through, music_on_hold};
use super::timers::Timer;
use super::way_out::{Attempt, WayOut};
use super::{Center, Effect, Out, Refusal, SeatChange, SeatNews, TalkCommand, TransferCommand};
use crate::call::Phase;
use crate::seat::Work;
use crate::types::{
    CallEvent, CallId, Cause, Digit, Fate, LegCommand, LegId, PhoneNumber, Referral, SeatId, TransferEnd, TransferHow,
    TransferTo, Word,
};

/// Most keys after a star that are taken for a command.
const MOST_KEYS: usize = 20;

impl Center {
    /// The desk, or the agent's telephone, does something with a third.
    pub(super) fn transfer_command(
        &mut self,
        seat: SeatId,
        call: Option<CallId>,
        command: TransferCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let Work::Talking { call: id, .. } = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?.work() else {
            return Err(Refusal::NoCall);
        };
        if call.is_some_and(|call| call != id) {
            return Err(Refusal::NoCall);
        }
        match command {
            TransferCommand::Begin { to, how, reason } => {
                self.reason_is_known(reason.as_ref())?;
                self.begin_transfer(id, &to, how, reason, out)?;
                if how == TransferHow::Blind {
                    self.leave_talk(id, out);
                }
                Ok(())
            }
            TransferCommand::Join => self.join_guest(id, out),
            TransferCommand::Leave | TransferCommand::TakeBack => {
                self.guest_of(id).ok_or(Refusal::NoTransfer)?;
                if self.calls.get(&id).is_some_and(|live| matches!(live.place, Place::CallerLeft(_))) {
                    // Nobody else is left whom either of the two could talk with.
                    self.end(id, Fate::Answered { seat }, Cause::HungUp, out);
                } else if command == TransferCommand::Leave {
                    self.leave_talk(id, out);
                } else {
                    self.guest_over(id, TransferEnd::TakenBack, out);
                }
                Ok(())
            }
        }
    }

    fn reason_is_known(&self, reason: Option<&Word>) -> Result<(), Refusal> {
        let known = &self.plan.desk.transfer_reasons;
        match reason {
            Some(reason) if !known.contains(reason) => Err(Refusal::NoSuchWord),
            None if !known.is_empty() => Err(Refusal::ReasonMissing),
            Some(_) | None => Ok(()),
        }
    }

    fn guest_of(&self, id: CallId) -> Option<&Guest> {
        self.calls.get(&id)?.place.guest()
    }

    /// Rings the third. Where nobody can be rung nothing changes for caller and agent, and the agent learns why.
    pub(super) fn begin_transfer(
        &mut self,
        id: CallId,
        to: &TransferTo,
        how: TransferHow,
        reason: Option<Word>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let Some(Live { place: Place::Talking(Talk { party, guest, .. }), .. }) = self.calls.get(&id) else {
            return Err(Refusal::NoCall);
        };
        let seat = party.seat;
        if guest.is_some() {
            return Err(Refusal::TransferRuns);
        }
        if let (TransferTo::Queue(name), TransferHow::Blind) = (to, how) {
            return self.send_to_queue(id, seat, name, reason, out);
        }
        let (attempt, emergency) = self.whom_to_bring(id, seat, to, out)?;
        let name = attempt.destination.clone();
        self.note_transfer(id, seat, &name, how, reason, out);
        let Some(live) = self.calls.get_mut(&id) else { return Err(Refusal::NoCall) };
        live.emergency = emergency;
        if let Place::Talking(talk) = &mut live.place {
            talk.guest = Some(Box::new(Guest { how, at: GuestAt::Rung(attempt), name }));
        }
        self.set_caller_aside(id, how == TransferHow::Consult);
        self.ring_guest(id, Cause::Unreachable, out);
        self.guest_of(id).map(|_| ()).ok_or(match to {
            TransferTo::Queue(_) => Refusal::NobodyFree,
            TransferTo::Destination(_) | TransferTo::Number(_) => Refusal::NotReached,
        })
    }

    /// The ways to whom an agent wants in the talk, and whether it is an emergency service.
    fn whom_to_bring(
        &self,
        id: CallId,
        seat: SeatId,
        to: &TransferTo,
        out: &Out<'_>,
    ) -> Result<(Attempt, bool), Refusal> {
        let line = &self.calls.get(&id).ok_or(Refusal::NoCall)?.called;
        let ring = Duration::from_millis(self.plan.outgoing.ring_ms.into());
        let music = music_on_hold(&self.plan);
        match to {
            TransferTo::Destination(name) => {
                let destination = self.plan.destinations.iter().find(|known| known.name == *name);
                let destination = destination.ok_or(Refusal::NoSuchDestination)?;
                Ok((Attempt::new(&self.plan, destination, line), false))
            }
            TransferTo::Queue(name) => {
                let queue = *self.queue_ids.get(name).ok_or(Refusal::NoSuchQueue)?;
                let ways = vec![WayOut::Queue(queue, Vec::new())];
                Ok((Attempt { destination: name.clone(), ways, ring, leg: None, music }, false))
            }
            TransferTo::Number(number) => {
                let Callees { ways, emergency } = self.callees(seat, number, out.now.wall)?;
                let emergency_ring = Duration::from_millis(self.plan.outgoing.emergency_ring_ms.into());
                let ring = if emergency { emergency_ring } else { ring };
                Ok((Attempt { destination: number.as_str().to_owned(), ways, ring, leg: None, music }, emergency))
            }
        }
    }

    fn note_transfer(
        &mut self,
        id: CallId,
        seat: SeatId,
        to: &str,
        how: TransferHow,
        reason: Option<Word>,
        out: &mut Out<'_>,
    ) {
        let agent = self.seats.get(&seat).and_then(|seat| seat.agent_id());
        out.row(id, CallEvent::TransferBegun { seat, agent, to: to.to_owned(), how, reason });
    }

    /// The caller waits in another queue, at the place of the arrival; the agent is free.
    fn send_to_queue(
        &mut self,
        id: CallId,
        seat: SeatId,
        name: &str,
        reason: Option<Word>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let queue = *self.queue_ids.get(name).ok_or(Refusal::NoSuchQueue)?;
        let Some(Live { way: Some(way), .. }) = self.calls.get_mut(&id) else { return Err(Refusal::NoSuchQueue) };
        // A call keeps the plan of its arrival: a queue that came later is none of its.
        let planned = way.queue_named(name).ok_or(Refusal::NoSuchQueue)?;
        way.move_on(planned, queue);
        self.unsupervise(id, out);
        self.note_transfer(id, seat, name, TransferHow::Blind, reason, out);
        out.row(id, CallEvent::TransferEnded { end: TransferEnd::HandedOver });
        self.dismiss_agent(id, out);
        self.enqueue(id, out);
        Ok(())
    }

    fn set_caller_aside(&mut self, id: CallId, aside: bool) {
        if let Some(live) = self.calls.get_mut(&id)
            && let Some(caller) = live.call.caller()
        {
            live.call.set_aside(caller, aside);
        }
    }

    /// Rings the third on the next way; without one the transfer has failed. `before`: what the last way came to.
    fn ring_guest(&mut self, id: CallId, before: Cause, out: &mut Out<'_>) {
        self.timers.clear(Timer::Guest(id));
        let Some(Live { place: Place::Talking(Talk { guest: Some(guest), .. }), .. }) = self.calls.get(&id) else {
            return;
        };
        let GuestAt::Rung(mut attempt) = guest.at.clone() else { return };
        if !self.ring_next(id, &mut attempt, out) {
            return self.guest_over(id, TransferEnd::Failed { cause: before }, out);
        }
        self.timers.set(Timer::Guest(id), out.now.mono + attempt.ring);
        if let Some(live) = self.calls.get_mut(&id) {
            if let Place::Talking(Talk { guest: Some(guest), .. }) = &mut live.place {
                guest.at = GuestAt::Rung(attempt);
            }
            out.hear(id, live.sound());
        }
    }

    /// The third has rung long enough on this way.
    pub(super) fn guest_rung_out(&mut self, id: CallId, out: &mut Out<'_>) {
        if let Some(leg) = self.guest_of(id).and_then(Guest::leg) {
            self.let_rung_go(id, leg, Cause::NoAnswer, out);
        }
        self.ring_guest(id, Cause::NoAnswer, out);
    }

    /// A leg that was rung for a talk has answered. `false` when it is no third's.
    pub(super) fn guest_up(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) -> bool {
        let Some(live) = self.calls.get_mut(&id) else { return false };
        let Place::Talking(Talk { guest: Some(guest), .. }) = &mut live.place else { return false };
        if !matches!(&guest.at, GuestAt::Rung(attempt) if attempt.leg == Some(leg)) {
            return false;
        }
        guest.at = GuestAt::Here(leg);
        let how = guest.how;
        live.call.up(leg);
        self.timers.clear(Timer::Guest(id));
        out.row(id, CallEvent::TransferAnswered { leg });
        out.hear(id, live.sound());
        if how == TransferHow::Blind {
            self.tell_referrer(id, Referral::Answered, out);
            self.leave_talk(id, out);
        }
        true
    }

    /// After a consultation all three talk.
    fn join_guest(&mut self, id: CallId, out: &mut Out<'_>) -> Result<(), Refusal> {
        let Some(live) = self.calls.get_mut(&id) else { return Err(Refusal::NoCall) };
        let Place::Talking(Talk { guest: Some(guest), .. }) = &mut live.place else {
            return Err(Refusal::NoTransfer);
        };
        if guest.how != TransferHow::Consult || !matches!(guest.at, GuestAt::Here(_)) {
            return Err(Refusal::NoTransfer);
        }
        guest.how = TransferHow::Conference;
        out.row(id, CallEvent::TransferJoined);
        self.set_caller_aside(id, false);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.sound());
        }
        Ok(())
    }

    /// The third is gone, or let go: caller and agent have each other again.
    fn guest_over(&mut self, id: CallId, end: TransferEnd, out: &mut Out<'_>) {
        let why = if let TransferEnd::Failed { cause } = end { cause } else { Cause::Cancelled };
        self.tell_referrer(id, Referral::Failed(why), out);
        self.timers.clear(Timer::Guest(id));
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Place::Talking(talk) = &mut live.place else { return };
        let Some(guest) = talk.guest.take() else { return };
        live.emergency = false;
        out.row(id, CallEvent::TransferEnded { end });
        if let Some(leg) = guest.leg() {
            self.let_rung_go(
                id,
                leg,
                if end == TransferEnd::TakenBack { Cause::Cancelled } else { Cause::HungUp },
                out,
            );
        }
        self.set_caller_aside(id, false);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.sound());
        }
    }

    /// The leg of a third is gone by itself. `false` when it is no third's.
    pub(super) fn guest_gone(&mut self, id: CallId, leg: LegId, cause: Cause, out: &mut Out<'_>) -> bool {
        let Some(live) = self.calls.get(&id) else { return false };
        let Some(guest) = live.place.guest().filter(|guest| guest.leg() == Some(leg)) else { return false };
        match (&live.place, &guest.at) {
            (Place::CallerLeft(talk), _) => {
                let fate = Fate::Answered { seat: talk.party.seat };
                self.end(id, fate, Cause::HungUp, out);
            }
            (_, GuestAt::Rung(_)) => self.ring_guest(id, cause, out),
            (_, GuestAt::Here(_)) => self.guest_over(id, TransferEnd::GuestLeft, out),
        }
        true
    }

    /// What the desk of a seat does that is rung for another's talk, or is in it.
    pub(super) fn guest_command(
        &mut self,
        (id, leg): (CallId, LegId),
        command: TalkCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let live = self.calls.get(&id).ok_or(Refusal::NoCall)?;
        let phase = live.call.leg(leg).ok_or(Refusal::NoCall)?.phase;
        match command {
            TalkCommand::Answer if phase == Phase::Ringing => out.leg(id, leg, LegCommand::PickUp),
            TalkCommand::Hold if phase == Phase::Up => self.on_held(leg, true, out),
            TalkCommand::Retrieve if phase == Phase::Up => self.on_held(leg, false, out),
            TalkCommand::HangUp => {
                let cause = if phase == Phase::Up { Cause::HungUp } else { Cause::Declined };
                self.let_rung_go(id, leg, cause, out);
                // As if the phone had done it.
                self.outside_gone(id, leg, phase, cause, out);
            }
            TalkCommand::Answer | TalkCommand::Hold | TalkCommand::Retrieve => return Err(Refusal::NoCall),
        }
        Ok(())
    }

    /// The agent leaves the talk to the caller and the third, by our doing.
    pub(super) fn leave_talk(&mut self, id: CallId, out: &mut Out<'_>) {
        self.unsupervise(id, out);
        let Some(Live { place: Place::Talking(talk), .. }) = self.calls.get(&id) else { return };
        let talk = talk.clone();
        self.dismiss_agent(id, out);
        self.go_on_without_agent(id, talk, out);
    }

    /// Hangs the agent's leg up; the seat wraps up.
    pub(super) fn dismiss_agent(&mut self, id: CallId, out: &mut Out<'_>) {
        self.note_talk(id, out);
        let then = self.wrap_up(id);
        let Some(Party { seat, leg }) = self.calls.get(&id).and_then(|live| live.place.party()) else { return };
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.leave(then);
        }
        self.part(id, leg, Cause::HungUp, out);
        self.settle(seat, out);
    }

    /// The agent's leg is gone, by itself: hung up, or lost.
    pub(super) fn agent_gone(&mut self, id: CallId, talk: Talk, cause: Cause, out: &mut Out<'_>) {
        self.unsupervise(id, out);
        if talk.guest.is_some() {
            return self.go_on_without_agent(id, talk, out);
        }
        match cause {
            // Neither the caller nor the agent wanted that.
            Cause::PeerLost | Cause::Failed | Cause::Unreachable | Cause::Unregistered => self.wait_in_front(id, out),
            Cause::HungUp
            | Cause::Cancelled
            | Cause::Busy
            | Cause::Declined
            | Cause::NoAnswer
            | Cause::NoSuchNumber
            | Cause::Gone
            | Cause::Closed
            | Cause::Loop
            | Cause::ModeNotServed
            | Cause::NoCommonMedia
            | Cause::Overload
            | Cause::Restart => {
                let fate = Fate::Answered { seat: talk.party.seat };
                self.end(id, fate, Cause::HungUp, out);
            }
        }
    }

    /// Caller and third have each other; a third who is still rung goes on ringing, and the caller hears that.
    fn go_on_without_agent(&mut self, id: CallId, talk: Talk, out: &mut Out<'_>) {
        self.set_caller_aside(id, false);
        let Some(guest) = talk.guest else { return };
        match guest.at {
            GuestAt::Here(leg) => {
                out.row(id, CallEvent::TransferEnded { end: TransferEnd::Completed });
                self.give_to(id, leg, guest.name, out);
            }
            GuestAt::Rung(attempt) => {
                out.row(id, CallEvent::TransferEnded { end: TransferEnd::HandedOver });
                let until = self.timers.at(Timer::Guest(id)).unwrap_or(out.now.mono);
                self.timers.clear(Timer::Guest(id));
                self.timers.set(Timer::Place(id), until);
                if let Some(live) = self.calls.get_mut(&id) {
                    out.hear(id, live.go(out.now.mono, Place::Reaching(attempt)));
                }
            }
        }
    }

    /// The caller is with whoever is on this leg: a seat of ours, which has the call from now on, or somebody outside.
    pub(super) fn give_to(&mut self, id: CallId, leg: LegId, name: String, out: &mut Out<'_>) {
        if let Some(seat) = self.seat_of.get(&leg).copied() {
            return self.hand_to_seat(id, Party { seat, leg }, out);
        }
        let music = music_on_hold(&self.plan);
        let Some(live) = self.calls.get_mut(&id) else { return };
        out.hear(id, live.go(out.now.mono, Place::Outside(Through { leg, destination: name, music })));
        if live.call.caller().is_none_or(|caller| !live.call.is_joining(caller)) {
            self.note_outside(id, out);
        }
    }

    /// The caller has left a talk of three: the others go on.
    pub(super) fn caller_left(&mut self, id: CallId, out: &mut Out<'_>) {
        self.unsupervise(id, out);
        self.note_talk(id, out);
        let Some(live) = self.calls.get_mut(&id) else { return };
        if let Place::Talking(talk) = live.place.clone() {
            out.hear(id, live.go(out.now.mono, Place::CallerLeft(talk)));
        }
    }

    /// We have lost the agent, or whom the agent left the caller to does not answer: the caller waits before all others.
    pub(super) fn wait_in_front(&mut self, id: CallId, out: &mut Out<'_>) {
        let ticket = self.acd.front_ticket(out.now.mono);
        let Some(Live { way: Some(way), emergency, .. }) = self.calls.get_mut(&id) else { return };
        way.come_first(out.now.mono, ticket);
        *emergency = false;
        let Some(Live { way: Some(way), .. }) = self.calls.get(&id) else { return };
        let row = self.queued_row(way);
        self.begin_waiting(id, row, out);
        self.back_to_queue(id, out);
    }

    /// An agent's telephone has no desk: `*110#` brings 110 into the talk, `**` lets the third go, `*1#` makes three of a
    /// consultation, `*9#` leaves the talk to the others.
    pub(super) fn key_for_transfer(&mut self, id: CallId, leg: LegId, Digit(key): Digit, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Place::Talking(talk) = &live.place else { return };
        let party = talk.party;
        if party.leg != leg {
            return;
        }
        let command = match (key, live.keys.take()) {
            ('*', Some(keys)) if keys.is_empty() => TransferCommand::TakeBack,
            ('*', _) => {
                live.keys = Some(String::new());
                return;
            }
            ('#', Some(keys)) => match keys.as_str() {
                "1" => TransferCommand::Join,
                "9" => TransferCommand::Leave,
                number => match PhoneNumber::parse(number) {
                    Ok(number) => {
                        let (to, how) = (TransferTo::Number(number), TransferHow::Conference);
                        // A telephone cannot name a reason.
                        if let Err(refusal) = self.begin_transfer(id, &to, how, None, out) {
                            self.tell_refused(id, party, refusal, out);
                        }
                        return;
                    }
                    Err(_) => return,
                },
            },
            (digit, Some(mut keys)) => {
                keys.push(digit);
                live.keys = Some(keys).filter(|keys| keys.len() <= MOST_KEYS);
                return;
            }
            (_, None) => return,
        };
        if let Err(refusal) = self.transfer_command(party.seat, Some(id), command, out) {
            self.tell_refused(id, party, refusal, out);
        }
    }

    /// A telephone has no screen that could say why: the desk beside it sees it.
    pub(super) fn tell_refused(&self, id: CallId, party: Party, refusal: Refusal, out: &mut Out<'_>) {
        tracing::info!(call = %id, seat = %party.seat, why = refusal.as_str(), "a transfer keyed at the phone is refused");
        let agent = self.seats.get(&party.seat).and_then(|seat| seat.agent_id());
        let change = SeatChange::TransferRefused(refusal);
        out.effects.push(Effect::Seat(SeatNews { seat: party.seat, agent, change }));
    }
}
