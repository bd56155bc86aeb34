//! A new plan counts from now on. Calls in progress keep theirs, and their places in the queues.

use std::sync::Arc;

use super::{Center, Out};
use crate::dialplan::Plan;
use crate::seat::Seat;
use crate::types::{Mono, QueueId, SeatId};

impl Center {
    pub(super) fn on_plan(&mut self, plan: Option<Arc<Plan>>, out: &Out<'_>) {
        // A log of inputs does not carry plans; who replays it puts them back in.
        if let Some(plan) = plan {
            self.adopt(plan, out.now.mono);
        }
    }

    pub(super) fn adopt(&mut self, plan: Arc<Plan>, now: Mono) {
        for queue in &plan.queues {
            let next = QueueId(u16::try_from(self.queue_ids.len()).unwrap_or(u16::MAX));
            let id = *self.queue_ids.entry(queue.name.clone()).or_insert(next);
            self.acd.set_queue(id, &queue.skill, queue.max_waiting);
        }
        for (id, planned) in &plan.seats {
            let reachable = planned.contact.is_some();
            let seat = self.seats.entry(*id).or_insert_with(|| Seat::new(now, reachable));
            if reachable {
                seat.set_reachable(true);
            }
            self.acd.set_seat(*id, &planned.skills);
        }
        self.trunks.retain(|trunk, _| plan.trunk(*trunk).is_some());
        self.plan = plan;
        let known: Vec<SeatId> = self.seats.keys().copied().collect();
        for id in known {
            if let Some(seat) = self.seats.get_mut(&id).filter(|_| !self.plan.seats.contains_key(&id)) {
                seat.sign_out(now);
            }
            self.settle(id);
        }
    }

    /// Our id of a queue of the plan that counts now.
    pub(super) fn queue_id(&self, planned: QueueId) -> Option<QueueId> {
        let queue = self.plan.queues.get(usize::from(planned.0))?;
        self.queue_ids.get(&queue.name).copied()
    }
}
