//! INVITEs that make no leg: what is wrong with them, who sends them, and where there is no room. Each is counted, and room
//! that was taken is given back.

use std::time::Duration;

use super::party::{Party, described, header, sdp};
use super::rig::*;
use crate::sip::endpoint::{Input, Refused};
use crate::sip::flow::{Flow, Transport};
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, LegCommand};

const AUDIO: &str = "10.1.0.1:30000";

/// One INVITE of the first carrier, refused at once.
fn refused(rig: &mut Rig, call_id: &str, status: &str, change: impl FnOnce(String) -> String) -> Message {
    let mut caller = Party::caller(CARRIER, call_id);
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, change(invite));
    let refusal = rig.hears(CARRIER, status);
    rig.say(CARRIER, caller.ack_refusal());
    rig.no_event();
    refusal
}

#[test]
fn what_cannot_be_served_is_refused_with_its_status_and_counted() {
    let mut rig = Rig::new();
    refused(&mut rig, "a", "415", |i| i.replace("application/sdp", "application/isup"));
    refused(&mut rig, "b", "416", |i| i.replacen("INVITE sip:", "INVITE ldap:", 1));
    let extension =
        refused(&mut rig, "c", "420", |i| i.replace("Max-Forwards", "Require: 100rel, telepathy\r\nMax-Forwards"));
    assert_eq!(extension.text_named("Unsupported").unwrap(), "telepathy");
    let short = refused(&mut rig, "d", "422", |i| {
        i.replace("Max-Forwards", "Supported: timer\r\nSession-Expires: 60\r\nMax-Forwards")
    });
    assert_eq!(short.min_se(), Some(90));
    refused(&mut rig, "e", "484", |i| i.replacen("INVITE sip:12345@", "INVITE sip:", 1));
    refused(&mut rig, "f", "483", |i| i.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    refused(&mut rig, "g", "482", |i| {
        i.replace("Max-Forwards", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKours\r\nMax-Forwards")
    });
    assert_eq!(rig.refused(Some(FIRST), Refused::BadRequest), 4);
    assert_eq!(rig.refused(Some(FIRST), Refused::NoNumber), 1);
    assert_eq!(rig.refused(Some(FIRST), Refused::Loop), 2);
    rig.finish();
}

#[test]
fn an_interval_that_is_too_short_learns_our_own_minimum() {
    let mut setup = Setup::new();
    setup.config.min_se_s = 120;
    let mut rig = setup.build();
    let short = refused(&mut rig, "a", "422", |i| {
        i.replace("Max-Forwards", "Supported: timer\r\nSession-Expires: 100\r\nMax-Forwards")
    });
    assert_eq!(short.min_se(), Some(120), "with 90 the caller would come again in vain");
    rig.finish();
}

#[test]
fn no_common_codec_is_488_and_an_unreadable_description_400_when_the_call_is_answered() {
    for (body, status) in [(described(AUDIO, "18", "sendrecv"), "488"), ("v=0 nonsense\r\n".to_owned(), "400")] {
        let mut rig = Rig::new();
        let mut caller = Party::caller(CARRIER, "a");
        let invite = caller.invite("", &body);
        rig.say(CARRIER, invite);
        rig.hears(CARRIER, "100");
        let (leg, _) = rig.event();
        rig.tell(leg, LegCommand::Answer);
        rig.hears(CARRIER, status);
        rig.ends(leg, Cause::NoCommonMedia);
        rig.say(CARRIER, caller.ack_refusal());
        rig.finish();
    }
}

#[test]
fn a_request_that_came_by_two_ways_is_merged() {
    let mut rig = Rig::new();
    let mut caller = Party::caller(CARRIER, "a");
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite.clone());
    rig.hears(CARRIER, "100");
    let (leg, _) = rig.event();
    rig.say(CARRIER, invite.replace("branch=z9hG4bK", "branch=z9hG4bK-other-way"));
    rig.hears(CARRIER, "482");
    rig.no_event();
    rig.say(CARRIER, caller.ack_refusal().replace("branch=z9hG4bK", "branch=z9hG4bK-other-way"));
    rig.tell(leg, LegCommand::Refuse(Cause::Busy));
    rig.hears(CARRIER, "486");
    rig.ends(leg, Cause::Busy);
    rig.say(CARRIER, caller.ack_refusal());
    assert_eq!(rig.refused(Some(FIRST), Refused::Loop), 1);
    rig.finish();
}

#[test]
fn a_stranger_gets_one_answer_a_second_and_each_call_is_counted_once() {
    let mut rig = Rig::new();
    let mut texts = Vec::new();
    for n in 0..5 {
        let mut stranger = Party::caller(STRANGER, &format!("s{n}"));
        let invite = stranger.invite("", &sdp("10.9.0.9:30000", "sendrecv"));
        rig.say(STRANGER, invite.clone());
        texts.push((invite, stranger));
    }
    rig.hears(STRANGER, "403");
    rig.say(STRANGER, texts[0].1.ack_refusal());
    rig.silence();
    // A retransmission of what got no answer.
    rig.say(STRANGER, texts[1].0.clone());
    assert_eq!(rig.refused(None, Refused::UnknownSource), 5);
    rig.pass_ms(1_000);
    // What was met with silence stays unanswered, a new call is told.
    rig.say(STRANGER, texts[2].0.clone());
    rig.silence();
    let mut stranger = Party::caller(STRANGER, "another");
    let invite = stranger.invite("", &sdp("10.9.0.9:30000", "sendrecv"));
    rig.say(STRANGER, invite);
    rig.hears(STRANGER, "403");
    rig.say(STRANGER, stranger.ack_refusal());
    assert_eq!(rig.refused(None, Refused::UnknownSource), 6);
    rig.finish();
}

#[test]
fn a_stranger_cannot_flood_us_with_requests_of_dialogs_that_do_not_exist() {
    let mut rig = Rig::new();
    for n in 0..20 {
        let mut stranger = Party::caller(STRANGER, &format!("s{n}"));
        stranger.theirs = "guessed".to_owned();
        let bye = stranger.request("BYE", "", "");
        rig.say(STRANGER, bye);
        stranger.invite("", "");
        rig.say(STRANGER, stranger.cancel());
    }
    assert_eq!(rig.drain("481"), 1, "one answer a second");
    rig.silence();
    rig.finish();
}

#[test]
fn registers_beyond_what_is_looked_at_get_silence_and_over_a_stream_503() {
    let mut rig = Rig::new();
    for (transport, beyond) in [(Transport::Udp, 0), (Transport::Tcp, 20)] {
        let flow = Flow { transport, connection: None, ..flow(STRANGER.parse().unwrap()) };
        for n in 0..520 {
            let register = Party::caller(STRANGER, &format!("{transport:?}{n}")).request("REGISTER", "", "");
            rig.input(Input::Message { flow, bytes: register.into() });
        }
        assert_eq!((rig.drain("401"), rig.drain("503")), (500, beyond), "{transport:?}");
        rig.pass(Duration::from_secs(2));
    }
    rig.silence();
    rig.finish();
}

#[test]
fn a_strangers_broken_bytes_and_responses_get_silence_and_a_carriers_get_400() {
    let mut rig = Rig::new();
    let mut caller = Party::caller(CARRIER, "a");
    let broken = caller.request("OPTIONS", "", "").replace("Content-Length: 0", "Content-Length: -1");
    rig.say(STRANGER, broken.clone());
    rig.silence();
    rig.say(CARRIER, broken);
    rig.hears(CARRIER, "400");
    rig.say(STRANGER, "SIP/2.0 200 OK\r\n\r\n");
    rig.say(CARRIER, "\r\n\r\n");
    rig.finish();
}

#[test]
fn options_are_answered_for_those_we_know() {
    let mut rig = Rig::new();
    let mut carrier = Party::caller(CARRIER, "a");
    let options = carrier.request("OPTIONS", "", "");
    rig.say(CARRIER, options);
    let ok = rig.hears(CARRIER, "200");
    assert!(header(&ok, HeaderName::Allow).contains("UPDATE"));
    let mut stranger = Party::caller(STRANGER, "b");
    let options = stranger.request("OPTIONS", "", "");
    rig.say(STRANGER, options);
    rig.hears(STRANGER, "403");
    for (method, status) in [("MESSAGE", "405"), ("SUBSCRIBE", "489"), ("BYE", "481"), ("DANCE", "501")] {
        let request = carrier.request(method, "", "");
        rig.say(CARRIER, request);
        rig.hears(CARRIER, status);
    }
    rig.finish();
}

#[test]
fn a_full_trunk_gets_503_and_room_comes_back_with_each_end() {
    let mut setup = Setup::new();
    setup.plan.trunks[0].max_calls = Some(1);
    let mut rig = setup.build();
    let (mut caller, leg) = rig.talk("");
    let refusal = refused(&mut rig, "too-many", "503", |i| i);
    assert_eq!(refusal.retry_after(), Some(5));
    assert_eq!(rig.refused(Some(FIRST), Refused::TrunkFull), 1);
    rig.party_hangs_up(&mut caller, leg);
    // There is room for exactly one again, however a call ends.
    for end in 0..4 {
        let mut caller = Party::caller(CARRIER, &format!("next-{end}"));
        let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
        rig.say(CARRIER, invite);
        rig.hears(CARRIER, "100");
        let (leg, _) = rig.event();
        refused(&mut rig, &format!("too-many-{end}"), "503", |i| i);
        match end {
            0 => {
                rig.say(CARRIER, caller.cancel());
                rig.hears(CARRIER, "200");
                rig.hears(CARRIER, "487");
                rig.say(CARRIER, caller.ack_refusal());
                rig.ends(leg, Cause::Cancelled);
            }
            1 => {
                rig.tell(leg, LegCommand::Refuse(Cause::Busy));
                rig.hears(CARRIER, "486");
                rig.say(CARRIER, caller.ack_refusal());
                rig.ends(leg, Cause::Busy);
            }
            2 => {
                rig.tell(leg, LegCommand::Answer);
                rig.pass(PATIENCE);
                rig.ends(leg, Cause::PeerLost);
                rig.pass(PATIENCE);
                rig.drain_all();
            }
            _ => {
                rig.tell(leg, LegCommand::EarlyMedia);
                rig.hears(CARRIER, "183");
                rig.tell(leg, LegCommand::Hangup(Cause::Overload));
                rig.hears(CARRIER, "503");
                rig.say(CARRIER, caller.ack_refusal());
                rig.ends(leg, Cause::Overload);
            }
        }
    }
    rig.finish();
}

#[test]
fn a_trunk_that_brings_more_calls_a_second_than_agreed_is_slowed() {
    let mut setup = Setup::new();
    setup.plan.trunks[0].max_calls_per_s = Some(1);
    let mut rig = setup.build();
    let (mut caller, leg) = rig.talk("");
    refused(&mut rig, "too-fast", "503", |i| i);
    assert_eq!(rig.refused(Some(FIRST), Refused::TrunkRate), 1);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn without_a_port_a_leg_or_a_disk_the_call_gets_503_and_the_trunk_keeps_its_room() {
    let mut setup = Setup::new();
    setup.ports = 0;
    let mut rig = setup.build();
    refused(&mut rig, "a", "503", |i| i);
    assert_eq!(rig.refused(Some(FIRST), Refused::NoPort), 1);
    rig.finish();

    let mut setup = Setup::new();
    setup.config.max_legs = 1;
    let mut rig = setup.build();
    let (mut caller, leg) = rig.talk("");
    refused(&mut rig, "a", "503", |i| i);
    assert_eq!(rig.refused(Some(FIRST), Refused::Overload), 1);
    rig.party_hangs_up(&mut caller, leg);
    rig.input(Input::Accepting(false));
    refused(&mut rig, "b", "503", |i| i);
    assert_eq!(rig.refused(Some(FIRST), Refused::DiskFull), 1);
    rig.finish();
}

#[test]
fn too_many_transactions_are_refused_before_any_state_is_made() {
    let mut setup = Setup::new();
    setup.config.max_transactions = 4;
    let mut rig = setup.build();
    for n in 0..8 {
        let mut caller = Party::caller(CARRIER, &format!("c{n}"));
        let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
        rig.say(CARRIER, invite);
    }
    let taken = rig.drain("100");
    let refused = rig.drain("503");
    assert_eq!(taken + refused, 8);
    assert!(taken >= 1 && refused >= 4, "{taken} taken, {refused} refused");
    assert_eq!(rig.refused(Some(FIRST), Refused::Overload), u64::try_from(refused).unwrap());
    assert_eq!(rig.endpoint.left().trunk_calls, taken);
    let legs: Vec<_> = (0..taken).map(|_| rig.event().0).collect();
    rig.end_all();
    for leg in legs {
        rig.ends(leg, Cause::Restart);
    }
    rig.pass(PATIENCE);
    rig.drain_all();
    rig.finish();
}

#[test]
fn a_second_brings_no_more_calls_than_the_exchange_takes() {
    let mut setup = Setup::new();
    setup.config.max_calls_per_s = 1;
    let mut rig = setup.build();
    let (mut caller, leg) = rig.talk("");
    refused(&mut rig, "a", "503", |i| i);
    assert_eq!(rig.refused(Some(FIRST), Refused::Overload), 1);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn an_invite_that_replaces_nothing_gets_481() {
    let mut rig = Rig::new();
    refused(&mut rig, "a", "481", |i| i.replace("Max-Forwards", "Replaces: x;to-tag=1;from-tag=2\r\nMax-Forwards"));
    refused(&mut rig, "b", "400", |i| i.replace("Max-Forwards", "Replaces: x\r\nMax-Forwards"));
    rig.finish();
}
