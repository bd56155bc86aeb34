//! The counters of the day: kept by the tail in the transaction of the rows that they count, so that they survive every
//! restart and equal the ledger exactly.
//!
//! Each stands under a day and hour of the clock on the wall in China, a scope and a name in it. What is counted of a call
//! stands at the hour in which it arrived, of a queue at the hour in which the call joined it, of a seat or agent at the hour
//! of the offer: so the parts of one hour never exceed its whole. A call counts as offered when it is decided whether a
//! person answers it, so that in every hour offered = answered + the measures of [`LOST`].
//!
//! GB/T 33358-2016 asks that a call is answered within 15 seconds and that the connect rate (接通率) of any 24 hours on end is
//! at least 95 %. Its text gives no formula that we could read; the stricter reading is taken: seconds run from the arrival,
//! greeting included, and every call for a person counts as offered, also one that gave up in the greeting. Not offered are
//! refusals of numbers that are no lines, and services of the exchange itself. A call that is marked as a test is taken out of all of
//! them and stands under `test` alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::db::{Tx, Value, values};
use super::{QueryError, Store};
use crate::types::{Cause, Fate, Wall};

/// Answered within this time counts as within_15s (GB/T 33358-2016), milliseconds.
pub const ANSWER_WITHIN_MS: i64 = 15_000;
/// The window of the connect rate (GB/T 33358-2016), milliseconds.
pub const RATE_WINDOW_MS: i64 = 24 * 3600 * 1000;
/// Most calls that the search for the worst 24 hours looks at: a month of a city's.
const MOST_CALLS: u32 = 3_000_000;

/// Measures that make up, with `answered`, what was offered.
pub const LOST: [&str; 9] = [
    "abandoned_in_greeting",
    "abandoned_in_queue",
    "abandoned_in_ring",
    "overflowed",
    "unanswered_outside",
    "left_wish",
    "failed",
    "cut_by_restart",
    "cut_by_drain",
];

/// Counts calls to numbers that are cancelled, by the mode that their line had when they came.
pub const TO_CANCELLED: &str = "to_cancelled";

/// Whose counter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All calls from outside; the name is empty.
    All,
    /// The line that was dialled.
    Line,
    /// The trunk over which it came.
    Trunk,
    /// A queue.
    Queue,
    /// A seat.
    Seat,
    /// A person.
    Agent,
}

impl Scope {
    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Line => "line",
            Scope::Trunk => "trunk",
            Scope::Queue => "queue",
            Scope::Seat => "seat",
            Scope::Agent => "agent",
        }
    }
}

/// One counter: what was counted, where and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::FromRow)]
pub struct Counter {
    /// Day in China, `2026-11-23`.
    pub day: String,
    /// Hour of that day, 0 to 23.
    pub hour: i64,
    /// The word of a [`Scope`].
    pub scope: String,
    /// Number of the line or seat, name of the trunk or queue, number of the agent; empty in [`Scope::All`].
    pub name: String,
    /// What is counted: a number of calls or offers, or milliseconds where the word ends in `_ms`.
    pub what: String,
    /// How many.
    pub n: i64,
}

/// Hours since 1970, scope, name and measure. China's clock is whole hours away from UTC, so an hour there is an hour here.
type Key = (i64, Scope, String, &'static str);

const HOUR_MS: i64 = 3_600_000;

/// What is to be added to the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deltas(BTreeMap<Key, i64>);

impl Deltas {
    /// Adds to one counter at the hour of `at`.
    pub(super) fn add(&mut self, at: i64, scope: Scope, name: &str, what: &'static str, n: i64) {
        if n != 0 {
            *self.0.entry((at.div_euclid(HOUR_MS), scope, name.to_owned(), what)).or_default() += n;
        }
    }

    /// The same with the other sign.
    pub(super) fn taken_back(self) -> Self {
        Self(self.0.into_iter().map(|(key, n)| (key, -n)).collect())
    }

    /// Writes them into the database, always in the same order: several nodes may write, and must not wait in a circle.
    pub(super) async fn save(&self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        const HEAD: &str = "INSERT INTO counters (day, hour, scope, name, what, n)";
        const TAIL: &str = "ON CONFLICT (day, scope, name, hour, what) DO UPDATE SET n = counters.n + excluded.n";
        // Each hour is turned into China's once. Where clocks were put back, 1986 to 1991, two of ours are one there.
        let mut hours: BTreeMap<i64, (String, i64)> = BTreeMap::new();
        for (hour, ..) in self.0.keys() {
            hours.entry(*hour).or_insert_with(|| day_and_hour(hour.saturating_mul(HOUR_MS)));
        }
        let mut sums: BTreeMap<(&str, i64, Scope, &str, &str), i64> = BTreeMap::new();
        for ((hour, scope, name, what), n) in &self.0 {
            let (day, hour) = &hours[hour];
            *sums.entry((day, *hour, *scope, name, what)).or_default() += n;
        }
        let values: Vec<Value<'_>> = sums
            .iter()
            .flat_map(|((day, hour, scope, name, what), n)| {
                [(*day).into(), (*hour).into(), scope.as_str().into(), (*name).into(), (*what).into(), (*n).into()]
            })
            .collect();
        tx.insert(HEAD, TAIL, 6, &values).await.map(|_| ())
    }
}

/// The day and hour of a moment in China.
pub fn day_and_hour(at: i64) -> (String, i64) {
    let local = Wall(at).in_china();
    (local.date().to_string(), local.hour().into())
}

/// Under which measure the end of an unanswered call counts: as lost, as not offered at all.
pub(super) fn measure(fate: &Fate) -> &'static str {
    match fate {
        Fate::Refused { cause: Cause::Overload | Cause::Restart } | Fate::Failed { .. } => "failed",
        Fate::Refused { .. } => "refused",
        Fate::Answered { .. }
        | Fate::AnsweredOutside
        | Fate::UnansweredOutside { .. }
        | Fate::AbandonedInGreeting
        | Fate::AbandonedInQueue
        | Fate::AbandonedInRing
        | Fate::Overflowed
        | Fate::LeftWish
        | Fate::Served
        | Fate::Reached { .. }
        | Fate::NotReached { .. }
        | Fate::CutByRestart
        | Fate::CutByDrain => fate.as_str(),
    }
}

/// How well callers were served in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ServiceLevel {
    /// Calls for a person.
    pub offered: i64,
    /// Those that a person answered.
    pub answered: i64,
    /// Those answered within [`ANSWER_WITHIN_MS`].
    pub within_15s: i64,
}

impl ServiceLevel {
    /// The connect rate (接通率) in percent; nothing when no call was offered.
    pub fn connect_rate(&self) -> Option<f64> {
        percent(self.answered, self.offered)
    }

    /// The 15-second rate (15秒接通率) in percent of the calls offered; nothing when there was none.
    pub fn within_15s_rate(&self) -> Option<f64> {
        percent(self.within_15s, self.offered)
    }
}

fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// The 24 hours with the lowest connect rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WorstDay {
    /// When they begin, milliseconds since 1970, UTC.
    pub since: i64,
    /// How callers were served in them.
    pub level: ServiceLevel,
}

/// A call as the search for the worst 24 hours needs it.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct Offered {
    arrived_at: i64,
    answered_at: Option<i64>,
}

impl Offered {
    fn level(self) -> ServiceLevel {
        let within_15s = self.answered_at.is_some_and(|at| at - self.arrived_at <= ANSWER_WITHIN_MS);
        ServiceLevel { offered: 1, answered: self.answered_at.is_some().into(), within_15s: within_15s.into() }
    }
}

impl ServiceLevel {
    fn add(&mut self, other: ServiceLevel, sign: i64) {
        self.offered += sign * other.offered;
        self.answered += sign * other.answered;
        self.within_15s += sign * other.within_15s;
    }
}

/// The window with the lowest connect rate among those that lie whole between `since` and `until`. `calls` stand in the order
/// of their arrival. What a window holds changes only where a call enters at its end or leaves at its beginning.
fn worst(calls: &[Offered], (since, until): (i64, i64), window_ms: i64) -> Option<WorstDay> {
    let last_start = until.saturating_sub(window_ms);
    let mut starts: Vec<i64> =
        calls.iter().flat_map(|call| [call.arrived_at + 1, call.arrived_at + 1 - window_ms]).collect();
    starts.push(since);
    starts.retain(|start| (since..=last_start).contains(start));
    starts.sort_unstable();
    let (mut entered, mut left) = (calls.iter().peekable(), calls.iter().peekable());
    let mut level = ServiceLevel::default();
    let mut worst: Option<WorstDay> = None;
    for start in starts {
        while let Some(call) = entered.next_if(|call| call.arrived_at < start.saturating_add(window_ms)) {
            level.add(call.level(), 1);
        }
        while let Some(call) = left.next_if(|call| call.arrived_at < start) {
            level.add(call.level(), -1);
        }
        let lower = |than: &ServiceLevel| level.answered * than.offered < than.answered * level.offered;
        if level.offered > 0 && worst.as_ref().is_none_or(|w| lower(&w.level)) {
            worst = Some(WorstDay { since: start, level });
        }
    }
    worst
}

const COUNTERS: &str = "
    SELECT day, hour, scope, name, what, n FROM counters
    WHERE day >= $1 AND day <= $2 AND (CAST($3 AS TEXT) IS NULL OR scope = $3) AND (CAST($4 AS TEXT) IS NULL OR name = $4)
    ORDER BY day, hour, scope, name, what";

/// The sums of nothing are NULL; SUM of BIGINT is NUMERIC in PostgreSQL.
const LEVEL: &str = "
    SELECT COUNT(*) AS offered,
           CAST(COALESCE(SUM(CASE WHEN answered_at IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS answered,
           CAST(COALESCE(SUM(CASE WHEN answered_at - arrived_at <= $4 THEN 1 ELSE 0 END), 0) AS BIGINT) AS within_15s
    FROM calls
    WHERE offered = 1 AND arrived_at >= $1 AND arrived_at < $2 AND (CAST($3 AS TEXT) IS NULL OR line = $3)";

const OFFERED: &str = "
    SELECT arrived_at, answered_at FROM calls
    WHERE offered = 1 AND arrived_at >= $1 AND arrived_at < $2 AND (CAST($3 AS TEXT) IS NULL OR line = $3)
    ORDER BY arrived_at LIMIT $4";

impl Store {
    /// Counters of the days `first` to `last` (`2026-11-23`), of one scope and one name in it where they are given.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn counters(
        &self,
        days: (&str, &str),
        scope: Option<Scope>,
        name: Option<&str>,
    ) -> Result<Vec<Counter>, QueryError> {
        let values = values![days.0, days.1, scope.map(Scope::as_str), name];
        Ok(self.db.rows(COUNTERS, values).await?)
    }

    /// How many calls each line has had of one measure, over all days.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn counted_by_line(&self, what: &str) -> Result<BTreeMap<String, i64>, QueryError> {
        const SUMS: &str = "
            SELECT name, CAST(SUM(n) AS BIGINT) AS n FROM counters WHERE scope = 'line' AND what = $1 GROUP BY name";
        let rows: Vec<(String, i64)> = self.db.rows(SUMS, values![what]).await?;
        Ok(rows.into_iter().collect())
    }

    /// How callers were served who arrived from `since` to before `until`, on one line or on all.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn service_level(
        &self,
        since: Wall,
        until: Wall,
        line: Option<&str>,
    ) -> Result<ServiceLevel, QueryError> {
        let level = self.db.row(LEVEL, values![since.0, until.0, line, ANSWER_WITHIN_MS]).await?;
        Ok(level.unwrap_or_default())
    }

    /// The worst 24 hours on end that lie between two moments, by connect rate; nothing when there is no such window with a
    /// call in it. Looks at the first three million calls.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn worst_24_hours(
        &self,
        since: Wall,
        until: Wall,
        line: Option<&str>,
    ) -> Result<Option<WorstDay>, QueryError> {
        let calls: Vec<Offered> = self.db.rows(OFFERED, values![since.0, until.0, line, MOST_CALLS]).await?;
        Ok(worst(&calls, (since.0, until.0), RATE_WINDOW_MS))
    }
}

#[cfg(test)]
mod tests;
