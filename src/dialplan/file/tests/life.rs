//! Modes as presets of attributes, the life of a number, and the places outside that its calls go on to.

use super::*;
use crate::dialplan::{Answering, Lifecycle, Mode, NumberFate, ToldEnd, Unresolved, Worded};

/// The good plan with two destinations, a second seat, and the phases of 12333 replaced.
fn plan_with(phases: &str) -> String {
    let places = "[[destination]]\nname = \"bureau\"\nring_s = 20\n[[destination.route]]\ntrunk = \"telecom\"\n\
                  number = \"08163330000\"\n[[destination]]\nname = \"old-desk\"\nroute = [{ trunk = \"telecom\", number = \"08163330001\" }]\n\n";
    let a = GOOD.find("[[line.phase]]\nfrom = 2021-10-15").expect("the phase of 12333");
    let b = GOOD.find("[[seat]]").expect("the seat");
    let text = format!("{}{phases}\n{}", &GOOD[..a], &GOOD[b..]);
    text.replace("[[queue]]\nname = \"general\"", &format!("{places}[[queue]]\nname = \"general\""))
}

fn phase(from: &str, keys: &str) -> String {
    format!("[[line.phase]]\nfrom = {from}\n{keys}\n")
}

/// The phases of 12333 in a plan that may have warnings.
fn phases_of(text: &str) -> (Vec<crate::dialplan::Phase>, Report) {
    let (plan, report) = check(text);
    let plan = plan.unwrap_or_else(|| panic!("{report}\n{text}"));
    (plan.lines[&number("12333")].phases.clone(), report)
}

fn first_phase(keys: &str) -> crate::dialplan::Phase {
    phases_of(&plan_with(&phase("2021-10-15", keys))).0.remove(0)
}

/// What is wrong with the phases of 12333.
fn wrong(phases: &str) -> ((usize, usize), String, String) {
    only_error(&plan_with(phases))
}

const QUEUE: &str = "queue = \"general\"";

/// The twelve combinations of the sources (their examples in brackets): what stands in the plan, and what it means.
#[test]
fn each_combination_of_the_sources_is_a_mode_or_a_mode_with_an_attribute() {
    use {Answering as S, Lifecycle as L, NumberFate as N, Unresolved as U};
    let there = "destination = \"bureau\"";
    let cases = [
        ("12336", "absorbed", QUEUE, "整体并入", (N::Cancel, S::Here, U::Order, L::Integrating)),
        ("12369", "dual", QUEUE, "双号并行", (N::Keep, S::Here, U::Order, L::InForce)),
        (
            "12316",
            "dual",
            "queue = \"expert-12333\"\nseats = \"experts\"",
            "双号并行",
            (N::Keep, S::Experts, U::Order, L::InForce),
        ),
        ("12366", "sub-center", there, "设分中心", (N::Keep, S::Own, U::Transfer, L::InForce)),
        ("96119", "elsewhere", there, "归并至其他热线", (N::Cancel, S::OtherLine, U::OtherLine, L::Integrating)),
        ("5189000", "transition", QUEUE, "过渡期", (N::Cancel, S::Here, U::Order, L::Transition)),
        ("12322", "accept-and-push", QUEUE, "受理推送", (N::Keep, S::Here, U::Push, L::InForce)),
        ("12315", "accept-and-handle", QUEUE, "受理转办", (N::Keep, S::Here, U::Order, L::InForce)),
        (
            "12348",
            "transfer",
            "queue = \"general\"\ndestination = \"bureau\"",
            "电话转接",
            (N::Keep, S::Here, U::Transfer, L::InForce),
        ),
        ("5112345", "peer", there, "上级热线", (N::Keep, S::Own, U::Transfer, L::InForce)),
        ("12349", "external", there, "企业自主化运作", (N::Keep, S::Operator, U::Operator, L::NotMerged)),
        (
            "an office",
            "internal",
            "office = 8001",
            "转为内部办公电话",
            (N::Internal, S::Office, U::Nowhere, L::InForce),
        ),
    ];
    for (example, mode, keys, shown, (number_fate, seats, unresolved_to, lifecycle)) in cases {
        let phase = first_phase(&format!("mode = {mode:?}\n{keys}"));
        assert_eq!(phase.mode.shown(), shown, "{example}");
        let of = phase.attributes;
        let is = (of.number_fate, of.seats, of.unresolved_to, of.lifecycle);
        assert_eq!(is, (number_fate, seats, unresolved_to, lifecycle), "{example}");
    }
}

#[test]
fn a_phase_may_set_each_attribute_of_its_mode_itself() {
    let keys = "mode = \"dual\"\nqueue = \"general\"\nseats = \"experts\"\nexperts = \"expert-12333\"\n\
                unresolved_to = \"three-party\"\nlifecycle = \"integrating\"\nnumber_fate = \"cancel\"";
    let phase = first_phase(keys);
    assert_eq!(phase.mode, Mode::Dual);
    assert_eq!(phase.experts, Some(QueueId(1)));
    let of = phase.attributes;
    assert_eq!((of.number_fate, of.seats), (NumberFate::Cancel, Answering::Experts));
    assert_eq!((of.unresolved_to, of.lifecycle), (Unresolved::ThreeParty, Lifecycle::Integrating));
    let (_, marked, message) = wrong(&phase_text("mode = \"dual\"\nqueue = \"general\"\nseats = \"hear\""));
    assert_eq!(marked, "\"hear\"", "{message}");
    assert!(message.contains("did you mean \"here\""), "{message}");
}

fn phase_text(keys: &str) -> String {
    phase("2021-10-15", keys)
}

#[test]
fn every_word_is_written_and_shown_once() {
    fn distinct<'t>(words: impl Iterator<Item = &'t str>) -> bool {
        let words: Vec<&str> = words.collect();
        words.iter().collect::<BTreeSet<_>>().len() == words.len()
    }
    assert!(distinct(Mode::ALL.iter().map(|mode| mode.word())));
    assert!(distinct(Mode::ALL.iter().map(|mode| mode.shown())));
    assert!(Mode::ALL.iter().all(|mode| Mode::of(mode.word()) == Some(*mode)));
    assert_eq!(Mode::of("dua"), None, "words are compared whole");
    assert_eq!(Mode::Cancelled.shown(), crate::types::CANCELLED_MODE, "records and counters know it by this name");
}

#[test]
fn techniques_are_keys_that_can_be_combined_and_dated() {
    let text = plan_with(&format!(
        "{}{}{}",
        phase("2021-10-15", "mode = \"dual\"\nforward = \"old-desk\"\nnotices = [\"notice/forward\", \"notice/b\"]"),
        phase(
            "2021-11-15T08:30:00",
            "mode = \"dual\"\nqueue = \"general\"\nparallel = \"old-desk\"\nnotices = [\"notice/a\"]"
        ),
        phase(
            "2022-01-01",
            "mode = \"sub-center\"\ndestination = \"bureau\"\nfallback = \"general\"\nanswer = \"by-seat\""
        ),
    ));
    let (phases, _) = phases_of(&text);
    let Service::Outside(forward) = &phases[0].service else { panic!("a forward goes outside") };
    assert_eq!((forward.destination.0, forward.fallback, forward.notices.len()), (1, None, 2));
    let Service::Queue(both) = &phases[1].service else { panic!("parallel answering waits in a queue too") };
    assert_eq!(
        (both.desk.map(|desk| desk.0), both.notices.as_slice()),
        (Some(1), [PromptName::new("notice/a")].as_slice())
    );
    // 2021-11-15 08:30 in Shanghai is 00:30 UTC.
    assert_eq!(phases[1].from, Wall(1_636_936_200_000));
    let Service::Outside(own) = &phases[2].service else { panic!("a sub-center answers itself") };
    assert_eq!((own.destination.0, own.fallback, own.answer), (0, Some(QueueId(0)), AnswerWhen::BySeat));
    assert_eq!(phases[2].own_seats.map(|to| to.0), Some(0));
}

#[test]
fn a_transition_has_its_notice_and_ends_after_the_months_of_the_plan() {
    let months = |text: String, n: u32| text.replace("\n[skills]", &format!("transition_months = {n}\n\n[skills]"));
    let transition = plan_with(&phase("2021-11-30", "mode = \"transition\"\nqueue = \"general\""));
    let (phases, report) = phases_of(&months(transition.clone(), 3));
    assert!(!report.to_string().contains("to be cancelled"), "{report}");
    let Service::Queue(service) = &phases[0].service else { panic!("a transition serves") };
    assert_eq!(service.notices, [PromptName::new("notice/transition")]);
    // 30 November and three calendar months: 28 February 00:00 in Shanghai.
    assert_eq!((phases.len(), phases[1].from), (2, Wall(1_645_977_600_000)));
    assert_eq!(phases[1].mode, Mode::Cancelled);
    let Service::Told(told) = &phases[1].service else { panic!("then it is dead") };
    assert_eq!((told.end, told.notice.as_ref()), (ToldEnd::Gone, Some(&PromptName::new("notice/cancelled"))));
    let (phases, report) = phases_of(&transition);
    assert_eq!(phases.len(), 1, "no length is guessed");
    assert!(report.to_string().contains("no phase does it"), "{report}");
    let until = plan_with(&phase("2021-11-30", "until = 2022-06-01\nmode = \"transition\"\nqueue = \"general\""));
    let (phases, _) = phases_of(&months(until, 3));
    assert_eq!(phases[1].from, Wall(1_654_012_800_000), "its own end counts before the plan's");
}

#[test]
fn a_cancelled_number_gets_410_or_404_by_setting() {
    let told = |text: &str| match &phases_of(text).0[0].service {
        Service::Told(told) => told.clone(),
        other @ (Service::Queue(_) | Service::Outside(_) | Service::NotServed) => panic!("not told: {other:?}"),
    };
    let dead = plan_with(&phase_text("mode = \"cancelled\""));
    assert_eq!(told(&dead).end, ToldEnd::Gone);
    let silent = dead.replace("\n[skills]", "cancelled_end = \"not-found\"\n\n[skills]");
    assert_eq!((told(&silent).end, told(&silent).notice), (ToldEnd::NotFound, None));
    let own = plan_with(&phase_text("mode = \"cancelled\"\nend = \"gone\"\nnotices = [\"notice/own\"]"));
    assert_eq!(told(&own).notice, Some(PromptName::new("notice/own")));
}

#[test]
fn a_cancelled_number_never_comes_back_without_a_reason_on_record() {
    let back = |more: &str| {
        let dead = phase("2021-10-15", "mode = \"cancelled\"");
        format!("{dead}{}", phase("2023-01-01", &format!("mode = \"dual\"\nqueue = \"general\"\n{more}")))
    };
    let (_, marked, message) = wrong(&back(""));
    assert_eq!(marked, "[[line.phase]]", "{message}");
    assert!(message.contains("a cancelled number does not come back"), "{message}");
    let (_, _, message) = wrong(&back("reactivated = { by = \"\", reason = \"flood\" }"));
    assert!(message.contains("only with a name and a reason"), "{message}");
    let (phases, _) = phases_of(&plan_with(&back("reactivated = { by = \"Li\", reason = \"flood\" }")));
    assert_eq!(phases[1].reactivated.as_ref().map(|word| word.reason.as_str()), Some("flood"));
    let (_, _, message) =
        wrong(&phase_text("mode = \"dual\"\nqueue = \"general\"\nreactivated = { by = \"a\", reason = \"b\" }"));
    assert!(message.contains("was not cancelled"), "{message}");
}

#[test]
fn phases_with_an_end_leave_no_gap_and_do_not_overlap() {
    let two = |until: &str| {
        let first = phase("2021-10-15", &format!("until = {until}\nmode = \"dual\"\nqueue = \"general\""));
        format!("{first}{}", phase("2022-01-01", "mode = \"cancelled\""))
    };
    assert!(check(&plan_with(&two("2022-01-01"))).1.is_ok());
    for (until, part) in [("2021-12-31", "a gap"), ("2022-01-02", "an overlap"), ("2022-01-01T00:01:00", "an overlap")]
    {
        let (_, marked, message) = wrong(&two(until));
        assert_eq!(marked, until, "{message}");
        assert!(message.contains(part) && message.contains("the next begins 2022-01-01 00:00"), "{message}");
    }
    let (_, _, message) = wrong(&phase_text("until = 2022-01-01\nmode = \"dual\"\nqueue = \"general\""));
    assert!(message.contains("from 2022-01-01 00:00 on would end nowhere"), "{message}");
}

#[test]
fn an_internal_number_is_closed_to_trunks_and_rings_its_office_for_seats() {
    let plan = check(&plan_with(&phase_text("mode = \"internal\"\noffice = 8001"))).0.expect("a plan");
    let Route::Line { service: Service::Told(told), .. } = plan.route(&call(Origin::Trunk(TrunkId(0)), "12333"), TODAY)
    else {
        panic!("the number is a line")
    };
    assert_eq!((told.end, &told.notice), (ToldEnd::NotFound, &None));
    let from_a_seat = plan.callee(&PhoneNumber::parse("12333").expect("a number"), TODAY);
    assert_eq!(from_a_seat, Callee::Seat(SeatId(8001)));
    assert_eq!(plan.callee(&PhoneNumber::parse("12333").expect("a number"), Wall(0)), Callee::OwnLine, "not before");
    let (_, _, message) = wrong(&phase_text("mode = \"internal\"\noffice = 8002"));
    assert!(message.contains("there is no seat 8002"), "{message}");
}

#[test]
fn a_line_that_is_planned_or_given_out_has_no_queue() {
    let planned = first_phase("mode = \"planned\"");
    assert!(matches!(&planned.service, Service::Told(told) if told.end == ToldEnd::NotFound && told.notice.is_none()));
    let given = first_phase("mode = \"external\"\nnotices = [\"notice/company\"]");
    assert!(matches!(&given.service, Service::Told(told) if told.notice == Some(PromptName::new("notice/company"))));
    let (_, _, message) = wrong(&phase_text("mode = \"external\""));
    assert!(message.contains("give out its number"), "{message}");
    let (_, _, message) = wrong(&phase_text("mode = \"sub-center\""));
    assert!(message.contains("`destination` is missing"), "{message}");
}

#[test]
fn mistakes_in_places_units_and_utilities_are_named() {
    let (_, marked, message) = wrong(&phase_text("mode = \"sub-center\"\ndestination = \"bureu\""));
    assert_eq!(marked, "\"bureu\"");
    assert!(message.contains("did you mean \"bureau\""), "{message}");
    let (_, marked, message) = only_error(
        &plan_with("")
            .replace("route = [{ trunk = \"telecom\",", "route = [{ trunk = \"telecm\",")
            .replace("[[seat]]", &format!("{}[[seat]]", phase_text("mode = \"planned\""))),
    );
    assert_eq!(marked, "\"telecm\"", "{message}");
    let units = with("\n[skills]", "units = [\"司法局\"]\n\n[skills]");
    let (_, marked, message) = only_error(&units);
    assert_eq!(marked, "\"人社局\"", "{message}");
    assert!(message.contains("no unit"), "{message}");
    let (_, _, message) = only_error(&with(
        "\n[[line]]\nnumber = \"12345\"",
        "\n[[utility]]\nnumber = \"95598\"\nname = \"供电\"\n\n[[line]]\nnumber = \"95598\"\nname = \"x\"\n[[line.phase]]\nfrom = 2021-01-01\nmode = \"planned\"\n\n[[line]]\nnumber = \"12345\"",
    ));
    assert!(message.contains("the number of a utility (供电) and is never merged"), "{message}");
    let (_, _, message) = only_error(&with("zone = \"Asia/Shanghai\"\n", ""));
    assert!(message.contains("`zone` is missing"), "{message}");
    let branch = "\n[[branch]]\nname = \"b\"\ntrunk = \"telecom\"\nqueue = \"general\"\nlines = [\"12344\"]\n";
    let (_, _, message) = only_error(&format!("{GOOD}{branch}"));
    assert!(message.contains("no line 12344"), "{message}");
}
