//! The function from arrival and time to a route. Looks at whole numbers only.

use std::collections::BTreeSet;

use super::{
    Branch, Callee, Destination, FeatureCode, Line, Plan, Queue, Reaches, Route, Service, Trunk, announce, feature,
};
use crate::types::{
    Arrival, DestinationId, LineNumber, Origin, PhoneNumber, PromptName, QueueId, SeatId, TrunkId, Wall,
};

impl Plan {
    /// Where a call goes at this moment. A seat reaches feature codes and lines, a trunk only lines.
    pub fn route(&self, arrival: &Arrival, wall: Wall) -> Route<'_> {
        if let (Origin::Seat(_), Some(code)) = (arrival.origin, FeatureCode::of(&arrival.called)) {
            return Route::Feature(code);
        }
        let Some(line) = self.line(&arrival.called) else { return Route::NoSuchNumber };
        let Some(phase) = line.phase_at(wall) else { return Route::NoSuchNumber };
        match self.outside_hours(line, &phase.service, wall) {
            Some(service) => Route::Line { line, phase, service, branch: None },
            None => {
                let branch = self.branch(arrival.origin, line);
                Route::Line { line, phase, service: &phase.service, branch }
            }
        }
    }

    /// The branch that takes the calls of a line from where they come.
    fn branch(&self, origin: Origin, line: &Line) -> Option<&Branch> {
        let Origin::Trunk(trunk) = origin else { return None };
        let name = &self.trunk(trunk)?.name;
        self.branches.iter().find(|branch| branch.trunk == *name && branch.lines.contains(&line.number))
    }

    /// The seat whose telephone a number has become.
    fn office(&self, number: &LineNumber, wall: Wall) -> Option<SeatId> {
        self.line(number)?.phase_at(wall)?.office
    }

    /// What a line does instead of its service while it is closed. A number that nobody serves has no hours.
    fn outside_hours<'a>(&self, line: &'a Line, service: &Service, wall: Wall) -> Option<&'a Service> {
        let served = match service {
            Service::Queue(_) | Service::Outside(_) => true,
            Service::Told(_) | Service::NotServed => false,
        };
        let closed = line.closed.as_ref().filter(|_| served)?;
        (!line.hours.are_open(self.clocks.at(wall), &self.calendar).value).then_some(closed)
    }

    /// Whom a number means that a seat calls.
    pub fn callee(&self, number: &PhoneNumber, wall: Wall) -> Callee {
        let line = LineNumber::parse(number.as_str()).ok();
        let is_digits = number.as_str().trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
        let seat = number.as_str().parse().ok().map(SeatId).filter(|seat| self.seats.contains_key(seat));
        let seat = seat.or_else(|| self.office(line.as_ref()?, wall));
        match (seat, line) {
            (Some(seat), _) => Callee::Seat(seat),
            (None, Some(line)) if self.emergency.contains_key(&line) => Callee::Emergency,
            (None, Some(line)) if self.own_line(line.as_str()).is_some() => Callee::OwnLine,
            (None, _) if is_digits => Callee::Citizen,
            (None, _) => Callee::Nobody,
        }
    }

    /// The line that a number means when it is dialled outside: as it is or with the area code of a trunk, whole.
    pub(super) fn own_line(&self, number: &str) -> Option<&Line> {
        let behind_area =
            |trunk: &Trunk| number.strip_prefix('0').and_then(|rest| rest.strip_prefix(&*trunk.area_code));
        let written = LineNumber::parse(number).ok();
        let line_of = |rest: &str| self.lines.values().find(|line| line.number.as_str() == rest);
        let as_it_is = written.as_ref().and_then(|number| self.line(number));
        as_it_is.or_else(|| self.trunks.iter().filter_map(behind_area).find_map(line_of))
    }

    /// Trunks over which a seat's call goes out, in the order in which they are tried, each with its group. For an emergency
    /// all that can be called out on.
    pub fn ways_out(&self, emergency: bool) -> Vec<TrunkId> {
        let named = |name: &Option<String>| name.as_ref().and_then(|name| self.trunk_named(name));
        let open = |trunk: &&Trunk| trunk.address.is_some() && trunk.reaches == Reaches::Network;
        let all = || self.trunks.iter().filter(open).map(|trunk| trunk.id);
        let ordinary = named(&self.outgoing.trunk).or_else(|| all().next());
        if !emergency {
            return ordinary.into_iter().collect();
        }
        let mut ways = Vec::new();
        for trunk in named(&self.outgoing.emergency_trunk).into_iter().chain(ordinary).chain(all()) {
            if !ways.contains(&trunk) {
                ways.push(trunk);
            }
        }
        ways
    }

    /// The line of a number, by the number itself or by another way of writing it.
    pub fn line(&self, number: &LineNumber) -> Option<&Line> {
        self.lines.get(self.aliases.get(number).unwrap_or(number))
    }

    /// A queue by its id.
    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        self.queues.get(usize::from(id.0))
    }

    /// A place outside by its id.
    pub fn destination(&self, id: DestinationId) -> Option<&Destination> {
        self.destinations.get(usize::from(id.0))
    }

    /// A trunk by its id.
    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.trunks.iter().find(|trunk| trunk.id == id)
    }

    /// The id of a trunk by its name.
    pub fn trunk_named(&self, name: &str) -> Option<TrunkId> {
        self.trunks.iter().find(|trunk| trunk.name == name).map(|trunk| trunk.id)
    }

    /// Takes the place of another plan while calls are in progress: a trunk of the same name keeps its id, a new one gets an
    /// id that none has had.
    pub fn continues(&mut self, before: &Plan) {
        let used = before.trunks.iter().map(|trunk| trunk.id.0 + 1).max().unwrap_or(0);
        self.trunk_ids = before.trunk_ids.max(used);
        for trunk in &mut self.trunks {
            trunk.id = before.trunk_named(&trunk.name).unwrap_or_else(|| {
                self.trunk_ids += 1;
                TrunkId(self.trunk_ids - 1)
            });
        }
        let known = before.trunks.iter().map(|trunk| (trunk.id, trunk.name.clone()));
        let is_here = |id: &TrunkId| self.trunks.iter().any(|trunk| trunk.id == *id);
        let left = known.chain(before.left_trunks.clone()).filter(|(id, _)| !is_here(id)).collect();
        self.left_trunks = left;
    }

    /// The name of a trunk of this plan, or of one before that it continues; empty for an id that none has used.
    pub fn trunk_name(&self, id: TrunkId) -> &str {
        let here = self.trunks.iter().find(|trunk| trunk.id == id).map(|trunk| &trunk.name);
        here.or_else(|| self.left_trunks.get(&id)).map_or("", String::as_str)
    }

    /// Every prompt and every piece of music that the plan can ask for, to be loaded before the first call.
    pub fn prompts(&self) -> BTreeSet<PromptName> {
        let mut names: BTreeSet<PromptName> = FeatureCode::ALL.into_iter().map(FeatureCode::prompt).collect();
        names.extend(feature::SENTENCES.map(PromptName::new));
        for queue in &self.queues {
            names.extend([queue.music.clone(), queue.overflow_prompt.clone()]);
            names.extend(queue.wish.iter().flat_map(|wish| [wish.prompt.clone(), wish.done.clone()]));
        }
        if self.queues.iter().any(|queue| queue.announce.is_some()) {
            names.extend(announce::prompts());
        }
        names.extend(self.surges.iter().filter_map(|surge| surge.prompt.clone()));
        names.extend(self.marks.iter().filter_map(|mark| mark.prompt.clone()));
        let phases = self.lines.values().flat_map(|line| &line.phases).map(|phase| &phase.service);
        for service in phases.chain(self.lines.values().filter_map(|line| line.closed.as_ref())) {
            match service {
                Service::Queue(service) => {
                    names.insert(service.greeting.clone());
                    names.extend(service.notices.iter().cloned());
                }
                Service::Outside(service) => names.extend(service.notices.iter().cloned()),
                Service::Told(service) => names.extend(service.notice.clone()),
                Service::NotServed => {}
            }
        }
        names
    }
}
