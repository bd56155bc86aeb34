//! The database follows the ledger, whatever happens to either.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::Place;
use crate::store::calls::{FATES, Filter};
use crate::store::counters::Scope;
use crate::store::db::Db;
use crate::store::ledger::{Config, Ledger, segment_path};
use crate::store::testing::{Bed, on_both, whole_call};
use crate::types::{
    CallEvent, CallId, Calling, Cause, Fate, IdBase, LegId, LineNumber, Origin, PhoneNumber, Row, SeatId, TrunkId,
};

/// A node's folder with a ledger and a database.
struct World {
    bed: Bed,
}

impl World {
    fn folder(&self) -> PathBuf {
        self.bed.ledger()
    }
    fn ledger(&self, epoch_s: u32) -> Ledger {
        let config = Config { segment_bytes: 8 * 1024, ..Config::new(self.folder(), "mianyang") };
        Ledger::open(config, IdBase { node: 1, epoch_s }, Wall(i64::from(epoch_s) * 1000)).unwrap().0
    }
    async fn store(&self) -> Store {
        self.bed.store().await
    }
    fn tailer(&self, store: &Store) -> Tailer {
        Tailer::new(store.clone(), self.folder(), 1, Keep::default())
    }
    /// What the database must hold: the ledger's rows by call.
    fn expected(&self) -> BTreeMap<String, Vec<(i64, String)>> {
        let mut calls: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for entry in ledger::read(&self.folder()).unwrap() {
            let kind = entry.row.event.as_str().to_owned();
            calls.entry(entry.row.call.to_string()).or_default().push((entry.row.at.0, kind));
        }
        calls
    }
}

/// What the database holds, by call.
async fn stored(store: &Store) -> BTreeMap<String, Vec<(i64, String)>> {
    let mut calls = BTreeMap::new();
    for record in store.calls(&Filter::default(), 100_000).await.unwrap() {
        let id = crate::store::calls::parse_call_id(&record.id).unwrap();
        let timeline = store.call(id).await.unwrap().unwrap();
        calls.insert(record.id, timeline.steps.into_iter().map(|s| (s.at, s.kind)).collect());
    }
    calls
}

on_both! {
    async fn a_call_stands_in_the_database_as_the_ledger_tells_it(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        ledger.append(&whole_call(7));
        let store = world.store().await;
        world.tailer(&store).catch_up().await.unwrap();

        let timeline = store.call(CallId(7)).await.unwrap().unwrap();
        let call = &timeline.call;
        assert_eq!(
            (call.deployment.as_str(), call.line.as_str(), call.source.as_str()),
            ("mianyang", "12315", "telecom-1")
        );
        assert_eq!(call.calling_number.as_deref(), Some("13800138000"));
        let times = (call.arrived_at, call.greeted_at, call.queued_at, call.answered_at, call.ended_at);
        assert_eq!(times, (1_000_070, Some(1_000_071), Some(1_000_072), Some(1_000_075), Some(1_000_079)));
        assert_eq!(
            (call.fate.as_deref(), call.seat, call.queue.as_deref()),
            (Some("answered"), Some(8001), Some("general"))
        );
        assert_eq!(call.recording.as_deref(), Some("2026/11/c7.yhr"));
        assert_eq!(timeline.recordings.len(), 1);
        let codecs: Vec<Option<&str>> = timeline.segments.iter().map(|s| s.codec.as_deref()).collect();
        assert_eq!(codecs, [None, Some("pcma")], "a leg without figures has none");
        assert_eq!(timeline.steps.len(), 11);
        assert_eq!(timeline.steps[6].body["seat"], 8001);
        assert!(store.call(CallId(8)).await.unwrap().is_none());
    }
}

on_both! {
    async fn rows_over_many_segments_and_restarts_arrive_once_and_in_order(bed: Bed) {
        let world = World { bed };
        let store = world.store().await;
        let mut tailer = world.tailer(&store);
        for (run, epoch_s) in [100, 200, 300].into_iter().enumerate() {
            let mut ledger = world.ledger(epoch_s);
            for call in 0..40 {
                ledger.append(&whole_call(run as u64 * 1000 + call));
                while !ledger.is_safe() {
                    std::thread::yield_now();
                    ledger.retry();
                }
                if call % 7 == 0 {
                    tailer.catch_up().await.unwrap();
                }
            }
            // The second run ends in the middle of a call, by kill.
            ledger.append(&whole_call(run as u64 * 1000 + 999)[..5]);
            drop(ledger);
        }
        tailer.catch_up().await.unwrap();
        assert_eq!(stored(&store).await, world.expected());
        assert_eq!(store.call(CallId(999)).await.unwrap().unwrap().call.fate.as_deref(), Some("cut_by_restart"));
        assert_eq!(store.call(CallId(2999)).await.unwrap().unwrap().call.fate, None, "still alive");
    }
}

on_both! {
    async fn a_tailer_that_dies_between_any_two_steps_copies_nothing_twice_and_loses_nothing(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        for call in 0..100 {
            ledger.append(&whole_call(call));
            while !ledger.is_safe() {
                std::thread::yield_now();
                ledger.retry();
            }
        }
        let store = world.store().await;
        // A new tailer for each step knows only what the last one's transaction saved.
        while world.tailer(&store).step().await.unwrap() {}
        assert_eq!(stored(&store).await, world.expected());
    }
}

on_both! {
    async fn a_ledger_that_is_copied_again_with_new_rows_behind_gives_only_those(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        let store = world.store().await;
        for (from, to) in [(0, 30), (30, 40)] {
            for call in from..to {
                ledger.append(&whole_call(call));
                while !ledger.is_safe() {
                    std::thread::yield_now();
                    ledger.retry();
                }
            }
            store.db.execute("DELETE FROM ledger_position", &[]).await.unwrap();
            world.tailer(&store).catch_up().await.unwrap();
        }
        assert_eq!(stored(&store).await, world.expected());
        let sql = "SELECT CAST(SUM(n) AS BIGINT) FROM counters WHERE scope = 'all' AND what = 'offered'";
        let offered: (Option<i64>,) = store.db.row(sql, &[]).await.unwrap().unwrap();
        assert_eq!(offered, (Some(40),), "nothing counts twice");
    }
}

on_both! {
    async fn rows_and_position_are_saved_together_or_not_at_all(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        ledger.append(&whole_call(1));
        let store = world.store().await;
        let mut tailer = world.tailer(&store);
        tailer.catch_up().await.unwrap();
        let before = stored(&store).await;
        ledger.append(&whole_call(2));
        // The database fails at the very last statement of the transaction.
        store.db.execute("ALTER TABLE ledger_position RENAME TO away", &[]).await.unwrap();
        for _ in 0..3 {
            assert!(matches!(tailer.catch_up().await, Err(TailError::Database(_))));
            assert_eq!(stored(&store).await, before, "the rows went back with the position");
        }
        store.db.execute("ALTER TABLE away RENAME TO ledger_position", &[]).await.unwrap();
        tailer.catch_up().await.unwrap();
        assert_eq!(stored(&store).await, world.expected());
    }
}

#[tokio::test]
async fn a_database_that_is_held_by_another_process_delays_records_and_nothing_else() {
    let world = World { bed: Bed::sqlite() };
    let store = world.store().await;
    let mut ledger = world.ledger(100);
    ledger.append(&whole_call(1));
    let other = world.store().await;
    let lock = other.db.begin().await.unwrap();

    let mut tailer = world.tailer(&store);
    for call in 2..10 {
        assert!(matches!(tailer.step().await, Err(TailError::Database(_))), "the database is held");
        ledger.append(&whole_call(call));
        assert!(ledger.is_safe(), "the ledger does not notice");
    }
    assert!(stored(&store).await.is_empty());
    lock.commit().await.unwrap();
    tailer.catch_up().await.unwrap();
    assert_eq!(stored(&store).await, world.expected());
}

#[tokio::test]
async fn a_full_database_delays_records_until_there_is_room() {
    let world = World { bed: Bed::sqlite() };
    let store = world.store().await;
    let Db::Sqlite { writer, .. } = &store.db else { panic!("SQLite") };
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(writer).await.unwrap();
    let limit = |pages: i64| sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")));
    limit(pages).execute(writer).await.unwrap();
    let mut ledger = world.ledger(100);
    (1..60).for_each(|call| ledger.append(&whole_call(call)));
    let mut tailer = world.tailer(&store);
    assert!(tailer.catch_up().await.unwrap_err().to_string().contains("full"));
    limit(1_000_000).execute(writer).await.unwrap();
    tailer.catch_up().await.expect("a full disk leaves no connection unusable");
    while !ledger.is_safe() {
        ledger.retry();
    }
    tailer.catch_up().await.unwrap();
    assert_eq!(stored(&store).await, world.expected());
}

#[tokio::test]
async fn the_running_task_survives_trouble_and_copies_the_last_rows_when_it_is_stopped() {
    let world = World { bed: Bed::sqlite() };
    let store = world.store().await;
    let mut ledger = world.ledger(100);
    let other = world.store().await;
    let lock = other.db.begin().await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let mut tailer = std::pin::pin!(world.tailer(&store).run(stopped));
    ledger.append(&whole_call(1));
    // Long enough for several attempts against the lock; the end does not depend on how many there were.
    timeout(Duration::from_millis(300), &mut tailer).await.unwrap_err();
    lock.commit().await.unwrap();
    ledger.append(&whole_call(2));
    stop.send(true).unwrap();
    tailer.await;
    assert_eq!(stored(&store).await, world.expected());
}

#[tokio::test]
async fn a_lost_database_is_built_again_from_the_ledger() {
    let world = World { bed: Bed::sqlite() };
    let mut ledger = world.ledger(100);
    (1..20).for_each(|call| ledger.append(&whole_call(call)));
    let store = world.store().await;
    world.tailer(&store).catch_up().await.unwrap();
    store.close().await;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", world.bed.place()));
    }
    let store = world.store().await;
    world.tailer(&store).catch_up().await.unwrap();
    assert_eq!(stored(&store).await, world.expected());
}

on_both! {
    async fn a_new_ledger_beside_an_old_database_is_copied_from_its_beginning(bed: Bed) {
        let world = World { bed };
        let store = world.store().await;
        let mut ledger = world.ledger(100);
        (1..60).for_each(|call| {
            ledger.append(&whole_call(call));
            while !ledger.is_safe() {
                std::thread::yield_now();
                ledger.retry();
            }
        });
        world.tailer(&store).catch_up().await.unwrap();
        ledger.close();
        std::fs::remove_dir_all(world.folder()).unwrap();
        let mut ledger = world.ledger(200);
        ledger.append(&whole_call(500));
        world.tailer(&store).catch_up().await.unwrap();
        assert!(store.call(CallId(500)).await.unwrap().is_some());
        assert!(store.call(CallId(1)).await.unwrap().is_some(), "what was there stays");
    }
}

on_both! {
    async fn damage_in_an_old_segment_costs_the_rows_behind_it_there_and_none_elsewhere(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        ledger.append(&whole_call(1));
        let good = ledger::read(&world.folder()).unwrap().len();
        ledger.append(&whole_call(2));
        ledger.close();
        let mut ledger = world.ledger(200);
        ledger.append(&whole_call(3));
        let path = segment_path(&world.folder(), 1);
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[len / 2 + 400] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        let store = world.store().await;
        world.tailer(&store).catch_up().await.unwrap();
        let stored = stored(&store).await;
        assert_eq!(stored["c1"].len(), good);
        assert_eq!(stored["c3"].len(), whole_call(3).len());
    }
}

on_both! {
    async fn lists_are_filtered_and_paged_newest_first_without_gaps(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(100);
        for call in 10..35 {
            let mut rows = whole_call(call);
            // Five calls arrive in the same millisecond: a page may end between them.
            rows[0].at = Wall(1_000_000 + (call / 5) as i64);
            ledger.append(&rows);
            while !ledger.is_safe() {
                std::thread::yield_now();
                ledger.retry();
            }
        }
        let store = world.store().await;
        world.tailer(&store).catch_up().await.unwrap();
        let all = store.calls(&Filter::default(), 100).await.unwrap();
        assert_eq!(all.len(), 25);
        assert!(all.is_sorted_by(|a, b| (a.arrived_at, &a.id) > (b.arrived_at, &b.id)));
        let mut paged = Vec::new();
        let mut filter = Filter::default();
        loop {
            let page = store.calls(&filter, 4).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.before = Some(last.cursor().to_string().parse().unwrap());
            paged.extend(page);
        }
        assert_eq!(paged, all);
        let none = Filter { line: Some("12345".into()), ..Filter::default() };
        assert_eq!(store.calls(&none, 10).await.unwrap(), []);
        let some = Filter {
            line: Some("12315".into()),
            fate: Some("answered".into()),
            seat: Some(8001),
            since: Some(Wall(1_000_003)),
            until: Some(Wall(1_000_005)),
            ..Filter::default()
        };
        assert_eq!(store.calls(&some, 100).await.unwrap().len(), 10);
    }
}

#[tokio::test]
async fn the_database_is_private_and_opens_for_readers_only_when_it_is_there() {
    use std::os::unix::fs::PermissionsExt;
    let world = World { bed: Bed::sqlite() };
    let Place::Sqlite(path) = world.bed.place() else { panic!("SQLite") };
    let missing = Store::open_read_only(world.bed.place()).await.unwrap_err();
    assert!(missing.to_string().contains("no records"), "{missing}");
    let _store = world.store().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path), 0o600);
    let reader = Store::open_read_only(world.bed.place()).await.unwrap();
    assert!(reader.is_alive().await);
    assert_eq!(reader.calls(&Filter::default(), 10).await.unwrap(), []);
}

#[test]
fn names_in_columns_are_the_names_in_the_json() {
    for row in whole_call(1) {
        assert_eq!(serde_json::to_value(&row.event).unwrap()["event"], row.event.as_str());
    }
    let (cause, seat) = (Cause::Busy, SeatId(1));
    let fates = [
        Fate::Answered { seat },
        Fate::AnsweredOutside,
        Fate::UnansweredOutside { cause },
        Fate::AbandonedInGreeting,
        Fate::AbandonedInQueue,
        Fate::AbandonedInRing,
        Fate::Overflowed,
        Fate::Refused { cause },
        Fate::Failed { cause },
        Fate::LeftWish,
        Fate::Served,
        Fate::Reached { seat },
        Fate::NotReached { cause },
        Fate::CutByRestart,
        Fate::CutByDrain,
    ];
    for (fate, name) in fates.iter().zip(FATES) {
        assert_eq!(fate.as_str(), name);
        assert_eq!(serde_json::to_value(fate).unwrap()["fate"], name);
    }
}

on_both! {
    async fn a_call_that_a_seat_placed_is_told_whole_and_counts_for_no_line(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(1_795_000_000);
        let (seat, own, party) = (SeatId(8001), LegId(3), LegId(5));
        let number = PhoneNumber::parse("13900001111").unwrap();
        let line = LineNumber::parse("12345").ok();
        let rows = [
            (0, CallEvent::Placed { leg: own, seat, agent: None, number: number.clone(), line, linked: Some(CallId(7)) }),
            (5, CallEvent::Dialled { leg: party, number, trunk: Some("telecom-1".into()), destination: None }),
            (20, CallEvent::Talking { seat, leg: own, agent: None }),
            (90, CallEvent::LegEnded { leg: party, cause: Cause::HungUp, status: None }),
            (91, CallEvent::LegEnded { leg: own, cause: Cause::HungUp, status: None }),
            (91, CallEvent::Ended { fate: Fate::Reached { seat } }),
        ];
        for (at, event) in rows {
            ledger.append(&[Row { at: Wall(1_795_000_000_000 + at * 1_000), call: CallId(9), event }]);
        }
        ledger.close();
        let store = world.store().await;
        world.tailer(&store).catch_up().await.unwrap();
        let told = store.call(CallId(9)).await.unwrap().unwrap();
        let call = &told.call;
        assert_eq!((call.origin.as_str(), call.source.as_str(), call.line.as_str()), ("seat", "8001", "12345"));
        assert_eq!((call.linked.as_deref(), call.fate.as_deref(), call.offered), (Some("c7"), Some("reached"), false));
        let parties: Vec<_> = told.segments.iter().map(|s| (s.party.as_str(), s.number.as_deref(), s.answered_at)).collect();
        let up = Some(1_795_000_020_000);
        assert_eq!(parties, [("seat", None, up), ("called", Some("13900001111"), up)]);
        let counters = store.counters(("", "9999"), None, None).await.unwrap();
        assert!(counters.iter().all(|c| c.scope == "seat"), "{counters:?}");
        for (number, found) in [("13900001111", 1), ("13900002222", 0)] {
            let filter = Filter { number: Some(number.to_owned()), ..Filter::default() };
            assert_eq!(store.calls(&filter, 10).await.unwrap().len(), found, "calls to {number}");
        }
    }
}

on_both! {
    async fn a_call_that_went_on_outside_tells_each_way_and_counts_as_answered(bed: Bed) {
        let world = World { bed };
        let mut ledger = world.ledger(1_795_000_000);
        let (caller, first, second) = (LegId(2), LegId(3), LegId(5));
        let arrived = CallEvent::Arrived {
            leg: caller,
            origin: Origin::Trunk(TrunkId(0)),
            from: "telecom-1".into(),
            called: LineNumber::parse("12366").unwrap(),
            calling: Calling::default(),
            call_id: "id".into(),
            mode: None,
        };
        let dialled = |leg, number: &str| CallEvent::Dialled {
            leg,
            number: PhoneNumber::parse(number).unwrap(),
            trunk: Some("tax".into()),
            destination: Some("sub-center".into()),
        };
        let rows = [
            (0, arrived),
            (1, dialled(first, "12366")),
            (3, CallEvent::LegEnded { leg: first, cause: Cause::Busy, status: Some(486) }),
            (3, dialled(second, "08162212366")),
            (9, CallEvent::AnsweredOutside { leg: second, destination: "sub-center".into() }),
            (60, CallEvent::LegEnded { leg: second, cause: Cause::HungUp, status: None }),
            (60, CallEvent::LegEnded { leg: caller, cause: Cause::HungUp, status: None }),
            (60, CallEvent::Ended { fate: Fate::AnsweredOutside }),
        ];
        for (at, event) in rows {
            ledger.append(&[Row { at: Wall(1_795_000_000_000 + at * 1_000), call: CallId(9), event }]);
        }
        ledger.close();
        let store = world.store().await;
        world.tailer(&store).catch_up().await.unwrap();
        let told = store.call(CallId(9)).await.unwrap().unwrap();
        let call = &told.call;
        assert_eq!((call.fate.as_deref(), call.offered, call.seat), (Some("answered_outside"), true, None));
        let ways: Vec<_> = told.segments[1..].iter().map(|s| (s.cause.as_deref(), s.status, s.answered_at)).collect();
        let up = Some(1_795_000_009_000);
        assert_eq!(ways, [(Some("busy"), Some(486), None), (Some("hung_up"), None, up)]);
        let counters = store.counters(("", "9999"), Some(Scope::All), None).await.unwrap();
        let count = |what: &str| counters.iter().filter(|c| c.what == what).map(|c| c.n).sum::<i64>();
        let counts = ["offered", "answered", "answered_outside", "within_15s", "talk_ms"].map(count);
        assert_eq!(counts, [1, 1, 1, 1, 51_000]);
    }
}
