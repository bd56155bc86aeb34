//! Which call an ended leg belonged to, for a bounded time: its audio figures follow its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::types::{CallId, LegId, Mono};

/// Ended legs, oldest first.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    term: Duration,
    call_of: BTreeMap<LegId, CallId>,
    in_order: VecDeque<(Mono, LegId)>,
}

impl Memory {
    pub(super) fn new(most: usize, term: Duration) -> Self {
        Self { most, term, call_of: BTreeMap::new(), in_order: VecDeque::new() }
    }

    /// Remembers a leg; what is over its term, or beyond the bound, is forgotten.
    pub(super) fn remember(&mut self, now: Mono, leg: LegId, call: CallId) {
        self.call_of.insert(leg, call);
        self.in_order.push_back((now, leg));
        while let Some((at, oldest)) = self.in_order.front().copied()
            && (self.in_order.len() > self.most || now.since(at) > self.term)
        {
            self.in_order.pop_front();
            self.call_of.remove(&oldest);
        }
    }

    pub(super) fn call_of(&self, leg: LegId) -> Option<CallId> {
        self.call_of.get(&leg).copied()
    }

    /// The call of a leg whose figures have come: they come once.
    pub(super) fn take(&mut self, leg: LegId) -> Option<CallId> {
        self.call_of.remove(&leg)
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_in_number_and_time() {
        let mut memory = Memory::new(2, Duration::from_nanos(10));
        for leg in 1..=3 {
            memory.remember(Mono(1), LegId(leg), CallId(leg));
        }
        assert_eq!((memory.len(), memory.call_of(LegId(1))), (2, None));
        assert_eq!(memory.take(LegId(2)), Some(CallId(2)));
        assert_eq!(memory.take(LegId(2)), None);
        memory.remember(Mono(12), LegId(4), CallId(4));
        assert_eq!(memory.call_of(LegId(3)), None, "its term is over");
    }
}
