//! `[[line]]`: the numbers that citizens dial. What they do from when on is read in `phases`.

use std::collections::BTreeSet;

use super::Building;
use super::phases::word;
use crate::dialplan::lint::Part;
use crate::dialplan::table::{At, Table, civil, one_of};
use crate::dialplan::{Line, Task};
use crate::types::LineNumber;

/// What is to be written where a line is named.
pub(super) const A_LINE: &str = "a line of this plan in quotes: \"12345\"";

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_lines(&mut self, root: &Table<'r, 'a>) {
        let units: Option<BTreeSet<String>> =
            root.has("units").then(|| root.texts("units").into_iter().map(|at| at.value).collect());
        let tables = root.tables("line");
        if tables.is_empty() && !root.has("line") {
            root.missing("line", "the numbers that citizens dial: [[line]] with number, name and phases");
        }
        for table in tables {
            self.read_line(&table, units.as_ref());
            table.finish();
        }
    }

    fn read_line(&mut self, table: &Table<'r, 'a>, units: Option<&BTreeSet<String>>) {
        let hint = "the number as citizens dial it, in quotes: number = \"12315\"";
        if !table.has("number") {
            table.missing("number", hint);
        }
        let number = table.parsed("number", hint, super::line_number);
        let also = table.parsed_list("also", "the number as the carrier writes it, digits only", super::line_number);
        let name = table.need_text("name", "the name in records: name = \"市场监管投诉举报热线\"");
        let unit = self.read_unit(table, units);
        let task = self.read_task(table);
        let (hours, closed) = self.read_hours(table, number.as_ref().map(|at| &at.value));
        let phases = self.read_phases(table, number.as_ref().map(|at| &at.value));
        let Some(number) = number else { return };
        if !self.may_be_a_line(&number) || !self.take(number.value.as_str(), "a line", &number.with_nothing()) {
            return;
        }
        for other in also {
            if self.may_be_a_line(&other)
                && self.take(other.value.as_str(), "another way to write a line", &other.with_nothing())
            {
                self.places.insert(Part::Alias(other.value.clone()), other.with_nothing());
                self.plan.aliases.insert(other.value, number.value.clone());
            }
        }
        let name = name.map(|at| at.value).unwrap_or_default();
        if let Some(task) = task {
            self.plan.tasks.insert(number.value.clone(), task);
        }
        self.places.insert(Part::Line(number.value.clone()), number.with_nothing());
        self.plan.lines.insert(number.value.clone(), Line { number: number.value, name, unit, hours, closed, phases });
    }

    /// The responsible unit; where the plan lists its units, one of them. Empty where the source lost it.
    fn read_unit(&self, table: &Table<'r, 'a>, units: Option<&BTreeSet<String>>) -> String {
        let Some(unit) = table.text("unit") else { return String::new() };
        if let Some(units) = units
            && !unit.value.is_empty()
            && !units.contains(&unit.value)
        {
            let hint = one_of(&unit.value, units.iter().map(String::as_str));
            let message = format!("there is no unit {:?} in `units`", unit.value);
            self.reader.error(unit.span.clone(), &unit.key, message, Some(hint));
        }
        unit.value
    }

    /// What the merge document asks of the line.
    fn read_task(&self, table: &Table<'r, 'a>) -> Option<Task> {
        let table = table.table("task")?;
        let day = |key: &'static str| {
            let at = table.date(key)?;
            let local = civil(&at.value).ok().filter(|_| at.value.time.is_none());
            if local.is_none() {
                let hint = "the last day that is in time: 2021-10-15".to_owned();
                self.reader.error(at.span.clone(), &at.key, format!("{} is no day", at.value), Some(hint));
            }
            local.map(|local| local.date())
        };
        let task = Task { mode: word(&table, "mode"), deadline: day("deadline"), cancel_by: day("cancel_by") };
        let says = ["mode", "deadline", "cancel_by"].iter().any(|key| table.has(key));
        let here = table.here();
        table.finish();
        if !says && self.reader.is_good() {
            let hint = "task = { deadline = 2021-10-15 }, with the day of the merge document".to_owned();
            self.reader.error(here.span, &here.key, "this task says nothing", Some(hint));
        }
        Some(task)
    }

    /// A line that another part of the plan names; another way to write one is none.
    pub(super) fn line_named(&self, at: At<LineNumber>) -> Option<LineNumber> {
        if !self.plan.lines.contains_key(&at.value) {
            let message = format!("there is no line {}", at.value);
            self.reader.error(at.span, &at.key, message, Some(A_LINE.to_owned()));
            return None;
        }
        Some(at.value)
    }

    /// Lines that another part of the plan names.
    pub(super) fn lines_named(&self, table: &Table<'r, 'a>) -> Vec<LineNumber> {
        let named = table.parsed_list("lines", A_LINE, super::line_number).into_iter();
        named.filter_map(|at| self.line_named(at)).collect()
    }

    /// Refuses the number of an emergency service or a utility: no mode of merging may touch it.
    fn may_be_a_line(&self, number: &At<LineNumber>) -> bool {
        let (kind, name) = match (self.plan.emergency.get(&number.value), self.plan.utilities.get(&number.value)) {
            (Some(name), _) => ("an emergency number", name),
            (None, Some(name)) => ("the number of a utility", name),
            (None, None) => return true,
        };
        let message = format!("{} is {kind} ({name}) and is never merged", number.value);
        let hint = "take the line out; such lines stay with their own centers and are reached by transfer";
        self.reader.error(number.span.clone(), &number.key, message, Some(hint.to_owned()));
        false
    }
}
