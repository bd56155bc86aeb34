//! How many calls a trunk may have, and how many new ones a second.

use std::time::Duration;

use crate::types::Mono;

/// Why a trunk takes no further call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// All its calls are in use.
    #[error("all calls of the trunk are in use")]
    Calls,
    /// More new calls a second than agreed.
    #[error("more new calls a second than agreed")]
    Rate,
}

/// Calls in progress and a leaky bucket of new ones (the virtual scheduling form of ITU-T I.371 annex A).
#[derive(Clone, Debug, Default)]
pub(super) struct Capacity {
    calls: u32,
    max_calls: Option<u32>,
    per_s: Option<u32>,
    /// When the next call would be due if calls came evenly.
    due: Mono,
}

impl Capacity {
    pub(super) fn new(max_calls: Option<u32>, per_s: Option<u32>) -> Capacity {
        Capacity { max_calls, per_s, ..Capacity::default() }
    }

    /// New limits; calls in progress stay.
    pub(super) fn set_limits(&mut self, max_calls: Option<u32>, per_s: Option<u32>) {
        self.max_calls = max_calls;
        self.per_s = per_s;
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether [`Capacity::admit`] would take a call.
    pub(super) fn has_room(&self, now: Mono) -> Result<(), Busy> {
        if self.max_calls.is_some_and(|max| self.calls >= max) {
            return Err(Busy::Calls);
        }
        match self.per_s.map(interval) {
            // A second's worth may come at once.
            Some(every) if self.due > now + (SECOND - every) => Err(Busy::Rate),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a call.
    pub(super) fn admit(&mut self, now: Mono) -> Result<(), Busy> {
        self.has_room(now)?;
        self.calls += 1;
        if let Some(every) = self.per_s.map(interval) {
            self.due = self.due.max(now) + every;
        }
        Ok(())
    }

    /// A call that was admitted is over. Of a trunk that has left the plan there may be none to give back.
    pub(super) fn release(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn interval(per_s: u32) -> Duration {
    SECOND / per_s.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_and_given_back() {
        let mut c = Capacity::new(Some(2), None);
        let now = Mono::default();
        assert_eq!((c.admit(now), c.admit(now), c.admit(now)), (Ok(()), Ok(()), Err(Busy::Calls)));
        c.release();
        assert_eq!(c.admit(now), Ok(()));
        assert_eq!(c.calls(), 2);
    }

    #[test]
    fn a_second_brings_no_more_than_its_share() {
        let mut c = Capacity::new(None, Some(10));
        let mut now = Mono(5_000_000_000);
        let taken = |c: &mut Capacity, now| (0..50).filter(|_| c.admit(now).is_ok()).count();
        assert_eq!(taken(&mut c, now), 10);
        assert_eq!(c.admit(now), Err(Busy::Rate));
        now = now + Duration::from_millis(100);
        assert_eq!(taken(&mut c, now), 1);
        now = now + Duration::from_secs(60);
        assert_eq!(taken(&mut c, now), 10, "silence is not saved up");
        let mut admitted = 0;
        for _ in 0..1_000 {
            now = now + Duration::from_millis(10);
            admitted += taken(&mut c, now);
        }
        assert_eq!(admitted, 100, "ten seconds at ten a second");
    }

    #[test]
    fn a_refused_call_takes_no_room() {
        let mut c = Capacity::new(Some(1), Some(100));
        let now = Mono::default();
        c.admit(now).unwrap();
        for _ in 0..1_000 {
            assert_eq!(c.admit(now), Err(Busy::Calls));
        }
        c.release();
        assert_eq!(c.admit(now), Ok(()));
    }
}
