//! Whether a worker still turns: it counts its turns, the control side looks at the count once in a while and asks for one
//! more. Knows no clock: the time between two looks is its caller's.

use std::sync::atomic::{AtomicU64, Ordering};

/// Turns that a worker has taken.
#[derive(Debug, Default)]
pub(super) struct Pulse(AtomicU64);

impl Pulse {
    /// One more turn.
    pub(super) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the control side knows of one worker's pulse.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The count at the last look, after which a turn was asked for.
    seen: Option<u64>,
    stalled: bool,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It turns.
    Turning,
    /// It has not turned since the last look; told once.
    Stalled,
    /// The same at a further look.
    StillStalled,
    /// It turns again.
    Recovered,
}

impl Watch {
    /// Looks; a turn must be asked for afterwards, since a worker without calls sleeps.
    pub(super) fn look(&mut self, pulse: &Pulse) -> Found {
        let now = pulse.0.load(Ordering::Relaxed);
        let stalled = self.seen.replace(now) == Some(now);
        match (std::mem::replace(&mut self.stalled, stalled), stalled) {
            (false, false) => Found::Turning,
            (false, true) => Found::Stalled,
            (true, true) => Found::StillStalled,
            (true, false) => Found::Recovered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_that_does_not_turn_between_two_looks_is_stalled_until_it_turns() {
        let (pulse, mut watch) = (Pulse::default(), Watch::default());
        assert_eq!(watch.look(&pulse), Found::Turning, "nobody has asked it to turn before the first look");
        pulse.beat();
        assert_eq!(watch.look(&pulse), Found::Turning);
        assert_eq!(watch.look(&pulse), Found::Stalled);
        assert_eq!(watch.look(&pulse), Found::StillStalled);
        pulse.beat();
        assert_eq!(watch.look(&pulse), Found::Recovered);
        pulse.beat();
        assert_eq!(watch.look(&pulse), Found::Turning);
    }
}
