//! A desk at work over the interface, with real telephones: it calls a citizen or another seat, answers, holds, takes back and hangs
//! up; and what it learns of a carrier that is busy, silent or out of order.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::listen::level_db;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{LINE_12315, PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{http, s, tone};
use super::talk::{TALK, heard_well, long_enough, moment, recorded_well};

const CITIZEN: &str = "13900001111";

/// An agent with a session and a seat.
struct Agent {
    token: String,
}

impl Agent {
    /// A new account with the seat as its own; the seat is signed in by it.
    fn at(server: &Server, seat: u32) -> Agent {
        let (at, login) = (server.site.http(), format!("agent{seat}"));
        let account = json!({
            "login": login, "name": "王芳", "roles": ["agent"], "number": seat, "seat": seat, "skills": { "general": 5 },
        });
        let made = post(server, server.token(), "accounts", &account, 201);
        let once = made["password"].as_str().expect("a password");
        let password = "four words of its own";
        let first = sign_in(server, &login, once);
        let change = json!({ "old": once, "new": password }).to_string();
        assert_eq!(http::put(at, "/api/v1/me/password", &first, &change).unwrap().0, 204);
        let agent = Agent { token: sign_in(server, &login, password) };
        agent.post(server, &format!("seats/{seat}/presence"), &json!({ "choice": "sign_in" }), 204);
        agent
    }

    fn post(&self, server: &Server, path: &str, body: &Value, wants: u16) -> Value {
        post(server, &self.token, path, body, wants)
    }

    /// Orders a call; its id.
    fn calls(&self, server: &Server, number: &str, more: Value) -> String {
        let mut order = json!({ "number": number });
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(server, "calls", &order, 201)["call"].as_str().unwrap().to_owned()
    }

    fn tells(&self, server: &Server, call: &str, what: &str) {
        self.post(server, &format!("calls/{call}/{what}"), &json!({}), 204);
    }
}

fn sign_in(server: &Server, login: &str, password: &str) -> String {
    let session = post(server, "", "sign-in", &json!({ "login": login, "password": password }), 200);
    session["token"].as_str().expect("a token").to_owned()
}

fn post(server: &Server, token: &str, path: &str, body: &Value, wants: u16) -> Value {
    let (status, said) = http::post(server.site.http(), &format!("/api/v1/{path}"), token, &body.to_string()).unwrap();
    assert_eq!(status, wants, "{path} {body}: {said}");
    serde_json::from_str(&said).unwrap_or_default()
}

/// A seat's phone that answers by itself.
fn desk(server: &Server, number: u32, host: u8, hertz: f64) -> Phone {
    Phone::seat(&server.site, number, host, json!({ "answer": 200, "tone": server.site.tone(hertz) }))
}

/// Both hear each other's tone and nothing else.
fn both_hear(server: &Server, name: &str, one: (&mut Phone, f64), other: (&mut Phone, f64)) {
    let (one, tone_of_one, other, tone_of_other) = (one.0, one.1, other.0, other.1);
    let files = [server.site.file(&format!("{name}-one.wav")), server.site.file(&format!("{name}-other.wav"))];
    one.record(&files[0]);
    other.record(&files[1]);
    // Not a synchronisation: this is the length of what is listened to.
    std::thread::sleep(TALK);
    for (phone, file, hertz) in [(one, &files[0], tone_of_other), (other, &files[1], tone_of_one)] {
        phone.order(json!({ "do": "stop" }));
        phone.wait("recorded", |_| true);
        heard_well(name, &Wav::read(file), hertz);
    }
}

/// What somebody hears now for a second and a half.
fn hears(server: &Server, name: &str, phone: &mut Phone) -> Wav {
    let file = server.site.file(&format!("{name}.wav"));
    phone.record(&file);
    // Not a synchronisation: this is the length of what is listened to.
    std::thread::sleep(Duration::from_millis(1_500));
    phone.order(json!({ "do": "stop" }));
    phone.wait("recorded", |_| true);
    Wav::read(&file)
}

fn record_of(server: &Server, calls: usize, id: &str) -> Value {
    server.wait_fates(calls).into_iter().find(|call| call["id"] == id).expect("its record")
}

#[test]
fn a_seat_calls_a_citizen_back_holds_takes_back_and_hangs_up_by_command() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    site.calls_out = true;
    let server = Server::start(site);
    let mut seat = desk(&server, 8001, PHONE, tone::SEAT);
    let mut citizen =
        Phone::caller(&server.site, TELECOM, json!({ "answer": 200, "tone": server.site.tone(tone::CALLER) }));
    let agent = Agent::at(&server, 8001);
    // A call that nobody takes.
    citizen.call(&format!("sip:12345@{}", server.site.sip()));
    citizen.wait_state("confirmed");
    citizen.hang_up();
    let missed = server.wait_fates(1).remove(0)["id"].as_str().unwrap().to_owned();

    let call = agent.calls(&server, CITIZEN, json!({ "line": "12345", "linked": missed }));
    let rang = seat.wait("incoming", |_| true);
    seat.wait_state("confirmed");
    let called = citizen.wait("incoming", |_| true);
    assert!(moment(&rang) < moment(&called), "the own phone rings first");
    let invite = called["message"].as_str().unwrap();
    assert!(invite.starts_with(&format!("INVITE sip:{CITIZEN}@")), "{invite}");
    assert!(invite.lines().any(|line| line.starts_with("From:") && line.contains("sip:12345@")), "{invite}");
    citizen.wait_state("confirmed");
    both_hear(&server, "talk", (&mut seat, tone::SEAT), (&mut citizen, tone::CALLER));

    agent.tells(&server, &call, "hold");
    heard_well("a citizen on hold", &hears(&server, "held", &mut citizen), tone::MUSIC);
    agent.tells(&server, &call, "retrieve");
    // Not a synchronisation: a telephone's buffer follows a stream that begins anew for a second or two, and drops or doubles
    // a frame meanwhile: no gap, and no pure tone either.
    std::thread::sleep(TALK);
    both_hear(&server, "again", (&mut seat, tone::SEAT), (&mut citizen, tone::CALLER));

    agent.tells(&server, &call, "hang-up");
    seat.wait_state("disconnected");
    citizen.wait_state("disconnected");
    let record = record_of(&server, 2, &call);
    assert_eq!((&record["fate"], &record["linked"]), (&json!("reached"), &json!(missed)));
    let found: Value = serde_json::from_str(&server.yihao(&["calls", "--json", "--number", CITIZEN])).unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &json!(call)), "found by the number called");
    let told = server.yihao(&["calls", &call]);
    assert!(told.contains("over telecom") && told.matches("pcma, MOS 4.").count() == 2, "{told}");
}

#[test]
fn a_seat_hears_the_carrier_before_the_citizen_answers_and_is_not_heard_there() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    site.calls_out = true;
    let server = Server::start(site);
    let mut seat = desk(&server, 8001, PHONE, tone::SEAT);
    let announces = json!({ "answer": 183, "tone": server.site.tone(tone::CALLER) });
    let mut citizen = Phone::caller(&server.site, TELECOM, announces);
    let agent = Agent::at(&server, 8001);
    let call = agent.calls(&server, CITIZEN, json!({}));
    citizen.wait("media", |_| true);
    let early = server.site.file("early.wav");
    citizen.record(&early);
    heard_well("the seat", &hears(&server, "announced", &mut seat), tone::CALLER);
    citizen.order(json!({ "do": "stop" }));
    citizen.wait("recorded", |_| true);
    let early = Wav::read(&early);
    let voice = level_db(&early.channels[0], early.rate, tone::SEAT);
    assert!(early.seconds() > 1.0 && voice < -60.0, "{voice:.1} dB before the answer");

    citizen.order(json!({ "do": "answer" }));
    let up = citizen.wait_state("confirmed");
    both_hear(&server, "talk", (&mut seat, tone::SEAT), (&mut citizen, tone::CALLER));
    agent.tells(&server, &call, "hang-up");
    let down = citizen.wait_state("disconnected");
    let recording = server.export(&record_of(&server, 1, &call));
    recorded_well(&recording, tone::CALLER, tone::SEAT).unwrap();
    long_enough("the recording", &recording, moment(&down) - moment(&up));
}

#[test]
fn a_seat_calls_another_seat_and_both_are_recorded() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001).with_seat(8002));
    let mut seat = desk(&server, 8001, PHONE, tone::SEAT);
    let mut other = desk(&server, 8002, PHONE + 1, tone::CALLER);
    server.make_ready(8002);
    let agent = Agent::at(&server, 8001);
    let call = agent.calls(&server, "8002", json!({}));
    other.wait_state("confirmed");
    seat.wait_state("confirmed");
    server.wait_live("the talk", |calls| calls.iter().any(|live| live["place"] == "called"));
    both_hear(&server, "seats", (&mut seat, tone::SEAT), (&mut other, tone::CALLER));
    other.hang_up();
    seat.wait_state("disconnected");
    let record = record_of(&server, 1, &call);
    assert_eq!(record["fate"], "reached");
    // Whom the seat called is on the left channel, where a caller would be.
    recorded_well(&server.export(&record), tone::CALLER, tone::SEAT).unwrap();
}

#[test]
fn a_phone_that_takes_it_is_told_to_answer() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_fixed_seat(8001, PHONE));
    let site = &server.site;
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat_told", PHONE);
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let mut phone = Sipp::start(site, &job);
    let agent = Agent::at(&server, 8001);
    agent.post(&server, "seats/8001/presence", &json!({ "choice": "ready" }), 204);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    let live = server.wait_live("the phone to ring", |_| server.doing(8001) == "ringing");
    agent.tells(&server, live[0]["call"].as_str().unwrap(), "answer");
    server.wait_live("the talk", |_| server.doing(8001) == "talking");
    heard_well("the caller", &hears(&server, "answered", &mut caller), tone::SEAT);
    agent.tells(&server, live[0]["call"].as_str().unwrap(), "hang-up");
    caller.wait_state("disconnected");
    phone.expect_good(1, s(10));
    assert_eq!(server.wait_fates(1)[0]["fate"], "answered");
}

/// A citizen is called over carriers that do as their scenarios say: the record, with its steps.
fn called_over(carriers: &[(u8, &'static str)]) -> Option<(Value, Vec<Sipp>)> {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return None;
    }
    let mut site = Site::new().with_seat(8001);
    (site.calls_out, site.more_plan) = (true, "[outgoing]\nring_s = 5\n".to_owned());
    let server = Server::start(site);
    tone::write_alaw(&server.site.file("seat.al"), tone::CALLER);
    let job = |(host, scenario): &(u8, &'static str)| {
        let mut job = Job::phone(&server.site, scenario, *host);
        job.pause_ms = 100;
        job.replace.push(("TONE", b"seat.al".to_vec()));
        Sipp::start(&server.site, &job)
    };
    let mut sipps: Vec<Sipp> = carriers.iter().map(job).collect();
    let mut seat = desk(&server, 8001, PHONE, tone::SEAT);
    let agent = Agent::at(&server, 8001);
    let call = agent.calls(&server, CITIZEN, json!({}));
    seat.wait_state("confirmed");
    if carriers.iter().any(|(_, scenario)| *scenario == "seat") {
        server.wait_live("the talk", |calls| calls.iter().any(|live| live["place"] == "called"));
        heard_well("the seat", &hears(&server, "citizen", &mut seat), tone::CALLER);
        seat.hang_up();
    } else {
        // It hears why, then it is hung up on.
        seat.wait_state("disconnected");
    }
    for sipp in &mut sipps {
        sipp.expect_good(1, s(15));
    }
    let record = record_of(&server, 1, &call);
    Some((server.timeline(&record), sipps))
}

#[test]
fn a_busy_citizen_is_not_asked_for_over_another_carrier() {
    let Some((told, _)) = called_over(&[(TELECOM, "seat_busy")]) else { return };
    assert_eq!((&told["call"]["fate"], &told["call"]["cause"]), (&json!("not_reached"), &json!("busy")), "{told}");
}

#[test]
fn a_citizen_who_does_not_answer_is_given_up() {
    let Some((told, _)) = called_over(&[(TELECOM, "seat_silent")]) else { return };
    assert_eq!((&told["call"]["fate"], &told["call"]["cause"]), (&json!("not_reached"), &json!("no_answer")), "{told}");
}

#[test]
fn the_next_carrier_of_the_group_serves_when_the_first_cannot() {
    let Some((told, _)) = called_over(&[(TELECOM, "carrier_fails"), (LINE_12315, "seat")]) else { return };
    assert_eq!(told["call"]["fate"], "reached", "{told}");
}
