//! One ledger row as statements. Each may be repeated without harm.

use super::read::Position;
use crate::store::db::{Db, Tx, Value, values};
use crate::store::ledger::Entry;
use crate::types::{CallEvent, Calling, Cause, Fate, Origin, PhoneNumber};

const POSITION: &str = "SELECT segment, at_byte, epoch_s FROM ledger_position WHERE node = $1";

const SAVE_POSITION: &str = "
    INSERT INTO ledger_position (node, segment, at_byte, epoch_s) VALUES ($1, $2, $3, $4)
    ON CONFLICT (node) DO UPDATE SET
        segment = excluded.segment, at_byte = excluded.at_byte, epoch_s = excluded.epoch_s";

const EVENTS: &str = "INSERT INTO call_events (call_id, seq, at, kind, body)";
const EVENTS_TWICE: &str = "ON CONFLICT (call_id, seq) DO NOTHING";

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
pub(super) async fn position(db: &Db, node: u8) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64, i64)> = db.row(POSITION, values![u32::from(node)]).await?;
    Ok(row.map(|(segment, at_byte, epoch_s)| Position {
        segment: u64::try_from(segment).unwrap_or_default(),
        at_byte: u64::try_from(at_byte).unwrap_or_default(),
        epoch_s: u32::try_from(epoch_s).unwrap_or_default(),
    }))
}

/// Moves the place.
pub(super) async fn save_position(tx: &mut Tx, node: u8, at: Position) -> Result<(), sqlx::Error> {
    let values = values![u32::from(node), signed(at.segment), signed(at.at_byte), at.epoch_s];
    tx.execute(SAVE_POSITION, values).await.map(|_| ())
}

/// Copies rows into the list of events, as they are.
pub(super) async fn events(tx: &mut Tx, entries: &[Entry]) -> Result<(), sqlx::Error> {
    let texts: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let body = serde_json::to_string(&entry.row.event).expect("an event has no map with odd keys");
            (entry.row.call.to_string(), body)
        })
        .collect();
    let values: Vec<Value<'_>> = entries
        .iter()
        .zip(&texts)
        .flat_map(|(entry, (call, body))| {
            let kind = kind(&entry.row.event);
            [call.into(), signed(entry.seq).into(), entry.row.at.0.into(), kind.into(), body.into()]
        })
        .collect();
    tx.insert(EVENTS, EVENTS_TWICE, 5, &values).await
}

/// Brings the records up to date with one row.
pub(super) async fn entry(tx: &mut Tx, deployment: &str, entry: &Entry) -> Result<(), sqlx::Error> {
    let row = &entry.row;
    let id = row.call.to_string();
    let at = row.at.0;
    match &row.event {
        CallEvent::Arrived { origin, from, called, calling, call_id, .. } => {
            let arrival = Arrival { origin: origin_text(*origin), from, line: called.as_str(), calling, call_id };
            arrived(tx, &id, deployment, at, arrival).await?;
        }
        CallEvent::Recording { file } => {
            tx.execute(RECORDING, values![file, &id, at]).await?;
            tx.execute(RECORDED, values![&id, file]).await?;
        }
        CallEvent::RecordingFailed { why } => _ = tx.execute(RECORDING_FAILED, values![&id, why]).await?,
        CallEvent::Greeted { .. } => _ = tx.execute(GREETED, values![&id, at]).await?,
        CallEvent::Queued { queue, .. } => _ = tx.execute(QUEUED, values![&id, at, queue]).await?,
        CallEvent::Talking { seat, .. } => _ = tx.execute(TALKING, values![&id, at, seat.0]).await?,
        CallEvent::Ended { fate } => {
            if !ended(tx, &id, at, fate).await? {
                // It has ended already, or its first rows are gone (a removed or damaged segment): then it still gets a
                // record of its end.
                let nobody = Calling::default();
                let unknown = Arrival { origin: "unknown", from: "", line: "", calling: &nobody, call_id: "" };
                arrived(tx, &id, deployment, at, unknown).await?;
                ended(tx, &id, at, fate).await?;
            }
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
        | CallEvent::Quality { .. } => {}
    }
    Ok(())
}

/// Notes the end of a call; whether there was one that had not ended.
async fn ended(tx: &mut Tx, id: &str, at: i64, fate: &Fate) -> Result<bool, sqlx::Error> {
    let cause = fate_cause(fate).map(cause_text);
    Ok(tx.execute(ENDED, values![id, at, fate.as_str(), &cause]).await? > 0)
}

/// What the arrival row tells.
struct Arrival<'a> {
    origin: &'static str,
    from: &'a str,
    line: &'a str,
    calling: &'a Calling,
    call_id: &'a str,
}

async fn arrived(tx: &mut Tx, id: &str, deployment: &str, at: i64, arrival: Arrival<'_>) -> Result<(), sqlx::Error> {
    let Arrival { origin, from, line, calling, call_id } = arrival;
    let number = calling.number.as_ref().map(PhoneNumber::as_str);
    let values = values![
        id,
        deployment,
        origin,
        from,
        line,
        number,
        &calling.raw,
        &calling.display,
        calling.private,
        call_id,
        at
    ];
    tx.execute(CALL, values).await.map(|_| ())
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
