//! TLS and SRTP: who is known by a certificate, whose voice is encrypted, and what becomes of calls when ours is exchanged.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::rig::certificate::{certificate, is_shown};
use super::rig::phone::Phone;
use super::rig::server::Server;
use super::rig::site::{PHONE, STRANGER, Site, TELECOM};
use super::rig::skip::{Tool, have};
use super::rig::{s, tone, until};
use super::talk::finish_talk;

#[test]
fn a_seat_over_tls_is_heard_through_srtp() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let server = Server::start(Site::new().with_seat(8001));
    let site = &server.site;
    let secure = json!({
        "domain": format!("{}:5061", site.sip().ip()), "transport": "tls", "srtp": true, "answer": 200,
        "tone": site.tone(tone::SEAT),
    });
    let mut seat = Phone::seat(site, 8001, PHONE, secure);
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    let incoming = seat.wait("incoming", |_| true);
    let offer = incoming["message"].as_str().unwrap();
    assert!(offer.contains("RTP/SAVP") && offer.contains("a=crypto:") && offer.contains("SIP/2.0/TLS"), "{offer}");
    finish_talk(&server, &mut caller, &mut seat).is_perfect();
    assert!(!caller.messages().contains("a=crypto"), "keys stay on the secure side");
}

#[test]
fn a_trunk_is_known_by_its_certificate_and_by_nothing_less() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    let carrier = certificate(&site, "carrier.example");
    let stranger = certificate(&site, "stranger.example");
    fs::copy(site.file("carrier.example.ca"), site.file("ca.pem")).unwrap();
    site.tls = "[tls]\nclient_ca = \"ca.pem\"".to_owned();
    site.first_trunk = Some("tls_identity = \"carrier.example\"".to_owned());
    let server = Server::start(site);
    let site = &server.site;
    let mut seat = Phone::seat(site, 8001, PHONE, json!({ "answer": 200, "tone": site.tone(tone::SEAT) }));
    server.make_ready(8001);
    let line = format!("sip:12345@{}:5061;transport=tls", site.sip().ip());
    for (host, identity) in [(STRANGER, Some(&stranger)), (STRANGER + 1, None)] {
        let mut more = json!({ "transport": "tls", "srtp": true });
        if let Some((certificate, key)) = identity {
            (more["certificate"], more["key"]) = (json!(certificate), json!(key));
        }
        let mut other = Phone::caller(site, host, more);
        other.call(&line);
        let told = other.wait_state("disconnected");
        assert!(told["code"].as_u64().unwrap() >= 400, "{told}");
    }
    let more = json!({
        "transport": "tls", "srtp": true, "certificate": carrier.0, "key": carrier.1, "tone": site.tone(tone::CALLER),
    });
    let mut caller = Phone::caller(site, TELECOM, more);
    caller.call(&line);
    finish_talk(&server, &mut caller, &mut seat).is_perfect();
}

#[test]
fn a_certificate_is_exchanged_while_a_call_talks() {
    if !have(&[Tool::Pjsua]) {
        return;
    }
    let mut site = Site::new().with_seat(8001);
    for name in ["old.example", "new.example"] {
        certificate(&site, name);
    }
    let put = |site: &Site, name: &str| {
        fs::rename(site.file(&format!("{name}.pem")), site.file("ours.pem")).unwrap();
        fs::rename(site.file(&format!("{name}.key")), site.file("ours.key")).unwrap();
    };
    put(&site, "old.example");
    site.tls = "[tls]\ncertificate = \"ours.pem\"\nkey = \"ours.key\"".to_owned();
    let server = Server::start(site);
    let site = &server.site;
    let shown = |name| is_shown(site.sip_tls(), name, &site.file(&format!("{name}.ca")));
    assert_eq!((shown("old.example"), shown("new.example")), (true, false));
    let secure = json!({
        "domain": site.sip_tls().to_string(), "transport": "tls", "srtp": true, "answer": 200,
        "tone": site.tone(tone::SEAT),
    });
    let mut seat = Phone::seat(site, 8001, PHONE, secure);
    server.make_ready(8001);
    let mut caller = Phone::caller(site, TELECOM, json!({ "tone": site.tone(tone::CALLER) }));
    caller.call(&format!("sip:12345@{}", site.sip()));
    let talk = std::thread::scope(|scope| {
        scope.spawn(|| {
            server.wait_live("the talk", |_| server.doing(8001) == "talking");
            let records = |file: &PathBuf| fs::metadata(file).is_ok_and(|file| file.len() > 4_000);
            let files = ["heard-by-caller.wav", "heard-by-seat.wav"].map(|name| site.file(name));
            until("both to record what they hear", s(10), || files.iter().all(records).then_some(()));
            put(site, "new.example");
            server.reload();
            until("the new certificate", s(5), || shown("new.example").then_some(()));
            assert!(!shown("old.example"));
            assert_eq!(server.doing(8001), "talking", "the exchange of certificates took no time");
        });
        finish_talk(&server, &mut caller, &mut seat)
    });
    talk.is_perfect();
    // The phone keeps its connection: it is called over it, and has never been told to come again.
    caller.call(&format!("sip:12345@{}", site.sip()));
    seat.wait_state("confirmed");
    caller.hang_up();
    seat.wait_state("disconnected");
    let connections = seat.messages().matches(" connected to ").count();
    assert_eq!(connections, 1, "{}", seat.messages());
    assert_eq!(server.wait_fates(2).iter().filter(|call| call["fate"] == "answered").count(), 2);
}
