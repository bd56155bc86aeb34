//! What is heard of a carrier before its answer: announcements and ringing tones that provisional responses describe.

use super::party::{Party, described, sdp};
use super::rig::*;
use crate::sip::endpoint::{Input, Output};
use crate::sip::message::Message;
use crate::types::{Cause, LegCommand, LegEvent, LegId, MediaPort, Target};

const ANNOUNCER: &str = "10.1.0.1:30000";
const CALLEE: &str = "10.1.0.1:31000";
const RELIABLE: [(&str, &str); 2] = [("Require", "100rel"), ("RSeq", "5")];

impl Rig {
    fn engine_hears(&mut self, leg: LegId, port: MediaPort, heard: bool) {
        self.input(Input::EarlyMedia { leg, port, heard });
    }

    fn remote(&self, leg: LegId) -> String {
        self.stream(leg).remote.to_string()
    }
}

/// A call over the first carrier, which describes its audio in a response with this status, reliably or not.
fn announced(rig: &mut Rig, status: u16, reliable: bool) -> (LegId, Message, Party) {
    let leg = rig.dial_trunk();
    let invite = rig.hears(CARRIER, "INVITE");
    let carrier = Party::callee(CARRIER, &invite);
    let headers = if reliable { &RELIABLE[..] } else { &[] };
    rig.say(CARRIER, carrier.response(&invite, status, headers, &sdp(ANNOUNCER, "sendrecv")));
    if reliable {
        let prack = rig.hears(CARRIER, "PRACK");
        rig.say(CARRIER, carrier.response(&prack, 200, &[], ""));
    }
    rig.reports(leg, LegEvent::Ringing);
    (leg, invite, carrier)
}

#[test]
fn what_a_carrier_describes_before_its_answer_is_heard_when_it_comes() {
    for (status, reliable) in [(183, false), (183, true), (180, false), (180, true)] {
        let mut rig = Rig::new();
        let (leg, invite, mut carrier) = announced(&mut rig, status, reliable);
        assert!(rig.is_early(leg) && rig.remote(leg) == ANNOUNCER);
        rig.no_event();
        let port = rig.port(leg);
        rig.engine_hears(leg, port, true);
        rig.reports(leg, LegEvent::EarlyMedia(true));
        // A 180 that describes nothing takes nothing back.
        rig.say(CARRIER, carrier.response(&invite, 180, &[], ""));
        assert!(rig.is_early(leg));
        rig.engine_hears(leg, port, true);
        rig.no_event();
        rig.engine_hears(leg, port, false);
        rig.reports(leg, LegEvent::EarlyMedia(false));
        rig.say(CARRIER, carrier.response(&invite, 200, &[], &sdp(ANNOUNCER, "sendrecv")));
        rig.hears(CARRIER, "ACK");
        rig.reports(leg, LegEvent::Answered);
        assert!(!rig.is_early(leg) && rig.port(leg) == port, "{status}: the same stream goes on");
        rig.engine_hears(leg, port, true);
        rig.party_hangs_up(&mut carrier, leg);
        rig.finish();
    }
}

#[test]
fn a_carrier_that_refuses_is_heard_no_more_and_the_next_one_is_with_a_port_of_its_own() {
    let mut rig = Rig::new();
    let (leg, invite, carrier) = announced(&mut rig, 183, false);
    let first = rig.port(leg);
    rig.engine_hears(leg, first, true);
    rig.reports(leg, LegEvent::EarlyMedia(true));
    rig.say(CARRIER, carrier.response(&invite, 503, &[], ""));
    rig.hears(CARRIER, "ACK");
    rig.reports(leg, LegEvent::EarlyMedia(false));
    assert!(!rig.is_early(leg));
    let invite = rig.hears(OTHER_CARRIER, "INVITE");
    let other = Party::callee(OTHER_CARRIER, &invite);
    rig.engine_hears(leg, first, true);
    rig.no_event();
    rig.say(OTHER_CARRIER, other.response(&invite, 183, &[], &sdp("10.1.0.2:30000", "sendonly")));
    let second = rig.port(leg);
    assert!(rig.is_early(leg) && second != first);
    rig.engine_hears(leg, first, true);
    rig.no_event();
    let moved = MediaPort { worker: second.worker + 1, ..second };
    rig.engine_hears(leg, moved, true);
    rig.reports(leg, LegEvent::EarlyMedia(true));
    rig.say(OTHER_CARRIER, other.response(&invite, 486, &[], ""));
    rig.hears(OTHER_CARRIER, "ACK");
    rig.ends_with(leg, Cause::Busy, Some(486));
    rig.finish();
}

#[test]
fn the_talk_may_be_elsewhere_than_the_announcement_unless_that_was_the_answer() {
    for (reliable, talk) in [(false, CALLEE), (true, ANNOUNCER)] {
        let mut rig = Rig::new();
        let (leg, invite, mut carrier) = announced(&mut rig, 183, reliable);
        rig.say(CARRIER, carrier.response(&invite, 200, &[], &sdp(CALLEE, "sendrecv")));
        rig.hears(CARRIER, "ACK");
        rig.reports(leg, LegEvent::Answered);
        assert_eq!(rig.remote(leg), talk);
        rig.party_hangs_up(&mut carrier, leg);
        rig.finish();
    }
}

#[test]
fn an_answer_without_a_description_means_the_one_of_before() {
    let mut rig = Rig::new();
    let (leg, invite, mut carrier) = announced(&mut rig, 183, false);
    rig.say(CARRIER, carrier.response(&invite, 200, &[], ""));
    rig.hears(CARRIER, "ACK");
    rig.reports(leg, LegEvent::Answered);
    assert_eq!(rig.remote(leg), ANNOUNCER);
    rig.party_hangs_up(&mut carrier, leg);
    rig.finish();
}

#[test]
fn of_several_forks_the_last_to_describe_is_heard_and_the_winner_talks() {
    let mut rig = Rig::new();
    let (leg, invite, first) = announced(&mut rig, 183, false);
    let port = rig.port(leg);
    rig.engine_hears(leg, port, true);
    rig.reports(leg, LegEvent::EarlyMedia(true));
    let mut second = first.fork("second");
    rig.say(CARRIER, second.response(&invite, 183, &[], &sdp(CALLEE, "sendrecv")));
    rig.reports(leg, LegEvent::EarlyMedia(false));
    assert_eq!(rig.remote(leg), CALLEE);
    rig.engine_hears(leg, port, true);
    rig.reports(leg, LegEvent::EarlyMedia(true));
    // What a fork says once more is no news.
    rig.say(CARRIER, first.response(&invite, 183, &[], &sdp(ANNOUNCER, "sendrecv")));
    assert_eq!(rig.remote(leg), CALLEE);
    rig.say(CARRIER, second.response(&invite, 200, &[], &sdp(CALLEE, "sendrecv")));
    rig.hears(CARRIER, "ACK");
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut second, leg);
    rig.finish();
}

#[test]
fn nothing_is_opened_where_nothing_can_come() {
    for body in [sdp(ANNOUNCER, "inactive"), sdp(ANNOUNCER, "recvonly"), described(ANNOUNCER, "18", "sendrecv")] {
        let mut rig = Rig::new();
        let leg = rig.dial_trunk();
        let invite = rig.hears(CARRIER, "INVITE");
        let carrier = Party::callee(CARRIER, &invite);
        rig.say(CARRIER, carrier.response(&invite, 183, &[], &body));
        rig.reports(leg, LegEvent::Ringing);
        assert!(!rig.has_stream(leg), "{body}");
        rig.say(CARRIER, carrier.response(&invite, 486, &[], ""));
        rig.hears(CARRIER, "ACK");
        rig.ends_with(leg, Cause::Busy, Some(486));
        rig.finish();
    }
}

#[test]
fn a_carrier_that_is_let_go_is_not_heard_any_more() {
    let mut rig = Rig::new();
    let (leg, invite, carrier) = announced(&mut rig, 183, false);
    let port = rig.port(leg);
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    let cancel = rig.hears(CARRIER, "CANCEL");
    rig.engine_hears(leg, port, true);
    rig.say(CARRIER, carrier.fork("late").response(&invite, 183, &[], &sdp(CALLEE, "sendrecv")));
    assert_eq!(rig.remote(leg), ANNOUNCER);
    rig.say(CARRIER, carrier.bare_response(&cancel, 200, &[], ""));
    rig.say(CARRIER, carrier.response(&invite, 487, &[], ""));
    rig.hears(CARRIER, "ACK");
    rig.ends_with(leg, Cause::Cancelled, Some(487));
    rig.finish();
}

#[test]
fn a_seats_phone_is_not_heard_before_its_answer() {
    let mut rig = Rig::new();
    rig.register(8001, PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(PHONE, "INVITE");
    let phone = Party::callee(PHONE, &invite);
    rig.say(PHONE, phone.response(&invite, 183, &[], &sdp("10.2.0.1:40000", "sendrecv")));
    rig.reports(leg, LegEvent::Ringing);
    assert!(!rig.has_stream(leg));
    rig.say(PHONE, phone.response(&invite, 603, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.ends_with(leg, Cause::Declined, Some(603));
    assert!(!rig.others.iter().any(|output| matches!(output, Output::Open { .. })));
    rig.finish();
}
