//! A seat's phone transfers by REFER: the caller goes on to whom it named, and the phone is told how it went.

use serde_json::{Value, json};

use super::{CITIZEN, POLICE, POLICE_TOO, THIRD, Talk, header, hear, site};
use crate::e2e::rig::phone::Phone;
use crate::e2e::rig::server::Server;
use crate::e2e::rig::sipp::{Job, Sipp};
use crate::e2e::rig::site::{PHONE, Site, TELECOM};
use crate::e2e::rig::skip::{Tool, have};
use crate::e2e::rig::{s, tone};

impl Talk {
    /// The seat's phone sends REFER.
    fn refers(&mut self, number: &str) {
        let uri = format!("sip:{number}@{}", self.server.site.sip());
        self.seat.order(json!({ "do": "transfer", "uri": uri }));
    }

    /// The phone is told this.
    fn is_told(&self, code: u16) -> Value {
        self.seat.wait("transfer", |event| event["code"] == code)
    }
}

#[test]
fn a_phone_transfers_to_110_and_is_hung_up_when_that_has_answered() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let mut police = talk.police(POLICE, 180);
    talk.refers("110");
    talk.is_told(100);
    let invite = police.wait("incoming", |_| true);
    assert!(header(&invite, "P-Asserted-Identity:").contains(CITIZEN), "{invite}");
    talk.is_told(180);
    talk.is_of_two("while it rings");
    police.order(json!({ "do": "answer" }));
    police.wait_state("confirmed");
    assert_eq!(talk.is_told(200)["final"], true);
    talk.seat.wait_state("disconnected");
    talk.is_with_110("after the transfer", &mut police);
    let (server, record) = talk.over();
    assert_eq!(server.steps(&record, "transfer_ended")[0]["body"]["end"], "completed");
    assert_eq!(record["fate"], "answered");
}

#[test]
fn a_phone_that_hangs_up_at_once_leaves_the_caller_to_the_ringing_and_to_who_answers() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let mut police = talk.police(POLICE, 180);
    talk.refers("110");
    talk.is_told(100);
    talk.seat.hang_up();
    police.wait("incoming", |_| true);
    talk.server.wait_live("the caller to hear the ringing", |calls| calls[0]["place"] == "reaching");
    police.order(json!({ "do": "answer" }));
    police.wait_state("confirmed");
    talk.is_with_110("the agent is gone", &mut police);
    assert_eq!(talk.ends(1), [json!("handed_over")]);
    talk.over();
}

#[test]
fn a_phone_is_told_why_nobody_comes_and_keeps_the_caller() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10));
    let _busy = (talk.police(POLICE, 486), talk.police(POLICE_TOO, 486));
    for (number, code) in [("110", 486), ("12315", 603), ("8001", 404), ("nobody", 404)] {
        talk.refers(number);
        assert_eq!(talk.is_told(code)["final"], true, "{number}");
    }
    talk.is_of_two("after all of it");
    talk.over();
}

#[test]
fn a_phone_transfers_to_another_seat_which_has_the_call() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut talk = Talk::begin(site(10).with_seat(8002));
    let tone = talk.server.site.tone(THIRD);
    let mut other = Phone::seat(&talk.server.site, 8002, PHONE + 1, json!({ "tone": tone, "answer": 200 }));
    talk.server.make_ready(8002);
    talk.refers("8002");
    talk.is_told(200);
    talk.seat.wait_state("disconnected");
    hear(&talk.server, "two seats", vec![(&mut talk.caller, &[THIRD]), (&mut other, &[tone::CALLER])]);
    assert_eq!((talk.server.doing(8001).as_str(), talk.server.doing(8002).as_str()), ("idle", "talking"));
    talk.over();
}

#[test]
fn sipp_as_phones_that_refer_counts_what_the_books_say() {
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
    let mut seats = phone("seat_refers", PHONE, "seat.al");
    let mut police = phone("seat", POLICE, "police.al");
    (0..CALLS).for_each(|seat| server.make_ready(8001 + seat));
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    (job.calls, job.rate, job.pause_ms) = (CALLS, 4, 6_000);
    let mut callers = Sipp::start(site, &job);
    seats.expect_good(CALLS.into(), s(40));
    callers.expect_good(CALLS.into(), s(40));
    police.expect_good(CALLS.into(), s(20));
    let calls = server.wait_fates(CALLS as usize);
    let ends: Vec<Value> = calls.iter().flat_map(|call| server.steps(call, "transfer_ended")).collect();
    assert_eq!(ends.len(), CALLS as usize);
    assert!(ends.iter().all(|step| step["body"]["end"] == "completed"), "{ends:?}");
    assert!(calls.iter().all(|call| call["fate"] == "answered"), "{:?}", server.fates());
}

#[test]
fn a_caller_makes_nobody_dial() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site { more_plan: site(10).more_plan, ..Site::new().with_seat(8001) });
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let seat = Phone::seat(site, 8001, PHONE, json!({ "answer": 200 }));
    server.make_ready(8001);
    let mut caller = Sipp::start(site, &Job::call(site, "caller_refers", TELECOM, "12345"));
    seat.wait_state("disconnected");
    caller.expect_good(1, s(20));
    let record = server.wait_fates(1).remove(0);
    assert_eq!((record["fate"].as_str(), server.steps(&record, "dialled").len()), (Some("answered"), 0));
}
