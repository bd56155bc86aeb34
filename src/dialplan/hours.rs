//! When a line is served. Reads no clock: the moment and the working calendar come in.

use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};

use crate::types::{Dated, Wall, WorkCalendar};

/// Hours of service of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hours {
    /// All day, every day: what the merge plans promise ("7×24小时").
    #[default]
    Always,
    /// Only in these spans, on the clocks of the plan's zone.
    In(Vec<Span>),
}

/// A span of hours on some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// On which days.
    pub days: Days,
    /// First minute of the day, 0 to 1,439.
    pub from_min: u16,
    /// First minute after the span, 1 to 1,440, later than `from_min`.
    pub to_min: u16,
}

/// The days of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Days {
    /// These days of the week, holiday or not; in order, at least one.
    Week(Vec<Weekday>),
    /// Days that are worked: "workdays". A Sunday that makes up for a holiday is one, a holiday on a Monday is none.
    Work,
    /// All others: "restdays".
    Rest,
}

/// The clocks of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clocks(TimeZone);

impl Clocks {
    /// Those of a zone that was looked up.
    pub fn of(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// Date and time at a moment.
    pub fn at(&self, moment: Wall) -> DateTime {
        self.0.to_datetime(jiff::Timestamp::from_millisecond(moment.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// The moment of a date and time; `None` beyond the end of all dates.
    pub fn moment(&self, local: DateTime) -> Option<Wall> {
        self.0.to_timestamp(local).ok().map(|moment| Wall(moment.as_millisecond()))
    }
}

/// China's, UTC+8.
impl Default for Clocks {
    fn default() -> Self {
        Self(TimeZone::fixed(tz::offset(8)))
    }
}

/// A day of the week; ISO 8601 order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Weekday {
    /// 星期一
    Mon,
    /// 星期二
    Tue,
    /// 星期三
    Wed,
    /// 星期四
    Thu,
    /// 星期五
    Fri,
    /// 星期六
    Sat,
    /// 星期日
    Sun,
}

const NAMES: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

/// Why a text is no hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Not of the form "mon-fri 09:00-17:30".
    #[error("hours are \"7x24\" or spans such as \"workdays 09:00-17:30\", not {0:?}")]
    Form(String),
    /// An unknown day.
    #[error("{0:?} is no day: use workdays, restdays, or mon, tue, wed, thu, fri, sat, sun")]
    Day(String),
    /// No time of day.
    #[error("{0:?} is no time of day: use HH:MM from 00:00 to 24:00")]
    Time(String),
    /// The end is not after the start.
    #[error("the span ends before it begins; write one span to 24:00 and one from 00:00 of the next day")]
    Backwards,
}

impl Hours {
    /// Reads "7x24", or spans with commas between them: "workdays 09:00-17:30, sat 09:00-12:00".
    ///
    /// # Errors
    /// [`HoursError`] names the first part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        if matches!(text.trim(), "7x24" | "7×24") {
            return Ok(Self::Always);
        }
        text.split(',').map(|part| span(part.trim())).collect::<Result<_, _>>().map(Self::In)
    }

    /// Whether the line is served at a moment; provisional where a year that decides it is not known.
    pub fn are_open(&self, at: DateTime, calendar: &WorkCalendar) -> Dated<bool> {
        let Self::In(spans) = self else { return Dated { value: true, provisional: false } };
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
        let today = calendar.day(at.date()).works;
        let mut open = Dated { value: false, provisional: false };
        for span in spans.iter().filter(|span| (span.from_min..span.to_min).contains(&minute)) {
            let (holds, provisional) = match &span.days {
                Days::Week(days) => (days.contains(&Weekday::of(at)), false),
                Days::Work => (today.value, today.provisional),
                Days::Rest => (!today.value, today.provisional),
            };
            open.value |= holds;
            open.provisional |= provisional;
        }
        open
    }

    /// Whether working days decide anything.
    pub fn need_calendar(&self) -> bool {
        match self {
            Self::Always => false,
            Self::In(spans) => spans.iter().any(|span| !matches!(span.days, Days::Week(_))),
        }
    }
}

impl Weekday {
    fn of(at: DateTime) -> Self {
        NAMES[usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0) % 7].1
    }
}

fn span(text: &str) -> Result<Span, HoursError> {
    let form = || HoursError::Form(text.to_owned());
    let (days, times) = text.split_once(' ').ok_or_else(form)?;
    let (from, to) = times.trim().split_once('-').ok_or_else(form)?;
    let (from_min, to_min) = (minute(from)?, minute(to)?);
    if to_min <= from_min {
        return Err(HoursError::Backwards);
    }
    let days = match days.to_ascii_lowercase().as_str() {
        "workdays" => Days::Work,
        "restdays" => Days::Rest,
        week => Days::Week(day_range(week)?),
    };
    Ok(Span { days, from_min, to_min })
}

fn day_range(text: &str) -> Result<Vec<Weekday>, HoursError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let length = (last + 7 - first) % 7 + 1;
    let mut days: Vec<Weekday> = (first..first + length).map(|i| NAMES[i % 7].1).collect();
    days.sort_unstable();
    Ok(days)
}

fn day(text: &str) -> Result<usize, HoursError> {
    let wanted = text.to_ascii_lowercase();
    NAMES.iter().position(|(name, _)| *name == wanted).ok_or_else(|| HoursError::Day(text.to_owned()))
}

fn minute(text: &str) -> Result<u16, HoursError> {
    let bad = || HoursError::Time(text.to_owned());
    let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
    let two = |t: &str| match t.as_bytes() {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Ok(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
        _ => Err(bad()),
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    if minutes > 59 || hours * 60 + minutes > 1_440 {
        return Err(bad());
    }
    Ok(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_times_twenty_four_is_always() {
        assert_eq!(Hours::parse("7x24"), Ok(Hours::Always));
        assert_eq!(Hours::parse(" 7×24 "), Ok(Hours::Always));
    }

    #[test]
    fn spans_are_read_with_days_in_order() {
        let hours = Hours::parse("sat-mon 09:00-12:30, wed 00:00-24:00").expect("good hours");
        let days = |days: &[Weekday]| Days::Week(days.to_vec());
        assert_eq!(
            hours,
            Hours::In(vec![
                Span { days: days(&[Weekday::Mon, Weekday::Sat, Weekday::Sun]), from_min: 540, to_min: 750 },
                Span { days: days(&[Weekday::Wed]), from_min: 0, to_min: 1_440 },
            ])
        );
    }

    fn calendar() -> WorkCalendar {
        let mut calendar = WorkCalendar::default();
        let day = |text: &str, works| {
            (text.parse().expect("a day"), crate::types::NamedDay { works, name: "国庆节".to_owned() })
        };
        calendar.add_year(2026, [day("2026-10-01", false), day("2026-10-10", true)]);
        calendar
    }

    fn open(hours: &str, at: &str) -> Dated<bool> {
        let hours = Hours::parse(hours).expect("good hours");
        hours.are_open(at.parse().expect("a moment"), &calendar())
    }

    #[test]
    fn working_hours_know_holidays_and_the_days_that_make_up_for_them() {
        let yes = Dated { value: true, provisional: false };
        let no = Dated { value: false, provisional: false };
        let hours = "workdays 09:00-17:30";
        for (at, expected) in [
            ("2026-10-09T08:59:59", no),
            ("2026-10-09T09:00", yes),
            ("2026-10-09T17:29:59", yes),
            ("2026-10-09T17:30", no),
            ("2026-10-01T10:00", no),
            ("2026-10-10T10:00", yes),
            ("2026-10-11T10:00", no),
        ] {
            assert_eq!(open(hours, at), expected, "{at}");
        }
        assert_eq!(open("mon-fri 09:00-17:30", "2026-10-01T10:00"), yes, "a day of the week is one on a holiday too");
        assert_eq!(open("workdays 09:00-17:30, restdays 10:00-16:00", "2026-10-01T10:00"), yes);
        assert_eq!(open("7x24", "2026-10-01T03:00"), yes);
    }

    #[test]
    fn hours_in_a_year_that_nobody_knows_are_provisional_where_the_day_decides() {
        let at = |at| open("workdays 09:00-17:30", at);
        assert_eq!(at("2027-10-01T10:00"), Dated { value: true, provisional: true });
        assert_eq!(at("2027-10-01T20:00"), Dated { value: false, provisional: false }, "closed on whatever day");
        assert_eq!(open("fri 09:00-17:30", "2027-10-01T10:00"), Dated { value: true, provisional: false });
    }

    #[test]
    fn each_wrong_part_is_named() {
        assert_eq!(Hours::parse("always"), Err(HoursError::Form("always".into())));
        assert_eq!(Hours::parse("mon-xyz 09:00-17:00"), Err(HoursError::Day("xyz".into())));
        assert_eq!(Hours::parse("mon 9:00-17:00"), Err(HoursError::Time("9:00".into())));
        assert_eq!(Hours::parse("mon 09:00-24:01"), Err(HoursError::Time("24:01".into())));
        assert_eq!(Hours::parse("mon 17:00-09:00"), Err(HoursError::Backwards));
    }
}
