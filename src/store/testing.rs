//! For tests of the store: each story runs on SQLite and on PostgreSQL.

pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Place, Store};
use crate::types::{
    CallEvent, CallId, Calling, Cause, Codec, Fate, LegId, LineNumber, OfferId, Origin, PhoneNumber, Row, SeatId,
    StreamReport, TrunkId, Wall,
};

/// A folder of its own and an empty database.
#[derive(Debug)]
pub(crate) struct Bed {
    dir: tempfile::TempDir,
    place: Place,
}

impl Bed {
    /// With a SQLite file in the folder.
    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let place = Place::Sqlite(dir.path().join("yihao.sqlite"));
        Self { dir, place }
    }

    /// With a database on the server that this process of tests has started; nothing, said aloud, when there is no PostgreSQL.
    pub(crate) async fn postgres(test: &str) -> Option<Self> {
        let server = server::shared(test)?;
        let place = Place::Postgres { url: server.new_database().await, password: None };
        Some(Self { place, ..Self::sqlite() })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where ledgers go.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// Where the database is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The database, opened with little patience.
    pub(crate) async fn store(&self) -> Store {
        Store::open_with(&self.place, Duration::from_millis(50)).await.unwrap()
    }
}

/// One row.
pub(crate) fn row(call: u64, at: i64, event: CallEvent) -> Row {
    Row { at: Wall(at), call: CallId(call), event }
}

/// An answered, recorded call on 12315.
pub(crate) fn whole_call(call: u64) -> Vec<Row> {
    let (seat, leg, offer) = (SeatId(8001), LegId(call * 2 + 1), OfferId(call));
    let calling = Calling {
        number: Some(PhoneNumber::parse("13800138000").unwrap()),
        raw: "+8613800138000".into(),
        ..Calling::default()
    };
    let at = 1_000_000 + call as i64 * 10;
    vec![
        row(
            call,
            at,
            CallEvent::Arrived {
                leg: LegId(call * 2),
                origin: Origin::Trunk(TrunkId(0)),
                from: "telecom-1".into(),
                called: LineNumber::parse("12315").unwrap(),
                calling,
                call_id: format!("{call}@carrier"),
                mode: None,
            },
        ),
        row(call, at + 1, CallEvent::AnsweredByExchange),
        row(call, at + 1, CallEvent::Greeted { prompt: "greeting/12315".into() }),
        row(call, at + 2, CallEvent::Queued { queue: "general".into(), ahead: 0, serving: 0 }),
        row(call, at + 3, CallEvent::Offered { offer, seat, leg, agent: None, decision: None }),
        row(call, at + 4, CallEvent::Ringing { offer }),
        row(call, at + 5, CallEvent::Talking { seat, leg, agent: None }),
        row(call, at + 5, CallEvent::Recording { file: format!("2026/11/c{call}.yhr") }),
        row(call, at + 8, CallEvent::LegEnded { leg, cause: Cause::HungUp, status: None }),
        row(call, at + 9, CallEvent::Ended { fate: Fate::Answered { seat } }),
        row(
            call,
            at + 9,
            CallEvent::Quality { leg, report: StreamReport { codec: Some(Codec::Pcma), ..StreamReport::default() } },
        ),
    ]
}

/// `on_both! { async fn story(bed: Bed) { ... } }`: a test for either database, `story::sqlite` and `story::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($bed:ident: Bed) $body:block)*) => { $(
        mod $name {
            #[allow(unused_imports, reason = "not every story needs what stands around it")]
            use super::*;

            async fn on_either($bed: $crate::store::testing::Bed) $body

            #[tokio::test]
            async fn sqlite() {
                on_either($crate::store::testing::Bed::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(bed) = $crate::store::testing::Bed::postgres(stringify!($name)).await {
                    on_either(bed).await;
                }
            }
        }
    )* };
}
pub(crate) use on_both;
