//! From the seat's answer on: who hears whom, recording, hold, keys.

use super::*;

/// Caller and seat talk on a line: caller's leg, seat's leg.
fn talk(called: &str) -> (Stage, LegId, LegId) {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.arrive(called);
    if called == "12345" {
        stage.leg(caller, LegEvent::Answered);
    }
    stage.prompt_ends(caller);
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Ringing);
    stage.leg(leg, LegEvent::Answered);
    (stage, caller, leg)
}

fn rows_of(effects: &[Effect]) -> Vec<CallEvent> {
    let rows = effects.iter().filter_map(|effect| match effect {
        Effect::Ledger(row) => Some(row.event.clone()),
        _ => None,
    });
    rows.collect()
}

#[test]
fn caller_and_seat_hear_each_other_and_are_recorded() {
    let (stage, caller, leg) = talk("12345");
    assert_eq!(stage.hears(caller), voice(leg));
    assert_eq!(stage.hears(leg), voice(caller));
    let records: Vec<&Effect> = stage.all.iter().filter(|effect| matches!(effect, Effect::Record { .. })).collect();
    let [Effect::Record { call, caller: left, file }] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((*call, *left), (stage.call_of(caller), caller));
    assert_eq!(*file, format!("2026-11-18/{call}"));
    assert!(stage.rows().iter().any(|row| row.event == CallEvent::Talking { seat: SeatId(8001), leg, agent: None }));
}

#[test]
fn a_line_answered_by_the_seat_talks_when_both_are_up() {
    let (mut stage, caller, leg) = talk("12315");
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Answer]);
    assert_eq!(stage.hears(caller), voice(leg), "no syllable is lost while the answer travels");
    assert!(rows_of(&stage.all).contains(&CallEvent::AnsweredByExchange));
    assert!(!rows_of(&stage.all).contains(&CallEvent::Talking { seat: SeatId(8001), leg, agent: None }));
    stage.leg(caller, LegEvent::Answered);
    assert!(rows_of(&stage.last).contains(&CallEvent::Talking { seat: SeatId(8001), leg, agent: None }));
}

#[test]
fn a_caller_whose_answer_waits_is_not_answered_by_the_next_seat_either() {
    let (mut stage, caller, leg) = talk("12315");
    // The PRACK of what was heard before is still owed, so our answer has not gone out. The seat drops the call.
    stage.reachable(8002, true);
    stage.presence(8002, PresenceCommand::SignIn);
    stage.presence(8002, PresenceCommand::Ready);
    stage.ended(leg, Cause::HungUp);
    let (seat, next) = stage.dialled();
    assert_eq!(seat, 8002);
    stage.leg(next, LegEvent::Ringing);
    stage.leg(next, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(next));
    assert!(!rows_of(&stage.all).iter().any(|row| matches!(row, CallEvent::Talking { .. })));
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Answer], "it is answered once");
    stage.ended(caller, Cause::Cancelled);
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing));
}

#[test]
fn an_answer_that_crosses_the_callers_cancel_ends_cleanly() {
    let (mut stage, caller, leg) = talk("12315");
    stage.ended(caller, Cause::Cancelled);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing));
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.seat(8001).work, Doing::Idle, "nothing to write up");
}

#[test]
fn a_caller_whose_answer_fails_is_recorded_as_failed() {
    let (mut stage, caller, leg) = talk("12315");
    stage.ended(caller, Cause::PeerLost);
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Failed { cause: Cause::PeerLost }));
}

#[test]
fn an_answer_that_is_never_confirmed_nor_ended_is_given_up() {
    let (mut stage, caller, leg) = talk("12315");
    stage.pass(41);
    assert_eq!(stage.told(caller).last(), Some(&LegCommand::Hangup(Cause::PeerLost)));
    stage.ended(leg, Cause::HungUp);
    stage.pass(41);
    assert_eq!(stage.fate(caller), Some(Fate::Failed { cause: Cause::PeerLost }));
    assert_eq!(stage.center.calls(), 0);
}

#[test]
fn a_seat_that_drops_the_call_before_it_is_through_costs_the_caller_no_place() {
    let (mut stage, caller, leg) = talk("12315");
    let second = stage.queued("12345");
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.hears(caller), music());
    stage.leg(caller, LegEvent::Answered);
    let calls = [stage.call_of(caller), stage.call_of(second)];
    assert_eq!(stage.view().queues[0].waiting, calls);
    stage.pass(10);
    let (_, again) = stage.dialled();
    stage.leg(again, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(again));
    assert!(rows_of(&stage.last).contains(&CallEvent::Talking { seat: SeatId(8001), leg: again, agent: None }));
    assert_eq!(stage.all.iter().filter(|effect| matches!(effect, Effect::Record { .. })).count(), 1);
}

#[test]
fn on_hold_both_hear_music_and_afterwards_each_other() {
    for by_seat in [true, false] {
        let (mut stage, caller, leg) = talk("12345");
        let holder = if by_seat { leg } else { caller };
        stage.leg(holder, LegEvent::Held(true));
        assert_eq!((stage.hears(caller), stage.hears(leg)), (music(), music()));
        assert!(stage.view().calls[0].held);
        stage.leg(holder, LegEvent::Held(true));
        assert!(stage.last.is_empty(), "held twice is held once");
        stage.leg(holder, LegEvent::Held(false));
        assert_eq!((stage.hears(caller), stage.hears(leg)), (voice(leg), voice(caller)));
    }
}

#[test]
fn a_caller_who_holds_while_waiting_still_holds_when_the_seat_answers() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    stage.leg(caller, LegEvent::Held(true));
    assert_eq!(stage.hears(caller), music());
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    assert_eq!((stage.hears(caller), stage.hears(leg)), (music(), music()));
    stage.leg(caller, LegEvent::Held(false));
    assert_eq!(stage.hears(caller), voice(leg));
}

#[test]
fn keys_are_noted_without_their_value_and_a_bounded_number_of_times() {
    let (mut stage, caller, _) = talk("12345");
    for _ in 0..600 {
        stage.leg(caller, LegEvent::Digit { digit: Digit('5'), by: DigitBy::Event });
    }
    let keys: Vec<CallEvent> =
        rows_of(&stage.all).into_iter().filter(|event| matches!(event, CallEvent::Digit { .. })).collect();
    assert_eq!(keys.len(), 500);
    assert!(keys.iter().all(|event| *event == CallEvent::Digit { leg: caller, digit: None }));
}

#[test]
fn a_broken_recording_is_a_row_and_the_call_goes_on() {
    let (mut stage, caller, leg) = talk("12345");
    let call = stage.call_of(caller);
    stage.feed(Input::RecordingFailed { call, why: "disk full".into() });
    assert_eq!(rows_of(&stage.last), [CallEvent::RecordingFailed { why: "disk full".into() }]);
    assert_eq!(stage.hears(caller), voice(leg));
}

#[test]
fn figures_of_a_leg_may_follow_its_call() {
    let (mut stage, caller, leg) = talk("12345");
    stage.ended(caller, Cause::HungUp);
    stage.ended(leg, Cause::HungUp);
    let report = StreamReport { received: 7, ..StreamReport::default() };
    stage.feed(Input::Measured { leg, report });
    assert_eq!(rows_of(&stage.last), [CallEvent::Quality { leg, report }]);
    stage.feed(Input::Measured { leg, report });
    assert!(stage.last.is_empty(), "once a leg");
}

#[test]
fn a_phone_that_rings_is_asked_to_answer_and_only_then() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12345");
    let (_, seat_leg) = stage.dialled();
    let command = |stage: &mut Stage| {
        let input = |reply| Input::Talk { seat: SeatId(8001), call: None, command: TalkCommand::Answer, reply };
        stage.feed(input(Some(ReplyId(1))));
        stage.last.pop()
    };
    let refused = Effect::Reply { to: ReplyId(1), reply: Reply::Refused(Refusal::NoCall) };
    assert_eq!(command(&mut stage), Some(refused.clone()), "it does not ring yet");
    stage.leg(seat_leg, LegEvent::Ringing);
    assert_eq!(command(&mut stage), Some(Effect::Reply { to: ReplyId(1), reply: Reply::Done }));
    assert_eq!(stage.told(seat_leg).last(), Some(&LegCommand::PickUp));
    stage.leg(seat_leg, LegEvent::Answered);
    assert_eq!(command(&mut stage), Some(refused), "it has answered");
}
