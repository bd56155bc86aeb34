//! A plan as people write it: its file and the calendar beside it. Whoever keeps a plan (the log of inputs, a version) keeps
//! this, and reads it again to the same plan. Reads no disk.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Plan;
use super::calendar::{self, CalendarFile};
use super::file::{self, Outside};
use super::report::Report;

/// The texts that make a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanText {
    /// Name of the plan's file, for messages.
    pub name: String,
    /// All of it.
    pub text: String,
    /// Files of the working calendar, in their order; none where no day is known.
    #[serde(default)]
    pub calendar: Vec<CalendarFile>,
}

impl PlanText {
    /// A plan without a calendar.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), calendar: Vec::new() }
    }

    /// Reads and checks it. There is a plan exactly when the report has no error: a calendar with mistakes is refused with it.
    pub fn read(&self, outside: &Outside<'_>) -> (Option<Plan>, Report) {
        let (plan, mut report) = file::read(&self.name, &self.text, outside);
        let (calendar, of_calendar) = calendar::read(&self.calendar);
        report.merge(of_calendar);
        let plan = plan.zip(calendar).map(|(plan, calendar)| Plan { calendar: Arc::new(calendar), ..plan });
        if let Some(plan) = &plan
            && plan.calendar.years().next().is_none()
            && let Some(line) = plan.lines.values().find(|line| line.hours.need_calendar())
        {
            let message = format!("the hours of {} need working days, and no year is known", line.number);
            let hint = "put the years into the folder `calendar` beside the plan, or name it as folders.calendar; until \
                        then Monday to Friday count";
            report.warnings.extend(Report::of_file(&self.name, message, hint).errors);
        }
        (plan, report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = include_str!("../../dialplans/mianyang.toml");

    fn read(text: PlanText) -> (Option<Plan>, Report) {
        text.read(&Outside { prompts: &|_| true, networks: None })
    }

    #[test]
    fn a_calendar_with_mistakes_is_refused_with_its_plan() {
        let file = CalendarFile { name: "2027.toml".to_owned(), text: "year = 2027\n".to_owned() };
        let (plan, report) = read(PlanText { calendar: vec![file], ..PlanText::new("x.toml", PLAN) });
        assert!(plan.is_none());
        assert_eq!(report.errors[0].file, "2027.toml", "{report}");
    }

    #[test]
    fn hours_that_need_working_days_ask_for_a_calendar() {
        let keys = "\nnumber = \"12315\"\nhours = \"workdays 09:00-17:30\"\nclosed_prompt = \"overflow\"\n";
        let text = PLAN.replacen("\nnumber = \"12315\"\n", keys, 1);
        let (plan, report) = read(PlanText::new("x.toml", &text));
        assert!(plan.is_some(), "{report}");
        let said = report.warnings.iter().filter(|w| w.message.contains("no year is known")).count();
        assert_eq!(said, 1, "{report}");
        assert_eq!(read(PlanText::new("x.toml", PLAN)).1.warnings.iter().filter(|w| w.key.is_empty()).count(), 0);
    }
}
