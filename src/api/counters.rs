//! `/api/v1/counters` and `/rates`: what became of every INVITE, the counters of a day, and how well callers were served.
//!
//! The counters of a day and the rates come from the database, which follows the ledger within a second.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::core::Counters;
use super::error::{ApiError, ErrorBody};
use super::extract::{Params, plain};
use super::rights::{May, SeeCounters};
use super::{Shared, clock};
use crate::store::counters::{Counter, RATE_WINDOW_MS, Scope, ServiceLevel, day_and_hour};
use crate::types::Wall;

/// Longest span of rates: what is looked at call by call is bounded.
const LONGEST_MS: i64 = 31 * 24 * 3600 * 1000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(rates))
}

/// By what the counters of a day are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    /// By hour of the day, all calls.
    #[default]
    Hour,
    /// By line dialled.
    Line,
    /// By queue.
    Queue,
    /// By trunk.
    Trunk,
    /// By seat.
    Seat,
    /// By agent number.
    Agent,
}

impl By {
    fn scope(self) -> Scope {
        match self {
            Self::Hour => Scope::All,
            Self::Line => Scope::Line,
            Self::Queue => Scope::Queue,
            Self::Trunk => Scope::Trunk,
            Self::Seat => Scope::Seat,
            Self::Agent => Scope::Agent,
        }
    }

    /// Whether calls are counted, of which the rates are made; elsewhere stays and offers are.
    fn counts_calls(self) -> bool {
        matches!(self, Self::Hour | Self::Line | Self::Trunk)
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Question {
    /// A day in China; today's with `by` alone.
    #[param(example = "2026-11-23")]
    day: Option<String>,
    /// By what they are told apart; by hour with `day` alone.
    #[param(inline)]
    by: Option<By>,
}

/// Counters since the start: `received` = `admitted` + `refused_total`; and of a day, when one was asked for.
#[derive(Serialize, ToSchema)]
struct Totals {
    /// The counters.
    #[serde(flatten)]
    counters: Counters,
    /// Sum of the refused.
    refused_total: u64,
    /// The counters of the day.
    day: Option<Day>,
}

/// The counters of a day.
#[derive(Serialize, ToSchema)]
struct Day {
    /// The day in China.
    #[schema(example = "2026-11-23")]
    day: String,
    /// By what they are told apart.
    by: By,
    /// In the order of their names.
    rows: Vec<DayRow>,
}

/// What was counted of one line, queue, trunk, seat, agent or hour.
#[derive(Serialize, ToSchema)]
struct DayRow {
    /// The number or name; the hour as `00` to `23`.
    #[schema(example = "12345")]
    name: String,
    /// Measures: `offered`, `answered`, `within_15s`, `abandoned_in_queue` and so on; `talk_ms` and `waited_ms` are sums of
    /// milliseconds. What is not there is 0.
    #[schema(example = json!({"arrived": 21, "offered": 20, "answered": 19, "within_15s": 17, "abandoned_in_queue": 1}))]
    counts: BTreeMap<String, i64>,
    /// Connect rate in percent, by hour, line and trunk: answered of those offered.
    #[schema(example = 95.0)]
    connect_rate: Option<f64>,
    /// 15-second rate in percent, by hour, line and trunk: answered within 15 seconds of those offered.
    #[schema(example = 85.0)]
    within_15s_rate: Option<f64>,
}

impl DayRow {
    fn of(name: String, counts: BTreeMap<String, i64>, by: By) -> Self {
        let count = |what: &str| counts.get(what).copied().unwrap_or_default();
        let level =
            ServiceLevel { offered: count("offered"), answered: count("answered"), within_15s: count("within_15s") };
        let level = by.counts_calls().then_some(level);
        Self {
            name,
            connect_rate: level.and_then(|level| level.connect_rate()),
            within_15s_rate: level.and_then(|level| level.within_15s_rate()),
            counts,
        }
    }
}

/// What became of every INVITE since the start; with `day` or `by` also what was counted on a day.
#[utoipa::path(get, path = "/counters", tag = "counters", params(Question),
    responses((status = 200, body = Totals), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn list(
    State(shared): State<Shared>,
    _: May<SeeCounters>,
    Params(question): Params<Question>,
) -> Result<Json<Totals>, ApiError> {
    let day = match (question.day, question.by) {
        (None, None) => None,
        (day, by) => Some(counted(&shared, day, by.unwrap_or_default()).await?),
    };
    let counters = shared.core.counters().await?;
    let refused_total = counters.refused.iter().map(|r| r.count).sum();
    Ok(Json(Totals { counters, refused_total, day }))
}

async fn counted(shared: &Shared, day: Option<String>, by: By) -> Result<Day, ApiError> {
    let day = match day {
        None => day_and_hour(clock::wall_ms()).0,
        Some(day) => {
            day.parse::<Date>().map_err(|_| ApiError::BadRequest("day: write it as 2026-11-23".to_owned()))?.to_string()
        }
    };
    let mut rows: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for Counter { hour, name, what, n, .. } in shared.store.counters((&day, &day), Some(by.scope()), None).await? {
        let name = if by == By::Hour { format!("{hour:02}") } else { name };
        *rows.entry(name).or_default().entry(what).or_default() += n;
    }
    Ok(Day { day, by, rows: rows.into_iter().map(|(name, counts)| DayRow::of(name, counts, by)).collect() })
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Span {
    /// Calls that arrived at this moment or later, milliseconds since 1970; a day before `until`.
    since: Option<i64>,
    /// Calls that arrived before this moment; now.
    until: Option<i64>,
    /// Only this line.
    #[param(example = "12345")]
    line: Option<String>,
}

/// How callers were served whose calls arrived in a span of time.
#[derive(Serialize, ToSchema)]
struct Rates {
    /// From when, milliseconds since 1970.
    since: i64,
    /// To when.
    until: i64,
    /// In all of it.
    #[serde(flatten)]
    level: Rate,
    /// The 24 hours on end with the lowest connect rate; nothing when the span is shorter or has no call.
    worst_24_hours: Option<Worst>,
}

/// How callers were served.
#[derive(Serialize, ToSchema)]
struct Rate {
    /// Calls for a person.
    #[schema(example = 2000)]
    offered: i64,
    /// Those that a person answered.
    #[schema(example = 1930)]
    answered: i64,
    /// Those answered within 15 seconds of their arrival.
    #[schema(example = 1810)]
    within_15s: i64,
    /// Connect rate in percent: answered of those offered.
    #[schema(example = 96.5)]
    connect_rate: Option<f64>,
    /// 15-second rate in percent: answered within 15 seconds of those offered.
    #[schema(example = 90.5)]
    within_15s_rate: Option<f64>,
}

impl Rate {
    fn of(level: ServiceLevel) -> Self {
        Self {
            offered: level.offered,
            answered: level.answered,
            within_15s: level.within_15s,
            connect_rate: level.connect_rate(),
            within_15s_rate: level.within_15s_rate(),
        }
    }
}

/// The worst 24 hours.
#[derive(Serialize, ToSchema)]
struct Worst {
    /// When they begin, milliseconds since 1970.
    since: i64,
    /// How callers were served in them.
    #[serde(flatten)]
    level: Rate,
}

/// Connect rate and 15-second rate (GB/T 33358-2016) over any span up to 31 days, and its worst 24 hours.
#[utoipa::path(get, path = "/rates", tag = "counters", params(Span),
    responses((status = 200, body = Rates), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
async fn rates(
    State(shared): State<Shared>,
    _: May<SeeCounters>,
    Params(span): Params<Span>,
) -> Result<Json<Rates>, ApiError> {
    let until = span.until.unwrap_or_else(clock::wall_ms);
    let since = span.since.unwrap_or(until.saturating_sub(RATE_WINDOW_MS));
    if since >= until || until.saturating_sub(since) > LONGEST_MS {
        return Err(ApiError::BadRequest("since: before until, and within 31 days of it".to_owned()));
    }
    let line = span.line.as_deref();
    if let Some(line) = line {
        plain("line", line, 32)?;
    }
    let (from, to) = (Wall(since), Wall(until));
    let level = shared.store.service_level(from, to, line).await?;
    let worst = shared.store.worst_24_hours(from, to, line).await?;
    let worst_24_hours = worst.map(|worst| Worst { since: worst.since, level: Rate::of(worst.level) });
    Ok(Json(Rates { since, until, level: Rate::of(level), worst_24_hours }))
}
