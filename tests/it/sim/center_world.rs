//! The center alone in a seeded world: messages take their time and cross, some are lost, people are people. The center's
//! own books are checked after every input, and a reference model predicts what must happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use yihao::center::{Center, Config, Effect, Input, PresenceCommand, TalkCommand, WrapUpCommand};
use yihao::dialplan::Plan;
use yihao::types::{
    Arrival, CallEvent, CallerMark, Calling, IdBase, LegCommand, LegEvent, LegId, LegIds, LineNumber, Mono, Now,
    Origin, PhoneNumber, ReplyId, RunId, SeatId, StreamReport, Target, TrunkId, Wall, Word,
};

use super::city::{OUTSIDE, SEATS, agent, plan};
use super::dice::Dice;
use super::ear::Ear;
use super::model::Model;
use super::parties::{Act, Party, Reaction, latency};

/// Whom seats call.
const CITIZEN: &str = "13900001111";
const BASE: IdBase = IdBase { node: 0, epoch_s: 0 };
const START: Now = Now { mono: Mono(5_000_000_000), wall: Wall(1_795_000_000_000) };

/// What happens at some time.
#[derive(Clone, Debug)]
enum Event {
    /// An input reaches the center.
    Input(Input),
    /// A command reaches the far end of a leg.
    Command(LegId, LegCommand),
    /// A party does what it had in mind.
    Act(LegId, Act),
    /// A prompt has been played, if it still plays.
    Played(LegId, RunId),
    /// A citizen dials.
    Dials,
    /// An agent, or a phone, or an operator does something.
    Whim,
}

/// One line of the log of a world.
#[derive(Clone, Debug, PartialEq)]
enum Note {
    Fed(String),
    Did(Effect),
}

impl Note {
    fn effect(&self) -> Option<Effect> {
        match self {
            Note::Did(effect) => Some(effect.clone()),
            Note::Fed(_) => None,
        }
    }
}

struct World {
    seed: u64,
    center: Center,
    model: Model,
    ear: Ear,
    dice: Dice,
    at_ms: u64,
    due: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    parties: BTreeMap<LegId, Party>,
    incoming: LegIds,
    plans: [Arc<Plan>; 2],
    to_dial: u64,
    /// How late the loop's ticks come.
    tick_late_ms: u64,
    log: Vec<(u64, Note)>,
    /// What was fed, as `yihao replay` would read it.
    inputs: Vec<(Now, String)>,
    /// Which plan each `Input::Plan` brought.
    swaps: Vec<usize>,
}

impl World {
    fn new(seed: u64, calls: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plans = [Arc::new(plan(seed, false)), Arc::new(plan(seed, true))];
        let config = Self::config();
        let center = Center::new(Arc::clone(&plans[0]), config.clone(), BASE);
        let tick_late_ms = dice.pick(&[0, 0, 3, 40]);
        let mut world = Self {
            seed,
            center,
            model: Model::new(&plans[0], config),
            ear: Ear::default(),
            dice,
            at_ms: 0,
            due: BTreeMap::new(),
            scheduled: 0,
            parties: BTreeMap::new(),
            incoming: BASE.legs_of_endpoint(),
            plans,
            to_dial: calls,
            tick_late_ms,
            log: Vec::new(),
            inputs: Vec::new(),
            swaps: Vec::new(),
        };
        for seat in SEATS {
            world.input(0, Input::Reachable { seat: SeatId(seat), reachable: true });
            world.input(1, presence(seat, PresenceCommand::SignIn));
            world.input(2, presence(seat, PresenceCommand::Ready));
        }
        world.after(10, Event::Dials);
        world.after(1_000, Event::Whim);
        world
    }

    fn config() -> Config {
        Config { max_remembered: 50, ..Config::default() }
    }

    fn now(&self) -> Now {
        START.after(Duration::from_millis(self.at_ms))
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.at(self.at_ms + ms, event);
    }

    fn at(&mut self, ms: u64, event: Event) {
        self.scheduled += 1;
        self.due.insert((ms, self.scheduled), event);
    }

    fn input(&mut self, ms: u64, input: Input) {
        self.after(ms, Event::Input(input));
    }

    /// Does the next thing; `false` when nothing is left to do.
    fn step(&mut self) -> bool {
        let tick = self.center.deadline().map(|at| {
            let ms = u64::try_from(at.since(START.mono).as_nanos().div_ceil(1_000_000)).expect("fits");
            self.at_ms.max(ms + self.tick_late_ms)
        });
        let next = self.due.keys().next().map(|(ms, _)| *ms);
        match (tick, next) {
            (None, None) => return false,
            (Some(tick), next) if next.is_none_or(|next| tick <= next) => {
                self.at_ms = tick;
                self.feed(Input::Tick);
            }
            _ => {
                let ((ms, _), event) = self.due.pop_first().expect("there is a next");
                self.at_ms = ms;
                self.happen(event);
            }
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.feed(input),
            Event::Command(leg, command) => {
                let Some(party) = self.parties.get_mut(&leg) else { return };
                let reaction = party.told(leg, &command, &mut self.dice);
                self.react(leg, reaction);
            }
            Event::Act(leg, act) => {
                let together = self.together(leg);
                let Some(party) = self.parties.get_mut(&leg) else { return };
                let reaction = party.acts(act, together, &mut self.dice);
                self.react(leg, reaction);
            }
            Event::Played(leg, run) => {
                // The end of a prompt that was cut may still be on its way.
                if self.ear.plays(leg, run) || self.dice.percent(30) {
                    let lag = self.dice.below(20);
                    self.input(lag, Input::PromptEnded { leg, run });
                }
            }
            Event::Dials => self.dials(),
            Event::Whim => self.whim(),
        }
    }

    fn together(&self, leg: LegId) -> bool {
        self.parties.keys().any(|other| *other != leg && self.ear.joins(leg, *other))
    }

    fn react(&mut self, leg: LegId, reaction: Reaction) {
        for (ms, event) in reaction.say {
            let Some(party) = self.parties.get_mut(&leg) else { continue };
            let at = (self.at_ms + ms).max(party.up_ms + 1);
            party.up_ms = at;
            self.at(at, Event::Input(Input::Leg { leg, event }));
        }
        for (ms, act) in reaction.then {
            self.after(ms, Event::Act(leg, act));
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        let line = serde_json::to_string(&input).expect("inputs are plain data");
        self.log.push((self.at_ms, Note::Fed(line.clone())));
        self.inputs.push((now, line));
        self.model.before(now, &input, &self.ear);
        let mut effects = Vec::new();
        self.center.handle(now, input.clone(), &mut effects);
        self.log.extend(effects.iter().map(|effect| (self.at_ms, Note::Did(effect.clone()))));
        self.center.check();
        for effect in &effects {
            self.carry_out(effect);
        }
        self.model.after(&input, &effects, &self.ear);
    }

    /// What the shell does with an effect.
    fn carry_out(&mut self, effect: &Effect) {
        match effect {
            Effect::Leg { leg, command, .. } => {
                if let LegCommand::Dial(dial) = command {
                    if let Target::Trunk { number, .. } = &dial.target {
                        let line = ["12366", "12313"];
                        let known = line.contains(&number.as_str()) || OUTSIDE.contains(&number.as_str());
                        assert!(known || matches!(number.as_str(), CITIZEN | "110" | "12345" | "12333" | "12315"));
                    }
                    self.parties.insert(*leg, Party::default());
                }
                let lag = latency(&mut self.dice);
                let Some(party) = self.parties.get_mut(leg) else { return };
                let at = (self.at_ms + lag).max(party.down_ms + 1);
                party.down_ms = at;
                self.at(at, Event::Command(*leg, command.clone()));
            }
            Effect::Hear { call, set } => {
                for (leg, run) in self.ear.set(*call, set) {
                    // One prompt in two hundred never reports its end.
                    if self.dice.below(200) > 0 {
                        let plays = self.dice.between(1_500, 7_000);
                        self.after(plays, Event::Played(leg, run));
                    }
                }
            }
            Effect::Ledger(row) => {
                if let CallEvent::LegEnded { leg, .. } = row.event {
                    self.ear.forget(leg);
                    if self.dice.percent(90) {
                        let lag = self.dice.between(0, 3_000);
                        self.input(lag, Input::Measured { leg, report: StreamReport::default() });
                    }
                }
            }
            Effect::Record { call, .. } => {
                if self.dice.percent(3) {
                    self.input(2_000, Input::RecordingFailed { call: *call, why: "disk full".into() });
                }
            }
            Effect::EndRecording { .. } | Effect::Seat(_) | Effect::Reply { .. } => {}
        }
    }

    /// A citizen dials; the next one follows.
    fn dials(&mut self) {
        let number = match self.dice.below(24) {
            0 => "99999",
            1 => self.dice.pick(&["12336", "12349", "12349", "12305"]),
            2..=6 => "12315",
            7..=10 => "12333",
            11 | 12 => "12366",
            13 | 14 => "12313",
            _ => "12345",
        };
        let leg = self.arrive(Origin::Trunk(TrunkId(0)), number);
        let patience = self.dice.between(1_000, 150_000);
        self.after(patience, Event::Act(leg, Act::LoseHeart));
        if self.dice.percent(5) {
            let when = self.dice.between(2_000, 60_000);
            self.after(when, Event::Act(leg, Act::Hold(true)));
            self.after(when + 4_000, Event::Act(leg, Act::Hold(false)));
        }
        if self.dice.percent(20) {
            self.after(patience / 2, Event::Act(leg, Act::Key));
        }
        self.to_dial -= 1;
        if self.to_dial > 0 {
            let next = if self.dice.percent(20) { 0 } else { self.dice.between(200, 14_000) };
            self.after(next, Event::Dials);
        }
    }

    fn arrive(&mut self, origin: Origin, number: &str) -> LegId {
        let leg = self.incoming.take();
        self.parties.insert(leg, Party::default());
        let arrival = Arrival {
            origin,
            called: LineNumber::parse(number).expect("a number"),
            calling: self.caller(),
            call_id: leg.to_string(),
            source: [192, 0, 2, 1].into(),
        };
        self.react(leg, Reaction { say: vec![(0, LegEvent::Arrived(arrival))], then: Vec::new() });
        leg
    }

    /// One of a few citizens, who call again; some withhold their number.
    fn caller(&mut self) -> Calling {
        let number = format!("1380013800{}", self.dice.below(10));
        let known = self.dice.percent(80);
        Calling { number: PhoneNumber::parse(&number).ok().filter(|_| known), ..Calling::default() }
    }

    /// An entry of the caller lists; some are not approved, some end soon, some name no mark of the plan.
    fn mark(&mut self) -> CallerMark {
        let number = format!("1380013800{}", self.dice.below(10));
        let until = Wall(self.now().wall.0 + i64::try_from(self.dice.below(60_000)).expect("small"));
        CallerMark {
            number: PhoneNumber::parse(&number).expect("a number"),
            mark: Word::new(self.dice.pick(&["nuisance", "priority", "language"])),
            approved: self.dice.percent(60),
            until: Some(until).filter(|_| self.dice.percent(50)),
        }
    }

    /// What an agent does at the desk.
    fn desk(&mut self, seat: SeatId) -> Input {
        let reply = Some(ReplyId(1));
        match self.dice.below(10) {
            0..=3 => {
                let agent = agent(u32::try_from(self.dice.between(1_000, 1_007)).expect("small"));
                Input::SignIn { seat, agent, take_over: self.dice.percent(60), reply }
            }
            4 => Input::WrapUp { seat, command: WrapUpCommand::Extend, reply },
            5 => Input::WrapUp { seat, command: WrapUpCommand::Done, reply },
            6 | 7 => {
                let code = Word::new(self.dice.pick(&["solved", "solved", "dream"]));
                Input::WrapUp { seat, command: WrapUpCommand::Result { code }, reply }
            }
            8 => {
                let command = if self.dice.percent(50) { TalkCommand::HangUp } else { TalkCommand::Answer };
                Input::Talk { seat, call: None, command, reply }
            }
            _ => {
                let hold = if self.dice.percent(50) { TalkCommand::Hold } else { TalkCommand::Retrieve };
                Input::Talk { seat, call: None, command: hold, reply }
            }
        }
    }

    /// Somebody does something of their own accord.
    fn whim(&mut self) {
        let seat = self.dice.pick(&SEATS);
        match self.dice.below(100) {
            0..=4 => self.input(0, presence(seat, PresenceCommand::SignOut)),
            5..=12 => {
                let reason = self.dice.pick(&[None, Some("meeting"), Some("nap")]).map(Word::new);
                let away = PresenceCommand::NotReady { reason };
                let command = self.dice.pick(&[&away, &PresenceCommand::Break, &PresenceCommand::Training]).clone();
                self.input(0, presence(seat, command));
            }
            13..=18 => {
                self.input(0, Input::Reachable { seat: SeatId(seat), reachable: false });
                let away = self.dice.between(1, 20_000);
                self.input(away, Input::Reachable { seat: SeatId(seat), reachable: true });
            }
            19..=26 => {
                let code =
                    self.dice.pick(&["*40", "*41", "*41", "*42", "*43", "12345", CITIZEN, "8002", "8005", "110"]);
                let leg = self.arrive(Origin::Seat(SeatId(seat)), code);
                if self.dice.percent(40) {
                    let soon = self.dice.between(100, 3_000);
                    self.after(soon, Event::Act(leg, Act::Leave));
                }
            }
            27 => {
                let n = self.dice.pick(&[0, 1]);
                self.swaps.push(n);
                let plan = Arc::clone(&self.plans[n]);
                self.input(0, Input::Plan { plan: Some(plan) });
            }
            34..=49 => {
                let input = self.desk(SeatId(seat));
                self.input(0, input);
            }
            50 | 64 => {
                for seat in SEATS {
                    self.input(0, presence(seat, PresenceCommand::SignOut));
                }
            }
            51 | 52 => self.input(0, Input::Audit),
            55 => self.input(0, Input::Resume { reply: Some(ReplyId(1)) }),
            56..=63 => {
                let number = self.dice.pick(&[CITIZEN, CITIZEN, CITIZEN, "8001", "8004", "110", "110", "12333", "*41"]);
                let number = PhoneNumber::parse(number).expect("a number");
                let reply = Some(ReplyId(1));
                self.input(0, Input::DialOut { seat: SeatId(seat), number, line: None, linked: None, reply });
            }
            53 | 54 => {
                let marks = (0..self.dice.below(8)).map(|_| self.mark()).collect();
                self.input(0, Input::CallerLists { marks });
            }
            28..=30 => self.input(0, Input::Look { reply: ReplyId(1) }),
            31 => self.input(0, Input::TrunkHealth { trunk: TrunkId(0), up: false }),
            32 => self.input(0, presence(9_999, PresenceCommand::Ready)),
            33 if self.to_dial < 25 => {
                let within = self.dice.pick(&[None, Some(5), Some(60)]).map(Duration::from_secs);
                self.input(0, Input::Drain { within, reply: None });
            }
            _ => {
                // Most of the time agents come back to work.
                self.input(0, presence(seat, PresenceCommand::SignIn));
                self.input(1, presence(seat, PresenceCommand::Ready));
            }
        }
        if self.to_dial > 0 {
            let next = self.dice.between(100, 6_000);
            self.after(next, Event::Whim);
        }
    }

    /// Runs until nothing is left to happen, and looks at what remains.
    fn run(mut self) -> Self {
        let mut steps = 0u64;
        while self.step() {
            steps += 1;
            assert!(steps < 3_000_000, "the world never ends");
        }
        self.model.nothing_is_left();
        assert_eq!(self.center.calls(), 0, "calls are left");
        assert_eq!(self.center.deadline(), None, "timers are left");
        assert_eq!(self.ear.listeners(), 0, "somebody still listens");
        self
    }
}

impl Drop for World {
    /// A world that fails shows how it came to that.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}; the last of {} notes:", self.seed, self.log.len());
            for (ms, note) in self.log.iter().skip(self.log.len().saturating_sub(80)) {
                match note {
                    Note::Fed(input) => eprintln!("{ms:>9} < {input}"),
                    Note::Did(effect) => eprintln!("{ms:>9} > {effect:?}"),
                }
            }
        }
    }
}

fn presence(seat: u32, command: PresenceCommand) -> Input {
    Input::Presence { seat: SeatId(seat), command, reply: Some(ReplyId(1)) }
}

/// Calls of one test: four of them make 100,000 in a run.
const WORLDS: u64 = 250;
const CALLS: u64 = 100;

/// What must have happened often enough for the worlds to prove something of it.
const SEEN: [&str; 52] = [
    "480 is not tried over another trunk",
    "Calling: a carrier is heard",
    "Calling: a carrier is heard no more",
    "Reaching: a carrier is heard",
    "Reaching: a carrier is heard no more",
    "a second seat answers before the answer has reached the caller",
    "a call is placed out of a wrap-up that owes its result",
    "somebody outside answers",
    "another way outside is tried",
    "a caller comes back from outside",
    "a caller falls back to a queue",
    "a caller hears that nobody outside answers",
    "an old desk rings beside the seats",
    "an old desk answers",
    "an old desk is faster than a seat that rings",
    "a seat is faster than an old desk",
    "a seat is faster than an old desk that rings",
    "overflow, Waited, to other-site",
    "overflow, NoSeats, to sub-center",
    "a call is ordered",
    "a phone dials",
    "a seat calls a seat",
    "a seat hears NotReached { cause: Busy }",
    "a seat hears NotReached { cause: Declined }",
    "a seat hears NotReached { cause: NoAnswer }",
    "a seat hears NotReached { cause: Unreachable }",
    "another trunk is tried",
    "a notice of the end",
    "a mark",
    "an announcement",
    "a wish for a Callback",
    "a wish for a Message",
    "a match by longest_idle",
    "a match by fewest_calls",
    "a match by round_robin",
    "a match by ring_all",
    "a match by last_agent",
    "several seats ring",
    "an offer after widening",
    "an offer after ageing",
    "widened to step 1",
    "widened to step 2",
    "widened to step 3",
    "overflow, Waited, to night",
    "overflow, Waited, to the message",
    "overflow, Full, to general",
    "overflow, Full, to the message",
    "overflow, NoSeats, to expert",
    "overflow, NoSeats, to night",
    "a result",
    "a wish is granted",
    "a wish is refused",
];

fn worlds(part: u64) {
    let mut fates: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let (mut inputs, mut calls) = (0, 0);
    for seed in part * WORLDS + 1..=(part + 1) * WORLDS {
        let world = World::new(seed, CALLS).run();
        inputs += world.inputs.len();
        calls += world.model.calls.len();
        for (all, one) in [(&mut fates, &world.model.fates), (&mut seen, &world.model.seen)] {
            for (name, count) in one {
                *all.entry(name.clone()).or_default() += count;
            }
        }
    }
    eprintln!("{calls} calls, {inputs} inputs, {fates:#?}, {seen:#?}");
    assert!(calls as u64 >= WORLDS * CALLS);
    assert_eq!(fates.values().sum::<u64>(), calls as u64, "every call has one fate");
    for fate in [
        "answered",
        "AbandonedInGreeting",
        "AbandonedInQueue",
        "AbandonedInRing",
        "Overflowed",
        "Served",
        "reached",
        "CutByDrain",
        "answered outside",
    ] {
        assert!(fates.get(fate).is_some_and(|count| *count > 100), "the worlds hardly ever end a call as {fate}");
    }
    for what in SEEN {
        assert!(seen.get(what).is_some_and(|count| *count > 10), "the worlds hardly ever see {what}");
    }
}

#[test]
fn the_books_balance_in_the_first_worlds() {
    worlds(0);
}

#[test]
fn the_books_balance_in_the_second_worlds() {
    worlds(1);
}

#[test]
fn the_books_balance_in_the_third_worlds() {
    worlds(2);
}

#[test]
fn the_books_balance_in_the_fourth_worlds() {
    worlds(3);
}

#[test]
fn a_log_of_inputs_replays_exactly() {
    for seed in 1..=5 {
        let world = World::new(seed, 60).run();
        // Plans are not in a log: whoever replays it puts them back, here by their order.
        let mut plans = world.swaps.iter();
        let mut center = Center::new(Arc::new(plan(seed, false)), World::config(), BASE);
        let mut again = Vec::new();
        for (at, line) in &world.inputs {
            let mut input: Input = serde_json::from_str(line).expect("a line that we wrote");
            if let Input::Plan { plan } = &mut input {
                *plan = plans.next().map(|n| Arc::clone(&world.plans[*n]));
            }
            center.handle(*at, input, &mut again);
        }
        let did: Vec<Effect> = world.log.iter().filter_map(|(_, note)| note.effect()).collect();
        assert_eq!(again, did, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let (one, two) = (World::new(42, 60).run(), World::new(42, 60).run());
    assert_eq!(one.log, two.log);
}
