//! Arrival, greeting, queue, overflow, and who is offered what.

use super::*;

#[test]
fn the_row_of_a_call_comes_before_anything_else() {
    let mut stage = Stage::with_ready(&[8001]);
    for called in ["12345", "12315", "12336", "99999"] {
        stage.arrive(called);
        let first = stage.last.first().expect("an arrival has effects");
        assert!(matches!(first, Effect::Ledger(Row { event: CallEvent::Arrived { .. }, .. })), "{called}: {first:?}");
    }
}

#[test]
fn the_greeting_of_the_line_is_played_whole_before_a_seat_is_rung() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.arrive("12345");
    assert_eq!(stage.told(caller), [LegCommand::Answer]);
    assert!(
        matches!(stage.hears(caller).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == "greeting/12345"),
        "{:?}",
        stage.hears(caller)
    );
    stage.leg(caller, LegEvent::Answered);
    stage.pass(5);
    assert!(stage.dials().is_empty());
    stage.prompt_ends(caller);
    assert_eq!(stage.dialled().0, 8001);
    assert_eq!(stage.hears(caller), music(), "the caller is not left in silence while the seat is rung");
}

#[test]
fn a_line_that_is_answered_by_the_seat_greets_in_early_media() {
    let mut stage = Stage::with_ready(&[]);
    let caller = stage.arrive("12315");
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia]);
    stage.prompt_ends(caller);
    stage.pass(600);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia], "nobody answered, so it is not answered");
    assert_eq!(stage.hears(caller), music());
}

#[test]
fn a_caller_who_cannot_hear_before_the_answer_is_queued_at_once() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.arrive("12315");
    stage.leg(caller, LegEvent::NoEarlyMedia);
    let (_, seat) = stage.dialled();
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia]);
    stage.leg(seat, LegEvent::Answered);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Answer]);
    stage.leg(caller, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(seat));
}

#[test]
fn a_caller_who_cannot_hear_that_nobody_can_come_is_told_by_the_refusal() {
    let mut plan = plan();
    plan.queues.iter_mut().for_each(|queue| queue.max_waiting = 0);
    let mut stage = Stage::with(Config::default(), plan);
    let caller = stage.arrive("12315");
    stage.leg(caller, LegEvent::NoEarlyMedia);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Refuse(Cause::Busy)]);
    stage.ended(caller, Cause::Busy);
    assert_eq!(stage.fate(caller), Some(Fate::Overflowed));
}

#[test]
fn a_stale_end_of_a_prompt_changes_nothing() {
    let mut stage = Stage::new();
    let caller = stage.arrive("12345");
    stage.feed(Input::PromptEnded { leg: caller, run: RunId(1) });
    assert!(stage.last.is_empty());
    stage.feed(Input::PromptEnded { leg: LegId(999), run: RunId(1) });
    assert!(stage.last.is_empty());
}

#[test]
fn a_greeting_whose_end_is_never_reported_does_not_keep_the_caller() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.arrive("12345");
    stage.pass(121);
    assert_eq!(stage.dialled().0, 8001);
}

#[test]
fn numbers_nobody_has_and_modes_not_served_are_refused_with_their_fate() {
    let mut stage = Stage::new();
    for (called, cause) in
        [("99999", Cause::NoSuchNumber), ("1234", Cause::NoSuchNumber), ("12336", Cause::ModeNotServed)]
    {
        let caller = stage.arrive(called);
        assert_eq!(stage.told(caller), [LegCommand::Refuse(cause)]);
        assert_eq!(stage.fate(caller), None, "the fate follows the last leg");
        stage.ended(caller, cause);
        assert_eq!(stage.fate(caller), Some(Fate::Refused { cause }));
    }
    assert_eq!(stage.center.calls(), 0);
}

#[test]
fn a_drain_refuses_new_calls_and_keeps_the_others() {
    let mut stage = Stage::with_ready(&[8001]);
    let first = stage.queued("12345");
    stage.feed(Input::Drain { within: None, reply: None });
    let second = stage.arrive("12345");
    assert_eq!(stage.told(second), [LegCommand::Refuse(Cause::Restart)]);
    let (_, seat) = stage.dialled();
    stage.leg(seat, LegEvent::Answered);
    assert_eq!(stage.hears(first), voice(seat));
    assert!(stage.view().draining);
}

#[test]
fn more_calls_than_allowed_are_refused() {
    let mut stage = Stage::with(Config { max_calls: 1, ..Config::default() }, plan());
    stage.arrive("12345");
    let second = stage.arrive("12345");
    assert_eq!(stage.told(second), [LegCommand::Refuse(Cause::Overload)]);
}

#[test]
fn calls_are_offered_in_order_of_arrival_and_seats_in_order_of_idleness() {
    let mut stage = Stage::with_ready(&[8002, 8001]);
    let callers = [stage.queued("12345"), stage.queued("12345"), stage.queued("12345")];
    let dials = stage.dials();
    assert_eq!(dials.iter().map(|dial| dial.0).collect::<Vec<_>>(), [8002, 8001]);
    assert_eq!(stage.call_of(dials[0].1), stage.call_of(callers[0]));
    assert_eq!(stage.call_of(dials[1].1), stage.call_of(callers[1]));
}

#[test]
fn only_a_seat_with_the_skill_is_rung() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12333");
    assert!(stage.dials().is_empty());
    stage.reachable(8003, true);
    stage.presence(8003, PresenceCommand::SignIn);
    stage.presence(8003, PresenceCommand::Ready);
    assert_eq!(stage.dialled().0, 8003);
}

#[test]
fn the_dial_carries_the_line_and_the_caller() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, seat) = stage.dialled();
    let told = stage.told(seat);
    let [LegCommand::Dial(dial)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(dial.line.as_str(), "12345");
    assert_eq!(dial.line_name, "12345 line 12345");
    assert_eq!(dial.calling.raw, "13800138000");
    assert_eq!(dial.beside, Some(caller));
}

#[test]
fn a_call_that_comes_back_from_an_offer_keeps_its_place() {
    let mut stage = Stage::with_ready(&[8001]);
    let first = stage.queued("12345");
    let second = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.ended(leg, Cause::Busy);
    let (first, second) = (stage.call_of(first), stage.call_of(second));
    assert_eq!(stage.view().queues[0].waiting, [first, second]);
    stage.pass(11);
    assert_eq!(stage.call_of(stage.dialled().1), first);
}

#[test]
fn a_full_queue_tells_the_caller_and_ends_the_call() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        stage.queued("12345");
    }
    let fourth = stage.queued("12345");
    assert!(matches!(stage.hears(fourth).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == "overflow/busy"));
    stage.prompt_ends(fourth);
    assert_eq!(stage.told(fourth), [LegCommand::Answer, LegCommand::Hangup(Cause::Busy)]);
    stage.ended(fourth, Cause::HungUp);
    assert_eq!(stage.fate(fourth), Some(Fate::Overflowed));
}

fn impatient(seconds: u32) -> Plan {
    let mut plan = plan();
    plan.queues[0].max_wait_ms = Some(seconds * 1_000);
    plan
}

fn sign_in(stage: &mut Stage, seat: u32) {
    stage.reachable(seat, true);
    stage.presence(seat, PresenceCommand::SignIn);
    stage.presence(seat, PresenceCommand::Ready);
}

#[test]
fn who_waits_too_long_is_told_so_and_an_unanswered_leg_is_refused() {
    let mut stage = Stage::with(Config::default(), impatient(60));
    let caller = stage.arrive("12315");
    stage.prompt_ends(caller);
    stage.pass(59);
    assert_eq!(stage.hears(caller), music());
    stage.pass(2);
    stage.prompt_ends(caller);
    assert_eq!(stage.told(caller), [LegCommand::EarlyMedia, LegCommand::Refuse(Cause::Busy)]);
}

#[test]
fn who_leaves_the_queue_takes_the_limit_along() {
    let mut stage = Stage::with(Config::default(), impatient(60));
    let caller = stage.queued("12345");
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.center.deadline(), None);
}

#[test]
fn a_seat_that_rings_when_the_waiting_is_over_may_still_answer() {
    let mut stage = Stage::with(Config::default(), impatient(60));
    let caller = stage.queued("12345");
    stage.pass(55);
    sign_in(&mut stage, 8001);
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Ringing);
    stage.pass(10);
    assert_eq!(stage.hears(caller), music());
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(leg));
}

#[test]
fn an_offer_that_fails_after_the_waiting_is_over_is_the_last() {
    let mut stage = Stage::with(Config::default(), impatient(60));
    let caller = stage.queued("12345");
    stage.pass(55);
    sign_in(&mut stage, 8001);
    let (_, leg) = stage.dialled();
    stage.pass(10);
    sign_in(&mut stage, 8002);
    stage.ended(leg, Cause::Busy);
    assert!(matches!(stage.hears(caller).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == "overflow/busy"));
    assert_eq!(stage.dials().len(), 1);
}

#[test]
fn a_new_plan_keeps_calls_and_their_places() {
    let mut stage = Stage::new();
    let first = stage.queued("12345");
    let second = stage.queued("12345");
    let mut next = plan();
    // The queue moves to another index and a new one takes its old place.
    next.queues.insert(0, queue("night", "night"));
    next.seats.remove(&SeatId(8001));
    stage.feed(Input::Plan { plan: Some(Arc::new(next)) });
    let calls = [stage.call_of(first), stage.call_of(second)];
    let view = stage.view();
    assert_eq!(view.queues[1].queue, "general");
    assert_eq!(view.queues[1].waiting, calls);
    // In the new plan the line's index means the new queue, and for new calls only.
    let third = stage.queued("12345");
    let third = stage.call_of(third);
    assert_eq!(stage.view().queues[0].waiting, [third]);
    assert!(view.seats.iter().all(|seat| seat.seat != SeatId(8001)));
    sign_in(&mut stage, 8002);
    assert_eq!(stage.call_of(stage.dialled().1), calls[0]);
}

#[test]
fn a_seat_that_leaves_the_plan_finishes_its_call() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Answered);
    let mut next = plan();
    next.seats.remove(&SeatId(8001));
    stage.feed(Input::Plan { plan: Some(Arc::new(next)) });
    assert_eq!(stage.hears(caller), voice(leg));
    stage.ended(leg, Cause::HungUp);
    stage.ended(caller, Cause::HungUp);
    assert_eq!(stage.fate(caller), Some(Fate::Answered { seat: SeatId(8001) }));
    assert!(stage.view().seats.iter().all(|seat| seat.seat != SeatId(8001)));
}
