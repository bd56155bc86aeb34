//! One queue: waiting calls in the order of their tickets.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Skill;
use crate::types::CallId;

/// Place of a call in the order of service: higher priority first, then order of arrival. Unique, kept for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    priority: Reverse<u8>,
    arrival: u64,
}

impl Ticket {
    pub(super) fn new(priority: u8, arrival: u64) -> Self {
        Self { priority: Reverse(priority), arrival }
    }
}

/// The queue has as many callers as may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full")]
pub struct QueueFull;

/// Calls that wait for one skill.
#[derive(Debug, Default)]
pub(super) struct Queue {
    skill: Option<Skill>,
    max_waiting: u32,
    by_ticket: BTreeMap<Ticket, CallId>,
    tickets: BTreeMap<CallId, Ticket>,
}

impl Queue {
    pub(super) fn set(&mut self, skill: Skill, max_waiting: u32) {
        self.skill = Some(skill);
        self.max_waiting = max_waiting;
    }

    pub(super) fn skill(&self) -> Option<Skill> {
        self.skill
    }

    pub(super) fn has_room(&self) -> bool {
        u32::try_from(self.by_ticket.len()).is_ok_and(|waiting| waiting < self.max_waiting)
    }

    pub(super) fn insert(&mut self, ticket: Ticket, call: CallId) {
        let before = self.by_ticket.insert(ticket, call);
        assert_eq!(before, None, "two calls hold one ticket");
        self.tickets.insert(call, ticket);
    }

    pub(super) fn remove(&mut self, call: CallId) -> bool {
        self.tickets.remove(&call).is_some_and(|ticket| self.by_ticket.remove(&ticket).is_some())
    }

    pub(super) fn first(&self) -> Option<(Ticket, CallId)> {
        self.by_ticket.first_key_value().map(|(ticket, call)| (*ticket, *call))
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.by_ticket.values().copied()
    }
}
