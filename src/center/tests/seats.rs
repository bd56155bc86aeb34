//! What a seat may do with an offer, and what we make of it.

use super::*;

/// One ready seat that is being rung for one caller: caller's leg, seat's leg.
fn rung() -> (Stage, LegId, LegId) {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.leg(leg, LegEvent::Ringing);
    (stage, caller, leg)
}

fn waits_again(stage: &mut Stage, caller: LegId) {
    let call = stage.call_of(caller);
    assert_eq!(stage.view().queues[0].waiting, [call]);
    assert_eq!(stage.hears(caller), music());
}

#[test]
fn a_seat_that_does_not_answer_is_set_not_ready_and_the_next_is_rung() {
    let (mut stage, caller, leg) = rung();
    stage.reachable(8002, true);
    stage.presence(8002, PresenceCommand::SignIn);
    stage.presence(8002, PresenceCommand::Ready);
    stage.pass(15);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::NoAnswer)));
    assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::NoAnswer));
    let (next, next_leg) = stage.dialled();
    assert_eq!(next, 8002);
    stage.leg(next_leg, LegEvent::Answered);
    assert_eq!(stage.hears(caller), voice(next_leg));
}

#[test]
fn an_answer_that_crosses_our_hang_up_is_void() {
    let (mut stage, caller, leg) = rung();
    stage.pass(15);
    stage.leg(leg, LegEvent::Answered);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    waits_again(&mut stage, caller);
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.seat(8001).work, Doing::Idle);
}

#[test]
fn a_phone_that_never_rang_rests_and_is_tried_again() {
    let mut stage = Stage::with_ready(&[8001]);
    stage.queued("12345");
    let (_, leg) = stage.dialled();
    stage.pass(15);
    stage.ended(leg, Cause::Unreachable);
    assert_eq!(stage.seat(8001).presence, Presence::Ready, "the agent is not to blame");
    assert!(matches!(stage.seat(8001).work, Doing::Resting { .. }));
    assert_eq!(stage.dials().len(), 1, "not tried again at once");
    stage.pass(10);
    assert_eq!(stage.dials().len(), 2);
}

#[test]
fn a_seat_that_declines_is_not_rung_again_until_its_agent_is_ready() {
    let (mut stage, caller, leg) = rung();
    stage.ended(leg, Cause::Declined);
    waits_again(&mut stage, caller);
    assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::Declined));
    stage.pass(600);
    assert_eq!(stage.dials().len(), 1);
    stage.presence(8001, PresenceCommand::Ready);
    assert_eq!(stage.dials().len(), 2);
}

#[test]
fn a_busy_or_broken_phone_rests_and_after_three_failures_its_seat_is_not_ready() {
    for cause in [Cause::Busy, Cause::Unreachable, Cause::Unregistered, Cause::NoCommonMedia, Cause::Overload] {
        let mut stage = Stage::with_ready(&[8001]);
        let caller = stage.queued("12345");
        for tries in 1..=3 {
            assert_eq!(stage.dials().len(), tries);
            let (_, leg) = stage.dialled();
            stage.ended(leg, cause);
            waits_again(&mut stage, caller);
            stage.pass(10);
        }
        assert_eq!(stage.seat(8001).presence, Presence::NotReady(WhyNotReady::PhoneFails));
        assert_eq!(stage.dials().len(), 3);
    }
}

#[test]
fn our_own_want_of_room_is_no_strike_against_a_seat() {
    let mut stage = Stage::with_ready(&[8001]);
    let caller = stage.queued("12345");
    for tries in 1..=5 {
        assert_eq!(stage.dials().len(), tries);
        let (_, leg) = stage.dialled();
        stage.leg(leg, LegEvent::Ended { cause: Cause::Overload, status: None });
        waits_again(&mut stage, caller);
        stage.pass(1);
    }
    assert_eq!(stage.seat(8001).presence, Presence::Ready);
    assert_eq!(stage.dials().len(), 6);
}

#[test]
fn a_change_of_presence_takes_the_offer_back() {
    for command in [PresenceCommand::NotReady { reason: None }, PresenceCommand::SignOut] {
        let (mut stage, caller, leg) = rung();
        assert_eq!(stage.presence(8001, command), Reply::Done);
        assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
        waits_again(&mut stage, caller);
        stage.presence(8001, PresenceCommand::SignIn);
        stage.presence(8001, PresenceCommand::Ready);
        assert_eq!(stage.dials().len(), 1, "the phone may still ring: not before its leg is gone");
        stage.ended(leg, Cause::Cancelled);
        assert_eq!(stage.dials().len(), 2);
    }
}

#[test]
fn a_phone_that_vanishes_in_mid_offer_gives_the_call_back() {
    let (mut stage, caller, leg) = rung();
    stage.reachable(8001, false);
    assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::Unregistered)));
    waits_again(&mut stage, caller);
    stage.ended(leg, Cause::Unreachable);
    assert_eq!(stage.dials().len(), 1, "not reachable, not rung");
    stage.reachable(8001, true);
    assert_eq!(stage.dials().len(), 2, "ready as before");
}

#[test]
fn registration_alone_never_brings_a_call() {
    let mut stage = Stage::new();
    stage.queued("12345");
    stage.reachable(8001, true);
    assert!(stage.dials().is_empty());
    assert_eq!(stage.presence(8001, PresenceCommand::Ready), Reply::Refused(Refusal::NotSignedIn));
    assert_eq!(stage.presence(8001, PresenceCommand::NotReady { reason: None }), Reply::Refused(Refusal::NotSignedIn));
    stage.presence(8001, PresenceCommand::SignIn);
    assert!(stage.dials().is_empty());
    stage.reachable(8001, false);
    stage.reachable(8001, true);
    assert!(stage.dials().is_empty(), "not ready, and a phone that registers anew changes nothing");
    assert_eq!(stage.presence(8001, PresenceCommand::Ready), Reply::Done);
    assert_eq!(stage.dials().len(), 1);
}

#[test]
fn commands_for_no_seat_or_no_phone_are_refused() {
    let mut stage = Stage::new();
    assert_eq!(stage.presence(9999, PresenceCommand::SignIn), Reply::Refused(Refusal::NoSuchSeat));
    stage.presence(8001, PresenceCommand::SignIn);
    assert_eq!(stage.presence(8001, PresenceCommand::Ready), Reply::Refused(Refusal::PhoneUnreachable));
}

#[test]
fn a_seat_with_a_fixed_contact_is_reachable_from_the_start() {
    let mut plan = plan();
    plan.seats.get_mut(&SeatId(8001)).unwrap().contact = Some("sip:8001@192.0.2.9".into());
    let mut stage = Stage::with(Config::default(), plan);
    stage.presence(8001, PresenceCommand::SignIn);
    assert_eq!(stage.presence(8001, PresenceCommand::Ready), Reply::Done);
}

#[test]
fn a_feature_code_does_its_work_says_so_and_hangs_up() {
    let mut stage = Stage::new();
    stage.reachable(8001, true);
    for (code, prompt, presence) in [
        ("*40", "feature/signed-in", Presence::NotReady(WhyNotReady::Chosen)),
        ("*41", "feature/ready", Presence::Ready),
        ("*42", "feature/not-ready", Presence::NotReady(WhyNotReady::Chosen)),
        ("*43", "feature/signed-out", Presence::SignedOut),
        ("*42", "feature/refused", Presence::SignedOut),
    ] {
        let leg = stage.arrive_from(Origin::Seat(SeatId(8001)), code);
        assert_eq!(stage.told(leg), [LegCommand::Answer]);
        assert_eq!(stage.seat(8001).presence, presence);
        assert!(matches!(stage.hears(leg).as_slice(), [Source::Prompt { name, .. }] if &*name.0 == prompt), "{code}");
        stage.prompt_ends(leg);
        assert_eq!(stage.told(leg).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
        stage.ended(leg, Cause::HungUp);
        assert_eq!(stage.fate(leg), Some(Fate::Served));
        assert_eq!(stage.seat(8001).work, Doing::Idle);
    }
}

#[test]
fn a_seat_that_dials_ready_is_rung_only_when_its_phone_is_free_again() {
    let mut stage = Stage::new();
    stage.reachable(8001, true);
    stage.queued("12345");
    let leg = stage.arrive_from(Origin::Seat(SeatId(8001)), "*41");
    assert!(stage.dials().is_empty());
    stage.prompt_ends(leg);
    stage.ended(leg, Cause::HungUp);
    assert_eq!(stage.dialled().0, 8001);
}

#[test]
fn a_feature_code_dialled_in_mid_offer_takes_the_offer_back() {
    let (mut stage, caller, leg) = rung();
    let own = stage.arrive_from(Origin::Seat(SeatId(8001)), "*42");
    waits_again(&mut stage, caller);
    stage.ended(own, Cause::HungUp);
    stage.ended(leg, Cause::Cancelled);
    assert_eq!(stage.fate(own), Some(Fate::Served));
    assert_eq!(stage.seat(8001).work, Doing::Idle);
}

#[test]
fn feature_codes_are_for_seats_of_the_plan_alone() {
    let mut stage = Stage::new();
    let trunk = stage.arrive("*41");
    assert_eq!(stage.told(trunk), [LegCommand::Refuse(Cause::NoSuchNumber)]);
    let stranger = stage.arrive_from(Origin::Seat(SeatId(9999)), "*41");
    assert_eq!(stage.told(stranger), [LegCommand::Refuse(Cause::NoSuchNumber)]);
}
