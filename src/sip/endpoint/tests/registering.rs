//! Seats' phones: they register by digest, call by digest, and nobody else does (RFC 3261 10.3, 22).

use std::collections::BTreeMap;

use super::party::{Party, header, sdp};
use super::rig::*;
use crate::sip::endpoint::{Output, Refused};
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, LegCommand, LegEvent, Origin, SeatId};

fn phone(at: &str, call_id: &str, called: u32) -> Party {
    let mut party = Party::caller(at, call_id);
    (party.called, party.caller) = (called.to_string(), "8001".to_owned());
    party
}

/// The second REGISTER of a phone, with proof; and the answer.
fn registers(rig: &mut Rig, party: &mut Party, (user, password): (u32, &str), extra: &str) -> Message {
    let called = party.called.parse().unwrap();
    let at = party.at.to_string();
    let first = party.request("REGISTER", extra, "");
    rig.say(&at, first);
    let challenge = rig.hears(&at, "401");
    let proof = proof(user, password, ("REGISTER", called), &challenge);
    let second = party.request("REGISTER", &format!("{extra}{proof}"), "");
    rig.say(&at, second);
    let status = ["200", "401", "403", "423"].into_iter().find(|s| rig.next_is(&at, s)).expect("an answer");
    rig.hears(&at, status)
}

#[test]
fn a_phone_registers_is_reachable_and_signs_off() {
    let mut rig = Rig::new();
    rig.others.clear();
    let mut phone = phone(PHONE, "r", 8001);
    let first = phone.request("REGISTER", "", "");
    rig.say(PHONE, first);
    let challenge = rig.hears(PHONE, "401");
    let offered: Vec<_> =
        challenge.www_authenticate().iter().map(|c| c.get("algorithm").unwrap_or("").to_owned()).collect();
    assert_eq!(offered, ["SHA-256", "MD5"]);
    let ok = registers(&mut rig, &mut phone, (8001, "secret-8001"), "Expires: 600\r\n");
    assert_eq!(ok.status(), Some(200));
    assert_eq!(ok.contacts().unwrap()[0].expires(), Some(600));
    assert_eq!(rig.others, [Output::Reachable { seat: SEAT, reachable: true }]);
    rig.others.clear();
    let ok = registers(&mut rig, &mut phone, (8001, "secret-8001"), "Expires: 0\r\n");
    assert_eq!((ok.status(), ok.contacts().unwrap().len()), (Some(200), 0));
    assert_eq!(rig.others, [Output::Reachable { seat: SEAT, reachable: false }]);
    rig.finish();
}

#[test]
fn a_registration_that_is_not_refreshed_ends() {
    let mut rig = Rig::new();
    let mut phone = phone(PHONE, "r", 8001);
    registers(&mut rig, &mut phone, (8001, "secret-8001"), "Expires: 60\r\n");
    rig.others.clear();
    rig.pass_ms(60_000);
    rig.drain_all();
    assert_eq!(rig.others, [Output::Reachable { seat: SEAT, reachable: false }]);
    rig.finish();
}

#[test]
fn a_wrong_password_an_unknown_user_and_another_seat_are_refused() {
    let mut rig = Rig::new();
    rig.others.clear();
    let wrong = registers(&mut rig, &mut phone(PHONE, "a", 8001), (8001, "guess"), "");
    let unknown = registers(&mut rig, &mut phone(PHONE, "b", 9999), (9999, "guess"), "");
    assert_eq!((wrong.status(), unknown.status()), (Some(401), Some(401)), "they look the same");
    let other = registers(&mut rig, &mut phone(PHONE, "c", 8002), (8001, "secret-8001"), "");
    assert_eq!(other.status(), Some(403), "a phone registers its own seat only");
    assert_eq!(rig.endpoint.refused_registers(), &BTreeMap::from([(Refused::NotAuthorised, 2)]));
    assert!(rig.others.is_empty());
    rig.finish();
}

#[test]
fn a_registration_that_is_too_brief_learns_the_least_time() {
    let mut rig = Rig::new();
    let brief = registers(&mut rig, &mut phone(PHONE, "a", 8001), (8001, "secret-8001"), "Expires: 10\r\n");
    assert_eq!((brief.status(), brief.min_expires()), (Some(423), Some(60)));
    rig.finish();
}

#[test]
fn registrations_of_strangers_are_bounded_and_leave_carriers_served() {
    let mut rig = Rig::new();
    for n in 0..700 {
        let mut party = phone(&format!("10.2.{}.{}:5060", n / 250, 1 + n % 250), &format!("r{n}"), 8001);
        let at = party.at.to_string();
        let register = party.request("REGISTER", "", "");
        rig.say(&at, register);
    }
    assert_eq!(rig.drain("401"), 500);
    assert_eq!(rig.endpoint.refused_registers(), &BTreeMap::from([(Refused::Overload, 200)]));
    assert!(rig.endpoint.refused().is_empty(), "they are no calls");
    let mut caller = Party::caller(CARRIER, "call");
    let invite = caller.invite("", &sdp("10.1.0.1:30000", "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "100");
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Refuse(Cause::Busy));
    rig.hears(CARRIER, "486");
    rig.ends(leg, Cause::Busy);
    rig.say(CARRIER, caller.ack_refusal());
    rig.finish();
}

#[test]
fn a_phone_calls_by_digest_and_is_its_seat() {
    let mut rig = Rig::new();
    rig.register(8001, PHONE);
    let mut phone = phone(PHONE, "call", 12345);
    let body = sdp("10.2.0.1:40000", "sendrecv");
    let bare = phone.invite("", &body);
    rig.say(PHONE, bare);
    let challenge = rig.hears(PHONE, "401");
    rig.say(PHONE, phone.ack_refusal());
    assert_eq!(rig.refused(None, Refused::NotAuthorised), 0, "the first challenge is no refusal");
    let wrong = proof(8001, "guess", ("INVITE", 12345), &challenge);
    let invite = phone.invite(&wrong, &body);
    rig.say(PHONE, invite);
    rig.hears(PHONE, "401");
    rig.say(PHONE, phone.ack_refusal());
    assert_eq!(rig.refused(None, Refused::NotAuthorised), 1);
    let right = proof(8001, "secret-8001", ("INVITE", 12345), &challenge);
    let invite = phone.invite(&right, &body);
    rig.say(PHONE, invite);
    rig.hears(PHONE, "100");
    let (leg, event) = rig.event();
    let LegEvent::Arrived(arrival) = event else { panic!("{event:?}") };
    assert_eq!(arrival.origin, Origin::Seat(SeatId(8001)));
    assert_eq!(arrival.calling.raw, "8001");
    rig.tell(leg, LegCommand::Answer);
    phone.learns(&rig.hears(PHONE, "200"));
    let ack = phone.ack("");
    rig.say(PHONE, ack);
    rig.reports(leg, LegEvent::Answered);
    // Requests inside the dialog are not challenged.
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_that_calls_without_registering_speaks_in_its_own_dialog() {
    let mut rig = Rig::new();
    // It knows a nonce from a registration that was refused.
    let mut register = phone(PHONE, "r", 8001);
    let first = register.request("REGISTER", "", "");
    rig.say(PHONE, first);
    let challenge = rig.hears(PHONE, "401");
    let mut phone = phone(PHONE, "call", 12345);
    let right = proof(8001, "secret-8001", ("INVITE", 12345), &challenge);
    let invite = phone.invite(&right, &sdp("10.2.0.1:40000", "sendrecv"));
    rig.say(PHONE, invite);
    rig.hears(PHONE, "100");
    let (leg, _) = rig.event();
    rig.tell(leg, LegCommand::Answer);
    phone.learns(&rig.hears(PHONE, "200"));
    let ack = phone.ack("");
    rig.say(PHONE, ack);
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_that_calls_without_registering_may_cancel() {
    let mut rig = Rig::new();
    let mut register = phone(PHONE, "r", 8001);
    let first = register.request("REGISTER", "", "");
    rig.say(PHONE, first);
    let challenge = rig.hears(PHONE, "401");
    let mut phone = phone(PHONE, "call", 12345);
    let right = proof(8001, "secret-8001", ("INVITE", 12345), &challenge);
    let invite = phone.invite(&right, &sdp("10.2.0.1:40000", "sendrecv"));
    rig.say(PHONE, invite);
    rig.hears(PHONE, "100");
    let (leg, _) = rig.event();
    rig.say(PHONE, phone.cancel());
    rig.hears(PHONE, "200");
    rig.hears(PHONE, "487");
    rig.ends(leg, Cause::Cancelled);
    rig.say(PHONE, phone.ack_refusal());
    rig.finish();
}

#[test]
fn a_phones_connection_that_closes_takes_its_registration_along() {
    use crate::sip::endpoint::Input;
    use crate::sip::flow::{ConnId, Transport};
    let mut rig = Rig::new();
    let mut party = phone(PHONE, "tcp", 8001);
    let mut flow = flow(PHONE.parse().unwrap());
    (flow.transport, flow.connection) = (Transport::Tcp, Some(ConnId(5)));
    let first = party.request("REGISTER", "", "").replace("/UDP", "/TCP");
    rig.input(Input::Message { flow, bytes: first.into() });
    let challenge = rig.hears(PHONE, "401");
    let proof = proof(8001, "secret-8001", ("REGISTER", 8001), &challenge);
    let contact = "Contact: <sip:8001@10.2.0.1:5060>";
    let second = party.request("REGISTER", &proof, "").replace("/UDP", "/TCP");
    let second = second.replace(contact, "Contact: <sip:8001@192.168.0.9:5060;transport=tcp>");
    rig.others.clear();
    rig.input(Input::Message { flow, bytes: second.into() });
    let ok = rig.hears(PHONE, "200");
    assert!(header(&ok, HeaderName::Contact).contains("transport=tcp"));
    rig.input(Input::Closed { connection: ConnId(5) });
    let reachable = |reachable| Output::Reachable { seat: SEAT, reachable };
    assert_eq!(rig.others, [reachable(true), reachable(false)]);
    rig.finish();
}
