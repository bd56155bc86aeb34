//! Steps of the wall clock. Rows of a call bear the time of its arrival plus what has passed since, so that durations in
//! records are what they were, however the system's clock is set meanwhile; calls that arrive later bear the new time.

use std::collections::BTreeMap;

use super::Effect;
use crate::types::{CallId, Now, Wall};

/// A difference between both clocks that is a step and not their drift: milliseconds.
const STEP_MS: i64 = 500;

/// What both clocks said last, and the calls whose time is another than the clock's.
#[derive(Debug, Default)]
pub(super) struct Steps {
    last: Option<Now>,
    /// How far the clock is ahead of each call that was alive when it was stepped, milliseconds.
    ahead: BTreeMap<CallId, i64>,
}

impl Steps {
    /// Compares both clocks; where the wall clock was stepped, `live` calls keep their time.
    pub(super) fn follow(&mut self, now: Now, live: impl Iterator<Item = CallId>) {
        let Some(last) = self.last.replace(now) else { return };
        let passed = i64::try_from(now.mono.since(last.mono).as_millis()).unwrap_or(i64::MAX);
        let step = now.wall.0.saturating_sub(last.wall.0.saturating_add(passed));
        if step.abs() < STEP_MS {
            return;
        }
        tracing::warn!(step_ms = step, "the system's clock was stepped; calls in progress keep their time");
        let before = std::mem::take(&mut self.ahead);
        self.ahead = live.map(|call| (call, before.get(&call).copied().unwrap_or(0) + step)).collect();
        self.ahead.retain(|_, ahead| *ahead != 0);
    }

    /// Puts the rows of calls that lived through a step at their own time.
    pub(super) fn stamp(&self, effects: &mut [Effect]) {
        if self.ahead.is_empty() {
            return;
        }
        for effect in effects {
            if let Effect::Ledger(row) = effect {
                row.at = Wall(row.at.0 - self.ahead.get(&row.call).copied().unwrap_or(0));
            }
        }
    }
}
