//! When a line is served, as data. Knows no calendar and no clock; holidays come with the working-day calendar.

use serde::{Deserialize, Serialize};

/// Hours of service of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hours {
    /// All day, every day: what the merge plans promise ("7×24小时").
    #[default]
    Always,
    /// Only in these spans of the week, local time of the plan's zone.
    Weekly(Vec<Span>),
}

/// A span of hours on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// On which days, in order, at least one.
    pub days: Vec<Weekday>,
    /// First minute of the day, 0 to 1,439.
    pub from_min: u16,
    /// First minute after the span, 1 to 1,440, later than `from_min`.
    pub to_min: u16,
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
    #[error("hours are \"7x24\" or spans such as \"mon-fri 09:00-17:30\", not {0:?}")]
    Form(String),
    /// An unknown day.
    #[error("{0:?} is no day: use mon, tue, wed, thu, fri, sat, sun")]
    Day(String),
    /// No time of day.
    #[error("{0:?} is no time of day: use HH:MM from 00:00 to 24:00")]
    Time(String),
    /// The end is not after the start.
    #[error("the span ends before it begins; write one span to 24:00 and one from 00:00 of the next day")]
    Backwards,
}

impl Hours {
    /// Reads "7x24", or spans with commas between them: "mon-fri 09:00-17:30, sat 09:00-12:00".
    ///
    /// # Errors
    /// [`HoursError`] names the first part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        if matches!(text.trim(), "7x24" | "7×24") {
            return Ok(Self::Always);
        }
        text.split(',').map(|part| span(part.trim())).collect::<Result<_, _>>().map(Self::Weekly)
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
    Ok(Span { days: day_range(days)?, from_min, to_min })
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
        let days = |days: &[Weekday]| days.to_vec();
        assert_eq!(
            hours,
            Hours::Weekly(vec![
                Span { days: days(&[Weekday::Mon, Weekday::Sat, Weekday::Sun]), from_min: 540, to_min: 750 },
                Span { days: days(&[Weekday::Wed]), from_min: 0, to_min: 1_440 },
            ])
        );
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
