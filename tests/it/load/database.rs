//! The database dies and comes back, or takes nothing for a while, under load: calls go on, nothing is lost, nothing is twice.

use std::time::Duration;

use sqlx::Executor;

use super::books::{ask, balance, sqlite};
use super::postgres;
use super::{Much, callers, site, with_sipp_seats};
use crate::e2e::rig::server::Server;
use crate::e2e::rig::site::TELECOM;
use crate::e2e::rig::skip::{Tool, have};
use crate::e2e::rig::{http, s, until};

const SEATS: u32 = 20;
const MUCH: Much = Much { calls: 300, per_s: 20, talk_ms: 300 };

#[test]
fn postgresql_killed_and_back_under_load_loses_nothing_and_has_nothing_twice() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let Some(database) = postgres::Server::start() else { return postgres::skip("PostgreSQL killed under load") };
    let mut site = site(SEATS);
    site.database = Some(ask(async { Ok(database.new_database().await) }));
    let (server, _seats) = with_sipp_seats(site);
    let mut sipp = callers(&server.site, "caller", (TELECOM, "12345"), MUCH);
    for _ in 0..2 {
        await_calls(&server, 30.0);
        database.kill();
        until("the exchange to notice that its database is away", s(10), || is_away(&server));
        await_calls(&server, 60.0);
        database.go();
        until("the exchange to find its database again", s(30), || (!away(&server)).then_some(()));
    }
    sipp.expect_good(MUCH.calls.into(), s(60));
    assert_even(&server);
    // And they can be read.
    let newest = search(&server);
    assert_eq!(newest["records"].as_array().unwrap().len(), 50, "{newest}");
    assert_eq!(newest["records"][0]["fate"], "answered", "{newest}");
}

#[test]
fn a_sqlite_file_that_takes_nothing_for_a_while_under_load_misses_nothing() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let (server, _seats) = with_sipp_seats(site(SEATS));
    let mut sipp = callers(&server.site, "caller", (TELECOM, "12345"), MUCH);
    await_calls(&server, 30.0);
    ask(async {
        let mut other = sqlite(&server).await;
        other.execute("BEGIN EXCLUSIVE").await?;
        // Longer than the exchange's patience with a lock, so that writes fail.
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert!(server.metric("yihao_store_rows_total") < server.metric("yihao_calls_ended_total") * 5.0, "rows wait");
        other.execute("ROLLBACK").await
    });
    sipp.expect_good(MUCH.calls.into(), s(60));
    assert_even(&server);
}

/// SIPp's count, the ledger's, the database's and the counters' are one.
fn assert_even(server: &Server) {
    let books = balance(server);
    let calls = u64::from(MUCH.calls);
    assert_eq!((books.calls(), books.answered()), (calls, calls));
    let counters = server.get("/api/v1/counters");
    assert_eq!(counters["received"].as_u64(), Some(calls), "{counters}");
}

/// Waits for the ends of so many more calls.
fn await_calls(server: &Server, more: f64) {
    let from = server.metric("yihao_calls_ended_total");
    until("calls to end", s(30), || (server.metric("yihao_calls_ended_total") >= from + more).then_some(()));
}

fn away(server: &Server) -> bool {
    server.metric("yihao_store_up") < 0.5
}

fn is_away(server: &Server) -> Option<()> {
    away(server).then_some(())
}

fn search(server: &Server) -> serde_json::Value {
    let asked = http::post(server.site.http(), "/api/v1/records/search", server.token(), "{\"limit\":50}");
    let (status, body) = asked.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}
