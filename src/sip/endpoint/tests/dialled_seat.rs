//! Calls to a seat: all its phones at once, one winner, and everything that can go wrong on the way (RFC 3261 13.2, 9.1).

use super::party::{Party, described, header, sdp};
use super::rig::*;
use crate::sip::endpoint::Input;
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, Digit, LegCommand, LegEvent, LegId, SeatId, Target};

const AUDIO: &str = "10.2.0.1:40000";

/// Two phones of one seat, dialled: the leg and each phone's INVITE.
fn two_phones(rig: &mut Rig) -> (LegId, [(Party, Message); 2]) {
    rig.register(8001, PHONE);
    rig.register(8001, OTHER_PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    let called = [PHONE, OTHER_PHONE].map(|at| {
        let invite = rig.hears(at, "INVITE");
        (Party::callee(at, &invite), invite)
    });
    (leg, called)
}

/// One phone of a seat, dialled.
fn one_phone(rig: &mut Rig) -> (LegId, Party, Message) {
    rig.register(8001, PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(PHONE, "INVITE");
    (leg, Party::callee(PHONE, &invite), invite)
}

fn answer_bye(rig: &mut Rig, party: &Party) -> Message {
    let at = party.at.to_string();
    let bye = rig.hears(&at, "BYE");
    assert_eq!(bye.to_tag(), Some(party.tag.as_str()));
    rig.say(&at, party.response(&bye, 200, &[], ""));
    bye
}

/// The phone confirms the CANCEL and refuses its INVITE.
fn gives_way(rig: &mut Rig, party: &Party, invite: &Message) {
    let at = party.at.to_string();
    let cancel = rig.hears(&at, "CANCEL");
    rig.say(&at, party.response(&cancel, 200, &[], ""));
    rig.say(&at, party.response(invite, 487, &[], ""));
    rig.hears(&at, "ACK");
}

#[test]
fn the_phone_shows_the_citizen_and_the_line() {
    let mut rig = Rig::new();
    let (leg, mut phone, invite) = one_phone(&mut rig);
    assert_eq!(invite.request_uri_text(), "sip:8001@10.2.0.1:5060", "the registered contact");
    assert_eq!(invite.from().uri.user(), Some("13981112233"));
    assert_eq!(invite.from().display_text(), "12315 市场监管");
    assert_eq!(invite.header_named("X-Yihao-Line"), Some(&b"12315"[..]));
    assert_eq!(invite.contact().unwrap().unwrap().uri.host(), "10.0.0.2", "the seats' network");
    assert!(String::from_utf8_lossy(invite.body()).contains("c=IN IP4 10.0.0.2"));
    rig.say(PHONE, phone.response(&invite, 100, &[], ""));
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.no_event();
    rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    let ack = rig.hears(PHONE, "ACK");
    assert_eq!(ack.cseq_number(), invite.cseq_number());
    rig.reports(leg, LegEvent::Answered);
    assert!(rig.stream(leg).may_latch, "a phone may stand behind NAT");
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_phone_that_rings_is_asked_to_answer_and_one_that_refuses_rings_on() {
    for status in [200, 489] {
        let mut rig = Rig::new();
        let (leg, mut phone, invite) = one_phone(&mut rig);
        rig.tell(leg, LegCommand::PickUp);
        rig.silence();
        rig.say(PHONE, phone.response(&invite, 180, &[], ""));
        rig.reports(leg, LegEvent::Ringing);
        rig.tell(leg, LegCommand::PickUp);
        let notify = rig.hears(PHONE, "NOTIFY");
        assert_eq!(notify.header_named("Event"), Some(&b"talk"[..]));
        assert_eq!(notify.header_named("Subscription-State"), Some(&b"active"[..]));
        assert_eq!(notify.call_id(), invite.call_id());
        assert_eq!((notify.from_tag(), notify.to_tag()), (invite.from_tag(), Some(phone.tag.as_str())));
        assert_eq!(notify.cseq_number(), invite.cseq_number() + 1);
        rig.say(PHONE, phone.response(&notify, status, &[], ""));
        rig.no_event();
        rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
        rig.hears(PHONE, "ACK");
        rig.reports(leg, LegEvent::Answered);
        rig.party_hangs_up(&mut phone, leg);
        rig.finish();
    }
}

#[test]
fn a_headset_seat_is_asked_to_answer_by_itself() {
    let mut rig = Rig::new();
    rig.register(8001, PHONE);
    rig.auto_answer = true;
    let leg = rig.dial(Target::Seat(SEAT), None);
    let invite = rig.hears(PHONE, "INVITE");
    let says = |name: &str| String::from_utf8_lossy(invite.header_named(name).unwrap_or_default()).into_owned();
    assert_eq!(says("Answer-Mode"), "Auto");
    assert_eq!(says("Call-Info"), "<sip:10.0.0.2>;answer-after=0");
    assert_eq!(says("Alert-Info"), "<http://10.0.0.2>;info=alert-autoanswer;delay=0");
    let mut phone = Party::callee(PHONE, &invite);
    rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn the_leg_of_a_seat_takes_a_port_on_its_callers_worker() {
    for _ in 0..2 {
        let mut rig = Rig::new();
        let (mut caller, calling) = rig.talk("");
        let worker = rig.port(calling).worker;
        for n in 0..3 {
            rig.register(8001, PHONE);
            let leg = rig.dial(Target::Seat(SEAT), Some(calling));
            let invite = rig.hears(PHONE, "INVITE");
            let mut phone = Party::callee(PHONE, &invite);
            phone.caller = format!("n{n}");
            rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
            rig.hears(PHONE, "ACK");
            rig.reports(leg, LegEvent::Answered);
            assert_eq!(rig.port(leg).worker, worker);
            rig.party_hangs_up(&mut phone, leg);
        }
        rig.party_hangs_up(&mut caller, calling);
        rig.finish();
    }
}

#[test]
fn the_first_phone_to_answer_wins_and_the_others_are_cancelled() {
    let mut rig = Rig::new();
    let (leg, [(mut first, first_invite), (second, second_invite)]) = two_phones(&mut rig);
    assert_ne!(first.call_id, second.call_id);
    rig.say(PHONE, first.response(&first_invite, 180, &[], ""));
    rig.say(OTHER_PHONE, second.response(&second_invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, first.response(&first_invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    gives_way(&mut rig, &second, &second_invite);
    rig.party_hangs_up(&mut first, leg);
    rig.finish();
}

#[test]
fn two_phones_that_answer_at_once_make_one_winner_and_a_bye_for_the_other() {
    let mut rig = Rig::new();
    let (leg, [(mut first, first_invite), (mut second, second_invite)]) = two_phones(&mut rig);
    rig.say(OTHER_PHONE, second.response(&second_invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, first.response(&first_invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    let cancel = rig.hears(OTHER_PHONE, "CANCEL");
    let ok = second.response(&second_invite, 200, &[], &sdp("10.2.0.2:40000", "sendrecv"));
    rig.say(OTHER_PHONE, ok.clone());
    rig.say(OTHER_PHONE, second.response(&cancel, 481, &[], ""));
    rig.hears(OTHER_PHONE, "ACK");
    answer_bye(&mut rig, &second);
    // Its 200 again: the ACK was lost.
    rig.say(OTHER_PHONE, ok);
    rig.hears(OTHER_PHONE, "ACK");
    rig.silence();
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO, "the winner's audio counts");
    // What the loser says in its own dialog does not concern the leg.
    let invite = second.invite("", &sdp("10.2.0.2:40000", "inactive"));
    rig.say(OTHER_PHONE, invite);
    rig.hears(OTHER_PHONE, "481");
    rig.say(OTHER_PHONE, second.ack_refusal());
    let bye = second.request("BYE", "", "");
    rig.say(OTHER_PHONE, bye);
    rig.hears(OTHER_PHONE, "481");
    rig.no_event();
    rig.party_hangs_up(&mut first, leg);
    rig.finish();
}

#[test]
fn the_200_again_gets_the_same_ack_again() {
    let mut rig = Rig::new();
    let (leg, mut phone, invite) = one_phone(&mut rig);
    let ok = phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv"));
    rig.say(PHONE, ok.clone());
    let ack = rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    rig.say(PHONE, ok);
    assert_eq!(rig.hears(PHONE, "ACK").bytes(), ack.bytes());
    rig.no_event();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn an_invite_that_was_forked_has_one_winner_and_each_further_2xx_gets_ack_and_bye() {
    let mut rig = Rig::new();
    let (leg, mut phone, invite) = one_phone(&mut rig);
    let (other, late) = (phone.fork("other"), phone.fork("late"));
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.say(PHONE, other.response(&invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    for fork in [&other, &late] {
        rig.say(PHONE, fork.response(&invite, 200, &[], &sdp("10.2.0.7:40000", "sendrecv")));
        assert_eq!(rig.hears(PHONE, "ACK").to_tag(), Some(fork.tag.as_str()));
        answer_bye(&mut rig, fork);
    }
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO);
    // The BYE of a fork that lost ends nothing.
    let mut other = other;
    let bye = other.request("BYE", "", "");
    rig.say(PHONE, bye);
    rig.hears(PHONE, "481");
    rig.no_event();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn the_answer_of_the_fork_that_wins_counts_not_that_of_one_that_was_early() {
    let mut rig = Rig::new();
    let (leg, phone, invite) = one_phone(&mut rig);
    let mut winner = phone.fork("winner");
    let reliable = [("Require", "100rel"), ("RSeq", "5")];
    rig.say(PHONE, phone.response(&invite, 183, &reliable, &sdp("10.2.0.7:40000", "sendrecv")));
    let prack = rig.hears(PHONE, "PRACK");
    rig.say(PHONE, phone.response(&prack, 200, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, winner.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO);
    rig.party_hangs_up(&mut winner, leg);
    rig.finish();
}

#[test]
fn each_fork_gives_its_own_answer_in_a_reliable_response() {
    let mut rig = Rig::new();
    let (leg, first, invite) = one_phone(&mut rig);
    let mut winner = first.fork("winner");
    for (fork, audio) in [(&first, "10.2.0.7:40000"), (&winner, AUDIO)] {
        let reliable = [("Require", "100rel"), ("RSeq", "5")];
        rig.say(PHONE, fork.response(&invite, 183, &reliable, &sdp(audio, "sendrecv")));
        let prack = rig.hears(PHONE, "PRACK");
        assert_eq!(prack.to_tag(), Some(fork.tag.as_str()));
        rig.say(PHONE, fork.response(&prack, 200, &[], ""));
    }
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, winner.response(&invite, 200, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO);
    rig.party_hangs_up(&mut winner, leg);
    rig.finish();
}

#[test]
fn final_statuses_are_told_apart() {
    let cases = [
        (486, false, Cause::Busy),
        (600, true, Cause::Busy),
        (603, true, Cause::Declined),
        (403, false, Cause::Declined),
        (480, true, Cause::NoAnswer),
        (408, true, Cause::NoAnswer),
        (480, false, Cause::Unreachable),
        (404, false, Cause::NoSuchNumber),
        (488, false, Cause::NoCommonMedia),
        (503, false, Cause::Overload),
        (420, false, Cause::Failed),
    ];
    for (status, rings, cause) in cases {
        let mut rig = Rig::new();
        let (leg, phone, invite) = one_phone(&mut rig);
        if rings {
            rig.say(PHONE, phone.response(&invite, 180, &[], ""));
            rig.reports(leg, LegEvent::Ringing);
        }
        rig.say(PHONE, phone.response(&invite, status, &[], ""));
        rig.hears(PHONE, "ACK");
        rig.ends_with(leg, cause, Some(status));
        rig.finish();
    }
}

#[test]
fn of_two_phones_the_one_that_says_most_about_the_person_counts() {
    let mut rig = Rig::new();
    let (leg, [(first, first_invite), (second, second_invite)]) = two_phones(&mut rig);
    rig.say(PHONE, first.response(&first_invite, 486, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.no_event();
    rig.say(OTHER_PHONE, second.response(&second_invite, 404, &[], ""));
    rig.hears(OTHER_PHONE, "ACK");
    rig.ends_with(leg, Cause::Busy, Some(486));
    rig.finish();
}

#[test]
fn a_seat_without_a_phone_is_unregistered() {
    let mut rig = Rig::new();
    let leg = rig.dial(Target::Seat(SEAT), None);
    rig.ends(leg, Cause::Unregistered);
    let nobody = rig.dial(Target::Seat(SeatId(9999)), None);
    rig.ends(nobody, Cause::Unregistered);
    rig.finish();
}

#[test]
fn a_phone_without_any_response_is_given_up_and_the_others_ring_on() {
    let mut rig = Rig::new();
    let (leg, [(_, _), (mut second, second_invite)]) = two_phones(&mut rig);
    rig.say(OTHER_PHONE, second.response(&second_invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.pass_ms(5_000);
    assert!(rig.drain("INVITE") >= 2, "retransmissions to the phone that is gone");
    rig.no_event();
    rig.say(OTHER_PHONE, second.response(&second_invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(OTHER_PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    rig.party_hangs_up(&mut second, leg);
    rig.pass(PATIENCE);
    rig.drain_all();
    rig.finish();
}

#[test]
fn a_phone_that_is_gone_ends_the_attempt_and_its_late_200_gets_ack_and_bye() {
    let mut rig = Rig::new();
    let (leg, phone, invite) = one_phone(&mut rig);
    rig.pass_ms(4_000);
    rig.ends(leg, Cause::Unreachable);
    rig.drain("INVITE");
    rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(PHONE, "ACK");
    answer_bye(&mut rig, &phone);
    rig.finish();
}

#[test]
fn a_phone_that_cannot_be_sent_to_is_unreachable() {
    let mut rig = Rig::new();
    rig.register(8001, PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    rig.hears(PHONE, "INVITE");
    let by = rig.last_by();
    rig.input(Input::Unsent { by });
    rig.ends(leg, Cause::Unreachable);
    rig.finish();
}

#[test]
fn hanging_up_before_any_response_cancels_as_soon_as_one_comes() {
    let mut rig = Rig::new();
    let (leg, phone, invite) = one_phone(&mut rig);
    rig.tell(leg, LegCommand::Hangup(Cause::NoAnswer));
    rig.silence();
    rig.say(PHONE, phone.response(&invite, 100, &[], ""));
    let cancel = rig.hears(PHONE, "CANCEL");
    assert_eq!(cancel.branch(), invite.branch());
    assert_eq!(cancel.reason_headers()[0].cause, Some(19));
    rig.say(PHONE, phone.response(&cancel, 200, &[], ""));
    rig.say(PHONE, phone.response(&invite, 487, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.ends_with(leg, Cause::NoAnswer, Some(487));
    rig.finish();
}

#[test]
fn hanging_up_while_it_rings_ends_with_the_cause_of_the_hang_up() {
    let mut rig = Rig::new();
    let (leg, [(first, first_invite), (second, second_invite)]) = two_phones(&mut rig);
    rig.say(PHONE, first.response(&first_invite, 180, &[], ""));
    rig.say(OTHER_PHONE, second.response(&second_invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    rig.tell(leg, LegCommand::Hangup(Cause::NoAnswer));
    gives_way(&mut rig, &first, &first_invite);
    rig.no_event();
    gives_way(&mut rig, &second, &second_invite);
    rig.ends_with(leg, Cause::Cancelled, Some(487));
    rig.finish();
}

#[test]
fn an_answer_that_crosses_our_cancel_gets_ack_and_bye() {
    let mut rig = Rig::new();
    let (leg, phone, invite) = one_phone(&mut rig);
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    let cancel = rig.hears(PHONE, "CANCEL");
    rig.say(PHONE, phone.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.say(PHONE, phone.response(&cancel, 200, &[], ""));
    rig.hears(PHONE, "ACK");
    answer_bye(&mut rig, &phone);
    rig.ends(leg, Cause::Cancelled);
    rig.finish();
}

#[test]
fn a_phone_that_neither_answers_nor_obeys_cancel_is_left_after_64_t1() {
    let mut rig = Rig::new();
    let (leg, phone, invite) = one_phone(&mut rig);
    rig.say(PHONE, phone.response(&invite, 180, &[], ""));
    rig.reports(leg, LegEvent::Ringing);
    rig.tell(leg, LegCommand::Hangup(Cause::Cancelled));
    rig.pass(PATIENCE);
    rig.ends(leg, Cause::Cancelled);
    assert!(rig.drain("CANCEL") > 5);
    rig.finish();
}

#[test]
fn an_answer_without_a_description_or_codec_of_ours_gets_ack_and_bye() {
    for body in [String::new(), described(AUDIO, "18", "sendrecv")] {
        let mut rig = Rig::new();
        let (leg, phone, invite) = one_phone(&mut rig);
        rig.say(PHONE, phone.response(&invite, 200, &[], &body));
        rig.hears(PHONE, "ACK");
        answer_bye(&mut rig, &phone);
        rig.ends(leg, Cause::NoCommonMedia);
        rig.finish();
    }
}

#[test]
fn reliable_responses_get_a_prack_in_order_and_once() {
    let mut rig = Rig::new();
    let (leg, mut phone, invite) = one_phone(&mut rig);
    let reliable = |n| [("Require", "100rel"), ("RSeq", n)];
    let ringing = phone.response(&invite, 180, &reliable("7"), "");
    rig.say(PHONE, ringing.clone());
    let prack = rig.hears(PHONE, "PRACK");
    assert_eq!(header(&prack, HeaderName::RAck), "7 1 INVITE");
    rig.reports(leg, LegEvent::Ringing);
    rig.say(PHONE, phone.response(&prack, 200, &[], ""));
    rig.say(PHONE, ringing);
    rig.say(PHONE, phone.response(&invite, 183, &reliable("9"), ""));
    rig.silence();
    // The answer in a reliable response: the 200 needs none.
    rig.say(PHONE, phone.response(&invite, 183, &reliable("8"), &sdp(AUDIO, "sendrecv")));
    let prack = rig.hears(PHONE, "PRACK");
    assert_eq!((header(&prack, HeaderName::RAck).as_str(), prack.cseq_number()), ("8 1 INVITE", 3));
    rig.say(PHONE, phone.response(&prack, 200, &[], ""));
    rig.say(PHONE, phone.response(&invite, 200, &[], ""));
    rig.hears(PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    assert_eq!(rig.stream(leg).remote.to_string(), AUDIO);
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_fixed_contact_is_dialled_without_registration_and_speaks_in_its_dialog() {
    let mut rig = Rig::new();
    let leg = rig.dial(Target::Seat(FIXED_SEAT), None);
    let invite = rig.hears(FIXED_PHONE, "INVITE");
    let mut phone = Party::callee(FIXED_PHONE, &invite);
    rig.say(FIXED_PHONE, phone.response(&invite, 200, &[], &sdp("10.3.0.3:40000", "sendrecv")));
    rig.hears(FIXED_PHONE, "ACK");
    rig.reports(leg, LegEvent::Answered);
    let info = phone.request("INFO", "", "Signal=5\r\nDuration=160\r\n");
    rig.say(FIXED_PHONE, info);
    rig.hears(FIXED_PHONE, "200");
    let (_, event) = rig.event();
    assert!(matches!(event, LegEvent::Digit { digit: Digit('5'), .. }));
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_challenge_or_a_redirection_of_a_phone_fails_the_attempt() {
    for status in [401, 407, 302] {
        let mut rig = Rig::new();
        let (leg, phone, invite) = one_phone(&mut rig);
        rig.say(PHONE, phone.response(&invite, status, &[], ""));
        rig.hears(PHONE, "ACK");
        rig.ends_with(leg, Cause::Failed, Some(status));
        rig.finish();
    }
}

#[test]
fn without_a_port_the_attempt_ends_for_want_of_room() {
    let mut setup = Setup::new();
    setup.ports = 0;
    let mut rig = setup.build();
    rig.register(8001, PHONE);
    let leg = rig.dial(Target::Seat(SEAT), None);
    rig.ends(leg, Cause::Overload);
    rig.finish();
}
