//! The database dies and comes back, or takes nothing for a while, under load: calls go on, nothing is lost, nothing is twice.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use super::books::{ask, balance, sqlite};
use super::postgres;
use super::{Much, callers, site, with_sipp_seats};
use crate::e2e::rig::certificate::certificate;
use crate::e2e::rig::server::Server;
use crate::e2e::rig::site::{Site, TELECOM};
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
fn postgresql_is_reached_over_tls_with_a_password() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let Some(database) = postgres::Server::start() else { return postgres::skip("PostgreSQL over TLS") };
    let mut site = site(1);
    let at = site.street.at(200).to_string();
    go_over_tls(&database, &site, &at);
    let ours = ask(async { Ok(database.new_database().await) });
    ask(async {
        let mut admin = PgConnection::connect(&ours).await?;
        admin.execute("CREATE USER keeper PASSWORD 'a secret'").await?;
        admin.execute("CREATE DATABASE records OWNER keeper").await
    });
    let authority = site.file(&format!("{at}.ca"));
    site.database =
        Some(format!("postgres://keeper@{at}:5432/records?sslmode=verify-full&sslrootcert={}", authority.display()));
    site.secrets = "[database]\npassword = \"a secret\"".to_owned();
    let (server, _seats) = with_sipp_seats(site);
    let one = Much { calls: 1, per_s: 1, talk_ms: 100 };
    callers(&server.site, "caller", (TELECOM, "12345"), one).expect_good(1, s(20));
    until("the record of the call", s(10), || (search(&server)["records"][0]["fate"] == "answered").then_some(()));
    let covered = "SELECT COUNT(*), SUM(CASE WHEN ssl THEN 1 ELSE 0 END) FROM pg_stat_ssl
                   JOIN pg_stat_activity USING (pid) WHERE usename = 'keeper'";
    let (all, over_tls): (i64, i64) = ask(async {
        let mut admin = PgConnection::connect(&ours).await?;
        sqlx::query_as(covered).fetch_one(&mut admin).await
    });
    assert!(all > 0 && all == over_tls, "{over_tls} of {all} connections are over TLS");
}

/// Starts the server anew on an address, for those alone who come over TLS and know a password.
fn go_over_tls(database: &postgres::Server, site: &Site, at: &str) {
    let (pem, key) = certificate(site, at);
    let owner = fs::metadata(&database.folder).unwrap();
    for (from, name) in [(pem, "server.pem"), (key, "server.key")] {
        let to = database.folder.join(name);
        fs::copy(from, &to).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    database.kill();
    let who = "local all all trust\nhostssl all all 0.0.0.0/0 scram-sha-256\n";
    fs::write(database.folder.join("data/pg_hba.conf"), who).unwrap();
    let folder = database.folder.display();
    database.go_with(&format!(
        "-c listen_addresses={at} -c ssl=on -c ssl_cert_file={folder}/server.pem -c ssl_key_file={folder}/server.key"
    ));
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
