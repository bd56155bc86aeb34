//! The time of one input.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Monotonic time in nanoseconds since an arbitrary start of the process. Deadlines are of this type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, d: Duration) -> Mono {
        Mono(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

/// Wall-clock time in milliseconds since 1970, UTC. Written to records, never compared with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// The clocks of China: UTC+8 all year since 1991 (tz database, Asia/Shanghai).
const CHINA: jiff::tz::Offset = jiff::tz::offset(8);

impl Wall {
    /// Date and time on the clocks of China: the one way to tell the day and the hour of counters.
    pub fn in_china(self) -> jiff::civil::DateTime {
        CHINA.to_datetime(jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// The moment of a date and time on the clocks of China.
    pub fn from_china(local: jiff::civil::DateTime) -> Self {
        Self(CHINA.to_timestamp(local).map_or(i64::MAX, |moment| moment.as_millisecond()))
    }
}

/// The time of one input, read once by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For records and for the calendar.
    pub wall: Wall,
}

impl Now {
    /// The same moment pushed forward on both clocks; for tests and simulations.
    pub fn after(self, d: Duration) -> Now {
        Now { mono: self.mono + d, wall: Wall(self.wall.0 + i64::try_from(d.as_millis()).unwrap_or(i64::MAX)) }
    }
}
