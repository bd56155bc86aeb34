//! Stories of one seat: what its agent chooses and what its work makes of it.

use super::*;

const DAY: Date = jiff::civil::date(2026, 11, 23);

const T0: Mono = Mono(1_000_000_000);

fn lease(n: u64) -> Lease {
    Lease { offer: OfferId(n), call: CallId(n), leg: LegId(n) }
}

fn ready_seat() -> Seat {
    let mut seat = Seat::new(T0, true);
    seat.sign_in(T0, None);
    seat.choose(T0, Presence::Ready).unwrap();
    seat
}

fn rule(seconds: u64) -> WrapUpRule {
    WrapUpRule { time: s(seconds), more: s(20), most: s(50), result: false }
}

fn talked(then: WrapUpRule) -> Seat {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.talk(OfferId(1), DAY);
    seat.left(T0, Then::WrapUp(then));
    seat
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_registration_alone_never_makes_a_seat_ready() {
    let mut seat = Seat::new(T0, false);
    seat.set_reachable(true);
    assert_eq!(seat.available_since(), None);
    assert_eq!(seat.choose(T0, Presence::Ready), Err(PresenceError::NotSignedIn));
    seat.sign_in(T0, None);
    assert_eq!(seat.available_since(), None, "signed in is not ready");
}

#[test]
fn ready_without_a_phone_is_refused() {
    let mut seat = Seat::new(T0, false);
    seat.sign_in(T0, None);
    assert_eq!(seat.choose(T0, Presence::Ready), Err(PresenceError::PhoneUnreachable));
}

#[test]
fn a_phone_that_registers_anew_keeps_its_place_in_the_order() {
    let mut seat = ready_seat();
    seat.set_reachable(false);
    assert_eq!(seat.available_since(), None);
    seat.set_reachable(true);
    assert_eq!(seat.available_since(), Some(T0));
}

#[test]
fn who_comes_back_from_a_break_is_last_in_the_order() {
    let mut seat = ready_seat();
    seat.choose(T0, Presence::NotReady(WhyNotReady::Chosen)).unwrap();
    seat.choose(T0 + s(60), Presence::Ready).unwrap();
    assert_eq!(seat.available_since(), Some(T0 + s(60)));
    seat.choose(T0 + s(90), Presence::Ready).unwrap();
    assert_eq!(seat.available_since(), Some(T0 + s(60)), "ready twice costs nothing");
}

#[test]
fn a_seat_we_hung_up_on_is_busy_until_its_leg_is_gone() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    assert!(seat.rings(LegId(1)));
    assert!(!seat.rings(LegId(1)), "rings once");
    seat.leave(Then::Idle);
    assert_eq!(seat.available_since(), None);
    assert_eq!(seat.busy_with(), Some((CallId(1), LegId(1))));
    seat.left(T0 + s(2), Then::Rest(s(9)));
    assert_eq!(seat.available_since(), Some(T0 + s(2)), "what was decided at the hang-up counts");
}

#[test]
fn wrap_up_lasts_its_time_or_until_the_agent_is_ready() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.talk(OfferId(1), DAY);
    seat.left(T0 + s(60), Then::WrapUp(rule(30)));
    assert_eq!(seat.deadline(), Some(T0 + s(90)));
    seat.tick(T0 + s(89));
    assert_eq!(seat.available_since(), None);
    seat.tick(T0 + s(90));
    assert_eq!(seat.available_since(), Some(T0 + s(90)));

    seat.offer(lease(2));
    seat.talk(OfferId(2), DAY);
    seat.left(T0 + s(100), Then::WrapUp(rule(30)));
    seat.choose(T0 + s(105), Presence::Ready).unwrap();
    assert_eq!(seat.available_since(), Some(T0 + s(105)));
}

#[test]
fn signing_out_in_a_talk_keeps_the_talk_and_leaves_no_wrap_up() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.talk(OfferId(1), DAY);
    seat.choose(T0, Presence::SignedOut).unwrap();
    assert!(matches!(seat.work(), Work::Talking { .. }));
    seat.left(T0, Then::WrapUp(rule(30)));
    assert_eq!(seat.work(), Work::Idle);
}

#[test]
fn a_phone_that_fails_three_times_in_a_row_is_set_not_ready() {
    let mut seat = ready_seat();
    for n in 1..=3 {
        assert_eq!(*seat.presence(), Presence::Ready);
        seat.offer(lease(n));
        seat.strike(T0);
        seat.left(T0, Then::Idle);
    }
    assert_eq!(*seat.presence(), Presence::NotReady(WhyNotReady::PhoneFails));
}

#[test]
#[should_panic(expected = "not free")]
fn a_busy_seat_is_never_offered() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.offer(lease(2));
}

#[test]
#[should_panic(expected = "not open")]
fn a_stale_fencing_number_never_answers() {
    let mut seat = ready_seat();
    seat.offer(lease(2));
    seat.talk(OfferId(1), DAY);
}

#[test]
fn what_is_chosen_in_a_call_counts_afterwards() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.talk(OfferId(1), DAY);
    seat.choose(T0 + s(5), Presence::Break).unwrap();
    assert_eq!((seat.presence(), seat.next()), (&Presence::Ready, Some(&Presence::Break)));
    seat.left(T0 + s(60), Then::WrapUp(rule(30)));
    seat.tick(T0 + s(90));
    assert_eq!((seat.presence(), seat.presence_since()), (&Presence::Break, T0 + s(90)));
    assert_eq!(seat.available_since(), None);
}

#[test]
fn a_choice_taken_back_in_the_call_leaves_the_seat_ready() {
    let mut seat = talked(rule(30));
    seat.choose(T0 + s(5), Presence::Training).unwrap();
    seat.choose(T0 + s(6), Presence::Ready).unwrap();
    assert_eq!(seat.available_since(), Some(T0 + s(6)));
    assert_eq!(seat.next(), None);
}

#[test]
fn the_last_choice_counts_while_a_call_of_its_own_is_hung_up() {
    let mut seat = ready_seat();
    assert!(seat.own_call(T0, CallId(7), LegId(9)));
    seat.choose(T0, Presence::Break).unwrap();
    seat.leave(Then::Idle);
    seat.choose(T0, Presence::Ready).unwrap();
    seat.left(T0, Then::Idle);
    assert_eq!(seat.presence(), &Presence::Ready);
}

#[test]
fn a_wrap_up_can_be_extended_up_to_its_longest() {
    let mut seat = talked(rule(30));
    seat.extend().unwrap();
    assert_eq!(seat.deadline(), Some(T0 + s(50)));
    assert_eq!(seat.extend(), Err(PresenceError::NoMoreTime));
    seat.tick(T0 + s(50));
    assert_eq!(seat.work(), Work::Idle);
    assert_eq!(seat.extend(), Err(PresenceError::NotInWrapUp));
}

#[test]
fn a_mandatory_result_holds_the_seat_until_it_is_given_or_the_longest_time_is_over() {
    let asks = WrapUpRule { result: true, ..rule(30) };
    let mut seat = talked(asks);
    assert_eq!(seat.finish(T0 + s(1)), Err(PresenceError::ResultMissing));
    assert_eq!(seat.choose(T0 + s(1), Presence::Ready), Err(PresenceError::ResultMissing));
    seat.tick(T0 + s(30));
    assert!(matches!(seat.work(), Work::WrapUp(_)), "the ordinary time is over and the result is missing");
    assert_eq!(seat.note_result(), Some(CallId(1)));
    seat.finish(T0 + s(40)).unwrap();
    assert_eq!(seat.available_since(), Some(T0 + s(40)));

    let mut seat = talked(asks);
    seat.tick(T0 + s(30));
    seat.tick(T0 + s(50));
    assert_eq!(seat.work(), Work::Idle, "the longest time is over");
}

#[test]
fn a_result_given_in_the_talk_is_not_asked_for_again() {
    let mut seat = ready_seat();
    seat.offer(lease(1));
    seat.talk(OfferId(1), DAY);
    seat.note_result();
    seat.left(T0, Then::WrapUp(WrapUpRule { result: true, ..rule(30) }));
    seat.finish(T0 + s(1)).unwrap();
}

#[test]
fn a_break_that_lasts_too_long_is_told_once() {
    let mut seat = ready_seat();
    seat.set_longest_break(s(600));
    seat.choose(T0, Presence::Break).unwrap();
    assert_eq!(seat.deadline(), Some(T0 + s(600)));
    assert!(!seat.tick(T0 + s(599)));
    assert!(seat.tick(T0 + s(600)) && seat.is_break_over());
    assert!(!seat.tick(T0 + s(700)));
    seat.choose(T0 + s(800), Presence::Ready).unwrap();
    assert!(!seat.is_break_over());
}

#[test]
fn calls_are_counted_by_day() {
    let seat = talked(rule(0));
    assert_eq!((seat.calls_on(DAY), seat.calls_on(DAY.tomorrow().unwrap())), (1, 0));
}

#[test]
fn who_signs_out_is_forgotten_as_a_person() {
    let mut seat = Seat::new(T0, true);
    let agent = Agent { id: AgentId(1001), skills: [].into(), queues: Vec::new() };
    seat.sign_in(T0, Some(agent));
    assert_eq!(seat.agent_id(), Some(AgentId(1001)));
    seat.choose(T0, Presence::SignedOut).unwrap();
    assert_eq!(seat.agent_id(), None);
}

#[test]
fn a_wrap_up_that_owes_a_result_goes_on_after_a_call_of_the_seats_own() {
    let mut seat = talked(WrapUpRule { result: true, ..rule(30) });
    assert!(seat.own_call(T0 + s(10), CallId(7), LegId(9)));
    assert_eq!(seat.call_of_notes(), Some(CallId(1)), "the result is still owed");
    seat.left(T0 + s(100), Then::Idle);
    let Work::WrapUp(notes) = seat.work() else { panic!("the notes are gone") };
    assert_eq!((notes.call, notes.result_missing), (CallId(1), true));
    assert_eq!((notes.until, notes.at_most), (T0 + s(120), T0 + s(140)), "its time stood still");
    assert_eq!(seat.finish(T0 + s(101)), Err(PresenceError::ResultMissing));
    // A talk with a citizen is written up together with it.
    assert!(seat.own_call(T0 + s(110), CallId(8), LegId(11)));
    seat.left(T0 + s(200), Then::WrapUp(rule(30)));
    let Work::WrapUp(notes) = seat.work() else { panic!("the notes are gone") };
    assert_eq!((notes.call, notes.until, notes.at_most), (CallId(1), T0 + s(230), T0 + s(250)));
}

#[test]
fn a_result_given_in_a_call_of_the_seats_own_settles_the_wrap_up_before() {
    let mut seat = talked(WrapUpRule { result: true, ..rule(30) });
    assert!(seat.own_call(T0, CallId(7), LegId(9)));
    assert_eq!(seat.note_result(), Some(CallId(1)));
    seat.left(T0 + s(5), Then::Idle);
    assert_eq!(seat.work(), Work::Idle);
}
