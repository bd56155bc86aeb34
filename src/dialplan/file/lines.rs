//! `[[line]]` with its dated `[[line.phase]]`: what each number does from when on.

use jiff::civil;
use toml::value::Datetime;

use super::Building;
use crate::dialplan::table::{At, Table, one_of};
use crate::dialplan::{AnswerWhen, Line, Mode, Phase, QueueService, Service};
use crate::types::{LineNumber, Wall};

/// Priority of a line that names none; 0 to 9, higher first.
pub(super) const PRIORITY: u32 = 5;

impl<'r, 'a> Building<'r, 'a> {
    pub(super) fn read_lines(&mut self, root: &Table<'r, 'a>) {
        let tables = root.tables("line");
        if tables.is_empty() && !root.has("line") {
            root.missing("line", "the numbers that citizens dial: [[line]] with number, name and phases");
        }
        for table in tables {
            self.read_line(&table);
            table.finish();
        }
    }

    fn read_line(&mut self, table: &Table<'r, 'a>) {
        let hint = "the number as citizens dial it, in quotes: number = \"12315\"";
        if !table.has("number") {
            table.missing("number", hint);
        }
        let number = table.parsed("number", hint, super::line_number);
        let also = table.parsed_list("also", "the number as the carrier writes it, digits only", super::line_number);
        let name = table.need_text("name", "the name in records: name = \"市场监管投诉举报热线\"");
        let unit = table.text("unit").map(|at| at.value).unwrap_or_default();
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
                self.plan.aliases.insert(other.value, number.value.clone());
            }
        }
        let name = name.map(|at| at.value).unwrap_or_default();
        self.plan.lines.insert(number.value.clone(), Line { number: number.value, name, unit, hours, closed, phases });
    }

    /// Refuses an emergency number: no mode of merging may touch it.
    fn may_be_a_line(&self, number: &At<LineNumber>) -> bool {
        let Some(name) = self.plan.emergency.get(&number.value) else { return true };
        let message = format!("{} is an emergency number ({name}) and is never merged", number.value);
        let hint = "take the line out; emergency lines stay with their own centers and are reached by one-key transfer";
        self.reader.error(number.span.clone(), &number.key, message, Some(hint.to_owned()));
        false
    }

    fn read_phases(&mut self, table: &Table<'r, 'a>, number: Option<&LineNumber>) -> Vec<Phase> {
        let tables = table.tables("phase");
        if tables.is_empty() && !table.has("phase") {
            table.missing("phase", "say what the number does from when on: [[line.phase]] with from and mode");
        }
        let mut phases: Vec<Phase> = Vec::new();
        for phase_table in tables {
            let from = self.read_from(&phase_table, phases.last().map(|phase| phase.from));
            let mode = self.read_mode(&phase_table);
            let service = match mode.as_ref().map(|at| at.value) {
                Some(mode) if mode.rings_a_queue() => self.read_queue_service(&phase_table, number),
                Some(mode) => {
                    self.warn_not_served(&phase_table, mode, number);
                    Some(Service::NotServed)
                }
                None => {
                    // The mode is unknown, and so is which keys belong to it.
                    continue;
                }
            };
            phase_table.finish();
            if let (Some(from), Some(mode), Some(service)) = (from, mode, service) {
                phases.push(Phase { from, mode: mode.value.shown().to_owned(), service });
            }
        }
        phases
    }

    fn read_mode(&self, table: &Table<'r, 'a>) -> Option<At<Mode>> {
        let at = table.need_text("mode", "for example mode = \"dual\"")?;
        let mode = Mode::of(&at.value);
        if mode.is_none() {
            let hint = one_of(&at.value, Mode::ALL.map(Mode::word));
            self.reader.error(at.span.clone(), &at.key, format!("there is no mode {:?}", at.value), Some(hint));
        }
        Some(at.with(mode?))
    }

    /// The start of a phase: 00:00 of its date, or a moment of it, in the plan's zone.
    fn read_from(&self, table: &Table<'r, 'a>, before: Option<Wall>) -> Option<Wall> {
        if !table.has("from") {
            table.missing("from", "the first day of the phase: from = 2021-10-15");
        }
        let at = table.date("from")?;
        let wall = match self.moment(&at.value) {
            Ok(wall) => wall,
            Err(why) => {
                self.reader.error(at.span, &at.key, why, Some("write a day of the plan's zone: 2021-10-15".into()));
                return None;
            }
        };
        if before.is_some_and(|before| wall <= before) {
            let message = format!("this phase does not begin after the one before it ({})", at.value);
            let hint = "put the phases of a line into the order of their dates, one a day".to_owned();
            self.reader.error(at.span, &at.key, message, Some(hint));
        }
        Some(wall)
    }

    fn moment(&self, text: &Datetime) -> Result<Wall, String> {
        let (Some(date), None) = (text.date, text.offset) else {
            return Err(format!("{text} is no day in the plan's zone"));
        };
        let small = |n: u8| i8::try_from(n).map_err(|_| format!("{text} is no day"));
        let year = i16::try_from(date.year).map_err(|_| format!("{text} is no day"))?;
        let day = civil::Date::new(year, small(date.month)?, small(date.day)?).map_err(|e| e.to_string())?;
        let local = match text.time {
            None => day.to_datetime(civil::Time::midnight()),
            Some(time) => day.at(small(time.hour)?, small(time.minute)?, small(time.second.unwrap_or(0))?, 0),
        };
        let moment = local.to_zoned(self.zone.clone()).map_err(|e| e.to_string())?;
        Ok(Wall(moment.timestamp().as_millisecond()))
    }

    fn read_queue_service(&mut self, table: &Table<'r, 'a>, number: Option<&LineNumber>) -> Option<Service> {
        let greeting = match number {
            Some(number) => self.prompt(table, "greeting", &format!("greeting/{number}")),
            None => self.prompt(table, "greeting", "greeting/12345"),
        };
        let answer = self.read_answer(table);
        let priority = table.number_or("priority", 0..=9, PRIORITY);
        let at = table.need_text("queue", "where the callers wait: queue = \"general\"")?;
        let Some(queue) = self.queues.get_mut(&at.value) else {
            let hint = one_of(&at.value, self.queues.keys().map(String::as_str));
            self.reader.error(at.span, &at.key, format!("there is no queue {:?}", at.value), Some(hint));
            return None;
        };
        queue.lines += 1;
        let priority = u8::try_from(priority).unwrap_or(u8::MAX);
        Some(Service::Queue(QueueService {
            notices: Vec::new(),
            queue: queue.id,
            greeting,
            answer,
            priority,
            desk: None,
        }))
    }

    fn read_answer(&self, table: &Table<'r, 'a>) -> AnswerWhen {
        let hint = "\"at-once\": greeting and music after the answer; \"by-seat\": before it, as early media";
        let parse = |word: &str| match word {
            "at-once" => Ok(AnswerWhen::AtOnce),
            "by-seat" => Ok(AnswerWhen::BySeat),
            _ => Err(format!("{word:?} does not say when to answer")),
        };
        table.parsed("answer", hint, parse).map_or(AnswerWhen::AtOnce, |at| at.value)
    }

    fn warn_not_served(&self, table: &Table<'r, 'a>, mode: Mode, number: Option<&LineNumber>) {
        let number = number.map_or("the line", LineNumber::as_str);
        let message =
            format!("the mode {:?} ({}) is not served yet: calls to {number} get 404", mode.word(), mode.shown());
        let here = table.here();
        self.reader.warning(here.span, &here.key, message, None);
    }
}
