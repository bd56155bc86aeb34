//! Stories of the center, one file per part of a call's life; the stage on which they play is here.

use super::*;
use crate::dialplan::{AnswerWhen, Hours, Line, Mode, Phase, Queue, QueueService, Service};
use crate::seat::{Presence, WhyNotReady};
use crate::types::{
    Agent, AgentId, Arrival, Calling, Cause, Digit, DigitBy, Fate, Hops, Level, LineNumber, Origin, PhoneNumber,
    PromptName, ReplyId, Source, StreamReport, Wall, Word,
};

mod agents;
mod audits;
mod clock_step;
mod dial_out;
mod drain;
mod ends;
mod outside;
mod overflow;
mod phases;
mod queueing;
mod refer;
mod seats;
mod supervise;
mod talks;
mod transfer;
mod waiting;

const T0: Now = Now { mono: Mono(1_000_000_000_000), wall: Wall(1_795_000_000_000) };
const BASE: IdBase = IdBase { node: 1, epoch_s: 1_795_000_000 };
const TRUNK: Origin = Origin::Trunk(TrunkId(0));

/// A center on a stage: inputs go in, the books are checked after each, all effects are kept.
struct Stage {
    center: Center,
    now: Now,
    incoming: LegIds,
    all: Vec<Effect>,
    /// Effects of the last input.
    last: Vec<Effect>,
}

impl Stage {
    fn new() -> Self {
        Self::with(Config::default(), plan())
    }

    fn with(config: Config, plan: Plan) -> Self {
        let center = Center::new(Arc::new(plan), config, BASE);
        Self { center, now: T0, incoming: BASE.legs_of_endpoint(), all: Vec::new(), last: Vec::new() }
    }

    /// Seats with a registered phone whose agents are ready, in this order of idleness.
    fn with_ready(seats: &[u32]) -> Self {
        let mut stage = Self::new();
        for seat in seats {
            stage.reachable(*seat, true);
            stage.presence(*seat, PresenceCommand::SignIn);
            stage.presence(*seat, PresenceCommand::Ready);
            stage.pass(1);
        }
        stage
    }

    fn feed(&mut self, input: Input) {
        self.last.clear();
        self.center.handle(self.now, input, &mut self.last);
        self.center.check();
        self.all.extend(self.last.iter().cloned());
    }

    fn leg(&mut self, leg: LegId, event: LegEvent) {
        self.feed(Input::Leg { leg, event });
    }

    fn ended(&mut self, leg: LegId, cause: Cause) {
        // What a far end has no room for it says with a status; without one it was we.
        self.leg(leg, LegEvent::Ended { cause, status: (cause == Cause::Overload).then_some(503) });
    }

    fn reachable(&mut self, seat: u32, reachable: bool) {
        self.feed(Input::Reachable { seat: SeatId(seat), reachable });
    }

    fn presence(&mut self, seat: u32, command: PresenceCommand) -> Reply {
        self.feed(Input::Presence { seat: SeatId(seat), command, reply: Some(ReplyId(1)) });
        let reply = self.last.iter().find_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        reply.expect("a command gets its reply")
    }

    /// Lets time pass, with every tick on its deadline.
    fn pass(&mut self, seconds: u64) {
        let until = self.now.after(Duration::from_secs(seconds));
        while let Some(at) = self.center.deadline().filter(|at| *at <= until.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.feed(Input::Tick);
        }
        self.now = until;
    }

    fn arrive(&mut self, called: &str) -> LegId {
        self.arrive_from(TRUNK, called)
    }

    fn arrive_from(&mut self, origin: Origin, called: &str) -> LegId {
        self.arrive_by(origin, called, None)
    }

    fn arrive_with(&mut self, called: &str, caller: Option<&str>) -> LegId {
        self.arrive_by(TRUNK, called, caller)
    }

    fn arrive_by(&mut self, origin: Origin, called: &str, caller: Option<&str>) -> LegId {
        let number = caller.map(|number| PhoneNumber::parse(number).unwrap());
        self.arrive_as(origin, called, Calling { number, raw: "13800138000".into(), ..Calling::default() })
    }

    fn arrive_passed_on(&mut self, called: &str, hops: Hops) -> LegId {
        self.arrive_as(TRUNK, called, Calling { hops, ..Calling::default() })
    }

    fn arrive_as(&mut self, origin: Origin, called: &str, calling: Calling) -> LegId {
        let leg = self.incoming.take();
        let arrival = Arrival {
            origin,
            called: LineNumber::parse(called).unwrap(),
            calling,
            call_id: format!("id-{leg}"),
            source: [192, 0, 2, 1].into(),
        };
        self.leg(leg, LegEvent::Arrived(arrival));
        leg
    }

    /// A caller who has heard the greeting and waits, or is offered already.
    fn queued(&mut self, called: &str) -> LegId {
        let leg = self.arrive(called);
        self.leg(leg, LegEvent::Answered);
        self.prompt_ends(leg);
        leg
    }

    fn prompt_ends(&mut self, leg: LegId) {
        let run = match self.hears(leg).as_slice() {
            [Source::Prompt { run, .. }] => *run,
            other => panic!("{leg} hears no prompt but {other:?}"),
        };
        self.feed(Input::PromptEnded { leg, run });
    }

    /// What a leg hears now.
    fn hears(&self, leg: LegId) -> Vec<Source> {
        let sets = self.all.iter().rev().filter_map(|effect| match effect {
            Effect::Hear { set, .. } => set.iter().find(|hear| hear.leg == leg),
            _ => None,
        });
        sets.map(|hear| hear.from.clone()).next().unwrap_or_default()
    }

    /// Seat and leg of the last dial.
    fn dialled(&self) -> (u32, LegId) {
        self.dials().pop().expect("somebody was dialled")
    }

    fn dials(&self) -> Vec<(u32, LegId)> {
        let dials = self.all.iter().filter_map(|effect| match effect {
            Effect::Leg { leg, command: LegCommand::Dial(dial), .. } => match dial.target {
                crate::types::Target::Seat(seat) => Some((seat.0, *leg)),
                crate::types::Target::Trunk { .. } => None,
            },
            _ => None,
        });
        dials.collect()
    }

    fn told(&self, leg: LegId) -> Vec<LegCommand> {
        let commands = self.all.iter().filter_map(|effect| match effect {
            Effect::Leg { leg: to, command, .. } if *to == leg => Some(command.clone()),
            _ => None,
        });
        commands.collect()
    }

    fn call_of(&self, leg: LegId) -> CallId {
        let row = self.rows().into_iter().find(|row| match &row.event {
            CallEvent::Arrived { leg: of, .. }
            | CallEvent::Offered { leg: of, .. }
            | CallEvent::Placed { leg: of, .. } => *of == leg,
            _ => false,
        });
        row.expect("the leg has a row").call
    }

    fn rows(&self) -> Vec<Row> {
        let rows = self.all.iter().filter_map(|effect| match effect {
            Effect::Ledger(row) => Some(row.clone()),
            _ => None,
        });
        rows.collect()
    }

    /// The fate of the call that this leg began; at most one.
    fn fate(&self, leg: LegId) -> Option<Fate> {
        let call = self.call_of(leg);
        let fates: Vec<Fate> = self
            .rows()
            .into_iter()
            .filter_map(|row| match row.event {
                CallEvent::Ended { fate } if row.call == call => Some(fate),
                _ => None,
            })
            .collect();
        assert!(fates.len() <= 1, "{call} has the fates {fates:?}");
        fates.first().copied()
    }

    fn view(&mut self) -> View {
        self.feed(Input::Look { reply: ReplyId(9) });
        match self.last.pop() {
            Some(Effect::Reply { reply: Reply::Seen(view), .. }) => *view,
            other => panic!("a look gets a view, not {other:?}"),
        }
    }

    fn seat(&mut self, seat: u32) -> SeatView {
        let view = self.view();
        view.seats.into_iter().find(|view| view.seat == SeatId(seat)).expect("the seat is in the plan")
    }
}

fn plan() -> Plan {
    let number = |text: &str| LineNumber::parse(text).unwrap();
    let lines = [
        line("12345", 0, AnswerWhen::AtOnce),
        line("12315", 0, AnswerWhen::BySeat),
        line("12333", 1, AnswerWhen::AtOnce),
        Line {
            phases: vec![Phase::new(Wall(0), Mode::Absorbed, Service::NotServed)],
            ..line("12336", 0, AnswerWhen::AtOnce)
        },
    ];
    let seats = [(8001, vec!["general"]), (8002, vec!["general", "12333"]), (8003, vec!["12333"])];
    Plan {
        deployment: "test".into(),
        lines: lines.into_iter().map(|line| (line.number.clone(), line)).collect(),
        aliases: [(number("081612345"), number("12345"))].into(),
        queues: vec![queue("general", "general"), queue("expert", "12333")],
        seats: seats.into_iter().map(|(id, skills)| (SeatId(id), planned_seat(id, &skills))).collect(),
        ..Plan::default()
    }
}

fn line(number: &str, queue: u16, answer: AnswerWhen) -> Line {
    let greeting = PromptName::new(&format!("greeting/{number}"));
    let service = Service::Queue(QueueService {
        notices: Vec::new(),
        queue: QueueId(queue),
        greeting,
        answer,
        priority: 0,
        desk: None,
    });
    Line {
        number: LineNumber::parse(number).unwrap(),
        name: format!("line {number}"),
        unit: String::new(),
        hours: Hours::Always,
        closed: None,
        phases: vec![Phase::new(Wall(0), Mode::Dual, service)],
    }
}

fn queue(name: &str, skill: &str) -> Queue {
    Queue {
        name: name.into(),
        skill: skill.into(),
        overflow_prompt: PromptName::new("overflow/busy"),
        max_waiting: 3,
        ..Queue::default()
    }
}

fn planned_seat(id: u32, skills: &[&str]) -> crate::dialplan::Seat {
    crate::dialplan::Seat {
        id: SeatId(id),
        name: format!("seat {id}"),
        skills: skills.iter().map(|skill| ((*skill).to_owned(), Level::ORDINARY)).collect(),
        contact: None,
        auto_answer: false,
    }
}

fn music() -> Vec<Source> {
    vec![Source::Music { name: PromptName::new("music/waiting") }]
}

fn voice(leg: LegId) -> Vec<Source> {
    vec![Source::Leg { leg, gain_db: 0 }]
}
