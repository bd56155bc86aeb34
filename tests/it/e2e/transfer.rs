//! An agent brings 110 into a talk from the telephone: everybody hears whom they should in each state, and the caller always
//! has somebody.

mod refer;

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::listen::Sound;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::wav::Wav;
use super::rig::{s, tone, until};

/// The trunk of the police, and the one that is tried after it.
const POLICE: u8 = 30;
const POLICE_TOO: u8 = 31;
/// The tone of 110.
const THIRD: f64 = tone::OTHER_SEAT;
/// The citizen's number.
const CITIZEN: &str = "13900000000";

/// Two ways to 110: the first shows the citizen's number, the second only ours.
fn site(ring_s: u32) -> Site {
    let mut site = Site::new().with_seat(8001);
    let way = |name: &str, host: u8, caller: &str| {
        let address = site.street.at(host);
        format!(
            "[[trunk]]\nname = {name:?}\nnetwork = \"main\"\nsources = [\"{address}\"]\naddress = \"sip:{address}:5060\"\n\
             area_code = \"816\"\ncaller = {{ {caller} }}\n"
        )
    };
    site.more_plan = way("police", POLICE, "policy = \"callers\", diversion = \"12345\"")
        + &way("police-too", POLICE_TOO, "policy = \"own\", number = \"12345\"")
        + &format!("[outgoing]\nemergency_trunk = \"police\"\nemergency_ring_s = {ring_s}\n");
    site
}

/// A caller of 12345 who talks with the seat.
struct Talk {
    server: Server,
    caller: Phone,
    seat: Phone,
}

impl Talk {
    fn begin(site: Site) -> Talk {
        let server = Server::start(site);
        let tone = |hertz: f64| server.site.tone(hertz);
        let seat = Phone::seat(&server.site, 8001, PHONE, json!({ "tone": tone(tone::SEAT), "answer": 200 }));
        server.make_ready(8001);
        let mut caller = Phone::caller(&server.site, TELECOM, json!({ "tone": tone(tone::CALLER) }));
        caller.call(&format!("sip:12345@{}", server.site.sip()));
        seat.wait_state("confirmed");
        caller.wait_state("confirmed");
        server.wait_live("the talk", |calls| calls.iter().any(|call| call["place"] == "talking"));
        Talk { server, caller, seat }
    }

    /// A telephone behind a trunk of the police that answers with this status.
    fn police(&self, host: u8, answer: u16) -> Phone {
        let tone = self.server.site.tone(THIRD);
        Phone::caller(&self.server.site, host, json!({ "user": "110", "answer": answer, "tone": tone }))
    }

    fn keys(&mut self, digits: &str) {
        self.seat.order(json!({ "do": "dtmf", "digits": digits, "method": "event" }));
    }

    /// Caller and agent hear each other and nobody else.
    fn is_of_two(&mut self, name: &str) {
        let (caller, seat) = (&mut self.caller, &mut self.seat);
        hear(&self.server, name, vec![(caller, &[tone::SEAT]), (seat, &[tone::CALLER])]);
    }

    /// All three hear the two others and nobody else.
    fn is_of_three(&mut self, name: &str, police: &mut Phone) {
        let (caller, seat) = (&mut self.caller, &mut self.seat);
        let both = [tone::CALLER, tone::SEAT];
        hear(&self.server, name, vec![(caller, &[tone::SEAT, THIRD]), (seat, &[tone::CALLER, THIRD]), (police, &both)]);
    }

    /// Caller and 110 hear each other and nobody else.
    fn is_with_110(&mut self, name: &str, police: &mut Phone) {
        hear(&self.server, name, vec![(&mut self.caller, &[THIRD]), (police, &[tone::CALLER])]);
    }

    /// The one call's steps of a kind, when there are so many.
    fn steps(&self, kind: &str, count: usize) -> Vec<Value> {
        let call = self.server.calls().remove(0);
        until(&format!("{count} steps {kind:?}"), s(30), || {
            let steps = self.server.steps(&call, kind);
            (steps.len() >= count).then_some(steps)
        })
    }

    /// The ends of the transfers, when there are so many.
    fn ends(&self, count: usize) -> Vec<Value> {
        self.steps("transfer_ended", count).iter().map(|step| step["body"]["end"].clone()).collect()
    }

    /// The caller hangs up: the one record.
    fn over(mut self) -> (Server, Value) {
        self.caller.hang_up();
        let record = self.server.wait_fates(1).remove(0);
        (self.server, record)
    }
}

/// What each of these hears now, at the same time: these tones and nothing else.
fn hear(server: &Server, name: &str, mut phones: Vec<(&mut Phone, &[f64])>) {
    let file = |n: usize| server.site.file(&format!("{name}-{n}.wav"));
    // Not a synchronisation: a telephone's buffer follows a stream that begins anew for a second.
    std::thread::sleep(Duration::from_millis(1_500));
    for (n, (phone, _)) in phones.iter_mut().enumerate() {
        phone.record(&file(n));
    }
    // Not a synchronisation: this is how long they listen.
    std::thread::sleep(Duration::from_millis(2_000));
    for (n, (phone, tones)) in phones.iter_mut().enumerate() {
        phone.order(json!({ "do": "stop" }));
        phone.wait("recorded", |_| true);
        let heard = Wav::read(&file(n));
        let sound = Sound::of(&heard, 0, 300);
        assert_eq!(sound.is_chord(tones), Ok(()), "{name}, telephone {n}");
        assert_eq!(sound.has_no_gap(), Ok(()), "{name}, telephone {n}");
    }
}

/// The header of this name in an INVITE.
fn header<'a>(invite: &'a Value, name: &str) -> &'a str {
    let text = invite["message"].as_str().unwrap();
    text.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}

#[test]
fn one_key_brings_110_in_all_three_hear_each_other_and_the_agent_may_leave() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let mut police = talk.police(POLICE, 180);
    talk.keys("*110#");
    let invite = police.wait("incoming", |_| true);
    assert!(invite["message"].as_str().unwrap().starts_with("INVITE sip:110@"), "{invite}");
    assert!(header(&invite, "P-Asserted-Identity:").contains(CITIZEN), "the police see who calls: {invite}");
    assert!(header(&invite, "Diversion:").contains("12345"), "and by which line: {invite}");
    talk.is_of_two("while it rings");
    police.order(json!({ "do": "answer" }));
    police.wait_state("confirmed");
    talk.is_of_three("three", &mut police);
    talk.seat.hang_up();
    talk.is_with_110("without the agent", &mut police);
    let (server, record) = talk.over();
    police.wait_state("disconnected");
    assert_eq!((&record["fate"], &record["seat"]), (&json!("answered"), &json!(8001)));
    let steps = |kind| server.steps(&record, kind);
    assert_eq!(steps("transfer_begun")[0]["body"]["to"], "110");
    assert_eq!(steps("transfer_answered").len(), 1);
    assert_eq!(steps("transfer_ended")[0]["body"]["end"], "completed");
    let recording = server.export(&record);
    let channel = |n| Sound::of(&recording, n, 500);
    assert_eq!(channel(0).is_tone(tone::CALLER), Ok(()), "the caller, through all of it");
    let others = channel(1).order_of(&[tone::CALLER, tone::SEAT, THIRD, tone::MUSIC]);
    assert_eq!(others, [vec![tone::SEAT], vec![tone::SEAT, THIRD], vec![THIRD]], "everybody else");
}

/// The first way does this; 110 is reached over the second, which is told our number only.
fn next_way(police: impl FnOnce(&Talk) -> Option<Phone>, name: &str) {
    let mut talk = Talk::begin(site(4));
    let first = police(&talk);
    let mut second = talk.police(POLICE_TOO, 200);
    talk.keys("*110#");
    let invite = second.wait("incoming", |_| true);
    second.wait_state("confirmed");
    assert!(header(&invite, "From:").contains("12345") && !header(&invite, "From:").contains(CITIZEN), "{invite}");
    talk.is_of_three(name, &mut second);
    second.hang_up();
    assert_eq!(talk.ends(1), [json!("guest_left")]);
    talk.is_of_two(&format!("{name}, 110 has left"));
    let (server, record) = talk.over();
    assert_eq!(server.steps(&record, "dialled").len(), 2, "each way once");
    if let Some(first) = first {
        let asked = first.messages().matches("INVITE sip:110@").count();
        assert!(asked >= 1, "the first way was asked");
    }
}

#[test]
fn a_way_to_110_that_is_refused_is_followed_by_the_next() {
    if have(&[Tool::Pjsua]) {
        next_way(|talk| Some(talk.police(POLICE, 603)), "refused");
    }
}

#[test]
fn a_way_to_110_that_is_busy_is_followed_by_the_next() {
    if have(&[Tool::Pjsua]) {
        next_way(|talk| Some(talk.police(POLICE, 486)), "busy");
    }
}

#[test]
fn a_way_to_110_that_rings_in_vain_is_followed_by_the_next() {
    if have(&[Tool::Pjsua]) {
        next_way(|talk| Some(talk.police(POLICE, 180)), "silent");
    }
}

#[test]
fn a_way_to_110_that_is_out_of_order_is_followed_by_the_next() {
    if have(&[Tool::Pjsua]) {
        next_way(|talk| Some(talk.police(POLICE, 503)), "out of order");
    }
}

#[test]
fn a_way_to_110_where_nobody_is_is_followed_by_the_next() {
    if have(&[Tool::Pjsua]) {
        next_way(|_| None, "dead");
    }
}

#[test]
fn when_no_way_leads_to_110_caller_and_agent_have_each_other_and_may_try_again() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(4));
    let (_refuses, busy) = (talk.police(POLICE, 603), talk.police(POLICE_TOO, 486));
    talk.keys("*110#");
    busy.wait_state("disconnected");
    assert_eq!(talk.ends(1), [json!({ "failed": { "cause": "busy" } })]);
    talk.is_of_two("after all ways");
    talk.keys("*110#");
    busy.wait_state("disconnected");
    assert_eq!(talk.ends(2).len(), 2);
    talk.is_of_two("after all ways, again");
    let (_, record) = talk.over();
    assert_eq!(record["fate"], "answered");
}

#[test]
fn an_agent_who_vanishes_while_110_rings_leaves_the_caller_to_110() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    // A probe without answer fails after 64 * T1.
    let mut talk = Talk::begin(Site { media: "silence_s = 5", timers: "t1_ms = 50".to_owned(), ..site(40) });
    let mut police = talk.police(POLICE, 180);
    talk.keys("*110#");
    police.wait("incoming", |_| true);
    talk.seat.kill();
    talk.server.wait_live("the caller to hear the ringing", |calls| calls[0]["place"] == "reaching");
    police.order(json!({ "do": "answer" }));
    police.wait_state("confirmed");
    talk.is_with_110("the agent is lost", &mut police);
    assert_eq!(talk.ends(1), [json!("handed_over")]);
    let (_, record) = talk.over();
    assert_eq!(record["fate"], "answered", "by the agent who was there first");
}

#[test]
fn an_agent_who_vanishes_after_110_has_answered_leaves_the_two_talking() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(Site { media: "silence_s = 5", timers: "t1_ms = 50".to_owned(), ..site(10) });
    let mut police = talk.police(POLICE, 200);
    talk.keys("*110#");
    police.wait_state("confirmed");
    talk.seat.kill();
    talk.server.wait_live("the seat to be given up", |calls| calls[0]["place"] == "outside");
    talk.is_with_110("the agent is lost", &mut police);
    police.hang_up();
    talk.caller.wait_state("disconnected");
    assert_eq!(talk.server.wait_fates(1)[0]["fate"], "answered");
}

#[test]
fn a_caller_who_leaves_a_talk_of_three_leaves_the_others_talking() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let mut police = talk.police(POLICE, 200);
    talk.keys("*110#");
    police.wait_state("confirmed");
    talk.caller.hang_up();
    let seat = &mut talk.seat;
    hear(&talk.server, "the caller left", vec![(seat, &[THIRD]), (&mut police, &[tone::SEAT])]);
    police.hang_up();
    seat.wait_state("disconnected");
    assert_eq!(talk.server.wait_fates(1)[0]["fate"], "answered");
}

#[test]
fn an_answer_of_110_that_crosses_our_withdrawal_is_acknowledged_and_ended() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let mut police = Sipp::start(&talk.server.site, &Job::phone(&talk.server.site, "carrier_crosses", POLICE));
    talk.keys("*110#");
    until("110 to ring", s(10), || police.text().contains("180 Ringing").then_some(()));
    talk.caller.hang_up();
    talk.seat.wait_state("disconnected");
    police.expect_good(1, s(15));
    let record = talk.server.wait_fates(1).remove(0);
    assert_eq!(record["fate"], "answered");
    assert_eq!(talk.server.steps(&record, "transfer_ended")[0]["body"]["end"], "call_ended");
}

#[test]
fn the_books_of_transfers_equal_what_sipp_counted() {
    const CALLS: u32 = 12;
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut site = site(10);
    site.seats.clear();
    for seat in 0..CALLS {
        site = site.with_fixed_seat(8001 + seat, PHONE);
    }
    let server = Server::start(site);
    let site = &server.site;
    for (file, hertz) in [("tone.al", tone::CALLER), ("seat.al", tone::SEAT), ("police.al", THIRD)] {
        tone::write_alaw(&site.file(file), hertz);
    }
    let phone = |scenario, host, file: &str| {
        let mut job = Job::phone(site, scenario, host);
        (job.calls, job.pause_ms) = (CALLS, 200);
        job.replace.push(("TONE", file.as_bytes().to_vec()));
        Sipp::start(site, &job)
    };
    let mut seats = phone("seat_keys_110", PHONE, "seat.al");
    let mut police = phone("seat", POLICE, "police.al");
    (0..CALLS).for_each(|seat| server.make_ready(8001 + seat));
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    (job.calls, job.rate, job.pause_ms) = (CALLS, 4, 9_000);
    let mut callers = Sipp::start(site, &job);
    seats.expect_good(CALLS.into(), s(40));
    callers.expect_good(CALLS.into(), s(40));
    police.expect_good(CALLS.into(), s(20));
    let calls = server.wait_fates(CALLS as usize);
    assert!(calls.iter().all(|call| call["fate"] == "answered"), "{:?}", server.fates());
    for kind in ["transfer_begun", "transfer_answered", "transfer_ended"] {
        let steps: Vec<Value> = calls.iter().flat_map(|call| server.steps(call, kind)).collect();
        assert_eq!(steps.len(), CALLS as usize, "{kind}");
        assert!(kind != "transfer_ended" || steps.iter().all(|step| step["body"]["end"] == "completed"), "{steps:?}");
    }
    let counters = server.get("/api/v1/counters");
    assert_eq!((&counters["received"], &counters["admitted"]), (&json!(CALLS), &json!(CALLS)), "{counters}");
}
