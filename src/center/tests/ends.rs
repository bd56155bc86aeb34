//! How calls end: by either side, in each state, with exactly one fate, and nobody left behind.

use super::*;

#[test]
fn a_caller_who_gives_up_gets_the_fate_of_the_place() {
    // In the greeting.
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.arrive("12345");
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInGreeting));
    assert_eq!(stage.center.deadline(), None, "no timer is left");

    // In the greeting before the answer.
    let caller = stage.arrive("12315");
    stage.ended(caller, Cause::Cancelled);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInGreeting));

    // While a seat is rung.
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Ringing);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing), "the record does not wait for the phone");
    assert_ne!(stage.seat(8001).work, Doing::Idle, "the seat does");
    stage.ended(leg, Cause::Cancelled);
    assert_eq!(stage.seat(8001).work, Doing::Idle);

    // In the queue.
    let caller = stage.queued("12333");
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInQueue));
    assert_eq!(stage.center.calls(), 0);
    assert_eq!(stage.center.deadline(), None);
}

#[test]
fn a_caller_who_is_lost_has_not_given_up() {
    let mut stage = Stage::new();
    let caller = stage.queued("12345");
    stage.ended(caller, Cause::PeerLost);
    assert_eq!(stage.fate(caller), Some(Fate::Failed { cause: Cause::PeerLost }));
}

#[test]
fn a_caller_who_leaves_while_the_overflow_prompt_plays_has_overflowed() {
    let mut plan = plan();
    plan.queues[0].max_waiting = 0;
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.queued("12345");
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Overflowed));
}

fn talk() -> (Stage, LegId, LegId) {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    (stage, caller, leg)
}

#[test]
fn either_side_may_hang_up_and_the_seat_wraps_up() {
    for caller_first in [true, false] {
        let (mut stage, caller, leg) = talk();
        let (first, second) = if caller_first { (caller, leg) } else { (leg, caller) };
        stage.ended(first, Cause::HungUp);
        assert_eq!(stage.told(second).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        assert!(stage.last.iter().any(|effect| matches!(effect, Effect::EndRecording { .. })));
        assert_eq!(stage.fate(caller).is_some(), caller_first, "the record is complete when the caller is gone");
        stage.ended(second, Cause::HungUp);
        assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
        assert_eq!(stage.center.calls(), 0);
        assert!(matches!(stage.seat(8001).work, Doing::WrapUp { left_ms: 30_000, .. }));
        stage.queued("12345");
        assert_eq!(stage.dials().len(), 1, "no call in wrap-up");
        stage.pass(30);
        assert_eq!(stage.dials().len(), 2);
    }
}

#[test]
fn both_sides_hang_up_at_once() {
    let (mut stage, caller, leg) = talk();
    stage.ended(caller, Cause::HungUp);
    // The seat's own BYE crosses ours.
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
    stage.ended(leg, Cause::HungUp);
    assert!(stage.last.is_empty(), "a second last word is no word");
}

#[test]
fn an_answer_that_crosses_the_callers_hang_up_is_hung_up_again() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.ended(caller, Cause::HungUp);
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing));
}

#[test]
fn a_leg_that_never_says_its_last_word_keeps_neither_call_nor_seat() {
    let (mut stage, caller, leg) = talk();
    stage.ended(caller, Cause::HungUp);
    stage.pass(40);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
    assert!(matches!(stage.seat(8001).work, Doing::WrapUp { .. }));
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)), "it shows up after all");
}

#[test]
fn after_the_fate_come_last_words_and_figures_only() {
    for caller_first in [true, false] {
        let (mut stage, caller, leg) = talk();
        let (first, second) = if caller_first { (caller, leg) } else { (leg, caller) };
        let call = stage.call_of(caller);
        stage.ended(first, Cause::HungUp);
        // Whatever the other leg and the engine still say, the record is closed.
        if caller_first {
            stage.leg(leg, LegEvent::Held(true));
            stage.leg(leg, LegEvent::Digit { digit: Digit('5'), by: DigitBy::Event });
            stage.feed(Input::RecordingFailed { call, why: "disk full".into() });
        }
        stage.ended(second, Cause::HungUp);
        stage.feed(Input::Measured { leg: caller, report: StreamReport::default() });
        let events: Vec<CallEvent> = stage.rows().into_iter().map(|row| row.event).collect();
        let end = events.iter().position(|event| matches!(event, CallEvent::Ended { .. })).expect("it ended");
        assert!(matches!(events[end - 1], CallEvent::LegEnded { leg, .. } if leg == caller));
        let after = |event: &CallEvent| matches!(event, CallEvent::LegEnded { .. } | CallEvent::Quality { .. });
        assert!(events[end + 1..].iter().all(after), "{:?}", &events[end..]);
    }
}

#[test]
fn words_of_legs_nobody_knows_change_nothing() {
    let (mut stage, ..) = talk();
    for event in [LegEvent::Ringing, LegEvent::Answered, LegEvent::Held(true)] {
        stage.leg(LegId(12), event);
        assert!(stage.last.is_empty());
    }
    stage.ended(LegId(12), Cause::HungUp);
    assert!(stage.last.is_empty());
}

#[test]
fn a_picture_shows_seats_queues_and_calls() {
    let (mut stage, caller, _) = talk();
    let waiting = stage.queued("12345");
    stage.pass(3);
    let (first, second) = (stage.call_of(caller), stage.call_of(waiting));
    let view = stage.view();
    assert_eq!(view.calls.iter().map(|call| call.place).collect::<Vec<_>>(), [WhereIs::Talking, WhereIs::Waiting]);
    assert_eq!(view.calls[0].seat, Some(SeatId(8001)));
    assert_eq!(view.calls[1].waited_ms, Some(3_000));
    assert_eq!(view.queues[0].waiting, [second]);
    assert_eq!(view.queues[0].longest_ms, 3_000);
    assert_eq!(view.seats[0].work, Doing::Talking { call: first });
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["seats"][0]["work"]["doing"], "talking");
}
