//! What the model knows of calls that go on outside, of old desks that ring beside the seats, and of numbers without service.

use std::collections::BTreeMap;
use std::time::Duration;

use yihao::dialplan::{Plan, Service, ToldEnd};
use yihao::types::{CallId, Cause, Fate, LegCommand, LegId, Mono};

use super::Model;
use super::calls::{At, Told};
use super::legs::Leg;

/// How long anybody outside is rung: the city's.
const RING: Duration = Duration::from_secs(15);

/// What a line does with its callers.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Queue { priority: u8, queue: String, prompts: usize, desk: Option<Reach> },
    Outside { priority: u8, fallback: Option<String>, prompts: usize, reach: Reach },
    Told { refusal: Cause, heard: bool },
    NotServed,
}

/// Somebody outside who is rung, way after way.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(super) name: String,
    /// Ways that were not tried.
    ways: usize,
    /// The leg that is rung now, and since when.
    pub(super) leg: Option<LegId>,
    since: Mono,
    /// A row must say that it is dialled.
    due: bool,
}

impl Reach {
    fn of(plan: &Plan, id: yihao::types::DestinationId) -> Self {
        let place = plan.destination(id).expect("a place of the plan");
        let ways = place.routes.iter().filter(|route| plan.trunk_named(&route.trunk).is_some()).count();
        Self { name: place.name.clone(), ways, leg: None, since: Mono::default(), due: false }
    }
}

/// All lines of a plan by number.
pub(super) fn lines(plan: &Plan) -> BTreeMap<String, Line> {
    let queue_name = |id| plan.queue(id).expect("a queue of the plan").name.clone();
    let line = |service: &Service| match service {
        Service::Queue(service) => Line::Queue {
            priority: service.priority,
            queue: queue_name(service.queue),
            prompts: service.notices.len() + 1,
            desk: service.desk.map(|desk| Reach::of(plan, desk)),
        },
        Service::Outside(service) => Line::Outside {
            priority: service.priority,
            fallback: service.fallback.map(queue_name),
            prompts: service.notices.len(),
            reach: Reach::of(plan, service.destination),
        },
        Service::Told(told) => Line::Told {
            refusal: match told.end {
                ToldEnd::Gone => Cause::Gone,
                ToldEnd::NotFound => Cause::NoSuchNumber,
                ToldEnd::Closed => Cause::Closed,
            },
            heard: told.notice.is_some(),
        },
        Service::NotServed => Line::NotServed,
    };
    let all = plan.lines.values();
    all.map(|planned| (planned.number.as_str().to_owned(), line(&planned.phases[0].service))).collect()
}

/// All places outside by name.
pub(super) fn places(plan: &Plan) -> BTreeMap<String, Reach> {
    let ids = (0..).map(yihao::types::DestinationId);
    plan.destinations.iter().zip(ids).map(|(place, id)| (place.name.clone(), Reach::of(plan, id))).collect()
}

impl Told {
    /// What it hears first is over: who is to be reached outside is dialled now.
    pub(super) fn goes_out(&mut self, reach: Reach) {
        self.goes(&[At::New, At::Greeting, At::Waiting, At::Moving, At::Reaching], At::Reaching);
        self.reach = Some(Reach { due: true, ways: reach.ways.saturating_sub(1), leg: None, ..reach });
    }

    /// Who is rung for the one who calls.
    pub(super) fn rung(&self) -> Option<LegId> {
        let reached = self.reach.as_ref().and_then(|reach| reach.leg);
        if self.at == At::Calling { Model::called_leg(self) } else { reached }
    }

    fn is_rung(&self, leg: LegId) -> bool {
        self.at == At::Reaching && self.reach.as_ref().is_some_and(|reach| reach.leg == Some(leg))
    }

    fn is_desk(&self, leg: LegId) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.leg == Some(leg))
    }
}

impl Model {
    /// The next way is dialled, or the caller waits here, or is told.
    fn reach_next(&mut self, id: CallId, cause: Cause) {
        let told = self.told(id);
        let reach = told.reach.take().expect("somebody is reached for");
        if reach.ways > 0 {
            self.note("another way outside is tried");
            return self.told(id).goes_out(reach);
        }
        match (&told.queue, told.queued_once) {
            (Some(_), back) => {
                told.goes(&[At::Reaching], At::Moving);
                self.note(if back { "a caller comes back from outside" } else { "a caller falls back to a queue" });
            }
            (None, _) => {
                told.goes(&[At::Reaching], At::LastWords);
                told.last_words = Some(Fate::UnansweredOutside { cause });
                self.note("a caller hears that nobody outside answers");
            }
        }
    }

    /// The desk's next way is dialled, if there is one.
    fn desk_next(&mut self, id: CallId) {
        let told = self.told(id);
        let desk = told.desk.take().expect("a desk is rung");
        told.desk = (desk.ways > 0).then(|| Reach { due: true, ways: desk.ways - 1, leg: None, ..desk });
    }

    /// It begins to wait, for the first time: the old desk must ring.
    pub(super) fn desk_rings(&mut self, id: CallId) {
        let told = self.told(id);
        if let Some(desk) = told.desk.as_mut().filter(|desk| desk.leg.is_none()) {
            (desk.due, desk.ways) = (true, desk.ways - 1);
            self.note("an old desk rings beside the seats");
        }
    }

    pub(super) fn dials_outside(&mut self, id: CallId, leg: LegId, destination: &str) {
        let now = self.now;
        let told = self.told(id);
        let due = [told.reach.as_mut(), told.desk.as_mut()].into_iter().flatten().find(|reach| reach.due);
        let reach = due.unwrap_or_else(|| panic!("{id} dials {destination} out of turn"));
        assert_eq!(reach.name, destination, "{id} dials another place");
        (reach.due, reach.leg, reach.since) = (false, Some(leg), now);
        self.legs.insert(leg, Leg::new(id, None, false));
    }

    /// A leg that has not answered is heard, or no more.
    pub(super) fn is_heard_early(&mut self, id: LegId, heard: bool) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.dialled && !leg.answered && leg.hung_up_at.is_none())
        else {
            return;
        };
        leg.heard = heard;
        let told = &self.calls[&leg.call];
        if matches!(told.at, At::Calling | At::Reaching) && told.rung() == Some(id) {
            let what = if heard { "heard" } else { "heard no more" };
            self.note(format!("{:?}: a carrier is {what}", told.at));
        }
    }

    /// A leg outside has answered; `false` when it is none. The first to answer has the call.
    pub(super) fn outside_answers(&mut self, id: CallId, leg: LegId) -> bool {
        let now = self.now;
        let told = self.calls.get_mut(&id).expect("a leg has its call");
        told.now = now;
        let (rung, desk) = (told.is_rung(leg), told.is_desk(leg));
        if !rung && !desk {
            return false;
        }
        told.goes(&[At::Reaching, At::Waiting, At::Offered], At::Outside);
        let known = !self.legs[&told.first_leg].early || self.legs[&told.first_leg].confirmed;
        (told.reach, told.desk, told.through) = (None, None, Some((leg, known)));
        let raced = told.offers.iter().any(|open| open.rang);
        self.note(if desk { "an old desk answers" } else { "somebody outside answers" });
        if desk && raced {
            self.note("an old desk is faster than a seat that rings");
        }
        true
    }

    pub(super) fn answered_outside(&mut self, id: CallId, leg: LegId) {
        let told = self.told(id);
        assert_eq!((told.at, told.through), (At::Outside, Some((leg, true))), "{id} talks outside out of turn");
        told.through = Some((leg, false));
    }

    /// A leg outside is gone by itself; `false` when it is none, or we hung it up.
    pub(super) fn outside_ended(&mut self, id: CallId, leg: LegId, gone: &Leg, cause: Cause) -> bool {
        if gone.is_first || gone.seat.is_some() || gone.hung_up_at.is_some() {
            return false;
        }
        let told = self.told(id);
        if told.is_rung(leg) {
            self.reach_next(id, cause);
        } else if told.is_desk(leg) {
            self.desk_next(id);
        } else if told.at == At::Outside {
            assert_eq!(told.through.map(|(leg, _)| leg), Some(leg), "a leg outside that nobody knows");
            let first = told.first_leg;
            let unanswered = self.legs.get(&first).is_some_and(Leg::may_be_unanswered);
            let told = self.told(id);
            told.fate = Some(if unanswered { Fate::UnansweredOutside { cause } } else { Fate::AnsweredOutside });
            told.ends();
            if unanswered {
                self.note("somebody outside leaves before the answer has reached the caller");
            }
        }
        true
    }

    /// A leg outside is hung up by us: only for a reason.
    pub(super) fn outside_hung_up(&mut self, id: CallId, leg: LegId) {
        let (now, cut) = (self.now, self.is_cut());
        let rung_out = |reach: &Option<Reach>| reach.as_ref().is_some_and(|reach| now.since(reach.since) >= RING);
        let told = self.told(id);
        if told.is_desk(leg) {
            let waits = matches!(told.at, At::Waiting | At::Offered);
            assert!(!waits || cut || rung_out(&told.desk), "{id}: the old desk is let go without a reason");
            if waits && !cut {
                return self.desk_next(id);
            }
            let (at, rang) = (told.at, self.legs[&leg].rang);
            self.told(id).desk = None;
            if at == At::Talking || at == At::Joining {
                self.note("a seat is faster than an old desk");
                if rang {
                    self.note("a seat is faster than an old desk that rings");
                }
            }
            return;
        }
        let told = self.told(id);
        match told.at {
            At::Ending => {}
            _ if cut => {}
            At::Reaching => {
                assert!(told.is_rung(leg) && rung_out(&told.reach), "{id}: {leg} is given up too early");
                self.reach_next(id, Cause::NoAnswer);
            }
            at => panic!("{id}: {leg} outside is hung up in {at:?}"),
        }
    }

    /// Whether a call has heard all of what it hears first, and what follows is a place outside.
    pub(super) fn leaves_greeting(&mut self, id: CallId) {
        let told = self.told(id);
        let outside = told.reach.as_ref().is_some_and(|reach| reach.leg.is_none() && !reach.due);
        if told.prompts == 0 && outside && matches!(told.at, At::New | At::Greeting) {
            let reach = told.reach.take().expect("asked above");
            told.goes_out(reach);
        }
    }

    pub(super) fn outside_is_consistent(&self) {
        for (id, told) in &self.calls {
            let due = [&told.reach, &told.desk].into_iter().flatten().any(|reach| reach.due);
            assert!(!due, "{id}: nobody outside is dialled");
            let rung = told.desk.as_ref().and_then(|desk| desk.leg);
            let waits = matches!(told.at, At::Waiting | At::Offered | At::Ending);
            assert!(rung.is_none() || waits, "{id}: the old desk rings on in {:?}", told.at);
            assert!(told.through.is_none_or(|(_, due)| !due), "{id} talks outside without its row");
        }
    }

    /// A refusal after the last words: who hears them is not cut short.
    pub(super) fn last_words(&self, told: &Told, command: &LegCommand) -> Option<Fate> {
        let prompt = Duration::from_millis(self.config.prompt_max_ms.into());
        let heard = told.prompt_over || self.now.since(told.since) >= prompt || self.is_cut();
        let fate = told.last_words.filter(|_| told.at == At::LastWords && heard)?;
        match (fate, command) {
            (Fate::Refused { cause }, LegCommand::Refuse(with)) if !self.is_cut() => assert_eq!(cause, *with),
            _ => {}
        }
        Some(fate)
    }
}
