//! The far end's connection breaks in mid-call, or its phone moves: what we want of it goes by its new way, or the leg ends.

use std::time::Duration;

use bytes::Bytes;

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::sip::endpoint::Input;
use crate::sip::flow::{ConnId, Flow, Transport};
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, Direction, LegCommand, LegEvent, LegId, Target};

const FIRST_WAY: &str = "10.2.0.1:41001";
const SECOND_WAY: &str = "10.2.0.1:41002";
const AUDIO: &str = "10.2.0.1:40000";
const BEHIND_NAT: (&str, &str) = ("Contact", "<sip:8001@192.168.0.9:5060;transport=tcp>");
const INSTANCE: &str = ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\";reg-id=1";

/// A connection of a phone, open.
fn connect(rig: &mut Rig, at: &str, connection: u64) -> Flow {
    let mut flow = flow(at.parse().unwrap());
    (flow.transport, flow.connection) = (Transport::Tcp, Some(ConnId(connection)));
    rig.input(Input::Opened { flow, identities: Vec::new() });
    flow
}

fn say_on(rig: &mut Rig, flow: Flow, text: impl Into<Bytes>) {
    rig.input(Input::Message { flow, bytes: text.into() });
}

/// Registers the seat's phone over a flow; `device` is what its Contact says of itself.
fn register(rig: &mut Rig, flow: Flow, device: &str) {
    register_seat(rig, 8001, flow, device);
}

fn register_seat(rig: &mut Rig, seat: u32, flow: Flow, device: &str) {
    let at = flow.remote.to_string();
    // Without an instance a phone is known again by its Call-ID.
    let call_id =
        if device.is_empty() { "registers".to_owned() } else { format!("registers-{}", at.replace(':', "-")) };
    let mut party = Party::caller(&at, &call_id);
    (party.called, party.caller) = (seat.to_string(), seat.to_string());
    let contact = format!("Contact: <sip:{seat}@{at}>");
    let with_device = format!("Contact: <sip:{seat}@{at}>{device}\r\nSupported: outbound");
    let first = party.request("REGISTER", "", "");
    say_on(rig, flow, first);
    let challenge = rig.hears(&at, "401");
    let proof = proof(seat, &format!("secret-{seat}"), ("REGISTER", seat), &challenge);
    let second = party.request("REGISTER", &proof, "").replace(&contact, &with_device);
    say_on(rig, flow, second);
    rig.hears(&at, "200");
}

/// A call to the seat's phone over its connection, answered.
fn talk_over(rig: &mut Rig, flow: Flow) -> (Party, LegId) {
    let at = flow.remote.to_string();
    let leg = rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(&at, "INVITE");
    let callee = Party::callee(&at, &invite);
    let ok = callee.bare_response(&invite, 200, &[BEHIND_NAT], &sdp(AUDIO, "sendrecv"));
    say_on(rig, flow, ok);
    rig.hears(&at, "ACK");
    rig.reports(leg, LegEvent::Answered);
    (callee, leg)
}

fn takes_hold(rig: &mut Rig, flow: Flow, phone: &Party, hold: &Message, leg: LegId) {
    say_on(rig, flow, phone.bare_response(hold, 200, &[BEHIND_NAT], &sdp(AUDIO, "recvonly")));
    rig.hears(&flow.remote.to_string(), "ACK");
    assert_eq!(rig.stream(leg).direction, Direction::SendOnly);
}

#[test]
fn a_phone_that_reconnects_keeps_its_call_and_hears_what_it_has_missed() {
    for device in [INSTANCE, ""] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, FIRST_WAY, 1);
        register(&mut rig, first, device);
        let (mut phone, leg) = talk_over(&mut rig, first);
        rig.input(Input::Closed { connection: ConnId(1) });
        if device == INSTANCE {
            rig.tell(leg, LegCommand::Hold(true));
            rig.pass_ms(9_000);
            rig.silence();
        }
        rig.no_event();
        let second = connect(&mut rig, SECOND_WAY, 2);
        register(&mut rig, second, device);
        if device != INSTANCE {
            rig.tell(leg, LegCommand::Hold(true));
        }
        let hold = rig.hears(SECOND_WAY, "INVITE");
        assert_eq!(hold.to_tag(), Some(phone.tag.as_str()));
        takes_hold(&mut rig, second, &phone, &hold, leg);
        rig.pass(PATIENCE);
        rig.no_event();
        phone.at = second.remote;
        let bye = phone.request("BYE", "", "");
        say_on(&mut rig, second, bye);
        rig.hears(SECOND_WAY, "200");
        rig.ends(leg, Cause::HungUp);
        rig.finish();
    }
}

#[test]
fn an_answer_that_comes_late_by_another_connection_is_acknowledged_there() {
    for ends_first in [false, true] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, FIRST_WAY, 1);
        register(&mut rig, first, INSTANCE);
        let (mut phone, leg) = talk_over(&mut rig, first);
        rig.tell(leg, LegCommand::Hold(true));
        let hold = rig.hears(FIRST_WAY, "INVITE");
        say_on(&mut rig, first, phone.bare_response(&hold, 100, &[], ""));
        rig.input(Input::Closed { connection: ConnId(1) });
        let second = connect(&mut rig, SECOND_WAY, 2);
        if ends_first {
            rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
            rig.ends(leg, Cause::HungUp);
        }
        say_on(&mut rig, second, phone.bare_response(&hold, 200, &[BEHIND_NAT], &sdp(AUDIO, "recvonly")));
        rig.hears(SECOND_WAY, "ACK");
        if !ends_first {
            phone.at = second.remote;
            let bye = phone.request("BYE", "", "");
            say_on(&mut rig, second, bye);
            rig.hears(SECOND_WAY, "200");
            rig.ends(leg, Cause::HungUp);
        }
        rig.pass(PATIENCE);
        rig.drain_all();
        rig.finish();
    }
}

#[test]
fn the_only_phone_that_is_left_hears_nothing_of_the_calls_of_one_that_is_gone() {
    let (one, other) = ("10.2.0.1:41001", "10.2.0.9:41001");
    for (at, is_it) in [("10.2.0.1:41009", true), (other, false)] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, one, 1);
        register(&mut rig, first, INSTANCE);
        let (_, leg) = talk_over(&mut rig, first);
        rig.input(Input::Closed { connection: ConnId(1) });
        // Nothing tells whether this is the same device but where it is.
        let second = connect(&mut rig, at, 2);
        register(&mut rig, second, "");
        rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
        rig.ends(leg, Cause::HungUp);
        if is_it {
            rig.hears(at, "BYE");
        }
        rig.silence();
        rig.pass(PATIENCE);
        if is_it {
            rig.drain_all();
        }
        rig.finish();
    }
}

#[test]
fn a_request_that_a_breaking_connection_swallowed_goes_by_the_next_one() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, FIRST_WAY, 1);
    register(&mut rig, first, INSTANCE);
    let (mut phone, leg) = talk_over(&mut rig, first);
    rig.tell(leg, LegCommand::Hold(true));
    rig.hears(FIRST_WAY, "INVITE");
    let by = rig.last_by();
    rig.input(Input::Closed { connection: ConnId(1) });
    rig.input(Input::Unsent { by });
    rig.no_event();
    let second = connect(&mut rig, SECOND_WAY, 2);
    register(&mut rig, second, INSTANCE);
    let hold = rig.hears(SECOND_WAY, "INVITE");
    takes_hold(&mut rig, second, &phone, &hold, leg);
    phone.at = second.remote;
    let bye = phone.request("BYE", "", "");
    say_on(&mut rig, second, bye);
    rig.hears(SECOND_WAY, "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_hold_that_was_heard_of_before_its_connection_broke_is_asked_again() {
    for answers_late in [true, false] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, FIRST_WAY, 1);
        register(&mut rig, first, INSTANCE);
        let (mut phone, leg) = talk_over(&mut rig, first);
        rig.tell(leg, LegCommand::Hold(true));
        let hold = rig.hears(FIRST_WAY, "INVITE");
        say_on(&mut rig, first, phone.bare_response(&hold, 100, &[], ""));
        rig.input(Input::Closed { connection: ConnId(1) });
        let second = connect(&mut rig, SECOND_WAY, 2);
        register(&mut rig, second, INSTANCE);
        rig.silence();
        rig.pass_ms(7_000);
        rig.silence();
        let hold = if answers_late {
            hold
        } else {
            rig.pass_ms(1_000 + 4_000);
            rig.hears(SECOND_WAY, "INVITE")
        };
        takes_hold(&mut rig, second, &phone, &hold, leg);
        rig.pass(PATIENCE);
        rig.no_event();
        phone.at = second.remote;
        let bye = phone.request("BYE", "", "");
        say_on(&mut rig, second, bye);
        rig.hears(SECOND_WAY, "200");
        rig.ends(leg, Cause::HungUp);
        rig.finish();
    }
}

#[test]
fn a_phone_that_does_not_come_back_is_lost_once_it_is_wanted_for_too_long() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, FIRST_WAY, 1);
    register(&mut rig, first, INSTANCE);
    let (_, leg) = talk_over(&mut rig, first);
    rig.input(Input::Closed { connection: ConnId(1) });
    rig.pass(Duration::from_secs(300));
    rig.no_event();
    // Nobody wants anything of it; the audio shows whether it lives.
    rig.input(Input::Silent { leg });
    rig.pass(PATIENCE - Duration::from_secs(1));
    rig.no_event();
    rig.pass(Duration::from_secs(1));
    rig.ends(leg, Cause::PeerLost);
    rig.finish();
}

#[test]
fn the_end_of_a_leg_does_not_wait_for_a_phone_without_a_connection() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, FIRST_WAY, 1);
    register(&mut rig, first, INSTANCE);
    let (_, leg) = talk_over(&mut rig, first);
    rig.input(Input::Closed { connection: ConnId(1) });
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_hang_up_reaches_a_phone_that_comes_back_by_its_new_connection() {
    for swallowed in [false, true] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, FIRST_WAY, 1);
        register(&mut rig, first, INSTANCE);
        let (phone, leg) = talk_over(&mut rig, first);
        if !swallowed {
            rig.input(Input::Closed { connection: ConnId(1) });
        }
        rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
        rig.ends(leg, Cause::HungUp);
        if swallowed {
            rig.hears(FIRST_WAY, "BYE");
            rig.input(Input::Closed { connection: ConnId(1) });
        }
        rig.pass_ms(9_000);
        rig.silence();
        let second = connect(&mut rig, SECOND_WAY, 2);
        register(&mut rig, second, INSTANCE);
        let bye = rig.hears(SECOND_WAY, "BYE");
        assert_eq!(bye.to_tag(), Some(phone.tag.as_str()));
        say_on(&mut rig, second, phone.bare_response(&bye, 200, &[], ""));
        rig.finish();
    }
}

#[test]
fn a_request_whose_answer_a_breaking_connection_swallowed_is_asked_again() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, FIRST_WAY, 1);
    register(&mut rig, first, INSTANCE);
    let (mut phone, leg) = talk_over(&mut rig, first);
    rig.input(Input::Silent { leg });
    rig.hears(FIRST_WAY, "OPTIONS");
    rig.input(Input::Closed { connection: ConnId(1) });
    rig.pass_ms(9_000);
    rig.no_event();
    let second = connect(&mut rig, SECOND_WAY, 2);
    register(&mut rig, second, INSTANCE);
    let probe = rig.hears(SECOND_WAY, "OPTIONS");
    say_on(&mut rig, second, phone.bare_response(&probe, 200, &[], ""));
    rig.pass(PATIENCE);
    rig.no_event();
    phone.at = second.remote;
    let bye = phone.request("BYE", "", "");
    say_on(&mut rig, second, bye);
    rig.hears(SECOND_WAY, "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_phone_may_hang_up_by_a_new_connection_before_it_has_registered_again() {
    // We may not have noticed that the old one is gone.
    for noticed in [true, false] {
        let mut rig = Rig::new();
        let first = connect(&mut rig, FIRST_WAY, 1);
        register(&mut rig, first, INSTANCE);
        let (mut phone, leg) = talk_over(&mut rig, first);
        if noticed {
            rig.input(Input::Closed { connection: ConnId(1) });
        }
        // From another host, or as a datagram that anybody may have sent, nobody else may.
        for flow in [connect(&mut rig, "10.2.0.77:41003", 3), flow(SECOND_WAY.parse().unwrap())] {
            phone.at = flow.remote;
            let bye = phone.request("BYE", "", "");
            say_on(&mut rig, flow, bye);
            rig.hears(&flow.remote.to_string(), "481");
        }
        rig.no_event();
        let second = connect(&mut rig, SECOND_WAY, 2);
        phone.at = second.remote;
        let bye = phone.request("BYE", "", "");
        say_on(&mut rig, second, bye);
        rig.hears(SECOND_WAY, "200");
        rig.ends(leg, Cause::HungUp);
        rig.finish();
    }
}

#[test]
fn the_phone_of_another_seat_behind_the_same_router_does_not_speak_for_the_call() {
    let mut rig = Rig::new();
    let first = connect(&mut rig, FIRST_WAY, 1);
    register(&mut rig, first, INSTANCE);
    let (mut phone, leg) = talk_over(&mut rig, first);
    let neighbour = connect(&mut rig, SECOND_WAY, 2);
    register_seat(&mut rig, 8002, neighbour, "");
    phone.at = neighbour.remote;
    let bye = phone.request("BYE", "", "");
    say_on(&mut rig, neighbour, bye);
    rig.hears(SECOND_WAY, "481");
    // Nor does one of the right host that has read one tag only.
    let third = connect(&mut rig, "10.2.0.1:41009", 3);
    let tag = std::mem::replace(&mut phone.tag, "guessed".to_owned());
    let bye = phone.request("BYE", "", "");
    say_on(&mut rig, third, bye);
    rig.hears(SECOND_WAY, "481");
    rig.no_event();
    (phone.tag, phone.at) = (tag, first.remote);
    let bye = phone.request("BYE", "", "");
    say_on(&mut rig, first, bye);
    rig.hears(FIRST_WAY, "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_phone_that_has_registered_from_a_new_address_is_asked_there() {
    let mut rig = Rig::new();
    let at = |address: &str| flow(address.parse().unwrap());
    register(&mut rig, at(PHONE), INSTANCE);
    let (phone, leg) = talk_over(&mut rig, at(PHONE));
    register(&mut rig, at(OTHER_PHONE), INSTANCE);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(OTHER_PHONE, "INVITE");
    takes_hold(&mut rig, at(OTHER_PHONE), &phone, &hold, leg);
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(OTHER_PHONE, "BYE");
    rig.say(OTHER_PHONE, phone.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn another_phone_of_the_seat_does_not_inherit_the_call() {
    let mut rig = Rig::new();
    let at = |address: &str| flow(address.parse().unwrap());
    register(&mut rig, at(PHONE), INSTANCE);
    let (phone, leg) = talk_over(&mut rig, at(PHONE));
    register(&mut rig, at(OTHER_PHONE), &INSTANCE.replace("e128", "e129"));
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(PHONE, "BYE");
    rig.say(PHONE, phone.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn a_carrier_that_closes_its_idle_connection_is_reached_at_its_contact() {
    let mut rig = Rig::new();
    let carrier = connect(&mut rig, "10.1.0.1:33333", 1);
    let mut caller = Party::caller(CARRIER, "stream");
    let invite = caller.invite("", &sdp("10.1.0.1:30000", "sendrecv"));
    say_on(&mut rig, carrier, invite);
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Answer);
    rig.hears(CARRIER, "100");
    let ok = rig.hears(CARRIER, "200");
    caller.learns(&ok);
    let ack = caller.ack("");
    say_on(&mut rig, carrier, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.input(Input::Closed { connection: ConnId(1) });
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(CARRIER, "BYE");
    assert!(header(&bye, HeaderName::Via).contains("/TCP"));
    let answer = caller.response(&bye, 200, &[], "");
    say_on(&mut rig, carrier, answer);
    rig.finish();
}

#[test]
fn a_contact_that_no_listener_of_ours_can_reach_is_answered_on_the_old_way() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(CARRIER, "INVITE");
    let contact = [("Contact", "<sip:moved@10.1.0.77:5061;transport=tls>")];
    rig.say(CARRIER, caller.bare_response(&hold, 200, &contact, &sdp("10.1.0.1:30000", "recvonly")));
    rig.hears(CARRIER, "ACK");
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}
