//! The function from arrival and time to a route. Looks at whole numbers only.

use std::collections::BTreeSet;

use super::{FeatureCode, Line, Phase, Plan, Queue, Route, Service, Trunk, announce, feature};
use crate::types::{Arrival, LineNumber, Origin, PromptName, QueueId, TrunkId, Wall};

impl Plan {
    /// Where a call goes at this moment. A seat reaches feature codes and lines, a trunk only lines.
    pub fn route(&self, arrival: &Arrival, wall: Wall) -> Route<'_> {
        if let (Origin::Seat(_), Some(code)) = (arrival.origin, FeatureCode::of(&arrival.called)) {
            return Route::Feature(code);
        }
        let Some(line) = self.line(&arrival.called) else { return Route::NoSuchNumber };
        match line.phase_at(wall).map(|phase| &phase.service) {
            Some(Service::Queue(service)) => Route::Queue { line, service },
            Some(Service::NotServed) => Route::NotServed { line },
            None => Route::NoSuchNumber,
        }
    }

    /// The day of a moment in the plan's zone, counted from 1970-01-01.
    pub fn day(&self, wall: Wall) -> i64 {
        (wall.0.div_euclid(1_000) + i64::from(self.offset_s)).div_euclid(86_400)
    }

    /// The line of a number, by the number itself or by another way of writing it.
    pub fn line(&self, number: &LineNumber) -> Option<&Line> {
        self.lines.get(self.aliases.get(number).unwrap_or(number))
    }

    /// A queue by its id.
    pub fn queue(&self, id: QueueId) -> Option<&Queue> {
        self.queues.get(usize::from(id.0))
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
    }

    /// Every prompt and every piece of music that the plan can ask for, to be loaded before the first call.
    pub fn prompts(&self) -> BTreeSet<PromptName> {
        let mut names: BTreeSet<PromptName> = FeatureCode::ALL.into_iter().map(FeatureCode::prompt).collect();
        names.insert(PromptName::new(feature::REFUSED));
        for queue in &self.queues {
            names.extend([queue.music.clone(), queue.overflow_prompt.clone()]);
            names.extend(queue.wish.iter().flat_map(|wish| [wish.prompt.clone(), wish.done.clone()]));
        }
        if self.queues.iter().any(|queue| queue.announce.is_some()) {
            names.extend(announce::prompts());
        }
        names.extend(self.surges.iter().filter_map(|surge| surge.prompt.clone()));
        names.extend(self.marks.iter().filter_map(|mark| mark.prompt.clone()));
        for phase in self.lines.values().flat_map(|line| &line.phases) {
            match &phase.service {
                Service::Queue(service) => {
                    names.insert(service.greeting.clone());
                }
                Service::NotServed => {}
            }
        }
        names
    }
}

impl Line {
    /// The phase that counts at a moment: the last that has started; `None` before the first.
    pub fn phase_at(&self, wall: Wall) -> Option<&Phase> {
        self.phases.iter().rev().find(|phase| phase.from <= wall)
    }
}
