//! The books after a load: the ledger in itself, the database against the ledger row by row, the counters of the day
//! against both. What a driver or SIPp counted is compared by whoever calls.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};
use yihao::store::counters::LOST;
use yihao::store::ledger::{self, Entry};
use yihao::types::{CallEvent, CallId, Fate};

use crate::e2e::rig::server::Server;
use crate::e2e::rig::{s, until};

/// A row of the database's list of events: call, number of the ledger row, time, kind.
type Event = (String, i64, i64, String);

/// What the books hold.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Fate of each call by the Call-ID of its INVITE. One that came again after a crash has two.
    pub(super) fates: BTreeMap<String, Vec<Fate>>,
    /// Calls that a seat answered, whatever became of them then.
    pub(super) talked: u64,
    /// Calls that were recorded to their end.
    pub(super) recorded: usize,
}

impl Books {
    /// How many calls there were.
    pub(super) fn calls(&self) -> u64 {
        self.fates.values().map(|fates| fates.len() as u64).sum()
    }

    /// How many had such a fate.
    pub(super) fn with(&self, is: impl Fn(&Fate) -> bool) -> u64 {
        self.fates.values().flatten().filter(|fate| is(fate)).count() as u64
    }

    /// How many a seat answered and talked with to the end.
    pub(super) fn answered(&self) -> u64 {
        self.with(|fate| matches!(fate, Fate::Answered { .. }))
    }
}

/// Waits until each call has its fate and the database has every row of the ledger, and compares: every call has one
/// arrival and one fate, no row is missing, doubled or out of order, and the counters of the day say the same.
///
/// # Panics
/// Where they do not balance.
pub(super) fn balance(server: &Server) -> Books {
    let folder = server.site.file("var/ledger");
    let (entries, events) = until("each call's fate, and every row in the database", s(60), || {
        // Reading a hundred thousand rows again and again would keep the exchange from writing them: it says when it is done.
        if server.metric("yihao_store_behind_seconds") > 0.0 {
            return None;
        }
        let entries = ledger::read(&folder).unwrap();
        let ended = entries.iter().filter(|e| matches!(e.row.event, CallEvent::Ended { .. })).count();
        let arrived = entries.iter().filter(|e| matches!(e.row.event, CallEvent::Arrived { .. })).count();
        let events = events(server);
        // Figures of legs follow the end of a call by a moment.
        (ended == arrived && events.len() == entries.len()).then_some((entries, events))
    });
    let told: Vec<(String, i64, i64)> = entries.iter().map(told).collect();
    let copied: Vec<(String, i64, i64)> = events.into_iter().map(|(call, seq, at, _)| (call, seq, at)).collect();
    assert!(told.is_sorted_by(|a, b| a.1 < b.1), "the ledger numbers its rows in order, none twice");
    assert!(told == copied, "the database holds the rows of the ledger in their order");
    let books = books(&entries);
    assert_counters(server, &books);
    books
}

fn told(entry: &Entry) -> (String, i64, i64) {
    (entry.row.call.to_string(), i64::try_from(entry.seq).unwrap(), entry.row.at.0)
}

fn books(entries: &[Entry]) -> Books {
    let mut sip: BTreeMap<CallId, String> = BTreeMap::new();
    let (mut recorded, mut talked): (BTreeSet<CallId>, BTreeSet<CallId>) = Default::default();
    let mut books = Books::default();
    for entry in entries {
        let call = entry.row.call;
        match &entry.row.event {
            CallEvent::Arrived { call_id, .. } => {
                let before = sip.insert(call, call_id.clone());
                assert!(before.is_none(), "{call} arrives twice");
            }
            CallEvent::Ended { fate } => {
                let id = sip.get(&call).unwrap_or_else(|| panic!("{call} ends and never arrived"));
                books.fates.entry(id.clone()).or_default().push(*fate);
            }
            CallEvent::Talking { .. } => _ = talked.insert(call),
            CallEvent::Recording { .. } => _ = recorded.insert(call),
            CallEvent::RecordingFailed { .. } => _ = recorded.remove(&call),
            _ => {}
        }
    }
    assert_eq!(books.calls(), sip.len() as u64, "each call has one fate");
    books.recorded = recorded.len();
    books.talked = talked.len() as u64;
    books
}

fn assert_counters(server: &Server, books: &Books) {
    let sum = |what: &str| counted(server, what);
    let counted = (sum("arrived"), sum("answered"));
    assert_eq!(counted, (books.calls(), books.talked), "counters of the day against the ledger");
    let lost: u64 = LOST.iter().map(|what| sum(what)).sum();
    assert_eq!(sum("offered"), books.talked + lost, "offered is answered plus lost");
}

const EVENTS: &str = "SELECT call_id, seq, at, kind FROM call_events ORDER BY seq";
const COUNTED: &str = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM counters WHERE scope = 'all' AND what = $1";

/// Asks whichever database the site has, past the exchange.
fn events(server: &Server) -> Vec<Event> {
    ask(async {
        match &server.site.database {
            Some(url) => sqlx::query_as(EVENTS).fetch_all(&mut postgres(url).await).await,
            None => sqlx::query_as(EVENTS).fetch_all(&mut sqlite(server).await).await,
        }
    })
}

fn counted(server: &Server, what: &str) -> u64 {
    let (n,): (i64,) = ask(async {
        match &server.site.database {
            Some(url) => sqlx::query_as(COUNTED).bind(what).fetch_one(&mut postgres(url).await).await,
            None => sqlx::query_as(COUNTED).bind(what).fetch_one(&mut sqlite(server).await).await,
        }
    });
    u64::try_from(n).unwrap()
}

async fn postgres(url: &str) -> PgConnection {
    PgConnection::connect_with(&url.parse::<PgConnectOptions>().unwrap()).await.unwrap()
}

/// The SQLite file of a site, as another process sees it.
pub(super) async fn sqlite(server: &Server) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(server.site.file("var/yihao.sqlite")).busy_timeout(s(10));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Runs a question to the database to its end.
pub(super) fn ask<T>(question: impl Future<Output = sqlx::Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(question).unwrap()
}
