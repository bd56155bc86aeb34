//! `kill -9` amid recorded calls.

use std::time::{SystemTime, UNIX_EPOCH};

use super::rig::s;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::tone;
use super::talk::recorded_well;

const CALLS: u32 = 20;

#[test]
fn a_kill_amid_twenty_calls_loses_no_fate_and_no_second_of_sound() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut site = Site::new();
    for number in 8001..8001 + CALLS {
        site = site.with_fixed_seat(number, PHONE);
    }
    let mut server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat", PHONE);
    (job.calls, job.pause_ms) = (CALLS, 100);
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let _seats = Sipp::start(site, &job);
    for number in 8001..8001 + CALLS {
        server.make_ready(number);
    }
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    (job.calls, job.pause_ms) = (CALLS, 60_000);
    let _callers = Sipp::start(site, &job);
    server.wait_live("twenty talks", |calls| {
        calls.len() == CALLS as usize && calls.iter().all(|call| call["place"].to_string().contains("talking"))
    });
    // Not a synchronisation: so long they have talked at least.
    std::thread::sleep(s(4));
    server.kill();
    let cut = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    server.restart();
    let calls = server.wait_fates(CALLS as usize);
    for call in &calls {
        assert_eq!(call["fate"], "cut_by_restart", "{call}");
        let talked = cut - call["answered_at"].as_f64().unwrap() / 1000.0;
        let recording = server.export(call);
        let length = recording.seconds();
        assert!((talked - 1.0..talked + 0.2).contains(&length), "{length:.2} s of {talked:.2} s play: {call}");
        recorded_well(&recording, tone::CALLER, tone::SEAT).unwrap_or_else(|why| panic!("{why}: {call}"));
    }
}
