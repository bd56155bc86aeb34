//! Calls that go round between hotlines, the upper platform among them, and calls that go on to a number which is dead.
//!
//! A line leads to another when a way that its calls take outside dials a number of ours over a trunk that brings it back:
//! the public network brings back all of them, another platform those for which it has no seats, a line to an office none.
//! The graph changes with the phases, so it is looked at from each moment at which any phase begins.

use std::collections::BTreeSet;

use super::{Part, Problem};
use crate::dialplan::{Destination, Line, OverflowTo, Phase, Plan, Reaches, RouteOut, Service};
use crate::types::{DestinationId, LineNumber, QueueId, Wall};

const ROUTE: &str =
    "give the route the number of the seats themselves, or say what is behind its trunk: reaches = \"office\"";

pub(super) fn problems(plan: &Plan) -> Vec<Problem> {
    let moments: BTreeSet<Wall> = plan.lines.values().flat_map(|line| &line.phases).map(|phase| phase.from).collect();
    let mut told: BTreeSet<Part> = BTreeSet::new();
    let mut found = Vec::new();
    for at in moments {
        for line in plan.lines.values() {
            let Some(index) = line.phases.iter().rposition(|phase| phase.from <= at) else { continue };
            let part = Part::Phase(line.number.clone(), index);
            if told.contains(&part) {
                continue;
            }
            let back = || comes_home(plan, line, at, &part);
            if let Some(problem) = circle(plan, line, at).map(|path| goes_round(&path, &part)).or_else(back) {
                told.insert(part);
                found.push(problem);
            }
        }
    }
    found
}

fn goes_round(path: &[LineNumber], part: &Part) -> Problem {
    let path: Vec<&str> = path.iter().map(LineNumber::as_str).collect();
    Problem::error(part.clone(), format!("calls would go round: {}", path.join(" -> ")), ROUTE)
}

/// The way from a line back to itself, when there is one.
fn circle(plan: &Plan, start: &Line, at: Wall) -> Option<Vec<LineNumber>> {
    let mut open = vec![vec![start.number.clone()]];
    let mut seen: BTreeSet<LineNumber> = BTreeSet::new();
    while let Some(path) = open.pop() {
        let line = path.last().and_then(|number| plan.line(number))?;
        for next in leads_to(plan, line, at) {
            let longer = || path.iter().cloned().chain([next.clone()]).collect::<Vec<_>>();
            if next == start.number {
                return Some(longer());
            }
            if seen.insert(next.clone()) {
                open.push(longer());
            }
        }
    }
    None
}

/// A line whose calls leave only to come back on another of our numbers, dead or alive.
fn comes_home(plan: &Plan, line: &Line, at: Wall, part: &Part) -> Option<Problem> {
    let other = leads_to(plan, line, at).into_iter().next()?;
    let from = &line.number;
    Some(match plan.line(&other)?.phase_at(at).map(|phase| &phase.service) {
        Some(Service::Queue(_) | Service::Outside(_)) => {
            Problem::error(part.clone(), format!("calls to {from} would come back to us as calls to {other}"), ROUTE)
        }
        Some(Service::Told(_) | Service::NotServed) | None => {
            let message = format!("calls to {from} would go on to {other}, which serves nobody then");
            Problem::error(part.clone(), message, "send them to a number that is in service in this phase")
        }
    })
}

/// Lines of ours to which calls of a line come back from outside.
fn leads_to(plan: &Plan, line: &Line, at: Wall) -> Vec<LineNumber> {
    let Some(phase) = line.phase_at(at) else { return Vec::new() };
    let places = destinations(plan, phase).into_iter().filter_map(|id| plan.destination(id));
    let routes = places.flat_map(|place: &Destination| &place.routes);
    routes.filter_map(|route| comes_back(plan, line, route, at)).map(|line| line.number.clone()).collect()
}

/// Every place outside that calls of a phase may reach.
fn destinations(plan: &Plan, phase: &Phase) -> Vec<DestinationId> {
    let mut places: Vec<DestinationId> = phase.own_seats.into_iter().collect();
    let queue = match &phase.service {
        Service::Queue(service) => {
            places.extend(service.desk);
            Some(service.queue)
        }
        Service::Outside(service) => {
            places.push(service.destination);
            service.fallback
        }
        Service::Told(_) | Service::NotServed => None,
    };
    let mut seen: BTreeSet<QueueId> = BTreeSet::new();
    let mut queues: Vec<QueueId> = queue.into_iter().collect();
    while let Some(id) = queues.pop() {
        let Some(queue) = plan.queue(id).filter(|_| seen.insert(id)) else { continue };
        for rule in &queue.overflow {
            match rule.to {
                OverflowTo::Queue(to) => queues.push(to),
                OverflowTo::Destination(to) => places.push(to),
                OverflowTo::Message => {}
            }
        }
    }
    places
}

/// Our line that a route outside ends at.
fn comes_back<'p>(plan: &'p Plan, line: &Line, route: &RouteOut, at: Wall) -> Option<&'p Line> {
    let trunk = plan.trunks.iter().find(|trunk| trunk.name == route.trunk)?;
    let dialled = route.number.as_ref().map_or(line.number.as_str(), |number| number.as_str());
    let target = plan.own_line(dialled)?;
    let keeps = |phase: &Phase| !phase.attributes.seats.is_here() || phase.own_seats.is_some();
    match trunk.reaches {
        Reaches::Network => Some(target),
        Reaches::Office => None,
        Reaches::Platform => (!target.phase_at(at).is_some_and(keeps)).then_some(target),
    }
}
