//! What happens inside an answered call: hold, change of media, glare, keys, transfers, forgeries (RFC 3261 12.2, 14).

use super::party::{described, header, sdp};
use super::rig::*;
use crate::sip::endpoint::Output;
use crate::sip::message::HeaderName;
use crate::types::{Cause, Codec, Digit, DigitBy, Direction, LegCommand, LegEvent};

const AUDIO: &str = "10.1.0.1:30000";

#[test]
fn the_far_end_holds_and_comes_back() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    for hold in [sdp(AUDIO, "sendonly"), sdp(AUDIO, "inactive"), sdp("0.0.0.0:30000", "sendrecv")] {
        let invite = caller.invite("", &hold);
        rig.say(CARRIER, invite);
        let ok = rig.hears(CARRIER, "200");
        assert_eq!(ok.to_tag(), Some(caller.theirs.as_str()));
        rig.reports(leg, LegEvent::Held(true));
        assert!(matches!(rig.stream(leg).direction, Direction::RecvOnly | Direction::Inactive));
        let ack = caller.ack("");
        rig.say(CARRIER, ack);
        // Held once more is no news.
        let update = caller.request("UPDATE", "", &hold);
        rig.say(CARRIER, update);
        rig.hears(CARRIER, "200");
        rig.no_event();
        let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
        rig.say(CARRIER, invite);
        rig.hears(CARRIER, "200");
        rig.reports(leg, LegEvent::Held(false));
        assert_eq!(rig.stream(leg).direction, Direction::SendRecv);
        let ack = caller.ack("");
        rig.say(CARRIER, ack);
    }
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn codec_and_address_change_in_mid_call() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let port = rig.port(leg);
    let invite = caller.invite("", &described("10.1.0.50:31000", "0", "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "200");
    let stream = rig.stream(leg);
    assert_eq!((stream.remote.to_string().as_str(), stream.codec), ("10.1.0.50:31000", Codec::Pcmu));
    assert_eq!(stream.event_type, None);
    assert_eq!(rig.port(leg), port, "our side stays");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn an_offer_without_a_codec_of_ours_is_refused_and_the_call_goes_on() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let before = rig.stream(leg).clone();
    let invite = caller.invite("", &described(AUDIO, "18", "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "488");
    rig.say(CARRIER, caller.ack_refusal());
    assert_eq!(*rig.stream(leg), before);
    // The next exchange is free.
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_reinvite_without_an_offer_is_offered_in_the_200_until_the_ack_answers() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let invite = caller.invite("", "");
    rig.say(CARRIER, invite);
    let ok = rig.hears(CARRIER, "200");
    assert!(ok.body().starts_with(b"v=0"));
    // Our offer is open: theirs has to wait, and so has our own wish.
    let update = caller.request("UPDATE", "", &sdp(AUDIO, "sendonly"));
    rig.say(CARRIER, update);
    rig.hears(CARRIER, "491");
    rig.tell(leg, LegCommand::Hold(true));
    rig.pass_ms(600);
    assert_eq!(rig.hears(CARRIER, "200").bytes(), ok.bytes(), "repeated until its ACK");
    rig.silence();
    let ack = caller.ack(&sdp("10.1.0.1:32000", "sendrecv"));
    rig.say(CARRIER, ack);
    assert_eq!(rig.stream(leg).remote.to_string(), "10.1.0.1:32000");
    let hold = rig.hears(CARRIER, "INVITE");
    assert!(String::from_utf8_lossy(hold.body()).contains("a=sendonly"));
    rig.say(CARRIER, caller.response(&hold, 200, &[], &sdp("10.1.0.1:32000", "recvonly")));
    rig.hears(CARRIER, "ACK");
    rig.no_event();
    assert_eq!(rig.stream(leg).direction, Direction::SendOnly);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_reinvite_whose_200_is_never_acknowledged_ends_the_call() {
    let mut rig = Rig::new();
    let (caller, leg) = {
        let (mut caller, leg) = rig.talk("");
        let invite = caller.invite("", "");
        rig.say(CARRIER, invite);
        (caller, leg)
    };
    rig.pass(PATIENCE);
    assert!(rig.drain("200") > 5);
    rig.ends(leg, Cause::PeerLost);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn we_hold_and_take_back() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    rig.tell(leg, LegCommand::Hold(false));
    let hold = rig.hears(PHONE, "INVITE");
    assert_eq!(hold.cseq_number(), 2);
    assert!(String::from_utf8_lossy(hold.body()).contains("a=sendonly"));
    rig.silence();
    let ok = phone.response(&hold, 200, &[], &sdp("10.2.0.1:40000", "recvonly"));
    rig.say(PHONE, ok.clone());
    let ack = rig.hears(PHONE, "ACK");
    assert_eq!(ack.cseq_number(), 2);
    assert_eq!(rig.stream(leg).direction, Direction::SendOnly);
    let back = rig.hears(PHONE, "INVITE");
    assert!(String::from_utf8_lossy(back.body()).contains("a=sendrecv"));
    // The first 200 again: its ACK was lost.
    rig.say(PHONE, ok);
    assert_eq!(rig.hears(PHONE, "ACK").bytes(), ack.bytes());
    rig.say(PHONE, phone.response(&back, 200, &[], &sdp("10.2.0.1:40000", "sendrecv")));
    rig.hears(PHONE, "ACK");
    assert_eq!(rig.stream(leg).direction, Direction::SendRecv);
    rig.no_event();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_hold_that_is_refused_leaves_the_media_as_they_were() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(PHONE, "INVITE");
    rig.say(PHONE, phone.response(&hold, 488, &[], ""));
    rig.hears(PHONE, "ACK");
    assert_eq!(rig.stream(leg).direction, Direction::SendRecv);
    // The far end can still hold us, and is told of nothing we did not get.
    let invite = phone.invite("", &sdp("10.2.0.1:40000", "sendonly"));
    rig.say(PHONE, invite);
    let ok = rig.hears(PHONE, "200");
    assert!(String::from_utf8_lossy(ok.body()).contains("a=recvonly"), "{:?}", ok.bytes());
    rig.reports(leg, LegEvent::Held(true));
    let ack = phone.ack("");
    rig.say(PHONE, ack);
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn crossing_reinvites_are_refused_with_491_and_ours_goes_out_again_after_the_wait() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(PHONE, "INVITE");
    let theirs = phone.invite("", &sdp("10.2.0.1:40000", "sendonly"));
    rig.say(PHONE, theirs);
    rig.hears(PHONE, "491");
    rig.say(PHONE, phone.ack_refusal());
    rig.say(PHONE, phone.response(&hold, 491, &[], ""));
    rig.hears(PHONE, "ACK");
    // The owner of the Call-ID waits 2.1 to 4 s; theirs comes first.
    rig.pass_ms(2_000);
    rig.silence();
    let theirs = phone.invite("", &sdp("10.2.0.1:40001", "sendrecv"));
    rig.say(PHONE, theirs);
    rig.hears(PHONE, "200");
    let ack = phone.ack("");
    rig.say(PHONE, ack);
    rig.pass_ms(2_000);
    let again = rig.hears(PHONE, "INVITE");
    rig.drain("INVITE");
    assert_eq!(again.cseq_number(), hold.cseq_number() + 1);
    assert!(String::from_utf8_lossy(again.body()).contains("a=sendonly"));
    rig.say(PHONE, phone.response(&again, 200, &[], &sdp("10.2.0.1:40001", "recvonly")));
    rig.hears(PHONE, "ACK");
    rig.no_event();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn hanging_up_while_our_reinvite_is_open_leaves_nothing() {
    let mut rig = Rig::new();
    let (phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(PHONE, "INVITE");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(PHONE, "BYE");
    // Its 200 has crossed the BYE: it still wants its ACK (RFC 3261 13.2.2.4).
    rig.say(PHONE, phone.response(&hold, 200, &[], &sdp("10.2.0.1:40000", "recvonly")));
    assert_eq!(rig.hears(PHONE, "ACK").cseq_number(), hold.cseq_number());
    rig.say(PHONE, phone.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn a_lost_ack_of_our_reinvite_is_repeated_after_the_far_end_has_hung_up() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(PHONE, "INVITE");
    let accepted = phone.response(&hold, 200, &[], &sdp("10.2.0.1:40000", "recvonly"));
    rig.say(PHONE, accepted.clone());
    rig.hears(PHONE, "ACK");
    rig.party_hangs_up(&mut phone, leg);
    rig.pass_ms(500);
    rig.say(PHONE, accepted.clone());
    assert_eq!(rig.hears(PHONE, "ACK").cseq_number(), hold.cseq_number());
    rig.pass(PATIENCE);
    rig.say(PHONE, accepted);
    rig.silence();
    rig.finish();
}

#[test]
fn keys_come_by_info_and_other_bodies_are_refused() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let info = caller.request("INFO", "", "Signal=#\r\nDuration=160\r\n");
    rig.say(CARRIER, info);
    rig.hears(CARRIER, "200");
    rig.reports(leg, LegEvent::Digit { digit: Digit('#'), by: DigitBy::Info });
    let empty = caller.request("INFO", "", "");
    rig.say(CARRIER, empty);
    rig.hears(CARRIER, "200");
    let other = caller.request("INFO", "Content-Type: text/plain\r\n", "hello");
    rig.say(CARRIER, other);
    rig.hears(CARRIER, "415");
    let broken = caller.request("INFO", "", "Signal=\r\n");
    rig.say(CARRIER, broken);
    rig.hears(CARRIER, "400");
    rig.no_event();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn our_keys_go_as_events_where_agreed_and_by_info_where_not() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    rig.others.clear();
    rig.tell(leg, LegCommand::SendDigit(Digit('5')));
    rig.silence();
    assert_eq!(rig.others, [Output::SendDigit { leg, digit: Digit('5') }]);
    let invite = caller.invite("", &described(AUDIO, "8", "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.tell(leg, LegCommand::SendDigit(Digit('6')));
    let info = rig.hears(CARRIER, "INFO");
    assert!(String::from_utf8_lossy(info.body()).contains("Signal=6"));
    rig.say(CARRIER, caller.response(&info, 200, &[], ""));
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn other_requests_in_a_dialog_get_their_answers() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let cases = [
        ("OPTIONS", "", "200"),
        ("REFER", "Refer-To: <sip:8002@10.0.0.1>\r\n", "603"),
        ("REFER", "", "400"),
        ("NOTIFY", "Event: dialog\r\n", "489"),
        ("MESSAGE", "", "405"),
        ("DANCE", "", "501"),
        ("PRACK", "RAck: 1 1 INVITE\r\n", "200"),
    ];
    for (method, extra, status) in cases {
        let request = caller.request(method, extra, "");
        rig.say(CARRIER, request);
        rig.hears(CARRIER, status);
    }
    rig.party_hangs_up(&mut caller, leg);
    let late = caller.request("INFO", "", "");
    rig.say(CARRIER, late);
    rig.hears(CARRIER, "481");
    rig.finish();
}

#[test]
fn a_request_out_of_order_gets_500() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    caller.cseq = 10;
    let info = caller.request("INFO", "", "");
    rig.say(CARRIER, info);
    rig.hears(CARRIER, "200");
    caller.cseq = 4;
    let stale = caller.request("BYE", "", "");
    rig.say(CARRIER, stale);
    rig.hears(CARRIER, "500");
    rig.no_event();
    caller.cseq = 20;
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_forged_bye_from_elsewhere_is_refused_even_with_both_tags() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    for from in [STRANGER, OTHER_CARRIER, PHONE] {
        let bye = caller.request("BYE", "", "");
        rig.say(from, bye);
        rig.hears(from, "481");
        rig.no_event();
    }
    let right = std::mem::replace(&mut caller.theirs, "guess".to_owned());
    let bye = caller.request("BYE", "", "");
    rig.say(CARRIER, bye);
    rig.hears(CARRIER, "481");
    caller.theirs = right;
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_carrier_may_speak_from_another_port_of_its_address() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let bye = caller.request("BYE", "", "");
    rig.say("10.1.0.1:5070", bye);
    rig.hears("10.1.0.1:5070", "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn a_phone_that_has_moved_speaks_and_is_spoken_to_at_its_new_place() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[]);
    // The router gave it another port; it registers again from there.
    let moved = "10.2.0.1:61000";
    rig.register(8001, moved);
    let info = phone.request("INFO", "", "");
    rig.say(moved, info);
    rig.hears(moved, "200");
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(moved, "INVITE");
    rig.say(moved, phone.response(&hold, 200, &[], &sdp("10.2.0.1:40000", "recvonly")));
    rig.hears(moved, "ACK");
    let bye = phone.request("BYE", "", "");
    rig.say(moved, bye);
    rig.hears(moved, "200");
    rig.ends(leg, Cause::HungUp);
    rig.finish();
}

#[test]
fn the_contact_of_a_reinvite_is_the_new_target() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let invite = caller
        .invite("", &sdp(AUDIO, "sendrecv"))
        .replace("Contact: <sip:13981112233@10.1.0.1:5060>", "Contact: <sip:x@10.1.0.99:5062>");
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears("10.1.0.99:5062", "BYE");
    assert_eq!(bye.request_uri_text(), "sip:x@10.1.0.99:5062");
    assert_eq!(header(&bye, HeaderName::CallId), "talk");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.finish();
}

#[test]
fn a_lost_ack_does_not_keep_a_second_reinvite_from_being_served() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let first = caller.invite("", &sdp(AUDIO, "sendonly"));
    rig.say(CARRIER, first);
    rig.hears(CARRIER, "200");
    rig.reports(leg, LegEvent::Held(true));
    let second = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, second);
    rig.hears(CARRIER, "200");
    rig.reports(leg, LegEvent::Held(false));
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.pass_ms(5_000);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}
