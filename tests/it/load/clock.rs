//! The system's clock is stepped by an hour under load: no call ends, no timer fires early, records tell durations as they were.
//!
//! libfaketime stands between the shipped binary and the system's clock, so that the step is one as the binary would see it
//! and nothing in it is there for the test.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::books::balance;
use super::{Much, callers, site, with_sipp_seats};
use crate::e2e::rig::site::TELECOM;
use crate::e2e::rig::skip::{Tool, faketime, have};
use crate::e2e::rig::{s, until};

const CALLS: u32 = 20;
const TALK_MS: u32 = 9_000;
const HOUR_MS: f64 = 3_600_000.0;

#[test]
fn a_clock_that_steps_by_an_hour_forth_and_back_ends_no_call_and_falsifies_no_duration() {
    if !have(&[Tool::Sipp, Tool::Faketime]) {
        return;
    }
    let mut site = site(CALLS);
    let step = site.file("clock");
    set(&step, 0);
    let variables = [
        ("LD_PRELOAD", faketime().unwrap().to_str().unwrap().to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", step.to_str().unwrap().to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    site.environment.extend(variables);
    let (server, _seats) = with_sipp_seats(site);
    let ended = || server.metric("yihao_calls_ended_total");
    for (count, hours) in [(1, 1), (2, 0)] {
        let much = Much { calls: CALLS, per_s: 20, talk_ms: TALK_MS };
        let mut sipp = callers(&server.site, "caller", (TELECOM, "12345"), much);
        server.wait_live("all to talk", |calls| {
            calls.len() == CALLS as usize && calls.iter().all(|call| call["place"] == "talking")
        });
        let before = ended();
        set(&step, hours);
        sipp.expect_good(CALLS.into(), s(40));
        until("the ends of the calls", s(10), || (ended() >= before + f64::from(CALLS)).then_some(()));
        assert!((ended() - f64::from(count * CALLS)).abs() < 0.5, "no call ended before the step");
    }
    let books = balance(&server);
    let calls = u64::from(2 * CALLS);
    assert_eq!((books.calls(), books.answered()), (calls, calls));
    let records = server.calls();
    for call in &records {
        let talked = ms(call, "ended_at") - ms(call, "answered_at");
        assert!((f64::from(TALK_MS) - 200.0..f64::from(TALK_MS) + 2_500.0).contains(&talked), "{talked} ms: {call}");
        assert!((0.0..5_000.0).contains(&(ms(call, "answered_at") - ms(call, "arrived_at"))), "{call}");
    }
    let arrived: Vec<f64> = records.iter().map(|call| ms(call, "arrived_at")).collect();
    let span = arrived.iter().fold(f64::MIN, |a, b| a.max(*b)) - arrived.iter().fold(f64::MAX, |a, b| a.min(*b));
    assert!(span > HOUR_MS, "the clock was stepped: calls after it arrived {span} ms later");
    assert!(server.metric("yihao_healed_total") < 0.5, "the books needed no healing");
}

fn ms(call: &Value, what: &str) -> f64 {
    call[what].as_f64().unwrap_or_else(|| panic!("{what} of {call}"))
}

/// How far the exchange's clock is ahead of the system's.
fn set(file: &Path, hours: u32) {
    fs::write(file, format!("+{}\n", hours * 3_600)).unwrap();
}
