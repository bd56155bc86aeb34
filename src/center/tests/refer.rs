//! A blind transfer that a seat's phone asks for: the agent stays until the third answers, and the phone is told how it goes.

use super::dial_out::number;
use super::transfer::{Three, three, with_plan};
use super::*;
use crate::types::{Referral, Target, TransferEnd};

impl Three {
    /// The agent's phone asks for a number.
    fn refers(&mut self, to: &str) {
        let to = PhoneNumber::parse(to).unwrap();
        self.stage.leg(self.agent, LegEvent::Refer { to });
    }

    /// What a phone was told.
    fn told_of(&self, leg: LegId) -> Vec<Referral> {
        let referrals = self.stage.told(leg).into_iter().filter_map(|command| match command {
            LegCommand::Referred(referral) => Some(referral),
            _ => None,
        });
        referrals.collect()
    }
}

#[test]
fn the_agent_stays_until_the_third_answers_and_is_hung_up_after_the_last_word() {
    let mut three = three();
    three.refers("110");
    let police = three.last_leg();
    assert_eq!(three.stage.last_dial().1.target, Target::Trunk { trunk: TrunkId(1), number: number("110") });
    assert!(three.talk_of_two() && three.told_of(three.agent).is_empty());
    three.stage.leg(police, LegEvent::Ringing);
    assert!(three.talk_of_two());
    assert_eq!(three.told_of(three.agent), [Referral::Ringing]);
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.stage.hears(three.caller), voice(police));
    let told = three.stage.told(three.agent);
    let last = [LegCommand::Referred(Referral::Answered), LegCommand::Hangup(Cause::HungUp)];
    assert_eq!(told[told.len() - 2..], last);
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!(three.ends_of_transfers(), [TransferEnd::Completed]);
    assert_eq!(three.place(), Some(WhereIs::Outside));
}

#[test]
fn a_phone_that_hangs_up_at_once_leaves_the_caller_to_the_ringing() {
    let mut three = three();
    three.refers("110");
    let police = three.last_leg();
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!(three.stage.hears(three.caller), [Source::Ringback]);
    three.stage.leg(police, LegEvent::Ringing);
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.stage.hears(three.caller), voice(police));
    assert_eq!(three.ends_of_transfers(), [TransferEnd::HandedOver]);
}

#[test]
fn all_ways_are_rung_before_the_phone_hears_that_nobody_comes() {
    let mut three = three();
    three.refers("110");
    let first = three.last_leg();
    three.stage.leg(first, LegEvent::Ringing);
    three.stage.ended(first, Cause::Busy);
    assert_eq!(three.told_of(three.agent), [Referral::Ringing], "one way is left");
    let second = three.last_leg();
    three.stage.ended(second, Cause::Declined);
    assert_eq!(three.told_of(three.agent), [Referral::Ringing, Referral::Failed(Cause::Declined)]);
    assert!(three.talk_of_two());
    assert_eq!(three.ends_of_transfers(), [TransferEnd::Failed { cause: Cause::Declined }]);
    three.refers("110");
    assert_eq!(three.stage.dials().len(), 1, "the seat itself; 110 is no seat");
    assert_ne!(three.last_leg(), second, "and may ask again");
}

#[test]
fn what_may_not_be_is_told_and_changes_nothing() {
    let mut three = three();
    // A line of ours, the agent's own seat, a seat where nobody is signed in.
    let cases = [("12333", Cause::Declined), ("8001", Cause::NoSuchNumber), ("8002", Cause::Unreachable)];
    for (n, (to, why)) in cases.into_iter().enumerate() {
        three.refers(to);
        assert!(three.talk_of_two(), "{to}");
        let told = three.told_of(three.agent);
        assert_eq!((told.len(), told.last()), (n + 1, Some(&Referral::Failed(why))), "{to}: told once");
    }
}

#[test]
fn a_third_is_not_brought_beside_another() {
    let mut three = three();
    let police = three.rings_110();
    three.refers("13900001111");
    assert_eq!(three.told_of(three.agent), [Referral::Failed(Cause::Busy)]);
    three.stage.leg(police, LegEvent::Ringing);
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.told_of(three.agent).len(), 1, "the keys asked for 110, not the phone");
    assert_eq!(three.stage.hears(three.agent).len(), 2, "and the agent stays");
}

#[test]
fn a_drain_refuses_a_citizen_and_never_an_emergency_service() {
    let mut three = three();
    three.stage.feed(Input::Drain { within: Some(Duration::from_secs(30)), reply: None });
    three.refers("13900001111");
    assert_eq!(three.told_of(three.agent), [Referral::Failed(Cause::Overload)]);
    three.refers("110");
    let police = three.last_leg();
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.stage.hears(three.caller), voice(police));
    three.stage.pass(60);
    assert_eq!(three.stage.hears(three.caller), voice(police), "nothing of ours ends it");
}

#[test]
fn who_does_not_talk_to_a_caller_has_nobody_to_transfer() {
    let mut three = three();
    let to = || LegEvent::Refer { to: PhoneNumber::parse("110").unwrap() };
    three.stage.leg(three.caller, to());
    assert_eq!(three.told_of(three.caller), [Referral::Failed(Cause::Declined)], "a caller");
    let police = three.rings_110();
    three.stage.leg(police, LegEvent::Answered);
    three.stage.leg(police, to());
    assert_eq!(three.told_of(police), [Referral::Failed(Cause::Declined)], "a third");
    assert_eq!(three.stage.hears(three.caller).len(), 2);
}

#[test]
fn a_caller_who_leaves_ends_the_ringing() {
    let mut three = three();
    three.refers("110");
    let police = three.last_leg();
    three.stage.ended(three.caller, Cause::HungUp);
    assert_eq!(three.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    assert_eq!(three.stage.told(three.agent).last(), Some(&LegCommand::Hangup(Cause::HungUp)));
    assert_eq!(three.ends_of_transfers(), [TransferEnd::CallEnded]);
}

#[test]
fn a_caller_on_hold_hears_music_until_the_third_answers() {
    let mut three = three();
    three.stage.leg(three.agent, LegEvent::Held(true));
    three.refers("110");
    let police = three.last_leg();
    three.stage.leg(police, LegEvent::Ringing);
    assert_eq!(three.stage.hears(three.caller), music());
    three.stage.leg(police, LegEvent::Answered);
    assert_eq!(three.stage.hears(three.caller), voice(police), "and no music any more");
}

#[test]
fn a_third_who_is_heard_before_the_answer_rings_too() {
    let mut three = three();
    three.refers("110");
    let police = three.last_leg();
    three.stage.leg(police, LegEvent::Ringing);
    three.stage.leg(police, LegEvent::EarlyMedia(true));
    assert!(three.talk_of_two());
    assert_eq!(three.told_of(three.agent), [Referral::Ringing]);
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!(three.stage.hears(three.caller), voice(police), "the carrier's own announcement");
}

#[test]
fn the_agent_may_take_the_caller_back_while_it_rings() {
    let mut three = three();
    three.refers("110");
    let police = three.last_leg();
    for _ in 0..2 {
        three.stage.leg(three.agent, LegEvent::Digit { digit: Digit('*'), by: DigitBy::Event });
    }
    assert_eq!(three.stage.told(police).last(), Some(&LegCommand::Hangup(Cause::Cancelled)));
    assert_eq!(three.told_of(three.agent), [Referral::Failed(Cause::Cancelled)]);
    assert!(three.talk_of_two());
}

#[test]
fn a_seat_that_a_phone_transfers_to_has_the_call() {
    let mut three = three();
    three.stage.reachable(8002, true);
    three.stage.presence(8002, PresenceCommand::SignIn);
    three.refers("8002");
    let (seat, other) = three.stage.dialled();
    assert_eq!(seat, 8002);
    three.stage.leg(other, LegEvent::Answered);
    three.stage.ended(three.agent, Cause::HungUp);
    assert_eq!((three.stage.hears(three.caller), three.stage.hears(other)), (voice(other), voice(three.caller)));
    let call = three.stage.call_of(three.caller);
    assert_eq!(three.stage.seat(8002).work, Doing::Talking { call });
}

#[test]
fn a_telephone_names_no_reason_and_is_not_asked_for_one() {
    let mut three = with_plan(|plan| plan.desk.transfer_reasons = vec![Word::new("危及生命")]);
    three.refers("110");
    assert!(three.told_of(three.agent).is_empty() && three.talk_of_two());
    assert_eq!(three.stage.dials().len(), 1);
    assert!(matches!(three.stage.last_dial().1.target, Target::Trunk { .. }));
}
