//! Session timers.

use std::time::Duration;

use super::super::session_timer::{SessionDue, SessionTimer, TooShort, Wish};
use super::*;
use crate::sip::message::{Refresher, SessionExpires};
use crate::types::Mono;

const WISH: Wish = Wish { interval_s: 1800, min_s: 90 };
const KNOWS: &str = "Supported: 100rel, timer\r\n";

fn asked(lines: &str) -> Message {
    invite(&with_contact(lines))
}

fn told(seconds: u32, refresher: Refresher) -> Option<SessionExpires> {
    Some(SessionExpires { seconds, refresher: Some(refresher) })
}

/// What happens, and after how many seconds.
fn story(mut timer: SessionTimer) -> Vec<(u64, SessionDue)> {
    let mut story = Vec::new();
    loop {
        let now = timer.deadline();
        let due = timer.tick(now);
        story.push((now.since(Mono::default()).as_secs(), due));
        match due {
            SessionDue::Nothing => panic!("woken for nothing"),
            SessionDue::Refresh => {}
            SessionDue::Expire => return story,
        }
    }
}

#[test]
fn a_caller_that_refreshes_is_missed_before_the_interval_ends() {
    let request = asked(&format!("{KNOWS}Session-Expires: 300;refresher=uac\r\n"));
    let agreed = SessionTimer::as_callee(Mono::default(), &request, &WISH).unwrap();
    assert_eq!(agreed.session_expires, told(300, Refresher::Uac));
    assert!(agreed.require_timer);
    assert_eq!(story(agreed.timer), [(268, SessionDue::Expire)], "300 - min(32, 300 / 3)");
}

#[test]
fn a_caller_that_leaves_the_choice_is_refreshed_by_us_at_half_the_interval() {
    let request = asked(&format!("{KNOWS}Session-Expires: 90\r\n"));
    let agreed = SessionTimer::as_callee(Mono::default(), &request, &WISH).unwrap();
    assert_eq!(agreed.session_expires, told(90, Refresher::Uas));
    assert!(!agreed.require_timer);
    assert_eq!(story(agreed.timer), [(45, SessionDue::Refresh), (60, SessionDue::Expire)], "90 - 90 / 3");
}

#[test]
fn a_long_interval_is_shortened_but_not_below_the_min_se_of_the_request() {
    let request = asked(&format!("{KNOWS}Session-Expires: 7200\r\nMin-SE: 3600\r\n"));
    let agreed = SessionTimer::as_callee(Mono::default(), &request, &WISH).unwrap();
    assert_eq!(agreed.session_expires, told(3600, Refresher::Uas));
    let request = asked(&format!("{KNOWS}Session-Expires: 7200\r\n"));
    let agreed = SessionTimer::as_callee(Mono::default(), &request, &WISH).unwrap();
    assert_eq!(agreed.session_expires, told(1800, Refresher::Uas));
}

#[test]
fn too_short_an_interval_is_refused_only_to_who_understands_it() {
    let wish = Wish { min_s: 120, ..WISH };
    let request = asked(&format!("{KNOWS}Session-Expires: 100\r\n"));
    assert_eq!(SessionTimer::as_callee(Mono::default(), &request, &wish), Err(TooShort { min_s: 120 }));
    let request = asked("Session-Expires: 100\r\n");
    assert!(SessionTimer::as_callee(Mono::default(), &request, &wish).is_ok());
}

#[test]
fn a_far_end_without_timers_is_refreshed_by_us_and_sees_nothing_of_it() {
    let agreed = SessionTimer::as_callee(Mono::default(), &asked(""), &WISH).unwrap();
    assert_eq!((agreed.session_expires, agreed.require_timer), (None, false));
    assert_eq!(story(agreed.timer), [(900, SessionDue::Refresh), (1768, SessionDue::Expire)]);
    let answer = response(200, ";tag=us", "");
    let timer = SessionTimer::as_caller(Mono::default(), &answer, &WISH);
    assert_eq!(story(timer), [(900, SessionDue::Refresh), (1768, SessionDue::Expire)]);
}

#[test]
fn the_callee_decides_who_refreshes_our_calls() {
    let theirs = response(200, ";tag=us", "Require: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    let timer = SessionTimer::as_caller(Mono::default(), &theirs, &WISH);
    assert!(!timer.we_refresh());
    assert_eq!(timer.refresh_header(0).refresher, Some(Refresher::Uas), "seen from a request of ours");
    let ours = response(200, ";tag=us", "Session-Expires: 600;refresher=uac\r\n");
    let timer = SessionTimer::as_caller(Mono::default(), &ours, &WISH);
    assert_eq!(timer.refresh_header(0), SessionExpires { seconds: 600, refresher: Some(Refresher::Uac) });
    assert_eq!(timer.refresh_header(900).seconds, 900, "a 422 has named more");
    assert_eq!(timer.interval(), Duration::from_secs(600));
}

#[test]
fn a_422_is_obeyed_once_for_each_larger_value() {
    assert_eq!(WISH.after_422(Some(3600)), Some(Wish { interval_s: 3600, min_s: 3600 }));
    assert_eq!(WISH.after_422(Some(300)), Some(Wish { interval_s: 1800, min_s: 300 }));
    assert_eq!(WISH.after_422(Some(90)), None, "we met that already: no endless loop");
    assert_eq!(WISH.after_422(None), None);
    assert_eq!(WISH.after_422(Some(u32::MAX)), None);
}

#[test]
fn a_refresh_that_met_glare_is_tried_again_before_the_session_expires() {
    let mut timer = SessionTimer::as_caller(Mono::default(), &response(200, ";tag=us", ""), &WISH);
    let now = timer.deadline();
    assert_eq!(timer.tick(now), SessionDue::Refresh);
    assert_eq!(timer.tick(now), SessionDue::Nothing, "once");
    timer.refresh_again_at(now + Duration::from_secs(3));
    assert_eq!(timer.tick(now + Duration::from_secs(3)), SessionDue::Refresh);
    assert_eq!(timer.deadline().since(Mono::default()).as_secs(), 1768);
}

#[test]
fn an_interval_below_the_least_cannot_make_us_flood() {
    let answer = response(200, ";tag=us", "Session-Expires: 1;refresher=uac\r\n");
    let timer = SessionTimer::as_caller(Mono::default(), &answer, &WISH);
    assert_eq!(timer.interval(), Duration::from_secs(90));
}
