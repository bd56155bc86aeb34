//! Strategies: which of the free seats of a skill gets the next call. Each is a function from the free seats to one.

use std::collections::BTreeSet;

use crate::types::{Mono, SeatId};

/// The seat that has waited longest; among equals the lowest number.
pub fn longest_idle(free: &BTreeSet<(Mono, SeatId)>) -> Option<SeatId> {
    free.first().map(|(_, seat)| *seat)
}
