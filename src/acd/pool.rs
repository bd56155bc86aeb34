//! A pool: the seats that can do one thing, by level, with the free ones in the order of the choice.

use std::collections::{BTreeMap, BTreeSet};

use super::routing::{self, Free, Key};
use super::{Skill, Standing};
use crate::types::{Choice, Level, QueueId, SeatId};

/// What the seats of a pool can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PoolId {
    /// Serve this queue, by skill and by the agent's own list.
    Queue(QueueId),
    /// They have this skill.
    Skill(Skill),
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    choice: Choice,
    free: BTreeMap<Level, BTreeSet<Key>>,
    signed_in: usize,
    serving: usize,
    /// Who was chosen last.
    last: Option<SeatId>,
}

impl Pool {
    pub(super) fn new(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    pub(super) fn add(&mut self, standing: Standing) {
        self.signed_in += usize::from(standing.is_signed_in());
        self.serving += usize::from(standing.is_serving());
    }

    pub(super) fn take(&mut self, standing: Standing) {
        self.signed_in -= usize::from(standing.is_signed_in());
        self.serving -= usize::from(standing.is_serving());
    }

    pub(super) fn add_free(&mut self, level: Level, free: Free) {
        self.free.entry(level).or_default().insert(routing::key(self.choice, free));
    }

    pub(super) fn take_free(&mut self, level: Level, free: Free) {
        if let Some(order) = self.free.get_mut(&level) {
            order.remove(&routing::key(self.choice, free));
            if order.is_empty() {
                self.free.remove(&level);
            }
        }
    }

    pub(super) fn signed_in(&self) -> usize {
        self.signed_in
    }

    pub(super) fn serving(&self) -> usize {
        self.serving
    }

    /// Whether a seat of at least this level is free.
    pub(super) fn has_free(&self, least: Level) -> bool {
        self.free.last_key_value().is_some_and(|(best, _)| *best >= least)
    }

    /// How many are free at this level or above.
    pub(super) fn count(&self, least: Level) -> usize {
        self.free.range(least..).map(|(_, order)| order.len()).sum()
    }

    /// Whether this seat is among them.
    pub(super) fn level_of(&self, least: Level, free: Free) -> Option<Level> {
        let key = routing::key(self.choice, free);
        self.free.range(least..).rev().find(|(_, order)| order.contains(&key)).map(|(level, _)| *level)
    }

    /// The free seats, best level first, in the order of the choice within a level.
    pub(super) fn in_order(&self, least: Level) -> impl Iterator<Item = SeatId> + '_ {
        self.free.range(least..).rev().flat_map(|(_, order)| order.iter().map(|(.., seat)| *seat))
    }

    /// The chosen one: the best level first.
    pub(super) fn next(&self, least: Level) -> Option<(Level, SeatId)> {
        let (level, order) = self.free.range(least..).next_back()?;
        Some((*level, routing::next(self.choice, order, self.last)?))
    }

    pub(super) fn note(&mut self, seat: SeatId) {
        self.last = Some(seat);
    }
}
