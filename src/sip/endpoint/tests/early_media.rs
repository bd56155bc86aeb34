//! Who offers what and when: calls without an offer, early media, reliable responses (RFC 3261 13.2.1, RFC 3262).

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::sip::message::HeaderName;
use crate::types::{Cause, LegCommand, LegEvent, LegId};

const AUDIO: &str = "10.1.0.1:30000";
const RELIABLE: &str = "Supported: 100rel\r\n";

fn arrives(rig: &mut Rig, extra: &str, body: &str) -> (Party, LegId) {
    let mut caller = Party::caller(CARRIER, "early");
    let invite = caller.invite(extra, body);
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "100");
    (caller, rig.event().0)
}

#[test]
fn a_call_without_an_offer_is_offered_in_the_200_and_answers_in_the_ack() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "", "");
    rig.tell(leg, LegCommand::Ring);
    rig.hears(CARRIER, "180");
    // An unreliable response cannot carry the offer.
    rig.tell(leg, LegCommand::EarlyMedia);
    assert!(rig.hears(CARRIER, "180").body().is_empty());
    rig.reports(leg, LegEvent::NoEarlyMedia);
    rig.tell(leg, LegCommand::Answer);
    let ok = rig.hears(CARRIER, "200");
    assert!(ok.body().starts_with(b"v=0"));
    assert!(!rig.has_stream(leg), "nothing is agreed yet");
    caller.learns(&ok);
    let ack = caller.ack(&sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn an_ack_without_the_answer_ends_the_call() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "", "");
    rig.tell(leg, LegCommand::Answer);
    caller.learns(&rig.hears(CARRIER, "200"));
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.ends(leg, Cause::NoCommonMedia);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn with_100rel_the_offer_goes_in_the_183_and_the_answer_comes_in_the_prack() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, RELIABLE, "");
    rig.tell(leg, LegCommand::EarlyMedia);
    let early = rig.hears(CARRIER, "183");
    assert_eq!(header(&early, HeaderName::Require), "100rel");
    assert!(early.body().starts_with(b"v=0"));
    caller.learns(&early);
    let prack = caller.prack(&early, &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, prack);
    assert_eq!(header(&rig.hears(CARRIER, "200"), HeaderName::CSeq), "2 PRACK");
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO, "early media flow");
    rig.tell(leg, LegCommand::Answer);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn the_answer_waits_for_the_prack_of_a_183_with_media() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, RELIABLE, &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::EarlyMedia);
    let early = rig.hears(CARRIER, "183");
    rig.tell(leg, LegCommand::Answer);
    rig.silence();
    rig.pass_ms(600);
    assert_eq!(rig.hears(CARRIER, "183").bytes(), early.bytes(), "repeated until its PRACK");
    caller.learns(&early);
    let wrong = caller.request("PRACK", "RAck: 1 1 OPTIONS\r\n", "");
    rig.say(CARRIER, wrong);
    rig.hears(CARRIER, "481");
    rig.silence();
    let prack = caller.prack(&early, "");
    rig.say(CARRIER, prack);
    assert!(header(&rig.hears(CARRIER, "200"), HeaderName::CSeq).ends_with("PRACK"));
    assert!(header(&rig.hears(CARRIER, "200"), HeaderName::CSeq).ends_with("INVITE"));
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_caller_that_insists_on_reliable_responses_gets_its_180_so_and_may_be_answered_at_once() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "Require: 100rel\r\n", &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::Ring);
    let ringing = rig.hears(CARRIER, "180");
    assert_eq!(header(&ringing, HeaderName::Require), "100rel");
    caller.learns(&ringing);
    rig.tell(leg, LegCommand::Answer);
    rig.hears(CARRIER, "200");
    let prack = caller.prack(&ringing, "");
    rig.say(CARRIER, prack);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.pass_ms(5_000);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn without_any_prack_the_call_is_refused_with_504() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, RELIABLE, &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::EarlyMedia);
    rig.pass(PATIENCE);
    assert_eq!(rig.drain("183"), 7);
    rig.hears(CARRIER, "504");
    rig.ends(leg, Cause::PeerLost);
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn a_cancel_while_a_prack_is_awaited_ends_the_repeating() {
    let mut rig = Rig::new();
    let (caller, leg) = arrives(&mut rig, RELIABLE, &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::EarlyMedia);
    rig.hears(CARRIER, "183");
    rig.say(CARRIER, caller.cancel());
    rig.hears(CARRIER, "200");
    rig.hears(CARRIER, "487");
    rig.ends(leg, Cause::Cancelled);
    rig.say(CARRIER, caller.ack_refusal());
    rig.pass_ms(5_000);
    rig.finish();
}

#[test]
fn a_prack_whose_answer_has_no_codec_of_ours_ends_the_call() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, RELIABLE, "");
    rig.tell(leg, LegCommand::EarlyMedia);
    let early = rig.hears(CARRIER, "183");
    caller.learns(&early);
    let prack = caller.prack(&early, &super::party::described(AUDIO, "18", "sendrecv"));
    rig.say(CARRIER, prack);
    assert!(header(&rig.hears(CARRIER, "488"), HeaderName::CSeq).ends_with("PRACK"));
    assert!(header(&rig.hears(CARRIER, "488"), HeaderName::CSeq).ends_with("INVITE"));
    rig.ends(leg, Cause::NoCommonMedia);
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn an_update_before_the_answer_moves_the_early_media() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, RELIABLE, &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::EarlyMedia);
    let early = rig.hears(CARRIER, "183");
    caller.learns(&early);
    let prack = caller.prack(&early, "");
    rig.say(CARRIER, prack);
    rig.hears(CARRIER, "200");
    let update = caller.request("UPDATE", "", &sdp("10.1.0.1:31000", "sendrecv"));
    rig.say(CARRIER, update);
    assert!(rig.hears(CARRIER, "200").body().starts_with(b"v=0"));
    assert_eq!(rig.stream(leg).remote.to_string(), "10.1.0.1:31000");
    rig.tell(leg, LegCommand::Answer);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_second_invite_before_the_first_is_answered_gets_500_with_a_time() {
    let mut rig = Rig::new();
    let (mut caller, leg) = arrives(&mut rig, "", &sdp(AUDIO, "sendrecv"));
    rig.tell(leg, LegCommand::Ring);
    caller.learns(&rig.hears(CARRIER, "180"));
    let first = caller.clone();
    let second = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, second);
    assert!(rig.hears(CARRIER, "500").retry_after().unwrap() <= 10);
    rig.say(CARRIER, caller.ack_refusal());
    rig.say(CARRIER, first.cancel());
    rig.hears(CARRIER, "200");
    rig.hears(CARRIER, "487");
    rig.ends(leg, Cause::Cancelled);
    rig.say(CARRIER, first.ack_refusal());
    rig.finish();
}
