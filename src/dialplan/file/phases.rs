//! `[[line.phase]]`: what a number does from when on, and the life that its phases make.
//!
//! What happens to a call in a phase is read in `services`.

use std::cmp::Ordering;

use jiff::{Timestamp, ToSpan};
use toml::value::Datetime;

use super::Building;
use crate::dialplan::lint::Part;
use crate::dialplan::table::{At, Table, civil, one_of};
use crate::dialplan::{
    Answering, Attributes, Lifecycle, Mode, NumberFate, Phase, Reactivated, Service, ToldEnd, ToldService, Worded,
};
use crate::types::{LineNumber, QueueId, SeatId, Wall};

/// Said before a cancelled number is refused.
pub(super) const CANCELLED: &str = "notice/cancelled";

/// A phase as it was read, with what its neighbours are compared with.
struct Read {
    phase: Phase,
    here: At<()>,
    until: Option<At<Wall>>,
}

impl<'r, 'a> Building<'r, 'a> {
    /// Keys of the plan that hold for the life of every line.
    pub(super) fn read_life(&mut self, root: &Table<'r, 'a>) {
        self.transition_months = root.number("transition_months", 1..=120).map(|at| at.value);
        self.cancelled_end = self.read_end(root, "cancelled_end", ToldEnd::Gone);
    }

    pub(super) fn read_phases(&mut self, table: &Table<'r, 'a>, number: Option<&LineNumber>) -> Vec<Phase> {
        let tables = table.tables("phase");
        if tables.is_empty() && !table.has("phase") {
            table.missing("phase", "say what the number does from when on: [[line.phase]] with from and mode");
        }
        let mut phases: Vec<Read> = Vec::new();
        for phase_table in tables {
            // After a mistake in one phase the next is still compared with the last good one.
            if let Some(read) = self.read_phase(phase_table, number, phases.last()) {
                self.check_life(&read, &phases);
                phases.push(read);
            }
        }
        self.end_life(phases, number)
    }

    fn read_phase(&mut self, table: Table<'r, 'a>, number: Option<&LineNumber>, before: Option<&Read>) -> Option<Read> {
        let here = table.here();
        let from = self.read_from(&table, before.map(|before| before.phase.from));
        let until = table.date("until").and_then(|at| self.wall_of(&at).map(|wall| at.with(wall)));
        if !table.has("mode") {
            table.missing("mode", "for example mode = \"dual\"");
        }
        // With an unknown mode it is not known which keys belong to it.
        let mode = word(&table, "mode")?;
        let attributes = read_attributes(&table, mode);
        let own_seats = self.read_place(&table, "destination");
        let forward = self.read_place(&table, "forward");
        let service = self.read_service(&table, number, &attributes, forward.or(own_seats));
        let experts = self.read_experts(&table, &attributes, service.as_ref());
        let office = self.read_office(&table, &attributes, number);
        let reactivated = read_reactivated(&table);
        table.finish();
        let (from, service) = (from?, service?);
        let phase = Phase { from, mode, attributes, service, own_seats, experts, office, reactivated };
        Some(Read { phase, here, until })
    }

    /// The start of a phase: 00:00 of its date, or a moment of it, in the plan's zone.
    fn read_from(&self, table: &Table<'r, 'a>, before: Option<Wall>) -> Option<Wall> {
        if !table.has("from") {
            table.missing("from", "the first day of the phase: from = 2021-10-15");
        }
        let at = table.date("from")?;
        let wall = self.wall_of(&at)?;
        if before.is_some_and(|before| wall <= before) {
            let message = format!("this phase does not begin after the one before it ({})", at.value);
            let hint =
                "put the phases of a line into the order of their dates, none at the moment of another".to_owned();
            self.reader.error(at.span, &at.key, message, Some(hint));
        }
        Some(wall)
    }

    /// A day or a moment of the plan's zone.
    fn wall_of(&self, at: &At<Datetime>) -> Option<Wall> {
        match self.moment(&at.value) {
            Ok(wall) => Some(wall),
            Err(why) => {
                let hint = "write a day of the plan's zone, 2021-10-15, or a minute of it, 2021-10-15T08:30:00";
                self.reader.error(at.span.clone(), &at.key, why, Some(hint.into()));
                None
            }
        }
    }

    fn moment(&self, text: &Datetime) -> Result<Wall, String> {
        let local = civil(text)?;
        let moment = local.to_zoned(self.zone.clone()).map_err(|e| e.to_string())?;
        Ok(Wall(moment.timestamp().as_millisecond()))
    }

    /// A moment as people of the plan's zone write it.
    pub(super) fn local(&self, wall: Wall) -> String {
        match Timestamp::from_millisecond(wall.0) {
            Ok(moment) => moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            Err(_) => wall.0.to_string(),
        }
    }

    /// The queue of the expert seats, where the phase has such: that of the callers, unless another is named.
    fn read_experts(
        &mut self,
        table: &Table<'r, 'a>,
        attributes: &Attributes,
        service: Option<&Service>,
    ) -> Option<QueueId> {
        if attributes.seats != Answering::Experts {
            return None;
        }
        match (table.text("experts"), service) {
            (Some(at), _) => self.queue_named(&at),
            (None, Some(Service::Queue(service))) => Some(service.queue),
            (None, Some(Service::Outside(_) | Service::Told(_) | Service::NotServed) | None) => None,
        }
    }

    /// The seat whose telephone the number has become. Seats stand below in the file and are looked up in the end.
    fn read_office(
        &mut self,
        table: &Table<'r, 'a>,
        attributes: &Attributes,
        number: Option<&LineNumber>,
    ) -> Option<SeatId> {
        if attributes.number_fate != NumberFate::Internal {
            return None;
        }
        let at = table.number("office", 100..=99_999_999)?;
        let seat = SeatId(at.value);
        if let Some(number) = number {
            self.offices.push((number.clone(), at));
        }
        Some(seat)
    }

    pub(super) fn check_offices(&self) {
        for (number, at) in self.offices.iter().filter(|(_, at)| !self.plan.seats.contains_key(&SeatId(at.value))) {
            let message = format!("there is no seat {} that could have the telephone {number}", at.value);
            let hint = "add it as [[seat]], or leave `office` out".to_owned();
            self.reader.error(at.span.clone(), &at.key, message, Some(hint));
        }
    }

    /// What a phase may not do after those before it.
    fn check_life(&self, read: &Read, before: &[Read]) {
        if let Some(Read { until: Some(until), .. }) = before.last() {
            self.check_until(until, read.phase.from);
        }
        let lifecycle = read.phase.attributes.lifecycle;
        let dead = before.last().is_some_and(|last| last.phase.attributes.lifecycle == Lifecycle::Cancelled);
        let here = &read.here;
        match (dead, lifecycle, &read.phase.reactivated) {
            (true, Lifecycle::Cancelled, _) | (true, _, Some(_)) | (false, _, None) => {}
            (true, _, None) if read.phase.attributes.number_fate == NumberFate::Internal => {}
            (true, _, None) => {
                let message = "a cancelled number does not come back (\"已取消的热线号码不再恢复\")";
                let hint = "take the phase out; or write an administrator's reason: reactivated = { by = \"...\", reason = \"...\" }";
                self.reader.error(here.span.clone(), &here.key, message, Some(hint.to_owned()));
            }
            (false, _, Some(_)) => {
                let message = "`reactivated` stands in a phase before which the number was not cancelled";
                self.reader.error(here.span.clone(), &here.key, message, Some("take it out".to_owned()));
            }
        }
    }

    /// `until` of a phase and the start of the next must be one moment.
    fn check_until(&self, until: &At<Wall>, next: Wall) {
        let what = match until.value.cmp(&next) {
            Ordering::Equal => return,
            Ordering::Less => "a gap: calls of the time between would end nowhere",
            Ordering::Greater => "an overlap: two phases claim the time between",
        };
        let message =
            format!("this phase ends {}, the next begins {}: {what}", self.local(until.value), self.local(next));
        let hint = "let the next phase begin when this one ends, or leave `until` out".to_owned();
        self.reader.error(until.span.clone(), &until.key, message, Some(hint));
    }

    /// The end of a line's phases: a transition ends by itself where the plan says how long it lasts.
    fn end_life(&mut self, mut phases: Vec<Read>, number: Option<&LineNumber>) -> Vec<Phase> {
        if let Some(last) = phases.last() {
            let attributes = last.phase.attributes;
            let ends = match (attributes.lifecycle, self.transition_months, &last.until) {
                (Lifecycle::Transition, _, Some(until)) => Some(until.value),
                (Lifecycle::Transition, Some(months), None) => self.months_after(last.phase.from, months),
                (..) => None,
            };
            let dead = attributes.lifecycle == Lifecycle::Cancelled;
            let place = last.here.clone();
            match (ends, &last.until) {
                (Some(end), _) => {
                    let notice = self.sentence(CANCELLED, &place);
                    let notice = Some(notice).filter(|_| self.cancelled_end == ToldEnd::Gone);
                    let service = Service::Told(ToldService { notice, end: self.cancelled_end });
                    phases.push(Read { phase: Phase::new(end, Mode::Cancelled, service), here: place, until: None });
                }
                (None, Some(until)) => {
                    let message = format!(
                        "no phase follows this one: calls from {} on would end nowhere",
                        self.local(until.value)
                    );
                    let hint = "add the phase that follows, or leave `until` out".to_owned();
                    self.reader.error(until.span.clone(), &until.key, message, Some(hint));
                }
                (None, None) if attributes.number_fate == NumberFate::Cancel && !dead => {
                    let message = "the number is to be cancelled and no phase does it";
                    let hint = "add a phase with mode = \"cancelled\", or a transition with transition_months in the head of the plan";
                    self.reader.warning(place.span, &place.key, message, Some(hint.to_owned()));
                }
                (None, None) => {}
            }
        }
        for (index, read) in phases.iter().enumerate() {
            if let Some(number) = number {
                self.places.insert(Part::Phase(number.clone(), index), read.here.clone());
            }
        }
        phases.into_iter().map(|read| read.phase).collect()
    }

    /// So many calendar months later, on the same day and minute of the zone (31 January and one month: the last of February).
    fn months_after(&self, from: Wall, months: u32) -> Option<Wall> {
        let from = Timestamp::from_millisecond(from.0).ok()?.to_zoned(self.zone.clone());
        let end = from.checked_add(i32::try_from(months).ok()?.months()).ok()?;
        Some(Wall(end.timestamp().as_millisecond()))
    }

    /// How a call to a cancelled number is refused.
    pub(super) fn read_end(&self, table: &Table<'r, 'a>, key: &'static str, default: ToldEnd) -> ToldEnd {
        let hint = "\"gone\": the final announcement, then 410; \"not-found\": 404 at once";
        let parse = |word: &str| match word {
            "gone" => Ok(ToldEnd::Gone),
            "not-found" => Ok(ToldEnd::NotFound),
            _ => Err(format!("{word:?} does not say how the call ends")),
        };
        table.parsed(key, hint, parse).map_or(default, |at| at.value)
    }
}

/// The attributes of the mode, and those that the phase sets instead.
fn read_attributes(table: &Table<'_, '_>, mode: Mode) -> Attributes {
    let of = mode.attributes();
    Attributes {
        number_fate: word(table, "number_fate").unwrap_or(of.number_fate),
        seats: word(table, "seats").unwrap_or(of.seats),
        unresolved_to: word(table, "unresolved_to").unwrap_or(of.unresolved_to),
        lifecycle: word(table, "lifecycle").unwrap_or(of.lifecycle),
    }
}

/// One of a few words; another is a mistake.
pub(super) fn word<T: Worded>(table: &Table<'_, '_>, key: &'static str) -> Option<T> {
    let at = table.text(key)?;
    let found = T::of(&at.value);
    if found.is_none() {
        let hint = one_of(&at.value, T::all().iter().map(|one| one.word()));
        table.reader().error(at.span, &at.key, format!("there is no {key} {:?}", at.value), Some(hint));
    }
    found
}

fn read_reactivated(table: &Table<'_, '_>) -> Option<Reactivated> {
    let table = table.table("reactivated")?;
    let by = table.need_text("by", "who decided it: by = \"...\"");
    let reason = table.need_text("reason", "why the number serves again: reason = \"...\"");
    for at in [&by, &reason].into_iter().flatten().filter(|at| at.value.trim().is_empty()) {
        let message = "a number serves again only with a name and a reason on record";
        let hint = "{ by = \"...\", reason = \"...\" }, both with words in them".to_owned();
        table.reader().error(at.span.clone(), &at.key, message, Some(hint));
    }
    table.finish();
    Some(Reactivated { by: by?.value, reason: reason?.value })
}
