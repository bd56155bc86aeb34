//! Each mistake at its place, and the plan of Mianyang.

use std::collections::BTreeSet;

use super::*;
use crate::dialplan::report::Finding;
use crate::dialplan::{AnswerWhen, CalledFrom, Callee, CallerPolicy, Hours, Mode, Route, Service};
use crate::types::{Arrival, Calling, Origin, PhoneNumber, SeatId, TrunkId, Wall};

mod broken;
mod cities;
mod life;

/// A plan without mistakes. The tests change one thing in it.
pub(super) const GOOD: &str = r#"deployment = "test"
zone = "Asia/Shanghai"

[skills]
general = "综合"
"12333" = "人社"

[[trunk]]
name = "telecom"
network = "main"
sources = ["10.0.0.0/24", "2001:db8::/64"]
address = "sip:10.0.0.1:5060;transport=udp"
options_s = 30
area_code = "816"
group = { name = "out", order = 1, weight = 50 }
caller = { policy = "own", number = "12345" }
max_calls = 100
[[queue]]
name = "general"
skill = "general"

[[queue]]
name = "expert-12333"
skill = "12333"
ring_ms = 20000

[[emergency]]
number = "12389"
name = "警务监督"

[[line]]
number = "12345"
name = "政务服务便民热线"

[[line.phase]]
from = 2021-04-15
mode = "hotline"
queue = "general"

[[line]]
number = "12333"
name = "人社热线"
unit = "人社局"
also = ["081612333"]
hours = "7x24"

[[line.phase]]
from = 2021-10-15
mode = "dual"
queue = "expert-12333"
greeting = "greeting/hr"
answer = "by-seat"
priority = 7

[[seat]]
number = 8001
name = "一号"
skills = ["general", "12333"]
"#;

pub(super) fn check(text: &str) -> (Option<Plan>, Report) {
    let networks: BTreeSet<String> = ["main".to_owned(), "seats".to_owned()].into();
    let prompts = |name: &str| name != "greeting/absent" && !name.starts_with("feature/gone");
    read("plan.toml", text, &Outside { prompts: &prompts, networks: Some(&networks) })
}

/// The good plan with one text replaced by another.
fn with(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old:?} stands once in the good plan");
    GOOD.replacen(old, new, 1)
}

fn at(finding: &Finding) -> (usize, usize) {
    finding.place.as_ref().map_or((0, 0), |place| (place.line, place.column))
}

/// The one error of a text: its place, the marked text, its message with the hint.
fn only_error(text: &str) -> ((usize, usize), String, String) {
    let (plan, report) = check(text);
    assert!(plan.is_none(), "a plan with a mistake is no plan");
    assert_eq!(report.errors.len(), 1, "one mistake, one error:\n{report}");
    let finding = &report.errors[0];
    let marked = finding
        .place
        .as_ref()
        .map_or_else(String::new, |place| place.excerpt.chars().skip(place.column - 1).take(place.length).collect());
    (at(finding), marked, format!("{} / {}", finding.message, finding.hint.as_deref().unwrap_or("")))
}

fn number(text: &str) -> LineNumber {
    LineNumber::parse(text).expect("a number")
}

fn call(origin: Origin, called: &str) -> Arrival {
    Arrival {
        origin,
        called: number(called),
        calling: Calling::default(),
        call_id: String::new(),
        source: "10.0.0.1".parse().expect("an address"),
    }
}

/// A moment of 2026, when every phase has begun.
const TODAY: Wall = Wall(1_795_000_000_000);

#[test]
fn a_good_plan_is_read_whole() {
    let (plan, report) = check(GOOD);
    assert!(report.is_clean(), "{report}");
    let plan = plan.expect("a plan");
    assert_eq!((plan.deployment.as_str(), plan.zone.as_str()), ("test", "Asia/Shanghai"));
    let trunk = &plan.trunks[0];
    assert_eq!((trunk.called_from, trunk.sources.len(), trunk.max_calls), (CalledFrom::RequestUri, 2, Some(100)));
    assert_eq!(trunk.caller_policy, CallerPolicy::Own(number("12345")));
    assert_eq!(trunk.group.as_ref().map(|group| (group.order, group.weight)), Some((1, 50)));
    assert_eq!((plan.queues[0].ring_ms, plan.queues[1].ring_ms, plan.queues[0].wrap_up_ms), (15_000, 20_000, 30_000));
    let line = &plan.lines[&number("12333")];
    assert_eq!((line.unit.as_str(), &line.hours), ("人社局", &Hours::Always));
    // 2021-10-15 00:00 in Shanghai is 2021-10-14 16:00 UTC.
    assert_eq!((line.phases[0].from, line.phases[0].mode), (Wall(1_634_227_200_000), Mode::Dual));
    let Service::Queue(service) = &line.phases[0].service else { panic!("a dual line rings a queue") };
    assert_eq!((service.queue, service.answer, service.priority), (QueueId(1), AnswerWhen::BySeat, 7));
    assert_eq!(service.greeting, PromptName::new("greeting/hr"));
    assert_eq!(plan.emergency.len(), 5, "the country's four, and 12389");
    let skilled = |name: &str| (name.to_owned(), crate::types::Level::ORDINARY);
    assert_eq!(plan.seats[&SeatId(8001)].skills, [skilled("general"), skilled("12333")]);
}

#[test]
fn each_mistake_is_shown_where_it_stands() {
    // What is replaced by what, where the mistake then stands, what is marked, a part of the message.
    type Case = (&'static str, &'static str, (usize, usize), &'static str, &'static str);
    let cases: &[Case] = &[
        ("queue = \"general\"", "queue = \"genral\"", (38, 9), "\"genral\"", "did you mean \"general\""),
        ("skill = \"12333\"", "skill = \"12334\"", (24, 9), "\"12334\"", "there is no skill"),
        (
            "skills = [\"general\", \"12333\"]",
            "skills = [\"general\", \"law\"]",
            (58, 22),
            "\"law\"",
            "use one of: 12333, general",
        ),
        ("network = \"main\"", "network = \"carrier\"", (10, 11), "\"carrier\"", "has no network \"carrier\""),
        ("mode = \"dual\"", "mode = \"duall\"", (49, 8), "\"duall\"", "did you mean \"dual\""),
        ("from = 2021-10-15", "from = \"2021-10-15\"", (48, 8), "\"2021-10-15\"", "without quotes"),
        (
            "from = 2021-10-15",
            "from = 2021-10-15T00:00:00Z",
            (48, 8),
            "2021-10-15T00:00:00Z",
            "no day in the plan's zone",
        ),
        ("priority = 7", "priority = 10", (53, 12), "10", "use 0 to 9"),
        ("priority = 7", "priority = \"7\"", (53, 12), "\"7\"", "expected a whole number, not a text"),
        ("ring_ms = 20000", "ring_ms = 20", (25, 11), "20", "use 3000 to 120000"),
        ("ring_ms = 20000", "ring_ms = -5", (25, 11), "-5", "out of bounds"),
        ("answer = \"by-seat\"", "answer = \"later\"", (52, 10), "\"later\"", "at-once"),
        (
            "greeting = \"greeting/hr\"",
            "greeting = \"greeting/absent\"",
            (51, 12),
            "\"greeting/absent\"",
            "8k/greeting/absent.wav",
        ),
        ("greeting = \"greeting/hr\"", "greeting = \"../../etc\"", (51, 12), "\"../../etc\"", "no name of a prompt"),
        ("hours = \"7x24\"", "hours = \"9 to 5\"", (45, 9), "\"9 to 5\"", "workdays 09:00-17:30"),
        ("\"10.0.0.0/24\"", "\"10.0.0.7/24\"", (11, 12), "\"10.0.0.7/24\"", "the network is 10.0.0.0/24"),
        ("address = \"sip:10", "address = \"10", (12, 11), "\"10.0.0.1:5060;transport=udp\"", "begins with sip:"),
        ("area_code = \"816\"", "area_code = \"0816\"", (14, 13), "\"0816\"", "without 0"),
        ("weight = 50", "weight = 0", (15, 45), "0", "use 1 to 100"),
        ("policy = \"own\"", "policy = \"mine\"", (16, 21), "\"mine\"", "own, callers, mapped"),
        ("number = 8001", "number = 12333", (56, 10), "12333", "it is a line in line 41"),
        ("also = [\"081612333\"]", "also = [\"12345\"]", (44, 9), "\"12345\"", "it is a line in line 32"),
        ("zone = \"Asia/Shanghai\"", "zone = \"Asia/Peking\"", (2, 8), "\"Asia/Peking\"", "Asia/Shanghai"),
        ("unit = \"人社局\"", "unti = \"人社局\"", (43, 1), "unti", "did you mean `unit`?"),
        ("number = \"12345\"\nname", "number = \"123-45\"\nname", (32, 10), "\"123-45\"", "3 to 20 digits"),
        ("number = \"12345\"\nname", "number = \"*41\"\nname", (32, 10), "\"*41\"", "3 to 20 digits"),
        ("deployment = \"test\"\n", "deployment = test\n", (1, 14), "test", "toml.io"),
    ];
    for (old, new, place, marked, part) in cases {
        let (is, shown, message) = only_error(&with(old, new));
        assert_eq!((is, shown.as_str()), (*place, *marked), "{new}: {message}");
        assert!(message.contains(part), "{new}: {message}");
    }
}

#[test]
fn all_mistakes_are_found_in_one_run() {
    let text = GOOD
        .replace("queue = \"general\"", "queue = \"nobody\"")
        .replace("ring_ms = 20000", "ring_ms = 1\nrings = 2")
        .replace("area_code = \"816\"", "area_code = 816")
        .replace("mode = \"dual\"", "mode = \"double\"");
    let (_, report) = check(&text);
    let places: Vec<(usize, usize)> = report.errors.iter().map(at).collect();
    assert_eq!(places, [(14, 13), (25, 11), (26, 1), (39, 9), (50, 8)], "{report}");
}

#[test]
fn all_mistakes_of_syntax_are_found_in_one_run() {
    let (plan, report) = check("deployment = \nzone = \"x\"\n[skills\n");
    assert!(plan.is_none());
    let lines: Vec<usize> = report.errors.iter().map(|finding| at(finding).0).collect();
    assert_eq!(lines, [1, 3], "{report}");
}

#[test]
fn an_empty_file_names_what_a_plan_needs() {
    let (plan, report) = check("");
    assert!(plan.is_none());
    for key in ["deployment", "skills", "queue", "line", "seat"] {
        assert!(report.errors.iter().any(|finding| finding.key == key), "{key}: {report}");
    }
}

#[test]
fn missing_values_are_named_at_the_head_of_their_table() {
    let (is, marked, message) = only_error(&with("area_code = \"816\"\n", ""));
    assert_eq!((is, marked.as_str()), ((8, 1), "[[trunk]]"), "{message}");
    assert!(message.contains("`area_code` is missing in `trunk[0]`"), "{message}");
    let (is, marked, message) = only_error(&with("from = 2021-10-15\n", ""));
    assert_eq!((is, marked.as_str()), ((47, 1), "[[line.phase]]"), "{message}");
    let (_, _, message) = only_error(&with("address = \"sip:10.0.0.1:5060;transport=udp\"\noptions_s = 30\n", ""));
    assert!(message.contains("`group` of the trunk \"telecom\" needs an `address`"), "{message}");
}

#[test]
fn no_emergency_number_becomes_a_line() {
    for emergency in ["110", "119", "120", "122", "12389"] {
        for phase in [
            "mode = \"dual\"\nqueue = \"general\"\n",
            "mode = \"absorbed\"\nqueue = \"general\"\n",
            "mode = \"planned\"\n",
            "mode = \"cancelled\"\n",
        ] {
            let line = format!(
                "\n[[line]]\nnumber = \"{emergency}\"\nname = \"x\"\n[[line.phase]]\nfrom = 2021-01-01\n{phase}"
            );
            let (is, marked, message) = only_error(&format!("{GOOD}{line}"));
            assert_eq!((is.0, marked), (61, format!("\"{emergency}\"")), "{message}");
            assert!(message.contains("is never merged"), "{message}");
        }
    }
    let (is, _, message) = only_error(&with("also = [\"081612333\"]", "also = [\"110\"]"));
    assert_eq!(is, (44, 9), "not as another way to write a line either: {message}");
}

#[test]
fn a_listed_emergency_number_is_data_and_12369_is_not_96369() {
    let line = "\n[[line]]\nnumber = \"12369\"\nname = \"环保\"\n[[line.phase]]\nfrom = 2021-01-01\nmode = \"dual\"\nqueue = \"general\"\n";
    let text = format!("{}{line}", GOOD.replace("number = \"12389\"", "number = \"96369\""));
    let (plan, report) = check(&text);
    assert!(report.is_ok(), "{report}");
    assert_eq!(plan.expect("a plan").emergency.get(&number("96369")).map(String::as_str), Some("警务监督"));
}

#[test]
fn numbers_and_names_stand_once() {
    let again =
        "\n[[line]]\nnumber = \"12345\"\nname = \"x\"\n[[line.phase]]\nfrom = 2021-01-01\nmode = \"cancelled\"\n";
    let (is, _, message) = only_error(&format!("{GOOD}{again}"));
    assert_eq!(is, (61, 10), "{message}");
    assert!(message.contains("it is a line in line 32"), "{message}");
    let (_, _, message) = only_error(
        &with("name = \"expert-12333\"", "name = \"general\"")
            .replace("queue = \"expert-12333\"", "queue = \"general\""),
    );
    assert!(message.contains("two queues named \"general\" / the first is in line 19"), "{message}");
    let trunk = "\n[[trunk]]\nname = \"telecom\"\nnetwork = \"seats\"\nsources = [\"10.9.0.1\"]\narea_code = \"816\"\n";
    let (_, _, message) = only_error(&format!("{GOOD}{trunk}"));
    assert!(message.contains("two trunks named \"telecom\""), "{message}");
    let seat = "\n[[seat]]\nnumber = 8001\nskills = [\"general\"]\n";
    let (_, _, message) = only_error(&format!("{GOOD}{seat}"));
    assert!(message.contains("it is a seat in line 56"), "{message}");
}

#[test]
fn an_address_names_one_trunk_of_a_network() {
    let trunk = |network: &str, range: &str, more: &str| {
        let head = format!("\n[[trunk]]\nname = \"other\"\nnetwork = \"{network}\"\nsources = [\"{range}\"]\n");
        format!("{GOOD}{head}area_code = \"816\"\n{more}")
    };
    let (is, _, message) = only_error(&trunk("main", "10.0.0.0/24", ""));
    assert_eq!(is, (63, 12), "{message}");
    assert!(message.contains("the trunk \"telecom\" has the same range"), "{message}");
    for good in [
        trunk("seats", "10.0.0.0/24", ""),
        trunk("main", "10.0.0.128/25", ""),
        trunk("main", "10.0.0.0/24", "tls_identity = \"carrier.example\"\n"),
    ] {
        let (_, report) = check(&good);
        assert!(report.is_ok(), "another network, a narrower range, a certificate: {report}");
    }
}

#[test]
fn phases_stand_in_the_order_of_their_dates() {
    let later = "\n[[line.phase]]\nfrom = 2021-10-15\nmode = \"cancelled\"\n\n[[seat]]";
    let (is, marked, message) = only_error(&with("\n[[seat]]", later));
    assert_eq!((is, marked.as_str()), ((56, 8), "2021-10-15"), "{message}");
    assert!(message.contains("does not begin after the one before it"), "{message}");
}

#[test]
fn what_works_and_is_not_meant_gets_a_warning() {
    let (plan, report) = check(&with("skills = [\"general\", \"12333\"]", "skills = [\"general\"]"));
    assert!(plan.is_some());
    assert_eq!(report.warnings.len(), 1, "{report}");
    assert!(report.warnings[0].message.contains("no seat has the skill \"12333\""), "{report}");
    assert_eq!(at(&report.warnings[0]), (23, 8));
    let (_, report) = check(&with("queue = \"expert-12333\"", "queue = \"general\""));
    assert!(report.warnings[0].message.contains("no phase of any line leads to the queue"), "{report}");
    let (_, report) = check(&with("number = \"12345\" }", "number = \"12346\" }"));
    assert!(report.warnings[0].message.contains("which is no line of this plan"), "{report}");
}

#[test]
fn prompts_of_feature_codes_must_be_there() {
    let nothing = |_: &str| false;
    let (plan, report) = read("plan.toml", GOOD, &Outside { prompts: &nothing, networks: None });
    assert!(plan.is_none());
    for name in ["feature/ready", "feature/refused", "greeting/12345", "music/waiting", "overflow"] {
        assert!(report.errors.iter().any(|finding| finding.message.contains(name)), "{name}: {report}");
    }
}

#[test]
fn numbers_are_compared_whole() {
    let plan = check(GOOD).0.expect("a plan");
    let trunk = Origin::Trunk(TrunkId(0));
    for wrong in ["1234", "123456", "2345", "012345", "0816123", "12333110", "8001", "110", "*41"] {
        assert_eq!(plan.route(&call(trunk, wrong), TODAY), Route::NoSuchNumber, "{wrong}");
    }
    for (dialled, line) in [("12345", "12345"), ("12333", "12333"), ("081612333", "12333")] {
        let Route::Line { line: found, service: Service::Queue(_), .. } = plan.route(&call(trunk, dialled), TODAY)
        else {
            panic!("{dialled} is served")
        };
        assert_eq!(found.number, number(line));
    }
}

#[test]
fn the_last_phase_that_has_begun_counts() {
    let later = "\n[[line.phase]]\nfrom = 2027-01-01\nmode = \"cancelled\"\n\n[[seat]]";
    let plan = check(&with("\n[[seat]]", later)).0.expect("a plan");
    let arrival = call(Origin::Trunk(TrunkId(0)), "12333");
    // 2021-10-15 and 2027-01-01, 00:00 in Shanghai.
    let (begin, end) = (1_634_227_200_000, 1_798_732_800_000);
    assert_eq!(plan.route(&arrival, Wall(begin - 1)), Route::NoSuchNumber);
    assert!(matches!(plan.route(&arrival, Wall(begin)), Route::Line { service: Service::Queue(_), .. }));
    assert!(matches!(plan.route(&arrival, Wall(end - 1)), Route::Line { service: Service::Queue(_), .. }));
    assert!(matches!(plan.route(&arrival, Wall(end)), Route::Line { service: Service::Told(_), .. }));
}

#[test]
fn seats_reach_feature_codes_and_lines() {
    let plan = check(GOOD).0.expect("a plan");
    let seat = Origin::Seat(SeatId(8001));
    for code in FeatureCode::ALL {
        assert_eq!(plan.route(&call(seat, code.code()), TODAY), Route::Feature(code));
    }
    assert_eq!(plan.route(&call(seat, "*44"), TODAY), Route::NoSuchNumber);
    assert!(matches!(plan.route(&call(seat, "12345"), TODAY), Route::Line { service: Service::Queue(_), .. }));
}

mod any_input {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is dialled when, by whom: a route and no panic, and a line only for its whole number.
        #[test]
        fn routing_never_panics_and_compares_whole(
            called in "(0816)?[0-9*#]{1,16}|12345|12333|081612333|\\*4[0-9]|[0-9]{0,2}(12345|12333)[0-9]{0,2}",
            seat in any::<bool>(),
            wall in any::<i64>(),
        ) {
            let plan = check(GOOD).0.expect("a plan");
            let origin = if seat { Origin::Seat(SeatId(8001)) } else { Origin::Trunk(TrunkId(9)) };
            match plan.route(&call(origin, &called), Wall(wall)) {
                Route::Line { line, .. } => {
                    let whole = called == line.number.as_str() || called == format!("0816{}", line.number);
                    prop_assert!(whole, "{} is not {:?}", called, line.number);
                }
                Route::Feature(code) => prop_assert!(seat && called == code.code()),
                Route::NoSuchNumber => {
                    let known = ["12345", "12333", "081612333"].contains(&called.as_str());
                    prop_assert!(!known || wall < 1_634_227_200_000);
                }
            }
        }

        /// A plan cut, or with a byte of it replaced, is read or refused with a message, and can always be shown.
        #[test]
        fn a_damaged_plan_gives_a_report(cut in 0usize..GOOD.len(), byte in any::<char>(), truncate in any::<bool>()) {
            let cut = (0..=cut).rev().find(|i| GOOD.is_char_boundary(*i)).expect("0 is a boundary");
            let tail = if truncate { "" } else { GOOD[cut..].get(1..).unwrap_or("") };
            let text = format!("{}{byte}{tail}", &GOOD[..cut]);
            let (plan, report) = check(&text);
            prop_assert_eq!(plan.is_some(), report.is_ok());
            prop_assert!(report.is_clean() || !report.to_string().is_empty());
        }
    }
}

#[test]
fn agents_desk_and_rules_of_queues_are_read() {
    let text = GOOD.replace(
        "[[queue]]\nname = \"general\"\nskill = \"general\"\n",
        r#"[desk]
reasons = ["meeting"]
results = ["solved"]
break_s = 600

[[agent]]
number = 1001
name = "张三"
seat = 8001
skills = ["general=9", "12333"]
queues = ["expert-12333", "general"]

[[queue]]
name = "general"
skill = "general"
level = 4
choice = "fewest_calls"
age_s = 30
result = true
wrap_up_most_ms = 60000

[[queue.widen]]
after_s = 30
level = 1

[[queue.widen]]
after_s = 60
queues = ["expert-12333"]

[[queue.overflow]]
no_seats = true
to = "expert-12333"

[[queue.overflow]]
after_s = 90
to = "expert-12333"
"#,
    );
    let (plan, report) = check(&text);
    assert!(report.is_ok(), "{report}");
    let plan = plan.expect("a plan");
    let queue = &plan.queues[0];
    assert_eq!((queue.level.get(), queue.choice, queue.age_ms), (4, crate::types::Choice::FewestCalls, Some(30_000)));
    assert_eq!((queue.widen.len(), queue.widen[1].queues.as_slice()), (2, [QueueId(1)].as_slice()));
    assert_eq!(queue.overflow[1].when, crate::dialplan::OverflowWhen::Waited(90_000));
    let agent = &plan.agents[&crate::types::AgentId(1001)];
    assert_eq!((agent.seat, agent.agent.skills["general"].get()), (SeatId(8001), 9));
    assert_eq!(agent.agent.queues, ["expert-12333", "general"]);
    assert_eq!((plan.desk.break_ms, plan.desk.results.len()), (600_000, 1));
}

#[test]
fn mistakes_in_rules_and_agents_are_named() {
    for (wrong, part) in [
        ("[[queue.widen]]\nafter_s = 30\n", "adds nobody"),
        ("[[queue.widen]]\nafter_s = 30\nqueues = [\"nowhere\"]\n", "no queue \"nowhere\""),
        ("[[queue.overflow]]\nto = \"general\"\n", "not clear when"),
        ("[[queue.overflow]]\nafter_s = 5\nwaiting = 5\nto = \"general\"\n", "not clear when"),
        ("[[queue.overflow]]\nafter_s = 5\nto = \"nowhere\"\n", "no queue \"nowhere\""),
        ("choice = \"fair\"\n", "no way to choose"),
        ("result = true\n", "[desk] has no results"),
        ("wrap_up_most_ms = 1000\n", "shorter than"),
        ("[[agent]]\nnumber = 1\nseat = 9999\n", "no seat 9999"),
        ("[[agent]]\nnumber = 1\nseat = 8001\nskills = [\"general=10\"]\n", "no level from 1 to 9"),
        ("[[agent]]\nnumber = 1\nseat = 8001\n[[agent]]\nnumber = 2\nseat = 8001\n", "sits at seat 8001 already"),
    ] {
        let text = GOOD.replace("skill = \"12333\"\nring_ms = 20000\n", &format!("skill = \"12333\"\n{wrong}"));
        assert_ne!(text, GOOD);
        let messages = check(&text).1.errors.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ");
        assert!(messages.contains(part), "{wrong}: {messages}");
    }
}

#[test]
fn calls_of_seats_go_out_as_the_plan_says() {
    let outgoing = "\n[outgoing]\ntrunk = \"telecom\"\nline = \"081612333\"\nring_s = 40\nwrap_up_s = 0\n";
    let plan = check(&format!("{GOOD}{outgoing}")).0.expect("a plan");
    assert_eq!((plan.outgoing.line.as_str(), plan.outgoing.ring_ms, plan.outgoing.wrap_up_ms), ("12333", 40_000, 0));
    assert_eq!(plan.ways_out(false), [TrunkId(0)]);
    let whom = |text: &str| plan.callee(&PhoneNumber::parse(text).expect("a number"), TODAY);
    for own in ["12345", "12333", "081612333", "081612345"] {
        assert_eq!(whom(own), Callee::OwnLine, "{own}");
    }
    for citizen in ["13900001111", "0816123456", "123450", "+8613900001111", "1100"] {
        assert_eq!(whom(citizen), Callee::Citizen, "{citizen}");
    }
    assert_eq!(
        (whom("8001"), whom("110"), whom("12389")),
        (Callee::Seat(SeatId(8001)), Callee::Emergency, Callee::Emergency)
    );
    assert_eq!((whom("*41"), whom("#")), (Callee::Nobody, Callee::Nobody));
    for (line, hint) in
        [("trunk = \"telecm\"", "telecom"), ("line = \"99999\"", "a line of this plan"), ("rings = 3", "ring_s")]
    {
        let (.., message) = only_error(&format!("{GOOD}\n[outgoing]\n{line}\n"));
        assert!(message.contains(hint), "{message}");
    }
    let address = "address = \"sip:10.0.0.1:5060;transport=udp\"\noptions_s = 30\n";
    let silent = with(address, "").replace("group = { name = \"out\", order = 1, weight = 50 }\n", "");
    let (.., message) = only_error(&format!("{silent}\n[outgoing]\nemergency_trunk = \"telecom\"\n"));
    assert!(message.contains("has no `address`"), "{message}");
}

#[test]
fn a_trunk_that_leaves_keeps_its_name_for_its_calls() {
    let first = check(GOOD).0.expect("sound");
    let gone = first.trunks[0].id;
    let mut second = Plan { trunks: Vec::new(), ..first.clone() };
    second.continues(&first);
    assert_eq!(second.trunk_name(gone), "telecom");
    let mut third = first.clone();
    third.continues(&second);
    let again = third.trunks[0].id;
    assert_ne!(again, gone, "its calls are not taken for those of the one before");
    assert_eq!((third.trunk_name(gone), third.trunk_name(again)), ("telecom", "telecom"));
    assert_eq!(third.trunk_name(TrunkId(99)), "");
}
