//! Ledger rows into tables: a batch loads the books of its calls, enters each row once, and writes them back.
//!
//! A row counts when its insertion into `call_events` is new; whatever comes twice is passed over there, so nothing below has
//! to bear repetition.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;

use super::book::{Book, signed};
use super::read::{Batch, Position};
use crate::store::calls::{CallRecord, Offer, RecordingRecord, Segment, Wait, calls_where};
use crate::store::counters::Deltas;
use crate::store::db::{Db, Record, Tx, Value, values};
use crate::store::ledger::Entry;
use crate::store::wishes::Wish;
use crate::types::CallEvent;

const POSITION: &str = "SELECT segment, at_byte, epoch_s FROM ledger_position WHERE node = $1";

const SAVE_POSITION: &str = "
    INSERT INTO ledger_position (node, segment, at_byte, epoch_s) VALUES ($1, $2, $3, $4)
    ON CONFLICT (node) DO UPDATE SET
        segment = excluded.segment, at_byte = excluded.at_byte, epoch_s = excluded.epoch_s";

const EVENTS: &str = "INSERT INTO call_events (call_id, seq, at, kind, body)";
const EVENTS_IF_NEW: &str = "ON CONFLICT (call_id, seq) DO NOTHING";
const EVENTS_NEW: &str = "ON CONFLICT (call_id, seq) DO NOTHING RETURNING call_id, seq";

/// Calls whose books are asked for at a time.
const CALLS_AT_ONCE: usize = 16;

/// A part of a book as it comes from the database: the call that it belongs to, and itself.
#[derive(sqlx::FromRow)]
struct Of<T> {
    call_id: String,
    #[sqlx(flatten)]
    part: T,
}

/// The place up to which a node's ledger is in the database.
pub(super) async fn position(db: &Db, node: u8) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64, i64)> = db.row(POSITION, values![u32::from(node)]).await?;
    Ok(row.map(|(segment, at_byte, epoch_s)| Position {
        segment: u64::try_from(segment).unwrap_or_default(),
        at_byte: u64::try_from(at_byte).unwrap_or_default(),
        epoch_s: u32::try_from(epoch_s).unwrap_or_default(),
    }))
}

/// Writes a batch and the place behind it.
pub(super) async fn batch(tx: &mut Tx, node: u8, batch: &Batch) -> Result<(), sqlx::Error> {
    let new = events(tx, &batch.entries).await?;
    if !new.is_empty() {
        let mut books = books(tx, &new, &batch.deployment).await?;
        let mut deltas = Deltas::default();
        for entry in new {
            let book = books.get_mut(&entry.row.call.to_string()).expect("each call of the batch has a book");
            book.enter(entry, &mut deltas);
        }
        save(tx, &books).await?;
        deltas.save(tx).await?;
    }
    let at = batch.next;
    let values = values![u32::from(node), signed(at.segment), signed(at.at_byte), at.epoch_s];
    tx.execute(SAVE_POSITION, values).await.map(|_| ())
}

/// Copies rows into the list of events, as they are; gives those that were not there yet.
async fn events<'e>(tx: &mut Tx, entries: &'e [Entry]) -> Result<Vec<&'e Entry>, sqlx::Error> {
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
            let kind = entry.row.event.as_str();
            [call.into(), signed(entry.seq).into(), entry.row.at.0.into(), kind.into(), body.into()]
        })
        .collect();
    tx.say("SAVEPOINT events").await?;
    if tx.insert(EVENTS, EVENTS_IF_NEW, 5, &values).await? == entries.len() as u64 {
        return Ok(entries.iter().collect());
    }
    // A ledger that is copied again. To be told of each row is dear, so it is asked only then.
    tx.say("ROLLBACK TO events").await?;
    let new: Vec<(String, i64)> = tx.insert_returning(EVENTS, EVENTS_NEW, 5, &values).await?;
    let new: BTreeSet<(String, i64)> = new.into_iter().collect();
    let is_new = |call: &str, entry: &Entry| new.contains(&(call.to_owned(), signed(entry.seq)));
    Ok(entries.iter().zip(&texts).filter(|(entry, (call, _))| is_new(call, entry)).map(|(entry, _)| entry).collect())
}

/// The books of all calls of which there are new rows.
async fn books(tx: &mut Tx, new: &[&Entry], deployment: &str) -> Result<BTreeMap<String, Book>, sqlx::Error> {
    let mut books = BTreeMap::new();
    let mut known = BTreeSet::new();
    for entry in new {
        let id = entry.row.call.to_string();
        // A call that arrives here is in no table yet, unless its later rows came before by a loss of earlier ones.
        if !matches!(entry.row.event, CallEvent::Arrived { .. }) && !books.contains_key(&id) {
            known.insert(id.clone());
        }
        books.entry(id).or_insert_with(|| Book::unknown(entry.row.call, deployment, entry.row.at.0));
    }
    let known: Vec<String> = known.into_iter().collect();
    for ids in known.chunks(CALLS_AT_ONCE) {
        load(tx, ids, &mut books).await?;
    }
    Ok(books)
}

async fn load(tx: &mut Tx, ids: &[String], books: &mut BTreeMap<String, Book>) -> Result<(), sqlx::Error> {
    let calls: Vec<CallRecord> = rows_of(tx, calls_where!("id IN "), "", ids).await?;
    for call in calls {
        if let Some(book) = books.get_mut(&call.id) {
            book.call = call;
        }
    }
    let sql = "SELECT * FROM segments WHERE call_id IN ";
    let segments: Vec<Of<Segment>> = rows_of(tx, sql, "ORDER BY call_id, began_at, leg", ids).await?;
    deal(books, segments, |book| &mut book.segments);
    let sql = "SELECT * FROM waits WHERE call_id IN ";
    let waits: Vec<Of<Wait>> = rows_of(tx, sql, "ORDER BY call_id, seq", ids).await?;
    deal(books, waits, |book| &mut book.waits);
    let sql = "SELECT * FROM offers WHERE call_id IN ";
    let offers: Vec<Of<Offer>> = rows_of(tx, sql, "ORDER BY call_id, offered_at, offer", ids).await?;
    deal(books, offers, |book| &mut book.offers);
    let sql = "SELECT * FROM recordings WHERE call_id IN ";
    let recordings: Vec<Of<RecordingRecord>> = rows_of(tx, sql, "ORDER BY call_id, started_at, file", ids).await?;
    deal(books, recordings, |book| &mut book.recordings);
    Ok(())
}

/// Rows of some calls, at most [`CALLS_AT_ONCE`]; the last is asked for again to fill the list, so that the SQL is the same.
async fn rows_of<T: Record>(tx: &mut Tx, sql: &str, order: &str, ids: &[String]) -> Result<Vec<T>, sqlx::Error> {
    let marks: Vec<String> = (1..=CALLS_AT_ONCE).map(|n| format!("${n}")).collect();
    let last = ids.last().map(String::as_str);
    let values: Vec<Value<'_>> = ids
        .iter()
        .map(|id| Some(id.as_str()))
        .chain(std::iter::repeat(last))
        .take(CALLS_AT_ONCE)
        .map(Value::Text)
        .collect();
    tx.rows(AssertSqlSafe(format!("{sql}({}) {order}", marks.join(", "))), &values).await
}

fn deal<T>(books: &mut BTreeMap<String, Book>, parts: Vec<Of<T>>, place: impl Fn(&mut Book) -> &mut Vec<T>) {
    for of in parts {
        if let Some(book) = books.get_mut(&of.call_id) {
            place(book).push(of.part);
        }
    }
}

/// Columns of a table, in order, and what an insertion does to a row that is there: all but its key is new.
struct Table {
    head: &'static str,
    tail: &'static str,
    width: usize,
}

/// `table!("waits", (call_id, seq), (queue, since))`: name, key and other columns.
macro_rules! table {
    ($name:literal, ($key:ident $(, $keys:ident)*), ($column:ident $(, $columns:ident)*)) => {
        Table {
            head: concat!(
                "INSERT INTO ", $name, " (", stringify!($key), $(", ", stringify!($keys),)*
                ", ", stringify!($column), $(", ", stringify!($columns),)* ")"
            ),
            tail: concat!(
                "ON CONFLICT (", stringify!($key), $(", ", stringify!($keys),)* ") DO UPDATE SET ",
                stringify!($column), " = excluded.", stringify!($column),
                $(", ", stringify!($columns), " = excluded.", stringify!($columns),)*
            ),
            width: [stringify!($key), $(stringify!($keys),)* stringify!($column), $(stringify!($columns),)*].len(),
        }
    };
}

const CALLS: Table = table!(
    "calls",
    (id),
    (
        deployment,
        origin,
        source,
        line,
        mode,
        calling_number,
        calling_raw,
        calling_display,
        calling_private,
        sip_call_id,
        arrived_at,
        greeted_at,
        queued_at,
        answered_at,
        ended_at,
        queue,
        destination,
        seat,
        agent,
        fate,
        cause,
        recording,
        mark,
        linked,
        result,
        offered
    )
);
const SEGMENTS: Table = table!(
    "segments",
    (call_id, leg),
    (
        party,
        trunk,
        seat,
        agent,
        number,
        began_at,
        answered_at,
        ended_at,
        cause,
        status,
        codec,
        received,
        sent,
        lost,
        late,
        jitter_us,
        remote_loss,
        round_trip_us,
        mos_x100
    )
);
const WAITS: Table = table!("waits", (call_id, seq), (queue, since, ended_at, outcome));
const OFFERS: Table = table!(
    "offers",
    (call_id, offer),
    (leg, queue, seat, agent, offered_at, ringing_at, ended_at, outcome, waited_ms, decision)
);
const RECORDINGS: Table =
    table!("recordings", (file), (call_id, started_at, ended_at, state, size_bytes, length_ms, failed));

const WISHES: Table = table!("wishes", (call_id, seq), (at, kind, line, number, file));

async fn save(tx: &mut Tx, books: &BTreeMap<String, Book>) -> Result<(), sqlx::Error> {
    let calls: Vec<Value<'_>> = books.values().flat_map(|book| call_values(&book.call)).collect();
    CALLS.save(tx, &calls).await?;
    let mut segments: Vec<Value<'_>> = Vec::new();
    let mut waits: Vec<Value<'_>> = Vec::new();
    let mut offers: Vec<Value<'_>> = Vec::new();
    // Only those of this batch: what became of earlier ones is not the ledger's to say.
    let mut wishes: Vec<Value<'_>> = Vec::new();
    // A file stands once in the table, whatever the ledger says: two calls on one file must not stop all that follow.
    let mut recordings: BTreeMap<&str, [Value<'_>; 8]> = BTreeMap::new();
    for (id, book) in books {
        segments.extend(book.segments.iter().flat_map(|segment| segment_values(id, segment)));
        waits.extend(book.waits.iter().flat_map(|wait| wait_values(id, wait)));
        offers.extend(book.offers.iter().flat_map(|offer| offer_values(id, offer)));
        wishes.extend(book.wishes.iter().flat_map(wish_values));
        recordings.extend(book.recordings.iter().map(|r| (r.file.as_str(), recording_values(id, r))));
    }
    SEGMENTS.save(tx, &segments).await?;
    WAITS.save(tx, &waits).await?;
    OFFERS.save(tx, &offers).await?;
    WISHES.save(tx, &wishes).await?;
    RECORDINGS.save(tx, &recordings.into_values().flatten().collect::<Vec<_>>()).await
}

impl Table {
    async fn save(&self, tx: &mut Tx, values: &[Value<'_>]) -> Result<(), sqlx::Error> {
        tx.insert(self.head, self.tail, self.width, values).await.map(|_| ())
    }
}

fn call_values(call: &CallRecord) -> [Value<'_>; 27] {
    [
        (&call.id).into(),
        (&call.deployment).into(),
        (&call.origin).into(),
        (&call.source).into(),
        (&call.line).into(),
        (&call.mode).into(),
        (&call.calling_number).into(),
        (&call.calling_raw).into(),
        (&call.calling_display).into(),
        call.calling_private.into(),
        (&call.sip_call_id).into(),
        call.arrived_at.into(),
        call.greeted_at.into(),
        call.queued_at.into(),
        call.answered_at.into(),
        call.ended_at.into(),
        (&call.queue).into(),
        (&call.destination).into(),
        call.seat.into(),
        call.agent.into(),
        (&call.fate).into(),
        (&call.cause).into(),
        (&call.recording).into(),
        (&call.mark).into(),
        (&call.linked).into(),
        (&call.result).into(),
        call.offered.into(),
    ]
}

fn segment_values<'a>(call: &'a str, segment: &'a Segment) -> [Value<'a>; 21] {
    [
        call.into(),
        (&segment.leg).into(),
        (&segment.party).into(),
        (&segment.trunk).into(),
        segment.seat.into(),
        segment.agent.into(),
        (&segment.number).into(),
        segment.began_at.into(),
        segment.answered_at.into(),
        segment.ended_at.into(),
        (&segment.cause).into(),
        segment.status.into(),
        (&segment.codec).into(),
        segment.received.into(),
        segment.sent.into(),
        segment.lost.into(),
        segment.late.into(),
        segment.jitter_us.into(),
        segment.remote_loss.into(),
        segment.round_trip_us.into(),
        segment.mos_x100.into(),
    ]
}

fn wait_values<'a>(call: &'a str, wait: &'a Wait) -> [Value<'a>; 6] {
    [
        call.into(),
        wait.seq.into(),
        (&wait.queue).into(),
        wait.since.into(),
        wait.ended_at.into(),
        (&wait.outcome).into(),
    ]
}

fn offer_values<'a>(call: &'a str, offer: &'a Offer) -> [Value<'a>; 12] {
    [
        call.into(),
        (&offer.offer).into(),
        (&offer.leg).into(),
        (&offer.queue).into(),
        offer.seat.into(),
        offer.agent.into(),
        offer.offered_at.into(),
        offer.ringing_at.into(),
        offer.ended_at.into(),
        (&offer.outcome).into(),
        offer.waited_ms.into(),
        (&offer.decision).into(),
    ]
}

fn wish_values(wish: &Wish) -> [Value<'_>; 7] {
    [
        (&wish.call_id).into(),
        wish.seq.into(),
        wish.at.into(),
        (&wish.kind).into(),
        (&wish.line).into(),
        (&wish.number).into(),
        (&wish.file).into(),
    ]
}

fn recording_values<'a>(call: &'a str, recording: &'a RecordingRecord) -> [Value<'a>; 8] {
    [
        (&recording.file).into(),
        call.into(),
        recording.started_at.into(),
        recording.ended_at.into(),
        (&recording.state).into(),
        recording.size_bytes.into(),
        recording.length_ms.into(),
        (&recording.failed).into(),
    ]
}
