//! Every number of the four cities in each of its phases, played on the real center and held against the table that was
//! written by hand from the merge documents.

use std::collections::BTreeMap;

use super::*;

const EXPECTED: &str = include_str!("../../dialplan/file/tests/expected.tsv");
const PLANS: [(&str, &str); 4] = [
    ("mianyang", PLAN),
    ("wuzhong", include_str!("../../../dialplans/wuzhong.toml")),
    ("nanchang", include_str!("../../../dialplans/nanchang.toml")),
    ("ziyang", include_str!("../../../dialplans/ziyang.toml")),
];

/// A call in the words of the table: mode, what is heard, who is rung, how it ends.
type Told = [String; 4];

fn nothing() -> Told {
    ["-", "-", "-", "404"].map(str::to_owned)
}

/// Plays a call at which everybody is at work and answers.
fn told(plan: &Arc<Plan>, dialled: &str, at: Wall) -> Told {
    let via = plan.trunk_named("telecom").expect("the carrier of each city");
    let answer = ask(plan, &Question { via, at, ..question(plan, dialled) }, &world());
    let heard = heard(&answer).join(" ");
    let mode = answer.steps.iter().find_map(|step| {
        if let What::Row { row: CallEvent::Arrived { mode, .. } } = &step.what { mode.clone() } else { None }
    });
    let end = match answer.end {
        End::Fate { fate: Fate::Answered { .. } } => "answered".to_owned(),
        End::Fate { fate: Fate::AnsweredOutside } => "answered outside".to_owned(),
        End::Fate { fate: Fate::Refused { cause: Cause::Gone } } => "410".to_owned(),
        End::Fate { fate: Fate::Refused { cause: Cause::NoSuchNumber } } => "404".to_owned(),
        other @ (End::Fate { .. } | End::Unserved | End::NoWayIn) => format!("{other:?}"),
    };
    [mode.unwrap_or_default(), heard, who(plan, dialled, &answer), end]
        .map(|text| if text.is_empty() { "-".to_owned() } else { text })
}

/// Who is rung: seats of 12345, among them the experts of the number dialled, or a place outside.
fn who(plan: &Plan, dialled: &str, answer: &Answer) -> String {
    let seats = answer.steps.iter().filter_map(|step| {
        let What::Seat { seat } = &step.what else { return None };
        let expert = plan.seats[seat].skills.iter().any(|(skill, _)| skill == dialled);
        Some(if expert { "experts".to_owned() } else { "12345".to_owned() })
    });
    let outside = answer.steps.iter().filter_map(|step| {
        let What::Outside { trunk, number, up: true } = &step.what else { return None };
        Some(format!("over {trunk} {}", number.as_str()))
    });
    let rung = seats.chain(outside);
    rung.collect::<Vec<_>>().join(" then ")
}

#[test]
fn each_number_in_each_phase_is_answered_as_its_document_says() {
    let plans: BTreeMap<&str, Arc<Plan>> = PLANS.map(|(city, text)| (city, Arc::new(parsed(text)))).into();
    let mut before: BTreeMap<(&str, &str), Told> = BTreeMap::new();
    let rows = EXPECTED.lines().filter(|row| !row.starts_with('#'));
    let mut played = 0;
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let [city, number, from, mode, _what, heard, who, end] = columns.as_slice() else { panic!("a row: {row}") };
        let (plan, from) = (&plans[city], at(from));
        let was = before.remove(&(*city, *number)).unwrap_or_else(nothing);
        assert_eq!(told(plan, number, Wall(from.0 - 1)), was, "{city} {number} just before {from:?}");
        let wanted = [*mode, heard, who, end].map(|text| (*text).to_owned());
        assert_eq!(told(plan, number, from), wanted, "{city} {number} from {from:?} on");
        before.insert((city, number), wanted);
        played += 2;
    }
    // Long after, at night, on a day off: the lines are served day and night.
    for ((city, number), last) in &before {
        assert_eq!(told(&plans[city], number, at("2030-10-01T03:00")), *last, "{city} {number} for good");
    }
    let numbers: usize = plans.values().map(|plan| plan.lines.len()).sum();
    assert_eq!((before.len(), played > 120), (numbers, true), "no line of a plan is left out");
}
