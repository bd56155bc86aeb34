//! Seats that do not answer, are engaged, have two phones or move.

use serde_json::{Value, json};

use super::rig::baresip::Baresip;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone, until};
use super::talk::{finish_talk, heard_well, recorded_well};

/// Two seats with fixed phones of SIPp; the first does as its scenario says, the second answers. The first is longest idle.
fn first_fails(scenario: &'static str) -> (Server, Value) {
    let mut site = Site::new().with_fixed_seat(8001, PHONE).with_fixed_seat(8002, PHONE + 1);
    site.ring_ms = 3000;
    let server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut first = Sipp::start(site, &Job::phone(site, scenario, PHONE));
    let mut job = Job::phone(site, "seat", PHONE + 1);
    job.pause_ms = 200;
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let mut second = Sipp::start(site, &job);
    server.make_ready(8001);
    server.make_ready(8002);
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    job.pause_ms = 6000;
    let mut caller = Sipp::start(site, &job);
    caller.expect_good(1, s(20));
    first.expect_good(1, s(10));
    second.expect_good(1, s(10));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["seat"]), (&json!("answered"), &json!(8002)));
    let offered: Vec<Value> = server.steps(&call, "offered").iter().map(|o| o["body"]["seat"].clone()).collect();
    assert_eq!(offered, [json!(8001), json!(8002)]);
    (server, call)
}

fn offer_ended(server: &Server, call: &Value) -> Value {
    server.steps(call, "offer_ended")[0]["body"]["cause"].clone()
}

#[test]
fn the_next_seat_is_rung_when_the_first_does_not_answer() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let (server, call) = first_fails("seat_silent");
    assert_eq!(offer_ended(&server, &call), "no_answer");
}

#[test]
fn the_next_seat_is_rung_when_the_first_is_busy() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let (server, call) = first_fails("seat_busy");
    assert_eq!(offer_ended(&server, &call), "busy");
}

#[test]
fn of_two_phones_of_a_seat_one_wins_and_the_other_stops_ringing() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let loser = Phone::seat(site, 8001, PHONE, json!({ "answer": 180 }));
    let mut winner = Phone::seat(site, 8001, PHONE + 1, json!({ "answer": 180, "tone": site.tone(tone::SEAT) }));
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    loser.wait("incoming", |_| true);
    winner.wait("incoming", |_| true);
    winner.order(json!({ "do": "answer" }));
    let ended = loser.wait_state("disconnected");
    assert_eq!(ended["code"], 487, "the call was taken elsewhere");
    finish_talk(&server, &mut caller, &mut winner).is_perfect();
}

#[test]
fn a_seat_that_registers_from_a_new_address_is_called_there() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let mut before = Phone::seat(site, 8001, PHONE, json!({}));
    server.make_ready(8001);
    // The network is gone under it: nothing is unregistered.
    before.kill();
    let mut after = Phone::seat(site, 8001, PHONE + 1, json!({ "answer": 200, "tone": site.tone(tone::SEAT) }));
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    finish_talk(&server, &mut caller, &mut after).is_perfect();
}

#[test]
fn a_phone_of_another_make_is_heard_over_udp() {
    another_make("udp");
}

#[test]
fn a_phone_of_another_make_is_heard_over_tcp() {
    another_make("tcp");
}

#[test]
fn a_phone_of_another_make_is_heard_over_tls_and_srtp() {
    another_make("tls");
}

/// baresip answers as a seat; both sides and the recording hear what they should.
fn another_make(transport: &str) {
    if !have(&[Tool::Pjsua, Tool::Baresip]) {
        return;
    }
    // Debian 12's baresip gives up at a challenge with SHA-256, even beside MD5.
    let server = Server::start(Site { digest: &["MD5"], ..Site::new().with_seat(8001) });
    let site = &server.site;
    let seat = Baresip::seat(site, 8001, PHONE, transport, &site.tone(tone::SEAT));
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    server.wait_live("the talk", |calls| calls.iter().any(|c| c["seat"] == 8001 && server.doing(8001) == "talking"));
    let heard = site.file("heard.wav");
    caller.record(&heard);
    // Not a synchronisation: this is the length of the talk.
    std::thread::sleep(s(3));
    caller.hang_up();
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered", "{}", seat.last_words());
    heard_well("the caller", &Wav::read(&heard), tone::SEAT);
    recorded_well(&server.export(&call), tone::CALLER, tone::SEAT).unwrap();
    let by_seat = until("what baresip heard", s(5), || seat.heard());
    heard_well("the seat", &Wav::read(&by_seat), tone::CALLER);
}
