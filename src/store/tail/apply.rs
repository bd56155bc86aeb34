//! One ledger row as statements. Each may be repeated without harm.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::read::Position;
use crate::store::ledger::Entry;
use crate::types::{CallEvent, Calling, Cause, Fate, Origin, PhoneNumber};

const POSITION: &str = "SELECT segment, at_byte, epoch_s FROM ledger_position WHERE node = $1";

const SAVE_POSITION: &str = "
    INSERT INTO ledger_position (node, segment, at_byte, epoch_s) VALUES ($1, $2, $3, $4)
    ON CONFLICT (node) DO UPDATE SET
        segment = excluded.segment, at_byte = excluded.at_byte, epoch_s = excluded.epoch_s";

const EVENTS: &str = "INSERT INTO call_events (call_id, seq, at, kind, body) ";
const EVENTS_TWICE: &str = " ON CONFLICT (call_id, seq) DO NOTHING";
/// Events in one statement. A statement of its own for each would cost more than all the rest of the copying.
const EVENTS_AT_ONCE: usize = 64;

const CALL: &str = "
    INSERT INTO calls (id, deployment, origin, source, line, calling_number, calling_raw,
                       calling_display, calling_private, sip_call_id, arrived_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (id) DO NOTHING";

const RECORDING: &str = "
    INSERT INTO recordings (file, call_id, started_at) VALUES ($1, $2, $3)
    ON CONFLICT (file) DO NOTHING";

// The first of each counts, so that a repeated or a late row changes nothing.
const GREETED: &str = "UPDATE calls SET greeted_at = COALESCE(greeted_at, $2) WHERE id = $1";
const QUEUED: &str = "UPDATE calls SET queued_at = COALESCE(queued_at, $2), queue = $3 WHERE id = $1";
const TALKING: &str =
    "UPDATE calls SET answered_at = COALESCE(answered_at, $2), seat = COALESCE(seat, $3) WHERE id = $1";
const RECORDED: &str = "UPDATE calls SET recording = COALESCE(recording, $2) WHERE id = $1";
const RECORDING_FAILED: &str = "UPDATE recordings SET failed = COALESCE(failed, $2) WHERE call_id = $1";
const ENDED: &str = "UPDATE calls SET ended_at = $2, fate = $3, cause = $4 WHERE id = $1 AND ended_at IS NULL";

/// The place up to which a node's ledger is in the database.
pub(super) async fn position(pool: &SqlitePool, node: u8) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64, i64)> = sqlx::query_as(POSITION).bind(i64::from(node)).fetch_optional(pool).await?;
    Ok(row.map(|(segment, at_byte, epoch_s)| Position {
        segment: u64::try_from(segment).unwrap_or_default(),
        at_byte: u64::try_from(at_byte).unwrap_or_default(),
        epoch_s: u32::try_from(epoch_s).unwrap_or_default(),
    }))
}

/// Moves the place.
pub(super) async fn save_position(db: &mut SqliteConnection, node: u8, at: Position) -> Result<(), sqlx::Error> {
    sqlx::query(SAVE_POSITION)
        .bind(i64::from(node))
        .bind(signed(at.segment))
        .bind(signed(at.at_byte))
        .bind(i64::from(at.epoch_s))
        .execute(db)
        .await?;
    Ok(())
}

/// Copies rows into the list of events, as they are.
pub(super) async fn events(db: &mut SqliteConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    for some in entries.chunks(EVENTS_AT_ONCE) {
        let mut query = QueryBuilder::<Sqlite>::new(EVENTS);
        query.push_values(some, |mut values, entry| {
            let body = serde_json::to_string(&entry.row.event).expect("an event has no map with odd keys");
            values
                .push_bind(entry.row.call.to_string())
                .push_bind(signed(entry.seq))
                .push_bind(entry.row.at.0)
                .push_bind(kind(&entry.row.event))
                .push_bind(body);
        });
        query.push(EVENTS_TWICE).build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Brings the records up to date with one row.
pub(super) async fn entry(db: &mut SqliteConnection, deployment: &str, entry: &Entry) -> Result<(), sqlx::Error> {
    let row = &entry.row;
    let id = row.call.to_string();
    let at = row.at.0;
    let query = match &row.event {
        CallEvent::Arrived { origin, from, called, calling, call_id, .. } => {
            let arrival = Arrival { origin: origin_text(*origin), from, line: called.as_str(), calling, call_id };
            return arrived(db, &id, deployment, at, arrival).await;
        }
        CallEvent::Recording { file } => {
            sqlx::query(RECORDING).bind(file).bind(&id).bind(at).execute(&mut *db).await?;
            sqlx::query(RECORDED).bind(&id).bind(file)
        }
        CallEvent::RecordingFailed { why } => sqlx::query(RECORDING_FAILED).bind(&id).bind(why),
        CallEvent::Greeted { .. } => sqlx::query(GREETED).bind(&id).bind(at),
        CallEvent::Queued { queue, .. } => sqlx::query(QUEUED).bind(&id).bind(at).bind(queue),
        CallEvent::Talking { seat, .. } => sqlx::query(TALKING).bind(&id).bind(at).bind(i64::from(seat.0)),
        CallEvent::Ended { fate } => {
            if ended(db, &id, at, fate).await? {
                return Ok(());
            }
            // It has ended already, or its first rows are gone (a removed or damaged segment): then it still gets a record
            // of its end.
            let nobody = Calling::default();
            let unknown = Arrival { origin: "unknown", from: "", line: "", calling: &nobody, call_id: "" };
            arrived(db, &id, deployment, at, unknown).await?;
            return ended(db, &id, at, fate).await.map(|_| ());
        }
        CallEvent::AnsweredByExchange
        | CallEvent::Marked { .. }
        | CallEvent::Widened { .. }
        | CallEvent::Announced { .. }
        | CallEvent::Overflowed { .. }
        | CallEvent::Wish { .. }
        | CallEvent::Dialled { .. }
        | CallEvent::Result { .. }
        | CallEvent::Healed { .. }
        | CallEvent::Offered { .. }
        | CallEvent::Ringing { .. }
        | CallEvent::OfferEnded { .. }
        | CallEvent::Held { .. }
        | CallEvent::Digit { .. }
        | CallEvent::LegEnded { .. }
        | CallEvent::Quality { .. } => return Ok(()),
    };
    query.execute(db).await?;
    Ok(())
}

/// Notes the end of a call; whether there was one that had not ended.
async fn ended(db: &mut SqliteConnection, id: &str, at: i64, fate: &Fate) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(ENDED).bind(id).bind(at).bind(fate.as_str()).bind(fate_cause(fate).map(cause_text));
    Ok(query.execute(db).await?.rows_affected() > 0)
}

/// What the arrival row tells.
struct Arrival<'a> {
    origin: &'static str,
    from: &'a str,
    line: &'a str,
    calling: &'a Calling,
    call_id: &'a str,
}

async fn arrived(
    db: &mut SqliteConnection,
    id: &str,
    deployment: &str,
    at: i64,
    arrival: Arrival<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(CALL)
        .bind(id)
        .bind(deployment)
        .bind(arrival.origin)
        .bind(arrival.from)
        .bind(arrival.line)
        .bind(arrival.calling.number.as_ref().map(PhoneNumber::as_str))
        .bind(&arrival.calling.raw)
        .bind(&arrival.calling.display)
        .bind(i64::from(arrival.calling.private))
        .bind(arrival.call_id)
        .bind(at)
        .execute(db)
        .await?;
    Ok(())
}

/// SQL has no unsigned numbers; ours stay below 2^63 by far (row numbers begin with 32 bits of seconds, 24 of count).
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Trunk(_) => "trunk",
        Origin::Seat(_) => "seat",
    }
}

/// The name of an event, the same as the tag in its JSON.
pub(super) fn kind(event: &CallEvent) -> &'static str {
    match event {
        CallEvent::Arrived { .. } => "arrived",
        CallEvent::Greeted { .. } => "greeted",
        CallEvent::AnsweredByExchange => "answered_by_exchange",
        CallEvent::Marked { .. } => "marked",
        CallEvent::Queued { .. } => "queued",
        CallEvent::Widened { .. } => "widened",
        CallEvent::Announced { .. } => "announced",
        CallEvent::Overflowed { .. } => "overflowed",
        CallEvent::Wish { .. } => "wish",
        CallEvent::Dialled { .. } => "dialled",
        CallEvent::Result { .. } => "result",
        CallEvent::Healed { .. } => "healed",
        CallEvent::Offered { .. } => "offered",
        CallEvent::Ringing { .. } => "ringing",
        CallEvent::OfferEnded { .. } => "offer_ended",
        CallEvent::Talking { .. } => "talking",
        CallEvent::Held { .. } => "held",
        CallEvent::Digit { .. } => "digit",
        CallEvent::Recording { .. } => "recording",
        CallEvent::RecordingFailed { .. } => "recording_failed",
        CallEvent::LegEnded { .. } => "leg_ended",
        CallEvent::Quality { .. } => "quality",
        CallEvent::Ended { .. } => "ended",
    }
}

fn fate_cause(fate: &Fate) -> Option<Cause> {
    match fate {
        Fate::Refused { cause } | Fate::Failed { cause } | Fate::NotReached { cause } => Some(*cause),
        Fate::Answered { .. }
        | Fate::AbandonedInGreeting
        | Fate::AbandonedInQueue
        | Fate::AbandonedInRing
        | Fate::Overflowed
        | Fate::LeftWish
        | Fate::Served
        | Fate::Reached { .. }
        | Fate::CutByRestart => None,
    }
}

/// A cause as text, the same as in its JSON.
fn cause_text(cause: Cause) -> String {
    match serde_json::to_value(cause) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => unreachable!("a cause is written as its name"),
    }
}
