//! The same load for long: memory stays where it is after the first minute, and the books balance in the end.

use std::time::{Duration, Instant};

use super::books::balance;
use super::driver::{Load, Tally};
use super::{calls_of, process, site, with_driven_seats};
use crate::e2e::rig::s;
use crate::e2e::rig::server::Server;

const SEATS: u32 = 60;
const PER_S: f64 = 20.0;
/// Until here all that lingers by RFC 3261 (32 s) and all caches have come to their size.
const WARM_UP: Duration = Duration::from_secs(50);
/// Between two looks at the memory.
const CHUNK: Duration = Duration::from_secs(10);
/// What memory may grow by after the warm-up, however long it runs: what the allocator keeps in pieces.
const MAY_GROW_MB: f64 = 8.0;

/// `YIHAO_SOAK_MINUTES`, 30 where it is not set.
pub(super) fn minutes() -> u64 {
    std::env::var("YIHAO_SOAK_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(30)
}

#[test]
fn two_minutes_of_calls_leave_memory_flat_and_the_books_even() {
    soak(s(120));
}

#[test]
#[ignore = "takes half an hour: make soak"]
fn many_minutes_of_calls_leave_memory_flat_and_the_books_even() {
    soak(s(60 * minutes()));
}

fn soak(time: Duration) {
    let (server, mut load) = with_driven_seats(site(SEATS));
    let begin = Instant::now();
    let mut calls = 0;
    while begin.elapsed() < WARM_UP {
        calls += chunk(&mut load).started;
    }
    let first = megabytes(&server);
    let (mut most, mut shown) = (first, vec![first]);
    while begin.elapsed() < time {
        calls += chunk(&mut load).started;
        most = megabytes(&server).max(most);
        shown.push(megabytes(&server));
    }
    let last = *shown.last().unwrap();
    let shown: Vec<String> = shown.iter().step_by(shown.len().div_ceil(12)).map(|mb| format!("{mb:.1}")).collect();
    eprintln!(
        "{calls} calls at {PER_S}/s in {} s: resident memory {first:.1} MB after {} s, {last:.1} MB in the end, {most:.1} MB \
         at most; on its way {}",
        begin.elapsed().as_secs(),
        WARM_UP.as_secs(),
        shown.join(" ")
    );
    let books = balance(&server);
    assert_eq!((books.calls(), books.answered()), (calls, calls), "the driver's count and the ledger's");
    assert_eq!(server.get("/api/v1/counters")["admitted"].as_u64(), Some(calls));
    assert!(last < first + MAY_GROW_MB, "memory grew from {first:.1} to {last:.1} MB");
}

fn chunk(load: &mut Load) -> Tally {
    let tally = calls_of(load, PER_S, CHUNK);
    assert_eq!(tally.bridged, tally.started, "{:?} failed, {} lost", tally.failed, tally.lost);
    tally
}

fn megabytes(server: &Server) -> f64 {
    process::resident(server.pid()).unwrap() as f64 / 1e6
}
