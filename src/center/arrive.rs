//! A leg comes in: its row first, then the plan decides; greeting, and after it the queue.

use std::sync::Arc;
use std::time::Duration;

use super::live::{Live, Party, Place, Saying, Sentence, Way, Whom};
use super::timers::Timer;
use super::{Center, Door, Out, PresenceCommand, Refusal};
use crate::call::{Call, Role};
use crate::dialplan::{AnswerWhen, FeatureCode, Route, Service, feature};
use crate::types::{
    Arrival, CallEvent, CallId, Cause, Fate, LegId, LineNumber, Origin, PhoneNumber, PromptName, RunId, SeatId,
};

/// What the plan and our state say to a new leg.
enum Verdict {
    Refuse(Cause),
    Queue(Box<Way>),
    Feature(SeatId, FeatureCode),
    /// A seat's phone has dialled somebody.
    Place(SeatId, PhoneNumber, Whom),
    /// A seat's phone has dialled what it may not: it is told why.
    Tell(SeatId, &'static str),
}

impl Center {
    pub(super) fn on_arrived(&mut self, leg: LegId, arrival: Arrival, out: &mut Out<'_>) {
        if self.call_of.contains_key(&leg) {
            tracing::warn!(%leg, "a leg arrived twice");
            return;
        }
        let id = self.ids.call();
        let verdict = self.judge(&arrival, out);
        out.row(
            id,
            CallEvent::Arrived {
                leg,
                origin: arrival.origin,
                from: self.name_of(arrival.origin),
                called: arrival.called.clone(),
                calling: arrival.calling.clone(),
                call_id: arrival.call_id.clone(),
            },
        );
        self.call_of.insert(leg, id);
        let role = match verdict {
            Verdict::Refuse(_) | Verdict::Queue(_) => Role::Caller,
            Verdict::Feature(..) | Verdict::Place(..) | Verdict::Tell(..) => Role::Seat,
        };
        self.calls.insert(
            id,
            Live {
                call: Call::incoming(leg, role),
                place: Place::Waiting,
                way: None,
                origin: arrival.origin,
                called: arrival.called,
                calling: arrival.calling,
                arrived_wall: out.now.wall,
                since: out.now.mono,
                recording: false,
                to: None,
                linked: None,
                notice: None,
                notes: 0,
            },
        );
        match verdict {
            Verdict::Refuse(cause) => self.end(id, Fate::Refused { cause }, cause, out),
            Verdict::Queue(way) => self.greet(id, leg, *way, out),
            Verdict::Feature(seat, code) => self.serve_feature(id, leg, seat, code, out),
            Verdict::Place(seat, number, whom) => self.place_by_phone(id, Party { seat, leg }, number, whom, out),
            Verdict::Tell(seat, why) => {
                self.seat_of.insert(leg, seat);
                let cause = Cause::NoSuchNumber;
                self.tell(id, why, Fate::Refused { cause }, cause, out);
            }
        }
    }

    fn judge(&mut self, arrival: &Arrival, out: &Out<'_>) -> Verdict {
        let plan = Arc::clone(&self.plan);
        if let Origin::Seat(seat) = arrival.origin
            && FeatureCode::of(&arrival.called).is_none()
        {
            return self.judge_dialled(seat, &arrival.called);
        }
        if let Some(cause) = self.closed() {
            return Verdict::Refuse(cause);
        }
        match (plan.route(arrival, out.now.wall), arrival.origin) {
            (Route::Feature(code), Origin::Seat(seat)) if self.seats.contains_key(&seat) => {
                Verdict::Feature(seat, code)
            }
            (Route::Line { line, service: Service::Queue(service) }, Origin::Trunk(_)) => {
                let surge = plan.surges.iter().find(|surge| {
                    self.surges.contains(&surge.name) && (surge.lines.is_empty() || surge.lines.contains(&line.number))
                });
                let mark = arrival.calling.number.as_ref();
                let mark = mark.and_then(|number| self.marks.of(number, &plan, out.now.wall));
                let elsewhere = mark.and_then(|mark| mark.queue).or(surge.and_then(|surge| surge.queue));
                let planned = elsewhere.unwrap_or(service.queue);
                let Some(queue) = self.queue_id(planned) else { return Verdict::Refuse(Cause::Failed) };
                let priority = mark.and_then(|mark| mark.priority).unwrap_or(service.priority);
                let ticket = self.acd.ticket(out.now.mono, priority);
                let name = line.name.clone();
                let mut way = Way::new(Arc::clone(&plan), name, service, (planned, queue), ticket);
                let said = [surge.and_then(|surge| surge.prompt.clone()), mark.and_then(|mark| mark.prompt.clone())];
                way.then_say = said.into_iter().flatten().collect();
                way.mark = mark.map(|mark| mark.name.clone());
                way.prefer = arrival.calling.number.as_ref().and_then(|caller| self.seat_that_knows(caller));
                Verdict::Queue(Box::new(way))
            }
            (
                Route::Line { service: Service::Outside(_) | Service::Told(_) | Service::NotServed, .. },
                Origin::Trunk(_),
            ) => Verdict::Refuse(Cause::ModeNotServed),
            (Route::NoSuchNumber | Route::Feature(_) | Route::Line { .. }, Origin::Trunk(_) | Origin::Seat(_)) => {
                Verdict::Refuse(Cause::NoSuchNumber)
            }
        }
    }

    /// A seat's phone has dialled a number.
    fn judge_dialled(&self, seat: SeatId, dialled: &LineNumber) -> Verdict {
        let Ok(number) = PhoneNumber::parse(dialled.as_str()) else { return Verdict::Refuse(Cause::NoSuchNumber) };
        match self.whom(seat, &number) {
            Ok(_) if self.seats.get(&seat).is_some_and(|seat| !seat.may_call()) => Verdict::Refuse(Cause::Busy),
            Ok(whom) => Verdict::Place(seat, number, whom),
            Err(Refusal::NotAccepting) => Verdict::Refuse(self.closed().unwrap_or(Cause::Restart)),
            Err(Refusal::OwnLine) => Verdict::Tell(seat, feature::OWN_LINE),
            Err(Refusal::NotSignedIn) => Verdict::Tell(seat, feature::REFUSED),
            Err(_) => Verdict::Refuse(Cause::NoSuchNumber),
        }
    }

    /// Why no new calls are taken now.
    pub(super) fn closed(&self) -> Option<Cause> {
        if self.door != Door::Open {
            return Some(Cause::Restart);
        }
        (self.calls.len() >= self.config.max_calls).then_some(Cause::Overload)
    }

    /// Where the person sits now who talked with this caller last.
    fn seat_that_knows(&self, caller: &PhoneNumber) -> Option<SeatId> {
        match self.familiar.of(caller)? {
            (_, Some(agent)) => self.seat_of_agent(agent),
            (seat, None) => Some(seat),
        }
    }

    fn name_of(&self, origin: Origin) -> String {
        match origin {
            Origin::Trunk(trunk) => match self.plan.trunk(trunk) {
                Some(planned) => planned.name.clone(),
                None => trunk.to_string(),
            },
            Origin::Seat(seat) => seat.0.to_string(),
        }
    }

    /// The caller hears the greeting of the line, answered or before the answer as the phase says.
    fn greet(&mut self, id: CallId, leg: LegId, way: Way, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        let prompt = way.greeting.0.to_string();
        if let Some(mark) = &way.mark {
            out.row(id, CallEvent::Marked { mark: mark.clone() });
        }
        let command = match way.answer {
            AnswerWhen::AtOnce => {
                out.row(id, CallEvent::AnsweredByExchange);
                live.call.answer(leg)
            }
            AnswerWhen::BySeat => live.call.early(leg),
        };
        out.row(id, CallEvent::Greeted { prompt });
        live.way = Some(way);
        if let Some(command) = command {
            out.leg(id, leg, command);
        }
        out.hear(id, live.go(out.now.mono, Place::Greeting { run }));
        self.lease_prompt(id, out);
    }

    /// A prompt is over: what it stood before comes now.
    pub(super) fn on_prompt_ended(&mut self, leg: LegId, run: RunId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        if self.notice_over(id, run, out) {
            return;
        }
        let current = match self.calls.get(&id).map(|live| &live.place) {
            Some(
                Place::Greeting { run }
                | Place::Overflowing { run }
                | Place::Wishing { run, .. }
                | Place::Announcing(Saying { run, .. })
                | Place::Telling(Sentence { run, .. }),
            ) => Some(*run),
            Some(
                Place::Waiting
                | Place::Message
                | Place::Offered(_)
                | Place::Joining(_)
                | Place::Talking(_)
                | Place::Summoning(_)
                | Place::Calling(_)
                | Place::Called(_)
                | Place::Ending { .. },
            )
            | None => None,
        };
        if current == Some(run) {
            self.prompt_over(id, out);
        }
    }

    /// The caller cannot hear us before the answer: a prompt that is meant to be heard until then is over.
    pub(super) fn on_no_early_media(&mut self, leg: LegId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        let Some(live) = self.calls.get_mut(&id) else { return };
        if live.call.deaf(leg) {
            out.hear(id, live.sound());
            self.prompt_over(id, out);
        }
    }

    pub(super) fn prompt_over(&mut self, id: CallId, out: &mut Out<'_>) {
        let Some(live) = self.calls.get(&id) else { return };
        match live.place.clone() {
            Place::Greeting { .. } => self.greeting_over(id, out),
            Place::Announcing(saying) => self.say(id, saying.rest, out),
            Place::Wishing { kind, .. } => self.wish_said(id, kind, out),
            Place::Message => self.end(id, Fate::LeftWish, Cause::HungUp, out),
            Place::Overflowing { .. } => self.end(id, Fate::Overflowed, Cause::Busy, out),
            Place::Telling(Sentence { fate, cause, .. }) => self.end(id, fate, cause, out),
            Place::Waiting
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Ending { .. } => {}
        }
    }

    /// What a surge or a mark adds is said, then the queue follows.
    fn greeting_over(&mut self, id: CallId, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        let Some(next) = live.way.as_mut().and_then(|way| way.then_say.pop()) else { return self.enqueue(id, out) };
        out.row(id, CallEvent::Greeted { prompt: next.0.to_string() });
        if let Some(way) = &mut live.way {
            way.greeting = next;
        }
        out.hear(id, live.go(out.now.mono, Place::Greeting { run }));
        self.lease_prompt(id, out);
    }

    /// Gives a prompt a bounded time for its end; one that nobody can hear is over at once.
    pub(super) fn lease_prompt(&mut self, id: CallId, out: &mut Out<'_>) {
        if !self.calls.get(&id).is_some_and(|live| live.call.is_heard()) {
            return self.prompt_over(id, out);
        }
        let longest = Duration::from_millis(self.config.prompt_max_ms.into());
        self.timers.set(Timer::Place(id), out.now.mono + longest);
    }

    /// A seat's phone dialled a feature code: do it, say so, hang up.
    fn serve_feature(&mut self, id: CallId, leg: LegId, seat: SeatId, code: FeatureCode, out: &mut Out<'_>) {
        let command = match code {
            FeatureCode::SignIn => PresenceCommand::SignIn,
            FeatureCode::Ready => PresenceCommand::Ready,
            FeatureCode::NotReady => PresenceCommand::NotReady { reason: None },
            FeatureCode::SignOut => PresenceCommand::SignOut,
        };
        if code == FeatureCode::Ready {
            // One code for the whole: who picks up a phone in the morning dials once.
            let _ = self.command_presence(seat, &PresenceCommand::SignIn, out);
        }
        let prompt = match self.command_presence(seat, &command, out) {
            Ok(()) => code.prompt(),
            Err(_) => PromptName::new(feature::REFUSED),
        };
        self.seat_of.insert(leg, seat);
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.own_call(id, leg);
        }
        self.settle(seat, out);
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        out.row(id, CallEvent::AnsweredByExchange);
        if let Some(command) = live.call.answer(leg) {
            out.leg(id, leg, command);
        }
        let sentence = Sentence { run, prompt, fate: Fate::Served, cause: Cause::HungUp };
        out.hear(id, live.go(out.now.mono, Place::Telling(sentence)));
        self.lease_prompt(id, out);
    }
}
