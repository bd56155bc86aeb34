//! The end of a day: who hears of it, when calls are cut, and how it is taken back.

use super::*;

fn drained(seconds: u64) -> Input {
    Input::Drain { within: Some(Duration::from_secs(seconds)), reply: Some(ReplyId(4)) }
}

fn hears_notice(stage: &Stage, leg: LegId) -> bool {
    matches!(stage.hears(leg).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == "notice/ending")
}

/// One caller talks with the seat, another one waits.
fn talk_and_wait() -> (Stage, LegId, LegId, LegId) {
    let mut stage = Stage::with_ready(&[8001]);
    let talking = stage.queued("12345");
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Answered);
    let waiting = stage.queued("12345");
    (stage, talking, seat, waiting)
}

#[test]
fn everybody_is_told_ten_seconds_before_the_end_and_cut_at_the_end() {
    let (mut stage, talking, seat, waiting) = talk_and_wait();
    stage.feed(drained(60));
    assert!(stage.last.contains(&Effect::Reply { to: ReplyId(4), reply: Reply::Done }));
    stage.pass(49);
    assert_eq!((stage.hears(talking), stage.hears(waiting)), (voice(seat), music()), "not yet");
    stage.pass(1);
    assert!([talking, seat, waiting].into_iter().all(|leg| hears_notice(&stage, leg)));
    stage.prompt_ends(talking);
    assert_eq!((stage.hears(talking), stage.hears(seat)), (voice(seat), voice(talking)), "time to say goodbye");
    stage.prompt_ends(waiting);
    assert_eq!(stage.hears(waiting), music());
    stage.pass(9);
    assert!(!stage.center.is_drained());
    stage.pass(1);
    assert!(stage.center.is_drained(), "nobody is waited for any longer");
    for leg in [talking, seat, waiting] {
        assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Restart)));
        stage.ended(leg, Cause::HungUp);
    }
    assert_eq!((stage.fate(talking), stage.fate(waiting)), (Some(Fate::CutByDrain), Some(Fate::CutByDrain)));
    let late = stage.arrive("12345");
    assert_eq!(stage.told(late), [LegCommand::Refuse(Cause::Restart)], "the door stays closed");
}

#[test]
fn a_drain_without_calls_is_over_at_once_and_the_setting_gives_its_time() {
    let mut stage = Stage::with(Config { drain_ms: 5_000, drain_notice_ms: 10_000, ..Config::default() }, plan());
    stage.feed(Input::Drain { within: None, reply: None });
    assert!(stage.center.is_drained());
    let mut stage = Stage::with(Config { drain_ms: 5_000, drain_notice_ms: 10_000, ..Config::default() }, plan());
    let caller = stage.queued("12345");
    stage.feed(Input::Drain { within: None, reply: None });
    stage.feed(Input::Tick);
    assert!(hears_notice(&stage, caller), "a time shorter than the notice begins with it");
    stage.pass(5);
    assert_eq!(stage.told(caller).last(), Some(&LegCommand::Hangup(Cause::Restart)));
}

#[test]
fn of_two_drains_the_earlier_end_counts() {
    let (mut stage, talking, ..) = talk_and_wait();
    stage.feed(drained(60));
    stage.feed(drained(20));
    stage.feed(drained(90));
    stage.pass(20);
    assert_eq!(stage.told(talking).last(), Some(&LegCommand::Hangup(Cause::Restart)));
}

#[test]
fn a_drain_that_is_taken_back_leaves_no_trace() {
    let (mut stage, talking, seat, waiting) = talk_and_wait();
    stage.feed(drained(20));
    stage.pass(12);
    assert!(hears_notice(&stage, waiting));
    stage.feed(Input::Resume { reply: Some(ReplyId(4)) });
    assert_eq!((stage.hears(talking), stage.hears(waiting)), (voice(seat), music()));
    stage.pass(60);
    assert!(!stage.told(talking).iter().any(|command| matches!(command, LegCommand::Hangup(_))));
    let next = stage.arrive("12345");
    assert_eq!(stage.told(next), [LegCommand::Answer]);
}

#[test]
fn a_seat_that_answers_in_the_notice_talks_when_it_has_been_spoken() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    stage.feed(drained(10));
    stage.feed(Input::Tick);
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Answered);
    assert!(hears_notice(&stage, caller) && hears_notice(&stage, seat));
    stage.prompt_ends(caller);
    assert_eq!((stage.hears(caller), stage.hears(seat)), (voice(seat), voice(caller)));
}
