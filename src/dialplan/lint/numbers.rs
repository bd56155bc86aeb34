//! Numbers that could be taken for others: for an emergency number above all.

use super::trunks::shown_numbers;
use super::{Part, Problem};
use crate::dialplan::{Answering, Phase, Plan, Service};
use crate::types::{DestinationId, LineNumber};

pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let mut found = near_emergency_numbers(plan);
    found.extend(emergency_numbers_of_seats(plan));
    found.extend(emergency_numbers_shown(plan));
    found.extend(calls_sent_to_emergency(plan));
    found.extend(lines_by_area_code(plan));
    found
}

/// All numbers on which calls of lines come in, with the part of the plan in which each stands.
fn own_numbers(plan: &Plan) -> impl Iterator<Item = (&LineNumber, &LineNumber, Part)> {
    let lines = plan.lines.keys().map(|number| (number, number, Part::Line(number.clone())));
    let aliases = plan.aliases.iter().map(|(alias, line)| (alias, line, Part::Alias(alias.clone())));
    lines.chain(aliases)
}

/// What is left of a number behind the area code of one of the plan's trunks, or behind the country's.
fn without_area<'n>(plan: &Plan, number: &'n LineNumber) -> Vec<&'n str> {
    let codes = plan.trunks.iter().map(|trunk| trunk.area_code.as_str());
    let mut rests = Vec::new();
    for code in codes {
        for prefix in ["0", "86", "0086"] {
            rests.extend(number.as_str().strip_prefix(prefix).and_then(|rest| rest.strip_prefix(code)));
        }
    }
    rests
}

/// A carrier may write 110 as 0816110; a phone that dials digit by digit reaches 110 before 1101 is complete.
fn near_emergency_numbers(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for (number, _, part) in own_numbers(plan) {
        for (emergency, name) in &plan.emergency {
            let what = if without_area(plan, number).contains(&emergency.as_str()) {
                format!(
                    "{number} is the emergency number {emergency} ({name}) with an area code: it would be rewritten"
                )
            } else if number.as_str().starts_with(emergency.as_str()) {
                format!("{number} begins with the emergency number {emergency} ({name}) and could be taken for it")
            } else {
                continue;
            };
            found.push(Problem::error(
                part.clone(),
                what,
                "take the number out; no way of writing may touch an emergency",
            ));
        }
    }
    found
}

/// A seat's own number would hide the emergency number from every other seat.
fn emergency_numbers_of_seats(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for seat in plan.seats.keys() {
        let number = seat.0.to_string();
        let special = plan.emergency.iter().chain(&plan.utilities);
        for (_, name) in special.filter(|(special, _)| special.as_str() == number) {
            let message = format!("the seat {number} has the number of {name}: nobody here could call it any more");
            found.push(Problem::error(Part::Seat(*seat), message, "give the seat another number"));
        }
    }
    found
}

/// A call that shows 110 as its caller is a forgery, and a call back from it never reaches us.
fn emergency_numbers_shown(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for trunk in &plan.trunks {
        for number in shown_numbers(&trunk.caller_policy).into_iter().filter(|n| plan.emergency.contains_key(n)) {
            let message = format!("the trunk {:?} shows the emergency number {number} as ours", trunk.name);
            found.push(Problem::error(Part::Trunk(trunk.name.clone()), message, "show a line of this plan"));
        }
    }
    found
}

/// Only a line that the document merges into an emergency service (96119 into 119) may lead there by itself.
fn calls_sent_to_emergency(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for line in plan.lines.values() {
        for (index, phase) in line.phases.iter().enumerate() {
            let allowed = phase.attributes.seats == Answering::OtherLine;
            let numbers = leads_to(phase).into_iter().filter_map(|id| plan.destination(id)).flat_map(|d| &d.routes);
            let emergency = numbers
                .filter_map(|route| route.number.as_ref())
                .find(|number| plan.emergency.keys().any(|emergency| emergency.as_str() == number.as_str()));
            if let (Some(number), false) = (emergency, allowed) {
                let message =
                    format!("calls to {} would go on to the emergency number {}", line.number, number.as_str());
                let hint = "a seat transfers what is urgent; only mode = \"elsewhere\" leads a line there";
                found.push(Problem::error(Part::Phase(line.number.clone(), index), message, hint));
            }
        }
    }
    found
}

/// Places outside that calls of a phase reach without a person's decision.
fn leads_to(phase: &Phase) -> Vec<DestinationId> {
    match &phase.service {
        Service::Outside(service) => vec![service.destination],
        Service::Queue(service) => service.desk.into_iter().collect(),
        Service::Told(_) | Service::NotServed => Vec::new(),
    }
}

/// 081612345 is 12345, whoever claims it.
fn lines_by_area_code(plan: &Plan) -> Vec<Problem> {
    let mut found = Vec::new();
    for (number, line, part) in own_numbers(plan) {
        let other = plan.lines.keys().filter(|other| *other != line);
        for rest in without_area(plan, number) {
            if let Some(other) = other.clone().find(|other| other.as_str() == rest) {
                let message = format!("the number {number} of the line {line} is the line {other} with an area code");
                found.push(Problem::error(part.clone(), message, "a number belongs to one line: take it out of one"));
                break;
            }
        }
    }
    found
}
