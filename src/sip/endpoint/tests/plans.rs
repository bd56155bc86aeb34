//! A new plan in mid-call: trunks in another order, trunks and seats that are gone or new. What goes on is not disturbed, and
//! room is given back where it was taken.

use super::party::{Party, sdp};
use super::rig::*;
use crate::sip::endpoint::Refused;
use crate::types::{Cause, LegCommand, LegEvent, LegId};

const AUDIO: &str = "10.1.0.1:30000";

/// Calls in progress by trunk.
fn calls(rig: &Rig) -> Vec<(String, u32)> {
    rig.endpoint.trunks.status().into_iter().map(|t| (t.name, t.calls)).collect()
}

fn named(some: &[(&str, u32)]) -> Vec<(String, u32)> {
    some.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
}

/// A call from a carrier, answered.
fn talk_from(rig: &mut Rig, at: &str, call_id: &str) -> (Party, LegId) {
    let mut caller = Party::caller(at, call_id);
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(at, invite);
    rig.hears(at, "100");
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Answer);
    caller.learns(&rig.hears(at, "200"));
    let ack = caller.ack("");
    rig.say(at, ack);
    rig.reports(leg, LegEvent::Answered);
    (caller, leg)
}

#[test]
fn trunks_in_another_order_keep_their_calls() {
    let mut rig = Rig::new();
    let (mut first, leg) = talk_from(&mut rig, CARRIER, "a");
    let (mut other, other_leg) = talk_from(&mut rig, OTHER_CARRIER, "b");
    let dialled = rig.dial_trunk();
    let invite = rig.hears(CARRIER, "INVITE");
    let mut plan = rig.endpoint.plan().clone();
    plan.trunks.reverse();
    rig.set_plan(plan);
    assert_eq!(calls(&rig), named(&[("second", 1), ("first", 2)]));
    // The attempt that was open fails over in the new plan as well.
    rig.say(CARRIER, Party::callee(CARRIER, &invite).response(&invite, 503, &[], ""));
    rig.hears(CARRIER, "ACK");
    assert_eq!(calls(&rig), named(&[("second", 2), ("first", 1)]));
    let again = rig.hears(OTHER_CARRIER, "INVITE");
    rig.say(OTHER_CARRIER, Party::callee(OTHER_CARRIER, &again).response(&again, 486, &[], ""));
    rig.hears(OTHER_CARRIER, "ACK");
    rig.ends_with(dialled, Cause::Busy, Some(486));
    rig.party_hangs_up(&mut first, leg);
    assert_eq!(calls(&rig), named(&[("second", 1), ("first", 0)]));
    rig.party_hangs_up(&mut other, other_leg);
    assert_eq!(calls(&rig), named(&[("second", 0), ("first", 0)]));
    rig.finish();
}

#[test]
fn a_trunk_that_leaves_the_plan_finishes_its_calls_and_brings_no_more() {
    let mut rig = Rig::new();
    let (mut caller, leg) = talk_from(&mut rig, CARRIER, "a");
    let mut plan = rig.endpoint.plan().clone();
    plan.trunks.remove(0);
    rig.set_plan(plan);
    let mut late = Party::caller(CARRIER, "late");
    let invite = late.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "403");
    rig.say(CARRIER, late.ack_refusal());
    assert_eq!(rig.refused(None, Refused::UnknownSource), 1);
    let hold = caller.invite("", &sdp(AUDIO, "sendonly"));
    rig.say(CARRIER, hold);
    rig.hears(CARRIER, "200");
    rig.reports(leg, LegEvent::Held(true));
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.party_hangs_up(&mut caller, leg);
    assert_eq!(calls(&rig), named(&[("second", 0)]));
    rig.finish();
}

#[test]
fn a_new_trunk_takes_over_nothing_of_one_that_has_left() {
    let mut rig = Rig::new();
    let (mut caller, leg) = talk_from(&mut rig, CARRIER, "a");
    let mut plan = rig.endpoint.plan().clone();
    let mut new = plan.trunks.remove(0);
    new.name = "third".to_owned();
    plan.trunks.insert(0, new);
    rig.set_plan(plan);
    let (mut next, next_leg) = talk_from(&mut rig, CARRIER, "b");
    assert_eq!(calls(&rig), named(&[("third", 1), ("second", 0), ("first", 1)]));
    rig.party_hangs_up(&mut caller, leg);
    assert_eq!(calls(&rig), named(&[("third", 1), ("second", 0)]));
    rig.party_hangs_up(&mut next, next_leg);
    rig.finish();
}

#[test]
fn a_seat_that_leaves_the_plan_finishes_its_talk() {
    let mut rig = Rig::new();
    let (phone, leg) = rig.talk_to_seat(&[]);
    let mut plan = rig.endpoint.plan().clone();
    plan.seats.remove(&SEAT);
    rig.set_plan(plan);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(PHONE, "INVITE");
    rig.say(PHONE, phone.response(&hold, 200, &[], &sdp("10.2.0.1:40000", "recvonly")));
    rig.hears(PHONE, "ACK");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(PHONE, "BYE");
    rig.say(PHONE, phone.response(&bye, 200, &[], ""));
    rig.finish();
}
