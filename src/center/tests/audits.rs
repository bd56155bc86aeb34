//! Leaks that a test puts into the books, and the monitor that finds them.

use super::super::audit::Leak;
use super::*;
use crate::types::Healed;

fn healed(stage: &Stage) -> Vec<Healed> {
    let found = stage.last.iter().filter_map(|effect| match effect {
        Effect::Ledger(Row { event: CallEvent::Healed { what }, .. }) => Some(*what),
        Effect::Seat(SeatNews { change: SeatChange::Healed(what), .. }) => Some(*what),
        _ => None,
    });
    found.collect()
}

/// The leak is there, the monitor finds it, and the books balance again.
fn heals(stage: &mut Stage, leak: Leak, what: Healed) {
    stage.center.leak(leak);
    let before = stage.center.healed();
    stage.feed(Input::Audit);
    assert_eq!((healed(stage), stage.center.healed() - before), (vec![what], 1), "{leak:?}");
    stage.feed(Input::Audit);
    assert!(stage.last.is_empty(), "healed once");
}

#[test]
fn books_that_balance_are_left_alone() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12345");
    stage.queued("12345");
    stage.arrive("12315");
    stage.feed(Input::Audit);
    assert!(stage.last.is_empty(), "{:?}", stage.last);
    assert_eq!(stage.center.healed(), 0);
}

#[test]
fn a_stuck_seat_is_freed_and_gets_its_next_call() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.center.leak(Leak::StuckSeat(SeatId(8001)));
    stage.center.handle(stage.now, Input::Audit, &mut stage.last);
    assert_eq!(healed(&stage), [Healed::StuckSeat]);
    stage.queued("12345");
    assert_eq!(stage.dialled().0, 8001);
}

#[test]
fn a_seat_that_fell_out_of_the_lists_is_offered_calls_again() {
    let mut stage = Stage::with_ready(&[8001]);
    heals(&mut stage, Leak::UnlistedSeat(SeatId(8001)), Healed::SeatList);
    stage.queued("12345");
    assert_eq!(stage.dialled().0, 8001);
}

#[test]
fn a_call_that_fell_out_of_its_queue_stands_in_it_again() {
    let mut stage = Stage::new();
    let first = stage.queued("12345");
    let second = stage.queued("12345");
    let calls = [stage.call_of(first), stage.call_of(second)];
    heals(&mut stage, Leak::LostCall(calls[0]), Healed::LostCall);
    assert_eq!(stage.view().queues[0].waiting, calls, "at its own place");
}

#[test]
fn a_call_that_does_not_wait_is_taken_out_of_the_queue_before_it_is_offered_twice() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let call = stage.call_of(caller);
    heals(&mut stage, Leak::GhostCall(call), Healed::GhostCall);
    assert_eq!(stage.dials().len(), 1);
}

#[test]
fn an_offer_without_a_deadline_ends_at_once() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let call = stage.call_of(caller);
    stage.center.leak(Leak::NoDeadline(call));
    stage.feed(Input::Audit);
    assert_eq!(healed(&stage), [Healed::NoDeadline]);
    stage.feed(Input::Tick);
    assert_eq!(stage.view().queues[0].waiting, [call]);
}
