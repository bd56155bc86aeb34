//! One queue: waiting calls in the order of service, which changes as they wait: priority rises, more seats may serve.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::Skill;
use crate::types::{CallId, Choice, Level, Mono, QueueId, SeatId};

/// Highest priority; no waiting lifts a call above it.
const MOST_PRIORITY: u8 = 9;

/// A call's claim on service: priority at first, arrival, and since when it waits. Unique, kept for life, so that a call
/// which comes back from an offer or moves to another queue stands where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    priority: u8,
    arrival: u64,
    since: Mono,
}

impl Ticket {
    pub(super) fn new(priority: u8, arrival: u64, since: Mono) -> Self {
        Self { priority, arrival, since }
    }

    /// Since when the call waits.
    pub fn since(&self) -> Mono {
        self.since
    }
}

/// Place in the order of service: higher priority first, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: Reverse<u8>,
    pub(super) arrival: u64,
}

/// The queue has as many callers as may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub struct QueueFull;

/// Rules of a queue, as the plan has them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Name of its skill.
    pub skill: String,
    /// Lowest level of it at first.
    pub level: Option<Level>,
    /// How a seat is chosen.
    pub choice: Choice,
    /// Most seats that are rung at once.
    pub ring_most: usize,
    /// Most callers that may wait.
    pub max_waiting: u32,
    /// Priority rises one step each time a call has waited so long.
    pub age: Option<Duration>,
    /// Steps of widening, in order of time.
    pub widen: Vec<Widening>,
}

/// Who may serve from when on, beside those of the steps before.
#[derive(Clone, Debug, Default)]
pub struct Widening {
    /// Waiting in the queue.
    pub after: Duration,
    /// Lowest level of the queue's skill from then on.
    pub level: Option<Level>,
    /// Seats with these skills.
    pub skills: Vec<String>,
    /// Seats that serve these queues.
    pub queues: Vec<QueueId>,
}

/// One step in which more seats may serve: the first has no delay.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) after: Duration,
    pub(super) least: Level,
    pub(super) skills: Vec<Skill>,
    pub(super) queues: Vec<QueueId>,
}

/// A waiting call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    /// Since when it is in this queue.
    pub(super) joined: Mono,
    /// The seat that it should get if that is free: the caller knows the voice.
    pub(super) prefer: Option<SeatId>,
    pub(super) rank: Rank,
    pub(super) step: usize,
}

/// Calls that wait for one skill.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) skill: Skill,
    pub(super) choice: Choice,
    pub(super) ring_most: usize,
    max_waiting: u32,
    age: Option<Duration>,
    pub(super) steps: Vec<Step>,
    by_rank: BTreeMap<Rank, CallId>,
    /// The same calls by the step to which they have come.
    by_step: Vec<BTreeMap<Rank, CallId>>,
    calls: BTreeMap<CallId, Waiter>,
}

impl Queue {
    pub(super) fn new(skill: Skill, steps: Vec<Step>, rules: &Rules) -> Self {
        let by_step = steps.iter().map(|_| BTreeMap::new()).collect();
        Self {
            skill,
            choice: rules.choice,
            ring_most: rules.ring_most.max(1),
            max_waiting: rules.max_waiting,
            age: rules.age,
            steps,
            by_rank: BTreeMap::new(),
            by_step,
            calls: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn has_room(&self) -> bool {
        u32::try_from(self.calls.len()).is_ok_and(|waiting| waiting < self.max_waiting)
    }

    /// Rank and step of a claim at a moment, and when they change next.
    pub(super) fn judge(&self, now: Mono, ticket: Ticket, joined: Mono) -> (Rank, usize, Option<Mono>) {
        let (waited, here) = (now.since(ticket.since), now.since(joined));
        let mut next = None;
        let mut priority = ticket.priority.min(MOST_PRIORITY);
        if let Some(age) = self.age.filter(|age| !age.is_zero()) {
            let steps = u8::try_from(waited.as_nanos() / age.as_nanos()).unwrap_or(u8::MAX);
            priority = priority.saturating_add(steps).min(MOST_PRIORITY);
            if priority < MOST_PRIORITY {
                next = Some(ticket.since + age * (u32::from(steps) + 1));
            }
        }
        let step = self.steps.iter().rposition(|step| step.after <= here).unwrap_or(0);
        if let Some(later) = self.steps.get(step + 1) {
            let at = joined + later.after;
            next = Some(next.map_or(at, |next: Mono| next.min(at)));
        }
        (Rank { priority: Reverse(priority), arrival: ticket.arrival }, step, next)
    }

    pub(super) fn insert(&mut self, call: CallId, waiter: Waiter) {
        let before = self.by_rank.insert(waiter.rank, call);
        assert_eq!(before, None, "two calls hold one ticket");
        self.by_step[waiter.step].insert(waiter.rank, call);
        self.calls.insert(call, waiter);
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Waiter> {
        let waiter = self.calls.remove(&call)?;
        self.by_rank.remove(&waiter.rank);
        self.by_step[waiter.step].remove(&waiter.rank);
        Some(waiter)
    }

    pub(super) fn get(&self, call: CallId) -> Option<&Waiter> {
        self.calls.get(&call)
    }

    /// The first of each step, with the step.
    pub(super) fn heads(&self) -> impl Iterator<Item = (Rank, CallId, usize)> + '_ {
        let first = |(step, calls): (usize, &BTreeMap<Rank, CallId>)| {
            calls.first_key_value().map(|(rank, call)| (*rank, *call, step))
        };
        self.by_step.iter().enumerate().filter_map(first)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.by_rank.values().copied()
    }

    pub(super) fn waiters(&self) -> impl Iterator<Item = (CallId, Waiter)> + '_ {
        self.calls.iter().map(|(call, waiter)| (*call, *waiter))
    }
}
