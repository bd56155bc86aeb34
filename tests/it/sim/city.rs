//! The plans of a small city for the worlds of the center: eight lines, three queues, six seats, three places outside. Cities
//! differ in how their queues choose, widen and overflow.

use yihao::dialplan::{
    Announce, AnswerWhen, CalledFrom, CallerPolicy, Desk, Destination, Hours, Line, Mark, Mode, OutsideService,
    Overflow, OverflowTo, OverflowWhen, Phase, Plan, Queue, QueueService, RouteOut, Seat, Service, ToldEnd,
    ToldService, Trunk, Widen, WishOffer,
};
use yihao::types::{
    Agent, AgentId, Choice, DestinationId, Digit, Level, LineNumber, PhoneNumber, PromptName, QueueId, SeatId,
    TlsMedia, TrunkId, Wall, WishKind, Word,
};

pub(crate) const SEATS: [u32; 6] = [8001, 8002, 8003, 8004, 8005, 8006];

const CHOICES: [Choice; 5] =
    [Choice::LongestIdle, Choice::FewestCalls, Choice::RoundRobin, Choice::RingAll, Choice::LastAgent];

/// The plan of the `n`th city; turned it has its queues in another order.
pub(crate) fn plan(n: u64, turned: bool) -> Plan {
    let number = |text: &str| LineNumber::parse(text).expect("a number");
    let mut queues = queues(n);
    if turned {
        queues.reverse();
    }
    let names: Vec<String> = queues.iter().map(|queue| queue.name.clone()).collect();
    let at = |name: &str| {
        let index = names.iter().position(|other| other == name).expect("a queue of the city");
        QueueId(u16::try_from(index).expect("few queues"))
    };
    for queue in &mut queues {
        rules(n, queue, &at);
    }
    let line = |text: &str, queue: &str, answer: AnswerWhen| Line {
        number: number(text),
        name: format!("line {text}"),
        unit: String::new(),
        hours: Hours::Always,
        closed: None,
        phases: vec![Phase::new(
            Wall(0),
            Mode::Dual,
            Service::Queue(QueueService {
                notices: Vec::new(),
                queue: at(queue),
                greeting: PromptName::new(&format!("greeting/{text}")),
                answer,
                priority: u8::from(text == "12315"),
                desk: None,
            }),
        )],
    };
    let with = |text: &str, service: Service| {
        let mut line = line(text, "general", AnswerWhen::AtOnce);
        line.phases[0].service = service;
        line
    };
    let mut lines = vec![
        line("12345", "general", AnswerWhen::AtOnce),
        line("12315", "general", AnswerWhen::BySeat),
        line("12333", "expert", AnswerWhen::AtOnce),
        with("12336", Service::NotServed),
        with("12366", outside(AnswerWhen::AtOnce, &["notice/first", "notice/second"], None)),
        with("12313", outside(AnswerWhen::BySeat, &[], Some(at("general")))),
        with("12349", told(Some("notice/cancelled"), ToldEnd::Gone)),
        with("12305", told(None, ToldEnd::NotFound)),
    ];
    // The old desk rings beside the seats of one line, after a notice.
    if let Service::Queue(service) = &mut lines[1].phases[0].service {
        (service.notices, service.desk) = (vec![PromptName::new("notice/merged")], Some(OLD_DESK));
    }
    let seat = |id: u32| {
        let skills: &[(&str, u8)] = match id % 3 {
            0 => &[("general", 5)],
            1 => &[("general", 5), ("12333", 3)],
            _ => &[("12333", 8)],
        };
        let skills = skills.iter().map(|(skill, of)| ((*skill).to_owned(), level(*of))).collect();
        (SeatId(id), Seat { id: SeatId(id), name: id.to_string(), skills, contact: None, auto_answer: false })
    };
    Plan {
        deployment: "world".into(),
        lines: lines.into_iter().map(|line| (line.number.clone(), line)).collect(),
        seats: SEATS.into_iter().map(seat).collect(),
        desk: Desk {
            reasons: vec![Word::new("meeting")],
            results: vec![Word::new("solved")],
            transfer_reasons: Vec::new(),
            break_ms: 40_000,
        },
        marks: vec![
            Mark { approval: true, queue: Some(at("night")), priority: Some(0), ..mark("nuisance") },
            Mark { priority: Some(8), prompt: Some(PromptName::new("mark/welcome")), ..mark("priority") },
        ],
        queues,
        destinations: destinations(),
        trunks: vec![trunk(0), trunk(1)],
        emergency: [(number("110"), "police".to_owned())].into(),
        ..Plan::default()
    }
}

const SUB_CENTER: DestinationId = DestinationId(0);
const OTHER_SITE: DestinationId = DestinationId(1);
const OLD_DESK: DestinationId = DestinationId(2);

/// All numbers that are dialled at the places outside, beside those of the lines themselves.
pub(crate) const OUTSIDE: [&str; 4] = ["08162212366", "08162299999", "2250857", "2250858"];

fn destinations() -> Vec<Destination> {
    let way = |trunk: &str, number: Option<&str>| RouteOut {
        trunk: trunk.into(),
        number: number.map(|number| PhoneNumber::parse(number).expect("a number")),
    };
    let place = |name: &str, routes| Destination { name: name.into(), routes, ring_ms: 15_000 };
    vec![
        place("sub-center", vec![way("trunk-0", None), way("trunk-1", Some(OUTSIDE[0])), way("gone", None)]),
        place("other-site", vec![way("trunk-1", Some(OUTSIDE[1]))]),
        place("old-desk", vec![way("trunk-0", Some(OUTSIDE[2])), way("trunk-1", Some(OUTSIDE[3]))]),
    ]
}

fn outside(answer: AnswerWhen, notices: &[&str], fallback: Option<QueueId>) -> Service {
    let notices = notices.iter().map(|name| PromptName::new(name)).collect();
    Service::Outside(OutsideService { notices, destination: SUB_CENTER, answer, fallback, priority: 2 })
}

fn told(notice: Option<&str>, end: ToldEnd) -> Service {
    Service::Told(ToldService { notice: notice.map(PromptName::new), end })
}

/// A carrier on whom calls can be placed.
fn trunk(id: u16) -> Trunk {
    Trunk {
        id: TrunkId(id),
        name: format!("trunk-{id}"),
        network: "main".into(),
        sources: Vec::new(),
        tls_identity: None,
        address: Some(format!("sip:10.0.0.{id}")),
        register: None,
        called_from: CalledFrom::RequestUri,
        area_code: "816".into(),
        reaches: yihao::dialplan::Reaches::Network,
        media_over_tls: TlsMedia::Srtp,
        max_calls: None,
        max_calls_per_s: None,
        options_s: None,
        caller_policy: CallerPolicy::Own(LineNumber::parse("12345").expect("a number")),
        group: None,
    }
}

fn mark(name: &str) -> Mark {
    Mark { name: Word::new(name), approval: false, queue: None, priority: None, prompt: None }
}

fn queues(n: u64) -> Vec<Queue> {
    let of = |name: &str, skill: &str| Queue {
        name: name.into(),
        skill: skill.into(),
        overflow_prompt: PromptName::new("overflow/busy"),
        max_waiting: 8,
        wrap_up_ms: 5_000,
        wrap_up_more_ms: 4_000,
        wrap_up_most_ms: 12_000,
        ..Queue::default()
    };
    let choice = |n: u64| CHOICES[usize::try_from(n % 5).expect("small")];
    vec![
        Queue { choice: choice(n), result: n % 4 == 1, ..of("general", "general") },
        Queue { choice: choice(n / 5), max_wait_ms: Some(45_000), ..of("expert", "12333") },
        Queue { max_wait_ms: Some(30_000), ..of("night", "general") },
    ]
}

/// Every other city has rules beside the first come, first served.
fn rules(n: u64, queue: &mut Queue, at: &impl Fn(&str) -> QueueId) {
    let step = |after_ms: u32| Widen { after_ms, ..Widen::default() };
    if n % 3 != 2 {
        queue.announce = Some(Announce { first_ms: 10_000, every_ms: 15_000 });
    }
    if n % 4 > 1 {
        let kind = if n % 4 == 2 { WishKind::Callback } else { WishKind::Message };
        let (prompt, done) = (PromptName::new("wish/offer"), PromptName::new("wish/done"));
        queue.wish = Some(WishOffer { kind, key: Digit('5'), prompt, done, longest_ms: 20_000 });
    }
    match queue.name.as_str() {
        "general" if n % 2 == 1 => {
            queue.ring_most = 3;
            queue.age_ms = Some(20_000);
            queue.level = level(4);
            queue.widen = vec![
                Widen { level: Some(level(1)), ..step(15_000) },
                Widen { skills: vec!["law".into()], ..step(25_000) },
                Widen { queues: vec![at("expert")], ..step(40_000) },
            ];
            queue.overflow = vec![
                Overflow { when: OverflowWhen::NoSeats, to: OverflowTo::Queue(at("expert")) },
                Overflow { when: OverflowWhen::Waited(50_000), to: OverflowTo::Destination(OTHER_SITE) },
                Overflow { when: OverflowWhen::Waited(70_000), to: OverflowTo::Queue(at("night")) },
            ];
        }
        "expert" if n % 3 == 1 => {
            queue.overflow = vec![
                Overflow { when: OverflowWhen::Waiting(3), to: OverflowTo::Queue(at("general")) },
                Overflow { when: OverflowWhen::NoSeats, to: OverflowTo::Queue(at("night")) },
            ];
            if n.is_multiple_of(2) {
                queue.overflow[1].to = OverflowTo::Destination(SUB_CENTER);
            }
        }
        "night" if n.is_multiple_of(2) => {
            queue.overflow = vec![
                Overflow { when: OverflowWhen::Waited(12_000), to: OverflowTo::Destination(OTHER_SITE) },
                Overflow { when: OverflowWhen::Waited(20_000), to: OverflowTo::Message },
            ];
        }
        _ => {}
    }
}

pub(crate) fn level(n: u8) -> Level {
    Level::new(n).expect("a level")
}

/// One of the persons of the city.
pub(crate) fn agent(n: u32) -> Agent {
    let skills: &[(&str, u8)] = match n % 4 {
        0 => &[("general", 9), ("law", 2)],
        1 => &[("general", 2), ("12333", 6)],
        2 => &[("12333", 9), ("law", 9)],
        _ => &[("general", 5), ("12333", 5)],
    };
    let queues: &[&str] = match n % 5 {
        0 => &["expert", "general"],
        1 => &["general"],
        _ => &[],
    };
    Agent {
        id: AgentId(n),
        skills: skills.iter().map(|(skill, of)| ((*skill).to_owned(), level(*of))).collect(),
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
    }
}
