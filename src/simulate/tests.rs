//! Calls played through Mianyang's plan, and plans compared: the answers an operator would act on.

mod cities;

use super::*;
use crate::dialplan::file::{Outside, read};
use crate::dialplan::{AnswerWhen, Destination, OutsideService, RouteOut, Service};
use crate::types::{DestinationId, QueueId};

const PLAN: &str = include_str!("../../dialplans/mianyang.toml");

fn parsed(text: &str) -> Plan {
    let (plan, report) = read("mianyang.toml", text, &Outside { prompts: &|_| true, networks: None });
    plan.unwrap_or_else(|| panic!("{report}"))
}

fn plan() -> Arc<Plan> {
    Arc::new(parsed(PLAN))
}

fn at(text: &str) -> Wall {
    Wall::from_china(text.parse().expect("a moment"))
}

fn question(plan: &Plan, called: &str) -> Question {
    Question {
        called: LineNumber::parse(called).expect("a number"),
        from: Some(PhoneNumber::parse("13900000000").expect("a number")),
        at: at("2026-07-15T03:00"),
        via: TrunkId(0),
        down: BTreeSet::new(),
        seats: ScriptedSeat::all_of(plan),
        patience: None,
    }
}

fn world() -> World<'static> {
    World {
        prompt: &|_| PROMPT,
        outside_answers: Duration::from_secs(3),
        talk: Duration::from_secs(60),
        horizon: Duration::from_secs(1_800),
    }
}

fn played(question: &Question) -> Answer {
    ask(&plan(), question, &world())
}

#[test]
fn a_caller_at_night_hears_the_greeting_and_talks_with_a_seat() {
    let plan = plan();
    let answer = ask(&plan, &question(&plan, "12315"), &world());
    let End::Fate { fate: Fate::Answered { .. } } = answer.end else { panic!("{:?}", answer.end) };
    let Treatment::Queue { queue, prompts, .. } = &answer.decision.treatment else { panic!("{:?}", answer.decision) };
    assert_eq!((queue.as_str(), prompts.last().map(String::as_str)), ("general", Some("greeting/12315")));
    let times =
        |wanted: fn(&What) -> bool| answer.steps.iter().find(|step| wanted(&step.what)).map(|step| step.after_ms);
    assert_eq!(times(|what| matches!(what, What::Prompt { .. })), Some(0));
    assert_eq!(times(|what| matches!(what, What::Seat { .. })), Some(5_000), "after the greeting of five seconds");
    assert_eq!(times(|what| matches!(what, What::Voice)), Some(8_000), "three seconds later");
    assert_eq!(times(|what| matches!(what, What::HangsUp { served: true })), Some(68_000), "a talk of a minute");
    assert!(answer.decision.because.iter().any(|why| why.contains("双号并行")), "{:?}", answer.decision.because);
}

#[test]
fn nobody_at_work_is_told_as_an_end_that_does_not_come() {
    let plan = plan();
    let mut nobody = Question { seats: Vec::new(), ..question(&plan, "12316") };
    let forever = ask(&plan, &nobody, &world());
    nobody.patience = Some(Duration::from_secs(40));
    let patient = ask(&plan, &nobody, &world());
    let waits = |answer: &Answer| {
        answer.steps.iter().any(|step| matches!(&step.what, What::Row { row: CallEvent::Queued { .. } }))
    };
    assert!(waits(&forever) && waits(&patient));
    assert_ne!(forever.end, patient.end);
    assert_eq!(patient.end, End::Fate { fate: Fate::AbandonedInQueue });
    assert_eq!(
        patient.steps.iter().find(|s| matches!(s.what, What::HangsUp { served: false })).map(|s| s.after_ms),
        Some(40_000)
    );
}

#[test]
fn a_silent_seat_costs_a_ring_and_the_next_answers() {
    let plan = plan();
    let all = ScriptedSeat::all_of(&plan);
    let general: Vec<SeatId> =
        plan.seats.values().filter(|s| s.skills.iter().any(|(n, _)| n == "general")).map(|s| s.id).collect();
    let mut seats: Vec<ScriptedSeat> = all.into_iter().filter(|s| general[..2].contains(&s.seat)).collect();
    seats[0].state = SeatState::Silent;
    let answer = ask(&plan, &Question { seats, ..question(&plan, "12345") }, &world());
    assert_eq!(answer.end, End::Fate { fate: Fate::Answered { seat: general[1] } }, "{:?}", answer.steps);
    let rung: Vec<SeatId> =
        answer.steps.iter().filter_map(|s| if let What::Seat { seat } = s.what { Some(seat) } else { None }).collect();
    assert_eq!(rung, general[..2]);
}

#[test]
fn a_number_that_nobody_has_and_a_day_before_the_first_phase_are_refused_with_the_reason() {
    let plan = plan();
    let unknown = played(&question(&plan, "99999"));
    assert_eq!(unknown.end, End::Fate { fate: Fate::Refused { cause: Cause::NoSuchNumber } });
    assert!(unknown.decision.because.iter().any(|why| why.contains("no line of the plan has the number 99999")));
    let early = Question { at: at("2001-01-01T00:00"), ..question(&plan, "12315") };
    let early = played(&early);
    assert!(
        early.decision.because.iter().any(|why| why.contains("no phase of 12315 has begun")),
        "{:?}",
        early.decision
    );
    let emergency = played(&question(&plan, "110"));
    assert!(emergency.decision.because.iter().any(|why| why.contains("emergency number")), "{:?}", emergency.decision);
}

#[test]
fn a_call_over_a_dead_trunk_cannot_come() {
    let plan = plan();
    let dead = Question { down: [TrunkId(0)].into(), ..question(&plan, "12345") };
    let answer = played(&dead);
    assert_eq!((answer.end, answer.steps.len()), (End::NoWayIn, 0));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the clock is what is measured")]
fn the_same_question_has_the_same_answer_within_a_few_milliseconds() {
    let plan = plan();
    let question = question(&plan, "12345");
    let first = ask(&plan, &question, &world());
    let started = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(ask(&plan, &question, &world()), first);
    }
    let one = started.elapsed() / 20;
    // The goal is 5 ms on a quiet machine; ten times that on a busy one without optimisation.
    assert!(one < Duration::from_millis(50), "{one:?}");
}

#[test]
fn who_is_at_work_is_read_with_every_mistake_at_its_place() {
    let plan = plan();
    let known = plan.seats.keys().next().expect("there are seats").0;
    let text = format!("[[seat]]\nnumber = {known}\nstate = \"silent\"\n");
    let (seats, report) = read_seats("seats.toml", &text, &plan);
    assert_eq!(seats, Some(vec![ScriptedSeat { seat: SeatId(known), state: SeatState::Silent }]), "{report}");
    for (text, message) in [
        ("[[seat]]\nnumber = 1\n".to_owned(), "the plan has no seat 1"),
        (format!("[[seat]]\nnumber = {known}\nstate = \"asleep\"\n"), "nothing that a seat does"),
        (format!("[[seat]]\nnumber = {known}\n[[seat]]\nnumber = {known}\n"), "is there twice"),
        ("[[seat]]\nstate = \"ready\"\n".to_owned(), "`number` is missing"),
        ("seat = 8001\n".to_owned(), "expected tables"),
    ] {
        let (seats, report) = read_seats("seats.toml", &text, &plan);
        assert!(seats.is_none() && report.to_string().contains(message), "{text}: {report}");
    }
}

fn changed(from: &str, to: &str) -> Plan {
    let text = PLAN.replacen(from, to, 1);
    assert_ne!(text, PLAN, "{from} stands in the plan");
    parsed(&text)
}

#[test]
fn a_call_that_came_inside_the_hours_is_served_after_them() {
    let keys = "number = \"12315\"\nhours = \"mon-fri 09:00-17:30\"\nclosed_prompt = \"closed\"\n";
    let plan = Arc::new(changed("number = \"12315\"\n", keys));
    let asked = |moment: &str| ask(&plan, &Question { at: at(moment), ..question(&plan, "12315") }, &world());
    // The greeting ends after the hours.
    let late = asked("2026-11-23T17:29:58");
    assert!(matches!(late.end, End::Fate { fate: Fate::Answered { .. } }), "{:?}", late.end);
    let closed = asked("2026-11-23T17:30:00");
    assert_eq!(closed.decision.treatment, Treatment::Told { prompt: Some("closed".to_owned()), status: 480 });
    assert!(closed.decision.because.iter().any(|why| why == "the line is closed"), "{:?}", closed.decision.because);
    assert_eq!(closed.end, End::Fate { fate: Fate::Refused { cause: Cause::Closed } });
    assert_eq!(heard(&closed), ["closed"]);
}

/// Prompts that the caller hears, in order.
fn heard(answer: &Answer) -> Vec<&str> {
    let prompt = |step: &'_ Step| matches!(step.what, What::Prompt { .. });
    let prompts = answer.steps.iter().filter(|step| prompt(step));
    prompts
        .filter_map(|step| if let What::Prompt { name, .. } = &step.what { Some(name.as_str()) } else { None })
        .collect()
}

/// The plan with a line whose own seats stand behind so many of its trunks.
fn with_sub_center(trunks: usize) -> Arc<Plan> {
    let mut plan = (*plan()).clone();
    let routes =
        plan.trunks.iter().take(trunks).map(|trunk| RouteOut { trunk: trunk.name.clone(), number: None }).collect();
    plan.destinations = vec![Destination { name: "sub-center".into(), routes, ring_ms: 30_000 }];
    for trunk in &mut plan.trunks {
        trunk.address = Some("sip:10.0.0.1:5060".to_owned());
    }
    let line = plan.lines.values_mut().find(|line| line.number.as_str() == "12315").expect("it is there");
    line.phases[0].service = Service::Outside(OutsideService {
        notices: vec![PromptName::new("notice/forward")],
        destination: DestinationId(0),
        answer: AnswerWhen::AtOnce,
        fallback: Some(QueueId(0)),
        priority: 5,
    });
    Arc::new(plan)
}

/// The trunks over which somebody outside is dialled, and whether they answer.
fn dialled(answer: &Answer) -> Vec<(&str, bool)> {
    let outside = |step: &'_ Step| matches!(step.what, What::Outside { .. });
    let dials = answer.steps.iter().filter(|step| outside(step));
    dials
        .filter_map(|s| if let What::Outside { trunk, up, .. } = &s.what { Some((trunk.as_str(), *up)) } else { None })
        .collect()
}

#[test]
fn a_call_goes_on_outside_over_the_trunk_that_lives() {
    let plan = with_sub_center(2);
    let [first, second] = [0, 1].map(|n| &plan.trunks[n]);
    let reached = ask(&plan, &question(&plan, "12315"), &world());
    assert_eq!(reached.end, End::Fate { fate: Fate::AnsweredOutside }, "{:?}", reached.steps);
    assert_eq!((heard(&reached), dialled(&reached)), (vec!["notice/forward"], vec![(first.name.as_str(), true)]));
    let one_dead = Question { via: second.id, down: [first.id].into(), ..question(&plan, "12315") };
    let one_dead = ask(&plan, &one_dead, &world());
    assert_eq!(one_dead.end, End::Fate { fate: Fate::AnsweredOutside }, "{:?}", one_dead.steps);
    assert_eq!(dialled(&one_dead).last(), Some(&(second.name.as_str(), true)));
}

#[test]
fn a_caller_whom_nobody_outside_answers_waits_in_the_fallback() {
    let plan = with_sub_center(1);
    let question = Question { via: plan.trunks[1].id, down: [plan.trunks[0].id].into(), ..question(&plan, "12315") };
    let answer = ask(&plan, &question, &world());
    assert!(matches!(answer.end, End::Fate { fate: Fate::Answered { .. } }), "{:?}", answer.steps);
    let queued =
        |step: &Step| matches!(&step.what, What::Row { row: CallEvent::Queued { queue, .. } } if queue == "general");
    assert!(answer.steps.iter().any(queued), "{:?}", answer.steps);
    assert!(dialled(&answer).iter().all(|(_, up)| !up));
}

#[test]
fn equal_plans_differ_nowhere() {
    let year = Period { from: jiff::civil::date(2026, 1, 1), to: jiff::civil::date(2026, 12, 31) };
    assert_eq!(diff(&plan(), &plan(), year), []);
}

#[test]
fn a_changed_date_is_one_range_of_one_line() {
    let mut before = (*plan()).clone();
    before.lines.retain(|number, _| number.as_str() == "12315");
    let mut after = before.clone();
    let line = after.lines.values_mut().next().expect("it is there");
    let first = line.phases[0].from;
    line.phases[0].from = Wall(first.0 + 86_400_000);
    let day = plan().clocks.at(first).date();
    let period = Period { from: day, to: day.checked_add(jiff::ToSpan::days(30)).expect("a day") };
    let changes = diff(&before, &after, period);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].ranges, [Range { from: first, to: Wall(first.0 + 86_400_000) }]);
    assert_eq!((changes[0].line.as_str(), &changes[0].after), ("12315", &Treatment::NoSuchNumber));
}

#[test]
fn hours_are_compared_by_the_quarter_of_an_hour_and_equal_changes_merged() {
    let after = changed(
        "number = \"12315\"\n",
        "number = \"12315\"\nhours = \"mon-fri 09:00-17:30\"\nclosed_prompt = \"closed\"\n",
    );
    // Monday to Sunday.
    let week = Period { from: jiff::civil::date(2026, 11, 23), to: jiff::civil::date(2026, 11, 29) };
    let changes = diff(&plan(), &after, week);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].after, Treatment::Told { prompt: Some("closed".to_owned()), status: 480 });
    let hours: i64 = changes[0].ranges.iter().map(|range| (range.to.0 - range.from.0) / 900_000).sum();
    assert_eq!(hours, 7 * 96 - 5 * 34, "all quarters but the open ones");
    assert_eq!(changes[0].ranges.len(), 6, "five nights with their mornings, and the weekend: {:?}", changes[0].ranges);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the clock is what is measured")]
fn a_year_of_twelve_lines_is_compared_in_seconds() {
    let mut before = (*plan()).clone();
    let keep: Vec<LineNumber> = before.lines.keys().take(12).cloned().collect();
    before.lines.retain(|number, _| keep.contains(number));
    let mut after = before.clone();
    after.queues[0].name = "renamed".to_owned();
    let year = Period { from: jiff::civil::date(2026, 1, 1), to: jiff::civil::date(2026, 12, 31) };
    let started = std::time::Instant::now();
    let changes = diff(&before, &after, year);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(!changes.is_empty());
}
