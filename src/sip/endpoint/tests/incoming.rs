//! A call from a carrier, from its INVITE to its end (RFC 3261 13.3, 15).

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::sip::message::HeaderName;
use crate::types::{Cause, Codec, LegCommand, LegEvent, LegId, Origin};

const AUDIO: &str = "10.1.0.1:30000";

fn arrives(rig: &mut Rig, extra: &str) -> (Party, LegId) {
    let mut caller = Party::caller(CARRIER, "call-1");
    let invite = caller.invite(extra, &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "100");
    let (leg, event) = rig.event();
    let LegEvent::Arrived(arrival) = event else { panic!("{event:?}") };
    assert_eq!((arrival.origin, arrival.called.as_str()), (Origin::Trunk(FIRST), "12345"));
    assert_eq!(arrival.calling.number.as_ref().map(|n| n.as_str()), Some("13981112233"));
    assert_eq!((arrival.call_id.as_str(), arrival.source.to_string().as_str()), ("call-1", "10.1.0.1"));
    (caller, leg)
}

#[test]
fn a_call_rings_hears_us_early_is_answered_and_hung_up_by_the_caller() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Ring);
    let ringing = rig.hears(CARRIER, "180");
    assert!(ringing.body().is_empty() && ringing.to_tag().is_some());
    assert!(!rig.has_stream(leg));
    rig.tell(leg, LegCommand::EarlyMedia);
    let early = rig.hears(CARRIER, "183");
    assert!(early.body().starts_with(b"v=0"));
    assert_eq!(early.rseq(), None, "the caller takes no reliable responses");
    assert_eq!((rig.stream(leg).remote.to_string().as_str(), rig.stream(leg).codec), (AUDIO, Codec::Pcma));
    assert!(!rig.stream(leg).may_latch, "trunks never latch");
    rig.tell(leg, LegCommand::Answer);
    let ok = rig.hears(CARRIER, "200");
    assert_eq!(ok.body(), early.body(), "the description of the 183 again (RFC 3261 13.2.1)");
    assert_eq!(ok.to_tag(), early.to_tag());
    assert_eq!(ok.contact().unwrap().unwrap().uri.host(), "10.0.0.1");
    rig.no_event();
    caller.learns(&ok);
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn we_hang_up_with_a_bye_that_says_why_and_the_leg_is_over_at_once() {
    let mut rig = Rig::new();
    let (caller, leg) = rig.talk("");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(CARRIER, "BYE");
    assert_eq!(bye.reason_headers()[0].cause, Some(16));
    assert_eq!((bye.to_tag(), bye.from_tag()), (Some(caller.tag.as_str()), Some(caller.theirs.as_str())));
    assert_eq!(bye.request_uri_text(), "sip:13981112233@10.1.0.1:5060", "the Contact of the INVITE");
    let ok = caller.response(&bye, 200, &[], "");
    rig.say(CARRIER, ok);
    rig.finish();
}

#[test]
fn the_200_is_repeated_until_the_ack_and_answered_is_reported_once() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Answer);
    caller.learns(&rig.hears(CARRIER, "200"));
    rig.pass_ms(1_600);
    assert_eq!(rig.drain("200"), 2, "after 500 and 1,500 ms");
    for _ in 0..3 {
        let ack = caller.ack("");
        rig.say(CARRIER, ack);
    }
    rig.reports(leg, LegEvent::Answered);
    rig.no_event();
    rig.pass_ms(10_000);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_cancel_before_the_answer_gets_200_and_the_invite_487() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Ring);
    let ringing = rig.hears(CARRIER, "180");
    rig.say(CARRIER, caller.cancel());
    let ok = rig.hears(CARRIER, "200");
    assert_eq!(header(&ok, HeaderName::CSeq), "1 CANCEL");
    let refusal = rig.hears(CARRIER, "487");
    assert_eq!(header(&refusal, HeaderName::CSeq), "1 INVITE");
    assert_eq!((ok.to_tag(), refusal.to_tag()), (ringing.to_tag(), ringing.to_tag()), "one tag of ours (RFC 3261 9.2)");
    rig.ends(leg, Cause::Cancelled);
    rig.say(CARRIER, caller.ack_refusal());
    // The core may not know yet.
    rig.tell(leg, LegCommand::Answer);
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    rig.finish();
}

#[test]
fn a_cancel_from_elsewhere_ends_no_call_though_it_names_the_branch() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Ring);
    rig.hears(CARRIER, "180");
    for elsewhere in [STRANGER, OTHER_CARRIER] {
        rig.say(elsewhere, caller.cancel());
        rig.silence();
        rig.no_event();
    }
    // The caller's own counts.
    rig.say(CARRIER, caller.cancel());
    rig.hears(CARRIER, "200");
    rig.hears(CARRIER, "487");
    rig.ends(leg, Cause::Cancelled);
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn a_cancel_that_crosses_the_200_changes_nothing() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Answer);
    let ok = rig.hears(CARRIER, "200");
    rig.say(CARRIER, caller.cancel());
    let cancelled = rig.hears(CARRIER, "200");
    assert_eq!(header(&cancelled, HeaderName::CSeq), "1 CANCEL");
    assert_eq!(cancelled.to_tag(), ok.to_tag());
    rig.no_event();
    caller.learns(&ok);
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_cancel_that_crosses_a_refusal_is_answered_under_its_tag() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Refuse(Cause::Busy));
    let busy = rig.hears(CARRIER, "486");
    rig.ends(leg, Cause::Busy);
    rig.say(CARRIER, caller.cancel());
    assert_eq!(rig.hears(CARRIER, "200").to_tag(), busy.to_tag());
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn a_cancel_of_nothing_gets_481() {
    let mut rig = Rig::new();
    let mut caller = Party::caller(CARRIER, "nothing");
    caller.invite("", "");
    rig.say(CARRIER, caller.cancel());
    rig.hears(CARRIER, "481");
    rig.finish();
}

#[test]
fn a_bye_waits_for_the_ack_of_the_200() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Answer);
    caller.learns(&rig.hears(CARRIER, "200"));
    rig.tell(leg, LegCommand::Hangup(Cause::Overload));
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.silence();
    rig.no_event();
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.ends(leg, Cause::Overload);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn without_any_ack_the_leg_ends_after_64_t1_with_a_bye() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Answer);
    rig.pass_ms(31_999);
    assert_eq!(rig.drain("200"), 11);
    rig.no_event();
    rig.pass_ms(1);
    rig.ends(leg, Cause::PeerLost);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 481, &[], ""));
    rig.finish();
}

#[test]
fn a_hang_up_without_any_ack_keeps_its_reason() {
    let mut rig = Rig::new();
    let (_, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Answer);
    rig.tell(leg, LegCommand::Hangup(Cause::Restart));
    rig.pass(PATIENCE);
    rig.ends(leg, Cause::Restart);
    rig.pass(PATIENCE);
    rig.drain_all();
    rig.finish();
}

#[test]
fn a_bye_without_an_answer_is_given_up_quietly() {
    let mut rig = Rig::new();
    let (_, leg) = rig.talk("");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    rig.pass(PATIENCE);
    assert_eq!(rig.drain("BYE"), 11);
    rig.finish();
}

#[test]
fn a_caller_that_sends_bye_instead_of_cancel_is_let_go() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "");
    rig.tell(leg, LegCommand::Ring);
    caller.learns(&rig.hears(CARRIER, "180"));
    let bye = caller.request("BYE", "", "");
    rig.say(CARRIER, bye);
    rig.hears(CARRIER, "200");
    rig.hears(CARRIER, "487");
    rig.ends(leg, Cause::Cancelled);
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn a_refusal_says_its_cause_and_is_repeated_until_its_ack() {
    let statuses = [
        (Cause::Busy, "486"),
        (Cause::NoSuchNumber, "404"),
        (Cause::ModeNotServed, "404"),
        (Cause::Overload, "503"),
        (Cause::Restart, "503"),
        (Cause::Declined, "603"),
    ];
    for (cause, status) in statuses {
        let mut rig = Rig::new();
        let (caller, leg) = arrives(&mut rig, "");
        rig.tell(leg, LegCommand::Refuse(cause));
        let refusal = rig.hears(CARRIER, status);
        assert_eq!(refusal.retry_after(), (status == "503").then_some(5));
        rig.ends(leg, cause);
        rig.pass_ms(600);
        rig.hears(CARRIER, status);
        rig.say(CARRIER, caller.ack_refusal());
        rig.pass_ms(10_000);
        rig.finish();
    }
}

#[test]
fn an_invite_that_comes_again_makes_no_second_leg() {
    let mut rig = Rig::new();
    let mut caller = Party::caller(CARRIER, "call-1");
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite.clone());
    let (leg, _) = rig.event();
    rig.say(CARRIER, invite);
    assert_eq!(rig.drain("100"), 2);
    rig.no_event();
    rig.tell(leg, LegCommand::Hangup(Cause::Busy));
    rig.ends(leg, Cause::Busy);
    rig.hears(CARRIER, "486");
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn requests_go_to_the_contact_along_the_recorded_route() {
    let mut rig = Rig::new();
    let (caller, leg) = rig.talk("Record-Route: <sip:10.1.0.77;lr>\r\n");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears("10.1.0.77:5060", "BYE");
    assert_eq!(header(&bye, HeaderName::Route), "<sip:10.1.0.77;lr>");
    assert_eq!(bye.request_uri_text(), "sip:13981112233@10.1.0.1:5060");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn all_legs_end_when_the_exchange_shuts_down() {
    let mut rig = Rig::new();
    let (mut caller, answered) = rig.talk("");
    caller.caller = "second".to_owned();
    let (arriving_caller, arriving) = arrives(&mut rig, "");
    let dialled = rig.dial_trunk();
    let invite = rig.hears(CARRIER, "INVITE");
    let callee = Party::callee(CARRIER, &invite);
    rig.end_all();
    rig.ends(answered, Cause::Restart);
    rig.ends(arriving, Cause::Restart);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.hears(CARRIER, "503");
    rig.say(CARRIER, arriving_caller.ack_refusal());
    rig.say(CARRIER, callee.response(&invite, 180, &[], ""));
    let cancel = rig.hears(CARRIER, "CANCEL");
    rig.say(CARRIER, callee.response(&cancel, 200, &[], ""));
    rig.say(CARRIER, callee.response(&invite, 487, &[], ""));
    rig.hears(CARRIER, "ACK");
    let (leg, event) = rig.event();
    assert_eq!(leg, dialled);
    assert!(matches!(event, LegEvent::Ringing), "{event:?}");
    rig.ends_with(dialled, Cause::Restart, Some(487));
    assert!(rig.endpoint.is_quiet() || rig.endpoint.legs() == 0);
    rig.finish();
}
