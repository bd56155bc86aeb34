//! Days and minutes as cells have them: typed in one of several ways, or a date of the office program.

use jiff::civil::{Date, DateTime, Time};

/// A day or a minute as it stands in a cell that we write: `2021-10-15`, `2021-10-15 08:30`.
pub(super) fn shown(at: DateTime) -> String {
    let form = match (at.time() == Time::midnight(), at.second()) {
        (true, _) => "%Y-%m-%d",
        (false, 0) => "%Y-%m-%d %H:%M",
        (false, _) => "%Y-%m-%d %H:%M:%S",
    };
    at.strftime(form).to_string()
}

/// Reads what people type: `2021-10-15`, `2021/10/15 8:30`, `2021年10月15日`.
pub(super) fn read(text: &str) -> Option<DateTime> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '年' | '月' | '/' | '.' => '-',
            '日' | 'T' => ' ',
            '：' => ':',
            other => other,
        })
        .collect();
    let (date, time) = plain.trim().split_once(' ').unwrap_or((plain.trim(), ""));
    let [year, month, day] = parts(date, '-')?;
    let year = (date.find('-') == Some(4)).then_some(year)?;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let time = match time.trim() {
        "" => Time::midnight(),
        time => {
            let with_seconds = if time.matches(':').count() == 1 { format!("{time}:00") } else { time.to_owned() };
            let [hour, minute, second] = parts(&with_seconds, ':')?.map(|n| i8::try_from(n).unwrap_or(i8::MAX));
            Time::new(hour, minute, second, 0).ok()?
        }
    };
    Some(date.to_datetime(time))
}

fn parts(text: &str, between: char) -> Option<[i16; 3]> {
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    let numbers: Option<Vec<i16>> = text.split(between).map(number).collect();
    numbers?.try_into().ok()
}

/// As the plan file writes it.
pub(super) fn in_toml(text: &str) -> String {
    match text.split_once(' ') {
        None => text.to_owned(),
        Some((date, time)) if time.len() == 5 => format!("{date}T{time}:00"),
        Some((date, time)) => format!("{date}T{time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_people_type_them() {
        for (text, wanted) in [
            ("2021-10-15", "2021-10-15"),
            ("2021/10/5", "2021-10-05"),
            ("2021.10.5", "2021-10-05"),
            ("2021年10月15日", "2021-10-15"),
            ("2021年1月5日 8:05", "2021-01-05 08:05"),
            ("2021-10-15T08:30:00", "2021-10-15 08:30"),
            ("2021/10/15 8:30:05", "2021-10-15 08:30:05"),
            ("2021-10-15 00:00", "2021-10-15"),
        ] {
            assert_eq!(read(text).map(shown).as_deref(), Some(wanted), "{text}");
        }
        for text in
            ["", "44484", "21-10-15", "2021-13-01", "2021-02-30", "15/10/2021", "2021-10", "2021-10-15 25:00", "-1--"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(in_toml("2021-10-15 08:30"), "2021-10-15T08:30:00");
    }
}
