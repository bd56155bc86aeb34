//! A caller's connection breaks between its INVITE and our answer: it is answered where it listens (RFC 3261 18.2.2), and one that
//! listens nowhere costs nobody time.

use serde_json::json;

use super::rig::phone::Phone;
use super::rig::s;
use super::rig::server::Server;
use super::rig::site::{PHONE, Site};
use super::rig::skip::{Tool, have};
use super::rig::tcp::Carrier;

/// A seat whose phone rings for a caller on a line that the seat answers, over a connection that breaks then.
fn cut_while_ringing(listens: bool) -> Option<(Server, Phone, Carrier)> {
    if !have(&[Tool::Pjsua]) {
        return None;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let seat = Phone::seat(&server.site, 8001, PHONE, json!({}));
    server.make_ready(8001);
    let mut caller = Carrier::new(&server.site, listens);
    caller.invite("12369");
    caller.hear("SIP/2.0 183");
    seat.wait("incoming", |_| true);
    caller.cut();
    Some((server, seat, caller))
}

#[test]
fn a_caller_whose_connection_breaks_is_answered_where_it_listens() {
    let Some((server, mut seat, mut caller)) = cut_while_ringing(true) else { return };
    caller.accept();
    caller.hear("SIP/2.0 183");
    seat.order(json!({ "do": "answer" }));
    caller.hear("SIP/2.0 200");
    caller.acknowledge();
    seat.wait_state("confirmed");
    server.wait_live("the talk", |_| server.doing(8001) == "talking");
    caller.bye();
    caller.hear("SIP/2.0 200");
    seat.wait_state("disconnected");
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["line"]), (&json!("answered"), &json!("12369")));
}

#[test]
fn a_caller_whose_connection_breaks_and_who_listens_nowhere_leaves_no_seat_ringing() {
    let Some((server, seat, _caller)) = cut_while_ringing(false) else { return };
    seat.wait_for("state", s(5), |told| told["state"] == "disconnected");
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["fate"], &call["cause"]), (&json!("failed"), &json!("peer_lost")));
}
