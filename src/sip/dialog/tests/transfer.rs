//! REFER and Replaces.

use super::super::refer::{Refer, ReferRefusal};
use super::super::replaces::{ReplacesRefusal, judge, target};
use super::*;
use crate::sip::message::Replaces;

fn replaces(early_only: bool) -> Replaces {
    Replaces { call_id: "call".into(), to_tag: "us".into(), from_tag: "caller".into(), early_only }
}

fn confirmed() -> Dialog {
    let mut dialog = Dialog::callee(&invite(&with_contact("")), "us").unwrap();
    dialog.confirm();
    dialog
}

#[test]
fn replaces_names_the_dialog_from_our_side() {
    assert_eq!(target(&replaces(false)), *confirmed().id());
    assert_eq!(judge(&replaces(false), Some(&confirmed()), false), Ok(()));
}

#[test]
fn replaces_without_a_matching_dialog_is_481() {
    let mut other = replaces(false);
    std::mem::swap(&mut other.to_tag, &mut other.from_tag);
    let refusal = judge(&other, Some(&confirmed()), false).unwrap_err();
    assert_eq!(refusal, ReplacesRefusal::NoDialog);
    assert_eq!(refusal.status(), 481);
    assert_eq!(judge(&other, None, false), Err(ReplacesRefusal::NoDialog));
}

#[test]
fn early_only_does_not_take_an_answered_call() {
    let refusal = judge(&replaces(true), Some(&confirmed()), false).unwrap_err();
    assert_eq!((refusal, refusal.status()), (ReplacesRefusal::Answered, 486));
}

#[test]
fn an_early_dialog_may_be_taken_only_where_we_called() {
    let rung = Dialog::callee(&invite(&with_contact("")), "us").unwrap();
    assert_eq!(judge(&replaces(false), Some(&rung), false), Err(ReplacesRefusal::EarlyAndNotOurs));
    let ours = Dialog::caller(&invite(""), &response(180, ";tag=us", "")).unwrap();
    let meant = Replaces { to_tag: "caller".into(), from_tag: "us".into(), ..replaces(true) };
    assert_eq!(judge(&meant, Some(&ours), false), Ok(()), "a pick-up");
}

#[test]
fn a_call_that_is_being_ended_is_not_taken() {
    let refusal = judge(&replaces(false), Some(&confirmed()), true).unwrap_err();
    assert_eq!(refusal.status(), 603);
}

fn refer(lines: &str) -> Result<Refer, ReferRefusal> {
    Refer::parse(&request("REFER", 8, ";tag=us", lines))
}

#[test]
fn an_attended_transfer_carries_the_dialog_to_replace() {
    let line = "Refer-To: <sip:8002@192.0.2.1;user=phone?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n";
    let refer = refer(line).unwrap();
    assert_eq!(refer.target.as_str(), "sip:8002@192.0.2.1;user=phone");
    let replaces = refer.replaces.unwrap();
    assert_eq!((&*replaces.call_id, &*replaces.to_tag, &*replaces.from_tag), ("a@b", "1", "2"));
    assert!(refer.wants_notify);
}

#[test]
fn a_sender_may_want_no_notify() {
    assert!(!refer("Refer-To: <sip:a@b>\r\nRefer-Sub: false\r\n").unwrap().wants_notify);
    assert!(!refer("Refer-To: <sip:a@b>\r\nRequire: norefersub\r\n").unwrap().wants_notify);
    assert!(refer("Refer-To: <sip:a@b>\r\nRefer-Sub: true\r\n").unwrap().wants_notify);
}

#[test]
fn what_is_asked_for_must_be_one_invite_to_a_number() {
    assert_eq!(refer("").unwrap_err().status(), 400);
    assert_eq!(refer("Refer-To: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n").unwrap_err(), ReferRefusal::NotOneTarget);
    assert_eq!(refer("Refer-To: <sip:a@b;method=BYE>\r\n").unwrap_err().status(), 403);
    assert_eq!(refer("Refer-To: <http://a/b>\r\n").unwrap_err().status(), 416);
    assert_eq!(refer("Refer-To: <sip:a@b;method=INVITE>\r\n").unwrap().target.as_str(), "sip:a@b");
    assert_eq!(refer("Refer-To: <sip:a@b?Replaces=nonsense>\r\n").unwrap_err(), ReferRefusal::Malformed);
}
