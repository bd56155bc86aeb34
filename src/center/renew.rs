//! A new plan counts from now on. Calls in progress keep theirs, and their places in the queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Center, Out};
use crate::acd::{Rules, Widening};
use crate::dialplan::{Plan, Queue};
use crate::seat::{Presence, Seat};
use crate::types::{QueueId, SeatId};

impl Center {
    pub(super) fn on_plan(&mut self, plan: Option<Arc<Plan>>, out: &mut Out<'_>) {
        // A log of inputs does not carry plans; who replays it puts them back in.
        if let Some(plan) = plan {
            self.adopt(plan, out);
        }
    }

    pub(super) fn adopt(&mut self, plan: Arc<Plan>, out: &mut Out<'_>) {
        let now = out.now.mono;
        for queue in &plan.queues {
            let next = QueueId(u16::try_from(self.queue_ids.len()).unwrap_or(u16::MAX));
            self.queue_ids.entry(queue.name.clone()).or_insert(next);
        }
        let rules: Vec<(QueueId, Rules)> = plan
            .queues
            .iter()
            .map(|queue| (self.queue_ids[&queue.name], rules(queue, &plan, &self.queue_ids)))
            .collect();
        self.acd.set_queues(now, &rules);
        for (id, planned) in &plan.seats {
            let reachable = planned.contact.is_some();
            let seat = self.seats.entry(*id).or_insert_with(|| Seat::new(now, reachable));
            if reachable {
                seat.set_reachable(true);
            }
            seat.set_longest_break(Duration::from_millis(plan.desk.break_ms.into()));
        }
        self.trunks.retain(|trunk, _| plan.trunk(*trunk).is_some());
        self.plan = plan;
        let planned: Vec<SeatId> = self.plan.seats.keys().copied().collect();
        for id in planned {
            self.list_skills(id);
        }
        let known: Vec<SeatId> = self.seats.keys().copied().collect();
        for id in known {
            if let Some(seat) = self.seats.get_mut(&id).filter(|_| !self.plan.seats.contains_key(&id)) {
                // A seat that leaves the plan may always sign out, after its call.
                let _ = seat.choose(now, Presence::SignedOut);
            }
            self.settle(id, out);
        }
    }

    /// Our id of a queue of the plan that counts now.
    pub(super) fn queue_id(&self, planned: QueueId) -> Option<QueueId> {
        let queue = self.plan.queues.get(usize::from(planned.0))?;
        self.queue_ids.get(&queue.name).copied()
    }
}

/// The rules of a queue with our own ids of the queues that it names.
fn rules(queue: &Queue, plan: &Plan, ids: &BTreeMap<String, QueueId>) -> Rules {
    let ms = |ms: u32| Duration::from_millis(ms.into());
    let own = |id: &QueueId| plan.queue(*id).and_then(|other| ids.get(&other.name).copied());
    let widen = queue.widen.iter().map(|step| Widening {
        after: ms(step.after_ms),
        level: step.level,
        skills: step.skills.clone(),
        queues: step.queues.iter().filter_map(own).collect(),
    });
    Rules {
        skill: queue.skill.clone(),
        level: Some(queue.level),
        choice: queue.choice,
        ring_most: queue.ring_most as usize,
        max_waiting: queue.max_waiting,
        age: queue.age_ms.map(ms),
        widen: widen.collect(),
    }
}
