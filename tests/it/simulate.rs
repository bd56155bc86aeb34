//! The simulation held against the live engine: what it predicts for a call is what an INVITE on the wire gets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use yihao::center::{self, Center, PresenceCommand};
use yihao::dialplan::file::Outside;
use yihao::dialplan::{
    AnswerWhen, Destination, OutsideService, Plan, PlanText, RouteOut, Service, ToldEnd, ToldService,
};
use yihao::exchange::{Exchange, Input, Output};
use yihao::media::engine as media;
use yihao::media::ports::PortPool;
use yihao::simulate::{self, Question, ScriptedSeat, Treatment, What, World};
use yihao::sip::endpoint::{self, Config, Endpoint, Network, Secrets, Seeds};
use yihao::sip::flow::{Flow, Transport};
use yihao::types::{
    CallEvent, DestinationId, IdBase, LineNumber, MediaPort, Mono, NetworkId, Now, PhoneNumber, PromptName, QueueId,
    Source, TlsMedia, TrunkId, Wall,
};

use crate::sim::dice::Dice;

/// How many questions are asked of both.
const QUESTIONS: u64 = 10_000;
const BASE: IdBase = IdBase { node: 0, epoch_s: 1 };
/// 2020-01-01 and 2028-01-01 in China.
const YEARS: (i64, i64) = (1_577_808_000_000, 1_830_268_800_000);

/// A plan of the repository, with hours on one line and a calendar that ends with 2026.
fn plan() -> Arc<Plan> {
    let text = include_str!("../../dialplans/mianyang.toml");
    let hours = "\nnumber = \"12319\"\nhours = \"workdays 09:00-17:30\"\nclosed_queue = \"expert-12348\"\n";
    let text = text.replacen("\nnumber = \"12319\"\n", hours, 1);
    assert!(text.contains("closed_queue"), "the line is in the plan");
    let mut text = PlanText::new("mianyang.toml", &text);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/calendar");
    for year in 2020..=2026 {
        let name = format!("{folder}/{year}.toml");
        let read = std::fs::read_to_string(&name).unwrap();
        text.calendar.push(yihao::dialplan::calendar::CalendarFile { name, text: read });
    }
    let (plan, report) = text.read(&Outside { prompts: &|_| true, networks: None });
    let mut plan = plan.unwrap_or_else(|| panic!("{report}"));
    with_other_services(&mut plan);
    Arc::new(plan)
}

/// Puts lines that go on outside and lines that nobody serves among those that wait.
fn with_other_services(plan: &mut Plan) {
    let routes = plan.trunks.iter().map(|trunk| RouteOut { trunk: trunk.name.clone(), number: None }).collect();
    plan.destinations = vec![Destination { name: "sub-center".into(), routes, ring_ms: 30_000 }];
    for trunk in &mut plan.trunks {
        trunk.address = Some("sip:127.0.0.99:5060".to_owned());
    }
    for (n, line) in plan.lines.values_mut().enumerate() {
        let Some(phase) = line.phases.last_mut() else { continue };
        match n % 4 {
            0 => {
                phase.service = Service::Outside(OutsideService {
                    notices: vec![PromptName::new("notice/forward")],
                    destination: DestinationId(0),
                    answer: AnswerWhen::AtOnce,
                    fallback: Some(QueueId(0)),
                    priority: 5,
                });
            }
            1 => {
                let notice = Some(PromptName::new("notice/cancelled"));
                phase.service = Service::Told(ToldService { notice, end: ToldEnd::Gone });
            }
            _ => {}
        }
    }
}

/// What a call comes to first, as both must say it.
#[derive(Debug, PartialEq)]
enum First {
    /// It waits, after these prompts.
    Queue(String, Vec<String>),
    /// It goes on outside, after these prompts.
    Outside(Vec<String>),
    /// It is refused with this status, after these prompts.
    Refused(u16, Vec<String>),
}

fn predicted(plan: &Arc<Plan>, question: &Question) -> First {
    let world = World {
        prompt: &|_| Duration::from_secs(1),
        outside_answers: Duration::from_secs(3),
        talk: Duration::from_secs(5),
        horizon: Duration::from_secs(60),
    };
    let answer = simulate::ask(plan, question, &world);
    let decision = match answer.decision.treatment {
        Treatment::Queue { queue, prompts, .. } => First::Queue(queue, prompts),
        Treatment::Outside { prompts, .. } => First::Outside(prompts),
        Treatment::Told { prompt, status } => First::Refused(status, prompt.into_iter().collect()),
        Treatment::NotServed | Treatment::NoSuchNumber => First::Refused(404, Vec::new()),
    };
    // The steps of the same answer say so too.
    let mut prompts = Vec::new();
    for step in answer.steps {
        match (step.what, &decision) {
            (What::Prompt { name, .. }, _) => prompts.push(name),
            // A rule of overflow may send the call on before it has waited.
            (What::Row { row: CallEvent::Queued { queue, .. } }, First::Queue(_, said)) => {
                assert_eq!(&prompts, said, "{question:?}");
                return First::Queue(queue, prompts);
            }
            // All ways to the place outside are dead: the caller waits in its fallback at once.
            (What::Row { row: CallEvent::Queued { queue, .. } }, First::Outside(said)) => {
                assert_eq!(&prompts, said, "{question:?}");
                return First::Queue(queue, prompts);
            }
            (What::Outside { .. }, First::Outside(said)) | (What::Refused { .. }, First::Refused(_, said)) => {
                assert_eq!(&prompts, said, "{question:?}");
                return decision;
            }
            _ => {}
        }
    }
    panic!("{question:?}: no step says {decision:?}");
}

/// The same call as an INVITE at the exchange.
fn live(plan: &Arc<Plan>, question: &Question) -> First {
    let exchange_at = "127.0.0.1:5060".parse().unwrap();
    let network = Network {
        name: "main".to_owned(),
        listeners: vec![(Transport::Udp, exchange_at)],
        advertised_v4: None,
        advertised_v6: None,
        media_over_tls: TlsMedia::Srtp,
    };
    let config = Config { networks: vec![network], realm: "yihao".to_owned(), ..Config::default() };
    let ports = (0..4).map(|n| MediaPort { network: NetworkId(0), worker: 0, port: 20_000 + 2 * n, v6: false });
    let seeds = Seeds { wire: [7; 32], keys: [0; 32] };
    let legs = BASE.legs_of_endpoint();
    let endpoint = Endpoint::new(config, Arc::clone(plan), Secrets::default(), PortPool::new(ports), legs, seeds);
    let center = Center::new(Arc::clone(plan), center::Config::default(), BASE);
    let mut exchange = Exchange::new(endpoint, center);
    let now = Now { mono: Mono(1_000_000_000_000), wall: question.at };
    let mut out = Vec::new();
    exchange.handle(now, Input::Sip(endpoint::Input::Begin), &mut out);
    for trunk in &plan.trunks {
        let health = center::Input::TrunkHealth { trunk: trunk.id, up: !question.down.contains(&trunk.id) };
        exchange.handle(now, Input::Command(health), &mut out);
    }
    for ScriptedSeat { seat, .. } in question.seats.iter().copied() {
        for command in [
            center::Input::Reachable { seat, reachable: true },
            center::Input::Presence { seat, command: PresenceCommand::SignIn, reply: None },
            center::Input::Presence { seat, command: PresenceCommand::Ready, reply: None },
        ] {
            exchange.handle(now, Input::Command(command), &mut out);
        }
    }
    let source = plan.trunk(question.via).unwrap().sources[0].address;
    let flow = Flow {
        network: NetworkId(0),
        transport: Transport::Udp,
        local: exchange_at,
        remote: (source, 5070).into(),
        connection: None,
    };
    let bytes = invite(question, &source.to_string()).into();
    exchange.handle(now, Input::Sip(endpoint::Input::Message { flow, bytes }), &mut out);
    let (mut prompts, mut runs) = (Vec::new(), BTreeSet::new());
    // Each round ends a prompt; there are a handful at most.
    for _ in 0..10 {
        let mut ended = Vec::new();
        for output in std::mem::take(&mut out) {
            match output {
                Output::Ledger(row) => match row.event {
                    CallEvent::Queued { queue, .. } => return First::Queue(queue, prompts),
                    CallEvent::Dialled { .. } => return First::Outside(prompts),
                    _ => {}
                },
                Output::Send(transmit) => {
                    let head = String::from_utf8_lossy(&transmit.bytes[..11]).into_owned();
                    let status = head.strip_prefix("SIP/2.0 ").and_then(|rest| rest.parse::<u16>().ok());
                    if let Some(status) = status.filter(|status| *status >= 300) {
                        return First::Refused(status, prompts);
                    }
                }
                Output::Media(media::Command::Hear { set, .. }) => {
                    for hear in set {
                        for source in hear.from {
                            if let Source::Prompt { name, run } = source
                                && runs.insert(run)
                            {
                                prompts.push(name.0.to_string());
                                ended.push(media::Event::PromptEnded { leg: hear.leg, run });
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        for event in ended {
            exchange.handle(now, Input::Media(event), &mut out);
        }
    }
    panic!("{question:?}: the call came to nothing");
}

fn invite(question: &Question, from: &str) -> String {
    let caller = question.from.as_ref().map_or("anonymous", PhoneNumber::as_str);
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 {from}\r\ns=-\r\nc=IN IP4 {from}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n");
    format!(
        "INVITE sip:{called}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from}:5070;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:{caller}@{from}:5070>;tag=1\r\nTo: <sip:{called}@127.0.0.1>\r\nCall-ID: 1@{from}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{from}:5070>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}",
        called = question.called,
        length = sdp.len()
    )
}

fn question(dice: &mut Dice, plan: &Plan, numbers: &[LineNumber]) -> Question {
    let digits = |dice: &mut Dice, count: u64| (0..count).map(|_| char::from(b'0' + dice.below(10) as u8)).collect();
    let called = if dice.percent(80) {
        numbers[dice.below(numbers.len() as u64) as usize].clone()
    } else {
        let count = dice.between(3, 12);
        let text: String = digits(dice, count);
        LineNumber::parse(&text).unwrap()
    };
    let number: String = digits(dice, 9);
    let at = YEARS.0 + (dice.below((YEARS.1 - YEARS.0) as u64 / 60_000) as i64) * 60_000;
    let via = dice.below(plan.trunks.len() as u64) as u16;
    let mut down: BTreeSet<TrunkId> = plan.trunks.iter().map(|trunk| trunk.id).filter(|_| dice.percent(30)).collect();
    // Over a dead trunk no call comes.
    down.remove(&TrunkId(via));
    Question {
        called,
        from: dice.percent(90).then(|| PhoneNumber::parse(&format!("13{number}")).unwrap()),
        at: Wall(at),
        via: TrunkId(via),
        down,
        seats: ScriptedSeat::all_of(plan).into_iter().filter(|_| dice.percent(50)).collect(),
        patience: None,
    }
}

#[test]
fn ten_thousand_random_calls_go_where_the_simulation_says() {
    let plan = plan();
    let emergency = plan.emergency.keys();
    let numbers: Vec<LineNumber> = plan.lines.keys().chain(plan.aliases.keys()).chain(emergency).cloned().collect();
    let mut dice = Dice::new(20_261_123);
    let mut seen = [0_u32; 3];
    for n in 0..QUESTIONS {
        let question = question(&mut dice, &plan, &numbers);
        let (predicted, live) = (predicted(&plan, &question), live(&plan, &question));
        assert_eq!(predicted, live, "question {n}: {question:?}");
        seen[match live {
            First::Queue(..) => 0,
            First::Outside(..) => 1,
            First::Refused(..) => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 500), "each end is met often: {seen:?}");
}
