//! Stories of queues and free seats.

use super::*;

const GENERAL: QueueId = QueueId(0);
const EXPERT: QueueId = QueueId(1);

fn acd() -> Acd {
    let mut acd = Acd::default();
    acd.set_queue(GENERAL, "general", 3);
    acd.set_queue(EXPERT, "12333", 3);
    acd.set_seat(SeatId(1), &["general".into()]);
    acd.set_seat(SeatId(2), &["general".into(), "12333".into()]);
    acd
}

fn wait(acd: &mut Acd, queue: QueueId, call: u64, priority: u8) -> Ticket {
    let ticket = acd.ticket(priority);
    acd.join(queue, CallId(call), ticket).unwrap();
    ticket
}

fn next(acd: &mut Acd) -> Option<(u64, u32)> {
    let found = acd.next_match().map(|found| (found.call.0, found.seat.0));
    acd.check();
    found
}

#[test]
fn calls_are_served_in_the_order_of_their_arrival() {
    let mut acd = acd();
    for call in 1..=3 {
        wait(&mut acd, GENERAL, call, 0);
    }
    acd.set_free(SeatId(1), Mono(1));
    assert_eq!(next(&mut acd), Some((1, 1)));
    assert_eq!(next(&mut acd), None);
    acd.set_free(SeatId(1), Mono(2));
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn priority_goes_before_arrival() {
    let mut acd = acd();
    wait(&mut acd, GENERAL, 1, 0);
    wait(&mut acd, GENERAL, 2, 5);
    acd.set_free(SeatId(1), Mono(1));
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn a_call_that_comes_back_stands_where_it_stood() {
    let mut acd = acd();
    wait(&mut acd, GENERAL, 1, 0);
    let second = wait(&mut acd, GENERAL, 2, 0);
    wait(&mut acd, GENERAL, 3, 0);
    assert!(acd.leave(CallId(1)) && acd.leave(CallId(2)));
    acd.rejoin(GENERAL, CallId(2), second);
    let later = acd.ticket(0);
    acd.join(GENERAL, CallId(4), later).unwrap();
    assert_eq!(acd.waiting_in(GENERAL).collect::<Vec<_>>(), [CallId(2), CallId(3), CallId(4)]);
}

#[test]
fn the_longest_idle_seat_with_the_skill_is_chosen() {
    let mut acd = acd();
    acd.set_free(SeatId(1), Mono(10));
    acd.set_free(SeatId(2), Mono(5));
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), Some((1, 2)));
    wait(&mut acd, EXPERT, 2, 0);
    assert_eq!(next(&mut acd), None, "seat 1 lacks the skill");
    acd.set_free(SeatId(2), Mono(20));
    assert_eq!(next(&mut acd), Some((2, 2)));
}

#[test]
fn a_seat_with_two_skills_serves_the_call_that_waits_longer() {
    let mut acd = acd();
    wait(&mut acd, EXPERT, 1, 0);
    wait(&mut acd, GENERAL, 2, 0);
    acd.set_free(SeatId(2), Mono(1));
    assert_eq!(next(&mut acd), Some((1, 2)));
    acd.set_free(SeatId(2), Mono(2));
    assert_eq!(next(&mut acd), Some((2, 2)));
}

#[test]
fn a_full_queue_refuses_new_calls_and_takes_back_its_own() {
    let mut acd = acd();
    let first = wait(&mut acd, GENERAL, 1, 0);
    assert!(acd.leave(CallId(1)));
    for call in 2..=4 {
        wait(&mut acd, GENERAL, call, 0);
    }
    let ticket = acd.ticket(0);
    assert_eq!(acd.join(GENERAL, CallId(5), ticket), Err(QueueFull));
    acd.rejoin(GENERAL, CallId(1), first);
    assert_eq!(acd.waiting_in(GENERAL).next(), Some(CallId(1)));
}

#[test]
fn a_free_seat_keeps_its_place_when_its_skills_change() {
    let mut acd = acd();
    acd.set_free(SeatId(1), Mono(1));
    acd.set_seat(SeatId(1), &["12333".into()]);
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), None);
    wait(&mut acd, EXPERT, 2, 0);
    assert_eq!(next(&mut acd), Some((2, 1)));
}

#[test]
fn a_removed_seat_gets_no_call() {
    let mut acd = acd();
    acd.set_free(SeatId(1), Mono(1));
    acd.remove_seat(SeatId(1));
    wait(&mut acd, GENERAL, 1, 0);
    assert_eq!(next(&mut acd), None);
}

#[test]
#[should_panic(expected = "two places")]
fn a_call_never_waits_twice() {
    let mut acd = acd();
    let ticket = wait(&mut acd, GENERAL, 1, 0);
    acd.rejoin(EXPERT, CallId(1), ticket);
}
