//! The stage on which one call is played: the center, its clock, and what the world does next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::treatment::arrival;
use super::{End, MOST_STEPS, Question, SeatState, Step, What, World};
use crate::center::{Center, Config, Effect, Input, PresenceCommand};
use crate::dialplan::Plan;
use crate::types::{
    CallEvent, Cause, Fate, Hear, IdBase, LegCommand, LegEvent, LegId, Mono, Now, PromptName, RunId, SeatId, Source,
    Target, TrunkId,
};

/// The base of ids; a simulated call meets no other.
const IDS: IdBase = IdBase { node: 0, epoch_s: 0 };
/// Seats are at work since so long before the call.
const BEFORE: Duration = Duration::from_secs(60);
/// How long a leg that was dialled takes to ring.
const RINGS_AFTER: Duration = Duration::from_millis(200);

/// What the world does at a moment.
#[derive(Clone, Debug)]
enum Next {
    Feed(Input),
    /// A leg that was dialled is answered, unless it was withdrawn.
    Answers(LegId),
    /// The caller hangs up; `true`: after the talk.
    HangsUp(bool),
}

/// One call on its stage.
pub(super) struct Stage<'q> {
    center: Center,
    plan: &'q Plan,
    question: &'q Question,
    world: &'q World<'q>,
    now: Now,
    came: Mono,
    caller: LegId,
    /// What comes, in order of time, then of being planned.
    agenda: BTreeMap<(Mono, u64), Next>,
    planned: u64,
    /// Legs that live.
    legs: BTreeSet<LegId>,
    /// Prompts whose end is planned.
    runs: BTreeSet<RunId>,
    /// Somebody has answered.
    talks: bool,
    heard: Vec<Source>,
    /// How long each prompt lasts that was asked for: a file is looked at once.
    lengths: BTreeMap<PromptName, Duration>,
    steps: Vec<Step>,
    fate: Option<Fate>,
}

impl<'q> Stage<'q> {
    pub(super) fn new(plan: &'q Arc<Plan>, question: &'q Question, world: &'q World<'q>) -> Self {
        // Longer than anything that has to have been before.
        let start = Now { mono: Mono(86_400_000_000_000), wall: question.at };
        let before = crate::types::Wall(question.at.0 - i64::try_from(BEFORE.as_millis()).unwrap_or(0));
        let mut stage = Self {
            center: Center::new(Arc::clone(plan), Config::default(), IDS),
            plan,
            question,
            world,
            now: Now { mono: start.mono - BEFORE, wall: before },
            came: start.mono,
            caller: IDS.legs_of_endpoint().take(),
            agenda: BTreeMap::new(),
            planned: 0,
            legs: BTreeSet::new(),
            runs: BTreeSet::new(),
            talks: false,
            heard: Vec::new(),
            lengths: BTreeMap::new(),
            steps: Vec::new(),
            fate: None,
        };
        stage.open();
        stage.now = start;
        stage
    }

    /// Trunks and seats come to be as the question has them.
    fn open(&mut self) {
        for trunk in &self.plan.trunks {
            self.feed(Input::TrunkHealth { trunk: trunk.id, up: !self.question.down.contains(&trunk.id) });
        }
        for scripted in &self.question.seats {
            let seat = scripted.seat;
            self.feed(Input::Reachable { seat, reachable: true });
            self.feed(Input::Presence { seat, command: PresenceCommand::SignIn, reply: None });
            let command = match scripted.state {
                SeatState::Ready(_) | SeatState::Silent => PresenceCommand::Ready,
                SeatState::NotReady => PresenceCommand::NotReady { reason: None },
            };
            self.feed(Input::Presence { seat, command, reply: None });
        }
        self.steps.clear();
    }

    /// Plays the call until it ends, or until the horizon.
    pub(super) fn play(mut self) -> (Vec<Step>, End) {
        self.legs.insert(self.caller);
        if let Some(patience) = self.question.patience {
            self.plan_at(patience, Next::HangsUp(false));
        }
        let arrived = LegEvent::Arrived(arrival(self.question));
        self.feed(Input::Leg { leg: self.caller, event: arrived });
        let horizon = self.came + self.world.horizon;
        while self.center.calls() > 0 && self.steps.len() < MOST_STEPS && self.next(horizon) {}
        let end = self.fate.map_or(End::Unserved, |fate| End::Fate { fate });
        (self.steps, end)
    }

    /// Does what comes next; whether there was something before the horizon.
    fn next(&mut self, horizon: Mono) -> bool {
        let planned = self.agenda.keys().next().copied();
        let due = self.center.deadline().map(|at| at.max(self.now.mono));
        let ticks = match (planned, due) {
            (Some((at, _)), Some(due)) => due < at,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return false,
        };
        let at = if ticks { due.unwrap_or(horizon) } else { planned.map_or(horizon, |(at, _)| at) };
        if at >= horizon {
            return false;
        }
        self.now = self.now.after(at.since(self.now.mono));
        match if ticks { None } else { planned.and_then(|key| self.agenda.remove(&key)) } {
            None => self.feed(Input::Tick),
            Some(Next::Feed(Input::Leg { leg, .. })) if !self.legs.contains(&leg) => {}
            Some(Next::Feed(input)) => self.feed(input),
            Some(Next::Answers(leg)) => self.answers(leg),
            Some(Next::HangsUp(served)) => self.hangs_up(served),
        }
        true
    }

    fn answers(&mut self, leg: LegId) {
        if !self.legs.contains(&leg) {
            return;
        }
        if !std::mem::replace(&mut self.talks, true) {
            self.plan_at(self.world.talk, Next::HangsUp(true));
        }
        self.feed(Input::Leg { leg, event: LegEvent::Answered });
    }

    fn hangs_up(&mut self, served: bool) {
        if served != self.talks || !self.legs.remove(&self.caller) {
            return;
        }
        self.step(What::HangsUp { served });
        let cause = if served { Cause::HungUp } else { Cause::Cancelled };
        self.feed(Input::Leg { leg: self.caller, event: LegEvent::Ended { cause, status: None } });
    }

    fn plan_at(&mut self, after: Duration, next: Next) {
        self.planned += 1;
        self.agenda.insert((self.now.mono + after, self.planned), next);
    }

    fn report(&mut self, leg: LegId, event: LegEvent) {
        self.plan_at(Duration::ZERO, Next::Feed(Input::Leg { leg, event }));
    }

    fn step(&mut self, what: What) {
        self.steps.push(Step { after_ms: self.after_ms(), what });
    }

    fn feed(&mut self, input: Input) {
        let mut effects = Vec::new();
        if let Input::Leg { leg, event: LegEvent::Ended { .. } } = &input {
            self.legs.remove(leg);
        }
        self.center.handle(self.now, input, &mut effects);
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Ledger(row) => {
                if let CallEvent::Ended { fate } = row.event {
                    self.fate = Some(fate);
                }
                self.step(What::Row { row: row.event });
            }
            Effect::Leg { leg, command, .. } => self.obey(leg, command),
            Effect::Hear { set, .. } => self.listen(&set),
            Effect::Record { .. } | Effect::EndRecording { .. } | Effect::Seat(_) | Effect::Reply { .. } => {}
        }
    }

    /// What a leg does that is told something.
    fn obey(&mut self, leg: LegId, command: LegCommand) {
        match command {
            LegCommand::Ring => self.step(What::Caller { status: 180 }),
            LegCommand::EarlyMedia => self.step(What::Caller { status: 183 }),
            LegCommand::Answer => {
                self.step(What::Caller { status: 200 });
                self.report(leg, LegEvent::Answered);
            }
            LegCommand::Refuse(cause) => {
                self.step(What::Refused { cause });
                self.report(leg, LegEvent::Ended { cause, status: None });
            }
            LegCommand::Dial(dial) => {
                self.legs.insert(leg);
                match dial.target {
                    Target::Seat(seat) => self.ring(leg, seat),
                    Target::Trunk { trunk, number } => {
                        let up = self.reaches(trunk);
                        let name = self.plan.trunk(trunk).map(|trunk| trunk.name.clone()).unwrap_or_default();
                        self.step(What::Outside { trunk: name, number, up });
                        if up {
                            self.plan_at(RINGS_AFTER, Next::Feed(Input::Leg { leg, event: LegEvent::Ringing }));
                            self.plan_at(self.world.outside_answers, Next::Answers(leg));
                        } else {
                            self.report(leg, LegEvent::Ended { cause: Cause::Unreachable, status: None });
                        }
                    }
                }
            }
            LegCommand::Hangup(cause) => self.report(leg, LegEvent::Ended { cause, status: None }),
            LegCommand::Hold(_) | LegCommand::SendDigit(_) | LegCommand::PickUp | LegCommand::Referred(_) => {}
        }
    }

    fn ring(&mut self, leg: LegId, seat: SeatId) {
        self.step(What::Seat { seat });
        self.plan_at(RINGS_AFTER, Next::Feed(Input::Leg { leg, event: LegEvent::Ringing }));
        let scripted = self.question.seats.iter().find(|scripted| scripted.seat == seat);
        if let Some(SeatState::Ready(after)) = scripted.map(|scripted| scripted.state) {
            self.plan_at(after, Next::Answers(leg));
        }
    }

    /// Whether a trunk, or another of its group, answers: the endpoint fails over inside a group.
    fn reaches(&self, trunk: TrunkId) -> bool {
        let group = |id| self.plan.trunk(id).and_then(|trunk| trunk.group.as_ref()).map(|group| group.name.as_str());
        let same = |other: TrunkId| other == trunk || (group(trunk).is_some() && group(other) == group(trunk));
        self.plan.trunks.iter().any(|other| same(other.id) && !self.question.down.contains(&other.id))
    }

    /// What the caller hears now that was not heard before; ends of prompts are planned for everybody.
    fn listen(&mut self, set: &[Hear]) {
        for hear in set {
            for source in &hear.from {
                if let Source::Prompt { name, run } = source
                    && self.runs.insert(*run)
                {
                    let lasts = self.length(name);
                    self.plan_at(lasts, Next::Feed(Input::PromptEnded { leg: hear.leg, run: *run }));
                }
            }
        }
        let Some(hear) = set.iter().find(|hear| hear.leg == self.caller) else { return };
        if hear.from == self.heard {
            return;
        }
        for source in hear.from.iter().filter(|source| !self.heard.contains(source)).cloned().collect::<Vec<_>>() {
            let what = match source {
                Source::Leg { .. } => What::Voice,
                Source::Prompt { name, .. } => What::Prompt {
                    ms: u64::try_from(self.length(&name).as_millis()).unwrap_or(u64::MAX),
                    name: name.0.to_string(),
                },
                Source::Music { name } => What::Music { name: name.0.to_string() },
                Source::Ringback => What::RingingTone,
            };
            self.step(what);
        }
        self.heard.clone_from(&hear.from);
    }

    fn length(&mut self, prompt: &PromptName) -> Duration {
        *self.lengths.entry(prompt.clone()).or_insert_with(|| (self.world.prompt)(prompt))
    }

    fn after_ms(&self) -> u64 {
        u64::try_from(self.now.mono.since(self.came).as_millis()).unwrap_or(u64::MAX)
    }
}
