//! What happens in a talk: hold, keys, refreshes.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone, until};
use super::talk::{heard_well, one_of_each};

/// What a phone hears for a while.
fn listen(server: &Server, phone: &mut Phone, name: &str) -> Wav {
    let file = server.site.file(name);
    phone.record(&file);
    // Not a synchronisation: this is how long it listens.
    std::thread::sleep(Duration::from_millis(2000));
    phone.order(json!({ "do": "stop" }));
    phone.wait("recorded", |_| true);
    Wav::read(&file)
}

#[test]
fn a_seat_holds_the_caller_and_takes_him_back() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let (server, mut caller, mut seat) = one_of_each(Site::new());
    caller.call(&format!("sip:12345@{}", server.site.sip()));
    seat.wait_state("confirmed");
    heard_well("before", &listen(&server, &mut caller, "before.wav"), tone::SEAT);
    seat.order(json!({ "do": "hold" }));
    wait_held(&server, true);
    heard_well("music on hold", &listen(&server, &mut caller, "held.wav"), tone::MUSIC);
    seat.order(json!({ "do": "resume" }));
    wait_held(&server, false);
    heard_well("the seat again", &listen(&server, &mut caller, "after.wav"), tone::SEAT);
    heard_well("the caller again", &listen(&server, &mut seat, "after-seat.wav"), tone::CALLER);
    caller.hang_up();
    let call = server.wait_fates(1).remove(0);
    let held: Vec<Value> = server.steps(&call, "held").iter().map(|h| h["body"]["held"].clone()).collect();
    assert_eq!(held, [json!(true), json!(false)]);
}

#[test]
fn a_caller_holds_the_seat_and_takes_it_back() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let (server, mut caller, mut seat) = one_of_each(Site::new());
    caller.call(&format!("sip:12345@{}", server.site.sip()));
    seat.wait_state("confirmed");
    caller.order(json!({ "do": "hold" }));
    wait_held(&server, true);
    heard_well("music on hold", &listen(&server, &mut seat, "held.wav"), tone::MUSIC);
    caller.order(json!({ "do": "resume" }));
    wait_held(&server, false);
    heard_well("the caller again", &listen(&server, &mut seat, "after.wav"), tone::CALLER);
    heard_well("the seat again", &listen(&server, &mut caller, "after-caller.wav"), tone::SEAT);
    seat.hang_up();
    caller.wait_state("disconnected");
    assert_eq!(server.wait_fates(1)[0]["fate"], "answered");
}

fn wait_held(server: &Server, held: bool) {
    server.wait_live("the hold to change", |calls| calls.iter().any(|c| c["held"] == held));
}

#[test]
fn keys_are_taken_once_from_telephone_events() {
    keys_are_taken_once("event", json!({}));
}

#[test]
fn keys_are_taken_once_from_info() {
    keys_are_taken_once("info", json!({ "no_telephone_event": true }));
}

#[test]
fn keys_are_taken_once_from_the_audio() {
    keys_are_taken_once("inband", json!({ "no_telephone_event": true }));
}

/// The caller presses six keys, two of them the same; the exchange takes six.
fn keys_are_taken_once(method: &str, more: Value) {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let seat = Phone::seat(site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, more);
    caller.call(&format!("sip:12345@{}", site.sip()));
    seat.wait_state("confirmed");
    caller.wait("media", |_| true);
    caller.order(json!({ "do": "dtmf", "digits": "1559*#", "method": method }));
    let call = server.calls().remove(0);
    until("six keys", s(10), || (server.steps(&call, "digit").len() >= 6).then_some(()));
    // A seventh would come with the packets that repeat the end of the last; the call lives on until those are through.
    std::thread::sleep(Duration::from_millis(500));
    caller.hang_up();
    let call = server.wait_fates(1).remove(0);
    assert_eq!(server.steps(&call, "digit").len(), 6, "each key once");
    if method == "event" {
        let pressed = |told: Vec<Value>| -> String {
            told.iter().filter(|e| e["event"] == "dtmf").map(|e| e["digit"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(pressed(seat.told()), "1559*#", "the seat's phone gets them too");
    }
}

/// A call with session timers of 90 s, the shortest that RFC 4028 allows, to a seat of SIPp.
fn with_session_timer(scenario: &'static str, refresher: &'static str, pause_ms: u32) {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new().with_fixed_seat(8001, PHONE));
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat", PHONE);
    job.pause_ms = 100;
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let mut seat = Sipp::start(site, &job);
    server.make_ready(8001);
    let mut job = Job::call(site, scenario, TELECOM, "12345");
    job.pause_ms = pause_ms;
    job.replace.push(("REFRESHER", refresher.as_bytes().to_vec()));
    let mut caller = Sipp::start(site, &job);
    caller.expect_good(1, s(75));
    seat.expect_good(1, s(10));
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered");
}

#[test]
fn refreshes_of_the_carrier_are_answered() {
    with_session_timer("refresher", "uac", 1000);
}

#[test]
fn the_exchange_refreshes_and_the_call_lives() {
    with_session_timer("refreshed", "uas", 1000);
}

/// Silence that makes the exchange ask; the shortest that the setting allows.
const SILENCE: Duration = s(5);

#[test]
fn a_far_end_that_is_dead_is_probed_and_given_up() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    // A probe without answer fails after 64 * T1.
    let site = Site { media: "silence_s = 5", timers: "t1_ms = 50".to_owned(), ..Site::new() };
    let (server, mut caller, seat) = one_of_each(site);
    caller.call(&format!("sip:12345@{}", server.site.sip()));
    seat.wait_state("confirmed");
    caller.wait_state("confirmed");
    caller.freeze();
    let frozen = std::time::Instant::now();
    seat.wait_state("disconnected");
    let waited = frozen.elapsed();
    assert!(waited > SILENCE, "silence alone ends no leg: {waited:?}");
    assert!(waited < SILENCE + s(7), "{waited:?}");
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["seat"]), (&json!("answered"), &json!(8001)));
}

#[test]
fn a_far_end_that_is_mute_and_answers_each_probe_keeps_its_call() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let site = Site { media: "silence_s = 5", timers: "t1_ms = 50".to_owned(), ..Site::new().with_seat(8001) };
    let server = Server::start(site);
    let mut seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut job = Job::call(&server.site, "caller_mute", TELECOM, "12345");
    job.replace.push(("PATIENCE_MS", b"30000".to_vec()));
    let mut caller = Sipp::start(&server.site, &job);
    seat.wait_state("confirmed");
    // A probe that fails ends the leg before the next one is due.
    until("a second probe", s(20), || (caller.text().matches("\nOPTIONS sip:").count() >= 2).then_some(()));
    assert_eq!(server.doing(8001), "talking");
    seat.hang_up();
    caller.expect_good(1, s(10));
    assert_eq!(server.wait_fates(1)[0]["fate"], "answered");
}
