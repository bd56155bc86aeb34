//! A seat's phone asks for somebody else (RFC 3515, 4488, 6665): what it is answered, and what it is told of the outcome.

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, LegCommand, LegEvent, LegId, PhoneNumber, Referral, Target};

const TO_110: &str = "Refer-To: <sip:110@10.0.0.1>\r\n";

fn wants(number: &str) -> LegEvent {
    LegEvent::Refer { to: PhoneNumber::parse(number).unwrap() }
}

impl Rig {
    /// The phone sends a REFER, which gets this status.
    #[track_caller]
    fn refers(&mut self, phone: &mut Party, extra: &str, status: &str) -> Message {
        let refer = phone.request("REFER", extra, "");
        self.say(PHONE, refer);
        self.hears(PHONE, status)
    }

    /// The phone is told this; it says 200.
    #[track_caller]
    fn is_told(&mut self, phone: &Party, line: &str, state: &str) -> Message {
        let notify = self.hears(PHONE, "NOTIFY");
        assert_eq!(String::from_utf8_lossy(notify.body()), format!("SIP/2.0 {line}\r\n"));
        assert!(header(&notify, HeaderName::SubscriptionState).starts_with(state), "{:?}", notify.bytes());
        self.say(PHONE, phone.response(&notify, 200, &[], ""));
        notify
    }

    /// A talk whose phone has asked for 110.
    #[track_caller]
    fn referring(&mut self) -> (Party, LegId) {
        let (mut phone, leg) = self.talk_to_seat(&[]);
        self.refers(&mut phone, TO_110, "202");
        self.is_told(&phone, "100 Trying", "active;expires=");
        self.reports(leg, wants("110"));
        (phone, leg)
    }
}

#[test]
fn a_phone_is_told_that_it_rings_and_that_it_is_answered_before_we_hang_up() {
    let mut rig = Rig::new();
    let (phone, leg) = rig.referring();
    rig.tell(leg, LegCommand::Referred(Referral::Ringing));
    let notify = rig.is_told(&phone, "180 Ringing", "active");
    assert_eq!(header(&notify, HeaderName::Event), format!("refer;id={}", phone.cseq));
    assert_eq!(header(&notify, HeaderName::ContentType), "message/sipfrag;version=2.0");
    // The next way rings too: no news.
    rig.tell(leg, LegCommand::Referred(Referral::Ringing));
    rig.silence();
    rig.tell(leg, LegCommand::Referred(Referral::Answered));
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.is_told(&phone, "200 OK", "terminated");
    let bye = rig.hears(PHONE, "BYE");
    rig.say(PHONE, phone.response(&bye, 200, &[], ""));
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_phone_is_told_the_status_of_each_failure_and_may_ask_again() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    let cases = [
        (Cause::Busy, "486 Busy Here"),
        (Cause::NoAnswer, "480 Temporarily Unavailable"),
        (Cause::NoSuchNumber, "404 Not Found"),
        (Cause::Declined, "603 Decline"),
        (Cause::Unreachable, "503 Service Unavailable"),
    ];
    for (cause, line) in cases {
        rig.refers(&mut phone, TO_110, "202");
        rig.is_told(&phone, "100 Trying", "active");
        rig.reports(leg, wants("110"));
        rig.tell(leg, LegCommand::Referred(Referral::Failed(cause)));
        let notify = rig.is_told(&phone, line, "terminated");
        assert_eq!(header(&notify, HeaderName::Event), format!("refer;id={}", phone.cseq), "of this REFER");
        // The last word was said.
        rig.tell(leg, LegCommand::Referred(Referral::Answered));
        rig.silence();
    }
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_that_wants_no_notify_gets_none() {
    for extra in ["Refer-Sub: false\r\n", "Require: norefersub\r\n"] {
        let mut rig = Rig::new();
        let (mut phone, leg) = rig.talk_to_seat(&[]);
        let accepted = rig.refers(&mut phone, &format!("{TO_110}{extra}"), "202");
        assert_eq!(accepted.text_named("Refer-Sub").as_deref(), Some("false"));
        rig.reports(leg, wants("110"));
        rig.tell(leg, LegCommand::Referred(Referral::Ringing));
        rig.tell(leg, LegCommand::Referred(Referral::Answered));
        rig.silence();
        rig.party_hangs_up(&mut phone, leg);
        rig.finish();
    }
}

#[test]
fn numbers_are_read_from_what_phones_write() {
    let cases = [
        ("<sip:13900001111@10.0.0.1;user=phone>", "13900001111"),
        ("sip:+8613900001111@10.0.0.1:5060", "+8613900001111"),
        ("\"police\" <sips:110@example.org>", "110"),
        ("<tel:110>", "110"),
        ("<sip:110@10.0.0.1;method=INVITE>", "110"),
    ];
    for (target, number) in cases {
        let mut rig = Rig::new();
        let (mut phone, leg) = rig.talk_to_seat(&[]);
        rig.refers(&mut phone, &format!("Refer-To: {target}\r\nReferred-By: <sip:8001@10.0.0.1>\r\n"), "202");
        rig.is_told(&phone, "100 Trying", "active");
        rig.reports(leg, wants(number));
        rig.party_hangs_up(&mut phone, leg);
        rig.finish();
    }
}

#[test]
fn what_cannot_be_served_is_refused_and_the_talk_goes_on() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    let cases = [
        ("", "400"),
        ("Refer-To: <sip:110@10.0.0.1>\r\nRefer-To: <sip:119@10.0.0.1>\r\n", "400"),
        ("Refer-To: <sip:\r\n", "400"),
        ("Refer-To: <mailto:police@example.org>\r\n", "416"),
        ("Refer-To: <sip:110@10.0.0.1;method=BYE>\r\n", "403"),
        ("Refer-To: <sip:10.0.0.1>\r\n", "404"),
        ("Refer-To: <sip:police@10.0.0.1>\r\n", "404"),
        ("Refer-To: <sip:8002@10.0.0.1?Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", "603"),
    ];
    for (extra, status) in cases {
        rig.refers(&mut phone, extra, status);
        rig.silence();
        rig.no_event();
    }
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_second_refer_waits_for_the_outcome_of_the_first() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.referring();
    rig.refers(&mut phone, "Refer-To: <sip:119@10.0.0.1>\r\n", "491");
    rig.no_event();
    rig.tell(leg, LegCommand::Referred(Referral::Failed(Cause::Busy)));
    rig.is_told(&phone, "486 Busy Here", "terminated");
    rig.refers(&mut phone, "Refer-To: <sip:119@10.0.0.1>\r\n", "202");
    rig.is_told(&phone, "100 Trying", "active");
    rig.reports(leg, wants("119"));
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_repeated_refer_asks_once() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    let refer = phone.request("REFER", TO_110, "");
    rig.say(PHONE, refer.clone());
    let accepted = rig.hears(PHONE, "202");
    rig.is_told(&phone, "100 Trying", "active");
    rig.reports(leg, wants("110"));
    rig.say(PHONE, refer);
    assert_eq!(rig.hears(PHONE, "202").bytes(), accepted.bytes());
    rig.no_event();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_carrier_makes_nobody_dial() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let refer = caller.request("REFER", TO_110, "");
    rig.say(CARRIER, refer);
    rig.hears(CARRIER, "603");
    rig.no_event();
    // What nobody has asked for is told to nobody.
    rig.tell(leg, LegCommand::Referred(Referral::Answered));
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_stranger_who_knows_the_tags_makes_nobody_dial() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    for from in [STRANGER, CARRIER] {
        let refer = phone.request("REFER", TO_110, "");
        rig.say(from, refer);
        rig.hears(from, "481");
        rig.no_event();
    }
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_that_only_rings_has_nobody_to_transfer() {
    let mut rig = Rig::new();
    rig.register(8001, PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(PHONE, "INVITE");
    let mut phone = Party::callee(PHONE, &invite);
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.refers(&mut phone, TO_110, "603");
    rig.no_event();
    rig.say(PHONE, phone.response(&invite, 486, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.ends_with(leg, Cause::Busy, Some(486));
    rig.finish();
}

#[test]
fn a_phone_that_hangs_up_at_202_is_told_nothing_more() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.referring();
    rig.party_hangs_up(&mut phone, leg);
    rig.tell(leg, LegCommand::Referred(Referral::Answered));
    rig.silence();
    rig.refers(&mut phone, TO_110, "481");
    rig.finish();
}

#[test]
fn a_notify_that_is_refused_or_lost_leaves_the_talk() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.refers(&mut phone, TO_110, "202");
    let notify = rig.hears(PHONE, "NOTIFY");
    rig.say(PHONE, phone.response(&notify, 481, &[], ""));
    rig.reports(leg, wants("110"));
    rig.tell(leg, LegCommand::Referred(Referral::Ringing));
    // Timer F: nobody answers this one.
    rig.pass(PATIENCE);
    rig.drain("NOTIFY");
    rig.no_event();
    rig.tell(leg, LegCommand::Referred(Referral::Failed(Cause::NoAnswer)));
    rig.is_told(&phone, "480 Temporarily Unavailable", "terminated");
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_may_hold_and_ask_while_our_own_reinvite_is_open() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    let ours = rig.hears(PHONE, "INVITE");
    let theirs = phone.invite("", &sdp("10.2.0.1:40000", "sendonly"));
    rig.say(PHONE, theirs);
    rig.hears(PHONE, "491");
    rig.say(PHONE, phone.ack_refusal());
    rig.refers(&mut phone, TO_110, "202");
    rig.is_told(&phone, "100 Trying", "active");
    rig.reports(leg, wants("110"));
    rig.say(PHONE, phone.response(&ours, 491, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.tell(leg, LegCommand::Referred(Referral::Answered));
    rig.is_told(&phone, "200 OK", "terminated");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    let bye = rig.hears(PHONE, "BYE");
    rig.say(PHONE, phone.response(&bye, 200, &[], ""));
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_subscription_of_its_own_is_none_of_ours() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.referring();
    let subscribe = phone.request("SUBSCRIBE", "Event: refer\r\nExpires: 0\r\n", "");
    rig.say(PHONE, subscribe);
    rig.hears(PHONE, "489");
    rig.tell(leg, LegCommand::Referred(Referral::Ringing));
    rig.is_told(&phone, "180 Ringing", "active");
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}
