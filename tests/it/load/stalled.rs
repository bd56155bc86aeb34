//! One of two media workers stands still under load: calls of the other go on, an alarm says so, afterwards all goes on.

use std::path::Path;
use std::process::Command;

use super::books::balance;
use super::{Much, callers, process, site, with_sipp_seats};
use crate::e2e::rig::process::Process;
use crate::e2e::rig::site::{LINE_12315, TELECOM};
use crate::e2e::rig::skip::{Tool, have};
use crate::e2e::rig::{s, until};

const STALL_S: &str = "6";

#[test]
fn a_media_worker_that_stands_still_raises_an_alarm_and_costs_the_others_no_call() {
    if !have(&[Tool::Sipp, Tool::Tracing]) {
        return;
    }
    let mut site = site(60);
    site.media = "workers = 2";
    let (server, _seats) = with_sipp_seats(site);
    let stalled = || server.metric("yihao_media_workers_stalled") > 0.5;
    assert!(!stalled(), "idle workers are no alarm");
    let much = Much { calls: 20, per_s: 20, talk_ms: 12_000 };
    let mut live = callers(&server.site, "caller", (TELECOM, "12345"), much);
    server.wait_live("twenty talks", |calls| calls.len() == 20 && calls.iter().all(|call| call["place"] == "talking"));
    let thread = process::threads(server.pid(), "media-0").unwrap().pop().expect("the first worker");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/load/stall.py");
    let mut command = Command::new("python3");
    command.arg(script).args([&thread.to_string(), STALL_S]);
    let mut stall = Process::start("stall.py", command, &server.site.file("stall.log"));
    until("the alarm", s(5), || stalled().then_some(()));
    let much = Much { calls: 30, per_s: 10, talk_ms: 100 };
    let mut new = callers(&server.site, "caller_timed", (LINE_12315, "12369"), much);
    let status = stall.wait(s(20));
    assert!(status.success(), "{}", stall.last_words());
    until("the end of the alarm", s(5), || (!stalled()).then_some(()));
    new.expect_good(30, s(40));
    live.expect_good(20, s(40));
    let set_ups = new.set_ups_ms();
    let at_once = set_ups.iter().filter(|ms| **ms < 500.0).count();
    eprintln!("while one of two workers stood still, {at_once} of 30 new calls came through within 500 ms");
    assert!(at_once >= 5, "calls of the other worker come through at once: {set_ups:?}");
    let books = balance(&server);
    assert_eq!((books.calls(), books.answered()), (50, 50));
}
