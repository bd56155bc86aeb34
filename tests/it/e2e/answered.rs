//! A citizen calls, is greeted and answered; both are heard and recorded.

use std::time::Duration;

use serde_json::json;

use super::rig::listen::Sound;
use super::rig::phone::Phone;
use super::rig::s;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{LINE_12315, PHONE, Site, TELECOM, repository_prompts};
use super::rig::skip::{Tool, have};
use super::rig::tone;
use super::rig::wav::Wav;
use super::talk::{finish_talk, heard_well, one_of_each, recorded_well, talk};

#[test]
fn both_are_heard_and_recorded_on_their_channels() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let (server, mut caller, mut seat) = one_of_each(Site::new());
    let talk = talk(&server, &mut caller, &mut seat, "12345");
    talk.is_perfect();
    assert_eq!((&talk.call["line"], &talk.call["seat"]), (&json!("12345"), &json!(8001)));
    let swapped = recorded_well(&talk.recording.swapped(), tone::CALLER, tone::SEAT);
    assert!(swapped.is_err(), "a recording with swapped channels must be refused");
}

#[test]
fn the_call_to_12345_is_greeted_as_12345() {
    greeted("12345", TELECOM, "12315");
}

#[test]
fn the_call_to_12315_is_greeted_as_12315() {
    greeted("12315", LINE_12315, "12345");
}

/// The caller hears the prompt of the line dialled and no other, then a seat answers.
fn greeted(line: &str, trunk: u8, other: &str) {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    site.real_prompts = true;
    let server = Server::start(site);
    let seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut caller = Phone::caller(&server.site, trunk, json!({}));
    let file = server.site.file("greeting.wav");
    caller.record(&file);
    caller.call(&format!("sip:{line}@{}", server.site.sip()));
    let up = seat.wait_state("confirmed");
    caller.hang_up();
    let heard = Wav::read(&file);
    let prompt = |number: &str| Wav::read(&repository_prompts().join(format!("8k/greeting/{number}.wav")));
    let sound = Sound::of(&heard, 0, 0);
    let (likeness, unlikeness) = (sound.likeness(&prompt(line)), sound.likeness(&prompt(other)));
    assert!(likeness > 0.8, "the greeting of {line} was heard: {likeness}");
    assert!(unlikeness < 0.6, "the greeting of {other} was not heard: {unlikeness}");
    let call = server.wait_fates(1).remove(0);
    assert_eq!((call["fate"].as_str(), call["line"].as_str()), (Some("answered"), Some(line)));
    assert_eq!(server.steps(&call, "greeted")[0]["body"]["prompt"], format!("greeting/{line}"));
    let waited = up["at"].as_f64().unwrap() * 1000.0 - call["arrived_at"].as_f64().unwrap();
    let length = prompt(line).seconds() * 1000.0;
    assert!(
        (length - 200.0..length + 3000.0).contains(&waited),
        "answered after {waited} ms, when the greeting was over"
    );
}

#[test]
fn greeting_and_music_come_before_the_answer_where_the_plan_says_so() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let mut seat = Phone::seat(site, 8001, PHONE, json!({ "tone": site.tone(tone::SEAT), "answer": 180 }));
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12369@{}", site.sip()));
    seat.wait("incoming", |_| true);
    let early = site.file("early.wav");
    caller.record(&early);
    // Not a synchronisation: so long the seat rings.
    std::thread::sleep(Duration::from_millis(2500));
    caller.order(json!({ "do": "stop" }));
    caller.wait("recorded", |_| true);
    assert!(caller.told().iter().all(|e| e["state"] != "confirmed"), "nobody has answered yet");
    heard_well("music before the answer", &Wav::read(&early), tone::MUSIC);
    seat.order(json!({ "do": "answer" }));
    finish_talk(&server, &mut caller, &mut seat).is_perfect();
}

#[test]
fn a_caller_whose_carrier_offers_nothing_is_offered_something() {
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
    let mut job = Job::call(site, "caller_late", TELECOM, "12345");
    job.pause_ms = 4000;
    Sipp::start(site, &job).expect_good(1, s(15));
    seat.expect_good(1, s(10));
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered");
    recorded_well(&server.export(&call), tone::CALLER, tone::SEAT).unwrap();
}

#[test]
fn a_caller_leaves_the_queue() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    tone::write_alaw(&server.site.file("tone.al"), tone::CALLER);
    let mut job = Job::call(&server.site, "caller", TELECOM, "12345");
    job.pause_ms = 1500;
    Sipp::start(&server.site, &job).expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["queue"]), (&json!("abandoned_in_queue"), &json!("general")));
    assert_eq!(call["recording"], json!(null), "nobody talked");
}

#[test]
fn a_caller_gives_up_before_the_answer() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    let mut job = Job::call(&server.site, "caller_cancels", TELECOM, "12369");
    job.pause_ms = 1000;
    Sipp::start(&server.site, &job).expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "abandoned_in_queue");
    assert!(server.steps(&call, "answered_by_exchange").is_empty());
}

#[test]
fn a_seat_hangs_up_and_the_caller_is_released() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    tone::write_alaw(&server.site.file("tone.al"), tone::CALLER);
    let mut seat = Phone::seat(&server.site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut job = Job::call(&server.site, "caller_stays", TELECOM, "12345");
    job.replace.push(("PATIENCE_MS", b"15000".to_vec()));
    let mut caller = Sipp::start(&server.site, &job);
    seat.wait_state("confirmed");
    std::thread::sleep(Duration::from_millis(500));
    seat.hang_up();
    caller.expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["seat"]), (&json!("answered"), &json!(8001)));
}
