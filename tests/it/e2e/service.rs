//! The exchange as a service: what agents dial, what it does when asked to stop and when its disk is full.

use std::time::Duration;

use serde_json::json;

use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{LINE_12315, PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone};
use super::talk::{heard_well, one_of_each, talk};

#[test]
fn an_agent_becomes_ready_by_dialling_and_only_then_gets_calls() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let mut seat = Phone::seat(site, 8001, PHONE, json!({ "answer": 200, "tone": site.tone(tone::SEAT) }));
    assert_eq!(server.get("/api/v1/seats")["seats"][0]["presence"], "signed_out", "a registration makes nobody ready");
    for code in ["*40", "*41"] {
        seat.call(&format!("sip:{code}@{}", site.sip()));
        seat.wait_state("confirmed");
        seat.wait_state("disconnected");
    }
    assert_eq!(server.get("/api/v1/seats")["seats"][0]["presence"], "ready");
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    seat.wait_state("confirmed");
    caller.hang_up();
    let fates: Vec<_> = server.wait_fates(3).iter().map(|call| call["fate"].clone()).collect();
    assert_eq!(fates, [json!("answered"), json!("served"), json!("served")]);
}

#[test]
fn a_phone_with_a_wrong_password_does_not_register() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let want = json!({
        "user": "8001", "domain": site.sip().to_string(), "register": true, "password": "wrong",
        "bind": site.street.at(PHONE).to_string(),
    });
    let phone = Phone::start(site, want, json!({}));
    let told = phone.wait("registration", |_| true);
    assert_eq!(told["code"], 401, "{told}");
    assert_eq!(server.get("/api/v1/seats")["seats"][0]["reachable"], false);
}

#[test]
fn narrow_band_and_wide_band_and_both_laws_understand_each_other() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let wide = json!({ "codecs": ["G722/16000"], "answer": 200, "tone": site.tone(tone::SEAT) });
    let mut seat = Phone::seat(site, 8001, PHONE, wide);
    server.make_ready(8001);
    let mu_law = json!({ "codecs": ["PCMU/8000"], "tone": site.tone(tone::CALLER) });
    let mut caller = Phone::caller(site, TELECOM, mu_law);
    talk(&server, &mut caller, &mut seat, "12345").is_perfect();
}

#[test]
fn a_full_disk_costs_the_recording_and_not_the_call() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new();
    site.min_free_mb = 10_000_000;
    let (server, mut caller, seat) = one_of_each(site);
    caller.call(&format!("sip:12345@{}", server.site.sip()));
    seat.wait_state("confirmed");
    caller.hang_up();
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered");
    assert_eq!(server.steps(&call, "recording_failed").len(), 1, "{}", server.timeline(&call));
    assert!(server.metric("yihao_recording_failures_total") >= 1.0);
}

#[test]
fn a_full_disk_refuses_new_calls_where_the_operator_says_so() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut site = Site::new();
    site.min_free_mb = 10_000_000;
    site.disk_full = "refuse";
    let server = Server::start(site);
    let mut job = Job::call(&server.site, "caller_refused", TELECOM, "12345");
    job.replace.push(("STATUS", b"503".to_vec()));
    Sipp::start(&server.site, &job).expect_good(1, s(15));
}

#[test]
fn a_new_plan_counts_for_new_calls_while_a_talk_goes_on() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let (mut server, mut caller, seat) = one_of_each(Site::new());
    let good = server.site.plan();
    caller.call(&format!("sip:12345@{}", server.site.sip()));
    caller.wait_state("confirmed");
    seat.wait_state("confirmed");
    // One with mistakes is refused, and all of them are told.
    let broken = good.replacen("network = \"main\"", "network = \"nowhere\"", 1).replacen("\"dual\"", "\"duel\"", 1);
    server.new_plan(&broken, "the old plan and secrets stay");
    server.new_plan(&broken, "duel");
    // Trunks in another order, a line more, another greeting for 12345.
    server.site.trunks.reverse();
    let line = "[[line]]\nnumber = \"12333\"\nname = \"12333\"\n\
                [[line.phase]]\nfrom = 2021-10-15\nmode = \"dual\"\nqueue = \"general\"\n";
    let hotline = "mode = \"hotline\"\n";
    let new = server.site.plan().replacen(hotline, &format!("{hotline}greeting = \"greeting/12315\"\n"), 1) + line;
    server.new_plan(&new, "plan and secrets were read again");
    // The talk is as it was, to its end.
    let heard = server.site.file("heard.wav");
    caller.record(&heard);
    // Not a synchronisation: this is the length of what is listened to.
    std::thread::sleep(super::talk::TALK);
    caller.hang_up();
    seat.wait_state("disconnected");
    heard_well("the caller", &Wav::read(&heard), tone::SEAT);
    let first = server.wait_fates(1).remove(0);
    assert_eq!(first["fate"], "answered");
    assert_eq!(server.steps(&first, "greeted")[0]["body"]["prompt"], "greeting/12345");
    for (count, line, greeting) in [(2, "12345", "greeting/12315"), (3, "12333", "greeting/12333")] {
        caller.call(&format!("sip:{line}@{}", server.site.sip()));
        caller.wait_state("confirmed");
        seat.wait_state("confirmed");
        caller.hang_up();
        seat.wait_state("disconnected");
        let call = server.wait_fates(count).remove(0);
        assert_eq!(server.steps(&call, "greeted")[0]["body"]["prompt"], greeting);
    }
}

#[test]
fn a_stop_ends_calls_and_closes_the_books() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut server = Server::start(Site::new());
    tone::write_alaw(&server.site.file("tone.al"), tone::CALLER);
    let mut job = Job::call(&server.site, "caller_stays", TELECOM, "12345");
    job.replace.push(("PATIENCE_MS", b"20000".to_vec()));
    let mut caller = Sipp::start(&server.site, &job);
    server.wait_live("a call that waits", |calls| calls.iter().any(|call| call["queue"] == "general"));
    // Once: no new calls, those in progress may finish.
    assert_eq!(server.stop(Duration::from_millis(300)), None, "a call is in progress");
    let mut late = Job::call(&server.site, "caller_refused", LINE_12315, "12315");
    late.replace.push(("STATUS", b"503".to_vec()));
    Sipp::start(&server.site, &late).expect_good(1, s(15));
    // Twice: now.
    let status = server.stop(s(10)).expect("it stops in time");
    assert!(status.success(), "{status}");
    caller.expect_good(1, s(5));
    server.restart();
    let count = server.calls().len();
    assert!(server.wait_fates(count).iter().any(|call| call["line"] == "12345"));
}
