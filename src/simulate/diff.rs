//! What changes between two plans, for every line and every quarter of an hour of a period.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::treatment::Treatment;
use crate::dialplan::{Line, Phase, Plan, Route, Service};
use crate::types::{Arrival, Calling, LineNumber, Origin, TrunkId, Wall};

/// A quarter of an hour in milliseconds.
const QUARTER_MS: i64 = 15 * 60 * 1_000;

/// Days that are compared, on the clocks of China.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// What changes for the callers of one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The number.
    pub line: String,
    /// Its name in the plan that has it.
    pub name: String,
    /// What the first plan does, and under which mode.
    pub before: Treatment,
    /// Its mode there.
    pub before_mode: Option<String>,
    /// What the second plan does.
    pub after: Treatment,
    /// Its mode there.
    pub after_mode: Option<String>,
    /// When, in order.
    pub ranges: Vec<Range>,
}

/// Quarters of an hour that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// First moment.
    pub from: Wall,
    /// First moment after it.
    pub to: Wall,
}

/// What one plan does at one moment: places in that plan, cheap to compare.
type Point = (usize, usize);

/// Compares two plans point by point. Equal points are left out; equal neighbours are one range.
pub fn diff(before: &Plan, after: &Plan, period: Period) -> Vec<Change> {
    let numbers: BTreeSet<&LineNumber> = before.lines.keys().chain(after.lines.keys()).collect();
    numbers.into_iter().flat_map(|number| of_line(before, after, number, period)).collect()
}

fn of_line(before: &Plan, after: &Plan, number: &LineNumber, period: Period) -> Vec<Change> {
    let midnight = |date: Date| Wall::from_china(date.to_datetime(jiff::civil::Time::midnight()));
    let (first, end) = (midnight(period.from), midnight(period.to.tomorrow().unwrap_or(period.to)));
    let arrival = Arrival {
        origin: Origin::Trunk(TrunkId(0)),
        called: number.clone(),
        calling: Calling::default(),
        call_id: String::new(),
        source: std::net::Ipv4Addr::UNSPECIFIED.into(),
    };
    // A pair of places is judged once; a year has 35,040 quarters and a line a handful of pairs.
    let mut judged: BTreeMap<(Point, Point), Option<usize>> = BTreeMap::new();
    let mut changes: Vec<Change> = Vec::new();
    let mut at = first.0;
    while at < end.0 {
        let wall = Wall(at);
        let (old, new) = (before.route(&arrival, wall), after.route(&arrival, wall));
        let key = (point(&old, wall), point(&new, wall));
        let change = *judged.entry(key).or_insert_with(|| {
            let line = line_of(&new).or(line_of(&old));
            let change = Change {
                line: number.to_string(),
                name: line.map(|line| line.name.clone()).unwrap_or_default(),
                before: Treatment::of(before, &old),
                before_mode: mode(&old, wall),
                after: Treatment::of(after, &new),
                after_mode: mode(&new, wall),
                ranges: Vec::new(),
            };
            let same = change.before == change.after && change.before_mode == change.after_mode;
            (!same).then(|| place(&mut changes, change))
        });
        if let Some(change) = change.and_then(|index| changes.get_mut(index)) {
            let to = Wall(at + QUARTER_MS);
            match change.ranges.last_mut().filter(|range| range.to == wall) {
                Some(range) => range.to = to,
                None => change.ranges.push(Range { from: wall, to }),
            }
        }
        at += QUARTER_MS;
    }
    changes
}

/// The place of a change in the list: one that reads the same is the same.
fn place(changes: &mut Vec<Change>, change: Change) -> usize {
    let same = |other: &Change| {
        (&other.before, &other.before_mode) == (&change.before, &change.before_mode)
            && (&other.after, &other.after_mode) == (&change.after, &change.after_mode)
    };
    changes.iter().position(same).unwrap_or_else(|| {
        changes.push(change);
        changes.len() - 1
    })
}

fn line_of<'a>(route: &Route<'a>) -> Option<&'a Line> {
    match route {
        Route::Line { line, .. } => Some(line),
        Route::NoSuchNumber | Route::Feature(_) => None,
    }
}

fn phase_of<'a>(route: &Route<'a>, wall: Wall) -> Option<&'a Phase> {
    line_of(route).and_then(|line| line.phase_at(wall))
}

fn mode(route: &Route<'_>, wall: Wall) -> Option<String> {
    phase_of(route, wall).map(|phase| phase.mode.shown().to_owned())
}

fn point(route: &Route<'_>, wall: Wall) -> Point {
    let service = match route {
        Route::Line { service, .. } => std::ptr::from_ref::<Service>(service).addr(),
        Route::NoSuchNumber | Route::Feature(_) => 0,
    };
    (service, phase_of(route, wall).map_or(0, |phase| std::ptr::from_ref(phase).addr()))
}
