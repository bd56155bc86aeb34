//! `hours` of a line, and what happens to calls outside of them.

use super::Building;
use super::services::{PRIORITY, greeting_of};
use crate::dialplan::table::Table;
use crate::dialplan::{AnswerWhen, Hours, QueueService, Service, ToldEnd, ToldService};
use crate::types::{LineNumber, PromptName};

impl<'r, 'a> Building<'r, 'a> {
    /// The hours of a line; where they end, with the service of a closed line.
    pub(super) fn read_hours(
        &mut self,
        table: &Table<'r, 'a>,
        number: Option<&LineNumber>,
    ) -> (Hours, Option<Service>) {
        let hint = "\"7x24\", or \"workdays 09:00-17:30, sat 09:00-12:00\"";
        let hours = table.parsed("hours", hint, Hours::parse);
        let (queue, prompt) = (table.text("closed_queue"), table.has("closed_prompt"));
        let said = prompt.then(|| self.prompt(table, "closed_prompt", "closed"));
        let Some(hours) = hours else {
            if queue.is_some() || prompt {
                let here = table.here();
                let hint = Some("give its hours: hours = \"workdays 09:00-17:30\"".to_owned());
                self.reader.error(here.span, &here.key, "a line that is never closed has nothing to say then", hint);
            }
            return (Hours::Always, None);
        };
        if hours.value == Hours::Always {
            return (hours.value, None);
        }
        let closed = match (queue, said) {
            (Some(at), said) => {
                let Some(queue) = self.queue_named(&at) else { return (hours.value, None) };
                Service::Queue(QueueService {
                    notices: Vec::new(),
                    queue,
                    greeting: said.unwrap_or_else(|| PromptName::new(&greeting_of(number))),
                    answer: AnswerWhen::AtOnce,
                    priority: u8::try_from(PRIORITY).unwrap_or(u8::MAX),
                    desk: None,
                })
            }
            (None, Some(said)) => Service::Told(ToldService { notice: Some(said), end: ToldEnd::Closed }),
            (None, None) => {
                let hint =
                    "closed_prompt = \"closed\" is said to callers; closed_queue = \"duty\" lets them wait there";
                let message = "what happens outside the hours is not said";
                self.reader.error(hours.span, &hours.key, message, Some(hint.to_owned()));
                return (hours.value, None);
            }
        };
        (hours.value, Some(closed))
    }
}

#[cfg(test)]
mod tests {
    use crate::dialplan::file::{Outside, read};
    use crate::dialplan::report::Report;
    use crate::dialplan::{Plan, Route, Service, ToldEnd};
    use crate::types::{Arrival, Calling, LineNumber, Origin, TrunkId, Wall};

    const PLAN: &str = include_str!("../../../dialplans/mianyang.toml");

    fn with(keys: &str) -> (Option<Plan>, Report) {
        let text = PLAN.replacen("number = \"12315\"\n", &format!("number = \"12315\"\n{keys}\n"), 1);
        assert_ne!(text, PLAN, "the line is there");
        read("plan.toml", &text, &Outside { prompts: &|name| name != "absent", networks: None })
    }

    /// What a caller of 12315 gets at a moment, on the clocks of China.
    fn service(plan: &Plan, at: &str) -> Service {
        let arrival = Arrival {
            origin: Origin::Trunk(TrunkId(0)),
            called: LineNumber::parse("12315").expect("a number"),
            calling: Calling::default(),
            call_id: String::new(),
            source: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        match plan.route(&arrival, Wall::from_china(at.parse().expect("a moment"))) {
            Route::Line { service, .. } => service.clone(),
            other @ (Route::Feature(_) | Route::NoSuchNumber) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_closed_line_says_so_and_an_open_one_serves() {
        let (plan, report) = with("hours = \"mon-fri 09:00-17:30\"\nclosed_prompt = \"closed\"");
        let plan = plan.unwrap_or_else(|| panic!("{report}"));
        let said = |at| match service(&plan, at) {
            Service::Told(told) => Some((told.notice.expect("a prompt").0.to_string(), told.end)),
            Service::Queue(_) | Service::Outside(_) | Service::NotServed => None,
        };
        assert_eq!(said("2026-11-23T17:29:59"), None);
        assert_eq!(said("2026-11-23T17:30"), Some(("closed".to_owned(), ToldEnd::Closed)));
        assert_eq!(said("2026-11-22T12:00"), Some(("closed".to_owned(), ToldEnd::Closed)), "a Sunday");
        assert!(plan.prompts().iter().any(|name| &*name.0 == "closed"), "it is loaded");
    }

    #[test]
    fn a_closed_line_may_have_a_queue_of_its_own() {
        let (plan, report) = with("hours = \"workdays 09:00-17:30\"\nclosed_queue = \"expert-12316\"");
        let plan = plan.unwrap_or_else(|| panic!("{report}"));
        let queue = |at| match service(&plan, at) {
            Service::Queue(service) => plan.queue(service.queue).map(|queue| queue.name.clone()),
            Service::Outside(_) | Service::Told(_) | Service::NotServed => None,
        };
        assert_eq!(queue("2026-11-23T10:00").as_deref(), Some("general"));
        assert_eq!(queue("2026-11-23T03:00").as_deref(), Some("expert-12316"));
    }

    #[test]
    fn a_number_that_nobody_serves_has_no_hours() {
        let (plan, _) = with("hours = \"mon 09:00-17:30\"\nclosed_prompt = \"closed\"");
        let mut plan = plan.expect("good");
        for line in plan.lines.values_mut() {
            line.phases.iter_mut().for_each(|phase| phase.service = Service::NotServed);
        }
        assert_eq!(service(&plan, "2026-11-22T12:00"), Service::NotServed);
    }

    #[test]
    fn each_mistake_about_hours_is_named() {
        for (keys, message) in [
            ("hours = \"workdays 09:00-17:30\"", "what happens outside the hours is not said"),
            ("closed_prompt = \"closed\"", "a line that is never closed has nothing to say then"),
            ("hours = \"mon 09:00-17:30\"\nclosed_queue = \"genral\"", "there is no queue \"genral\""),
            ("hours = \"mon 09:00-17:30\"\nclosed_prompt = \"absent\"", "there is no prompt \"absent\""),
        ] {
            let (plan, report) = with(keys);
            assert!(plan.is_none());
            assert_eq!(report.errors.len(), 1, "{report}");
            assert!(report.errors[0].message.contains(message) && report.errors[0].hint.is_some(), "{report}");
        }
        assert!(with("hours = \"7x24\"").0.is_some());
    }
}
