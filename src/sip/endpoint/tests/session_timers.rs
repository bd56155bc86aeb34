//! Sessions are refreshed by one end, and a far end that is gone is noticed (RFC 4028).

use std::time::Duration;

use super::party::{header, sdp};
use super::rig::*;
use crate::sip::endpoint::Input;
use crate::sip::message::{HeaderName, Message};
use crate::types::{Cause, LegCommand, LegEvent};

const AUDIO: &str = "10.1.0.1:30000";
const MINUTE: Duration = Duration::from_secs(60);
const KNOWS_TIMERS: &str = "Supported: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nSession-Expires: 1800\r\n";

#[test]
fn we_refresh_at_half_time_by_update_where_the_far_end_takes_it() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk(KNOWS_TIMERS);
    for round in 1..4 {
        rig.pass(15 * MINUTE);
        let update = rig.hears(CARRIER, "UPDATE");
        assert!(update.body().is_empty());
        assert_eq!(header(&update, HeaderName::SessionExpires), "1800;refresher=uac", "round {round}");
        rig.say(CARRIER, caller.response(&update, 200, &[("Session-Expires", "1800;refresher=uac")], ""));
        rig.silence();
    }
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn without_update_we_refresh_by_a_reinvite_that_changes_nothing() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let before = rig.stream(leg).clone();
    let reinvite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, reinvite);
    let ours = rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.pass(15 * MINUTE);
    let invite = rig.hears(CARRIER, "INVITE");
    assert_eq!(invite.body(), ours.body(), "nothing has changed, not even the version (RFC 3264 8)");
    rig.say(CARRIER, caller.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(CARRIER, "ACK");
    assert_eq!(*rig.stream(leg), before);
    rig.pass(14 * MINUTE);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn the_version_of_our_description_rises_with_each_change_and_only_then() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("");
    let mut versions = Vec::new();
    for direction in ["sendrecv", "sendrecv", "sendonly", "sendonly", "sendrecv"] {
        let reinvite = caller.invite("", &sdp(AUDIO, direction));
        rig.say(CARRIER, reinvite);
        versions.push(version(&rig.hears(CARRIER, "200")));
        let ack = caller.ack("");
        rig.say(CARRIER, ack);
    }
    assert_eq!(versions, [1, 1, 2, 2, 3]);
    rig.reports(leg, LegEvent::Held(true));
    rig.reports(leg, LegEvent::Held(false));
    // A hold of ours that is refused has used its number up; the refresh after it offers what stands, under a new one.
    rig.tell(leg, LegCommand::Hold(true));
    let hold = rig.hears(CARRIER, "INVITE");
    assert_eq!(version(&hold), 4);
    rig.say(CARRIER, caller.response(&hold, 488, &[], ""));
    rig.hears(CARRIER, "ACK");
    rig.pass(15 * MINUTE);
    let refresh = rig.hears(CARRIER, "INVITE");
    assert_eq!(version(&refresh), 5);
    rig.say(CARRIER, caller.response(&refresh, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(CARRIER, "ACK");
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

/// The version in the `o=` of a description.
fn version(message: &Message) -> u64 {
    let text = str::from_utf8(message.body()).unwrap();
    let origin = text.lines().find_map(|line| line.strip_prefix("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn an_update_that_turns_out_to_be_unknown_is_replaced_by_a_reinvite() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk(KNOWS_TIMERS);
    rig.pass(15 * MINUTE);
    let update = rig.hears(CARRIER, "UPDATE");
    rig.say(CARRIER, caller.response(&update, 405, &[], ""));
    let invite = rig.hears(CARRIER, "INVITE");
    rig.say(CARRIER, caller.response(&invite, 200, &[], &sdp(AUDIO, "sendrecv")));
    rig.hears(CARRIER, "ACK");
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn they_refresh_and_without_a_refresh_the_call_ends_before_its_time_is_over() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk("Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n");
    rig.pass(9 * MINUTE);
    let update = caller.request("UPDATE", "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n", "");
    rig.say(CARRIER, update);
    let ok = rig.hears(CARRIER, "200");
    assert_eq!(header(&ok, HeaderName::SessionExpires), "600;refresher=uac");
    assert_eq!(header(&ok, HeaderName::Require), "timer");
    rig.pass(9 * MINUTE);
    rig.no_event();
    // A third of the interval or 32 s before its end, whichever is less (RFC 4028 10).
    rig.pass(Duration::from_secs(28));
    rig.ends(leg, Cause::PeerLost);
    let bye = rig.hears(CARRIER, "BYE");
    assert_eq!(bye.reason_headers()[0].cause, Some(31));
    rig.say(CARRIER, caller.response(&bye, 481, &[], ""));
    rig.finish();
}

#[test]
fn a_refresh_that_finds_nobody_ends_the_call() {
    for status in [408, 481] {
        let mut rig = Rig::new();
        let (caller, leg) = rig.talk(KNOWS_TIMERS);
        rig.pass(15 * MINUTE);
        let update = rig.hears(CARRIER, "UPDATE");
        rig.say(CARRIER, caller.response(&update, status, &[], ""));
        rig.ends(leg, Cause::PeerLost);
        let bye = rig.hears(CARRIER, "BYE");
        rig.say(CARRIER, caller.response(&bye, 481, &[], ""));
        rig.finish();
    }
    let mut rig = Rig::new();
    let (_, leg) = rig.talk(KNOWS_TIMERS);
    rig.pass(15 * MINUTE + PATIENCE);
    rig.ends(leg, Cause::PeerLost);
    rig.pass(PATIENCE);
    assert!(rig.drain("UPDATE") > 5 && rig.drain("BYE") > 5);
    rig.finish();
}

#[test]
fn a_refresh_that_is_refused_is_asked_again_before_the_session_ends() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk(KNOWS_TIMERS);
    rig.pass(15 * MINUTE);
    let update = rig.hears(CARRIER, "UPDATE");
    rig.say(CARRIER, caller.response(&update, 500, &[], ""));
    rig.silence();
    rig.pass(Duration::from_secs(1_800 / 8));
    let again = rig.hears(CARRIER, "UPDATE");
    rig.say(CARRIER, caller.response(&again, 200, &[("Session-Expires", "1800;refresher=uac")], ""));
    rig.pass(14 * MINUTE);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn a_refresh_with_too_short_an_interval_is_asked_again_with_a_longer_one() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk(KNOWS_TIMERS);
    rig.pass(15 * MINUTE);
    let update = rig.hears(CARRIER, "UPDATE");
    rig.say(CARRIER, caller.response(&update, 422, &[("Min-SE", "3600")], ""));
    let again = rig.hears(CARRIER, "UPDATE");
    assert_eq!(header(&again, HeaderName::SessionExpires), "3600;refresher=uac");
    assert_eq!(again.min_se(), Some(3600));
    rig.say(CARRIER, caller.response(&again, 200, &[("Session-Expires", "3600;refresher=uac")], ""));
    rig.pass(29 * MINUTE);
    rig.silence();
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn their_refresh_with_too_short_an_interval_gets_422_and_the_call_goes_on() {
    let mut rig = Rig::new();
    let (mut caller, leg) = rig.talk(KNOWS_TIMERS);
    let short = "Supported: timer\r\nSession-Expires: 60\r\n";
    let update = caller.request("UPDATE", short, "");
    rig.say(CARRIER, update);
    assert_eq!(rig.hears(CARRIER, "422").min_se(), Some(90));
    let invite = caller.invite(short, &sdp(AUDIO, "sendonly"));
    rig.say(CARRIER, invite);
    assert_eq!(rig.hears(CARRIER, "422").min_se(), Some(90));
    rig.say(CARRIER, caller.ack_refusal());
    rig.no_event();
    let invite = caller.invite("", &sdp(AUDIO, "sendrecv"));
    rig.say(CARRIER, invite);
    rig.hears(CARRIER, "200");
    let ack = caller.ack("");
    rig.say(CARRIER, ack);
    rig.party_hangs_up(&mut caller, leg);
    rig.finish();
}

#[test]
fn the_caller_that_we_are_follows_what_the_200_says() {
    let mut rig = Rig::new();
    let (mut phone, leg) = rig.talk_to_seat(&[("Session-Expires", "600;refresher=uas"), ("Require", "timer")]);
    rig.pass(8 * MINUTE);
    rig.drain_all();
    let update = phone.request("UPDATE", "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n", "");
    rig.say(PHONE, update);
    rig.hears(PHONE, "200");
    rig.pass(9 * MINUTE);
    rig.no_event();
    rig.drain_all();
    rig.party_hangs_up(&mut phone, leg);
    rig.finish();
}

#[test]
fn a_silent_far_end_is_asked_once_at_a_time_and_stays_when_it_answers_anything() {
    for status in [200, 405, 501, 403] {
        let mut rig = Rig::new();
        let (mut caller, leg) = rig.talk("");
        // It may be dead before the silence is told again: each time it is asked anew.
        for _ in 0..3 {
            for _ in 0..20 {
                rig.input(Input::Silent { leg });
            }
            let probe = rig.hears(CARRIER, "OPTIONS");
            rig.silence();
            assert_eq!(probe.to_tag(), Some(caller.tag.as_str()), "inside the dialog");
            rig.say(CARRIER, caller.response(&probe, status, &[], ""));
            rig.silence();
            rig.no_event();
        }
        rig.party_hangs_up(&mut caller, leg);
        rig.finish();
    }
}

#[test]
fn a_far_end_that_answers_no_probe_is_lost() {
    let mut rig = Rig::new();
    let (_, leg) = rig.talk("");
    rig.input(Input::Silent { leg });
    rig.pass(PATIENCE);
    rig.ends(leg, Cause::PeerLost);
    rig.pass(PATIENCE);
    rig.drain_all();
    rig.finish();

    let mut rig = Rig::new();
    let (caller, leg) = rig.talk("");
    rig.input(Input::Silent { leg });
    let probe = rig.hears(CARRIER, "OPTIONS");
    rig.say(CARRIER, caller.response(&probe, 481, &[], ""));
    rig.ends(leg, Cause::PeerLost);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 481, &[], ""));
    rig.input(Input::Silent { leg });
    rig.finish();
}

#[test]
fn a_hang_up_during_a_probe_leaves_nothing() {
    let mut rig = Rig::new();
    let (caller, leg) = rig.talk("");
    rig.input(Input::Silent { leg });
    let probe = rig.hears(CARRIER, "OPTIONS");
    rig.tell(leg, LegCommand::Hangup(Cause::HungUp));
    rig.ends(leg, Cause::HungUp);
    let bye = rig.hears(CARRIER, "BYE");
    rig.say(CARRIER, caller.response(&bye, 200, &[], ""));
    rig.say(CARRIER, caller.response(&probe, 481, &[], ""));
    rig.finish();
}
