//! Who gets which call: queues of waiting calls and free seats, and the choice between them.
//!
//! Speaks ids only. Does not know what a call or a seat is doing; the center tells it who waits and who is free.

mod queue;
mod routing;

pub use queue::{QueueFull, Ticket};
pub use routing::longest_idle;

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{CallId, Mono, QueueId, SeatId};
use queue::Queue;

/// A skill, by the order in which its name was first met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Skill(usize);

/// A waiting call and the seat that shall get it. Both have left their lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The call that waited longest among the most urgent.
    pub call: CallId,
    /// Where it waited.
    pub queue: QueueId,
    /// The seat that the strategy chose.
    pub seat: SeatId,
}

/// Queues and free seats.
#[derive(Debug, Default)]
pub struct Acd {
    skill_names: BTreeMap<String, Skill>,
    queues: BTreeMap<QueueId, Queue>,
    /// Skills of every seat of the plan.
    seats: BTreeMap<SeatId, Vec<Skill>>,
    /// Free seats and since when.
    free: BTreeMap<SeatId, Mono>,
    /// The same seats by skill, longest idle first.
    free_by_skill: BTreeMap<Skill, BTreeSet<(Mono, SeatId)>>,
    /// Where a waiting call waits: the index from call to queue.
    waiting: BTreeMap<CallId, QueueId>,
    next_arrival: u64,
}

impl Acd {
    /// Adds a queue or changes its settings; who waits there keeps waiting.
    pub fn set_queue(&mut self, queue: QueueId, skill: &str, max_waiting: u32) {
        let skill = self.skill(skill);
        self.queues.entry(queue).or_default().set(skill, max_waiting);
    }

    /// Adds a seat or changes its skills. A new seat is not free.
    pub fn set_seat(&mut self, seat: SeatId, skills: &[String]) {
        let skills = skills.iter().map(|name| self.skill(name)).collect();
        let since = self.free.get(&seat).copied();
        self.set_busy(seat);
        self.seats.insert(seat, skills);
        if let Some(since) = since {
            self.set_free(seat, since);
        }
    }

    /// Takes a seat away.
    pub fn remove_seat(&mut self, seat: SeatId) {
        self.set_busy(seat);
        self.seats.remove(&seat);
    }

    /// The seat may get a call; `since` orders it among the free. Unknown seats are ignored.
    pub fn set_free(&mut self, seat: SeatId, since: Mono) {
        if self.free.get(&seat) == Some(&since) {
            return;
        }
        self.set_busy(seat);
        let Some(skills) = self.seats.get(&seat) else { return };
        self.free.insert(seat, since);
        for skill in skills {
            self.free_by_skill.entry(*skill).or_default().insert((since, seat));
        }
    }

    /// The seat may get no call now.
    pub fn set_busy(&mut self, seat: SeatId) {
        let Some(since) = self.free.remove(&seat) else { return };
        for skill in self.seats.get(&seat).into_iter().flatten() {
            if let Some(set) = self.free_by_skill.get_mut(skill) {
                set.remove(&(since, seat));
            }
        }
    }

    /// The place of a call that has just arrived. It keeps this ticket for its whole life, so that a call which comes
    /// back from an offer stands where it stood.
    pub fn ticket(&mut self, priority: u8) -> Ticket {
        self.next_arrival += 1;
        Ticket::new(priority, self.next_arrival)
    }

    /// A call begins to wait.
    ///
    /// # Errors
    /// [`QueueFull`] when as many calls wait as may, or the queue is unknown.
    pub fn join(&mut self, queue: QueueId, call: CallId, ticket: Ticket) -> Result<(), QueueFull> {
        let room = self.queues.get(&queue).is_some_and(Queue::has_room);
        if !room {
            return Err(QueueFull);
        }
        self.rejoin(queue, call, ticket);
        Ok(())
    }

    /// A call that had left the queue for an offer waits again, at its own place and whatever the limit.
    ///
    /// # Panics
    /// When the call waits already: it would be offered twice.
    pub fn rejoin(&mut self, queue: QueueId, call: CallId, ticket: Ticket) {
        let before = self.waiting.insert(call, queue);
        assert_eq!(before, None, "a call waits in two places");
        self.queues.entry(queue).or_default().insert(ticket, call);
    }

    /// A call waits no longer; `false` when it did not wait.
    pub fn leave(&mut self, call: CallId) -> bool {
        let Some(queue) = self.waiting.remove(&call) else { return false };
        self.queues.get_mut(&queue).is_some_and(|queue| queue.remove(call))
    }

    /// Takes the next call that can be offered and the seat it shall go to. Among queues that could be served the call
    /// with the best ticket wins, so that a seat with two skills serves the longer waiting citizen.
    pub fn next_match(&mut self) -> Option<Match> {
        if self.waiting.is_empty() || self.free.is_empty() {
            return None;
        }
        let (_, call, queue, seat) = self
            .queues
            .iter()
            .filter_map(|(id, queue)| {
                let (ticket, call) = queue.first()?;
                let seat = self.free_by_skill.get(&queue.skill()?).and_then(longest_idle)?;
                Some((ticket, call, *id, seat))
            })
            .min()?;
        self.leave(call);
        self.set_busy(seat);
        Some(Match { call, queue, seat })
    }

    /// Where a call waits.
    pub fn queue_of(&self, call: CallId) -> Option<QueueId> {
        self.waiting.get(&call).copied()
    }

    /// The calls of a queue, next first.
    pub fn waiting_in(&self, queue: QueueId) -> impl Iterator<Item = CallId> + '_ {
        self.queues.get(&queue).into_iter().flat_map(Queue::calls)
    }

    /// How many calls wait, over all queues.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many seats with the queue's skill are free.
    pub fn free_for(&self, queue: QueueId) -> usize {
        let skill = self.queues.get(&queue).and_then(Queue::skill);
        skill.and_then(|skill| self.free_by_skill.get(&skill)).map_or(0, BTreeSet::len)
    }

    /// Since when the seat is known as free.
    pub fn free_since(&self, seat: SeatId) -> Option<Mono> {
        self.free.get(&seat).copied()
    }

    /// Compares the indexes with each other.
    ///
    /// # Panics
    /// When they disagree, or when a call could be served and is not.
    pub fn check(&self) {
        let listed: usize = self.queues.values().map(|queue| queue.calls().count()).sum();
        assert_eq!(listed, self.waiting.len(), "a waiting call is in exactly one queue");
        for (call, queue) in &self.waiting {
            let found = self.queues.get(queue).is_some_and(|queue| queue.calls().any(|other| other == *call));
            assert!(found, "{call} is not in the queue that the index names");
        }
        for (seat, since) in &self.free {
            for skill in &self.seats[seat] {
                let listed = self.free_by_skill.get(skill).is_some_and(|set| set.contains(&(*since, *seat)));
                assert!(listed, "free {seat} is missing under one of its skills");
            }
        }
        for seats in self.free_by_skill.values() {
            for (since, seat) in seats {
                assert_eq!(self.free.get(seat), Some(since), "a seat is listed as free and is not");
            }
        }
        for queue in self.queues.values() {
            let seats = queue.skill().and_then(|skill| self.free_by_skill.get(&skill));
            let idle = seats.is_some_and(|seats| !seats.is_empty());
            assert!(queue.first().is_none() || !idle, "a call waits while a seat with its skill is free");
        }
    }

    fn skill(&mut self, name: &str) -> Skill {
        if let Some(skill) = self.skill_names.get(name) {
            return *skill;
        }
        let skill = Skill(self.skill_names.len());
        self.skill_names.insert(name.to_owned(), skill);
        skill
    }
}

#[cfg(test)]
mod tests;
