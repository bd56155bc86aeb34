//! Making dialogs, and requests inside them.

use super::*;

const TWO_PROXIES: &str = "Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\n";

fn callee(extra: &str) -> Dialog {
    Dialog::callee(&invite(&with_contact(extra)), "us").unwrap()
}

#[test]
fn the_callee_writes_to_the_contact_through_the_recorded_routes_in_their_order() {
    let mut dialog = callee(TWO_PROXIES);
    assert_eq!((dialog.role(), dialog.phase()), (Role::Callee, Phase::Early));
    let bye = written(&mut dialog, Method::Bye);
    assert_eq!(bye.request_uri_text(), "sip:13800138000@192.0.2.9:5070");
    assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    assert_eq!((bye.from_tag(), bye.to_tag()), (Some("us"), Some("caller")));
    assert_eq!(bye.to().display_text(), "caller");
    assert_eq!(bye.call_id(), "call");
    assert_eq!(bye.cseq_number(), 1);
    assert_eq!(bye.max_forwards(), Some(70));
    assert_eq!(bye.top_via().rport(), Some(None));
    assert_eq!(bye.header(HeaderName::Contact), None, "a BYE needs none");
    assert_eq!(dialog.next_hop().host(), "p2");
    assert_eq!(written(&mut dialog, Method::Invite).cseq_number(), 2);
}

#[test]
fn the_caller_writes_through_the_recorded_routes_backwards() {
    let answer = response(200, ";tag=us", &format!("Contact: <sip:seat@192.0.2.30>\r\n{TWO_PROXIES}"));
    let mut dialog = Dialog::caller(&invite(""), &answer).unwrap();
    assert_eq!((dialog.role(), dialog.phase()), (Role::Caller, Phase::Confirmed));
    let update = written(&mut dialog, Method::Update);
    assert_eq!(update.request_uri_text(), "sip:seat@192.0.2.30");
    assert_eq!(routes(&update), ["<sip:p1;lr>", "<sip:p2;lr>"]);
    assert_eq!((update.from_tag(), update.to_tag()), (Some("caller"), Some("us")));
    assert_eq!(update.cseq_number(), 8, "it counts on from the INVITE");
    assert!(update.contact().unwrap().is_some(), "an UPDATE refreshes the target");
}

#[test]
fn a_strict_router_takes_the_request_line_and_the_far_end_becomes_the_last_route() {
    let mut dialog = callee("Record-Route: <sip:strict.example>, <sip:p1;lr>\r\n");
    let bye = written(&mut dialog, Method::Bye);
    assert_eq!(bye.request_uri_text(), "sip:strict.example");
    assert_eq!(routes(&bye), ["<sip:p1;lr>", CALLER]);
    assert_eq!(dialog.next_hop().host(), "strict.example");
}

#[test]
fn the_ack_to_a_2xx_has_the_number_of_its_invite_and_costs_none() {
    let answer = response(200, ";tag=us", "Contact: <sip:seat@192.0.2.30>\r\n");
    let mut dialog = Dialog::caller(&invite(""), &answer).unwrap();
    let contact = contact();
    let ack = Message::parse(dialog.ack(7, &stamp(&contact)).finish().bytes).unwrap();
    assert_eq!((ack.method(), ack.cseq_number()), (&Method::Ack, 7));
    assert_eq!(ack.request_uri_text(), "sip:seat@192.0.2.30");
    assert_eq!(written(&mut dialog, Method::Bye).cseq_number(), 8);
}

#[test]
fn every_request_that_a_dialog_knows_is_written_so_that_it_can_be_read() {
    let mut dialog = callee(TWO_PROXIES);
    let methods = [Method::Invite, Method::Update, Method::Prack, Method::Info, Method::Options, Method::Refer];
    for method in methods.into_iter().chain([Method::Notify, Method::Bye, Method::Message]) {
        assert_eq!(*written(&mut dialog, method.clone()).method(), method);
    }
}

#[test]
fn an_invite_without_contact_makes_no_dialog_and_a_2xx_without_one_does() {
    assert_eq!(Dialog::callee(&invite(""), "us").err(), Some(DialogError::NoContact));
    let dialog = Dialog::caller(&invite(""), &response(200, ";tag=us", "")).unwrap();
    assert_eq!(dialog.remote_target().as_str(), "sip:12345@192.0.2.1", "it must be acknowledged somehow");
}

#[test]
fn a_provisional_response_without_tag_makes_no_dialog() {
    assert_eq!(Dialog::caller(&invite(""), &response(180, "", "")).err(), Some(DialogError::NoTag));
}

#[test]
fn the_2xx_replaces_what_the_provisional_response_said_about_routes_and_target() {
    let early = response(180, ";tag=us", "Contact: <sip:old@192.0.2.30>\r\nRecord-Route: <sip:gone;lr>\r\n");
    let mut dialog = Dialog::caller(&invite(""), &early).unwrap();
    assert_eq!(dialog.phase(), Phase::Early);
    dialog.confirm_by(&response(200, ";tag=us", "Contact: <sip:new@192.0.2.30>\r\n")).unwrap();
    assert_eq!(dialog.phase(), Phase::Confirmed);
    assert_eq!(dialog.next_hop().as_str(), "sip:new@192.0.2.30");
}

#[test]
fn a_repeated_2xx_does_not_take_back_a_newer_target() {
    let answer = response(200, ";tag=us", "Contact: <sip:first@192.0.2.30>\r\n");
    let mut dialog = Dialog::caller(&invite(""), &answer).unwrap();
    dialog.refresh_target(&request("UPDATE", 1, "", "Contact: <sip:second@192.0.2.31>\r\n")).unwrap();
    dialog.confirm_by(&answer).unwrap();
    assert_eq!(dialog.remote_target().as_str(), "sip:second@192.0.2.31");
}

#[test]
fn requests_are_taken_in_the_order_of_their_numbers_and_once() {
    let mut dialog = callee("");
    assert_eq!(dialog.admit(&request("INFO", 7, ";tag=us", "")), Err(Stale), "the number of the INVITE is used up");
    assert_eq!(dialog.admit(&request("INFO", 9, ";tag=us", "")), Ok(()), "a gap is allowed");
    assert_eq!(dialog.admit(&request("INFO", 8, ";tag=us", "")), Err(Stale));
    assert_eq!(dialog.admit(&request("INFO", 9, ";tag=us", "")), Err(Stale));
    assert_eq!(dialog.admit(&request("ACK", 7, ";tag=us", "")), Ok(()), "an ACK bears the number of its INVITE");
    assert_eq!(dialog.admit(&request("BYE", 10, ";tag=us", "")), Ok(()));
}

#[test]
fn the_first_request_of_a_callee_may_have_any_number() {
    let mut dialog = Dialog::caller(&invite(""), &response(200, ";tag=us", "")).unwrap();
    assert_eq!(dialog.admit(&request("BYE", 1, ";tag=us", "")), Ok(()));
}

#[test]
fn both_tags_name_the_dialog() {
    let dialog = callee("");
    assert_eq!(DialogId::of_request(&request("BYE", 8, ";tag=us", "")), *dialog.id());
    assert_ne!(DialogId::of_request(&request("BYE", 8, ";tag=other", "")), *dialog.id());
    assert_ne!(DialogId::of_request(&request("BYE", 8, "", "")), *dialog.id());
    let ours = Dialog::caller(&invite(""), &response(200, ";tag=us", "")).unwrap();
    assert_eq!(DialogId::of_response(&response(200, ";tag=us", "")), *ours.id());
}
