//! Named deadlines, ordered by time: the next one is found without a scan.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{CallId, LegId, Mono, SeatId};

/// What a deadline is for. One of each name at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The place where the call is ends: the prompt, the lease of an offer, the joining.
    Place(CallId),
    /// The call has waited as long as the plan allows.
    MaxWait(CallId),
    /// The call has waited in its queue as long as a rule of overflow says.
    Overflow(CallId),
    /// The next announcement to a waiting caller is due.
    Say(CallId),
    /// The old desk that rings beside the seats is rung long enough.
    Desk(CallId),
    /// The third whom an agent brings into a talk is rung long enough.
    Guest(CallId),
    /// The supervisor's phone is rung long enough.
    Supervisor(CallId),
    /// A leg that we hung up has not said its last word.
    Leg(LegId),
    /// A seat's wrap-up or rest is over.
    Seat(SeatId),
    /// Everybody is told that the drain will end their call.
    DrainNotice,
    /// The drain ends the calls that are left.
    DrainEnd,
}

/// All deadlines of the center.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Mono, Timer)>,
    at: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets a deadline, in place of the one of the same name.
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        self.clear(timer);
        self.at.insert(timer, at);
        self.by_time.insert((at, timer));
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline that has passed.
    pub(super) fn take_due(&mut self, now: Mono) -> Option<Timer> {
        let (_, timer) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.clear(timer);
        Some(timer)
    }

    pub(super) fn at(&self, timer: Timer) -> Option<Mono> {
        self.at.get(&timer).copied()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Timer> + '_ {
        self.at.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Seat(SeatId(1)), Mono(30));
        timers.set(Timer::Place(CallId(1)), Mono(20));
        timers.set(Timer::Place(CallId(1)), Mono(40));
        assert_eq!(timers.next(), Some(Mono(30)), "a new deadline replaces the old one of its name");
        assert_eq!(timers.take_due(Mono(29)), None);
        assert_eq!(timers.take_due(Mono(50)), Some(Timer::Seat(SeatId(1))));
        assert_eq!(timers.take_due(Mono(50)), Some(Timer::Place(CallId(1))));
        assert_eq!(timers.take_due(Mono(50)), None);
        assert_eq!(timers.next(), None);
    }
}
