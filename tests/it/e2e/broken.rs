//! The connection of a telephone breaks in mid-call: the talk goes on, and the end of the call still gets through.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::rig::cable::Cable;
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::site::{PHONE, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::tone;
use super::rig::wav::Wav;
use super::talk::heard_well;

/// Where the telephone believes the exchange to be.
const FRONT: u8 = 41;

struct Scene {
    server: Server,
    cable: Cable,
    caller: Phone,
    seat: Phone,
}

/// A seat whose phone speaks over a cable, and a caller.
fn scene(transport: &str) -> Scene {
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let front = SocketAddr::new(site.street.at(FRONT), 5060);
    let secure = transport == "tls";
    let real = if secure { site.sip_tls() } else { site.sip() };
    let cable = Cable::between(front, real, site.street.at(PHONE));
    let more = json!({
        "domain": front.to_string(), "transport": transport, "srtp": secure, "answer": 200, "tone": site.tone(tone::SEAT),
    });
    let seat = Phone::seat(site, 8001, PHONE, more);
    server.make_ready(8001);
    let caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    Scene { server, cable, caller, seat }
}

impl Scene {
    fn call_and_cut(&mut self) {
        self.caller.call(&format!("sip:12345@{}", self.server.site.sip()));
        self.caller.wait_state("confirmed");
        self.seat.wait_state("confirmed");
        self.server.wait_live("the talk", |_| self.server.doing(8001) == "talking");
        assert!(self.cable.cut() >= 1, "the phone had a connection");
    }

    fn seat_comes_back(&mut self) {
        self.seat.order(json!({ "do": "register" }));
        self.seat.wait("registration", |told| told["code"] == 200);
    }

    /// Both hear each other without a connection of the phone.
    fn is_heard(&mut self, name: &str) {
        let (by_caller, by_seat) =
            (self.server.site.file(&format!("{name}-caller.wav")), self.server.site.file(&format!("{name}-seat.wav")));
        self.caller.record(&by_caller);
        self.seat.record(&by_seat);
        // Not a synchronisation: this is the length of what is listened to.
        std::thread::sleep(Duration::from_millis(2_000));
        for (who, file, hertz) in [(&mut self.caller, by_caller, tone::SEAT), (&mut self.seat, by_seat, tone::CALLER)] {
            who.order(json!({ "do": "stop" }));
            who.wait("recorded", |_| true);
            heard_well(name, &Wav::read(&file), hertz);
        }
    }

    fn is_over(&self, count: usize) {
        let fates = self.server.wait_fates(count);
        assert!(fates.iter().all(|call| call["fate"] == "answered"), "{fates:?}");
        assert_eq!(self.server.get("/api/v1/calls")["calls"].as_array().unwrap().len(), 0);
    }
}

fn a_broken_connection_costs_nothing(transport: &str) {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut scene = scene(transport);
    // It comes back, and the caller hangs up.
    scene.call_and_cut();
    scene.is_heard("after-the-cut");
    scene.seat_comes_back();
    scene.caller.hang_up();
    scene.seat.wait_state("disconnected");
    scene.is_over(1);
    // The caller hangs up while it is away, and it hears of that when it is back.
    scene.call_and_cut();
    scene.caller.hang_up();
    scene.is_over(2);
    scene.seat_comes_back();
    scene.seat.wait_state("disconnected");
    // It hangs up by a new connection before it has registered again.
    scene.call_and_cut();
    scene.seat.hang_up();
    scene.caller.wait("state", |told| told["state"] == "disconnected");
    scene.is_over(3);
    assert!(!scene.seat.messages().contains("SIP/2.0 481"), "nothing of it is refused");
}

#[test]
fn a_tcp_connection_that_breaks_in_mid_call_costs_neither_the_talk_nor_its_end() {
    a_broken_connection_costs_nothing("tcp");
}

#[test]
fn a_tls_connection_that_breaks_in_mid_call_costs_neither_the_talk_nor_its_end() {
    a_broken_connection_costs_nothing("tls");
}
