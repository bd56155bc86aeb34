//! `yihao calendar`: working days, holidays and festivals as the exchange knows them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::Serialize;

use crate::config::{self, Overrides};
use crate::types::WorkCalendar;

/// The answer is settled.
pub const OK: u8 = 0;
/// A year that matters is not loaded: days of the week stand for it.
pub const PROVISIONAL: u8 = 1;

/// Shows a year of the working calendar, one day, or the end of a time limit.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  yihao calendar show 2026
  yihao calendar day 2026-02-14
  yihao calendar add-days 2026-02-13 3 --json

Years lie in the folder `calendar` beside the plan (folders.calendar of the configuration), one file a year.
Exit codes: 0 settled, 1 provisional (a year that matters is not loaded), 2 mistakes in the calendar.")]
pub struct Args {
    /// What is asked.
    #[command(subcommand)]
    pub what: What,
    /// The configuration; without one the embedded defaults count.
    #[arg(long, value_name = "FILE", env = "YIHAO_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// The dial plan beside which the calendar lies.
    #[arg(long, value_name = "FILE", env = "YIHAO_PLAN", global = true)]
    pub plan: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What is asked of the calendar.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// All days of a year that are not what their day of the week says, and its festivals.
    Show {
        /// The year.
        year: i16,
    },
    /// One day.
    Day {
        /// The day: 2026-02-14.
        date: Date,
    },
    /// The last day of a time limit of working days. The day of receipt is not counted; the limit ends at 24:00.
    AddDays {
        /// The day of receipt: 2026-02-13.
        received: Date,
        /// How many working days.
        #[arg(value_parser = clap::value_parser!(u16).range(0..=10_000))]
        days: u16,
    },
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// A calendar or a configuration with mistakes.
pub fn run(args: &Args) -> Result<u8> {
    let overrides = Overrides { plan: args.plan.clone(), ..Overrides::default() };
    let config = super::configuration(args.config.as_deref(), &overrides)?;
    let folder = &config.folders.calendar;
    let (calendar, report) = config::read_calendar(folder);
    let Some(calendar) = calendar else { bail!("the calendar has mistakes:\n{report}") };
    let answer = Answer::of(&calendar, &args.what);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer).expect("texts and numbers can always be written as JSON"));
    } else {
        say!("{}", answer.in_words());
        if answer.is_provisional() {
            let known: Vec<String> = calendar.years().map(|year| year.to_string()).collect();
            say!("provisional: a year that matters is not in {} (known: {})", folder.display(), known.join(", "));
        }
    }
    Ok(if answer.is_provisional() { PROVISIONAL } else { OK })
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Answer {
    Year { year: i16, known: bool, working_days: usize, days: Vec<Day>, festivals: Vec<Festival> },
    Day(Day),
    Limit { received: Date, working_days: u16, last_day: Date, provisional: bool },
}

#[derive(Debug, PartialEq, Serialize)]
struct Day {
    date: Date,
    works: bool,
    provisional: bool,
    name: Option<String>,
    festivals: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Festival {
    date: Date,
    names: Vec<String>,
}

impl Answer {
    fn of(calendar: &WorkCalendar, what: &What) -> Self {
        match *what {
            What::Show { year } => {
                let first = Date::new(year, 1, 1).unwrap_or(Date::MIN);
                let all = first.series(1.day()).take_while(|date| date.year() == year);
                let festivals =
                    calendar.festivals_of(year).map(|(date, names)| Festival { date, names: names.to_vec() });
                Self::Year {
                    year,
                    known: calendar.covers(year),
                    working_days: all.filter(|date| calendar.day(*date).works.value).count(),
                    days: calendar.days_of(year).map(|(date, _)| Day::of(calendar, date)).collect(),
                    festivals: festivals.collect(),
                }
            }
            What::Day { date } => Self::Day(Day::of(calendar, date)),
            What::AddDays { received, days } => {
                let due = calendar.add_working_days(received, days);
                Self::Limit { received, working_days: days, last_day: due.value, provisional: due.provisional }
            }
        }
    }

    fn is_provisional(&self) -> bool {
        match self {
            Self::Year { known, .. } => !known,
            Self::Day(day) => day.provisional,
            Self::Limit { provisional, .. } => *provisional,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Year { year, working_days, days, festivals, .. } => {
                let mut lines = vec![format!("{year}: {working_days} working days")];
                lines.extend(days.iter().map(Day::in_words));
                lines.extend(festivals.iter().map(|f| format!("{} {}", dated(f.date), f.names.join(", "))));
                lines.join("\n")
            }
            Self::Day(day) => day.in_words(),
            Self::Limit { received, working_days, last_day, .. } => {
                format!("{} + {working_days} working days ends at 24:00 of {}", dated(*received), dated(*last_day))
            }
        }
    }
}

impl Day {
    fn of(calendar: &WorkCalendar, date: Date) -> Self {
        let view = calendar.day(date);
        Self {
            date,
            works: view.works.value,
            provisional: view.works.provisional,
            name: view.name.map(str::to_owned),
            festivals: view.festivals.to_vec(),
        }
    }

    fn in_words(&self) -> String {
        let works = if self.works { "works" } else { "rests" };
        let mut names: Vec<&str> = self.name.iter().chain(&self.festivals).map(String::as_str).collect();
        names.dedup();
        let names = names.join(", ");
        format!("{} {works} {names}", dated(self.date)).trim_end().to_owned()
    }
}

/// A day with its day of the week: "2026-02-14 Sat".
fn dated(date: Date) -> String {
    date.strftime("%Y-%m-%d %a").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(what: What) -> Args {
        let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/mianyang.toml");
        Args { what, config: None, plan: Some(plan.into()), json: true }
    }

    fn date(text: &str) -> Date {
        text.parse().expect("a day")
    }

    #[test]
    fn the_shipped_calendar_answers_and_says_when_it_guesses() {
        let limit = |received: &str| run(&args(What::AddDays { received: date(received), days: 3 })).expect("good");
        assert_eq!(limit("2026-02-13"), OK);
        assert_eq!(limit("2026-12-30"), PROVISIONAL);
        assert_eq!(run(&args(What::Show { year: 2026 })).expect("good"), OK);
        assert_eq!(run(&args(What::Show { year: 2027 })).expect("good"), PROVISIONAL);
    }

    #[test]
    fn days_are_told_in_words_with_their_day_of_the_week() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/calendar");
        let calendar = config::read_calendar(folder.as_ref()).0.expect("the shipped one is good");
        let told = |what| Answer::of(&calendar, &what).in_words();
        assert_eq!(told(What::Day { date: date("2026-02-14") }), "2026-02-14 Sat works 春节");
        assert_eq!(told(What::Day { date: date("2026-02-17") }), "2026-02-17 Tue rests 春节");
        let limit = What::AddDays { received: date("2026-02-13"), days: 3 };
        assert_eq!(told(limit), "2026-02-13 Fri + 3 working days ends at 24:00 of 2026-02-25 Wed");
        let year = told(What::Show { year: 2026 });
        assert!(year.starts_with("2026: 248 working days\n2026-01-01 Thu rests 元旦\n"), "{year}");
        assert!(year.contains("\n2026-03-03 Tue 元宵节\n"), "{year}");
    }
}
