//! Calls over trunks: failover inside the group, credentials, session intervals, and what the carrier is shown.

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::dialplan::TrunkRegister;
use crate::sip::endpoint::Output;
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, LegCommand, LegEvent, LegId, TrunkId};

const AUDIO: &str = "10.1.0.1:30000";
const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";

fn answered(rig: &mut Rig, leg: LegId, at: &str, invite: &Message) {
    let mut callee = Party::callee(at, invite);
    rig.say(at, callee.response(invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(at, "ACK");
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut callee, leg);
}

/// The first trunk has an account, and its registration holds.
fn with_account() -> Rig {
    let mut setup = Setup::new();
    setup.plan.trunks.truncate(1);
    setup.plan.trunks[0].register = Some(TrunkRegister { user: "0816".to_owned(), domain: None, expires_s: 3_600 });
    let mut rig = setup.build();
    let register = rig.hears(CARRIER, "REGISTER");
    let carrier = Party::callee(CARRIER, &register);
    let contact = header(&register, HeaderName::Contact);
    rig.say(CARRIER, carrier.bare_response(&register, 200, &[("Contact", &format!("{contact};expires=3600"))], ""));
    rig
}

#[test]
fn the_carrier_sees_our_number_and_the_leg_the_answer() {
    let mut rig = Rig::new();
    let leg = rig.dial_trunk();
    let invite = rig.hears(CARRIER, "INVITE");
    assert!(invite.request_uri_text().starts_with("sip:13900001111@10.1.0.1"));
    assert_eq!(invite.from().uri.user(), Some("12345"));
    assert_eq!(invite.p_asserted_identity()[0].uri.user(), Some("12345"));
    assert!(invite.diversion().is_empty());
    assert_eq!(invite.header_named("X-Yihao-Line"), None, "that is for seats");
    assert_eq!(rig.endpoint.left().trunk_calls, 1);
    answered(&mut rig, leg, CARRIER, &invite);
    assert_eq!(rig.endpoint.left().trunk_calls, 0);
    rig.finish();
}

#[test]
fn a_trunk_that_refuses_for_itself_or_is_silent_gives_way_to_the_next_with_its_own_policy() {
    for status in [Some(503), Some(500), Some(502), Some(504), None] {
        let mut rig = Rig::new();
        let leg = rig.dial_trunk();
        let invite = rig.hears(CARRIER, "INVITE");
        match status {
            Some(status) => {
                rig.say(CARRIER, Party::callee(CARRIER, &invite).response(&invite, status, &[], ""));
                rig.hears(CARRIER, "ACK");
            }
            None => {
                rig.pass_ms(4_000);
                while rig.next_is(CARRIER, "INVITE") {
                    rig.hears(CARRIER, "INVITE");
                }
            }
        }
        rig.no_event();
        let second = rig.hears(OTHER_CARRIER, "INVITE");
        assert_eq!(second.from().uri.user(), Some("13981112233"));
        assert_eq!(second.p_asserted_identity()[0].uri.user(), Some("13981112233"));
        assert_eq!(second.diversion()[0].uri.user(), Some("12345"));
        assert_eq!(rig.endpoint.left().trunk_calls, 1, "the first trunk's room is free");
        answered(&mut rig, leg, OTHER_CARRIER, &second);
        rig.pass(PATIENCE);
        rig.drain_all();
        rig.finish();
    }
}

#[test]
fn a_trunk_that_nothing_can_be_sent_to_gives_way_to_the_next() {
    let mut setup = Setup::new();
    // No listener of the network speaks TLS.
    setup.plan.trunks[0].address = Some("sip:10.1.0.1:5061;transport=tls".to_owned());
    let mut rig = setup.build();
    let leg = rig.dial_trunk();
    let invite = rig.hears(OTHER_CARRIER, "INVITE");
    assert_eq!(rig.endpoint.left().trunk_calls, 1, "the first trunk's room is free");
    answered(&mut rig, leg, OTHER_CARRIER, &invite);
    rig.finish();
}

#[test]
fn when_no_trunk_is_left_the_attempt_ends_with_what_the_last_said() {
    let mut rig = Rig::new();
    let leg = rig.dial_trunk();
    for at in [CARRIER, OTHER_CARRIER] {
        let invite = rig.hears(at, "INVITE");
        rig.say(at, Party::callee(at, &invite).response(&invite, 503, &[], ""));
        rig.hears(at, "ACK");
    }
    rig.ends_with(leg, Cause::Overload, Some(503));
    rig.finish();
}

#[test]
fn what_the_callee_says_is_the_outcome_and_no_other_trunk_is_asked() {
    let cases = [
        (486, Cause::Busy),
        (603, Cause::Declined),
        (404, Cause::NoSuchNumber),
        (480, Cause::Unreachable),
        (488, Cause::NoCommonMedia),
        (410, Cause::NoSuchNumber),
        (487, Cause::Cancelled),
    ];
    for (status, cause) in cases {
        let mut rig = Rig::new();
        let leg = rig.dial_trunk();
        let invite = rig.hears(CARRIER, "INVITE");
        rig.say(CARRIER, Party::callee(CARRIER, &invite).response(&invite, status, &[], ""));
        rig.hears(CARRIER, "ACK");
        rig.ends_with(leg, cause, Some(status));
        rig.finish();
    }
}

#[test]
fn what_a_second_trunk_says_of_the_callee_counts_before_the_failure_of_the_first() {
    for first in [502, 503, 400] {
        let mut rig = Rig::new();
        let leg = rig.dial_trunk();
        for (at, status) in [(CARRIER, first), (OTHER_CARRIER, 480)] {
            let invite = rig.hears(at, "INVITE");
            rig.say(at, Party::callee(at, &invite).response(&invite, status, &[], ""));
            rig.hears(at, "ACK");
        }
        rig.ends_with(leg, Cause::Unreachable, Some(480));
        rig.finish();
    }
}

#[test]
fn citizens_that_cannot_be_reached_do_not_take_the_trunk_down() {
    let mut rig = Rig::new();
    for _ in 0..4 {
        let leg = rig.dial_trunk();
        let invite = rig.hears(CARRIER, "INVITE");
        rig.say(CARRIER, Party::callee(CARRIER, &invite).response(&invite, 480, &[], ""));
        rig.hears(CARRIER, "ACK");
        rig.ends_with(leg, Cause::Unreachable, Some(480));
    }
    assert_eq!(rig.others.iter().filter(|o| matches!(o, Output::TrunkHealth { up: false, .. })).count(), 0);
    rig.finish();
}

#[test]
fn three_failures_of_the_trunk_itself_take_it_down() {
    let mut rig = Rig::new();
    rig.others.clear();
    for n in 0..4 {
        let leg = rig.dial_trunk();
        if n < 3 {
            let invite = rig.hears(CARRIER, "INVITE");
            rig.say(CARRIER, Party::callee(CARRIER, &invite).response(&invite, 503, &[], ""));
            rig.hears(CARRIER, "ACK");
        }
        let invite = rig.hears(OTHER_CARRIER, "INVITE");
        answered(&mut rig, leg, OTHER_CARRIER, &invite);
    }
    assert!(rig.others.contains(&Output::TrunkHealth { trunk: TrunkId(0), up: false }), "{:?}", rig.others);
    rig.finish();
}

#[test]
fn a_full_trunk_is_passed_over_and_no_room_at_all_ends_the_attempt() {
    let mut setup = Setup::new();
    for trunk in &mut setup.plan.trunks {
        trunk.max_calls = Some(1);
    }
    let mut rig = setup.build();
    let first = rig.dial_trunk();
    let first_invite = rig.hears(CARRIER, "INVITE");
    let second = rig.dial_trunk();
    let second_invite = rig.hears(OTHER_CARRIER, "INVITE");
    let third = rig.dial_trunk();
    let (leg, event) = rig.event();
    assert_eq!(leg, third);
    assert!(matches!(event, LegEvent::Ended { .. }));
    answered(&mut rig, first, CARRIER, &first_invite);
    answered(&mut rig, second, OTHER_CARRIER, &second_invite);
    rig.finish();
}

#[test]
fn hanging_up_while_a_trunk_is_silent_asks_no_other() {
    let mut rig = Rig::new();
    let leg = rig.dial_trunk();
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    rig.pass_ms(4_000);
    rig.ends(leg, Cause::Cancelled);
    rig.pass(PATIENCE);
    assert!(rig.drain("INVITE") > 1);
    rig.finish();
}

#[test]
fn a_challenge_is_answered_once_in_the_same_call() {
    for (status, asks, answers) in [
        (401, "WWW-Authenticate", HeaderName::Authorization),
        (407, "Proxy-Authenticate", HeaderName::ProxyAuthorization),
    ] {
        let mut rig = with_account();
        let leg = rig.dial_trunk();
        let invite = rig.hears(CARRIER, "INVITE");
        let carrier = Party::callee(CARRIER, &invite);
        rig.say(CARRIER, carrier.response(&invite, status, &[(asks, CHALLENGE)], ""));
        rig.hears(CARRIER, "ACK");
        let again = rig.hears(CARRIER, "INVITE");
        assert!(header(&again, answers).contains("username=\"0816\""), "{again:?}");
        assert_eq!((again.call_id(), again.from_tag()), (invite.call_id(), invite.from_tag()));
        assert_eq!((again.cseq_number(), again.to_tag()), (2, None));
        assert_ne!(again.branch(), invite.branch());
        assert_eq!(again.body(), invite.body());
        answered(&mut rig, leg, CARRIER, &again);
        rig.finish();
    }
}

#[test]
fn a_second_challenge_ends_the_attempt() {
    let mut rig = with_account();
    let leg = rig.dial_trunk();
    let mut status = 0;
    for number in 1..=2 {
        let invite = rig.hears(CARRIER, "INVITE");
        assert_eq!(invite.cseq_number(), number);
        let carrier = Party::callee(CARRIER, &invite);
        status = 407;
        rig.say(CARRIER, carrier.response(&invite, status, &[("Proxy-Authenticate", CHALLENGE)], ""));
        rig.hears(CARRIER, "ACK");
    }
    rig.ends_with(leg, Cause::Failed, Some(status));
    rig.finish();
}

#[test]
fn a_session_interval_that_is_too_short_is_asked_for_longer() {
    let mut setup = Setup::new();
    setup.plan.trunks.truncate(1);
    let mut rig = setup.build();
    let leg = rig.dial_trunk();
    let invite = rig.hears(CARRIER, "INVITE");
    assert_eq!(header(&invite, HeaderName::SessionExpires), "1800");
    let carrier = Party::callee(CARRIER, &invite);
    rig.say(CARRIER, carrier.response(&invite, 422, &[("Min-SE", "3600")], ""));
    rig.hears(CARRIER, "ACK");
    let again = rig.hears(CARRIER, "INVITE");
    assert_eq!((header(&again, HeaderName::SessionExpires).as_str(), again.min_se()), ("3600", Some(3600)));
    // Asking for the same again is no progress.
    rig.say(CARRIER, carrier.response(&again, 422, &[("Min-SE", "3600")], ""));
    rig.hears(CARRIER, "ACK");
    rig.ends_with(leg, Cause::Failed, Some(422));
    rig.finish();
}
