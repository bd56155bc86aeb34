//! The center in a seeded world in which agents bring thirds into their talks all the time: they are refused, silent, lost, answer
//! after everybody has left, and agents vanish in every state. What must hold is asked of the outputs alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use yihao::center::{Center, Config, Effect, Input, PresenceCommand, TalkCommand, TransferCommand};
use yihao::types::{
    Arrival, CallEvent, CallId, Calling, Cause, Digit, DigitBy, IdBase, LegCommand, LegEvent, LegId, LegIds,
    LineNumber, Mono, Now, Origin, PhoneNumber, ReplyId, RunId, SeatId, Source, Target, TransferEnd, TransferHow,
    TransferTo, TrunkId, Wall,
};

use super::city::{SEATS, plan};
use super::dice::Dice;
use super::ear::Ear;
use super::parties::{Act, Party, Reaction, latency};

const BASE: IdBase = IdBase { node: 0, epoch_s: 0 };
const START: Now = Now { mono: Mono(5_000_000_000), wall: Wall(1_795_000_000_000) };
/// Calls of one test.
const WORLDS: u64 = 150;
const CALLS: u64 = 60;

#[derive(Debug)]
enum Event {
    Input(Input),
    Command(LegId, LegCommand),
    Act(LegId, Act),
    Played(LegId, RunId),
    Dials,
    Whim,
}

/// A third, as the rows tell of it.
#[derive(Clone, Copy, Debug)]
struct Third {
    how: TransferHow,
    leg: Option<LegId>,
    here: bool,
}

/// A call, as the rows tell of it.
#[derive(Debug)]
struct Page {
    /// The citizen's leg, while it lives.
    caller: Option<LegId>,
    agent: Option<LegId>,
    third: Option<Third>,
    /// The agent has left, and whom the caller was left to is rung.
    handed_over: bool,
    over: bool,
}

struct World {
    seed: u64,
    center: Center,
    ear: Ear,
    dice: Dice,
    at_ms: u64,
    due: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    parties: BTreeMap<LegId, Party>,
    incoming: LegIds,
    to_dial: u64,
    pages: BTreeMap<CallId, Page>,
    call_of: BTreeMap<LegId, CallId>,
    seat_of: BTreeMap<LegId, SeatId>,
    /// Legs that we have hung up, and those whose far end holds.
    parted: BTreeSet<LegId>,
    held: BTreeSet<LegId>,
    ended: BTreeSet<LegId>,
    /// An agent ends the call, or leaves it, at the desk or by keys with this input.
    desk_hangs_up: bool,
    /// What happened how often.
    seen: BTreeMap<String, u64>,
    log: Vec<(u64, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            center: Center::new(Arc::new(plan(seed, false)), Config::default(), BASE),
            ear: Ear::default(),
            dice: Dice::new(seed),
            at_ms: 0,
            due: BTreeMap::new(),
            scheduled: 0,
            parties: BTreeMap::new(),
            incoming: BASE.legs_of_endpoint(),
            to_dial: CALLS,
            pages: BTreeMap::new(),
            call_of: BTreeMap::new(),
            seat_of: BTreeMap::new(),
            parted: BTreeSet::new(),
            held: BTreeSet::new(),
            ended: BTreeSet::new(),
            desk_hangs_up: false,
            seen: BTreeMap::new(),
            log: Vec::new(),
        };
        for seat in SEATS {
            world.after(0, Event::Input(Input::Reachable { seat: SeatId(seat), reachable: true }));
            world.goes_to_work(seat);
        }
        world.after(10, Event::Dials);
        world.after(1_000, Event::Whim);
        world
    }

    fn now(&self) -> Now {
        START.after(Duration::from_millis(self.at_ms))
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.scheduled += 1;
        self.due.insert((self.at_ms + ms, self.scheduled), event);
    }

    fn goes_to_work(&mut self, seat: u32) {
        for (ms, command) in [(1, PresenceCommand::SignIn), (2, PresenceCommand::Ready)] {
            self.after(ms, Event::Input(Input::Presence { seat: SeatId(seat), command, reply: None }));
        }
    }

    fn run(mut self) -> Self {
        for steps in 0.. {
            assert!(steps < 3_000_000, "the world never ends");
            let tick = self.center.deadline().map(|at| {
                let ms = u64::try_from(at.since(START.mono).as_nanos().div_ceil(1_000_000)).expect("fits");
                self.at_ms.max(ms)
            });
            let next = self.due.keys().next().map(|(ms, _)| *ms);
            match (tick, next) {
                (None, None) => break,
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
        }
        assert_eq!(self.center.calls(), 0, "calls are left");
        assert!(self.pages.values().all(|page| page.over && page.third.is_none()), "a call or a transfer never ends");
        assert_eq!(self.ear.listeners(), 0, "somebody still listens");
        self
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.feed(input),
            Event::Command(leg, command) => {
                let reaction = self.parties.get_mut(&leg).map(|party| party.told(leg, &command, &mut self.dice));
                self.react(leg, reaction.unwrap_or_default());
            }
            Event::Act(leg, act) => {
                let together = self.parties.keys().any(|other| *other != leg && self.ear.joins(leg, *other));
                let reaction = self.parties.get_mut(&leg).map(|party| party.acts(act, together, &mut self.dice));
                self.react(leg, reaction.unwrap_or_default());
            }
            Event::Played(leg, run) => {
                if self.ear.plays(leg, run) {
                    self.feed(Input::PromptEnded { leg, run });
                }
            }
            Event::Dials => self.dials(),
            Event::Whim => self.whim(),
        }
    }

    fn react(&mut self, leg: LegId, reaction: Reaction) {
        for (ms, event) in reaction.say {
            let Some(party) = self.parties.get_mut(&leg) else { continue };
            let at = (self.at_ms + ms).max(party.up_ms + 1);
            party.up_ms = at;
            self.after(at - self.at_ms, Event::Input(Input::Leg { leg, event }));
        }
        for (ms, act) in reaction.then {
            self.after(ms, Event::Act(leg, act));
        }
    }

    fn dials(&mut self) {
        let number = self.dice.pick(&["12345", "12345", "12315", "12333"]);
        let leg = self.incoming.take();
        self.parties.insert(leg, Party::default());
        let arrival = Arrival {
            origin: Origin::Trunk(TrunkId(0)),
            called: LineNumber::parse(number).expect("a number"),
            calling: Calling::default(),
            call_id: leg.to_string(),
            source: [192, 0, 2, 1].into(),
        };
        self.react(leg, Reaction { say: vec![(0, LegEvent::Arrived(arrival))], then: Vec::new() });
        let patience = self.dice.between(10_000, 200_000);
        self.after(patience, Event::Act(leg, Act::LoseHeart));
        self.to_dial -= 1;
        if self.to_dial > 0 {
            let next = self.dice.between(200, 12_000);
            self.after(next, Event::Dials);
        }
    }

    /// An agent, mostly one who talks, does something with a third, or vanishes.
    fn whim(&mut self) {
        let seat = self.dice.pick(&SEATS);
        let agents: Vec<LegId> = self.pages.values().filter(|page| !page.over).filter_map(|page| page.agent).collect();
        let leg = (!agents.is_empty()).then(|| self.dice.pick(&agents));
        let seat = leg.and_then(|leg| self.seat_of.get(&leg).copied()).unwrap_or(SeatId(seat));
        let how = self.dice.pick(&[TransferHow::Conference, TransferHow::Consult, TransferHow::Blind]);
        match self.dice.below(20) {
            0..=7 => {
                let to = self.whom();
                let command = TransferCommand::Begin { to, how, reason: None };
                self.feed(Input::Transfer { seat, call: None, command, reply: Some(ReplyId(1)) });
            }
            8..=12 => {
                let command = match self.dice.below(3) {
                    0 => TransferCommand::Join,
                    1 => TransferCommand::Leave,
                    _ => TransferCommand::TakeBack,
                };
                self.feed(Input::Transfer { seat, call: None, command, reply: None });
            }
            13 => {
                for digit in self.dice.pick(&["*110#", "**", "*1#", "*9#", "*8003#"]).chars() {
                    let event = LegEvent::Digit { digit: Digit(digit), by: DigitBy::Event };
                    self.feed(Input::Leg { leg: leg.unwrap_or(LegId(1)), event });
                }
            }
            // The agent's telephone is lost, or hangs up.
            14 => self.happen_to(leg, Act::LoseAck),
            15 => self.happen_to(leg, Act::Leave),
            16 => self.feed(Input::Talk { seat, call: None, command: TalkCommand::HangUp, reply: None }),
            17 => self.feed(Input::Audit),
            _ => SEATS.into_iter().for_each(|seat| self.goes_to_work(seat)),
        }
        if self.to_dial > 0 {
            let next = self.dice.between(100, 4_000);
            self.after(next, Event::Whim);
        }
    }

    fn happen_to(&mut self, leg: Option<LegId>, act: Act) {
        if let Some(leg) = leg.filter(|leg| self.parties.get(leg).is_some_and(|party| party.answered)) {
            self.happen(Event::Act(leg, act));
        }
    }

    fn whom(&mut self) -> TransferTo {
        let number = |text: &str| TransferTo::Number(PhoneNumber::parse(text).expect("a number"));
        match self.dice.below(9) {
            0..=2 => number("110"),
            3 => number("13900001111"),
            4 => number(self.dice.pick(&["8001", "8002", "8003", "12333"])),
            5 | 6 => TransferTo::Queue(self.dice.pick(&["expert", "general", "night"]).to_owned()),
            7 => TransferTo::Destination(self.dice.pick(&["sub-center", "other-site", "moon"]).to_owned()),
            _ => TransferTo::Queue("moon".to_owned()),
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.log.push((self.at_ms, format!("< {input:?}")));
        if let Input::Leg { leg, event: LegEvent::Held(held) } = &input {
            if *held {
                self.held.insert(*leg)
            } else {
                self.held.remove(leg)
            };
        }
        self.desk_hangs_up = match &input {
            Input::Talk { command: TalkCommand::HangUp, .. }
            | Input::Transfer { command: TransferCommand::Leave | TransferCommand::TakeBack, .. } => true,
            // The same by keys of the telephone.
            Input::Leg { event: LegEvent::Digit { digit: Digit('*' | '#'), .. }, .. } => true,
            _ => false,
        };
        let mut effects = Vec::new();
        self.center.handle(now, input, &mut effects);
        self.log.extend(effects.iter().map(|effect| (self.at_ms, format!("> {effect:?}"))));
        self.center.check();
        for effect in effects {
            self.carry_out(effect);
        }
        self.nobody_hears_nothing();
        self.nobody_is_in_two_calls();
        self.everybody_hears_whom_they_should();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Leg { call, leg, command } => self.tell(call, leg, command),
            Effect::Hear { call, set } => {
                for (leg, run) in self.ear.set(call, &set) {
                    let plays = self.dice.between(1_500, 7_000);
                    self.after(plays, Event::Played(leg, run));
                }
            }
            Effect::Ledger(row) => self.row(row.call, row.event),
            Effect::Record { .. } | Effect::EndRecording { .. } | Effect::Seat(_) | Effect::Reply { .. } => {}
        }
    }

    fn tell(&mut self, call: CallId, leg: LegId, command: LegCommand) {
        if let LegCommand::Dial(dial) = &command {
            self.parties.insert(leg, Party::default());
            self.call_of.insert(leg, call);
            if let Target::Seat(seat) = dial.target {
                self.seat_of.insert(leg, seat);
            }
        }
        if matches!(command, LegCommand::Hangup(_) | LegCommand::Refuse(_)) {
            self.parted.insert(leg);
            let page = self.pages.get(&call).expect("a call begins with a row");
            let rings = page.handed_over || page.third.is_some_and(|third| !third.here);
            assert!(page.caller != Some(leg) || !rings, "{call}: the caller is hung up while somebody is rung");
        }
        let lag = latency(&mut self.dice);
        let Some(party) = self.parties.get_mut(&leg) else { return };
        let at = (self.at_ms + lag).max(party.down_ms + 1);
        party.down_ms = at;
        self.after(at - self.at_ms, Event::Command(leg, command));
    }

    fn row(&mut self, call: CallId, event: CallEvent) {
        if let CallEvent::Arrived { leg, .. } = event {
            self.call_of.insert(leg, call);
            let page = Page { caller: Some(leg), agent: None, third: None, handed_over: false, over: false };
            assert!(self.pages.insert(call, page).is_none(), "{call} begins twice");
            return;
        }
        let page = self.pages.get_mut(&call).expect("a call begins with a row");
        let mut note = None;
        match event {
            CallEvent::Talking { leg, .. } => (page.agent, page.handed_over) = (Some(leg), false),
            CallEvent::AnsweredOutside { .. } | CallEvent::Queued { .. } => page.handed_over = false,
            CallEvent::TransferBegun { how, .. } => {
                assert!(page.third.is_none(), "{call}: a second third");
                page.third = Some(Third { how, leg: None, here: false });
                note = Some(format!("begun, {}", how.as_str()));
            }
            CallEvent::Dialled { leg, .. } => {
                if let Some(third) = &mut page.third {
                    third.leg = Some(leg);
                }
            }
            CallEvent::TransferAnswered { leg } => {
                let third = page.third.as_mut().expect("a third answers");
                assert_eq!(third.leg, Some(leg), "{call}: another third answers");
                third.here = true;
            }
            CallEvent::TransferJoined => page.third.as_mut().expect("a third joins").how = TransferHow::Conference,
            CallEvent::TransferEnded { end } => {
                let third = page.third.take().unwrap_or_else(|| panic!("{call}: the end of no transfer"));
                if end == TransferEnd::CallEnded && page.caller.is_none() && third.here {
                    let third_is_gone = third.leg.is_some_and(|leg| self.ended.contains(&leg));
                    let fine = page.agent.is_none() || third_is_gone || self.desk_hangs_up;
                    assert!(fine, "{call}: agent and third are cut because the caller has left");
                }
                page.handed_over = end == TransferEnd::HandedOver && third.leg.is_some();
                if matches!(end, TransferEnd::Completed | TransferEnd::HandedOver) {
                    page.agent = None;
                }
                note = Some(format!("{}, {}", end.as_str(), third.how.as_str()));
                if page.caller.is_none() {
                    note = Some("ended after the caller had left".to_owned());
                }
            }
            CallEvent::LegEnded { leg, cause, .. } => {
                self.ear.forget(leg);
                self.ended.insert(leg);
                if page.agent == Some(leg) {
                    page.agent = None;
                    note = (cause == Cause::PeerLost).then(|| "an agent is lost".to_owned());
                }
                if page.caller == Some(leg) {
                    page.caller = None;
                    page.handed_over = false;
                    note = page.third.map(|third| format!("the caller leaves, third here: {}", third.here));
                }
            }
            CallEvent::Ended { .. } => {
                assert!(!page.over, "{call} ends twice");
                (page.over, page.handed_over) = (true, false);
            }
            _ => {}
        }
        if let Some(note) = note {
            *self.seen.entry(note).or_default() += 1;
        }
    }

    fn is_up(&self, leg: LegId) -> bool {
        let party = self.parties.get(&leg);
        party.is_some_and(|party| party.answered && !party.over) && !self.parted.contains(&leg)
    }

    /// A caller whom we have answered hears something, until we hang up or they do.
    fn nobody_hears_nothing(&self) {
        for (call, page) in self.pages.iter().filter(|(_, page)| !page.over) {
            if let Some(caller) = page.caller.filter(|caller| self.is_up(*caller)) {
                assert!(!self.ear.hears(caller).is_empty(), "{call}: the caller hears nothing");
            }
        }
    }

    fn nobody_is_in_two_calls(&self) {
        let mut busy = BTreeMap::new();
        for (leg, seat) in self.seat_of.iter().filter(|(leg, _)| self.is_up(**leg)) {
            let call = self.call_of[leg];
            if let Some(other) = busy.insert(*seat, call) {
                assert_eq!(other, call, "{seat} is in two calls");
            }
        }
    }

    fn everybody_hears_whom_they_should(&self) {
        for (call, page) in self.pages.iter().filter(|(_, page)| !page.over) {
            let (Some(caller), Some(agent)) = (page.caller, page.agent) else { continue };
            let legs = [Some(caller), Some(agent), page.third.and_then(|third| third.leg)];
            if legs.into_iter().flatten().any(|leg| self.held.contains(&leg)) {
                continue;
            }
            match page.third {
                Some(Third { how: TransferHow::Consult, leg: Some(third), here }) => {
                    let music = self.ear.hears(caller).iter().all(|source| matches!(source, Source::Music { .. }));
                    assert!(music, "{call}: the caller overhears a consultation");
                    assert!(!here || self.ear.joins(agent, third), "{call}: agent and third do not hear each other");
                }
                Some(Third { leg: Some(third), here: true, .. }) => {
                    let all = [(caller, agent), (caller, third), (agent, third)];
                    assert!(all.iter().all(|(a, b)| self.ear.joins(*a, *b)), "{call}: not all three hear each other");
                }
                Some(_) | None => {
                    assert!(self.ear.joins(caller, agent), "{call}: caller and agent do not hear each other");
                }
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}; the last of {} notes:", self.seed, self.log.len());
            for (ms, note) in self.log.iter().skip(self.log.len().saturating_sub(60)) {
                eprintln!("{ms:>9} {note}");
            }
        }
    }
}

/// What must have happened often enough for the worlds to prove something of it.
const SEEN: [&str; 14] = [
    "begun, blind",
    "begun, conference",
    "begun, consult",
    "completed, conference",
    "completed, consult",
    "ended after the caller had left",
    "failed, conference",
    "failed, consult",
    "guest_left, conference",
    "guest_left, consult",
    "handed_over, blind",
    "handed_over, conference",
    "taken_back, consult",
    "the caller leaves, third here: false",
];

#[test]
fn no_caller_is_lost_in_a_transfer() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 1..=WORLDS {
        for (what, count) in &World::new(seed).run().seen {
            *seen.entry(what.clone()).or_default() += count;
        }
    }
    eprintln!("{seen:#?}");
    for what in SEEN.into_iter().chain(["an agent is lost", "the caller leaves, third here: true"]) {
        assert!(seen.get(what).is_some_and(|count| *count > 20), "the worlds hardly ever see {what}");
    }
}
