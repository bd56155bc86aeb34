//! A leg comes in: its row first, then the plan decides; greeting, and after it the queue.

use std::sync::Arc;
use std::time::Duration;

use super::live::{Live, Party, Place, Saying, Sentence, Way, Whom};
use super::timers::Timer;
use super::way_out::Attempt;
use super::{Center, Door, Out, PresenceCommand, Refusal};
use crate::call::{Call, Role};
use crate::dialplan::{
    AnswerWhen, Branch, FeatureCode, Line, Mark, OutsideService, Plan, QueueService, Route, Service, Surge, ToldEnd,
    feature,
};
use crate::types::{
    Arrival, CallEvent, CallId, Cause, Fate, LegId, LineNumber, Origin, PhoneNumber, PromptName, QueueId, RunId,
    SeatId, Wall, Word,
};

/// What the plan and our state say to a new leg.
enum Verdict {
    Refuse(Cause),
    /// With the mark that counts for the caller.
    Serve(Box<Welcome>, Option<Word>),
    /// The number is served no more: the caller hears this before the refusal.
    Farewell(PromptName, Cause),
    Feature(SeatId, FeatureCode),
    /// A seat's phone has dialled somebody.
    Place(SeatId, PhoneNumber, Whom),
    /// A seat's phone has dialled what it may not: it is told why.
    Tell(SeatId, &'static str),
}

/// How a caller is received.
struct Welcome {
    way: Option<Way>,
    outside: Option<Attempt>,
    answer: AnswerWhen,
    /// What is said first, the next prompt last.
    say: Vec<PromptName>,
}

/// What surges and caller lists add for one caller.
struct Extra<'p> {
    surge: Option<&'p Surge>,
    mark: Option<&'p Mark>,
}

impl Extra<'_> {
    fn mark(&self) -> Option<Word> {
        self.mark.map(|mark| mark.name.clone())
    }

    /// Said after the greeting.
    fn prompts(&self) -> impl DoubleEndedIterator<Item = &PromptName> {
        let mark = self.mark.and_then(|mark| mark.prompt.as_ref());
        mark.into_iter().chain(self.surge.and_then(|surge| surge.prompt.as_ref()))
    }
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
                mode: self.mode_of(&arrival, out.now.wall),
            },
        );
        self.call_of.insert(leg, id);
        let role = match verdict {
            Verdict::Refuse(_) | Verdict::Serve(..) | Verdict::Farewell(..) => Role::Caller,
            Verdict::Feature(..) | Verdict::Place(..) | Verdict::Tell(..) => Role::Seat,
        };
        self.calls.insert(
            id,
            Live {
                call: Call::incoming(leg, role),
                place: Place::Waiting,
                way: None,
                outside: None,
                origin: arrival.origin,
                called: arrival.called,
                calling: arrival.calling,
                arrived_wall: out.now.wall,
                since: out.now.mono,
                recording: false,
                to: None,
                linked: None,
                notice: None,
                answered: None,
                emergency: false,
                keys: None,
                notes: 0,
            },
        );
        match verdict {
            Verdict::Refuse(cause) => self.end(id, Fate::Refused { cause }, cause, out),
            Verdict::Serve(welcome, mark) => self.greet(id, leg, *welcome, mark, out),
            Verdict::Farewell(notice, cause) => self.say_farewell(id, &notice, cause, out),
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
            return self.judge_dialled(seat, &arrival.called, out.now.wall);
        }
        if let Some(cause) = self.closed() {
            return Verdict::Refuse(cause);
        }
        match (plan.route(arrival, out.now.wall), arrival.origin) {
            (Route::Feature(code), Origin::Seat(seat)) if self.seats.contains_key(&seat) => {
                Verdict::Feature(seat, code)
            }
            (Route::Line { line, service, branch, .. }, Origin::Trunk(_)) => {
                self.judge_line(arrival, line, service, branch, out)
            }
            (Route::NoSuchNumber | Route::Feature(_) | Route::Line { .. }, Origin::Trunk(_) | Origin::Seat(_)) => {
                Verdict::Refuse(Cause::NoSuchNumber)
            }
        }
    }

    /// A citizen has dialled one of our lines.
    fn judge_line(
        &mut self,
        arrival: &Arrival,
        line: &Line,
        service: &Service,
        branch: Option<&Branch>,
        out: &Out<'_>,
    ) -> Verdict {
        match service {
            Service::Queue(service) => {
                // A county's calls wait for the seats of its branch.
                let queue = branch.map_or(service.queue, |branch| branch.queue);
                self.judge_queue(arrival, line, (service, queue), out)
            }
            Service::Outside(service) => self.judge_outside(arrival, line, service, out),
            Service::Told(told) => {
                let cause = match told.end {
                    ToldEnd::Gone => Cause::Gone,
                    ToldEnd::NotFound => Cause::NoSuchNumber,
                    ToldEnd::Closed => Cause::Closed,
                };
                let farewell = |notice: &PromptName| Verdict::Farewell(notice.clone(), cause);
                told.notice.as_ref().map_or(Verdict::Refuse(cause), farewell)
            }
            Service::NotServed => Verdict::Refuse(Cause::ModeNotServed),
        }
    }

    fn judge_queue(
        &mut self,
        arrival: &Arrival,
        line: &Line,
        (service, queue): (&QueueService, QueueId),
        out: &Out<'_>,
    ) -> Verdict {
        let plan = Arc::clone(&self.plan);
        let extra = self.extra(&plan, arrival, line, out);
        let Some(mut way) = self.way(&extra, arrival, (queue, service.priority), out) else {
            return Verdict::Refuse(Cause::Failed);
        };
        let desk = service.desk.and_then(|desk| plan.destination(desk));
        way.desk = desk.map(|desk| Attempt::new(&plan, desk, &line.number));
        let said = service.notices.iter().chain([&service.greeting]).chain(extra.prompts());
        let say = said.rev().cloned().collect();
        Verdict::Serve(Box::new(Welcome { way: Some(way), outside: None, answer: service.answer, say }), extra.mark())
    }

    fn judge_outside(&mut self, arrival: &Arrival, line: &Line, service: &OutsideService, out: &Out<'_>) -> Verdict {
        let plan = Arc::clone(&self.plan);
        let extra = self.extra(&plan, arrival, line, out);
        let way = service.fallback.and_then(|queue| self.way(&extra, arrival, (queue, service.priority), out));
        let Some(destination) = plan.destination(service.destination) else { return Verdict::Refuse(Cause::Failed) };
        let outside = Some(Attempt::new(&plan, destination, &line.number));
        let say = service.notices.iter().chain(extra.prompts()).rev().cloned().collect();
        Verdict::Serve(Box::new(Welcome { way, outside, answer: service.answer, say }), extra.mark())
    }

    /// What surges and caller lists add for this caller.
    fn extra<'p>(&self, plan: &'p Plan, arrival: &Arrival, line: &Line, out: &Out<'_>) -> Extra<'p> {
        let counts = |surge: &&Surge| {
            self.surges.contains(&surge.name) && (surge.lines.is_empty() || surge.lines.contains(&line.number))
        };
        let caller = arrival.calling.number.as_ref();
        Extra {
            surge: plan.surges.iter().find(counts),
            mark: caller.and_then(|number| self.marks.of(number, plan, out.now.wall)),
        }
    }

    /// A caller's way through the queue of a service, or through the one where surge or mark send the caller.
    fn way(
        &mut self,
        extra: &Extra<'_>,
        arrival: &Arrival,
        (queue, priority): (QueueId, u8),
        out: &Out<'_>,
    ) -> Option<Way> {
        let elsewhere = extra.mark.and_then(|mark| mark.queue).or(extra.surge.and_then(|surge| surge.queue));
        let planned = elsewhere.unwrap_or(queue);
        let queue = self.queue_id(planned)?;
        let priority = extra.mark.and_then(|mark| mark.priority).unwrap_or(priority);
        let ticket = self.acd.ticket(out.now.mono, priority);
        let mut way = Way::new(Arc::clone(&self.plan), (planned, queue), ticket);
        way.mark = extra.mark();
        way.prefer = arrival.calling.number.as_ref().and_then(|caller| self.seat_that_knows(caller));
        Some(way)
    }

    /// A seat's phone has dialled a number.
    fn judge_dialled(&self, seat: SeatId, dialled: &LineNumber, wall: Wall) -> Verdict {
        let Ok(number) = PhoneNumber::parse(dialled.as_str()) else { return Verdict::Refuse(Cause::NoSuchNumber) };
        match self.whom(seat, &number, wall) {
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

    /// The merge mode that a line dialled from outside has now.
    fn mode_of(&self, arrival: &Arrival, wall: Wall) -> Option<String> {
        let Origin::Trunk(_) = arrival.origin else { return None };
        let phase = self.plan.line(&arrival.called)?.phase_at(wall)?;
        Some(phase.mode.shown().to_owned())
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

    /// The caller hears notices and greeting, answered or before the answer as the phase says.
    fn greet(&mut self, id: CallId, leg: LegId, welcome: Welcome, mark: Option<Word>, out: &mut Out<'_>) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        (live.way, live.outside) = (welcome.way, welcome.outside);
        if let Some(mark) = mark {
            out.row(id, CallEvent::Marked { mark });
        }
        let command = match welcome.answer {
            AnswerWhen::AtOnce => {
                out.row(id, CallEvent::AnsweredByExchange);
                live.call.answer(leg)
            }
            AnswerWhen::BySeat => live.call.early(leg),
        };
        if let Some(command) = command {
            out.leg(id, leg, command);
        }
        self.greet_on(id, welcome.say, out);
    }

    /// Says the last of these; after all the call goes into its queue, or on outside.
    fn greet_on(&mut self, id: CallId, mut say: Vec<PromptName>, out: &mut Out<'_>) {
        let run = self.ids.run();
        let Some(live) = self.calls.get_mut(&id) else { return };
        match (say.pop(), live.outside.take()) {
            (Some(name), outside) => {
                live.outside = outside;
                out.row(id, CallEvent::Greeted { prompt: name.0.to_string() });
                out.hear(id, live.go(out.now.mono, Place::Greeting(Saying { run, name, rest: say })));
                self.lease_prompt(id, out);
            }
            (None, Some(attempt)) => self.reach(id, attempt, Cause::Unreachable, out),
            (None, None) => self.enqueue(id, out),
        }
    }

    /// The number is served no more: the caller hears so, then the call is refused. Who cannot hear it before the answer
    /// is refused at once, and nobody is charged for it.
    fn say_farewell(&mut self, id: CallId, notice: &PromptName, cause: Cause, out: &mut Out<'_>) {
        out.row(id, CallEvent::Greeted { prompt: notice.0.to_string() });
        self.tell(id, &notice.0, Fate::Refused { cause }, cause, out);
    }

    /// A prompt is over: what it stood before comes now.
    pub(super) fn on_prompt_ended(&mut self, leg: LegId, run: RunId, out: &mut Out<'_>) {
        let Some(id) = self.call_of.get(&leg).copied() else { return };
        if self.notice_over(id, run, out) {
            return;
        }
        let current = match self.calls.get(&id).map(|live| &live.place) {
            Some(
                Place::Overflowing { run }
                | Place::Wishing { run, .. }
                | Place::Greeting(Saying { run, .. })
                | Place::Announcing(Saying { run, .. })
                | Place::Telling(Sentence { run, .. }),
            ) => Some(*run),
            Some(
                Place::Waiting
                | Place::Message
                | Place::Offered(_)
                | Place::Joining(_)
                | Place::Talking(_)
                | Place::CallerLeft(_)
                | Place::Reaching(_)
                | Place::Outside(_)
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
            Place::Greeting(saying) => self.greet_on(id, saying.rest, out),
            Place::Announcing(saying) => self.say(id, saying.rest, out),
            Place::Wishing { kind, .. } => self.wish_said(id, kind, out),
            Place::Message => self.end(id, Fate::LeftWish, Cause::HungUp, out),
            Place::Overflowing { .. } => self.end(id, Fate::Overflowed, Cause::Busy, out),
            Place::Telling(Sentence { fate, cause, .. }) => self.end(id, fate, cause, out),
            Place::Waiting
            | Place::Offered(_)
            | Place::Joining(_)
            | Place::Talking(_)
            | Place::CallerLeft(_)
            | Place::Reaching(_)
            | Place::Outside(_)
            | Place::Summoning(_)
            | Place::Calling(_)
            | Place::Called(_)
            | Place::Ending { .. } => {}
        }
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
            seat.own_call(out.now.mono, id, leg);
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
