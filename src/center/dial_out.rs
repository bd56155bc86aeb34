//! Calls that seats place: to a citizen over a trunk, to an emergency service, to another seat. Ordered from the desk, where
//! the seat's own phone is rung first, or dialled by that phone itself.

use std::time::Duration;

use super::live::{Live, Outing, Party, Place, Sentence, Whom, music_on_hold};
use super::timers::Timer;
use super::way_out::WayOut;
use super::{Center, Out, Refusal, TalkCommand};
use crate::call::{Call, Phase, Role};
use crate::dialplan::{Callee, feature};
use crate::seat::{Then, WrapUpRule};
use crate::types::{
    CallEvent, CallId, Calling, Cause, Dial, Fate, LegCommand, LegId, LineNumber, Origin, PhoneNumber, PromptName,
    SeatId, Target, Wall,
};

/// Whom a number means that an agent brings into a talk.
pub(super) struct Callees {
    pub(super) ways: Vec<WayOut>,
    /// Whether it is an emergency service.
    pub(super) emergency: bool,
}

impl Center {
    /// Whom a seat calls with this number. An emergency call goes out whatever else is closed, and from any seat.
    pub(super) fn whom(&self, seat: SeatId, number: &PhoneNumber, wall: Wall) -> Result<Whom, Refusal> {
        let callee = self.plan.callee(number, wall);
        let emergency = callee == Callee::Emergency;
        let caller = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?;
        if !emergency && self.closed().is_some() {
            return Err(Refusal::NotAccepting);
        }
        if !emergency && !caller.is_signed_in() {
            return Err(Refusal::NotSignedIn);
        }
        match callee {
            Callee::Seat(other) if other != seat => Ok(Whom::Seat(other)),
            Callee::Emergency | Callee::Citizen => match self.plan.ways_out(emergency) {
                ways if ways.is_empty() => Err(Refusal::NoSuchNumber),
                ways => Ok(Whom::Over(
                    ways.into_iter().map(|trunk| WayOut::Trunk { trunk, number: number.clone() }).collect(),
                )),
            },
            Callee::OwnLine => Err(Refusal::OwnLine),
            Callee::Seat(_) | Callee::Nobody => Err(Refusal::NoSuchNumber),
        }
    }

    /// Whom an agent who talks brings in with this number.
    pub(super) fn callees(&self, seat: SeatId, number: &PhoneNumber, wall: Wall) -> Result<Callees, Refusal> {
        let emergency = self.plan.callee(number, wall) == Callee::Emergency;
        let ways = match self.whom(seat, number, wall)? {
            Whom::Seat(other) => vec![WayOut::Seat(other)],
            Whom::Over(ways) => ways,
        };
        Ok(Callees { ways, emergency })
    }

    /// The desk orders a call: the seat's own phone is rung first.
    pub(super) fn dial_out(
        &mut self,
        seat: SeatId,
        number: PhoneNumber,
        line: Option<LineNumber>,
        linked: Option<CallId>,
        out: &mut Out<'_>,
    ) -> Result<CallId, Refusal> {
        let whom = self.whom(seat, &number, out.now.wall)?;
        let line = match line {
            Some(line) => self.plan.line(&line).ok_or(Refusal::NoSuchLine)?.number.clone(),
            None => self.plan.outgoing.line.clone(),
        };
        let caller = self.seats.get(&seat).ok_or(Refusal::NoSuchSeat)?;
        if !caller.reachable() {
            return Err(Refusal::PhoneUnreachable);
        }
        if !caller.may_call() {
            return Err(Refusal::SeatBusy);
        }
        let (id, leg) = (self.ids.call(), self.ids.legs.take());
        let dial = Dial {
            target: Target::Seat(seat),
            beside: None,
            calling: Calling { number: Some(number.clone()), ..Calling::default() },
            line: line.clone(),
            line_name: self.name_of_line(&line),
            auto_answer: self.plan.seats.get(&seat).is_some_and(|planned| planned.auto_answer),
        };
        let live = Live {
            call: Call::outgoing(leg, Role::Seat),
            place: Place::Waiting,
            way: None,
            outside: None,
            origin: Origin::Seat(seat),
            called: line,
            calling: Calling { raw: seat.0.to_string(), ..Calling::default() },
            arrived_wall: out.now.wall,
            since: out.now.mono,
            recording: false,
            to: None,
            linked,
            notice: None,
            answered: None,
            emergency: false,
            keys: None,
            notes: 0,
        };
        self.calls.insert(id, live);
        self.call_of.insert(leg, id);
        let outing = self.place(id, Party { seat, leg }, number, whom, out);
        out.leg(id, leg, LegCommand::Dial(Box::new(dial)));
        self.go_out(id, Place::Summoning(outing), out);
        Ok(id)
    }

    /// A seat's phone has dialled somebody: it hears the ringing tone before the answer.
    pub(super) fn place_by_phone(
        &mut self,
        id: CallId,
        from: Party,
        number: PhoneNumber,
        whom: Whom,
        out: &mut Out<'_>,
    ) {
        let line = self.plan.outgoing.line.clone();
        let Some(live) = self.calls.get_mut(&id) else { return };
        if matches!(whom, Whom::Over(_)) {
            live.called = line;
        }
        if let Some(command) = live.call.early(from.leg) {
            out.leg(id, from.leg, command);
        }
        let outing = self.place(id, from, number, whom, out);
        self.call_next(id, outing, Cause::Unreachable, out);
    }

    /// Enters a call that a seat places into the books.
    fn place(&mut self, id: CallId, from: Party, number: PhoneNumber, whom: Whom, out: &mut Out<'_>) -> Outing {
        self.seat_of.insert(from.leg, from.seat);
        let agent = self.seats.get_mut(&from.seat).and_then(|seat| {
            seat.own_call(out.now.mono, id, from.leg);
            seat.agent_id()
        });
        if let Some(live) = self.calls.get_mut(&id) {
            let line = matches!(whom, Whom::Over(_)).then(|| live.called.clone());
            live.to = Some(number.clone());
            live.emergency = self.plan.callee(&number, out.now.wall) == Callee::Emergency;
            let linked = live.linked;
            out.row(id, CallEvent::Placed { leg: from.leg, seat: from.seat, agent, number, line, linked });
        }
        self.settle(from.seat, out);
        Outing { from, whom, to: None, music: music_on_hold(&self.plan) }
    }

    /// Moves the call to a place where somebody is rung for a bounded time.
    fn go_out(&mut self, id: CallId, place: Place, out: &mut Out<'_>) {
        let longest = Duration::from_millis(self.plan.outgoing.ring_ms.into());
        self.timers.set(Timer::Place(id), out.now.mono + longest);
        if let Some(live) = self.calls.get_mut(&id) {
            out.hear(id, live.go(out.now.mono, place));
        }
    }

    /// Dials the other party, over the next way where it is one of the network. `before`: what the last attempt came to.
    fn call_next(&mut self, id: CallId, mut outing: Outing, before: Cause, out: &mut Out<'_>) {
        let own = |text: String| Calling { number: PhoneNumber::parse(&text).ok(), raw: text, ..Calling::default() };
        let Some(live) = self.calls.get(&id) else { return };
        let (beside, line) = (Some(outing.from.leg), own(live.called.as_str().to_owned()));
        let leg = match &mut outing.whom {
            Whom::Seat(other) => {
                let (other, seat) = (*other, outing.from.seat);
                let name = self.plan.seats.get(&seat).map(|seat| seat.name.clone()).unwrap_or_default();
                let from = (own(seat.0.to_string()), name, beside);
                self.ring_seat(id, other, from, None, out).ok_or(Cause::Busy)
            }
            Whom::Over(ways) => self.dial_way(id, ways, None, (line, beside), out).ok_or(before),
        };
        match leg {
            Ok(leg) => {
                outing.to = Some(leg);
                self.go_out(id, Place::Calling(outing), out);
            }
            Err(cause) => self.not_reached(id, cause, out),
        }
    }

    pub(super) fn name_of_line(&self, line: &LineNumber) -> String {
        let name = self.plan.line(line).map(|planned| planned.name.as_str()).unwrap_or_default();
        format!("{line} {name}").trim_end().to_owned()
    }

    /// A leg that we dialled for no offer has answered: the seat's own phone, or its party.
    pub(super) fn outing_up(&mut self, id: CallId, leg: LegId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        match live.place.clone() {
            Place::Summoning(outing) if outing.from.leg == leg => {
                live.call.up(leg);
                self.call_next(id, outing, Cause::Unreachable, out);
            }
            Place::Calling(outing) if outing.to == Some(leg) => {
                live.call.up(leg);
                self.timers.clear(Timer::Place(id));
                if let Some(command) = live.call.answer(outing.from.leg) {
                    out.row(id, CallEvent::AnsweredByExchange);
                    out.leg(id, outing.from.leg, command);
                }
                let Party { seat, leg: own } = outing.from;
                let agent = self.seats.get(&seat).and_then(|seat| seat.agent_id());
                out.row(id, CallEvent::Talking { seat, leg: own, agent });
                out.hear(id, live.go(out.now.mono, Place::Called(outing)));
                self.record(id, leg, out);
            }
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
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Telling(_)
            | Place::Ending { .. } => self.part(id, leg, Cause::Cancelled, out),
        }
    }

    /// The party has rung long enough.
    pub(super) fn rung_out(&mut self, id: CallId, outing: &Outing, out: &mut Out<'_>) {
        self.let_go(id, outing, Cause::NoAnswer, out);
        self.not_reached(id, Cause::NoAnswer, out);
    }

    /// Hangs up the party that is rung.
    fn let_go(&mut self, id: CallId, outing: &Outing, cause: Cause, out: &mut Out<'_>) {
        if let Some(leg) = outing.to {
            self.let_rung_go(id, leg, cause, out);
        }
    }

    /// The seat hears why its call has come to nothing.
    fn not_reached(&mut self, id: CallId, cause: Cause, out: &mut Out<'_>) {
        let why = match cause {
            Cause::Busy | Cause::Declined => feature::BUSY,
            Cause::NoAnswer => feature::NO_ANSWER,
            Cause::HungUp
            | Cause::Cancelled
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
            | Cause::Restart => feature::UNREACHED,
        };
        self.tell(id, why, Fate::NotReached { cause }, cause, out);
    }

    /// A seat's phone hears a sentence, then the call ends. One that is not answered hears it before the refusal.
    pub(super) fn tell(&mut self, id: CallId, prompt: &str, fate: Fate, cause: Cause, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        let arrived = live.call.legs().find(|(_, leg)| leg.phase == Phase::Arrived).map(|(leg, _)| leg);
        if let Some(leg) = arrived
            && let Some(command) = live.call.early(leg)
        {
            out.leg(id, leg, command);
        }
        let sentence = Sentence { run, prompt: PromptName::new(prompt), fate, cause };
        out.hear(id, live.go(out.now.mono, Place::Telling(sentence)));
        self.lease_prompt(id, out);
    }

    /// The leg of the party is gone.
    pub(super) fn called_gone(
        &mut self,
        id: CallId,
        (leg, seat): (LegId, Option<SeatId>),
        phase: Phase,
        (cause, status): (Cause, Option<u16>),
        out: &mut Out<'_>,
    ) {
        if let Some(seat) = seat {
            self.seat_left_leg(seat, leg, Then::Idle, out);
        }
        let Some(live) = self.calls.get(&id) else { return };
        if live.is_callers() {
            return self.outside_gone(id, leg, phase, cause, out);
        }
        let Some(outing) = live.place.outing().cloned() else { return };
        if phase == Phase::Parting || outing.to != Some(leg) {
            return;
        }
        if phase == Phase::Up {
            let fate = Fate::Reached { seat: outing.from.seat };
            return self.end(id, fate, Cause::HungUp, out);
        }
        if cause.is_of_the_way(status) && matches!(outing.whom, Whom::Over(_)) {
            return self.call_next(id, outing, cause, out);
        }
        self.not_reached(id, cause, out);
    }

    /// The leg of the seat that has placed the call is gone.
    pub(super) fn placer_gone(&mut self, id: CallId, cause: Cause, out: &mut Out<'_>) {
        let Some(place) = self.calls.get(&id).map(|live| live.place.clone()) else { return };
        let up = matches!(place, Place::Called(_));
        let Some(outing) = place.outing() else { return };
        let Party { seat, leg } = outing.from;
        self.seat_left_leg(seat, leg, self.after_outing(&place, leg), out);
        // A phone that is not picked up, or put down again, is the agent's own doing.
        let cause = match cause {
            Cause::HungUp | Cause::Cancelled | Cause::Busy | Cause::Declined | Cause::NoAnswer => Cause::Cancelled,
            Cause::Unreachable
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
            | Cause::Restart => cause,
        };
        let fate = if up { Fate::Reached { seat } } else { Fate::NotReached { cause } };
        self.end(id, fate, if up { Cause::HungUp } else { Cause::Cancelled }, out);
    }

    /// What a seat does after its leg in a call that a seat has placed: a talk with a citizen is written up by whoever called.
    pub(super) fn after_outing(&self, place: &Place, leg: LegId) -> Then {
        let written_up = matches!(place, Place::Called(Outing { from, whom: Whom::Over(_), .. }) if from.leg == leg);
        if !written_up {
            return Then::Idle;
        }
        let time = Duration::from_millis(self.plan.outgoing.wrap_up_ms.into());
        Then::WrapUp(WrapUpRule { time, more: time, most: time * 4, result: false })
    }

    /// What the desk of one of the two does with a call that a seat has placed.
    pub(super) fn outing_command(
        &mut self,
        (id, seat, leg): (CallId, SeatId, LegId),
        command: TalkCommand,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let Some(live) = self.calls.get(&id) else { return Err(Refusal::NoCall) };
        let place = live.place.clone();
        let rings = live.call.leg(leg).is_some_and(|leg| leg.phase == Phase::Ringing);
        match (command, &place) {
            (TalkCommand::Answer, _) if rings => out.leg(id, leg, LegCommand::PickUp),
            (TalkCommand::Hold, Place::Called(_)) => self.on_held(leg, true, out),
            (TalkCommand::Retrieve, Place::Called(_)) => self.on_held(leg, false, out),
            (TalkCommand::HangUp, Place::Called(outing)) => {
                self.end(id, Fate::Reached { seat: outing.from.seat }, Cause::HungUp, out);
            }
            (TalkCommand::HangUp, Place::Calling(outing)) if outing.from.seat != seat => {
                self.let_go(id, outing, Cause::Declined, out);
                self.not_reached(id, Cause::Declined, out);
            }
            (TalkCommand::HangUp, Place::Summoning(_) | Place::Calling(_)) => {
                self.end(id, Fate::NotReached { cause: Cause::Cancelled }, Cause::Cancelled, out);
            }
            (TalkCommand::HangUp, Place::Telling(sentence)) if sentence.fate != Fate::Served => {
                self.end(id, sentence.fate, sentence.cause, out);
            }
            (TalkCommand::Answer | TalkCommand::Hold | TalkCommand::Retrieve | TalkCommand::HangUp, _) => {
                return Err(Refusal::NoCall);
            }
        }
        Ok(())
    }
}
