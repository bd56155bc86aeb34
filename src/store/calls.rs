//! Questions about calls: the list, one call with its timeline, its recording.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::db::values;
use super::{QueryError, Store};
use crate::types::{CallId, Wall};

/// Every fate that a record can have, as text.
pub const FATES: [&str; 15] = [
    "answered",
    "answered_outside",
    "unanswered_outside",
    "abandoned_in_greeting",
    "abandoned_in_queue",
    "abandoned_in_ring",
    "overflowed",
    "refused",
    "failed",
    "left_wish",
    "served",
    "reached",
    "not_reached",
    "cut_by_restart",
    "cut_by_drain",
];

/// Which calls, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this line, whole.
    pub line: Option<String>,
    /// Only this fate, one of [`FATES`].
    pub fate: Option<String>,
    /// Only calls whose line had this merge mode when they came, by its name: `双号并行`.
    pub mode: Option<String>,
    /// Only calls that this seat answered.
    pub seat: Option<u32>,
    /// Only calls that this person answered.
    pub agent: Option<u32>,
    /// Only calls from or to this number, whole, in normal form.
    pub number: Option<String>,
    /// Arrived at this moment or later.
    pub since: Option<Wall>,
    /// Arrived before this moment.
    pub until: Option<Wall>,
    /// Only calls older than this one: the last of the page before.
    pub before: Option<Cursor>,
}

/// A place in the list of calls: the call at which a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Its arrival.
    pub arrived_at: Wall,
    /// Its id as in the record.
    pub id: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.arrived_at.0, self.id)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the cursor of a page")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (at, id) = text.split_once('-').ok_or(CursorError)?;
        let arrived_at = at.parse().map_err(|_| CursorError)?;
        parse_call_id(id).ok_or(CursorError)?;
        Ok(Self { arrived_at: Wall(arrived_at), id: id.to_owned() })
    }
}

/// Reads a call's id as records and logs show it: `c1234`, or the bare number.
pub fn parse_call_id(text: &str) -> Option<CallId> {
    let digits = text.strip_prefix('c').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(CallId)
}

/// One call. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct CallRecord {
    /// Its id, as logs and files show it.
    pub id: String,
    /// Name of the deployment.
    pub deployment: String,
    /// `trunk`, `seat`, or `unknown` when the first rows of the call are missing.
    pub origin: String,
    /// Name of the trunk or number of the seat.
    pub source: String,
    /// The number dialled.
    pub line: String,
    /// Merge mode of the line at the arrival, by its name; nothing where no line in a phase was dialled.
    #[schema(example = "双号并行")]
    pub mode: Option<String>,
    /// Who called, in normal form.
    pub calling_number: Option<String>,
    /// What the carrier sent.
    pub calling_raw: String,
    /// Display name.
    pub calling_display: String,
    /// Whether the caller asked for privacy: recorded, not to be shown to agents.
    pub calling_private: bool,
    /// SIP Call-ID.
    pub sip_call_id: String,
    /// When it arrived.
    pub arrived_at: i64,
    /// When the greeting began.
    pub greeted_at: Option<i64>,
    /// When it first waited.
    pub queued_at: Option<i64>,
    /// When a person answered.
    pub answered_at: Option<i64>,
    /// When it ended; nothing while it lives.
    pub ended_at: Option<i64>,
    /// The last queue it waited in.
    pub queue: Option<String>,
    /// The last place outside that was tried for the caller.
    #[schema(example = "sub-center-12366")]
    pub destination: Option<String>,
    /// The first seat that answered.
    pub seat: Option<i64>,
    /// Number of the person at that seat, when one had signed in.
    pub agent: Option<i64>,
    /// One of [`FATES`]; nothing while it lives.
    pub fate: Option<String>,
    /// Why, for fates that have a reason.
    pub cause: Option<String>,
    /// File below the recording folder.
    pub recording: Option<String>,
    /// The mark of a caller list that counted for it.
    pub mark: Option<String>,
    /// The earlier call that it belongs to.
    pub linked: Option<String>,
    /// The code that the agent noted.
    pub result: Option<String>,
    /// Whether it counts as offered to a person: see [`crate::store::counters`].
    pub offered: bool,
    /// When it was marked as a test of the plan, which no other counter counts; nothing for a citizen's call.
    pub test_at: Option<i64>,
    /// Login of whoever placed it.
    pub test_by: Option<String>,
    /// Since when it is under legal hold and not deleted; nothing when it is not.
    pub hold_at: Option<i64>,
    /// Who asked for the hold.
    pub hold_by: Option<String>,
    /// Why.
    pub hold_why: Option<String>,
}

impl CallRecord {
    /// The place of this call in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor { arrived_at: Wall(self.arrived_at), id: self.id.clone() }
    }
}

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Step {
    /// When, milliseconds since 1970, UTC.
    pub at: i64,
    /// What: the name of the ledger's event.
    pub kind: String,
    /// The event with its particulars, as the ledger has it.
    pub body: serde_json::Value,
}

/// One recording of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct RecordingRecord {
    /// File below the recording folder.
    pub file: String,
    /// When it began.
    pub started_at: i64,
    /// When it ended, with its call; nothing while it is written.
    pub ended_at: Option<i64>,
    /// `saved` or `failed`; nothing until the file has been looked at.
    pub state: Option<String>,
    /// Size of the file.
    pub size_bytes: Option<i64>,
    /// Milliseconds from its beginning to the call's end.
    pub length_ms: Option<i64>,
    /// Why it could not go on.
    pub failed: Option<String>,
}

/// The part that one leg has in a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Segment {
    /// The leg.
    pub leg: String,
    /// `caller`, `seat` or `called`.
    pub party: String,
    /// Name of the trunk, for legs that use one.
    pub trunk: Option<String>,
    /// Number of the seat.
    pub seat: Option<i64>,
    /// Number of the person at the seat.
    pub agent: Option<i64>,
    /// Telephone number of a citizen.
    pub number: Option<String>,
    /// When it began.
    pub began_at: i64,
    /// When it was answered: by the exchange for a caller, by the person for a seat.
    pub answered_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Why, one of the words of [`crate::types::Cause`].
    pub cause: Option<String>,
    /// SIP status, if one ended it.
    pub status: Option<i64>,
    /// The codec that it spoke at its end: `pcma`, `pcmu` or `g722`.
    pub codec: Option<String>,
    /// RTP packets received; this and the following as in [`crate::types::StreamReport`], nothing without a report.
    pub received: Option<i64>,
    /// RTP packets sent.
    pub sent: Option<i64>,
    /// Packets missing.
    pub lost: Option<i64>,
    /// Packets that came too late.
    pub late: Option<i64>,
    /// Jitter, microseconds.
    pub jitter_us: Option<i64>,
    /// Loss that the far end reported, percent times 100.
    pub remote_loss: Option<i64>,
    /// Round trip, microseconds.
    pub round_trip_us: Option<i64>,
    /// Estimated listening quality, MOS times 100.
    pub mos_x100: Option<i64>,
}

/// One stay of a call in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Wait {
    /// Number of the ledger row that began it.
    pub seq: i64,
    /// The queue.
    pub queue: String,
    /// When it began.
    pub since: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// How: `answered`, `moved` to another queue, or what became of the call.
    pub outcome: Option<String>,
}

/// One decision of a queue: whom it rang, why, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Offer {
    /// Its fencing number.
    pub offer: String,
    /// The leg to the seat.
    pub leg: String,
    /// The queue in which the call waited.
    pub queue: Option<String>,
    /// The seat.
    pub seat: i64,
    /// The person at the seat.
    pub agent: Option<i64>,
    /// When.
    pub offered_at: i64,
    /// When the telephone rang.
    pub ringing_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// `answered`, or why not: one of the words of [`crate::types::Cause`].
    pub outcome: Option<String>,
    /// How long the caller had been there, milliseconds since the arrival.
    pub waited_ms: i64,
    /// Why this seat: JSON, as the ledger has it.
    pub decision: Option<String>,
}

/// A call with all its steps in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timeline {
    /// The call.
    pub call: CallRecord,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Its recordings.
    pub recordings: Vec<RecordingRecord>,
    /// The parts of its legs, in the order of their beginnings.
    pub segments: Vec<Segment>,
    /// Its stays in queues, in order.
    pub waits: Vec<Wait>,
    /// What the queues decided, in order.
    pub offers: Vec<Offer>,
}

/// All columns of a record.
macro_rules! calls_where {
    ($condition:literal) => {
        concat!(
            "SELECT id, deployment, origin, source, line, mode, calling_number, calling_raw, calling_display,
                    calling_private <> 0 AS calling_private, sip_call_id, arrived_at, greeted_at, queued_at, answered_at,
                    ended_at, queue, destination, seat, agent, fate, cause, recording, mark, linked, result, offered <> 0 AS offered, test_at, test_by,
                    hold_at, hold_by, hold_why
             FROM calls WHERE ",
            $condition
        )
    };
}
pub(super) use calls_where;

/// The casts tell PostgreSQL the type of a parameter that is only compared with NULL.
const LIST: &str = calls_where!(
    "(CAST($1 AS TEXT) IS NULL OR line = $1)
     AND (CAST($2 AS TEXT) IS NULL OR fate = $2)
     AND (CAST($3 AS BIGINT) IS NULL OR seat = $3)
     AND (CAST($4 AS BIGINT) IS NULL OR agent = $4)
     AND (CAST($5 AS TEXT) IS NULL OR calling_number = $5
          OR id IN (SELECT call_id FROM segments WHERE party = 'called' AND number = $5))
     AND arrived_at >= $6 AND arrived_at < $7
     AND (arrived_at < $8 OR (arrived_at = $8 AND id < $9))
     AND (CAST($10 AS TEXT) IS NULL OR mode = $10)
     ORDER BY arrived_at DESC, id DESC
     LIMIT $11"
);

const ONE: &str = calls_where!("id = $1");

const STEPS: &str = "SELECT at, kind, body FROM call_events WHERE call_id = $1 ORDER BY seq";

const RECORDINGS: &str = "
    SELECT file, started_at, ended_at, state, size_bytes, length_ms, failed FROM recordings
    WHERE call_id = $1 ORDER BY started_at, file";

const SEGMENTS: &str = "
    SELECT leg, party, trunk, seat, agent, number, began_at, answered_at, ended_at, cause, status, codec,
           received, sent, lost, late, jitter_us, remote_loss, round_trip_us, mos_x100
    FROM segments WHERE call_id = $1 ORDER BY began_at, leg";

const WAITS: &str = "SELECT seq, queue, since, ended_at, outcome FROM waits WHERE call_id = $1 ORDER BY seq";

const OFFERS: &str = "
    SELECT offer, leg, queue, seat, agent, offered_at, ringing_at, ended_at, outcome, waited_ms, decision
    FROM offers WHERE call_id = $1 ORDER BY offered_at, offer";

impl Store {
    /// Calls that match, newest first, at most `limit`. A page that is shorter than `limit` is the last.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn calls(&self, filter: &Filter, limit: u32) -> Result<Vec<CallRecord>, QueryError> {
        let (before_at, before_id) = match &filter.before {
            Some(cursor) => (cursor.arrived_at.0, cursor.id.as_str()),
            None => (i64::MAX, ""),
        };
        let values = values![
            &filter.line,
            &filter.fate,
            filter.seat,
            filter.agent,
            &filter.number,
            filter.since.map_or(i64::MIN, |w| w.0),
            filter.until.map_or(i64::MAX, |w| w.0),
            before_at,
            before_id,
            &filter.mode,
            limit,
        ];
        Ok(self.db.rows(LIST, values).await?)
    }

    /// One call with its timeline; nothing when there is no record of it.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn call(&self, call: CallId) -> Result<Option<Timeline>, QueryError> {
        let id = call.to_string();
        let Some(call) = self.db.row(ONE, values![&id]).await? else { return Ok(None) };
        let steps: Vec<(i64, String, String)> = self.db.rows(STEPS, values![&id]).await?;
        let recordings = self.db.rows(RECORDINGS, values![&id]).await?;
        let segments = self.db.rows(SEGMENTS, values![&id]).await?;
        let waits = self.db.rows(WAITS, values![&id]).await?;
        let offers = self.db.rows(OFFERS, values![&id]).await?;
        let step = |(at, kind, body): (i64, String, String)| {
            let body = serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body));
            Step { at, kind, body }
        };
        let steps = steps.into_iter().map(step).collect();
        Ok(Some(Timeline { call, steps, recordings, segments, waits, offers }))
    }

    /// The recordings of a call, oldest first.
    ///
    /// # Errors
    /// [`QueryError`] when the database does not answer.
    pub async fn recordings(&self, call: CallId) -> Result<Vec<RecordingRecord>, QueryError> {
        Ok(self.db.rows(RECORDINGS, values![&call.to_string()]).await?)
    }
}
