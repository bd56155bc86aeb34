//! Choices: in which order the free seats of one pool stand, and which comes next. Each is a function of plain data.

use std::collections::BTreeSet;

use crate::types::{Choice, Mono, SeatId};

/// Place of a free seat in the order of its pool: the first is chosen.
pub(super) type Key = (u32, Mono, SeatId);

/// What the order is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) seat: SeatId,
    pub(super) since: Mono,
    pub(super) calls_today: u32,
}

/// Where a free seat stands.
pub(super) fn key(choice: Choice, free: Free) -> Key {
    match choice {
        Choice::LongestIdle | Choice::LastAgent | Choice::RingAll => (0, free.since, free.seat),
        Choice::FewestCalls => (free.calls_today, free.since, free.seat),
        Choice::RoundRobin => (free.seat.0, Mono::default(), free.seat),
    }
}

/// The next seat of an order; `after` is the seat that was chosen last.
pub(super) fn next(choice: Choice, order: &BTreeSet<Key>, after: Option<SeatId>) -> Option<SeatId> {
    let first = order.first().map(|(.., seat)| *seat);
    match (choice, after) {
        (Choice::RoundRobin, Some(SeatId(last))) => {
            let later = order.range((last.saturating_add(1), Mono::default(), SeatId(0))..).next();
            later.map(|(.., seat)| *seat).or(first)
        }
        (Choice::LongestIdle | Choice::FewestCalls | Choice::RingAll | Choice::LastAgent | Choice::RoundRobin, _) => {
            first
        }
    }
}
