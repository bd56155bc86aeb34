//! The calendar's files: the project's own data, and mistakes that people make in theirs.

use super::*;
use crate::types::Dated;

fn one(text: &str) -> (Option<WorkCalendar>, Report) {
    read(&[CalendarFile { name: "x.toml".to_owned(), text: text.to_owned() }])
}

fn shipped() -> Vec<CalendarFile> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/calendar");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name().into_string().expect("a plain name"))
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let text = |name: &String| std::fs::read_to_string(folder.join(name)).expect("it can be read");
    names.iter().map(|name| CalendarFile { name: name.clone(), text: text(name) }).collect()
}

#[test]
fn the_data_is_what_its_checksums_say() {
    let sums = include_str!("../../../dialplans/calendar/SHA256SUMS");
    let files = shipped();
    assert_eq!(files.len(), sums.lines().count(), "every file has a checksum");
    for file in files {
        let digest = ring::digest::digest(&ring::digest::SHA256, file.text.as_bytes());
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(sums.lines().any(|line| line == format!("{hex}  {}", file.name)), "{} was changed: {hex}", file.name);
    }
}

#[test]
fn the_year_2026_is_the_official_one() {
    let (calendar, report) = read(&shipped());
    let calendar = calendar.unwrap_or_else(|| panic!("{report}"));
    // 国办发明电 of 2025-11-04, by hand.
    let spans = ["01-01..01-03", "02-15..02-23", "04-04..04-06", "05-01..05-05", "06-19..06-21", "09-25..09-27"];
    let work = ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"];
    let date = |day: &str| format!("2026-{day}").parse::<Date>().expect("a day");
    let mut expected = BTreeMap::new();
    for (from, to) in spans.iter().filter_map(|span| span.split_once("..")).chain([("10-01", "10-07")]) {
        expected.extend(date(from).series(jiff::ToSpan::days(1)).take_while(|d| *d <= date(to)).map(|d| (d, false)));
    }
    expected.extend(work.map(|day| (date(day), true)));
    let read: BTreeMap<Date, bool> = calendar.days_of(2026).map(|(date, day)| (date, day.works)).collect();
    assert_eq!(read, expected);
}

#[test]
fn seven_years_are_known_with_as_many_working_days_as_were_worked() {
    let (calendar, report) = read(&shipped());
    let calendar = calendar.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(calendar.years().collect::<Vec<_>>(), (2020..=2026).collect::<Vec<_>>());
    let worked = |year: i16| {
        let first = Date::constant(year, 1, 1);
        first
            .series(jiff::ToSpan::days(1))
            .take_while(move |d| d.year() == year)
            .filter(|d| calendar.day(*d).works.value)
    };
    // Counted from chinesecalendar 1.11.0, not from the source of the data.
    let counts = (2020..=2026).map(|year| worked(year).count()).collect::<Vec<_>>();
    assert_eq!(counts, [249, 250, 249, 249, 251, 248, 248]);
    let decree = calendar.day(Date::constant(2020, 1, 31));
    assert_eq!((decree.works, decree.name), (Dated { value: false, provisional: false }, Some("春节")));
}

#[test]
fn festivals_of_the_lunar_calendar_fall_on_their_days() {
    let (calendar, _) = read(&shipped());
    let calendar = calendar.expect("the shipped data is good");
    let on = |day: &str| calendar.day(day.parse().expect("a day")).festivals.to_vec();
    assert_eq!(on("2026-02-17"), ["春节"]);
    assert_eq!(on("2026-06-19"), ["端午节"]);
    assert_eq!(on("2026-09-25"), ["中秋节"]);
    assert_eq!(on("2026-02-16"), ["除夕"]);
    assert_eq!(on("2027-02-20"), ["元宵节"], "festivals are known where schedules are not");
    assert_eq!(on("2026-02-18"), [""; 0]);
}

#[test]
fn each_mistake_has_its_place_and_hint() {
    let good = "year = 2027\n[[holiday]]\nname = \"元旦\"\nfrom = 2027-01-01\nto = 2027-01-03\n";
    assert!(one(good).0.is_some(), "{}", one(good).1);
    let broken = [
        ("year = 1027\n", 1, "out of bounds"),
        ("year = 2027\n", 1, "has no holidays"),
        ("[[holiday]]\nname = \"元旦\"\nfrom = 2027-01-01\n", 1, "a holiday of no year"),
        ("year = 2027\n[[holiday]]\nfrom = 2027-01-01\n", 2, "`name` is missing"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\n", 2, "`from` is missing"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = \"2027-01-01\"\n", 4, "expected a date"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2027-01-01T08:00:00\n", 4, "is no day"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2026-10-01\n", 4, "no day of the schedule"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2027-02-05\nto = 2027-02-01\n", 5, "is no holiday"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2027-02-05\nto = 2027-12-01\n", 5, "is no holiday"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2027-02-05\nwork = [2027-02-05]\n", 5, "is named twice"),
        ("year = 2027\n[[holiday]]\nname = \"x\"\nfrom = 2027-02-05\nwrok = []\n", 5, "is not known here"),
        ("[[day]]\nname = \"x\"\ndate = 2027-02-05\n", 1, "`works` is missing"),
        ("[[festival]]\nname = \"x\"\ndays = [2027-02-05, 2027-02-05]\n", 3, "stands here twice"),
    ];
    for (text, line, message) in broken {
        let (calendar, report) = one(text);
        let found = report.errors.iter().find(|error| error.message.contains(message));
        let place = found.and_then(|error| error.place.as_ref()).map(|place| place.line);
        assert!(calendar.is_none(), "{text}");
        assert_eq!(place, Some(line), "{message}: {report}");
    }
}

#[test]
fn a_year_that_two_files_hold_is_refused_whole() {
    let text = "year = 2027\n[[holiday]]\nname = \"元旦\"\nfrom = 2027-01-01\n".to_owned();
    let files = ["a.toml", "b.toml"].map(|name| CalendarFile { name: name.to_owned(), text: text.clone() });
    let (calendar, report) = read(&files);
    assert!(calendar.is_none());
    let said = report.to_string();
    assert!(said.contains("the year 2027 is there already") && said.contains("it stands in a.toml"), "{said}");
}

#[test]
fn a_schedule_may_begin_in_the_last_week_of_the_year_before() {
    let text = "year = 2023\n[[holiday]]\nname = \"元旦\"\nfrom = 2022-12-31\nto = 2023-01-02\n";
    let (calendar, report) = one(text);
    let calendar = calendar.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(calendar.day(Date::constant(2022, 12, 31)).works, Dated { value: false, provisional: false });
}
