//! Working days as the State Council published them for 2026, and what is said of years that nobody knows.

use super::*;

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// 国办发明电 of 2025-11-04, typed from the notice and not from the data file.
pub(crate) fn of_2026() -> WorkCalendar {
    let off = [
        ("元旦", "2026-01-01", 3),
        ("春节", "2026-02-15", 9),
        ("清明节", "2026-04-04", 3),
        ("劳动节", "2026-05-01", 5),
        ("端午节", "2026-06-19", 3),
        ("中秋节", "2026-09-25", 3),
        ("国庆节", "2026-10-01", 7),
    ];
    let work = ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"];
    let off = off.into_iter().flat_map(|(name, first, count)| {
        let days = date(first).series(jiff::ToSpan::days(1)).take(count);
        days.map(move |day| (day, NamedDay { works: false, name: name.to_owned() }))
    });
    let work = work.map(|day| (date(day), NamedDay { works: true, name: "调休".to_owned() }));
    let mut calendar = WorkCalendar::default();
    calendar.add_year(2026, off.chain(work));
    calendar
}

#[test]
fn limits_end_on_the_days_of_the_golden_table() {
    let calendar = of_2026();
    let table = [
        ("2026-02-13", "2026-02-14", "2026-02-25", "2026-03-05"),
        ("2026-02-14", "2026-02-24", "2026-02-26", "2026-03-06"),
        ("2026-04-30", "2026-05-06", "2026-05-08", "2026-05-18"),
        ("2026-05-08", "2026-05-09", "2026-05-12", "2026-05-21"),
        ("2026-09-18", "2026-09-20", "2026-09-22", "2026-10-09"),
        ("2026-09-30", "2026-10-08", "2026-10-10", "2026-10-20"),
        ("2026-01-01", "2026-01-04", "2026-01-06", "2026-01-15"),
    ];
    for (received, one, three, ten) in table {
        for (count, due) in [(1, one), (3, three), (10, ten)] {
            let expected = Dated { value: date(due), provisional: false };
            assert_eq!(calendar.add_working_days(date(received), count), expected, "{received} + {count}");
        }
    }
}

#[test]
fn an_extension_is_asked_for_a_working_day_before_the_end() {
    let calendar = of_2026();
    let settled = |day| Dated { value: date(day), provisional: false };
    assert_eq!(calendar.working_day_before(date("2026-10-20")), settled("2026-10-19"));
    assert_eq!(calendar.working_day_before(date("2026-10-08")), settled("2026-09-30"), "over the holiday");
    assert_eq!(calendar.working_day_before(date("2026-09-21")), settled("2026-09-20"), "a Sunday that is worked");
}

#[test]
fn a_limit_is_over_at_midnight_in_china() {
    let moment = |text: &str| Wall(text.parse::<jiff::Timestamp>().expect("a moment").as_millisecond());
    let calendar = of_2026();
    // 2026-04-30 23:59 and 2026-05-01 00:01 in China.
    let late = calendar.deadline(moment("2026-04-30T15:59:00Z"), 1);
    assert_eq!(late, Dated { value: moment("2026-05-06T16:00:00Z"), provisional: false });
    let at_night = calendar.deadline(moment("2026-05-05T16:01:00Z"), 1);
    assert_eq!(at_night.value, moment("2026-05-07T16:00:00Z"), "received on the 6th, a working day");
}

#[test]
fn no_working_day_at_all_is_the_day_of_receipt() {
    assert_eq!(of_2026().add_working_days(date("2026-10-01"), 0).value, date("2026-10-01"));
}

#[test]
fn over_the_end_of_the_last_known_year_everything_is_provisional() {
    let calendar = of_2026();
    let due = |received: &str, count| calendar.add_working_days(date(received), count);
    assert_eq!(due("2026-12-18", 4), Dated { value: date("2026-12-24"), provisional: false });
    // The schedule of 2027 may still name the last week of December.
    assert_eq!(due("2026-12-24", 1), Dated { value: date("2026-12-25"), provisional: true });
    assert_eq!(due("2026-12-30", 1), Dated { value: date("2026-12-31"), provisional: true });
    assert_eq!(due("2026-12-31", 1), Dated { value: date("2027-01-01"), provisional: true });
    assert_eq!(due("2026-12-31", 10), Dated { value: date("2027-01-14"), provisional: true });
    assert_eq!(due("2026-12-21", 10), Dated { value: date("2027-01-04"), provisional: true });
}

#[test]
fn what_was_provisional_is_settled_when_the_year_is_loaded() {
    let mut calendar = of_2026();
    assert!(!calendar.covers(2027) && calendar.covers(2026));
    let new_year = ["2027-01-01", "2027-01-02", "2027-01-03"];
    let off = new_year.map(|day| (date(day), NamedDay { works: false, name: "元旦".to_owned() }));
    calendar.add_year(2027, off);
    assert!(calendar.covers(2027));
    let due = calendar.add_working_days(date("2026-12-31"), 1);
    assert_eq!(due, Dated { value: date("2027-01-04"), provisional: false });
}

#[test]
fn a_calendar_without_years_guesses_by_the_week_and_says_so() {
    let nothing = WorkCalendar::default();
    assert_eq!(nothing.day(date("2026-10-01")).works, Dated { value: true, provisional: true });
    assert_eq!(nothing.day(date("2026-10-03")).works, Dated { value: false, provisional: true });
}

#[test]
fn a_day_by_decree_stands_over_the_schedule_and_is_settled() {
    let mut calendar = of_2026();
    let (worked, unknown) = (date("2026-02-24"), date("2027-03-01"));
    calendar.add_day(worked, NamedDay { works: false, name: "延长".to_owned() });
    calendar.add_day(unknown, NamedDay { works: false, name: "开斋节".to_owned() });
    assert_eq!(calendar.add_working_days(date("2026-02-14"), 1).value, date("2026-02-25"));
    assert_eq!(calendar.day(unknown).works, Dated { value: false, provisional: false });
    assert_eq!(calendar.day(unknown).name, Some("开斋节"));
}

#[test]
fn festivals_have_names_and_are_worked_as_before() {
    let mut calendar = of_2026();
    let lantern = date("2026-03-03");
    calendar.add_festival(lantern, "元宵节");
    let day = calendar.day(lantern);
    assert_eq!((day.works.value, day.festivals), (true, &["元宵节".to_owned()][..]));
    assert!(calendar.day(date("2026-03-04")).festivals.is_empty());
}

#[test]
fn the_end_of_all_dates_is_no_endless_walk() {
    let due = WorkCalendar::default().add_working_days(Date::MAX, 3);
    assert_eq!(due, Dated { value: Date::MAX, provisional: false });
}
