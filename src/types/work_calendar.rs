//! Working days, make-up working days (调休) and festivals: which days count, and when so many of them have passed.
//!
//! The State Council publishes each year's days off in the autumn before. Until then nobody knows them, so every answer that
//! needs a year which is not loaded says that it is provisional. Reads no file and no clock, knows days and not zones.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time, Weekday};

use super::Wall;

/// The last week of December, from this day on, belongs to the schedule of the next year too: that of 2019 made 2018-12-29 a
/// working day and 2018-12-31 a day off, that of 2023 begins on 2022-12-31.
const LAST_WEEK: (i8, i8) = (12, 25);

/// All years, days and festivals that are known. Two calendars that are equal answer everything alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkCalendar {
    years: BTreeSet<i16>,
    scheduled: BTreeMap<Date, NamedDay>,
    local: BTreeMap<Date, NamedDay>,
    festivals: BTreeMap<Date, Vec<String>>,
}

/// A day that is not what its day of the week says, or has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDay {
    /// Whether it is worked.
    pub works: bool,
    /// Why: "春节", "防疫延长".
    pub name: String,
}

/// An answer, and whether it may change when a year is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    /// The answer.
    pub value: T,
    /// Whether the days of the week had to stand for a year that is not loaded. It is computed again when
    /// [`WorkCalendar::covers`] that year.
    pub provisional: bool,
}

/// What a calendar says of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayView<'a> {
    /// Whether it is worked.
    pub works: Dated<bool>,
    /// The holiday, or the one that it makes up for.
    pub name: Option<&'a str>,
    /// Festivals of the lunar calendar on it.
    pub festivals: &'a [String],
}

impl WorkCalendar {
    /// Makes a year known with the days of its schedule; without any it is all days of the week.
    pub fn add_year(&mut self, year: i16, days: impl IntoIterator<Item = (Date, NamedDay)>) {
        self.years.insert(year);
        self.scheduled.extend(days);
    }

    /// Puts a day of this place, or one by decree, over every schedule.
    pub fn add_day(&mut self, date: Date, day: NamedDay) {
        self.local.insert(date, day);
    }

    /// Names a festival of a day; it is worked as it was.
    pub fn add_festival(&mut self, date: Date, name: &str) {
        self.festivals.entry(date).or_default().push(name.to_owned());
    }

    /// Whether the schedule of a year is loaded.
    pub fn covers(&self, year: i16) -> bool {
        self.years.contains(&year)
    }

    /// Years that are loaded, in order.
    pub fn years(&self) -> impl Iterator<Item = i16> + '_ {
        self.years.iter().copied()
    }

    /// Days that a year's schedule and local rules name, in order.
    pub fn days_of(&self, year: i16) -> impl Iterator<Item = (Date, &NamedDay)> {
        let mut days: BTreeMap<Date, &NamedDay> = self.scheduled.iter().map(|(date, day)| (*date, day)).collect();
        days.extend(self.local.iter().map(|(date, day)| (*date, day)));
        days.into_iter().filter(move |(date, _)| date.year() == year)
    }

    /// Festivals of a year, in order.
    pub fn festivals_of(&self, year: i16) -> impl Iterator<Item = (Date, &[String])> {
        self.festivals
            .iter()
            .filter(move |(date, _)| date.year() == year)
            .map(|(date, names)| (*date, names.as_slice()))
    }

    /// What is known of a day.
    pub fn day(&self, date: Date) -> DayView<'_> {
        let named = self.local.get(&date).or_else(|| self.scheduled.get(&date));
        let by_week = !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        DayView {
            works: Dated {
                value: named.map_or(by_week, |day| day.works),
                provisional: named.is_none() && !self.settles(date),
            },
            name: named.map(|day| day.name.as_str()),
            festivals: self.festivals.get(&date).map_or(&[], Vec::as_slice),
        }
    }

    /// Whether every schedule that can name a day is loaded.
    fn settles(&self, date: Date) -> bool {
        self.covers(date.year()) && (!Self::is_last_week(date) || self.covers(date.year() + 1))
    }

    /// Whether the schedule of the next year may name a day.
    pub fn is_last_week(date: Date) -> bool {
        (date.month(), date.day()) >= LAST_WEEK
    }

    /// The last day of a time limit of so many working days. The day of receipt is not counted; the limit ends at 24:00 of
    /// the day given. None at all ends on the day of receipt itself.
    pub fn add_working_days(&self, received: Date, count: u16) -> Dated<Date> {
        let mut due = Dated { value: received, provisional: false };
        for _ in 0..count {
            let next = self.seek(due.value, Date::tomorrow);
            due = Dated { value: next.value, provisional: due.provisional || next.provisional };
        }
        due
    }

    /// The moment at which a time limit of so many working days is over, for what came in at a moment: 24:00 of the last day,
    /// on the clocks of China.
    pub fn deadline(&self, received: Wall, count: u16) -> Dated<Wall> {
        let last = self.add_working_days(received.in_china().date(), count);
        let end = last.value.tomorrow().unwrap_or(Date::MAX).to_datetime(Time::midnight());
        Dated { value: Wall::from_china(end), provisional: last.provisional }
    }

    /// The last working day before a day: an extension must be asked for before the day on which a limit ends.
    pub fn working_day_before(&self, date: Date) -> Dated<Date> {
        self.seek(date, Date::yesterday)
    }

    fn seek(&self, from: Date, step: fn(Date) -> Result<Date, jiff::Error>) -> Dated<Date> {
        let (mut date, mut provisional) = (from, false);
        // Ends at a working day, or where dates end (the years -9999 and 9999).
        while let Ok(next) = step(date) {
            date = next;
            let works = self.day(date).works;
            provisional |= works.provisional;
            if works.value {
                break;
            }
        }
        Dated { value: date, provisional }
    }
}

#[cfg(test)]
mod tests;
