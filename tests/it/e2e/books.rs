//! The books: rows of the ledger plus counters of refusals equal what SIPp counted, exactly.

use super::rig::s;
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{LINE_12315, PHONE, STRANGER, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::{tone, until};

#[test]
fn rows_and_refusals_equal_what_sipp_counted() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut site = Site::new();
    for number in 8001..8005 {
        site = site.with_fixed_seat(number, PHONE);
    }
    let more = site.street.at(LINE_12315 + 1);
    site.trunks[1].1.push(more);
    // Fewer calls than come at a time, so that some are refused before admission.
    site.max_calls = 40;
    // SIPp as a seat forgets the 487 when a CANCEL comes while it pauses: such a leg ends by its timer of 64 * T1.
    site.timers = "t1_ms = 100".to_owned();
    let server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat", PHONE);
    (job.calls, job.pause_ms) = (100_000, 50);
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let _seats = Sipp::start(site, &job);
    for number in 8001..8005 {
        server.make_ready(number);
    }
    let many = |mut job: Job, calls, rate, pause_ms| {
        (job.calls, job.rate, job.pause_ms) = (calls, rate, pause_ms);
        job
    };
    let refused = |mut job: Job, status: &str| {
        job.replace.push(("STATUS", status.as_bytes().to_vec()));
        job.replace.push(("PATIENCE_MS", b"1000".to_vec()));
        job
    };
    let jobs = [
        // 80 that last 2 s at 40/s over at most 40 calls: some talk, some wait, some are refused.
        many(Job::call(site, "caller_or_refused", TELECOM, "12345"), 80, 40, 2000),
        many(Job::call(site, "caller_cancels", LINE_12315, "12369"), 15, 10, 300),
        many(refused(Job::call(site, "caller_refused", LINE_12315 + 1, "99999"), "404"), 15, 10, 0),
        many(refused(Job::call(site, "caller_unheard", STRANGER, "12345"), "403"), 10, 10, 0),
    ];
    let mut running: Vec<Sipp> = jobs.iter().map(|job| Sipp::start(site, job)).collect();
    let created: u64 = running.iter_mut().map(|sipp| sipp.finish(s(60)).created).sum();
    assert_eq!(created, 80 + 15 + 15 + 10);
    let fated = until("every call to have its fate", s(20), || {
        let calls = server.calls();
        calls.iter().all(|call| call["fate"].is_string()).then_some(calls)
    });
    let counters = server.get("/api/v1/counters");
    let count = |name: &str| counters[name].as_u64().unwrap();
    assert_eq!(count("received"), created, "{counters}");
    assert_eq!(count("admitted"), fated.len() as u64, "{counters}");
    assert_eq!(fated.len() as u64 + count("refused_total"), created, "{counters}");
    assert!(count("refused_total") > 10, "strangers and overload: {counters}");
    assert!(fated.iter().any(|call| call["fate"] == "answered"), "{:?}", server.fates());
}
