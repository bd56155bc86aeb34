//! The plans of the four cities against a table that was written by hand from their merge documents.

use std::collections::BTreeMap;

use super::*;

const EXPECTED: &str = include_str!("expected.tsv");
pub(super) const CITIES: [&str; 4] = ["mianyang", "wuzhong", "nanchang", "ziyang"];

/// The text of a shipped plan.
pub(super) fn text(city: &str) -> String {
    let path = format!("{}/dialplans/{city}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the plan is there")
}

/// Reads a plan against the shipped prompts.
pub(super) fn read_with_prompts(name: &str, text: &str) -> (Option<Plan>, Report) {
    let prompts = |name: &str| {
        let at = |rate: &str| format!("{}/dialplans/prompts/{rate}/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        std::path::Path::new(&at("8k")).is_file() && std::path::Path::new(&at("16k")).is_file()
    };
    read(name, text, &Outside { prompts: &prompts, networks: None })
}

fn plan(city: &str) -> Plan {
    let (plan, report) = read_with_prompts(&format!("{city}.toml"), &text(city));
    plan.unwrap_or_else(|| panic!("{city}:\n{report}"))
}

/// A minute in Shanghai.
fn wall(text: &str) -> Wall {
    let local: jiff::civil::DateTime = text.parse().expect("a minute");
    let zone = TimeZoneDatabase::bundled().get("Asia/Shanghai").expect("the zone is known");
    Wall(local.to_zoned(zone).expect("a moment").timestamp().as_millisecond())
}

/// What a caller gets, in the words of the table: mode, what happens, what is heard first.
fn gets(plan: &Plan, dialled: &str, at: Wall) -> String {
    let trunk = plan.trunk_named("telecom").expect("the carrier of each city");
    let arrival = call(Origin::Trunk(trunk), dialled);
    let (phase, service) = match plan.route(&arrival, at) {
        Route::Line { phase, service, .. } => (phase, service),
        Route::NoSuchNumber => return "nothing".to_owned(),
        Route::Feature(code) => panic!("{dialled} is no feature code {code:?}"),
    };
    let said = |prompts: &[PromptName]| match prompts {
        [] => "-".to_owned(),
        prompts => prompts.iter().map(|prompt| prompt.0.to_string()).collect::<Vec<_>>().join(" "),
    };
    let (what, heard) = match service {
        Service::Queue(service) => {
            let queue = &plan.queue(service.queue).expect("a queue of the plan").name;
            let mut heard = service.notices.clone();
            heard.push(service.greeting.clone());
            (format!("queue {queue}"), said(&heard))
        }
        Service::Outside(service) => {
            let destination = &plan.destination(service.destination).expect("a place of the plan").name;
            (format!("outside {destination}"), said(&service.notices))
        }
        Service::Told(told) => {
            let end = if told.end == ToldEnd::Gone { "gone" } else { "not-found" };
            (end.to_owned(), said(told.notice.as_slice()))
        }
        Service::NotServed => panic!("{dialled} is not served"),
    };
    format!("{}\t{what}\t{heard}", phase.mode.shown())
}

/// The table: (city, number) to its rows, each from when and what.
fn expected() -> BTreeMap<(&'static str, &'static str), Vec<(Wall, String)>> {
    let mut table: BTreeMap<_, Vec<(Wall, String)>> = BTreeMap::new();
    for row in EXPECTED.lines().filter(|row| !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('\t').collect();
        // Who is rung and how it ends is asked of the center, in the tests of `simulate`.
        let [city, number, from, mode, what, heard, _who, _end] = columns.as_slice() else { panic!("a row: {row}") };
        table.entry((*city, *number)).or_default().push((wall(from), [*mode, what, heard].join("\t")));
    }
    table
}

#[test]
fn each_number_of_the_four_documents_does_what_its_document_says_on_each_day() {
    let plans: BTreeMap<&str, Plan> = CITIES.into_iter().map(|city| (city, plan(city))).collect();
    let table = expected();
    for ((city, number), rows) in &table {
        let plan = &plans[city];
        let mut before = "nothing".to_owned();
        for (from, what) in rows {
            assert_eq!(gets(plan, number, Wall(from.0 - 1)), before, "{city} {number} up to {from:?}");
            assert_eq!(gets(plan, number, *from), *what, "{city} {number} from {from:?}");
            before.clone_from(what);
        }
        assert_eq!(gets(plan, number, wall("2035-01-01T03:00")), before, "{city} {number} for good");
    }
    for (city, plan) in &plans {
        let known: Vec<&str> = table.keys().filter(|key| key.0 == *city).map(|key| key.1).collect();
        assert_eq!(plan.lines.keys().map(LineNumber::as_str).collect::<Vec<_>>(), known, "{city} has no other lines");
    }
}

#[test]
fn what_the_documents_have_lost_is_counted_and_not_invented() {
    let lost = |city| plan(city).missing.iter().map(|missing| missing.count).collect::<Vec<_>>();
    assert_eq!(lost("mianyang"), [11, 2]);
    assert_eq!(lost("nanchang"), [9, 8, 5, 1]);
    assert!(lost("wuzhong").is_empty() && lost("ziyang").is_empty());
    let nanchang = plan("nanchang");
    assert!(nanchang.lines.values().all(|line| line.unit.is_empty()), "the copy names no unit of a line");
}

#[test]
fn the_plans_are_clean_but_for_what_the_nanchang_document_does_not_say() {
    for city in CITIES {
        let (_, report) = read_with_prompts(city, &text(city));
        let warned: Vec<&str> = report.warnings.iter().map(|finding| finding.message.as_str()).collect();
        let wanted = if city == "nanchang" { 5 } else { 0 };
        assert_eq!(warned, vec!["the number is to be cancelled and no phase does it"; wanted], "{city}:\n{report}");
    }
}

#[test]
fn emergency_numbers_of_each_city_are_data_and_no_lines() {
    for city in CITIES {
        let plan = plan(city);
        let mut wanted = vec!["110", "119", "120", "122"];
        if city == "nanchang" {
            wanted.extend(["12389", "96369"]);
        }
        wanted.sort_unstable();
        assert_eq!(plan.emergency.keys().map(LineNumber::as_str).collect::<Vec<_>>(), wanted, "{city}");
        for number in wanted {
            assert_eq!(gets(&plan, number, TODAY), "nothing", "{city} {number}");
        }
    }
}

#[test]
fn calls_of_a_county_wait_for_the_seats_of_its_branch() {
    let plan = plan("wuzhong");
    let names: Vec<&str> = plan.branches.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names.len(), 5);
    assert!(names.iter().all(|name| name.starts_with("吴忠市12345政务服务便民热线") && name.ends_with("分中心")));
    let branch_of = |trunk: &str, dialled: &str| {
        let trunk = plan.trunk_named(trunk).expect("a trunk of the plan");
        match plan.route(&call(Origin::Trunk(trunk), dialled), TODAY) {
            Route::Line { branch, .. } => branch.map(|branch| plan.queues[usize::from(branch.queue.0)].name.as_str()),
            Route::Feature(_) | Route::NoSuchNumber => panic!("{dialled} is a line"),
        }
    };
    assert_eq!(branch_of("branch-yanchi", "12345"), Some("branch-yanchi"));
    assert_eq!(branch_of("branch-yanchi", "12315"), None, "other lines are the city's");
    assert_eq!(branch_of("telecom", "12345"), None);
}

/// A million numbers that citizens have: none of them is one of ours or an emergency number, whatever it contains.
#[test]
fn no_number_of_a_citizen_is_taken_for_a_line_or_an_emergency_number() {
    let plans: Vec<Plan> = CITIES.into_iter().map(plan).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut dice = move || {
        // xorshift64*: the same numbers in every run.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    };
    let mut digits = String::new();
    for n in 0..1_000_000_u64 {
        digits.clear();
        use std::fmt::Write as _;
        match n % 3 {
            // Mobile, with and without the code of the country; fixed with an area code.
            0 => write!(digits, "1{}{:09}", 3 + dice() % 7, dice() % 1_000_000_000),
            1 => write!(digits, "+861{}{:09}", 3 + dice() % 7, dice() % 1_000_000_000),
            _ => write!(digits, "0{}{:07}", 310 + dice() % 690, 2_000_000 + dice() % 7_000_000),
        }
        .expect("a text takes digits");
        // A fixed number with the city's own area code may be one of its lines: then it is that line, whole.
        let number = PhoneNumber::parse(&digits).expect("digits");
        for plan in &plans {
            let callee = plan.callee(&number, TODAY);
            let own = plan.trunks.iter().any(|trunk| {
                digits
                    .strip_prefix(&format!("0{}", trunk.area_code))
                    .is_some_and(|rest| plan.lines.keys().any(|line| line.as_str() == rest))
            });
            assert_eq!(callee, if own { Callee::OwnLine } else { Callee::Citizen }, "{digits}");
        }
    }
}
