//! What the plan does with a call on a line, by names: comparable between two plans, and with its reasons in words.

use serde::Serialize;

use super::Question;
use crate::dialplan::{AnswerWhen, Hours, Line, Plan, QueueService, Route, Service, ToldEnd};
use crate::types::{Arrival, Calling, Origin, PromptName, QueueId, Wall};

/// What is done with a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "treatment", rename_all = "snake_case")]
pub enum Treatment {
    /// It waits for a seat of ours.
    Queue {
        /// Where.
        queue: String,
        /// Prompts before the waiting, in order.
        prompts: Vec<String>,
        /// Whether it is answered at once; otherwise by the seat.
        at_once: bool,
        /// Priority in the queue.
        priority: u8,
        /// The old desk that rings too.
        desk: Option<String>,
    },
    /// It goes on outside.
    Outside {
        /// Where.
        destination: String,
        /// The ways there, in order: "trunk number".
        ways: Vec<String>,
        /// Prompts before, in order.
        prompts: Vec<String>,
        /// Where the caller waits when nobody answers there.
        fallback: Option<String>,
    },
    /// The caller is told that nobody serves the number.
    Told {
        /// What is said.
        prompt: Option<String>,
        /// The SIP status of the refusal.
        status: u16,
    },
    /// The mode is not served: 404.
    NotServed,
    /// Nobody has this number: 404.
    NoSuchNumber,
}

/// What the plan says to a call, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What is done.
    #[serde(flatten)]
    pub treatment: Treatment,
    /// The reasons, in words, in the order in which they count.
    pub because: Vec<String>,
    /// Whether a year of the calendar that decides it is not known.
    pub provisional: bool,
}

impl Decision {
    /// What the plan says to a question.
    pub fn of(plan: &Plan, question: &Question) -> Self {
        let arrival = arrival(question);
        let route = plan.route(&arrival, question.at);
        let treatment = Treatment::of(plan, &route);
        let local = plan.clocks.at(question.at);
        let mut because = vec![format!("it is {} in {}", local.strftime("%Y-%m-%d %a %H:%M"), plan.zone)];
        let Route::Line { line, .. } = route else {
            because.push(match plan.line(&question.called) {
                Some(line) => format!("no phase of {} has begun", line.number),
                None if plan.emergency.contains_key(&question.called) => {
                    format!("{} is an emergency number and is never answered here", question.called)
                }
                None => format!("no line of the plan has the number {}", question.called),
            });
            return Self { treatment, because, provisional: false };
        };
        because.push(match line.number == question.called {
            true => format!("{} is the line {}", line.number, line.name),
            false => format!("{} is another way to write the line {} {}", question.called, line.number, line.name),
        });
        if let Some(phase) = line.phase_at(question.at) {
            let since = plan.clocks.at(phase.from).strftime("%Y-%m-%d %H:%M");
            because.push(format!("its phase since {since} is {}", phase.mode.shown()));
        }
        let provisional = hours_in_words(plan, line, question.at, &mut because);
        Self { treatment, because, provisional }
    }
}

/// Says whether the line is open, where it can be closed; gives whether that is provisional.
fn hours_in_words(plan: &Plan, line: &Line, at: Wall, because: &mut Vec<String>) -> bool {
    if line.hours == Hours::Always {
        return false;
    }
    let local = plan.clocks.at(at);
    let open = line.hours.are_open(local, &plan.calendar);
    let day = plan.calendar.day(local.date());
    let works = if day.works.value { "a working day" } else { "no working day" };
    let name = day.name.map(|name| format!(" ({name})")).unwrap_or_default();
    because.push(format!("{} is {works}{name}", local.date()));
    because.push(format!("the line is {}", if open.value { "open" } else { "closed" }));
    if open.provisional {
        because.push(format!("provisional: the calendar does not know all days around {}", local.date()));
    }
    open.provisional
}

/// The arrival that a question describes.
pub(super) fn arrival(question: &Question) -> Arrival {
    let number = question.from.clone();
    Arrival {
        origin: Origin::Trunk(question.via),
        called: question.called.clone(),
        calling: Calling {
            raw: number.as_ref().map(|number| number.as_str().to_owned()).unwrap_or_default(),
            number,
            ..Calling::default()
        },
        call_id: "simulated".to_owned(),
        source: std::net::Ipv4Addr::UNSPECIFIED.into(),
    }
}

impl Treatment {
    /// What a route does, by names.
    pub fn of(plan: &Plan, route: &Route<'_>) -> Self {
        match route {
            Route::Line { service, .. } => Self::of_service(plan, service),
            Route::NoSuchNumber | Route::Feature(_) => Self::NoSuchNumber,
        }
    }

    fn of_service(plan: &Plan, service: &Service) -> Self {
        let queue = |id: QueueId| plan.queue(id).map(|queue| queue.name.clone()).unwrap_or_default();
        match service {
            Service::Queue(service) => Self::Queue {
                queue: queue(service.queue),
                prompts: prompts(service),
                at_once: service.answer == AnswerWhen::AtOnce,
                priority: service.priority,
                desk: service.desk.and_then(|id| plan.destination(id)).map(|desk| desk.name.clone()),
            },
            Service::Outside(service) => {
                let destination = plan.destination(service.destination);
                let ways = destination.map(|to| to.routes.as_slice()).unwrap_or_default().iter();
                Self::Outside {
                    destination: destination.map(|to| to.name.clone()).unwrap_or_default(),
                    ways: ways
                        .map(|way| match &way.number {
                            Some(number) => format!("{} {}", way.trunk, number.as_str()),
                            None => way.trunk.clone(),
                        })
                        .collect(),
                    prompts: service.notices.iter().map(name).collect(),
                    fallback: service.fallback.map(queue),
                }
            }
            Service::Told(service) => Self::Told {
                prompt: service.notice.as_ref().map(name),
                status: match service.end {
                    ToldEnd::Gone => 410,
                    ToldEnd::NotFound => 404,
                    ToldEnd::Closed => 480,
                },
            },
            Service::NotServed => Self::NotServed,
        }
    }

    /// In one line for people.
    pub fn in_words(&self) -> String {
        let heard = |prompts: &[String]| match prompts {
            [] => String::new(),
            some => format!("{}, then ", some.join(", ")),
        };
        match self {
            Self::Queue { queue, prompts, at_once, priority, desk } => {
                let answered = if *at_once { "answered at once" } else { "answered by the seat" };
                let desk = desk.as_ref().map(|desk| format!(", beside {desk}")).unwrap_or_default();
                format!("{}queue {queue}{desk} ({answered}, priority {priority})", heard(prompts))
            }
            Self::Outside { destination, ways, prompts, fallback } => {
                let fallback = fallback.as_ref().map(|queue| format!(", else queue {queue}")).unwrap_or_default();
                format!("{}to {destination} over {}{fallback}", heard(prompts), ways.join(", "))
            }
            Self::Told { prompt: Some(prompt), status } => format!("told {prompt}, then {status}"),
            Self::Told { prompt: None, status } => format!("refused with {status}"),
            Self::NotServed => "mode not served: 404".to_owned(),
            Self::NoSuchNumber => "no such number: 404".to_owned(),
        }
    }
}

fn prompts(service: &QueueService) -> Vec<String> {
    service.notices.iter().chain([&service.greeting]).map(name).collect()
}

fn name(prompt: &PromptName) -> String {
    prompt.0.to_string()
}
