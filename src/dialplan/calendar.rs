//! The files of the working calendar: TOML in, checked [`WorkCalendar`] out, with every mistake at its place.
//!
//! A file holds a `year` with its `[[holiday]]`s as published, or days of this place (`[[day]]`), or festivals
//! (`[[festival]]`), or all of them. Reads no disk. `dialplans/calendar/2026.toml` shows the format.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use toml::value::Datetime;

use super::report::{Report, Source};
use super::table::{At, Reader, Table};
use crate::types::{NamedDay, WorkCalendar};

/// Years that may be loaded: the schedules begin in 2000 (the first with make-up days), and a slip of the finger is no year.
const YEARS: std::ops::RangeInclusive<u32> = 2000..=2100;
/// Longest holiday in days; the longest so far had ten (2020, by decree).
const LONGEST: usize = 31;

/// One file: its name for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarFile {
    /// Name as it was given.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Reads all files of a calendar in their order. There is a calendar exactly when the report has no error.
pub fn read(files: &[CalendarFile]) -> (Option<WorkCalendar>, Report) {
    let mut building = Building::default();
    let mut report = Report::default();
    for file in files {
        let reader = Reader::new(Source::new(&file.name, &file.text));
        if let Some(root) = reader.root() {
            building.read_file(&reader, &file.name, root);
        }
        report.merge(reader.into_report());
    }
    (report.is_ok().then_some(building.calendar), report)
}

#[derive(Default)]
struct Building {
    calendar: WorkCalendar,
    /// Which file has a year.
    years: BTreeMap<i16, String>,
    /// Where a day is named: of a schedule, and of this place.
    scheduled: BTreeMap<Date, String>,
    local: BTreeMap<Date, String>,
}

impl Building {
    fn read_file(&mut self, reader: &Reader<'_>, file: &str, root: Table<'_, '_>) {
        let year = root.number("year", YEARS).and_then(|at| Some(at.with(i16::try_from(at.value).ok()?)));
        // A year that is wrong is one mistake; that its holidays have none would be a second.
        let is_dated = root.has("year");
        root.text("source");
        let mut days = Vec::new();
        for table in root.tables("holiday") {
            if !is_dated {
                let here = table.here();
                let hint = Some("write which schedule it is of at the top of the file: year = 2027".to_owned());
                reader.error(here.span, &here.key, "a holiday of no year", hint);
            }
            days.extend(self.read_holiday(reader, file, &table, year.as_ref().map(|at| at.value)));
            table.finish();
        }
        for table in root.tables("day") {
            self.read_day(reader, file, &table);
            table.finish();
        }
        for table in root.tables("festival") {
            self.read_festival(reader, &table);
            table.finish();
        }
        root.finish();
        let Some(year) = year else { return };
        if let Some(other) = self.years.insert(year.value, file.to_owned()) {
            let hint = Some(format!("it stands in {other}; days that came later are a [[day]]"));
            reader.error(year.span.clone(), &year.key, format!("the year {} is there already", year.value), hint);
        }
        if days.is_empty() {
            let hint =
                Some("list them: [[holiday]] with name, from, to and work; without them it is unknown".to_owned());
            reader.error(year.span.clone(), &year.key, format!("the year {} has no holidays", year.value), hint);
        }
        self.calendar.add_year(year.value, days);
    }

    fn read_holiday(
        &mut self,
        reader: &Reader<'_>,
        file: &str,
        table: &Table<'_, '_>,
        year: Option<i16>,
    ) -> Vec<(Date, NamedDay)> {
        let name = table.need_text("name", "name = \"春节\"").map(|at| at.value).unwrap_or_default();
        let off = span(reader, table, "from").into_iter().map(|at| (at, false));
        let work = table.dates("work");
        let work = work.iter().filter_map(|at| day(reader, at)).map(|at| (at, true));
        let mut days = Vec::new();
        for (at, works) in off.chain(work) {
            if year.is_some_and(|year| !belongs(at.value, year)) {
                let hint =
                    Some("a schedule names days of its year, and of the last week of the year before".to_owned());
                reader.error(at.span, &at.key, format!("{} is no day of the schedule", at.value), hint);
            } else if once(reader, &mut self.scheduled, file, &at) {
                days.push((at.value, NamedDay { works, name: name.clone() }));
            }
        }
        days
    }

    fn read_day(&mut self, reader: &Reader<'_>, file: &str, table: &Table<'_, '_>) {
        let name = table.need_text("name", "why it is not as others: name = \"古尔邦节\"");
        if !table.has("works") {
            table.missing("works", "works = false: a day off; works = true: a day that is worked");
        }
        let works = table.flag("works");
        for at in span(reader, table, "date") {
            if once(reader, &mut self.local, file, &at)
                && let (Some(name), Some(works)) = (&name, works)
            {
                self.calendar.add_day(at.value, NamedDay { works, name: name.value.clone() });
            }
        }
    }

    fn read_festival(&mut self, reader: &Reader<'_>, table: &Table<'_, '_>) {
        let name = table.need_text("name", "name = \"元宵节\"").map(|at| at.value).unwrap_or_default();
        if !table.has("days") {
            table.missing("days", "days = [2026-03-03, 2027-02-20]");
        }
        let mut seen = BTreeSet::new();
        for at in table.dates("days").iter().filter_map(|at| day(reader, at)) {
            if seen.insert(at.value) {
                self.calendar.add_festival(at.value, &name);
            } else {
                reader.error(at.span, &at.key, format!("{} stands here twice", at.value), None);
            }
        }
    }
}

/// Notes where a day is named; the second time is a mistake.
fn once(reader: &Reader<'_>, taken: &mut BTreeMap<Date, String>, file: &str, at: &At<Date>) -> bool {
    let place = format!("line {} of {file}", reader.line_of(&at.span));
    match taken.insert(at.value, place) {
        None => true,
        Some(other) => {
            let hint = Some(format!("it is named in {other}"));
            reader.error(at.span.clone(), &at.key, format!("{} is named twice", at.value), hint);
            false
        }
    }
}

fn belongs(date: Date, year: i16) -> bool {
    date.year() == year || (date.year() == year - 1 && WorkCalendar::is_last_week(date))
}

/// The days from one key to `to`, both included; `to` may be absent.
fn span(reader: &Reader<'_>, table: &Table<'_, '_>, first: &'static str) -> Vec<At<Date>> {
    if !table.has(first) {
        table.missing(first, &format!("{first} = 2027-02-05"));
    }
    let to = table.date("to").and_then(|at| day(reader, &at));
    let Some(from) = table.date(first).and_then(|at| day(reader, &at)) else { return Vec::new() };
    let Some(to) = to else { return vec![from] };
    let days: Vec<At<Date>> = from
        .value
        .series(jiff::ToSpan::days(1))
        .take_while(|date| *date <= to.value)
        .take(LONGEST + 1)
        .map(|date| from.with(date))
        .collect();
    if days.is_empty() || days.len() > LONGEST {
        let message = format!("from {} to {} is no holiday", from.value, to.value);
        let hint = Some(format!("`to` is the last day off, at most {LONGEST} days from the first"));
        reader.error(to.span, &to.key, message, hint);
        return Vec::new();
    }
    days
}

/// A whole day; a time or an offset is a mistake.
fn day(reader: &Reader<'_>, at: &At<Datetime>) -> Option<At<Date>> {
    let parsed = match (at.value.date, at.value.time, at.value.offset) {
        (Some(_), None, None) => at.value.to_string().parse::<Date>().ok(),
        (Some(_) | None, Some(_) | None, Some(_) | None) => None,
    };
    if parsed.is_none() {
        let hint = Some("write a day without a time: 2027-02-05".to_owned());
        reader.error(at.span.clone(), &at.key, format!("{} is no day", at.value), hint);
    }
    parsed.map(|date| at.with(date))
}

#[cfg(test)]
mod tests;
