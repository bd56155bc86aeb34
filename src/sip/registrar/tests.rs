//! Phones that register, move, sign off and vanish, in virtual time.

use super::*;
use crate::dialplan;
use bytes::Bytes;

const SEAT: SeatId = SeatId(8001);
const UDP: &str = "198.51.100.7:40000";

#[test]
fn a_phone_registers_refreshes_and_signs_off() {
    let mut w = World::new();
    let done = w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5:5060>\r\nExpires: 120\r\n").unwrap();
    assert_eq!(done.contacts.len(), 1);
    assert_eq!(done.contacts[0].expires(), Some(120));
    assert_eq!(w.take(), [up()]);
    w.pass(100);
    let done = w.register(UDP, "1", 2, "Contact: <sip:8001@10.0.0.5:5060>;expires=600\r\n").unwrap();
    assert_eq!((done.contacts.len(), done.contacts[0].expires()), (1, Some(600)));
    w.pass(300);
    assert!(w.registrar.is_reachable(SEAT), "the refresh counts");
    w.register(UDP, "1", 3, "Contact: <sip:8001@10.0.0.5:5060>;expires=0\r\n").unwrap();
    assert_eq!(w.take_without_pings(), [down()]);
    assert_eq!(w.registrar.deadline(), None, "no due entry outlives its binding");
}

#[test]
fn a_phone_that_does_not_refresh_is_gone_in_time() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@198.51.100.7:40000>;expires=60\r\n").unwrap();
    w.take();
    let due = w.registrar.deadline().unwrap();
    assert_eq!(due.since(w.now.mono), Duration::from_secs(60));
    w.pass(59);
    assert_eq!(w.take(), []);
    w.pass(1);
    assert_eq!(w.take(), [down()]);
    assert!(w.registrar.contacts(SEAT, w.now).is_empty());
}

#[test]
fn a_contact_that_has_just_expired_is_not_dialled_before_the_tick() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@198.51.100.7>;expires=60\r\n").unwrap();
    assert!(w.registrar.contacts(SEAT, w.now.after(Duration::from_secs(60))).is_empty());
}

#[test]
fn durations_are_bounded() {
    let mut w = World::new();
    let brief = w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>;expires=59\r\n");
    assert_eq!(brief, Err(Refused::TooBrief { min_expires_s: 60 }));
    assert_eq!(brief.unwrap_err().status().0, 423);
    assert_eq!(w.take(), []);
    let long = w.register(UDP, "1", 2, "Contact: <sip:8001@10.0.0.5>;expires=4294967295\r\n").unwrap();
    assert_eq!(long.contacts[0].expires(), Some(7_200));
    let none = w.register(UDP, "2", 1, "Contact: <sip:8001@10.0.0.6>\r\n").unwrap();
    assert_eq!(none.contacts[1].expires(), Some(3_600));
}

#[test]
fn a_request_that_comes_late_changes_nothing() {
    let mut w = World::new();
    w.register(UDP, "1", 7, "Contact: <sip:8001@10.0.0.5>\r\n").unwrap();
    let late = w.register(UDP, "1", 6, "Contact: <sip:8001@10.0.0.5>;expires=0\r\n");
    assert_eq!(late, Err(Refused::BadRequest("CSeq Out Of Order")));
    let late = w.register(UDP, "1", 7, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!(late, Err(Refused::BadRequest("CSeq Out Of Order")));
    assert!(w.registrar.is_reachable(SEAT));
    // Another Call-ID is another life of the phone: its numbers begin anew.
    w.register(UDP, "2", 1, "Contact: <sip:8001@10.0.0.5>;expires=0\r\n").unwrap();
    assert!(!w.registrar.is_reachable(SEAT));
}

#[test]
fn star_takes_all_contacts_away_and_needs_expires_0() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>, <sip:8001@10.0.0.6>\r\n").unwrap();
    assert_eq!(w.registrar.contacts(SEAT, w.now).len(), 2);
    assert!(w.register(UDP, "1", 2, "Contact: *\r\n").is_err());
    assert!(w.register(UDP, "1", 3, "Contact: *\r\nExpires: 60\r\n").is_err());
    let done = w.register(UDP, "1", 4, "Contact: *\r\nExpires: 0\r\n").unwrap();
    assert!(done.contacts.is_empty());
    assert_eq!(w.take(), [up(), down()]);
}

#[test]
fn a_query_tells_and_changes_nothing() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>;q=0.5;expires=100\r\n").unwrap();
    w.pass(40);
    let told = w.register(UDP, "1", 2, "").unwrap();
    assert_eq!(told.contacts[0].expires(), Some(60));
    assert_eq!(told.contacts[0].params.get("q"), Some("0.5"));
}

#[test]
fn contacts_stand_in_order_of_preference() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>;q=0.2, <sip:8001@10.0.0.6>;q=0.9\r\n").unwrap();
    w.pass(1);
    w.register(UDP, "2", 1, "Contact: <sip:8001@10.0.0.7>;q=0.9\r\n").unwrap();
    let uris: Vec<String> = w.registrar.contacts(SEAT, w.now).iter().map(|c| c.uri.host().to_owned()).collect();
    assert_eq!(uris, ["10.0.0.7", "10.0.0.6", "10.0.0.5"]);
}

#[test]
fn a_seat_has_eight_contacts_and_the_oldest_gives_way() {
    let mut w = World::new();
    for n in 0..12 {
        w.register(UDP, &format!("call-{n}"), 1, &format!("Contact: <sip:8001@10.0.0.{n}>\r\n")).unwrap();
    }
    let hosts: Vec<String> = w.registrar.contacts(SEAT, w.now).iter().map(|c| c.uri.host().to_owned()).collect();
    assert_eq!(hosts.len(), 8);
    assert_eq!((hosts[0].as_str(), hosts[7].as_str()), ("10.0.0.11", "10.0.0.4"));
    let many: Vec<String> = (0..9).map(|n| format!("<sip:8001@10.0.1.{n}>")).collect();
    assert!(w.register(UDP, "x", 1, &format!("Contact: {}\r\n", many.join(","))).is_err());
}

#[test]
fn a_phone_behind_nat_is_reached_where_it_was_seen_and_pinged() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5:5060>\r\n").unwrap();
    let contact = &w.registrar.contacts(SEAT, w.now)[0];
    assert_eq!(contact.hop.remote, UDP.parse().unwrap());
    assert_eq!(contact.uri.as_str(), "sip:8001@10.0.0.5:5060", "the phone knows itself by this");
    w.take();
    w.pass(25);
    assert_eq!(w.take(), [Output::Ping { hop: udp(UDP).back() }]);
    w.pass(25);
    assert_eq!(w.take().len(), 1);
}

#[test]
fn a_phone_without_nat_is_reached_at_its_contact() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@198.51.100.7:5060>\r\n").unwrap();
    assert_eq!(w.registrar.contacts(SEAT, w.now)[0].hop.remote, "198.51.100.7:5060".parse().unwrap());
    w.take();
    w.pass(60);
    assert_eq!(w.take(), [], "nobody needs pings");
}

#[test]
fn a_stream_contact_goes_over_its_connection_and_later_to_its_address() {
    let mut w = World::new();
    let flow = stream(Transport::Tcp, 5);
    w.register_over(flow, "1", 1, "Contact: <sip:8001@198.51.100.7:5070;transport=tcp>\r\n").unwrap();
    let hop = w.registrar.contacts(SEAT, w.now)[0].hop.clone();
    assert_eq!((hop.connection, hop.remote.port()), (Some(ConnId(5)), 5070));
    w.registrar.connection_closed(ConnId(5), &mut w.out);
    assert_eq!(w.registrar.contacts(SEAT, w.now)[0].hop.connection, None);
    assert_eq!(w.take(), [up()]);
}

#[test]
fn an_outbound_flow_ends_with_its_connection() {
    let mut w = World::new();
    for (conn, reg_id) in [(5, 1), (6, 2)] {
        let contact = format!(
            "Supported: path, outbound\r\nContact: <sip:8001@198.51.100.7:5070;transport=tcp>;reg-id={reg_id}\
             ;+sip.instance=\"<urn:uuid:0001>\"\r\n"
        );
        let done = w.register_over(stream(Transport::Tcp, conn), &format!("{conn}"), 1, &contact).unwrap();
        assert!(done.outbound);
    }
    let ways = w.registrar.contacts(SEAT, w.now);
    assert_eq!(ways.len(), 1, "one flow of the device at a time");
    assert_eq!(ways[0].hop.connection, Some(ConnId(6)));
    w.registrar.connection_closed(ConnId(6), &mut w.out);
    assert_eq!(w.registrar.contacts(SEAT, w.now)[0].hop.connection, Some(ConnId(5)));
    w.registrar.connection_closed(ConnId(5), &mut w.out);
    assert_eq!(w.take(), [up(), down()]);
}

#[test]
fn a_device_that_moved_leaves_no_contact_behind() {
    let mut w = World::new();
    let contact = |host: &str| format!("Contact: <sip:8001@{host}>;+sip.instance=\"<urn:uuid:0001>\"\r\n");
    w.register(UDP, "1", 1, &contact("10.0.0.5:5060")).unwrap();
    w.register("203.0.113.9:5062", "2", 1, &contact("10.9.9.9:5062")).unwrap();
    let ways = w.registrar.contacts(SEAT, w.now);
    assert_eq!(ways.len(), 1);
    assert_eq!(ways[0].hop.remote, "203.0.113.9:5062".parse().unwrap());
    assert!(w.registrar.knows(SEAT, &udp(UDP)), "its call may still be ended from the old address");
    for flow in [UDP, "203.0.113.9:5062"] {
        assert_eq!(w.registrar.seat_of_flow(&udp(flow)), Some(SEAT), "{flow}");
    }
    assert!(w.registrar.knows(SEAT, &udp("203.0.113.9:5062")));
    assert!(!w.registrar.knows(SEAT, &udp("203.0.113.9:5063")));
    assert!(!w.registrar.knows(SeatId(8002), &udp(UDP)));
}

#[test]
fn a_seat_is_found_by_its_flow_unless_two_share_it() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>\r\n").unwrap();
    assert_eq!(w.registrar.seat_of_flow(&udp(UDP)), Some(SEAT));
    assert_eq!(w.registrar.seat_of_flow(&udp("198.51.100.7:40001")), None);
    let request = register("2", 1, "Contact: <sip:8002@10.0.0.5>\r\n");
    w.registrar.register(w.now, SeatId(8002), &udp(UDP), &request, &mut w.out).unwrap();
    assert_eq!(w.registrar.seat_of_flow(&udp(UDP)), None, "an adapter with two ports");
    w.register(UDP, "1", 2, "Contact: *\r\nExpires: 0\r\n").unwrap();
    assert_eq!(w.registrar.seat_of_flow(&udp(UDP)), Some(SeatId(8002)), "the one that is still registered");
}

#[test]
fn a_path_becomes_the_route_of_calls_to_the_phone() {
    let mut w = World::new();
    let done = w
        .register(
            UDP,
            "1",
            1,
            "Path: <sip:edge@192.0.2.9:5080;lr>\r\nSupported: path\r\nContact: <sip:8001@10.0.0.5>\r\n",
        )
        .unwrap();
    assert_eq!(done.path.len(), 1);
    let contact = &w.registrar.contacts(SEAT, w.now)[0];
    assert_eq!(contact.path[0].as_str(), "sip:edge@192.0.2.9:5080;lr");
    assert_eq!(contact.hop.remote, "192.0.2.9:5080".parse().unwrap());
}

#[test]
fn outbound_through_a_proxy_that_does_not_know_it_is_439() {
    let mut w = World::new();
    let request = |path: &str| {
        format!(
            "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKinner\r\n{path}Supported: path, outbound\r\n\
             Contact: <sip:8001@10.0.0.5>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\r\n"
        )
    };
    assert_eq!(w.register(UDP, "1", 1, &request("")), Err(Refused::FirstHopLacksOutbound));
    assert_eq!(
        w.register(UDP, "1", 2, &request("Path: <sip:e@192.0.2.9;lr>\r\n")),
        Err(Refused::FirstHopLacksOutbound)
    );
    assert!(w.register(UDP, "1", 3, &request("Path: <sip:e@192.0.2.9;lr;ob>\r\n")).unwrap().outbound);
}

#[test]
fn what_cannot_be_a_contact_is_refused() {
    let mut w = World::new();
    let long = format!("Contact: <sip:8001@10.0.0.5;x={}>\r\n", "y".repeat(1_100));
    for headers in ["Contact: <tel:+8612345>\r\n", "Contact: <sip:>\r\n", "Contact: \"x <sip:a@b>\r\n", &long] {
        let refused = w.register(UDP, "1", 1, headers);
        assert!(matches!(refused, Err(Refused::BadRequest(_))), "{headers} {refused:?}");
    }
    assert_eq!(w.take(), []);
}

#[test]
fn fixed_contacts_make_a_seat_reachable_once_their_address_is_known() {
    let mut w = World::new();
    let mut plan = Plan::default();
    let seat = |id, contact: &str| dialplan::Seat {
        id,
        name: String::new(),
        skills: Vec::new(),
        contact: Some(contact.to_owned()),
        auto_answer: false,
    };
    plan.seats.insert(SEAT, seat(SEAT, "sip:8001@192.0.2.20;transport=tcp"));
    plan.seats.insert(SeatId(8002), seat(SeatId(8002), "sip:8002@gateway.example"));
    w.registrar.set_plan(&plan, &mut w.out);
    assert_eq!(w.take(), [up()]);
    let contact = &w.registrar.contacts(SEAT, w.now)[0];
    assert_eq!((contact.hop.transport, contact.hop.remote), (Transport::Tcp, "192.0.2.20:5060".parse().unwrap()));
    assert!(w.registrar.knows(SEAT, &udp("192.0.2.20:5999")), "the same host");
    assert_eq!(w.registrar.unresolved()[0].0, SeatId(8002));
    let hop = Hop::to(NetworkId(0), Transport::Udp, "192.0.2.30:5060".parse().unwrap());
    w.registrar.resolved(SeatId(8002), Some(hop), &mut w.out);
    assert_eq!(w.take(), [Output::Reachable { seat: SeatId(8002), reachable: true }]);
    w.registrar.set_plan(&plan, &mut w.out);
    assert_eq!(w.take(), [], "the same plan again changes nothing, the address is kept");
    w.registrar.set_plan(&Plan::default(), &mut w.out);
    assert_eq!(w.take().len(), 2);
}

#[test]
fn a_seat_that_left_the_plan_loses_its_phone() {
    let mut w = World::new();
    w.register(UDP, "1", 1, "Contact: <sip:8001@10.0.0.5>\r\n").unwrap();
    w.registrar.set_plan(&Plan::default(), &mut w.out);
    assert_eq!(w.take(), [up(), down()]);
    assert_eq!(w.registrar.deadline(), None);
    assert!(!w.registrar.knows(SEAT, &udp(UDP)));
}

fn up() -> Output {
    Output::Reachable { seat: SEAT, reachable: true }
}

fn down() -> Output {
    Output::Reachable { seat: SEAT, reachable: false }
}

fn udp(remote: &str) -> Flow {
    Flow {
        network: NetworkId(0),
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

fn stream(transport: Transport, connection: u64) -> Flow {
    Flow { transport, connection: Some(ConnId(connection)), ..udp(&format!("198.51.100.7:{}", 40_000 + connection)) }
}

fn register(call_id: &str, cseq: u32, headers: &str) -> Message {
    let text = format!(
        "REGISTER sip:12345.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK{call_id}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:8001@12345.example>;tag=a\r\nTo: <sip:8001@12345.example>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{headers}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

struct World {
    registrar: Registrar,
    now: Now,
    out: Vec<Output>,
}

impl World {
    fn new() -> World {
        World { registrar: Registrar::new(Settings::default()), now: Now::default(), out: Vec::new() }
    }

    fn register(&mut self, from: &str, call_id: &str, cseq: u32, headers: &str) -> Result<Registered, Refused> {
        self.register_over(udp(from), call_id, cseq, headers)
    }

    fn register_over(&mut self, flow: Flow, call_id: &str, cseq: u32, headers: &str) -> Result<Registered, Refused> {
        self.registrar.register(self.now, SEAT, &flow, &register(call_id, cseq, headers), &mut self.out)
    }

    /// Lets time pass from deadline to deadline, as the loop does.
    fn pass(&mut self, seconds: u64) {
        let end = self.now.after(Duration::from_secs(seconds));
        while let Some(at) = self.registrar.deadline().filter(|at| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.registrar.tick(self.now, &mut self.out);
        }
        self.now = end;
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    fn take_without_pings(&mut self) -> Vec<Output> {
        let all = self.take();
        all.into_iter().filter(|o| matches!(o, Output::Reachable { reachable: false, .. })).collect()
    }
}
