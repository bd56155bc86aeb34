//! More than one seat, more than one queue: ringing all, widening, moving on.

use super::*;
use crate::dialplan::{Overflow, OverflowTo, OverflowWhen, Widen};
use crate::types::{Choice, OverflowWhy};

const EXPERT: QueueId = QueueId(1);

fn ready(stage: &mut Stage, seat: u32) {
    stage.reachable(seat, true);
    stage.presence(seat, PresenceCommand::SignIn);
    stage.presence(seat, PresenceCommand::Ready);
}

/// Seats 8001 and 8002 are rung for one caller: caller's leg, the seats' legs.
fn rung() -> (Stage, LegId, [LegId; 2]) {
    let mut plan = plan();
    plan.queues[0].choice = Choice::RingAll;
    let mut stage = Stage::with(Config::default(), plan);
    ready(&mut stage, 8001);
    ready(&mut stage, 8002);
    let caller = stage.queued("12345");
    let dials = stage.dials();
    assert_eq!(dials.iter().map(|dial| dial.0).collect::<Vec<_>>(), [8001, 8002]);
    (stage, caller, [dials[0].1, dials[1].1])
}

fn overflows(rules: &[(OverflowWhen, QueueId)]) -> Stage {
    let mut plan = plan();
    plan.queues[0].overflow =
        rules.iter().map(|(when, to)| Overflow { when: *when, to: OverflowTo::Queue(*to) }).collect();
    Stage::with(Config::default(), plan)
}

fn moved(stage: &Stage) -> Vec<(String, Option<String>, OverflowWhy)> {
    let rows = stage.rows().into_iter().filter_map(|row| match row.event {
        CallEvent::Overflowed { from, to, why } => Some((from, to, why)),
        _ => None,
    });
    rows.collect()
}

#[test]
fn when_all_ring_the_first_to_answer_wins_and_the_others_are_hung_up() {
    let (mut stage, caller, [first, second]) = rung();
    stage.leg(second, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(second));
    assert_eq!(stage.told(first).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    stage.leg(first, LegEvent::Answered);
    assert_eq!(stage.told(first).last(), Some(&LegCommand::Hangup(Cause::Cancelled)), "two never answer one call");
    stage.ended(first, Cause::HungUp);
    assert_eq!(stage.seat(8001).work, Doing::Idle);
    assert_eq!(stage.seat(8001).presence, Presence::Ready, "who was slower did nothing wrong");
    stage.ended(caller, Cause::HungUp);
    stage.ended(second, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8002) }));
}

#[test]
fn when_all_ring_one_may_decline_and_the_others_ring_on() {
    let (mut stage, caller, [first, second]) = rung();
    stage.ended(first, Cause::Declined);
    assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::Declined));
    assert!(stage.view().queues[0].waiting.is_empty());
    stage.ended(second, Cause::Busy);
    let call = stage.call_of(caller);
    assert_eq!(stage.view().queues[0].waiting, [call]);
}

#[test]
fn when_all_ring_and_nobody_answers_all_are_judged() {
    let (mut stage, caller, [first, second]) = rung();
    stage.leg(first, LegEvent::Ringing);
    stage.leg(second, LegEvent::Ringing);
    stage.pass(15);
    for seat in [8001, 8002] {
        assert_eq!(stage.seat(seat).presence, Presence::NotReady(WhyNotReady::NoAnswer));
    }
    assert_eq!(stage.hears(caller), music());
    assert_eq!(stage.dials().len(), 2);
}

#[test]
fn when_all_ring_and_the_caller_leaves_nobody_rings_on() {
    let (mut stage, caller, legs) = rung();
    stage.ended(caller, Cause::HungUp);
    for leg in legs {
        assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
        stage.ended(leg, Cause::Cancelled);
    }
    assert_eq!(stage.fate(caller), Some(Fate::AbandonedInRing));
}

#[test]
fn who_waits_long_gets_a_seat_of_another_queue_and_the_rows_say_why() {
    let mut plan = plan();
    plan.queues[0].widen = vec![Widen { after_ms: 30_000, queues: vec![EXPERT], ..Widen::default() }];
    let mut stage = Stage::with(Config::default(), plan);
    ready(&mut stage, 8003);
    let caller = stage.queued("12345");
    stage.pass(29);
    assert!(stage.dials().is_empty());
    stage.pass(1);
    assert_eq!(stage.dialled().0, 8003);
    let call = stage.call_of(caller);
    let rows: Vec<CallEvent> = stage.rows().into_iter().filter(|row| row.call == call).map(|row| row.event).collect();
    assert!(rows.contains(&CallEvent::Widened { step: 1 }));
    let decision = rows.iter().find_map(|row| match row {
        CallEvent::Offered { decision, .. } => decision.clone(),
        _ => None,
    });
    let why = decision.expect("an offer has its reason");
    assert_eq!((why.pool.as_str(), why.step, why.candidates), ("expert", 1, 1));
    assert_eq!((why.waited_ms, why.first), (30_000, vec![SeatId(8003)]));
}

#[test]
fn a_call_moves_on_when_it_has_waited_and_keeps_its_place_among_the_others() {
    let mut stage = overflows(&[(OverflowWhen::Waited(20_000), EXPERT)]);
    let first = stage.queued("12345");
    stage.pass(10);
    let second = stage.queued("12333");
    stage.pass(10);
    let calls = [stage.call_of(first), stage.call_of(second)];
    assert_eq!(stage.view().queues[1].waiting, calls, "it came first and stands first");
    assert_eq!(moved(&stage), [("general".into(), Some("expert".into()), OverflowWhy::Waited)]);
    assert_eq!(stage.hears(first), music());
}

#[test]
fn a_call_that_is_rung_when_its_time_is_over_moves_on_when_the_offer_fails() {
    let mut stage = overflows(&[(OverflowWhen::Waited(20_000), EXPERT)]);
    let caller = stage.queued("12345");
    stage.pass(15);
    ready(&mut stage, 8001);
    let (_, leg) = stage.dialled();
    stage.pass(10);
    assert!(moved(&stage).is_empty());
    stage.ended(leg, Cause::Busy);
    assert_eq!(moved(&stage).len(), 1);
    let call = stage.call_of(caller);
    assert_eq!(stage.view().queues[1].waiting, [call]);
}

#[test]
fn a_call_goes_elsewhere_at_once_where_too_many_wait_or_nobody_works() {
    let mut stage = overflows(&[(OverflowWhen::Waiting(1), EXPERT)]);
    stage.queued("12345");
    stage.queued("12345");
    assert_eq!(moved(&stage), [("general".into(), Some("expert".into()), OverflowWhy::Full)]);

    let mut stage = overflows(&[(OverflowWhen::NoSeats, EXPERT)]);
    ready(&mut stage, 8001);
    stage.presence(8001, PresenceCommand::Break);
    stage.queued("12345");
    assert!(moved(&stage).is_empty(), "somebody is there");
    stage.presence(8001, PresenceCommand::SignOut);
    assert_eq!(moved(&stage), [("general".into(), Some("expert".into()), OverflowWhy::NoSeats)]);
    stage.queued("12345");
    assert_eq!(moved(&stage).len(), 2);
}

#[test]
fn two_queues_that_overflow_into_each_other_end_in_a_message() {
    let mut plan = plan();
    plan.queues[0].overflow = vec![Overflow { when: OverflowWhen::NoSeats, to: OverflowTo::Queue(EXPERT) }];
    plan.queues[1].overflow = vec![Overflow { when: OverflowWhen::NoSeats, to: OverflowTo::Queue(QueueId(0)) }];
    plan.queues[1].max_wait_ms = Some(60_000);
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.queued("12345");
    assert_eq!(moved(&stage).len(), 1, "never back");
    stage.pass(60);
    assert!(matches!(stage.hears(caller).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == "overflow/busy"));
    assert_eq!(moved(&stage)[1], ("expert".into(), None, OverflowWhy::Waited));
}

#[test]
fn the_expected_wait_follows_recent_talks_and_sends_calls_elsewhere() {
    let mut stage = overflows(&[(OverflowWhen::Expected(60_000), EXPERT)]);
    ready(&mut stage, 8001);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    stage.pass(70);
    stage.ended(caller, Cause::HungUp);
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.view().queues[0].expected_ms, Some(100_000), "70 s of talk, 30 s of notes, one seat");
    stage.queued("12345");
    assert_eq!(moved(&stage), [("general".into(), Some("expert".into()), OverflowWhy::Expected)]);
}

#[test]
fn a_caller_is_given_the_seat_that_knows_them() {
    let mut plan = plan();
    plan.queues[0].choice = Choice::LastAgent;
    plan.queues[0].wrap_up_ms = 0;
    let mut stage = Stage::with(Config::default(), plan);
    ready(&mut stage, 8001);
    let call = |stage: &mut Stage| {
        let caller = stage.arrive_with("12345", Some("13800138000"));
        stage.leg(caller, LegEvent::Answered);
        stage.prompt_ends(caller);
        let (seat, leg) = stage.dialled();
        stage.leg(leg, LegEvent::Answered);
        stage.ended(caller, Cause::HungUp);
        stage.ended(leg, Cause::HungUp);
        seat
    };
    assert_eq!(call(&mut stage), 8001);
    ready(&mut stage, 8002);
    stage.presence(8001, PresenceCommand::Break);
    stage.presence(8001, PresenceCommand::Ready);
    assert_eq!(call(&mut stage), 8001, "8002 has been idle for longer");
}

#[test]
fn a_rule_may_end_the_waiting_in_a_message() {
    let mut plan = plan();
    plan.queues[0].overflow = vec![Overflow { when: OverflowWhen::NoSeats, to: OverflowTo::Message }];
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.queued("12345");
    assert_eq!(moved(&stage), [("general".into(), None, OverflowWhy::NoSeats)]);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Overflowed));
}
