//! The one place that reads the clocks for the core.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::types::{Mono, Now, Wall};

/// Monotonic time since the start of the process, and wall time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell reads the clock for the core")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Now {
        let mono = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { mono: Mono(mono), wall: wall() }
    }
}

/// Milliseconds since 1970; zero when the system's clock stands before that.
#[expect(clippy::disallowed_methods, reason = "the shell reads the clock for the core")]
pub(super) fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
