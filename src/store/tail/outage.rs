//! The busiest hour of a city while the database is away, and a database that dies again and again while it catches up.

use std::time::Duration;

use super::*;
use crate::store::Place;
use crate::store::counters::LOST;
use crate::store::ledger::{Config, Ledger};
use crate::store::testing::server::{self, Server};
use crate::store::testing::{Bed, whole_call};
use crate::types::IdBase;

/// Calls of the busiest hour: 10 % of 90,000 a day.
const CALLS: u64 = 9_000;
/// Rows of one call.
const ROWS: i64 = 11;

/// The ledger of a node on which the hour has passed. `false` of its safety would mean that rows wait in memory.
fn busiest_hour(bed: &Bed) -> Ledger {
    let config = Config { segment_bytes: 1 << 20, ..Config::new(bed.ledger(), "mianyang") };
    let (mut ledger, _) = Ledger::open(config, IdBase { node: 1, epoch_s: 100 }, Wall(0)).unwrap();
    for call in 0..CALLS {
        ledger.append(&whole_call(call));
        while !ledger.is_safe() {
            std::thread::yield_now();
            ledger.retry();
        }
    }
    assert_eq!(ledger.lost(), 0);
    ledger
}

fn tailer(bed: &Bed, store: &Store) -> Tailer {
    Tailer::new(store.clone(), bed.ledger(), 1, Keep::default())
}

/// Everything is there once, in order, and counted once.
async fn assert_whole(store: &Store) {
    let count = async |sql: &'static str| store.db.row::<(i64,)>(sql, &[]).await.unwrap().unwrap().0;
    let calls = CALLS as i64;
    assert_eq!(count("SELECT COUNT(*) FROM call_events").await, calls * ROWS);
    assert_eq!(count("SELECT COUNT(*) FROM calls WHERE fate = 'answered'").await, calls);
    assert_eq!(count("SELECT COUNT(*) FROM segments WHERE mos_x100 IS NOT NULL").await, calls);
    assert_eq!(count("SELECT COUNT(*) FROM offers WHERE outcome = 'answered'").await, calls);
    let out_of_order = "
        SELECT COUNT(*) FROM call_events a JOIN call_events b ON a.call_id = b.call_id AND a.seq < b.seq
        WHERE a.at > b.at OR (a.kind <> 'arrived' AND b.kind = 'arrived')";
    assert_eq!(count(out_of_order).await, 0);
    let counters = store.counters(("", "9999"), None, Some("")).await.unwrap();
    let sum = |what: &str| counters.iter().filter(|c| c.what == what).map(|c| c.n).sum::<i64>();
    assert_eq!([sum("arrived"), sum("offered"), sum("answered"), sum("within_15s")], [calls; 4]);
    assert!(LOST.iter().all(|what| sum(what) == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_the_busiest_hour_and_dies_again_and_again_misses_nothing_and_has_nothing_twice() {
    let Some(server) = Server::start() else { return server::skip("the busiest hour without a server") };
    let place = Place::Postgres { url: server.new_database().await, password: None };
    server.kill();
    let bed = Bed::sqlite();
    let store = Store::open(&place).await.expect("an exchange starts without its server");
    let ledger = busiest_hour(&bed);
    assert!(tailer(&bed, &store).step().await.is_err(), "the server is away");
    assert!(!store.is_alive().await);

    for steps in [2, 5, 12] {
        server.go();
        let mut tailer = tailer(&bed, &store);
        for _ in 0..steps {
            assert!(tailer.step().await.unwrap(), "there is more");
        }
        // It dies while a batch is on its way.
        let (died, ()) = tokio::join!(tailer.catch_up(), async { tokio::task::block_in_place(|| server.kill()) });
        assert!(died.is_err());
    }
    server.go();
    let began = Instant::now();
    tailer(&bed, &store).catch_up().await.unwrap();
    eprintln!("the rest of {CALLS} calls was copied into PostgreSQL in {:.1} s", began.elapsed().as_secs_f64());
    assert_whole(&store).await;
    drop(ledger);
}

#[tokio::test]
async fn a_file_that_another_process_holds_for_the_busiest_hour_misses_nothing() {
    let bed = Bed::sqlite();
    let store = bed.store().await;
    let other = bed.store().await;
    let held = other.db.begin().await.unwrap();
    let ledger = busiest_hour(&bed);
    let mut tailer = tailer(&bed, &store);
    assert!(matches!(timeout(Duration::from_secs(60), tailer.catch_up()).await, Ok(Err(TailError::Database(_)))));
    held.commit().await.unwrap();
    let began = Instant::now();
    tailer.catch_up().await.unwrap();
    eprintln!("{CALLS} calls were copied into SQLite in {:.1} s", began.elapsed().as_secs_f64());
    assert_whole(&store).await;
    drop(ledger);
}
