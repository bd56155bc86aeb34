//! What happens when there is no room.

use super::*;
use crate::sip::message::ResponseBuilder;
use crate::sip::transaction::{Overload, stateless};

fn small() -> World {
    World::with(Transport::Udp, Settings { most: 2, reserve: 2, ..Settings::default() })
}

fn in_dialog(method: &str, n: u8) -> String {
    request_text(method, n).replace("To: <sip:12345@192.0.2.1>", "To: <sip:12345@192.0.2.1>;tag=us")
}

#[test]
fn new_calls_are_refused_while_calls_in_progress_are_served() {
    let mut world = small();
    world.receive(&request_text("INVITE", 1));
    world.receive(&request_text("INVITE", 2));
    assert!(matches!(world.receive(&request_text("INVITE", 3)), Some(Event::Overload { .. })));
    assert!(matches!(world.receive(&request_text("CANCEL", 9)), Some(Event::Overload { .. })), "it cancels nothing");
    assert!(matches!(world.receive(&request_text("CANCEL", 1)), Some(Event::Cancel { invite: Some(_), .. })));
    assert!(matches!(world.receive(&in_dialog("BYE", 4)), Some(Event::Request { .. })));
    assert!(matches!(world.receive(&in_dialog("BYE", 5)), Some(Event::Overload { .. })), "the reserve is used up");
    assert_eq!(world.layer.servers(), 4);
}

#[test]
fn repeated_requests_and_acks_need_no_room() {
    let mut world = small();
    let id = server_id(world.receive(&request_text("INVITE", 1)));
    world.receive(&request_text("INVITE", 2));
    world.respond(id, 486);
    assert!(world.receive(&request_text("INVITE", 1)).is_none());
    assert!(world.receive(&request_text("ACK", 1)).is_none());
}

#[test]
fn our_own_requests_are_bounded_too_and_a_refused_one_sends_nothing() {
    let mut world = small();
    for n in 1..=4 {
        world.request(Method::Options, n);
    }
    world.sent();
    let outgoing = Outgoing::new(Method::Options, branch(5), Bytes::from(request_text("OPTIONS", 5)));
    let hop = world.flow.back();
    assert_eq!(world.layer.request(world.now, outgoing, hop, &mut world.out), Err(Overload));
    assert_eq!(world.sent(), [""; 0]);
}

#[test]
fn a_stateless_answer_finds_its_way_without_a_transaction() {
    let mut world = World::with(Transport::Udp, Settings { most: 0, reserve: 0, ..Settings::default() });
    let Some(Event::Overload { flow, message }) = world.receive(&request_text("INVITE", 1)) else {
        panic!("there is no room");
    };
    let bytes = ResponseBuilder::to_request(&message, 503, "", Some("x")).build();
    let transmit = stateless(&flow, &message, bytes);
    assert_eq!(transmit.hop.remote, flow.remote);
    assert_eq!(first_line(&transmit.bytes), "SIP/2.0 503 Service Unavailable");
    assert!(world.is_empty());
}
