//! What carriers write: names in GBK, compact headers; and those whom nobody knows.

use serde_json::json;

use super::rig::phone::Phone;
use super::rig::s;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, STRANGER, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::tone;

#[test]
fn a_name_in_gbk_is_shown_as_text() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let seat = Phone::seat(site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut job = Job::call(site, "caller_named", TELECOM, "12345");
    let (name, _, unmapped) = encoding_rs::GBK.encode("绵阳市民");
    assert!(!unmapped && std::str::from_utf8(&name).is_err(), "GBK that is not UTF-8");
    job.replace.push(("NAME", name.into_owned()));
    let mut caller = Sipp::start(site, &job);
    let incoming = seat.wait("incoming", |_| true);
    caller.expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["calling_display"], &call["fate"]), (&json!("绵阳市民"), &json!("answered")));
    let from = incoming["message"].as_str().unwrap().lines().find(|l| l.starts_with("From:")).unwrap().to_owned();
    assert!(from.contains("sip:1390000"), "the seat sees who calls: {from}");
}

#[test]
fn compact_headers_are_understood() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    tone::write_alaw(&server.site.file("tone.al"), tone::CALLER);
    let mut caller = Sipp::start(&server.site, &Job::call(&server.site, "caller_compact", TELECOM, "12345"));
    caller.expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["line"]), (&json!("abandoned_in_queue"), &json!("12345")));
}

#[test]
fn an_unknown_source_places_no_call() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    let mut job = Job::call(&server.site, "caller_refused", STRANGER, "12345");
    job.replace.push(("STATUS", b"403".to_vec()));
    Sipp::start(&server.site, &job).expect_good(1, s(15));
    let counters = server.get("/api/v1/counters");
    assert_eq!((&counters["received"], &counters["admitted"]), (&json!(1), &json!(0)), "{counters}");
    assert_eq!(counters["refused_total"], 1, "{counters}");
    assert_eq!(counters["refused"][0]["reason"], "unknown_source", "{counters}");
    assert!(server.calls().is_empty());
}

#[test]
fn numbers_that_are_not_served_are_refused() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    for (number, cause) in [("12366", "no_such_number"), ("99999", "no_such_number"), ("123456", "no_such_number")] {
        let mut job = Job::call(&server.site, "caller_refused", TELECOM, number);
        job.replace.push(("STATUS", b"404".to_vec()));
        Sipp::start(&server.site, &job).expect_good(1, s(15));
        let call = super::rig::until("the record", s(5), || {
            server.calls().into_iter().find(|c| c["line"] == number && c["fate"].is_string())
        });
        assert_eq!((&call["fate"], &call["cause"]), (&json!("refused"), &json!(cause)), "{number}");
    }
}
