//! Who talked with which caller last, for queues that give a caller the voice that is known: a bounded number.

use std::collections::{BTreeMap, VecDeque};

use crate::types::{AgentId, PhoneNumber, SeatId};

/// Most callers that are remembered; the oldest are forgotten first.
const MOST: usize = 20_000;

/// The last seat and person of each caller.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    last: BTreeMap<PhoneNumber, (SeatId, Option<AgentId>)>,
    in_order: VecDeque<PhoneNumber>,
}

impl Familiar {
    pub(super) fn note(&mut self, caller: &PhoneNumber, seat: SeatId, agent: Option<AgentId>) {
        if self.last.insert(caller.clone(), (seat, agent)).is_none() {
            self.in_order.push_back(caller.clone());
        }
        if self.in_order.len() > MOST
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.last.remove(&oldest);
        }
    }

    pub(super) fn of(&self, caller: &PhoneNumber) -> Option<(SeatId, Option<AgentId>)> {
        self.last.get(caller).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_callers_are_forgotten() {
        let mut familiar = Familiar::default();
        let number = |n: usize| PhoneNumber::parse(&format!("138{n:08}")).unwrap();
        for n in 0..=MOST {
            familiar.note(&number(n), SeatId(1), None);
        }
        assert_eq!(familiar.of(&number(0)), None);
        assert_eq!(familiar.of(&number(MOST)), Some((SeatId(1), None)));
    }
}
