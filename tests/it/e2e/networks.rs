//! Other networks: IPv6, two of them, routers, loss, and a peer that does not read.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::address::Avenue;
use super::rig::phone::Phone;
use super::rig::relay::{Relay, Side, Weather};
use super::rig::server::Server;
use super::rig::sipp::{Job, Sipp};
use super::rig::site::{Network, PHONE, Seat, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::tcp::{deaf_peer, options};
use super::rig::{s, tone};
use super::talk::{finish_talk, recorded_well};

#[test]
fn a_call_over_ipv6_is_recorded() {
    if !have(&[Tool::Sipp, Tool::Ipv6]) {
        return;
    }
    let Some(avenue) = Avenue::take() else { return };
    let mut site = Site::new();
    site.networks[0].listen = avenue.at(0);
    site.networks[0].rtp = (avenue.first + 10, avenue.first + 29);
    site.trunks[0].1 = vec![avenue.at(0).ip()];
    site.seats.push(Seat { number: 8001, contact: Some(format!("sip:8001@{}", avenue.at(40))) });
    let server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    tone::write_alaw(&site.file("seat.al"), tone::SEAT);
    let mut job = Job::phone(site, "seat", PHONE);
    job.local = avenue.at(40);
    job.rtp_port = avenue.first + 50;
    job.pause_ms = 100;
    job.replace.push(("TONE", b"seat.al".to_vec()));
    let mut seat = Sipp::start(site, &job);
    server.make_ready(8001);
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    job.local = avenue.at(60);
    job.rtp_port = avenue.first + 70;
    job.pause_ms = 4000;
    let mut caller = Sipp::start(site, &job);
    caller.expect_good(1, s(20));
    seat.expect_good(1, s(10));
    let call = server.wait_fates(1).remove(0);
    assert_eq!(call["fate"], "answered");
    assert!(caller.text().contains("c=IN IP6 ::1"), "{}", caller.complaint());
    recorded_well(&server.export(&call), tone::CALLER, tone::SEAT).unwrap();
}

#[test]
fn each_network_sees_its_own_advertised_address_and_not_the_other() {
    if !have(&[Tool::Sipp, Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    let at = |host| site.street.at(host);
    let (inside, carrier_sees, seats_see) = (at(2), at(101), at(102));
    site.networks[0].advertised = Some(carrier_sees);
    site.networks.push(Network {
        name: "seats",
        listen: SocketAddr::new(inside, 5060),
        advertised: Some(seats_see),
        rtp: (24_000, 24_099),
    });
    let outside = at(1);
    let server = Server::start(site);
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let seat = Phone::seat(site, 8001, PHONE, json!({ "domain": format!("{inside}:5060"), "answer": 200 }));
    server.make_ready(8001);
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    job.pause_ms = 2000;
    let mut caller = Sipp::start(site, &job);
    let incoming = seat.wait("incoming", |_| true);
    caller.expect_good(1, s(15));
    let (to_seat, to_carrier) = (incoming["message"].as_str().unwrap(), caller.text());
    let answer = to_carrier.split("SIP/2.0 200").nth(1).expect("an answer");
    assert!(answer.contains(&format!("c=IN IP4 {carrier_sees}\r\nt=")), "{answer}");
    assert!(answer.contains(&format!("@{carrier_sees}:5060")), "Contact: {answer}");
    assert!(!to_carrier.contains(&inside.to_string()) && !to_carrier.contains(&seats_see.to_string()));
    assert!(to_seat.contains(&format!("c=IN IP4 {seats_see}\r\nt=")), "{to_seat}");
    assert!(to_seat.contains(&format!("SIP/2.0/UDP {seats_see}")), "Via: {to_seat}");
    for outer in [outside, carrier_sees, site.street.at(TELECOM)] {
        assert!(
            !to_seat.contains(&format!("{outer}:")) && !to_seat.contains(&format!("{outer}\r")),
            "{outer}: {to_seat}"
        );
    }
    let media = |text: &str| -> u16 {
        let line = text.split("m=audio ").nth(1).expect("audio");
        line.split(' ').next().and_then(|port| port.parse().ok()).expect("a port")
    };
    assert!((20_000..20_400).contains(&media(answer)) && (24_000..24_100).contains(&media(to_seat)));
}

#[test]
fn a_caller_over_tcp_is_heard() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let more = json!({ "transport": "tcp", "answer": 200, "tone": site.tone(tone::SEAT) });
    let mut seat = Phone::seat(site, 8001, PHONE, more);
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "transport": "tcp", "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{};transport=tcp", site.sip()));
    finish_talk(&server, &mut caller, &mut seat).is_perfect();
}

#[test]
fn five_percent_of_loss_both_ways_is_survived_and_measured() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    let at = |host| site.street.at(host);
    let (front, phone_front, inside) = (at(101), at(110), at(2));
    site.networks[0].advertised = Some(front);
    site.networks[0].rtp = (20_000, 20_019);
    site.trunks[0].1 = vec![phone_front];
    site.networks.push(Network {
        name: "seats",
        listen: SocketAddr::new(inside, 5060),
        advertised: None,
        rtp: (24_000, 24_099),
    });
    let ports = |first, last| std::iter::once(5060).chain(first..=last).collect();
    let exchange = Side { real: at(1), front, ports: ports(20_000, 20_019) };
    let phone = Side { real: at(TELECOM), front: phone_front, ports: ports(4000, 4003) };
    let server = Server::start(site);
    let site = &server.site;
    let relay = Relay::between(&exchange, &phone, Weather { loss: 50, swapped: 10, seed: 12_345 });
    let more = json!({ "domain": format!("{inside}:5060"), "answer": 200, "tone": site.tone(tone::SEAT) });
    let mut seat = Phone::seat(site, 8001, PHONE, more);
    server.make_ready(8001);
    let more = json!({ "domain": format!("{front}:5060"), "public": phone_front, "tone": site.tone(tone::CALLER) });
    let mut caller = Phone::caller(site, TELECOM, more);
    caller.call(&format!("sip:12345@{front}"));
    let talk = finish_talk(&server, &mut caller, &mut seat);
    talk.is_good_in_bad_weather();
    let (passed, lost) = relay.counts();
    let share = lost as f64 / (passed + lost) as f64;
    assert!((0.02..0.10).contains(&share), "the relay lost {lost} and passed {passed}");
    let reports = server.steps(&talk.call, "quality");
    let lossy = reports.iter().filter(|r| r["body"]["report"]["lost"].as_u64().unwrap() > 0).count();
    assert_eq!((reports.len(), lossy), (2, 1), "the caller's leg lost packets, the seat's did not: {reports:?}");
}

#[test]
fn a_phone_behind_a_router_is_called_and_heard() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    let at = |host| site.street.at(host);
    let (inside, front, router) = (at(2), at(102), at(121));
    site.networks.push(Network {
        name: "seats",
        listen: SocketAddr::new(inside, 5060),
        advertised: Some(front),
        rtp: (24_000, 24_019),
    });
    let ports = |first, last| std::iter::once(5060).chain(first..=last).collect();
    let exchange = Side { real: inside, front, ports: ports(24_000, 24_019) };
    let phone = Side { real: at(PHONE), front: router, ports: ports(4000, 4003) };
    let server = Server::start(site);
    let site = &server.site;
    let relay = Relay::between(&exchange, &phone, Weather { loss: 0, swapped: 0, seed: 1 });
    // The phone tells an address that nobody outside reaches; the exchange sees the router's.
    let unreachable = site.street.at(222);
    let more = json!({
        "domain": format!("{front}:5060"), "naive": true, "public": unreachable, "answer": 200, "tone": site.tone(tone::SEAT),
    });
    let mut seat = Phone::seat(site, 8001, PHONE, more);
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    finish_talk(&server, &mut caller, &mut seat).is_perfect();
    assert!(relay.counts().0 > 200, "the sound went through the router: {:?}", relay.counts());
}

#[test]
fn the_exchange_registers_at_a_carrier_and_knows_it_thereby() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let mut site = Site::new();
    let carrier = SocketAddr::new(site.street.at(TELECOM), 5060);
    site.first_trunk = Some(format!(
        "address = \"sip:{carrier}\"\nregister = {{ user = \"yihao\", domain = \"carrier.example\", expires_s = 300 }}"
    ));
    site.secrets = "[[trunk]]\nname = \"telecom\"\npassword = \"carriers-secret\"".to_owned();
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let mut registrar = Sipp::start(&site, &Job::phone(&site, "registrar", TELECOM));
    let server = Server::start(site);
    registrar.expect_good(1, s(15));
    let said = registrar.text();
    assert!(said.contains("username=\"yihao\"") && !said.contains("carriers-secret"), "{said}");
    let mut job = Job::call(&server.site, "caller", TELECOM, "12345");
    job.pause_ms = 500;
    Sipp::start(&server.site, &job).expect_good(1, s(15));
    let call = server.wait_fates(1).remove(0);
    assert_eq!((&call["source"], &call["line"]), (&json!("telecom"), &json!("12345")));
}

#[test]
fn a_tcp_peer_that_stops_reading_harms_nobody_else() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let mut deaf = deaf_peer(site);
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    (job.calls, job.rate, job.pause_ms) = (30, 10, 500);
    let mut caller = Sipp::start(site, &job);
    let end = Instant::now() + s(40);
    let mut closed = false;
    let mut stopped = None;
    let ask = options(site);
    while !closed && Instant::now() < end {
        match deaf.write(ask.as_bytes()) {
            Ok(_) => stopped = None,
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {
                stopped.get_or_insert_with(Instant::now);
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(_) => closed = true,
        }
    }
    caller.expect_good(30, s(20));
    assert!(closed, "a peer that does not read is closed; it took {stopped:?}");
    assert_eq!(server.wait_fates(30).len(), 30);
}

#[test]
fn a_tcp_peer_that_floods_keeps_nobody_waiting() {
    if !have(&[Tool::Sipp]) {
        return;
    }
    let server = Server::start(Site::new());
    let site = &server.site;
    tone::write_alaw(&site.file("tone.al"), tone::CALLER);
    let mut flood = deaf_peer(site);
    flood.set_nonblocking(false).unwrap();
    let mut answers = flood.try_clone().unwrap();
    // Counted by hand: the server resets the connection at its end, and the count must not go with it.
    let reader = std::thread::spawn(move || {
        let (mut buffer, mut read) = ([0_u8; 16_384], 0_usize);
        while let Ok(n @ 1..) = answers.read(&mut buffer) {
            read += n;
        }
        read
    });
    let ask = options(site);
    let writer = std::thread::spawn(move || while flood.write_all(ask.as_bytes()).is_ok() {});
    let mut job = Job::call(site, "caller", TELECOM, "12345");
    (job.calls, job.rate, job.pause_ms) = (20, 10, 500);
    Sipp::start(site, &job).expect_good(20, s(20));
    assert_eq!(server.wait_fates(20).len(), 20);
    drop(server);
    writer.join().unwrap();
    assert!(reader.join().unwrap() > 1_000_000, "the flood went on and was answered meanwhile");
}
